/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin — the admin address: a small HTTP/1.1 server with one request per connection.
 *
 *   GET /healthz   200 "ok" as long as this process runs
 *   GET /readyz    200 with the state as JSON once a generation is in force and every worker is up,
 *                  else 503
 *   admin_route    what the process adds: /metrics, /status, /handshakes
 *   anything else  404; what is not HTTP/1.1 as RFC 9112 has it: 400, 414, 431, 501 or 505
 *
 * Connections are few (ADMIN_CONNECTIONS_MAX; more wait in the backlog) and short
 * (ADMIN_TIMEOUT_MS). Process: control. Clock: the loop's.
 */
#pragma once

#include "base/buf.h"
#include "io/loop.h"

#define ADMIN_CONNECTIONS_MAX 64
#define ADMIN_TIMEOUT_MS      5000
#define ADMIN_STATE_MAX       (1u << 20)
#define ADMIN_BODY_MAX        (64u << 20)
#define ADMIN_ROUTES_MAX      8

struct admin;

struct admin *admin_new(struct loop *loop) MUST_USE;
void admin_free(struct admin **a);

/* Serve on the listening, non-blocking socket FD instead of the one until now; -1: on none. FD
 * becomes the admin's. */
int admin_listen(struct admin *a, int fd, struct error *err) MUST_USE;
/* Answer GET PATH (a literal), with or without a query, with what FN appends to BODY, of type TYPE.
 * FN returns the status; what it appends when that is not 200 is text for people. */
typedef unsigned admin_fn(void *owner, struct bytes query, struct buf *body);
void admin_route(struct admin *a, const char *path, const char *type, admin_fn *fn, void *owner);
/* Is there a state for /readyz? */
bool admin_is_ready(const struct admin *a);
/* What /readyz answers (copied); NULL: not ready. */
void admin_set_state(struct admin *a, const char *json);
