/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential — what we show to a peer: a certificate with its chain, its private key, and perhaps a
 * staple.
 *
 * Immutable, owned by the generation that made it.
 */
#pragma once

#include "base/report.h"
#include "crypto/private_key.h"
#include "pki/certificate.h"
#include "pki/path.h"

/* A private key that another process has: whom to ask for signatures (tls/signing.h), and for which
 * key. */
struct signing_office;
struct key_handle {
    struct signing_office *office;
    uint64_t store; /* the number of the generation that it was given with */
    uint32_t index; /* in its store */
};

/* The key is in this process, or elsewhere. */
struct credential {
    struct certificate_list chain; /* leaf first, each next the issuer of the one before */
    struct private_key *key;       /* NULL: see handle */
    struct key_handle handle;
    struct bytes ocsp; /* DER OCSPResponse, or empty; owned: see credential_staple */
    int64_t ocsp_until_s;
};

/* What kind of key the peer sees: the certificate may restrict a KEY_RSA_PSS. */
static inline enum key_kind credential_key_kind(const struct credential *c)
{
    return certificate_facts(c->chain.at[0])->key_kind;
}

/* What to staple to the certificate at NOW_S, or nothing: clients refuse who staples what has
 * expired, and take who staples nothing. */
static inline struct bytes credential_staple(const struct credential *c, int64_t now_s)
{
    return now_s <= c->ocsp_until_s ? c->ocsp : (struct bytes){0};
}

/* What the signer has made of a key file. */
struct held_key {
    struct key_handle handle;
    struct bytes spki;         /* DER SubjectPublicKeyInfo; empty: it is of no use: see FLAW */
    struct bytes flaw;         /* as an error of key_file_read */
    struct bytes certificates; /* of a PKCS#12 file: in PEM, the key's own first */
};

struct credential_files {
    struct bytes certificate, key, ocsp; /* file contents; ocsp may be empty */
    struct bytes passphrase;             /* of the key; .at NULL: none is named */
    const struct held_key *held;         /* if not NULL: in place of KEY */
    const char *certificate_path, *key_path;
    struct position at; /* where the configuration names the certificate */
    struct position key_at, ocsp_at;
};

/* Parse and check: the first certificate is the leaf and KEY is its key, of a kind and size that
 * peers accept; the chain is in order without gaps. That its end is missing cannot be seen: an
 * intermediate left out looks like a root left out, and a root need not be there. Errors with the
 * remedy go to REPORT and give NULL. Warnings: expired or not yet valid at NOW_S, not usable for
 * PURPOSE, a CA's own certificate, a server without subjectAltName, a staple that says revoked or
 * is of no use, which is left out. */
struct credential *credential_load(const struct credential_files *files, enum path_purpose purpose,
    int64_t now_s, struct report *report) MUST_USE;
/* Frees and sets the pointer to NULL. */
void credential_free(struct credential **c);
