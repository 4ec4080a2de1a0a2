/* SPDX-License-Identifier: Apache-2.0 */
#include "role/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

#include "base/ban.h"

/* A peer that is so far behind does not come back. */
#define OUTBOX_MAX 8192
/* Messages read per readiness, so that one peer does not keep the loop. */
#define TURN_MAX 16

struct outgoing {
    struct list link;
    struct message message; /* its descriptors are duplicates */
    uint8_t text[];
};

static void forget(struct channel *c, struct outgoing *o)
{
    list_remove(&o->link);
    c->outbox_n--;
    message_close(&o->message);
    mem_wipe(o->text, o->message.text.n);
    free(o);
}

/* Let the watch find the end, so that no owner is called under the feet of a sender. */
static void hang_up(struct channel *c)
{
    ignore_result(shutdown(c->watch.fd, SHUT_RDWR));
}

static void flush(struct channel *c)
{
    LIST_FOREACH_SAFE (it, &c->outbox) {
        struct outgoing *o = container_of(it, struct outgoing, link);
        enum message_status status = message_send(c->watch.fd, &o->message);
        if (status == MESSAGE_WAIT)
            return;
        if (status != MESSAGE_OK) {
            hang_up(c);
            break;
        }
        forget(c, o);
    }
    loop_watch_change(c->loop, &c->watch, EPOLLIN);
}

/* Hand out one message. */
static enum message_status receive(struct channel *c)
{
    struct message m;
    uint8_t text[MESSAGE_TEXT_MAX];
    enum message_status status = message_receive(c->watch.fd, &m, text);
    if (status != MESSAGE_OK)
        return status;
    c->received(c->owner, &m);
    message_close(&m);
    mem_wipe(text, m.text.n);
    return MESSAGE_OK;
}

static void ready(struct watch *w, uint32_t events)
{
    struct channel *c = container_of(w, struct channel, watch);
    enum message_status status = MESSAGE_OK;
    if (events & EPOLLOUT)
        flush(c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    for (int i = 0; i < TURN_MAX && status == MESSAGE_OK && channel_is_open(c); i++)
        status = receive(c);
    if (!channel_is_open(c) || status == MESSAGE_OK || status == MESSAGE_WAIT)
        return;
    channel_close(c);
    c->ended(c->owner, status);
}

void channel_init(
    struct channel *c, channel_message_fn *received, channel_ended_fn *ended, void *owner)
{
    *c = (struct channel){.received = received, .ended = ended, .owner = owner};
    c->watch.fd = -1;
    list_init(&c->outbox);
}

int channel_open(struct channel *c, struct loop *loop, int fd, struct error *err)
{
    c->loop = loop;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        loop_watch(loop, &c->watch, fd, EPOLLIN, ready) < 0) {
        error_errno(err, errno, "channel");
        close(fd);
        c->watch.fd = -1;
        return -1;
    }
    return 0;
}

void channel_close(struct channel *c)
{
    if (!channel_is_open(c))
        return;
    LIST_FOREACH_SAFE (it, &c->outbox)
        forget(c, container_of(it, struct outgoing, link));
    int fd = c->watch.fd;
    loop_unwatch(c->loop, &c->watch);
    c->watch.fd = -1;
    close(fd);
}

void channel_finish(struct channel *c)
{
    while (channel_is_open(c) && receive(c) == MESSAGE_OK)
        continue;
    channel_close(c);
}

bool channel_is_open(const struct channel *c)
{
    return c->watch.fd >= 0;
}

static void put_into_outbox(struct channel *c, const struct message *m)
{
    struct outgoing *o = mem_alloc(sizeof(*o) + m->text.n);
    o->message = *m;
    if (m->text.n)
        memcpy(o->text, m->text.at, m->text.n);
    o->message.text.at = o->text;
    bool is_complete = true;
    for (unsigned i = 0; i < m->fds_n; i++) {
        o->message.fds[i] = fcntl(m->fds[i], F_DUPFD_CLOEXEC, 0);
        is_complete &= o->message.fds[i] >= 0;
    }
    list_append(&c->outbox, &o->link);
    c->outbox_n++;
    if (!is_complete) {
        forget(c, o);
        hang_up(c);
        return;
    }
    loop_watch_change(c->loop, &c->watch, EPOLLIN | EPOLLOUT);
}

void channel_send(struct channel *c, const struct message *m)
{
    if (!channel_is_open(c))
        return;
    enum message_status status =
        list_is_empty(&c->outbox) ? message_send(c->watch.fd, m) : MESSAGE_WAIT;
    if (status == MESSAGE_OK)
        return;
    if (status == MESSAGE_WAIT && c->outbox_n < OUTBOX_MAX)
        put_into_outbox(c, m);
    else
        hang_up(c);
}
