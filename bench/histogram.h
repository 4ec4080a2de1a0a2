/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram — latencies, counted in buckets whose width is 1/32 of their power of two: a quantile
 * is at most 3 % too high, whatever the range, and adding costs a few instructions.
 *
 * Memory: embedded, nothing is allocated. All zero is empty.
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_STEPS 32u /* buckets of each power of two */
/* Values below HISTOGRAM_STEPS have a bucket each; the powers of two above them, up to 2^63, STEPS.
 */
#define HISTOGRAM_BUCKETS ((64u - 5u + 1u) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* The smallest value that PER_MILLE thousandths of those added do not exceed, rounded up to the end
 * of its bucket; 0 of an empty histogram. */
uint64_t histogram_quantile(const struct histogram *h, unsigned per_mille);
