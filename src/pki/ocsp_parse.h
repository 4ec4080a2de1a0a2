/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocsp_parse — the syntax of an OCSPResponse (RFC 6960 §4.2.1), for ocsp.c.
 *
 * Memory: everything is a slice of the response.
 */
#pragma once

#include "base/error.h"
#include "pki/ocsp.h"

/* A BasicOCSPResponse. */
struct ocsp_response {
    struct bytes signed_part; /* tbsResponseData, whole */
    struct bytes algorithm;   /* content of signatureAlgorithm */
    struct bytes signature;
    struct bytes responder_name; /* Name, whole; .at NULL: the responder is named by its key */
    struct bytes responder_key;  /* SHA-1 of its key; .at NULL: it is named by its name */
    int64_t produced_at;
    struct bytes answers; /* for ocsp_parse_next */
    size_t answers_n;
    struct bytes certificates; /* for der_take_whole */
    bool has_unknown_critical; /* extension of the response */
};

/* A SingleResponse with its CertID. */
struct ocsp_single {
    struct bytes digest; /* OID */
    struct bytes issuer_name_digest, issuer_key_digest;
    struct bytes serial; /* content of the INTEGER */
    struct ocsp_answer answer;
    bool has_unknown_critical; /* extension of the answer */
};

/* DER: what the responder sent. -1 and ERR if it is not the syntax, more than is read, or no answer
 * but a responseStatus. All answers are of the right syntax if it succeeds. */
int ocsp_parse_response(struct bytes der, struct ocsp_response *out, struct error *err) MUST_USE;
/* Takes the next one off ANSWERS, of which at least one is left. */
bool ocsp_parse_next(struct bytes *answers, struct ocsp_single *out) MUST_USE;
