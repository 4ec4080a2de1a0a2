/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/health_table.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/shared_memory.h"

#include "base/ban.h"

#define SLOTS     (8u * CONFIG_CHECKED_MAX) /* a power of two: half of them are never used */
#define PROBE_MAX 64                        /* slots that are looked at for a label */

#define FREE      0u /* no target was ever here */
#define REMOVED   1u /* none is here; look further */

/* A label is written after its state, and a slot that gets another label has none meanwhile. */
struct slot {
    _Atomic uint64_t label;
    _Atomic uint64_t state;
};

struct health_table {
    struct slot slots[SLOTS];
};

_Static_assert((SLOTS & (SLOTS - 1)) == 0, "SLOTS is a power of two");

int health_table_new(int *fd, struct error *err)
{
    return shared_memory_new("health", sizeof(struct health_table), fd, err);
}

struct health_table *health_table_open(int fd, struct error *err)
{
    return shared_memory_map(fd, sizeof(struct health_table), SHARED_MEMORY_WRITE, err);
}

const struct health_table *health_table_map(int fd, struct error *err)
{
    return shared_memory_map(fd, sizeof(struct health_table), SHARED_MEMORY_READ, err);
}

void health_table_close(const struct health_table **t)
{
    if (*t)
        shared_memory_unmap(*t, sizeof(struct health_table));
    *t = NULL;
}

static uint64_t label_of(const struct slot *s)
{
    return atomic_load_explicit(&s->label, memory_order_acquire);
}

/* The slot of LABEL, or NULL. *ROOM (may be NULL) becomes the first that could be given to it. */
static const struct slot *find(
    const struct health_table *t, uint64_t label, const struct slot **room)
{
    for (size_t i = 0; i < PROBE_MAX; i++) {
        const struct slot *s = &t->slots[(label + i) & (SLOTS - 1)];
        uint64_t here = label_of(s);
        if (here == label)
            return s;
        if (room && !*room && here <= REMOVED)
            *room = s;
        if (here == FREE)
            break;
    }
    return NULL;
}

enum health_state health_table_get(const struct health_table *t, uint64_t label)
{
    const struct slot *s = t && label > REMOVED ? find(t, label, NULL) : NULL;
    uint64_t state = s ? atomic_load_explicit(&s->state, memory_order_relaxed) : HEALTH_WAITING;
    return state <= HEALTH_UNHEALTHY ? (enum health_state)state : HEALTH_WAITING;
}

void health_table_set(struct health_table *t, uint64_t label, enum health_state state)
{
    const struct slot *room = NULL;
    if (label <= REMOVED)
        return;
    const struct slot *known = find(t, label, &room);
    const struct slot *found = known ? known : room;
    if (!found)
        return;
    struct slot *s = &t->slots[found - t->slots]; /* T is ours to write */
    atomic_store_explicit(&s->state, state, memory_order_relaxed);
    atomic_store_explicit(&s->label, label, memory_order_release);
}

static int by_value(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

void health_table_retain(struct health_table *t, const uint64_t *labels, size_t n)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &t->slots[i];
        uint64_t label = label_of(s);
        if (label <= REMOVED || (n && bsearch(&label, labels, n, sizeof(label), by_value)))
            continue;
        atomic_store_explicit(&s->label, REMOVED, memory_order_release);
    }
}
