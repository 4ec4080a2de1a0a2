/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server, with libssl as its client, and with a client that breaks rules: what libssl
 * sent is opened with the server's own secrets, changed and sealed again.
 */
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"
#include "side.h"
#include "test.h"

#include "base/ban.h"

static struct credential *ecdsa, *rsa, *ed25519;

static struct credential *made(struct credential **c, enum key_kind kind)
{
    if (!*c)
        *c = pair_credential(kind, "www.example,*.wild.example");
    return *c;
}

__attribute__((destructor)) static void free_credentials(void)
{
    struct credential **all[] = {&ecdsa, &rsa, &ed25519};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (*all[i])
            pair_credential_free(all[i]);
}

/* A server with certificates of all kinds, and a libssl client. */
struct meeting {
    struct side server;
    struct raw client;
    SSL_CTX *ctx;
};

static void meet(struct meeting *t, uint16_t version)
{
    struct credential *const all[] = {
        made(&ecdsa, KEY_EC_P256), made(&rsa, KEY_RSA), made(&ed25519, KEY_ED25519)};
    side_init(&t->server, &machine_server, all, COUNT_OF(all));
    t->ctx = raw_context(version ? version : TLS_1_2, version ? version : TLS_1_3);
}

static void begin(struct meeting *t, const char *server_name, SSL_SESSION *resume)
{
    side_start(&t->server);
    raw_new(&t->client, t->ctx, server_name, resume);
}

static void shake(struct meeting *t)
{
    begin(t, "www.example", NULL);
    side_handshake(&t->client, &t->server);
}

static void leave(struct meeting *t)
{
    raw_free(&t->client);
    SSL_CTX_free(t->ctx);
    side_free(&t->server);
}

static bool is_complete(const struct meeting *t)
{
    return t->client.is_done && t->server.event == MACHINE_COMPLETE;
}

static const struct tlsconn_facts *facts(const struct meeting *t)
{
    return &t->server.m->facts;
}

static bool has_failed(const struct meeting *t, enum tlsconn_fault fault, uint8_t alert)
{
    const struct tlsconn_failure *f = &t->server.m->failure;
    bool is_so = t->server.event == MACHINE_FAILED && f->fault == fault && f->alert == alert &&
                 t->server.m->state == MACHINE_DEAD && !t->server.m->hs;
    if (!is_so)
        printf("# event %d fault %d alert %d: %s\n", t->server.event, f->fault, f->alert, f->text);
    return is_so;
}

/* ---- what is agreed ---- */

TEST(tls13_says_what_was_agreed)
{
    struct meeting t;
    static const uint8_t sent[] = {2, 8, 11, 15, 20}, received[] = {1, 20};
    meet(&t, 0);
    shake(&t);
    CHECK(is_complete(&t));
    CHECK_INT(facts(&t)->version, TLS_1_3);
    CHECK_TEXT(facts(&t)->cipher, "TLS_AES_256_GCM_SHA384");
    CHECK_TEXT(facts(&t)->group, "x25519");
    CHECK_TEXT(facts(&t)->sni, "www.example");
    CHECK(facts(&t)->is_handshake_complete && !facts(&t)->resumed && !facts(&t)->peer_asked);
    CHECK(facts(&t)->credential == ecdsa);
    CHECK_INT(t.server.sent_n, sizeof(sent));
    CHECK(memcmp(t.server.sent, sent, sizeof(sent)) == 0);
    CHECK_INT(t.server.received_n, sizeof(received));
    CHECK(memcmp(t.server.received, received, sizeof(received)) == 0);
    CHECK_INT(t.server.chosen, 1);
    CHECK_INT(t.server.judged, 0);
    CHECK(!t.server.m->hs);
    leave(&t);
}

TEST(every_suite_and_group_of_tls13)
{
    static const char *const suites[] = {
        "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"};
    static const char *const groups[][2] = {
        {"X25519", "x25519"}, {"P-256", "secp256r1"}, {"P-384", "secp384r1"}};
    for (size_t i = 0; i < COUNT_OF(suites); i++)
        for (size_t j = 0; j < COUNT_OF(groups); j++) {
            struct meeting t;
            meet(&t, TLS_1_3);
            begin(&t, "www.example", NULL);
            CHECK(SSL_set_ciphersuites(t.client.ssl, suites[i]) == 1);
            CHECK(raw_set_groups(&t.client, groups[j][0]));
            side_handshake(&t.client, &t.server);
            CHECK(is_complete(&t));
            CHECK_TEXT(facts(&t)->cipher, suites[i]);
            CHECK_TEXT(facts(&t)->group, groups[j][1]);
            leave(&t);
        }
}

TEST(the_certificate_is_one_that_the_client_verifies)
{
    static const struct {
        uint16_t version;
        const char *schemes;
        struct credential **shown;
    } rows[] = {
        {TLS_1_3, "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", &ecdsa},
        {TLS_1_3, "rsa_pss_rsae_sha384:rsa_pkcs1_sha256", &rsa}, {TLS_1_3, "ed25519", &ed25519},
        {TLS_1_3, "ecdsa_secp384r1_sha384:ed25519", &ed25519}, /* our key is of P-256 */
        {TLS_1_2, "rsa_pkcs1_sha256", &rsa}, {TLS_1_2, "rsa_pss_rsae_sha512", &rsa},
        {TLS_1_2, "ed25519", &ed25519},
        {TLS_1_2, "ecdsa_secp384r1_sha384", &ecdsa}, /* any curve: RFC 8422 §5.10 */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct meeting t;
        meet(&t, rows[i].version);
        begin(&t, "www.example", NULL);
        CHECK(raw_set_schemes(&t.client, rows[i].schemes));
        side_handshake(&t.client, &t.server);
        CHECK(is_complete(&t));
        CHECK(facts(&t)->credential == *rows[i].shown);
        leave(&t);
    }
}

TEST(without_a_common_scheme_there_is_no_handshake)
{
    struct meeting t;
    meet(&t, TLS_1_3);
    begin(&t, "www.example", NULL);
    CHECK(raw_set_schemes(&t.client, "ecdsa_secp521r1_sha512:rsa_pkcs1_sha256"));
    side_handshake(&t.client, &t.server);
    CHECK(has_failed(&t, TLSCONN_FAULT_NO_COMMON, ALERT_HANDSHAKE_FAILURE));
    CHECK_INT(t.client.alert, ALERT_HANDSHAKE_FAILURE);
    leave(&t);
}

TEST(every_suite_of_tls12)
{
    static const struct {
        const char *suite, *name;
        bool is_rsa_kx;
    } rows[] = {
        {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", false},
        {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", false},
        {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", false},
        {"ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", false},
        {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", false},
        {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", false},
        {"AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384", true},
        {"AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int has_ems = 0; has_ems < 2; has_ems++) {
            struct meeting t;
            meet(&t, TLS_1_2);
            t.server.policy.key_exchange_rsa = true;
            begin(&t, "www.example", NULL);
            CHECK(SSL_set_cipher_list(t.client.ssl, rows[i].suite) == 1);
            if (!has_ems)
                SSL_set_options(t.client.ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
            side_handshake(&t.client, &t.server);
            CHECK(is_complete(&t));
            CHECK_TEXT(facts(&t)->cipher, rows[i].name);
            CHECK_TEXT(facts(&t)->group, rows[i].is_rsa_kx ? "" : "x25519");
            CHECK_INT(facts(&t)->key_exchange_rsa, rows[i].is_rsa_kx);
            CHECK_INT(SSL_get_extms_support(t.client.ssl), has_ems);
            leave(&t);
        }
}

TEST(rsa_key_transport_is_off_unless_asked_for)
{
    struct meeting t;
    meet(&t, TLS_1_2);
    begin(&t, "www.example", NULL);
    CHECK(SSL_set_cipher_list(t.client.ssl, "AES128-GCM-SHA256") == 1);
    side_handshake(&t.client, &t.server);
    CHECK(has_failed(&t, TLSCONN_FAULT_NO_COMMON, ALERT_HANDSHAKE_FAILURE));
    leave(&t);
}

TEST(versions)
{
    static const struct {
        uint16_t client, server_min, server_max, agreed;
    } rows[] = {
        {0, TLS_1_2, TLS_1_3, TLS_1_3},
        {0, TLS_1_2, TLS_1_2, TLS_1_2},
        {TLS_1_2, TLS_1_2, TLS_1_3, TLS_1_2},
        {TLS_1_2, TLS_1_3, TLS_1_3, 0},
        {TLS_1_3, TLS_1_2, TLS_1_2, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct meeting t;
        meet(&t, rows[i].client);
        t.server.policy.version_min = rows[i].server_min;
        t.server.policy.version_max = rows[i].server_max;
        shake(&t);
        CHECK_INT(is_complete(&t), rows[i].agreed != 0);
        CHECK_INT(facts(&t)->version, rows[i].agreed);
        if (!rows[i].agreed)
            CHECK(has_failed(&t, TLSCONN_FAULT_NO_COMMON, ALERT_PROTOCOL_VERSION));
        leave(&t);
    }
}

TEST(a_needless_fallback_is_refused)
{
    struct meeting t;
    meet(&t, TLS_1_2);
    begin(&t, "www.example", NULL);
    SSL_set_mode(t.client.ssl, SSL_MODE_SEND_FALLBACK_SCSV);
    side_handshake(&t.client, &t.server);
    CHECK(has_failed(&t, TLSCONN_FAULT_PROTOCOL, ALERT_INAPPROPRIATE_FALLBACK));
    leave(&t);
}

/* libssl looks at the mark itself, when it could do 1.3 but is answered 1.2. */
TEST(the_random_of_tls12_is_marked)
{
    for (int could_do_better = 0; could_do_better < 2; could_do_better++) {
        struct meeting t;
        unsigned char random[32];
        meet(&t, TLS_1_2);
        t.server.policy.version_max = could_do_better ? TLS_1_3 : TLS_1_2;
        shake(&t);
        CHECK(is_complete(&t));
        SSL_get_server_random(t.client.ssl, random, sizeof(random));
        CHECK_INT(message_is_downgrade((struct bytes){random, 32}), could_do_better);
        leave(&t);
    }
}

TEST(alpn)
{
    static const struct {
        const char *ours, *offered, *agreed;
        uint8_t alert;
    } rows[] = {
        {"\2h2\10http/1.1", "\10http/1.1\2h2", "h2", 0},
        {"\10http/1.1", "\2h2\10http/1.1", "http/1.1", 0},
        {"", "\2h2", "", 0},
        {"\10http/1.1", "\2h2", "", ALERT_NO_APPLICATION_PROTOCOL},
    };
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct meeting t;
            const unsigned char *name;
            unsigned name_n;
            meet(&t, version);
            t.server.policy.alpn = (uint8_t *)(uintptr_t)rows[i].ours;
            t.server.policy.alpn_n = strlen(rows[i].ours);
            begin(&t, "www.example", NULL);
            CHECK(SSL_set_alpn_protos(t.client.ssl, (const uint8_t *)rows[i].offered,
                      (unsigned)strlen(rows[i].offered)) == 0);
            side_handshake(&t.client, &t.server);
            CHECK_TEXT(facts(&t)->alpn, rows[i].agreed);
            SSL_get0_alpn_selected(t.client.ssl, &name, &name_n);
            CHECK(bytes_equal((struct bytes){name, name_n}, bytes_of(rows[i].agreed)));
            if (rows[i].alert)
                CHECK(has_failed(&t, TLSCONN_FAULT_NO_COMMON, rows[i].alert));
            else
                CHECK(is_complete(&t));
            leave(&t);
        }
}

TEST(a_staple_is_shown_to_who_asks)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int asks = 0; asks < 2; asks++) {
            struct credential *stapled = pair_credential(KEY_EC_P256, "www.example");
            struct meeting t;
            const unsigned char *answer = NULL;
            pair_staple(stapled, "an OCSP answer");
            side_init(&t.server, &machine_server, &stapled, 1);
            t.ctx = raw_context(version, version);
            begin(&t, "www.example", NULL);
            if (asks)
                SSL_set_tlsext_status_type(t.client.ssl, TLSEXT_STATUSTYPE_ocsp);
            side_handshake(&t.client, &t.server);
            CHECK(is_complete(&t));
            long n = SSL_get_tlsext_status_ocsp_resp(t.client.ssl, &answer);
            CHECK_INT(n, asks ? 14 : -1);
            CHECK(!asks || (n == 14 && memcmp(answer, "an OCSP answer", 14) == 0));
            leave(&t);
            pair_credential_free(&stapled);
        }
}

TEST(no_policy_for_the_name)
{
    struct meeting t;
    meet(&t, 0);
    t.server.has_policy = false;
    shake(&t);
    CHECK(has_failed(&t, TLSCONN_FAULT_PROTOCOL, ALERT_UNRECOGNIZED_NAME));
    CHECK_INT(t.client.alert, ALERT_UNRECOGNIZED_NAME);
    CHECK_TEXT(t.server.m->failure.text, "no policy for this server name");
    leave(&t);
}

TEST(a_key_that_does_not_sign_is_our_fault)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        meet(&t, version);
        t.server.is_broken = true;
        shake(&t);
        CHECK(has_failed(&t, TLSCONN_FAULT_INTERNAL, ALERT_INTERNAL_ERROR));
        leave(&t);
    }
}

/* ---- in pieces ---- */

TEST(one_octet_at_a_time)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        struct buf hello;
        bool is_told = false;
        meet(&t, version);
        begin(&t, "www.example", NULL);
        buf_init(&hello, TLSCONN_WIRE_MAX);
        do {
            raw_hello(&t.client, &hello);
            struct bytes all = buf_bytes(&hello);
            for (size_t i = 0; i < all.n; i++)
                is_told = side_feed(&t.server, (struct bytes){all.at + i, 1}) == MACHINE_COMPLETE ||
                          is_told;
            buf_clear(&hello);
            side_deliver(&t.server, &t.client);
        } while (BIO_pending(SSL_get_wbio(t.client.ssl)) > 0);
        CHECK(is_told && t.client.is_done);
        buf_fini(&hello);
        leave(&t);
    }
}

TEST(a_hello_in_records_of_one_octet)
{
    struct meeting t;
    struct buf hello;
    meet(&t, 0);
    begin(&t, "www.example", NULL);
    buf_init(&hello, TLSCONN_WIRE_MAX);
    raw_hello(&t.client, &hello);
    struct bytes body = bytes_skip(buf_bytes(&hello), 5);
    for (size_t i = 0; i < body.n; i++) {
        const uint8_t one[] = {22, 3, 1, 0, 1, body.at[i]};
        CHECK_INT(side_feed(&t.server, (struct bytes){one, sizeof(one)}), MACHINE_WANT_INPUT);
    }
    side_deliver(&t.server, &t.client);
    side_handshake(&t.client, &t.server);
    CHECK(is_complete(&t));
    buf_fini(&hello);
    leave(&t);
}

/* RFC 8446 §4.1.3, D.4 and §5.1: ServerHello, change_cipher_spec, and the rest in one record. */
TEST(a_flight_takes_as_few_records_as_it_can)
{
    struct meeting t;
    meet(&t, TLS_1_3);
    begin(&t, "www.example", NULL);
    raw_hello(&t.client, &t.server.m->wire_in);
    CHECK_INT(side_run(&t.server), MACHINE_WANT_INPUT);
    struct bytes out = buf_bytes(&t.server.m->wire_out);
    static const uint8_t types[] = {22, 20, 23};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        CHECK(out.n >= 5);
        CHECK_INT(out.at[0], types[i]);
        out = bytes_skip(out, 5u + (size_t)(out.at[3] << 8 | out.at[4]));
    }
    CHECK_INT(out.n, 0);
    leave(&t);
}

/* ---- HelloRetryRequest ---- */

/* A client whose first share is of a group that is not ours. */
static void begin_retry(struct meeting *t)
{
    meet(t, TLS_1_3);
    begin(t, "www.example", NULL);
    CHECK(raw_set_groups(&t->client, "X448:P-384:P-256"));
}

TEST(a_retry_asks_for_a_group_of_ours)
{
    struct meeting t;
    static const uint8_t sent[] = {2, 2, 8, 11, 15, 20};
    begin_retry(&t);
    side_handshake(&t.client, &t.server);
    CHECK(is_complete(&t));
    CHECK_TEXT(facts(&t)->group, "secp256r1");
    CHECK_INT(t.server.sent_n, sizeof(sent));
    CHECK(memcmp(t.server.sent, sent, sizeof(sent)) == 0);
    CHECK_INT(t.server.chosen, 1);
    leave(&t);
}

TEST(without_a_common_group_there_is_no_handshake)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        meet(&t, version);
        begin(&t, "www.example", NULL);
        CHECK(raw_set_groups(&t.client, "X448"));
        side_handshake(&t.client, &t.server);
        CHECK(has_failed(&t, TLSCONN_FAULT_NO_COMMON, ALERT_HANDSHAKE_FAILURE));
        leave(&t);
    }
}

/* The first octet of NEEDLE in the wire, to be changed. */
static uint8_t *find(struct buf *wire, struct bytes needle)
{
    struct bytes all = buf_bytes(wire);
    uint8_t *at = memmem(all.at, all.n, needle.at, needle.n);
    if (!at)
        panic("the test does not find what it wants to change");
    return at;
}

TEST(the_second_hello_is_the_first)
{
    static const char suites[] = "\x13\x02\x13\x03", name[] = "www.example", schemes[] = "\4\3\5\3";
    static const struct {
        struct bytes what;
        size_t at;
        const char *text;
    } rows[] = {
        {{(const uint8_t *)suites, 4}, 0, "another ClientHello after HelloRetryRequest"},
        {{(const uint8_t *)schemes, 4}, 1, "another ClientHello after HelloRetryRequest"},
        {{(const uint8_t *)name, 11}, 0, "another server_name after HelloRetryRequest"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct meeting t;
        begin_retry(&t);
        raw_hello(&t.client, &t.server.m->wire_in);
        CHECK_INT(side_run(&t.server), MACHINE_WANT_INPUT);
        side_deliver(&t.server, &t.client);
        raw_hello(&t.client, &t.server.m->wire_in);
        find(&t.server.m->wire_in, rows[i].what)[rows[i].at] ^= 1;
        side_run(&t.server);
        CHECK(has_failed(&t, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER));
        CHECK_TEXT(t.server.m->failure.text, rows[i].text);
        CHECK_INT(t.server.chosen, 1);
        leave(&t);
    }
}

/* A second hello that still has no share of the group (the first one again). */
TEST(there_is_one_retry)
{
    struct meeting t;
    struct buf hello;
    begin_retry(&t);
    buf_init(&hello, TLSCONN_WIRE_MAX);
    raw_hello(&t.client, &hello);
    CHECK_INT(side_feed(&t.server, buf_bytes(&hello)), MACHINE_WANT_INPUT);
    side_feed(&t.server, buf_bytes(&hello));
    CHECK(has_failed(&t, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER));
    buf_fini(&hello);
    leave(&t);
}

/* ---- the client's certificate ---- */

static void show(SSL_CTX *ctx, const struct credential *c)
{
    struct bytes der = certificate_der(c->chain.at[0]);
    CHECK(SSL_CTX_use_certificate_ASN1(ctx, (int)der.n, der.at) == 1);
    CHECK(SSL_CTX_use_PrivateKey(ctx, private_key_pkey(c->key)) == 1);
}

static void meet_mutually(struct meeting *t, uint16_t version, enum tlspolicy_peer peer)
{
    meet(t, version);
    t->server.policy.peer = peer;
}

TEST(a_client_shows_its_certificate)
{
    struct credential **kinds[] = {&ecdsa, &rsa, &ed25519};
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
            struct meeting t;
            meet_mutually(&t, version, PEER_REQUIRED);
            show(t.ctx, *kinds[i]);
            shake(&t);
            CHECK(is_complete(&t));
            CHECK(facts(&t)->peer_asked);
            CHECK_INT(t.server.judged, 1);
            CHECK_INT(t.server.chain_n, 1);
            CHECK(facts(&t)->signature[0]);
            leave(&t);
        }
}

/* CN=ab, as a Name in DER, with its length before it. */
static size_t asked_schemes_n, asked_schemes_cert_n; /* octets */

static const struct tlspolicy *choose_policy(void *owner, const struct tlsconn_hello *hello)
{
    return &((struct side *)owner)->policy;
}

static uint8_t accept_any(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    return 0;
}

static void see_request(void *owner, enum tlsconn_message_direction direction, struct bytes message)
{
    struct certificate_request request;
    uint8_t alert;
    if (message.at[0] != MESSAGE_CERTIFICATE_REQUEST)
        return;
    CHECK(
        certificate_request_read(bytes_skip(message, MESSAGE_HEADER_SIZE), true, &request, &alert));
    asked_schemes_n = request.schemes.n;
    asked_schemes_cert_n = request.schemes_cert.n;
}

/* RFC 8446 §4.2.3: what may sign certificates is said where it is more. */
TEST(fewer_schemes_are_for_handshakes_only)
{
    static const struct tlsconn_handler handler = {choose_policy, accept_any, see_request, NULL};
    for (int has_fewer = 0; has_fewer < 2; has_fewer++) {
        struct meeting t;
        meet_mutually(&t, TLS_1_3, PEER_OPTIONAL);
        if (has_fewer)
            t.server.policy.schemes = BYTES("\4\3");
        begin(&t, "www.example", NULL);
        t.server.m->handler = &handler;
        side_handshake(&t.client, &t.server);
        CHECK(is_complete(&t));
        size_t all_n = signature_schemes_ours().n;
        CHECK_INT(asked_schemes_n, has_fewer ? 2 : all_n);
        CHECK_INT(asked_schemes_cert_n, has_fewer ? all_n : 0);
        leave(&t);
    }
}

TEST(the_names_of_our_cas_are_told)
{
    static const uint8_t names[] = {
        0, 15, 0x30, 13, 0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 0x0c, 2, 'a', 'b'};
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        char text[64] = "";
        meet_mutually(&t, version, PEER_OPTIONAL);
        t.server.native.authorities = (struct bytes){names, sizeof(names)};
        shake(&t);
        CHECK(is_complete(&t));
        const STACK_OF(X509_NAME) *told = SSL_get0_peer_CA_list(t.client.ssl);
        CHECK_INT(sk_X509_NAME_num(told), 1);
        X509_NAME_oneline(sk_X509_NAME_value(told, 0), text, sizeof(text));
        CHECK_TEXT(text, "/CN=ab");
        leave(&t);
    }
}

TEST(a_refused_client_gets_the_alert)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting t;
        meet_mutually(&t, version, PEER_REQUIRED);
        show(t.ctx, made(&ecdsa, KEY_EC_P256));
        t.server.answer = 44;
        shake(&t);
        CHECK(has_failed(&t, TLSCONN_FAULT_PEER_CERTIFICATE, 44));
        CHECK_TEXT(
            t.server.m->failure.text, "the peer's certificate is refused: certificate_revoked");
        CHECK(!t.server.m->failure.no_certificate);
        CHECK_INT(t.client.alert, 44);
        leave(&t);
    }
}

TEST(a_client_without_a_certificate)
{
    static const struct {
        enum tlspolicy_peer peer;
        uint8_t answer;
        unsigned judged;
        bool enters;
    } rows[] = {
        {PEER_REQUIRED, 0, 0, false}, {PEER_OPTIONAL, 0, 1, true}, {PEER_OPTIONAL, 49, 1, false}};
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct meeting t;
            uint8_t alert =
                version == TLS_1_3 ? ALERT_CERTIFICATE_REQUIRED : ALERT_HANDSHAKE_FAILURE;
            meet_mutually(&t, version, rows[i].peer);
            t.server.answer = rows[i].answer;
            shake(&t);
            CHECK_INT(t.server.judged, rows[i].judged);
            CHECK_INT(t.server.chain_n, 0);
            CHECK_INT(t.server.event == MACHINE_COMPLETE, rows[i].enters);
            if (!rows[i].enters) {
                CHECK(has_failed(&t, TLSCONN_FAULT_PEER_CERTIFICATE, alert));
                CHECK(t.server.m->failure.no_certificate);
                CHECK_TEXT(t.server.m->failure.text, "the peer sent no certificate");
            }
            leave(&t);
        }
}

/* ---- changed on the way ---- */

/* The version in the header of a plain record counts for nothing (RFC 8446 §5.1). */
static bool is_version(struct bytes wire, size_t at)
{
    size_t record = 0;
    while (record + 5 <= at)
        record += 5u + (size_t)(wire.at[record + 3] << 8 | wire.at[record + 4]);
    return at == record + 1 || at == record + 2;
}

/* One bit of the octet at AT in the client's FLIGHT is changed. False: there is no such octet. */
static bool shake_changed(struct meeting *t, unsigned flight, size_t at)
{
    struct buf *wire = &t->server.m->wire_in;
    for (unsigned i = 0; i < flight; i++) {
        raw_hello(&t->client, wire);
        side_run(&t->server);
        side_deliver(&t->server, &t->client);
    }
    raw_hello(&t->client, wire);
    struct bytes all = buf_bytes(wire);
    if (at >= all.n)
        return false;
    if (!is_version(all, at)) {
        wire->at[wire->start + at] ^= 1;
        side_handshake(&t->client, &t->server);
        CHECK(!facts(t)->is_handshake_complete);
    }
    return true;
}

TEST(no_octet_changes_unnoticed)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (unsigned flight = 0; flight < 2; flight++) {
            struct meeting t;
            bool is_there = true;
            meet_mutually(&t, version, PEER_REQUIRED);
            show(t.ctx, made(&ecdsa, KEY_EC_P256));
            for (size_t at = 0; is_there; at++) {
                begin(&t, "www.example", NULL);
                is_there = shake_changed(&t, flight, at);
                if (test_failed) {
                    printf("# %04x, flight %u, octet %zu\n", version, flight, at);
                    is_there = false;
                }
                if (is_there)
                    raw_free(&t.client);
            }
            leave(&t);
        }
}

/* ---- resumption ---- */

/* A session by a first handshake, under what T says. */
static SSL_SESSION *session_of(struct meeting *t)
{
    shake(t);
    CHECK(is_complete(t));
    SSL_SESSION *s = t->client.session;
    t->client.session = NULL;
    raw_free(&t->client);
    CHECK(s != NULL);
    return s;
}

static void shake_again(struct meeting *t, const char *server_name, SSL_SESSION *session)
{
    begin(t, server_name, session);
    side_handshake(&t->client, &t->server);
}

TEST(a_session_goes_on)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int is_mutual = 0; is_mutual < 2; is_mutual++) {
            struct meeting t;
            meet_mutually(&t, version, is_mutual ? PEER_REQUIRED : PEER_NOT_ASKED);
            t.server.policy.tickets = true;
            show(t.ctx, made(&ecdsa, KEY_EC_P256));
            SSL_SESSION *session = session_of(&t);
            t.server.now_s += 60;
            shake_again(&t, "www.example", session);
            CHECK(is_complete(&t));
            CHECK(facts(&t)->resumed && SSL_session_reused(t.client.ssl));
            CHECK_INT(t.server.judged, is_mutual);
            CHECK_INT(t.server.chain_n, is_mutual);
            CHECK(!facts(&t)->peer_asked && !facts(&t)->credential);
            CHECK_TEXT(facts(&t)->group, version == TLS_1_3 ? "x25519" : "");
            CHECK_INT(t.server.m->authenticated_s, NOW_S);
            CHECK_INT(t.client.session != NULL, version == TLS_1_3); /* each use earns a new one */
            leave(&t);
            SSL_SESSION_free(session);
        }
}

/* Any doubt is a full handshake in the same connection. */
TEST(a_session_that_does_not_go_on)
{
    static const struct {
        const char *what, *server_name;
        int later_s;
        uint32_t lifetime_s;
        bool has_other_policy, is_off;
    } rows[] = {
        {"another name", "other.example", 0, 3600, false, false},
        {"past its deadline", "www.example", 3600, 7200, false, false},
        {"past a new deadline", "www.example", 600, 600, false, false},
        {"another policy", "www.example", 0, 3600, true, false},
        {"tickets are off now", "www.example", 0, 3600, false, true},
    };
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct meeting t;
            meet(&t, version);
            t.server.policy.tickets = true;
            t.server.policy.session_lifetime_s = 3600;
            SSL_SESSION *session = session_of(&t);
            t.server.now_s += rows[i].later_s;
            t.server.policy.session_lifetime_s = rows[i].lifetime_s;
            t.server.policy.binding[0] ^= rows[i].has_other_policy;
            if (rows[i].has_other_policy)
                ticket_keys_init(&t.server.policy);
            t.server.policy.tickets = !rows[i].is_off;
            shake_again(&t, rows[i].server_name, session);
            CHECK(is_complete(&t));
            /* RFC 8446 §4.6.1: in TLS 1.3 a ticket is the policy's, not the name's. */
            bool resumes = i == 0 && version == TLS_1_3;
            if (facts(&t)->resumed != resumes)
                printf("# %s, %04x\n", rows[i].what, version);
            CHECK_INT(facts(&t)->resumed, resumes);
            CHECK_INT(SSL_session_reused(t.client.ssl), resumes);
            CHECK(facts(&t)->credential == (resumes ? NULL : ecdsa));
            leave(&t);
            SSL_SESSION_free(session);
        }
}

static uint8_t verdicts[4];
static size_t verdicts_n;

static uint8_t next_verdict(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    CHECK_INT(chain_n, 1);
    return verdicts_n < COUNT_OF(verdicts) ? verdicts[verdicts_n++] : 255;
}

/* The ticket's client is not welcome any more: it has to show itself anew, and may be another. */
TEST(a_refused_ticket_is_a_full_handshake)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (uint8_t second = 0; second <= 44; second += 44) {
            struct meeting t;
            struct tlsconn_handler handler;
            meet_mutually(&t, version, PEER_REQUIRED);
            t.server.policy.tickets = true;
            show(t.ctx, made(&ecdsa, KEY_EC_P256));
            SSL_SESSION *session = session_of(&t);
            begin(&t, "www.example", session);
            handler = *t.server.m->handler;
            handler.judge = next_verdict;
            t.server.m->handler = &handler;
            verdicts[0] = 44;
            verdicts[1] = second;
            verdicts_n = 0;
            side_handshake(&t.client, &t.server);
            CHECK(!facts(&t)->resumed);
            CHECK(facts(&t)->peer_asked);
            CHECK_INT(verdicts_n, 2);
            if (second)
                CHECK(has_failed(&t, TLSCONN_FAULT_PEER_CERTIFICATE, 44));
            else
                CHECK(is_complete(&t));
            leave(&t);
            SSL_SESSION_free(session);
        }
}

TEST(a_resumed_session_keeps_its_deadline)
{
    struct meeting t;
    meet(&t, TLS_1_3);
    t.server.policy.tickets = true;
    t.server.policy.session_lifetime_s = 3600;
    SSL_SESSION *session = session_of(&t);
    t.server.policy.session_lifetime_s = 7200; /* too late for this one */
    for (int i = 0; i < 3; i++) {
        t.server.now_s += 1000;
        shake_again(&t, "www.example", session);
        CHECK(is_complete(&t) && facts(&t)->resumed);
        CHECK_INT(SSL_SESSION_get_ticket_lifetime_hint(t.client.session), 3600 - 1000 * (i + 1));
        SSL_SESSION_free(session);
        session = t.client.session;
        t.client.session = NULL;
        raw_free(&t.client);
    }
    t.server.now_s += 600;
    shake_again(&t, "www.example", session);
    CHECK(is_complete(&t) && !facts(&t)->resumed);
    leave(&t);
    SSL_SESSION_free(session);
}

/* A ticket of the hour before opens still, and is replaced; one of the hour before that does not.
 */
TEST(a_ticket_of_the_hour_before)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int hours = 1; hours <= 2; hours++) {
            struct meeting t;
            meet(&t, version);
            t.server.policy.tickets = true;
            SSL_SESSION *session = session_of(&t);
            t.server.now_s += hours * HOUR_S;
            shake_again(&t, "www.example", session);
            CHECK(is_complete(&t));
            CHECK_INT(facts(&t)->resumed, hours == 1);
            CHECK(memchr(t.server.sent, MESSAGE_NEW_SESSION_TICKET, t.server.sent_n));
            CHECK_INT(SSL_SESSION_get_ticket_lifetime_hint(SSL_get_session(t.client.ssl)),
                hours == 1 ? 23 * HOUR_S : 24 * HOUR_S);
            leave(&t);
            SSL_SESSION_free(session);
        }
}

/* RFC 8446 §4.2.11: "MUST abort". The binder is the end of the ClientHello. */
TEST(a_wrong_binder_ends_the_handshake)
{
    struct meeting t;
    struct buf hello;
    meet(&t, TLS_1_3);
    t.server.policy.tickets = true;
    SSL_SESSION *session = session_of(&t);
    begin(&t, "www.example", session);
    buf_init(&hello, TLSCONN_WIRE_MAX);
    raw_hello(&t.client, &hello);
    hello.at[hello.end - 1] ^= 1;
    side_feed(&t.server, buf_bytes(&hello));
    CHECK(has_failed(&t, TLSCONN_FAULT_PROTOCOL, ALERT_DECRYPT_ERROR));
    CHECK_TEXT(t.server.m->failure.text, "binder does not verify");
    buf_fini(&hello);
    leave(&t);
    SSL_SESSION_free(session);
}

/* RFC 7627 §5.3 */
TEST(a_session_needs_the_extended_master_secret)
{
    struct meeting t;
    meet(&t, TLS_1_2);
    t.server.policy.tickets = true;
    SSL_SESSION *session = session_of(&t);
    begin(&t, "www.example", session);
    SSL_set_options(t.client.ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    side_handshake(&t.client, &t.server);
    CHECK(has_failed(&t, TLSCONN_FAULT_PROTOCOL, ALERT_HANDSHAKE_FAILURE));
    CHECK_TEXT(t.server.m->failure.text, "inconsistent extms");
    raw_free(&t.client);
    SSL_SESSION_free(session);
    /* … and without it there is none. */
    begin(&t, "www.example", NULL);
    SSL_set_options(t.client.ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    side_handshake(&t.client, &t.server);
    CHECK(is_complete(&t));
    CHECK(!memchr(t.server.sent, MESSAGE_NEW_SESSION_TICKET, t.server.sent_n));
    leave(&t);
}

TEST(a_session_goes_on_after_a_retry)
{
    struct meeting t;
    meet(&t, TLS_1_3);
    t.server.policy.tickets = true;
    SSL_SESSION *session = session_of(&t);
    begin(&t, "www.example", session);
    CHECK(raw_set_groups(&t.client, "X448:P-384"));
    side_handshake(&t.client, &t.server);
    CHECK(is_complete(&t) && facts(&t)->resumed);
    CHECK_TEXT(facts(&t)->group, "secp384r1");
    leave(&t);
    SSL_SESSION_free(session);
}

/* ---- early data ---- */

/* The client sends N octets of it, which no ticket of ours invited to, then goes on as usual. */
static void send_early_data(struct meeting *t, bool retries, size_t n)
{
    size_t written;
    uint8_t data[MACHINE_EARLY_DATA_MAX + 1] = {0};
    meet(t, TLS_1_3);
    t->server.policy.tickets = true;
    SSL_SESSION *session = session_of(t);
    CHECK(SSL_SESSION_set_max_early_data(session, 2 * MACHINE_EARLY_DATA_MAX) == 1);
    begin(t, "www.example", session);
    if (retries)
        CHECK(raw_set_groups(&t->client, "X448:P-256"));
    for (size_t sent = 0; sent < n; sent += written)
        CHECK(SSL_write_early_data(
                  t->client.ssl, data, n - sent < 5000 ? n - sent : 5000, &written) == 1);
    side_handshake(&t->client, &t->server);
    SSL_SESSION_free(session);
}

TEST(early_data_is_skipped)
{
    for (int retries = 0; retries < 2; retries++) {
        struct meeting t;
        send_early_data(&t, retries, MACHINE_EARLY_DATA_MAX);
        CHECK(is_complete(&t));
        CHECK_INT(facts(&t)->resumed, true);
        CHECK_INT(SSL_get_early_data_status(t.client.ssl), SSL_EARLY_DATA_REJECTED);
        CHECK_INT(machine_opened(t.server.m).n, 0);
        leave(&t);
    }
}

TEST(early_data_without_end_is_not)
{
    for (int retries = 0; retries < 2; retries++) {
        struct meeting t;
        send_early_data(&t, retries, MACHINE_EARLY_DATA_MAX + 1);
        CHECK(has_failed(&t, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
        CHECK_TEXT(t.server.m->failure.text, "too much early data");
        leave(&t);
    }
}
