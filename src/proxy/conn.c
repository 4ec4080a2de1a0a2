/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/panic.h"
#include "pki/verify.h"
#include "proxy/access_log.h"
#include "proxy/proxy_parts.h"
#include "proxy/relay.h"
#include "proxy/tally.h"
#include "proxy/target_fault.h"

#include "base/ban.h"

#define LINGER_MS        2000 /* how long we wait for a client to take our last word */
#define LINGER_BYTES_MAX (256 * 1024)
#define IDENTITY_MAX     (384 * 1024) /* leaves room in STREAM_OUT_MAX for the request's own head */
#define VERDICT_JSON_MAX (128 * 1024)

static const char *const reason_tokens[] = {
#define X(symbol, token, text) [CLOSE_##symbol] = token,
#include "proxy/close_reason.def"
#undef X
};

static const char *const reason_texts[] = {
#define X(symbol, token, text) [CLOSE_##symbol] = text,
#include "proxy/close_reason.def"
#undef X
};

const char *close_reason_token(enum close_reason r)
{
    return reason_tokens[r];
}

const char *close_reason_text(enum close_reason r)
{
    return reason_texts[r];
}

typedef void conn_fn(struct conn *c);
static void run_handshake(struct conn *c);
static void run_idle(struct conn *c);
static void run_head(struct conn *c);
static void run_target(struct conn *c);
static void run_closing(struct conn *c);
static void run_closed(struct conn *c);
static void late_handshake(struct conn *c);
static void late_idle(struct conn *c);
static void late_head(struct conn *c);
static void late_target(struct conn *c);
static void late_relay(struct conn *c);
static void late_closing(struct conn *c);

#define TO(state) (1u << (state))
#define END       (TO(CONN_CLOSING) | TO(CONN_CLOSED))

static const struct conn_step {
    const char *name;
    conn_fn *run;  /* do what can be done with what has arrived */
    conn_fn *late; /* what a time-out means here */
    unsigned next; /* the only states that may follow */
} steps[CONN_STATE_COUNT] = {
    [CONN_HANDSHAKE] = {"handshake", run_handshake, late_handshake,
        TO(CONN_IDLE) | TO(CONN_TARGET) | END},
    [CONN_IDLE] = {"idle", run_idle, late_idle, TO(CONN_HEAD) | END},
    [CONN_HEAD] = {"head", run_head, late_head, TO(CONN_TARGET) | TO(CONN_IDLE) | END},
    [CONN_TARGET] = {"target", run_target, late_target,
        TO(CONN_EXCHANGE) | TO(CONN_RELAY) | TO(CONN_IDLE) | TO(CONN_TARGET) | END},
    [CONN_EXCHANGE] = {"exchange", exchange_run, exchange_late,
        TO(CONN_IDLE) | TO(CONN_TARGET) | TO(CONN_RELAY) | END},
    [CONN_RELAY] = {"relay", relay_run, late_relay, END},
    [CONN_CLOSING] = {"closing", run_closing, late_closing, TO(CONN_CLOSED)},
    [CONN_CLOSED] = {"closed", run_closed, run_closed, 0},
};

uint64_t conn_now_ms(const struct conn *c)
{
    return loop_now_ms(c->proxy->loop);
}

static const struct config_timeouts *timeouts(const struct conn *c)
{
    return &service_config(c->service)->timeouts;
}

static void timed_out(struct timer *t);

void conn_progress(struct conn *c, uint64_t timeout_ms)
{
    uint64_t deadline_ms = conn_now_ms(c) + timeout_ms;
    if (c->ends_by_ms && c->ends_by_ms < deadline_ms)
        deadline_ms = c->ends_by_ms;
    loop_timer_arm(c->proxy->loop, &c->timer, deadline_ms, timed_out);
}

/* The only function that writes c->state. */
static void conn_goto(struct conn *c, enum conn_state next, uint64_t timeout_ms)
{
    ASSERT(steps[c->state].next & TO(next));
    c->state = next;
    c->pace = (struct pace){0};
    if (next == CONN_CLOSED)
        loop_timer_stop(c->proxy->loop, &c->timer);
    else
        conn_progress(c, timeout_ms);
}

bool conn_is_ending(const struct conn *c)
{
    return c->proxy->is_draining || c->service != c->proxy->service;
}

static struct stream *target_stream(struct conn *c)
{
    return c->upstream && c->upstream->state == UPSTREAM_READY ? &c->upstream->stream : NULL;
}

/* After anything happened: let each state do its work until none changes, then wait. What can be
 * sent is sent before a state looks, not after: a state that found no room is woken when there is
 * some only if bytes are still unsent by then. */
static void conn_run(struct conn *c)
{
    enum conn_state before;
    do {
        before = c->state;
        stream_flush(&c->client);
        if (target_stream(c))
            stream_flush(target_stream(c));
        steps[before].run(c);
    } while (c->state != before);
    if (c->state == CONN_CLOSED)
        return;
    stream_poll(&c->client, true);
    if (target_stream(c))
        stream_poll(target_stream(c), true);
}

static void timed_out(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    bool is_retired = c->ends_by_ms && c->ends_by_ms <= conn_now_ms(c);
    if (is_retired && c->state == CONN_IDLE)
        conn_close(c, CLOSE_DRAINED, "");
    else if (is_retired)
        conn_reset(c, CLOSE_DRAINED, "a newer configuration is in force");
    else
        steps[c->state].late(c);
    conn_run(c);
}

static void client_ready(struct watch *w, uint32_t events)
{
    struct conn *c = container_of(container_of(w, struct stream, watch), struct conn, client);
    stream_ready(&c->client, events);
    conn_run(c);
}

/* ---- ending
 * ---------------------------------------------------------------------------------------------- */

static void closed(struct conn *c)
{
    conn_goto(c, CONN_CLOSED, 0);
    tally_closed(c);
    stream_fini(&c->client);
    proxy_forget(c->proxy, c);
}

/* Each exchange, relay and failed handshake has its line. An idle connection that ends has none,
 * nor has one that never sent a byte of a handshake: the checks of other balancers look like that.
 */
static void log_end(struct conn *c)
{
    bool is_relay = c->group && !c->listener->is_http;
    if (c->exchange.started_ms)
        access_log_exchange(c, c->reason, c->detail);
    else if (is_relay || (c->state == CONN_HANDSHAKE && c->client.received))
        access_log_connection(c);
}

static void conclude(struct conn *c, enum close_reason reason, const char *detail)
{
    c->reason = reason;
    snprintf(c->detail, sizeof(c->detail), "%s", detail);
    log_end(c);
    exchange_fini(&c->exchange);
}

void conn_close(struct conn *c, enum close_reason reason, const char *detail)
{
    if (c->state == CONN_CLOSING || c->state == CONN_CLOSED)
        return;
    conclude(c, reason, detail);
    upstream_close(&c->upstream);
    conn_goto(c, CONN_CLOSING, LINGER_MS);
    stream_shutdown(&c->client);
}

void conn_reset(struct conn *c, enum close_reason reason, const char *detail)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->state != CONN_CLOSING)
        conclude(c, reason, detail);
    upstream_reset(&c->upstream);
    stream_reset(&c->client);
    closed(c);
}

void conn_client_failed(struct conn *c)
{
    if (c->client.tls && !c->client.errno_value) {
        stream_flush(&c->client); /* the alert */
        conn_reset(c, CLOSE_TLS_FAILED, tlsconn_failure(c->client.tls)->text);
    } else {
        conn_reset(c, CLOSE_CLIENT_RESET, "");
    }
}

/* A slow client may still be taking its response: until that is sent, it must keep pace as with a
 * body. */
static void run_closing(struct conn *c)
{
    bool was_shut = c->client.shut;
    c->discarded += stream_discard(&c->client);
    stream_shutdown(&c->client);
    bool is_heard = c->client.shut && c->client.state != STREAM_OPEN;
    if (is_heard || c->client.write_failed || c->discarded > LINGER_BYTES_MAX)
        closed(c);
    else if (!c->client.shut)
        pace_watch(c, PACE_CLIENT_TAKES);
    else if (!was_shut)
        conn_progress(c, LINGER_MS);
}

static void late_closing(struct conn *c)
{
    if (!c->client.shut && pace_is_kept(c))
        return;
    if (stream_has_unsent(&c->client))
        stream_reset(&c->client);
    closed(c);
}

static void run_closed(struct conn *c)
{
}

void conn_drain(struct conn *c)
{
    if (c->state == CONN_IDLE)
        conn_close(c, CLOSE_DRAINED, "");
    conn_run(c);
}

void conn_retire(struct conn *c)
{
    if (c->ends_by_ms)
        return;
    c->ends_by_ms = conn_now_ms(c) + timeouts(c)->drain;
    if (c->timer.slot && c->ends_by_ms < c->timer.deadline_ms)
        conn_progress(c, timeouts(c)->drain);
}

void conn_free(struct conn *c)
{
    loop_timer_stop(c->proxy->loop, &c->timer);
    upstream_close(&c->upstream);
    stream_fini(&c->client);
    exchange_fini(&c->exchange);
    verdict_free(&c->verdict);
    buf_fini(&c->identity);
    buf_fini(&c->peer_json);
    service_unref(&c->service);
    free(c);
}

/* ---- handshake
 * ------------------------------------------------------------------------------------------- */

static const struct tlspolicy *choose(void *owner, const struct tlsconn_hello *hello)
{
    struct conn *c = owner;
    char host[256];
    size_t n = hello->sni.n < sizeof(host) ? hello->sni.n : 0;
    for (size_t i = 0; i < n; i++)
        host[i] = (char)bytes_lower(hello->sni.at[i]);
    if (n && host[n - 1] == '.')
        n--;
    c->authn = listener_authn(c->listener, (struct bytes){(const uint8_t *)host, n});
    return c->authn->tls;
}

static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    struct conn *c = owner;
    verdict_free(&c->verdict);
    c->verdict = verdict_new();
    authn_judge(c->authn, chain, chain_n, loop_wall_s(c->proxy->loop), c->verdict);
    return c->verdict->accepted ? 0 : reason_alert(c->verdict->reason);
}

static void see(void *owner, enum tlsconn_message_direction direction, struct bytes message)
{
    tally_message(owner, direction, message);
}

static const struct tlsconn_handler handler = {.choose = choose, .judge = judge, .message = see};

/* Whoever is to be asked was asked, and may pass: the last look before anything reaches a target.
 */
static bool may_pass(const struct conn *c)
{
    return c->authn && (!authn_asks(c->authn) || (c->verdict && c->verdict->accepted));
}

static void begin_service(struct conn *c)
{
    c->secured_ms = conn_now_ms(c);
    if (c->client.tls)
        tally_handshake(c, CLOSE_NONE, "");
    if (c->listener->is_http)
        conn_goto(c, CONN_IDLE, timeouts(c)->header);
    else
        conn_connect(c, &c->service->groups[c->listener->config->group], 0);
}

static enum close_reason handshake_reason(const struct tlsconn_failure *f)
{
    switch (f->fault) {
    case TLSCONN_FAULT_PEER_CERTIFICATE:
        return CLOSE_CLIENT_REFUSED;
    case TLSCONN_FAULT_ALERT_RECEIVED:
        return CLOSE_HANDSHAKE_ALERT;
    case TLSCONN_FAULT_NO_COMMON:
        return CLOSE_HANDSHAKE_NO_COMMON;
    case TLSCONN_FAULT_NOT_TLS:
        return CLOSE_HANDSHAKE_NOT_TLS;
    case TLSCONN_FAULT_NONE:
    case TLSCONN_FAULT_PROTOCOL:
    case TLSCONN_FAULT_INTERNAL:
        break;
    }
    return CLOSE_HANDSHAKE_PROTOCOL;
}

static void handshake_failed(struct conn *c)
{
    const struct tlsconn_failure *f = tlsconn_failure(c->client.tls);
    if (f->fault == TLSCONN_FAULT_PEER_CERTIFICATE && !c->verdict) {
        c->verdict = verdict_new();
        if (f->no_certificate)
            verdict_no_certificate(c->verdict, false);
        else
            verdict_malformed(c->verdict, f->text);
    }
    conn_close(c, handshake_reason(f), f->text);
}

static void run_handshake(struct conn *c)
{
    switch (stream_handshake(&c->client)) {
    case TLSCONN_OK:
        if (may_pass(c))
            begin_service(c);
        else
            conn_reset(
                c, CLOSE_CLIENT_REFUSED, "the engine let a client pass that was not accepted");
        return;
    case TLSCONN_WANT_INPUT:
        if (c->client.state != STREAM_OPEN)
            conn_close(c, CLOSE_HANDSHAKE_CLOSED, "");
        return;
    case TLSCONN_CLOSED:
        conn_close(c, CLOSE_HANDSHAKE_CLOSED, "");
        return;
    case TLSCONN_FAILED:
        handshake_failed(c);
        return;
    }
}

static void late_handshake(struct conn *c)
{
    conn_reset(c, CLOSE_HANDSHAKE_TIMEOUT, "");
}

/* ---- requests
 * -------------------------------------------------------------------------------------------- */

void conn_next(struct conn *c)
{
    conn_goto(c, CONN_IDLE, timeouts(c)->idle);
    c->group = NULL; /* the next exchange may end before it has one */
    if (c->proxy->is_draining)
        conn_close(c, CLOSE_DRAINED, "");
}

void conn_upgrade(struct conn *c)
{
    conn_goto(c, CONN_RELAY, timeouts(c)->relay_idle);
}

static void client_ended(struct conn *c)
{
    if (c->client.state == STREAM_FAILED)
        conn_client_failed(c);
    else
        conn_close(c, CLOSE_CLIENT_DONE, "");
}

static void run_idle(struct conn *c)
{
    if (!stream_room(&c->client)) /* who takes no responses has no further request looked at */
        return;
    stream_refill(&c->client);
    if (buf_size(&c->client.in))
        conn_goto(c, CONN_HEAD, timeouts(c)->header);
    else if (c->client.state != STREAM_OPEN)
        client_ended(c);
}

static void late_idle(struct conn *c)
{
    conn_close(c, CLOSE_IDLE_TIMEOUT, "");
}

static void run_head(struct conn *c)
{
    struct exchange *e = &c->exchange;
    do {
        ssize_t n = http1_parse_request(buf_bytes(&c->client.in), &e->scanned, &c->proxy->head);
        if (n > 0) {
            e->scanned = 0;
            exchange_begin(c, (size_t)n);
            return;
        }
        if (n < 0) {
            exchange_refuse(c, (int)-n);
            return;
        }
    } while (stream_refill(&c->client));
    if (c->client.state != STREAM_OPEN)
        client_ended(c);
}

static void late_head(struct conn *c)
{
    c->exchange.started_ms = conn_now_ms(c);
    exchange_fail(c, 408, CLOSE_HEADER_TIMEOUT, "the request head was not complete in time");
}

static void late_relay(struct conn *c)
{
    conn_close(c, CLOSE_RELAY_TIMEOUT, "");
}

/* ---- targets
 * --------------------------------------------------------------------------------------------- */

static void target_failed(struct conn *c)
{
    struct upstream *u = c->upstream;
    const struct target_fault *f = target_fault_of(u->fault);
    tally_target_failed(c, f->reason);
    bool is_connect =
        u->fault == UPSTREAM_FAULT_CONNECT || u->fault == UPSTREAM_FAULT_CONNECT_TIMEOUT;
    if (is_connect && c->tried_n < CONN_TARGETS_MAX &&
        group_other(c->group, c->tried, c->tried_n)) {
        upstream_close(&c->upstream);
        conn_connect(c, c->group, 0);
        return;
    }
    char detail[sizeof(u->detail)];
    snprintf(detail, sizeof(detail), "%s", u->detail);
    if (c->listener->is_http)
        exchange_fail(c, f->status, (int)f->reason, detail);
    else
        conn_close(c, f->reason, detail);
}

static void target_ready(struct conn *c)
{
    if (c->listener->is_http) {
        conn_goto(c, CONN_EXCHANGE, timeouts(c)->response);
        exchange_connected(c);
    } else {
        conn_goto(c, CONN_RELAY, timeouts(c)->relay_idle);
    }
}

static void upstream_changed(void *owner, uint32_t events)
{
    conn_run(owner);
}

/* A request tells by itself whether it is whole; what is relayed does not (docs/adr/0002). */
static void run_target(struct conn *c)
{
    if (c->client.state == STREAM_FAILED)
        conn_client_failed(c);
    else if (c->client.state == STREAM_TRUNCATED && !c->listener->is_http)
        conn_reset(c, CLOSE_CLIENT_TRUNCATED, "");
    else if (c->upstream->state == UPSTREAM_READY)
        target_ready(c);
    else if (c->upstream->state == UPSTREAM_FAILED)
        target_failed(c);
}

static void late_target(struct conn *c)
{
    if (c->listener->is_http)
        exchange_fail(c, 504, CLOSE_TARGET_TIMEOUT, "");
    else
        conn_close(c, CLOSE_TARGET_TIMEOUT, "");
}

/* To TARGET, at the address whose turn it is. */
static void connect_to(struct conn *c, struct target *target, uint64_t idle_max_ms)
{
    const struct config_timeouts *t = timeouts(c);
    struct upstream_limits limits = {
        .connect_ms = t->connect, .handshake_ms = t->handshake, .idle_ms = t->idle};
    group_turn(target, conn_now_ms(c));
    if (idle_max_ms)
        c->upstream = upstream_reuse(target, idle_max_ms, upstream_changed, c);
    if (!c->upstream)
        c->upstream = upstream_open(c->proxy->loop, c->group, target, &limits, upstream_changed, c);
    conn_goto(c, CONN_TARGET,
        t->connect + t->handshake + 1000); /* the upstream's own timers come first */
}

void conn_connect(struct conn *c, struct group *group, uint64_t idle_max_ms)
{
    if (c->state != CONN_TARGET)
        c->tried_n = 0;
    c->group = group;
    struct target *target =
        c->tried_n ? group_other(group, c->tried, c->tried_n) : group_pick(group);
    if (!target) {
        if (c->listener->is_http)
            exchange_fail(c, 503, CLOSE_NO_TARGET, "");
        else
            conn_close(c, CLOSE_NO_TARGET, "");
        return;
    }
    c->tried[c->tried_n++] = target;
    connect_to(c, target, idle_max_ms);
}

void conn_connect_anew(struct conn *c)
{
    struct target *target = c->upstream->target;
    upstream_close(&c->upstream);
    connect_to(c, target, 0);
}

/* ---- beginning
 * ------------------------------------------------------------------------------------------- */

void conn_open(struct proxy *proxy, struct service *service, const struct listener *listener,
    int fd, const struct address *peer)
{
    struct conn *c = mem_alloc(sizeof(*c));
    struct tlsconn *tls =
        listener->is_tls ? tlsconn_new_server(listener->authn.tls, &handler, c) : NULL;
    c->proxy = proxy;
    c->service = service_ref(service);
    c->listener = listener;
    c->peer = *peer;
    c->state = CONN_HANDSHAKE;
    c->accepted_ms = conn_now_ms(c);
    if (stream_init(&c->client, proxy->loop, fd, tls, EPOLLIN, client_ready) < 0) {
        c->reason = CLOSE_NO_DESCRIPTOR;
        access_log_connection(c);
        tlsconn_free(&tls);
        close(fd);
        service_unref(&c->service);
        free(c);
        return;
    }
    exchange_init(&c->exchange);
    buf_init(&c->identity, IDENTITY_MAX);
    buf_init(&c->peer_json, VERDICT_JSON_MAX);
    list_append(&proxy->conns, &c->link);
    proxy->conns_n++;
    c->steps.by_server = true;
    tally_opened(c);
    conn_progress(c, timeouts(c)->handshake);
    if (!listener->is_tls) {
        begin_service(c);
        conn_run(c);
    }
}
