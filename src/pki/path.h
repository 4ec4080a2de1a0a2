/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path — certification paths from a leaf to a trust anchor (RFC 4158 building, RFC 5280 §6 validation).
 *
 *   path_search  gives one candidate after another, best guesses first, over all issuers of a name
 *                (cross-signed, re-keyed, expired ones), without loops, within a budget of work.
 *   path_check   says what is wrong with a candidate: every fault, not only the first. Dates and
 *                revocation are not judged here, but by their own factors.
 *
 * AKI and SKI only order the candidates. Nothing here reads a clock or does I/O.
 */
#pragma once

#include "pki/certificate.h"

#define PATH_LENGTH_MAX 34 /* certificates in a path, whatever depth_max says */

struct path_store; /* the anchors by subject; immutable once made, shared by all verifications */

/* PARTIAL_CHAIN: an anchor need not be self-signed. The list's certificates are referenced. */
struct path_store *path_store_new(const struct certificate_list *anchors, bool partial_chain) MUST_USE;
void path_store_free(struct path_store **s);
bool path_store_has(const struct path_store *s, const struct certificate *c);

enum path_purpose { PATH_SERVER, PATH_CLIENT };

/* Every way in which a path can be wrong. A set: PATH_BIT(p). */
enum path_fault {
    PATH_UNTRUSTED, /* no path to an anchor */
    PATH_BAD_SIGNATURE,
    PATH_BAD_CA, /* an issuer that is no CA, or may not sign certificates */
    PATH_LENGTH, /* pathLenConstraint exceeded */
    PATH_DEPTH,  /* longer than the limit in force */
    PATH_NAME_CONSTRAINT,
    PATH_UNKNOWN_CRITICAL,
    PATH_WEAK_ALGORITHM, /* SHA-1, MD5, RSA under 2048 bits, … */
    PATH_POLICY,
    PATH_WRONG_USAGE, /* keyUsage or extendedKeyUsage does not allow the purpose */
    PATH_MALFORMED,
    PATH_LIMIT, /* the budget of work was used up */
    PATH_FAULT_COUNT,
};
#define PATH_BIT(fault) (1u << (fault))

/* The inputs of RFC 5280 §6.1.1 (c)-(g). Zeros: any-policy, nothing demanded. */
struct path_policies {
    const struct bytes *initial; /* OID contents: user-initial-policy-set; none: any-policy */
    size_t initial_n;
    bool require_explicit, inhibit_mapping, inhibit_any;
};

struct path_request {
    const struct path_store *store;
    const struct certificate *leaf;
    const struct certificate *const *untrusted; /* in any order; the leaf may be among them */
    size_t untrusted_n;
    enum path_purpose purpose;
    unsigned depth_max; /* intermediate certificates allowed between leaf and anchor */
    int64_t now_s;      /* issuers that are valid then come first */
    struct path_policies policies;
};

/* One candidate. Leaf first; borrowed from the request and its store. */
struct path {
    const struct certificate *at[PATH_LENGTH_MAX];
    size_t n;
    bool has_anchor;  /* the last one is a trust anchor */
    unsigned faults;  /* set of PATH_BIT; 0 = good */
    char detail[256]; /* the first fault of enum path_fault in words, with the subject it is about */
};

/* What one verification may cost. */
struct path_budget {
    unsigned signatures;  /* checks left */
    unsigned candidates;  /* paths left */
    unsigned comparisons; /* of names with constraints, left */
};
#define PATH_BUDGET ((struct path_budget){.signatures = 100, .candidates = 64, .comparisons = 1u << 18})

struct path_search;
struct path_search *path_search_new(const struct path_request *request, struct path_budget *budget) MUST_USE;
/* The next candidate, checked; false if there is none any more (OUT is then what was found when nothing
 * reached an anchor, for the first call; faults PATH_UNTRUSTED). */
bool path_search_next(struct path_search *s, struct path *out);
void path_search_free(struct path_search **s);
