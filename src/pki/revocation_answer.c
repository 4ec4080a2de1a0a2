/* SPDX-License-Identifier: Apache-2.0 */
/* Answers about revocation, in words. */
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "pki/reason_code.h"
#include "pki/revocation_question.h"

#include "base/ban.h"

struct revocation_answer revocation_answer_of(
    const struct revocation_question *q, enum factor_result result, const char *format, ...)
{
    struct revocation_answer answer = {.result = result, .policy = q->revocation};
    va_list args;
    va_start(args, format);
    vsnprintf(answer.detail, sizeof(answer.detail), format, args);
    va_end(args);
    return answer;
}

struct revocation_answer revocation_answer_revoked(
    const struct revocation_question *q, int64_t revoked_at, unsigned reason, const char *source)
{
    const char *name = reason_code_name(reason);
    char at[CLOCK_RFC3339_MAX];
    clock_format(revoked_at, at);
    return revocation_answer_of(q, FACTOR_FAIL, "%.60s%sserial %.42s revoked %.10s (%.24s), %.120s",
        q->is_leaf ? "" : verdict_dn(certificate_subject(q->subject)), q->is_leaf ? "" : ": ",
        certificate_serial(q->subject), at, name ? name : reason_code_name(REASON_CODE_UNSPECIFIED),
        source);
}

void revocation_answer_begin(struct revocation_question *q)
{
    const struct verify_policy *policy = q->request->policy;
    q->serial = certificate_facts(q->subject)->serial;
    q->issuer_hash = certificate_facts(q->subject)->issuer_hash;
    q->revocation = policy->revocation;
    q->grace_s = policy->grace_s;
    for (size_t i = 0; i < policy->exceptions_n; i++) {
        const struct verify_exception *e = &policy->exceptions[i];
        if (strcmp(e->issuer, certificate_issuer(q->subject)) != 0)
            continue;
        q->revocation = e->revocation;
        q->grace_s = e->grace_s;
        return;
    }
}

void revocation_answer_holds_until(const struct revocation_question *q, int64_t at_s)
{
    if (at_s >= q->request->now_s && at_s < *q->holds_until_s)
        *q->holds_until_s = at_s;
}
