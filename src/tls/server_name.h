/* SPDX-License-Identifier: Apache-2.0 */
/* server_name — the host names that clients send in server_name (RFC 6066 §3). */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

#define SERVER_NAME_MAX                                                       \
    253 /* characters of a DNS name without its trailing dot (RFC 1035 §3.1) \
         */

/* Is it something that DNS could hold? Letters, digits, hyphens, underscores in labels of 1 to 63;
 * not an IPv4 or IPv6 address, which may not be sent as host_name. One trailing dot is allowed. */
bool server_name_is_dns(struct bytes name);
/* NAME in lower case without a trailing dot; a slice of TEXT. NAME has passed server_name_is_dns.
 */
struct bytes server_name_normalise(struct bytes name, char text[SERVER_NAME_MAX + 1]);
/* NAME for a log: lower case, every byte that is not printable ASCII as \xHH, cut if it does not
 * fit. */
void server_name_escape(struct bytes name, char *text, size_t text_n);
