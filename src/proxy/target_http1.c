/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/target_http1.h"

#include "proxy/proxy_parts.h"

#include "base/ban.h"

static struct stream *stream_of(struct exchange *e)
{
    return &e->upstream->stream;
}

static void begin(struct exchange *e)
{
    stream_send(stream_of(e), buf_bytes(&e->sent));
    stream_send(stream_of(e), buf_bytes(&e->kept));
    e->http1.stream = stream_of(e);
    e->http1.stream->out_soft = e->client.ahead;
    e->http1.stream->allowance = e->client.allowance;
    e->can_repeat = e->is_idempotent && e->upstream->is_reused && !e->is_repeated;
}

static void flush(struct exchange *e)
{
    stream_flush(stream_of(e));
}

static bool is_deaf(struct exchange *e)
{
    return stream_of(e)->write_failed;
}

static struct buf *written(struct exchange *e)
{
    return &stream_of(e)->out;
}

static enum target_answer head(struct exchange *e, struct http1_head *h, enum http1_fault *fault)
{
    struct stream *s = stream_of(e);
    for (;;) {
        ssize_t n = http1_parse_response(buf_bytes(&s->in), &e->scanned, e->method, h);
        if (n < 0)
            *fault = (enum http1_fault) - n;
        if (n < 0)
            return TARGET_BAD;
        e->head_n = (size_t)n;
        if (n > 0)
            return TARGET_HEAD;
        if (stream_refill(s))
            continue;
        return s->state == STREAM_OPEN ? TARGET_WAITS : TARGET_ENDED;
    }
}

static void begin_body(struct exchange *e, const struct http1_head *h)
{
    party_http1_receive(&e->http1, h);
}

static void take_head(struct exchange *e)
{
    buf_consume(&stream_of(e)->in, e->head_n);
    e->scanned = 0;
}

static bool has_answered(struct exchange *e)
{
    return e->is_heard || buf_size(&stream_of(e)->in);
}

/* RFC 9110 §9.2.2: a request is repeated only if that cannot do harm, and only where the connection
 * had been idle, and may just have been closed by then: see begin. */
static bool may_repeat(struct exchange *e)
{
    return e->can_repeat && !has_answered(e);
}

static void release(struct exchange *e, enum target_release how)
{
    stream_of(e)->allowance = NULL;
    switch (how) {
    case TARGET_KEEP:
        upstream_keep(&e->upstream);
        break;
    case TARGET_CLOSE:
        upstream_close(&e->upstream);
        break;
    case TARGET_RESET:
        upstream_reset(&e->upstream);
        break;
    }
}

static void poll_target(struct exchange *e, bool wants_response)
{
    if (e->upstream->state == UPSTREAM_READY)
        stream_poll(stream_of(e), wants_response);
}

static size_t held(struct exchange *e)
{
    return sizeof(*e->upstream) + stream_held(stream_of(e));
}

static void fit(struct exchange *e)
{
    stream_fit(stream_of(e));
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

static void changed(void *owner, uint32_t events)
{
    conn_wake(owner);
}

void target_http1_connect(struct exchange *e, struct target *target,
    const struct upstream_limits *limits, uint64_t idle_max_ms)
{
    struct conn *c = e->conn;
    e->target = &e->http1.party;
    e->target_ops = &ops;
    if (idle_max_ms)
        e->upstream = upstream_reuse(target, idle_max_ms, changed, e);
    if (e->upstream)
        return;
    e->upstream = upstream_open(c->proxy->loop, e->group, target, limits, changed, e);
    struct buf *preface = upstream_preface(e->upstream);
    if (preface && e->group->config->proxy_protocol == PROXY_PROTOCOL_V2)
        proxy_header_write(c, preface);
}
