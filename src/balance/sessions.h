/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions — what can be resumed with one address of a target: a few of the newest TLS sessions
 * that it gave.
 *
 * They belong to one worker, one generation, one target and one address, and go nowhere else. Of
 * TLS 1.3 each is offered once, so several are kept for connections that are made together; a
 * session of TLS 1.2 can be offered again, and replaces those before it. Bounded, whatever a target
 * sends: SESSIONS_MAX sessions, with tickets of TLSCONN_TICKET_MAX. {0} holds none.
 */
#pragma once

#include "tls/tlsconn.h"

#define SESSIONS_MAX 8

struct sessions {
    struct tlsconn_session *at[SESSIONS_MAX]; /* owned, oldest first */
    size_t n;
};

/* Keep SESSION, which is taken. */
void sessions_keep(struct sessions *s, struct tlsconn_session *session);
/* The newest, if it can be offered at NOW_S; else NULL. Those that ended are forgotten. It stays
 * ours, until the next call. */
const struct tlsconn_session *sessions_newest(struct sessions *s, int64_t now_s);
/* The newest was offered: forget it, unless it may be offered again. */
void sessions_offered(struct sessions *s);
/* Forget all. */
void sessions_clear(struct sessions *s);
