/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation_list — a CRL (RFC 5280 §5) and an OCSP answer (RFC 6960), parsed by libcrypto, asked
 * by pki/.
 */
#pragma once

#include "crypto/certificate.h"

struct crl;

struct crl_facts {
    const char *issuer; /* as certificate_facts.subject */
    struct bytes issuer_der;
    const char *number; /* decimal cRLNumber, or "" */
    int64_t this_update;
    int64_t next_update; /* 0: none given */
    bool is_delta;       /* deltaCRLIndicator */
    bool has_issuing_distribution_point;
    bool has_unknown_critical; /* a critical extension, of the list or of an entry, that we do not
                                  process */
    bool has_weak_signature;   /* SHA-1, MD5: crl_signed_by refuses it */
    size_t entries;
};

struct crl_entry {
    int64_t revoked_at;
    const char *reason; /* "keyCompromise", …; "unspecified" where none is given */
};

/* Every CRL of FILE: PEM (several) or DER (one). */
struct crl_list {
    struct crl **at;
    size_t n;
};
int crl_list_parse(struct bytes file, struct crl_list *out, struct error *err) MUST_USE;
/* Moves the elements of FROM to the end of L. */
void crl_list_append(struct crl_list *l, struct crl_list *from);
void crl_list_fini(struct crl_list *l);

const struct crl_facts *crl_facts(const struct crl *c);
/* Does ISSUER's key verify the CRL's signature, and may it sign CRLs? The answer is remembered per
 * issuer, so that the cost (linear in the CRL) is paid once. */
bool crl_signed_by(struct crl *c, const struct certificate *issuer);
/* Is CERTIFICATE's serial listed? removeFromCRL entries do not count. */
bool crl_lists(const struct crl *c, const struct certificate *certificate, struct crl_entry *out);

/* Call F for every entry, removeFromCRL among them. SERIAL (lower-case hex) lives during the call.
 */
typedef void crl_entry_fn(void *owner, const char *serial, const struct crl_entry *entry);
void crl_each_entry(const struct crl *c, crl_entry_fn *f, void *owner);
struct bytes crl_der(const struct crl *c);

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN, OCSP_UNUSABLE };
struct ocsp_answer {
    enum ocsp_status status;
    int64_t this_update, next_update, revoked_at; /* next_update 0: none given */
    const char *reason;
    char detail[160]; /* why it is unusable */
};
/* What RESPONSE (DER OCSPResponse) says about CERTIFICATE, issued by ISSUER. Signature, responder's
 * authority (the issuer itself, or a certificate of the issuer's with id-kp-OCSPSigning), certID
 * and dates at NOW_S are checked; anything wrong is OCSP_UNUSABLE. Several answers about one
 * certificate: revoked wins. */
void ocsp_ask(struct bytes response, const struct certificate *certificate,
    const struct certificate *issuer, int64_t now_s, struct ocsp_answer *out);

/* What a response says, for showing it and for telling its age: neither its signature nor its dates
 * are checked. */
struct ocsp_entry {
    const char *serial; /* as certificate_facts.serial */
    struct ocsp_answer answer;
};
struct ocsp_facts {
    const char
        *responder; /* its name, as certificate_facts.subject, or the SHA-1 of its key in hex */
    int64_t produced_at;
    struct ocsp_entry *entries;
    size_t entries_n;
};
/* RESPONSE in DER. Everything in OUT is in the arena. */
int ocsp_describe(
    struct bytes response, struct arena *a, struct ocsp_facts *out, struct error *err) MUST_USE;
