/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include "base/attributes.h"
#include "base/memory.h"
#include "crypto/aead_implementation.h"

#include "base/ban.h"

size_t aead_key_size(enum aead_kind kind)
{
    static const size_t sizes[] = {
        [AEAD_AES_128_GCM] = 16,
        [AEAD_AES_256_GCM] = 32,
        [AEAD_CHACHA20_POLY1305] = 32,
    };
    return sizes[kind];
}

/* Who does AES-GCM in this process. */
static const struct aead_implementation *gcm(void)
{
    static const struct aead_implementation *chosen;
    if (!chosen)
        chosen = aead_ipsec_mb_find();
    if (!chosen)
        chosen = &aead_libcrypto;
    return chosen;
}

const char *aead_implementation(void)
{
    return gcm()->name;
}

struct aead *aead_new(enum aead_kind kind, const uint8_t *key)
{
    return (kind == AEAD_CHACHA20_POLY1305 ? &aead_libcrypto : gcm())->make(kind, key);
}

void aead_free(struct aead **ap)
{
    struct aead *a = *ap;
    *ap = NULL;
    if (a)
        a->by->free(a);
}

void aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad, uint8_t *data,
    size_t n, uint8_t *tag)
{
    a->by->seal(a, nonce, ad, data, n, tag);
}

bool aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad, uint8_t *data,
    size_t n, const uint8_t *tag)
{
    bool is_authentic = a->by->open(a, nonce, ad, data, n, tag);
    if (!is_authentic)
        mem_wipe(data, n); /* nobody may see what was not authenticated (RFC 5116 §2.2) */
    return is_authentic;
}
