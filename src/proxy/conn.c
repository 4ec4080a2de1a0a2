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
#include "proxy/tally.h"

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
static void run_preface(struct conn *c);
static void run_handshake(struct conn *c);
static void run_idle(struct conn *c);
static void run_head(struct conn *c);
static void run_work(struct conn *c);
static void run_closing(struct conn *c);
static void run_closed(struct conn *c);
static void late_handshake(struct conn *c);
static void late_idle(struct conn *c);
static void late_head(struct conn *c);
static void late_work(struct conn *c);
static void late_closing(struct conn *c);

#define TO(state) (1u << (state))
#define END       (TO(CONN_CLOSING) | TO(CONN_CLOSED))

static const struct conn_step {
    const char *name;
    conn_fn *run;  /* do what can be done with what has arrived */
    conn_fn *late; /* what a time-out means here */
    unsigned next; /* the only states that may follow */
} steps[CONN_STATE_COUNT] = {
    [CONN_PREFACE] = {"preface", run_preface, late_handshake, TO(CONN_HANDSHAKE) | END},
    [CONN_HANDSHAKE] = {"handshake", run_handshake, late_handshake,
        TO(CONN_IDLE) | TO(CONN_STREAMS) | TO(CONN_WORK) | END},
    [CONN_IDLE] = {"idle", run_idle, late_idle, TO(CONN_HEAD) | END},
    [CONN_HEAD] = {"head", run_head, late_head, TO(CONN_WORK) | END},
    [CONN_WORK] = {"work", run_work, late_work, TO(CONN_IDLE) | END},
    [CONN_STREAMS] = {"streams", client_http2_run, client_http2_late, END},
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

void conn_arm(struct conn *c, struct timer *t, uint64_t timeout_ms, timer_fn *fire)
{
    uint64_t deadline_ms = conn_now_ms(c) + timeout_ms;
    if (c->ends_by_ms && c->ends_by_ms < deadline_ms)
        deadline_ms = c->ends_by_ms;
    loop_timer_arm(c->proxy->loop, t, deadline_ms, fire);
}

void conn_progress(struct conn *c, uint64_t timeout_ms)
{
    conn_arm(c, &c->timer, timeout_ms, timed_out);
}

/* The only function that writes c->state. */
static void conn_goto(struct conn *c, enum conn_state next)
{
    ASSERT(steps[c->state].next & TO(next));
    c->state = next;
    c->client.watch.is_patient = next <= CONN_HANDSHAKE;
    if (next == CONN_CLOSED)
        loop_timer_stop(c->proxy->loop, &c->timer);
}

static void conn_wait(struct conn *c, enum conn_state next, uint64_t timeout_ms)
{
    conn_goto(c, next);
    conn_progress(c, timeout_ms);
}

bool conn_is_ending(const struct conn *c)
{
    return c->proxy->is_draining || c->service != c->proxy->service;
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
        steps[before].run(c);
    } while (c->state != before);
    pressure_place(c);
    if (c->state == CONN_CLOSED)
        return;
    stream_poll(&c->client, c->state != CONN_STREAMS || client_http2_wants_input(c));
    exchange_poll(&c->exchange, true);
}

void conn_wake(struct exchange *e)
{
    if (e == &e->conn->exchange)
        conn_run(e->conn);
    else
        client_http2_wake(e);
}

void conn_run_woken(struct proxy *p)
{
    while (!list_is_empty(&p->woken)) {
        struct list *link = p->woken.next;
        list_remove(link);
        conn_run(container_of(link, struct conn, woken));
    }
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
    conn_goto(c, CONN_CLOSED);
    list_remove(&c->woken);
    pressure_leave(c);
    tally_closed(c);
    limits_leave(c);
    stream_fini(&c->client);
    proxy_forget(c->proxy, c);
}

/* Each exchange, relay and failed handshake has its line. An idle connection that ends has none,
 * nor has one that never sent a byte of a handshake: the checks of other balancers look like that.
 */
static void log_end(struct conn *c)
{
    bool is_relay = c->exchange.group && !c->listener->is_http;
    if (c->http2)
        client_http2_conclude(c);
    if (c->http2 && client_http2_is_at_fault(c->http2))
        access_log_connection(c);
    else if (c->exchange.started_ms)
        access_log_exchange(&c->exchange, c->reason, c->detail);
    else if (is_relay || (c->state <= CONN_HANDSHAKE && c->client.received))
        access_log_connection(c);
}

static void conclude(struct conn *c, enum close_reason reason, const char *detail)
{
    c->reason = reason;
    snprintf(c->detail, sizeof(c->detail), "%s", detail);
    log_end(c);
}

static void begin_closing(
    struct conn *c, enum close_reason reason, const char *detail, enum target_release how)
{
    conclude(c, reason, detail);
    exchange_release(&c->exchange, how);
    exchange_clear(&c->exchange);
    conn_wait(c, CONN_CLOSING, LINGER_MS);
    stream_shutdown(&c->client);
}

void conn_close(struct conn *c, enum close_reason reason, const char *detail)
{
    if (c->state != CONN_CLOSING && c->state != CONN_CLOSED)
        begin_closing(c, reason, detail, TARGET_CLOSE);
}

void conn_reset(struct conn *c, enum close_reason reason, const char *detail)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->state != CONN_CLOSING)
        conclude(c, reason, detail);
    exchange_release(&c->exchange, TARGET_RESET);
    exchange_clear(&c->exchange);
    stream_reset(&c->client);
    closed(c);
}

void conn_client_failed(struct conn *c)
{
    if (!c->client.tls || c->client.errno_value) {
        conn_reset(c, CLOSE_CLIENT_RESET, "");
        return;
    }
    const char *why = tlsconn_failure(c->client.tls)->text;
    stream_flush(&c->client); /* the alert, which a reset of ours might overtake */
    if (c->state == CONN_CLOSING || c->state == CONN_CLOSED || c->client.write_failed)
        conn_reset(c, CLOSE_TLS_FAILED, why);
    else
        begin_closing(c, CLOSE_TLS_FAILED, why, TARGET_RESET);
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
        pace_watch(&c->exchange, PACE_CLIENT_TAKES);
    else if (!was_shut)
        conn_progress(c, LINGER_MS);
}

static void late_closing(struct conn *c)
{
    if (!c->client.shut && pace_is_kept(&c->exchange))
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
    else if (c->state == CONN_STREAMS)
        client_http2_drain(c);
    conn_run(c);
}

void conn_supersede(struct conn *c)
{
    if (c->state != CONN_STREAMS)
        return; /* one exchange more, at most: conn_is_ending */
    client_http2_drain(c);
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

/* What has come is no head yet, and we wait no longer. */
static void fail_head(struct conn *c, unsigned status, enum close_reason reason, const char *detail)
{
    conn_goto(c, CONN_WORK);
    c->exchange.started_ms = conn_now_ms(c);
    exchange_fail(&c->exchange, status, (int)reason, detail);
}

/* A head that is not complete yet has an answer, as when it is late. */
void conn_crowd_out(struct conn *c)
{
    if (c->state == CONN_STREAMS)
        client_http2_crowd_out(c);
    else if (c->state == CONN_IDLE)
        conn_close(c, CLOSE_CROWDED_OUT, "");
    else if (c->state == CONN_HEAD)
        fail_head(
            c, 503, CLOSE_CROWDED_OUT, "the request head was not complete when room was needed");
    else
        conn_reset(c, CLOSE_CROWDED_OUT, "");
    conn_run(c);
}

void conn_free(struct conn *c)
{
    loop_timer_stop(c->proxy->loop, &c->timer);
    client_http2_free(&c->http2);
    stream_fini(&c->client);
    exchange_fini(&c->exchange);
    verdict_free(&c->verdict);
    buf_fini(&c->identity);
    buf_fini(&c->peer_json);
    free(c->announced);
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
    tlspolicy_advance(c->authn->tls, loop_now_s(c->proxy->loop));
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

static void resume(void *owner)
{
    conn_run(owner);
}

static const struct tlsconn_handler handler = {
    .choose = choose, .judge = judge, .message = see, .resume = resume};

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
    if (c->client.tls && strcmp(tlsconn_facts(c->client.tls)->alpn, "h2") == 0) {
        conn_wait(c, CONN_STREAMS, timeouts(c)->header);
        c->http2 = client_http2_new(c);
        if (conn_is_ending(c))
            client_http2_drain(c);
    } else if (c->listener->is_http) {
        conn_wait(c, CONN_IDLE, timeouts(c)->header);
    } else {
        conn_goto(c, CONN_WORK);
        exchange_begin_relay(&c->exchange, &c->service->groups[c->listener->config->group]);
    }
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
    case TLSCONN_FAULT_INTERNAL:
        return CLOSE_HANDSHAKE_INTERNAL;
    case TLSCONN_FAULT_NONE:
    case TLSCONN_FAULT_PROTOCOL:
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
    case TLSCONN_WANT_SIGNATURE:
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
    conn_wait(c, CONN_IDLE, timeouts(c)->idle);
    if (c->proxy->is_draining)
        conn_close(c, CLOSE_DRAINED, "");
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
        conn_wait(c, CONN_HEAD, timeouts(c)->header);
    else if (c->client.state != STREAM_OPEN)
        client_ended(c);
}

static void late_idle(struct conn *c)
{
    conn_close(c, CLOSE_IDLE_TIMEOUT, "");
}

static void run_head(struct conn *c)
{
    struct http1_head *head = &c->proxy->head;
    do {
        ssize_t n = http1_parse_request(buf_bytes(&c->client.in), &c->scanned, &c->proxy->head);
        if (n > 0) {
            c->scanned = 0;
            conn_goto(c, CONN_WORK);
            client_http1_begin(&c->http1, head);
            exchange_begin(&c->exchange, head);
            buf_consume(&c->client.in, (size_t)n);
            return;
        }
        if (n < 0) {
            conn_goto(c, CONN_WORK);
            exchange_refuse(&c->exchange, (int)-n);
            return;
        }
    } while (stream_refill(&c->client));
    if (c->client.state != STREAM_OPEN)
        client_ended(c);
}

static void late_head(struct conn *c)
{
    fail_head(c, 408, CLOSE_HEADER_TIMEOUT, "the request head was not complete in time");
}

static void run_work(struct conn *c)
{
    exchange_run(&c->exchange);
}

static void late_work(struct conn *c)
{
    exchange_late(&c->exchange);
}

/* ---- beginning
 * ------------------------------------------------------------------------------------------- */

/* Who the client is, is known: what it says is its own from here on. */
static void begin(struct conn *c)
{
    const char *limit = limits_refuse_conn(c);
    if (limit)
        conn_reset(c, CLOSE_LIMITED, limit);
    else if (c->listener->is_tls)
        stream_begin_tls(&c->client, tlsconn_new_server(c->listener->authn.tls, &handler, c));
    else
        begin_service(c);
}

static void run_preface(struct conn *c)
{
    const char *why;
    switch (proxy_header_take(c, &why)) {
    case 0:
        conn_wait(c, CONN_HANDSHAKE, timeouts(c)->handshake);
        begin(c);
        return;
    case 1:
        return;
    default:
        conn_reset(c, CLOSE_PROXY_PROTOCOL, why);
    }
}

void conn_open(struct proxy *proxy, struct service *service, const struct listener *listener,
    int fd, const struct address *peer)
{
    struct conn *c = mem_alloc(sizeof(*c));
    list_init(&c->woken);
    list_init(&c->place.link);
    c->proxy = proxy;
    c->service = service_ref(service);
    c->listener = listener;
    c->peer = *peer;
    c->limits = (struct limits_share){LIMITER_NO_SLOT, LIMITER_NO_SLOT};
    c->state = proxy_header_is_due(c) ? CONN_PREFACE : CONN_HANDSHAKE;
    c->accepted_ms = conn_now_ms(c);
    c->number = ++proxy->conns_made;
    if (stream_init(&c->client, proxy->loop, fd, NULL, EPOLLIN, client_ready) < 0) {
        c->reason = CLOSE_NO_DESCRIPTOR;
        access_log_connection(c);
        close(fd);
        service_unref(&c->service);
        free(c);
        return;
    }
    /* A flood of handshakes is not to hold up those who are in. */
    c->client.watch.is_patient = true;
    exchange_init(&c->exchange, c, client_http1_init(&c->http1, &c->client), &c->timer, timed_out);
    buf_init(&c->identity, IDENTITY_MAX);
    buf_init(&c->peer_json, VERDICT_JSON_MAX);
    list_append(&proxy->conns, &c->link);
    proxy->conns_n++;
    c->steps.by_server = true;
    tally_opened(c);
    conn_progress(c, timeouts(c)->handshake);
    pressure_place(c);
    if (c->state == CONN_PREFACE)
        return;
    begin(c);
    if (!listener->is_tls && c->state != CONN_CLOSED)
        conn_run(c);
}
