/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include "base/ban.h"

#define STEP_BITS 5u
_Static_assert(HISTOGRAM_STEPS == 1u << STEP_BITS, "a power of two");

/* The power of two of VALUE, counted from that of HISTOGRAM_STEPS; 0 for all smaller ones. */
static unsigned octave_of(uint64_t value)
{
    return value < HISTOGRAM_STEPS ? 0 : 64u - (unsigned)__builtin_clzll(value) - STEP_BITS;
}

static unsigned bucket_of(uint64_t value)
{
    unsigned octave = octave_of(value);
    if (octave == 0)
        return (unsigned)value;
    return octave * HISTOGRAM_STEPS + ((value >> (octave - 1)) & (HISTOGRAM_STEPS - 1));
}

/* The highest value that belongs to BUCKET. */
static uint64_t bucket_end(unsigned bucket)
{
    unsigned octave = bucket / HISTOGRAM_STEPS;
    uint64_t step = bucket % HISTOGRAM_STEPS;
    if (octave == 0)
        return step;
    return ((HISTOGRAM_STEPS + step + 1) << (octave - 1)) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->count++;
    h->buckets[bucket_of(value)]++;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned per_mille)
{
    uint64_t wanted = (h->count * per_mille + 999) / 1000, seen = 0;
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        seen += h->buckets[b];
        if (seen >= wanted && seen > 0)
            return bucket_end(b);
    }
    return 0;
}
