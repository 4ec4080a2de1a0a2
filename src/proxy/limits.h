/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits — how many connections and requests a listener or a rule takes, of all clients together
 * and of each (`limits`), counted in all workers (balance/limiter.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "balance/limiter.h"

struct conn;
struct exchange;

/* What a connection holds of its limits. */
struct limits_share {
    uint32_t of_listener, of_source; /* slots */
};

/* May C, whose client is known, be served? If not, what is reached: "max_conn". NULL: it may, and
 * limits_leave is called when it ends. */
const char *limits_refuse_conn(struct conn *c);
/* C ends, whatever limits_refuse_conn has said, or if it was never asked. */
void limits_leave(struct conn *c);
/* The same of E's request, whose rule is known. */
const char *limits_refuse_request(struct exchange *e);
