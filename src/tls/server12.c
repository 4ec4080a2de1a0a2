/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server in TLS 1.2 (RFC 5246 §7.3):
 *
 *   ClientHello ─▶ ServerHello, Certificate, [CertificateStatus], [(sign) ServerKeyExchange],
 *                  [CertificateRequest], ServerHelloDone
 *     ─▶ [Certificate, (judge)], ClientKeyExchange [(decrypt)], [CertificateVerify],
 *        ChangeCipherSpec, Finished
 *     ─▶ [NewSessionTicket], ChangeCipherSpec, Finished: open
 *
 * or, by a ticket (RFC 5077 §3.1), after its client was judged again:
 *
 *   ClientHello ─▶ ServerHello, [NewSessionTicket], ChangeCipherSpec, Finished
 *     ─▶ ChangeCipherSpec, Finished: open
 *
 * Sessions need the extended master secret (RFC 7627): without it a session's master secret does
 * not name its handshake, and no ticket is issued.
 */
#include "base/memory.h"
#include "crypto/digest.h"
#include "tls/server.h"
#include "tls/ticket.h"

#include "base/ban.h"

#define CURVE_TYPE_NAMED 3 /* RFC 8422 §5.4 */
#define STATUS_TYPE_OCSP 1 /* RFC 6066 §8 */
#define EXTENSIONS_MAX   1024

/* ClientCertificateType: rsa_sign, ecdsa_sign (RFC 5246 §7.4.4; Ed25519 comes under it: RFC 8422
 * §5.5). */
static const uint8_t certificate_types[] = {1, 64};

/* ---- suite ---- */

static struct suite_list offered_suites(const struct machine *m)
{
    return suite_list_sorted(tlspolicy_suites(m->policy, TLS_1_2), m->hs->hello->suites);
}

/* RFC 8422 §4: a client that does not say what it knows may be sent any; P-256 is what clients knew
 * before the extension was usual. */
static int choose_group(struct machine *m)
{
    static const uint8_t usual[] = {0, GROUP_SECP256R1};
    struct bytes groups = {usual, sizeof(usual)};
    m->hs->group = server_choose_group(m, groups);
    if (!server_was_sent(m, EXTENSION_SUPPORTED_GROUPS))
        return 0;
    if (server_read_groups(m, &groups) < 0)
        return -1;
    m->hs->group = server_choose_group(m, groups);
    return 0;
}

static bool is_possible(struct machine *m, const struct suite *s)
{
    struct handshake *hs = m->hs;
    if (!s->is_rsa_kx)
        return hs->group && server_choose_certificate(m, s->key);
    /* RFC 5246 §7.4.7.1: legacy_version is what the premaster secret is checked by. A client that
     * means TLS 1.2 by supported_versions alone has one that our keys open nothing for. */
    hs->credential = hs->set->by_kind[SET_RSA];
    return hs->credential && hs->hello->legacy_version >= TLS_1_2;
}

static int choose_suite(struct machine *m)
{
    struct suite_list list = offered_suites(m);
    if (choose_group(m) < 0)
        return -1;
    for (size_t i = 0; i < list.n; i++)
        if (is_possible(m, list.at[i])) {
            m->suite = list.at[i];
            return 0;
        }
    return machine_fail(m, ALERT_HANDSHAKE_FAILURE, TLSCONN_FAULT_NO_COMMON, "no shared cipher");
}

/* ---- ServerHello ---- */

static void put_empty_extension(struct wire_writer *w, enum extension e)
{
    wire_end(w, message_begin_extension(w, e));
}

static void put_each_extension(struct machine *m, struct wire_writer *w)
{
    const struct handshake *hs = m->hs;
    server_put_answers(m, w);
    if (hs->is_renegotiation_safe) {
        struct wire_mark mark = message_begin_extension(w, EXTENSION_RENEGOTIATION_INFO);
        wire_put_8(w, 0);
        wire_end(w, mark);
    }
    if (hs->has_extended_master_secret)
        put_empty_extension(w, EXTENSION_EXTENDED_MASTER_SECRET);
    if (hs->wants_ticket)
        put_empty_extension(w, EXTENSION_SESSION_TICKET);
    if (hs->wants_staple)
        put_empty_extension(w, EXTENSION_STATUS_REQUEST);
    if (server_was_sent(m, EXTENSION_EC_POINT_FORMATS) && !m->suite->is_rsa_kx) {
        struct wire_mark mark = message_begin_extension(w, EXTENSION_EC_POINT_FORMATS);
        wire_put_16(w, 0x0100); /* one: uncompressed */
        wire_end(w, mark);
    }
}

/* None, and no empty block either, for a client that sent none (RFC 5246 §7.4.1.3). */
static void put_extensions(struct machine *m, struct wire_writer *w)
{
    struct buf block;
    buf_init(&block, EXTENSIONS_MAX);
    struct wire_writer inner = {.out = &block};
    put_each_extension(m, &inner);
    if (buf_size(&block)) {
        struct wire_mark mark = wire_begin(w, 2);
        wire_put(w, buf_bytes(&block));
        wire_end(w, mark);
    }
    w->has_failed = w->has_failed || inner.has_failed;
    buf_fini(&block);
}

/* RFC 8446 §4.1.3: a server that could do better marks its random. */
static void make_random(struct machine *m)
{
    uint8_t *random = m->hs->server_random;
    random_fill(random, 32);
    if (m->policy->version_max > TLS_1_2)
        memcpy(random + 24, message_downgrade_mark, 8);
}

static int send_server_hello(struct machine *m)
{
    const struct handshake *hs = m->hs;
    if (server_choose_alpn(m) < 0)
        return -1;
    struct wire_writer w = machine_begin(m, MESSAGE_SERVER_HELLO);
    make_random(m);
    wire_put_16(&w, TLS_1_2);
    wire_put(&w, (struct bytes){hs->server_random, 32});
    /* RFC 5077 §3.4: the client's, if its ticket is taken. Otherwise none: a client must not think
     * that we kept the session. */
    struct wire_mark session_id = wire_begin(&w, 1);
    if (hs->is_resuming)
        wire_put(&w, hs->session_id);
    wire_end(&w, session_id);
    wire_put_16(&w, m->suite->id);
    wire_put_8(&w, 0);
    put_extensions(m, &w);
    machine_note_suite(m);
    return machine_send(m, &w);
}

/* ---- a full handshake: our first flight ---- */

static int send_certificate(struct machine *m)
{
    const struct credential *c = m->hs->credential;
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE);
    message_put_certificate(&w, false, (struct bytes){0}, &c->chain, (struct bytes){0});
    m->facts.credential = c;
    return machine_send(m, &w);
}

static int send_certificate_status(struct machine *m)
{
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE_STATUS);
    wire_put_8(&w, STATUS_TYPE_OCSP);
    struct wire_mark response = wire_begin(&w, 3);
    wire_put(&w, credential_staple(m->hs->credential, m->now_s));
    wire_end(&w, response);
    return machine_send(m, &w);
}

/* RFC 8422 §5.4: ServerECDHParams. */
static void put_parameters(const struct machine *m, struct wire_writer *w)
{
    wire_put_8(w, CURVE_TYPE_NAMED);
    wire_put_16(w, m->hs->group);
    struct wire_mark key = wire_begin(w, 1);
    wire_put(w, key_share_public(m->hs->shares[0]));
    wire_end(w, key);
}

static int send_certificate_request(struct machine *m)
{
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE_REQUEST);
    struct wire_mark vector = wire_begin(&w, 1);
    wire_put(&w, (struct bytes){certificate_types, sizeof(certificate_types)});
    wire_end(&w, vector);
    vector = wire_begin(&w, 2);
    wire_put(&w, m->policy->schemes);
    wire_end(&w, vector);
    vector = wire_begin(&w, 2);
    wire_put(&w, m->policy->native->authorities);
    wire_end(&w, vector);
    m->facts.peer_asked = true;
    return machine_send(m, &w);
}

static int send_hello_done(struct machine *m)
{
    bool asks = m->policy->peer != PEER_NOT_ASKED;
    if (asks && send_certificate_request(m) < 0)
        return -1;
    if (!asks)
        machine_transcript_forget(m);
    struct wire_writer w = machine_begin(m, MESSAGE_SERVER_HELLO_DONE);
    if (machine_send(m, &w) < 0)
        return -1;
    machine_goto(m, asks ? MACHINE_WAIT_CERTIFICATE : MACHINE_WAIT_CLIENT_KEY_EXCHANGE);
    return 0;
}

static int send_key_exchange(struct machine *m)
{
    struct wire_writer w = machine_begin(m, MESSAGE_SERVER_KEY_EXCHANGE);
    put_parameters(m, &w);
    if (machine_put_signature(m, &w) < 0 || machine_send(m, &w) < 0)
        return -1;
    return send_hello_done(m);
}

/* RFC 8422 §5.4: the signature covers both randoms and the parameters. */
static int sign_key_exchange(struct machine *m)
{
    struct handshake *hs = m->hs;
    struct wire_writer w = {.out = &hs->sign.content};
    hs->shares[0] = key_share_new(hs->group);
    wire_put(&w, (struct bytes){hs->client_random, sizeof(hs->client_random)});
    wire_put(&w, (struct bytes){hs->server_random, sizeof(hs->server_random)});
    put_parameters(m, &w);
    machine_note_group(m);
    return machine_sign(m, SIGNING_SERVER_12, send_key_exchange);
}

static int start_full(struct machine *m)
{
    struct handshake *hs = m->hs;
    if (choose_suite(m) < 0)
        return -1;
    machine_transcript_start(m);
    hs->wants_staple = hs->wants_staple && credential_staple(hs->credential, m->now_s).n;
    if (send_server_hello(m) < 0 || send_certificate(m) < 0)
        return -1;
    if (hs->wants_staple && send_certificate_status(m) < 0)
        return -1;
    return m->suite->is_rsa_kx ? send_hello_done(m) : sign_key_exchange(m);
}

/* ---- the end of either handshake ---- */

/* RFC 5077 §3.3: a ticket that was promised may be empty. */
static int send_ticket(struct machine *m)
{
    struct server_ticket t = {0};
    struct buf ticket;
    buf_init(&ticket, TICKET_SIZE_MAX);
    if (!server_ticket_seal(m, &t, &ticket))
        t.lifetime_s = 0;
    struct wire_writer w = machine_begin(m, MESSAGE_NEW_SESSION_TICKET);
    wire_put_32(&w, t.lifetime_s);
    struct wire_mark vector = wire_begin(&w, 2);
    wire_put(&w, t.lifetime_s ? buf_bytes(&ticket) : (struct bytes){0});
    wire_end(&w, vector);
    buf_fini(&ticket);
    return machine_send(m, &w);
}

static int send_last_flight(struct machine *m)
{
    if (m->hs->wants_ticket && send_ticket(m) < 0)
        return -1;
    if (machine_send_change_cipher_spec(m) < 0)
        return -1;
    return machine_send_finished(m);
}

static int read_finished(struct machine *m, struct bytes message, struct bytes body)
{
    if (machine_check_finished(m, body) < 0)
        return -1;
    machine_transcript_add(m, message);
    if (!m->hs->is_resuming && send_last_flight(m) < 0)
        return -1;
    return machine_complete(m);
}

/* ---- an abbreviated handshake ---- */

static int resume(struct machine *m)
{
    struct handshake *hs = m->hs;
    machine_transcript_start(m);
    machine_transcript_forget(m);
    memcpy(hs->master, hs->ticket->master, sizeof(hs->master));
    hs->wants_staple = false;
    hs->wants_ticket = hs->wants_ticket && hs->is_ticket_old;
    if (send_server_hello(m) < 0 || send_last_flight(m) < 0)
        return -1;
    machine_goto(m, MACHINE_WAIT_CHANGE_CIPHER_SPEC);
    return 0;
}

static int ticket_judged(struct machine *m)
{
    return m->hs->is_resuming ? resume(m) : start_full(m);
}

/* The ticket's suite, if the client offers it still (RFC 5246 §7.4.1.2) and so do we. */
static const struct suite *find_suite(const struct machine *m, uint16_t id)
{
    struct suite_list list = offered_suites(m);
    for (size_t i = 0; i < list.n; i++)
        if (list.at[i]->id == id)
            return list.at[i];
    return NULL;
}

static int continue_session(struct machine *m)
{
    struct handshake *hs = m->hs;
    /* RFC 7627 §5.3: of a session that had it. All of ours did. */
    if (!hs->has_extended_master_secret)
        return machine_violation(m, ALERT_HANDSHAKE_FAILURE, "inconsistent extms");
    m->suite = find_suite(m, hs->ticket->suite);
    return server_ticket_judge(m, ticket_judged);
}

int server12_continue(struct machine *m, const struct client_hello *hello)
{
    struct handshake *hs = m->hs;
    bool takes_tickets = m->policy->tickets && server_was_sent(m, EXTENSION_SESSION_TICKET);
    struct bytes ticket = server_extension(m, EXTENSION_SESSION_TICKET);
    machine_transcript_add(m, hs->hello_message);
    hs->wants_ticket = takes_tickets && hs->has_extended_master_secret;
    bool is_ours = takes_tickets && ticket.n && server_ticket_open(m, ticket) &&
                   find_suite(m, hs->ticket->suite);
    return is_ours ? continue_session(m) : start_full(m);
}

/* ---- what the client sends then ---- */

static int wait_for_key_exchange(struct machine *m)
{
    machine_goto(m, MACHINE_WAIT_CLIENT_KEY_EXCHANGE);
    return 0;
}

static int read_certificate(struct machine *m, struct bytes message, struct bytes body)
{
    if (peer_read_certificate(m, body) < 0)
        return -1;
    return peer_judge(m, wait_for_key_exchange);
}

/* After ClientKeyExchange, which is in the transcript. */
static void take_premaster(struct machine *m, struct bytes premaster)
{
    machine_make_master(m, premaster);
    if (m->hs->peer_chain.n) {
        machine_goto(m, MACHINE_WAIT_CERTIFICATE_VERIFY);
    } else {
        machine_transcript_forget(m);
        machine_goto(m, MACHINE_WAIT_CHANGE_CIPHER_SPEC);
    }
}

static int decrypted(struct machine *m)
{
    struct handshake *hs = m->hs;
    take_premaster(m, (struct bytes){hs->premaster, sizeof(hs->premaster)});
    mem_wipe(hs->premaster, sizeof(hs->premaster));
    return 0;
}

/* RFC 5246 §7.4.7.1. Whether it decrypts, and to what, shows in nothing but Finished. */
static int read_encrypted_premaster(struct machine *m, struct bytes message, struct bytes body)
{
    struct bytes encrypted;
    if (!wire_take_vector_16(&body, &encrypted) || body.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    machine_transcript_add(m, message);
    m->hs->encrypted_premaster = arena_copy(&m->hs->arena, encrypted);
    return machine_pause(m, MACHINE_DECRYPT, decrypted);
}

static int read_key_exchange(struct machine *m, struct bytes message, struct bytes body)
{
    uint8_t premaster[KEY_SHARE_SECRET_MAX];
    size_t n;
    struct bytes point;
    if (m->suite->is_rsa_kx)
        return read_encrypted_premaster(m, message, body);
    /* RFC 8422 §5.4: opaque point<1..2^8-1>. */
    if (!wire_take_vector_8(&body, &point) || body.n || !point.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    if (!key_share_derive(m->hs->shares[0], point, premaster, &n))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad key share");
    machine_transcript_add(m, message);
    take_premaster(m, (struct bytes){premaster, n});
    mem_wipe(premaster, sizeof(premaster));
    return 0;
}

static int read_certificate_verify(struct machine *m, struct bytes message, struct bytes body)
{
    if (peer_verify(m, body) < 0)
        return -1;
    machine_transcript_add(m, message);
    machine_transcript_forget(m);
    machine_goto(m, MACHINE_WAIT_CHANGE_CIPHER_SPEC);
    return 0;
}

/* RFC 5246 §7.2.2: no_renegotiation "is always a warning", and "the original requester can decide
 * whether to proceed with the connection". */
static int decline_renegotiation(struct machine *m, struct bytes message, struct bytes body)
{
    return machine_decline_renegotiation(m, "too many wishes to renegotiate");
}

const struct machine_row server12_rows[] = {
    {MACHINE_WAIT_CERTIFICATE, MESSAGE_CERTIFICATE, read_certificate},
    {MACHINE_WAIT_CLIENT_KEY_EXCHANGE, MESSAGE_CLIENT_KEY_EXCHANGE, read_key_exchange},
    {MACHINE_WAIT_CERTIFICATE_VERIFY, MESSAGE_CERTIFICATE_VERIFY, read_certificate_verify},
    {MACHINE_WAIT_FINISHED, MESSAGE_FINISHED, read_finished},
    {MACHINE_OPEN, MESSAGE_CLIENT_HELLO, decline_renegotiation},
    {MACHINE_STATE_COUNT, 0, NULL},
};
