/* SPDX-License-Identifier: Apache-2.0 */
/* socket — listening and connecting, non-blocking and close-on-exec, and moving bytes between
 * sockets and bufs. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "io/address.h"

/* Is the address free? Binds without SO_REUSEPORT and lets go again, so that a second instance is
 * refused and not shared. Port 0 is always free. -1 names the address and that it is in use. */
int socket_probe(const struct address *a, struct error *err) MUST_USE;
/* Bind and listen. REUSEPORT: one of several sockets of ours on one port. BOUND (may be NULL) gets
 * the address with the port that was picked. What is accepted there has TCP_NODELAY, and
 * holds little in the kernel for a slow reader, by inheritance. */
int socket_listen(const struct address *a, bool reuseport, int backlog, struct address *bound,
    struct error *err) MUST_USE;
/* Does it (still)? Whoever shares a socket can shut it down for all. */
bool socket_is_listening(int fd);
/* A connected socket, PEER filled; -1 with errno EAGAIN (none), EMFILE, …. */
int socket_accept(int listener, struct address *peer) MUST_USE;
/* Our end of a connected socket; false: it has none any more. */
bool socket_local(int fd, struct address *out);
/* Begin to connect; the socket is writable when that has ended, and socket_connected tells how. */
int socket_connect(const struct address *a, struct error *err) MUST_USE;
/* 0, or the errno of the failed connect. */
int socket_connected(int fd);

enum socket_status { SOCKET_OK, SOCKET_WAIT, SOCKET_EOF, SOCKET_FAILED };

/* Receive at most N bytes, and no more than B has room for, with one recv. WAIT: nothing came (or B
 * is full: stop waiting for input then). FAILED: errno says why. */
enum socket_status socket_receive(int fd, struct buf *b, size_t n) MUST_USE;
/* The same, and at most SOCKET_LITTLE_MAX, by way of the stack: B, if it is empty, takes storage
 * only for what has come. */
#define SOCKET_LITTLE_MAX (32 * 1024)
enum socket_status socket_receive_little(int fd, struct buf *b, size_t n) MUST_USE;
/* Send as much of B as the kernel takes, and consume it. OK: all of it; WAIT: some is left; FAILED:
 * errno says why. */
enum socket_status socket_send(int fd, struct buf *b) MUST_USE;
/* The same, and if that was all, a shutdown or close follows at once, whose FIN it goes out with.
 */
enum socket_status socket_send_last(int fd, struct buf *b) MUST_USE;
/* As socket_send, for bytes of somebody else: *LEFT becomes what has not gone. */
enum socket_status socket_send_bytes(int fd, struct bytes *left) MUST_USE;
/* How many bytes of what was sent the peer has not acknowledged yet. */
size_t socket_unacknowledged(int fd);
/* The round-trip time to the peer, in microseconds, as the kernel has it by now; 0: it has none. */
unsigned socket_round_trip_us(int fd);
/* A close that sends RST instead of FIN. */
void socket_reset(int fd);
