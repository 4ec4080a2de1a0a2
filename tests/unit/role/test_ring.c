/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "role/ring.c"
#include "test.h"

#include "base/ban.h"

/* Both ends of a new ring, as the worker and the logger have them. */
static void open_both(struct ring *producer, struct ring *consumer)
{
    struct error err;
    int memory = -1, wake_fd = -1;
    CHECK_INT(ring_new(&memory, &wake_fd, &err), 0);
    CHECK_INT(ring_open(producer, dup(memory), dup(wake_fd), &err), 0);
    CHECK_INT(ring_open(consumer, memory, wake_fd, &err), 0);
}

static void close_both(struct ring *producer, struct ring *consumer)
{
    ring_close(producer);
    ring_close(consumer);
}

static bool is_woken(const struct ring *r)
{
    struct pollfd p = {.fd = r->wake_fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static bool gathers(struct ring *consumer, const char *want)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ring_gather(consumer, &out);
    bool same = bytes_equal(buf_bytes(&out), bytes_of(want));
    buf_fini(&out);
    return same;
}

TEST(lines_come_out_in_order)
{
    struct ring producer, consumer;
    open_both(&producer, &consumer);
    CHECK(gathers(&consumer, ""));
    ring_push(&producer, BYTES("one\n"));
    ring_push(&producer, BYTES("two\n"));
    CHECK(gathers(&consumer, "one\ntwo\n"));
    ring_release(&consumer);
    CHECK(gathers(&consumer, ""));
    close_both(&producer, &consumer);
}

TEST(what_was_not_released_is_gathered_by_the_next_consumer)
{
    struct ring producer, consumer, next;
    struct error err;
    int memory = -1, wake_fd = -1;
    CHECK_INT(ring_new(&memory, &wake_fd, &err), 0);
    CHECK_INT(ring_open(&producer, dup(memory), dup(wake_fd), &err), 0);
    CHECK_INT(ring_open(&consumer, dup(memory), dup(wake_fd), &err), 0);
    ring_push(&producer, BYTES("one\n"));
    CHECK(gathers(&consumer, "one\n"));
    ring_release(&consumer);
    ring_push(&producer, BYTES("two\n"));
    CHECK(gathers(&consumer, "two\n")); /* and is killed before it can say so */
    CHECK_INT(ring_open(&next, memory, wake_fd, &err), 0);
    CHECK(gathers(&next, "two\n"));
    ring_close(&next);
    close_both(&producer, &consumer);
}

TEST(full_ring_drops_and_counts)
{
    struct ring producer, consumer;
    static uint8_t line[RING_RECORD_MAX];
    open_both(&producer, &consumer);
    size_t fitting = DATA_BYTES / (sizeof(line) + LENGTH_BYTES);
    for (size_t i = 0; i < fitting + 3; i++)
        ring_push(&producer, (struct bytes){line, sizeof(line)});
    CHECK_INT(ring_dropped(&consumer), 3);
    CHECK_INT(ring_dropped(&consumer), 0);
    /* Room again once the consumer says so, and not earlier. */
    struct buf out;
    buf_init(&out, 2 * sizeof(line));
    CHECK(ring_gather(&consumer, &out));
    CHECK_INT(buf_size(&out), 2 * sizeof(line));
    ring_push(&producer, (struct bytes){line, sizeof(line)});
    CHECK_INT(ring_dropped(&consumer), 1);
    ring_release(&consumer);
    ring_push(&producer, (struct bytes){line, sizeof(line)});
    CHECK_INT(ring_dropped(&consumer), 0);
    buf_fini(&out);
    close_both(&producer, &consumer);
}

TEST(lines_that_cannot_be_records_are_dropped)
{
    struct ring producer, consumer;
    static uint8_t line[RING_RECORD_MAX + 1];
    open_both(&producer, &consumer);
    ring_push(&producer, (struct bytes){line, 0});
    ring_push(&producer, (struct bytes){line, sizeof(line)});
    CHECK_INT(ring_dropped(&consumer), 2);
    CHECK(gathers(&consumer, ""));
    close_both(&producer, &consumer);
}

TEST(records_survive_the_end_of_the_memory)
{
    struct ring producer, consumer;
    open_both(&producer, &consumer);
    /* 7 does not divide the size: length and text are split at every place in the course of it. */
    for (unsigned i = 0; i < 3 * DATA_BYTES / 7; i++) {
        char line[8];
        snprintf(line, sizeof(line), "%03u", i % 1000);
        ring_push(&producer, (struct bytes){(const uint8_t *)line, 3});
        bool is_same = gathers(&consumer, line);
        CHECK(is_same);
        if (!is_same)
            break;
        ring_release(&consumer);
    }
    CHECK_INT(ring_dropped(&consumer), 0);
    close_both(&producer, &consumer);
}

TEST(only_a_sleeping_consumer_is_woken)
{
    struct ring producer, consumer;
    open_both(&producer, &consumer);
    ring_push(&producer, BYTES("x"));
    CHECK(!is_woken(&consumer));
    CHECK(!ring_sleep(&consumer)); /* there is something */
    CHECK(gathers(&consumer, "x"));
    CHECK(ring_sleep(&consumer));
    ring_push(&producer, BYTES("y"));
    CHECK(is_woken(&consumer));
    ring_awake(&consumer);
    CHECK(!is_woken(&consumer));
    ring_push(&producer, BYTES("z"));
    CHECK(!is_woken(&consumer));
    close_both(&producer, &consumer);
}

/* A worker may have been taken over: whatever it writes into the memory, the logger goes on. */
TEST(nonsense_costs_its_producer_only)
{
    static const struct {
        const char *name;
        uint32_t length;
        uint64_t head;
    } cases[] = {
        {"no length", 0, 100},
        {"longer than a record may be", RING_RECORD_MAX + 1, DATA_BYTES},
        {"longer than what is there", 97, 100},
        {"not even a length", 1, 2},
        {"more than the ring holds", 4, DATA_BYTES + 1},
        {"far more", 4, UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ring producer, consumer;
        open_both(&producer, &consumer);
        copy_in(producer.memory, 0, &cases[i].length, LENGTH_BYTES);
        atomic_store(&producer.memory->head, cases[i].head);
        CHECK(gathers(&consumer, ""));
        CHECK_INT(ring_dropped(&consumer), 1);
        ring_release(&consumer);
        CHECK(gathers(&consumer, ""));
        ring_push(&producer, BYTES("sense again"));
        CHECK(gathers(&consumer, "sense again"));
        close_both(&producer, &consumer);
    }
}

#define LINES 200000u

static void *produce(void *owner)
{
    struct ring *r = owner;
    for (uint32_t i = 0; i < LINES; i++)
        ring_push(r, (struct bytes){(const uint8_t *)&i, sizeof(i)});
    return NULL;
}

/* Every line is gathered once and in order, or counted as dropped; and the consumer, sleeping
 * whenever it may, never misses the last one. */
TEST(two_threads_lose_nothing_unseen)
{
    struct ring producer, consumer;
    struct buf out;
    pthread_t thread;
    uint64_t seen = 0, dropped = 0;
    bool in_order = true;
    int64_t last = -1;
    open_both(&producer, &consumer);
    buf_init(&out, 1 << 18);
    CHECK_INT(pthread_create(&thread, NULL, produce, &producer), 0);
    while (seen + dropped < LINES) {
        while (ring_gather(&consumer, &out)) {
            for (struct bytes b = buf_bytes(&out); b.n; b = bytes_skip(b, 4)) {
                uint32_t i;
                memcpy(&i, b.at, sizeof(i));
                in_order &= i > last;
                last = i;
                seen++;
            }
            buf_clear(&out);
            ring_release(&consumer);
        }
        dropped += ring_dropped(&consumer);
        if (seen + dropped >= LINES || !ring_sleep(&consumer))
            continue;
        /* A dropped line wakes nobody, so the wait has a limit; that it is not needed is for the
         * line after it. */
        struct pollfd p = {.fd = consumer.wake_fd, .events = POLLIN};
        poll(&p, 1, 1000);
        ring_awake(&consumer);
    }
    pthread_join(thread, NULL);
    CHECK(in_order);
    CHECK_INT(seen + dropped, LINES);
    CHECK(seen > 0);
    buf_fini(&out);
    close_both(&producer, &consumer);
}
