/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsconn — one TLS connection as a machine without I/O: wire bytes in, wire bytes and events out
 * (RFC 8446, RFC 5246).
 *
 * The caller receives into tlsconn_wire_in(), calls a function below, and sends what
 * tlsconn_wire_out() holds. After any failure wire_out may hold an alert, to be sent before the
 * socket is closed. Which engine is behind (tls/policy_parts.h), the policy says; it cannot be seen
 * from here.
 *
 * Time:    NOW_S (wall clock) is given where a handshake may need it.
 * Memory:  the connection owns everything that it returns, until tlsconn_free.
 */
#pragma once

#include "base/buf.h"
#include "tls/tlspolicy.h"

#define TLSCONN_WIRE_MAX     (128 * 1024) /* the most that wire_in or wire_out ever holds */
#define TLSCONN_OFFERED_MAX  64
#define TLSCONN_TICKET_MAX   (8 * 1024) /* bytes; a longer one is not kept */
#define TLSCONN_SESSIONS_MAX 16         /* of one connection; servers send as many as they like */

struct tlsconn;
/* What a client keeps of a connection so that another one can resume it. Holds secrets, which are
 * wiped with it. */
struct tlsconn_session;

/* A ClientHello, as far as a policy is chosen by it. Slices live during the call. */
struct tlsconn_hello {
    struct bytes sni; /* host_name of server_name (RFC 6066 §3), as sent; empty if absent */
    bool has_sni;
};

enum tlsconn_message_direction { TLSCONN_SENT, TLSCONN_RECEIVED };

/* What the engine asks its owner during a handshake. OWNER is tlsconn_new's. */
struct tlsconn_handler {
    /* Server: the policy for this ClientHello. NULL refuses it with unrecognized_name. */
    const struct tlspolicy *(*choose)(void *owner, const struct tlsconn_hello *hello);
    /* The peer's certificates, leaf first (CHAIN_N = 0: it sent none, and none is demanded: server
     * with PEER_OPTIONAL only). 0 accepts; else the alert (RFC 8446 §6.2) with which the handshake
     * ends. Not called on resumption: see tlsconn_offer. A client under TLS 1.2 is asked again if
     * an OCSP response comes after the certificates (tlsconn_staple): the last answer counts. */
    uint8_t (*judge)(void *owner, const struct certificate *const *chain, size_t chain_n);
    /* A handshake message passed: whole, with its 4-byte header, in plaintext. May be NULL. */
    void (*message)(void *owner, enum tlsconn_message_direction direction, struct bytes message);
    /* Client, under a policy with tickets: the server lets this connection be resumed, by a ticket
     * (RFC 8446 §4.6.1, RFC 5077 §3.3) or a session id (RFC 5246 §7.4.1.3). The session is the
     * owner's from now on. Called when the handshake is over: at its end, or from tlsconn_read. May
     * be NULL. */
    void (*session)(void *owner, struct tlsconn_session *session);
    /* What the handshake waited for (TLSCONN_WANT_SIGNATURE) has come: go on with
     * tlsconn_handshake. Called from the event loop. Needed where a key is elsewhere. */
    void (*resume)(void *owner);
};

struct tlsconn *tlsconn_new_server(
    const struct tlspolicy *initial, const struct tlsconn_handler *handler, void *owner);
/* SERVER_NAME: sent as SNI if it is a DNS name; may be NULL. */
struct tlsconn *tlsconn_new_client(const struct tlspolicy *policy, const char *server_name,
    const struct tlsconn_handler *handler, void *owner);
/* Client, before the first tlsconn_handshake: offer S, which stays the caller's. If the server
 * resumes it (facts.resumed), it shows no certificate (RFC 8446 §2.2), and judge is not asked:
 * judge tlsconn_session_chain before. If not, a full handshake follows in the same connection.
 * False if S has ended or was made under another policy or for another server name: nothing is
 * offered then. */
bool tlsconn_offer(struct tlsconn *c, const struct tlsconn_session *s, int64_t now_s) MUST_USE;
/* NULL is fine. Does not call the handler. */
void tlsconn_free(struct tlsconn **c);

/* What the server showed in the full handshake that S goes back to, leaf first. */
const struct certificate_list *tlsconn_session_chain(const struct tlsconn_session *s);
/* It must not be offered from here on: session_lifetime_s of the policy after the full handshake,
 * however often it was resumed, or earlier if the server says so. */
int64_t tlsconn_session_ends_s(const struct tlsconn_session *s);
/* To be offered once only: TLS 1.3 (RFC 8446 C.4). */
bool tlsconn_session_is_single_use(const struct tlsconn_session *s);
/* NULL is fine. */
void tlsconn_session_free(struct tlsconn_session **s);

/* Client, while judge is asked: the OCSP response that the server stapled to its certificate;
 * empty: none. */
struct bytes tlsconn_staple(const struct tlsconn *c);

struct buf *tlsconn_wire_in(struct tlsconn *c);
struct buf *tlsconn_wire_out(struct tlsconn *c);

enum tlsconn_status {
    TLSCONN_OK,         /* handshake: complete; read and write: progress was made */
    TLSCONN_WANT_INPUT, /* needs more in wire_in */
    TLSCONN_CLOSED,     /* the peer's close_notify: nothing more will be read */
    TLSCONN_FAILED,     /* fatal: see tlsconn_failure */
    /* Handshake, under a policy whose keys are elsewhere (struct key_handle): has asked the
     * signer, and goes on when handler->resume was called; until then no input helps. */
    TLSCONN_WANT_SIGNATURE,
};

/* Go on with the handshake as far as wire_in allows. */
enum tlsconn_status tlsconn_handshake(struct tlsconn *c, int64_t now_s) MUST_USE;
/* Append decrypted bytes to OUT as far as its maximum and wire_in allow. OK if any byte was
 * appended or OUT is full. */
enum tlsconn_status tlsconn_read(struct tlsconn *c, struct buf *out) MUST_USE;
/* Encrypt DATA into wire_out, as much as fits; *TAKEN bytes of it were taken. */
enum tlsconn_status tlsconn_write(struct tlsconn *c, struct bytes data, size_t *taken) MUST_USE;
/* How many plaintext bytes tlsconn_write would take now: a bound for back-pressure. */
size_t tlsconn_write_room(const struct tlsconn *c);
/* Once the handshake is complete: has tlsconn_read something to give without more input, bytes or
 * the end of them, which may have come in one piece? */
bool tlsconn_has_pending(const struct tlsconn *c);
/* Put close_notify into wire_out. Once; later calls do nothing. */
void tlsconn_close(struct tlsconn *c);

/* What was negotiated. Texts are "" where not applicable or not yet known. */
struct tlsconn_facts {
    uint16_t version; /* TLS_1_2, TLS_1_3; 0 before ServerHello */
    char cipher[48];  /* IANA name: TLS_AES_256_GCM_SHA384, TLS_RSA_WITH_AES_128_GCM_SHA256, … */
    char group[24];   /* x25519, secp256r1 …; "" with RSA key transport */
    char signature[32]; /* scheme of the peer's signature, IANA name where known */
    char alpn[16];
    char sni[256]; /* as sent by the client; control bytes escaped; lower case */
    bool resumed;
    bool key_exchange_rsa;
    bool is_handshake_complete;
    bool peer_asked; /* a CertificateRequest was sent (server) or received (client) */
    /* The suites of the ClientHello in the client's order, GREASE left out. */
    uint16_t offered[TLSCONN_OFFERED_MAX];
    size_t offered_n;
    const struct credential *credential; /* the one of ours that was used, or NULL */
};
const struct tlsconn_facts *tlsconn_facts(const struct tlsconn *c);

enum tlsconn_fault {
    TLSCONN_FAULT_NONE,
    TLSCONN_FAULT_PEER_CERTIFICATE, /* refused by judge; or judge was not asked, as there is none
                                       (no_certificate) or one that cannot be parsed (text) */
    TLSCONN_FAULT_ALERT_RECEIVED,   /* the peer sent a fatal alert: see alert */
    TLSCONN_FAULT_NO_COMMON,        /* no common version, suite, group or signature scheme */
    TLSCONN_FAULT_NOT_TLS,          /* what arrived is no TLS (plain HTTP, garbage) */
    TLSCONN_FAULT_PROTOCOL,         /* any other violation by the peer */
    TLSCONN_FAULT_INTERNAL,
};
struct tlsconn_failure {
    enum tlsconn_fault fault;
    uint8_t alert;       /* received (ALERT_RECEIVED) or sent; 0 if none */
    bool no_certificate; /* PEER_CERTIFICATE: the peer sent none */
    char text[128];      /* for the log */
};
const struct tlsconn_failure *tlsconn_failure(const struct tlsconn *c);

/* The name of an alert, "certificate_revoked"; "unknown" for a number that has none. */
const char *tlsconn_alert_name(uint8_t alert);
/* The IANA name of a suite, or NULL if it is not one that we know. */
const char *tlsconn_cipher_name(uint16_t suite);
/* The IANA name of a handshake message type (first byte of a message), "client_hello". */
const char *tlsconn_message_name(uint8_t type);
