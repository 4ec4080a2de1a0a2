/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation — is a certificate of the chain revoked? The second factor, from the CRLs and the OCSP
 * answer of a policy.
 *
 * A listing in any CRL that the issuer signed means revoked, however old, young or partial the CRL.
 * Only complete and fresh data means that a certificate is not revoked: CRLs that together cover it
 * and every reason (RFC 5280 §6.3.3), or a fresh OCSP answer. All else is unknown.
 */
#pragma once

#include "pki/verify.h"

struct path_budget;

struct revocation_request {
    const struct verify_policy *policy;
    const struct certificate *const
        *presented; /* by the peer: who signed a CRL may be among them */
    size_t presented_n;
    bool has_anchor; /* the verdict's chain is a path to a trust anchor; without one nothing passes,
                        but a listing is still found */
    int64_t now_s;
    struct path_budget *budget; /* for the paths of those who signed CRLs */
};

/* Judge OUT->chain, whose trust factor is set already: set its revocation factor, and lower
 * OUT->holds_until_s to when the data used ends. Returns the policy that an unknown answer falls
 * under: CAs may have policies of their own, and the strictest of those that have no answer
 * decides. */
enum revocation_policy revocation_judge(const struct revocation_request *r, struct verdict *out);
