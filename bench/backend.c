/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend: what the balancers of `make bench` stand in front of. One thread, epoll, no TLS.
 *
 *   HTTP/1.1   GET /N is answered with N bytes (at most BODY_MAX); connections are kept
 *   echo       what arrives goes back
 *
 * Writes "HTTP-PORT ECHO-PORT", both on 127.0.0.1, and runs until standard input ends: it does not
 * outlive whoever started it. It trusts its clients, and closes the connection of one that
 * surprises it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"

#include "base/ban.h"

#define BODY_MAX        (16u << 20)
#define INPUT_MAX       (16u << 10)
#define DESCRIPTORS_MAX 20000u
#define EVENTS_MAX      256

/* A descriptor that epoll watches. */
struct watched {
    enum { KIND_HTTP_LISTENER, KIND_ECHO_LISTENER, KIND_INPUT, KIND_HTTP, KIND_ECHO } kind;
    int fd;
    /* connections */
    uint32_t interest;
    size_t input_n;         /* HTTP: of a request; echo: not yet sent back */
    char head[128];         /* of the response under way */
    size_t head_n, head_at; /* bytes of it, and sent */
    uint64_t body_left;     /* to be sent */
    char input[INPUT_MAX + 1];
};

static char body[BODY_MAX];
static int epoll;

static void watch(struct watched *w, uint32_t interest)
{
    if (interest == w->interest)
        return;
    struct epoll_event event = {.events = interest, .data.ptr = w};
    epoll_ctl(epoll, w->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &event);
    w->interest = interest;
}

static void drop(struct watched *w)
{
    close(w->fd);
    free(w);
}

/* ---- HTTP ---- */

/* Whether the input holds a whole request; its response is then under way. */
static bool next_request(struct watched *w)
{
    w->input[w->input_n] = '\0';
    char *end = strstr(w->input, "\r\n\r\n");
    if (!end)
        return false;
    uint64_t n = strtoull(w->input + strlen("GET /"), NULL, 10);
    w->body_left = n < BODY_MAX ? n : BODY_MAX;
    w->head_n = (size_t)snprintf(w->head, sizeof(w->head),
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: %" PRIu64
        "\r\n\r\n",
        w->body_left);
    w->head_at = 0;
    size_t used = (size_t)(end + 4 - w->input);
    w->input_n -= used;
    memmove(w->input, w->input + used, w->input_n);
    return true;
}

/* Send what is left of the response. -1: the connection is broken; 1: it does not take more now. */
static int send_response(struct watched *w)
{
    while (w->head_at < w->head_n || w->body_left > 0) {
        struct iovec parts[] = {
            {w->head + w->head_at, w->head_n - w->head_at}, {body, w->body_left}};
        ssize_t n = writev(w->fd, parts, 2);
        if (n < 0)
            return errno == EAGAIN ? 1 : -1;
        size_t of_head = w->head_n - w->head_at;
        of_head = (size_t)n < of_head ? (size_t)n : of_head;
        w->head_at += of_head;
        w->body_left -= (uint64_t)n - of_head;
    }
    return 0;
}

static void serve_http(struct watched *w)
{
    for (;;) {
        int sent = send_response(w);
        if (sent > 0) {
            watch(w, EPOLLOUT);
            return;
        }
        if (sent < 0)
            break;
        if (next_request(w))
            continue;
        ssize_t n = recv(w->fd, w->input + w->input_n, INPUT_MAX - w->input_n, 0);
        if (n < 0 && errno == EAGAIN) {
            watch(w, EPOLLIN);
            return;
        }
        if (n <= 0)
            break;
        w->input_n += (size_t)n;
    }
    drop(w);
}

/* ---- echo ---- */

static void serve_echo(struct watched *w)
{
    for (;;) {
        if (w->input_n > 0) {
            ssize_t sent = send(w->fd, w->input, w->input_n, 0);
            if (sent < 0 && errno == EAGAIN) {
                watch(w, EPOLLOUT);
                return;
            }
            if (sent < 0)
                break;
            w->input_n -= (size_t)sent;
            memmove(w->input, w->input + sent, w->input_n);
            continue;
        }
        ssize_t n = recv(w->fd, w->input, INPUT_MAX, 0);
        if (n < 0 && errno == EAGAIN) {
            watch(w, EPOLLIN);
            return;
        }
        if (n <= 0)
            break;
        w->input_n = (size_t)n;
    }
    drop(w);
}

/* ---- connections ---- */

static void accept_all(struct watched *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct watched *w = mem_alloc(sizeof(*w));
        w->kind = listener->kind == KIND_HTTP_LISTENER ? KIND_HTTP : KIND_ECHO;
        w->fd = fd;
        watch(w, EPOLLIN);
    }
}

/* A listening socket on a free port of 127.0.0.1, which is returned; 0: none. */
static unsigned listen_on(struct watched *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(address);
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 || bind(listener->fd, (struct sockaddr *)&address, n) ||
        listen(listener->fd, 65535) || getsockname(listener->fd, (struct sockaddr *)&address, &n))
        return 0;
    watch(listener, EPOLLIN);
    return ntohs(address.sin_port);
}

/* Whether to go on. */
static bool serve(struct watched *w)
{
    char ignored[64];
    switch (w->kind) {
    case KIND_HTTP_LISTENER:
    case KIND_ECHO_LISTENER:
        accept_all(w);
        return true;
    case KIND_HTTP:
        serve_http(w);
        return true;
    case KIND_ECHO:
        serve_echo(w);
        return true;
    case KIND_INPUT:
        return read(w->fd, ignored, sizeof(ignored)) > 0;
    }
    return false;
}

int main(void)
{
    static struct watched http = {.kind = KIND_HTTP_LISTENER}, echo = {.kind = KIND_ECHO_LISTENER},
                          input = {.kind = KIND_INPUT, .fd = STDIN_FILENO};
    const struct rlimit descriptors = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
    setrlimit(RLIMIT_NOFILE, &descriptors); /* where it may not, accept says so */
    memset(body, 'x', sizeof(body));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    unsigned http_port = listen_on(&http), echo_port = listen_on(&echo);
    if (epoll < 0 || http_port == 0 || echo_port == 0) {
        perror("backend");
        return 1;
    }
    watch(&input, EPOLLIN);
    printf("%u %u\n", http_port, echo_port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++)
            if (!serve(events[i].data.ptr))
                return 0;
    }
}
