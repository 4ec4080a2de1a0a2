/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally — what connections, handshakes, exchanges and relays add to the counters of their worker
 * (balance/metrics.def), and handshakes to its handshake_log.
 *
 * Rows are looked up when a service comes into force; from then on counting is adding.
 */
#pragma once

#include "proxy/conn.h"

struct proxy;

#define TALLY_KNOWN_MAX 32 /* outcomes of handshakes whose row need not be looked up again */

/* The rows of one listener. */
struct tally {
    struct count *listener;
    struct count **routes; /* by target group; those that it does not lead to are NULL; the last is
                              for no group */
    struct tally_known {
        uint64_t outcome;
        struct count *row;
    } known[TALLY_KNOWN_MAX];
    size_t known_n;
    uint64_t limited_ms; /* when the log was last told that a limit was reached */
};

/* S comes into force: find the rows of its listeners and targets, and set what certificates and
 * CRLs say. */
void tally_service(struct proxy *p, struct service *s);
void tally_fini(struct tally **t);

void tally_opened(struct conn *c);
void tally_closed(struct conn *c);
/* A handshake message passed. */
void tally_message(struct conn *c, enum tlsconn_message_direction direction, struct bytes message);
/* The handshake has ended: well, with REASON NONE; or with what conn_close was told. */
void tally_handshake(struct conn *c, enum close_reason reason, const char *detail);
/* The exchange, or the relay, has ended. */
void tally_exchange(const struct exchange *e, enum close_reason reason);
void tally_relay(struct conn *c, enum close_reason reason);
/* A connection of HTTP/2 could not go on. */
void tally_http2(struct conn *c, enum close_reason reason);
/* The connection to e->upstream's target came to nothing. */
void tally_target_failed(const struct exchange *e, enum close_reason reason);
