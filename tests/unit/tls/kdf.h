/* SPDX-License-Identifier: Apache-2.0 */
/* kdf — derivations by libcrypto, to compare ours with. */
#pragma once

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "../crypto/vectors.h"

static inline void kdf_set_text(OSSL_PARAM *p, const char *key, const char *value)
{
    *p = OSSL_PARAM_construct_utf8_string(key, (char *)(uintptr_t)value, 0);
}

static inline void kdf_set_octets(OSSL_PARAM *p, const char *key, struct bytes value)
{
    *p = OSSL_PARAM_construct_octet_string(key, (void *)(uintptr_t)value.at, value.n);
}

static inline void kdf_derive(const char *kdf, const OSSL_PARAM *params, uint8_t *out, size_t n)
{
    EVP_KDF *algorithm = EVP_KDF_fetch(NULL, kdf, NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(algorithm);
    CHECK_INT(EVP_KDF_derive(context, out, n, params), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(algorithm);
}
