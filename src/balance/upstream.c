/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/panic.h"
#include "io/socket.h"

#include "base/ban.h"

static struct upstream *of_watch(struct watch *w)
{
    return container_of(container_of(w, struct stream, watch), struct upstream, stream);
}

static struct upstream *of_timer(struct timer *t)
{
    return container_of(t, struct upstream, timer);
}

/* ---- sessions
 * -------------------------------------------------------------------------------------------- */

static void forget_sessions(struct upstream *u)
{
    struct sessions *sessions = group_sessions(u->target, &u->address);
    if (sessions)
        sessions_clear(sessions);
}

/* RFC 8446 §6.2: what belongs to a failed connection must be forgotten, and "PSKs associated with
 * session tickets […] SHOULD be discarded if possible"; RFC 5246 §7.2.2: it "MUST NOT be resumed".
 */
static void forget_if_failed(struct upstream *u)
{
    if (u->stream.tls && tlsconn_failure(u->stream.tls)->fault != TLSCONN_FAULT_NONE)
        forget_sessions(u);
}

static void keep_session(void *owner, struct tlsconn_session *session)
{
    struct upstream *u = owner;
    struct sessions *sessions = group_sessions(u->target, &u->address);
    if (sessions)
        sessions_keep(sessions, session);
    else
        tlsconn_session_free(&session);
}

/* ---- beginning and end
 * ----------------------------------------------------------------------------------- */

static void tell(struct upstream *u, uint32_t events)
{
    u->changed(u->owner, events);
}

static void became_ready(struct upstream *u)
{
    u->state = UPSTREAM_READY;
    u->ready_ms = loop_now_ms(u->stream.loop);
    loop_timer_stop(u->stream.loop, &u->timer);
    count_add(&u->target->counts[TARGET_CONNECTS], 1);
    count_add(&u->target->counts[TARGET_CONNECT_MS], u->ready_ms - u->opened_ms);
    tell(u, 0);
}

static void fail(struct upstream *u, enum upstream_fault fault, const char *detail)
{
    if (u->state == UPSTREAM_HANDSHAKE)
        forget_sessions(u);
    u->state = UPSTREAM_FAILED;
    u->fault = fault;
    if (fault == UPSTREAM_FAULT_CONNECT || fault == UPSTREAM_FAULT_CONNECT_TIMEOUT)
        group_avoid(u->target, &u->address, loop_now_ms(u->stream.loop));
    if (detail != u->detail)
        snprintf(u->detail, sizeof(u->detail), "%.*s", UPSTREAM_DETAIL_MAX - 1, detail);
    loop_timer_stop(u->stream.loop, &u->timer);
    if (stream_is_open(&u->stream))
        stream_poll(&u->stream, false);
    tell(u, 0);
}

static void timed_out(struct timer *t)
{
    struct upstream *u = of_timer(t);
    switch (u->state) {
    case UPSTREAM_CONNECTING:
        fail(u, u->detail[0] ? UPSTREAM_FAULT_CONNECT : UPSTREAM_FAULT_CONNECT_TIMEOUT,
            u->detail[0] ? u->detail : "the target did not accept in time");
        break;
    case UPSTREAM_HANDSHAKE:
        fail(u, UPSTREAM_FAULT_HANDSHAKE_TIMEOUT, "the TLS handshake did not finish in time");
        break;
    case UPSTREAM_IDLE:
        upstream_close(&u);
        break;
    case UPSTREAM_READY:
    case UPSTREAM_FAILED:
        panic("an upstream's timer without a meaning");
    }
}

/* ---- handshake
 * ------------------------------------------------------------------------------------------- */

/* Certificates of the target, and what it stapled to them: all four factors, for the name that it
 * must prove. */
static struct verdict *judge_chain(const struct upstream *u, const struct certificate *const *chain,
    size_t chain_n, struct bytes staple)
{
    struct verify_policy policy = u->group->tls.verify;
    policy.names = &u->target->name;
    policy.names_n = 1;
    policy.ocsp = staple;
    struct verdict *v = verdict_new();
    verify_chain(&policy, chain, chain_n, loop_wall_s(u->stream.loop), v);
    return v;
}

/* What the target shows now: it resumes nothing. */
static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    struct upstream *u = owner;
    verdict_free(&u->session_verdict);
    verdict_free(&u->verdict);
    u->verdict = judge_chain(u, chain, chain_n, tlsconn_staple(u->stream.tls));
    return u->verdict->accepted ? 0 : reason_alert(u->verdict->reason);
}

static void resume(void *owner);
static const struct tlsconn_handler handler = {
    .judge = judge, .session = keep_session, .resume = resume};

/* What the target showed in the full handshake may have expired since, and CRLs grow old: a session
 * is offered only if that would be accepted now. Else the target has to show what it has by now. */
static void offer_session(struct upstream *u)
{
    struct sessions *sessions = group_sessions(u->target, &u->address);
    int64_t now_s = loop_wall_s(u->stream.loop);
    const struct tlsconn_session *s = sessions ? sessions_newest(sessions, now_s) : NULL;
    if (!s)
        return;
    const struct certificate_list *chain = tlsconn_session_chain(s);
    u->session_verdict =
        judge_chain(u, (const struct certificate *const *)chain->at, chain->n, (struct bytes){0});
    if (u->session_verdict->accepted && tlsconn_offer(u->stream.tls, s, now_s)) {
        sessions_offered(sessions);
    } else {
        verdict_free(&u->session_verdict);
        sessions_clear(sessions);
    }
}

/* The handshake is over: a verdict on whoever is at the other end must have let it come so far. */
static void secured(struct upstream *u)
{
    bool is_resumed = tlsconn_facts(u->stream.tls)->resumed;
    if (is_resumed) {
        ASSERT(!u->verdict);
        u->verdict = u->session_verdict;
        u->session_verdict = NULL;
    }
    ASSERT(u->verdict && u->verdict->accepted && !u->session_verdict);
    count_add(&u->target->counts[is_resumed ? TARGET_RESUMED : TARGET_FULL], 1);
    became_ready(u);
}

static void handshake(struct upstream *u)
{
    switch (stream_handshake(&u->stream)) {
    case TLSCONN_OK:
        secured(u);
        return;
    case TLSCONN_WANT_INPUT:
    case TLSCONN_WANT_SIGNATURE:
        if (u->stream.state != STREAM_OPEN)
            fail(u, UPSTREAM_FAULT_HANDSHAKE,
                "the target closed the connection during the TLS handshake");
        else
            stream_poll(&u->stream, true);
        return;
    case TLSCONN_CLOSED:
    case TLSCONN_FAILED:
        break;
    }
    const struct tlsconn_failure *f = tlsconn_failure(u->stream.tls);
    if (f->fault == TLSCONN_FAULT_PEER_CERTIFICATE && !u->verdict) {
        u->verdict = verdict_new();
        verdict_malformed(u->verdict, f->text);
    }
    bool refused = u->verdict && !u->verdict->accepted;
    fail(u, refused ? UPSTREAM_FAULT_CERTIFICATE : UPSTREAM_FAULT_HANDSHAKE,
        refused ? reason_remedy(u->verdict->reason) : f->text);
}

/* Our signature has come. */
static void resume(void *owner)
{
    handshake(owner);
}

static void connected(struct upstream *u)
{
    int errno_value = socket_connected(u->stream.fd);
    if (errno_value) {
        struct error err;
        char address[ADDRESS_TEXT_MAX];
        address_format(&u->address, address);
        error_errno(&err, errno_value, "connect to %s", address);
        fail(u, UPSTREAM_FAULT_CONNECT, err.text);
        return;
    }
    if (u->stream.tls) {
        u->state = UPSTREAM_HANDSHAKE;
        offer_session(u);
        loop_timer_arm(u->stream.loop, &u->timer,
            loop_now_ms(u->stream.loop) + u->handshake_timeout_ms, timed_out);
        handshake(u);
        return;
    }
    became_ready(u);
}

/* Good for another exchange? A target has nothing to say now: it closes, or it is confused. TLS
 * itself may: tickets can come late, and KeyUpdate at any time (RFC 8446 §4.6). */
static bool is_between_exchanges(const struct upstream *u)
{
    const struct stream *s = &u->stream;
    return s->state == STREAM_OPEN && !s->fin && !s->write_failed && !s->shut &&
           group_has_address(u->target, &u->address) && buf_size(&s->in) == 0 &&
           !stream_has_unsent(s) && !(s->tls && tlsconn_has_pending(s->tls));
}

static void ready(struct watch *w, uint32_t events)
{
    struct upstream *u = of_watch(w);
    switch (u->state) {
    case UPSTREAM_CONNECTING:
        connected(u);
        break;
    case UPSTREAM_HANDSHAKE:
        stream_ready(&u->stream, events);
        handshake(u);
        break;
    case UPSTREAM_READY:
        stream_ready(&u->stream, events);
        tell(u, events);
        break;
    case UPSTREAM_IDLE:
        stream_ready(&u->stream, events);
        if (is_between_exchanges(u))
            stream_poll(&u->stream, true);
        else
            upstream_close(&u);
        break;
    case UPSTREAM_FAILED:
        break;
    }
}

struct upstream *upstream_open(struct loop *loop, struct group *g, struct target *t,
    const struct upstream_limits *limits, upstream_fn *changed, void *owner)
{
    struct upstream *u = mem_alloc(sizeof(*u));
    *u = (struct upstream){.group = g,
        .target = t,
        .address = t->addresses[t->turn].address,
        .changed = changed,
        .owner = owner,
        .opened_ms = loop_now_ms(loop),
        .handshake_timeout_ms = limits->handshake_ms,
        .idle_timeout_ms = limits->idle_ms};
    u->stream = (struct stream){.loop = loop, .fd = -1, .watch = {.fd = -1}};
    list_init(&u->link);
    count_add(&t->counts[TARGET_OPEN], 1);
    count_add(&t->counts[TARGET_ACTIVE], 1);
    uint64_t wait_ms = limits->connect_ms;
    struct error err;
    int fd = socket_connect(&u->address, &err);
    struct tlsconn *tls = fd >= 0 && g->is_tls
                              ? tlsconn_new_client(g->tls.policy, t->server_name, &handler, u)
                              : NULL;
    if (fd < 0 || stream_init(&u->stream, loop, fd, tls, EPOLLOUT, ready) < 0) {
        snprintf(u->detail, sizeof(u->detail), "%.150s",
            fd < 0 ? err.text : "the event loop cannot watch the socket");
        wait_ms =
            0; /* the timer reports it, so that the answer never comes from inside this call */
        tlsconn_free(&tls);
        if (fd >= 0)
            close(fd);
    }
    loop_timer_arm(loop, &u->timer, loop_now_ms(loop) + wait_ms, timed_out);
    return u;
}

void upstream_share(struct upstream *u)
{
    u->is_shared = true;
    count_drop(&u->target->counts[TARGET_ACTIVE]);
}

struct buf *upstream_preface(struct upstream *u)
{
    ASSERT(u->state == UPSTREAM_CONNECTING);
    if (!stream_is_open(&u->stream))
        return NULL;
    return u->stream.tls ? tlsconn_wire_out(u->stream.tls) : &u->stream.out;
}

static bool has_nothing_to_read(const struct upstream *u)
{
    uint8_t byte;
    return recv(u->stream.fd, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Has the target said nothing since, nor ended? The loop may not have told us yet, and what comes
 * unasked would be taken for the next response. */
static bool is_quiet(struct upstream *u)
{
    if (has_nothing_to_read(u))
        return true;
    if (!u->stream.tls)
        return false;
    stream_ready(&u->stream, EPOLLIN);
    return is_between_exchanges(u) && has_nothing_to_read(u);
}

static void leave_idle(struct upstream *u)
{
    list_remove(&u->link);
    u->target->idle_n--;
    u->group->idle->n--;
    count_drop(&u->target->counts[TARGET_IDLE]);
}

/* The timer has been running since then. */
static uint64_t idle_ms(const struct upstream *u)
{
    return loop_now_ms(u->stream.loop) + u->idle_timeout_ms - u->timer.deadline_ms;
}

struct upstream *upstream_reuse(
    struct target *t, uint64_t idle_max_ms, upstream_fn *changed, void *owner)
{
    struct upstream *u = NULL;
    LIST_FOREACH_SAFE (link, &t->idle) {
        u = container_of(link, struct upstream, link);
        if (idle_ms(u) > idle_max_ms)
            return NULL; /* so are those behind it */
        if (!address_equal(&u->address, &t->addresses[t->turn].address))
            u = NULL;
        else if (is_quiet(u))
            break;
        else
            upstream_close(&u);
    }
    if (!u)
        return NULL;
    leave_idle(u);
    loop_timer_stop(u->stream.loop, &u->timer);
    count_add(&t->counts[TARGET_ACTIVE], 1);
    u->state = UPSTREAM_READY;
    u->is_reused = true;
    u->opened_ms = u->ready_ms = loop_now_ms(u->stream.loop);
    u->changed = changed;
    u->owner = owner;
    return u;
}

void upstream_keep(struct upstream **up)
{
    struct upstream *u = *up;
    struct target *t = u->target;
    struct group_idle *all = u->group->idle;
    if (!is_between_exchanges(u) || t->idle_n >= GROUP_IDLE_MAX || all->n >= all->max) {
        upstream_close(up);
        return;
    }
    *up = NULL;
    u->state = UPSTREAM_IDLE;
    u->owner = NULL;
    list_append(t->idle.next, &u->link); /* before the first: last in, first out */
    t->idle_n++;
    all->n++;
    count_drop(&t->counts[TARGET_ACTIVE]);
    count_add(&t->counts[TARGET_IDLE], 1);
    stream_poll(&u->stream, true);
    loop_timer_arm(
        u->stream.loop, &u->timer, loop_now_ms(u->stream.loop) + u->idle_timeout_ms, timed_out);
}

void upstream_close(struct upstream **up)
{
    struct upstream *u = *up;
    if (!u)
        return;
    *up = NULL;
    forget_if_failed(u);
    if (u->state == UPSTREAM_IDLE)
        leave_idle(u);
    else if (!u->is_shared)
        count_drop(&u->target->counts[TARGET_ACTIVE]);
    count_drop(&u->target->counts[TARGET_OPEN]);
    loop_timer_stop(u->stream.loop, &u->timer);
    if (stream_is_open(&u->stream) && u->stream.tls && u->state != UPSTREAM_CONNECTING)
        stream_shutdown(&u->stream);
    stream_fini(&u->stream);
    verdict_free(&u->verdict);
    verdict_free(&u->session_verdict);
    free(u);
}

void upstream_reset(struct upstream **up)
{
    if (*up) {
        forget_if_failed(*up);
        stream_reset(&(*up)->stream);
    }
    upstream_close(up);
}

void upstream_close_gone(struct group *g)
{
    for (size_t i = 0; i < g->targets_n; i++)
        LIST_FOREACH_SAFE (link, &g->targets[i].idle) {
            struct upstream *u = container_of(link, struct upstream, link);
            if (!group_has_address(u->target, &u->address))
                upstream_close(&u);
        }
}

void upstream_close_idle(struct group *g)
{
    for (size_t i = 0; i < g->targets_n; i++)
        LIST_FOREACH_SAFE (link, &g->targets[i].idle) {
            struct upstream *u = container_of(link, struct upstream, link);
            upstream_close(&u);
        }
}
