/* SPDX-License-Identifier: Apache-2.0 */
/* party_http1 — a party that speaks HTTP/1.1 on a stream of its own. */
#pragma once

#include "balance/stream.h"
#include "proxy/party.h"

struct party_http1 {
    struct party party;
    struct stream *stream;
    struct http1_body body; /* of what it sends */
    size_t shown;           /* bytes of stream->in behind the item that was shown last */
    bool is_chunked;        /* what it is sent; else the bare content */
    bool is_in_trailers;    /* likewise */
};

void party_http1_init(struct party_http1 *p, struct stream *stream);
/* The message with HEAD comes: its body is what is taken from now on. */
void party_http1_receive(struct party_http1 *p, const struct http1_head *head);
/* A head was written: what follows is in the chunked coding, or is the bare content. */
void party_http1_send(struct party_http1 *p, bool is_chunked);
