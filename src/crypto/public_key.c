/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA and ECDSA go to libcrypto's own functions for them, which 3.0 calls deprecated but keeps, and
 * not through EVP: the same arithmetic, but a P-256 key costs 1.4 µs instead of 12 (a provider
 * makes its group anew for every key), or 98 through d2i_PUBKEY, beside 43 for the check itself.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/public_key.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"

#include "base/ban.h"

#define EXPONENT_BITS_MAX 32 /* everyone uses 65537; a long one only costs us time */

struct public_key {
    enum key_kind kind;
    RSA *rsa;
    EC_KEY *ec;
    EVP_PKEY *ed25519;
};

/* ---- making ---- */

static int make_rsa(struct public_key *k, struct bytes key, struct error *err)
{
    const uint8_t *at = key.at;
    k->rsa = key.n <= PUBLIC_KEY_SIZE_MAX ? d2i_RSAPublicKey(NULL, &at, (long)key.n) : NULL;
    if (!k->rsa || at != key.at + key.n)
        return error_set(err, "its RSA key cannot be decoded");
    const BIGNUM *n = RSA_get0_n(k->rsa), *e = RSA_get0_e(k->rsa);
    int bits = BN_num_bits(n);
    if (bits < PUBLIC_KEY_RSA_BITS_MIN || bits > PUBLIC_KEY_RSA_BITS_MAX)
        return error_set(err, "its RSA key has %d bits; accepted: %d to %d", bits,
            PUBLIC_KEY_RSA_BITS_MIN, PUBLIC_KEY_RSA_BITS_MAX);
    /* RFC 8017 §3.1: n is a product of odd primes; 3 <= e, and odd because it has an inverse. */
    if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > EXPONENT_BITS_MAX)
        return error_set(err, "its RSA key has numbers that no RSA key has");
    return 0;
}

static const struct curve_row {
    int nid;
    size_t field_octets;
} curves[] = {
    [KEY_EC_P256] = {NID_X9_62_prime256v1, 32},
    [KEY_EC_P384] = {NID_secp384r1, 48},
    [KEY_EC_P521] = {NID_secp521r1, 66},
};

static const EC_GROUP *group_of(enum key_kind kind)
{
    static EC_GROUP *made[COUNT_OF(curves)];
    if (!made[kind])
        made[kind] = EC_GROUP_new_by_curve_name(curves[kind].nid);
    ASSERT(made[kind]);
    return made[kind];
}

/* RFC 5480 §2.2: the point uncompressed, as everyone writes it; the other forms MAY be understood.
 * The length leaves no room for the point at infinity. */
static int make_ec(struct public_key *k, struct bytes key, struct error *err)
{
    if (!key.n || key.at[0] != POINT_CONVERSION_UNCOMPRESSED ||
        key.n != 1 + 2 * curves[k->kind].field_octets)
        return error_set(err, "its EC key is not an uncompressed point of its curve");
    k->ec = EC_KEY_new();
    ASSERT(k->ec && EC_KEY_set_group(k->ec, group_of(k->kind)));
    /* Also looks whether the point is on the curve; their cofactors are 1, so that is all. */
    if (!EC_KEY_oct2key(k->ec, key.at, key.n, NULL))
        return error_set(err, "its EC key is not a point of its curve");
    return 0;
}

static int make_ed25519(struct public_key *k, struct bytes key, struct error *err)
{
    k->ed25519 = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, key.at, key.n);
    return k->ed25519 ? 0 : error_set(err, "its Ed25519 key does not have 32 octets");
}

static int make(struct public_key *k, struct bytes key, struct error *err)
{
    switch (k->kind) {
    case KEY_RSA:
    case KEY_RSA_PSS:
    case KEY_RSA_PSS_SHA256:
    case KEY_RSA_PSS_SHA384:
    case KEY_RSA_PSS_SHA512:
        return make_rsa(k, key, err);
    case KEY_EC_P256:
    case KEY_EC_P384:
    case KEY_EC_P521:
        return make_ec(k, key, err);
    case KEY_ED25519:
        return make_ed25519(k, key, err);
    case KEY_UNSUPPORTED:
        break;
    }
    return error_set(err,
        "its key is of an unsupported kind; accepted: RSA, ECDSA on P-256, P-384 or P-521 (named "
        "curves), Ed25519");
}

struct public_key *public_key_new(enum key_kind kind, struct bytes key, struct error *err)
{
    struct public_key *k = mem_alloc(sizeof(*k));
    k->kind = kind;
    if (make(k, key, err)) {
        ERR_clear_error();
        public_key_free(&k);
    }
    return k;
}

void public_key_free(struct public_key **kp)
{
    struct public_key *k = *kp;
    *kp = NULL;
    if (!k)
        return;
    RSA_free(k->rsa);
    EC_KEY_free(k->ec);
    EVP_PKEY_free(k->ed25519);
    free(k);
}

static EVP_PKEY *parse_spki(struct bytes spki)
{
    const uint8_t *at = spki.at;
    return spki.n && spki.n <= INT_MAX ? d2i_PUBKEY(NULL, &at, (long)spki.n) : NULL;
}

bool public_key_same(struct bytes spki, struct bytes other)
{
    EVP_PKEY *a = parse_spki(spki), *b = parse_spki(other);
    bool is_same = a && b && EVP_PKEY_eq(a, b) == 1;
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
    ERR_clear_error();
    return is_same;
}

/* ---- verifying ---- */

bool public_key_kind_signs(enum key_kind kind, enum signature_algorithm algorithm)
{
    static const enum signature_algorithm only[] = {[KEY_RSA_PSS_SHA256] = SIGNATURE_RSA_PSS_SHA256,
        [KEY_RSA_PSS_SHA384] = SIGNATURE_RSA_PSS_SHA384,
        [KEY_RSA_PSS_SHA512] = SIGNATURE_RSA_PSS_SHA512};
    switch (signature_form(algorithm)) {
    case FORM_PKCS1:
        return kind == KEY_RSA;
    case FORM_PSS:
        return kind == KEY_RSA || kind == KEY_RSA_PSS ||
               (public_key_kind_is_pss(kind) && only[kind] == algorithm);
    case FORM_ECDSA:
        return kind == KEY_EC_P256 || kind == KEY_EC_P384 || kind == KEY_EC_P521;
    case FORM_ED25519:
        return kind == KEY_ED25519;
    case FORM_NONE:
        break;
    }
    return false;
}

static bool verify_pss(
    RSA *rsa, enum signature_algorithm a, struct bytes digest, struct bytes signature)
{
    uint8_t encoded[PUBLIC_KEY_RSA_BITS_MAX / 8];
    const EVP_MD *md = signature_digest_md(a);
    /* RFC 8017 §8.1.2, step 1 */
    return signature.n == (size_t)RSA_size(rsa) &&
           RSA_public_decrypt((int)signature.n, signature.at, encoded, rsa, RSA_NO_PADDING) ==
               (int)signature.n &&
           RSA_verify_PKCS1_PSS_mgf1(rsa, digest.at, md, md, encoded, (int)digest.n) == 1;
}

static bool verify_digest(const struct public_key *k, enum signature_algorithm a,
    struct bytes digest, struct bytes signature)
{
    if (digest.n != signature_digest_size(a) || signature.n > PUBLIC_KEY_SIZE_MAX ||
        !public_key_kind_signs(k->kind, a))
        return false;
    switch (signature_form(a)) {
    case FORM_PKCS1:
        return RSA_verify(signature_digest_nid(a), digest.at, (unsigned)digest.n, signature.at,
                   (unsigned)signature.n, k->rsa) == 1;
    case FORM_PSS:
        return verify_pss(k->rsa, a, digest, signature);
    case FORM_ECDSA:
        return ECDSA_verify(0, digest.at, (int)digest.n, signature.at, (int)signature.n, k->ec) ==
               1;
    case FORM_ED25519:
    case FORM_NONE:
        break;
    }
    return false;
}

bool public_key_verify_digest(const struct public_key *k, enum signature_algorithm algorithm,
    struct bytes digest, struct bytes signature)
{
    bool is_good = verify_digest(k, algorithm, digest, signature);
    if (!is_good)
        ERR_clear_error();
    return is_good;
}

static bool verify_ed25519(const struct public_key *k, struct bytes message, struct bytes signature)
{
    if (!k->ed25519)
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, k->ed25519) == 1);
    bool is_good = EVP_DigestVerify(context, signature.at, signature.n, message.at, message.n) == 1;
    EVP_MD_CTX_free(context);
    if (!is_good)
        ERR_clear_error();
    return is_good;
}

bool public_key_verify(const struct public_key *k, enum signature_algorithm algorithm,
    struct bytes message, struct bytes signature)
{
    uint8_t digest[64];
    if (signature_form(algorithm) == FORM_ED25519)
        return verify_ed25519(k, message, signature);
    size_t n = signature_digest(algorithm, message, digest);
    return public_key_verify_digest(k, algorithm, (struct bytes){digest, n}, signature);
}

/* ---- encrypting ---- */

size_t public_key_encrypt(
    const struct public_key *k, struct bytes message, uint8_t out[PUBLIC_KEY_RSA_BITS_MAX / 8])
{
    int n = k->kind == KEY_RSA && message.n < PUBLIC_KEY_RSA_BITS_MAX / 8
                ? RSA_public_encrypt((int)message.n, message.at, out, k->rsa, RSA_PKCS1_PADDING)
                : 0;
    if (n > 0)
        return (size_t)n;
    ERR_clear_error();
    return 0;
}
