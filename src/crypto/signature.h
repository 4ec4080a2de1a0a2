/* SPDX-License-Identifier: Apache-2.0 */
/* signature — the signature algorithms that we know, and what public_key and private_key need to
 * know of each: one table. */
#pragma once

#include "base/bytes.h"

/* SIGNATURE_WEAK is one that we know and refuse (SHA-1, MD5, DSA, SHA-224, …); SIGNATURE_UNKNOWN
 * any other. */
enum signature_algorithm {
    SIGNATURE_UNKNOWN,
    SIGNATURE_WEAK,
    SIGNATURE_RSA_SHA256, /* RSASSA-PKCS1-v1_5, RFC 8017 §8.2 */
    SIGNATURE_RSA_SHA384,
    SIGNATURE_RSA_SHA512,
    SIGNATURE_RSA_PSS_SHA256, /* RSASSA-PSS with MGF1 and salt of the same digest's size, RFC 4055
                                 §3.1 */
    SIGNATURE_RSA_PSS_SHA384,
    SIGNATURE_RSA_PSS_SHA512,
    SIGNATURE_ECDSA_SHA256, /* RFC 5758 §3.2; with any of the curves */
    SIGNATURE_ECDSA_SHA384,
    SIGNATURE_ECDSA_SHA512,
    SIGNATURE_ED25519, /* RFC 8410 §3 */
    SIGNATURE_ALGORITHM_COUNT
};

/* How the digest is signed; FORM_NONE: not at all. */
enum signature_form { FORM_NONE, FORM_PKCS1, FORM_PSS, FORM_ECDSA, FORM_ED25519 };
enum signature_form signature_form(enum signature_algorithm a);

/* Octets of the algorithm's digest; 0 where there is none (Ed25519, unknown). */
size_t signature_digest_size(enum signature_algorithm a);
/* The digest of MESSAGE; its size. */
size_t signature_digest(enum signature_algorithm a, struct bytes message, uint8_t out[64]);
