/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrr — smooth weighted round robin: in any run of sum(weights) picks each target is picked as
 * often as its weight says, spread as evenly as possible. One per target group and worker.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WRR_NONE SIZE_MAX

struct wrr {
    size_t n;
    unsigned *weights;
    int64_t *credits;
};

void wrr_init(struct wrr *w, const unsigned *weights, size_t n);
void wrr_fini(struct wrr *w);

/* A weight that was 0 or becomes it begins a new round, so that nobody has to make up for the time
 * before. */
void wrr_set_weight(struct wrr *w, size_t i, unsigned weight);

/* The next index, or WRR_NONE if every weight is 0. */
size_t wrr_pick(struct wrr *w);
