/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates — the certificates of the API: taking them in, wherever a request may bring one, and
 * who uses them.
 *
 * A private key is compared with its certificate, sealed (crypto/sealed.h; INFO is the key's name
 * in the archive, "api:/ID.key", so that a sealed key is of no use under another name) and wiped
 * before the function that took it returns.
 */
#pragma once

#include "api/action.h"

enum certificate_type { CERTIFICATE_SERVER, CERTIFICATE_CA };

/* PEM; NULL: none. KEY and PASSPHRASE: of servers; CRL: of CAs. Sentences call the first two by the
 * names of their fields. */
struct certificate_upload {
    enum certificate_type type;
    const char *certificate, *key, *passphrase, *alias, *crl;
    const char *certificate_field, *key_field;
};
/* Put it into the model; OUT gets its CertificateId. -1: C is refused. */
int certificates_upload(
    struct call *c, const struct certificate_upload *u, char out[MODEL_ID_MAX]) MUST_USE;

/* What a request may say: CertificateInput and MultiCertInfo of CLB, with our own additions. */
extern const struct field certificates_input_fields[], certificates_multi_fields[];

/*
 * From a CertificateInput or MultiCertInfo (one of them is NULL) to what listeners and rules keep,
 * a new reference; uploads what is inline. BEFORE is what was there until now, or NULL: what the
 * input does not say stays as it was, so that a new certificate never takes away who is let in.
 * NULL: C is refused. What is kept, always with all members:
 *
 *   SSLMode          "UNIDIRECTIONAL" or "MUTUAL"
 *   CertId           the first certificate of the server; ExtCertIds: the others, a list
 *   SSLVerifyClient  "ON" or "OPTIONAL"; this and what follows null under UNIDIRECTIONAL
 *   CertCaId         the CA certificate; if that has a Crl, revocation is checked
 *   ClientNames      a list, as client_names of the configuration; empty: anyone
 *   Revocation       {Policy: "HARD", "SOFT" or "GRACE", GraceSeconds}, or null: HARD
 */
json_t *certificates_choose(
    struct call *c, const json_t *input, const json_t *multi, const json_t *before) MUST_USE;

/* Call FN for each place where certificate ID is used: of a listener, or of one of its rules (RULE
 * is not NULL). */
struct certificate_use {
    const json_t *listener, *rule;
};
typedef void certificates_use_fn(void *owner, const struct certificate_use *use);
void certificates_each_use(
    const struct model *m, const char *id, certificates_use_fn *fn, void *owner);
/* The ids of all that are used, as the members of a new object. */
json_t *certificates_in_use(const struct model *m) MUST_USE;
