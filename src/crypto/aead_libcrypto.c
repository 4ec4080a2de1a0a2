/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Algorithms are fetched once per process and a context serves as long as its key: the calls of one
 * record give it a nonce, and no more.
 */
#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/aead_implementation.h"

#include "base/ban.h"

struct expanded {
    struct aead base;
    EVP_CIPHER_CTX *context;
};

static EVP_CIPHER_CTX *context_of(struct aead *a)
{
    return container_of(a, struct expanded, base)->context;
}

/* Fetching an algorithm searches the providers: once per process, never per key. */
static const EVP_CIPHER *algorithm(enum aead_kind kind)
{
    static const char *const names[] = {
        [AEAD_AES_128_GCM] = "AES-128-GCM",
        [AEAD_AES_256_GCM] = "AES-256-GCM",
        [AEAD_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
    };
    static EVP_CIPHER *fetched[COUNT_OF(names)];
    if (!fetched[kind])
        fetched[kind] = EVP_CIPHER_fetch(NULL, names[kind], NULL);
    ASSERT(fetched[kind]);
    return fetched[kind];
}

static struct aead *libcrypto_make(enum aead_kind kind, const uint8_t *key)
{
    struct expanded *e = mem_alloc(sizeof(*e));
    e->base = (struct aead){&aead_libcrypto, kind};
    e->context = EVP_CIPHER_CTX_new();
    ASSERT(e->context &&
           EVP_CipherInit_ex2(e->context, algorithm(kind), key, NULL, 1, NULL)); /* nonces: 12 */
    return &e->base;
}

static void libcrypto_free(struct aead *a)
{
    EVP_CIPHER_CTX_free(context_of(a)); /* wipes */
    free(container_of(a, struct expanded, base));
}

/* From NONCE to the end of DATA, in place. */
static void process(EVP_CIPHER_CTX *c, struct bytes ad, uint8_t *data, size_t n)
{
    int done;
    ASSERT(ad.n <= INT_MAX && n <= INT_MAX);
    if (ad.n)
        ASSERT(EVP_CipherUpdate(c, NULL, &done, ad.at, (int)ad.n));
    if (n)
        ASSERT(EVP_CipherUpdate(c, data, &done, data, (int)n) && (size_t)done == n);
}

static void libcrypto_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad,
    uint8_t *data, size_t n, uint8_t *tag)
{
    EVP_CIPHER_CTX *c = context_of(a);
    uint8_t nothing[1];
    int done;
    ASSERT(EVP_CipherInit_ex2(c, NULL, NULL, nonce, 1, NULL));
    process(c, ad, data, n);
    ASSERT(EVP_CipherFinal_ex(c, nothing, &done) &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, tag));
}

static bool libcrypto_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad,
    uint8_t *data, size_t n, const uint8_t *tag)
{
    EVP_CIPHER_CTX *c = context_of(a);
    uint8_t nothing[1];
    int done;
    ASSERT(EVP_CipherInit_ex2(c, NULL, NULL, nonce, 0, NULL) &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, (void *)(uintptr_t)tag));
    process(c, ad, data, n);
    bool is_authentic = EVP_CipherFinal_ex(c, nothing, &done); /* compares in constant time */
    if (!is_authentic)
        ERR_clear_error();
    return is_authentic;
}

const struct aead_implementation aead_libcrypto = {
    "libcrypto", libcrypto_make, libcrypto_free, libcrypto_seal, libcrypto_open};
