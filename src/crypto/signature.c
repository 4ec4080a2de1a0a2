/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/signature.h"

#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "base/panic.h"
#include "crypto/hash.h"
#include "crypto/native.h"

#include "base/ban.h"

static const struct {
    enum signature_form form;
    int nid;
    unsigned digest_size;
    const char *digest_name;
} rows[SIGNATURE_ALGORITHM_COUNT] = {
    [SIGNATURE_RSA_SHA256] = {FORM_PKCS1, NID_sha256, 32, "SHA256"},
    [SIGNATURE_RSA_SHA384] = {FORM_PKCS1, NID_sha384, 48, "SHA384"},
    [SIGNATURE_RSA_SHA512] = {FORM_PKCS1, NID_sha512, 64, "SHA512"},
    [SIGNATURE_RSA_PSS_SHA256] = {FORM_PSS, NID_sha256, 32, "SHA256"},
    [SIGNATURE_RSA_PSS_SHA384] = {FORM_PSS, NID_sha384, 48, "SHA384"},
    [SIGNATURE_RSA_PSS_SHA512] = {FORM_PSS, NID_sha512, 64, "SHA512"},
    [SIGNATURE_ECDSA_SHA256] = {FORM_ECDSA, NID_sha256, 32, "SHA256"},
    [SIGNATURE_ECDSA_SHA384] = {FORM_ECDSA, NID_sha384, 48, "SHA384"},
    [SIGNATURE_ECDSA_SHA512] = {FORM_ECDSA, NID_sha512, 64, "SHA512"},
    [SIGNATURE_ED25519] = {FORM_ED25519, NID_undef, 0, NULL},
};

enum signature_form signature_form(enum signature_algorithm a)
{
    return rows[a].form;
}

int signature_digest_nid(enum signature_algorithm a)
{
    return rows[a].nid;
}

/* Fetching an algorithm searches the providers: once per process, never per call. */
const EVP_MD *signature_digest_md(enum signature_algorithm a)
{
    static EVP_MD *fetched[SIGNATURE_ALGORITHM_COUNT];
    if (!fetched[a])
        fetched[a] = EVP_MD_fetch(NULL, rows[a].digest_name, NULL);
    ASSERT(fetched[a]);
    return fetched[a];
}

size_t signature_digest_size(enum signature_algorithm a)
{
    return rows[a].digest_size;
}

size_t signature_digest(enum signature_algorithm a, struct bytes message, uint8_t out[64])
{
    switch (rows[a].digest_size) {
    case 32: /* these two without a context made for each call */
        return hash_make(HASH_SHA256, message, out);
    case 48:
        return hash_make(HASH_SHA384, message, out);
    case 64:
        ASSERT(EVP_Digest(message.at, message.n, out, NULL, signature_digest_md(a), NULL));
    }
    return rows[a].digest_size;
}
