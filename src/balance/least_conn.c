/* SPDX-License-Identifier: Apache-2.0 */
/* least_conn — weighted least connections: the target with the least under way for its weight; if
 * there are several such, they take turns as their weights say. */
#include "balance/scheduler.h"

#include "base/ban.h"

/* Has A less under way for its weight than B? Loads are numbers of requests: the products fit. */
static bool is_freer(const struct candidate *a, const struct candidate *b)
{
    return a->load * b->weight < b->load * a->weight;
}

size_t least_conn_pick(struct scheduler *s, struct candidate *candidates, uint64_t client)
{
    struct candidate freest = {0};
    for (size_t i = 0; i < s->n; i++)
        if (candidates[i].weight && (!freest.weight || is_freer(&candidates[i], &freest)))
            freest = candidates[i];
    for (size_t i = 0; i < s->n; i++)
        if (is_freer(&freest, &candidates[i]))
            candidates[i].weight = 0;
    return wrr_pick(s, candidates, client);
}
