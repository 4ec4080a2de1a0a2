/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/revocation.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

#include "base/ban.h"

/* How much of a name or number is shown, so that the date behind it still fits. */
#define DN_SHOWN     "%.110s"
#define NUMBER_SHOWN "%.42s"

/* What is asked: is SUBJECT revoked? */
struct question {
    const struct verify_policy *policy;
    const struct certificate *subject;
    const struct certificate *issuer; /* NULL where none is known */
    bool is_anchor;                   /* SUBJECT is trusted by itself */
    bool is_leaf;
    int64_t now_s;
};

struct answer {
    enum factor_result result;
    bool is_late; /* pass, by the policy's grace */
    char detail[sizeof(((struct verdict_factor *)0)->detail)];
};

/* How far a CRL in the issuer's name is of use, from nothing to all. */
enum crl_use { CRL_NONE, CRL_NOT_SIGNED, CRL_PARTIAL, CRL_FUTURE, CRL_STALE, CRL_FRESH };

static struct answer answer_of(enum factor_result result, const char *format, ...) PRINTF(2, 3);
static struct answer answer_of(enum factor_result result, const char *format, ...)
{
    struct answer answer = {.result = result};
    va_list args;
    va_start(args, format);
    vsnprintf(answer.detail, sizeof(answer.detail), format, args);
    va_end(args);
    return answer;
}

static const char *issuer_of(const struct question *q)
{
    return verdict_dn(certificate_facts(q->subject)->issuer);
}

/* "revoked serial 1a2b …" as the operator reads it; SOURCE is where it says so. */
static struct answer revoked(
    const struct question *q, int64_t revoked_at, const char *reason, const char *source)
{
    const struct certificate_facts *facts = certificate_facts(q->subject);
    char at[CLOCK_RFC3339_MAX];
    clock_format(revoked_at, at);
    return answer_of(FACTOR_FAIL, "%.60s%sserial " NUMBER_SHOWN " revoked %.10s (%.24s), %.120s",
        q->is_leaf ? "" : verdict_dn(facts->subject), q->is_leaf ? "" : ": ", facts->serial, at,
        reason, source);
}

/* ---- CRLs ---- */

/* "CRL 17 of CN=Clients CA" */
struct crl_label {
    char text[192];
};

static struct crl_label crl_label(const struct crl *crl)
{
    const struct crl_facts *facts = crl_facts(crl);
    struct crl_label label;
    snprintf(label.text, sizeof(label.text), "CRL%s" NUMBER_SHOWN " of " DN_SHOWN,
        facts->number[0] ? " " : "", facts->number, verdict_dn(facts->issuer));
    return label;
}

/* RFC 5280 §6.3.3 (b) (1): the CRL is by the certificate's issuer. A CA may encode its name in its
 * own certificate otherwise than in those that it issues. */
static bool is_in_issuers_name(const struct question *q, const struct crl *crl)
{
    struct bytes name = crl_facts(crl)->issuer_der;
    return bytes_equal(name, certificate_issuer_der(q->subject)) ||
           (q->issuer && bytes_equal(name, certificate_subject_der(q->issuer)));
}

static enum crl_use crl_use(const struct question *q, struct crl *crl)
{
    const struct crl_facts *facts = crl_facts(crl);
    /* RFC 5280 §6.3.3 (g): "Validate the signature on the complete CRL". A CA of the same name is
     * another CA. */
    if (!q->issuer || !crl_signed_by(crl, q->issuer))
        return CRL_NOT_SIGNED;
    /* RFC 5280 §5.2: "If a CRL contains a critical extension that the application cannot process,
     * then the application MUST NOT use that CRL to determine the status of certificates." Parts of
     * the whole say nothing about the rest. */
    if (facts->is_delta || facts->has_issuing_distribution_point || facts->has_unknown_critical)
        return CRL_PARTIAL;
    if (facts->this_update > q->now_s)
        return CRL_FUTURE;
    /* RFC 5280 §5.1.2.5: nextUpdate MUST be there; without it nobody knows when the CRL ends. */
    return facts->next_update && facts->next_update >= q->now_s ? CRL_FRESH : CRL_STALE;
}

static const char *partial_reason(const struct crl_facts *facts)
{
    if (facts->is_delta)
        return "is a delta CRL, which needs its base";
    if (facts->has_issuing_distribution_point)
        return "covers a part of the certificates only (issuingDistributionPoint)";
    return "has a critical extension that is not understood";
}

static struct answer stale_answer(const struct question *q, const struct crl *crl)
{
    const struct crl_facts *facts = crl_facts(crl);
    struct crl_label label = crl_label(crl);
    /* Without nextUpdate a CRL is as good as the day it was made. */
    int64_t since = facts->next_update ? facts->next_update : facts->this_update;
    char text[CLOCK_RFC3339_MAX];
    clock_format(since, text);
    if (q->policy->revocation == REVOCATION_GRACE && q->now_s - since <= q->policy->grace_s) {
        struct answer answer =
            answer_of(FACTOR_PASS, "%s stale since %s, within the grace period", label.text, text);
        answer.is_late = true;
        return answer;
    }
    if (!facts->next_update)
        return answer_of(FACTOR_UNKNOWN, "%s of %s has no nextUpdate", label.text, text);
    return answer_of(FACTOR_UNKNOWN, "%s expired %s", label.text, text);
}

/* What the most useful of the CRLs says, which does not list the certificate. */
static struct answer unlisted_answer(
    const struct question *q, enum crl_use use, const struct crl *crl)
{
    if (use == CRL_NONE)
        return answer_of(FACTOR_UNKNOWN, "no CRL of " DN_SHOWN, issuer_of(q));
    const struct crl_facts *facts = crl_facts(crl);
    struct crl_label label = crl_label(crl);
    char text[CLOCK_RFC3339_MAX];
    switch (use) {
    case CRL_STALE:
        return stale_answer(q, crl);
    case CRL_FRESH:
        clock_format(facts->next_update, text);
        return answer_of(FACTOR_PASS, "%s until %s", label.text, text);
    case CRL_FUTURE:
        clock_format(facts->this_update, text);
        return answer_of(FACTOR_UNKNOWN, "%s is not valid before %s", label.text, text);
    case CRL_PARTIAL:
        return answer_of(FACTOR_UNKNOWN, "%s %s", label.text, partial_reason(facts));
    case CRL_NOT_SIGNED:
    case CRL_NONE:
        break;
    }
    return answer_of(FACTOR_UNKNOWN,
        q->issuer ? "%s is not signed by the issuer of the certificate"
                  : "%s cannot be checked without its certificate",
        label.text);
}

static bool is_better(
    enum crl_use use, const struct crl *crl, enum crl_use best_use, const struct crl *best)
{
    if (use != best_use)
        return use > best_use;
    return crl_facts(crl)->next_update > crl_facts(best)->next_update;
}

static struct answer ask_crls(const struct question *q)
{
    enum crl_use best_use = CRL_NONE;
    struct crl *best = NULL;
    for (size_t i = 0; i < q->policy->crls.n; i++) {
        struct crl *crl = q->policy->crls.at[i];
        if (!is_in_issuers_name(q, crl))
            continue;
        enum crl_use use = crl_use(q, crl);
        struct crl_entry entry;
        /* Who is trusted by itself may come without the issuer that could vouch for the CRL: the
         * operator did, by configuring it. */
        if ((use > CRL_NOT_SIGNED || (q->is_anchor && !q->issuer)) &&
            crl_lists(crl, q->subject, &entry))
            return revoked(q, entry.revoked_at, entry.reason, crl_label(crl).text);
        if (is_better(use, crl, best_use, best)) {
            best_use = use;
            best = crl;
        }
    }
    return unlisted_answer(q, best_use, best);
}

/* ---- OCSP ---- */

static struct answer ask_ocsp(const struct question *q)
{
    if (!q->issuer)
        return answer_of(FACTOR_UNKNOWN,
            "OCSP answer: no certificate of " DN_SHOWN " to check it with", issuer_of(q));
    struct ocsp_answer ocsp;
    char until[CLOCK_RFC3339_MAX];
    ocsp_ask(q->policy->ocsp, q->subject, q->issuer, q->now_s, &ocsp);
    switch (ocsp.status) {
    case OCSP_REVOKED:
        return revoked(
            q, ocsp.revoked_at, ocsp.reason ? ocsp.reason : "unspecified", "OCSP answer");
    case OCSP_GOOD:
        /* RFC 6960 §4.2.2.1: without nextUpdate, newer information is available all the time; we
         * have the older. */
        if (!ocsp.next_update)
            return answer_of(FACTOR_UNKNOWN, "OCSP answer has no nextUpdate");
        clock_format(ocsp.next_update, until);
        return answer_of(FACTOR_PASS, "OCSP answer: good until %s", until);
    case OCSP_UNKNOWN:
        return answer_of(FACTOR_UNKNOWN,
            "OCSP answer: the responder does not know serial " NUMBER_SHOWN,
            certificate_facts(q->subject)->serial);
    case OCSP_UNUSABLE:
        break;
    }
    return answer_of(FACTOR_UNKNOWN, "OCSP answer: %.160s", ocsp.detail);
}

/* ---- together ---- */

/* Two sources about one certificate: revoked wins, then what is known, then what is fresh. */
static struct answer either(const struct answer *a, const struct answer *b)
{
    if (a->result == FACTOR_FAIL || b->result == FACTOR_FAIL)
        return a->result == FACTOR_FAIL ? *a : *b;
    if (a->result == FACTOR_PASS && !(a->is_late && b->result == FACTOR_PASS))
        return *a;
    if (b->result == FACTOR_PASS)
        return *b;
    return answer_of(FACTOR_UNKNOWN, "%.126s; %.126s", a->detail, b->detail);
}

static struct answer ask(const struct question *q)
{
    bool has_crls = q->policy->crls.n > 0, has_ocsp = q->policy->ocsp.n > 0 && q->is_leaf;
    if (!has_ocsp)
        return ask_crls(q);
    struct answer ocsp = ask_ocsp(q);
    if (!has_crls)
        return ocsp;
    struct answer crls = ask_crls(q);
    return either(&ocsp, &crls);
}

/* In a path the next certificate, else whoever of the chain has the name. */
static const struct certificate *find_issuer(
    const struct certificate_list *chain, size_t i, bool is_path)
{
    if (is_path)
        return i + 1 < chain->n ? chain->at[i + 1] : NULL;
    struct bytes name = certificate_issuer_der(chain->at[i]);
    for (size_t k = 0; k < chain->n; k++)
        if (bytes_equal(certificate_subject_der(chain->at[k]), name))
            return chain->at[k];
    return NULL;
}

/* Over the certificates of a chain: revoked wins, then unknown, then late, then the leaf's answer.
 */
static bool outweighs(const struct answer *a, const struct answer *b)
{
    static const int weights[] = {
        [FACTOR_FAIL] = 3, [FACTOR_UNKNOWN] = 2, [FACTOR_PASS] = 0, [FACTOR_SKIPPED] = 0};
    return weights[a->result] + a->is_late > weights[b->result] + b->is_late;
}

static struct answer ask_all(const struct verify_policy *policy,
    const struct certificate_list *chain, bool has_anchor, int64_t now_s)
{
    /* RFC 5280 §6.1: a trust anchor is trusted as it stands; it is revoked by taking it out of the
     * configuration. */
    size_t n = has_anchor && chain->n > 1 ? chain->n - 1 : chain->n;
    if (policy->leaf_only)
        n = 1;
    struct answer worst = {0};
    for (size_t i = 0; i < n; i++) {
        struct question q = {
            .policy = policy,
            .subject = chain->at[i],
            .issuer = find_issuer(chain, i, has_anchor),
            .is_anchor = has_anchor && chain->n == 1,
            .is_leaf = i == 0,
            .now_s = now_s,
        };
        struct answer answer = ask(&q);
        if (i == 0 || outweighs(&answer, &worst))
            worst = answer;
    }
    return worst;
}

enum revocation_policy revocation_judge(const struct revocation_request *r, struct verdict *out)
{
    const struct verify_policy *policy = r->policy;
    const struct certificate_list *chain = &out->chain;
    if (!policy->crls.n && !policy->ocsp.n) {
        verdict_set(out, FACTOR_REVOCATION, FACTOR_UNKNOWN, "no revocation data configured");
        return policy->revocation;
    }
    struct answer answer = ask_all(policy, chain, r->has_anchor, r->now_s);
    if (r->has_anchor && chain->n == 1 && answer.result != FACTOR_FAIL)
        answer = answer_of(FACTOR_PASS, "%.200s is itself a trust anchor",
            verdict_dn(certificate_facts(chain->at[0])->subject));
    else if (!r->has_anchor && answer.result == FACTOR_PASS)
        answer = answer_of(FACTOR_UNKNOWN,
            "no trusted issuer vouches for the revocation data (%.180s)", answer.detail);
    verdict_set(out, FACTOR_REVOCATION, answer.result, "%s", answer.detail);
    return policy->revocation;
}
