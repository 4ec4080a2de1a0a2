/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "balance/loads.h"
#include "base/memory.h"
#include "base/panic.h"
#include "proxy/proxy_parts.h"
#include "proxy/tally.h"

#include "base/ban.h"

#define LINE_MAX_BYTES (256 * 1024)

static void free_closed(struct proxy *p)
{
    LIST_FOREACH_SAFE (link, &p->closed) {
        list_remove(link);
        conn_free(container_of(link, struct conn, link));
    }
}

static void end_turn(void *owner)
{
    conn_run_woken(owner);
    free_closed(owner);
}

struct proxy *proxy_new(struct loop *loop, proxy_log_fn *log, void *log_owner)
{
    struct proxy *p = mem_alloc(sizeof(*p));
    p->loop = loop;
    p->log = log;
    p->log_owner = log_owner;
    list_init(&p->conns);
    list_init(&p->woken);
    list_init(&p->closed);
    pressure_init(p);
    buf_init(&p->line, LINE_MAX_BYTES);
    p->loads = loads_new();
    loop_at_turn_end(loop, end_turn, p);
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

int proxy_add_peer(struct proxy *p, int counters_fd, int sticky_fd, struct error *err)
{
    struct sticky_tables *s = &p->sticky;
    if (s->peers_n == STICKY_PEERS_MAX)
        return error_set(err, "more workers than there can be");
    if (loads_add_source(p->loads, counters_fd, err) < 0)
        return -1;
    s->peers[s->peers_n] = sticky_table_map(sticky_fd, err);
    if (!s->peers[s->peers_n])
        return -1;
    s->peers_n++;
    return 0;
}

int proxy_remember(struct proxy *p, int fd, struct error *err)
{
    if (p->sticky.own)
        return error_set(err, "told so twice");
    p->sticky.own = sticky_table_open(fd, err);
    return p->sticky.own ? 0 : -1;
}

int proxy_see_health(struct proxy *p, int fd, struct error *err)
{
    if (p->health)
        return error_set(err, "told so twice");
    p->health = health_table_map(fd, err);
    return p->health ? 0 : -1;
}

int proxy_limit(struct proxy *p, unsigned worker, int fd, struct error *err)
{
    if (p->limiter)
        return error_set(err, "told so twice");
    p->limiter = limiter_open(fd, worker, err);
    return p->limiter ? 0 : -1;
}

void proxy_watch_memory(struct proxy *p, int statm_fd)
{
    memory_ceiling_init(p, statm_fd);
}

void proxy_forget(struct proxy *p, struct conn *c)
{
    list_remove(&c->link);
    list_append(&p->closed, &c->link);
    p->conns_n--;
    acceptors_room(p);
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
    for (size_t i = 0; i < service->config->groups_n; i++)
        service->groups[i].health = p->health;
    loads_adopt(p->loads, service->groups, service->config->groups_n);
    retire(p, service);
    if (p->service) {
        service_limit_idle(p->service, 0);
        service_forget_tickets(p->service);
    }
    service_unref(&p->service);
    p->service = service;
    acceptors_open(p, fds);
    memory_ceiling_adopt(p);
    LIST_FOREACH_SAFE (link, &p->conns)
        conn_supersede(container_of(link, struct conn, link));
    service_limit_idle(service, p->acceptors.shares.idle);
}

void proxy_resolve(struct proxy *p, const struct address_book *book)
{
    if (p->service)
        service_resolve(p->service, book);
}

void proxy_advance_tickets(struct proxy *p)
{
    if (p->service)
        service_advance_tickets(p->service, loop_now_s(p->loop));
}

void proxy_drain(struct proxy *p)
{
    p->is_draining = true;
    acceptors_close(p);
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
    acceptors_close(p);
    proxy_abort(p);
    free_closed(p);
    loads_free(&p->loads);
    limiter_close(&p->limiter);
    memory_ceiling_stop(p);
    service_unref(&p->service);
    health_table_close(&p->health);
    sticky_close(&p->sticky);
    buf_fini(&p->line);
    free(p);
}
