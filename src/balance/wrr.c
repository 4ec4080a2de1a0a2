/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/wrr.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

void wrr_init(struct wrr *w, const unsigned *weights, size_t n)
{
    *w = (struct wrr){.n = n,
        .weights = mem_calloc(n, sizeof(*w->weights)),
        .credits = mem_calloc(n, sizeof(*w->credits))};
    for (size_t i = 0; i < n; i++)
        w->weights[i] = weights[i];
}

void wrr_fini(struct wrr *w)
{
    free(w->weights);
    free(w->credits);
    *w = (struct wrr){0};
}

void wrr_set_weight(struct wrr *w, size_t i, unsigned weight)
{
    if (!w->weights[i] != !weight)
        for (size_t j = 0; j < w->n; j++)
            w->credits[j] = 0;
    w->weights[i] = weight;
}

/* Each turn every target earns its weight; the richest is picked and pays what all have earned
 * together. */
size_t wrr_pick(struct wrr *w)
{
    size_t richest = WRR_NONE;
    int64_t total = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->weights[i] == 0)
            continue;
        total += w->weights[i];
        w->credits[i] += w->weights[i];
        if (richest == WRR_NONE || w->credits[i] > w->credits[richest])
            richest = i;
    }
    if (richest != WRR_NONE)
        w->credits[richest] -= total;
    return richest;
}
