/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#include "base/ban.h"

#define CONNECT_MS 10000
#define PIECE      16384
#define PLAIN_MAX  65536

int session_split(const char *address, char *host, size_t host_size, char *port, size_t port_size,
    struct error *err)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || !colon[1])
        return error_set(
            err, "\"%s\" is no HOST:PORT; an IPv6 address stands in brackets", address);
    struct bytes name = {(const uint8_t *)address, (size_t)(colon - address)};
    bool has_brackets = name.n > 2 && name.at[0] == '[' && name.at[name.n - 1] == ']';
    if (has_brackets)
        name = bytes_first(bytes_skip(name, 1), name.n - 2);
    else if (bytes_find(name, ':') < name.n)
        return error_set(err, "\"%s\": write an IPv6 address in brackets: [::1]:443", address);
    if (name.n >= host_size || strlen(colon + 1) >= port_size)
        return error_set(err, "\"%s\" is too long for HOST:PORT", address);
    snprintf(host, host_size, "%.*s", BYTES_ARG(name));
    snprintf(port, port_size, "%s", colon + 1);
    return 0;
}

/* Wait for EVENTS on FD. False when DEADLINE_MS has passed. */
static bool wait_for(int fd, short events, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t now_ms = clock_monotonic_ms();
        if (now_ms >= deadline_ms)
            return false;
        struct pollfd p = {fd, events, 0};
        int n = poll(&p, 1, (int)(deadline_ms - now_ms));
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* The connected socket, or -1 with errno. */
static int dial_one(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0)
        return -1;
    int failed = connect(fd, a->ai_addr, a->ai_addrlen) < 0 ? errno : 0;
    if (failed == EINPROGRESS) {
        socklen_t size = sizeof(failed);
        if (!wait_for(fd, POLLOUT, clock_monotonic_ms() + CONNECT_MS))
            failed = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0)
            failed = errno;
    }
    if (!failed)
        return fd;
    close(fd);
    errno = failed;
    return -1;
}

int session_dial(const char *host, const char *port, int *fd, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed)
        return error_set(err, "cannot resolve %s port %s: %s", host, port, gai_strerror(failed));
    *fd = -1;
    int last = 0;
    for (const struct addrinfo *a = found; a && *fd < 0; a = a->ai_next) {
        *fd = dial_one(a);
        last = *fd < 0 ? errno : 0;
    }
    freeaddrinfo(found);
    return *fd < 0 ? error_errno(err, last, "cannot connect to %s port %s", host, port) : 0;
}

void session_init(struct session *s, int fd, struct tlsconn *tls)
{
    *s = (struct session){.fd = fd, .tls = tls};
    buf_init(&s->plain, PLAIN_MAX);
}

void session_fini(struct session *s)
{
    if (s->tls) { /* a session that was never opened has no socket either */
        tlsconn_free(&s->tls);
        close(s->fd);
    }
    buf_fini(&s->plain);
}

uint8_t session_alert(const struct session *s)
{
    const struct tlsconn_failure *failure = tlsconn_failure(s->tls);
    return failure->fault == TLSCONN_FAULT_ALERT_RECEIVED ? failure->alert : 0;
}

/* Send what wire_out holds, as far as the socket takes it now. */
static int flush_some(struct session *s)
{
    struct buf *out = tlsconn_wire_out(s->tls);
    while (buf_size(out)) {
        struct bytes b = buf_bytes(out);
        ssize_t n = send(s->fd, b.at, b.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
        buf_consume(out, (size_t)n);
    }
    return 0;
}

static int flush_all(struct session *s, uint64_t deadline_ms)
{
    while (flush_some(s) == 0) {
        if (!buf_size(tlsconn_wire_out(s->tls)))
            return 0;
        if (!wait_for(s->fd, POLLOUT, deadline_ms))
            return -1;
    }
    return -1;
}

enum received { RECEIVED_DATA, RECEIVED_NOTHING, RECEIVED_END };

static enum received receive(struct session *s)
{
    struct buf *in = tlsconn_wire_in(s->tls);
    size_t room = buf_room(in) < PIECE ? buf_room(in) : PIECE;
    if (!room)
        return RECEIVED_NOTHING;
    ssize_t n = recv(s->fd, buf_space(in, room), room, 0);
    if (n > 0) {
        buf_added(in, (size_t)n);
        return RECEIVED_DATA;
    }
    bool is_later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return is_later ? RECEIVED_NOTHING : RECEIVED_END;
}

int session_handshake(struct session *s, struct error *err)
{
    uint64_t deadline_ms = clock_monotonic_ms() + SESSION_HANDSHAKE_MS;
    for (;;) {
        enum tlsconn_status status = tlsconn_handshake(s->tls, clock_wall_s());
        int sent = flush_all(s, deadline_ms);
        if (status == TLSCONN_OK)
            return 0;
        if (status != TLSCONN_WANT_INPUT)
            return error_set(err, "handshake failed: %s", tlsconn_failure(s->tls)->text);
        /* Where sending failed, what the peer said before it closed may still be there to read. */
        if (!wait_for(s->fd, POLLIN, deadline_ms))
            return error_set(
                err, "the handshake did not finish within %d s", SESSION_HANDSHAKE_MS / 1000);
        if (receive(s) == RECEIVED_END)
            return error_set(err, "the peer closed the connection during the handshake%s",
                sent < 0 ? ", while we were sending" : "");
    }
}

/* Decrypt what has arrived into S->PLAIN. */
static void decrypt(struct session *s)
{
    enum tlsconn_status status = TLSCONN_OK;
    while (status == TLSCONN_OK && buf_room(&s->plain))
        status = tlsconn_read(s->tls, &s->plain);
    s->is_closed = s->is_closed || status == TLSCONN_CLOSED || status == TLSCONN_FAILED;
}

/* Receive once and decrypt. Only for a readable socket. */
static void take_in(struct session *s)
{
    enum received r = receive(s);
    decrypt(s);
    if (r == RECEIVED_END && !s->is_closed)
        s->is_closed = s->is_truncated = true;
    if (flush_some(s) < 0)
        s->is_closed = true;
}

void session_listen(struct session *s, int timeout_ms)
{
    uint64_t deadline_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    decrypt(s); /* records may have come together with the end of the handshake */
    while (!s->is_closed && !buf_size(&s->plain) && wait_for(s->fd, POLLIN, deadline_ms))
        take_in(s);
}

void session_close(struct session *s, int timeout_ms)
{
    uint64_t deadline_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    tlsconn_close(s->tls);
    if (flush_all(s, deadline_ms) < 0)
        return;
    while (!s->is_closed && wait_for(s->fd, POLLIN, deadline_ms)) {
        take_in(s);
        buf_clear(&s->plain);
    }
}

/* ---- relay ---- */

struct relay {
    struct session *session;
    struct buf input; /* read from standard input, not yet encrypted */
    bool input_ended;
    bool close_sent;
};

/* Standard input may be a file or a terminal: a blocking read after poll takes what is there. */
static void read_input(struct relay *r)
{
    ssize_t n = read(STDIN_FILENO, buf_space(&r->input, PIECE), PIECE);
    if (n > 0)
        buf_added(&r->input, (size_t)n);
    else if (n == 0 || errno != EINTR)
        r->input_ended = true;
}

static void encrypt(struct relay *r)
{
    size_t taken = 1;
    while (buf_size(&r->input) && taken) {
        taken = 0;
        if (tlsconn_write(r->session->tls, buf_bytes(&r->input), &taken) == TLSCONN_FAILED) {
            r->session->is_closed = true;
            return;
        }
        buf_consume(&r->input, taken);
    }
    if (r->input_ended && !buf_size(&r->input) && !r->close_sent) {
        tlsconn_close(r->session->tls);
        r->close_sent = true;
    }
}

static int write_output(struct session *s, struct error *err)
{
    while (buf_size(&s->plain)) {
        struct bytes b = buf_bytes(&s->plain);
        ssize_t n = write(STDOUT_FILENO, b.at, b.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot write to standard output");
        buf_consume(&s->plain, (size_t)n);
    }
    return 0;
}

/* One turn: wait until something can be done, and do it. */
static void turn(struct relay *r)
{
    struct session *s = r->session;
    bool has_output = buf_size(tlsconn_wire_out(s->tls)) > 0;
    bool wants_input = !r->input_ended && !buf_size(&r->input);
    struct pollfd p[2] = {
        {s->fd, (short)(POLLIN | (has_output ? POLLOUT : 0)), 0},
        {wants_input ? STDIN_FILENO : -1, POLLIN, 0},
    };
    if (poll(p, COUNT_OF(p), -1) < 0)
        return;
    if (p[1].revents)
        read_input(r);
    encrypt(r);
    if (flush_some(s) < 0)
        r->input_ended = true; /* nobody to send to; what the peer sent before may still be read */
    if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
        take_in(s);
}

static int relay_all(struct relay *r, struct error *err)
{
    decrypt(r->session);
    for (;;) {
        if (write_output(r->session, err) < 0)
            return -1;
        decrypt(r->session); /* what did not fit before */
        if (buf_size(&r->session->plain))
            continue;
        if (r->session->is_closed)
            return 0;
        turn(r);
    }
}

int session_relay(struct session *s, struct error *err)
{
    struct relay r = {.session = s};
    buf_init(&r.input, PIECE);
    int result = relay_all(&r, err);
    buf_fini(&r.input);
    if (result < 0)
        return -1;
    const struct tlsconn_failure *failure = tlsconn_failure(s->tls);
    if (failure->fault != TLSCONN_FAULT_NONE)
        return error_set(err, "the connection failed: %s", failure->text);
    if (s->is_truncated)
        return error_set(err, "the peer closed without close_notify: data may be missing");
    return 0;
}
