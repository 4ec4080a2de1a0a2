/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/stream.h"

#include <errno.h>
#include <unistd.h>

#include "base/panic.h"
#include "io/socket.h"

#include "base/ban.h"

/* Per readiness: fair to the other connections of the loop. */
#define RECEIVE_MAX SOCKET_LITTLE_MAX
/* Is cheaper to copy than to make room for all that there might be. */
#define LITTLE (4 * 1024)

/* A record is of no use before it has arrived whole. While the peer's kernel and ours still feel
 * their way (a first window of ten segments, or again after a rest), a record is three segments;
 * then as large as it can be. */
#define RECORD_FIRST_SIZE 4096
#define RECORD_FIRST_SUM  (64 * 1024)
#define RECORD_REST_MS    1000

int stream_init(struct stream *s, struct loop *loop, int fd, struct tlsconn *tls, uint32_t events,
    watch_fn *ready)
{
    *s = (struct stream){.loop = loop, .fd = -1, .watch = {.fd = -1}, .ready = ready};
    if (loop_watch(loop, &s->watch, fd, events, ready) < 0)
        return -1;
    s->fd = fd;
    s->tls = tls;
    s->out_soft = STREAM_OUT_SOFT;
    buf_init(&s->in, STREAM_IN_MAX);
    buf_init(&s->out, STREAM_OUT_MAX);
    return 0;
}

void stream_begin_tls(struct stream *s, struct tlsconn *tls)
{
    ASSERT(!s->tls && !stream_has_unsent(s));
    s->tls = tls;
    int result = buf_append(tlsconn_wire_in(tls), buf_bytes(&s->in));
    ASSERT(result == 0); /* TLSCONN_WIRE_MAX is more than STREAM_IN_MAX */
    buf_clear(&s->in);
    buf_release(&s->in);
    if (s->state == STREAM_EOF)
        s->state = STREAM_TRUNCATED;
}

static void end(struct stream *s, bool is_reset)
{
    if (!stream_is_open(s))
        return;
    loop_forget(s->loop, &s->watch);
    if (is_reset)
        socket_reset(s->fd);
    else
        close(s->fd);
    s->fd = -1;
    tlsconn_free(&s->tls);
    buf_fini(&s->in);
    buf_fini(&s->out);
}

static bool is_established(const struct stream *s)
{
    return s->tls && tlsconn_facts(s->tls)->is_handshake_complete;
}

void stream_fini(struct stream *s)
{
    end(s, false);
}

void stream_reset(struct stream *s)
{
    end(s, true);
}

/* Decrypt into `in`; what the engine says about the end becomes the stream's state. */
static void decrypt(struct stream *s)
{
    if (!is_established(s) || s->state != STREAM_OPEN || buf_room(&s->in) == 0)
        return;
    switch (tlsconn_read(s->tls, &s->in)) {
    case TLSCONN_OK:
        break;
    case TLSCONN_WANT_INPUT:
    case TLSCONN_WANT_SIGNATURE:
        if (s->fin)
            s->state = STREAM_TRUNCATED;
        break;
    case TLSCONN_CLOSED:
        s->state = STREAM_EOF;
        break;
    case TLSCONN_FAILED:
        s->state = STREAM_FAILED;
        break;
    }
}

static void receive(struct stream *s)
{
    struct buf *wire = s->tls ? tlsconn_wire_in(s->tls) : &s->in;
    if (s->state != STREAM_OPEN || s->fin || !buf_room(wire))
        return;
    size_t before = buf_size(wire), n = RECEIVE_MAX;
    if (s->allowance && *s->allowance < n)
        n = *s->allowance;
    enum socket_status status =
        s->receives_much ? socket_receive(s->fd, wire, n) : socket_receive_little(s->fd, wire, n);
    size_t got = buf_size(wire) - before;
    s->receives_much = got > LITTLE;
    s->received += got;
    if (s->allowance) {
        *s->allowance -= got;
        buf_fit(wire);
    }
    if (status == SOCKET_EOF)
        s->fin = true;
    if (status == SOCKET_FAILED) {
        s->errno_value = errno;
        s->state = STREAM_FAILED;
        return;
    }
    if (s->fin && !s->tls)
        s->state = STREAM_EOF;
    if (s->fin && s->tls && !is_established(s))
        s->state = STREAM_TRUNCATED;
    decrypt(s);
}

void stream_ready(struct stream *s, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
        receive(s);
    if (events & EPOLLERR) {
        if (!s->errno_value) /* else receive has taken it from the socket */
            s->errno_value = socket_connected(s->fd);
        s->write_failed = true;
        if (s->state == STREAM_OPEN)
            s->state = STREAM_FAILED;
    }
}

bool stream_refill(struct stream *s)
{
    size_t before = buf_size(&s->in);
    enum stream_state state = s->state;
    decrypt(s);
    return buf_size(&s->in) != before || s->state != state;
}

size_t stream_discard(struct stream *s)
{
    size_t n = 0;
    do {
        n += buf_size(&s->in);
        buf_clear(&s->in);
    } while (stream_refill(s));
    if (s->tls && !is_established(s)) { /* nobody will read it any more */
        n += buf_size(tlsconn_wire_in(s->tls));
        buf_clear(tlsconn_wire_in(s->tls));
    }
    return n;
}

enum tlsconn_status stream_handshake(struct stream *s)
{
    if (!s->tls)
        return TLSCONN_OK;
    enum tlsconn_status status = tlsconn_handshake(s->tls, loop_wall_s(s->loop));
    if (status == TLSCONN_OK)
        decrypt(s); /* early application data may have come with the last flight */
    s->is_held = status == TLSCONN_WANT_SIGNATURE;
    stream_flush(s);
    return status;
}

void stream_write(struct stream *s, struct bytes data)
{
    int result = buf_append(&s->out, data);
    ASSERT(result == 0);
}

/* The socket takes no more. */
static void stop_writing(struct stream *s)
{
    s->errno_value = errno;
    s->write_failed = true;
}

void stream_send(struct stream *s, struct bytes data)
{
    struct bytes left = data;
    if (!s->tls && !buf_size(&s->out) && !s->write_failed) {
        if (socket_send_bytes(s->fd, &left) == SOCKET_FAILED)
            stop_writing(s);
        s->sent += data.n - left.n;
    }
    if (!s->write_failed)
        stream_write(s, left);
}

static size_t unsent(const struct stream *s)
{
    return buf_size(&s->out) + (s->tls ? buf_size(tlsconn_wire_out(s->tls)) : 0);
}

size_t stream_room(const struct stream *s)
{
    size_t n = unsent(s);
    return n >= s->out_soft ? 0 : s->out_soft - n;
}

bool stream_has_unsent(const struct stream *s)
{
    return unsent(s) > 0;
}

/* How much of out is encrypted at once. */
static size_t encrypt_max(struct stream *s)
{
    uint64_t now_ms = loop_now_ms(s->loop);
    if (now_ms - s->encrypted_ms >= RECORD_REST_MS)
        s->burst = 0;
    s->encrypted_ms = now_ms;
    return s->burst < RECORD_FIRST_SUM ? RECORD_FIRST_SIZE : STREAM_OUT_MAX;
}

static void encrypt(struct stream *s)
{
    while (is_established(s) && buf_size(&s->out)) {
        size_t taken = 0;
        struct bytes piece = bytes_first(buf_bytes(&s->out), encrypt_max(s));
        if (tlsconn_write(s->tls, piece, &taken) == TLSCONN_FAILED) {
            s->write_failed = true;
            return;
        }
        if (taken == 0)
            return;
        buf_consume(&s->out, taken);
        s->burst += taken;
    }
}

/* With IS_LAST what is sent ends with close_notify, and our end follows if that was all. */
static void flush(struct stream *s, bool is_last)
{
    struct buf *wire = s->tls ? tlsconn_wire_out(s->tls) : &s->out;
    if (s->is_held)
        return;
    while (!s->write_failed) {
        if (s->tls)
            encrypt(s);
        if (is_last && is_established(s) && buf_size(&s->out) == 0)
            tlsconn_close(s->tls);
        size_t before = buf_size(wire);
        if (before == 0)
            break;
        enum socket_status status =
            is_last ? socket_send_last(s->fd, wire) : socket_send(s->fd, wire);
        s->sent += before - buf_size(wire);
        if (status == SOCKET_FAILED)
            stop_writing(s);
        if (status != SOCKET_OK)
            break;
    }
    if (s->write_failed) {
        buf_clear(&s->out);
        buf_clear(wire);
    }
    buf_release(&s->out);
    buf_release(wire);
}

void stream_flush(struct stream *s)
{
    flush(s, false);
}

uint64_t stream_taken(const struct stream *s)
{
    size_t waiting = socket_unacknowledged(s->fd);
    return s->sent > waiting ? s->sent - waiting : 0;
}

void stream_shutdown(struct stream *s)
{
    if (s->shut || s->write_failed)
        return;
    s->is_held = false; /* the signature will not be waited for */
    flush(s, true);
    if (stream_has_unsent(s))
        return;
    shutdown(s->fd, SHUT_WR);
    s->shut = true;
}

size_t stream_held(const struct stream *s)
{
    size_t n = s->in.capacity + s->out.capacity;
    if (s->tls)
        n += tlsconn_wire_in(s->tls)->capacity + tlsconn_wire_out(s->tls)->capacity;
    return n;
}

void stream_fit(struct stream *s)
{
    buf_fit(&s->in);
    buf_fit(&s->out);
    if (!s->tls)
        return;
    buf_fit(tlsconn_wire_in(s->tls));
    buf_fit(tlsconn_wire_out(s->tls));
}

void stream_poll(struct stream *s, bool want_input)
{
    uint32_t events = 0;
    buf_release(&s->in);
    if (s->tls)
        buf_release(tlsconn_wire_in(s->tls));
    /* A peer that goes on sending while we wait for our signature is not read without end. */
    bool has_room = buf_room(&s->in) && (!s->tls || buf_room(tlsconn_wire_in(s->tls)));
    if (want_input && s->state == STREAM_OPEN && !s->fin && has_room)
        events |= EPOLLIN;
    if (!s->write_failed && !s->is_held && stream_has_unsent(s))
        events |= EPOLLOUT;
    if (events && s->watch.fd >= 0) {
        loop_watch_change(s->loop, &s->watch, events);
    } else if (events) {
        if (loop_watch(s->loop, &s->watch, s->fd, events, s->ready) < 0)
            s->state = STREAM_FAILED;
    } else if (s->watch.fd >= 0) {
        loop_unwatch(s->loop, &s->watch); /* epoll would report a hang-up over and over */
    }
}
