/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exchange.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "proxy/access_log.h"
#include "proxy/access_log_clb.h"
#include "proxy/compression.h"
#include "proxy/headers.h"
#include "proxy/proxy_parts.h"
#include "proxy/relay.h"
#include "proxy/rewrite.h"
#include "proxy/target_fault.h"

#include "base/ban.h"

#define HOST_MAX        256
#define REPEAT_BODY_MAX (32 * 1024) /* of a body, kept for a second attempt */

/* A request that must not be sent twice goes only where a connection was used so shortly before
 * that no target has given it up for being idle: docs/adr/0004. */
#define FRESH_MS 1000

void exchange_init(struct exchange *e, struct conn *conn, struct client client, struct timer *timer,
    timer_fn *fire)
{
    *e = (struct exchange){.conn = conn, .client = client, .timer = timer, .fire = fire};
    arena_init(&e->arena);
    buf_init(&e->sent, STREAM_OUT_MAX);
    buf_init(&e->kept, REPEAT_BODY_MAX);
}

void exchange_fini(struct exchange *e)
{
    exchange_release(e, TARGET_CLOSE);
    verdict_free(&e->refused);
    party_gzip_fini(&e->gzip);
    arena_fini(&e->arena);
    buf_fini(&e->sent);
    buf_fini(&e->kept);
}

void exchange_release(struct exchange *e, enum target_release how)
{
    if (e->upstream)
        e->target_ops->release(e, how);
}

void exchange_clear(struct exchange *e)
{
    ASSERT(!e->upstream);
    exchange_fini(e);
    exchange_init(e, e->conn, e->client, e->timer, e->fire);
}

bool exchange_is_request_whole(const struct exchange *e)
{
    return e->request.is_complete || e->client.party->ops->is_whole(e->client.party);
}

/* ---- ending
 * ---------------------------------------------------------------------------------------------- */

static void end(struct exchange *e, bool went_on)
{
    exchange_clear(e);
    e->client.ops->end(e, went_on);
}

void exchange_fail(struct exchange *e, unsigned status, int reason, const char *detail)
{
    if (e->status) {
        e->client.ops->cut(e, reason, detail);
        return;
    }
    e->status = status;
    e->client.ops->refuse(e, status, status < 500 ? detail : "");
    bool goes_on = e->client.ops->goes_on(e);
    access_log_exchange(e, (enum close_reason)reason, detail);
    exchange_release(e, exchange_is_request_whole(e) ? TARGET_CLOSE : TARGET_RESET);
    end(e, goes_on);
}

void exchange_refuse(struct exchange *e, int fault)
{
    if (!e->started_ms)
        e->started_ms = conn_now_ms(e->conn);
    e->is_suspect = true;
    exchange_fail(e, http1_fault_status((enum http1_fault)fault), CLOSE_BAD_REQUEST,
        http1_fault_text((enum http1_fault)fault));
}

static void finish(struct exchange *e)
{
    bool goes_on = e->client.ops->goes_on(e);
    access_log_exchange(e, goes_on ? CLOSE_NONE : CLOSE_DONE, "");
    exchange_release(e, !exchange_is_request_whole(e) ? TARGET_RESET
                        : e->target_keeps_alive       ? TARGET_KEEP
                                                      : TARGET_CLOSE);
    end(e, goes_on);
}

/* ---- request
 * --------------------------------------------------------------------------------------------- */

static bool is_trusted_proxy(const struct conn *c)
{
    const struct config_listener *l = c->listener->config;
    for (size_t i = 0; i < l->trusted_proxies_n; i++)
        if (address_is_in(&c->peer, l->trusted_proxies[i].address, l->trusted_proxies[i].prefix))
            return true;
    return false;
}

static struct group *group_of(const struct exchange *e)
{
    return &e->conn->service->groups[e->rule->group];
}

/* The head for the target; it does not depend on which target. */
static int write_head(struct exchange *e, const struct http1_head *h)
{
    struct conn *c = e->conn;
    if (c->verdict && buf_size(&c->identity) == 0)
        headers_identity(&c->identity, c->verdict);
    struct headers_client client = {
        .peer = &c->peer,
        .is_trusted_proxy = is_trusted_proxy(c),
        .is_tls = c->client.tls != NULL,
        .identity = buf_bytes(&c->identity),
        .is_target_tls = group_of(e)->is_tls,
        .upgrade = e->upgrade,
    };
    return group_of(e)->config->http2 ? headers_write_request_http2(&e->sent, h, &client)
                                      : headers_write_request(&e->sent, h, &client);
}

static bool is_idempotent(struct bytes method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (bytes_equal(method, bytes_of(methods[i])))
            return true;
    return false;
}

/* RFC 9110 §7.8: what follows an upgrade request with a body would be ambiguous; a server MAY
 * ignore Upgrade. */
static void remember_upgrade(struct exchange *e, const struct http1_head *h)
{
    char list[HTTP1_UPGRADE_MAX];
    size_t n = exchange_is_request_whole(e) ? http1_offered_upgrade(h, list) : 0;
    e->upgrade = arena_copy(&e->arena, (struct bytes){(const uint8_t *)list, n});
}

static void remember(struct exchange *e, const struct http1_head *h)
{
    e->started_ms = conn_now_ms(e->conn);
    e->method = arena_copy(&e->arena, h->method);
    e->is_idempotent = is_idempotent(h->method);
    e->expects_continue = h->expects_continue;
    e->has_body = h->framing == HTTP1_BODY_CHUNKED || h->content_length;
    e->uri = arena_copy(&e->arena, h->path_and_query);
    e->path = bytes_first(e->uri, bytes_find(e->uri, '?'));
    party_http1_init(&e->http1, NULL);
    party_http1_send(&e->http1, h->framing == HTTP1_BODY_CHUNKED);
    remember_upgrade(e, h);
    e->conn->requests++;
    pressure_work(e->conn);
    if (service_config(e->conn->service)->access_log_format == LOG_FORMAT_CLB)
        access_log_clb_remember(e, h);
}

/* Host and path in the form by which rules and policies are chosen. 0, or -fault. */
static int normalise(struct exchange *e, const struct http1_head *h, struct bytes *path)
{
    char host[HOST_MAX];
    ssize_t n = h->authority.n ? http1_normalise_host(h->authority, host) : 0;
    if (n < 0)
        return (int)n;
    e->host = arena_copy(&e->arena, (struct bytes){(const uint8_t *)host, (size_t)n});
    if (h->form == HTTP1_ASTERISK_FORM) {
        *path = BYTES("*");
        return 0;
    }
    uint8_t *out = arena_alloc(&e->arena, e->path.n + 1);
    n = http1_normalise_path(e->path, out);
    if (n < 0)
        return (int)n;
    *path = (struct bytes){out, (size_t)n};
    return 0;
}

/* The rule answers for itself. HEAD: the request's, no longer needed. */
static void answer(struct exchange *e, struct http1_head *head)
{
    struct bytes content;
    int fault = rewrite_answer(e, head, &content);
    if (fault) {
        exchange_refuse(e, -fault);
        return;
    }
    struct party *client = e->client.party;
    e->answered_ms = conn_now_ms(e->conn);
    e->client.ops->respond(e, head);
    e->status = head->status;
    if (content.n)
        client->ops->content(client, content);
    client->ops->end(client);
    e->response.bytes = content.n;
    finish(e);
}

/* The rule for a request whose host and normalised PATH are known. False: it was refused. */
static bool find_rule(struct exchange *e, struct bytes path)
{
    struct conn *c = e->conn;
    /* RFC 9110 §7.4: a request whose host is under another authentication policy than the
     * connection is misdirected. */
    if (c->listener->is_tls && listener_authn(c->listener, e->host) != c->authn) {
        exchange_fail(
            e, 421, CLOSE_MISDIRECTED, "this connection was not authenticated for that host");
        return false;
    }
    switch (routes_find(&c->listener->routes, e->host, path, &e->rule)) {
    case ROUTE_SLASH:
        e->lacks_slash = true;
        return true;
    case ROUTE_FOUND:
        return true;
    case ROUTE_NONE:
        exchange_fail(e, 404, CLOSE_NO_RULE, "no rule for this path");
        return false;
    case ROUTE_UNDECIDED:
        exchange_fail(e, 500, CLOSE_RULE_LIMIT, "no rule could be chosen for this request");
        return false;
    }
    return false;
}

/* RFC 9110 §15.6.4, RFC 6585 §4. False: it was refused. */
static bool is_within_limits(struct exchange *e)
{
    if (e->conn->proxy->memory.is_reached) {
        exchange_fail(e, 503, CLOSE_OVERLOADED, "");
        return false;
    }
    const char *limit = limits_refuse_request(e);
    if (limit)
        exchange_fail(e, 429, CLOSE_LIMITED, limit);
    return !limit;
}

/* RFC 9110 §15.5.4. False: the rule's own authentication refuses the client. */
static bool may_pass(struct exchange *e)
{
    struct conn *c = e->conn;
    const struct guard *g = listener_guard(c->listener, e->rule);
    if (g)
        e->refused = guard_refuses(g, c->verdict, loop_wall_s(c->proxy->loop));
    if (!e->refused)
        return true;
    exchange_fail(e, 403, CLOSE_FORBIDDEN, "this path asks for another client certificate");
    return false;
}

void exchange_begin(struct exchange *e, struct http1_head *head)
{
    struct bytes path;
    remember(e, head);
    int fault = normalise(e, head, &path);
    if (fault) {
        exchange_refuse(e, -fault);
        return;
    }
    if (!find_rule(e, path) || !is_within_limits(e) || !may_pass(e))
        return;
    /* RFC 9110 §15.5.14: content larger than the server is willing to process. */
    fault = transfer_limit(&e->request, head, e->rule->max_body);
    if (fault) {
        exchange_refuse(e, -fault);
        return;
    }
    if (rewrite_answers(e)) {
        answer(e, head);
        return;
    }
    e->takes_gzip = e->rule->compression && compression_is_accepted(head);
    sticky_take(e, head);
    if (rewrite_request(e, head) < 0 || write_head(e, head) < 0) {
        exchange_refuse(e, HTTP1_HEAD_TOO_LARGE);
        return;
    }
    exchange_connect(e, group_of(e), e->is_idempotent ? UINT64_MAX : FRESH_MS);
}

void exchange_forget_request(struct exchange *e)
{
    e->can_repeat = false;
    buf_fini(&e->sent);
    buf_fini(&e->kept);
}

/* PIECE of the body went to the target. */
static void keep_for_repeat(struct exchange *e, struct bytes piece)
{
    if (e->can_repeat && buf_append(&e->kept, piece) < 0)
        exchange_forget_request(e);
}

/* Move the request's body. False if the exchange has ended. */
static bool run_request(struct exchange *e, bool *moved)
{
    if (e->request.is_complete || e->target_ops->is_deaf(e))
        return true;
    struct buf *out = e->target_ops->written(e);
    size_t before = buf_size(out);
    enum transfer_status status = transfer_run(&e->request, e->client.party, e->target, moved);
    keep_for_repeat(e, bytes_skip(buf_bytes(out), before));
    switch (status) {
    case TRANSFER_WAITS:
        return true;
    case TRANSFER_ENDED:
        return true;
    case TRANSFER_CUT:
        e->client.ops->cut(e, CLOSE_CLIENT_TRUNCATED, "in the request's body");
        return false;
    case TRANSFER_REFUSED:
        exchange_refuse(e, (int)e->request.fault);
        return false;
    }
    return false;
}

/* ---- response
 * -------------------------------------------------------------------------------------------- */

/* Whether the rule wants it, and the client takes it, was asked before. */
static void compress(struct exchange *e, struct http1_head *h)
{
    if (!e->rule->compression || !compression_applies(h))
        return;
    if (e->takes_gzip && e->client.ops->affords_gzip(e) && compression_change(h, &e->arena))
        party_gzip_init(&e->gzip, e->target);
    else
        compression_vary(h);
}

static void begin_response(struct exchange *e, struct http1_head *h)
{
    e->target_keeps_alive = h->keep_alive;
    e->answered_ms = conn_now_ms(e->conn);
    e->response_state = RESPONSE_BODY;
    exchange_forget_request(e);
    e->target_ops->begin_body(e, h);
    compress(e, h);
    e->client.ops->respond(e, h);
    e->status = h->status;
}

static void forward_interim(struct exchange *e, const struct http1_head *h)
{
    e->is_heard = true;
    e->client.ops->inform(e, h);
}

static const char too_large[] = "its head is too large for what response_headers adds";

/* RFC 9110 §7.8: whatever the client has sent behind its request, and the target behind its 101, is
 * of the new protocol. */
static void switch_protocols(struct exchange *e, struct http1_head *h)
{
    if (!http1_upgrades_to(h, e->upgrade)) {
        exchange_fail(e, 502, CLOSE_TARGET_BAD_RESPONSE,
            e->upgrade.n ? "it switches to another protocol than was asked for"
                         : "it switches protocols unasked");
        return;
    }
    if (rewrite_response(e, h) < 0) {
        exchange_fail(e, 502, CLOSE_TARGET_BAD_RESPONSE, too_large);
        return;
    }
    e->status = h->status;
    e->answered_ms = conn_now_ms(e->conn);
    e->client.ops->upgrade(e, h);
    e->target_ops->take_head(e);
    exchange_forget_request(e);
    exchange_goto(e, EXCHANGE_RELAY, service_config(e->conn->service)->timeouts.relay_idle);
}

/* The target ended before its response. */
static void response_missing(struct exchange *e)
{
    if (e->target_ops->may_repeat(e))
        exchange_connect_anew(e);
    else if (target_fault_is_late_refusal(e->upstream, e->target_ops->has_answered(e)))
        exchange_fail(
            e, 502, CLOSE_TARGET_HANDSHAKE, tlsconn_failure(e->upstream->stream.tls)->text);
    else
        exchange_fail(e, 502, CLOSE_TARGET_CLOSED, "before its response");
}

static void take_head(struct exchange *e, struct http1_head *h)
{
    if (h->status == 101) {
        switch_protocols(e, h);
        return;
    }
    if (h->status >= 200 && rewrite_response(e, h) < 0) {
        exchange_fail(e, 502, CLOSE_TARGET_BAD_RESPONSE, too_large);
        return;
    }
    if (h->status < 200) {
        forward_interim(e, h);
    } else {
        sticky_give(e, h);
        begin_response(e, h);
    }
    e->target_ops->take_head(e);
}

/* Look for the response's head. False if the exchange has ended, waits for another target, or has
 * become a relay. */
static bool await_response(struct exchange *e)
{
    struct http1_head *h = &e->conn->proxy->head;
    enum http1_fault fault;
    while (e->response_state == RESPONSE_AWAITED && e->client.ops->takes_head(e)) {
        switch (e->target_ops->head(e, h, &fault)) {
        case TARGET_HEAD:
            take_head(e, h);
            break;
        case TARGET_WAITS:
            return true;
        case TARGET_BAD:
            exchange_fail(e, 502, CLOSE_TARGET_BAD_RESPONSE, http1_fault_text(fault));
            break;
        case TARGET_ENDED:
            response_missing(e);
            break;
        }
        if (e->state != EXCHANGE_FLOW)
            return false;
    }
    return true;
}

static bool run_response(struct exchange *e, bool *moved)
{
    if (!await_response(e))
        return false;
    if (e->response_state == RESPONSE_AWAITED)
        return true;
    struct party *target = e->gzip.compressor ? &e->gzip.party : e->target;
    switch (transfer_run(&e->response, target, e->client.party, moved)) {
    case TRANSFER_WAITS:
        return true;
    case TRANSFER_ENDED:
        e->response_state = RESPONSE_COMPLETE;
        finish(e);
        return false;
    case TRANSFER_CUT:
        e->client.ops->cut(e, CLOSE_TARGET_CLOSED, "in the response's body");
        return false;
    case TRANSFER_REFUSED:
        e->client.ops->cut(e, CLOSE_TARGET_BAD_RESPONSE, http1_fault_text(e->response.fault));
        return false;
    }
    return false;
}

/* ---- waiting
 * --------------------------------------------------------------------------------------------- */

/* Is it for the client to send more of its request? RFC 9110 §10.1.1: one that expects a 100 waits
 * for it, and may go on without. */
static bool is_request_owed(struct exchange *e)
{
    bool waits = e->expects_continue && !e->is_heard && !e->request.bytes;
    return !e->request.is_complete && !e->target_ops->is_deaf(e) && !waits;
}

static bool has_room(struct party *p)
{
    return p->ops->room(p) > 0;
}

/* For what the response has next. */
static bool client_has_room(struct exchange *e)
{
    return e->response_state == RESPONSE_AWAITED ? e->client.ops->takes_head(e)
                                                 : has_room(e->client.party);
}

static enum pace_party waited_for(struct exchange *e)
{
    bool is_body = e->response_state == RESPONSE_BODY;
    if (!client_has_room(e))
        return PACE_CLIENT_TAKES;
    if (is_body || !is_request_owed(e))
        return is_body ? PACE_TARGET_SENDS : PACE_ANSWER;
    return has_room(e->target) ? PACE_CLIENT_SENDS : PACE_TARGET_TAKES;
}

static void late_flow(struct exchange *e)
{
    static const struct {
        unsigned status;
        enum close_reason reason;
        const char *detail;
    } rows[PACE_PARTY_COUNT] = {
        [PACE_NOBODY] = {504, CLOSE_TARGET_TIMEOUT, ""},
        [PACE_ANSWER] = {504, CLOSE_TARGET_TIMEOUT, "no response"},
        [PACE_CLIENT_SENDS] = {408, CLOSE_BODY_TIMEOUT, "the request's body did not come in time"},
        [PACE_TARGET_TAKES] = {504, CLOSE_TARGET_SLOW, "it did not take the request's body"},
        [PACE_TARGET_SENDS] = {504, CLOSE_TARGET_SLOW, "it did not send the response's body"},
        [PACE_CLIENT_TAKES] = {408, CLOSE_CLIENT_SLOW, "it did not take the response"},
    };
    enum pace_party party = e->pace.party;
    if (pace_is_kept(e))
        return;
    /* A response that has begun may be waiting for the rest of the request. */
    bool is_clients = party == PACE_TARGET_SENDS && is_request_owed(e) && has_room(e->target);
    if (is_clients)
        party = PACE_CLIENT_SENDS;
    exchange_fail(e, rows[party].status, (int)rows[party].reason, rows[party].detail);
}

static void run_flow(struct exchange *e)
{
    bool moved;
    do {
        moved = false;
        e->target_ops->flush(e);
        if (!e->client.ops->flush(e))
            return;
        if (!run_request(e, &moved) || !run_response(e, &moved))
            return;
    } while (moved);
    pace_watch(e, waited_for(e));
}

/* ---- states
 * ---------------------------------------------------------------------------------------------- */

static void run_none(struct exchange *e)
{
}

static void late_relay(struct exchange *e)
{
    conn_close(e->conn, CLOSE_RELAY_TIMEOUT, "");
}

typedef void exchange_fn(struct exchange *e);

#define TO(state) (1u << EXCHANGE_##state)

static const struct exchange_step {
    exchange_fn *run;  /* do what can be done with what has arrived */
    exchange_fn *late; /* what a time-out means here */
    unsigned next;     /* the only states that may follow; exchange_clear goes to NONE */
} steps[EXCHANGE_STATE_COUNT] = {
    [EXCHANGE_NONE] = {run_none, run_none, TO(TARGET)},
    [EXCHANGE_TARGET] = {exchange_run_target, exchange_late_target,
        TO(TARGET) | TO(FLOW) | TO(RELAY)},
    [EXCHANGE_FLOW] = {run_flow, late_flow, TO(TARGET) | TO(RELAY)},
    [EXCHANGE_RELAY] = {relay_run, late_relay, 0},
};

void exchange_goto(struct exchange *e, enum exchange_state next, uint64_t timeout_ms)
{
    ASSERT(steps[e->state].next & 1u << next);
    e->state = next;
    e->pace = (struct pace){0};
    exchange_progress(e, timeout_ms);
}

void exchange_progress(struct exchange *e, uint64_t timeout_ms)
{
    conn_arm(e->conn, e->timer, timeout_ms, e->fire);
}

void exchange_run(struct exchange *e)
{
    enum exchange_state before;
    do {
        before = e->state;
        if (e->upstream && e->upstream->state == UPSTREAM_READY)
            e->target_ops->flush(e);
        steps[before].run(e);
    } while (e->state != before);
}

void exchange_late(struct exchange *e)
{
    steps[e->state].late(e);
}

void exchange_poll(struct exchange *e, bool memory)
{
    bool is_wanted = e->state != EXCHANGE_FLOW || (memory && client_has_room(e));
    if (e->upstream)
        e->target_ops->poll(e, is_wanted);
}
