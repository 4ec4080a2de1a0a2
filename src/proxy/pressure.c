/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pressure.h"

#include "base/log.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

#define IDLE_MIN_MS     1000 /* a client that goes on at once is in the middle of something */
#define ARRIVING_MIN_MS 5000 /* enough for a handshake and a head over any network */
#define STALLED_MIN_MS  5000
#define STALLED_RATE    4096 /* bytes a second: less than any network that is of use */
#define TOLD_MS         60000

void pressure_init(struct proxy *p)
{
    list_init(&p->pressure.idle);
    list_init(&p->pressure.arriving);
    list_init(&p->pressure.stalled);
}

/* NULL: it neither waits nor lets others wait. */
static struct list *place_of(const struct conn *c)
{
    struct pressure *p = &c->proxy->pressure;
    switch (c->state) {
    case CONN_PREFACE:
    case CONN_HANDSHAKE:
    case CONN_HEAD:
        return &p->arriving;
    case CONN_IDLE:
        return c->requests ? &p->idle : &p->arriving;
    case CONN_STREAMS:
        if (client_http2_is_busy(c->http2))
            return &p->stalled; /* perhaps: looked at when it matters */
        return c->requests ? &p->idle : &p->arriving;
    case CONN_WORK:
    case CONN_CLOSING:
        return stream_has_unsent(&c->client) ? &p->stalled : NULL;
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

/* A client that takes nothing does not begin anew by asking for more. */
void pressure_work(struct conn *c)
{
    if (c->place.in != &c->proxy->pressure.stalled)
        pressure_leave(c);
}

static void put(struct conn *c, struct list *in)
{
    pressure_leave(c);
    list_append(in, &c->place.link);
    c->place.in = in;
    c->place.since_ms = conn_now_ms(c);
    c->place.sent = c->client.sent;
}

void pressure_place(struct conn *c)
{
    struct list *in = place_of(c);
    if (in == c->place.in)
        return;
    if (in)
        put(c, in);
    else
        pressure_leave(c);
}

static void tell(struct proxy *p)
{
    struct pressure *s = &p->pressure;
    uint64_t now_ms = loop_now_ms(p->loop);
    if (s->told_ms && now_ms - s->told_ms < TOLD_MS)
        return;
    s->told_ms = now_ms;
    log_warning("at %zu client connections there is hardly room for more: those that wait between "
                "two requests, or are slow to say what they want or to take it, are ended, the "
                "longest waiting first",
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

/* Since it was looked at last. */
static bool is_stalled(const struct conn *c, uint64_t waited_ms)
{
    bool holds = c->state != CONN_STREAMS || client_http2_holds_much(c->http2);
    return holds && c->client.sent - c->place.sent < STALLED_RATE * waited_ms / 1000;
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

/* Those that hold memory for work that moves on are looked at again later. */
size_t pressure_end_stalled(struct proxy *p, size_t n)
{
    struct list *list = &p->pressure.stalled;
    size_t ended = 0;
    for (size_t looked_at = 0; looked_at < n && !list_is_empty(list); looked_at++) {
        struct conn *c = container_of(list->next, struct conn, place.link);
        uint64_t waited_ms = loop_now_ms(p->loop) - c->place.since_ms;
        if (waited_ms < STALLED_MIN_MS)
            break;
        if (is_stalled(c, waited_ms)) {
            ended++;
            conn_reset(c, CLOSE_CLIENT_SLOW, "it held memory that was needed");
        } else {
            put(c, list);
        }
    }
    count_add(&p->worker[WORKER_CROWDED_STALLED], ended);
    if (ended)
        tell(p);
    return ended;
}
