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

#define REQUEST_MAX  (16u * 1024)
#define RESPONSE_MAX (ADMIN_BODY_MAX + 1024)
#define TEXT         "text/plain"
/* When descriptors are out, or something like it: not at once again. */
#define ACCEPT_AGAIN_MS 100

/*   READING → WRITING → CLOSING → gone; ADMIN_TIMEOUT_MS after accept it is gone in any state */
enum client_state {
    CLIENT_READING, /* the request head is not complete */
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
    unsigned clients_n;
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

static int write_reply(struct buf *out, const struct reply *r)
{
    char length[24];
    snprintf(length, sizeof(length), "%zu", buf_size(&r->body));
    if (http1_write_status(out, r->status) < 0 ||
        http1_write_field(out, BYTES("Content-Type"), bytes_of(r->type)) < 0 ||
        http1_write_field(out, BYTES("Content-Length"), bytes_of(length)) < 0 ||
        http1_write_field(out, BYTES("Cache-Control"), BYTES("no-store")) < 0 ||
        http1_write_field(out, BYTES("Connection"), BYTES("close")) < 0 || http1_write_end(out) < 0)
        return -1;
    return buf_append(out, buf_bytes(&r->body));
}

/* ---- clients ---- */

static void accept_update(struct admin *a)
{
    bool may_accept = a->clients_n < ADMIN_CONNECTIONS_MAX && !a->accept_again.slot;
    if (a->listener.fd >= 0)
        loop_watch_change(a->loop, &a->listener, may_accept ? EPOLLIN : 0);
}

static void client_free(struct client *c)
{
    struct admin *a = c->admin;
    int fd = c->watch.fd;
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
    static const uint32_t interest[] = {
        [CLIENT_READING] = EPOLLIN, [CLIENT_WRITING] = EPOLLOUT, [CLIENT_CLOSING] = EPOLLIN};
    c->state = next;
    loop_watch_change(c->admin->loop, &c->watch, interest[next]);
}

static void client_read(struct client *c)
{
    enum socket_status status = socket_receive(c->watch.fd, &c->in, REQUEST_MAX);
    if (status == SOCKET_EOF || status == SOCKET_FAILED) {
        client_free(c);
        return;
    }
    struct http1_head request;
    ssize_t n = http1_parse_request(buf_bytes(&c->in), &c->scanned, &request);
    if (n == 0 && buf_room(&c->in))
        return;
    enum http1_fault fault = n < 0 ? (enum http1_fault) - n : HTTP1_FAULT_NONE;
    struct reply reply = {0};
    buf_init(&reply.body, ADMIN_BODY_MAX);
    if (n > 0)
        reply_to(c->admin, &request, &reply);
    else
        reply_text(&reply, fault ? http1_fault_status(fault) : 431,
            fault ? http1_fault_text(fault) : "the request head is too long");
    int failed = write_reply(&c->out, &reply);
    buf_fini(&reply.body);
    if (failed)
        client_free(c);
    else
        client_goto(c, CLIENT_WRITING);
}

static void client_write(struct client *c)
{
    enum socket_status status = socket_send(c->watch.fd, &c->out);
    if (status == SOCKET_WAIT)
        return;
    if (status != SOCKET_OK || shutdown(c->watch.fd, SHUT_WR) < 0)
        client_free(c);
    else
        client_goto(c, CLIENT_CLOSING);
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
        [CLIENT_WRITING] = client_write,
        [CLIENT_CLOSING] = client_drop_input};
    struct client *c = container_of(w, struct client, watch);
    steps[c->state](c);
}

static void client_new(struct admin *a, int fd)
{
    struct client *c = mem_alloc(sizeof(*c));
    c->admin = a;
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
        client_new(a, fd);
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
