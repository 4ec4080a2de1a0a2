/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_table — which targets are healthy, in memory that one process writes (control) and others
 * read (workers): a look at it costs no system call, and what control last wrote stays when it
 * dies.
 *
 * A target is known by its label (group_label). The memory is made by the supervisor and outlives
 * everybody else. Whoever reads believes nothing but what it finds under a label: a state.
 */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "config/config.h"

enum health_state {
    HEALTH_WAITING, /* not checked yet, or not known */
    HEALTH_HEALTHY,
    HEALTH_UNHEALTHY,
};

struct health_table;

/* New memory; the descriptor is the caller's. -1 with ERR. */
int health_table_new(int *fd, struct error *err) MUST_USE;
/* Map it, to write to it or only to read. FD stays the caller's. NULL with ERR. */
struct health_table *health_table_open(int fd, struct error *err) MUST_USE;
const struct health_table *health_table_map(int fd, struct error *err) MUST_USE;
void health_table_close(const struct health_table **t);

/* The state of a target. T may be NULL: nothing is known. */
enum health_state health_table_get(const struct health_table *t, uint64_t label);
/* Set it; where there is no room (four generations of CONFIG_CHECKED_MAX targets have it), it is
 * not known. */
void health_table_set(struct health_table *t, uint64_t label, enum health_state state);
/* Forget all targets but these. LABELS are in order. */
void health_table_retain(struct health_table *t, const uint64_t *labels, size_t n);
