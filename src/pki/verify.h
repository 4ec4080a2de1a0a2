/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify — the four factors of a peer's chain, in both directions: the one function that listeners,
 * targets, `sallyport verify` and `sallyport connect` call.
 *
 * No I/O, no clock (NOW_S is an argument), no global state.
 */
#pragma once

#include "pki/crl.h"
#include "pki/name.h"
#include "pki/path.h"
#include "pki/verdict.h"
#include "pki/verdict_cache.h"

#define VERIFY_CHAIN_MAX     10                /* certificates that a peer may send */
#define VERIFY_NAMES_MAX     VERDICT_NAMES_MAX /* subjectAltName entries of a certificate */
#define VERIFY_DEPTH_DEFAULT 8                 /* intermediates */

/* The policy for certificates issued by a CA that has one of its own. */
struct verify_exception {
    const char *issuer; /* as certificate_subject shows the CA */
    enum revocation_policy revocation;
    int64_t grace_s;
};

/* Immutable after it has been built (its cache and crl_signed_by's memory apart); shared by all
 * connections of a policy. A copy with other names or another OCSP answer shares what is owned. */
struct verify_policy {
    enum path_purpose purpose;
    struct path_store *anchors; /* owned; without it nobody is trusted */
    unsigned depth_max;
    unsigned chain_max;            /* certificates in CHAIN; 0 is VERIFY_CHAIN_MAX */
    struct path_policies policies; /* borrowed */
    enum revocation_policy revocation;
    int64_t grace_s;
    const struct verify_exception *exceptions; /* borrowed; the first that fits counts */
    size_t exceptions_n;
    struct crl_list crls; /* owned */
    struct bytes ocsp;    /* one OCSPResponse in DER about the leaf, or empty. Borrowed. */
    bool leaf_only;       /* revocation of the leaf alone; default: the whole chain */
    /* Clients: any may match; servers: the one name asked for. Borrowed. */
    const struct name_pattern *names;
    size_t names_n;              /* 0: the name factor is skipped */
    struct verdict_cache *cache; /* owned; NULL: nothing is remembered */
};

/* Release what POLICY owns: anchors, CRLs and cache. A policy of zeros is fine. */
void verify_policy_fini(struct verify_policy *policy);

/*
 * Judge CHAIN (leaf first; the rest in any order) at time NOW_S. All four factors are always
 * evaluated, unless CHAIN exceeds a limit above: then it is refused unread (reason limit). CHAIN_N
 * = 0 gives no_certificate, refused. OUT is initialised here and released with verdict_fini.
 *
 * Where there are several paths to an anchor, the first that is accepted with all factors decides.
 * If none is, the verdict is that on the path that came furthest: whose reason stands last in
 * pki/reason.def, and of those the first. (Of a path through an expired cross-certificate and one
 * through a revoked CA, the operator is told of the expired one, which is easier to mend.)
 */
void verify_chain(const struct verify_policy *policy, const struct certificate *const *chain,
    size_t chain_n, int64_t now_s, struct verdict *out);
