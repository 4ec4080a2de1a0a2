/* SPDX-License-Identifier: Apache-2.0 */
/* client_http1 — a client that speaks HTTP/1: one exchange at a time, and each may be the
 * connection's last. Part of struct conn. */
#pragma once

#include "proxy/exchange.h"

struct client_http1 {
    struct party_http1 party;
    unsigned minor_version; /* of the request under way */
    bool keeps_alive;       /* as that request says, and nothing else speaks against it */
};

/* What an exchange on STREAM speaks to. */
struct client client_http1_init(struct client_http1 *h, struct stream *stream);
/* A request has come with HEAD. */
void client_http1_begin(struct client_http1 *h, const struct http1_head *head);
