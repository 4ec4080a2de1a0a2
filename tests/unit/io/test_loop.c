/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop.h"
#include "test.h"

#include "base/ban.h"

static struct loop *l;

/* Both ends of a pair are watched by one struct, so that a callback can act on the other end. */
static struct end {
    struct watch watch;
    int fd;
    int calls;
    uint32_t last;
} a, b;

static struct end *end_of(struct watch *w)
{
    return container_of(w, struct end, watch);
}

static void note(struct watch *w, uint32_t events)
{
    end_of(w)->calls++;
    end_of(w)->last = events;
}

static void open_pair(void)
{
    int fds[2];
    l = loop_new(NULL);
    CHECK(l != NULL);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    a = (struct end){.fd = fds[0]};
    b = (struct end){.fd = fds[1]};
}

static void close_pair(void)
{
    loop_unwatch(l, &a.watch);
    loop_unwatch(l, &b.watch);
    close(a.fd);
    close(b.fd);
    loop_free(&l);
    CHECK(l == NULL);
}

TEST(readiness_is_told_until_it_is_used_up)
{
    open_pair();
    CHECK_INT(loop_watch(l, &a.watch, a.fd, EPOLLIN, note), 0);
    loop_turn(l, 0);
    CHECK_INT(a.calls, 0);
    CHECK_INT(write(b.fd, "x", 1), 1);
    loop_turn(l, -1);
    loop_turn(l, -1);
    CHECK_INT(a.calls, 2);
    CHECK_INT(a.last, EPOLLIN);
    char c;
    CHECK_INT(read(a.fd, &c, 1), 1);
    loop_turn(l, 0);
    CHECK_INT(a.calls, 2);
    close_pair();
}

TEST(interest_can_change)
{
    open_pair();
    CHECK_INT(loop_watch(l, &a.watch, a.fd, EPOLLIN, note), 0);
    loop_watch_change(l, &a.watch, EPOLLOUT);
    loop_turn(l, 0);
    CHECK_INT(a.last, EPOLLOUT);
    loop_watch_change(l, &a.watch, 0);
    loop_turn(l, 0);
    CHECK_INT(a.calls, 1);
    CHECK_INT(shutdown(b.fd, SHUT_RDWR), 0);
    loop_turn(l, 0); /* a hang-up is told whatever is waited for */
    CHECK(a.last & EPOLLHUP);
    close_pair();
}

static void stop_both(struct watch *w, uint32_t events)
{
    note(w, events);
    loop_unwatch(l, &a.watch);
    loop_unwatch(l, &b.watch);
}

static void restart_other(struct watch *w, uint32_t events)
{
    struct end *other = w == &a.watch ? &b : &a;
    note(w, events);
    loop_unwatch(l, w);
    loop_unwatch(l, &other->watch);
    CHECK_INT(loop_watch(l, &other->watch, other->fd, EPOLLOUT, note), 0);
}

static void quiet_other(struct watch *w, uint32_t events)
{
    note(w, events);
    loop_watch_change(l, w == &a.watch ? &b.watch : &a.watch, EPOLLIN);
}

TEST(what_was_fetched_for_a_stopped_watch_is_not_delivered)
{
    static const struct {
        watch_fn *ready;
        int next_turn; /* calls in the turn after */
    } cases[] = {{stop_both, 0}, {restart_other, 1}, {quiet_other, 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        open_pair(); /* both ends are writable in the same turn */
        CHECK_INT(loop_watch(l, &a.watch, a.fd, EPOLLOUT, cases[i].ready), 0);
        CHECK_INT(loop_watch(l, &b.watch, b.fd, EPOLLOUT, cases[i].ready), 0);
        loop_turn(l, 0);
        CHECK_INT(a.calls + b.calls, 1);
        loop_turn(l, 0);
        CHECK_INT(a.calls + b.calls, 1 + cases[i].next_turn);
        close_pair();
    }
}

static void free_owner(struct watch *w, uint32_t events)
{
    loop_unwatch(l, w);
    close(end_of(w)->fd);
    free(end_of(w));
}

/* What it does takes two milliseconds. */
static void toil(struct watch *w, uint32_t events)
{
    uint64_t begin_us = clock_monotonic_us();
    while (clock_monotonic_us() - begin_us < 2000)
        ;
    note(w, events);
}

TEST(patient_ones_come_last_and_not_all_in_one_turn)
{
    struct end patient[3] = {0};
    open_pair();
    for (size_t i = 0; i < 3; i++) { /* writable at once, and before the other one */
        patient[i].fd = dup(a.fd);
        CHECK_INT(loop_watch(l, &patient[i].watch, patient[i].fd, EPOLLOUT, toil), 0);
        patient[i].watch.is_patient = true;
    }
    CHECK_INT(loop_watch(l, &b.watch, b.fd, EPOLLOUT, note), 0);
    for (int turns = 1; turns <= 3; turns++) {
        loop_turn(l, 0);
        CHECK_INT(b.calls, turns);
        CHECK_INT(patient[0].calls + patient[1].calls + patient[2].calls, turns);
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(patient[i].calls, 1); /* in turn */
        loop_unwatch(l, &patient[i].watch);
        close(patient[i].fd);
    }
    close_pair();
}

TEST(an_owner_may_free_itself)
{
    open_pair();
    struct end *e = calloc(1, sizeof(*e));
    e->fd = dup(a.fd);
    CHECK_INT(loop_watch(l, &e->watch, e->fd, EPOLLOUT, free_owner), 0);
    loop_turn(l, 0);
    loop_turn(l, 0);
    close_pair();
}

TEST(stopping_what_is_stopped_does_nothing)
{
    open_pair();
    struct watch zeroed = {0};
    loop_unwatch(l, &zeroed);
    CHECK_INT(loop_watch(l, &a.watch, a.fd, EPOLLIN, note), 0);
    loop_unwatch(l, &a.watch);
    CHECK_INT(a.watch.fd, -1);
    loop_unwatch(l, &a.watch);
    close_pair();
}

#define TIMERS 200
static struct timer timers[TIMERS];
static uint64_t fired[2 * TIMERS];
static size_t fired_n;

static void note_timer(struct timer *t)
{
    CHECK_INT(t->slot, 0);
    fired[fired_n++] = t->deadline_ms;
}

static void begin_timers(void)
{
    l = loop_new(NULL);
    memset(timers, 0, sizeof(timers));
    fired_n = 0;
}

TEST(timers_fire_in_order_whatever_was_moved_or_stopped)
{
    begin_timers();
    unsigned state = 1;
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < TIMERS; i++) {
            state = state * 1103515245 + 12345;
            /* All are due: 1 ms after the epoch of the clock at the earliest, now at the latest. */
            loop_timer_arm(l, &timers[i], 1 + (state >> 16) % loop_now_ms(l), note_timer);
        }
    size_t left = TIMERS;
    for (size_t i = 0; i < TIMERS; i += 3, left--)
        loop_timer_stop(l, &timers[i]);
    loop_timer_stop(l, &timers[0]);
    loop_turn(l, -1);
    CHECK_INT(fired_n, left);
    for (size_t i = 1; i < fired_n; i++)
        CHECK(fired[i - 1] <= fired[i]);
    loop_free(&l);
}

TEST(a_timer_that_is_put_off_fires_at_its_last_deadline)
{
    begin_timers();
    uint64_t now_ms = loop_now_ms(l);
    loop_timer_arm(l, &timers[0], now_ms - 3, note_timer);
    loop_timer_arm(l, &timers[0], now_ms - 1, note_timer);
    loop_timer_arm(l, &timers[1], now_ms - 2, note_timer);
    loop_timer_arm(l, &timers[2], now_ms - 1, note_timer);
    loop_timer_arm(l, &timers[2], now_ms + 1000000, note_timer);
    loop_turn(l, -1); /* one that is put off beyond now only ends the wait */
    CHECK_INT(fired_n, 2);
    CHECK_INT(fired[0], now_ms - 2);
    CHECK_INT(fired[1], now_ms - 1);
    loop_turn(l, 0);
    CHECK_INT(fired_n, 2);
    loop_timer_arm(l, &timers[2], now_ms, note_timer); /* and may be brought forward again */
    loop_turn(l, -1);
    CHECK_INT(fired_n, 3);
    loop_free(&l);
}

static void close_other(struct watch *w, uint32_t events)
{
    struct end *other = w == &a.watch ? &b : &a;
    note(w, events);
    w->ready = note;
    loop_forget(l, &other->watch);
    close(other->fd);
    other->fd = eventfd(0, EFD_NONBLOCK); /* gets the same number */
    CHECK_INT(loop_watch(l, &other->watch, other->fd, EPOLLOUT, note), 0);
}

TEST(a_descriptor_that_is_closed_need_not_be_unwatched)
{
    open_pair();
    CHECK_INT(loop_watch(l, &a.watch, a.fd, EPOLLOUT, close_other), 0);
    CHECK_INT(loop_watch(l, &b.watch, b.fd, EPOLLOUT, close_other), 0);
    loop_turn(l, 0);
    CHECK_INT(a.calls + b.calls, 1); /* what was fetched for the one before is not the next one's */
    loop_turn(l, 0);
    CHECK(a.calls && b.calls);
    close_pair();
}

TEST(a_timer_ends_the_wait_and_fires_once)
{
    begin_timers();
    uint64_t deadline_ms = loop_now_ms(l) + 5;
    loop_timer_arm(l, &timers[0], deadline_ms, note_timer);
    loop_turn(l, 0);
    while (!fired_n)
        loop_turn(l, -1);
    CHECK(loop_now_ms(l) >= deadline_ms);
    loop_turn(l, 0);
    CHECK_INT(fired_n, 1);
    loop_free(&l);
}

static void arm_again(struct timer *t)
{
    note_timer(t);
    loop_timer_arm(l, t, loop_now_ms(l), arm_again);
}

TEST(a_timer_that_re_arms_itself_for_now_does_not_hold_up_the_turn)
{
    begin_timers();
    loop_timer_arm(l, &timers[0], 0, arm_again);
    loop_turn(l, -1);
    CHECK_INT(fired_n, 1);
    loop_turn(l, -1);
    CHECK_INT(fired_n, 2);
    loop_free(&l);
}

static void stop_all(struct timer *t)
{
    note_timer(t);
    for (size_t i = 0; i < TIMERS; i++)
        loop_timer_stop(l, &timers[i]);
    loop_stop(l);
}

TEST(timers_stopped_by_one_that_fired_do_not_fire)
{
    begin_timers();
    for (size_t i = 0; i < TIMERS; i++)
        loop_timer_arm(l, &timers[i], i, stop_all);
    loop_run(l);
    CHECK_INT(fired_n, 1);
    loop_free(&l);
}

static void count_turn(void *owner)
{
    if (++*(int *)owner == 3)
        loop_stop(l);
}

TEST(run_ends_after_stop_and_every_turn_has_its_end)
{
    open_pair();
    int turns = 0, others = 0;
    CHECK_INT(loop_watch(l, &a.watch, a.fd, EPOLLOUT, note), 0);
    loop_at_turn_end(l, count_turn, &turns);
    loop_at_turn_end(l, count_turn, &others);
    loop_run(l);
    CHECK_INT(turns, 3);
    CHECK_INT(others, 3);
    CHECK_INT(a.calls, 3);
    close_pair();
}
