/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/memory_ceiling.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

#define LOOK_MS 50
#define CALM_MS 1000
/* Of the connections, ended in a second: while there is room, and while others are refused. */
#define PART         16
#define PART_REACHED 4

/* Bytes that the process has in memory, of its own: files and shared memory apart. 0: not known. */
static uint64_t memory_of_process(int statm_fd)
{
    char text[128];
    unsigned long long size, resident, shared;
    ssize_t n = pread(statm_fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = 0;
    if (sscanf(text, "%llu %llu %llu", &size, &resident, &shared) != 3 || resident < shared)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What was freed counts until it is given back: that is done only where it is needed. */
static uint64_t memory_after_trim(int statm_fd, uint64_t enough)
{
    uint64_t n = memory_of_process(statm_fd);
    if (n > enough && malloc_trim(0))
        n = memory_of_process(statm_fd);
    return n;
}

/* Before anybody is refused. */
static void make_room(struct proxy *p)
{
    size_t part = p->conns_n / (p->memory.is_reached ? PART_REACHED : PART) + 1;
    p->memory.relieved_ms = loop_now_ms(p->loop);
    size_t ended = pressure_end_idle(p, part);
    if (ended < part)
        ended += pressure_end_stalled(p, part - ended);
    if (p->memory.is_reached && ended < part)
        pressure_end_arriving(p, part - ended);
}

static void look(struct timer *t)
{
    struct proxy *p = container_of(t, struct proxy, memory.timer);
    struct memory_ceiling *m = &p->memory;
    uint64_t room_at = m->max - m->max / 10; /* below it goes on */
    bool may_relieve = loop_now_ms(p->loop) - m->relieved_ms >= CALM_MS;
    uint64_t n = memory_after_trim(m->statm_fd, m->is_reached || may_relieve ? room_at : m->max);
    if (n > room_at && may_relieve)
        make_room(p);
    if (!m->is_reached && n > m->max) {
        m->is_reached = true;
        count_add(&p->worker[WORKER_CEILINGS], 1);
        log_error("memory_max is reached with %zu client connections: no more are accepted, and "
                  "requests are answered with 503, until there is room",
            p->conns_n);
    } else if (m->is_reached && n < room_at) {
        m->is_reached = false;
        log_info("there is room below memory_max again");
    }
    loop_timer_arm(p->loop, t, loop_now_ms(p->loop) + LOOK_MS, look);
}

void memory_ceiling_init(struct proxy *p, int statm_fd)
{
    p->memory.statm_fd = statm_fd;
}

void memory_ceiling_adopt(struct proxy *p)
{
    struct memory_ceiling *m = &p->memory;
    memory_ceiling_stop(p);
    m->max = p->service->config->memory_max;
    if (m->max && m->statm_fd >= 0)
        look(&m->timer);
}

void memory_ceiling_stop(struct proxy *p)
{
    loop_timer_stop(p->loop, &p->memory.timer);
    p->memory.is_reached = false;
}
