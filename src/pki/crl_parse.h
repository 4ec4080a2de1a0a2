/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl_parse — the syntax of a CRL (RFC 5280 §5), for pki/crl*.c only.
 *
 * Nothing is copied and nothing allocated: the entries are walked, as often as is needed.
 */
#pragma once

#include "pki/crl.h"

struct crl_syntax {
    struct crl_facts facts; /* entries and what is unknown in them: known once all were walked */
    struct bytes tbs, signature;
    struct bytes entries; /* content of revokedCertificates, or empty */
    bool is_v2;
};

/* The CRL in DER, without its entries. */
int crl_parse(struct bytes der, struct crl_syntax *out, struct error *err) MUST_USE;

struct crl_parse_entry {
    struct bytes serial; /* content octets */
    int64_t revoked_at;
    unsigned reason;
    /* certificateIssuer (§5.3.3) and the Name in it. Without one, its certificate is by the issuer
     * of the entry before. */
    bool has_issuer;
    struct bytes issuer;
    struct bytes unknown_critical; /* OID */
};

/* Take the entry at the front of *REST. */
int crl_parse_next(const struct crl_syntax *s, struct bytes *rest, struct crl_parse_entry *out,
    struct error *err) MUST_USE;
