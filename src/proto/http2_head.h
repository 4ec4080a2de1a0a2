/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_head — the fields of one head or trailer section of HTTP/2 (RFC 9113 §8) while they are
 * decoded, and the message that they make: in the same form as one of HTTP/1.1, so that whatever
 * looks at messages knows only one.
 *
 * Pure. The limits are those of HTTP/1.1 (proto/http1.h); the crumbs of a cookie (RFC 9113 §8.2.3)
 * count as one field, for they are joined.
 */
#pragma once

#include "base/buf.h"
#include "proto/http1.h"

#define HTTP2_DECODED_MAX (2 * HTTP1_HEAD_MAX) /* of one section; who sends more means harm */

enum http2_pseudo {
    HTTP2_PSEUDO_METHOD,
    HTTP2_PSEUDO_SCHEME,
    HTTP2_PSEUDO_AUTHORITY,
    HTTP2_PSEUDO_PATH,
    HTTP2_PSEUDO_STATUS,
    HTTP2_PSEUDO_COUNT
};

struct http2_span {
    uint32_t at, n; /* in http2_block.bytes */
    bool is_there;
};

struct http2_block {
    struct buf bytes;
    struct http2_span pseudo[HTTP2_PSEUDO_COUNT];
    struct http2_span names[HTTP1_FIELDS_MAX], values[HTTP1_FIELDS_MAX];
    size_t n;
    struct buf cookie;      /* the crumbs, joined */
    size_t decoded;         /* bytes of names and values, also of those that were not kept */
    enum http1_fault fault; /* the first; nothing more is kept then */
    bool is_dropped;        /* nothing of it is kept */
};

void http2_block_init(struct http2_block *b);
void http2_block_fini(struct http2_block *b);
/* Empty, for another section; it keeps its storage. */
void http2_block_clear(struct http2_block *b);
/* Forget what there is of the section, give its storage back, and keep no more of it. */
void http2_block_drop(struct http2_block *b);
/* One field line, decoded. -1 if the section is so large that it is not worth reading on. */
int http2_block_add(struct http2_block *b, struct bytes name, struct bytes value) MUST_USE;

/* What B says: slices of OUT point into B, which must not change then. IS_LAST: no body follows. 0
 * or -fault. */
int http2_read_request(struct http2_block *b, bool is_last, struct http1_head *out) MUST_USE;
/* REQUEST_METHOD decides whether there is a body. */
int http2_read_response(struct http2_block *b, bool is_last, struct bytes request_method,
    struct http1_head *out) MUST_USE;
/* A trailer section: the fields of OUT and nothing else. */
int http2_read_trailers(struct http2_block *b, struct http1_head *out) MUST_USE;
