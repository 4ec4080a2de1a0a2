/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_parts — the functions by which the files of the machine (tls/machine.h) use each other.
 *
 * Those that return int return 0, or -1 after machine_fail: the caller just returns -1, too.
 */
#pragma once

#include "tls/machine.h"

/* ---- machine.c ---- */

/* Fail with ALERT: the first word counts; the alert is put into wire_out, nothing is read or
 * written any more. Returns -1. */
int machine_fail(struct machine *m, uint8_t alert, enum tlsconn_fault fault, const char *format,
    ...) PRINTF(4, 5);
/* The usual one: TLSCONN_FAULT_PROTOCOL. */
int machine_violation(struct machine *m, uint8_t alert, const char *text);
/* The peer has ended the connection by ALERT, so we send none. */
int machine_ended(struct machine *m, uint8_t alert, const char *text);
/* The only function that writes m->state. */
void machine_goto(struct machine *m, enum machine_state next);
/* Pause for EVENT; FN goes on after the answer, and leaves MACHINE_PAUSED. */
int machine_pause(struct machine *m, enum machine_event event, machine_fn *fn);
/* Both Finished are verified: frees the handshake. The last thing that a reader does. */
int machine_complete(struct machine *m);

/* ---- machine_receive.c ---- */

/* Take one record off wire_in. 1: there was one; 0: more must come. */
int machine_receive(struct machine *m);

/* ---- machine_send.c ---- */

/* Begin a message of the flight; machine_send ends it: header's length, transcript,
 * handler->message. */
struct wire_writer machine_begin(struct machine *m, enum message_type type);
int machine_send(struct machine *m, struct wire_writer *w);
/* The flight so far into records. Done before every change of keys, and when the machine stops. */
int machine_flush(struct machine *m);
/* TLS 1.2: and what follows is protected. TLS 1.3: for middleboxes (RFC 8446 D.4), once. */
int machine_send_change_cipher_spec(struct machine *m);
#define ALERT_LEVEL_WARNING 1
#define ALERT_LEVEL_FATAL   2
void machine_put_alert(struct machine *m, uint8_t level, uint8_t alert);
/* TLS 1.2, after the handshake: the warning that there is no other; with more of them in a row than
 * of other warnings, a violation, which TOO_MANY describes. */
int machine_decline_renegotiation(struct machine *m, const char *too_many);
/* A message went through: the owner is told. */
void machine_tell(
    struct machine *m, enum tlsconn_message_direction direction, struct bytes message);

/* ---- machine_secure.c ---- */

/* The suite, hence the hash, is known: what was kept so far goes into the running transcript. */
void machine_transcript_start(struct machine *m);
void machine_transcript_append(struct machine *m, struct bytes message);
/* For a reader that needs the message that it reads to be there already. */
void machine_transcript_add(struct machine *m, struct bytes message);
/* After a HelloRetryRequest ClientHello is but a digest (RFC 8446 §4.4.1). Before
 * HelloRetryRequest itself is added. */
void machine_transcript_retry(struct machine *m);
/* TLS 1.2: nothing will come that signs the messages so far. */
void machine_transcript_forget(struct machine *m);
struct bytes machine_transcript_hash(const struct machine *m, uint8_t out[HASH_SIZE_MAX]);
/* unexpected_message if bytes of a further message wait: the peer cannot know yet what to send. */
int machine_check_boundary(struct machine *m);
/* Suite and version are decided: into the facts. */
void machine_note_suite(struct machine *m);
/* The group, too. */
void machine_note_group(struct machine *m);
/* New keys in one direction. Receiving: on a boundary only (RFC 8446 §5.1). Sending: the flight is
 * flushed before. */
int machine_receive_with(struct machine *m, const struct record_keys *keys);
int machine_send_with(struct machine *m, const struct record_keys *keys);
/* What the peer takes (hs->record_limit) holds for the records that we send now, too. */
void machine_limit_records(struct machine *m);
/* … those of a traffic secret (RFC 8446 §7.3). */
int machine_receive_secret(struct machine *m, const struct secret *traffic);
int machine_send_secret(struct machine *m, const struct secret *traffic);
/* … those of TLS 1.2's master secret. */
int machine_receive_master(struct machine *m);
int machine_send_master(struct machine *m);
/* hs->master from PREMASTER, when ClientKeyExchange is in the transcript. */
void machine_make_master(struct machine *m, struct bytes premaster);
/* After the (EC)DHE secret was mixed into the schedule: the handshake traffic secrets, in both
 * directions (RFC 8446 §7.1). Neither is in use yet. */
void machine_handshake_secrets(struct machine *m);
/* After the server's Finished: the application traffic secrets, into receive_secret and
 * send_secret. Neither is in use yet. */
void machine_application_secrets(struct machine *m);
/* The scheme that C can sign with for a peer that takes hs->peer_schemes; NULL: none. */
const struct signature_scheme *machine_choose_scheme(
    const struct machine *m, const struct credential *c);
/* hs->sign.content is there: pause for the signature of it, as KIND, with hs->scheme by
 * facts.credential. */
int machine_sign(struct machine *m, enum signing_kind kind, machine_fn *fn);
/* Scheme and signature, as in CertificateVerify and ServerKeyExchange; -1 if there is none. */
int machine_put_signature(struct machine *m, struct wire_writer *w);
/* TLS 1.3: hs->client_secret and server_secret; TLS 1.2: hs->master and the labels. */
int machine_send_finished(struct machine *m);
int machine_check_finished(struct machine *m, struct bytes body);

/* ---- server.c, client.c ---- */

/* server.c hands over when version and suite are chosen; client.c likewise after ServerHello. */
int server13_continue(struct machine *m, const struct client_hello *hello);
int server12_continue(struct machine *m, const struct client_hello *hello);
int client13_continue(struct machine *m, const struct server_hello *hello);
int client12_continue(struct machine *m, const struct server_hello *hello);

/* ---- peer.c ---- */

/* Read the Certificate message of the peer into hs->peer_chain. */
int peer_read_certificate(struct machine *m, struct bytes body);
/* Have it judged; FN goes on if it is accepted. */
int peer_judge(struct machine *m, machine_fn *fn);
/* Verify CertificateVerify (1.3: over the transcript with its context string; 1.2: over all
 * messages). */
int peer_verify(struct machine *m, struct bytes body);
/* Is D a signature of CONTENT by the peer's certificate, with a scheme that we offered and that
 * fits it? CertificateVerify, ServerKeyExchange. */
int peer_check_signature(struct machine *m, const struct digitally_signed *d, struct bytes content);
