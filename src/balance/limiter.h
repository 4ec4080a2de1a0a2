/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter — how many of something are under way, or happen in a second, in all workers together:
 * what limits are checked against. In memory that the workers share, without locks.
 *
 * What is counted has a key: of a listener, or of a source at a listener. Each worker counts what
 * it has under way in a place of its own, where the others read it, so that a worker that dies
 * leaves nothing behind: its successor clears the place. Rates are one number per key, the time up
 * to which what was let through is spread (GCRA), moved on by whoever comes.
 *
 * Bounded: LIMITER_SLOTS keys at a time; one that finds no place is let through uncounted. The
 * memory can be written by every worker: what stands there are numbers, and nothing but admission
 * hangs on them. Clock: CLOCK_MONOTONIC, which processes have in common.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

#define LIMITER_SLOTS       65536
#define LIMITER_WORKERS_MAX 256
#define LIMITER_NO_SLOT     UINT32_MAX

struct limiter;

/* The memory of a new one; the descriptor is the caller's. -1 with ERR. */
int limiter_new(int *fd, struct error *err) MUST_USE;
/* As WORKER, of which a predecessor may have died. FD stays the caller's. NULL with ERR. */
struct limiter *limiter_open(int fd, unsigned worker, struct error *err) MUST_USE;
/* What is still under way is not any more. NULL is fine. */
void limiter_close(struct limiter **l);

/* The key of WHAT (a kind of limit), NAME, and SOURCE (16 octets, IPv4 as v4-mapped; NULL: of all
 * together). Of IPv6 the first 64 bits count: nobody has less. */
uint64_t limiter_key(
    const struct limiter *l, unsigned what, struct bytes name, const uint8_t source[16]);

/* One more is under way, unless there are MAX already: then false. *SLOT is for limiter_give. */
bool limiter_take(
    struct limiter *l, uint64_t key, uint32_t max, uint64_t now_us, uint32_t *slot) MUST_USE;
/* It has ended. LIMITER_NO_SLOT is fine. */
void limiter_give(struct limiter *l, uint32_t slot);
/* One more happens: false if that is more than PER_SECOND, with as many at once at most. */
bool limiter_pass(struct limiter *l, uint64_t key, uint32_t per_second, uint64_t now_us) MUST_USE;
