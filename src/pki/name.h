/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name — subject alternative names: what we look for, and whether a certificate has it (RFC 9525,
 * RFC 5280 §4.2.1.6).
 *
 * DNS names compare without regard to case; in a certificate, `*` may stand for the whole leftmost
 * label only (`w*.example.com` matches nothing), and two labels must follow it. There is no list of
 * public suffixes: `*.co.uk` in a certificate speaks for all below co.uk, and it is for the CA not
 * to say so. Internationalised names are compared as A-labels (xn--...), as certificates must have
 * them (RFC 5280 §7.2). A name with NUL, space or a control byte matches nothing. The common name
 * is never looked at.
 */
#pragma once

#include "pki/certificate.h"

/*
 * What is looked for. Text form KIND:VALUE, KIND one of DNS, IP, EMAIL, URI.
 * In an allow-list (client_names) VALUE may hold one `*`: DNS:*.fleet.example stands for one or
 * more labels; EMAIL:*@example.com for any mailbox; URI:spiffe://example/ * for any rest that is
 * not empty and has no dot-segment. There, a name with `*` in the certificate itself matches
 * nothing.
 */
struct name_pattern {
    enum certificate_name_kind kind;
    struct bytes value; /* IP: 4 or 16 octets; else text. Borrowed. */
    bool is_allow_list; /* `*` in value is ours */
};

/* Parse "DNS:x", …. The value is copied into A where it must be converted, else borrowed from TEXT.
 */
int name_pattern_parse(struct bytes text, bool is_allow_list, struct arena *a,
    struct name_pattern *out, struct error *err) MUST_USE;
/* A host as in an address or URL: an IP literal (v6 with or without brackets) gives IP, else DNS.
 */
int name_pattern_of_host(
    struct bytes host, struct arena *a, struct name_pattern *out, struct error *err) MUST_USE;

/* Does any subjectAltName of C match P? */
bool name_matches(const struct name_pattern *p, const struct certificate *c);
/* The first subjectAltName of C that matches P, or NULL. */
const struct certificate_name *name_find(const struct name_pattern *p, const struct certificate *c);
/* A presented DNS name, wildcard allowed, against a host name. */
bool name_dns_matches(struct bytes presented, struct bytes host);

/* Is it what stands before the @ of a mailbox (RFC 5321 §4.1.2)? Only a quoted one may hold an @.
 */
bool name_is_local_part(struct bytes text);

/* "DNS:alice.example", "IP:192.0.2.1"; control bytes, bytes beyond ASCII, `\` and `"` are escaped
 * as \xHH. What does not fit into SIZE (at least 4) is cut off and replaced by "...". */
void name_format(const struct certificate_name *n, char *out, size_t size);
void name_pattern_format(const struct name_pattern *p, char *out, size_t size);
