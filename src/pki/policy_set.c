/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/policy_set.h"

#include "pki/der.h"

#include "base/ban.h"

/* anyPolicy, 2.5.29.32.0 (RFC 5280 §4.2.1.4) */
#define ANY_POLICY BYTES("\x55\x1d\x20\x00")

/* What nodes of one depth with this policy among their expected_policy_set have in common. */
struct policy {
    struct bytes oid;
    bool is_users; /* one of them goes back to a policy of the user-initial-policy-set */
};

struct policy_set {
    struct policy at[2 * POLICY_SET_MAX];
    size_t n;
    bool has_any; /* the node anyPolicy */
};

/* The policies and the mappings of a certificate, as they stand in it. */
struct policy_list {
    struct bytes at[POLICY_SET_MAX];
    size_t n;
    bool has_any;
};
struct mapping_list {
    struct {
        struct bytes issuers, subjects;
    } at[POLICY_SET_MAX];
    size_t n;
};

/* The state variables of RFC 5280 §6.1.2. */
struct walk {
    const struct path_policies *inputs;
    struct policy_set expected; /* of the next certificate */
    uint64_t explicit_policy, policy_mapping, inhibit_any;
    const struct certificate_facts *facts; /* of the certificate at hand */
    struct policy_fault fault;
};

static bool fail(struct walk *w, enum path_fault fault, const char *text)
{
    w->fault.fault = fault;
    w->fault.text = text;
    return false;
}

static bool malformed(struct walk *w, const char *text)
{
    return fail(w, PATH_POLICY, text);
}

static bool too_many(struct walk *w)
{
    return fail(w, PATH_LIMIT, "it has more certificate policies than are accepted");
}

/* ---- sets ---- */

static bool is_any(struct bytes oid)
{
    return bytes_equal(oid, ANY_POLICY);
}

static bool is_users(const struct walk *w, struct bytes oid)
{
    const struct path_policies *in = w->inputs;
    bool found = in->initial_n == 0;
    for (size_t i = 0; i < in->initial_n && !found; i++)
        found = bytes_equal(in->initial[i], oid) || is_any(in->initial[i]);
    return found;
}

static struct policy *find(struct policy_set *set, struct bytes oid)
{
    for (size_t i = 0; i < set->n; i++)
        if (bytes_equal(set->at[i].oid, oid))
            return &set->at[i];
    return NULL;
}

static bool add(struct walk *w, struct policy_set *set, struct policy policy)
{
    struct policy *known = find(set, policy.oid);
    if (known) {
        known->is_users |= policy.is_users;
        return true;
    }
    if (set->n == COUNT_OF(set->at))
        return too_many(w);
    set->at[set->n++] = policy;
    return true;
}

static void clear(struct policy_set *set)
{
    set->n = 0;
    set->has_any = false;
}

/* The sets have room for many, and mostly hold one or two. */
static void assign(struct policy_set *set, const struct policy_set *from)
{
    memcpy(set->at, from->at, from->n * sizeof(set->at[0]));
    set->n = from->n;
    set->has_any = from->has_any;
}

static bool is_listed(const struct policy_list *list, struct bytes oid)
{
    for (size_t i = 0; i < list->n; i++)
        if (bytes_equal(list->at[i], oid))
            return true;
    return false;
}

/* ---- the extensions ---- */

/* PolicyInformation, of which the qualifiers are not looked at: they are for people. */
static bool take_policy(struct bytes *in, struct bytes *oid)
{
    struct bytes information;
    return der_take(in, DER_SEQUENCE, &information) && der_take(&information, DER_OID, oid) &&
           der_is_oid(*oid) &&
           (!information.n || (der_take(&information, DER_SEQUENCE, NULL) && !information.n));
}

static bool read_policies(struct walk *w, struct policy_list *out)
{
    static const char wrong[] = "its certificatePolicies is not the syntax of RFC 5280 4.2.1.4";
    struct bytes in = w->facts->policies, list, oid;
    out->n = 0;
    out->has_any = false;
    if (!in.at)
        return true;
    if (!der_take(&in, DER_SEQUENCE, &list) || in.n || !list.n)
        return malformed(w, wrong);
    while (list.n) {
        if (!take_policy(&list, &oid))
            return malformed(w, wrong);
        /* "A certificate policy OID MUST NOT appear more than once" */
        if (is_any(oid) ? out->has_any : is_listed(out, oid))
            return malformed(w, "its certificatePolicies names a policy twice (RFC 5280 4.2.1.4)");
        if (out->n == COUNT_OF(out->at))
            return too_many(w);
        if (is_any(oid))
            out->has_any = true;
        else
            out->at[out->n++] = oid;
    }
    return true;
}

static bool read_mappings(struct walk *w, struct mapping_list *out)
{
    static const char wrong[] = "its policyMappings is not the syntax of RFC 5280 4.2.1.5";
    struct bytes in = w->facts->policy_mappings, list, pair, from, to;
    out->n = 0;
    if (!in.at)
        return true;
    if (!der_take(&in, DER_SEQUENCE, &list) || in.n || !list.n)
        return malformed(w, wrong);
    while (list.n) {
        if (!der_take(&list, DER_SEQUENCE, &pair) || !der_take(&pair, DER_OID, &from) ||
            !der_take(&pair, DER_OID, &to) || pair.n || !der_is_oid(from) || !der_is_oid(to))
            return malformed(w, wrong);
        /* §6.1.4 (a) */
        if (is_any(from) || is_any(to))
            return malformed(w, "its policyMappings maps anyPolicy (RFC 5280 6.1.4)");
        if (out->n == COUNT_OF(out->at))
            return too_many(w);
        out->at[out->n].issuers = from;
        out->at[out->n++].subjects = to;
    }
    return true;
}

/* SkipCerts, if the next element has TAG. */
static bool take_skip(struct bytes *in, uint8_t tag, uint64_t *out)
{
    struct bytes content;
    *out = UINT64_MAX;
    return !der_is_next(*in, tag) ||
           (der_take(in, tag, &content) && der_unsigned(content, UINT64_MAX, out));
}

/* UINT64_MAX: says nothing. */
static bool read_constraints(struct walk *w, uint64_t *require_explicit, uint64_t *inhibit_mapping)
{
    struct bytes in = w->facts->policy_constraints, content;
    *require_explicit = *inhibit_mapping = UINT64_MAX;
    if (!in.at)
        return true;
    /* "Conforming CAs MUST NOT issue certificates where policy constraints is an empty sequence."
     */
    if (!der_take(&in, DER_SEQUENCE, &content) || in.n || !content.n ||
        !take_skip(&content, DER_CONTEXT(0), require_explicit) ||
        !take_skip(&content, DER_CONTEXT(1), inhibit_mapping) || content.n)
        return malformed(w, "its policyConstraints is not the syntax of RFC 5280 4.2.1.11");
    return true;
}

static bool read_inhibit_any(struct walk *w, uint64_t *inhibit_any)
{
    struct bytes in = w->facts->inhibit_any_policy;
    *inhibit_any = UINT64_MAX;
    if (!in.at ||
        (der_is_next(in, DER_INTEGER) && take_skip(&in, DER_INTEGER, inhibit_any) && !in.n))
        return true;
    return malformed(w, "its inhibitAnyPolicy is not the syntax of RFC 5280 4.2.1.14");
}

/* ---- the walk ---- */

static void lower(uint64_t *variable, uint64_t limit)
{
    if (limit < *variable)
        *variable = limit;
}

static void count_down(uint64_t *variable)
{
    *variable -= *variable > 0;
}

/* §6.1.3 (d) and (e): which policies are valid at this certificate. */
static bool take_policies(struct walk *w, bool is_leaf)
{
    struct policy_list own;
    struct policy_set valid;
    clear(&valid);
    if (!read_policies(w, &own))
        return false;
    /* (d) (1): what it names, where that is expected or anything is. */
    for (size_t i = 0; i < own.n; i++) {
        const struct policy *expected = find(&w->expected, own.at[i]);
        if (!expected && !w->expected.has_any)
            continue;
        bool users = expected ? expected->is_users : is_users(w, own.at[i]);
        if (!add(w, &valid, (struct policy){own.at[i], users}))
            return false;
    }
    /* (d) (2): anyPolicy stands for everything else that is expected. */
    if (own.has_any && (w->inhibit_any || (!is_leaf && w->facts->is_self_issued))) {
        for (size_t i = 0; i < w->expected.n; i++)
            if (!is_listed(&own, w->expected.at[i].oid) && !add(w, &valid, w->expected.at[i]))
                return false;
        valid.has_any = w->expected.has_any;
    }
    assign(&w->expected, &valid);
    return true;
}

static bool is_mapped(const struct mapping_list *m, struct bytes oid)
{
    for (size_t i = 0; i < m->n; i++)
        if (bytes_equal(m->at[i].issuers, oid))
            return true;
    return false;
}

/* §6.1.4 (b): what the next certificate is expected to call these policies. */
static bool map_policies(struct walk *w)
{
    struct mapping_list m;
    struct policy_set mapped;
    clear(&mapped);
    if (!read_mappings(w, &m))
        return false;
    if (!m.n)
        return true;
    mapped.has_any = w->expected.has_any;
    for (size_t i = 0; i < w->expected.n; i++)
        if (!is_mapped(&m, w->expected.at[i].oid) && !add(w, &mapped, w->expected.at[i]))
            return false;
    /* (b) (2): where mapping is inhibited, what would be mapped is no longer valid. */
    for (size_t i = 0; i < m.n && w->policy_mapping; i++) {
        const struct policy *valid = find(&w->expected, m.at[i].issuers);
        if (!valid && !w->expected.has_any)
            continue;
        bool users = valid ? valid->is_users : is_users(w, m.at[i].issuers);
        if (!add(w, &mapped, (struct policy){m.at[i].subjects, users}))
            return false;
    }
    assign(&w->expected, &mapped);
    return true;
}

/* §6.1.4 (h)-(j), in a CA's certificate. */
static bool prepare_for_next(struct walk *w)
{
    uint64_t require_explicit, inhibit_mapping, inhibit_any;
    if (!map_policies(w) || !read_constraints(w, &require_explicit, &inhibit_mapping) ||
        !read_inhibit_any(w, &inhibit_any))
        return false;
    if (!w->facts->is_self_issued) {
        count_down(&w->explicit_policy);
        count_down(&w->policy_mapping);
        count_down(&w->inhibit_any);
    }
    lower(&w->explicit_policy, require_explicit);
    lower(&w->policy_mapping, inhibit_mapping);
    lower(&w->inhibit_any, inhibit_any);
    return true;
}

static bool is_empty(const struct policy_set *set)
{
    return !set->n && !set->has_any;
}

/* §6.1.5 (g): anything that the user accepts? anyPolicy at the leaf stands for all that he does. */
static bool has_users_policy(const struct policy_set *set)
{
    bool found = set->has_any;
    for (size_t i = 0; i < set->n && !found; i++)
        found = set->at[i].is_users;
    return found;
}

/* §6.1.5 (a), (b) and (g) */
static bool wrap_up(struct walk *w)
{
    uint64_t require_explicit, inhibit_mapping;
    if (!read_constraints(w, &require_explicit, &inhibit_mapping))
        return false;
    count_down(&w->explicit_policy);
    if (require_explicit == 0)
        w->explicit_policy = 0;
    if (w->explicit_policy || has_users_policy(&w->expected))
        return true;
    return fail(w, PATH_POLICY,
        "a certificate policy is required, and it has none that is valid along the whole path");
}

static bool take_certificate(struct walk *w, bool is_leaf)
{
    if (!take_policies(w, is_leaf))
        return false;
    /* §6.1.3 (f) */
    if (!w->explicit_policy && is_empty(&w->expected))
        return fail(w, PATH_POLICY,
            "a certificate policy is required, and none is valid from the trust anchor down to it");
    return is_leaf ? wrap_up(w) : prepare_for_next(w);
}

struct policy_fault policy_set_check(
    const struct certificate *const *path, size_t n, const struct path_policies *inputs)
{
    struct walk w;
    w.inputs = inputs;
    w.fault = (struct policy_fault){.fault = PATH_FAULT_COUNT};
    w.expected.n = 0;
    w.expected.has_any = true;
    w.explicit_policy = inputs->require_explicit ? 0 : n + 1;
    w.policy_mapping = inputs->inhibit_mapping ? 0 : n + 1;
    w.inhibit_any = inputs->inhibit_any ? 0 : n + 1;
    for (size_t i = n; i-- > 0;) {
        w.facts = certificate_facts(path[i]);
        w.fault.about = i;
        if (!take_certificate(&w, i == 0))
            break;
    }
    return w.fault;
}
