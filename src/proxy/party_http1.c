/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/party_http1.h"

#include "base/memory.h"
#include "proto/http1_write.h"

#include "base/ban.h"

static struct party_http1 *of(struct party *p)
{
    return container_of(p, struct party_http1, party);
}

/* ---- what it sends
 * --------------------------------------------------------------------------------------------- */

static bool is_content_next(const struct http1_body *b)
{
    return b->state == HTTP1_BODY_DATA || b->state == HTTP1_CHUNK_DATA;
}

/* One item of the body. > 0: its bytes; 0: nothing can be done now; < 0: fault. Content goes as far
 * as there is room; a line of the chunked coding must be seen whole, and is small beside the room
 * behind the soft maximum. */
static ssize_t parse(struct party_http1 *h, size_t room, struct http1_body_item *item)
{
    struct bytes in = buf_bytes(&h->stream->in);
    if (!in.n || !room)
        return 0;
    if (is_content_next(&h->body))
        in = bytes_first(in, room);
    return http1_body_next(&h->body, in, item);
}

/* Nothing more can be had. */
static enum party_event starved(struct party_http1 *h, size_t room)
{
    if (h->stream->state == STREAM_OPEN || room == 0)
        return PARTY_WAITS;
    if (h->stream->state != STREAM_EOF || http1_body_eof(&h->body) < 0)
        return PARTY_CUT;
    return PARTY_END;
}

static enum party_event next(struct party *p, size_t room, struct party_item *out)
{
    struct party_http1 *h = of(p);
    struct http1_body_item item;
    while (!http1_body_is_done(&h->body)) {
        ssize_t n = parse(h, room, &item);
        if (n < 0) {
            out->fault = (enum http1_fault) - n;
            return PARTY_BAD;
        }
        if (n == 0 && stream_refill(h->stream))
            continue;
        if (n == 0)
            return starved(h, room);
        h->shown = (size_t)n;
        out->content = item.data;
        out->trailer = item.trailer;
        if (item.event == HTTP1_EVENT_TRAILER)
            return PARTY_TRAILER;
        if (item.data.n)
            return PARTY_CONTENT;
        p->ops->taken(p); /* a line of the coding */
    }
    return PARTY_END;
}

static void taken(struct party *p)
{
    struct party_http1 *h = of(p);
    buf_consume(&h->stream->in, h->shown);
    h->shown = 0;
}

static bool is_whole(struct party *p)
{
    return http1_body_is_done(&of(p)->body);
}

/* ---- what it is sent
 * --------------------------------------------------------------------------------------------- */

static size_t room(struct party *p)
{
    return stream_room(of(p)->stream);
}

static void content(struct party *p, struct bytes data)
{
    struct party_http1 *h = of(p);
    if (h->is_chunked)
        ignore_result(http1_write_chunk_begin(&h->stream->out, data.n));
    stream_write(h->stream, data);
    if (h->is_chunked)
        ignore_result(http1_write_chunk_end(&h->stream->out));
}

static void begin_trailers(struct party_http1 *h)
{
    if (h->is_chunked && !h->is_in_trailers)
        ignore_result(http1_write_last_chunk(&h->stream->out));
    h->is_in_trailers = true;
}

static void trailer(struct party *p, const struct http1_field *field)
{
    struct party_http1 *h = of(p);
    begin_trailers(h);
    if (h->is_chunked)
        ignore_result(http1_write_field(&h->stream->out, field->name, field->value));
}

static void end(struct party *p)
{
    struct party_http1 *h = of(p);
    begin_trailers(h);
    if (h->is_chunked)
        ignore_result(http1_write_end(&h->stream->out));
}

static uint64_t received(struct party *p)
{
    return of(p)->stream->received;
}

static uint64_t accepted(struct party *p)
{
    return stream_taken(of(p)->stream);
}

static const struct party_ops ops = {
    .next = next,
    .taken = taken,
    .is_whole = is_whole,
    .room = room,
    .content = content,
    .trailer = trailer,
    .end = end,
    .received = received,
    .accepted = accepted,
};

void party_http1_init(struct party_http1 *p, struct stream *stream)
{
    *p = (struct party_http1){.party = {&ops}, .stream = stream};
}

void party_http1_receive(struct party_http1 *p, const struct http1_head *head)
{
    http1_body_init(&p->body, head);
    p->shown = 0;
}

void party_http1_send(struct party_http1 *p, bool is_chunked)
{
    p->is_chunked = is_chunked;
    p->is_in_trailers = false;
}
