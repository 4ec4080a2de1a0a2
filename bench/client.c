/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/attributes.h"
#include "base/memory.h"

#include "base/ban.h"

static const char *const fault_names[FAULT_COUNT] = {
    [FAULT_NONE] = "none",
#define X(symbol, name) [FAULT_##symbol] = name,
#include "fault.def"
#undef X
};

const char *client_fault_name(enum fault fault)
{
    return fault_names[fault];
}

static void close_connection(struct client *c)
{
    if (c->fd < 0)
        return;
    if (c->is_shaken)
        SSL_shutdown(c->ssl); /* close_notify; the server's is not waited for */
    SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
    c->interest = 0;
    c->is_shaken = false;
}

/* ---- the end of an operation ---- */

static void finish(struct client *c, enum fault fault)
{
    bool is_kept = fault == FAULT_NONE && c->pool->plan->reuse == REUSE_CONNECTION;
    if (!is_kept)
        close_connection(c);
    c->is_busy = false;
    c->pool->done(c, fault, c->pool->owner);
}

PRINTF(3, 4) static void fail(struct client *c, enum fault fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->detail, sizeof(c->detail), format, args);
    va_end(args);
    ERR_clear_error();
    finish(c, fault);
}

/* The reason of libssl's last error, or what the socket says. */
static const char *why(int ssl_error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (reason)
        return reason;
    return ssl_error == SSL_ERROR_SYSCALL && errno ? strerror(errno) : "the connection was closed";
}

/* ---- waiting ---- */

static void set_interest(struct client *c, uint32_t interest)
{
    if (interest == c->interest)
        return;
    struct epoll_event event = {.events = interest, .data.ptr = c};
    epoll_ctl(c->pool->epoll, c->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
    c->interest = interest;
}

/* Whether SSL_ERROR means waiting; then C waits for it. */
static bool waits(struct client *c, int ssl_error)
{
    if (ssl_error != SSL_ERROR_WANT_READ && ssl_error != SSL_ERROR_WANT_WRITE)
        return false;
    set_interest(c, ssl_error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
    return true;
}

/* ---- the handshake ---- */

/* Whether the key that the server agreed on the secret with is of the group asked for. */
static bool is_group_as_planned(struct client *c)
{
    EVP_PKEY *key = NULL;
    if (SSL_get_peer_tmp_key(c->ssl, &key) != 1)
        return false;
    char name[32] = "";
    size_t n;
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), &n) != 1)
        snprintf(name, sizeof(name), "%s", EVP_PKEY_get0_type_name(key)); /* X25519 */
    EVP_PKEY_free(key);
    const char *wanted = c->pool->plan->group;
    return strcmp(name, strcmp(wanted, "P-256") == 0 ? "prime256v1" : wanted) == 0;
}

/* Whether the handshake was the one that is to be measured. */
static enum fault check_handshake(struct client *c)
{
    const struct plan *plan = c->pool->plan;
    if (SSL_version(c->ssl) != plan->version)
        return FAULT_VERSION;
    if (strcmp(SSL_get_cipher_name(c->ssl), plan->suite) != 0)
        return FAULT_SUITE;
    bool is_resumed = SSL_session_reused(c->ssl);
    if (is_resumed != c->is_resuming)
        return FAULT_RESUMPTION;
    /* A resumed TLS 1.2 session has no key exchange. */
    if (!(is_resumed && plan->version == TLS1_2_VERSION) && !is_group_as_planned(c))
        return FAULT_GROUP;
    if (!is_resumed && c->was_asked != (plan->certificate != NULL))
        return FAULT_CLIENT_AUTH;
    return FAULT_NONE;
}

/* Whether the handshake is complete, and as it should be. */
static bool shake(struct client *c)
{
    int result = SSL_connect(c->ssl);
    if (result != 1) {
        int ssl_error = SSL_get_error(c->ssl, result);
        if (!waits(c, ssl_error))
            fail(c, FAULT_HANDSHAKE, "handshake: %s", why(ssl_error));
        return false;
    }
    c->is_shaken = true;
    enum fault fault = check_handshake(c);
    if (fault != FAULT_NONE)
        fail(c, fault, "%s, %s, %s", SSL_get_version(c->ssl), SSL_get_cipher_name(c->ssl),
            SSL_session_reused(c->ssl) ? "resumed" : "not resumed");
    return fault == FAULT_NONE;
}

/* ---- the question and the answer ---- */

static bool send_request(struct client *c)
{
    int n = SSL_write(c->ssl, c->pool->request, (int)c->pool->request_n);
    if (n <= 0) {
        int ssl_error = SSL_get_error(c->ssl, n);
        if (!waits(c, ssl_error))
            fail(c, FAULT_CLOSED, "request: %s", why(ssl_error));
        return false;
    }
    c->is_sent = true;
    c->has_head = false;
    c->head_n = 0;
    return true;
}

/* How much of the answer an operation still lacks. */
enum progress { PROGRESS_MORE, PROGRESS_COMPLETE, PROGRESS_FAILED };

static enum progress take_echo(struct client *c, const char *at, size_t n)
{
    if (n > CLIENT_ECHO_BYTES - c->head_n || memcmp(at, c->pool->request + c->head_n, n) != 0) {
        fail(c, FAULT_ECHO, "byte %zu or later differs", c->head_n);
        return PROGRESS_FAILED;
    }
    c->head_n += n;
    return c->head_n == CLIENT_ECHO_BYTES ? PROGRESS_COMPLETE : PROGRESS_MORE;
}

/* Check the head in c->head, of which all is there. */
static bool is_head_as_planned(struct client *c)
{
    if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0) {
        fail(c, FAULT_STATUS, "%.*s", (int)strcspn(c->head, "\r\n"), c->head);
        return false;
    }
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    c->body_left = c->pool->plan->body_bytes;
    if (!length || strtoull(length + strlen("\r\ncontent-length:"), NULL, 10) != c->body_left) {
        fail(c, FAULT_LENGTH, "no Content-Length of %ju", (uintmax_t)c->body_left);
        return false;
    }
    return true;
}

static enum progress take_body(struct client *c, size_t n)
{
    if (n > c->body_left) {
        fail(c, FAULT_LENGTH, "%zu bytes more than the body", n - (size_t)c->body_left);
        return PROGRESS_FAILED;
    }
    c->body_left -= n;
    return c->body_left == 0 ? PROGRESS_COMPLETE : PROGRESS_MORE;
}

static enum progress take_response(struct client *c, const char *at, size_t n)
{
    if (c->has_head)
        return take_body(c, n);
    size_t room = sizeof(c->head) - 1 - c->head_n, before = c->head_n;
    size_t taken = n < room ? n : room;
    memcpy(c->head + c->head_n, at, taken);
    c->head_n += taken;
    c->head[c->head_n] = '\0';
    const char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        if (taken == n)
            return PROGRESS_MORE;
        fail(c, FAULT_STATUS, "the head is longer than %zu bytes", sizeof(c->head) - 1);
        return PROGRESS_FAILED;
    }
    c->has_head = true;
    if (!is_head_as_planned(c))
        return PROGRESS_FAILED;
    return take_body(c, n - ((size_t)(end + 4 - c->head) - before));
}

/* Read until the answer is complete or there is no more. */
static void receive(struct client *c)
{
    static char scratch[SSL3_RT_MAX_PLAIN_LENGTH]; /* one record at most */
    for (;;) {
        int n = SSL_read(c->ssl, scratch, sizeof(scratch));
        if (n <= 0) {
            int ssl_error = SSL_get_error(c->ssl, n);
            if (!waits(c, ssl_error))
                fail(c, c->is_sent ? FAULT_CLOSED : FAULT_HANDSHAKE, "answer: %s", why(ssl_error));
            return;
        }
        enum progress progress = c->pool->plan->is_echo ? take_echo(c, scratch, (size_t)n)
                                                        : take_response(c, scratch, (size_t)n);
        if (progress == PROGRESS_COMPLETE)
            finish(c, FAULT_NONE);
        if (progress != PROGRESS_MORE)
            return;
    }
}

/* ---- one step after the other ---- */

static void go_on(struct client *c)
{
    ERR_clear_error();
    errno = 0;
    if (!c->is_shaken && !shake(c))
        return;
    if (!c->is_sent && !send_request(c))
        return;
    receive(c);
}

/* Between two operations: a late session ticket, or the end of a kept connection. */
static void read_idle(struct client *c)
{
    char byte;
    int n = SSL_read(c->ssl, &byte, 1);
    if (n <= 0 && waits(c, SSL_get_error(c->ssl, n)))
        return;
    ERR_clear_error();
    close_connection(c);
    c->is_lost = true;
}

void client_ready(struct client *c)
{
    if (c->is_busy)
        go_on(c);
    else if (c->fd >= 0)
        read_idle(c);
}

static bool connect_socket(struct client *c)
{
    const struct plan *plan = c->pool->plan;
    c->fd = socket(plan->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return connect(c->fd, (const struct sockaddr *)&plan->address, plan->address_n) == 0 ||
           errno == EINPROGRESS;
}

static bool open_connection(struct client *c)
{
    const struct plan *plan = c->pool->plan;
    c->is_resuming = plan->reuse == REUSE_SESSION && c->is_opened_before;
    c->is_opened_before = true;
    c->was_asked = false;
    if (c->is_resuming && !c->session) {
        fail(c, FAULT_RESUMPTION, "the server gave no session");
        return false;
    }
    bool is_connecting = connect_socket(c);
    int connect_errno = errno;
    c->ssl = SSL_new(c->pool->ctx);
    if (!is_connecting || !c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 ||
        SSL_set_tlsext_host_name(c->ssl, c->pool->name) != 1 || SSL_set_app_data(c->ssl, c) != 1 ||
        (c->is_resuming && SSL_set_session(c->ssl, c->session) != 1)) {
        fail(c, FAULT_CONNECT, "connect: %s", strerror(connect_errno));
        return false;
    }
    return true;
}

void client_start(struct client *c, uint64_t began_us)
{
    c->began_us = began_us;
    c->is_busy = true;
    c->is_sent = false;
    if (c->is_lost) {
        c->is_lost = false;
        fail(c, FAULT_CLOSED, "the server ended a kept connection");
        return;
    }
    if (c->fd < 0 && !open_connection(c))
        return;
    go_on(c);
}

void client_init(struct client *c, struct client_pool *pool)
{
    *c = (struct client){.pool = pool, .fd = -1};
}

void client_fini(struct client *c)
{
    close_connection(c);
    SSL_SESSION_free(c->session);
    c->session = NULL;
}
