/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode — libcrypto's ASN.1 objects as plain C values, for crypto/ itself.
 *
 * Memory: texts are allocated in the arena that is given; decode_string borrows.
 */
#pragma once

#include <openssl/asn1.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "crypto/certificate.h"

/* The content octets. */
struct bytes decode_string(const ASN1_STRING *s);

/* Seconds since 1970. -1 unless T has the one form that RFC 5280 §4.1.2.5 allows for its type. */
int decode_time(const ASN1_TIME *t, int64_t *wall_s) MUST_USE;

/* "CN=alice,O=Example", printable ASCII only: everything else is escaped as \XX. NULL if N has no
 * text form. */
const char *decode_name(struct arena *a, const X509_NAME *n);

/* The encoding of N, as it arrived. Borrowed from N. */
struct bytes decode_name_der(const X509_NAME *n);

/* Lower-case hex. */
const char *decode_hex(struct arena *a, struct bytes b);
/* Lower-case hex without leading zeros, "-1a" for a negative number. */
const char *decode_serial(struct arena *a, const ASN1_INTEGER *n);

/* Is ALGORITHM a signature with SHA-1, MD5 or another digest of less than 224 bits? */
bool decode_is_weak_signature(const X509_ALGOR *algorithm);

/* Takes a reference of X. NULL if X is not acceptable (ERR). */
struct certificate *certificate_from_x509(X509 *x, struct error *err);
/* Borrowed. */
X509 *certificate_x509(const struct certificate *c);

/* Why libcrypto's last call failed, in its words (static text); empties its error queue. */
const char *decode_libcrypto_reason(void);
