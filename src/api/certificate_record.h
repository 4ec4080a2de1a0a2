/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate_record — what is kept of a certificate that the API was given: the record that the
 * cloud's SSL service tells, the certificates as PEM, the private key sealed, a CA's CRLs.
 *
 * What is kept was parsed and written anew: of a request's text nothing else, least of all a key
 * that stands among its certificates, gets into a record. Private keys are wiped. Process: control.
 */
#pragma once

#include "api/certificates.h"
#include "pki/certificate.h"

/* The record of U, to be known as ID; a new reference. NULL: C is refused. */
json_t *certificate_record_make(
    struct call *c, const struct certificate_upload *u, const char *id) MUST_USE;
/* CRLs in PEM or DER as one PEM text: a new reference. NULL: C is refused; NAME is the field's. */
json_t *certificate_record_crls(struct call *c, const char *crls, const char *name) MUST_USE;

/* TEXT with what is not printable ASCII escaped (\xHH): names in certificates are anybody's. */
json_t *certificate_record_text(struct bytes text) MUST_USE;
/* SHA-1 of it, in upper-case hex, as the cloud has it. */
json_t *certificate_record_fingerprint(const struct certificate *c) MUST_USE;
/* The certificates of RECORD. -1: they cannot be read. */
int certificate_record_chain(const json_t *record, struct certificate_list *out) MUST_USE;
