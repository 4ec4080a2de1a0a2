/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path — certification paths from a leaf to a trust anchor (RFC 4158 building, RFC 5280 §6
 * validation).
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

/* The certificates of the list are referenced. PARTIAL_CHAIN: an anchor need not be self-signed;
 * without it, those that are not may still stand between a leaf and an anchor. */
struct path_store *path_store_new(
    const struct certificate_list *anchors, bool partial_chain) MUST_USE;
void path_store_free(struct path_store **s);
/* Is C itself an anchor? */
bool path_store_has(const struct path_store *s, const struct certificate *c);

/* What the leaf's key is to be used for. CRL_SIGNER: to sign CRLs; whether keyUsage allows that is
 * for the caller to see, and any CA may. ANY: RFC 5280 §6 and nothing else. */
enum path_purpose { PATH_SERVER, PATH_CLIENT, PATH_CRL_SIGNER, PATH_ANY };

/* Every way in which a path can be wrong, in the precedence of pki/reason.def. A set: PATH_BIT(p).
 */
enum path_fault {
    PATH_MALFORMED, /* against the profile of RFC 5280 (certificate_flaw.def) */
    PATH_LIMIT,     /* the budget of work was used up */
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
    size_t vouched;   /* from this one on, good signatures of CAs lead up to the anchor; N: none */
    unsigned faults;  /* set of PATH_BIT; 0 = good */
    char detail[256]; /* the first of the faults in words, with the subject it is about */
};

/* What one verification may cost, whatever the peer sends; what is left of it. */
struct path_budget {
    unsigned signatures;  /* checks, in units of about 100 us (see path_search.c) */
    unsigned steps;       /* from a certificate to one of its issuers */
    unsigned candidates;  /* paths */
    unsigned comparisons; /* of a name with a constraint */
};
#define PATH_BUDGET        \
    ((struct path_budget){ \
        .signatures = 100, .steps = 1u << 14, .candidates = 64, .comparisons = 1u << 17})

/* The request must outlive the search, the budget too; it may be shared with other searches. */
struct path_search;
struct path_search *path_search_new(
    const struct path_request *request, struct path_budget *budget) MUST_USE;
/*
 * The next candidate, checked. First come all paths whose signatures are good, whose issuers may
 * issue, and that are not too deep. If there is none, one path that is wrong in these ways, or what
 * was found when nothing reached an anchor (faults PATH_UNTRUSTED), or when the budget was used up
 * (PATH_LIMIT): so the first call always gives something to explain the refusal with. False if
 * there is no more.
 */
bool path_search_next(struct path_search *s, struct path *out);
void path_search_free(struct path_search **s);
