/* SPDX-License-Identifier: Apache-2.0 */
/*
 * der — a strict, zero-copy reader of DER (X.690 §10 on top of §8).
 *
 * Every function takes one element off the front of a slice. What is not DER makes it fail: an
 * indefinite or non-minimal length, a tag number above 30, a length beyond the end, a string in
 * pieces, a NULL that is not empty. After a failure the slice is as it was. Nesting is the
 * caller's: each level is a call of its own, so its depth is that of the code.
 *
 * Memory: results are slices of the input.
 */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

/* Identifier octets (X.690 §8.1.2). */
enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_NUMERIC_STRING = 0x12,
    DER_PRINTABLE_STRING = 0x13,
    DER_TELETEX_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE_STRING = 0x1a,
    DER_UNIVERSAL_STRING = 0x1c,
    DER_BMP_STRING = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0x80 | (n)) /* [n] IMPLICIT of a primitive type */
#define DER_CONTEXT_CONSTRUCTED(n) \
    (0xa0 | (n)) /* [n] EXPLICIT, or IMPLICIT of a constructed type */

struct der_element {
    uint8_t tag;
    struct bytes content;
    struct bytes whole; /* with identifier and length */
};

/* The next element, whatever it is. */
bool der_next(struct bytes *in, struct der_element *out) MUST_USE;
/* The next element, which must have TAG. CONTENT may be NULL. */
bool der_take(struct bytes *in, uint8_t tag, struct bytes *content) MUST_USE;
/* The same with identifier and length. */
bool der_take_whole(struct bytes *in, uint8_t tag, struct bytes *whole) MUST_USE;
/* Is the next element's tag TAG? */
static inline bool der_is_next(struct bytes in, uint8_t tag)
{
    return in.n && in.at[0] == tag;
}

/* Contents, checked as DER wants them. */

/* X.690 §11.1: false is 00, true is FF. */
bool der_boolean(struct bytes content, bool *out) MUST_USE;
/* X.690 §8.3.2: an INTEGER or ENUMERATED in as few octets as possible (at least one). */
bool der_is_integer(struct bytes content);
/* The same, not negative and at most MAX. */
bool der_unsigned(struct bytes content, uint64_t max, uint64_t *out) MUST_USE;
/* X.690 §8.19: whole arcs, each in as few octets as possible. */
bool der_is_oid(struct bytes content);
/* A BIT STRING whose bits are a whole number of octets (keys, signatures). */
bool der_octets(struct bytes content, struct bytes *out) MUST_USE;
/* A BIT STRING of at most 16 named bits, bit 0 as the lowest of OUT. Trailing zero bits are let
 * pass. */
bool der_named_bits(struct bytes content, uint16_t *out) MUST_USE;
/* UTCTime or GeneralizedTime in the one form that RFC 5280 §4.1.2.5 allows for each: seconds, Z, no
 * fraction; UTCTime stands for 1950 to 2049. That a CA must use UTCTime until 2049 is not held
 * against it (NIST PKITS 4.2.4). Seconds since 1970. */
bool der_time(const struct der_element *e, int64_t *wall_s) MUST_USE;
/* The content of a GeneralizedTime, likewise (RFC 6960 §4.2.2.1). */
bool der_generalized_time(struct bytes content, int64_t *wall_s) MUST_USE;
