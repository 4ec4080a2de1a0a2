/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session — what a client of the machine (tls/machine.h) keeps of a connection so that another one
 * can resume it: a ticket of TLS 1.3 (RFC 8446 §4.6.1) or 1.2 (RFC 5077), or a session id (RFC 5246
 * §7.4.1.3).
 *
 * A session is bound to policy and server name, and knows the certificates and the time of the full
 * handshake that it goes back to, however often it was resumed since.
 */
#pragma once

#include "tls/machine.h"

struct session {
    struct tlsconn_session common; /* first */
    uint16_t version;
    const struct suite *suite;
    struct secret psk;                  /* TLS 1.3 */
    uint8_t master[MASTER_SECRET_SIZE]; /* TLS 1.2 */
    uint32_t age_add;                   /* TLS 1.3 */
    int64_t received_s;
    struct bytes ticket; /* owned; TLS 1.2: may be empty, then there is an id */
    uint8_t id[32];
    size_t id_n;
};

/* Wipes. NULL is fine. */
void session_free(struct tlsconn_session *s);

/* Before M's first machine_run: offer S, of which M takes a copy. The caller has made sure that it
 * may be (tlsconn_offer). */
void session_offer(struct machine *m, const struct tlsconn_session *s);
/* As it stands in pre_shared_key (RFC 8446 §4.2.11.1), in milliseconds. */
uint32_t session_obfuscated_age(const struct session *s, int64_t now_s);

/* The session that TICKET of TLS 1.3 lets M, an open connection, be resumed by. NULL: none is kept.
 */
struct session *session_new_13(
    const struct machine *m, const struct new_session_ticket *ticket) MUST_USE;
/* The same for TLS 1.2, before M is open. HINT_S: 0 says nothing. TICKET empty: by the id in
 * hs->session_id, if the server gave one. */
struct session *session_new_12(
    const struct machine *m, uint32_t hint_s, struct bytes ticket) MUST_USE;
/* It is the owner's now. NULL is fine. */
void session_give(struct machine *m, struct session *s);
