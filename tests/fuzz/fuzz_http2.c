/* SPDX-License-Identifier: Apache-2.0 */
/* A client of HTTP/2 behind its preface, in pieces: whatever it sends, each request that comes out
 * of it is one request of HTTP/1.1 as well, with the same parts, and memory stays within its
 * bounds. */
#include "base/memory.h"
#include "fuzz.h"
#include "http1_check.h"
#include "proto/http1_write.h"
#include "proto/http2.h"

#include "base/ban.h"

struct peer {
    struct http2 *http2;
    struct buf body;
};

static bool is_text(const struct http1_field *f)
{
    return !bytes_equal_nocase(f->name, BYTES("host")) &&
           !bytes_equal_nocase(f->name, BYTES("content-length")) &&
           !bytes_equal_nocase(f->name, BYTES("expect")) &&
           !bytes_equal_nocase(f->name, BYTES("te"));
}

/* As a target of HTTP/1.1 would be sent it, and would read it. */
static void check_downgrade(const struct http1_head *h)
{
    static struct http1_head again;
    struct buf wire;
    size_t scanned = 0, kept = 0;
    buf_init(&wire, 4 * HTTP1_HEAD_MAX);
    ASSERT(http1_write_request_line(&wire, h->method, h->path_and_query) == 0);
    ASSERT(http1_write_field(&wire, BYTES("Host"), h->authority) == 0);
    for (size_t i = 0; i < h->fields_n; i++)
        if (is_text(&h->fields[i])) {
            ASSERT(http1_write_field(&wire, h->fields[i].name, h->fields[i].value) == 0);
            kept++;
        }
    ASSERT(http1_write_end(&wire) == 0);
    ssize_t n = http1_parse_request(buf_bytes(&wire), &scanned, &again);
    if (n > 0) {
        ASSERT((size_t)n == buf_size(&wire) && again.fields_n == kept + 1);
        ASSERT(bytes_equal(again.method, h->method) && bytes_equal(again.authority, h->authority));
        ASSERT(again.framing == HTTP1_BODY_NONE);
    } else { /* one that is as long as it may be has not room for what was added */
        ASSERT(n == -HTTP1_HEAD_TOO_LARGE || n == -HTTP1_TOO_MANY_FIELDS ||
               n == -HTTP1_START_LINE_TOO_LONG || n == -HTTP1_FIELD_LINE_TOO_LONG);
    }
    buf_fini(&wire);
}

static void on_head(void *owner, int32_t id, void *stream, struct http1_head *head, bool is_last)
{
    struct peer *p = owner;
    struct buf fields;
    check_downgrade(head);
    buf_init(&fields, 1024);
    http2_set_stream(p->http2, id, p);
    ASSERT(http2_write_field(&fields, BYTES(":status"), BYTES("200")) == 0);
    ignore_result(http2_respond(p->http2, id, &fields, id % 4 == 1));
    buf_fini(&fields);
}

static void on_refused(void *owner, int32_t id, const struct http1_head *head, int fault)
{
    ASSERT(fault > 0 && fault < HTTP1_FAULT_COUNT);
}

static void on_malformed(void *owner, int32_t id, void *stream, const char *why)
{
}

static void on_content(void *stream, struct bytes data)
{
    ASSERT(data.n > 0);
}

static void on_trailers(void *stream, const struct http1_head *fields)
{
    for (size_t i = 0; i < fields->fields_n; i++)
        ASSERT(fields->fields[i].name.n > 0 && fields->fields[i].name.at[0] != ':');
}

static void on_stream(void *stream)
{
    ASSERT(stream);
}

static void on_room(void *owner, void *stream)
{
}

static struct bytes on_output(void *stream, bool *is_end, const struct buf **trailers)
{
    struct peer *p = stream;
    *is_end = true;
    *trailers = NULL;
    return buf_bytes(&p->body);
}

static void on_sent(void *stream, size_t n)
{
    struct peer *p = stream;
    buf_consume(&p->body, n);
}

static void on_closed(void *stream, uint32_t code)
{
    ASSERT(stream);
}

static void on_announced(void *owner)
{
}

static const struct http2_handler handler = {
    .head = on_head,
    .refused = on_refused,
    .malformed = on_malformed,
    .content = on_content,
    .trailers = on_trailers,
    .ended = on_stream,
    .room = on_room,
    .output = on_output,
    .sent = on_sent,
    .finished = on_stream,
    .closed = on_closed,
    .announced = on_announced,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct peer p = {0};
    struct buf out;
    if (!n)
        return 0;
    size_t step = (size_t)data[0] + 1;
    struct bytes in = {data + 1, n - 1};
    buf_init(&out, 1 << 20);
    buf_init(&p.body, 4096);
    ASSERT(buf_append(&p.body, BYTES("some content for whoever asks first")) == 0);
    p.http2 = http2_new(HTTP2_SERVER, &handler, &p, 0);
    int result =
        http2_receive(p.http2, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), 0);
    ASSERT(result == 0);
    for (uint64_t now_ms = 0; in.n && result == 0; now_ms++) {
        result = http2_receive(p.http2, bytes_first(in, step), now_ms);
        ignore_result(http2_send(p.http2, &out, 1 << 19, now_ms));
        buf_clear(&out);
        in = bytes_skip(in, step);
        ASSERT(http2_memory(p.http2) < HTTP2_MEMORY_MAX + 8 * HTTP1_HEAD_MAX);
    }
    http2_free(&p.http2);
    buf_fini(&p.body);
    buf_fini(&out);
    return 0;
}
