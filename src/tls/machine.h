/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — the handshake of TLS 1.2 and 1.3 as a state machine without I/O, server and client:
 * what the files of our own engine share.
 *
 *   machine.c          a life: records to messages, messages to the tables, pauses, the end
 *   machine_receive.c  records: change_cipher_spec, alerts, refused early data, application data
 *   machine_send.c     flights, alerts, change_cipher_spec, application data, KeyUpdate
 *   machine_secure.c   transcript, keys, Finished
 *   server.c           ClientHello: version, suite, group, certificate, resumption; then one of
 *   server13.c         the server's messages of TLS 1.3
 *   server12.c         … of TLS 1.2
 *   client.c           ClientHello, ServerHello, HelloRetryRequest; then one of
 *   client13.c         the client's messages of TLS 1.3
 *   client12.c         … of TLS 1.2
 *   peer.c             what both sides do with a peer's certificate: chain, verdict, signature
 *   ticket.c           a server's tickets: sealing, opening, and what they are bound to
 *   session.c          a client's sessions: what a server gave, and offering it again
 *   engine_native.c    the engine as tlsconn wants it: calls the machine, answers its pauses
 *
 * One table per version and role says which message may come in which state, and who reads it: what
 * is not in the table is unexpected_message. No other code asks which message came. Application
 * data is taken in MACHINE_OPEN only, which nothing but a verified Finished leads to.
 *
 * The machine pauses where somebody else must act, and goes on when it is told the answer:
 *   MACHINE_SIGN     machine_question, by the key of facts.credential   machine_signed
 *   MACHINE_DECRYPT  likewise: a premaster secret is opened             machine_decrypted
 *   MACHINE_JUDGE    is hs->peer_chain accepted?                        machine_judged
 * or by machine_refused, where there is no answer.
 *
 * Memory: struct handshake lives only while a handshake does; afterwards a connection has its
 * traffic secrets, its facts and, while bytes flow, buffers and expanded keys.
 */
#pragma once

#include "base/arena.h"
#include "crypto/key_share.h"
#include "tls/key_schedule.h"
#include "tls/message.h"
#include "tls/policy_parts.h"
#include "tls/prf.h"
#include "tls/record.h"
#include "tls/signature_scheme.h"
#include "tls/signing.h"
#include "tls/tlsconn.h"

/* A handshake message: as much as the syntax of ClientHello allows, so that none of these is too
 * long (RFC 8446 §4.1.2: version, random, session, suites, compression, extensions). Ten
 * certificates of 64 KiB do not fit, ten ordinary ones do many times. */
#define MACHINE_MESSAGE_MAX       (2 + 32 + (1 + 32) + (2 + 65534) + (1 + 255) + (2 + 65535))
#define MACHINE_KEY_UPDATES_MAX   100
#define MACHINE_EMPTY_RECORDS_MAX 32 /* in a row, without content */
#define MACHINE_WARNINGS_MAX      4  /* in a row */
/* Of early data that we refused and skip (RFC 8446 §4.2.10): none of our tickets allows any. */
#define MACHINE_EARLY_DATA_MAX 16384
/* Of wire_out, left by machine_write for an alert and a KeyUpdate. */
#define MACHINE_RESERVE 512

enum machine_event {
    MACHINE_WANT_INPUT, /* nothing more can be done with what has come */
    MACHINE_SIGN,
    MACHINE_DECRYPT,
    MACHINE_JUDGE,
    MACHINE_COMPLETE, /* the handshake is over: told once */
    MACHINE_DATA,     /* machine_opened has application data */
    MACHINE_CLOSED,   /* close_notify was read */
    MACHINE_FAILED
};

/* States of both roles and versions. The tables say what may come in each. */
enum machine_state {
    MACHINE_START,                     /* server: no ClientHello yet; client: none sent */
    MACHINE_WAIT_SERVER_HELLO,         /* client; after HelloRetryRequest, too (hs->has_retried) */
    MACHINE_WAIT_SECOND_HELLO,         /* server, after HelloRetryRequest */
    MACHINE_WAIT_ENCRYPTED_EXTENSIONS, /* client 1.3 */
    MACHINE_WAIT_CERTIFICATE_REQUEST,  /* client 1.3: or Certificate; 1.2: or ServerHelloDone */
    MACHINE_WAIT_CERTIFICATE,
    MACHINE_WAIT_CERTIFICATE_STATUS,  /* client 1.2: or what follows it */
    MACHINE_WAIT_SERVER_KEY_EXCHANGE, /* client 1.2 */
    MACHINE_WAIT_SERVER_HELLO_DONE,   /* client 1.2 */
    MACHINE_WAIT_CLIENT_KEY_EXCHANGE, /* server 1.2 */
    MACHINE_WAIT_CERTIFICATE_VERIFY,
    MACHINE_WAIT_NEW_SESSION_TICKET, /* client 1.2 */
    MACHINE_WAIT_CHANGE_CIPHER_SPEC, /* 1.2, both; machine_receive.c goes on to WAIT_FINISHED */
    MACHINE_WAIT_FINISHED,
    MACHINE_PAUSED, /* for SIGN, DECRYPT or JUDGE; hs->resume says what follows */
    MACHINE_OPEN,
    MACHINE_PEER_CLOSED, /* their close_notify was read; we may write */
    MACHINE_DEAD,        /* any violation; the alert is out */
    MACHINE_STATE_COUNT
};

struct machine;
typedef int machine_fn(struct machine *m); /* 0, or -1 after machine_fail */
/* Reads MESSAGE, whole with its header, whose body is BODY; both live during the call. It goes into
 * the transcript when the reader has returned 0, unless the reader put it there
 * (machine_transcript_add). */
typedef int machine_read_fn(struct machine *m, struct bytes message, struct bytes body);

/* A row: in STATE a message of TYPE is read by READ. */
struct machine_row {
    enum machine_state state;
    uint8_t type; /* enum message_type */
    machine_read_fn *read;
};
/* What distinguishes server and client. Tables end with a row whose READ is NULL. */
struct machine_role {
    bool is_server;
    machine_fn *start;              /* client: sends the first ClientHello; server: NULL */
    const struct machine_row *rows; /* whatever the version */
    const struct machine_row *rows13, *rows12;
};
extern const struct machine_role machine_server, machine_client;

/* What engine_native.c has made of a policy beforehand. */
struct engine_native_policy {
    struct bytes authorities; /* for CertificateRequest: DistinguishedNames, each preceded by its
                                 length; empty: none are sent. Owned. */
};

/* What is to be signed, with hs->scheme: its parts (tls/signing.h). */
struct machine_signing {
    enum signing_kind kind;
    struct buf content;
};

/* What lives as long as a handshake. */
struct handshake {
    struct arena arena;     /* copies of what later messages need */
    struct buf flight;      /* messages of ours that are not in a record yet */
    struct wire_mark begun; /* of the message in FLIGHT that is being written */
    size_t begun_at;
    struct hash transcript; /* from when the suite is known */
    bool has_transcript, is_added;
    /* All messages so far: until the suite is known, and in TLS 1.2 until none can come any more
     * that signs them (machine_transcript_forget). */
    struct buf messages;
    bool keeps_messages;
    machine_fn *resume, *judged; /* after a pause */
    struct machine_signing sign;
    uint8_t premaster[48]; /* the answers to the pauses */
    struct bytes signature;
    uint8_t verdict;

    uint8_t client_random[32], server_random[32];
    struct bytes session_id;     /* the client's legacy_session_id, to be echoed */
    struct key_share *shares[2]; /* client: those offered; server: [0] */
    uint16_t group;
    struct bytes peer_share;      /* server 1.3: the client's of that group; empty: not yet */
    struct key_schedule schedule; /* 1.3 */
    struct secret client_secret, server_secret;              /* 1.3: handshake traffic secrets */
    struct handshake_traffic client_traffic, server_traffic; /* … and what they are for */
    uint8_t master[MASTER_SECRET_SIZE];                      /* 1.2 */
    struct hmac_key master_key; /* 1.2: its pads hashed, if has_master_key */
    bool has_master_key;
    struct prf_keys keys; /* 1.2: of the master secret, if has_keys */
    bool has_keys;
    bool has_extended_master_secret, is_renegotiation_safe, has_retried, has_ccs_sent;
    bool has_early_ccs;     /* client: one came before ServerHello, which may yet say TLS 1.2 */
    size_t early_data_left; /* server: octets of refused early data that may still be skipped */
    struct bytes alpn;      /* server: what was chosen */
    uint16_t record_limit;  /* what the peer takes (RFC 8449); 0: did not say */

    struct client_hello *hello;            /* server: in ARENA, as are the octets it points to */
    struct bytes hello_message;            /* … with its header */
    size_t hello_added_n;                  /* … so many octets of which are in the transcript */
    uint8_t hello_digest[SHA256_SIZE];     /* server: what HelloRetryRequest must not change */
    const struct certificate_set *set;     /* server: which certificates may be shown */
    const struct credential *credential;   /* server: the one that will be */
    const struct signature_scheme *scheme; /* what we sign with */
    struct bytes peer_schemes;             /* of signature_algorithms or CertificateRequest */
    struct bytes encrypted_premaster;      /* MACHINE_DECRYPT */
    struct certificate_list peer_chain;    /* MACHINE_JUDGE */
    bool asked_peer; /* server: we sent CertificateRequest; client: we got one */
    bool wants_staple, wants_ticket, has_psk_dhe;
    uint32_t age_add;                     /* server 1.3: of the ticket that will be issued */
    unsigned asked;                       /* client: set of EXTENSION_BIT that we sent */
    struct bytes cookie;                  /* client: of HelloRetryRequest */
    struct bytes staple;                  /* client: the OCSP response that came with the chain */
    struct session *offered;              /* client: a copy of what the server may resume */
    struct new_session_ticket new_ticket; /* client 1.2: counts when Finished is verified */
    struct secret binder_key;
    struct ticket_content *ticket; /* server: of the ticket that was accepted, or NULL */
    bool is_ticket_old;
    uint16_t psk_index;
    bool is_resuming;
};

struct machine {
    const struct tlsconn_engine *engine; /* first: tlsconn.c dispatches by it */
    const struct machine_role *role;
    const struct tlspolicy *policy; /* server: the initial one until ClientHello is read */
    const struct tlsconn_handler *handler;
    void *owner;
    enum machine_state state;
    enum machine_event event; /* PAUSED: for what */
    bool has_answer, has_shut_down, has_received, is_completion_told;
    bool must_update_keys; /* the peer asked for a KeyUpdate of ours */
    const struct suite *suite;
    uint16_t version; /* 0 until it is negotiated */
    struct record_layer receive, send;
    struct secret receive_secret, send_secret; /* 1.3: application traffic, for KeyUpdate */
    struct secret resumption;                  /* 1.3 client: resumption_master_secret */
    unsigned key_updates, empty_records, warnings, sessions_n;
    int64_t now_s;           /* of the call in progress */
    int64_t authenticated_s; /* of the full handshake that this one goes back to */
    struct handshake *hs;    /* NULL when the handshake is over */
    struct buf wire_in, wire_out;
    struct buf in;    /* handshake bytes that no reader has had yet */
    size_t reading_n; /* the message at its front that a reader has now */
    /* Application data in the record at the front of wire_in, which is consumed with the last of
     * it: offsets, because wire_in may move. */
    size_t opened_at, opened_n, opened_used;
    struct tlsconn_facts facts;
    struct tlsconn_failure failure;
    struct certificate_list shown; /* client that keeps sessions: what the server showed */
};

/* ---- what engine_native.c calls ---- */
struct machine *machine_new(const struct tlspolicy *p, const struct machine_role *role,
    const struct tlsconn_handler *h, void *owner) MUST_USE;
void machine_free(struct machine **m); /* wipes */
enum machine_event machine_run(struct machine *m, int64_t now_s);
/* While it waits for SIGN or DECRYPT. The content is the machine's, until the answer. */
struct signing_request machine_question(const struct machine *m);
void machine_signed(struct machine *m, struct bytes signature);
void machine_decrypted(struct machine *m, const uint8_t premaster[48]);
void machine_judged(struct machine *m, uint8_t alert); /* 0 accepts */
/* There is no answer to SIGN or DECRYPT, for the reason WHY: the handshake fails. */
void machine_refused(struct machine *m, const char *why);
/* Application data that was received, and N octets of it taken. */
struct bytes machine_opened(const struct machine *m);
void machine_take(struct machine *m, size_t n);
/* How much machine_write takes now; 0 while there is a handshake, and after machine_close. */
size_t machine_write_room(const struct machine *m);
/* Seal DATA into wire_out; how much of it was taken. */
size_t machine_write(struct machine *m, struct bytes data);
/* close_notify, once. */
void machine_close(struct machine *m);
/* Nothing flows: empty buffers and expanded keys are let go. */
void machine_rest(struct machine *m);
