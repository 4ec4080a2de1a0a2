/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ratchet — a secret that goes forward by the hour, and never back: what was sealed under it in
 * hours past stays sealed, whoever learns it today (forward secrecy). All who began with the same
 * one have the same in the same hour, however late each looks at the clock. Hours are counted by
 * the monotonic clock, which all processes of a machine share and nobody sets: were it the wall
 * clock's, one that is ahead for a moment would stop the ratchet until that time comes.
 *
 * Memory: a plain value inside its owner, which wipes it.
 */
#pragma once

#include <stdint.h>

#define RATCHET_SIZE     32
#define RATCHET_PERIOD_S 3600
#define RATCHET_LATE_MS  (10 * 60 * 1000) /* who holds one looks at the clock as often as that */

struct ratchet {
    uint8_t at[RATCHET_SIZE];
    int64_t hour; /* of the monotonic clock: that it belongs to */
};

/* Go forward to the hour of NOW_S, and forget what was. A time before R's hour changes nothing. */
void ratchet_advance(struct ratchet *r, int64_t now_s);
