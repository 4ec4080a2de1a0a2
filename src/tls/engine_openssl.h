/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_openssl — what the files of the libssl engine share: the policy as libssl contexts, and
 * its tickets and sessions.
 *
 * Private to engine_openssl*.c. libssl's types are named without their headers, so that this header
 * stands alone.
 */
#pragma once

#include "tls/policy_parts.h"

struct ssl_st;     /* SSL */
struct ssl_ctx_st; /* SSL_CTX */
struct x509_st;    /* X509 */

struct engine_openssl_policy {
    struct x509_st **leaves; /* libssl's form of the first certificate of each credential */
    size_t leaves_n;
    struct ssl_ctx_st **contexts; /* server: one per set, in the same order; client: one */
    size_t contexts_n;
};

/* HANDSHAKE -> OPEN -> PEER_CLOSED, and from each of them to FAILED.
 *
 * PEER_CLOSED: the peer's close_notify was read; we may still write.
 * FAILED: any violation; libssl is not called again. */
enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_PEER_CLOSED,
    CONNECTION_FAILED
};

struct connection {
    struct tlsconn base; /* first */
    struct ssl_st *ssl;
    const struct tlsconn_handler *handler;
    void *owner;
    enum connection_state state;
    bool is_server;
    bool has_shut_down; /* our close_notify is out */
    bool has_received;  /* a whole handshake message: the peer speaks TLS */
    bool has_hello;     /* server: the policy is chosen */
    bool is_drained;    /* libssl found no whole record in what it was given */
    bool has_ticket;    /* client: NewSessionTicket was received */
    uint8_t first_byte; /* that the peer sent; 0 before */
    uint8_t alert_sent;
    uint8_t alert_due; /* goes out in place of the one that libssl has for the occasion; 0: none */
    unsigned key_updates;   /* received */
    unsigned sessions_n;    /* client: given to the owner */
    int64_t now_s;          /* wall clock of the call that is in progress */
    int64_t resumed_auth_s; /* when the session that is being resumed was authenticated */
    /* Client that takes sessions: what the server showed, now or when the session that it resumes
     * was made. */
    struct certificate_list shown;
    struct certificate_list peer_chain; /* what the peer sent, until it is judged */
    struct error peer_flaw;             /* what cannot be parsed in it; "": nothing */
    struct buf staple;                  /* client: the OCSP response that came with it */
    bool has_status;                    /* client: TLS 1.2, the server announced one */
    bool is_unjudged;                   /* client: the chain waits for it to be judged again */
    struct buf wire_in, wire_out;
    struct tlsconn_facts facts;
    struct tlsconn_failure failure;
};

/* engine_openssl.c */

/* What tlsconn.h knows as BASE. */
struct connection *engine_connection(struct tlsconn *base);
struct connection *engine_connection_of(const struct ssl_st *ssl);
/* The first word counts: what a callback says is more precise than what libssl makes of its
 * refusal. The connection fails when control returns from libssl. */
void engine_note_failure(struct connection *c, enum tlsconn_fault fault, const char *format, ...)
    PRINTF(3, 4);

/* engine_openssl_handshake.c */

/* The callbacks that make the connections of CTX ask their handlers. */
void engine_handshake_install(struct ssl_ctx_st *ctx, enum tlspolicy_role role);
/* Ask the judge about the certificates that the peer sent, for the last time: his alert, or 0. A
 * refusal is noted. */
uint8_t engine_judge(struct connection *c);

/* engine_openssl_status.c */

/* Let client connections of CTX ask for OCSP responses. */
void engine_status_install(struct ssl_ctx_st *ctx);
/* BODY of a ServerHello; of the message that may hold a response (see hello_read_staple). */
void engine_status_note_hello(struct connection *c, struct bytes body);
void engine_status_note(struct connection *c, struct bytes body);
/* The judge's answer to the certificates alone is ALERT: may a response that is still to come
 * change it? Then they are judged again after that. */
bool engine_status_may_change(const struct connection *c, uint8_t alert);

/* engine_openssl_policy.c */

int engine_policy_init(
    struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err) MUST_USE;
void engine_policy_fini(struct tlspolicy *p);
/* What a connection under P starts with. */
struct ssl_ctx_st *engine_policy_context(const struct tlspolicy *p);
/* Put SSL, a server's that waits in its ClientHello callback, under P: the certificates for
 * HOST_NAME, and all that SSL_set_SSL_CTX leaves as it was when SSL was made. */
int engine_policy_apply(
    const struct tlspolicy *p, struct ssl_st *ssl, struct bytes host_name) MUST_USE;
/* The credential whose leaf SSL shows. NULL: none. */
const struct credential *engine_policy_credential(
    const struct tlspolicy *p, const struct ssl_st *ssl);

/* engine_openssl_ticket.c */

/* Let connections that begin with CTX issue and take tickets, each by the rules of its policy. */
void engine_ticket_install(struct ssl_ctx_st *ctx);

/* engine_openssl_session.c */

/* Let client connections of CTX take sessions that are resumed by ticket under TLS 1.3. */
void engine_session_install(struct ssl_ctx_st *ctx);
/* The handshake of C, a client, is over: give its owner the session, if TLS 1.2 made one. */
void engine_session_established(struct connection *c);
bool engine_session_offer(struct tlsconn *base, const struct tlsconn_session *s) MUST_USE;
void engine_session_free(struct tlsconn_session *base);
