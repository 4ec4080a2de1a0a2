/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_ceiling — a worker that has as much memory as it may have (`memory_max`) takes no more
 * work before the system takes it away: it accepts no connection, and answers new requests with
 * 503, until what it lets go has made room. Before that it ends connections that wait (pressure.h).
 * Part of struct proxy.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/loop.h"

struct proxy;

struct memory_ceiling {
    int statm_fd; /* of /proc/self/statm, open because a worker cannot open it later; -1: none */
    uint64_t max; /* bytes; 0: any number */
    bool is_reached;
    uint64_t relieved_ms; /* loop_now_ms when connections were ended last for it */
    struct timer timer;
};

/* STATM_FD is the caller's. */
void memory_ceiling_init(struct proxy *p, int statm_fd);
/* The service in force says how much it may be. */
void memory_ceiling_adopt(struct proxy *p);
void memory_ceiling_stop(struct proxy *p);
