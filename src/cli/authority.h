/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority — a CA for development, kept as files in one folder: STEM.crt, STEM.key (0600) and
 * STEM.crl. What it issues gets the same kinds of names. `pki` and `demo` are made of it.
 *
 * Clock: NOW_S is an argument.
 */
#pragma once

#include "crypto/issue.h"
#include "pki/certificate.h"

#define AUTHORITY_CA_DAYS   3650
#define AUTHORITY_LEAF_DAYS 365
#define AUTHORITY_CRL_DAYS  30
#define AUTHORITY_DAYS_MAX  36500
#define AUTHORITY_DAY_S     86400

struct authority {
    const char *folder, *stem;     /* borrowed */
    struct certificate_list chain; /* its own certificate, and those between it and the root */
    struct private_key *key;
};

/* What is to be made. */
struct authority_order {
    const char *folder, *stem; /* FOLDER/STEM.crt and .key; a CA gets an empty STEM.crl too */
    enum issue_profile profile;
    enum key_kind key_kind;
    const char *common_name; /* NULL: the value of the first name */
    const struct bytes *names;
    size_t names_n;
    int64_t now_s;                 /* of the first CRL */
    int64_t not_before, not_after; /* not_after ends with the issuer's at the latest */
    bool may_replace;              /* else existing files are an error, and nothing is written */
};

int authority_load(
    const char *folder, const char *stem, struct authority *out, struct error *err) MUST_USE;
void authority_fini(struct authority *a);

/* ISSUER NULL: self-signed. The certificate file has the intermediates behind the certificate. */
int authority_issue(const struct authority *issuer, const struct authority_order *order,
    struct error *err) MUST_USE;

/* Put C on the authority's CRL (an error if it is there already, or is another CA's), and sign it
 * anew. */
struct authority_revocation {
    const struct certificate *certificate;
    const char *reason; /* NULL: none */
    int64_t now_s;
    unsigned days;
};
int authority_revoke(
    const struct authority *a, const struct authority_revocation *what, struct error *err) MUST_USE;
/* Sign the CRL anew with the same entries and the next number. */
int authority_renew_crl(
    const struct authority *a, int64_t now_s, unsigned days, struct error *err) MUST_USE;

/* FOLDER/STEM.SUFFIX into PATH. */
#define AUTHORITY_PATH_MAX 4096
int authority_path(const char *folder, const char *stem, const char *suffix,
    char path[AUTHORITY_PATH_MAX], struct error *err) MUST_USE;
