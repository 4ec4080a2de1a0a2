/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/hash.h"

#include "base/ban.h"

struct digest {
    struct hash hash;
};

/* Fetching an algorithm searches the providers: once per process, never per call. */
static const EVP_MD *algorithm(enum digest_kind kind)
{
    static const char *const names[] = {
        [DIGEST_SHA1] = "SHA1",
        [DIGEST_SHA256] = "SHA256",
        [DIGEST_SHA384] = "SHA384",
        [DIGEST_SHA512] = "SHA512",
    };
    static EVP_MD *fetched[COUNT_OF(names)];
    if (!fetched[kind])
        fetched[kind] = EVP_MD_fetch(NULL, names[kind], NULL);
    ASSERT(fetched[kind]);
    return fetched[kind];
}

size_t digest_make(enum digest_kind kind, struct bytes data, uint8_t out[DIGEST_SIZE_MAX])
{
    unsigned n = 0;
    ASSERT(EVP_Digest(data.at, data.n, out, &n, algorithm(kind), NULL));
    return n;
}

void digest_sha256(struct bytes data, uint8_t out[SHA256_SIZE])
{
    uint8_t digest[HASH_SIZE_MAX];
    memcpy(out, digest, hash_make(HASH_SHA256, data, digest));
}

struct digest *digest_new(void)
{
    struct digest *d = mem_alloc(sizeof(*d));
    hash_init(&d->hash, HASH_SHA256);
    return d;
}

void digest_add(struct digest *d, struct bytes piece)
{
    uint8_t length[8];
    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (uint8_t)((uint64_t)piece.n >> (56 - 8 * i));
    hash_add(&d->hash, (struct bytes){length, sizeof(length)});
    hash_add(&d->hash, piece);
}

void digest_finish(struct digest **d, uint8_t out[SHA256_SIZE])
{
    uint8_t digest[HASH_SIZE_MAX];
    memcpy(out, digest, hash_peek(&(*d)->hash, digest));
    mem_wipe(*d, sizeof(**d));
    free(*d);
    *d = NULL;
}

size_t digest_hmac(
    enum digest_kind kind, struct bytes key, struct bytes data, uint8_t out[DIGEST_SIZE_MAX])
{
    unsigned n = 0;
    const uint8_t none = 0;
    ASSERT(key.n <= INT_MAX);
    ASSERT(HMAC(algorithm(kind), key.n ? key.at : &none, (int)key.n, data.n ? data.at : &none,
        data.n, out, &n));
    return n;
}

void digest_hkdf(
    struct bytes secret, struct bytes salt, struct bytes info, uint8_t *out, size_t out_n)
{
    uint8_t key[HASH_SIZE_MAX];
    struct hmac_key prk;
    ASSERT(out_n > 0);
    hkdf_extract(HASH_SHA256, salt, secret, key);
    hmac_key_init(&prk, HASH_SHA256, (struct bytes){key, SHA256_SIZE});
    hkdf_expand(&prk, info, out, out_n);
    hmac_key_wipe(&prk);
    mem_wipe(key, sizeof(key));
}

void random_fill(uint8_t *out, size_t n)
{
    ASSERT(n <= INT_MAX);
    ASSERT(RAND_bytes(out, (int)n) == 1);
}

bool constant_time_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(struct bytes data, char *out)
{
    char *at = out;
    for (size_t i = 0; i < data.n; i += 3) {
        size_t left = data.n - i;
        unsigned group = (unsigned)data.at[i] << 16;
        group |= left > 1 ? (unsigned)data.at[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned)data.at[i + 2] : 0;
        *at++ = base64_alphabet[group >> 18];
        *at++ = base64_alphabet[group >> 12 & 63];
        *at++ = left > 1 ? base64_alphabet[group >> 6 & 63] : '=';
        *at++ = left > 2 ? base64_alphabet[group & 63] : '=';
    }
    return (size_t)(at - out);
}

int base64_decode(struct bytes text, uint8_t *out, size_t *out_n)
{
    uint32_t bits = 0;
    unsigned held = 0;
    *out_n = 0;
    while (text.n && text.at[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        const char *p = text.at[i] ? strchr(base64_alphabet, text.at[i]) : NULL;
        if (!p)
            return -1;
        bits = bits << 6 | (uint32_t)(p - base64_alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[(*out_n)++] = (uint8_t)(bits >> held);
        }
    }
    return 0;
}
