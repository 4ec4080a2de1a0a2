/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential — what we show to a peer: a certificate with its chain, its private key, and perhaps a staple.
 *
 * Immutable, owned by the generation that made it.
 */
#pragma once

#include "base/report.h"
#include "crypto/certificate.h"
#include "crypto/path.h"
#include "crypto/private_key.h"

struct credential {
    struct certificate_list chain; /* leaf first, each next the issuer of the one before */
    struct private_key *key;
    struct bytes ocsp;             /* DER OCSPResponse to staple, or empty; owned */
};

struct credential_files {
    struct bytes certificate, key, ocsp; /* file contents; ocsp may be empty */
    const char *certificate_path, *key_path;
    struct position at;                  /* where the configuration names the certificate */
    struct position key_at, ocsp_at;
};

/* Parse and check: the first certificate is the leaf and KEY is its key; the chain is in order and complete up to,
 * without needing, a root. Errors with the remedy go to REPORT and give NULL. Warnings: expired or not yet valid at
 * NOW_S, not usable for PURPOSE, no subjectAltName, a staple that is unusable or says revoked. */
struct credential *credential_load(const struct credential_files *files, enum path_purpose purpose, int64_t now_s,
    struct report *report) MUST_USE;
void credential_free(struct credential **c);
