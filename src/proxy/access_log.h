/* SPDX-License-Identifier: Apache-2.0 */
/* access_log — one JSON line per exchange, relay or refused handshake; the fields are those of
 * docs/access-log.md. */
#pragma once

#include "proxy/conn.h"

/* E has ended: it is counted (proxy/tally.h) and logged. REASON is NONE if the
 * connection goes on. */
void access_log_exchange(struct exchange *e, enum close_reason reason, const char *detail);
/* The same for the relay, the handshake that came to nothing, or the connection of HTTP/2 that
 * could not go on, that has ended with c->reason. */
void access_log_connection(struct conn *c);

/* The verdict on the client as JSON, made once; lives as long as C. C has one. */
struct bytes access_log_peer(struct conn *c);
