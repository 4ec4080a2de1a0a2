/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_parts — what a proxy is made of, for the rest of proxy/. */
#pragma once

#include "proto/http1.h"
#include "proxy/acceptors.h"
#include "proxy/conn.h"
#include "proxy/memory_ceiling.h"
#include "proxy/pressure.h"
#include "proxy/proxy.h"
#include "proxy/sticky.h"

struct proxy {
    struct loop *loop;
    struct service *service; /* in force; NULL before the first proxy_adopt */
    struct acceptors acceptors;
    struct list conns;
    size_t conns_n;
    uint64_t conns_made, logged; /* since it began: connections; lines in the form of CLB */
    struct list woken;           /* run at the end of the turn */
    struct list closed;          /* freed then */
    bool is_draining;
    proxy_log_fn *log;
    void *log_owner;
    uint64_t sampled; /* lines that were candidates for sampling */
    struct buf line;  /* the access-log line being made */
    struct counters *counters;
    struct handshake_log *handshakes;
    struct count *worker;              /* the row of this one */
    const struct health_table *health; /* of the targets; NULL: not known */
    struct sticky_tables sticky;       /* where clients were sent */
    struct memory_ceiling memory;
    struct pressure pressure;
    struct limiter *limiter; /* of connections and requests, in all workers */
    struct loads *loads;     /* of the targets, the other workers' too */
    struct http1_head head;  /* the head being looked at: one at a time in a worker */
};

/* C is CLOSED: it will be freed when the turn ends. */
void proxy_forget(struct proxy *p, struct conn *c);
