/* SPDX-License-Identifier: Apache-2.0 */
/* names — names of the numbers of TLS that tls/tlsconn.h does not declare. NULL: we have none. */
#pragma once

#include <stdint.h>

/* IANA's name of a signature scheme (RFC 8446 §4.2.3), of a group (§4.2.7). */
const char *names_signature_scheme(uint16_t scheme);
const char *names_group(uint16_t group);
/* The number of such a name; 0: there is none. */
uint16_t names_find_signature_scheme(const char *name);
uint16_t names_find_group(const char *name);
/* "TLSv1.3", as logs and headers say it; "" for a version that we do not speak. */
const char *names_version_token(uint16_t version);
/* "TLS 1.3" */
const char *names_version(uint16_t version);
