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

#include "pki/verdict.h"
#include "tls/tlsconn.h"

#define SESSIONS_MAX 8

struct sessions {
    struct tlsconn_session *at[SESSIONS_MAX]; /* owned, oldest first */
    size_t n;
    /* The last verdict on the certificates that a session came with, these certificates, and the
     * time that it is about. */
    struct verdict *verdict;
    struct certificate_list judged;
    int64_t judged_s;
};

/* Keep SESSION, which is taken. */
void sessions_keep(struct sessions *s, struct tlsconn_session *session);
/* The newest, if it can be offered at NOW_S; else NULL. Those that ended are forgotten. It stays
 * ours, until the next call. */
const struct tlsconn_session *sessions_newest(struct sessions *s, int64_t now_s);
/* The newest was offered: forget it, unless it may be offered again. */
void sessions_offered(struct sessions *s);
/* The verdict on CHAIN, that a session came with, if it was judged at NOW_S already: a copy, the
 * caller's; else NULL. The policy of a generation does not change, so that nothing else decides;
 * and a session that descends from another came with the very same certificates. */
struct verdict *sessions_verdict(
    const struct sessions *s, const struct certificate_list *chain, int64_t now_s);
/* VERDICT is the one on CHAIN at NOW_S: remember it. */
void sessions_judged(struct sessions *s, const struct certificate_list *chain, int64_t now_s,
    const struct verdict *verdict);
/* Forget all. */
void sessions_clear(struct sessions *s);
