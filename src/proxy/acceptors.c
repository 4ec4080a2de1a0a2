/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/acceptors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "balance/upstream.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/socket.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

#define ACCEPTS_PER_TURN 8    /* of one listener, so that connections get their turn */
#define CALM_MS          1000 /* after a pause: nothing is tried, or told to be over, before */

/* What a worker has open besides connections and listening sockets: the loop, its channel, rings
 * and counters, what messages bring, with room to spare. */
#define OWN_DESCRIPTORS 64

struct acceptor {
    struct watch watch;
    struct proxy *proxy;
    const struct listener *listener;
    int fd;
};

struct acceptors_shares acceptors_share(size_t descriptors, size_t listeners_n, size_t targets_n)
{
    /* Twice the listeners: those of the next generation come before these go. */
    size_t own = OWN_DESCRIPTORS + 2 * listeners_n;
    size_t rest = descriptors > own ? descriptors - own : 0;
    size_t idle = targets_n * GROUP_IDLE_MAX;
    if (idle > rest / 4)
        idle = rest / 4;
    size_t clients = (rest - idle) / 2;
    return (struct acceptors_shares){.clients = clients ? clients : 1, .idle = idle};
}

static size_t descriptors_of_process(void)
{
    struct rlimit files;
    bool is_known = getrlimit(RLIMIT_NOFILE, &files) == 0;
    return is_known ? (size_t)files.rlim_cur : 0;
}

static void acceptor_ready(struct watch *w, uint32_t events);

static void watch_all(struct proxy *p)
{
    for (size_t i = 0; i < p->acceptors.n; i++) {
        struct acceptor *a = &p->acceptors.at[i];
        if (loop_watch(p->loop, &a->watch, a->fd, EPOLLIN, acceptor_ready) < 0)
            log_error(
                "listener %s: the event loop cannot watch its socket", a->listener->config->name);
        a->watch.is_patient = true; /* whoever waits in the queue is served in order */
    }
}

static void unwatch_all(struct proxy *p)
{
    for (size_t i = 0; i < p->acceptors.n; i++)
        loop_unwatch(p->loop, &p->acceptors.at[i].watch);
}

static void calmed(struct timer *t);

static void calm_down(struct proxy *p)
{
    loop_timer_arm(p->loop, &p->acceptors.timer, loop_now_ms(p->loop) + CALM_MS, calmed);
}

/* Under more than it can take a worker pauses and goes on many times a second: the log is told when
 * that begins and when it is over. */
static void pause_accepting(struct proxy *p, const char *why)
{
    struct acceptors *a = &p->acceptors;
    unwatch_all(p);
    a->is_paused = true;
    calm_down(p);
    if (a->paused_ms)
        return;
    a->paused_ms = loop_now_ms(p->loop);
    count_add(&p->worker[WORKER_PAUSES], 1);
    log_error("accepting pauses at %zu client connections: %s", p->conns_n, why);
}

static void pause_for_want(struct proxy *p, int errno_value)
{
    char why[128];
    bool is_files = errno_value == EMFILE;
    snprintf(
        why, sizeof(why), "%s%s", strerror(errno_value), is_files ? "; raise LimitNOFILE" : "");
    pause_accepting(p, why);
}

static void go_on(struct proxy *p)
{
    p->acceptors.is_paused = false;
    watch_all(p);
    calm_down(p);
}

/* Connections are ended a part at a time: whoever waits comes again, and not all at once. */
#define PART 16

/* Before it is full, so that hardly anybody has to wait until others have gone. */
static bool is_nearly_full(const struct proxy *p)
{
    size_t max = p->acceptors.shares.clients;
    return p->conns_n >= max - max / PART;
}

static bool is_full(const struct proxy *p)
{
    return p->conns_n >= p->acceptors.shares.clients;
}

static void make_room(struct proxy *p)
{
    size_t part = p->acceptors.shares.clients / PART + 1;
    size_t ended = pressure_end_idle(p, part);
    if (ended < part)
        pressure_end_arriving(p, part - ended);
}

/* Not for each single connection that ends: a pause costs system calls, too. */
static bool has_room_again(const struct proxy *p)
{
    size_t max = p->acceptors.shares.clients;
    return p->conns_n < max - max / 64 && !p->memory.is_reached;
}

static void calmed(struct timer *t)
{
    struct proxy *p = container_of(t, struct proxy, acceptors.timer);
    struct acceptors *a = &p->acceptors;
    if (a->is_paused && has_room_again(p)) { /* the system had no room: perhaps it has now */
        go_on(p);
    } else if (a->is_paused) {
        calm_down(p);
        if (is_full(p))
            make_room(p);
    } else {
        uint64_t lasted_ms = loop_now_ms(p->loop) - CALM_MS - a->paused_ms;
        log_info("accepting goes on after %.1f s", (double)lasted_ms / 1000);
        a->paused_ms = 0;
    }
}

static bool is_exhaustion(int errno_value)
{
    return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS ||
           errno_value == ENOMEM;
}

static void acceptor_ready(struct watch *w, uint32_t events)
{
    struct acceptor *a = container_of(w, struct acceptor, watch);
    struct proxy *p = a->proxy;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        if (is_full(p)) {
            pause_accepting(p, "what is left of its descriptors is for connections to targets; "
                               "raise LimitNOFILE");
            make_room(p);
            return;
        }
        if (is_nearly_full(p))
            pressure_end_idle(p, 1);
        if (p->memory.is_reached) {
            pause_accepting(p, "memory_max is reached");
            return;
        }
        struct address peer;
        int fd = socket_accept(a->fd, &peer);
        int why = errno;
        if (fd >= 0)
            conn_open(p, p->service, a->listener, fd, &peer);
        else if (is_exhaustion(why))
            pause_for_want(p, why);
        if (fd < 0 && why != ECONNABORTED && why != EINTR)
            return;
    }
}

void acceptors_open(struct proxy *p, const int *fds)
{
    acceptors_close(p);
    struct acceptors *a = &p->acceptors;
    const struct config *config = p->service->config;
    size_t targets_n = 0;
    for (size_t i = 0; i < config->groups_n; i++)
        targets_n += config->groups[i].targets_n;
    a->shares = acceptors_share(descriptors_of_process(), config->listeners_n, targets_n);
    count_set(&p->worker[WORKER_MAX], a->shares.clients);
    a->n = config->listeners_n;
    a->at = mem_calloc(a->n, sizeof(*a->at));
    for (size_t i = 0; i < a->n; i++)
        a->at[i] = (struct acceptor){
            .watch = {.fd = -1}, .proxy = p, .listener = &p->service->listeners[i], .fd = fds[i]};
    watch_all(p);
    if (a->paused_ms)
        calm_down(p);
}

void acceptors_close(struct proxy *p)
{
    struct acceptors *a = &p->acceptors;
    unwatch_all(p);
    loop_timer_stop(p->loop, &a->timer);
    free(a->at);
    a->at = NULL;
    a->n = 0;
    a->is_paused = false;
}

void acceptors_room(struct proxy *p)
{
    if (p->acceptors.is_paused && has_room_again(p))
        go_on(p);
}
