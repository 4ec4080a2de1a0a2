/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's client: what it offers (RFC 8446 §4.1.2), and what ServerHello or HelloRetryRequest
 * makes of that; client13.c and client12.c go on.
 *
 *   (send ClientHello) ─▶ [HelloRetryRequest, once ─▶ (send ClientHello)] ─▶ ServerHello
 *
 * Whatever a server chooses has to be among what was offered; what it answers, among what was asked
 * for.
 */
#include "tls/client.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "tls/server_name.h"
#include "tls/session.h"

#include "base/ban.h"

#define SESSION_ID_SIZE 32

/* ---- what we can offer ---- */

void client_set_server_name(struct machine *m, const char *name)
{
    char text[SERVER_NAME_MAX + 1];
    ASSERT(m->state == MACHINE_START);
    if (server_name_is_dns(bytes_of(name)))
        server_name_escape(
            server_name_normalise(bytes_of(name), text), m->facts.sni, sizeof(m->facts.sni));
}

/* In our order; none: VERSION is not offered. */
static struct suite_list own_suites(const struct machine *m, uint16_t version)
{
    const struct tlspolicy *p = m->policy;
    if (version < p->version_min || version > p->version_max)
        return (struct suite_list){0};
    return suite_list_own((struct suite_choice){
        version, p->preference, p->key_exchange_rsa, p->key_exchange_rsa_only});
}

static bool offers_tls12(const struct machine *m)
{
    return own_suites(m, TLS_1_2).n;
}

static bool offers_tls13(const struct machine *m)
{
    return own_suites(m, TLS_1_3).n;
}

static const struct suite *find_suite(const struct machine *m, uint16_t version, uint16_t id)
{
    struct suite_list list = own_suites(m, version);
    for (size_t i = 0; i < list.n; i++)
        if (list.at[i]->id == id)
            return list.at[i];
    return NULL;
}

static bool has_offered(const struct machine *m, uint16_t version)
{
    return m->hs->offered && m->hs->offered->version == version;
}

/* ---- the extensions of ClientHello ---- */

static bool is_always(const struct machine *m)
{
    return true;
}

static bool has_server_name(const struct machine *m)
{
    return m->facts.sni[0];
}

static bool has_groups(const struct machine *m)
{
    return !m->policy->key_exchange_rsa_only;
}

static bool has_points(const struct machine *m)
{
    return has_groups(m) && offers_tls12(m);
}

static bool takes_tickets12(const struct machine *m)
{
    return m->policy->tickets && offers_tls12(m);
}

static bool takes_tickets13(const struct machine *m)
{
    return m->policy->tickets && offers_tls13(m);
}

static bool has_alpn(const struct machine *m)
{
    return m->policy->alpn_n;
}

static bool has_cookie(const struct machine *m)
{
    return m->hs->cookie.n;
}

static bool has_psk(const struct machine *m)
{
    return has_offered(m, TLS_1_3);
}

static void put_nothing(const struct machine *m, struct wire_writer *w)
{
}

/* RFC 6066 §3: one name, of type host_name. */
static void put_server_name(const struct machine *m, struct wire_writer *w)
{
    struct wire_mark list = wire_begin(w, 2);
    wire_put_8(w, 0);
    struct wire_mark name = wire_begin(w, 2);
    wire_put(w, bytes_of(m->facts.sni));
    wire_end(w, name);
    wire_end(w, list);
}

/* RFC 5746 §3.4: an initial handshake. */
static void put_renegotiation_info(const struct machine *m, struct wire_writer *w)
{
    wire_put_8(w, 0);
}

static void put_vector_16(struct wire_writer *w, struct bytes content)
{
    struct wire_mark mark = wire_begin(w, 2);
    wire_put(w, content);
    wire_end(w, mark);
}

static void put_groups(const struct machine *m, struct wire_writer *w)
{
    put_vector_16(w, m->policy->groups);
}

static void put_point_formats(const struct machine *m, struct wire_writer *w)
{
    wire_put_16(w, 0x0100); /* one: uncompressed */
}

/* RFC 5077 §3.2: empty asks for one. */
static void put_session_ticket(const struct machine *m, struct wire_writer *w)
{
    if (has_offered(m, TLS_1_2))
        wire_put(w, m->hs->offered->ticket);
}

static void put_alpn(const struct machine *m, struct wire_writer *w)
{
    put_vector_16(w, (struct bytes){m->policy->alpn, m->policy->alpn_n});
}

/* RFC 6066 §8: OCSP, of whichever responder, without extensions. */
static void put_status_request(const struct machine *m, struct wire_writer *w)
{
    wire_put(w, BYTES("\1\0\0\0\0"));
}

static void put_schemes(const struct machine *m, struct wire_writer *w)
{
    put_vector_16(w, m->policy->schemes);
}

static bool has_fewer_schemes(const struct machine *m)
{
    return tlspolicy_has_fewer_schemes(m->policy);
}

static void put_schemes_cert(const struct machine *m, struct wire_writer *w)
{
    put_vector_16(w, signature_schemes_ours());
}

/* RFC 8449 §4: what we take, which is as much as without it (TLS 1.3 counts the content type): so
 * that the server may say what it takes. */
static void put_record_size_limit(const struct machine *m, struct wire_writer *w)
{
    wire_put_16(w, (uint16_t)(RECORD_PLAIN_MAX + offers_tls13(m)));
}

static void put_versions(const struct machine *m, struct wire_writer *w)
{
    struct wire_mark list = wire_begin(w, 1);
    wire_put_16(w, TLS_1_3);
    if (offers_tls12(m))
        wire_put_16(w, TLS_1_2);
    wire_end(w, list);
}

static void put_key_share(const struct machine *m, struct wire_writer *w)
{
    const struct key_share *share = m->hs->shares[0];
    struct wire_mark list = wire_begin(w, 2);
    wire_put_16(w, key_share_group(share));
    put_vector_16(w, key_share_public(share));
    wire_end(w, list);
}

static void put_cookie(const struct machine *m, struct wire_writer *w)
{
    put_vector_16(w, m->hs->cookie);
}

/* psk_dhe_ke: a resumed session is as forward secret as any (RFC 8446 §4.2.9). */
static void put_psk_modes(const struct machine *m, struct wire_writer *w)
{
    wire_put_16(w, 0x0101);
}

/* RFC 8446 §4.2.11: one identity, and a place for its binder. */
static void put_psk(const struct machine *m, struct wire_writer *w)
{
    const struct session *s = m->hs->offered;
    static const uint8_t zeros[HASH_SIZE_MAX];
    struct wire_mark identities = wire_begin(w, 2);
    put_vector_16(w, s->ticket);
    wire_put_32(w, session_obfuscated_age(s, m->now_s));
    wire_end(w, identities);
    struct wire_mark binders = wire_begin(w, 2);
    struct wire_mark binder = wire_begin(w, 1);
    wire_put(w, (struct bytes){zeros, hash_size(s->psk.hash)});
    wire_end(w, binder);
    wire_end(w, binders);
}

static void put_extensions(struct machine *m, struct wire_writer *w)
{
    static const struct {
        enum extension e;
        bool (*is_wanted)(const struct machine *m);
        void (*put)(const struct machine *m, struct wire_writer *w);
    } rows[] = {
        {EXTENSION_SERVER_NAME, has_server_name, put_server_name},
        {EXTENSION_EXTENDED_MASTER_SECRET, offers_tls12, put_nothing},
        {EXTENSION_RENEGOTIATION_INFO, offers_tls12, put_renegotiation_info},
        {EXTENSION_SUPPORTED_GROUPS, has_groups, put_groups},
        {EXTENSION_EC_POINT_FORMATS, has_points, put_point_formats},
        {EXTENSION_SESSION_TICKET, takes_tickets12, put_session_ticket},
        {EXTENSION_ALPN, has_alpn, put_alpn},
        {EXTENSION_STATUS_REQUEST, is_always, put_status_request},
        {EXTENSION_SIGNATURE_ALGORITHMS, is_always, put_schemes},
        {EXTENSION_SIGNATURE_ALGORITHMS_CERT, has_fewer_schemes, put_schemes_cert},
        {EXTENSION_RECORD_SIZE_LIMIT, is_always, put_record_size_limit},
        {EXTENSION_SUPPORTED_VERSIONS, offers_tls13, put_versions},
        {EXTENSION_COOKIE, has_cookie, put_cookie},
        {EXTENSION_KEY_SHARE, offers_tls13, put_key_share},
        {EXTENSION_PSK_KEY_EXCHANGE_MODES, takes_tickets13, put_psk_modes},
        /* RFC 8446 §4.2.11: "MUST be the last extension". */
        {EXTENSION_PRE_SHARED_KEY, has_psk, put_psk},
    };
    m->hs->asked = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!rows[i].is_wanted(m))
            continue;
        struct wire_mark mark = message_begin_extension(w, rows[i].e);
        rows[i].put(m, w);
        wire_end(w, mark);
        m->hs->asked |= EXTENSION_BIT(rows[i].e);
    }
}

/* ---- ClientHello ---- */

static void put_suites(struct machine *m, struct wire_writer *w)
{
    static const uint16_t versions[] = {TLS_1_3, TLS_1_2};
    struct tlsconn_facts *f = &m->facts;
    struct wire_mark mark = wire_begin(w, 2);
    f->offered_n = 0;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct suite_list list = own_suites(m, versions[v]);
        for (size_t i = 0; i < list.n; i++) {
            wire_put_16(w, list.at[i]->id);
            f->offered[f->offered_n++] = list.at[i]->id;
        }
    }
    wire_end(w, mark);
}

/* RFC 8446 §4.2.11.2: over the ClientHello up to the binders, whose lengths are right already, and
 * what came before it. */
static void make_binder(struct machine *m, uint8_t *message, size_t n)
{
    struct handshake *hs = m->hs;
    const struct session *s = hs->offered;
    size_t binder_n = hash_size(s->psk.hash);
    uint8_t digest[HASH_SIZE_MAX], binder[HASH_SIZE_MAX];
    key_schedule_start(&hs->schedule, s->psk.hash, (struct bytes){s->psk.at, binder_n});
    key_schedule_derive(
        &hs->schedule, "res binder", key_schedule_nothing(s->psk.hash), &hs->binder_key);
    struct hash partial;
    if (hs->has_transcript)
        partial = hs->transcript;
    else
        hash_init(&partial, s->psk.hash);
    hash_add(&partial, (struct bytes){message, n - binder_n - 3}); /* 3: the lengths of both */
    struct bytes transcript = {digest, hash_peek(&partial, digest)};
    ASSERT(key_schedule_verify_data(&hs->binder_key, transcript, binder) == binder_n);
    memcpy(message + n - binder_n, binder, binder_n);
}

static int send_hello(struct machine *m)
{
    struct handshake *hs = m->hs;
    struct wire_writer w = machine_begin(m, MESSAGE_CLIENT_HELLO);
    wire_put_16(&w, TLS_1_2);
    wire_put(&w, (struct bytes){hs->client_random, sizeof(hs->client_random)});
    struct wire_mark session_id = wire_begin(&w, 1);
    wire_put(&w, hs->session_id);
    wire_end(&w, session_id);
    put_suites(m, &w);
    wire_put_16(&w, 0x0100); /* one compression method: null */
    struct wire_mark extensions = wire_begin(&w, 2);
    put_extensions(m, &w);
    wire_end(&w, extensions);
    wire_end(&w, hs->begun);
    if (has_psk(m) && !w.has_failed)
        make_binder(m, hs->flight.at + hs->flight.start + hs->begun_at,
            buf_size(&hs->flight) - hs->begun_at);
    machine_goto(m, MACHINE_WAIT_SERVER_HELLO);
    return machine_send(m, &w);
}

/* RFC 8446 §4.1.2, D.4: 32 octets that look like a session of TLS 1.2. RFC 5077 §3.4: by which it
 * is seen, too, that a ticket was accepted. A session without a ticket has its own. */
static struct bytes choose_session_id(struct machine *m)
{
    const struct session *s = m->hs->offered;
    uint8_t id[SESSION_ID_SIZE];
    if (has_offered(m, TLS_1_2) && !s->ticket.n)
        return arena_copy(&m->hs->arena, (struct bytes){s->id, s->id_n});
    if (!offers_tls13(m) && !s)
        return (struct bytes){0};
    random_fill(id, sizeof(id));
    return arena_copy(&m->hs->arena, (struct bytes){id, sizeof(id)});
}

static int start(struct machine *m)
{
    struct handshake *hs = m->hs;
    m->authenticated_s = m->now_s;
    random_fill(hs->client_random, sizeof(hs->client_random));
    hs->session_id = choose_session_id(m);
    struct bytes groups = m->policy->groups;
    uint16_t first;
    if (offers_tls13(m) && wire_take_16(&groups, &first))
        hs->shares[0] = key_share_new(first);
    return send_hello(m);
}

/* ---- ServerHello ---- */

/* RFC 8446 §4.1.3: "DOWNGRD" and 1 is a server of TLS 1.3, with 0 one of TLS 1.2: each could have
 * done as well as we. */
static bool is_downgraded(const struct machine *m, const struct server_hello *hello)
{
    return message_is_downgrade(hello->random) &&
           (offers_tls13(m) || hello->random.at[hello->random.n - 1] == 0);
}

/* RFC 8446 §4.1.3, §4.2.1; D.5: legacy_version 0x0300 is protocol_version, whatever the extension
 * says. */
static int check_version(struct machine *m, const struct server_hello *hello)
{
    bool is_old = hello->legacy_version <= SSL_3_0;
    bool is_by_extension = hello->version != hello->legacy_version && !is_old;
    bool is_offered = own_suites(m, hello->version).n && !is_old;
    if (is_by_extension && !is_offered)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad protocol version number");
    if (!is_offered)
        return machine_fail(
            m, ALERT_PROTOCOL_VERSION, TLSCONN_FAULT_NO_COMMON, "unsupported protocol");
    /* TLS 1.3 is chosen by the extension alone: "the legacy_version field MUST be set to 0x0303".
     */
    if (hello->legacy_version != TLS_1_2)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad protocol version number");
    /* §4.1.4: "the value of selected_version in the HelloRetryRequest […] MUST be retained". */
    if (m->hs->has_retried && hello->version != TLS_1_3)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "another version after retry");
    if (hello->version != TLS_1_3 && is_downgraded(m, hello))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "inappropriate fallback");
    return 0;
}

/* RFC 8446 §4.1.3: session_id_echo and cipher_suite; §4.1.4: the same suite after a retry. */
static int check_choice(struct machine *m, const struct server_hello *hello)
{
    const struct suite *suite = find_suite(m, hello->version, hello->suite);
    if (hello->version == TLS_1_3 && !bytes_equal(hello->session_id, m->hs->session_id))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "invalid session id");
    if (!suite || (m->hs->has_retried && suite != m->suite))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "wrong cipher returned");
    m->version = hello->version;
    m->suite = suite;
    return 0;
}

/* ---- HelloRetryRequest (RFC 8446 §4.1.4) ---- */

/* The group that is asked for: one of ours, and not the one that the share was for. */
static int retry_share(struct machine *m, struct bytes body)
{
    struct key_share **share = &m->hs->shares[0];
    uint16_t group;
    if (!extension_read_number(body, &group))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed key_share");
    if (!wire_contains_16(m->policy->groups, group) || group == key_share_group(*share))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "bad key share");
    key_share_free(share);
    *share = key_share_new(group);
    return 0;
}

static int retry_cookie(struct machine *m, struct bytes body)
{
    struct bytes cookie;
    if (!extension_read_cookie(body, &cookie))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed cookie");
    m->hs->cookie = arena_copy(&m->hs->arena, cookie);
    return 0;
}

static int read_retry_extensions(struct machine *m, struct bytes block)
{
    struct extensions e;
    uint8_t alert = ALERT_DECODE_ERROR;
    if (!extensions_read(block, IN_HELLO_RETRY_REQUEST, m->hs->asked, &e, &alert))
        return machine_violation(m, alert, "bad extension");
    struct bytes share = e.at[EXTENSION_KEY_SHARE], cookie = e.at[EXTENSION_COOKIE];
    /* "Clients MUST abort the handshake with an illegal_parameter alert if the HelloRetryRequest
     * would not result in any change in the ClientHello." */
    if (!share.at && !cookie.at)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "no change following hrr");
    if (share.at && retry_share(m, share) < 0)
        return -1;
    return cookie.at ? retry_cookie(m, cookie) : 0;
}

static int read_retry(struct machine *m, struct bytes message, const struct server_hello *hello)
{
    struct handshake *hs = m->hs;
    /* "If a client receives a second HelloRetryRequest in the same connection […] it MUST abort the
     * handshake with an unexpected_message alert." */
    if (hs->has_retried)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "unexpected message");
    if (machine_check_boundary(m) < 0 || read_retry_extensions(m, hello->block) < 0)
        return -1;
    hs->has_retried = true;
    machine_transcript_start(m);
    machine_transcript_retry(m);
    machine_transcript_add(m, message);
    /* §4.1.2: a PSK that does not go with the suite's hash is left out. */
    if (has_psk(m) && hs->offered->psk.hash != m->suite->hash)
        client_settle_session(m, false);
    if (machine_send_change_cipher_spec(m) < 0)
        return -1;
    return send_hello(m);
}

static int read_server_hello(struct machine *m, struct bytes message, struct bytes body)
{
    struct server_hello hello;
    struct handshake *hs = m->hs;
    uint8_t alert;
    if (!server_hello_read(body, &hello, &alert))
        return machine_violation(m, alert, "malformed ServerHello");
    if (check_version(m, &hello) < 0 || check_choice(m, &hello) < 0)
        return -1;
    if (hello.is_retry && m->version == TLS_1_3)
        return read_retry(m, message, &hello);
    memcpy(hs->server_random, hello.random.at, sizeof(hs->server_random));
    if (!hs->has_transcript)
        machine_transcript_start(m);
    machine_transcript_add(m, message);
    machine_note_suite(m);
    return m->version == TLS_1_3 ? client13_continue(m, &hello) : client12_continue(m, &hello);
}

/* ---- what both versions have ---- */

/* RFC 7301 §3.1: one name; §3.2: of those that we sent. */
static int read_alpn(struct machine *m, struct bytes body)
{
    struct bytes names, name, ours = {m->policy->alpn, m->policy->alpn_n}, one;
    if (!extension_read_alpn(body, &names) || !extension_next_alpn(&names, &name) || names.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed ALPN");
    while (wire_take_vector_8(&ours, &one))
        if (bytes_equal(one, name)) {
            server_name_escape(name, m->facts.alpn, sizeof(m->facts.alpn));
            return 0;
        }
    return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "a protocol that was not offered");
}

static int read_record_size_limit(struct machine *m, struct bytes body)
{
    uint8_t alert;
    if (!extension_read_record_size_limit(body, &m->hs->record_limit, &alert))
        return machine_violation(m, alert, "bad record_size_limit");
    if (m->version == TLS_1_3)
        machine_limit_records(m); /* what we send is protected already */
    return 0;
}

int client_read_answers(struct machine *m, const struct extensions *e)
{
    struct bytes limit = e->at[EXTENSION_RECORD_SIZE_LIMIT];
    if (limit.at && read_record_size_limit(m, limit) < 0)
        return -1;
    /* RFC 6066 §3: "The extension_data field of this extension SHALL be empty." */
    if (e->at[EXTENSION_SERVER_NAME].n)
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed server_name");
    return e->at[EXTENSION_ALPN].at ? read_alpn(m, e->at[EXTENSION_ALPN]) : 0;
}

void client_note_shown(struct machine *m)
{
    if (m->policy->tickets)
        certificate_list_add_all(&m->shown, &m->hs->peer_chain);
}

void client_settle_session(struct machine *m, bool is_resuming)
{
    struct handshake *hs = m->hs;
    hs->is_resuming = is_resuming;
    m->facts.resumed = is_resuming;
    if (is_resuming) {
        const struct tlsconn_session *s = &hs->offered->common;
        m->authenticated_s = s->authenticated_s;
        certificate_list_add_all(&m->shown, &s->chain);
    } else if (hs->offered) {
        session_free(&hs->offered->common);
        hs->offered = NULL;
    }
}

/* ---- our certificate ---- */

/* RFC 5246 §7.4.4: rsa_sign; ecdsa_sign, under which Ed25519 comes, too (RFC 8422 §5.5). */
static bool is_type_wanted(struct bytes types, enum key_kind kind)
{
    uint8_t type = public_key_kind_is_rsa(kind) ? 1 : 64;
    return !types.at || bytes_find(types, type) < types.n;
}

void client_choose_certificate(struct machine *m, struct bytes types)
{
    struct handshake *hs = m->hs;
    const struct credential *c = m->policy->credentials_n ? m->policy->credentials[0] : NULL;
    m->facts.peer_asked = hs->asked_peer = true;
    if (!c)
        return;
    hs->scheme = machine_choose_scheme(m, c);
    if (hs->scheme && is_type_wanted(types, credential_key_kind(c)))
        hs->credential = c;
}

int client_send_certificate(struct machine *m)
{
    static const struct certificate_list none;
    const struct credential *c = m->hs->credential;
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE);
    message_put_certificate(
        &w, m->version == TLS_1_3, (struct bytes){0}, c ? &c->chain : &none, (struct bytes){0});
    m->facts.credential = c;
    return machine_send(m, &w);
}

int client_send_verify(struct machine *m)
{
    struct wire_writer w = machine_begin(m, MESSAGE_CERTIFICATE_VERIFY);
    return machine_put_signature(m, &w) < 0 ? -1 : machine_send(m, &w);
}

static const struct machine_row rows[] = {
    {MACHINE_WAIT_SERVER_HELLO, MESSAGE_SERVER_HELLO, read_server_hello},
    {MACHINE_STATE_COUNT, 0, NULL},
};

const struct machine_role machine_client = {false, start, rows, client13_rows, client12_rows};
