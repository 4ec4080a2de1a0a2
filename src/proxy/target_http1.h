/* SPDX-License-Identifier: Apache-2.0 */
/* target_http1 — a target that speaks HTTP/1.1, or whatever is relayed: each exchange has a
 * connection to itself (struct upstream). */
#pragma once

#include "proxy/exchange.h"

/* Connect E to TARGET, at the address whose turn it is: over a connection that was used within the
 * last IDLE_MAX_MS, or a new one. */
void target_http1_connect(struct exchange *e, struct target *target,
    const struct upstream_limits *limits, uint64_t idle_max_ms);
