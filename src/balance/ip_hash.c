/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip_hash — a client's address always leads to the same target: weighted rendezvous hashing.
 *
 * Each target draws a number for the client, and the highest wins. A draw depends on nothing but
 * target and client, so a target that comes takes its share from all the others and one that goes
 * leaves it to them, and nobody else moves; workers and instances agree without talking.
 */
#include <math.h>

#include "balance/scheduler.h"
#include "base/scatter.h"

#include "base/ban.h"

/* The largest of W numbers drawn evenly from (0, 1) is distributed as u^(1/w): a target draws as
 * often as its weight says. Of its logarithm, which is negative, the nearest to 0 is the highest.
 */
static double draw(const struct candidate *c, uint64_t client)
{
    uint64_t h = scatter_mix(c->name ^ client);
    double u = ((double)(h >> 11) + 0.5) * 0x1p-53;
    return log(u) / c->weight;
}

size_t ip_hash_pick(struct scheduler *s, struct candidate *candidates, uint64_t client)
{
    size_t highest = SCHEDULER_NONE;
    double best = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!candidates[i].weight)
            continue;
        double drawn = draw(&candidates[i], client);
        if (highest == SCHEDULER_NONE || drawn > best) {
            highest = i;
            best = drawn;
        }
    }
    return highest;
}
