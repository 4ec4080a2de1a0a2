/* SPDX-License-Identifier: Apache-2.0 */
/*
 * public_key — a public key made ready to check signatures with (libcrypto does the arithmetic).
 *
 * Making one costs a microsecond or two, and the first check of an RSA signature as much again:
 * whoever checks several signatures keeps it. Algorithms are fetched once per process. libcrypto's
 * queue of errors is empty after each call.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/signature.h"

enum key_kind {
    KEY_RSA,     /* rsaEncryption: for everything that RSA does */
    KEY_RSA_PSS, /* id-RSASSA-PSS (RFC 4055 §1.2): signs by RSASSA-PSS only; with any digest, */
    KEY_RSA_PSS_SHA256, /* or, by its parameters, with this one */
    KEY_RSA_PSS_SHA384,
    KEY_RSA_PSS_SHA512,
    KEY_EC_P256,
    KEY_EC_P384,
    KEY_EC_P521,
    KEY_ED25519,
    KEY_UNSUPPORTED
};

static inline bool public_key_kind_is_rsa(enum key_kind kind)
{
    return kind <= KEY_RSA_PSS_SHA512;
}
/* Is it for RSASSA-PSS only? */
static inline bool public_key_kind_is_pss(enum key_kind kind)
{
    return kind != KEY_RSA && public_key_kind_is_rsa(kind);
}
/* May a key of KIND sign with ALGORITHM? ECDSA: whatever the curve. */
bool public_key_kind_signs(enum key_kind kind, enum signature_algorithm algorithm);

#define PUBLIC_KEY_RSA_BITS_MIN 2048
#define PUBLIC_KEY_RSA_BITS_MAX 8192
#define PUBLIC_KEY_SIZE_MAX     4096 /* octets of a key or a signature that are looked at at all */

struct public_key;

/* KEY: the octets of subjectPublicKey (RFC 5280 §4.1.2.7): an RSAPublicKey, a point, 32 octets.
 * They are not kept. NULL and ERR if that is no valid key of its kind (a point that is not on the
 * curve), or if it is outside the limits. */
struct public_key *public_key_new(enum key_kind kind, struct bytes key, struct error *err) MUST_USE;
/* Sets the pointer to NULL; NULL is fine. */
void public_key_free(struct public_key **k);

/* Is SIGNATURE one of MESSAGE by this key? False also for an algorithm that does not fit the key.
 */
bool public_key_verify(const struct public_key *k, enum signature_algorithm algorithm,
    struct bytes message, struct bytes signature);
/* The same for a message that was digested before (signature_digest_size octets). Not for Ed25519,
 * which digests twice. */
bool public_key_verify_digest(const struct public_key *k, enum signature_algorithm algorithm,
    struct bytes digest, struct bytes signature);

/* Are two SubjectPublicKeyInfo (DER) of the same key, however they are encoded? */
bool public_key_same(struct bytes spki, struct bytes other);

/* RSAES-PKCS1-v1_5 of MESSAGE (RFC 8017 §7.2.1): RSA key transport, the client's side. Size of what
 * was put into OUT; 0 if K is no KEY_RSA or MESSAGE is too long. */
size_t public_key_encrypt(
    const struct public_key *k, struct bytes message, uint8_t out[PUBLIC_KEY_RSA_BITS_MAX / 8]);
