/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_check — what must hold for any bytes that the HTTP/1 codec reads, for the three
 * fuzz_http1_*.c.
 *
 * The first byte of an input says in pieces of how many bytes (1 to 256) the others arrive.
 */
#pragma once

#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/panic.h"
#include "proto/http1.h"
#include "proto/http1_write.h"

typedef ssize_t parse_head_fn(struct bytes in, size_t *scanned, struct http1_head *out);

static inline bool is_inside(struct bytes slice, struct bytes whole)
{
    return slice.n == 0 || (slice.at >= whole.at && slice.at + slice.n <= whole.at + whole.n);
}

static inline bool is_same_head(const struct http1_head *a, const struct http1_head *b)
{
    bool is_same = a->fields_n == b->fields_n && bytes_equal(a->method, b->method) &&
                   bytes_equal(a->target, b->target) && bytes_equal(a->authority, b->authority) &&
                   a->status == b->status && bytes_equal(a->reason, b->reason) &&
                   a->framing == b->framing && a->content_length == b->content_length &&
                   a->keep_alive == b->keep_alive && a->upgrades == b->upgrades &&
                   a->expects_continue == b->expects_continue;
    for (size_t i = 0; is_same && i < a->fields_n; i++)
        is_same = bytes_equal(a->fields[i].name, b->fields[i].name) &&
                  bytes_equal(a->fields[i].value, b->fields[i].value);
    return is_same;
}

/* A head in one piece and in pieces of STEP bytes is the same head, or refused for the same reason.
 */
static inline ssize_t check_head(
    parse_head_fn *parse, struct bytes in, size_t step, struct http1_head *out)
{
    static struct http1_head piecewise;
    size_t scanned = 0;
    ssize_t whole = parse(in, &scanned, out);
    ASSERT(whole <= (ssize_t)in.n && whole > -HTTP1_FAULT_COUNT);
    scanned = 0;
    ssize_t n = 0;
    for (size_t end = step; n == 0; end += step) {
        n = parse(bytes_first(in, end), &scanned, &piecewise);
        if (end >= in.n)
            break;
    }
    ASSERT(n == whole);
    if (n <= 0)
        return n;
    ASSERT(is_same_head(out, &piecewise));
    ASSERT(is_inside(out->method, in) && is_inside(out->target, in) && is_inside(out->reason, in));
    ASSERT(is_inside(out->authority, in));
    for (size_t i = 0; i < out->fields_n; i++) {
        ASSERT(is_inside(out->fields[i].name, in) && is_inside(out->fields[i].value, in));
        ignore_result(http1_is_hop_by_hop(out, out->fields[i].name));
    }
    return n;
}

/* Decode IN and append the content and the trailers, as the writer writes them, to CONTENT and
 * TRAILERS. Bytes used, or -fault. */
static inline ssize_t decode_body(
    struct http1_body *b, struct bytes in, struct buf *content, struct buf *trailers)
{
    size_t used = 0;
    while (!http1_body_is_done(b)) {
        struct http1_body_item item;
        ssize_t n = http1_body_next(b, bytes_skip(in, used), &item);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        used += (size_t)n;
        ASSERT(used <= in.n && is_inside(item.data, in));
        ASSERT(buf_append(content, item.data) == 0);
        if (item.event == HTTP1_EVENT_TRAILER)
            ASSERT(http1_write_field(trailers, item.trailer.name, item.trailer.value) == 0);
    }
    return (ssize_t)used;
}

/* The content as one chunk, with the trailers, is decoded to the same again. */
static inline void check_reencoded(const struct buf *content, const struct buf *trailers)
{
    const size_t max = buf_size(content) + buf_size(trailers) + 64;
    struct buf wire, again, trailers_again;
    buf_init(&wire, max);
    buf_init(&again, max);
    buf_init(&trailers_again, max);
    if (buf_size(content)) {
        ASSERT(http1_write_chunk_begin(&wire, buf_size(content)) == 0);
        ASSERT(buf_append(&wire, buf_bytes(content)) == 0);
        ASSERT(http1_write_chunk_end(&wire) == 0);
    }
    ASSERT(http1_write_last_chunk(&wire) == 0);
    ASSERT(buf_append(&wire, buf_bytes(trailers)) == 0);
    ASSERT(http1_write_end(&wire) == 0);
    struct http1_body body;
    http1_body_init(&body, &(struct http1_head){.framing = HTTP1_BODY_CHUNKED});
    ssize_t n = decode_body(&body, buf_bytes(&wire), &again, &trailers_again);
    ASSERT(n == (ssize_t)buf_size(&wire) && http1_body_is_done(&body));
    ASSERT(bytes_equal(buf_bytes(content), buf_bytes(&again)));
    ASSERT(bytes_equal(buf_bytes(trailers), buf_bytes(&trailers_again)));
    buf_fini(&wire);
    buf_fini(&again);
    buf_fini(&trailers_again);
}

/* A body in one piece and in pieces of STEP bytes is the same body, or refused for the same reason.
 */
static inline void check_body(const struct http1_head *head, struct bytes in, size_t step)
{
    struct buf content[2], trailers[2];
    struct http1_body whole, piecewise;
    for (size_t i = 0; i < 2; i++) {
        buf_init(&content[i], in.n);
        buf_init(&trailers[i], 2 * in.n); /* a space more than "a:b" in each field line */
    }
    http1_body_init(&whole, head);
    ssize_t all = decode_body(&whole, in, &content[0], &trailers[0]);
    http1_body_init(&piecewise, head);
    ssize_t n = 0;
    size_t used = 0;
    for (size_t end = step; n >= 0; end += step) {
        struct bytes piece = bytes_skip(bytes_first(in, end), used);
        n = decode_body(&piecewise, piece, &content[1], &trailers[1]);
        used += n > 0 ? (size_t)n : 0;
        if (end >= in.n)
            break;
    }
    ASSERT(all < 0 ? n == all : used == (size_t)all && whole.state == piecewise.state);
    ASSERT(bytes_equal(buf_bytes(&content[0]), buf_bytes(&content[1])));
    ASSERT(bytes_equal(buf_bytes(&trailers[0]), buf_bytes(&trailers[1])));
    if (all >= 0)
        check_reencoded(&content[0], &trailers[0]);
    for (size_t i = 0; i < 2; i++) {
        buf_fini(&content[i]);
        buf_fini(&trailers[i]);
    }
}

/* What the writers make of HEAD after its start line, which is in WIRE, is the same head again. */
static inline void check_rewritten(
    parse_head_fn *parse, const struct http1_head *head, struct buf *wire)
{
    static struct http1_head again;
    for (size_t i = 0; i < head->fields_n; i++)
        ASSERT(http1_write_field(wire, head->fields[i].name, head->fields[i].value) == 0);
    ASSERT(http1_write_end(wire) == 0);
    size_t scanned = 0;
    ssize_t n = parse(buf_bytes(wire), &scanned, &again);
    /* The space after each colon may be one byte too many for a line, or a head, of the largest
     * size. */
    if (n == -HTTP1_FIELD_LINE_TOO_LONG || n == -HTTP1_HEAD_TOO_LARGE)
        return;
    ASSERT(n == (ssize_t)buf_size(wire) && is_same_head(head, &again));
}
