/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_header — the PROXY protocol in a connection: what a balancer in front of us says of the
 * client, and what we say of it to a target.
 */
#pragma once

#include "io/address.h"
#include "proto/proxy_protocol.h"

struct conn;

/* What a balancer said of a connection. */
struct proxy_header {
    struct address via; /* of the balancer itself */
    struct proxy_protocol said;
};

/* Has the connection's peer to begin with a header? */
bool proxy_header_is_due(const struct conn *c);
/* Take it from what the client's side has received: c->peer is from then on whom it names. 0 when
 * that is done, 1 if more has to come, -1 if what came is none, WHY in words. */
int proxy_header_take(struct conn *c, const char **why) MUST_USE;

/* Where the client meant to go: to us, or to the balancer in front of us. False: nobody knows. */
bool proxy_header_destination(const struct conn *c, struct proxy_protocol_end *out) MUST_USE;
/* Append to OUT what a target is told of the connection. */
void proxy_header_write(const struct conn *c, struct buf *out);
