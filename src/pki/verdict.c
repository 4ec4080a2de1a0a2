/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/verdict.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"
#include "pki/name.h"

#include "base/ban.h"

#define NO_FACTOR FACTOR_COUNT

static const struct {
    const char *token;
    uint8_t alert;
    unsigned factor; /* enum factor, or NO_FACTOR */
    const char *remedy;
} reasons[REASON_COUNT] = {
#define X(symbol, token, alert, factor, remedy) [REASON_##symbol] = {token, alert, factor, remedy},
#include "pki/reason.def"
#undef X
};
static_assert(REASON_COUNT <= 32, "sets of reasons are kept in an unsigned");

/* In the order of the JSON object. */
static const char *const factor_names[FACTOR_COUNT] = {
    [FACTOR_VALIDITY] = "validity",
    [FACTOR_REVOCATION] = "revocation",
    [FACTOR_TRUST] = "trust",
    [FACTOR_NAME] = "name",
};

static const char *const result_tokens[] = {
    [FACTOR_FAIL] = "fail",
    [FACTOR_PASS] = "pass",
    [FACTOR_UNKNOWN] = "unknown",
    [FACTOR_SKIPPED] = "skipped",
};

const char *reason_token(enum reason r)
{
    ASSERT((unsigned)r < REASON_COUNT);
    return reasons[r].token;
}

uint8_t reason_alert(enum reason r)
{
    ASSERT((unsigned)r < REASON_COUNT);
    return reasons[r].alert;
}

const char *reason_remedy(enum reason r)
{
    ASSERT((unsigned)r < REASON_COUNT);
    return reasons[r].remedy;
}

void verdict_explain(const struct verdict *v, char *out, size_t size)
{
    ASSERT((unsigned)v->reason < REASON_COUNT);
    unsigned factor = reasons[v->reason].factor;
    const char *detail = factor == NO_FACTOR ? "" : v->factors[factor].detail;
    snprintf(out, size, "%s: %s%s%s%s", reasons[v->reason].token, reasons[v->reason].remedy,
        detail[0] ? " (" : "", detail, detail[0] ? ")" : "");
}

const char *factor_name(enum factor f)
{
    ASSERT((unsigned)f < FACTOR_COUNT);
    return factor_names[f];
}

const char *factor_result_token(enum factor_result r)
{
    ASSERT((unsigned)r < COUNT_OF(result_tokens));
    return result_tokens[r];
}

void verdict_init(struct verdict *v)
{
    *v =
        (struct verdict){.accepted = false, .reason = REASON_UNTRUSTED, .holds_until_s = INT64_MAX};
    for (int f = 0; f < FACTOR_COUNT; f++)
        v->factors[f].result = FACTOR_FAIL;
}

void verdict_fini(struct verdict *v)
{
    certificate_list_fini(&v->chain);
}

struct verdict *verdict_new(void)
{
    struct verdict *v = mem_alloc(sizeof(*v));
    verdict_init(v);
    return v;
}

void verdict_free(struct verdict **v)
{
    if (!*v)
        return;
    verdict_fini(*v);
    free(*v);
    *v = NULL;
}

void verdict_set(
    struct verdict *v, enum factor f, enum factor_result result, const char *format, ...)
{
    va_list args;
    v->factors[f].result = result;
    va_start(args, format);
    vsnprintf(v->factors[f].detail, sizeof(v->factors[f].detail), format, args);
    va_end(args);
}

/* Why factor F does not allow entry; 0 if it does. Whatever is not expected denies. */
static unsigned objection(const struct verdict *v, enum factor f, enum revocation_policy policy)
{
    enum factor_result result = v->factors[f].result;
    if (result == FACTOR_PASS)
        return 0;
    switch (f) {
    case FACTOR_VALIDITY:
        return REASON_BIT(REASON_EXPIRED);
    case FACTOR_NAME:
        return result == FACTOR_SKIPPED ? 0 : REASON_BIT(REASON_WRONG_NAME);
    case FACTOR_REVOCATION:
        if (result != FACTOR_UNKNOWN)
            return REASON_BIT(REASON_REVOKED);
        return policy == REVOCATION_OFF || policy == REVOCATION_SOFT
                   ? 0
                   : REASON_BIT(REASON_REVOCATION_UNKNOWN);
    case FACTOR_TRUST:
    case FACTOR_COUNT:
        break;
    }
    return REASON_BIT(REASON_UNTRUSTED);
}

/* Which reasons of FOUND speak about factor F. */
static unsigned reasons_of(enum factor f, unsigned found)
{
    switch (f) {
    case FACTOR_VALIDITY:
        return found & (REASON_BIT(REASON_EXPIRED) | REASON_BIT(REASON_NOT_YET_VALID));
    case FACTOR_TRUST:
        return found & (REASON_BIT(REASON_REVOKED) - 1);
    case FACTOR_REVOCATION:
    case FACTOR_NAME:
    case FACTOR_COUNT:
        break;
    }
    return 0;
}

void verdict_decide(struct verdict *v, unsigned found, enum revocation_policy policy)
{
    v->accepted = false;
    for (enum factor f = 0; f < FACTOR_COUNT; f++)
        if (!reasons_of(f, found))
            found |= objection(v, f, policy);
    if (found >> REASON_ACCEPTED)
        found |= REASON_BIT(REASON_UNTRUSTED);
    /* reason.def is in order of precedence, and `accepted` is its last row. */
    v->reason = 0;
    while (v->reason < REASON_ACCEPTED && !(found & REASON_BIT(v->reason)))
        v->reason++;
    v->accepted = v->reason == REASON_ACCEPTED;
}

void verdict_no_certificate(struct verdict *v, bool may_enter)
{
    *v = (struct verdict){
        .accepted = may_enter, .reason = REASON_NO_CERTIFICATE, .holds_until_s = INT64_MAX};
    for (int f = 0; f < FACTOR_COUNT; f++)
        v->factors[f].result = FACTOR_SKIPPED;
}

void verdict_malformed(struct verdict *v, const char *why)
{
    verdict_init(v);
    v->reason = REASON_MALFORMED;
    for (unsigned f = 0; f < FACTOR_COUNT; f++) {
        struct verdict_factor *factor = &v->factors[f];
        factor->result = f == FACTOR_TRUST ? FACTOR_FAIL : FACTOR_UNKNOWN;
        snprintf(factor->detail, sizeof(factor->detail), "%s",
            f == FACTOR_TRUST ? why : "not judged: there is no certificate that can be parsed");
    }
}

const char *verdict_dn(const char *dn)
{
    return dn[0] ? dn : "(empty name)";
}

/* What a certificate says may be as long as the certificate: a line of the log may not. */
static void bounded_json(struct json *j, const char *key, const char *text)
{
    json_bytes(j, key, bytes_first(bytes_of(text), VERDICT_TEXT_MAX));
}

static void time_json(struct json *j, const char *key, int64_t wall_s)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format(wall_s, text);
    json_text(j, key, text);
}

static void certificate_json(const struct certificate *c, struct json *j)
{
    const struct certificate_facts *facts = certificate_facts(c);
    json_open_object(j, NULL);
    bounded_json(j, "subject", certificate_subject(c));
    bounded_json(j, "issuer", certificate_issuer(c));
    bounded_json(j, "serial", certificate_serial(c));
    json_text(j, "sha256", certificate_sha256(c));
    time_json(j, "not_before", facts->not_before);
    time_json(j, "not_after", facts->not_after);
    json_open_array(j, "names");
    for (size_t i = 0; i < facts->names_n && i < VERDICT_NAMES_MAX; i++) {
        char name[VERDICT_TEXT_MAX];
        name_format(&facts->names[i], name, sizeof(name));
        json_text(j, NULL, name);
    }
    json_close_array(j);
    json_close_object(j);
}

void verdict_json(const struct verdict *v, struct json *j, const char *key)
{
    json_open_object(j, key);
    json_bool(j, "accepted", v->accepted);
    json_text(j, "reason", reason_token(v->reason));
    json_open_object(j, "factors");
    for (enum factor f = 0; f < FACTOR_COUNT; f++) {
        json_open_object(j, factor_name(f));
        json_text(j, "verdict", factor_result_token(v->factors[f].result));
        json_text(j, "detail", v->factors[f].detail);
        json_close_object(j);
    }
    json_close_object(j);
    json_open_array(j, "chain");
    for (size_t i = 0; i < v->chain.n; i++)
        certificate_json(v->chain.at[i], j);
    json_close_array(j);
    json_close_object(j);
}
