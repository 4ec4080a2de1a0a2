/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer — one body on its way from one stream to another: decoded, and framed anew.
 */
#pragma once

#include "balance/stream.h"
#include "proto/http1.h"

enum transfer_state { TRANSFER_DATA, TRANSFER_TRAILERS, TRANSFER_COMPLETE };

enum transfer_status {
    TRANSFER_WAITS,  /* for more input, or for room */
    TRANSFER_ENDED,  /* complete */
    TRANSFER_CUT,    /* the sender ended in the middle */
    TRANSFER_REFUSED /* bad framing: see fault */
};

struct transfer {
    struct http1_body body;
    bool is_chunked; /* towards the receiver */
    enum transfer_state state;
    enum http1_fault fault;
    uint64_t bytes;     /* of content, so far */
    uint64_t bytes_max; /* more is refused; 0: no matter how many */
};

/* IS_CHUNKED: the receiver gets the chunked coding; else the bare content. */
void transfer_init(struct transfer *t, const struct http1_head *head, bool is_chunked);

/* Before anything was moved: more than BYTES_MAX of content are a fault (0: no matter how many). 0,
 * or -fault if it is known already that there are more. */
int transfer_limit(struct transfer *t, uint64_t bytes_max) MUST_USE;

/* Move what there is, as far as TO has room. Trailer fields go along in the chunked coding, but for
 * reserved names (proxy/headers.h) and hop-by-hop ones. MOVED tells whether anything did. */
enum transfer_status transfer_run(
    struct transfer *t, struct stream *from, struct stream *to, bool *moved);
