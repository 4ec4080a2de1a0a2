/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/limiter.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/memory.h"
#include "base/panic.h"
#include "base/shared_memory.h"

#include "base/ban.h"

#define PROBES    16 /* places where a key may be */
#define SECOND_US 1000000u

struct slot {
    _Atomic uint64_t key;      /* 0: nobody's */
    _Atomic uint64_t until_us; /* rates: what was let through is spread up to then */
};

struct shared {
    uint64_t secret[2]; /* so that nobody outside can choose who shares a place */
    _Atomic uint32_t workers_n;
    _Atomic uint32_t is_used[LIMITER_WORKERS_MAX]; /* the worker has written to UNDER_WAY */
    struct slot slots[LIMITER_SLOTS];
    _Atomic uint32_t under_way[LIMITER_WORKERS_MAX][LIMITER_SLOTS];
};

struct limiter {
    struct shared *shared;
    unsigned worker;
};

#define LOAD(place)         atomic_load_explicit(place, memory_order_relaxed)
#define STORE(place, value) atomic_store_explicit(place, value, memory_order_relaxed)

int limiter_new(int *fd, struct error *err)
{
    if (shared_memory_new("limits", sizeof(struct shared), fd, err) < 0)
        return -1;
    struct shared *s = shared_memory_map(*fd, sizeof(*s), SHARED_MEMORY_WRITE, err);
    if (!s)
        return -1;
    ssize_t n = getrandom(s->secret, sizeof(s->secret), 0);
    ASSERT(n == (ssize_t)sizeof(s->secret));
    shared_memory_unmap(s, sizeof(*s));
    return 0;
}

/* Whatever stands in the place of this worker is of one that has ended. */
static void clear(struct limiter *l)
{
    struct shared *s = l->shared;
    if (!LOAD(&s->is_used[l->worker]))
        return;
    for (size_t i = 0; i < LIMITER_SLOTS; i++)
        if (LOAD(&s->under_way[l->worker][i]))
            STORE(&s->under_way[l->worker][i], 0);
}

struct limiter *limiter_open(int fd, unsigned worker, struct error *err)
{
    struct shared *s = shared_memory_map(fd, sizeof(*s), SHARED_MEMORY_WRITE, err);
    if (!s)
        return NULL;
    ASSERT(worker < LIMITER_WORKERS_MAX);
    struct limiter *l = mem_alloc(sizeof(*l));
    *l = (struct limiter){.shared = s, .worker = worker};
    clear(l);
    uint32_t n = LOAD(&s->workers_n);
    while (n <= worker && !atomic_compare_exchange_weak(&s->workers_n, &n, worker + 1)) {
    }
    return l;
}

void limiter_close(struct limiter **lp)
{
    struct limiter *l = *lp;
    *lp = NULL;
    if (!l)
        return;
    clear(l);
    shared_memory_unmap(l->shared, sizeof(*l->shared));
    free(l);
}

/* ---- keys ---- */

/* A mixer of 64 bits (the finaliser of splitmix64). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
}

static uint64_t add(uint64_t hash, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, at + i, n - i < 8 ? n - i : 8);
        hash = mix(hash ^ word);
    }
    return mix(hash ^ n);
}

static bool is_v4(const uint8_t source[16])
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    return memcmp(source, mapped, sizeof(mapped)) == 0;
}

uint64_t limiter_key(
    const struct limiter *l, unsigned what, struct bytes name, const uint8_t source[16])
{
    const uint64_t *secret = l->shared->secret;
    uint64_t hash = add(mix(secret[0] ^ what), name.at, name.n);
    if (source)
        hash = is_v4(source) ? add(hash, source + 12, 4) : add(hash, source, 8);
    hash = mix(hash ^ secret[1]);
    return hash ? hash : 1;
}

/* ---- places ---- */

static uint64_t sum(const struct shared *s, size_t slot)
{
    uint64_t n = 0;
    uint32_t workers_n = LOAD(&s->workers_n);
    for (uint32_t i = 0; i < workers_n && i < LIMITER_WORKERS_MAX; i++)
        n += LOAD(&s->under_way[i][slot]);
    return n;
}

static bool is_free(const struct shared *s, size_t slot, uint64_t now_us)
{
    return LOAD(&s->slots[slot].until_us) <= now_us && sum(s, slot) == 0;
}

/* The place of KEY, which may be a new one; LIMITER_NO_SLOT if all that it could have are taken. */
static uint32_t find(struct shared *s, uint64_t key, uint64_t now_us)
{
    size_t home = key % LIMITER_SLOTS;
    for (size_t i = 0; i < PROBES; i++) {
        size_t slot = (home + i) % LIMITER_SLOTS;
        if (LOAD(&s->slots[slot].key) == key)
            return (uint32_t)slot;
    }
    for (size_t i = 0; i < PROBES; i++) {
        size_t slot = (home + i) % LIMITER_SLOTS;
        uint64_t old = LOAD(&s->slots[slot].key);
        if (is_free(s, slot, now_us) &&
            (atomic_compare_exchange_strong(&s->slots[slot].key, &old, key) || old == key))
            return (uint32_t)slot;
    }
    return LIMITER_NO_SLOT;
}

/* Counted first and looked at then: two that come at once never both pass where one may. */
bool limiter_take(struct limiter *l, uint64_t key, uint32_t max, uint64_t now_us, uint32_t *slot)
{
    struct shared *s = l->shared;
    *slot = find(s, key, now_us);
    if (*slot == LIMITER_NO_SLOT)
        return true;
    STORE(&s->is_used[l->worker], 1);
    atomic_fetch_add(&s->under_way[l->worker][*slot], 1);
    if (sum(s, *slot) <= max)
        return true;
    limiter_give(l, *slot);
    *slot = LIMITER_NO_SLOT;
    return false;
}

void limiter_give(struct limiter *l, uint32_t slot)
{
    if (slot == LIMITER_NO_SLOT)
        return;
    _Atomic uint32_t *mine = &l->shared->under_way[l->worker][slot];
    if (LOAD(mine))
        atomic_fetch_sub(mine, 1);
}

bool limiter_pass(struct limiter *l, uint64_t key, uint32_t per_second, uint64_t now_us)
{
    struct shared *s = l->shared;
    uint32_t slot = find(s, key, now_us);
    uint64_t interval_us = SECOND_US / per_second;
    if (slot == LIMITER_NO_SLOT)
        return true;
    uint64_t until_us = LOAD(&s->slots[slot].until_us), next_us;
    do {
        next_us = (until_us > now_us ? until_us : now_us) + interval_us;
        if (next_us > now_us + SECOND_US)
            return false;
    } while (!atomic_compare_exchange_weak(&s->slots[slot].until_us, &until_us, next_us));
    return true;
}
