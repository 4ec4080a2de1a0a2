/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/verify.h"

#include <stdio.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "pki/revocation.h"

#include "base/ban.h"

static const enum reason fault_reasons[PATH_FAULT_COUNT] = {
    [PATH_MALFORMED] = REASON_MALFORMED,
    [PATH_LIMIT] = REASON_LIMIT,
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
};

/* One verification. */
struct verification {
    const struct verify_policy *policy;
    const struct certificate *const *chain;
    size_t chain_n;
    int64_t now_s;
    struct path_budget budget;
};

static const char *subject_of(const struct certificate *c)
{
    return verdict_dn(certificate_subject(c));
}

/* ---- limits ---- */

/* A chain that is too long, or names too many, is refused before it costs anything. (Too large a
 * certificate is not even parsed: CERTIFICATE_SIZE_MAX.) */
static bool exceeds_limits(const struct verification *v, struct verdict *out)
{
    unsigned chain_max = v->policy->chain_max ? v->policy->chain_max : VERIFY_CHAIN_MAX;
    if (v->chain_n > chain_max) {
        verdict_set(out, FACTOR_TRUST, FACTOR_FAIL, "%zu certificates; at most %u are accepted",
            v->chain_n, chain_max);
        return true;
    }
    for (size_t i = 0; i < v->chain_n; i++) {
        size_t names = certificate_facts(v->chain[i])->names_n;
        if (names <= VERIFY_NAMES_MAX)
            continue;
        verdict_set(out, FACTOR_TRUST, FACTOR_FAIL, "%.100s has %zu names; at most %d are accepted",
            subject_of(v->chain[i]), names, VERIFY_NAMES_MAX);
        return true;
    }
    return false;
}

static void refuse_unread(const struct verification *v, struct verdict *out)
{
    static const enum factor unread[] = {FACTOR_VALIDITY, FACTOR_REVOCATION, FACTOR_NAME};
    for (size_t i = 0; i < COUNT_OF(unread); i++)
        verdict_set(out, unread[i], FACTOR_UNKNOWN, "not judged: the chain exceeds a limit");
    for (size_t i = 0; i < v->chain_n && i < VERIFY_CHAIN_MAX; i++)
        certificate_list_add(&out->chain, v->chain[i]);
    verdict_decide(out, REASON_BIT(REASON_LIMIT), v->policy->revocation);
}

/* ---- trust ---- */

/* The reasons that follow from PATH's faults. OUT->chain becomes the path, or what was presented
 * where there is none. */
static unsigned judge_trust(
    const struct verification *v, const struct path *path, struct verdict *out)
{
    unsigned found = 0;
    for (int fault = 0; fault < PATH_FAULT_COUNT; fault++)
        if (path->faults & PATH_BIT(fault))
            found |= REASON_BIT(fault_reasons[fault]);
    if (!path->has_anchor)
        found |= REASON_BIT(REASON_UNTRUSTED);
    const struct certificate *const *chain = path->has_anchor ? path->at : v->chain;
    size_t n = path->has_anchor ? path->n : v->chain_n;
    for (size_t i = 0; i < n; i++)
        certificate_list_add(&out->chain, chain[i]);
    if (found)
        verdict_set(out, FACTOR_TRUST, FACTOR_FAIL, "%s", path->detail);
    else
        verdict_set(out, FACTOR_TRUST, FACTOR_PASS, "%s", subject_of(path->at[path->n - 1]));
    return found;
}

/* ---- validity ---- */

static void hold_until(struct verdict *out, int64_t wall_s)
{
    if (wall_s < out->holds_until_s)
        out->holds_until_s = wall_s;
}

static unsigned judge_validity(const struct verification *v, struct verdict *out)
{
    const struct certificate_list *chain = &out->chain;
    const struct certificate *expired = NULL, *early = NULL, *first_to_end = NULL;
    for (size_t i = 0; i < chain->n; i++) {
        const struct certificate *c = chain->at[i];
        const struct certificate_facts *facts = certificate_facts(c);
        /* RFC 5280 §4.1.2.5: "from notBefore through notAfter, inclusive". */
        if (facts->not_after < v->now_s) {
            expired = expired ? expired : c;
        } else {
            hold_until(
                out, facts->not_before > v->now_s ? facts->not_before - 1 : facts->not_after);
        }
        if (facts->not_before > v->now_s && !early)
            early = c;
        if (!first_to_end || facts->not_after < certificate_facts(first_to_end)->not_after)
            first_to_end = c;
    }
    char time[CLOCK_RFC3339_MAX];
    if (expired) {
        clock_format(certificate_facts(expired)->not_after, time);
        verdict_set(
            out, FACTOR_VALIDITY, FACTOR_FAIL, "%.200s expired %s", subject_of(expired), time);
        return REASON_BIT(REASON_EXPIRED);
    }
    if (early) {
        clock_format(certificate_facts(early)->not_before, time);
        verdict_set(out, FACTOR_VALIDITY, FACTOR_FAIL, "%.200s not valid before %s",
            subject_of(early), time);
        return REASON_BIT(REASON_NOT_YET_VALID);
    }
    clock_format(certificate_facts(first_to_end)->not_after, time);
    verdict_set(out, FACTOR_VALIDITY, FACTOR_PASS, "until %s", time);
    return 0;
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

static unsigned judge_name(const struct verification *v, struct verdict *out)
{
    const struct verify_policy *policy = v->policy;
    const struct certificate *leaf = v->chain[0];
    char asked[96], presented[140];
    if (!policy->names_n) {
        verdict_set(out, FACTOR_NAME, FACTOR_SKIPPED, "%s", "");
        return 0;
    }
    for (size_t i = 0; i < policy->names_n; i++) {
        const struct certificate_name *match = name_find(&policy->names[i], leaf);
        if (!match)
            continue;
        name_format(match, presented, sizeof(presented));
        verdict_set(out, FACTOR_NAME, FACTOR_PASS, "%s", presented);
        return 0;
    }
    /* RFC 9525 §2: the common name is not looked at, whether there is a subjectAltName or not. */
    list_names(certificate_facts(leaf), presented, sizeof(presented));
    if (!presented[0])
        snprintf(presented, sizeof(presented), "no subjectAltName");
    name_pattern_format(&policy->names[0], asked, sizeof(asked));
    verdict_set(out, FACTOR_NAME, FACTOR_FAIL, "asked for %s%s, certificate has %s", asked,
        policy->names_n > 1 ? " or another of the list" : "", presented);
    return REASON_BIT(REASON_WRONG_NAME);
}

/* ---- all four ---- */

static void judge_path(struct verification *v, const struct path *path, struct verdict *out)
{
    verdict_init(out);
    unsigned found = judge_trust(v, path, out);
    found |= judge_validity(v, out);
    const struct revocation_request request = {
        .policy = v->policy,
        .presented = v->chain,
        .presented_n = v->chain_n,
        .has_anchor = path->has_anchor,
        .now_s = v->now_s,
        .budget = &v->budget,
    };
    enum revocation_policy unknown = revocation_judge(&request, out);
    found |= judge_name(v, out);
    verdict_decide(out, found, unknown);
}

/* NEXT is the verdict on another path. Keeps the better one in OUT. Whatever could change the one
 * that is not kept could change the choice. */
static void choose(struct verdict *out, struct verdict *next)
{
    if (!next->accepted) {
        hold_until(out, next->holds_until_s);
        hold_until(next, out->holds_until_s);
    }
    bool is_better = next->reason > out->reason;
    verdict_fini(is_better ? out : next);
    if (is_better)
        *out = *next;
}

static void judge_chain(struct verification *v, struct verdict *out)
{
    struct path path;
    struct verdict next;
    const struct path_request request = {
        .store = v->policy->anchors,
        .leaf = v->chain[0],
        .untrusted = v->chain + 1,
        .untrusted_n = v->chain_n - 1,
        .purpose = v->policy->purpose,
        .depth_max = v->policy->depth_max,
        .now_s = v->now_s, /* peers keep sending cross-certificates that have expired */
        .policies = v->policy->policies,
    };
    struct path_search *search = path_search_new(&request, &v->budget);
    bool is_first = true;
    while ((is_first || !out->accepted) && path_search_next(search, &path)) {
        judge_path(v, &path, is_first ? out : &next);
        if (!is_first)
            choose(out, &next);
        is_first = false;
    }
    path_search_free(&search);
}

static void judge_without_anchors(struct verification *v, struct verdict *out)
{
    const struct path none = {
        .faults = PATH_BIT(PATH_UNTRUSTED), .detail = "no trusted CA is configured"};
    judge_path(v, &none, out);
}

/* All that the verdict depends on, apart from time and what the policy owns. */
static void digest_question(const struct verification *v, uint8_t out[SHA256_SIZE])
{
    const struct verify_policy *policy = v->policy;
    const uint64_t shape[] = {policy->purpose, policy->names_n, v->chain_n};
    struct digest *d = digest_new();
    digest_add(d, (struct bytes){(const uint8_t *)shape, sizeof(shape)});
    for (size_t i = 0; i < policy->names_n; i++) {
        const uint8_t kind[] = {(uint8_t)policy->names[i].kind, policy->names[i].is_allow_list};
        digest_add(d, (struct bytes){kind, sizeof(kind)});
        digest_add(d, policy->names[i].value);
    }
    digest_add(d, policy->ocsp);
    for (size_t i = 0; i < v->chain_n; i++)
        digest_add(d, certificate_der(v->chain[i]));
    digest_finish(&d, out);
}

static void judge_with_memory(struct verification *v, struct verdict *out)
{
    struct verdict_cache *cache = v->policy->cache;
    uint8_t key[SHA256_SIZE];
    if (!cache) {
        judge_chain(v, out);
        return;
    }
    digest_question(v, key);
    if (verdict_cache_find(cache, key, v->now_s, out))
        return;
    judge_chain(v, out);
    verdict_cache_keep(cache, key, v->now_s, out);
}

void verify_policy_fini(struct verify_policy *policy)
{
    path_store_free(&policy->anchors);
    crl_list_fini(&policy->crls);
    verdict_cache_free(&policy->cache);
    *policy = (struct verify_policy){0};
}

void verify_chain(const struct verify_policy *policy, const struct certificate *const *chain,
    size_t chain_n, int64_t now_s, struct verdict *out)
{
    if (!chain_n) {
        verdict_no_certificate(out, false);
        return;
    }
    struct verification v = {policy, chain, chain_n, now_s, PATH_BUDGET};
    verdict_init(out);
    if (exceeds_limits(&v, out))
        refuse_unread(&v, out);
    else if (!policy->anchors)
        judge_without_anchors(&v, out);
    else
        judge_with_memory(&v, out);
}
