/* SPDX-License-Identifier: Apache-2.0 */
/*
 * party — one side of an exchange, the client or the target, in whichever version of HTTP it
 * speaks: the body of the message that it sends, taken piece by piece, and of the one that it is
 * sent.
 *
 * Embedded in whatever implements it, which owns the bytes.
 */
#pragma once

#include "proto/http1.h"

struct party;

enum party_event {
    PARTY_CONTENT, /* item.content */
    PARTY_TRAILER, /* item.trailer */
    PARTY_END,     /* all of the message was taken */
    PARTY_WAITS,   /* for more to come, or for room */
    PARTY_CUT,     /* the party ended in the middle */
    PARTY_BAD      /* bad framing: item.fault */
};

struct party_item {
    struct bytes content;
    struct http1_field trailer;
    enum http1_fault fault;
};

struct party_ops {
    /* What comes next, at most ROOM bytes of content. It stays where it is until it is taken. */
    enum party_event (*next)(struct party *p, size_t room, struct party_item *item);
    /* The content or trailer that next has shown has gone where it belongs. */
    void (*taken)(struct party *p);
    /* Has it sent its whole message (which may still have to be taken)? */
    bool (*is_whole)(struct party *p);

    /* How much content it can be given now. */
    size_t (*room)(struct party *p);
    void (*content)(struct party *p, struct bytes data);
    /* Once there is a trailer no content follows. */
    void (*trailer)(struct party *p, const struct http1_field *field);
    void (*end)(struct party *p);

    /* Bytes that have come from it, and that it has taken, so far: by these its pace is measured.
     */
    uint64_t (*received)(struct party *p);
    uint64_t (*accepted)(struct party *p);
};

struct party {
    const struct party_ops *ops;
};
