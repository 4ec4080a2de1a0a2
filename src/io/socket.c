/* SPDX-License-Identifier: Apache-2.0 */
#include "io/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

#include "base/ban.h"

/* Of one connection, what the kernel takes and has not put on the wire yet: beyond its window, a
 * slow reader holds so much. Otherwise that would be whatever net.ipv4.tcp_wmem allows, megabytes.
 */
#define UNSENT_MAX (128 * 1024)

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

/* Close FD, keeping errno for the message about what went wrong before. */
static void close_failed(int fd)
{
    int why = errno;
    close(fd);
    errno = why;
}

/* A bound socket, or -1 with errno. */
static int open_bound(const struct address *a, bool reuseport)
{
    int fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    /* SO_REUSEADDR lets us have a port with connections in TIME_WAIT; one that somebody listens on
     * stays refused. */
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
        (!reuseport || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0) &&
        (a->sa.any.sa_family != AF_INET6 ||
            set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a->both_families) == 0) &&
        bind(fd, &a->sa.any, a->n) == 0)
        return fd;
    close_failed(fd);
    return -1;
}

/* Fill ERR from errno, with what the operator can do about it. */
static int cannot_listen(const struct address *a, struct error *err)
{
    static const struct {
        int why;
        const char *remedy;
    } remedies[] = {
        {EADDRINUSE, "another process listens there; stop it or choose another port"},
        {EADDRNOTAVAIL, "this machine has no such address"},
        {EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE"},
    };
    int why = errno;
    char text[ADDRESS_TEXT_MAX];
    address_format(a, text);
    for (size_t i = 0; i < COUNT_OF(remedies); i++)
        if (remedies[i].why == why)
            return error_set(err, "cannot listen on %s: %s", text, remedies[i].remedy);
    return error_errno(err, why, "cannot listen on %s", text);
}

int socket_probe(const struct address *a, struct error *err)
{
    if (address_port(a) == 0)
        return 0;
    int fd = open_bound(a, false);
    if (fd < 0)
        return cannot_listen(a, err);
    close(fd);
    return 0;
}

int socket_listen(
    const struct address *a, bool reuseport, int backlog, struct address *bound, struct error *err)
{
    int fd = open_bound(a, reuseport);
    if (fd < 0)
        return cannot_listen(a, err);
    struct address actual = *a;
    actual.n = sizeof(actual.sa);
    if (set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0 ||
        set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX) < 0 || listen(fd, backlog) < 0 ||
        getsockname(fd, &actual.sa.any, &actual.n) < 0) {
        close_failed(fd);
        return cannot_listen(a, err);
    }
    if (bound)
        *bound = actual;
    return fd;
}

bool socket_is_listening(int fd)
{
    int is_listening = 0;
    socklen_t n = sizeof(is_listening);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &n) == 0 && is_listening;
}

int socket_accept(int listener, struct address *peer)
{
    *peer = (struct address){.n = sizeof(peer->sa)};
    return accept4(listener, &peer->sa.any, &peer->n, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

bool socket_local(int fd, struct address *out)
{
    *out = (struct address){.n = sizeof(out->sa)};
    return getsockname(fd, &out->sa.any, &out->n) == 0;
}

int socket_connect(const struct address *a, struct error *err)
{
    int fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd >= 0) {
        if (set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0 &&
            set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX) == 0 &&
            (connect(fd, &a->sa.any, a->n) == 0 || errno == EINPROGRESS))
            return fd;
        close_failed(fd);
    }
    int why = errno;
    char text[ADDRESS_TEXT_MAX];
    address_format(a, text);
    return error_errno(err, why, "cannot connect to %s", text);
}

int socket_connected(int fd)
{
    int why = 0;
    socklen_t n = sizeof(why);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0 ? errno : why;
}

static bool is_wait(int why)
{
    return why == EAGAIN || why == EWOULDBLOCK;
}

/* At most N bytes into SPACE; *GOT is how many. */
static enum socket_status receive(int fd, uint8_t *space, size_t n, size_t *got)
{
    ssize_t result;
    *got = 0;
    if (!n) /* recv of nothing would look like the end */
        return SOCKET_WAIT;
    do {
        result = recv(fd, space, n, 0);
    } while (result < 0 && errno == EINTR);
    if (result == 0)
        return SOCKET_EOF;
    if (result < 0)
        return is_wait(errno) ? SOCKET_WAIT : SOCKET_FAILED;
    *got = (size_t)result;
    return SOCKET_OK;
}

enum socket_status socket_receive(int fd, struct buf *b, size_t n)
{
    size_t got;
    if (n > buf_room(b))
        n = buf_room(b);
    enum socket_status status = receive(fd, buf_space(b, n), n, &got);
    int why = errno;
    buf_added(b, got);
    buf_release(b);
    errno = why;
    return status;
}

enum socket_status socket_receive_little(int fd, struct buf *b, size_t n)
{
    uint8_t space[SOCKET_LITTLE_MAX];
    size_t got;
    if (n > buf_room(b))
        n = buf_room(b);
    if (n > sizeof(space))
        n = sizeof(space);
    enum socket_status status = receive(fd, space, n, &got);
    int why = errno;
    ignore_result(buf_append(b, (struct bytes){space, got})); /* there is room */
    errno = why;
    return status;
}

static enum socket_status send_bytes(int fd, struct bytes *left, int flags)
{
    while (left->n) {
        ssize_t sent = send(fd, left->at, left->n, MSG_NOSIGNAL | flags);
        if (sent >= 0)
            *left = bytes_skip(*left, (size_t)sent);
        else if (is_wait(errno))
            return SOCKET_WAIT;
        else if (errno != EINTR)
            return SOCKET_FAILED;
    }
    return SOCKET_OK;
}

static enum socket_status send_all(int fd, struct buf *b, int flags)
{
    struct bytes left = buf_bytes(b);
    enum socket_status status = send_bytes(fd, &left, flags);
    buf_consume(b, buf_size(b) - left.n);
    return status;
}

enum socket_status socket_send(int fd, struct buf *b)
{
    return send_all(fd, b, 0);
}

enum socket_status socket_send_last(int fd, struct buf *b)
{
    return send_all(fd, b, MSG_MORE);
}

enum socket_status socket_send_bytes(int fd, struct bytes *left)
{
    return send_bytes(fd, left, 0);
}

size_t socket_unacknowledged(int fd)
{
    int n = 0;
    return ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

unsigned socket_round_trip_us(int fd)
{
    struct tcp_info info;
    socklen_t n = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ? 0 : info.tcpi_rtt;
}

void socket_reset(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}
