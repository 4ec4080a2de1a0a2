/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshakes — the last handshakes of all workers in one order, as JSON lines.
 *
 * Each gets an id when it is first looked at: microseconds since 1970, of when the handshake ended,
 * raised where needed so that ids never come twice and only grow. Process: control.
 */
#pragma once

#include "base/buf.h"
#include "proxy/handshake_log.h"

#define HANDSHAKES_LINES_MAX 1000 /* of one answer */

struct handshakes;

struct handshakes *handshakes_new(void) MUST_USE;
void handshakes_free(struct handshakes **h);
/* The handshakes of worker INDEX are behind FD, which stays the caller's. -1 with ERR. */
int handshakes_add_source(struct handshakes *h, size_t index, int fd, struct error *err) MUST_USE;

struct handshakes_query {
    bool only_failed; /* refused or failed */
    uint64_t
        since; /* ids above this one, the first HANDSHAKES_LINES_MAX of them; 0: the last ones */
};
/* "failed=1&since=N". -1 if it is anything else. */
int handshakes_parse_query(struct bytes text, struct handshakes_query *out) MUST_USE;
/* -1 if OUT has no room. */
int handshakes_write(
    struct handshakes *h, const struct handshakes_query *query, struct buf *out) MUST_USE;
