/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's client in TLS 1.3 (RFC 8446 §2):
 *
 *   ServerHello, EncryptedExtensions, [[CertificateRequest], Certificate, (judge),
 *   CertificateVerify], Finished
 *     ─▶ [Certificate, [(sign) CertificateVerify]], Finished: open ─▶ NewSessionTicket …
 */
#include "base/memory.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

/* ---- ServerHello ---- */

/* RFC 8446 §4.2.8: for the group of our share; §9.2: psk_dhe_ke and (EC)DHE have one. */
static int read_share(struct machine *m, const struct extensions *e)
{
    struct handshake *hs = m->hs;
    struct bytes body = e->at[EXTENSION_KEY_SHARE];
    if (!body.at)
        return machine_violation(m, ALERT_MISSING_EXTENSION, "no key share");
    if (!extension_read_key_share(body, &hs->group, &hs->peer_share))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed key_share");
    if (hs->group != key_share_group(hs->shares[0]))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad key share");
    machine_note_group(m);
    return 0;
}

/* RFC 8446 §4.2.11: "Clients MUST verify that the server's selected_identity is within the range
 * supplied by the client, that the server selected a cipher suite indicating a Hash associated with
 * the PSK". */
static int read_psk(struct machine *m, const struct extensions *e)
{
    struct bytes body = e->at[EXTENSION_PRE_SHARED_KEY];
    uint16_t index;
    if (!body.at) {
        client_settle_session(m, false);
        return 0;
    }
    if (!extension_read_number(body, &index))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed pre_shared_key");
    if (index != 0 || m->hs->offered->psk.hash != m->suite->hash)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad psk identity");
    client_settle_session(m, true);
    return 0;
}

/* RFC 8446 §7.1: the PSK (or none), then the (EC)DHE secret. */
static int agree(struct machine *m)
{
    struct handshake *hs = m->hs;
    uint8_t shared[KEY_SHARE_SECRET_MAX];
    size_t n;
    struct bytes psk = {0};
    if (!key_share_derive(hs->shares[0], hs->peer_share, shared, &n))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad key share");
    if (hs->is_resuming)
        psk = (struct bytes){hs->offered->psk.at, hash_size(m->suite->hash)};
    key_schedule_start(&hs->schedule, m->suite->hash, psk);
    key_schedule_next(&hs->schedule, (struct bytes){shared, n});
    mem_wipe(shared, sizeof(shared));
    return 0;
}

int client13_continue(struct machine *m, const struct server_hello *hello)
{
    struct handshake *hs = m->hs;
    struct extensions e;
    uint8_t alert = ALERT_DECODE_ERROR;
    if (!extensions_read(hello->block, IN_SERVER_HELLO_13, hs->asked, &e, &alert))
        return machine_violation(m, alert, "bad extension");
    if (read_share(m, &e) < 0 || read_psk(m, &e) < 0 || agree(m) < 0)
        return -1;
    machine_handshake_secrets(m);
    if (machine_receive_with(m, &hs->server_traffic.keys) < 0)
        return -1;
    /* RFC 8446 D.4: before anything of ours that is protected, which an alert may be. */
    if (machine_send_change_cipher_spec(m) < 0 ||
        machine_send_with(m, &hs->client_traffic.keys) < 0)
        return -1;
    machine_goto(m, MACHINE_WAIT_ENCRYPTED_EXTENSIONS);
    return 0;
}

/* ---- the server's other messages ---- */

static int read_encrypted_extensions(struct machine *m, struct bytes message, struct bytes body)
{
    struct bytes block;
    struct extensions e;
    uint8_t alert = ALERT_DECODE_ERROR;
    if (!wire_take_vector_16(&body, &block) || body.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    if (!extensions_read(block, IN_ENCRYPTED_EXTENSIONS, m->hs->asked, &e, &alert))
        return machine_violation(m, alert, "bad extension");
    if (client_read_answers(m, &e) < 0)
        return -1;
    machine_goto(m, m->hs->is_resuming ? MACHINE_WAIT_FINISHED : MACHINE_WAIT_CERTIFICATE_REQUEST);
    return 0;
}

static int read_certificate_request(struct machine *m, struct bytes message, struct bytes body)
{
    struct handshake *hs = m->hs;
    struct certificate_request request;
    uint8_t alert;
    if (!certificate_request_read(body, true, &request, &alert))
        return machine_violation(m, alert, "malformed CertificateRequest");
    /* RFC 8446 §4.3.2: "This field SHALL be zero length unless used for the post-handshake
     * authentication", which we did not offer. */
    if (request.context.n)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "invalid context");
    hs->peer_schemes = arena_copy(&hs->arena, request.schemes);
    client_choose_certificate(m, (struct bytes){0});
    machine_goto(m, MACHINE_WAIT_CERTIFICATE);
    return 0;
}

static int accepted(struct machine *m)
{
    client_note_shown(m);
    machine_goto(m, MACHINE_WAIT_CERTIFICATE_VERIFY);
    return 0;
}

static int read_certificate(struct machine *m, struct bytes message, struct bytes body)
{
    return peer_read_certificate(m, body) < 0 ? -1 : peer_judge(m, accepted);
}

static int read_certificate_verify(struct machine *m, struct bytes message, struct bytes body)
{
    if (peer_verify(m, body) < 0)
        return -1;
    machine_goto(m, MACHINE_WAIT_FINISHED);
    return 0;
}

/* ---- our flight ---- */

static int send_finished(struct machine *m)
{
    uint8_t digest[HASH_SIZE_MAX];
    if (machine_send_finished(m) < 0)
        return -1;
    key_schedule_derive(
        &m->hs->schedule, "res master", machine_transcript_hash(m, digest), &m->resumption);
    if (machine_send_secret(m, &m->send_secret) < 0)
        return -1;
    return machine_complete(m);
}

static int send_verify(struct machine *m)
{
    return client_send_verify(m) < 0 ? -1 : send_finished(m);
}

static int send_certificate(struct machine *m)
{
    uint8_t digest[HASH_SIZE_MAX];
    struct handshake *hs = m->hs;
    if (client_send_certificate(m) < 0)
        return -1;
    if (!hs->credential)
        return send_finished(m);
    struct wire_writer w = {.out = &hs->sign.content};
    wire_put(&w, machine_transcript_hash(m, digest));
    return machine_sign(m, SIGNING_CLIENT_13, send_verify);
}

static int read_finished(struct machine *m, struct bytes message, struct bytes body)
{
    if (machine_check_finished(m, body) < 0)
        return -1;
    machine_transcript_add(m, message);
    machine_application_secrets(m);
    if (machine_receive_secret(m, &m->receive_secret) < 0)
        return -1;
    return m->hs->asked_peer ? send_certificate(m) : send_finished(m);
}

/* ---- afterwards ---- */

/* RFC 8446 §4.6.1: any number of them, at any time: the first ones are kept. */
static int read_ticket(struct machine *m, struct bytes message, struct bytes body)
{
    struct new_session_ticket ticket;
    uint8_t alert;
    if (!new_session_ticket_read(body, true, &ticket, &alert))
        return machine_violation(m, alert, "malformed NewSessionTicket");
    if (m->sessions_n == TLSCONN_SESSIONS_MAX)
        return 0;
    m->sessions_n++;
    session_give(m, session_new_13(m, &ticket));
    return 0;
}

const struct machine_row client13_rows[] = {
    {MACHINE_WAIT_ENCRYPTED_EXTENSIONS, MESSAGE_ENCRYPTED_EXTENSIONS, read_encrypted_extensions},
    {MACHINE_WAIT_CERTIFICATE_REQUEST, MESSAGE_CERTIFICATE_REQUEST, read_certificate_request},
    {MACHINE_WAIT_CERTIFICATE_REQUEST, MESSAGE_CERTIFICATE, read_certificate},
    {MACHINE_WAIT_CERTIFICATE, MESSAGE_CERTIFICATE, read_certificate},
    {MACHINE_WAIT_CERTIFICATE_VERIFY, MESSAGE_CERTIFICATE_VERIFY, read_certificate_verify},
    {MACHINE_WAIT_FINISHED, MESSAGE_FINISHED, read_finished},
    {MACHINE_OPEN, MESSAGE_NEW_SESSION_TICKET, read_ticket},
    {MACHINE_STATE_COUNT, 0, NULL},
};
