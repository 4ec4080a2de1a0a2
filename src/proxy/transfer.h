/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer — one body on its way from one party to another: decoded there, framed anew here.
 */
#pragma once

#include "proxy/party.h"

enum transfer_status {
    TRANSFER_WAITS,  /* for more input, or for room */
    TRANSFER_ENDED,  /* complete */
    TRANSFER_CUT,    /* the sender ended in the middle */
    TRANSFER_REFUSED /* bad framing: see fault */
};

struct transfer {
    bool is_complete;
    enum http1_fault fault;
    uint64_t bytes;     /* of content, so far */
    uint64_t bytes_max; /* more is refused; 0: no matter how many */
};

/* Before anything was moved of the message with HEAD: more than BYTES_MAX of content are a fault
 * (0: no matter how many). 0, or -fault if it is known already that there are more. */
int transfer_limit(struct transfer *t, const struct http1_head *head, uint64_t bytes_max) MUST_USE;

/* Move what there is, as far as TO has room. Trailer fields go along, but for reserved names
 * (proxy/headers.h) and where TO has no place for any. MOVED tells whether anything did. */
enum transfer_status transfer_run(
    struct transfer *t, struct party *from, struct party *to, bool *moved);
