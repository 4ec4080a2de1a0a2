/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server in TLS 1.3 (RFC 8446 §2):
 *
 *   ClientHello ─▶ [HelloRetryRequest ─▶ ClientHello] ─▶ [is the ticket's client still welcome?]
 *     ─▶ ServerHello … [CertificateRequest, Certificate, (sign) CertificateVerify], Finished
 *     ─▶ [Certificate, (judge), CertificateVerify], Finished ─▶ NewSessionTicket, open
 */
#include "base/memory.h"
#include "crypto/digest.h"
#include "tls/server.h"
#include "tls/ticket.h"

#include "base/ban.h"

#define IDENTITIES_MAX      4 /* of pre_shared_key that are tried */
#define VERIFY_CONTENT_SIZE (64 + 34 + HASH_SIZE_MAX)
#define TICKET_NONCE        BYTES("\0") /* RFC 8446 §4.6.1: unique in a connection: it gets one */

/* ---- suite and group ---- */

static int choose_suite(struct machine *m)
{
    struct suite_list list =
        suite_list_sorted(tlspolicy_suites(m->policy, TLS_1_3), m->hs->hello->suites);
    if (!list.n)
        return machine_fail(
            m, ALERT_HANDSHAKE_FAILURE, TLSCONN_FAULT_NO_COMMON, "no shared cipher");
    m->suite = list.at[0];
    machine_note_suite(m);
    machine_transcript_start(m);
    return 0;
}

/* The client's share of GROUP; empty: it sent none. */
static struct bytes find_share(struct bytes shares, uint16_t group)
{
    struct bytes key;
    uint16_t number;
    while (extension_next_key_share(&shares, &number, &key))
        if (number == group)
            return key;
    return (struct bytes){0};
}

/* RFC 8446 §4.2.8: after HelloRetryRequest there is one share, for the group that was asked for. */
static bool is_share_asked_for(const struct machine *m, struct bytes shares)
{
    struct bytes key;
    uint16_t group;
    return extension_next_key_share(&shares, &group, &key) && group == m->hs->group && !shares.n;
}

/* RFC 8446 §4.2.8: shares are for groups of supported_groups only. */
static int check_shares(struct machine *m, struct bytes groups, struct bytes shares)
{
    if (!extension_lists_key_shares(groups, shares) ||
        (m->hs->has_retried && !is_share_asked_for(m, shares)))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad key share");
    return 0;
}

/* Our first group that the client has sent a share of, else our first that it knows: then
 * hs->peer_share stays empty. */
static int choose_group(struct machine *m)
{
    struct handshake *hs = m->hs;
    struct bytes groups, shares;
    /* RFC 8446 §9.2 */
    if (!server_was_sent(m, EXTENSION_SUPPORTED_GROUPS) || !server_was_sent(m, EXTENSION_KEY_SHARE))
        return machine_violation(m, ALERT_MISSING_EXTENSION, "no supported groups or key share");
    if (server_read_groups(m, &groups) < 0)
        return -1;
    uint8_t alert;
    if (!extension_read_key_shares(server_extension(m, EXTENSION_KEY_SHARE), &shares, &alert))
        return machine_violation(m, alert, "malformed key_share");
    if (check_shares(m, groups, shares) < 0)
        return -1;
    for (struct bytes ours = m->policy->groups;
         !hs->peer_share.n && wire_take_16(&ours, &hs->group);)
        hs->peer_share = find_share(shares, hs->group);
    if (!hs->peer_share.n)
        hs->group = server_choose_group(m, groups);
    if (!hs->group)
        return machine_fail(
            m, ALERT_HANDSHAKE_FAILURE, TLSCONN_FAULT_NO_COMMON, "no suitable key share");
    machine_note_group(m);
    return 0;
}

/* ---- HelloRetryRequest ---- */

/* What stands in a ServerHello before its extensions (RFC 8446 §4.1.3). */
static struct wire_writer begin_server_hello(struct machine *m, const uint8_t random[32])
{
    struct wire_writer w = machine_begin(m, MESSAGE_SERVER_HELLO);
    wire_put_16(&w, TLS_1_2);
    wire_put(&w, (struct bytes){random, 32});
    struct wire_mark session_id = wire_begin(&w, 1);
    wire_put(&w, m->hs->session_id);
    wire_end(&w, session_id);
    wire_put_16(&w, m->suite->id);
    wire_put_8(&w, 0);
    return w;
}

static void put_version(struct wire_writer *w)
{
    struct wire_mark mark = message_begin_extension(w, EXTENSION_SUPPORTED_VERSIONS);
    wire_put_16(w, TLS_1_3);
    wire_end(w, mark);
}

/* RFC 8446 D.4: only a client that sent a session id wants to look like TLS 1.2. */
static int send_compatibility_ccs(struct machine *m)
{
    return m->hs->session_id.n ? machine_send_change_cipher_spec(m) : 0;
}

/* What must not change with a second ClientHello (RFC 8446 §4.1.2). Extensions that we do not know
 * may be padding. */
static void digest_hello(const struct client_hello *hello, uint8_t out[SHA256_SIZE])
{
    static const unsigned may_change =
        EXTENSION_BIT(EXTENSION_KEY_SHARE) | EXTENSION_BIT(EXTENSION_EARLY_DATA) |
        EXTENSION_BIT(EXTENSION_COOKIE) | EXTENSION_BIT(EXTENSION_PRE_SHARED_KEY);
    unsigned present = hello->extensions.present & ~may_change;
    const uint8_t fixed[] = {(uint8_t)(hello->legacy_version >> 8), (uint8_t)hello->legacy_version,
        hello->has_only_null_compression, (uint8_t)(present >> 24), (uint8_t)(present >> 16),
        (uint8_t)(present >> 8), (uint8_t)present};
    _Static_assert(EXTENSION_COUNT <= 32, "a set of extensions fits");
    struct digest *d = digest_new();
    digest_add(d, (struct bytes){fixed, sizeof(fixed)});
    digest_add(d, hello->random);
    digest_add(d, hello->session_id);
    digest_add(d, hello->suites);
    for (enum extension e = 0; e < EXTENSION_COUNT; e++)
        if (present & EXTENSION_BIT(e))
            digest_add(d, hello->extensions.at[e]);
    digest_finish(&d, out);
}

static int send_retry(struct machine *m)
{
    struct handshake *hs = m->hs;
    if (machine_check_boundary(m) < 0)
        return -1;
    digest_hello(hs->hello, hs->hello_digest);
    machine_transcript_add(m, hs->hello_message);
    machine_transcript_retry(m);
    struct wire_writer w = begin_server_hello(m, message_retry_random);
    struct wire_mark extensions = wire_begin(&w, 2);
    put_version(&w);
    struct wire_mark share = message_begin_extension(&w, EXTENSION_KEY_SHARE);
    wire_put_16(&w, hs->group);
    wire_end(&w, share);
    wire_end(&w, extensions);
    if (machine_send(m, &w) < 0 || send_compatibility_ccs(m) < 0)
        return -1;
    hs->has_retried = true;
    if (server_was_sent(m, EXTENSION_EARLY_DATA))
        hs->early_data_left = MACHINE_EARLY_DATA_MAX;
    machine_goto(m, MACHINE_WAIT_SECOND_HELLO);
    return 0;
}

/* ---- ServerHello to Finished ---- */

static int send_server_hello(struct machine *m)
{
    struct handshake *hs = m->hs;
    struct wire_writer w = begin_server_hello(m, hs->server_random);
    struct wire_mark extensions = wire_begin(&w, 2);
    put_version(&w);
    struct wire_mark share = message_begin_extension(&w, EXTENSION_KEY_SHARE);
    wire_put_16(&w, hs->group);
    struct wire_mark key = wire_begin(&w, 2);
    wire_put(&w, key_share_public(hs->shares[0]));
    wire_end(&w, key);
    wire_end(&w, share);
    if (hs->is_resuming) {
        struct wire_mark psk = message_begin_extension(&w, EXTENSION_PRE_SHARED_KEY);
        wire_put_16(&w, hs->psk_index);
        wire_end(&w, psk);
    }
    wire_end(&w, extensions);
    return machine_send(m, &w);
}

/* RFC 8446 §7.1: the PSK (or none), then the (EC)DHE secret. */
static int agree(struct machine *m)
{
    struct handshake *hs = m->hs;
    uint8_t shared[KEY_SHARE_SECRET_MAX];
    size_t n;
    hs->shares[0] = key_share_new(hs->group);
    if (!key_share_derive(hs->shares[0], hs->peer_share, shared, &n))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad key share");
    /* Resuming: check_binder began with the PSK. */
    if (!hs->is_resuming)
        key_schedule_start(&hs->schedule, m->suite->hash, (struct bytes){0});
    key_schedule_next(&hs->schedule, (struct bytes){shared, n});
    mem_wipe(shared, sizeof(shared));
    return 0;
}

static int send_encrypted_extensions(struct machine *m)
{
    struct wire_writer w = machine_begin(m, MESSAGE_ENCRYPTED_EXTENSIONS);
    struct wire_mark extensions = wire_begin(&w, 2);
    server_put_answers(m, &w);
    wire_end(&w, extensions);
    return machine_send(m, &w);
}

static void put_list(struct wire_writer *w, enum extension e, struct bytes content)
{
    struct wire_mark extension = message_begin_extension(w, e);
    struct wire_mark list = wire_begin(w, 2);
    wire_put(w, content);
    wire_end(w, list);
    wire_end(w, extension);
}

static int send_certificate_request(struct machine *m)
{
    struct bytes authorities = m->policy->native->authorities;
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE_REQUEST);
    wire_put_8(&w, 0); /* certificate_request_context: empty in a handshake (RFC 8446 §4.3.2) */
    struct wire_mark extensions = wire_begin(&w, 2);
    put_list(&w, EXTENSION_SIGNATURE_ALGORITHMS, m->policy->schemes);
    if (tlspolicy_has_fewer_schemes(m->policy))
        put_list(&w, EXTENSION_SIGNATURE_ALGORITHMS_CERT, signature_schemes_ours());
    if (authorities.n)
        put_list(&w, EXTENSION_CERTIFICATE_AUTHORITIES, authorities);
    wire_end(&w, extensions);
    m->hs->asked_peer = true;
    m->facts.peer_asked = true;
    return machine_send(m, &w);
}

static int send_certificate(struct machine *m)
{
    const struct credential *c = m->hs->credential;
    struct bytes staple = m->hs->wants_staple ? credential_staple(c, m->now_s) : (struct bytes){0};
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE);
    message_put_certificate(&w, true, (struct bytes){0}, &c->chain, staple);
    m->facts.credential = c;
    return machine_send(m, &w);
}

static int send_finished(struct machine *m)
{
    if (machine_send_finished(m) < 0)
        return -1;
    machine_application_secrets(m);
    /* From here on we write with the application's keys, and read with the handshake's. */
    if (machine_send_secret(m, &m->send_secret) < 0)
        return -1;
    machine_goto(m, m->hs->asked_peer ? MACHINE_WAIT_CERTIFICATE : MACHINE_WAIT_FINISHED);
    return 0;
}

static int send_certificate_verify(struct machine *m)
{
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE_VERIFY);
    if (machine_put_signature(m, &w) < 0 || machine_send(m, &w) < 0)
        return -1;
    return send_finished(m);
}

static int send_authentication(struct machine *m)
{
    uint8_t digest[HASH_SIZE_MAX];
    if (m->policy->peer != PEER_NOT_ASKED && send_certificate_request(m) < 0)
        return -1;
    if (send_certificate(m) < 0)
        return -1;
    struct wire_writer w = {.out = &m->hs->sign.content};
    wire_put(&w, machine_transcript_hash(m, digest));
    return machine_sign(m, SIGNING_SERVER_13, send_certificate_verify);
}

static int choose_certificate(struct machine *m)
{
    /* RFC 8446 §9.2 */
    if (!server_was_sent(m, EXTENSION_SIGNATURE_ALGORITHMS))
        return machine_violation(m, ALERT_MISSING_EXTENSION, "missing sigalgs extension");
    if (!server_choose_certificate(m, SUITE_KEY_ANY))
        return machine_fail(
            m, ALERT_HANDSHAKE_FAILURE, TLSCONN_FAULT_NO_COMMON, "no suitable signature algorithm");
    return 0;
}

/* At once: a draw costs the same whatever its size. */
static void draw_randoms(struct handshake *hs)
{
    struct {
        uint8_t server_random[sizeof(hs->server_random)];
        uint32_t age_add;
    } fresh;
    random_fill((uint8_t *)&fresh, sizeof(fresh));
    memcpy(hs->server_random, fresh.server_random, sizeof(hs->server_random));
    hs->age_add = fresh.age_add;
}

/* The hello is understood, and whether it resumes is decided. */
static int answer(struct machine *m)
{
    struct handshake *hs = m->hs;
    if (!hs->is_resuming && choose_certificate(m) < 0)
        return -1;
    draw_randoms(hs);
    if (agree(m) < 0 || send_server_hello(m) < 0 || send_compatibility_ccs(m) < 0)
        return -1;
    machine_handshake_secrets(m);
    if (machine_receive_with(m, &hs->client_traffic.keys) < 0 ||
        machine_send_with(m, &hs->server_traffic.keys) < 0 || send_encrypted_extensions(m) < 0)
        return -1;
    if (server_was_sent(m, EXTENSION_EARLY_DATA))
        hs->early_data_left = MACHINE_EARLY_DATA_MAX;
    return hs->is_resuming ? send_finished(m) : send_authentication(m);
}

/* ---- pre_shared_key ---- */

/* RFC 8446 §4.2.11.2: the binder proves that the client knows the PSK in the ticket, and covers
 * this ClientHello up to the binders. */
static int check_binder(struct machine *m, size_t truncated_n, struct bytes binder)
{
    struct handshake *hs = m->hs;
    enum hash_kind kind = m->suite->hash;
    uint8_t digest[HASH_SIZE_MAX], expected[HASH_SIZE_MAX];
    key_schedule_start(&hs->schedule, kind, (struct bytes){hs->ticket->secret.at, hash_size(kind)});
    key_schedule_derive(&hs->schedule, "res binder", key_schedule_nothing(kind), &hs->binder_key);
    hs->hello_added_n = MESSAGE_HEADER_SIZE + truncated_n;
    machine_transcript_add(m, bytes_first(hs->hello_message, hs->hello_added_n));
    struct bytes transcript = machine_transcript_hash(m, digest);
    size_t n = key_schedule_verify_data(&hs->binder_key, transcript, expected);
    if (binder.n != n || !constant_time_equal(binder.at, expected, n))
        return machine_violation(m, ALERT_DECRYPT_ERROR, "binder does not verify");
    return 0;
}

/* The first of the client's tickets that opens and suits becomes hs->ticket. */
static int choose_psk(struct machine *m)
{
    struct handshake *hs = m->hs;
    struct psk_offer offer;
    struct bytes body = bytes_skip(hs->hello_message, MESSAGE_HEADER_SIZE), identity, binder;
    uint32_t age;
    /* RFC 8446 §4.2.11: "MUST be the last extension"; §4.2.9: not without psk_key_exchange_modes.
     */
    if (hs->hello->extensions.last_known != EXTENSION_PRE_SHARED_KEY)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "pre_shared_key is not the last");
    if (!server_was_sent(m, EXTENSION_PSK_KEY_EXCHANGE_MODES))
        return machine_violation(m, ALERT_MISSING_EXTENSION, "no psk_key_exchange_modes");
    uint8_t alert;
    if (!extension_read_psk_offer(
            server_extension(m, EXTENSION_PRE_SHARED_KEY), body, &offer, &alert))
        return machine_violation(m, alert, "malformed pre_shared_key");
    if (!m->policy->tickets || !hs->has_psk_dhe)
        return 0;
    for (uint16_t i = 0; i < IDENTITIES_MAX; i++) {
        if (!extension_next_psk(&offer, &identity, &age, &binder))
            return 0;
        if (!server_ticket_open(m, identity))
            continue;
        hs->psk_index = i;
        return check_binder(m, offer.truncated_n, binder);
    }
    return 0;
}

/* Of the first ClientHello or the second. */
static int read_hello(struct machine *m)
{
    struct handshake *hs = m->hs;
    if (choose_group(m) < 0)
        return -1;
    if (!hs->peer_share.n)
        return send_retry(m);
    if (server_was_sent(m, EXTENSION_PRE_SHARED_KEY) && choose_psk(m) < 0)
        return -1;
    machine_transcript_add(m, bytes_skip(hs->hello_message, hs->hello_added_n));
    return hs->ticket ? server_ticket_judge(m, answer) : answer(m);
}

int server13_continue(struct machine *m, const struct client_hello *hello)
{
    if (choose_suite(m) < 0 || server_choose_alpn(m) < 0)
        return -1;
    return read_hello(m);
}

/* ---- what the client sends then ---- */

/* RFC 8446 §4.1.2: "the client MUST send the same ClientHello without modification, except" … So
 * what was decided stands, the policy for the name above all. */
static int read_second_hello(struct machine *m, struct bytes message, struct bytes body)
{
    struct handshake *hs = m->hs;
    uint8_t digest[SHA256_SIZE];
    struct bytes name = hs->hello->extensions.at[EXTENSION_SERVER_NAME];
    if (server_keep_hello(m, message) < 0)
        return -1;
    if (!bytes_equal(name, server_extension(m, EXTENSION_SERVER_NAME)))
        return machine_violation(
            m, ALERT_ILLEGAL_PARAMETER, "another server_name after HelloRetryRequest");
    digest_hello(hs->hello, digest);
    /* RFC 8446 §4.2.10: no early data after HelloRetryRequest. */
    if (memcmp(digest, hs->hello_digest, sizeof(digest)) != 0 ||
        server_was_sent(m, EXTENSION_EARLY_DATA))
        return machine_violation(
            m, ALERT_ILLEGAL_PARAMETER, "another ClientHello after HelloRetryRequest");
    hs->early_data_left = 0;
    return read_hello(m);
}

static int wait_for_verify(struct machine *m)
{
    machine_goto(m, MACHINE_WAIT_CERTIFICATE_VERIFY);
    return 0;
}

static int wait_for_finished(struct machine *m)
{
    machine_goto(m, MACHINE_WAIT_FINISHED);
    return 0;
}

static int read_certificate(struct machine *m, struct bytes message, struct bytes body)
{
    if (peer_read_certificate(m, body) < 0)
        return -1;
    return peer_judge(m, m->hs->peer_chain.n ? wait_for_verify : wait_for_finished);
}

static int read_certificate_verify(struct machine *m, struct bytes message, struct bytes body)
{
    if (peer_verify(m, body) < 0)
        return -1;
    return wait_for_finished(m);
}

static int put_ticket(struct machine *m, const struct server_ticket *t, struct bytes ticket)
{
    struct wire_writer w = machine_begin(m, MESSAGE_NEW_SESSION_TICKET);
    wire_put_32(&w, t->lifetime_s);
    wire_put_32(&w, t->age_add);
    struct wire_mark vector = wire_begin(&w, 1);
    wire_put(&w, TICKET_NONCE);
    wire_end(&w, vector);
    vector = wire_begin(&w, 2);
    wire_put(&w, ticket);
    wire_end(&w, vector);
    wire_put_16(&w, 0); /* no extensions: no early data */
    return machine_send(m, &w);
}

/* RFC 8446 §4.6.1. Without psk_dhe_ke the client could not use it (§4.2.9). */
static int send_ticket(struct machine *m)
{
    struct handshake *hs = m->hs;
    struct secret resumption, psk = {.hash = m->suite->hash};
    uint8_t digest[HASH_SIZE_MAX];
    struct server_ticket t = {.secret = &psk, .age_add = hs->age_add};
    struct buf ticket;
    if (!m->policy->tickets || !hs->has_psk_dhe)
        return 0;
    key_schedule_derive(
        &hs->schedule, "res master", machine_transcript_hash(m, digest), &resumption);
    key_schedule_expand(&resumption, "resumption", TICKET_NONCE, psk.at, hash_size(m->suite->hash));
    buf_init(&ticket, TICKET_SIZE_MAX);
    int result = 0;
    if (server_ticket_seal(m, &t, &ticket))
        result = put_ticket(m, &t, buf_bytes(&ticket));
    buf_fini(&ticket);
    mem_wipe(&resumption, sizeof(resumption));
    mem_wipe(&psk, sizeof(psk));
    return result;
}

static int read_finished(struct machine *m, struct bytes message, struct bytes body)
{
    if (machine_check_finished(m, body) < 0)
        return -1;
    machine_transcript_add(m, message);
    if (machine_receive_secret(m, &m->receive_secret) < 0 || send_ticket(m) < 0)
        return -1;
    return machine_complete(m);
}

const struct machine_row server13_rows[] = {
    {MACHINE_WAIT_SECOND_HELLO, MESSAGE_CLIENT_HELLO, read_second_hello},
    {MACHINE_WAIT_CERTIFICATE, MESSAGE_CERTIFICATE, read_certificate},
    {MACHINE_WAIT_CERTIFICATE_VERIFY, MESSAGE_CERTIFICATE_VERIFY, read_certificate_verify},
    {MACHINE_WAIT_FINISHED, MESSAGE_FINISHED, read_finished},
    {MACHINE_STATE_COUNT, 0, NULL},
};
