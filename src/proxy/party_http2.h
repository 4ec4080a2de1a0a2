/* SPDX-License-Identifier: Apache-2.0 */
/*
 * party_http2 — a party that speaks HTTP/2: one stream of a connection that others share.
 *
 * What came and is not taken yet waits here, at most a stream's window; so does what is sent, only
 * as much as the windows of stream and connection and the socket let pass.
 */
#pragma once

#include "balance/stream.h"
#include "proto/http2.h"
#include "proxy/party.h"

/* What the streams of a connection share. */
struct http2_link {
    struct http2 *http2;
    struct stream *stream;
    size_t queued; /* content that waits in all of its streams */
};

struct party_http2 {
    struct party party;
    struct http2_link *link;
    int32_t id;
    struct buf in, in_trailers;
    struct buf out, out_trailers;
    size_t shown;      /* bytes at the start of in, or of in_trailers, that were shown last */
    bool is_in_whole;  /* the peer's message has ended */
    bool is_gone;      /* the stream is closed */
    bool is_out_whole; /* our message has ended */
    bool is_bodyless;  /* our message ended with its head */
    bool wants_room;   /* it was asked for room and had none */
    uint64_t received, accepted;
};

void party_http2_init(struct party_http2 *p, struct http2_link *link, int32_t id);
void party_http2_fini(struct party_http2 *p);

/* What the handler of the connection passes on. */
void party_http2_content(struct party_http2 *p, struct bytes data);
void party_http2_trailers(struct party_http2 *p, const struct http1_head *fields);
struct bytes party_http2_output(struct party_http2 *p, bool *is_end, const struct buf **trailers);
void party_http2_sent(struct party_http2 *p, size_t n);
/* The stream is closed: what waits goes nowhere. */
void party_http2_close(struct party_http2 *p);
/* The stream is closed, and what has come is complete: it is still taken. */
void party_http2_stop(struct party_http2 *p);
/* Content that went to a stream before this one, which came to nothing. */
void party_http2_repeat(struct party_http2 *p, struct bytes data);
/* Nobody will take any more of what the peer sends. */
void party_http2_discard(struct party_http2 *p);

/* Can a head be sent? */
bool party_http2_takes_head(struct party_http2 *p);
/* Bytes that it holds. */
size_t party_http2_held(const struct party_http2 *p);
/* Give back what it does not need of them. */
void party_http2_fit(struct party_http2 *p);
