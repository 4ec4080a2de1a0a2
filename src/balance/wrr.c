/* SPDX-License-Identifier: Apache-2.0 */
/* wrr — smooth weighted round robin: in any run of sum(weights) picks each target is picked as
 * often as its weight says, spread as evenly as possible. */
#include "balance/scheduler.h"

#include "base/ban.h"

/* Each turn every candidate earns its weight; the richest is picked and pays what all have earned
 * together. Who may not be chosen neither earns nor pays: it comes back with what it had, which is
 * less than one round, and has nothing to make up for. */
size_t wrr_pick(struct scheduler *s, struct candidate *candidates, uint64_t client)
{
    size_t richest = SCHEDULER_NONE;
    int64_t total = 0;
    for (size_t i = 0; i < s->n; i++) {
        unsigned weight = candidates[i].weight;
        if (weight == 0)
            continue;
        total += weight;
        s->credits[i] += weight;
        if (richest == SCHEDULER_NONE || s->credits[i] > s->credits[richest])
            richest = i;
    }
    if (richest != SCHEDULER_NONE)
        s->credits[richest] -= total;
    return richest;
}
