/* SPDX-License-Identifier: Apache-2.0 */
#include "role/message.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/panic.h"

#include "base/ban.h"

static const struct shape {
    unsigned fds_min, fds_max;
    size_t text_max;
} shapes[MESSAGE_TYPE_COUNT] = {
#define X(symbol, fds_min, fds_max, text_max) [MESSAGE_##symbol] = {fds_min, fds_max, text_max},
#include "role/message.def"
#undef X
};

#define X(symbol, fds_min, fds_max, text_max) \
    _Static_assert((fds_max) <= MESSAGE_FDS_MAX && (text_max) <= MESSAGE_TEXT_MAX, #symbol);
#include "role/message.def"
#undef X

/* A packet is this, then the text. */
struct head {
    uint32_t type;
    uint32_t index;
    uint64_t generation;
};

/* Ancillary data for the most descriptors that a message may carry, aligned as its header wants. */
union ancillary {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
};

static bool is_in_shape(const struct message *m)
{
    if (m->type <= MESSAGE_NONE || m->type >= MESSAGE_TYPE_COUNT)
        return false;
    const struct shape *s = &shapes[m->type];
    return m->fds_n >= s->fds_min && m->fds_n <= s->fds_max && m->text.n <= s->text_max;
}

static enum message_status status_of_errno(void)
{
    if (errno == EAGAIN || errno == EINTR)
        return MESSAGE_WAIT;
    return errno == EPIPE || errno == ECONNRESET ? MESSAGE_END : MESSAGE_BROKEN;
}

enum message_status message_send(int fd, const struct message *m)
{
    ASSERT(is_in_shape(m));
    struct head head = {m->type, m->index, m->generation};
    struct iovec parts[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)m->text.at, m->text.n}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = m->text.n ? 2 : 1};
    union ancillary ancillary = {0};
    if (m->fds_n) {
        packet.msg_control = ancillary.bytes;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * m->fds_n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&packet);
        *c = (struct cmsghdr){CMSG_LEN(sizeof(int) * m->fds_n), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(c), m->fds, sizeof(int) * m->fds_n);
    }
    return sendmsg(fd, &packet, MSG_NOSIGNAL) < 0 ? status_of_errno() : MESSAGE_OK;
}

/* One more descriptor than a message may have can come in: CMSG_SPACE rounds up, and the kernel
 * fills what it is given. Such a one is closed. False if there was one. */
static bool gather_fds(struct msghdr *packet, struct message *out)
{
    bool all_fit = true;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(packet); c; c = CMSG_NXTHDR(packet, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (out->fds_n < MESSAGE_FDS_MAX) {
                out->fds[out->fds_n++] = fd;
            } else {
                close(fd);
                all_fit = false;
            }
        }
    }
    return all_fit;
}

enum message_status message_receive(int fd, struct message *out, uint8_t text[MESSAGE_TEXT_MAX])
{
    struct head head = {0};
    struct iovec parts[] = {{&head, sizeof(head)}, {text, MESSAGE_TEXT_MAX}};
    union ancillary ancillary = {0};
    struct msghdr packet = {.msg_iov = parts,
        .msg_iovlen = 2,
        .msg_control = ancillary.bytes,
        .msg_controllen = sizeof(ancillary.bytes)};
    *out = (struct message){0};
    ssize_t n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return status_of_errno();
    if (n == 0)
        return MESSAGE_END;
    bool all_fit = gather_fds(&packet, out);
    out->type = head.type < MESSAGE_TYPE_COUNT ? (enum message_type)head.type : MESSAGE_NONE;
    out->index = head.index;
    out->generation = head.generation;
    bool is_whole =
        all_fit && (size_t)n >= sizeof(head) && !(packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    if (is_whole)
        out->text = (struct bytes){text, (size_t)n - sizeof(head)};
    if (is_whole && is_in_shape(out))
        return MESSAGE_OK;
    message_close(out);
    errno = EPROTO;
    return MESSAGE_BROKEN;
}

int message_take(struct message *m, unsigned i)
{
    if (i >= m->fds_n)
        return -1;
    int fd = m->fds[i];
    m->fds[i] = -1;
    return fd;
}

void message_close(struct message *m)
{
    for (unsigned i = 0; i < m->fds_n; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    m->fds_n = 0;
}
