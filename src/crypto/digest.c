/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

struct digest {
    EVP_MD_CTX *context;
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

static const EVP_MD *sha256(void)
{
    return algorithm(DIGEST_SHA256);
}

static EVP_KDF *hkdf(void)
{
    static EVP_KDF *fetched;
    if (!fetched)
        fetched = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ASSERT(fetched);
    return fetched;
}

size_t digest_make(enum digest_kind kind, struct bytes data, uint8_t out[DIGEST_SIZE_MAX])
{
    unsigned n = 0;
    ASSERT(EVP_Digest(data.at, data.n, out, &n, algorithm(kind), NULL));
    return n;
}

void digest_sha256(struct bytes data, uint8_t out[SHA256_SIZE])
{
    ASSERT(EVP_Digest(data.at, data.n, out, NULL, sha256(), NULL));
}

struct digest *digest_new(void)
{
    struct digest *d = mem_alloc(sizeof(*d));
    d->context = EVP_MD_CTX_new();
    ASSERT(d->context && EVP_DigestInit_ex2(d->context, sha256(), NULL));
    return d;
}

void digest_add(struct digest *d, struct bytes piece)
{
    uint8_t length[8];
    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (uint8_t)((uint64_t)piece.n >> (56 - 8 * i));
    ASSERT(EVP_DigestUpdate(d->context, length, sizeof(length)));
    ASSERT(EVP_DigestUpdate(d->context, piece.at, piece.n));
}

void digest_finish(struct digest **d, uint8_t out[SHA256_SIZE])
{
    ASSERT(EVP_DigestFinal_ex((*d)->context, out, NULL));
    EVP_MD_CTX_free((*d)->context);
    free(*d);
    *d = NULL;
}

/* libcrypto wants writable addresses, and no NULL, for what it only reads. */
static OSSL_PARAM octets(const char *key, struct bytes b)
{
    static char nothing;
    void *at = b.n ? (void *)(uintptr_t)b.at : &nothing;
    return OSSL_PARAM_construct_octet_string(key, at, b.n);
}

void digest_hkdf(
    struct bytes secret, struct bytes salt, struct bytes info, uint8_t *out, size_t out_n)
{
    static char hash[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
        octets(OSSL_KDF_PARAM_KEY, secret),
        octets(OSSL_KDF_PARAM_SALT, salt),
        octets(OSSL_KDF_PARAM_INFO, info),
        OSSL_PARAM_construct_end(),
    };
    ASSERT(out_n > 0 && out_n <= 255 * SHA256_SIZE); /* RFC 5869 §2.3 */
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf());
    ASSERT(context && EVP_KDF_derive(context, out, out_n, parameters) == 1);
    EVP_KDF_CTX_free(context);
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

size_t base64_encode(struct bytes data, char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = out;
    for (size_t i = 0; i < data.n; i += 3) {
        size_t left = data.n - i;
        unsigned group = (unsigned)data.at[i] << 16;
        group |= left > 1 ? (unsigned)data.at[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned)data.at[i + 2] : 0;
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[group & 63] : '=';
    }
    return (size_t)(at - out);
}
