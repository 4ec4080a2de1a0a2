/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dn — distinguished names (RFC 5280 §4.1.2.4): are two the same, is one below another, and how one
 * is shown.
 *
 * Comparison follows RFC 5280 §7.1: attribute by attribute; PrintableString, UTF8String and the
 * other character strings compare without regard to case (ASCII only) and to leading, trailing and
 * repeated spaces, whatever their encoding; anything else byte by byte. Two names with the same
 * bytes, the usual case, cost one memcmp.
 *
 * Any bytes may be given to any function; what is not a Name (dn_is_valid) equals itself only.
 */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

#define DN_RDN_ATTRIBUTES_MAX 16 /* attributes of one RDN, which are compared each with each */

/* NAME: a whole Name. Is it the syntax of RFC 5280 §4.1.2.4 (RDNs not empty and in DER's order,
 * strings of the characters of their type)? */
bool dn_is_valid(struct bytes name);
bool dn_equal(struct bytes a, struct bytes b);
/* Are the RDNs of BASE the first RDNs of NAME (RFC 5280 §4.2.1.10: directoryName constraints)? */
bool dn_is_within(struct bytes name, struct bytes base);
/* No RDN at all. */
bool dn_is_empty(struct bytes name);
/* A hash that equal names share. */
uint64_t dn_hash(struct bytes name);
/* As certificate_subject. Never fails: what cannot be shown as text is shown as #hex. */
const char *dn_text(struct arena *a, struct bytes name);

/* The values of emailAddress attributes (PKCS #9), to which constraints on email names apply too
 * (RFC 5280 §4.2.1.10). Calls F for each; stops and returns false if F does. */
typedef bool dn_value_fn(void *owner, struct bytes value);
bool dn_each_email(struct bytes name, dn_value_fn *f, void *owner);

/* The value of the last common name (RFC 5280 §4.1.2.4) that is UTF-8 or ASCII; empty if there is
 * none. */
struct bytes dn_common_name(struct bytes name);
