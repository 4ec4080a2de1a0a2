/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/sticky_table.h"

#include <stdatomic.h>

#include "base/scatter.h"
#include "base/shared_memory.h"

#include "base/ban.h"

#define WAYS 8 /* places for a client */
#define SETS (STICKY_TABLE_CLIENTS / WAYS)

/* until_ms is 0 while the others are written: what was read between two looks at the same until_ms
 * is whole. */
struct entry {
    _Atomic uint64_t until_ms, client, label;
};

struct sticky_table {
    struct entry sets[SETS][WAYS];
};

int sticky_table_new(int *fd, struct error *err)
{
    return shared_memory_new("sticky", sizeof(struct sticky_table), fd, err);
}

struct sticky_table *sticky_table_open(int fd, struct error *err)
{
    return shared_memory_map(fd, sizeof(struct sticky_table), SHARED_MEMORY_WRITE, err);
}

const struct sticky_table *sticky_table_map(int fd, struct error *err)
{
    return shared_memory_map(fd, sizeof(struct sticky_table), SHARED_MEMORY_READ, err);
}

void sticky_table_close(const struct sticky_table **t)
{
    if (*t)
        shared_memory_unmap(*t, sizeof(struct sticky_table));
    *t = NULL;
}

static size_t set_of(uint64_t client)
{
    return scatter_mix(client) % SETS;
}

static uint64_t load(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_acquire);
}

static void store(_Atomic uint64_t *n, uint64_t value)
{
    atomic_store_explicit(n, value, memory_order_release);
}

struct sticky_place sticky_table_get(const struct sticky_table *t, uint64_t client, uint64_t now_ms)
{
    const struct entry *set = t->sets[set_of(client)];
    for (size_t i = 0; i < WAYS; i++) {
        uint64_t until_ms = load(&set[i].until_ms);
        bool is_clients = load(&set[i].client) == client;
        uint64_t label = load(&set[i].label);
        if (until_ms > now_ms && is_clients && load(&set[i].until_ms) == until_ms)
            return (struct sticky_place){label, until_ms};
    }
    return (struct sticky_place){0};
}

/* The entry of CLIENT; else the one that ends first. */
static struct entry *choose(struct sticky_table *t, uint64_t client)
{
    struct entry *set = t->sets[set_of(client)], *first = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (load(&set[i].until_ms) && load(&set[i].client) == client)
            return &set[i];
        if (load(&set[i].until_ms) < load(&first->until_ms))
            first = &set[i];
    }
    return first;
}

void sticky_table_put(struct sticky_table *t, uint64_t client, struct sticky_place place)
{
    struct entry *e = choose(t, client);
    store(&e->until_ms, 0);
    store(&e->client, client);
    store(&e->label, place.label);
    store(&e->until_ms, place.until_ms);
}
