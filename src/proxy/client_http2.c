/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client_http2.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "proxy/access_log.h"
#include "proxy/headers.h"
#include "proxy/party_http2.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

#define LAST_REQUESTS_MS 1000 /* within which a client has read that no new ones are taken */
#define HEAD_MAX         (STREAM_OUT_MAX)
#define AHEAD_MAX        (16 * 1024)  /* of a request's body, on the way to its target */
#define FIXED_MEMORY     (8 * 1024)   /* of a connection that has nothing to do: TLS's, above all */
#define FRAMING_MEMORY   (56 * 1024)  /* of nghttp2, for all streams, and of a head */
#define SPARE_MEMORY     (24 * 1024)  /* for frames and further requests: not for responses */
#define REQUEST_MEMORY   2560         /* of one with a short head */
#define REQUESTS_NEXT    24           /* have room whatever is received for those under way */
#define RECEIVE_LEAST    4096         /* is always received for one request of all */
#define GZIP_SHARE       (208 * 1024) /* held with a response that is to be compressed */

/* One stream: a request and its response. */
struct request {
    struct list link;  /* client_http2.requests, then .gone */
    struct list ready; /* client_http2.ready */
    struct client_http2 *session;
    struct party_http2 party;
    struct exchange exchange;
    struct timer timer;
};

struct client_http2 {
    struct conn *conn;
    struct http2_link link;
    struct list requests;
    size_t requests_n;
    struct list ready; /* to be run */
    struct list gone;  /* to be freed when the run ends */
    size_t allowance;  /* how much may be received from targets until then */
    uint64_t sent;     /* of the client's stream, when its requests last heard of room */
    bool is_ending;    /* the client has been told that there will be no new requests */
    bool has_ended;    /* and which was the last */
    struct timer end_timer, head_timer;
};

static const struct config_timeouts *timeouts(const struct conn *c)
{
    return &service_config(c->service)->timeouts;
}

static struct request *of(struct exchange *e)
{
    return container_of(e, struct request, exchange);
}

static void ready(struct request *r)
{
    if (list_is_empty(&r->ready))
        list_append(&r->session->ready, &r->ready);
}

static bool is_under_way(const struct exchange *e)
{
    return e->started_ms;
}

/* ---- memory
 * ---------------------------------------------------------------------------------------------- */

/* R and what is held for it elsewhere. */
static size_t held_for(struct request *r)
{
    struct exchange *e = &r->exchange;
    size_t n = sizeof(*r) + party_http2_held(&r->party) + e->arena.held + e->sent.capacity +
               e->kept.capacity;
    if (e->gzip.compressor)
        n += PARTY_GZIP_MEMORY;
    return e->upstream ? n + e->target_ops->held(e) : n;
}

/* Its share is its own. */
static size_t framing(const struct client_http2 *s)
{
    size_t n = http2_memory(s->link.http2);
    return n > FRAMING_MEMORY ? n : FRAMING_MEMORY;
}

static size_t held(const struct client_http2 *s)
{
    const struct conn *c = s->conn;
    size_t n = FIXED_MEMORY + sizeof(*c) + sizeof(*s) + c->identity.capacity + framing(s) +
               stream_held(s->link.stream);
    LIST_FOREACH (link, &s->requests)
        n += held_for(container_of(link, struct request, link));
    return n;
}

static size_t left(const struct client_http2 *s)
{
    size_t n = held(s) + SPARE_MEMORY;
    return n < CLIENT_HTTP2_HELD_MAX ? CLIENT_HTTP2_HELD_MAX - n : 0;
}

/* Give back what can be done without: room in buffers, and what a request is kept for after it was
 * sent, a second attempt. */
static void economise(struct client_http2 *s)
{
    LIST_FOREACH (link, &s->requests) {
        struct request *r = container_of(link, struct request, link);
        struct exchange *e = &r->exchange;
        party_http2_fit(&r->party);
        if (e->state == EXCHANGE_FLOW)
            exchange_forget_request(e);
        if (e->upstream)
            e->target_ops->fit(e);
    }
}

/* Is there room for N bytes more? What is spared is for this, too: responses leave it alone. */
static bool affords(struct client_http2 *s, size_t n)
{
    if (held(s) + n > CLIENT_HTTP2_HELD_MAX)
        economise(s);
    return held(s) + n <= CLIENT_HTTP2_HELD_MAX;
}

/* The request whose body waits most for its target. */
static struct request *most_in_the_way(const struct client_http2 *s)
{
    struct request *most = NULL;
    size_t n = 0;
    LIST_FOREACH (link, &s->requests) {
        struct request *r = container_of(link, struct request, link);
        if (!is_under_way(&r->exchange) || buf_size(&r->party.in) <= n)
            continue;
        most = r;
        n = buf_size(&r->party.in);
    }
    return most;
}

/* Before it has heard that its window is shut a client may send more than there is memory for, and
 * than targets take: then one request has to make room. True if it did. */
static bool shed(struct client_http2 *s)
{
    if (held(s) <= CLIENT_HTTP2_HELD_MAX)
        return false;
    economise(s);
    struct request *most = held(s) > CLIENT_HTTP2_HELD_MAX ? most_in_the_way(s) : NULL;
    if (most)
        exchange_fail(&most->exchange, 503, CLOSE_OVERLOADED, "its connection holds too much");
    return most;
}

/* Before anything waits: what may be received until then, of responses only so much that further
 * requests have room. Where memory is short that is little at a time, and where there is none, for
 * the oldest request, or else none could be freed by going on. */
static void share_memory(struct client_http2 *s)
{
    bool is_many = s->requests_n > HTTP2_CLIENT_STREAMS_MAX - REQUESTS_NEXT;
    size_t kept = is_many ? 0 : REQUESTS_NEXT * REQUEST_MEMORY;
    size_t n = left(s);
    if (n < RECEIVE_LEAST) {
        stream_fit(s->link.stream);
        economise(s);
        n = left(s);
    }
    http2_allow(s->link.http2, framing(s) + n + SPARE_MEMORY);
    http2_shut(s->link.http2, n < RECEIVE_LEAST);
    s->allowance = n < RECEIVE_LEAST + kept ? RECEIVE_LEAST : n - kept;
    LIST_FOREACH (link, &s->requests) {
        struct request *r = container_of(link, struct request, link);
        exchange_poll(&r->exchange, n > 0 || link == s->requests.next);
    }
}

/* ---- what an exchange says to its client
 * ------------------------------------------------------------------------ */

static bool flush(struct exchange *e)
{
    return true; /* all streams together: write_out */
}

static bool takes_head(struct exchange *e)
{
    return party_http2_takes_head(&of(e)->party);
}

/* That memory is freed only with its response: it must not be all that there is. */
static bool affords_gzip(struct exchange *e)
{
    size_t passing = e->target_ops->held(e); /* the piece with which the response has begun */
    return held(e->conn->http2) - passing + PARTY_GZIP_MEMORY <= GZIP_SHARE;
}

static void respond(struct exchange *e, const struct http1_head *head)
{
    struct request *r = of(e);
    struct buf fields;
    buf_init(&fields, HEAD_MAX);
    int result = headers_write_response_http2(&fields, head);
    ASSERT(result == 0); /* a head is at most HTTP1_HEAD_MAX; ours adds little */
    bool is_empty = head->framing == HTTP1_BODY_NONE ||
                    (head->framing == HTTP1_BODY_LENGTH && !head->content_length);
    r->party.is_bodyless = is_empty;
    ignore_result(http2_respond(r->session->link.http2, r->party.id, &fields, !is_empty));
    buf_fini(&fields);
}

static void inform(struct exchange *e, const struct http1_head *head)
{
    struct request *r = of(e);
    struct buf fields;
    buf_init(&fields, HEAD_MAX);
    int result = headers_write_response_http2(&fields, head);
    ASSERT(result == 0); /* as in respond */
    ignore_result(http2_inform(r->session->link.http2, r->party.id, &fields));
    buf_fini(&fields);
}

static void upgrade(struct exchange *e, const struct http1_head *head)
{
    panic("an upgrade that was not asked for"); /* RFC 9113 §8.6: there is none to ask for */
}

static void refuse(struct exchange *e, unsigned status, const char *detail)
{
    struct request *r = of(e);
    struct headers_error error = {
        .status = status,
        .detail = detail,
        .is_head = bytes_equal(e->method, BYTES("HEAD")),
        .now_s = loop_wall_s(e->conn->proxy->loop),
    };
    struct buf fields;
    buf_init(&fields, HEAD_MAX);
    headers_write_error_http2(&fields, &r->party.out, &error);
    r->session->link.queued += buf_size(&r->party.out);
    r->party.is_out_whole = true;
    r->party.is_bodyless = error.is_head;
    ignore_result(http2_respond(r->session->link.http2, r->party.id, &fields, !error.is_head));
    buf_fini(&fields);
}

static bool goes_on(const struct exchange *e)
{
    return true; /* other streams do */
}

/* The response may still have to be taken: the client has as much time for it as for any part. */
static void end(struct exchange *e, bool went_on)
{
    struct request *r = of(e);
    party_http2_discard(&r->party);
    http2_earn(r->session->link.http2);
    pace_watch(e, PACE_CLIENT_TAKES);
}

static void abandon(struct request *r, enum close_reason reason, const char *detail)
{
    struct exchange *e = &r->exchange;
    access_log_exchange(e, reason, detail);
    exchange_release(e, TARGET_RESET);
    exchange_clear(e);
    party_http2_discard(&r->party);
}

static void cut(struct exchange *e, int reason, const char *detail)
{
    struct request *r = of(e);
    if (!r->party.is_gone)
        http2_reset(r->session->link.http2, r->party.id, HTTP2_INTERNAL_ERROR);
    abandon(r, (enum close_reason)reason, detail);
}

static const struct client_ops client_ops = {
    .flush = flush,
    .takes_head = takes_head,
    .affords_gzip = affords_gzip,
    .respond = respond,
    .inform = inform,
    .upgrade = upgrade,
    .refuse = refuse,
    .goes_on = goes_on,
    .end = end,
    .cut = cut,
};

/* ---- requests
 * -------------------------------------------------------------------------------------------- */

static void request_late(struct timer *t)
{
    struct request *r = container_of(t, struct request, timer);
    if (r->exchange.state != EXCHANGE_NONE)
        exchange_late(&r->exchange);
    else if (!pace_is_kept(&r->exchange))
        http2_reset(r->session->link.http2, r->party.id, HTTP2_CANCEL);
    conn_wake(&r->exchange);
}

static struct request *request_new(struct client_http2 *s, int32_t id)
{
    struct request *r = mem_alloc(sizeof(*r));
    r->session = s;
    list_init(&r->ready);
    list_append(&s->requests, &r->link);
    s->requests_n++;
    party_http2_init(&r->party, &s->link, id);
    struct client client = {
        &client_ops, &r->party.party, AHEAD_MAX, &s->allowance, CLIENT_HTTP2_HELD_MAX / 2};
    exchange_init(&r->exchange, s->conn, client, &r->timer, request_late);
    http2_set_stream(s->link.http2, id, r);
    return r;
}

static void request_free(struct request *r)
{
    list_remove(&r->link);
    list_remove(&r->ready);
    loop_timer_stop(r->session->conn->proxy->loop, &r->timer);
    exchange_fini(&r->exchange);
    party_http2_fini(&r->party);
    free(r);
}

/* ---- what comes from the client
 * ---------------------------------------------------------------------------------- */

static void on_head(void *owner, int32_t id, void *stream, struct http1_head *head, bool is_last)
{
    struct client_http2 *s = owner;
    /* The first is always taken, however large its head. */
    if (s->requests_n && !affords(s, REQUEST_MEMORY + http2_head_size(s->link.http2))) {
        http2_reset(s->link.http2, id, HTTP2_REFUSED_STREAM);
        return;
    }
    struct request *r = request_new(s, id);
    s->allowance -= s->allowance < REQUEST_MEMORY ? s->allowance : REQUEST_MEMORY;
    r->party.is_in_whole = is_last;
    exchange_begin(&r->exchange, head);
    ready(r);
}

static void on_refused(void *owner, int32_t id, const struct http1_head *head, int fault)
{
    struct request *r = request_new(owner, id);
    struct exchange *e = &r->exchange;
    e->method = arena_copy(&e->arena, head->method);
    e->path = arena_copy(&e->arena, head->path_and_query);
    exchange_refuse(e, fault);
}

/* What came is no request; it has its line in the log all the same. */
static void log_malformed(struct client_http2 *s, const char *why)
{
    struct exchange e;
    exchange_init(&e, s->conn, (struct client){0}, NULL, NULL);
    e.started_ms = conn_now_ms(s->conn);
    access_log_exchange(&e, CLOSE_BAD_REQUEST, why);
    exchange_fini(&e);
}

static void on_malformed(void *owner, int32_t id, void *stream, const char *why)
{
    struct request *r = stream;
    if (!r)
        log_malformed(owner, why);
    else if (is_under_way(&r->exchange))
        abandon(r, CLOSE_BAD_REQUEST, why);
}

static void on_content(void *stream, struct bytes data)
{
    struct request *r = stream;
    party_http2_content(&r->party, data);
    if (is_under_way(&r->exchange))
        ready(r);
    else
        party_http2_discard(&r->party);
}

static void on_trailers(void *stream, const struct http1_head *fields)
{
    struct request *r = stream;
    party_http2_trailers(&r->party, fields);
}

static void on_ended(void *stream)
{
    struct request *r = stream;
    r->party.is_in_whole = true;
    ready(r);
}

static void on_room(void *owner, void *stream)
{
    struct client_http2 *s = owner;
    if (stream) {
        ready(stream);
        return;
    }
    LIST_FOREACH (link, &s->requests) {
        struct request *r = container_of(link, struct request, link);
        if (r->party.wants_room)
            ready(r);
    }
}

static struct bytes on_output(void *stream, bool *is_end, const struct buf **trailers)
{
    struct request *r = stream;
    return party_http2_output(&r->party, is_end, trailers);
}

static void on_sent(void *stream, size_t n)
{
    struct request *r = stream;
    party_http2_sent(&r->party, n);
    if (r->party.wants_room)
        ready(r);
}

/* RFC 9113 §8.1: after a complete response a server MAY ask the client to stop sending its request,
 * by RST_STREAM with NO_ERROR. */
static void on_finished(void *stream)
{
    struct request *r = stream;
    if (!r->party.is_in_whole)
        http2_reset(r->session->link.http2, r->party.id, HTTP2_NO_ERROR);
}

static void on_closed(void *stream, uint32_t code)
{
    struct request *r = stream;
    struct client_http2 *s = r->session;
    bool has_room = buf_size(&r->party.out); /* now, for others */
    party_http2_close(&r->party);
    if (is_under_way(&r->exchange))
        abandon(r, CLOSE_CLIENT_RESET, "it cancelled the request");
    list_remove(&r->link);
    list_remove(&r->ready);
    list_append(&s->gone, &r->link);
    s->requests_n--;
    if (has_room)
        on_room(s, NULL);
    if (!s->requests_n)
        conn_progress(s->conn, timeouts(s->conn)->idle);
}

static void say_last(struct client_http2 *s)
{
    if (s->has_ended)
        return;
    s->has_ended = true;
    loop_timer_stop(s->conn->proxy->loop, &s->end_timer);
    http2_end(s->link.http2, HTTP2_NO_ERROR);
}

static void on_announced(void *owner)
{
    struct client_http2 *s = owner;
    if (s->is_ending)
        say_last(s);
}

static const struct http2_handler handler = {
    .head = on_head,
    .refused = on_refused,
    .malformed = on_malformed,
    .content = on_content,
    .trailers = on_trailers,
    .ended = on_ended,
    .room = on_room,
    .output = on_output,
    .sent = on_sent,
    .finished = on_finished,
    .closed = on_closed,
    .announced = on_announced,
};

/* ---- the connection
 * -------------------------------------------------------------------------------------- */

static enum close_reason reason_of(const struct http2 *h)
{
    static const enum close_reason floods[HTTP2_WORK_COUNT] = {
        [HTTP2_WORK_RESETS] = CLOSE_HTTP2_RESETS,
        [HTTP2_WORK_CONTROL] = CLOSE_HTTP2_CONTROL,
        [HTTP2_WORK_FRAMES] = CLOSE_HTTP2_FRAMES,
        [HTTP2_WORK_HEADERS] = CLOSE_HTTP2_HEADERS,
    };
    switch (http2_failure(h)) {
    case HTTP2_FAILED_FLOOD:
        return floods[http2_credit_worst(http2_credit(h))];
    case HTTP2_FAILED_MEMORY:
        return CLOSE_HTTP2_MEMORY;
    case HTTP2_FAILED_PROTOCOL:
    case HTTP2_OPEN:
        break;
    }
    return CLOSE_HTTP2_PROTOCOL;
}

/* With the last that there is to say: why. */
static void close_with(struct client_http2 *s, enum close_reason reason, const char *detail)
{
    struct conn *c = s->conn;
    ignore_result(
        http2_send(s->link.http2, &c->client.out, STREAM_OUT_SOFT + 2 * 16384, conn_now_ms(c)));
    conn_close(c, reason, detail);
}

static void failed(struct client_http2 *s)
{
    close_with(s, reason_of(s->link.http2), http2_text(s->link.http2));
}

/* False if there was nothing, or the connection has ended. */
static bool receive(struct client_http2 *s)
{
    struct stream *client = s->link.stream;
    bool moved = false;
    while (stream_room(client)) {
        struct bytes in = buf_bytes(&client->in);
        if (!in.n && stream_refill(client))
            continue;
        if (!in.n)
            return moved;
        int result = http2_receive(s->link.http2, in, conn_now_ms(s->conn));
        buf_consume(&client->in, in.n);
        if (result < 0) {
            failed(s);
            return false;
        }
        moved = true;
    }
    return moved;
}

static bool run_ready(struct client_http2 *s)
{
    bool moved = false;
    while (!list_is_empty(&s->ready) && s->conn->state == CONN_STREAMS) {
        struct request *r = container_of(s->ready.next, struct request, ready);
        list_remove(&r->ready);
        exchange_run(&r->exchange);
        moved = true;
    }
    return moved;
}

/* False if nothing was sent since the last time, or the connection has ended. */
static bool write_out(struct client_http2 *s)
{
    struct stream *client = s->link.stream;
    size_t limit = buf_size(&client->out) + stream_room(client);
    if (http2_send(s->link.http2, &client->out, limit, conn_now_ms(s->conn)) < 0) {
        failed(s);
        return false;
    }
    stream_flush(client);
    if (client->sent == s->sent)
        return false;
    s->sent = client->sent;
    on_room(s, NULL);
    return true;
}

static void free_gone(struct client_http2 *s)
{
    LIST_FOREACH_SAFE (link, &s->gone)
        request_free(container_of(link, struct request, link));
}

static void head_late(struct timer *t)
{
    struct client_http2 *s = container_of(t, struct client_http2, head_timer);
    http2_end(s->link.http2, HTTP2_ENHANCE_YOUR_CALM);
    close_with(s, CLOSE_HEADER_TIMEOUT, "");
    conn_wake(&s->conn->exchange);
}

/* A head must be complete in time, whatever else goes on. */
static void watch_head(struct client_http2 *s)
{
    struct conn *c = s->conn;
    if (!http2_is_in_head(s->link.http2))
        loop_timer_stop(c->proxy->loop, &s->head_timer);
    else if (!s->head_timer.slot)
        conn_arm(c, &s->head_timer, timeouts(c)->header, head_late);
}

/* The client is gone, or all is done that there was to do? */
static void settle(struct client_http2 *s)
{
    struct conn *c = s->conn;
    struct stream *client = s->link.stream;
    bool is_read = !buf_size(&client->in);
    if (client->state == STREAM_FAILED || client->write_failed)
        conn_client_failed(c);
    else if (client->state == STREAM_TRUNCATED && is_read && s->requests_n)
        conn_reset(c, CLOSE_CLIENT_TRUNCATED, "");
    else if (client->state != STREAM_OPEN && is_read)
        conn_close(c, CLOSE_CLIENT_DONE, "");
    else if (!s->requests_n && s->has_ended)
        close_with(s, CLOSE_DRAINED, "");
    else if (!s->requests_n && http2_is_over(s->link.http2))
        conn_close(c, CLOSE_CLIENT_DONE, "");
    else
        watch_head(s);
}

void client_http2_run(struct conn *c)
{
    struct client_http2 *s = c->http2;
    bool moved;
    do {
        moved = receive(s);
        if (c->state == CONN_STREAMS)
            moved |= run_ready(s);
        if (c->state == CONN_STREAMS)
            moved |= write_out(s);
    } while (c->state == CONN_STREAMS && (moved || shed(s)));
    if (c->state == CONN_STREAMS)
        settle(s);
    if (c->state == CONN_STREAMS)
        share_memory(s);
    free_gone(s);
}

void client_http2_wake(struct exchange *e)
{
    ready(of(e));
    if (list_is_empty(&e->conn->woken))
        list_append(&e->conn->proxy->woken, &e->conn->woken);
}

bool client_http2_wants_input(const struct conn *c)
{
    return stream_room(&c->client) > 0;
}

void client_http2_late(struct conn *c)
{
    struct client_http2 *s = c->http2;
    if (s->requests_n) {
        conn_progress(c, timeouts(c)->idle);
        return;
    }
    http2_end(s->link.http2, HTTP2_NO_ERROR);
    close_with(s, CLOSE_IDLE_TIMEOUT, "");
}

bool client_http2_is_busy(const struct client_http2 *s)
{
    return s->requests_n || http2_is_in_head(s->link.http2);
}

bool client_http2_holds_much(const struct client_http2 *s)
{
    return held(s) > STREAM_OUT_SOFT;
}

/* RFC 9113 §6.8: whatever is on its way is told to be none that was looked at, and can be sent
 * again. */
void client_http2_crowd_out(struct conn *c)
{
    http2_end(c->http2->link.http2, HTTP2_NO_ERROR);
    close_with(c->http2, CLOSE_CROWDED_OUT, "");
}

static void end_late(struct timer *t)
{
    struct client_http2 *s = container_of(t, struct client_http2, end_timer);
    say_last(s);
    conn_wake(&s->conn->exchange);
}

/* RFC 9113 §6.8: first that there will be an end, so that no request is lost which is on its way;
 * then, when the client has read that, where the end was. */
void client_http2_drain(struct conn *c)
{
    struct client_http2 *s = c->http2;
    if (s->is_ending)
        return;
    s->is_ending = true;
    http2_announce_end(s->link.http2);
    conn_arm(c, &s->end_timer, LAST_REQUESTS_MS, end_late);
}

void client_http2_conclude(struct conn *c)
{
    struct client_http2 *s = c->http2;
    LIST_FOREACH_SAFE (link, &s->requests) {
        struct request *r = container_of(link, struct request, link);
        loop_timer_stop(c->proxy->loop, &r->timer);
        r->party.is_gone = true;
        if (is_under_way(&r->exchange))
            abandon(r, c->reason, c->detail);
    }
    loop_timer_stop(c->proxy->loop, &s->end_timer);
    loop_timer_stop(c->proxy->loop, &s->head_timer);
}

bool client_http2_is_at_fault(const struct client_http2 *s)
{
    return http2_failure(s->link.http2) != HTTP2_OPEN;
}

struct client_http2 *client_http2_new(struct conn *c)
{
    struct client_http2 *s = mem_alloc(sizeof(*s));
    s->conn = c;
    s->link.stream = &c->client;
    s->link.http2 = http2_new(HTTP2_SERVER, &handler, s, conn_now_ms(c));
    list_init(&s->requests);
    list_init(&s->ready);
    list_init(&s->gone);
    s->allowance = left(s);
    return s;
}

void client_http2_free(struct client_http2 **sp)
{
    struct client_http2 *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    LIST_FOREACH_SAFE (link, &s->requests)
        request_free(container_of(link, struct request, link));
    free_gone(s);
    http2_free(&s->link.http2);
    free(s);
}
