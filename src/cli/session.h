/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session — a TLS connection of `sallyport connect`: the machine of tls/ on one blocking socket,
 * with deadlines.
 *
 * The engine's handler is the caller's. Clock: monotonic for deadlines, wall for the handshake.
 */
#pragma once

#include "base/error.h"
#include "tls/tlsconn.h"

#define SESSION_HANDSHAKE_MS 10000

struct session {
    int fd;
    struct tlsconn *tls;
    struct buf plain;  /* received and decrypted, not yet taken by the caller */
    bool is_closed;    /* the peer will send nothing more: close_notify, end of file or failure */
    bool is_truncated; /* it ended without close_notify */
};

/* "host:port" or "[v6]:port" taken apart; HOST gets no brackets. */
int session_split(const char *address, char *host, size_t host_size, char *port, size_t port_size,
    struct error *err) MUST_USE;

/* Connect to HOST, trying its addresses in turn. */
int session_dial(const char *host, const char *port, int *fd, struct error *err) MUST_USE;

/* Takes FD and TLS. */
void session_init(struct session *s, int fd, struct tlsconn *tls);
void session_fini(struct session *s);

/* -1 with what the peer or the engine said. */
int session_handshake(struct session *s, struct error *err) MUST_USE;

/* Take in what the peer sends until it has sent a byte of data, or has closed, or TIMEOUT_MS are
 * over. */
void session_listen(struct session *s, int timeout_ms);

/* Send close_notify, then listen until the peer closes too or TIMEOUT_MS are over; its data are
 * dropped. */
void session_close(struct session *s, int timeout_ms);

/* Standard input to the peer and the peer to standard output, until the peer closes. The end of
 * standard input becomes close_notify. -1 if the connection failed. */
int session_relay(struct session *s, struct error *err) MUST_USE;

/* The fatal alert that the peer sent, or 0. */
uint8_t session_alert(const struct session *s);
