/* SPDX-License-Identifier: Apache-2.0 */
/* access_log — one JSON line per exchange, relay or refused handshake; the fields are those of
 * docs/access-log.md. */
#pragma once

#include "proxy/conn.h"

/* The exchange of C has ended. REASON is NONE if the connection goes on. */
void access_log_exchange(struct conn *c, enum close_reason reason, const char *detail);
/* The relay, or the handshake that came to nothing, has ended with c->reason. */
void access_log_connection(struct conn *c);
