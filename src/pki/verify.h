/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify — the four factors of a peer's chain, in both directions: the one function that listeners, targets,
 * `sallyport verify` and `sallyport connect` call.
 *
 * No I/O, no clock (NOW_S is an argument), no global state.
 */
#pragma once

#include "crypto/path.h"
#include "crypto/revocation_list.h"
#include "pki/name.h"
#include "pki/verdict.h"

#define VERIFY_CHAIN_MAX 10          /* certificates that a peer may send */
#define VERIFY_CERTIFICATE_MAX 65536 /* bytes of one certificate */
#define VERIFY_NAMES_MAX 256         /* subjectAltName entries of a certificate */
#define VERIFY_DEPTH_DEFAULT 8       /* intermediates */

enum revocation_policy {
    REVOCATION_OFF,  /* no data configured: the factor is unknown, and tolerated */
    REVOCATION_HARD, /* unknown is refused */
    REVOCATION_SOFT, /* unknown passes */
    REVOCATION_GRACE /* data may be stale for grace_s; then as hard */
};

/* Immutable after it has been built (crl_signed_by's memory apart); shared by all connections of a policy. */
struct verify_policy {
    enum path_purpose purpose;
    struct path_store *anchors;
    unsigned depth_max;
    enum revocation_policy revocation;
    int64_t grace_s;
    struct crl_list crls;
    struct bytes ocsp;           /* one OCSPResponse in DER, or empty */
    bool leaf_only;              /* revocation of the leaf alone; default: the whole chain */
    const struct name_pattern *names; /* clients: any may match; servers: the one name asked for. */
    size_t names_n;              /* 0: the name factor is skipped */
};

/* Judge CHAIN (leaf first; the rest in any order) at time NOW_S. All four factors are always evaluated.
 * CHAIN_N = 0 gives no_certificate, refused. OUT is initialised here and released with verdict_fini. */
void verify_chain(const struct verify_policy *policy, const struct certificate *const *chain, size_t chain_n,
    int64_t now_s, struct verdict *out);
