/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream — a connection to a target: connect, TLS handshake with the four factors of the target's
 * certificate, then a stream for one exchange or relay at a time; kept idle with its target between
 * exchanges.
 *
 * Nothing is written to a target before its certificate was accepted. Where a TLS session is
 * resumed, the target shows none: then that of the full handshake is judged anew before the session
 * is offered (docs/authentication.md).
 */
#pragma once

#include "balance/group.h"
#include "balance/stream.h"
#include "pki/verdict.h"

#define UPSTREAM_DETAIL_MAX 160

struct upstream;

enum upstream_state {
    UPSTREAM_CONNECTING,
    UPSTREAM_HANDSHAKE,
    UPSTREAM_READY,
    UPSTREAM_IDLE,
    UPSTREAM_FAILED
};

enum upstream_fault {
    UPSTREAM_FAULT_NONE,
    UPSTREAM_FAULT_CONNECT,         /* refused, unreachable, … : another target may be tried */
    UPSTREAM_FAULT_CONNECT_TIMEOUT, /* likewise */
    UPSTREAM_FAULT_HANDSHAKE,
    UPSTREAM_FAULT_HANDSHAKE_TIMEOUT,
    UPSTREAM_FAULT_CERTIFICATE, /* the verdict says why */
};

/* The state became READY or FAILED, or (READY) the stream is ready for EVENTS. */
typedef void upstream_fn(void *owner, uint32_t events);

struct upstream {
    struct stream stream;
    struct group *group;
    struct target *target;
    struct address address; /* of the target's, this one */
    enum upstream_state state;
    enum upstream_fault fault;
    char detail[UPSTREAM_DETAIL_MAX]; /* of the fault, for the log */
    struct verdict *verdict;          /* TLS: of the target's certificate, once it was judged */
    struct verdict *session_verdict;  /* of that which came with the session that is offered: the
                                         verdict, if the target resumes it */
    bool is_shared;                   /* by several exchanges: not work by itself */
    bool is_reused;                   /* taken from the idle ones: may turn out stale */
    uint64_t opened_ms, ready_ms;     /* loop_now_ms of the beginning, and of READY */
    struct timer timer;
    uint64_t handshake_timeout_ms, idle_timeout_ms;
    upstream_fn *changed;
    void *owner;
    struct list link; /* target's idle list */
};

struct upstream_limits {
    uint64_t connect_ms, handshake_ms, idle_ms;
};

/* A new connection to T, at the address whose turn it is (group_turn). The answer comes through
 * CHANGED, never from inside this call. */
struct upstream *upstream_open(struct loop *loop, struct group *g, struct target *t,
    const struct upstream_limits *limits, upstream_fn *changed, void *owner);
/* After upstream_open: several exchanges will have U together, and are counted each by itself. */
void upstream_share(struct upstream *u);
/* Before upstream_open has answered: what is appended there is sent first, before TLS begins. NULL:
 * it will fail. */
struct buf *upstream_preface(struct upstream *u);
/* A connection to T, at that address, that has been idle for at most IDLE_MAX_MS, READY at once; or
 * NULL. */
struct upstream *upstream_reuse(
    struct target *t, uint64_t idle_max_ms, upstream_fn *changed, void *owner);
/* The exchange is over and the connection good for another one: keep it (or close it, if there are
 * enough). */
void upstream_keep(struct upstream **u);
/* Close. Safe from inside CHANGED. */
void upstream_close(struct upstream **u);
/* The same, with RST: the target must not take what it got for complete. */
void upstream_reset(struct upstream **u);

/* Close the idle connections of G to addresses that their targets no longer have. */
void upstream_close_gone(struct group *g);
/* Close all idle connections of G. */
void upstream_close_idle(struct group *g);
