/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring — a queue of log lines in shared memory, from one producer (a worker) to one consumer (the
 * logger). Pushing never blocks and makes no system call unless the consumer sleeps; what does not
 * fit is dropped and counted.
 *
 * Either side may be killed at any point and come back: a record counts only once the producer's
 * position has moved past all of it, and the consumer's position moves only when it says that the
 * records have been written. So a killed producer loses the record that it was about to add, and a
 * killed consumer may write its last batch twice. The consumer believes nothing that it reads: a
 * producer that writes nonsense loses its lines and harms nobody.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

struct ring_memory;

struct ring {
    struct ring_memory *memory;
    int wake_fd;       /* eventfd: readable when the consumer is to look */
    uint64_t position; /* consumer: up to where records have been gathered */
};

#define RING_RECORD_MAX (64u * 1024)

/* The memory and the eventfd of a new ring; both are the caller's. -1 with ERR. */
int ring_new(int *memory_fd, int *wake_fd, struct error *err) MUST_USE;
/* Attach to it; the descriptors become the ring's, also on failure. */
int ring_open(struct ring *r, int memory_fd, int wake_fd, struct error *err) MUST_USE;
void ring_close(struct ring *r);

/* Producer. A line that does not fit, or is empty or longer than RING_RECORD_MAX, is dropped and
 * counted: false. */
bool ring_push(struct ring *r, struct bytes line);

/* Consumer. Append records to OUT while they fit; true if there was at least one. */
bool ring_gather(struct ring *r, struct buf *out);
/* What was gathered has been dealt with: its room is the producer's again. */
void ring_release(struct ring *r);
/* How many lines the producer dropped since this was last asked. */
uint64_t ring_dropped(struct ring *r);
/* About to wait for wake_fd. False: there is something to gather, do not wait. */
bool ring_sleep(struct ring *r) MUST_USE;
/* wake_fd became readable. */
void ring_awake(struct ring *r);
