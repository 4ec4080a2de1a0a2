/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates — the certificates of the API: taking them in, wherever a request may bring one, and
 * who uses them.
 *
 * A private key is compared with its certificate, sealed (crypto/sealed.h) and wiped before the
 * function that took it returns.
 */
#pragma once

#include "control/action.h"

enum certificate_type { CERTIFICATE_SERVER, CERTIFICATE_CA };

struct certificate_upload {
    enum certificate_type type;
    const char *certificate, *key, *passphrase, *alias; /* PEM; key: of servers; NULL: none */
};
/* Put it into the model; OUT gets its CertificateId. -1: C is refused. */
int certificates_upload(
    struct call *c, const struct certificate_upload *u, char out[MODEL_ID_MAX]) MUST_USE;

/* From a CertificateInput or MultiCertInfo (either may be NULL) to what listeners and rules keep: a
 * CertificateOutput with our additional members, a new reference; uploads what is inline. BEFORE is
 * what was there until now, or NULL. NULL: C is refused. */
json_t *certificates_choose(
    struct call *c, const json_t *input, const json_t *multi, const json_t *before) MUST_USE;

/* Call FN for each listener (and rule, else NULL) of the model that uses certificate ID. */
typedef void certificates_use_fn(void *owner, const json_t *listener, const json_t *rule);
void certificates_each_use(
    const struct model *m, const char *id, certificates_use_fn *fn, void *owner);
