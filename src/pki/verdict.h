/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict — the answer about a peer's certificate: four factors, a reason, and accepted or not (docs/authentication.md).
 *
 * One function, verdict_decide, turns four verdicts and a policy into accepted or not; its default is to refuse.
 */
#pragma once

#include "base/json.h"
#include "crypto/certificate.h"

enum factor { FACTOR_VALIDITY, FACTOR_REVOCATION, FACTOR_TRUST, FACTOR_NAME, FACTOR_COUNT };

enum factor_result { FACTOR_FAIL, FACTOR_PASS, FACTOR_UNKNOWN, FACTOR_SKIPPED };

/* pki/reason.def: X(symbol, token, alert, remedy), in order of precedence. */
enum reason {
#define X(symbol, token, alert, remedy) REASON_##symbol,
#include "pki/reason.def"
#undef X
    REASON_COUNT
};

struct verdict_factor {
    enum factor_result result;
    char detail[256];
};

struct verdict {
    bool accepted;
    enum reason reason;
    struct verdict_factor factors[FACTOR_COUNT];
    struct certificate_list chain; /* what the peer showed, leaf first; where a path was found, that path */
};

/* Everything failed: the state before anything has been decided. Never accepted. */
void verdict_init(struct verdict *v);
void verdict_fini(struct verdict *v);

/* A peer that showed no certificate: reason no_certificate, factors skipped. */
void verdict_no_certificate(struct verdict *v, bool may_enter);

const char *reason_token(enum reason r);
/* The TLS alert that RFC 8446 §6.2 names for R. */
uint8_t reason_alert(enum reason r);
/* What the operator can do about it, in words. */
const char *reason_remedy(enum reason r);
const char *factor_name(enum factor f);
const char *factor_result_token(enum factor_result r);

/* The JSON object of the verdict under KEY. */
void verdict_json(const struct verdict *v, struct json *j, const char *key);
