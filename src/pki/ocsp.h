/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocsp — answers of OCSP responders (RFC 6960), as stapled or from a file, read by our own reader.
 *
 * What a response says about a certificate counts only if the responder was authorised (§4.2.2.2)
 * and the signature, certID and dates are in order. Contradictions, also inside one response, mean
 * revoked.
 *
 * A responder that the issuer appointed may be revoked itself. Whether its certificate has
 * id-pkix-ocsp-nocheck makes no difference (§4.2.2.2.1 leaves it to local policy): its serial is
 * told, and whoever has CRLs of the issuer looks it up there.
 */
#pragma once

#include "pki/certificate.h"

#define OCSP_SIZE_MAX    (1u << 20)
#define OCSP_ANSWERS_MAX 1000
#define OCSP_SERIAL_MAX  20 /* octets of a responder's serial (RFC 5280 §4.1.2.2) */

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN, OCSP_UNUSABLE };
struct ocsp_answer {
    enum ocsp_status status;
    int64_t this_update, next_update, revoked_at; /* next_update 0: none given */
    unsigned reason;                              /* CRLReason; 0: unspecified, or none given */
    /* Until when the answer can be used: nextUpdate, or the end of the responder's certificate if
     * that comes first; 0: without end. */
    int64_t usable_until;
    /* Of the responder's certificate; 0 octets if the issuer itself answered. */
    uint8_t responder_serial[OCSP_SERIAL_MAX];
    size_t responder_serial_n;
    char detail[160]; /* why it is unusable */
};

/* What RESPONSE (DER OCSPResponse) says about CERTIFICATE, issued by ISSUER, at NOW_S. Anything
 * wrong is OCSP_UNUSABLE. */
void ocsp_ask(struct bytes response, const struct certificate *certificate,
    const struct certificate *issuer, int64_t now_s, struct ocsp_answer *out);

/* The same of a response that we have from our operator, not from a peer, where the issuer is not
 * at hand: what it says and when, but not who said so. */
void ocsp_ask_unsigned(struct bytes response, const struct certificate *certificate, int64_t now_s,
    struct ocsp_answer *out);

/* What a response says, for showing it and for telling its age: neither its signature nor its dates
 * are checked. */
struct ocsp_entry {
    const char *serial; /* as certificate_serial */
    struct ocsp_answer answer;
};
struct ocsp_facts {
    const char *responder; /* its name as certificate_subject, or the SHA-1 of its key in hex */
    int64_t produced_at;
    struct ocsp_entry *entries;
    size_t entries_n;
};
/* RESPONSE in DER. Everything in OUT is in the arena. */
int ocsp_describe(
    struct bytes response, struct arena *a, struct ocsp_facts *out, struct error *err) MUST_USE;
