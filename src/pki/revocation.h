/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation — is a certificate of the chain revoked? The second factor, from the CRLs and the OCSP
 * answer of a policy.
 *
 * A listing in any CRL that the issuer signed means revoked, however old, young or partial the CRL.
 * Only a complete and fresh CRL, or a fresh OCSP answer, means that a certificate is not revoked;
 * all else is unknown.
 */
#pragma once

#include "pki/verify.h"

/* Judge OUT->chain and set its revocation factor. HAS_ANCHOR: the chain is a path whose last
 * certificate is a trust anchor; without one nothing passes, but a listing is still found. */
void revocation_judge(
    const struct verify_policy *policy, bool has_anchor, int64_t now_s, struct verdict *out);
