/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acceptors — a worker takes connections from its listening sockets, as long as its descriptors
 * last.
 *
 * Whoever is let in must be able to reach a target: accepting pauses while as many descriptors as
 * there are client connections, and those of the process itself, would not be left. It goes on as
 * connections end. Part of struct proxy; the listening sockets are the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/loop.h"

struct proxy;
struct acceptor;

/* What the descriptors of a worker are for. */
struct acceptors_shares {
    size_t clients; /* at most; each may have one connection to a target besides */
    size_t idle;    /* connections to targets that wait for a request, at most */
};
/* DESCRIPTORS: how many the process may have. */
struct acceptors_shares acceptors_share(size_t descriptors, size_t listeners_n, size_t targets_n);

struct acceptors {
    struct acceptor *at; /* one per listener of the service in force */
    size_t n;
    struct acceptors_shares shares;
    bool is_paused;
    uint64_t paused_ms; /* loop_now_ms of the first of the pauses that the log was told of; 0 */
    struct timer timer;
};

/* Accept on FDS, one per listener of P's service, instead of those before. */
void acceptors_open(struct proxy *p, const int *fds);
/* Accept no more. */
void acceptors_close(struct proxy *p);
/* A connection of P has ended. */
void acceptors_room(struct proxy *p);
