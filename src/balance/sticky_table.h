/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sticky_table — which target a client's address was last sent to, and until when that holds: a
 * table of fixed size in memory that one worker writes and the others read.
 *
 * Bounded: when the places for an address are taken by others, the one that ends first makes way.
 * The memory outlives its worker. Whoever reads gets numbers that mean nothing unless there is a
 * target of that label. Clock: the loop's, which is the same in all processes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

#define STICKY_TABLE_CLIENTS 65536

struct sticky_table;

struct sticky_place {
    uint64_t label;    /* of the target: group_label */
    uint64_t until_ms; /* 0: there is none */
};

/* New memory; the descriptor is the caller's. -1 with ERR. */
int sticky_table_new(int *fd, struct error *err) MUST_USE;
/* Map it, to write to it or only to read. FD stays the caller's. NULL with ERR. */
struct sticky_table *sticky_table_open(int fd, struct error *err) MUST_USE;
const struct sticky_table *sticky_table_map(int fd, struct error *err) MUST_USE;
void sticky_table_close(const struct sticky_table **t);

/* The place of a client, if it holds at NOW_MS. */
struct sticky_place sticky_table_get(
    const struct sticky_table *t, uint64_t client, uint64_t now_ms);
void sticky_table_put(struct sticky_table *t, uint64_t client, struct sticky_place place);
