/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libIPSec_MB's AES-GCM, one message at a time: its queues of jobs are not ours. A manager is made
 * only to learn which functions are this CPU's.
 */
#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/aead_implementation.h"
#include "crypto/digest.h"

#include "base/ban.h"

struct expanded {
    struct aead base;
    struct gcm_key_data key;
};

/* This CPU's functions, by enum aead_kind. */
static struct functions {
    aes_gcm_pre_t expand;
    aes_gcm_enc_dec_t encrypt, decrypt;
} functions[AEAD_AES_256_GCM + 1];

static const struct aead_implementation ipsec_mb;

static struct aead *ipsec_mb_make(enum aead_kind kind, const uint8_t *key)
{
    struct expanded *e = mem_alloc_raw(sizeof(*e));
    e->base = (struct aead){&ipsec_mb, kind};
    functions[kind].expand(key, &e->key);
    return &e->base;
}

static void ipsec_mb_free(struct aead *a)
{
    struct expanded *e = container_of(a, struct expanded, base);
    mem_wipe(e, sizeof(*e));
    free(e);
}

static void ipsec_mb_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad,
    uint8_t *data, size_t n, uint8_t *tag)
{
    const struct expanded *e = container_of(a, struct expanded, base);
    struct gcm_context_data state;
    functions[a->kind].encrypt(
        &e->key, &state, data, data, n, nonce, ad.at, ad.n, tag, AEAD_TAG_SIZE);
    mem_wipe(&state, sizeof(state));
}

static bool ipsec_mb_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad,
    uint8_t *data, size_t n, const uint8_t *tag)
{
    const struct expanded *e = container_of(a, struct expanded, base);
    struct gcm_context_data state;
    uint8_t expected[AEAD_TAG_SIZE];
    functions[a->kind].decrypt(
        &e->key, &state, data, data, n, nonce, ad.at, ad.n, expected, AEAD_TAG_SIZE);
    bool is_authentic = constant_time_equal(expected, tag, AEAD_TAG_SIZE);
    mem_wipe(expected, sizeof(expected)); /* of a forgery: the tag that it lacked */
    mem_wipe(&state, sizeof(state));
    return is_authentic;
}

static char name[64];
static const struct aead_implementation ipsec_mb = {
    name, ipsec_mb_make, ipsec_mb_free, ipsec_mb_seal, ipsec_mb_open};

static void take_functions(const IMB_MGR *m)
{
    functions[AEAD_AES_128_GCM] = (struct functions){m->gcm128_pre, m->gcm128_enc, m->gcm128_dec};
    functions[AEAD_AES_256_GCM] = (struct functions){m->gcm256_pre, m->gcm256_enc, m->gcm256_dec};
    snprintf(name, sizeof(name), "libIPSec_MB %s%s", imb_get_version_str(),
        m->features & IMB_FEATURE_VAES ? " (VAES)" : "");
}

const struct aead_implementation *aead_ipsec_mb_find(void)
{
    /* Without AES instructions the library emulates them, with tables that a neighbour on the CPU
     * can watch: libcrypto's way then. */
    static const uint64_t needed =
        IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SELF_TEST_PASS;
    IMB_MGR *m = alloc_mb_mgr(0);
    ASSERT(m);
    init_mb_mgr_auto(m, NULL);
    bool can = !imb_get_errno(m) && (m->features & needed) == needed;
    if (can)
        take_functions(m);
    free_mb_mgr(m);
    return can ? &ipsec_mb : NULL;
}
