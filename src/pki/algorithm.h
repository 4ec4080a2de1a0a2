/* SPDX-License-Identifier: Apache-2.0 */
/* algorithm — AlgorithmIdentifier and SubjectPublicKeyInfo (RFC 5280 §4.1.1.2, §4.1.2.7) by tables.
 */
#pragma once

#include "crypto/public_key.h"

/* Is it the content of an AlgorithmIdentifier: an OID, and perhaps one element of parameters? */
bool algorithm_is_identifier(struct bytes content);
/* The content of an AlgorithmIdentifier of a signature. Parameters are checked as their RFC wants
 * them: NULL or absent for RSA PKCS#1 (RFC 4055 §5), absent for ECDSA (RFC 5758 §3.2) and Ed25519
 * (RFC 8410 §3), and for PSS the same digest for message and MGF1, the salt as long as it, the
 * trailer 0xBC. */
enum signature_algorithm algorithm_of_signature(struct bytes identifier);

/* SPKI: whole. False if it is not the syntax. A key of a kind that we do not know is
 * KEY_UNSUPPORTED with *BITS 0; RSA: the bits of the modulus. */
bool algorithm_of_key(
    struct bytes spki, enum key_kind *kind, unsigned *bits, struct bytes *key) MUST_USE;
