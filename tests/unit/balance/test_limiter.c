/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "balance/limiter.h"
#include "test.h"

#define T 1000000000u

static const uint8_t v4[16] = {[10] = 0xFF, 0xFF, 192, 0, 2, 1};
static const uint8_t other[16] = {[10] = 0xFF, 0xFF, 192, 0, 2, 2};

static struct limiter *open_as(int fd, unsigned worker)
{
    struct error err;
    struct limiter *l = limiter_open(fd, worker, &err);
    CHECK(l);
    return l;
}

static int make(void)
{
    struct error err;
    int fd = -1;
    CHECK_INT(limiter_new(&fd, &err), 0);
    return fd;
}

TEST(keys_differ_by_kind_name_and_source)
{
    int fd = make();
    struct limiter *l = open_as(fd, 0), *m = open_as(fd, 1);
    uint64_t key = limiter_key(l, 1, BYTES("web"), v4);
    CHECK(key && key == limiter_key(m, 1, BYTES("web"), v4)); /* in all workers the same */
    CHECK(key != limiter_key(l, 2, BYTES("web"), v4) && key != limiter_key(l, 1, BYTES("we"), v4));
    CHECK(key != limiter_key(l, 1, BYTES("web"), other) &&
          key != limiter_key(l, 1, BYTES("web"), NULL));
    limiter_close(&l);
    limiter_close(&m);
    CHECK(!l);
    close(fd);
}

TEST(of_ipv6_the_network_counts)
{
    int fd = make();
    struct limiter *l = open_as(fd, 0);
    uint8_t a[16] = {0x20, 1, [15] = 1}, b[16] = {0x20, 1, [15] = 2}, c[16] = {0x20, 1, [7] = 1};
    CHECK(limiter_key(l, 1, BYTES("x"), a) == limiter_key(l, 1, BYTES("x"), b));
    CHECK(limiter_key(l, 1, BYTES("x"), a) != limiter_key(l, 1, BYTES("x"), c));
    limiter_close(&l);
    close(fd);
}

TEST(what_is_under_way_counts_in_all_workers_together)
{
    int fd = make();
    struct limiter *l = open_as(fd, 0), *m = open_as(fd, 1);
    uint64_t key = limiter_key(l, 1, BYTES("web"), NULL);
    uint32_t a, b, c, d;
    CHECK(limiter_take(l, key, 2, T, &a) && limiter_take(m, key, 2, T, &b));
    CHECK(!limiter_take(l, key, 2, T, &c) && c == LIMITER_NO_SLOT);
    CHECK(!limiter_take(m, key, 2, T, &c));
    limiter_give(m, b);
    CHECK(limiter_take(l, key, 2, T, &c) && !limiter_take(m, key, 2, T, &d));
    limiter_give(l, a);
    limiter_give(l, c);
    limiter_give(l, LIMITER_NO_SLOT);
    CHECK(limiter_take(m, key, 1, T, &b) && !limiter_take(m, key, 1, T, &d));
    limiter_close(&l);
    limiter_close(&m);
    close(fd);
}

TEST(a_worker_that_died_has_nothing_under_way)
{
    int fd = make();
    struct limiter *l = open_as(fd, 0), *m = open_as(fd, 1), *again;
    uint64_t key = limiter_key(l, 1, BYTES("web"), NULL);
    uint32_t a, b;
    CHECK(limiter_take(l, key, 1, T, &a) && !limiter_take(m, key, 1, T, &b));
    again = open_as(fd, 0); /* the first one has not said goodbye */
    CHECK(limiter_take(m, key, 1, T, &b));
    limiter_close(&again);
    limiter_close(&m);
    limiter_close(&l);
    close(fd);
}

TEST(rates_are_a_burst_and_then_the_rate)
{
    int fd = make();
    struct limiter *l = open_as(fd, 0), *m = open_as(fd, 1);
    uint64_t key = limiter_key(l, 1, BYTES("web"), v4);
    for (int i = 0; i < 10; i++)
        CHECK(limiter_pass(i % 2 ? l : m, key, 10, T));
    CHECK(!limiter_pass(l, key, 10, T) && !limiter_pass(m, key, 10, T + 99999));
    CHECK(limiter_pass(m, key, 10, T + 100000) && !limiter_pass(l, key, 10, T + 100000));
    int passed = 0;
    for (unsigned us = 200000; us < 10200000; us += 1000)
        passed += limiter_pass(l, key, 10, T + us);
    CHECK_INT(passed, 100);
    limiter_close(&l);
    limiter_close(&m);
    close(fd);
}

/* As many sources as fit, and more: those who find no place are let through, none is refused for
 * another one, and places of those who have gone are used again. */
TEST(more_sources_than_places)
{
    int fd = make();
    struct limiter *l = open_as(fd, 0);
    static uint32_t slots[2 * LIMITER_SLOTS];
    size_t uncounted = 0;
    for (uint32_t i = 0; i < 2 * LIMITER_SLOTS; i++) {
        uint8_t source[16] = {[10] = 0xFF, 0xFF, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        source[12] = (uint8_t)(i >> 16);
        source[13] = (uint8_t)(i >> 8);
        source[14] = (uint8_t)i;
        CHECK(limiter_take(l, limiter_key(l, 1, BYTES("x"), source), 1, T, &slots[i]));
        uncounted += slots[i] == LIMITER_NO_SLOT;
    }
    CHECK(uncounted >= LIMITER_SLOTS && uncounted < LIMITER_SLOTS + LIMITER_SLOTS / 10);
    for (uint32_t i = 0; i < 2 * LIMITER_SLOTS; i++)
        limiter_give(l, slots[i]);
    uint32_t slot;
    uint64_t key = limiter_key(l, 1, BYTES("new"), NULL);
    CHECK(limiter_take(l, key, 1, T, &slot) && slot != LIMITER_NO_SLOT);
    limiter_close(&l);
    close(fd);
}
