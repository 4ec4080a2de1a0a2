/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rates.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

#define NAME_MAX_BYTES 64

struct bucket {
    uint8_t name[NAME_MAX_BYTES];
    size_t name_n;
    uint64_t seen_ms;
    uint64_t thousandths; /* of a request */
};

struct rates {
    struct bucket buckets[RATES_MAX];
    size_t n;
};

struct rates *rates_new(void)
{
    return mem_alloc(sizeof(struct rates));
}

void rates_free(struct rates **r)
{
    free(*r);
    *r = NULL;
}

/* NAME's, else one that is free, else the one of who was not seen for the longest. */
static struct bucket *find(struct rates *r, struct bytes name)
{
    struct bucket *oldest = &r->buckets[0];
    for (size_t i = 0; i < r->n; i++) {
        struct bucket *b = &r->buckets[i];
        if (bytes_equal((struct bytes){b->name, b->name_n}, name))
            return b;
        if (b->seen_ms < oldest->seen_ms)
            oldest = b;
    }
    struct bucket *b = r->n < RATES_MAX ? &r->buckets[r->n++] : oldest;
    *b = (struct bucket){.name_n = name.n};
    if (name.n)
        memcpy(b->name, name.at, name.n);
    return b;
}

bool rates_take(struct rates *r, struct bytes name, unsigned per_second, uint64_t now_ms)
{
    const uint64_t full = per_second * 1000ull;
    struct bucket *b = find(r, bytes_first(name, NAME_MAX_BYTES));
    uint64_t since_ms = now_ms - b->seen_ms;
    b->thousandths =
        !b->seen_ms || since_ms >= 1000 ? full : b->thousandths + since_ms * per_second;
    if (b->thousandths > full)
        b->thousandths = full;
    b->seen_ms = now_ms;
    if (b->thousandths < 1000)
        return false;
    b->thousandths -= 1000;
    return true;
}
