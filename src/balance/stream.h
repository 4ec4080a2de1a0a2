/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream — a socket, perhaps with TLS on it, as two bounded queues of plain bytes: `in` (received,
 * not yet consumed) and `out` (to be sent). Used for clients and for targets alike.
 *
 * The owner consumes from in, appends to out with stream_write, and calls stream_flush and
 * stream_poll when it has done its work; readiness comes to the owner's callback. Buffers hold
 * memory only while they hold bytes.
 */
#pragma once

#include "base/buf.h"
#include "io/loop.h"
#include "tls/tlsconn.h"

#define STREAM_IN_MAX   (64 * 1024)  /* a whole request head must fit (HTTP1_HEAD_MAX) */
#define STREAM_OUT_SOFT (64 * 1024)  /* stream_room counts up to here: back-pressure */
#define STREAM_OUT_MAX  (512 * 1024) /* a whole head with identity headers always fits below */

enum stream_state {
    STREAM_OPEN,
    STREAM_EOF,       /* the peer ended properly: FIN, with TLS after close_notify */
    STREAM_TRUNCATED, /* FIN without close_notify */
    STREAM_FAILED     /* reset, or fatal in TLS */
};

struct stream {
    struct loop *loop;
    int fd; /* -1: closed */
    struct watch watch;
    watch_fn *ready;
    struct tlsconn *tls; /* NULL: plain */
    struct buf in, out;
    size_t out_soft;   /* STREAM_OUT_SOFT, or less */
    size_t *allowance; /* what may be received by all streams that have it; NULL: no such bound */
    enum stream_state state; /* of what we receive */
    bool fin; /* the socket ended; what was received before may still wait to be decrypted */
    bool receives_much; /* the last time it received more than a little */
    bool write_failed;
    bool shut;               /* our end was announced */
    bool is_held;            /* a flight waits for our signature: it goes out whole, in one piece */
    int errno_value;         /* of a failure of the socket, or 0 */
    uint64_t received, sent; /* wire bytes */
    uint64_t burst; /* with TLS: bytes encrypted since the peer last heard nothing for long */
    uint64_t encrypted_ms; /* when that was last done */
};

/* Takes FD and TLS (may be NULL), and waits for EVENTS. -1 if the loop cannot watch it (nothing is
 * taken then). */
int stream_init(struct stream *s, struct loop *loop, int fd, struct tlsconn *tls, uint32_t events,
    watch_fn *ready) MUST_USE;
/* What was received so far was plain; TLS (taken) begins with what is left in `in`, and before
 * anything was sent. */
void stream_begin_tls(struct stream *s, struct tlsconn *tls);
/* Closes without ceremony. Does nothing if it was never opened or is closed already. */
void stream_fini(struct stream *s);
/* The same with RST instead of FIN: the peer must not take what it got for complete. */
void stream_reset(struct stream *s);
static inline bool stream_is_open(const struct stream *s)
{
    return s->fd >= 0;
}

/* What the loop reported: receive into `in` (or, before the handshake is over, into the engine),
 * notice failures. */
void stream_ready(struct stream *s, uint32_t events);
/* After room was made in `in`: decrypt what had been received before. True if `in` grew or the
 * state changed. */
bool stream_refill(struct stream *s);
/* Throw away what was received, decrypted or not; how many bytes that were. */
size_t stream_discard(struct stream *s);
/* Drive the TLS handshake with what was received; OK at once for a plain stream. */
enum tlsconn_status stream_handshake(struct stream *s);

/* Append to out. The caller keeps to stream_room, but for heads, which always fit. */
void stream_write(struct stream *s, struct bytes data);
/* The same for what is to go at once and whose owner keeps it: sent from there, as far as that is
 * possible. */
void stream_send(struct stream *s, struct bytes data);
/* How many bytes the owner may still append without exceeding the soft maximum. */
size_t stream_room(const struct stream *s);
/* Encrypt and send what can be sent. */
void stream_flush(struct stream *s);
/* Bytes not yet handed to the kernel. */
bool stream_has_unsent(const struct stream *s);
/* Wire bytes that the peer has taken: what lies in the kernel is not. */
uint64_t stream_taken(const struct stream *s);
/* Send what there is, and with the last of it our end (close_notify, FIN), in as few packets as
 * that takes; call again after each flush until s->shut. */
void stream_shutdown(struct stream *s);

/* Bytes that its buffers take. */
size_t stream_held(const struct stream *s);
/* Give back what they take beyond what they hold. */
void stream_fit(struct stream *s);

/* Wait for what is of use: input if WANT_INPUT and there is room, output if anything is unsent. */
void stream_poll(struct stream *s, bool want_input);
