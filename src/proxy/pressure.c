/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pressure.h"

#include "base/log.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

#define IDLE_MIN_MS     1000 /* a client that goes on at once is in the middle of something */
#define ARRIVING_MIN_MS 5000 /* enough for a handshake and a head over any network */
#define TOLD_MS         60000

void pressure_init(struct proxy *p)
{
    list_init(&p->pressure.idle);
    list_init(&p->pressure.arriving);
}

static const struct list *place_of(const struct conn *c)
{
    const struct pressure *p = &c->proxy->pressure;
    switch (c->state) {
    case CONN_PREFACE:
    case CONN_HANDSHAKE:
    case CONN_HEAD:
        return &p->arriving;
    case CONN_IDLE:
        return c->requests ? &p->idle : &p->arriving;
    case CONN_STREAMS:
        if (client_http2_is_busy(c->http2))
            return NULL;
        return c->requests ? &p->idle : &p->arriving;
    case CONN_WORK:
    case CONN_CLOSING:
    case CONN_CLOSED:
    case CONN_STATE_COUNT:
        break;
    }
    return NULL;
}

void pressure_leave(struct conn *c)
{
    list_remove(&c->place.link);
    c->place.in = NULL;
}

void pressure_place(struct conn *c)
{
    const struct list *in = place_of(c);
    if (in == c->place.in)
        return;
    pressure_leave(c);
    if (!in)
        return;
    struct pressure *p = &c->proxy->pressure;
    list_append(in == &p->idle ? &p->idle : &p->arriving, &c->place.link);
    c->place.in = in;
    c->place.since_ms = conn_now_ms(c);
}

static void tell(struct proxy *p)
{
    struct pressure *s = &p->pressure;
    uint64_t now_ms = loop_now_ms(p->loop);
    if (s->told_ms && now_ms - s->told_ms < TOLD_MS)
        return;
    s->told_ms = now_ms;
    log_warning("at %zu client connections there is hardly room for more: those that wait between "
                "two requests, or are slow to say what they want, are ended, the longest waiting "
                "first",
        p->conns_n);
}

/* At most N of LIST, which have waited for at least MIN_MS. */
static size_t end_some(struct proxy *p, struct list *list, size_t n, uint64_t min_ms)
{
    size_t done = 0;
    uint64_t now_ms = loop_now_ms(p->loop);
    for (; done < n && !list_is_empty(list); done++) {
        struct conn *c = container_of(list->next, struct conn, place.link);
        if (now_ms - c->place.since_ms < min_ms)
            break;
        pressure_leave(c);
        conn_crowd_out(c);
    }
    if (done)
        tell(p);
    return done;
}

size_t pressure_end_idle(struct proxy *p, size_t n)
{
    size_t ended = end_some(p, &p->pressure.idle, n, IDLE_MIN_MS);
    count_add(&p->worker[WORKER_CROWDED_IDLE], ended);
    return ended;
}

size_t pressure_end_arriving(struct proxy *p, size_t n)
{
    size_t ended = end_some(p, &p->pressure.arriving, n, ARRIVING_MIN_MS);
    count_add(&p->worker[WORKER_CROWDED_ARRIVING], ended);
    return ended;
}
