/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifeline — what ties a role to its supervisor: the channel, and what SIGTERM means.
 *
 * While the supervisor lives it alone decides when a role ends; SIGTERM (which service managers and
 * impatient people send to all processes) is only remembered. Once the supervisor is gone, the role
 * goes on with its work until SIGTERM.
 */
#pragma once

#include "role/channel.h"

/* The supervisor is gone and the role was told to end. */
typedef void lifeline_end_fn(void *owner);

struct lifeline {
    struct loop *loop;
    struct channel channel;
    struct watch signals;
    bool must_end; /* SIGTERM has come */
    channel_message_fn *received;
    lifeline_end_fn *end;
    void *owner;
};

/* Take over ROLE_CHANNEL_FD. RECEIVED gets the supervisor's messages. */
int lifeline_open(struct lifeline *l, struct loop *loop, channel_message_fn *received,
    lifeline_end_fn *end, void *owner, struct error *err) MUST_USE;
/* Also after a lifeline_open that failed. */
void lifeline_close(struct lifeline *l);
