/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/target_http2.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "proxy/party_http2.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

#define HEADS_MAX 16 /* of one response that wait, interim ones among them */
/* How much content may come before its client takes any. */
#define WINDOW_LEAST 1024 /* whatever else its client holds: REQUEST_MEMORY is for that, too */
#define WINDOW_FIRST 4096

/* One connection. */
struct session {
    struct list link; /* target->shared */
    struct target *target;
    struct upstream *upstream;
    struct http2_link http2; /* its codec once the connection is READY */
    struct list streams;
    size_t streams_n;
    struct list woken; /* whose exchange has something to do */
    bool is_running;
    bool is_closing; /* no new streams */
    bool is_dead;    /* nothing more will come */
    bool is_counted; /* among the group's idle ones */
    uint64_t idle_since_ms, idle_ms;
    struct timer timer; /* streams were woken; or it has been idle */
};

/* A head that came and was not taken yet. */
struct waiting_head {
    struct list link;
    unsigned status;
    enum http1_framing framing;
    uint64_t content_length;
    size_t size; /* of all of it */
    size_t fields_n;
    struct http1_field fields[]; /* whose slices point behind them */
};

/* One exchange. */
struct stream_http2 {
    struct list link;  /* session->streams */
    struct list woken; /* session->woken */
    struct session *session;
    struct exchange *exchange;
    struct party_http2 party;
    struct list heads; /* struct waiting_head */
    size_t heads_n, heads_size;
    size_t window;          /* how much content may come before any was taken */
    bool has_begun;         /* the request was sent */
    bool is_unprocessed;    /* the target said so */
    enum http1_fault fault; /* of what came */
};

static struct stream_http2 *of(struct exchange *e)
{
    return container_of(
        container_of(e->target, struct party_http2, party), struct stream_http2, party);
}

static struct loop *loop_of(const struct session *s)
{
    return s->upstream->stream.loop;
}

static void session_run(struct session *s);
static void session_free(struct session *s);

/* ---- waking
 * ---------------------------------------------------------------------------------------------- */

static void timed_out(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);
    if (s->streams_n)
        session_run(s);
    else
        session_free(s);
}

/* Now, or, if this is a part of something else, as soon as that is done. */
static void wake(struct stream_http2 *st)
{
    struct session *s = st->session;
    if (list_is_empty(&st->woken))
        list_append(&s->woken, &st->woken);
    if (!s->is_running)
        loop_timer_arm(loop_of(s), &s->timer, loop_now_ms(loop_of(s)), timed_out);
}

static void wake_all(struct session *s)
{
    LIST_FOREACH (link, &s->streams)
        wake(container_of(link, struct stream_http2, link));
}

/* ---- what comes from the target
 * ----------------------------------------------------------------------------------- */

static struct bytes put(uint8_t **to, struct bytes text)
{
    struct bytes copy = {*to, text.n};
    if (text.n)
        memcpy(*to, text.at, text.n);
    *to += text.n;
    return copy;
}

/* It is taken when its client has room for it. */
static struct waiting_head *copy_head(const struct http1_head *h)
{
    size_t n = sizeof(struct waiting_head) + h->fields_n * sizeof(h->fields[0]);
    size_t size = n;
    for (size_t i = 0; i < h->fields_n; i++)
        size += h->fields[i].name.n + h->fields[i].value.n;
    struct waiting_head *w = mem_alloc_raw(size);
    uint8_t *to = (uint8_t *)w + n;
    w->status = h->status;
    w->framing = h->framing;
    w->content_length = h->content_length;
    w->size = size;
    w->fields_n = h->fields_n;
    for (size_t i = 0; i < h->fields_n; i++) {
        w->fields[i].name = put(&to, h->fields[i].name);
        w->fields[i].value = put(&to, h->fields[i].value);
    }
    return w;
}

static void show_head(const struct waiting_head *w, struct http1_head *h)
{
    http2_begin_response(h, w->status);
    h->framing = w->framing;
    h->content_length = w->content_length;
    h->fields_n = w->fields_n;
    memcpy(h->fields, w->fields, w->fields_n * sizeof(w->fields[0]));
}

static void drop_head(struct stream_http2 *st)
{
    struct waiting_head *w = container_of(st->heads.next, struct waiting_head, link);
    list_remove(&w->link);
    st->heads_n--;
    st->heads_size -= w->size;
    free(w);
}

static void on_head(void *owner, int32_t id, void *stream, struct http1_head *head, bool is_last)
{
    struct stream_http2 *st = stream;
    if (st->heads_n == HEADS_MAX) {
        http2_reset(st->session->http2.http2, id, HTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    struct waiting_head *w = copy_head(head);
    list_append(&st->heads, &w->link);
    st->heads_n++;
    st->heads_size += w->size;
    wake(st);
}

static void on_malformed(void *owner, int32_t id, void *stream, const char *why)
{
    struct stream_http2 *st = stream;
    if (!st)
        return;
    st->fault = HTTP1_BAD_HTTP2;
    wake(st);
}

static struct bytes on_method(void *stream)
{
    return ((struct stream_http2 *)stream)->exchange->method;
}

/* At first little, before it is known whether there is more content, and whether the client takes
 * it. */
static size_t on_window(void *stream)
{
    struct stream_http2 *st = stream;
    const struct client *c = &st->exchange->client;
    bool has_plenty = !c->allowance || *c->allowance > c->reserve;
    st->window = !c->allowance ? HTTP2_STREAM_WINDOW : has_plenty ? WINDOW_FIRST : WINDOW_LEAST;
    return st->window;
}

static void on_content(void *stream, struct bytes data)
{
    struct stream_http2 *st = stream;
    party_http2_content(&st->party, data);
    wake(st);
}

static void on_trailers(void *stream, const struct http1_head *fields)
{
    struct stream_http2 *st = stream;
    party_http2_trailers(&st->party, fields);
}

static void on_ended(void *stream)
{
    struct stream_http2 *st = stream;
    st->party.is_in_whole = true;
    st->session->upstream->is_reused = true;
    http2_earn(st->session->http2.http2);
    wake(st);
}

static void on_room(void *owner, void *stream)
{
    struct session *s = owner;
    LIST_FOREACH (link, &s->streams) {
        struct stream_http2 *st = container_of(link, struct stream_http2, link);
        if (st == stream || (!stream && st->party.wants_room))
            wake(st);
    }
}

static struct bytes on_output(void *stream, bool *is_end, const struct buf **trailers)
{
    return party_http2_output(&((struct stream_http2 *)stream)->party, is_end, trailers);
}

static void on_sent(void *stream, size_t n)
{
    struct stream_http2 *st = stream;
    party_http2_sent(&st->party, n);
    if (st->party.wants_room)
        wake(st);
}

static void on_finished(void *stream)
{
}

static void on_closed(void *stream, uint32_t code)
{
    struct stream_http2 *st = stream;
    if (st->party.is_in_whole)
        party_http2_stop(&st->party);
    else
        party_http2_close(&st->party);
    st->is_unprocessed = code == HTTP2_REFUSED_STREAM;
    wake(st);
}

/* RFC 9113 §6.8: streams above LAST were not processed, and are closed as refused by nghttp2. */
static void on_goaway(void *owner, int32_t last, uint32_t code)
{
    struct session *s = owner;
    s->is_closing = true;
}

static void on_announced(void *owner)
{
}

static const struct http2_handler handler = {
    .head = on_head,
    .malformed = on_malformed,
    .method = on_method,
    .window = on_window,
    .content = on_content,
    .trailers = on_trailers,
    .ended = on_ended,
    .room = on_room,
    .output = on_output,
    .sent = on_sent,
    .finished = on_finished,
    .closed = on_closed,
    .announced = on_announced,
    .goaway = on_goaway,
};

/* ---- the connection
 * -------------------------------------------------------------------------------------- */

/* Nothing more will come: its exchanges see that, each when it is run. */
static void give_up(struct session *s)
{
    s->is_closing = s->is_dead = true;
    LIST_FOREACH (link, &s->streams) {
        struct stream_http2 *st = container_of(link, struct stream_http2, link);
        if (!st->party.is_in_whole)
            party_http2_close(&st->party);
        wake(st);
    }
}

static void session_send(struct session *s)
{
    struct stream *stream = &s->upstream->stream;
    uint64_t before;
    do {
        before = stream->sent;
        size_t limit = buf_size(&stream->out) + stream_room(stream);
        if (http2_send(s->http2.http2, &stream->out, limit, loop_now_ms(stream->loop)) < 0 &&
            !s->is_closing)
            give_up(s);
        stream_flush(stream);
    } while (stream->sent != before && !stream->write_failed);
    stream_poll(stream, true);
}

static void session_receive(struct session *s)
{
    struct stream *stream = &s->upstream->stream;
    bool is_good = true;
    while (is_good && (buf_size(&stream->in) || stream_refill(stream))) {
        struct bytes in = buf_bytes(&stream->in);
        is_good = !in.n || http2_receive(s->http2.http2, in, loop_now_ms(stream->loop)) == 0;
        buf_consume(&stream->in, in.n);
        if (!in.n && stream->state != STREAM_OPEN)
            break;
    }
    if (!is_good || stream->state != STREAM_OPEN || stream->write_failed)
        give_up(s);
}

static void run_woken(struct session *s)
{
    while (!list_is_empty(&s->woken)) {
        struct stream_http2 *st = container_of(s->woken.next, struct stream_http2, woken);
        list_remove(&st->woken);
        conn_wake(st->exchange);
    }
}

/* Without streams it waits to be used again, or ends. */
static void rest(struct session *s)
{
    struct group_idle *all = s->upstream->group->idle;
    bool is_good = s->upstream->state == UPSTREAM_READY && !s->is_closing &&
                   group_has_address(s->target, &s->upstream->address);
    if (!is_good || (!s->is_counted && all->n >= all->max)) {
        session_free(s);
        return;
    }
    if (!s->is_counted) {
        s->is_counted = true;
        all->n++;
        count_add(&s->target->counts[TARGET_IDLE], 1);
        s->idle_since_ms = loop_now_ms(loop_of(s));
        loop_timer_arm(loop_of(s), &s->timer, s->idle_since_ms + s->idle_ms, timed_out);
    }
}

static void stir(struct session *s)
{
    if (!s->is_counted)
        return;
    s->is_counted = false;
    s->upstream->group->idle->n--;
    count_drop(&s->target->counts[TARGET_IDLE]);
    loop_timer_stop(loop_of(s), &s->timer);
}

static void session_run(struct session *s)
{
    if (s->is_running)
        return;
    s->is_running = true;
    if (s->http2.http2)
        session_receive(s);
    do {
        run_woken(s);
        if (s->http2.http2)
            session_send(s);
    } while (!list_is_empty(&s->woken));
    s->is_running = false;
    if (!s->streams_n)
        rest(s);
}

/* RFC 9113 §3.2: over TLS, HTTP/2 is what ALPN has agreed on. */
static void became_ready(struct session *s)
{
    struct upstream *u = s->upstream;
    if (u->stream.tls && strcmp(tlsconn_facts(u->stream.tls)->alpn, "h2") != 0) {
        u->state = UPSTREAM_FAILED;
        u->fault = UPSTREAM_FAULT_HANDSHAKE;
        snprintf(u->detail, sizeof(u->detail),
            "the target does not speak HTTP/2 (ALPN): leave out http_version, or enable it there");
        s->is_closing = true;
        return;
    }
    s->http2.stream = &u->stream;
    s->http2.http2 = http2_new(HTTP2_CLIENT, &handler, s, loop_now_ms(loop_of(s)));
}

static void changed(void *owner, uint32_t events)
{
    struct session *s = owner;
    bool is_first = !s->http2.http2 && !s->is_closing;
    if (is_first && s->upstream->state == UPSTREAM_READY)
        became_ready(s);
    if (s->upstream->state == UPSTREAM_FAILED)
        s->is_closing = true;
    if (is_first) {
        s->is_running = true; /* all at once, below */
        wake_all(s);
        s->is_running = false;
    }
    session_run(s);
}

static struct session *session_new(
    struct exchange *e, struct target *target, const struct upstream_limits *limits)
{
    struct session *s = mem_alloc(sizeof(*s));
    s->target = target;
    s->idle_ms = limits->idle_ms;
    list_init(&s->streams);
    list_init(&s->woken);
    s->upstream = upstream_open(e->conn->proxy->loop, e->group, target, limits, changed, s);
    upstream_share(s->upstream);
    list_append(&target->shared, &s->link);
    return s;
}

static void session_free(struct session *s)
{
    stir(s);
    list_remove(&s->link);
    loop_timer_stop(loop_of(s), &s->timer);
    if (s->http2.http2 && stream_is_open(&s->upstream->stream)) {
        http2_end(s->http2.http2, HTTP2_NO_ERROR);
        session_send(s);
    }
    http2_free(&s->http2.http2);
    upstream_close(&s->upstream);
    free(s);
}

/* ---- what an exchange asks
 * ------------------------------------------------------------------------------- */

static void begin(struct exchange *e)
{
    struct stream_http2 *st = of(e);
    struct session *s = st->session;
    st->party.is_bodyless = !e->has_body;
    if (!s->is_dead)
        st->party.id = http2_request(s->http2.http2, &e->sent, e->has_body, st);
    st->has_begun = st->party.id > 0;
    st->is_unprocessed = !st->has_begun;
    e->can_repeat = !e->is_repeated;
    if (!st->has_begun) {
        st->party.is_gone = true;
        s->is_closing = true;
        return;
    }
    if (buf_size(&e->kept))
        party_http2_repeat(&st->party, buf_bytes(&e->kept));
    if (e->request.is_complete)
        st->party.party.ops->end(&st->party.party);
}

static void flush(struct exchange *e)
{
    struct session *s = of(e)->session;
    if (s->http2.http2 && !s->is_running)
        session_send(s);
}

static bool is_deaf(struct exchange *e)
{
    return of(e)->party.is_gone;
}

static struct buf *written(struct exchange *e)
{
    return &of(e)->party.out;
}

static enum target_answer head(struct exchange *e, struct http1_head *h, enum http1_fault *fault)
{
    struct stream_http2 *st = of(e);
    if (st->heads_n) {
        show_head(container_of(st->heads.next, struct waiting_head, link), h);
        return TARGET_HEAD;
    }
    *fault = st->fault;
    if (st->fault)
        return TARGET_BAD;
    return st->party.is_gone ? TARGET_ENDED : TARGET_WAITS;
}

static void begin_body(struct exchange *e, const struct http1_head *h)
{
    /* the stream has it */
}

static void take_head(struct exchange *e)
{
    drop_head(of(e));
}

static bool has_answered(struct exchange *e)
{
    return e->is_heard || of(e)->heads_n;
}

/* RFC 9113 §8.7: what was refused, or is above the last stream of a GOAWAY, was not processed: it
 * can be sent again, whatever it is. Else as with HTTP/1.1: what does no harm, where the connection
 * had been good and may just have ended. */
static bool may_repeat(struct exchange *e)
{
    struct stream_http2 *st = of(e);
    bool is_stale = e->is_idempotent && e->upstream->is_reused && st->session->is_closing;
    return e->can_repeat && !has_answered(e) && !buf_size(&st->party.out_trailers) &&
           (st->is_unprocessed || is_stale);
}

static void release(struct exchange *e, enum target_release how)
{
    struct stream_http2 *st = of(e);
    struct session *s = st->session;
    bool is_known = st->has_begun && s->http2.http2;
    /* Also where the connection is given up: what it still sends is not to be asked of this stream.
     */
    if (is_known)
        http2_set_stream(s->http2.http2, st->party.id, NULL);
    if (is_known && !st->party.is_gone) {
        party_http2_close(&st->party);
        http2_reset(s->http2.http2, st->party.id, HTTP2_CANCEL);
    }
    party_http2_discard(&st->party);
    while (st->heads_n)
        drop_head(st);
    party_http2_fini(&st->party);
    list_remove(&st->link);
    list_remove(&st->woken);
    free(st);
    s->streams_n--;
    count_drop(&s->target->counts[TARGET_ACTIVE]);
    e->upstream = NULL;
    e->target = NULL;
    if (s->is_running)
        return;
    if (s->http2.http2)
        session_send(s);
    if (!s->streams_n)
        rest(s);
}

/* Its window says what is wanted: all that it may be, when there is content and the client takes
 * it, and has plenty of memory left. */
static void poll_target(struct exchange *e, bool wants_response)
{
    struct stream_http2 *st = of(e);
    size_t *allowance = e->client.allowance, more = HTTP2_STREAM_WINDOW - st->window;
    bool is_of_use = wants_response && e->response_state == RESPONSE_BODY &&
                     !st->party.is_in_whole && !st->party.is_gone;
    if (!is_of_use || !more || !allowance || *allowance < e->client.reserve + more)
        return;
    *allowance -= more;
    st->window += more;
    http2_widen(st->session->http2.http2, st->party.id, more);
    flush(e);
}

static size_t held(struct exchange *e)
{
    const struct stream_http2 *st = of(e);
    size_t n = sizeof(*st) + party_http2_held(&st->party) + st->heads_size;
    bool may_come = !st->party.is_in_whole && !st->party.is_gone;
    bool is_more = may_come && st->window > st->party.in.capacity;
    return is_more ? n + st->window - st->party.in.capacity : n;
}

static void fit(struct exchange *e)
{
    party_http2_fit(&of(e)->party);
}

static const struct target_ops ops = {
    .begin = begin,
    .flush = flush,
    .is_deaf = is_deaf,
    .written = written,
    .head = head,
    .begin_body = begin_body,
    .take_head = take_head,
    .has_answered = has_answered,
    .may_repeat = may_repeat,
    .release = release,
    .poll = poll_target,
    .held = held,
    .fit = fit,
};

/* ---- choosing a connection
 * ------------------------------------------------------------------------------- */

static bool is_good_for(const struct session *s, uint64_t idle_max_ms)
{
    if (s->is_closing || s->upstream->state == UPSTREAM_FAILED ||
        !address_equal(&s->upstream->address, &s->target->addresses[s->target->turn].address))
        return false;
    if (!s->http2.http2)
        return s->streams_n < HTTP2_STREAMS_MAX;
    bool is_fresh = s->streams_n || loop_now_ms(loop_of(s)) - s->idle_since_ms <= idle_max_ms;
    return is_fresh && s->streams_n < http2_requests_max(s->http2.http2);
}

static struct session *choose(struct target *t, uint64_t idle_max_ms)
{
    LIST_FOREACH (link, &t->shared) {
        struct session *s = container_of(link, struct session, link);
        if (is_good_for(s, idle_max_ms))
            return s;
    }
    return NULL;
}

void target_http2_connect(struct exchange *e, struct target *target,
    const struct upstream_limits *limits, uint64_t idle_max_ms)
{
    struct session *s = choose(target, idle_max_ms);
    if (!s)
        s = session_new(e, target, limits);
    stir(s);
    struct stream_http2 *st = mem_alloc(sizeof(*st));
    st->session = s;
    st->exchange = e;
    list_init(&st->woken);
    list_init(&st->heads);
    party_http2_init(&st->party, &s->http2, 0);
    list_append(&s->streams, &st->link);
    s->streams_n++;
    count_add(&target->counts[TARGET_ACTIVE], 1);
    e->upstream = s->upstream;
    e->target = &st->party.party;
    e->target_ops = &ops;
}

static void close_where(struct group *g, bool only_gone)
{
    for (size_t i = 0; i < g->targets_n; i++)
        LIST_FOREACH_SAFE (link, &g->targets[i].shared) {
            struct session *s = container_of(link, struct session, link);
            if (only_gone && group_has_address(s->target, &s->upstream->address))
                continue;
            s->is_closing = true;
            if (!s->streams_n)
                session_free(s);
        }
}

void target_http2_close_idle(struct group *g)
{
    close_where(g, false);
}

void target_http2_close_gone(struct group *g)
{
    close_where(g, true);
}
