/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "io/socket.h"
#include "proxy/proxy_parts.h"
#include "proxy/tally.h"

#include "base/ban.h"

#define ACCEPTS_PER_TURN 64  /* of one listener, so that connections get their turn */
#define ACCEPT_PAUSE_MS  100 /* after descriptors ran out */
#define LINE_MAX_BYTES   (256 * 1024)

struct acceptor {
    struct watch watch;
    struct proxy *proxy;
    const struct listener *listener;
    int fd;
};

static void acceptor_ready(struct watch *w, uint32_t events);

static void watch_acceptors(struct proxy *p)
{
    for (size_t i = 0; i < p->acceptors_n; i++)
        if (loop_watch(
                p->loop, &p->acceptors[i].watch, p->acceptors[i].fd, EPOLLIN, acceptor_ready) < 0)
            log_error("listener %s: the event loop cannot watch its socket",
                p->acceptors[i].listener->config->name);
}

static void unwatch_acceptors(struct proxy *p)
{
    for (size_t i = 0; i < p->acceptors_n; i++)
        loop_unwatch(p->loop, &p->acceptors[i].watch);
}

static void accept_again(struct timer *t)
{
    struct proxy *p = container_of(t, struct proxy, accept_again);
    if (!p->is_draining)
        watch_acceptors(p);
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
        struct address peer;
        int fd = socket_accept(a->fd, &peer);
        if (fd >= 0) {
            conn_open(p, p->service, a->listener, fd, &peer);
            continue;
        }
        if (is_exhaustion(errno)) {
            log_error("no descriptor left for a connection: accepting pauses for %d ms; raise "
                      "LimitNOFILE",
                ACCEPT_PAUSE_MS);
            unwatch_acceptors(p);
            loop_timer_arm(
                p->loop, &p->accept_again, loop_now_ms(p->loop) + ACCEPT_PAUSE_MS, accept_again);
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void free_closed(void *owner)
{
    struct proxy *p = owner;
    LIST_FOREACH_SAFE (link, &p->closed) {
        list_remove(link);
        conn_free(container_of(link, struct conn, link));
    }
}

struct proxy *proxy_new(struct loop *loop, proxy_log_fn *log, void *log_owner)
{
    struct proxy *p = mem_alloc(sizeof(*p));
    p->loop = loop;
    p->log = log;
    p->log_owner = log_owner;
    list_init(&p->conns);
    list_init(&p->closed);
    buf_init(&p->line, LINE_MAX_BYTES);
    loop_at_turn_end(loop, free_closed, p);
    return p;
}

void proxy_count(
    struct proxy *p, unsigned worker, struct counters *counters, struct handshake_log *handshakes)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", worker);
    p->counters = counters;
    p->handshakes = handshakes;
    p->worker = counters_row(counters, COUNTERS_WORKER, (const char *const[]){number});
    count_set(&p->worker[WORKER_PID], (uint64_t)getpid());
}

void proxy_forget(struct proxy *p, struct conn *c)
{
    list_remove(&c->link);
    list_append(&p->closed, &c->link);
    p->conns_n--;
}

static void drop_acceptors(struct proxy *p)
{
    unwatch_acceptors(p);
    loop_timer_stop(p->loop, &p->accept_again);
    free(p->acceptors);
    p->acceptors = NULL;
    p->acceptors_n = 0;
}

static const struct listener *find_listener(const struct service *s, const char *name)
{
    for (size_t i = 0; i < s->config->listeners_n; i++)
        if (strcmp(s->config->listeners[i].name, name) == 0)
            return &s->listeners[i];
    return NULL;
}

/* Whoever was let in by rules that are no longer in force has timeouts.drain to end. */
static void retire(struct proxy *p, const struct service *next)
{
    LIST_FOREACH (link, &p->conns) {
        struct conn *c = container_of(link, struct conn, link);
        const struct listener *now = find_listener(next, c->listener->config->name);
        if (!listener_still_admits(now, c->listener, c->authn))
            conn_retire(c);
    }
}

void proxy_adopt(struct proxy *p, struct service *service, const int *fds, size_t fds_n)
{
    ASSERT(fds_n == service->config->listeners_n && !p->is_draining && p->counters);
    tally_service(p, service);
    retire(p, service);
    drop_acceptors(p);
    service_unref(&p->service);
    p->service = service;
    p->acceptors = mem_calloc(fds_n, sizeof(*p->acceptors));
    p->acceptors_n = fds_n;
    for (size_t i = 0; i < fds_n; i++)
        p->acceptors[i] = (struct acceptor){
            .watch = {.fd = -1}, .proxy = p, .listener = &service->listeners[i], .fd = fds[i]};
    watch_acceptors(p);
}

void proxy_resolve(struct proxy *p, const struct address_book *book)
{
    if (p->service)
        service_resolve(p->service, book);
}

void proxy_drain(struct proxy *p)
{
    p->is_draining = true;
    drop_acceptors(p);
    LIST_FOREACH_SAFE (link, &p->conns)
        conn_drain(container_of(link, struct conn, link));
}

bool proxy_is_idle(const struct proxy *p)
{
    return p->conns_n == 0;
}

void proxy_abort(struct proxy *p)
{
    LIST_FOREACH_SAFE (link, &p->conns)
        conn_reset(container_of(link, struct conn, link), CLOSE_DRAINED, "");
}

void proxy_free(struct proxy **pp)
{
    struct proxy *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    drop_acceptors(p);
    proxy_abort(p);
    free_closed(p);
    service_unref(&p->service);
    buf_fini(&p->line);
    free(p);
}
