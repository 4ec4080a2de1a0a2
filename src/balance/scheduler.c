/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/scheduler.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

static const struct scheduler_kind kinds[] = {
    [SCHEDULER_WRR] = {.pick = wrr_pick},
    [SCHEDULER_LEAST_CONN] = {.pick = least_conn_pick, .needs_loads = true},
    [SCHEDULER_IP_HASH] = {.pick = ip_hash_pick},
};

void scheduler_init(struct scheduler *s, enum config_scheduler kind, size_t n)
{
    *s = (struct scheduler){
        .kind = &kinds[kind], .n = n, .credits = mem_calloc(n, sizeof(*s->credits))};
}

void scheduler_fini(struct scheduler *s)
{
    free(s->credits);
    *s = (struct scheduler){0};
}
