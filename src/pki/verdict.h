/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict — the answer about a peer's certificate: four factors, a reason, and accepted or not
 * (docs/authentication.md).
 *
 * One function, verdict_decide, turns four verdicts and a policy into accepted or not; its default
 * is to refuse.
 */
#pragma once

#include "base/json.h"
#include "pki/certificate.h"

#define VERDICT_NAMES_MAX 256  /* subjectAltName entries shown of a certificate */
#define VERDICT_TEXT_MAX  1024 /* bytes shown of a subject, issuer, serial or name */

enum factor { FACTOR_VALIDITY, FACTOR_REVOCATION, FACTOR_TRUST, FACTOR_NAME, FACTOR_COUNT };

enum factor_result { FACTOR_FAIL, FACTOR_PASS, FACTOR_UNKNOWN, FACTOR_SKIPPED };

/* pki/reason.def: X(symbol, token, alert, factor, remedy), in order of precedence. */
enum reason {
#define X(symbol, token, alert, factor, remedy) REASON_##symbol,
#include "pki/reason.def"
#undef X
    REASON_COUNT
};
/* Reasons come in sets, too: all that applies. */
#define REASON_BIT(reason) (1u << (reason))

enum revocation_policy {
    REVOCATION_OFF,  /* no data configured: the factor is unknown, and tolerated */
    REVOCATION_HARD, /* unknown is refused */
    REVOCATION_SOFT, /* unknown passes */
    REVOCATION_GRACE /* data may be stale for grace_s; then as hard */
};

struct verdict_factor {
    enum factor_result result;
    char detail[256];
};

struct verdict {
    bool accepted;
    enum reason reason;
    int64_t holds_until_s; /* certificates and revocation data judged by change nothing before;
                              INT64_MAX: for ever */
    struct verdict_factor factors[FACTOR_COUNT];
    struct certificate_list
        chain; /* what the peer showed, leaf first; where a path was found, that path */
};

/* Everything failed: the state before anything has been decided. Never accepted. */
void verdict_init(struct verdict *v);
void verdict_fini(struct verdict *v);
/* The same on the heap, for those who have one only now and then: it is large. */
struct verdict *verdict_new(void);
void verdict_free(struct verdict **v);

/* Set the result and detail of factor F. */
void verdict_set(struct verdict *v, enum factor f, enum factor_result result, const char *format,
    ...) PRINTF(4, 5);

/* Set accepted and reason from the factors. FOUND is the set of REASON_BIT that the checks found; a
 * factor that does not allow entry adds its own. Accepted only if nothing was found, trust and
 * validity pass, the name passes or was not asked for, and revocation passes or is unknown under a
 * policy that tolerates it. */
void verdict_decide(struct verdict *v, unsigned found, enum revocation_policy policy);

/* A peer that showed no certificate: reason no_certificate, factors skipped. */
void verdict_no_certificate(struct verdict *v, bool may_enter);

/* A certificate that cannot be parsed, WHY in words: reason malformed, refused. */
void verdict_malformed(struct verdict *v, const char *why);

const char *reason_token(enum reason r);
/* The TLS alert that RFC 8446 §6.2 names for R. */
uint8_t reason_alert(enum reason r);
/* What the operator can do about it, in words. */
const char *reason_remedy(enum reason r);
/* "REASON: what can be done (the deciding detail)", for a log or a terminal. */
void verdict_explain(const struct verdict *v, char *out, size_t size);
const char *factor_name(enum factor f);
const char *factor_result_token(enum factor_result r);

/* A distinguished name as it is shown to people; one that is empty is called so. */
const char *verdict_dn(const char *dn);

/* The JSON object of the verdict under KEY. */
void verdict_json(const struct verdict *v, struct json *j, const char *key);
