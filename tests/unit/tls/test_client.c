/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's client, with libssl as its server. */
#include <openssl/err.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"
#include "side.h"
#include "test.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

static const enum key_kind kinds[] = {
    KEY_EC_P256, KEY_RSA, KEY_ED25519, KEY_EC_P384, KEY_RSA_PSS, KEY_RSA_PSS_SHA512};
static struct credential *credentials[COUNT_OF(kinds)];
enum { OF_P256, OF_RSA };

__attribute__((constructor)) static void make_credentials(void)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        credentials[i] = pair_credential(kinds[i], "www.example");
}

__attribute__((destructor)) static void free_credentials(void)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        pair_credential_free(&credentials[i]);
}

/* A client with a certificate of each kind in question, and a libssl server. */
struct meeting {
    struct side client;
    struct raw server;
    SSL_CTX *ctx;
};

static int accept_any(X509_STORE_CTX *store, void *unused)
{
    return 1;
}

static SSL_CTX *server_context(uint16_t version, const struct credential *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct bytes der = certificate_der(c->chain.at[0]);
    ASSERT(ctx && SSL_CTX_use_certificate_ASN1(ctx, (int)der.n, der.at) == 1 &&
           SSL_CTX_use_PrivateKey(ctx, private_key_pkey(c->key)) == 1 &&
           SSL_CTX_set_min_proto_version(ctx, version ? version : TLS_1_2) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, version ? version : TLS_1_3) == 1 &&
           SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"a", 1) == 1);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    raw_watch(ctx);
    return ctx;
}

/* VERSION of the server: 0: both. KIND of its certificate. OURS: NULL: the client has none. */
static void meet(struct meeting *t, uint16_t version, int kind, struct credential *ours)
{
    side_init(&t->client, &machine_client, &ours, ours != NULL);
    t->ctx = server_context(version, credentials[kind]);
}

static void begin(struct meeting *t, const char *server_name)
{
    side_start(&t->client);
    client_set_server_name(t->client.m, server_name);
    raw_new(&t->server, t->ctx, NULL, NULL);
    SSL_set_accept_state(t->server.ssl);
}

static void carry(struct meeting *t)
{
    do {
        side_run(&t->client);
        side_deliver(&t->client, &t->server);
        raw_hello(&t->server, &t->client.m->wire_in);
    } while (t->client.event != MACHINE_FAILED && buf_size(&t->client.m->wire_in));
    side_run(&t->client);
    side_deliver(&t->client, &t->server);
}

static void shake(struct meeting *t)
{
    begin(t, "www.example");
    carry(t);
}

static void leave(struct meeting *t)
{
    raw_free(&t->server);
    SSL_CTX_free(t->ctx);
    side_free(&t->client);
}

static const struct tlsconn_facts *facts(const struct meeting *t)
{
    return &t->client.m->facts;
}

/* Both are done, and understand each other. */
static bool is_complete(struct meeting *t)
{
    char text[8] = "";
    struct machine *m = t->client.m;
    bool is_done = t->server.is_done && facts(t)->is_handshake_complete &&
                   machine_write(m, BYTES("ping")) == 4;
    if (is_done) {
        struct bytes out = buf_bytes(&m->wire_out);
        ASSERT(BIO_write(SSL_get_rbio(t->server.ssl), out.at, (int)out.n) == (int)out.n);
        buf_clear(&m->wire_out);
        is_done = SSL_read(t->server.ssl, text, sizeof(text)) == 4 &&
                  memcmp(text, "ping", 4) == 0 && SSL_write(t->server.ssl, "pong", 4) == 4;
        raw_hello(&t->server, &m->wire_in);
        is_done = is_done && side_run(&t->client) == MACHINE_DATA &&
                  bytes_equal(machine_opened(m), BYTES("pong"));
        machine_take(m, machine_opened(m).n);
    }
    if (!is_done)
        printf("# state %d, alert %d: %s; server: done %d, alert %d\n", m->state, m->failure.alert,
            m->failure.text, t->server.is_done, t->server.alert);
    return is_done;
}

static bool has_failed(const struct meeting *t, enum tlsconn_fault fault, uint8_t alert)
{
    const struct tlsconn_failure *f = &t->client.m->failure;
    bool is_so = t->client.m->state == MACHINE_DEAD && f->fault == fault && f->alert == alert &&
                 !t->client.m->hs;
    if (!is_so)
        printf(
            "# state %d fault %d alert %d: %s\n", t->client.m->state, f->fault, f->alert, f->text);
    return is_so;
}

/* ---- what is agreed ---- */

TEST(tls13_says_what_was_agreed)
{
    struct meeting t;
    static const uint8_t sent[] = {1, 20}, received[] = {2, 8, 11, 15, 20, 4, 4};
    meet(&t, 0, OF_P256, NULL);
    shake(&t);
    CHECK(is_complete(&t));
    CHECK_INT(facts(&t)->version, TLS_1_3);
    CHECK_TEXT(facts(&t)->cipher, "TLS_AES_256_GCM_SHA384");
    CHECK_TEXT(facts(&t)->group, "x25519");
    CHECK_TEXT(facts(&t)->signature, "ecdsa_secp256r1_sha256");
    CHECK_TEXT(facts(&t)->sni, "www.example");
    CHECK_TEXT(SSL_get_servername(t.server.ssl, TLSEXT_NAMETYPE_host_name), "www.example");
    CHECK_INT(facts(&t)->offered_n, 9);
    CHECK(!facts(&t)->resumed && !facts(&t)->peer_asked && !facts(&t)->credential);
    CHECK(t.client.sent_n == sizeof(sent) && memcmp(t.client.sent, sent, sizeof(sent)) == 0);
    CHECK(t.client.received_n == sizeof(received) &&
          memcmp(t.client.received, received, sizeof(received)) == 0);
    CHECK_INT(t.client.judged, 1);
    CHECK_INT(t.client.chain_n, 1);
    CHECK_INT(t.client.sessions_n, 0);
    leave(&t);
}

TEST(an_address_is_no_server_name)
{
    static const char *const names[] = {"192.0.2.1", "2001:db8::1", NULL};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct meeting t;
        meet(&t, 0, OF_P256, NULL);
        begin(&t, names[i]);
        carry(&t);
        CHECK(is_complete(&t));
        CHECK_TEXT(facts(&t)->sni, "");
        CHECK(!SSL_get_servername(t.server.ssl, TLSEXT_NAMETYPE_host_name));
        leave(&t);
    }
}

/* Of all groups but X25519 the server has to ask for a share. */
TEST(every_suite_and_group_of_tls13)
{
    static const char *const suites[] = {
        "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"};
    static const char *const groups[][2] = {
        {"X25519", "x25519"}, {"P-256", "secp256r1"}, {"P-384", "secp384r1"}};
    for (size_t s = 0; s < COUNT_OF(suites); s++)
        for (size_t g = 0; g < COUNT_OF(groups); g++) {
            struct meeting t;
            meet(&t, TLS_1_3, OF_P256, NULL);
            CHECK(SSL_CTX_set_ciphersuites(t.ctx, suites[s]) == 1);
            begin(&t, "www.example");
            CHECK(raw_set_groups(&t.server, groups[g][0]));
            carry(&t);
            CHECK(is_complete(&t));
            CHECK_TEXT(facts(&t)->cipher, suites[s]);
            CHECK_TEXT(facts(&t)->group, groups[g][1]);
            CHECK_INT(t.client.sent_n, g ? 3 : 2);
            leave(&t);
        }
}

TEST(every_kind_of_certificate)
{
    static const char *const schemes[] = {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256",
        "ed25519", "ecdsa_secp384r1_sha384", "rsa_pss_pss_sha256", "rsa_pss_pss_sha512"};
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int kind = 0; kind < (int)COUNT_OF(kinds); kind++) {
            struct meeting t;
            meet(&t, version, kind, credentials[kind]);
            SSL_CTX_set_verify(t.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
            shake(&t);
            CHECK(is_complete(&t));
            if (version == TLS_1_3 || public_key_kind_is_pss(kinds[kind]))
                CHECK_TEXT(facts(&t)->signature, schemes[kind]);
            CHECK(facts(&t)->peer_asked && facts(&t)->credential == credentials[kind]);
            leave(&t);
        }
}

TEST(every_suite_of_tls12)
{
    static const struct {
        const char *libssl, *name;
        int kind;
    } rows[] = {
        {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", OF_P256},
        {"ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", OF_RSA},
        {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", OF_P256},
        {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", OF_RSA},
        {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", OF_P256},
        {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", OF_RSA},
        {"AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384", OF_RSA},
        {"AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256", OF_RSA},
    };
    static const char *const groups[] = {"X25519", "P-256", "P-384"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct meeting t;
        bool is_rsa_kx = i >= 6;
        meet(&t, 0, rows[i].kind, NULL);
        t.client.policy.version_max = i % 2 ? TLS_1_2 : TLS_1_3;
        SSL_CTX_set_max_proto_version(t.ctx, TLS_1_2);
        t.client.policy.key_exchange_rsa = is_rsa_kx;
        CHECK(SSL_CTX_set_cipher_list(t.ctx, rows[i].libssl) == 1);
        begin(&t, "www.example");
        CHECK(raw_set_groups(&t.server, groups[i % 3]));
        carry(&t);
        CHECK(is_complete(&t));
        CHECK_INT(facts(&t)->version, TLS_1_2);
        CHECK_TEXT(facts(&t)->cipher, rows[i].name);
        CHECK_INT(facts(&t)->key_exchange_rsa, is_rsa_kx);
        CHECK(is_rsa_kx == !facts(&t)->group[0]);
        leave(&t);
    }
}

TEST(rsa_key_transport_is_not_offered_unless_asked_for)
{
    struct meeting t;
    meet(&t, TLS_1_2, OF_RSA, NULL);
    CHECK(SSL_CTX_set_cipher_list(t.ctx, "AES256-GCM-SHA384") == 1);
    shake(&t);
    CHECK(has_failed(&t, TLSCONN_FAULT_ALERT_RECEIVED, ALERT_HANDSHAKE_FAILURE));
    leave(&t);
}

static int choose_second(SSL *ssl, const unsigned char **out, unsigned char *out_n,
    const unsigned char *in, unsigned in_n, void *unused)
{
    ASSERT(in_n == 12 && in[0] == 2 && in[3] == 8);
    *out = in + 4;
    *out_n = 8;
    return SSL_TLSEXT_ERR_OK;
}

TEST(alpn)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int takes_it = 0; takes_it < 2; takes_it++) {
            struct meeting t;
            uint8_t names[] = "\2h2\x08http/1.1";
            meet(&t, version, OF_P256, NULL);
            t.client.policy.alpn = names;
            t.client.policy.alpn_n = sizeof(names) - 1;
            if (takes_it)
                SSL_CTX_set_alpn_select_cb(t.ctx, choose_second, NULL);
            shake(&t);
            CHECK(is_complete(&t));
            CHECK_TEXT(facts(&t)->alpn, takes_it ? "http/1.1" : "");
            leave(&t);
        }
}

/* ---- certificates ---- */

TEST(a_refused_server_gets_the_alert)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        meet(&t, version, OF_P256, NULL);
        t.client.answer = 44;
        shake(&t);
        CHECK(has_failed(&t, TLSCONN_FAULT_PEER_CERTIFICATE, 44));
        CHECK_TEXT(
            t.client.m->failure.text, "the peer's certificate is refused: certificate_revoked");
        CHECK_INT(t.server.alert, 44);
        leave(&t);
    }
}

TEST(a_client_without_a_certificate_says_so)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int is_demanded = 0; is_demanded < 2; is_demanded++) {
            struct meeting t;
            meet(&t, version, OF_P256, NULL);
            SSL_CTX_set_verify(
                t.ctx, SSL_VERIFY_PEER | (is_demanded ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
            shake(&t);
            CHECK(facts(&t)->peer_asked && !facts(&t)->credential);
            CHECK(memchr(t.client.sent, MESSAGE_CERTIFICATE, t.client.sent_n) != NULL);
            if (!is_demanded)
                CHECK(is_complete(&t));
            else
                CHECK(t.client.m->failure.fault == TLSCONN_FAULT_ALERT_RECEIVED);
            leave(&t);
        }
}

/* One that the server could not verify is not shown. */
TEST(a_certificate_that_does_not_suit_is_not_shown)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        meet(&t, version, OF_P256, credentials[OF_RSA]);
        SSL_CTX_set_verify(t.ctx, SSL_VERIFY_PEER, NULL);
        begin(&t, "www.example");
        CHECK(raw_set_schemes(&t.server, "ECDSA+SHA256"));
        carry(&t);
        CHECK(is_complete(&t));
        CHECK(facts(&t)->peer_asked && !facts(&t)->credential);
        leave(&t);
    }
}

TEST(a_key_that_does_not_sign_is_our_fault)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        meet(&t, version, OF_P256, credentials[OF_P256]);
        t.client.is_broken = true;
        SSL_CTX_set_verify(t.ctx, SSL_VERIFY_PEER, NULL);
        shake(&t);
        CHECK(has_failed(&t, TLSCONN_FAULT_INTERNAL, ALERT_INTERNAL_ERROR));
        leave(&t);
    }
}

static bool has_response;
static struct bytes seen;

static int give_staple(SSL *ssl, void *unused)
{
    if (!has_response)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup("OCSP", 4);
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, 4);
    return SSL_TLSEXT_ERR_OK;
}

static uint8_t see_staple(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    static uint8_t copy[16];
    struct side *s = owner;
    struct bytes staple = s->m->hs->staple;
    ASSERT(staple.n <= sizeof(copy));
    if (staple.n)
        memcpy(copy, staple.at, staple.n);
    seen = (struct bytes){copy, staple.n};
    s->judged++;
    return 0;
}

TEST(a_staple_is_there_when_the_chain_is_judged)
{
    static const struct tlsconn_handler handler = {.judge = see_staple};
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int is_stapled = 0; is_stapled < 2; is_stapled++) {
            struct meeting t;
            has_response = is_stapled;
            meet(&t, version, OF_P256, NULL);
            SSL_CTX_set_tlsext_status_cb(t.ctx, give_staple);
            begin(&t, "www.example");
            t.client.m->handler = &handler;
            carry(&t);
            CHECK(is_complete(&t));
            CHECK_INT(t.client.judged, 1);
            CHECK(bytes_equal(seen, is_stapled ? BYTES("OCSP") : BYTES("")));
            leave(&t);
        }
}

/* ---- sessions ---- */

static void shake_again(struct meeting *t)
{
    raw_free(&t->server);
    begin(t, "www.example");
    session_offer(t->client.m, t->client.session);
    carry(t);
}

/* HOW: a ticket of TLS 1.3, one of TLS 1.2, a session id. */
static void meet_for_session(struct meeting *t, int how)
{
    meet(t, how ? TLS_1_2 : TLS_1_3, OF_P256, NULL);
    t->client.policy.tickets = true;
    if (how == 2)
        SSL_CTX_set_options(t->ctx, SSL_OP_NO_TICKET);
    shake(t);
    CHECK(is_complete(t));
    CHECK(t->client.session != NULL);
}

TEST(a_session_goes_on)
{
    for (int how = 0; how < 3; how++) {
        struct meeting t;
        meet_for_session(&t, how);
        CHECK_INT(t.client.session->is_single_use, how == 0);
        CHECK_INT(t.client.session->authenticated_s, NOW_S);
        CHECK_INT(t.client.session->chain.n, 1);
        t.client.now_s += 60;
        for (int again = 0; again < 2; again++) {
            shake_again(&t);
            CHECK(is_complete(&t));
            CHECK(facts(&t)->resumed && SSL_session_reused(t.server.ssl));
            CHECK_INT(t.client.judged, 0);
            CHECK_INT(t.client.session->authenticated_s, NOW_S);
            CHECK_INT(t.client.session->chain.n, 1);
            CHECK(how ? !facts(&t)->group[0] : facts(&t)->group[0]);
        }
        leave(&t);
    }
}

/* With HelloRetryRequest: the binder is made again. */
TEST(a_session_goes_on_after_a_retry)
{
    struct meeting t;
    meet_for_session(&t, 0);
    raw_free(&t.server);
    begin(&t, "www.example");
    CHECK(raw_set_groups(&t.server, "P-384"));
    session_offer(t.client.m, t.client.session);
    carry(&t);
    CHECK(is_complete(&t));
    CHECK(facts(&t)->resumed);
    CHECK_INT(t.client.sent_n, 3);
    leave(&t);
}

TEST(a_server_that_forgot_gets_a_full_handshake)
{
    for (int how = 0; how < 3; how++) {
        struct meeting t;
        meet_for_session(&t, how);
        SSL_CTX_free(t.ctx);
        t.ctx = server_context(how ? TLS_1_2 : TLS_1_3, credentials[OF_RSA]);
        shake_again(&t);
        CHECK(is_complete(&t));
        CHECK(!facts(&t)->resumed);
        CHECK_INT(t.client.judged, 1);
        leave(&t);
    }
}

/* The server's hint counts if it is less than the policy's. */
TEST(a_session_ends)
{
    struct meeting t;
    meet(&t, TLS_1_3, OF_P256, NULL);
    t.client.policy.tickets = true;
    SSL_CTX_set_timeout(t.ctx, 100);
    shake(&t);
    CHECK(t.client.session && t.client.session->ends_s == NOW_S + 100);
    SSL_CTX_set_timeout(t.ctx, 1000000);
    raw_free(&t.server);
    shake(&t);
    CHECK(t.client.session && t.client.session->ends_s == NOW_S + 24 * HOUR_S);
    leave(&t);
}

/* ---- on the way, and afterwards ---- */

TEST(one_octet_at_a_time)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        struct buf wire;
        buf_init(&wire, TLSCONN_WIRE_MAX);
        meet(&t, version, OF_P256, credentials[OF_P256]);
        SSL_CTX_set_verify(t.ctx, SSL_VERIFY_PEER, NULL);
        begin(&t, "www.example");
        side_run(&t.client);
        do {
            side_deliver(&t.client, &t.server);
            raw_hello(&t.server, &wire);
            for (; buf_size(&wire); buf_consume(&wire, 1))
                side_feed(&t.client, bytes_first(buf_bytes(&wire), 1));
        } while (t.client.event != MACHINE_FAILED && buf_size(&t.client.m->wire_out));
        CHECK(is_complete(&t));
        buf_fini(&wire);
        leave(&t);
    }
}

TEST(keys_are_updated_by_either_side)
{
    struct meeting t;
    meet(&t, TLS_1_3, OF_P256, NULL);
    shake(&t);
    for (int i = 0; i < 3; i++) {
        CHECK(SSL_key_update(t.server.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        CHECK(is_complete(&t));
        CHECK(is_complete(&t));
    }
    leave(&t);
}

TEST(a_wish_to_renegotiate_is_declined)
{
    struct meeting t;
    meet(&t, TLS_1_2, OF_P256, NULL);
    shake(&t);
    CHECK(SSL_renegotiate(t.server.ssl) == 1);
    ignore_result(SSL_do_handshake(t.server.ssl));
    raw_hello(&t.server, &t.client.m->wire_in);
    CHECK_INT(side_run(&t.client), MACHINE_WANT_INPUT);
    CHECK_INT(t.client.received[t.client.received_n - 1], MESSAGE_HELLO_REQUEST);
    CHECK_INT(t.client.m->state, MACHINE_OPEN);
    side_deliver(&t.client, &t.server);
    CHECK_INT(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    leave(&t);
}

/* RFC 5246 §7.4.1.1: a HelloRequest "will be ignored by the client if the client is currently
 * negotiating a session", and "MUST NOT be included in the message hashes"; not without end. */
TEST(hello_requests_during_a_handshake_are_ignored)
{
    for (unsigned n = MACHINE_WARNINGS_MAX; n <= MACHINE_WARNINGS_MAX + 1; n++) {
        struct side client, server;
        side_init(&client, &machine_client, NULL, 0);
        side_init(&server, &machine_server, &credentials[OF_P256], 1);
        client.policy.version_max = TLS_1_2;
        side_start(&client);
        side_start(&server);
        side_run(&client);
        side_carry(&client, &server);
        side_run(&server);
        side_carry(&server, &client);
        side_run(&client);
        for (unsigned i = 0; i < n; i++)
            side_feed(&client, BYTES("\x16\3\3\0\4\0\0\0\0"));
        if (n > MACHINE_WARNINGS_MAX) {
            CHECK(side_has_failed(&client, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
        } else {
            side_meet(&client, &server);
            CHECK(client.m->facts.is_handshake_complete && server.m->facts.is_handshake_complete);
        }
        side_free(&client);
        side_free(&server);
    }
}
