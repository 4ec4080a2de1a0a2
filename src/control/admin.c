/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/panic.h"
#include "io/socket.h"
#include "proto/http1.h"
#include "proto/http1_write.h"

#include "base/ban.h"

#define REQUEST_MAX  (16u * 1024) /* without content */
#define RESPONSE_MAX (ADMIN_BODY_MAX + 1024)
#define TEXT         "text/plain"
/* When descriptors are out, or something like it: not at once again. */
#define ACCEPT_AGAIN_MS 100

/*   READING → WRITING → CLOSING → gone
 *      ├→ BODY ┐  ↑ └→ READING, if it is a client of the API
 *      └───────┴→ PARKED
 * Each but PARKED has its time, after which it is gone. */
enum client_state {
    CLIENT_READING, /* the request head is not complete */
    CLIENT_BODY,    /* … of the API: its content is not */
    CLIENT_PARKED,  /* the API has it: there is an exchange */
    CLIENT_WRITING, /* the response is not sent */
    CLIENT_CLOSING, /* our side is shut down; waiting for theirs, as a close with unread bytes would
                       be a reset that can destroy the response on its way (RFC 9112 §9.6) */
};

struct client {
    struct list link;
    struct admin *admin;
    struct watch watch;
    struct timer deadline;
    enum client_state state;
    struct buf in, out;
    size_t scanned;
    struct address peer;
    size_t request_n; /* BODY: head and content */
    bool is_large;    /* counted as such */
    bool is_kept;     /* for another request */
    struct admin_exchange *exchange;
};

struct admin_exchange {
    struct client *client; /* NULL: gone */
};

struct route {
    const char *path, *type;
    bool takes_query;
    admin_fn *fn;
    void *owner;
};

struct admin {
    struct loop *loop;
    struct route routes[ADMIN_ROUTES_MAX];
    size_t routes_n;
    struct watch listener;
    struct timer accept_again;
    struct list clients;
    unsigned clients_n, parked_n, large_n;
    admin_api_fn *api; /* NULL: there is none */
    void *api_owner;
    char *state; /* JSON; NULL: not ready */
};

/* ---- answers ---- */

struct reply {
    unsigned status;
    const char *type;
    struct buf body;
};

static void reply_text(struct reply *r, unsigned status, const char *text)
{
    buf_clear(&r->body);
    r->status = status;
    r->type = TEXT;
    ignore_result(buf_append(&r->body, bytes_of(text)));
}

static unsigned answer_healthz(void *owner, struct bytes query, struct buf *body)
{
    ignore_result(buf_append(body, BYTES("ok")));
    return 200;
}

static unsigned answer_readyz(void *owner, struct bytes query, struct buf *body)
{
    const struct admin *a = owner;
    ignore_result(buf_append(body, bytes_of(a->state ? a->state : "not ready")));
    return a->state ? 200 : 503;
}

static void reply_not_found(const struct admin *a, struct reply *r)
{
    reply_text(r, 404, "not here; GET");
    for (size_t i = 0; i < a->routes_n; i++)
        ignore_result(buf_printf(&r->body, "%s %s", i ? "," : "", a->routes[i].path));
}

static const struct route *find_route(const struct admin *a, struct bytes path)
{
    for (size_t i = 0; i < a->routes_n; i++)
        if (bytes_equal(path, bytes_of(a->routes[i].path)))
            return &a->routes[i];
    return NULL;
}

static void reply_to(const struct admin *a, const struct http1_head *request, struct reply *r)
{
    struct bytes path =
        bytes_first(request->path_and_query, bytes_find(request->path_and_query, '?'));
    struct bytes query = bytes_skip(request->path_and_query, path.n + 1);
    const struct route *route = find_route(a, path);
    bool has_query = path.n < request->path_and_query.n;
    if (!route || !bytes_equal(request->method, BYTES("GET")) ||
        (has_query && !route->takes_query)) {
        reply_not_found(a, r);
        return;
    }
    r->status = route->fn(route->owner, query, &r->body);
    r->type = r->status == 200 ? route->type : TEXT;
}

static int write_head(struct buf *out, const struct reply *r)
{
    char length[24];
    snprintf(length, sizeof(length), "%zu", buf_size(&r->body));
    return http1_write_status(out, r->status) < 0 ||
                   http1_write_field(out, BYTES("Content-Type"), bytes_of(r->type)) < 0 ||
                   http1_write_field(out, BYTES("Content-Length"), bytes_of(length)) < 0 ||
                   http1_write_field(out, BYTES("Cache-Control"), BYTES("no-store")) < 0
               ? -1
               : 0;
}

static int write_end(struct buf *out, bool is_kept, struct bytes body)
{
    char idle[32];
    snprintf(idle, sizeof(idle), "timeout=%d", ADMIN_IDLE_S);
    int failed = is_kept ? http1_write_field(out, BYTES("Keep-Alive"), bytes_of(idle))
                         : http1_write_field(out, BYTES("Connection"), BYTES("close"));
    return failed || http1_write_end(out) < 0 ? -1 : buf_append(out, body);
}

/* ---- clients ---- */

static void accept_update(struct admin *a)
{
    bool may_accept = a->clients_n < ADMIN_CONNECTIONS_MAX && !a->accept_again.slot;
    if (a->listener.fd >= 0)
        loop_watch_change(a->loop, &a->listener, may_accept ? EPOLLIN : 0);
}

static void exchange_end(struct client *c)
{
    if (!c->exchange)
        return;
    c->exchange->client = NULL;
    c->exchange = NULL;
    c->admin->parked_n--;
}

static void count_large(struct client *c, bool is_large)
{
    c->admin->large_n += (unsigned)is_large - (unsigned)c->is_large;
    c->is_large = is_large;
}

static void client_free(struct client *c)
{
    struct admin *a = c->admin;
    int fd = c->watch.fd;
    exchange_end(c);
    count_large(c, false);
    loop_unwatch(a->loop, &c->watch);
    loop_timer_stop(a->loop, &c->deadline);
    close(fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    list_remove(&c->link);
    free(c);
    a->clients_n--;
    accept_update(a);
}

static void client_late(struct timer *t)
{
    client_free(container_of(t, struct client, deadline));
}

static void client_goto(struct client *c, enum client_state next)
{
    static const struct {
        uint32_t interest;
        unsigned within_ms; /* 0: as long as it takes */
    } rows[] = {[CLIENT_READING] = {EPOLLIN, ADMIN_IDLE_S * 1000},
        [CLIENT_BODY] = {EPOLLIN, ADMIN_BODY_TIMEOUT_MS},
        [CLIENT_PARKED] = {0, 0},
        [CLIENT_WRITING] = {EPOLLOUT, ADMIN_TIMEOUT_MS},
        [CLIENT_CLOSING] = {EPOLLIN, ADMIN_TIMEOUT_MS}};
    struct loop *loop = c->admin->loop;
    c->state = next;
    loop_watch_change(loop, &c->watch, rows[next].interest);
    loop_timer_stop(loop, &c->deadline);
    if (rows[next].within_ms)
        loop_timer_arm(loop, &c->deadline, loop_now_ms(loop) + rows[next].within_ms, client_late);
}

/* ---- requests that are answered at once ---- */

/* Finishes the body of R. HAS_FAILED: it did not get all that it should have. */
static void send_reply(struct client *c, struct reply *r, struct bytes trace, bool has_failed)
{
    has_failed = has_failed || write_head(&c->out, r) < 0 ||
                 (trace.n && http1_write_field(&c->out, BYTES("x-tc-traceid"), trace) < 0) ||
                 write_end(&c->out, c->is_kept, buf_bytes(&r->body)) < 0;
    buf_fini(&r->body);
    if (has_failed)
        client_free(c);
    else
        client_goto(c, CLIENT_WRITING);
}

static void answer(struct client *c, const struct http1_head *request, enum http1_fault fault)
{
    struct reply reply = {0};
    buf_init(&reply.body, ADMIN_BODY_MAX);
    if (request)
        reply_to(c->admin, request, &reply);
    else
        reply_text(&reply, fault ? http1_fault_status(fault) : 431,
            fault ? http1_fault_text(fault) : "the request head is too long");
    c->is_kept = false;
    send_reply(c, &reply, (struct bytes){0}, false);
}

/* ---- requests to the API ---- */

static bool is_for_api(const struct admin *a, const struct http1_head *request)
{
    struct bytes target = request->path_and_query;
    return a->api && ((bytes_equal(request->method, BYTES("POST")) &&
                          bytes_equal(bytes_first(target, bytes_find(target, '?')), BYTES("/"))) ||
                         (bytes_equal(request->method, BYTES("GET")) &&
                             bytes_starts_with(target, BYTES("/?"))));
}

static bool is_loopback(const struct address *a)
{
    static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127}, v6[16] = {[15] = 1};
    return address_is_in(a, v4, 104) || address_is_in(a, v6, 128);
}

/* C's request is taken out of its buffer, and wiped when the API has seen it. C may be gone
 * afterwards. */
static void hand_over(struct client *c, size_t request_n, enum admin_fault fault)
{
    struct admin *a = c->admin;
    struct buf taken = c->in;
    struct http1_head head;
    struct address local;
    size_t scanned = 0;
    struct bytes all = buf_bytes(&taken);
    ssize_t head_n = http1_parse_request(all, &scanned, &head);
    ASSERT(head_n > 0);
    /* With no room left others wait for this one's end. */
    c->is_kept = head.keep_alive && head.minor_version == 1 && fault == ADMIN_WHOLE &&
                 a->clients_n < ADMIN_CONNECTIONS_MAX;
    buf_init(&c->in, REQUEST_MAX);
    if (c->is_kept && buf_append(&c->in, bytes_skip(all, request_n)) < 0)
        c->is_kept = false;
    c->scanned = 0;
    count_large(c, false);
    c->exchange = mem_alloc(sizeof(*c->exchange));
    c->exchange->client = c;
    a->parked_n++;
    client_goto(c, CLIENT_PARKED);
    const struct admin_request request = {.head = &head,
        .body = bytes_skip(bytes_first(all, request_n), (size_t)head_n),
        .fault = fault,
        .peer = c->peer,
        .is_local = socket_local(c->watch.fd, &local) && is_loopback(&local)};
    a->api(a->api_owner, &request, c->exchange);
    buf_fini(&taken);
}

/* What forbids to wait for the content. */
static enum admin_fault find_fault(const struct client *c, const struct http1_head *request)
{
    bool is_large = request->content_length > ADMIN_LARGE_BYTES;
    if (request->framing == HTTP1_BODY_CHUNKED)
        return ADMIN_NO_LENGTH;
    if (request->content_length > ADMIN_REQUEST_MAX)
        return ADMIN_TOO_LARGE;
    if (c->admin->parked_n >= ADMIN_PARKED_MAX ||
        (is_large && c->admin->large_n >= ADMIN_LARGE_MAX))
        return ADMIN_BUSY;
    return ADMIN_WHOLE;
}

static void begin_request(struct client *c, const struct http1_head *request, size_t head_n)
{
    enum admin_fault fault = find_fault(c, request);
    if (fault != ADMIN_WHOLE) {
        hand_over(c, head_n, fault);
        return;
    }
    size_t content_n = request->framing == HTTP1_BODY_LENGTH ? (size_t)request->content_length : 0;
    c->request_n = head_n + content_n;
    count_large(c, content_n > ADMIN_LARGE_BYTES);
    if (c->in.max < c->request_n)
        c->in.max = c->request_n;
    if (buf_size(&c->in) >= c->request_n) {
        hand_over(c, c->request_n, ADMIN_WHOLE);
        return;
    }
    client_goto(c, CLIENT_BODY);
    /* RFC 9110 §10.1.1. A socket with no room for that is one that nobody reads from. */
    if (request->expects_continue &&
        (http1_write_status(&c->out, 100) < 0 || http1_write_end(&c->out) < 0 ||
            socket_send(c->watch.fd, &c->out) != SOCKET_OK))
        client_free(c);
}

void admin_exchange_answer(struct admin_exchange **xp, struct bytes body, struct bytes trace)
{
    struct admin_exchange *x = *xp;
    struct client *c = x->client;
    *xp = NULL;
    if (c) {
        struct reply reply = {.status = 200, .type = "application/json"};
        buf_init(&reply.body, ADMIN_BODY_MAX);
        exchange_end(c);
        send_reply(c, &reply, trace, buf_append(&reply.body, body) < 0);
    }
    free(x);
}

bool admin_exchange_is_gone(const struct admin_exchange *x)
{
    return !x->client;
}

/* ---- steps ---- */

/* What is there may be a request. */
static void client_parse(struct client *c)
{
    struct http1_head request;
    ssize_t n = http1_parse_request(buf_bytes(&c->in), &c->scanned, &request);
    if (n == 0 && buf_room(&c->in))
        return;
    if (n > 0 && is_for_api(c->admin, &request))
        begin_request(c, &request, (size_t)n);
    else
        answer(c, n > 0 ? &request : NULL, n < 0 ? (enum http1_fault) - n : HTTP1_FAULT_NONE);
}

static void client_read(struct client *c)
{
    enum socket_status status = socket_receive(c->watch.fd, &c->in, REQUEST_MAX);
    if (status == SOCKET_EOF || status == SOCKET_FAILED)
        client_free(c);
    else
        client_parse(c);
}

static void client_read_body(struct client *c)
{
    enum socket_status status = socket_receive(c->watch.fd, &c->in, ADMIN_LARGE_BYTES);
    if (status == SOCKET_EOF || status == SOCKET_FAILED)
        client_free(c);
    else if (buf_size(&c->in) >= c->request_n)
        hand_over(c, c->request_n, ADMIN_WHOLE);
}

/* Only that the connection is broken is told of while nothing is waited for. */
static void client_break(struct client *c)
{
    client_free(c);
}

static void client_write(struct client *c)
{
    enum socket_status status = socket_send(c->watch.fd, &c->out);
    if (status == SOCKET_WAIT)
        return;
    if (status == SOCKET_OK && c->is_kept) {
        buf_release(&c->out);
        client_goto(c, CLIENT_READING);
        client_parse(c);
    } else if (status != SOCKET_OK || shutdown(c->watch.fd, SHUT_WR) < 0) {
        client_free(c);
    } else {
        client_goto(c, CLIENT_CLOSING);
    }
}

static void client_drop_input(struct client *c)
{
    buf_clear(&c->in);
    enum socket_status status = socket_receive(c->watch.fd, &c->in, REQUEST_MAX);
    if (status == SOCKET_EOF || status == SOCKET_FAILED)
        client_free(c);
}

static void client_ready(struct watch *w, uint32_t events)
{
    static void (*const steps[])(struct client *) = {[CLIENT_READING] = client_read,
        [CLIENT_BODY] = client_read_body,
        [CLIENT_PARKED] = client_break,
        [CLIENT_WRITING] = client_write,
        [CLIENT_CLOSING] = client_drop_input};
    struct client *c = container_of(w, struct client, watch);
    steps[c->state](c);
}

/* The one that has waited the longest for a further request makes room. */
static void drop_idle(struct admin *a)
{
    LIST_FOREACH (it, &a->clients) {
        struct client *c = container_of(it, struct client, link);
        if (c->is_kept && c->state == CLIENT_READING && !buf_size(&c->in)) {
            client_free(c);
            return;
        }
    }
}

static void client_new(struct admin *a, int fd, const struct address *peer)
{
    struct client *c = mem_alloc(sizeof(*c));
    c->admin = a;
    c->peer = *peer;
    if (loop_watch(a->loop, &c->watch, fd, EPOLLIN, client_ready) < 0) {
        close(fd);
        free(c);
        return;
    }
    buf_init(&c->in, REQUEST_MAX);
    buf_init(&c->out, RESPONSE_MAX);
    list_append(&a->clients, &c->link);
    a->clients_n++;
    loop_timer_arm(a->loop, &c->deadline, loop_now_ms(a->loop) + ADMIN_TIMEOUT_MS, client_late);
    if (a->clients_n == ADMIN_CONNECTIONS_MAX)
        drop_idle(a);
}

/* ---- the listener ---- */

static void accept_resume(struct timer *t)
{
    accept_update(container_of(t, struct admin, accept_again));
}

static void accept_ready(struct watch *w, uint32_t events)
{
    struct admin *a = container_of(w, struct admin, listener);
    struct address peer;
    int fd = socket_accept(w->fd, &peer);
    if (fd >= 0)
        client_new(a, fd, &peer);
    else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        loop_timer_arm(
            a->loop, &a->accept_again, loop_now_ms(a->loop) + ACCEPT_AGAIN_MS, accept_resume);
    accept_update(a);
}

static void unlisten(struct admin *a)
{
    int fd = a->listener.fd;
    loop_unwatch(a->loop, &a->listener);
    if (fd >= 0)
        close(fd);
}

static void add_route(struct admin *a, struct route route)
{
    ASSERT(a->routes_n < ADMIN_ROUTES_MAX);
    a->routes[a->routes_n++] = route;
}

void admin_route(struct admin *a, const char *path, const char *type, admin_fn *fn, void *owner)
{
    add_route(a, (struct route){path, type, true, fn, owner});
}

void admin_serve_api(struct admin *a, admin_api_fn *fn, void *owner)
{
    a->api = fn;
    a->api_owner = owner;
}

struct admin *admin_new(struct loop *loop)
{
    struct admin *a = mem_alloc(sizeof(*a));
    a->loop = loop;
    add_route(a, (struct route){"/healthz", TEXT, false, answer_healthz, a});
    add_route(a, (struct route){"/readyz", "application/json", false, answer_readyz, a});
    a->listener.fd = -1;
    list_init(&a->clients);
    return a;
}

void admin_free(struct admin **ap)
{
    struct admin *a = *ap;
    if (!a)
        return;
    unlisten(a);
    loop_timer_stop(a->loop, &a->accept_again);
    LIST_FOREACH_SAFE (it, &a->clients)
        client_free(container_of(it, struct client, link));
    free(a->state);
    free(a);
    *ap = NULL;
}

int admin_listen(struct admin *a, int fd, struct error *err)
{
    unlisten(a);
    if (fd < 0)
        return 0;
    if (loop_watch(a->loop, &a->listener, fd, EPOLLIN, accept_ready) < 0) {
        error_errno(err, errno, "cannot wait for connections");
        close(fd);
        return -1;
    }
    accept_update(a);
    return 0;
}

bool admin_is_ready(const struct admin *a)
{
    return a->state != NULL;
}

void admin_set_state(struct admin *a, const char *json)
{
    free(a->state);
    a->state = json ? mem_strdup(json) : NULL;
}
