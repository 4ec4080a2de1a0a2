/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target_http2 — targets that speak HTTP/2: the exchanges of a worker share few connections to
 * each, one stream for each exchange.
 *
 * A connection belongs to its target (struct target, in its list `shared`) and is closed when it
 * has been idle, when the target says GOAWAY and its streams are done, or when it fails. What one
 * exchange does not take waits in the target: the window of a connection is as large as those of
 * all its streams, so that no client holds up another.
 */
#pragma once

#include "proxy/exchange.h"

/* Connect E to TARGET, at the address whose turn it is: over a connection that has streams left,
 * and was used within the last IDLE_MAX_MS if it has none; or a new one. */
void target_http2_connect(struct exchange *e, struct target *target,
    const struct upstream_limits *limits, uint64_t idle_max_ms);

/* Close the connections of G that are idle: all, or those to addresses that their targets no longer
 * have (the others of these end with their streams). */
void target_http2_close_idle(struct group *g);
void target_http2_close_gone(struct group *g);
