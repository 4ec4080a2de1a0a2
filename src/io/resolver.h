/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver — the addresses of host names: the hosts file's, else the Domain Name System's (A and
 * AAAA, by c-ares) on the event loop.
 *
 * It opens no file: the texts of /etc/hosts and /etc/resolv.conf are given to it. Clock: the loop's
 * timers; c-ares reads the monotonic clock itself. Memory: owned; whoever asked is not told any
 * more once the resolver is freed.
 */
#pragma once

#include "io/address.h"
#include "io/loop.h"

#define RESOLVER_ADDRESSES_MAX 16
#define RESOLVER_TTL_MAX_S     3600
#define RESOLVER_SERVERS_MAX   8

struct resolver;

struct resolver_config {
    struct bytes hosts;         /* hosts(5); copied */
    struct bytes resolv_conf;   /* resolv.conf(5): servers, search list, ndots */
    const char *const *servers; /* "192.0.2.1:53", "[2001:db8::1]:53": instead of those there; */
    size_t servers_n;           /* then names are complete, and nothing is added to them */
};

struct resolver_answer {
    const char *why; /* it failed; NULL: it did not, and there is at least one address */
    /* Each once, in an order of their own: that of the records changes with every answer. Port 0.
     * If there are more than fit, the same ones are left out each time. */
    struct address addresses[RESOLVER_ADDRESSES_MAX];
    size_t addresses_n;
    unsigned ttl_s; /* how long it is good, at most RESOLVER_TTL_MAX_S */
};

/* ANSWER is the callee's for the call. May come from inside resolver_ask; may ask, but not free. */
typedef void resolver_fn(void *owner, const struct resolver_answer *answer);

struct resolver *resolver_new(
    struct loop *loop, const struct resolver_config *config, struct error *err) MUST_USE;
void resolver_free(struct resolver **r);

/* What are NAME's addresses? It fails after some seconds if nobody answers. */
void resolver_ask(struct resolver *r, const char *name, resolver_fn *done, void *owner);
