/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/transfer.h"

#include "base/memory.h"
#include "proto/http1_write.h"
#include "proxy/headers.h"

#include "base/ban.h"

void transfer_init(struct transfer *t, const struct http1_head *head, bool is_chunked)
{
    *t = (struct transfer){.is_chunked = is_chunked};
    http1_body_init(&t->body, head);
}

static bool is_too_much(const struct transfer *t, uint64_t more)
{
    return t->bytes_max && more > t->bytes_max - t->bytes;
}

int transfer_limit(struct transfer *t, uint64_t bytes_max)
{
    t->bytes_max = bytes_max;
    return t->body.framing == HTTP1_BODY_LENGTH && is_too_much(t, t->body.left)
               ? -HTTP1_CONTENT_TOO_LARGE
               : 0;
}

static void forward_data(struct transfer *t, struct stream *to, struct bytes data)
{
    if (!data.n)
        return;
    t->bytes += data.n;
    if (t->is_chunked)
        ignore_result(http1_write_chunk_begin(&to->out, data.n));
    stream_write(to, data);
    if (t->is_chunked)
        ignore_result(http1_write_chunk_end(&to->out));
}

static void begin_trailers(struct transfer *t, struct stream *to)
{
    if (t->state != TRANSFER_DATA)
        return;
    t->state = TRANSFER_TRAILERS;
    if (t->is_chunked)
        ignore_result(http1_write_last_chunk(&to->out));
}

static void forward_trailer(struct transfer *t, struct stream *to, const struct http1_field *field)
{
    begin_trailers(t, to);
    if (t->is_chunked && !headers_is_reserved(field->name))
        ignore_result(http1_write_field(&to->out, field->name, field->value));
}

static enum transfer_status complete(struct transfer *t, struct stream *to)
{
    begin_trailers(t, to);
    if (t->is_chunked)
        ignore_result(http1_write_end(&to->out));
    t->state = TRANSFER_COMPLETE;
    return TRANSFER_ENDED;
}

static bool is_content_next(const struct http1_body *b)
{
    return b->state == HTTP1_BODY_DATA || b->state == HTTP1_CHUNK_DATA;
}

/* One item of the body. > 0: bytes of FROM used; 0: nothing can be done now; < 0: fault. Content
 * goes as far as there is room; a line of the chunked coding must be seen whole, and is small
 * beside the room behind the soft maximum. */
static ssize_t step(struct transfer *t, struct stream *from, struct stream *to)
{
    struct http1_body_item item;
    struct bytes in = buf_bytes(&from->in);
    size_t room = stream_room(to);
    if (!in.n || !room)
        return 0;
    if (is_content_next(&t->body))
        in = bytes_first(in, room);
    ssize_t n = http1_body_next(&t->body, in, &item);
    if (n <= 0)
        return n;
    if (item.event == HTTP1_EVENT_DATA && is_too_much(t, item.data.n))
        return -HTTP1_CONTENT_TOO_LARGE;
    if (item.event == HTTP1_EVENT_DATA)
        forward_data(t, to, item.data);
    else if (item.event == HTTP1_EVENT_TRAILER)
        forward_trailer(t, to, &item.trailer);
    buf_consume(&from->in, (size_t)n);
    return n;
}

enum transfer_status transfer_run(
    struct transfer *t, struct stream *from, struct stream *to, bool *moved)
{
    while (t->state != TRANSFER_COMPLETE) {
        if (http1_body_is_done(&t->body)) {
            *moved = true;
            return complete(t, to);
        }
        ssize_t n = step(t, from, to);
        if (n < 0) {
            t->fault = (enum http1_fault) - n;
            return TRANSFER_REFUSED;
        }
        if (n > 0) {
            *moved = true;
            continue;
        }
        if (stream_refill(from))
            continue;
        if (from->state == STREAM_OPEN || stream_room(to) == 0)
            return TRANSFER_WAITS;
        if (from->state != STREAM_EOF || http1_body_eof(&t->body) < 0)
            return TRANSFER_CUT;
    }
    return TRANSFER_ENDED;
}
