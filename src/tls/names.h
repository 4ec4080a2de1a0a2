/* SPDX-License-Identifier: Apache-2.0 */
/* names — names of TLS numbers that only tls/ itself needs; the others are declared in
 * tls/tlsconn.h. */
#pragma once

#include <stdint.h>

/* The IANA name of a signature scheme (RFC 8446 §4.2.3), "" for a number that we have no name for.
 */
const char *names_signature_scheme(uint16_t scheme);
