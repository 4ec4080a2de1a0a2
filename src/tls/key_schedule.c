/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most of the cost of a key schedule is hashing the pads of HMAC keys: each secret's are hashed
 * once for all that is derived from it.
 */
#include "tls/key_schedule.h"

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define LABEL_PREFIX "tls13 "
#define LABEL_MAX    64 /* ours have at most 18 octets */
#define INFO_MAX     (2 + 1 + LABEL_MAX + 1 + HASH_SIZE_MAX)

/* What depends on the hash only: its digest of nothing, and Derive-Secret(Early Secret, "derived",
 * "") where there is no PSK. */
static const struct constants {
    uint8_t of_nothing[HASH_SIZE_MAX];
    uint8_t derived[HASH_SIZE_MAX];
} constants[] =
    {
        [HASH_SHA256] =
            {
                .of_nothing = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                    0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
                    0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55},
                .derived = {0x6f, 0x26, 0x15, 0xa1, 0x08, 0xc7, 0x02, 0xc5, 0x67, 0x8f, 0x54, 0xfc,
                    0x9d, 0xba, 0xb6, 0x97, 0x16, 0xc0, 0x76, 0x18, 0x9c, 0x48, 0x25, 0x0c, 0xeb,
                    0xea, 0xc3, 0x57, 0x6c, 0x36, 0x11, 0xba},
            },
        [HASH_SHA384] =
            {
                .of_nothing = {0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32,
                    0x7e, 0xb1, 0xb1, 0xe3, 0x6a, 0x21, 0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43,
                    0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda, 0x27, 0x4e, 0xde, 0xbf, 0xe7,
                    0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b},
                .derived = {0x15, 0x91, 0xda, 0xc5, 0xcb, 0xbf, 0x03, 0x30, 0xa4, 0xa8, 0x4d, 0xe9,
                    0xc7, 0x53, 0x33, 0x0e, 0x92, 0xd0, 0x1f, 0x0a, 0x88, 0x21, 0x4b, 0x44, 0x64,
                    0x97, 0x2f, 0xd6, 0x68, 0x04, 0x9e, 0x93, 0xe5, 0x2f, 0x2b, 0x16, 0xfa, 0xd9,
                    0x22, 0xfd, 0xc0, 0x58, 0x44, 0x78, 0x42, 0x8f, 0x28, 0x2b},
            },
};

/* HKDF-Expand-Label (RFC 8446 §7.1) with the pads of the secret hashed. */
static void expand(const struct hmac_key *secret, const char *label, struct bytes context,
    uint8_t *out, size_t out_n)
{
    uint8_t info[INFO_MAX], *at = info;
    const size_t prefix_n = sizeof(LABEL_PREFIX) - 1, label_n = strlen(label);
    ASSERT(prefix_n + label_n <= LABEL_MAX && context.n <= HASH_SIZE_MAX && out_n <= UINT16_MAX);
    *at++ = (uint8_t)(out_n >> 8);
    *at++ = (uint8_t)out_n;
    *at++ = (uint8_t)(prefix_n + label_n);
    memcpy(at, LABEL_PREFIX, prefix_n);
    memcpy(at + prefix_n, label, label_n);
    at += prefix_n + label_n;
    *at++ = (uint8_t)context.n;
    if (context.n)
        memcpy(at, context.at, context.n);
    at += context.n;
    hkdf_expand(secret, (struct bytes){info, (size_t)(at - info)}, out, out_n);
}

/* Salts that are the same in every handshake: none, which is zeros (RFC 8446 §7.1), and
 * Derive-Secret(Early Secret, "derived", "") where there is no PSK. */
enum salt { SALT_NONE, SALT_DERIVED, SALT_COUNT };

/* … its pads hashed, once per process. */
static const struct hmac_key *constant_salt(enum hash_kind hash, enum salt which)
{
    static struct salt_key {
        bool is_made;
        struct hmac_key key;
    } keys[COUNT_OF(constants)][SALT_COUNT];
    struct salt_key *k = &keys[hash][which];
    size_t n = which == SALT_NONE ? 0 : hash_size(hash);
    if (!k->is_made)
        hmac_key_init(&k->key, hash, (struct bytes){constants[hash].derived, n});
    k->is_made = true;
    return &k->key;
}

static struct bytes secret_bytes(const struct secret *s)
{
    return (struct bytes){s->at, hash_size(s->hash)};
}

/* The secret that HKDF-Extract makes of SALT and INPUT becomes the current one. */
static void extract(struct key_schedule *s, const struct hmac_key *salt, struct bytes input)
{
    uint8_t secret[HASH_SIZE_MAX];
    hmac_make(salt, input, (struct bytes){0}, secret); /* RFC 5869 §2.2 */
    hmac_key_init(&s->current, s->hash, (struct bytes){secret, hash_size(s->hash)});
    mem_wipe(secret, sizeof(secret));
}

struct bytes key_schedule_nothing(enum hash_kind hash)
{
    return (struct bytes){constants[hash].of_nothing, hash_size(hash)};
}

void key_schedule_start(struct key_schedule *s, enum hash_kind hash, struct bytes psk)
{
    s->hash = hash;
    s->is_constant = psk.n == 0;
    if (!s->is_constant)
        extract(s, constant_salt(hash, SALT_NONE), psk);
}

void key_schedule_next(struct key_schedule *s, struct bytes input)
{
    static const uint8_t zeros[HASH_SIZE_MAX];
    const size_t n = hash_size(s->hash);
    uint8_t derived[HASH_SIZE_MAX];
    struct hmac_key salt;
    /* RFC 8446 §7.1: what is not there is "a string of Hash.length bytes set to zeros". */
    if (!input.n)
        input = (struct bytes){zeros, n};
    if (s->is_constant) {
        s->is_constant = false;
        extract(s, constant_salt(s->hash, SALT_DERIVED), input);
        return;
    }
    expand(&s->current, "derived", key_schedule_nothing(s->hash), derived, n);
    hmac_key_init(&salt, s->hash, (struct bytes){derived, n});
    extract(s, &salt, input);
    hmac_key_wipe(&salt);
    mem_wipe(derived, sizeof(derived));
}

void key_schedule_derive(const struct key_schedule *s, const char *label,
    struct bytes transcript_hash, struct secret *out)
{
    ASSERT(!s->is_constant);
    out->hash = s->hash;
    expand(&s->current, label, transcript_hash, out->at, hash_size(s->hash));
}

void key_schedule_expand(const struct secret *secret, const char *label, struct bytes context,
    uint8_t *out, size_t out_n)
{
    struct hmac_key key;
    hmac_key_init(&key, secret->hash, secret_bytes(secret));
    expand(&key, label, context, out, out_n);
    hmac_key_wipe(&key);
}

static void expand_keys(
    const struct hmac_key *traffic, const struct suite *suite, struct record_keys *out)
{
    *out = (struct record_keys){.format = RECORD_TLS13, .kind = suite->aead};
    expand(traffic, "key", (struct bytes){0}, out->key, aead_key_size(suite->aead));
    expand(traffic, "iv", (struct bytes){0}, out->iv, sizeof(out->iv));
}

void key_schedule_keys(
    const struct secret *traffic, const struct suite *suite, struct record_keys *out)
{
    struct hmac_key key;
    hmac_key_init(&key, traffic->hash, secret_bytes(traffic));
    expand_keys(&key, suite, out);
    hmac_key_wipe(&key);
}

static void expand_finished(
    const struct hmac_key *base, enum hash_kind hash, struct secret *finished)
{
    finished->hash = hash;
    expand(base, "finished", (struct bytes){0}, finished->at, hash_size(hash));
}

void key_schedule_handshake_traffic(
    const struct secret *traffic, const struct suite *suite, struct handshake_traffic *out)
{
    struct hmac_key key;
    hmac_key_init(&key, traffic->hash, secret_bytes(traffic));
    expand_keys(&key, suite, &out->keys);
    expand_finished(&key, traffic->hash, &out->finished);
    hmac_key_wipe(&key);
}

void key_schedule_update(struct secret *traffic)
{
    uint8_t next[HASH_SIZE_MAX];
    const size_t n = hash_size(traffic->hash);
    key_schedule_expand(traffic, "traffic upd", (struct bytes){0}, next, n);
    memcpy(traffic->at, next, n);
    mem_wipe(next, sizeof(next));
}

size_t key_schedule_finish(
    const struct secret *finished, struct bytes transcript_hash, uint8_t out[HASH_SIZE_MAX])
{
    struct hmac_key key;
    hmac_key_init(&key, finished->hash, secret_bytes(finished));
    size_t n = hmac_make(&key, transcript_hash, (struct bytes){0}, out);
    hmac_key_wipe(&key);
    return n;
}

size_t key_schedule_verify_data(
    const struct secret *base, struct bytes transcript_hash, uint8_t out[HASH_SIZE_MAX])
{
    struct hmac_key key;
    struct secret finished;
    hmac_key_init(&key, base->hash, secret_bytes(base));
    expand_finished(&key, base->hash, &finished);
    size_t n = key_schedule_finish(&finished, transcript_hash, out);
    hmac_key_wipe(&key);
    mem_wipe(&finished, sizeof(finished));
    return n;
}
