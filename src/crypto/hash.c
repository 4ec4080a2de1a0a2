/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcrypto's own functions for SHA-2, which 3.0 calls deprecated but keeps: a state is a value
 * without pointers, where EVP's is four allocations and a fetch. HMAC and HKDF are composed of them
 * here (docs/adr/0007-hmac-is-composed-here.md).
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <assert.h>

#include <openssl/sha.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define BLOCK_MAX SHA512_CBLOCK
#define IPAD      0x36 /* RFC 2104 §2 */
#define OPAD      0x5c

static_assert(sizeof(SHA256_CTX) <= HASH_STATE_MAX && sizeof(SHA512_CTX) <= HASH_STATE_MAX,
    "a state of libcrypto fits");
static_assert(
    _Alignof(SHA256_CTX) <= 8 && _Alignof(SHA512_CTX) <= 8, "… and is aligned as it wants");

static const struct {
    size_t size, block;
} kinds[] = {
    [HASH_SHA256] = {SHA256_DIGEST_LENGTH, SHA256_CBLOCK},
    [HASH_SHA384] = {SHA384_DIGEST_LENGTH, SHA512_CBLOCK},
};

size_t hash_size(enum hash_kind kind)
{
    return kinds[kind].size;
}

/* ---- SHA-2: none of libcrypto's functions can fail ---- */

void hash_init(struct hash *h, enum hash_kind kind)
{
    h->kind = kind;
    if (kind == HASH_SHA256)
        SHA256_Init((SHA256_CTX *)h->state);
    else
        SHA384_Init((SHA512_CTX *)h->state);
}

void hash_add(struct hash *h, struct bytes data)
{
    if (h->kind == HASH_SHA256)
        SHA256_Update((SHA256_CTX *)h->state, data.at, data.n);
    else
        SHA384_Update((SHA512_CTX *)h->state, data.at, data.n);
}

/* Pads, and so ends H. */
static size_t finish(struct hash *h, uint8_t out[HASH_SIZE_MAX])
{
    if (h->kind == HASH_SHA256)
        SHA256_Final(out, (SHA256_CTX *)h->state);
    else
        SHA384_Final(out, (SHA512_CTX *)h->state);
    return hash_size(h->kind);
}

size_t hash_peek(const struct hash *h, uint8_t out[HASH_SIZE_MAX])
{
    struct hash copy = *h;
    return finish(&copy, out);
}

size_t hash_make(enum hash_kind kind, struct bytes data, uint8_t out[HASH_SIZE_MAX])
{
    struct hash h;
    hash_init(&h, kind);
    hash_add(&h, data);
    size_t n = finish(&h, out);
    mem_wipe(&h, sizeof(h)); /* it may have been a key */
    return n;
}

/* ---- HMAC, RFC 2104 ---- */

static void hash_pad(
    struct hash *h, enum hash_kind kind, const uint8_t block[BLOCK_MAX], uint8_t pad)
{
    uint8_t padded[BLOCK_MAX];
    for (size_t i = 0; i < sizeof(padded); i++)
        padded[i] = block[i] ^ pad;
    hash_init(h, kind);
    hash_add(h, (struct bytes){padded, kinds[kind].block});
    mem_wipe(padded, sizeof(padded));
}

void hmac_key_init(struct hmac_key *k, enum hash_kind kind, struct bytes key)
{
    uint8_t block[BLOCK_MAX] = {0};
    if (key.n > kinds[kind].block) /* "will first hash the key" */
        hash_make(kind, key, block);
    else if (key.n)
        memcpy(block, key.at, key.n);
    hash_pad(&k->inner, kind, block, IPAD);
    hash_pad(&k->outer, kind, block, OPAD);
    mem_wipe(block, sizeof(block));
}

void hmac_key_wipe(struct hmac_key *k)
{
    mem_wipe(k, sizeof(*k));
}

/* HMAC of what was added to INNER, a copy of K's; ends and wipes it. */
static size_t hmac_finish(const struct hmac_key *k, struct hash *inner, uint8_t out[HASH_SIZE_MAX])
{
    struct hash outer = k->outer;
    size_t n = finish(inner, out);
    hash_add(&outer, (struct bytes){out, n});
    finish(&outer, out);
    mem_wipe(inner, sizeof(*inner));
    mem_wipe(&outer, sizeof(outer));
    return n;
}

size_t hmac_make(
    const struct hmac_key *k, struct bytes a, struct bytes b, uint8_t out[HASH_SIZE_MAX])
{
    struct hash inner = k->inner;
    hash_add(&inner, a);
    hash_add(&inner, b);
    return hmac_finish(k, &inner, out);
}

/* ---- HKDF, RFC 5869 ---- */

void hkdf_extract(
    enum hash_kind kind, struct bytes salt, struct bytes secret, uint8_t out[HASH_SIZE_MAX])
{
    struct hmac_key k;
    hmac_key_init(&k, kind, salt); /* §2.2: no salt is a string of zeros, as HMAC pads it anyway */
    hmac_make(&k, secret, (struct bytes){0}, out);
    hmac_key_wipe(&k);
}

void hkdf_expand(const struct hmac_key *prk, struct bytes info, uint8_t *out, size_t out_n)
{
    uint8_t block[HASH_SIZE_MAX]; /* T(i) of §2.3 */
    size_t block_n = 0, size = hash_size(prk->inner.kind);
    ASSERT(out_n <= 255 * size);
    for (uint8_t i = 1; out_n; i++) {
        struct hash inner = prk->inner;
        hash_add(&inner, (struct bytes){block, block_n});
        hash_add(&inner, info);
        hash_add(&inner, (struct bytes){&i, 1});
        block_n = hmac_finish(prk, &inner, block);
        size_t n = out_n < size ? out_n : size;
        memcpy(out, block, n);
        out += n;
        out_n -= n;
    }
    mem_wipe(block, sizeof(block));
}
