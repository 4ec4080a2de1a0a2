/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health — the health of targets, in control: who is checked when, what follows from it, and who is
 * told.
 *
 *   WAITING ── the first check ──→ HEALTHY ⇄ UNHEALTHY     after `unhealthy` failures in a row,
 * after `healthy` successes in a row
 *
 * The targets of the generation in force are checked; those that were in the one before keep their
 * state, also that of a control that has died (balance/health_table.h). Each change is logged once,
 * with its reason, and counted. At most HEALTH_PROBES_MAX checks are under way at a time. Clock:
 * the loop's. Process: control.
 */
#pragma once

#include "balance/counters.h"
#include "balance/health_table.h"
#include "control/probe.h"

#define HEALTH_PROBES_MAX 256

struct health;

struct health *health_new(struct loop *loop) MUST_USE;
void health_free(struct health **h);
/* What this process counts, once it is open; else NULL. */
struct counters *health_counters(const struct health *h);
/* Before anything else, once: the table and the counters, which stay the caller's. -1 with ERR. */
int health_open(struct health *h, int table_fd, int counters_fd, struct error *err) MUST_USE;

/* The generation that is built from FROM is in force; its archive is taken in any case. -1: its
 * targets are not checked, but those of the one before still are. */
struct service_source;
int health_adopt(struct health *h, const struct service_source *from, struct error *err) MUST_USE;
/* The addresses of host names, as names.h publishes them. */
void health_resolve(struct health *h, struct bytes book);

/* Why a target of the generation in force is in its state; NULL: there is nothing to say. */
const char *health_why(const struct health *h, const char *group, const char *target);
/* How it is with a target of the generation in force; false: it is not checked. */
bool health_find(
    const struct health *h, const char *group, const char *target, enum health_state *out);
