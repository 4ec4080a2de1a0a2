/* SPDX-License-Identifier: Apache-2.0 */
/* dn_parts — what a distinguished name is made of, for dn*.c. */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

/* AttributeTypeAndValue (RFC 5280 §4.1.2.4). */
struct dn_attribute {
    struct bytes type; /* content of the OID */
    uint8_t tag;       /* of the value */
    struct bytes value, whole_value, whole;
};

/* A string character by character. */
enum dn_encoding { DN_NO_STRING, DN_LATIN1, DN_UTF8, DN_BMP, DN_UNIVERSAL };
struct dn_string {
    enum dn_encoding encoding;
    struct bytes left;
};
#define DN_END UINT32_MAX
/* What is no character of its encoding: this and the octet. */
#define DN_WRONG 0x110000u

enum dn_encoding dn_encoding_of(uint8_t tag);
/* The next character, DN_END behind the last one. */
uint32_t dn_next_character(struct dn_string *t);

/* The RDNs of a Name. */
bool dn_open(struct bytes name, struct bytes *rdns) MUST_USE;
/* The content of the next RDN, which is not empty. */
bool dn_take_rdn(struct bytes *rdns, struct bytes *rdn) MUST_USE;
/* The next attribute of the content of an RDN. */
bool dn_take_attribute(struct bytes *rdn, struct dn_attribute *out) MUST_USE;
