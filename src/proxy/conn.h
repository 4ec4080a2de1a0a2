/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * conn — one client connection, from accept to its one close reason.
 *
 *   accept → PREFACE → HANDSHAKE …                                 behind another balancer
 *   accept → HANDSHAKE → IDLE ⇄ HEAD → WORK → IDLE …               HTTP, HTTPS
 *   accept → HANDSHAKE → STREAMS                                   HTTPS, where HTTP/2 is agreed on
 *   accept → HANDSHAKE → WORK                                      TCP, TCP_SSL
 *            every state → CLOSING → CLOSED                        or at once → CLOSED
 *
 *   PREFACE    the header of the PROXY protocol is awaited: nobody knows yet who
 *              the client is (proxy/proxy_header.c).                              left by run_preface
 *   HANDSHAKE  TLS only: no target yet, nothing decided about the client.         left by run_handshake
 *   IDLE       no byte of a request has come.                                     left by run_idle
 *   HEAD       a part of a request head is in client.in.                          left by run_head
 *   WORK       an exchange or a relay is under way (proxy/exchange.h).            left by its end
 *   STREAMS    HTTP/2: any number of exchanges (proxy/client_http2.h).            left by client_http2_run
 *   CLOSING    nothing is read but to be thrown away, so that what we said last
 *              (an alert, a 4xx, the end of a response) arrives.                  left by run_closing
 *   CLOSED     freed at the end of the loop's turn.
 *
 * Memory: owned by its proxy; everything it holds dies with it, in conn_free.
 */
/* clang-format on */
#pragma once

#include "proxy/client_http1.h"
#include "proxy/client_http2.h"
#include "proxy/exchange.h"
#include "proxy/limits.h"
#include "proxy/pressure.h"
#include "proxy/proxy_header.h"
#include "proxy/service_parts.h"
#include "tls/steps.h"

struct proxy;

enum conn_state {
    CONN_PREFACE,
    CONN_HANDSHAKE,
    CONN_IDLE,
    CONN_HEAD,
    CONN_WORK,
    CONN_STREAMS,
    CONN_CLOSING,
    CONN_CLOSED,
    CONN_STATE_COUNT
};

enum close_reason {
#define X(symbol, token, text) CLOSE_##symbol,
#include "proxy/close_reason.def"
#undef X
    CLOSE_REASON_COUNT
};

struct conn {
    struct list link;
    struct list woken; /* HTTP/2: proxy.woken */
    struct pressure_place place;
    struct proxy *proxy;
    struct service *service;
    const struct listener *listener;
    enum conn_state state;
    struct timer timer;
    struct stream client;
    struct address peer; /* the client, or who a balancer in front of us says it is */
    struct limits_share limits;
    struct proxy_header *announced; /* by that balancer, or NULL */
    const struct authn *authn;      /* TLS: chosen by the ClientHello */
    struct verdict *verdict;        /* of the client's certificate, if one is asked for */
    struct steps_seen steps;        /* TLS: what the messages of the handshake said */
    struct buf identity;            /* header lines about the client for targets, once made */
    struct buf peer_json;           /* the verdict for the log, once made */
    struct client_http1 http1;
    struct client_http2 *http2; /* or NULL */
    size_t scanned;             /* HEAD: see http1_parse_request */
    struct exchange exchange;   /* the one under way, or the relay */
    enum close_reason reason;
    char detail[160];                 /* of the reason, for the log */
    uint64_t number, requests;        /* which one of its worker; how many came on it */
    uint64_t accepted_ms, secured_ms; /* loop_now_ms; secured_ms: the handshake ended */
    size_t discarded;                 /* CLOSING: bytes thrown away */
    uint64_t ends_by_ms; /* 0, or when it must end because a newer configuration is in force */
};

/* Take FD, accepted on LISTENER of SERVICE. */
void conn_open(struct proxy *proxy, struct service *service, const struct listener *listener,
    int fd, const struct address *peer);
/* End it: what is queued is sent, then the connection is closed. Does nothing if it is ending
 * already. */
void conn_close(struct conn *c, enum close_reason reason, const char *detail);
/* End it at once with RST, so that nobody takes what was sent for complete; also if it is ending
 * already. */
void conn_reset(struct conn *c, enum close_reason reason, const char *detail);
/* The client's side failed: conn_reset for the reason that the stream knows. */
void conn_client_failed(struct conn *c);
/* The process shuts down: idle connections end now, others after their exchange. */
void conn_drain(struct conn *c);
/* A newer configuration is in force: what is under way goes on, and what is on its way. */
void conn_supersede(struct conn *c);
/* It was let in by rules that are no longer in force: it may go on for timeouts.drain. */
void conn_retire(struct conn *c);
/* It waits, and its room is needed. */
void conn_crowd_out(struct conn *c);
void conn_free(struct conn *c);

/* For exchanges and clients. */

/* Something happened that E waits for. */
void conn_wake(struct exchange *e);
/* Run the connections of HTTP/2 that were woken in this turn of the loop: what several of a
 * connection's exchanges have to say goes out together. */
void conn_run_woken(struct proxy *p);
/* The exchange is over; the connection waits for the next request. */
void conn_next(struct conn *c);
/* The time-out of C's state starts anew. */
void conn_progress(struct conn *c, uint64_t timeout_ms);
/* FIRE is called in TIMEOUT_MS, or when C must end. */
void conn_arm(struct conn *c, struct timer *t, uint64_t timeout_ms, timer_fn *fire);
/* Should this connection end after the exchange under way (shutdown, or a newer generation is in
 * force)? */
bool conn_is_ending(const struct conn *c);
uint64_t conn_now_ms(const struct conn *c);

const char *close_reason_token(enum close_reason r);
const char *close_reason_text(enum close_reason r);
