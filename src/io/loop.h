/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop — the event loop of one process: readiness of descriptors (epoll, level-triggered) and
 * one-shot timers.
 *
 * Memory: watches and timers are embedded in their owners, who must stop them before dying. An
 * owner may free itself (after stopping) in its own callback; events already fetched for a stopped
 * watch are not delivered. Clock: loop_now_ms is monotonic and read once per turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/list.h"

struct loop;
struct watch;
struct timer;
typedef void watch_fn(
    struct watch *w, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP */
typedef void timer_fn(struct timer *t);

struct watch {
    int fd;          /* -1: not watched */
    uint32_t events; /* what is waited for */
    watch_fn *ready;
    /* Set by the owner of a level-triggered watch whose work is dear: those of others come first,
     * and each turn has a millisecond, or one event, for such as this one. */
    bool is_patient;
};

struct timer {
    uint64_t deadline_ms;
    uint64_t
        due_ms;  /* when the heap looks at it: the deadline, or an earlier one that was put off */
    size_t slot; /* 1 + position in the heap; 0: not armed */
    timer_fn *fire;
};

struct loop *loop_new(struct error *err) MUST_USE;
void loop_free(struct loop **l);

/* Begin watching FD for EVENTS with W, which is stopped (or zeroed). -1 with errno. */
int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events, watch_fn *ready) MUST_USE;
/* Wait for EVENTS instead; costs nothing if they are the same. */
void loop_watch_change(struct loop *l, struct watch *w, uint32_t events);
/* Stop; the descriptor is still open and stays so. Stopping a stopped or zeroed watch does nothing.
 */
void loop_unwatch(struct loop *l, struct watch *w);
/* The same for a descriptor that the caller closes before the next turn, and that nobody else has:
 * the kernel forgets it by itself then. */
void loop_forget(struct loop *l, struct watch *w);

/* Arm T to fire once at DEADLINE_MS (loop_now_ms based). Re-arming moves it; putting it off costs
 * next to nothing, so that may be done at every sign of life. */
void loop_timer_arm(struct loop *l, struct timer *t, uint64_t deadline_ms, timer_fn *fire);
void loop_timer_stop(struct loop *l, struct timer *t);

uint64_t loop_now_ms(const struct loop *l);
int64_t loop_now_s(const struct loop *l); /* the same */
/* Seconds since 1970, read once per turn. */
int64_t loop_wall_s(const struct loop *l);

/* Something to do at the end of every turn (for example: free what closed in it); several are done
 * in order. */
typedef void loop_turn_fn(void *owner);
void loop_at_turn_end(struct loop *l, loop_turn_fn *fn, void *owner);

/* One turn: wait (at most WAIT_MS; -1: until the next timer or event), deliver, fire timers, turn
 * end. */
void loop_turn(struct loop *l, int wait_ms);
/* Turns until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
