/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace — that a body moves on: whoever is waited for, the client or the target, must send or take
 * something in each span of timeouts.body, and as much as timeouts.body_rate (response_rate: what a
 * target sends) says, or a byte now and then would hold a connection for ever.
 *
 * Each of the two ends of a transfer has a clock that runs only while it is waited for, so that
 * nobody pays for the other's slowness. Time: that of the loop. Part of struct conn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct exchange;

enum pace_party {
    PACE_NOBODY,
    PACE_ANSWER,       /* the target, for the head of its response: timeouts.response, at once */
    PACE_CLIENT_SENDS, /* the request's body */
    PACE_TARGET_TAKES,
    PACE_TARGET_SENDS, /* the response's body */
    PACE_CLIENT_TAKES, /* or the end of it, when the exchange is over */
    PACE_PARTY_COUNT
};

struct pace_clock {
    uint64_t mark;      /* bytes that the party had sent or taken when its span began */
    uint32_t waited_ms; /* of its span, so far */
    bool has_begun;
};

struct pace {
    enum pace_party party; /* that is waited for */
    uint64_t since_ms;
    struct pace_clock clocks[2]; /* of who sends, of who takes */
};

/* It is PARTY that E waits for: E's timer is set to the end of its span. Nothing changes if it is
 * the same as before. */
void pace_watch(struct exchange *e, enum pace_party party);
/* The timer has fired. True if the party has done enough; its next span has begun. */
bool pace_is_kept(struct exchange *e) MUST_USE;
