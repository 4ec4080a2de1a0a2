/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exchange.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "proxy/access_log.h"
#include "proxy/headers.h"
#include "proxy/proxy_parts.h"
#include "proxy/target_fault.h"

#include "base/ban.h"

#define HOST_MAX        256
#define REPEAT_BODY_MAX (32 * 1024) /* of a body, kept for a second attempt */

/* A request that must not be sent twice goes only where a connection was used so shortly before
 * that no target has given it up for being idle: docs/adr/0004. */
#define FRESH_MS 1000

void exchange_init(struct exchange *e)
{
    *e = (struct exchange){0};
    arena_init(&e->arena);
    buf_init(&e->sent, STREAM_OUT_MAX);
}

void exchange_fini(struct exchange *e)
{
    arena_fini(&e->arena);
    buf_fini(&e->sent);
    exchange_init(e);
}

/* Has the client sent its whole request (so that what follows is the next one)? */
static bool is_request_complete(const struct exchange *e)
{
    return e->request.state == TRANSFER_COMPLETE || http1_body_is_done(&e->request.body);
}

static enum headers_connection connection_header(const struct exchange *e, bool keeps)
{
    if (!keeps)
        return HEADERS_CLOSE;
    return e->minor_version == 0 ? HEADERS_KEEP_ALIVE : HEADERS_PERSIST;
}

/* ---- ending
 * ---------------------------------------------------------------------------------------------- */

static void end(struct conn *c, bool keeps)
{
    exchange_fini(&c->exchange);
    if (keeps)
        conn_next(c);
    else
        conn_close(c, CLOSE_DONE, "");
}

void exchange_fail(struct conn *c, unsigned status, int reason, const char *detail)
{
    struct exchange *e = &c->exchange;
    if (e->status) { /* a response has begun: the client must see that it is cut off */
        conn_reset(c, (enum close_reason)reason, detail);
        return;
    }
    bool keeps = e->client_keeps_alive && is_request_complete(e) && !conn_is_ending(c);
    bool is_head = bytes_equal(e->method, BYTES("HEAD"));
    e->status = status;
    headers_write_error(&c->client.out, status, status < 500 ? detail : "", is_head,
        connection_header(e, keeps), loop_wall_s(c->proxy->loop));
    access_log_exchange(c, (enum close_reason)reason, detail);
    if (is_request_complete(e))
        upstream_close(&c->upstream);
    else
        upstream_reset(&c->upstream);
    end(c, keeps);
}

void exchange_refuse(struct conn *c, int fault)
{
    struct exchange *e = &c->exchange;
    if (!e->started_ms)
        e->started_ms = conn_now_ms(c);
    e->client_keeps_alive = false; /* who knows what the client takes for its next request */
    exchange_fail(c, http1_fault_status((enum http1_fault)fault), CLOSE_BAD_REQUEST,
        http1_fault_text((enum http1_fault)fault));
}

static void finish(struct conn *c)
{
    struct exchange *e = &c->exchange;
    bool keeps = e->client_keeps_alive && is_request_complete(e);
    access_log_exchange(c, keeps ? CLOSE_NONE : CLOSE_DONE, "");
    if (!is_request_complete(e))
        upstream_reset(&c->upstream);
    else if (e->target_keeps_alive)
        upstream_keep(&c->upstream);
    else
        upstream_close(&c->upstream);
    end(c, keeps);
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

/* The head for the target; it does not depend on which target. */
static int write_head(struct conn *c, const struct http1_head *h)
{
    if (c->verdict && buf_size(&c->identity) == 0)
        headers_identity(&c->identity, c->verdict);
    struct headers_client client = {
        .peer = &c->peer,
        .is_trusted_proxy = is_trusted_proxy(c),
        .is_tls = c->client.tls != NULL,
        .identity = buf_bytes(&c->identity),
        .upgrade = c->exchange.upgrade,
    };
    return headers_write_request(&c->exchange.sent, h, &client);
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
    size_t n = http1_body_is_done(&e->request.body) ? http1_offered_upgrade(h, list) : 0;
    e->upgrade = arena_copy(&e->arena, (struct bytes){(const uint8_t *)list, n});
}

static void remember(struct conn *c, const struct http1_head *h)
{
    struct exchange *e = &c->exchange;
    e->started_ms = conn_now_ms(c);
    e->method = arena_copy(&e->arena, h->method);
    e->minor_version = h->minor_version;
    e->client_keeps_alive = h->keep_alive;
    e->is_idempotent = is_idempotent(h->method);
    e->expects_continue = h->expects_continue;
    e->path =
        arena_copy(&e->arena, bytes_first(h->path_and_query, bytes_find(h->path_and_query, '?')));
    transfer_init(&e->request, h, h->framing == HTTP1_BODY_CHUNKED);
    remember_upgrade(e, h);
}

/* Host and path in the form by which rules and policies are chosen. 0, or -fault. */
static int normalise(struct conn *c, const struct http1_head *h, struct bytes *path)
{
    struct exchange *e = &c->exchange;
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

void exchange_begin(struct conn *c, size_t length)
{
    const struct http1_head *h = &c->proxy->head;
    struct exchange *e = &c->exchange;
    struct bytes path;
    remember(c, h);
    int fault = normalise(c, h, &path);
    if (fault == 0 && write_head(c, h) < 0)
        fault = -HTTP1_HEAD_TOO_LARGE;
    buf_consume(&c->client.in, length); /* from here on H is stale */
    if (fault) {
        exchange_refuse(c, -fault);
        return;
    }
    /* RFC 9110 §7.4: a request whose host is under another authentication policy than the
     * connection is misdirected. */
    if (c->listener->is_tls && listener_authn(c->listener, e->host) != c->authn) {
        exchange_fail(
            c, 421, CLOSE_MISDIRECTED, "this connection was not authenticated for that host");
        return;
    }
    switch (routes_find(&c->listener->routes, e->host, path, &e->rule)) {
    case ROUTE_FOUND:
        break;
    case ROUTE_NONE:
        exchange_fail(c, 404, CLOSE_NO_RULE, "no rule for this path");
        return;
    case ROUTE_UNDECIDED:
        exchange_fail(c, 500, CLOSE_RULE_LIMIT, "no rule could be chosen for this request");
        return;
    }
    /* RFC 9110 §15.5.14: content larger than the server is willing to process. */
    fault = transfer_limit(&e->request, e->rule->max_body);
    if (fault) {
        exchange_refuse(c, -fault);
        return;
    }
    conn_connect(c, &c->service->groups[e->rule->group], e->is_idempotent ? UINT64_MAX : FRESH_MS);
}

void exchange_connected(struct conn *c)
{
    struct exchange *e = &c->exchange;
    stream_write(&c->upstream->stream, buf_bytes(&e->sent));
    e->can_repeat = e->is_idempotent && c->upstream->is_reused;
    if (!e->can_repeat)
        buf_fini(&e->sent);
}

/* PIECE of the body went to the target. */
static void keep_for_repeat(struct exchange *e, struct bytes piece)
{
    if (!e->can_repeat)
        return;
    e->can_repeat = e->request.bytes <= REPEAT_BODY_MAX && buf_append(&e->sent, piece) == 0;
    if (!e->can_repeat)
        buf_fini(&e->sent);
}

/* Move the request's body. False if the exchange has ended. */
static bool run_request(struct conn *c, bool *moved)
{
    struct exchange *e = &c->exchange;
    struct stream *target = &c->upstream->stream;
    if (e->request.state == TRANSFER_COMPLETE || target->write_failed)
        return true;
    size_t before = buf_size(&target->out);
    enum transfer_status status = transfer_run(&e->request, &c->client, target, moved);
    keep_for_repeat(e, bytes_skip(buf_bytes(&target->out), before));
    switch (status) {
    case TRANSFER_WAITS:
        return true;
    case TRANSFER_ENDED:
        return true;
    case TRANSFER_CUT:
        conn_reset(c, CLOSE_CLIENT_TRUNCATED, "in the request's body");
        return false;
    case TRANSFER_REFUSED:
        exchange_refuse(c, (int)e->request.fault);
        return false;
    }
    return false;
}

/* ---- response
 * -------------------------------------------------------------------------------------------- */

static void begin_response(struct conn *c, const struct http1_head *h)
{
    struct exchange *e = &c->exchange;
    bool has_length = h->framing == HTTP1_BODY_NONE || h->framing == HTTP1_BODY_LENGTH;
    bool is_chunked = !has_length && e->minor_version > 0;
    bool ends_by_close = !has_length && e->minor_version == 0;
    e->client_keeps_alive =
        e->client_keeps_alive && is_request_complete(e) && !ends_by_close && !conn_is_ending(c);
    e->status = h->status;
    e->target_keeps_alive = h->keep_alive;
    e->answered_ms = conn_now_ms(c);
    e->response_state = RESPONSE_BODY;
    transfer_init(&e->response, h, is_chunked);
    e->can_repeat = false;
    buf_fini(&e->sent);
    int result = headers_write_response(
        &c->client.out, h, is_chunked, connection_header(e, e->client_keeps_alive));
    ASSERT(result == 0); /* a head is at most HTTP1_HEAD_MAX; ours adds little */
}

/* RFC 9110 §15.2: interim responses go on to the client, but not to one of HTTP/1.0. */
static void forward_interim(struct conn *c, const struct http1_head *h)
{
    c->exchange.is_heard = true;
    if (c->exchange.minor_version == 0)
        return;
    int result = headers_write_response(&c->client.out, h, false, HEADERS_PERSIST);
    ASSERT(result == 0); /* as in begin_response */
}

/* RFC 9110 §7.8: whatever the client has sent behind its request, and the target behind its 101, is
 * of the new protocol. */
static void switch_protocols(struct conn *c, const struct http1_head *h, size_t length)
{
    struct exchange *e = &c->exchange;
    if (!http1_upgrades_to(h, e->upgrade)) {
        exchange_fail(c, 502, CLOSE_TARGET_BAD_RESPONSE,
            e->upgrade.n ? "it switches to another protocol than was asked for"
                         : "it switches protocols unasked");
        return;
    }
    e->status = h->status;
    e->answered_ms = conn_now_ms(c);
    int result = headers_write_response(&c->client.out, h, false, HEADERS_PERSIST);
    ASSERT(result == 0); /* as in begin_response */
    buf_consume(&c->upstream->stream.in, length);
    buf_fini(&e->sent);
    conn_upgrade(c);
}

/* The target ended before its response. RFC 9110 §9.2.2: a request is repeated only if that cannot
 * do harm, and only where the connection had been idle, and may just have been closed by then. */
static void response_missing(struct conn *c)
{
    struct exchange *e = &c->exchange;
    const struct stream *target = &c->upstream->stream;
    bool is_silent = !e->is_heard && buf_size(&target->in) == 0;
    if (e->can_repeat && is_silent) {
        conn_connect_anew(c);
        return;
    }
    if (target_fault_is_late_refusal(c->upstream, !is_silent))
        exchange_fail(c, 502, CLOSE_TARGET_HANDSHAKE, tlsconn_failure(target->tls)->text);
    else
        exchange_fail(c, 502, CLOSE_TARGET_CLOSED, "before its response");
}

/* The head of LENGTH bytes at the start of what the target has sent. */
static void take_head(struct conn *c, const struct http1_head *h, size_t length)
{
    if (h->status == 101) {
        switch_protocols(c, h, length);
        return;
    }
    if (h->status < 200)
        forward_interim(c, h);
    else
        begin_response(c, h);
    buf_consume(&c->upstream->stream.in, length);
    c->exchange.scanned = 0;
}

/* Look for the response's head. False if the exchange has ended, waits for another target, or has
 * become a relay. */
static bool await_response(struct conn *c)
{
    struct exchange *e = &c->exchange;
    struct stream *target = &c->upstream->stream;
    struct http1_head *h = &c->proxy->head;
    while (e->response_state == RESPONSE_AWAITED && stream_room(&c->client)) {
        ssize_t n = http1_parse_response(buf_bytes(&target->in), &e->scanned, e->method, h);
        if (n < 0) {
            exchange_fail(
                c, 502, CLOSE_TARGET_BAD_RESPONSE, http1_fault_text((enum http1_fault) - n));
            return false;
        }
        if (n > 0) {
            take_head(c, h, (size_t)n);
            if (c->state != CONN_EXCHANGE)
                return false;
            continue;
        }
        if (stream_refill(target))
            continue;
        if (target->state == STREAM_OPEN)
            return true;
        response_missing(c);
        return false;
    }
    return true;
}

static bool run_response(struct conn *c, bool *moved)
{
    struct exchange *e = &c->exchange;
    if (!await_response(c))
        return false;
    if (e->response_state == RESPONSE_AWAITED)
        return true;
    switch (transfer_run(&e->response, &c->upstream->stream, &c->client, moved)) {
    case TRANSFER_WAITS:
        return true;
    case TRANSFER_ENDED:
        e->response_state = RESPONSE_COMPLETE;
        finish(c);
        return false;
    case TRANSFER_CUT:
        conn_reset(c, CLOSE_TARGET_CLOSED, "in the response's body");
        return false;
    case TRANSFER_REFUSED:
        conn_reset(c, CLOSE_TARGET_BAD_RESPONSE, http1_fault_text(e->response.fault));
        return false;
    }
    return false;
}

/* ---- waiting
 * --------------------------------------------------------------------------------------------- */

/* Is it for the client to send more of its request? RFC 9110 §10.1.1: one that expects a 100 waits
 * for it, and may go on without. */
static bool is_request_owed(const struct conn *c)
{
    const struct exchange *e = &c->exchange;
    const struct stream *target = &c->upstream->stream;
    bool waits = e->expects_continue && !e->is_heard && !e->request.bytes;
    return e->request.state != TRANSFER_COMPLETE && !target->write_failed && !waits;
}

static enum pace_party waited_for(const struct conn *c)
{
    bool is_body = c->exchange.response_state == RESPONSE_BODY;
    if (!stream_room(&c->client))
        return PACE_CLIENT_TAKES;
    if (is_body || !is_request_owed(c))
        return is_body ? PACE_TARGET_SENDS : PACE_ANSWER;
    return stream_room(&c->upstream->stream) ? PACE_CLIENT_SENDS : PACE_TARGET_TAKES;
}

void exchange_late(struct conn *c)
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
    enum pace_party party = c->pace.party;
    if (pace_is_kept(c))
        return;
    /* A response that has begun may be waiting for the rest of the request. */
    bool is_clients =
        party == PACE_TARGET_SENDS && is_request_owed(c) && stream_room(&c->upstream->stream);
    if (is_clients)
        party = PACE_CLIENT_SENDS;
    exchange_fail(c, rows[party].status, (int)rows[party].reason, rows[party].detail);
}

void exchange_run(struct conn *c)
{
    bool moved;
    do {
        moved = false;
        stream_flush(&c->upstream->stream);
        stream_flush(&c->client);
        if (c->client.state == STREAM_FAILED || c->client.write_failed) {
            conn_client_failed(c);
            return;
        }
        if (!run_request(c, &moved) || !run_response(c, &moved))
            return;
    } while (moved);
    pace_watch(c, waited_for(c));
}
