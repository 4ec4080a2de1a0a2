/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define FETCHED_MAX       128
#define TURN_ENDS_MAX     8
#define HEAP_CAPACITY_MIN 64
#define PATIENT_US        1000 /* of a turn, for patient watches */

struct turn_end {
    loop_turn_fn *fn;
    void *owner;
};

struct loop {
    int epoll;
    uint64_t now_ms;
    int64_t wall_s;
    bool in_turn, stopping;

    struct epoll_event
        fetched[FETCHED_MAX]; /* of this turn; data.ptr is NULL where the watch was stopped since */
    size_t fetched_n;
    const void *next_patient; /* the watch whose turn it is; may be gone */

    struct timer **heap; /* binary min-heap by due_ms; slot of heap[i] is i + 1 */
    size_t heap_n, heap_capacity;

    struct turn_end turn_ends[TURN_ENDS_MAX];
    size_t turn_ends_n;
};

static void read_clocks(struct loop *l)
{
    l->now_ms = clock_monotonic_ms();
    l->wall_s = clock_wall_s();
}

struct loop *loop_new(struct error *err)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) {
        error_errno(err, errno, "no event loop (epoll_create1)");
        return NULL;
    }
    struct loop *l = mem_alloc(sizeof(*l));
    l->epoll = epoll;
    read_clocks(l);
    return l;
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;
    if (!l)
        return;
    ASSERT(!l->in_turn);
    close(l->epoll);
    free(l->heap);
    free(l);
    *lp = NULL;
}

/* A zeroed watch counts as stopped, too: its fd is 0, but nobody is to be told. */
static bool is_watching(const struct watch *w)
{
    return w->fd >= 0 && w->ready;
}

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events, watch_fn *ready)
{
    ASSERT(!is_watching(w) && fd >= 0 && ready);
    struct epoll_event e = {.events = events, .data.ptr = w};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        return -1;
    *w = (struct watch){.fd = fd, .events = events, .ready = ready};
    return 0;
}

void loop_watch_change(struct loop *l, struct watch *w, uint32_t events)
{
    ASSERT(is_watching(w));
    if (w->events == events)
        return;
    struct epoll_event e = {.events = events, .data.ptr = w};
    int result = epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &e);
    ASSERT(result == 0);
    w->events = events;
}

void loop_forget(struct loop *l, struct watch *w)
{
    *w = (struct watch){.fd = -1};
    for (size_t i = 0; i < l->fetched_n; i++)
        if (l->fetched[i].data.ptr == w)
            l->fetched[i].data.ptr = NULL;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
    if (!is_watching(w))
        return;
    /* Fails only for a descriptor that was closed while watched, which by now may be somebody
     * else's. */
    int result = epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    ASSERT(result == 0);
    loop_forget(l, w);
}

static void place(struct loop *l, struct timer *t, size_t i)
{
    l->heap[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct loop *l, struct timer *t, size_t i)
{
    while (i > 0 && l->heap[(i - 1) / 2]->due_ms > t->due_ms) {
        place(l, l->heap[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    place(l, t, i);
}

static void sift_down(struct loop *l, struct timer *t, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < l->heap_n; i = child) {
        if (child + 1 < l->heap_n && l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
            child++;
        if (l->heap[child]->due_ms >= t->due_ms)
            break;
        place(l, l->heap[child], i);
    }
    place(l, t, i);
}

void loop_timer_arm(struct loop *l, struct timer *t, uint64_t deadline_ms, timer_fn *fire)
{
    t->deadline_ms = deadline_ms;
    t->fire = fire;
    /* Most timers are put off again and again, and never fire. One that stands early enough in the
     * heap stays there: settle moves it if nothing else has until then. */
    if (t->slot && t->due_ms <= deadline_ms)
        return;
    loop_timer_stop(l, t);
    if (l->heap_n == l->heap_capacity) {
        l->heap_capacity = l->heap_capacity ? 2 * l->heap_capacity : HEAP_CAPACITY_MIN;
        l->heap = mem_realloc(l->heap, l->heap_capacity * sizeof(struct timer *));
    }
    t->due_ms = deadline_ms;
    sift_up(l, t, l->heap_n++);
}

void loop_timer_stop(struct loop *l, struct timer *t)
{
    if (!t->slot)
        return;
    size_t i = t->slot - 1;
    ASSERT(i < l->heap_n && l->heap[i] == t);
    t->slot = 0;
    struct timer *last = l->heap[--l->heap_n];
    if (last == t)
        return;
    sift_up(l, last, i);
    sift_down(l, last, last->slot - 1);
}

uint64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}

int64_t loop_now_s(const struct loop *l)
{
    return (int64_t)(l->now_ms / 1000);
}

int64_t loop_wall_s(const struct loop *l)
{
    return l->wall_s;
}

void loop_at_turn_end(struct loop *l, loop_turn_fn *fn, void *owner)
{
    ASSERT(l->turn_ends_n < TURN_ENDS_MAX);
    l->turn_ends[l->turn_ends_n++] = (struct turn_end){fn, owner};
}

/* WAIT_MS (-1: for ever), cut down to the first timer. The last turn may have taken long: the clock
 * is asked. */
static int time_to_wait(const struct loop *l, int wait_ms)
{
    if (!l->heap_n || wait_ms == 0)
        return wait_ms;
    uint64_t now_ms = clock_monotonic_ms(), due_ms = l->heap[0]->due_ms;
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    uint64_t longest_ms = wait_ms < 0 ? INT_MAX : (uint64_t)wait_ms;
    return (int)(left_ms < longest_ms ? left_ms : longest_ms);
}

/* The event at I, once. */
static void deliver_one(struct loop *l, size_t i)
{
    struct watch *w = l->fetched[i].data.ptr;
    l->fetched[i].data.ptr = NULL;
    /* What the watch no longer waits for is not told either; errors and hang-ups always are. */
    uint32_t events = l->fetched[i].events & (w->events | EPOLLERR | EPOLLHUP);
    if (events)
        w->ready(w, events);
}

/* Where the one stands whose turn it is; the first, if it has nothing to tell any more. */
static size_t find_next_patient(const struct loop *l)
{
    for (size_t i = 0; l->next_patient && i < l->fetched_n; i++)
        if (l->fetched[i].data.ptr == l->next_patient)
            return i;
    return 0;
}

/* What is left over the kernel tells again, perhaps in the same order: so the next turn begins with
 * it, and not with those that always have something to tell. */
static void deliver_patient(struct loop *l)
{
    uint64_t end_us = 0;
    size_t first = find_next_patient(l);
    l->next_patient = NULL;
    for (size_t k = 0; k < l->fetched_n; k++) {
        size_t i = (first + k) % l->fetched_n;
        if (!l->fetched[i].data.ptr)
            continue;
        uint64_t now_us = clock_monotonic_us();
        if (!end_us)
            end_us = now_us + PATIENT_US;
        if (now_us >= end_us) {
            l->next_patient = l->fetched[i].data.ptr;
            return;
        }
        deliver_one(l, i);
    }
}

static void deliver(struct loop *l)
{
    for (size_t i = 0; i < l->fetched_n; i++) {
        const struct watch *w = l->fetched[i].data.ptr;
        if (w && !w->is_patient)
            deliver_one(l, i);
    }
    deliver_patient(l);
    l->fetched_n = 0;
}

/* Put those that are due where their deadlines belong; true if one of these has come. */
static bool settle(struct loop *l)
{
    while (l->heap_n && l->heap[0]->due_ms <= l->now_ms) {
        struct timer *t = l->heap[0];
        if (t->due_ms == t->deadline_ms)
            return true;
        t->due_ms = t->deadline_ms;
        sift_down(l, t, 0);
    }
    return false;
}

static void fire_timers(struct loop *l)
{
    /* No more than were armed at the beginning, so that one that is due again at once cannot hold
     * up the loop. */
    for (size_t left = l->heap_n; left && settle(l); left--) {
        struct timer *t = l->heap[0];
        loop_timer_stop(l, t);
        t->fire(t);
    }
}

void loop_turn(struct loop *l, int wait_ms)
{
    ASSERT(!l->in_turn);
    l->in_turn = true;
    int n = epoll_wait(l->epoll, l->fetched, FETCHED_MAX, time_to_wait(l, wait_ms));
    ASSERT(n >= 0 || errno == EINTR); /* interrupted by a signal: a turn without events */
    l->fetched_n = n > 0 ? (size_t)n : 0;
    read_clocks(l);
    deliver(l);
    fire_timers(l);
    for (size_t i = 0; i < l->turn_ends_n; i++)
        l->turn_ends[i].fn(l->turn_ends[i].owner);
    l->in_turn = false;
}

void loop_run(struct loop *l)
{
    while (!l->stopping)
        loop_turn(l, -1);
    l->stopping = false;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}
