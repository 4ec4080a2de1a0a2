/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler — which target of a group gets new work. One small interface, one file for each:
 *
 *   wrr         in turn, as often as the weights say
 *   least_conn  where the least is under way, measured by the weights; ties as wrr
 *   ip_hash     always the same for the same client's address, as long as it can be had
 *
 * Whoever asks has already decided who may be chosen at all (group.c): the others have weight 0.
 * One scheduler per group and worker; clock: none.
 */
#pragma once

#include "base/bytes.h"
#include "config/config.h"

#define SCHEDULER_NONE SIZE_MAX

/* A target, as far as a scheduler is concerned. */
struct candidate {
    unsigned weight; /* 0: not to be chosen now */
    uint64_t load;   /* requests and relays under way there, of all workers */
    uint64_t name;   /* a hash of its name, the same in all processes, generations and instances */
};

struct scheduler {
    const struct scheduler_kind *kind;
    size_t n;
    int64_t *credits; /* one per candidate (wrr.c) */
};

/* Choose among the N candidates for a client (the hash of its address); SCHEDULER_NONE if every
 * weight is 0. What stands in CANDIDATES afterwards is of no more use. */
typedef size_t scheduler_pick_fn(
    struct scheduler *s, struct candidate *candidates, uint64_t client);

struct scheduler_kind {
    scheduler_pick_fn *pick;
    bool needs_loads; /* looks at the candidates' load */
};

void scheduler_init(struct scheduler *s, enum config_scheduler kind, size_t n);
void scheduler_fini(struct scheduler *s);

static inline size_t scheduler_pick(
    struct scheduler *s, struct candidate *candidates, uint64_t client)
{
    return s->kind->pick(s, candidates, client);
}

/* The files behind it. */
scheduler_pick_fn wrr_pick, least_conn_pick, ip_hash_pick;
