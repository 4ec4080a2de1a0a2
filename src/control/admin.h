/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin — the admin address: a small HTTP/1.1 server.
 *
 *   GET /healthz      200 "ok" as long as this process runs
 *   GET /readyz       200 with the state as JSON once a generation is in force and every worker is
 *                     up, else 503
 *   admin_route       what the process adds: /metrics, /status, /handshakes
 *   POST /, GET /?…   the control API, if there is one (admin_serve_api): answered whenever it
 * likes anything else     404; what is not HTTP/1.1 as RFC 9112 has it: 400, 414, 431, 501 or 505
 *
 * Connections are few (ADMIN_CONNECTIONS_MAX; more wait in the backlog) and short
 * (ADMIN_TIMEOUT_MS); those of the API's clients are kept for further requests, and closed when
 * others need room. Process: control. Clock: the loop's.
 */
#pragma once

#include "base/buf.h"
#include "io/address.h"
#include "io/loop.h"
#include "proto/http1.h"

#define ADMIN_CONNECTIONS_MAX 64
#define ADMIN_TIMEOUT_MS      5000
#define ADMIN_BODY_TIMEOUT_MS 20000 /* until a request to the API is there */
#define ADMIN_IDLE_S          15    /* until its next one has begun */
#define ADMIN_STATE_MAX       (1u << 20)
#define ADMIN_BODY_MAX        (64u << 20)
#define ADMIN_ROUTES_MAX      8
#define ADMIN_REQUEST_MAX     (10u << 20) /* of a request to the API */
#define ADMIN_PARKED_MAX      48 /* requests to the API at a time: /healthz needs room, too */
#define ADMIN_LARGE_BYTES     (64u << 10)
#define ADMIN_LARGE_MAX       4 /* requests of more bytes than that in memory at a time */

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

/* ---- the control API ---- */

/* Why a request did not even come whole. */
enum admin_fault { ADMIN_WHOLE, ADMIN_NO_LENGTH, ADMIN_TOO_LARGE, ADMIN_BUSY };
struct admin_request {
    const struct http1_head *head;
    struct bytes body;
    enum admin_fault fault;
    struct address peer;
    bool is_local; /* it came to a loopback address */
};
struct admin_exchange; /* a request that is not answered */

/* REQUEST is valid until FN returns, and wiped then; the exchange until it is answered. */
typedef void admin_api_fn(
    void *owner, const struct admin_request *request, struct admin_exchange *exchange);
void admin_serve_api(struct admin *a, admin_api_fn *fn, void *owner);
/* Answer with BODY, JSON, and status 200; TRACE, if there is one, becomes x-tc-traceid. The client
 * may have gone. Frees the exchange and sets the pointer to NULL. */
void admin_exchange_answer(struct admin_exchange **x, struct bytes body, struct bytes trace);
/* Nobody waits for an answer. */
bool admin_exchange_is_gone(const struct admin_exchange *x);

/* ---- the state ---- */

/* Is there a state for /readyz? */
bool admin_is_ready(const struct admin *a);
/* What /readyz answers (copied); NULL: not ready. */
void admin_set_state(struct admin *a, const char *json);
