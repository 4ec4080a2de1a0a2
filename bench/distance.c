/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distance CORE CORE: how far two cores are from each other: the nanoseconds that a cache line
 * takes from one to the other and back, at best. A virtual machine's may be moved while it runs:
 * within a cache that both share, or out of it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/clock.h"
#include "base/panic.h"

#include "base/ban.h"

#define BURSTS  40
#define BOUNCES 1000 /* of a burst, so that its microseconds are the nanoseconds of one */

/* Counts up by turns: the one makes it odd, the other even. */
static _Alignas(128) atomic_uint ball;

static int stay_on(const char *core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(strtoul(core, NULL, 10), &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

static void wait_for(unsigned n)
{
    while (atomic_load(&ball) != n)
        ;
}

static void *return_balls(void *core)
{
    ASSERT(stay_on(core) == 0);
    for (unsigned n = 1; n < 2 * BURSTS * BOUNCES; n += 2) {
        wait_for(n);
        atomic_store(&ball, n + 1);
    }
    return NULL;
}

static uint64_t burst_us(unsigned from)
{
    uint64_t begun_us = clock_monotonic_us();
    for (unsigned n = from; n < from + 2 * BOUNCES; n += 2) {
        atomic_store(&ball, n + 1);
        wait_for(n + 2);
    }
    return clock_monotonic_us() - begun_us;
}

int main(int argc, char **argv)
{
    pthread_t other;
    if (argc != 3 || stay_on(argv[2]) < 0 || stay_on(argv[1]) < 0 ||
        pthread_create(&other, NULL, return_balls, argv[2])) {
        fputs("usage: distance CORE CORE, two that there are\n", stderr);
        return 2;
    }
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < BURSTS; i++) {
        uint64_t us = burst_us(2 * i * BOUNCES);
        if (us < best)
            best = us;
    }
    pthread_join(other, NULL);
    printf("%ju\n", (uintmax_t)best);
    return 0;
}
