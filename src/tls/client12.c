/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's client in TLS 1.2 (RFC 5246 §7.3):
 *
 *   ServerHello, Certificate, [CertificateStatus], (judge), [ServerKeyExchange],
 *   [CertificateRequest], ServerHelloDone
 *     ─▶ [Certificate], ClientKeyExchange, [(sign) CertificateVerify], ChangeCipherSpec, Finished
 *     ─▶ [NewSessionTicket], ChangeCipherSpec, Finished: open
 *
 * or, if the server takes up the session that we offered:
 *
 *   ServerHello, [NewSessionTicket], ChangeCipherSpec, Finished
 *     ─▶ ChangeCipherSpec, Finished: open
 *
 * A server that announces a CertificateStatus is judged when that is there, and at the latest at
 * ServerHelloDone (RFC 6066 §8 lets it think better of it): before anything of ours is sent.
 */
#include "base/memory.h"
#include "crypto/digest.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

#define PREMASTER_SIZE 48

/* ---- ServerHello ---- */

/* RFC 5746 §3.4: a server that does not know it could be made to take our handshake for the
 * continuation of somebody else's. */
static int check_renegotiation_info(struct machine *m, const struct extensions *e)
{
    struct bytes body = e->at[EXTENSION_RENEGOTIATION_INFO];
    if (!body.at)
        return machine_violation(
            m, ALERT_HANDSHAKE_FAILURE, "unsafe legacy renegotiation disabled");
    if (!bytes_equal(body, BYTES("\0")))
        return machine_violation(m, ALERT_HANDSHAKE_FAILURE, "renegotiation mismatch");
    return 0;
}

/* Those whose presence says it all. */
static int check_empty(struct machine *m, const struct extensions *e)
{
    static const enum extension flags[] = {
        EXTENSION_EXTENDED_MASTER_SECRET, EXTENSION_SESSION_TICKET, EXTENSION_STATUS_REQUEST};
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (e->at[flags[i]].n)
            return machine_fail(m, ALERT_DECODE_ERROR, TLSCONN_FAULT_PROTOCOL, "malformed %s",
                extension_name(flags[i]));
    return 0;
}

/* RFC 8422 §5.2: if it is there, uncompressed is among them. */
static int check_point_formats(struct machine *m, const struct extensions *e)
{
    struct bytes body = e->at[EXTENSION_EC_POINT_FORMATS], formats;
    if (!body.at)
        return 0;
    if (!extension_read_list_8(body, &formats))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed ec_point_formats");
    if (bytes_find(formats, 0) == formats.n)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "no uncompressed points");
    return 0;
}

static int read_extensions(struct machine *m, struct bytes block)
{
    struct handshake *hs = m->hs;
    struct extensions e;
    uint8_t alert = ALERT_DECODE_ERROR;
    if (!extensions_read(block, IN_SERVER_HELLO_12, hs->asked, &e, &alert))
        return machine_violation(m, alert, "bad extension");
    if (check_renegotiation_info(m, &e) < 0 || check_empty(m, &e) < 0 ||
        check_point_formats(m, &e) < 0 || client_read_answers(m, &e) < 0)
        return -1;
    hs->has_extended_master_secret = e.present & EXTENSION_BIT(EXTENSION_EXTENDED_MASTER_SECRET);
    hs->wants_ticket = e.present & EXTENSION_BIT(EXTENSION_SESSION_TICKET);
    hs->wants_staple = e.present & EXTENSION_BIT(EXTENSION_STATUS_REQUEST);
    return 0;
}

static int resume(struct machine *m)
{
    struct handshake *hs = m->hs;
    /* RFC 5246 §7.4.1.3: "For resumed sessions, this field is the value from the state of the
     * session being resumed." */
    if (m->suite != hs->offered->suite)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "old session cipher not returned");
    /* RFC 7627 §5.3: the session had it: all of ours do. */
    if (!hs->has_extended_master_secret)
        return machine_violation(m, ALERT_HANDSHAKE_FAILURE, "inconsistent extms");
    /* RFC 6066 §8 does not say what an announced status means where there is no Certificate; there
     * are servers that announce one as they would in a full handshake. None is sent. */
    client_settle_session(m, true);
    memcpy(hs->master, hs->offered->master, sizeof(hs->master));
    machine_transcript_forget(m);
    machine_goto(
        m, hs->wants_ticket ? MACHINE_WAIT_NEW_SESSION_TICKET : MACHINE_WAIT_CHANGE_CIPHER_SPEC);
    return 0;
}

int client12_continue(struct machine *m, const struct server_hello *hello)
{
    struct handshake *hs = m->hs;
    bool is_ours = hello->session_id.n && bytes_equal(hello->session_id, hs->session_id);
    /* RFC 5246 §7.1: it comes after the key exchange; only TLS 1.3 has it dropped anywhere. */
    if (hs->has_early_ccs)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "ccs received early");
    if (read_extensions(m, hello->block) < 0)
        return -1;
    if (is_ours && hs->offered && hs->offered->version == TLS_1_2)
        return resume(m);
    /* RFC 8446 D.4: it stood for nothing that could be resumed. */
    if (is_ours)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "invalid session id");
    client_settle_session(m, false);
    hs->session_id = arena_copy(&hs->arena, hello->session_id);
    machine_goto(m, MACHINE_WAIT_CERTIFICATE);
    return 0;
}

/* ---- the server's first flight ---- */

/* RFC 8422 §2, RFC 5246 §7.4.2: the suite says what kind of key signs, or decrypts, for which one
 * of RSASSA-PSS is not (RFC 4055 §1.2). */
static int check_key(struct machine *m)
{
    enum key_kind kind = certificate_facts(m->hs->peer_chain.at[0])->key_kind;
    bool suits = m->suite->is_rsa_kx
                     ? kind == KEY_RSA
                     : public_key_kind_is_rsa(kind) == (m->suite->key == SUITE_KEY_RSA);
    if (!suits)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "wrong certificate type");
    return 0;
}

static int accepted(struct machine *m)
{
    client_note_shown(m);
    if (check_key(m) < 0)
        return -1;
    machine_goto(m,
        m->suite->is_rsa_kx ? MACHINE_WAIT_CERTIFICATE_REQUEST : MACHINE_WAIT_SERVER_KEY_EXCHANGE);
    return 0;
}

static int read_certificate(struct machine *m, struct bytes message, struct bytes body)
{
    if (peer_read_certificate(m, body) < 0)
        return -1;
    if (!m->hs->wants_staple)
        return peer_judge(m, accepted);
    machine_goto(m, MACHINE_WAIT_CERTIFICATE_STATUS);
    return 0;
}

static int read_certificate_status(struct machine *m, struct bytes message, struct bytes body)
{
    struct handshake *hs = m->hs;
    struct bytes response;
    if (!certificate_status_read(body, &response))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed CertificateStatus");
    hs->staple = arena_copy(&hs->arena, response);
    hs->wants_staple = false;
    return peer_judge(m, accepted);
}

/* Where CertificateStatus may be left out, what follows does not depend on the state alone. */
static int check_turn(struct machine *m, bool is_key_exchange)
{
    if (m->state == MACHINE_WAIT_CERTIFICATE_STATUS && is_key_exchange == m->suite->is_rsa_kx)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "unexpected message");
    return 0;
}

/* RFC 8422 §5.4: the signature covers both randoms and the parameters. */
static int check_signature(struct machine *m, const struct server_key_exchange *exchange)
{
    const struct handshake *hs = m->hs;
    struct buf content;
    buf_init(&content, 2 * 32 + exchange->parameters.n);
    struct wire_writer w = {.out = &content};
    wire_put(&w, (struct bytes){hs->client_random, sizeof(hs->client_random)});
    wire_put(&w, (struct bytes){hs->server_random, sizeof(hs->server_random)});
    wire_put(&w, exchange->parameters);
    int result = peer_check_signature(m, &exchange->signature, buf_bytes(&content));
    buf_fini(&content);
    return result;
}

static int read_key_exchange(struct machine *m, struct bytes message, struct bytes body)
{
    struct handshake *hs = m->hs;
    struct server_key_exchange exchange;
    if (check_turn(m, true) < 0 || check_key(m) < 0)
        return -1;
    if (!server_key_exchange_read(body, &exchange))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed ServerKeyExchange");
    if (!wire_contains_16(m->policy->groups, exchange.group))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "wrong curve");
    if (check_signature(m, &exchange) < 0)
        return -1;
    hs->group = exchange.group;
    hs->peer_share = arena_copy(&hs->arena, exchange.key);
    machine_note_group(m);
    machine_goto(m, MACHINE_WAIT_CERTIFICATE_REQUEST);
    return 0;
}

static int read_certificate_request(struct machine *m, struct bytes message, struct bytes body)
{
    struct handshake *hs = m->hs;
    struct certificate_request request;
    uint8_t alert;
    if (check_turn(m, false) < 0)
        return -1;
    if (!certificate_request_read(body, false, &request, &alert))
        return machine_violation(m, alert, "malformed CertificateRequest");
    hs->peer_schemes = arena_copy(&hs->arena, request.schemes);
    client_choose_certificate(m, request.types);
    machine_goto(m, MACHINE_WAIT_SERVER_HELLO_DONE);
    return 0;
}

/* ---- our flight ---- */

static int send_finished(struct machine *m)
{
    bool waits_for_ticket = m->hs->wants_ticket && !m->hs->is_resuming;
    machine_transcript_forget(m);
    if (machine_send_change_cipher_spec(m) < 0 || machine_send_finished(m) < 0)
        return -1;
    if (!m->hs->is_resuming)
        machine_goto(m,
            waits_for_ticket ? MACHINE_WAIT_NEW_SESSION_TICKET : MACHINE_WAIT_CHANGE_CIPHER_SPEC);
    return 0;
}

static int send_verify(struct machine *m)
{
    return client_send_verify(m) < 0 ? -1 : send_finished(m);
}

/* RFC 5246 §7.4.8: CertificateVerify signs all messages so far. */
static int authenticate(struct machine *m)
{
    struct handshake *hs = m->hs;
    if (!hs->credential)
        return send_finished(m);
    struct wire_writer w = {.out = &hs->sign.content};
    wire_put(&w, buf_bytes(&hs->messages));
    return machine_sign(m, SIGNING_CLIENT_12, send_verify);
}

/* RFC 5246 §7.4.7.1: the version that ClientHello had, and 46 random octets. */
static int send_encrypted_premaster(struct machine *m, uint8_t premaster[PREMASTER_SIZE])
{
    uint8_t encrypted[PUBLIC_KEY_RSA_BITS_MAX / 8];
    const struct public_key *key = certificate_public_key(m->hs->peer_chain.at[0]);
    random_fill(premaster, PREMASTER_SIZE);
    premaster[0] = TLS_1_2 >> 8;
    premaster[1] = TLS_1_2 & 0xff;
    size_t n =
        key ? public_key_encrypt(key, (struct bytes){premaster, PREMASTER_SIZE}, encrypted) : 0;
    if (!n)
        return machine_fail(m, ALERT_UNSUPPORTED_CERTIFICATE, TLSCONN_FAULT_PEER_CERTIFICATE,
            "the peer's certificate has a key that cannot be used");
    struct wire_writer w = machine_begin(m, MESSAGE_CLIENT_KEY_EXCHANGE);
    struct wire_mark mark = wire_begin(&w, 2);
    wire_put(&w, (struct bytes){encrypted, n});
    wire_end(&w, mark);
    return machine_send(m, &w);
}

/* RFC 8422 §5.7. The share of ClientHello is as good as another, if the group is that. */
static int send_share(struct machine *m, uint8_t premaster[KEY_SHARE_SECRET_MAX], size_t *n)
{
    struct handshake *hs = m->hs;
    struct key_share **share = &hs->shares[0];
    if (*share && key_share_group(*share) != hs->group)
        key_share_free(share);
    if (!*share)
        *share = key_share_new(hs->group);
    if (!key_share_derive(*share, hs->peer_share, premaster, n))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad key share");
    struct wire_writer w = machine_begin(m, MESSAGE_CLIENT_KEY_EXCHANGE);
    struct wire_mark mark = wire_begin(&w, 1);
    wire_put(&w, key_share_public(*share));
    wire_end(&w, mark);
    return machine_send(m, &w);
}

_Static_assert(PREMASTER_SIZE <= KEY_SHARE_SECRET_MAX, "either premaster secret fits");

static int answer(struct machine *m)
{
    uint8_t premaster[KEY_SHARE_SECRET_MAX];
    size_t n = PREMASTER_SIZE;
    if (m->hs->asked_peer && client_send_certificate(m) < 0)
        return -1;
    int result =
        m->suite->is_rsa_kx ? send_encrypted_premaster(m, premaster) : send_share(m, premaster, &n);
    if (result == 0)
        machine_make_master(m, (struct bytes){premaster, n});
    mem_wipe(premaster, sizeof(premaster));
    return result < 0 ? -1 : authenticate(m);
}

static int accepted_at_last(struct machine *m)
{
    client_note_shown(m);
    return check_key(m) < 0 ? -1 : answer(m);
}

static int read_hello_done(struct machine *m, struct bytes message, struct bytes body)
{
    if (check_turn(m, false) < 0)
        return -1;
    if (body.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    machine_transcript_add(m, message);
    return m->hs->wants_staple ? peer_judge(m, accepted_at_last) : answer(m);
}

/* ---- the end of either handshake ---- */

/* RFC 5077 §3.3. */
static int read_ticket(struct machine *m, struct bytes message, struct bytes body)
{
    struct handshake *hs = m->hs;
    uint8_t alert;
    if (!new_session_ticket_read(body, false, &hs->new_ticket, &alert))
        return machine_violation(m, alert, "malformed NewSessionTicket");
    hs->new_ticket.ticket = arena_copy(&hs->arena, hs->new_ticket.ticket);
    machine_goto(m, MACHINE_WAIT_CHANGE_CIPHER_SPEC);
    return 0;
}

/* What a full handshake lets us resume, or a ticket that was renewed. */
static struct session *take_session(struct machine *m)
{
    const struct new_session_ticket *t = &m->hs->new_ticket;
    if (m->hs->is_resuming && !t->ticket.n)
        return NULL;
    return session_new_12(m, t->lifetime_s, t->ticket);
}

static int read_finished(struct machine *m, struct bytes message, struct bytes body)
{
    if (machine_check_finished(m, body) < 0)
        return -1;
    machine_transcript_add(m, message);
    if (m->hs->is_resuming && send_finished(m) < 0)
        return -1;
    struct session *s = take_session(m);
    int result = machine_complete(m);
    if (result == 0)
        session_give(m, s);
    else if (s)
        session_free(&s->common);
    return result;
}

/* ---- afterwards ---- */

/* RFC 5246 §7.4.1.1: "The client may also, if it wishes, respond with a no_renegotiation alert." */
static int decline_renegotiation(struct machine *m, struct bytes message, struct bytes body)
{
    if (body.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    return machine_decline_renegotiation(m, "too many HelloRequest messages");
}

const struct machine_row client12_rows[] = {
    {MACHINE_WAIT_CERTIFICATE, MESSAGE_CERTIFICATE, read_certificate},
    {MACHINE_WAIT_CERTIFICATE_STATUS, MESSAGE_CERTIFICATE_STATUS, read_certificate_status},
    {MACHINE_WAIT_CERTIFICATE_STATUS, MESSAGE_SERVER_KEY_EXCHANGE, read_key_exchange},
    {MACHINE_WAIT_CERTIFICATE_STATUS, MESSAGE_CERTIFICATE_REQUEST, read_certificate_request},
    {MACHINE_WAIT_CERTIFICATE_STATUS, MESSAGE_SERVER_HELLO_DONE, read_hello_done},
    {MACHINE_WAIT_SERVER_KEY_EXCHANGE, MESSAGE_SERVER_KEY_EXCHANGE, read_key_exchange},
    {MACHINE_WAIT_CERTIFICATE_REQUEST, MESSAGE_CERTIFICATE_REQUEST, read_certificate_request},
    {MACHINE_WAIT_CERTIFICATE_REQUEST, MESSAGE_SERVER_HELLO_DONE, read_hello_done},
    {MACHINE_WAIT_SERVER_HELLO_DONE, MESSAGE_SERVER_HELLO_DONE, read_hello_done},
    {MACHINE_WAIT_NEW_SESSION_TICKET, MESSAGE_NEW_SESSION_TICKET, read_ticket},
    {MACHINE_WAIT_FINISHED, MESSAGE_FINISHED, read_finished},
    {MACHINE_OPEN, MESSAGE_HELLO_REQUEST, decline_renegotiation},
    {MACHINE_STATE_COUNT, 0, NULL},
};
