/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel — messages to and from one peer process through the event loop: sending never blocks,
 * what the peer does not take at once waits in a bounded outbox.
 *
 * A message that cannot be delivered (the peer is gone, or so slow that the outbox is full) ends
 * the channel; that is told in the usual way, by `ended`, and senders need not look. Memory:
 * embedded in its owner; the outbox is the channel's and is freed by channel_close.
 */
#pragma once

#include "base/list.h"
#include "io/loop.h"
#include "role/message.h"

/* M is the handler's for the call; descriptors that it does not take are closed. */
typedef void channel_message_fn(void *owner, struct message *m);
/* The channel is closed already. WHY: MESSAGE_END, the peer has closed its end or does not take
 * what it is sent; MESSAGE_BROKEN, it has sent what is no message. */
typedef void channel_ended_fn(void *owner, enum message_status why);

struct channel {
    struct loop *loop;
    struct watch watch; /* watch.fd: the socket; -1: closed */
    struct list outbox;
    unsigned outbox_n;
    channel_message_fn *received;
    channel_ended_fn *ended;
    void *owner;
};

/* A closed channel. */
void channel_init(
    struct channel *c, channel_message_fn *received, channel_ended_fn *ended, void *owner);
/* Speak through FD, which is the channel's from now on, also on failure. */
int channel_open(struct channel *c, struct loop *loop, int fd, struct error *err) MUST_USE;
/* The peer has ended: hand out what it still said, then close, without `ended`. */
void channel_finish(struct channel *c);
/* Closing a closed channel does nothing. */
void channel_close(struct channel *c);
bool channel_is_open(const struct channel *c);

/* The descriptors of M stay the caller's. On a closed channel nothing happens. */
void channel_send(struct channel *c, const struct message *m);
