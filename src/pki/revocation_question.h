/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation_question — one certificate, and what is asked about it: for pki/revocation*.c only.
 *
 * revocation_crl     what the CRLs of the policy say (RFC 5280 §6.3.3)
 * revocation_signer  who signed a CRL, and whether that one may
 */
#pragma once

#include "pki/revocation.h"

struct revocation_question {
    const struct revocation_request *request;
    const struct certificate_list *chain; /* the verdict's */
    const struct certificate *subject;    /* is it revoked? */
    const struct certificate *issuer;     /* NULL where none is known */
    bool is_anchor;                       /* SUBJECT is trusted by itself */
    bool is_leaf;
    struct bytes serial;               /* that is looked for: SUBJECT's, or another of its issuer */
    uint64_t issuer_hash;              /* dn_hash of the issuer's name */
    enum revocation_policy revocation; /* for certificates of this issuer */
    int64_t grace_s;
    const struct certificate
        *signer;    /* SUBJECT itself, if it is asked about because it signs CRLs */
    unsigned depth; /* SUBJECT is in the path of one who signs CRLs, at the end of so many paths */
    bool is_vetted; /* the chain is a good path: its keys are no stranger's */
    struct path_budget *budget;
    int64_t *holds_until_s;
};

struct revocation_answer {
    enum factor_result result;
    bool is_late;                  /* pass, by the policy's grace */
    enum revocation_policy policy; /* that the answer was given under */
    char detail[sizeof(((struct verdict_factor *)0)->detail)];
};

struct revocation_answer revocation_answer_of(const struct revocation_question *q,
    enum factor_result result, const char *format, ...) PRINTF(3, 4);
/* "serial 1a2b revoked …": SOURCE is where it says so. */
struct revocation_answer revocation_answer_revoked(
    const struct revocation_question *q, int64_t revoked_at, unsigned reason, const char *source);
/* Set what follows from SUBJECT: serial, issuer_hash, the policy for its issuer. */
void revocation_answer_begin(struct revocation_question *q);
/* The answer may be another one after AT_S. */
void revocation_answer_holds_until(const struct revocation_question *q, int64_t at_s);

struct revocation_answer revocation_crl_ask(const struct revocation_question *q);

/* Whoever signed CRL and may: the issuer of the subject, or another one of the CRL issuer's name
 * with a path to the same trust anchor (RFC 5280 §6.3.3 (f)). NULL: nobody. */
const struct certificate *revocation_signer_find(
    const struct revocation_question *q, const struct crl *crl);
