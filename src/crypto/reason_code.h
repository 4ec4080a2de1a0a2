/* SPDX-License-Identifier: Apache-2.0 */
/* reason_code — why a certificate was revoked: CRLReason of RFC 5280 §5.3.1, by number and by name.
 */
#pragma once

#define REASON_CODE_UNSPECIFIED 0
#define REASON_REMOVE_FROM_CRL  "removeFromCRL"

/* Static text, or NULL for a number that means nothing. */
const char *reason_code_name(long code);
/* -1 for a name that means nothing. */
long reason_code_of(const char *name);
