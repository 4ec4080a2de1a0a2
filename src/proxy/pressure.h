/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pressure — who goes when a worker has hardly a connection, or memory, left: those of whom the
 * least is lost, the longest waiting first.
 *
 *   idle      between two requests (HTTP/1.1 kept alive, HTTP/2 without a stream): they come again
 *   arriving  have not said yet what they want: no handshake, no whole head
 *   stalled   do not take what is kept for them; only for memory
 *
 * Who has just begun to wait is left alone: its request may be on its way. Part of struct proxy.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct conn;
struct proxy;

struct pressure {
    struct list idle, arriving, stalled; /* struct conn, the longest waiting first */
    uint64_t told_ms;                    /* loop_now_ms when the log was told last; 0: never */
};

/* Part of struct conn. */
struct pressure_place {
    struct list link;
    const struct list *in;   /* NULL: it has work */
    uint64_t since_ms, sent; /* since when, and how much was sent to it until then */
};

void pressure_init(struct proxy *p);
/* C may have gone from one state to another. */
void pressure_place(struct conn *c);
/* C has work: when it waits again, it begins to wait. */
void pressure_work(struct conn *c);
/* C ends. */
void pressure_leave(struct conn *c);

/* End at most N idle connections. Returns how many. */
size_t pressure_end_idle(struct proxy *p, size_t n);
/* The same of those that arrive, and take their time. */
size_t pressure_end_arriving(struct proxy *p, size_t n);
/* The same of those that take nothing, or hardly anything, of what they hold memory with. */
size_t pressure_end_stalled(struct proxy *p, size_t n);
