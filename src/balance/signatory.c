/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/signatory.h"

#include <errno.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* How long what was asked may wait for more that is asked in the same turn of the loop. */
#define FLUSH_US 1000

struct signatory {
    struct signing_office office; /* first */
    struct loop *loop;
    struct call_ring ring;
    struct watch watch;                           /* .fd == -1: no ring yet */
    struct signing_call *calls[CALL_RING_PLACES]; /* NULL: nobody waits for what is there */
    struct list by_age;                           /* all calls, oldest first */
    struct list queue;                            /* those without a place, oldest first */
    struct timer late;                            /* of the oldest */
    uint64_t unsaid_us;     /* the signer is not told yet of what was asked since then; 0: of all */
    struct count *instance; /* NULL: not yet */
};

static struct signing_call *of_age(struct list *link)
{
    return container_of(link, struct signing_call, by_age);
}

static void tell_late(struct timer *t);

/* The timer is that of the oldest; one that fires early finds out. */
static void watch_oldest(struct signatory *s)
{
    if (list_is_empty(&s->by_age))
        loop_timer_stop(s->loop, &s->late);
    else if (!s->late.slot)
        loop_timer_arm(s->loop, &s->late, of_age(s->by_age.next)->deadline_ms, tell_late);
}

static void forget(struct signatory *s, struct signing_call *call)
{
    list_remove(&call->by_age);
    list_remove(&call->queue);
    if (call->place >= 0)
        s->calls[call->place] = NULL;
    call->place = -1;
    if (s->instance)
        count_drop(&s->instance[INSTANCE_SIGNER_WAITING]);
}

static unsigned wait_column(uint64_t us)
{
    static const unsigned limits[] = {
        100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 500000, 1000000};
    _Static_assert(COUNT_OF(limits) == INSTANCE_SIGNED_LATER - INSTANCE_SIGNED_100US,
        "each bucket has a limit, but the last");
    unsigned i = 0;
    while (i < COUNT_OF(limits) && us > limits[i])
        i++;
    return INSTANCE_SIGNED_100US + i;
}

static void count_wait(const struct signatory *s, const struct signing_call *call)
{
    if (!s->instance)
        return;
    uint64_t us = clock_monotonic_us() - call->asked_us;
    count_add(&s->instance[wait_column(us)], 1);
    count_add(&s->instance[INSTANCE_SIGNED_WAIT], us);
}

/* CALL is its owner's again from here on, and may be gone when this returns. */
static void answer(
    struct signatory *s, struct signing_call *call, const struct signing_answer *with)
{
    count_wait(s, call);
    forget(s, call);
    call->answered(call, with);
}

/* ---- asking ---- */

/* Give CALL a place; false: there is none. */
static bool place(struct signatory *s, struct signing_call *call)
{
    struct bytes head = {(const uint8_t *)&call->head, sizeof(call->head)};
    call->place = s->watch.fd >= 0 ? call_ring_ask(&s->ring, head, call->request.content) : -1;
    if (call->place < 0)
        return false;
    s->calls[call->place] = call;
    if (!s->unsaid_us)
        s->unsaid_us = call->asked_us;
    list_remove(&call->queue);
    return true;
}

static void place_waiting(struct signatory *s)
{
    while (!list_is_empty(&s->queue))
        if (!place(s, container_of(s->queue.next, struct signing_call, queue)))
            return;
}

/* What a turn of the loop has asked wakes the signer once: waking it for each would cost more than
 * some signatures do, and may take our core. */
static void flush(void *owner)
{
    struct signatory *s = owner;
    if (s->unsaid_us)
        call_ring_flush(&s->ring);
    s->unsaid_us = 0;
}

/* What is too long for a place is for the signer to refuse: it is sent without its content. */
static void ask(struct signing_office *o, struct signing_call *call)
{
    struct signatory *s = (struct signatory *)o;
    if (!signing_is_well_formed(&call->request))
        call->request.content = (struct bytes){0};
    call->deadline_ms = loop_now_ms(s->loop) + SIGNATORY_LATE_MS;
    call->asked_us = clock_monotonic_us();
    call->place = -1;
    list_append(&s->by_age, &call->by_age);
    list_append(&s->queue, &call->queue);
    if (s->instance)
        count_add(&s->instance[INSTANCE_SIGNER_WAITING], 1);
    place_waiting(s);
    watch_oldest(s);
    /* A turn may have many handshakes to begin: the signer is not to wait for the last of them. */
    if (s->unsaid_us && call->asked_us - s->unsaid_us >= FLUSH_US)
        flush(s);
}

static void cancel(struct signing_office *o, struct signing_call *call)
{
    struct signatory *s = (struct signatory *)o;
    forget(s, call);
}

/* ---- answers ---- */

static void fetch(struct signatory *s, int from)
{
    uint8_t octets[CALL_RING_ANSWER_MAX];
    struct signing_answer with;
    size_t n;
    bool is_ours = call_ring_fetch(&s->ring, from, octets, &n);
    struct signing_call *call = is_ours ? s->calls[from] : NULL;
    if (call) {
        signing_answer_read((struct bytes){octets, n}, &with);
        answer(s, call, &with);
        mem_wipe(&with, sizeof(with));
    }
    mem_wipe(octets, n);
}

static void woken(struct watch *w, uint32_t events)
{
    struct signatory *s = container_of(w, struct signatory, watch);
    for (uint64_t left; (left = call_ring_answered(&s->ring));)
        for (; left; left &= left - 1)
            fetch(s, __builtin_ctzll(left));
    place_waiting(s);
}

static void tell_late(struct timer *t)
{
    struct signatory *s = container_of(t, struct signatory, late);
    static const struct signing_answer late = {.outcome = SIGNING_LATE};
    while (
        !list_is_empty(&s->by_age) && of_age(s->by_age.next)->deadline_ms <= loop_now_ms(s->loop)) {
        if (s->instance)
            count_add(&s->instance[INSTANCE_SIGNER_LATE], 1);
        answer(s, of_age(s->by_age.next), &late);
    }
    watch_oldest(s);
}

/* ---- life ---- */

struct signatory *signatory_new(struct loop *loop)
{
    struct signatory *s = mem_alloc(sizeof(*s));
    s->office = (struct signing_office){ask, cancel};
    s->loop = loop;
    s->watch.fd = -1;
    list_init(&s->by_age);
    list_init(&s->queue);
    loop_at_turn_end(loop, flush, s);
    return s;
}

void signatory_free(struct signatory **sp)
{
    struct signatory *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    ASSERT(list_is_empty(&s->by_age));
    loop_timer_stop(s->loop, &s->late);
    loop_unwatch(s->loop, &s->watch);
    call_ring_close(&s->ring);
    free(s);
}

int signatory_open(struct signatory *s, struct call_ring_fds fds, struct error *err)
{
    ASSERT(s->watch.fd < 0);
    if (call_ring_open_asker(&s->ring, fds, err) < 0)
        return -1;
    /* Edge-triggered: a wake-up need not be read. */
    if (loop_watch(s->loop, &s->watch, s->ring.own_fd, EPOLLIN | EPOLLET, woken) < 0) {
        error_errno(err, errno, "epoll");
        call_ring_close(&s->ring);
        return -1;
    }
    place_waiting(s);
    return 0;
}

void signatory_count(struct signatory *s, struct count *instance)
{
    s->instance = instance;
}

struct signing_office *signatory_office(struct signatory *s)
{
    return &s->office;
}
