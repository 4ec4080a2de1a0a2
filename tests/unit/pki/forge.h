/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge — makes certificates, CRLs and OCSP answers for tests, also such as no CA should issue.
 *
 * Memory: everything made lives until forge_reset(), which each test calls at its end.
 */
#pragma once

#include "pki/ocsp.h"

#define FORGE_NOW 1800000000 /* 2027-01-15T08:00:00Z */
#define FORGE_DAY 86400

/* NAME and VALUE as in OpenSSL's configuration: {"subjectAltName", "DNS:a.example"}, {"1.2.3.4",
 * "critical,DER:0500"}. */
struct forge_extension {
    const char *name, *value;
};

struct forge_request {
    const char *cn;
    const struct forged *issuer; /* NULL: self-signed */
    const struct forged *key_of; /* NULL: a new P-256 key */
    struct forge_extension extensions[6];
    int64_t not_before, not_after; /* 0: FORGE_NOW -/+ 30 days */
    long serial;                   /* 0: the next */
    unsigned rsa_bits;             /* a new RSA key instead */
    bool use_sha1, is_damaged;     /* the last bit of the signature is flipped */
};

struct forged {
    const struct certificate *certificate;
    void *key; /* EVP_PKEY */
};

const struct forged *forge_certificate(const struct forge_request *request);
/* A CA, self-signed where ISSUER is NULL. */
const struct forged *forge_ca(const char *cn, const struct forged *issuer);
/* A leaf for servers and clients with one subjectAltName. */
const struct forged *forge_leaf(const char *cn, const struct forged *issuer, const char *san);

/* PEM of certificates, one after the other, ended by NULL; of a key. */
struct bytes forge_pem(const struct forged *first, ...) __attribute__((sentinel));
struct bytes forge_key_pem(const struct forged *of);

/* DER of a CRL with number 17; REVOKED may be NULL. NEXT_UPDATE 0: none. */
struct bytes forge_crl(const struct forged *issuer, int64_t this_update, int64_t next_update,
    const struct forged *revoked);
/* DER of an OCSPResponse signed by ISSUER: valid for a day around NOW. */
struct bytes forge_ocsp(
    const struct forged *issuer, const struct forged *about, enum ocsp_status status);

void forge_reset(void);
