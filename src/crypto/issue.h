/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issue — making certificates and CRLs as RFC 5280 wants them, for development, demonstration and
 * tests.
 */
#pragma once

#include "base/buf.h"
#include "crypto/private_key.h"

enum issue_profile {
    ISSUE_CA,           /* issues CAs and leaves */
    ISSUE_INTERMEDIATE, /* issues leaves only (pathLenConstraint 0) */
    ISSUE_SERVER,
    ISSUE_CLIENT,
};

struct issue_request {
    enum issue_profile profile;
    const char *common_name; /* NULL or "": none, then a leaf needs names */
    const struct bytes
        *names; /* "DNS:a.example", "IP:192.0.2.1", "EMAIL:a@example.com", "URI:spiffe://a/b" */
    size_t names_n;
    int64_t not_before, not_after;        /* seconds since 1970 */
    struct bytes issuer;                  /* a certificate, DER; empty: self-signed */
    const struct private_key *issuer_key; /* NULL: self-signed */
    const struct private_key *key;        /* whose public half is certified */
};

/* Appends a version 3 certificate in DER with a random serial, signed with SHA-256 (Ed25519: as
 * is). The server profile with an RSA key allows keyEncipherment too, for key_exchange: rsa. */
int issue_certificate(
    const struct issue_request *request, struct buf *der_out, struct error *err) MUST_USE;

struct issue_revoked {
    const char *serial; /* hex */
    int64_t at;
    unsigned reason; /* CRLReason (RFC 5280 §5.3.1); 0: none is given */
};

struct issue_crl_request {
    struct bytes ca; /* a certificate, DER */
    const struct private_key *ca_key;
    const struct issue_revoked *revoked;
    size_t revoked_n;
    unsigned long number;
    int64_t this_update, next_update;
};

/* Appends a CRL in PEM to PEM_OUT. */
int issue_crl(
    const struct issue_crl_request *request, struct buf *pem_out, struct error *err) MUST_USE;
