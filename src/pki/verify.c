/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/verify.h"

#include <stdio.h>

#include "base/clock.h"
#include "pki/revocation.h"

#include "base/ban.h"

static const enum reason fault_reasons[PATH_FAULT_COUNT] = {
    [PATH_UNTRUSTED] = REASON_UNTRUSTED,
    [PATH_BAD_SIGNATURE] = REASON_BAD_SIGNATURE,
    [PATH_BAD_CA] = REASON_BAD_CA,
    [PATH_LENGTH] = REASON_PATH_LENGTH,
    [PATH_DEPTH] = REASON_DEPTH,
    [PATH_NAME_CONSTRAINT] = REASON_NAME_CONSTRAINT,
    [PATH_UNKNOWN_CRITICAL] = REASON_UNKNOWN_CRITICAL,
    [PATH_WEAK_ALGORITHM] = REASON_WEAK_ALGORITHM,
    [PATH_POLICY] = REASON_POLICY,
    [PATH_WRONG_USAGE] = REASON_WRONG_USAGE,
    [PATH_MALFORMED] = REASON_MALFORMED,
};

/* One verification. */
struct verification {
    const struct verify_policy *policy;
    const struct certificate *const *chain;
    size_t chain_n;
    int64_t now_s;
    struct verdict *out;
    unsigned found; /* set of REASON_BIT */
};

static const char *subject_of(const struct certificate *c)
{
    return verdict_dn(certificate_facts(c)->subject);
}

/* ---- limits ---- */

/* A chain that is too long or too large is refused before it costs anything. */
static bool exceeds_limits(struct verification *v)
{
    unsigned chain_max = v->policy->chain_max ? v->policy->chain_max : VERIFY_CHAIN_MAX;
    if (v->chain_n > chain_max) {
        verdict_set(v->out, FACTOR_TRUST, FACTOR_FAIL, "%zu certificates; at most %u are accepted",
            v->chain_n, chain_max);
        return true;
    }
    for (size_t i = 0; i < v->chain_n; i++) {
        size_t size = certificate_der(v->chain[i]).n,
               names = certificate_facts(v->chain[i])->names_n;
        if (size <= VERIFY_CERTIFICATE_MAX && names <= VERIFY_NAMES_MAX)
            continue;
        verdict_set(v->out, FACTOR_TRUST, FACTOR_FAIL,
            "%.100s has %zu bytes and %zu names; at most %d and %d are accepted",
            subject_of(v->chain[i]), size, names, VERIFY_CERTIFICATE_MAX, VERIFY_NAMES_MAX);
        return true;
    }
    return false;
}

static void refuse_unread(struct verification *v)
{
    static const enum factor unread[] = {FACTOR_VALIDITY, FACTOR_REVOCATION, FACTOR_NAME};
    for (size_t i = 0; i < COUNT_OF(unread); i++)
        verdict_set(v->out, unread[i], FACTOR_UNKNOWN, "not judged: the chain exceeds a limit");
    for (size_t i = 0; i < v->chain_n && i < VERIFY_CHAIN_MAX; i++)
        certificate_list_add(&v->out->chain, v->chain[i]);
    v->found |= REASON_BIT(REASON_LIMIT);
}

/* ---- trust ---- */

/* The faults of PATH, and what to say about them. */
static void take_faults(struct verification *v, const struct path_result *path, bool has_path)
{
    unsigned faults = path->faults;
    const char *detail = path->detail;
    if (!has_path && !faults)
        faults = PATH_BIT(PATH_UNTRUSTED);
    if (faults & PATH_BIT(PATH_DEPTH) && !has_path) {
        /* The search ended at the limit and met no anchor: untrusted follows from depth. */
        faults &= ~PATH_BIT(PATH_UNTRUSTED);
        detail = "more intermediate certificates than are allowed between leaf and trust anchor";
    }
    for (int fault = 0; fault < PATH_FAULT_COUNT; fault++)
        if (faults & PATH_BIT(fault))
            v->found |= REASON_BIT(fault_reasons[fault]);
    if (faults)
        verdict_set(v->out, FACTOR_TRUST, FACTOR_FAIL, "%s", detail);
    else
        verdict_set(
            v->out, FACTOR_TRUST, FACTOR_PASS, "%s", subject_of(path->chain.at[path->chain.n - 1]));
}

/* Sets OUT->chain to the path, or to what was presented where there is none. Is there one? */
static bool judge_trust(struct verification *v)
{
    struct path_result path = {
        .faults = PATH_BIT(PATH_UNTRUSTED), .detail = "no trusted CA is configured"};
    struct path_request request = {
        .store = v->policy->anchors,
        .leaf = v->chain[0],
        .untrusted = v->chain + 1,
        .untrusted_n = v->chain_n - 1,
        .purpose = v->policy->purpose,
        .depth_max = v->policy->depth_max,
        .now_s = v->now_s, /* peers keep sending cross-certificates that have expired */
    };
    if (request.store)
        path_validate(&request, &path);
    bool has_path = path.has_anchor && path.chain.n > 0;
    take_faults(v, &path, has_path);
    for (size_t i = 0; has_path && i < path.chain.n; i++)
        certificate_list_add(&v->out->chain, path.chain.at[i]);
    for (size_t i = 0; !has_path && i < v->chain_n; i++)
        certificate_list_add(&v->out->chain, v->chain[i]);
    path_result_fini(&path);
    return has_path;
}

/* ---- validity ---- */

static void judge_validity(struct verification *v)
{
    const struct certificate_list *chain = &v->out->chain;
    const struct certificate *expired = NULL, *early = NULL, *first_to_end = NULL;
    for (size_t i = 0; i < chain->n; i++) {
        const struct certificate *c = chain->at[i];
        const struct certificate_facts *facts = certificate_facts(c);
        /* RFC 5280 §4.1.2.5: "from notBefore through notAfter, inclusive". */
        if (facts->not_after < v->now_s && !expired)
            expired = c;
        if (facts->not_before > v->now_s && !early)
            early = c;
        if (!first_to_end || facts->not_after < certificate_facts(first_to_end)->not_after)
            first_to_end = c;
    }
    char time[CLOCK_RFC3339_MAX];
    if (expired) {
        clock_format(certificate_facts(expired)->not_after, time);
        verdict_set(
            v->out, FACTOR_VALIDITY, FACTOR_FAIL, "%.200s expired %s", subject_of(expired), time);
        v->found |= REASON_BIT(REASON_EXPIRED);
    } else if (early) {
        clock_format(certificate_facts(early)->not_before, time);
        verdict_set(v->out, FACTOR_VALIDITY, FACTOR_FAIL, "%.200s not valid before %s",
            subject_of(early), time);
        v->found |= REASON_BIT(REASON_NOT_YET_VALID);
    } else {
        clock_format(certificate_facts(first_to_end)->not_after, time);
        verdict_set(v->out, FACTOR_VALIDITY, FACTOR_PASS, "until %s", time);
    }
}

/* ---- name ---- */

/* "DNS:a.example, DNS:b.example, ..." as far as it fits. */
static void list_names(const struct certificate_facts *facts, char *out, size_t size)
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < facts->names_n; i++) {
        char name[96];
        name_format(&facts->names[i], name, sizeof(name));
        if (n + strlen(name) + sizeof(", , ...") > size) {
            snprintf(out + n, size - n, "%s...", i ? ", " : "");
            return;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", name);
    }
}

static void judge_name(struct verification *v)
{
    const struct verify_policy *policy = v->policy;
    const struct certificate *leaf = v->chain[0];
    char asked[96], presented[140];
    if (!policy->names_n) {
        verdict_set(v->out, FACTOR_NAME, FACTOR_SKIPPED, "%s", "");
        return;
    }
    for (size_t i = 0; i < policy->names_n; i++) {
        const struct certificate_name *match = name_find(&policy->names[i], leaf);
        if (!match)
            continue;
        name_format(match, presented, sizeof(presented));
        verdict_set(v->out, FACTOR_NAME, FACTOR_PASS, "%s", presented);
        return;
    }
    /* RFC 9525 §2: the common name is not looked at, whether there is a subjectAltName or not. */
    list_names(certificate_facts(leaf), presented, sizeof(presented));
    if (!presented[0])
        snprintf(presented, sizeof(presented), "no subjectAltName");
    name_pattern_format(&policy->names[0], asked, sizeof(asked));
    verdict_set(v->out, FACTOR_NAME, FACTOR_FAIL, "asked for %s%s, certificate has %s", asked,
        policy->names_n > 1 ? " or another of the list" : "", presented);
    v->found |= REASON_BIT(REASON_WRONG_NAME);
}

/* ---- all four ---- */

void verify_policy_fini(struct verify_policy *policy)
{
    path_store_free(&policy->anchors);
    crl_list_fini(&policy->crls);
    *policy = (struct verify_policy){0};
}

void verify_chain(const struct verify_policy *policy, const struct certificate *const *chain,
    size_t chain_n, int64_t now_s, struct verdict *out)
{
    if (!chain_n) {
        verdict_no_certificate(out, false);
        return;
    }
    verdict_init(out);
    struct verification v = {policy, chain, chain_n, now_s, out, 0};
    enum revocation_policy unknown = policy->revocation;
    if (exceeds_limits(&v)) {
        refuse_unread(&v);
    } else {
        bool has_path = judge_trust(&v);
        judge_validity(&v);
        unknown = revocation_judge(
            &(struct revocation_request){policy, chain, chain_n, has_path, now_s, NULL}, out);
        judge_name(&v);
    }
    verdict_decide(out, v.found, unknown);
}
