/* SPDX-License-Identifier: Apache-2.0 */
#include "io/call_ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/panic.h"
#include "base/shared_memory.h"

#include "base/ban.h"

#define PLACE_BYTES (64 * 1024)

/* The answer overwrites the request. The serial goes back with it, so that an asker that was
 * started again does not take what its predecessor asked for. */
struct place {
    _Alignas(64) uint32_t asked_serial, answered_serial, size;
    uint8_t data[PLACE_BYTES - 64];
};

/* Each side's words have a cache line of their own. */
struct call_ring_memory {
    _Alignas(64) _Atomic uint64_t asked; /* set by the asker, cleared by the server */
    _Atomic uint32_t server_sleeps;
    _Alignas(64) _Atomic uint64_t answered; /* set by the server, cleared by the asker */
    _Atomic uint32_t asker_sleeps;
    _Atomic uint32_t in_hand; /* 1 + the place that the server works on; 0: none */
    struct place places[CALL_RING_PLACES];
};

_Static_assert(CALL_RING_REQUEST_MAX <= sizeof(((struct place *)NULL)->data), "requests fit");
_Static_assert(CALL_RING_ANSWER_MAX <= CALL_RING_REQUEST_MAX, "answers fit");

#define BIT(place) (1ull << (place))

/* ---- both ---- */

int call_ring_new(struct call_ring_fds *out, struct error *err)
{
    *out = (struct call_ring_fds){-1, -1, -1};
    if (shared_memory_new("calls", sizeof(struct call_ring_memory), &out->memory, err) < 0)
        return -1;
    out->server = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    out->asker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (out->server >= 0 && out->asker >= 0)
        return 0;
    error_errno(err, errno, "no ring for calls");
    const int fds[] = {out->memory, out->server, out->asker};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *out = (struct call_ring_fds){-1, -1, -1};
    return -1;
}

static int attach(struct call_ring *r, int memory_fd, int other_fd, int own_fd, struct error *err)
{
    void *at =
        shared_memory_map(memory_fd, sizeof(struct call_ring_memory), SHARED_MEMORY_WRITE, err);
    close(memory_fd);
    *r = (struct call_ring){.memory = at, .other_fd = other_fd, .own_fd = own_fd};
    if (at)
        return 0;
    close(other_fd);
    close(own_fd);
    return -1;
}

void call_ring_close(struct call_ring *r)
{
    if (!r->memory)
        return;
    shared_memory_unmap(r->memory, sizeof(struct call_ring_memory));
    close(r->other_fd);
    close(r->own_fd);
    *r = (struct call_ring){.other_fd = -1, .own_fd = -1};
}

/* Tell whoever waits for FD. */
static void wake(int fd)
{
    uint64_t one = 1;
    ignore_result(write(fd, &one, sizeof(one)));
}

/* Sequentially consistent, as is all that sets the words: either we see that the other side sleeps,
 * or it sees what we have set before. Only the first of a burst finds the flag. */
void call_ring_flush(struct call_ring *r)
{
    _Atomic uint32_t *sleeps = r->is_server ? &r->memory->asker_sleeps : &r->memory->server_sleeps;
    if (atomic_load(sleeps) && atomic_exchange(sleeps, 0))
        wake(r->other_fd);
}

/* ---- asker ---- */

/* A predecessor's answers are for nobody: they may be secrets of its connections. */
static void wipe_answers(struct call_ring *r, uint64_t places)
{
    for (; places; places &= places - 1)
        mem_wipe(r->memory->places[__builtin_ctzll(places)].data, CALL_RING_ANSWER_MAX);
}

/* Who had FD before may have written so much into it that nothing more would be noticed. */
static void empty(int fd)
{
    uint64_t count;
    ignore_result(read(fd, &count, sizeof(count)));
}

int call_ring_open_asker(struct call_ring *r, struct call_ring_fds fds, struct error *err)
{
    if (attach(r, fds.memory, fds.server, fds.asker, err) < 0)
        return -1;
    /* As in call_ring_answered: what is answered after this wakes us. */
    empty(r->own_fd);
    atomic_store(&r->memory->asker_sleeps, 1);
    /* What the process before has asked may be in the server's hands; its places are free when
     * they are answered. */
    r->serial = arc4random();
    r->busy = atomic_load(&r->memory->asked);
    uint64_t answered = atomic_exchange(&r->memory->answered, 0);
    r->busy &= ~answered;
    wipe_answers(r, answered);
    for (int i = 0; i < CALL_RING_PLACES; i++)
        r->serials[i] = r->serial;
    empty(r->other_fd);
    wake(r->other_fd); /* it may have died between seeing that the server sleeps and waking it */
    return 0;
}

int call_ring_ask(struct call_ring *r, struct bytes head, struct bytes body)
{
    struct call_ring_memory *m = r->memory;
    ASSERT(head.n <= CALL_RING_REQUEST_MAX && body.n <= CALL_RING_REQUEST_MAX - head.n);
    if (r->busy == ~0ull)
        return -1;
    int i = __builtin_ctzll(~r->busy);
    struct place *p = &m->places[i];
    r->busy |= BIT(i);
    r->serials[i] = p->asked_serial = ++r->serial;
    p->size = (uint32_t)(head.n + body.n);
    memcpy(p->data, head.at, head.n);
    if (body.n)
        memcpy(p->data + head.n, body.at, body.n);
    atomic_fetch_or(&m->asked, BIT(i));
    return i;
}

uint64_t call_ring_answered(struct call_ring *r)
{
    /* First the flag: what is answered after this wakes us again. */
    atomic_store(&r->memory->asker_sleeps, 1);
    return atomic_exchange(&r->memory->answered, 0) & r->busy;
}

bool call_ring_fetch(struct call_ring *r, int place, uint8_t out[CALL_RING_ANSWER_MAX], size_t *n)
{
    const volatile struct place *seen = &r->memory->places[place];
    uint32_t size = seen->size;
    bool is_ours = seen->answered_serial == r->serials[place];
    if (is_ours || !(atomic_load(&r->memory->asked) & BIT(place)))
        r->busy &= ~BIT(place);
    *n = is_ours && size <= CALL_RING_ANSWER_MAX ? size : 0;
    memcpy(out, r->memory->places[place].data, *n);
    if (!(r->busy & BIT(place))) /* it may be a secret, also where it is our predecessor's */
        mem_wipe(r->memory->places[place].data,
            size <= CALL_RING_ANSWER_MAX ? size : CALL_RING_ANSWER_MAX);
    return is_ours;
}

/* ---- server ---- */

void call_ring_reply(struct call_ring *r, int place, struct bytes answer)
{
    struct call_ring_memory *m = r->memory;
    struct place *p = &m->places[place];
    ASSERT(answer.n <= CALL_RING_ANSWER_MAX);
    if (answer.n)
        memcpy(p->data, answer.at, answer.n);
    p->size = (uint32_t)answer.n;
    p->answered_serial = r->serials[place];
    /* In this order: who is killed in between has the place in hand, and it is replied to again. */
    atomic_fetch_and(&m->asked, ~BIT(place));
    atomic_fetch_or(&m->answered, BIT(place));
    atomic_store(&m->in_hand, 0);
}

int call_ring_open_server(struct call_ring *r, struct call_ring_fds fds, struct error *err)
{
    if (attach(r, fds.memory, fds.asker, fds.server, err) < 0)
        return -1;
    r->is_server = true;
    uint32_t in_hand = atomic_load(&r->memory->in_hand);
    if (in_hand && in_hand <= CALL_RING_PLACES) {
        r->serials[in_hand - 1] = r->memory->places[in_hand - 1].asked_serial;
        call_ring_reply(r, (int)in_hand - 1, (struct bytes){0});
    }
    atomic_store(&r->memory->in_hand, 0);
    atomic_store(&r->memory->server_sleeps, 0);
    call_ring_flush(r);
    return 0;
}

uint64_t call_ring_asked(const struct call_ring *r)
{
    return atomic_load_explicit(&r->memory->asked, memory_order_acquire);
}

struct bytes call_ring_receive(struct call_ring *r, int place, uint8_t space[CALL_RING_REQUEST_MAX])
{
    const volatile struct place *seen = &r->memory->places[place];
    uint32_t size = seen->size;
    r->serials[place] = seen->asked_serial;
    atomic_store(&r->memory->in_hand, (uint32_t)place + 1);
    if (size > CALL_RING_REQUEST_MAX)
        size = 0;
    memcpy(space, r->memory->places[place].data, size);
    return (struct bytes){space, size};
}

bool call_ring_sleep(struct call_ring *r)
{
    atomic_store(&r->memory->server_sleeps, 1);
    if (!atomic_load(&r->memory->asked))
        return true;
    atomic_store(&r->memory->server_sleeps, 0);
    return false;
}

void call_ring_awake(struct call_ring *r)
{
    atomic_store(&r->memory->server_sleeps, 0);
}
