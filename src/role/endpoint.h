/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint — an address that the instance listens on, with its sockets: one per worker slot, so
 * that each worker has an accept queue of its own which outlives it. Held by the supervisor for as
 * long as a generation uses the address.
 *
 * Reference-counted: a reload that keeps an address keeps the endpoint, and with it every
 * connection in its queues. Process: supervisor.
 */
#pragma once

#include "base/error.h"
#include "io/address.h"

struct endpoint {
    char *name; /* whose it is */
    char *text; /* the address as configured */
    struct address bound;
    int *fds;
    unsigned fds_n;
    unsigned users;
};

/* Does E stand for what NAME configures as TEXT? By address; where the port is to be picked, by
 * name as well. */
bool endpoint_is(const struct endpoint *e, const char *name, const char *text);
/* Is A an address that another program cannot hold because E holds it (the same port; the same
 * host, or all)? */
bool endpoint_covers(const struct endpoint *e, const struct address *a);

/* Bind and listen with N sockets. IS_OURS: an endpoint of ours covers the address, so that finding
 * it taken says nothing. */
struct endpoint *endpoint_new(
    const char *name, const char *text, unsigned n, bool is_ours, struct error *err) MUST_USE;
/* Socket INDEX listens, whatever the process did to it that had it before: one that was taken over
 * can have ended it for all who share it. 0: it does; 1: another one does now; -1 with
 * ERR: neither. */
int endpoint_mend(struct endpoint *e, unsigned index, struct error *err) MUST_USE;
struct endpoint *endpoint_ref(struct endpoint *e);
/* The last one closes the sockets. */
void endpoint_unref(struct endpoint **e);
