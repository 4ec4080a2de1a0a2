/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_http2 — a client that speaks HTTP/2 (RFC 9113): each of its streams is an exchange, and
 * all of them share one connection. Part of struct conn, in its state STREAMS.
 *
 * What one connection may cost is bounded: its work by proto/http2_credit.h, its memory by
 * CLIENT_HTTP2_HELD_MAX. All that is held on its behalf counts: the connection's own buffers and
 * TLS's, framing, requests, and those of the targets' connections that work for it. What is left of
 * that is what may still be received: from targets, of requests' bodies (the window of the
 * connection is shut), of requests (they are refused unprocessed, but the first).
 */
#pragma once

#include "proxy/exchange.h"

struct client_http2;

/* Bytes of user space that a connection may hold. */
#define CLIENT_HTTP2_HELD_MAX (256 * 1024)

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
