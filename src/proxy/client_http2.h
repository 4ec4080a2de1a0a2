/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_http2 — a client that speaks HTTP/2 (RFC 9113): each of its streams is an exchange, and
 * all of them share one connection. Part of struct conn, in its state STREAMS.
 *
 * What one connection may cost is bounded: its memory by CLIENT_HTTP2_HELD_MAX (further requests
 * are refused unprocessed, and no more is read from targets, until there is less) and
 * CLIENT_HTTP2_GZIP_MAX, its work by proto/http2_credit.h.
 */
#pragma once

#include "proxy/exchange.h"

struct client_http2;

/* Bytes of user space that a connection may hold when it asks for one thing more: a hundred
 * ordinary requests at once need some 3 KiB each, its own buffers up to 128 KiB, framing some 40.
 */
#define CLIENT_HTTP2_HELD_MAX (512 * 1024)

/* And what it may hold beside that for responses that are being compressed: four at a time. Those
 * that come meanwhile pass as they are. */
#define CLIENT_HTTP2_GZIP_MAX (4 * PARTY_GZIP_MEMORY)

struct client_http2 *client_http2_new(struct conn *c);
void client_http2_free(struct client_http2 **s);

/* Do what can be done with what has arrived. */
void client_http2_run(struct conn *c);
/* Something happened that E, of one of the streams, waits for: it is run at the end of the turn. */
void client_http2_wake(struct exchange *e);
/* The time-out of the connection. */
void client_http2_late(struct conn *c);
/* Take what is under way to its end, and nothing new. */
void client_http2_drain(struct conn *c);
/* The connection ends with c->reason: so does each of its exchanges. */
void client_http2_conclude(struct conn *c);
/* Did the client do what ends a connection (c->reason says what)? */
bool client_http2_is_at_fault(const struct client_http2 *s);
/* Is there a request, or a part of one? */
bool client_http2_is_busy(const struct client_http2 *s);
/* Does it hold more memory than work that goes on needs? */
bool client_http2_holds_much(const struct client_http2 *s);
/* It is not busy, and its room is needed. */
void client_http2_crowd_out(struct conn *c);
/* Is more input of use now? */
bool client_http2_wants_input(const struct conn *c);
