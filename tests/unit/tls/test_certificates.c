/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates on both sides: which is shown under which name and to whom, stapling; the peer's,
 * its verdict and the alert that really goes out. */
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/issue.h"
#include "crypto/native.h"
#include "pair.h"
#include "test.h"

#include "base/ban.h"

enum { CRED_ECDSA, CRED_RSA, CRED_ED25519, CRED_PSS, CRED_WILD, CRED_EXACT, CREDENTIALS };
static struct credential *all[CREDENTIALS];
static const struct credential *const *const shown = (const struct credential *const *)all;

__attribute__((constructor)) static void make_credentials(void)
{
    all[CRED_ECDSA] = pair_credential(KEY_EC_P256, "www.example");
    all[CRED_RSA] = pair_credential(KEY_RSA, "www.example");
    all[CRED_ED25519] = pair_credential(KEY_ED25519, "www.example");
    all[CRED_PSS] = pair_credential(KEY_RSA_PSS_SHA384, "www.example");
    all[CRED_WILD] = pair_credential(KEY_EC_P384, "*.wild.example");
    all[CRED_EXACT] = pair_credential(KEY_EC_P521, "exact.wild.example");
    pair_staple(all[CRED_ECDSA], "staple of ECDSA");
    pair_staple(all[CRED_RSA], "staple of RSA");
    pair_staple(all[CRED_ED25519], "staple that has ended");
    all[CRED_ECDSA]->ocsp_until_s = NOW_S;
    all[CRED_ED25519]->ocsp_until_s = NOW_S - 1;
}

__attribute__((destructor)) static void free_credentials(void)
{
    for (size_t i = 0; i < CREDENTIALS; i++)
        pair_credential_free(&all[i]);
}

static int index_of(const struct credential *c)
{
    for (int i = 0; i < CREDENTIALS; i++)
        if (all[i] == c)
            return i;
    return -1;
}

/* ---- ours ---- */

static const struct {
    const char *name;
    int shown;
    const char *sni; /* in the facts */
} names[] = {
    {NULL, CRED_ECDSA, ""},
    {"www.example", CRED_ECDSA, "www.example"},
    {"nobody.example", CRED_ECDSA, "nobody.example"},
    {"a.wild.example", CRED_WILD, "a.wild.example"},
    {"A.Wild.EXAMPLE", CRED_WILD, "a.wild.example"},
    {"a.wild.example.", CRED_WILD, "a.wild.example."},
    {"exact.wild.example", CRED_EXACT, "exact.wild.example"},
    {"EXACT.wild.example.", CRED_EXACT, "exact.wild.example."},
    {"a.b.wild.example", CRED_ECDSA, "a.b.wild.example"},
    {"wild.example", CRED_ECDSA, "wild.example"},
    {"exact.wild.example\n", CRED_ECDSA, "exact.wild.example\\x0a"},
};

TEST(the_name_selects_the_certificate)
{
    struct tlspolicy_config config = pair_config(TLSPOLICY_SERVER, shown, CREDENTIALS);
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            struct raw client;
            struct end server;
            raw_new(&client, ctx, names[i].name, NULL);
            end_server(&server, policy);
            raw_handshake(&client, &server);
            CHECK_INT(server.status, TLSCONN_OK);
            CHECK_INT(index_of(tlsconn_facts(server.c)->credential), names[i].shown);
            CHECK_TEXT(tlsconn_facts(server.c)->sni, names[i].sni);
            CHECK_INT(server.has_sni, names[i].name != NULL);
            CHECK_TEXT(server.sni, names[i].name ? names[i].name : "");
            /* RFC 6066 §3: the name was used, and the server says so. */
            const char *acknowledged = SSL_SESSION_get0_hostname(SSL_get_session(client.ssl));
            CHECK_TEXT(acknowledged ? acknowledged : "", names[i].name ? names[i].name : "");
            raw_free(&client);
            end_free(&server);
        }
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&policy);
}

/* The policy chosen has its own certificates, whatever the connection began with. */
TEST(the_chosen_policy_shows_its_certificates)
{
    struct tlspolicy_config first = pair_config(TLSPOLICY_SERVER, shown, 1);
    struct tlspolicy_config second = pair_config(TLSPOLICY_SERVER, shown + CRED_RSA, 1);
    struct tlspolicy *initial = pair_policy(&first), *chosen = pair_policy(&second);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        struct raw client;
        struct end server;
        raw_new(&client, ctx, "www.example", NULL);
        end_server(&server, initial);
        server.policy = chosen;
        raw_handshake(&client, &server);
        CHECK_INT(server.status, TLSCONN_OK);
        CHECK_INT(index_of(tlsconn_facts(server.c)->credential), CRED_RSA);
        raw_free(&client);
        end_free(&server);
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&initial);
    tlspolicy_free(&chosen);
}

/* Versions too belong to the chosen policy. */
TEST(the_chosen_policy_limits_versions)
{
    struct tlspolicy_config first = pair_config(TLSPOLICY_SERVER, shown, 1), second = first;
    second.version_min = TLS_1_3;
    struct tlspolicy *loose = pair_policy(&first), *strict = pair_policy(&second);
    SSL_CTX *ctx = raw_context(TLS_1_2, TLS_1_2);
    struct raw client;
    struct end server;
    raw_new(&client, ctx, "www.example", NULL);
    end_server(&server, loose);
    server.policy = strict;
    raw_handshake(&client, &server);
    CHECK_INT(client.alert, 70);
    CHECK_INT(tlsconn_failure(server.c)->fault, TLSCONN_FAULT_NO_COMMON);
    raw_free(&client);
    end_free(&server);
    raw_new(&client, ctx, "www.example", NULL);
    end_server(&server, strict);
    server.policy = loose;
    raw_handshake(&client, &server);
    CHECK_INT(server.status, TLSCONN_OK);
    raw_free(&client);
    end_free(&server);
    SSL_CTX_free(ctx);
    tlspolicy_free(&loose);
    tlspolicy_free(&strict);
}

TEST(the_client_gets_a_kind_that_it_verifies)
{
    static const struct {
        const char *schemes;
        int shown;
    } cases[] = {
        {"ECDSA+SHA256", CRED_ECDSA},
        {"RSA-PSS+SHA256", CRED_RSA},
        {"ed25519", CRED_ED25519},
        {"rsa_pss_pss_sha256:rsa_pss_pss_sha384", CRED_PSS}, /* it is for SHA-384 alone */
        {"rsa_pss_pss_sha256", -1},
        {"RSA-PSS+SHA256:ECDSA+SHA256", CRED_ECDSA}, /* the server's order */
        {"ed448", -1},
    };
    struct tlspolicy_config config = pair_config(TLSPOLICY_SERVER, shown, 4);
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct raw client;
            struct end server;
            raw_new(&client, ctx, "www.example", NULL);
            CHECK(raw_set_schemes(&client, cases[i].schemes));
            end_server(&server, policy);
            raw_handshake(&client, &server);
            CHECK_INT(server.status, cases[i].shown < 0 ? TLSCONN_FAILED : TLSCONN_OK);
            CHECK_INT(index_of(tlsconn_facts(server.c)->credential), cases[i].shown);
            if (cases[i].shown < 0)
                CHECK_INT(tlsconn_failure(server.c)->fault, TLSCONN_FAULT_NO_COMMON);
            raw_free(&client);
            end_free(&server);
        }
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&policy);
}

TEST(the_staple_is_that_of_the_certificate_while_it_lasts)
{
    static const struct {
        const char *schemes, *staple;
    } cases[] = {
        {"ECDSA+SHA256", "staple of ECDSA"}, {"RSA-PSS+SHA256", "staple of RSA"}, {"ed25519", ""}};
    struct tlspolicy_config config = pair_config(TLSPOLICY_SERVER, shown, 3);
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
            struct raw client;
            struct end server;
            const unsigned char *at;
            bool is_asked = i % 2;
            raw_new(&client, ctx, "www.example", NULL);
            CHECK(raw_set_schemes(&client, cases[i / 2].schemes));
            if (is_asked)
                SSL_set_tlsext_status_type(client.ssl, TLSEXT_STATUSTYPE_ocsp);
            end_server(&server, policy);
            raw_handshake(&client, &server);
            long n = SSL_get_tlsext_status_ocsp_resp(client.ssl, &at);
            struct bytes got = {at, n > 0 ? (size_t)n : 0};
            CHECK(bytes_equal(got, bytes_of(is_asked ? cases[i / 2].staple : "")));
            raw_free(&client);
            end_free(&server);
        }
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&policy);
}

/* ---- T9: the ClientHello in pieces ---- */

/* The same handshake messages in records of at most N bytes. */
static void split_records(struct bytes flight, size_t n, struct buf *out)
{
    while (flight.n > 5) {
        size_t length = (size_t)(flight.at[3] << 8 | flight.at[4]);
        struct bytes body = bytes_first(bytes_skip(flight, 5), length);
        for (; body.n; body = bytes_skip(body, n)) {
            struct bytes piece = bytes_first(body, n);
            const uint8_t header[] = {flight.at[0], flight.at[1], flight.at[2],
                (uint8_t)(piece.n >> 8), (uint8_t)piece.n};
            CHECK_INT(buf_append(out, (struct bytes){header, 5}), 0);
            CHECK_INT(buf_append(out, piece), 0);
        }
        flight = bytes_skip(flight, 5 + length);
    }
}

TEST(a_hello_in_pieces_selects_as_a_whole_one)
{
    static const size_t record_sizes[] = {16384, 1, 2, 3, 100, 257};
    /* An ALPN list that makes the hello longer than any packet. */
    uint8_t alpn[3000];
    for (size_t i = 0; i < sizeof(alpn); i++)
        alpn[i] = i % 250 ? 'x' : 249;
    struct tlspolicy_config config = pair_config(TLSPOLICY_SERVER, shown, CREDENTIALS);
    struct tlspolicy *initial = pair_policy(&config);
    config = pair_config(TLSPOLICY_SERVER, shown + CRED_WILD, 2);
    struct tlspolicy *chosen = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        for (size_t i = 0; i < 4 * sizeof(record_sizes) / sizeof(record_sizes[0]); i++) {
            SSL_CTX *ctx = raw_context(version, version);
            struct raw client;
            struct end server;
            struct buf whole, split;
            buf_init(&whole, 65536);
            buf_init(&split, 65536);
            raw_new(&client, ctx, "exact.wild.example", NULL);
            if (i % 2)
                CHECK_INT(SSL_set_alpn_protos(client.ssl, alpn, sizeof(alpn)), 0);
            end_server(&server, initial);
            server.policy = chosen;
            raw_hello(&client, &whole);
            split_records(buf_bytes(&whole), record_sizes[i / 4], &split);
            size_t step = i / 2 % 2 ? 1 : buf_size(&split);
            for (struct bytes left = buf_bytes(&split); left.n; left = bytes_skip(left, step)) {
                CHECK_INT(buf_size(tlsconn_wire_out(server.c)), 0);
                CHECK_INT(server.chosen, 0);
                end_feed(&server, bytes_first(left, step));
            }
            CHECK_INT(server.chosen, 1);
            CHECK_TEXT(server.sni, "exact.wild.example");
            raw_handshake(&client, &server);
            CHECK_INT(server.status, TLSCONN_OK);
            CHECK_INT(index_of(tlsconn_facts(server.c)->credential), CRED_EXACT);
            buf_fini(&whole);
            buf_fini(&split);
            raw_free(&client);
            end_free(&server);
            SSL_CTX_free(ctx);
        }
    }
    tlspolicy_free(&initial);
    tlspolicy_free(&chosen);
}

/* The rest of a ClientHello may not change after HelloRetryRequest (RFC 8446 §4.1.2): a client that
 * showed one name to choose the policy by, and another to be served under, would get past a check
 * on either. */
TEST(the_name_may_not_change_after_hello_retry_request)
{
    struct tlspolicy_config config = pair_config(TLSPOLICY_SERVER, shown, 1);
    struct tlspolicy *policy = pair_policy(&config);
    SSL_CTX *ctx = raw_context(TLS_1_3, TLS_1_3);
    for (int is_changed = 0; is_changed < 2; is_changed++) {
        struct raw client;
        struct end server;
        raw_new(&client, ctx, "www.example", NULL);
        CHECK(raw_set_groups(&client, "P-521:P-384"));
        end_server(&server, policy);
        raw_hello(&client, tlsconn_wire_in(server.c));
        CHECK_INT(tlsconn_handshake(server.c, NOW_S), TLSCONN_WANT_INPUT);
        struct buf *out = tlsconn_wire_out(server.c), *in = tlsconn_wire_in(server.c);
        BIO_write(SSL_get_rbio(client.ssl), buf_bytes(out).at, (int)buf_size(out));
        buf_clear(out);
        raw_hello(&client, in);
        uint8_t *name = memmem(in->at + in->start, buf_size(in), "www.example", 11);
        CHECK(name != NULL);
        if (name && is_changed)
            name[0] = 'x';
        CHECK_INT(
            tlsconn_handshake(server.c, NOW_S), is_changed ? TLSCONN_FAILED : TLSCONN_WANT_INPUT);
        CHECK_INT(tlsconn_failure(server.c)->alert, is_changed ? 47 : 0);
        raw_free(&client);
        end_free(&server);
    }
    SSL_CTX_free(ctx);
    tlspolicy_free(&policy);
}

/* ---- the client's ---- */

struct meeting {
    struct tlspolicy *server_policy, *client_policy;
    struct end server, client;
};

static void meet_in_groups(struct meeting *m, uint16_t version, enum tlspolicy_peer peer,
    const struct credential *client, uint8_t server_answers, struct tlspolicy_list groups)
{
    struct tlspolicy_config s = pair_config(TLSPOLICY_SERVER, shown, 1);
    struct tlspolicy_config c = pair_config(TLSPOLICY_CLIENT, &client, client ? 1 : 0);
    s.peer = peer;
    s.version_max = version;
    s.groups = c.groups = groups;
    m->server_policy = pair_policy(&s);
    m->client_policy = pair_policy(&c);
    end_server(&m->server, m->server_policy);
    end_client(&m->client, m->client_policy, "www.example");
    m->server.answer = server_answers;
    pair_handshake(&m->client, &m->server);
}

static void meet(struct meeting *m, uint16_t version, enum tlspolicy_peer peer,
    const struct credential *client, uint8_t server_answers)
{
    meet_in_groups(m, version, peer, client, server_answers, (struct tlspolicy_list){0});
}

static void part(struct meeting *m)
{
    end_free(&m->server);
    end_free(&m->client);
    tlspolicy_free(&m->server_policy);
    tlspolicy_free(&m->client_policy);
}

/* The alert that the client receives; in TLS 1.3 after its handshake is complete (RFC 8446 §4.4.4).
 */
static int alert_at_client(struct meeting *m)
{
    struct buf out;
    buf_init(&out, 100);
    ignore_result(tlsconn_read(m->client.c, &out));
    buf_fini(&out);
    const struct tlsconn_failure *f = tlsconn_failure(m->client.c);
    return f->fault == TLSCONN_FAULT_ALERT_RECEIVED ? f->alert : -1;
}

TEST(a_good_client_certificate)
{
    /* In TLS 1.2 the scheme names a hash, not a curve. A key on P-521 is shown in TLS 1.3 only:
     * in 1.2 the groups of the ClientHello, of which P-521 is none, rule certificates as well (RFC
     * 8422 §5.1). */
    static const char *const schemes[CREDENTIALS][2] = {
        {"ecdsa_secp256r1_sha256", "ecdsa_secp256r1_sha256"},
        {"rsa_pss_rsae_sha256", "rsa_pss_rsae_sha256"},
        {"ed25519", "ed25519"},
        {"rsa_pss_pss_sha384", "rsa_pss_pss_sha384"},
        {"ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384"},
        {NULL, "ecdsa_secp521r1_sha512"},
    };
    for (int kind = CRED_ECDSA; kind < CREDENTIALS; kind++)
        for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
            const char *scheme = schemes[kind][version - TLS_1_2];
            for (enum tlspolicy_peer peer = PEER_OPTIONAL; scheme && peer <= PEER_REQUIRED;
                 peer++) {
                struct meeting m;
                meet(&m, version, peer, all[kind], 0);
                CHECK_INT(m.server.status, TLSCONN_OK);
                CHECK_INT(m.client.status, TLSCONN_OK);
                CHECK_INT(m.server.judged, 1);
                CHECK_INT(m.server.chain_n, 1);
                CHECK_TEXT(m.server.leaf, certificate_subject(all[kind]->chain.at[0]));
                CHECK(
                    tlsconn_facts(m.server.c)->peer_asked && tlsconn_facts(m.client.c)->peer_asked);
                CHECK(tlsconn_facts(m.client.c)->credential == all[kind]);
                CHECK_TEXT(tlsconn_facts(m.server.c)->signature, scheme);
                part(&m);
            }
        }
}

TEST(a_client_certificate_on_p521_where_that_is_a_group)
{
    static const uint16_t groups[] = {0x001d, 0x0017, 0x0019};
    const struct credential *c = all[CREDENTIALS - 1];
    CHECK_INT(credential_key_kind(c), KEY_EC_P521);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting m;
        meet_in_groups(&m, version, PEER_REQUIRED, c, 0, (struct tlspolicy_list){groups, 3});
        CHECK_INT(m.server.status, TLSCONN_OK);
        CHECK_INT(m.client.status, TLSCONN_OK);
        CHECK_INT(tlsconn_facts(m.server.c)->version, version);
        CHECK(tlsconn_facts(m.client.c)->credential == c);
        part(&m);
    }
}

TEST(each_refusal_has_its_alert)
{
    static const struct {
        uint8_t answer, alert;
    } cases[] = {
        {40, 40},
        {42, 42},
        {43, 43},
        {44, 44},
        {45, 45},
        {46, 46},
        {48, 48},
        {51, 51},
        {80, 80},
        {49, 46}, /* libssl has none for access_denied */
        {113, 46},
    };
    bool is_native = pair_engine() == ENGINE_NATIVE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (enum tlspolicy_peer peer = PEER_OPTIONAL; peer <= PEER_REQUIRED; peer++)
            for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
                struct meeting m;
                uint8_t alert = is_native ? cases[i].answer : cases[i].alert;
                meet(&m, version, peer, all[CRED_RSA], cases[i].answer);
                const struct tlsconn_failure *f = tlsconn_failure(m.server.c);
                CHECK_INT(m.server.status, TLSCONN_FAILED);
                CHECK_INT(f->fault, TLSCONN_FAULT_PEER_CERTIFICATE);
                CHECK_INT(f->alert, alert);
                CHECK(!f->no_certificate);
                CHECK(!tlsconn_facts(m.server.c)->is_handshake_complete);
                CHECK_INT(alert_at_client(&m), alert);
                part(&m);
            }
}

TEST(no_certificate_where_one_is_demanded)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting m;
        meet(&m, version, PEER_REQUIRED, NULL, 0);
        const struct tlsconn_failure *f = tlsconn_failure(m.server.c);
        CHECK_INT(m.server.status, TLSCONN_FAILED);
        CHECK_INT(f->fault, TLSCONN_FAULT_PEER_CERTIFICATE);
        CHECK(f->no_certificate);
        CHECK_TEXT(f->text, "the peer sent no certificate");
        CHECK_INT(m.server.judged, 0);
        CHECK_INT(f->alert, version == TLS_1_3 ? 116 : 40);
        CHECK_INT(alert_at_client(&m), f->alert);
        CHECK(tlsconn_facts(m.client.c)->peer_asked);
        CHECK(tlsconn_facts(m.client.c)->credential == NULL);
        part(&m);
    }
}

TEST(no_certificate_where_one_is_optional)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting m;
        meet(&m, version, PEER_OPTIONAL, NULL, 0);
        CHECK_INT(m.server.status, TLSCONN_OK);
        CHECK_INT(m.server.judged, 1);
        CHECK_INT(m.server.chain_n, 0);
        part(&m);
        /* The judge may still refuse. */
        meet(&m, version, PEER_OPTIONAL, NULL, 46);
        CHECK_INT(m.server.status, TLSCONN_FAILED);
        CHECK_INT(tlsconn_failure(m.server.c)->fault, TLSCONN_FAULT_PEER_CERTIFICATE);
        CHECK(tlsconn_failure(m.server.c)->no_certificate);
        CHECK_INT(alert_at_client(&m), version == TLS_1_3 ? 116 : 40);
        part(&m);
    }
}

TEST(nobody_is_asked_under_one_way)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting m;
        meet(&m, version, PEER_NOT_ASKED, all[CRED_RSA], 42);
        CHECK_INT(m.server.status, TLSCONN_OK);
        CHECK_INT(m.server.judged, 0);
        CHECK(!tlsconn_facts(m.server.c)->peer_asked && !tlsconn_facts(m.client.c)->peer_asked);
        CHECK(tlsconn_facts(m.client.c)->credential == NULL);
        part(&m);
    }
}

/* Whom to ask is up to the chosen policy, in both directions. */
TEST(the_chosen_policy_decides_who_is_asked)
{
    struct tlspolicy_config open = pair_config(TLSPOLICY_SERVER, shown, 1), closed = open;
    closed.peer = PEER_REQUIRED;
    struct tlspolicy *one_way = pair_policy(&open), *mutual = pair_policy(&closed);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        for (int is_mutual = 0; is_mutual < 2; is_mutual++) {
            struct raw client;
            struct end server;
            raw_new(&client, ctx, "www.example", NULL);
            end_server(&server, is_mutual ? one_way : mutual);
            server.policy = is_mutual ? mutual : one_way;
            raw_handshake(&client, &server);
            CHECK_INT(server.status, is_mutual ? TLSCONN_FAILED : TLSCONN_OK);
            CHECK_INT(tlsconn_failure(server.c)->no_certificate, is_mutual);
            raw_free(&client);
            end_free(&server);
        }
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&one_way);
    tlspolicy_free(&mutual);
}

/* libssl reads BER, and would show something else than what came: TRUE is FF in DER (X.690 §11.1).
 */
TEST(a_certificate_that_is_not_der_is_refused_as_it_came)
{
    struct tlspolicy_config config = pair_config(TLSPOLICY_SERVER, shown, 1);
    config.peer = PEER_REQUIRED;
    struct tlspolicy *policy = pair_policy(&config);
    const struct credential *own = all[CRED_RSA];
    struct issue_request request = {
        .profile = ISSUE_CLIENT, .common_name = "client", .not_after = 1, .key = own->key};
    struct buf der;
    struct error err;
    buf_init(&der, 4096);
    ASSERT(issue_certificate(&request, &der, &err) == 0);
    uint8_t *at = (uint8_t *)(uintptr_t)buf_bytes(&der).at;
    uint8_t *yes = memmem(at, buf_size(&der), "\x01\x01\xff", 3);
    ASSERT(yes);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int is_der = 0; is_der < 2; is_der++) {
            yes[2] = is_der ? 0xff : 0x01;
            SSL_CTX *ctx = raw_context(version, version);
            ASSERT(SSL_CTX_use_certificate_ASN1(ctx, (int)buf_size(&der), at) == 1 &&
                   SSL_CTX_use_PrivateKey(ctx, private_key_pkey(own->key)) == 1);
            struct raw client;
            struct end server;
            raw_new(&client, ctx, "www.example", NULL);
            end_server(&server, policy);
            raw_handshake(&client, &server);
            CHECK_INT(server.status, is_der ? TLSCONN_OK : TLSCONN_FAILED);
            CHECK_INT(server.judged, is_der);
            CHECK(is_der || strstr(tlsconn_failure(server.c)->text, "malformed certificate: "));
            raw_free(&client);
            end_free(&server);
            SSL_CTX_free(ctx);
        }
    buf_fini(&der);
    tlspolicy_free(&policy);
}

static int names_asked_for(uint16_t version, const struct certificate_list *ca)
{
    struct tlspolicy_config plain = pair_config(TLSPOLICY_SERVER, shown, 1), asking = plain;
    asking.peer = PEER_OPTIONAL;
    asking.ca = ca;
    struct tlspolicy *initial = pair_policy(&plain), *policy = pair_policy(&asking);
    SSL_CTX *ctx = raw_context(version, version);
    struct raw client;
    struct end server;
    raw_new(&client, ctx, "www.example", NULL);
    end_server(&server, initial);
    server.policy = policy;
    raw_handshake(&client, &server);
    CHECK_INT(server.status, TLSCONN_OK);
    int n = sk_X509_NAME_num(SSL_get0_peer_CA_list(client.ssl));
    raw_free(&client);
    end_free(&server);
    SSL_CTX_free(ctx);
    tlspolicy_free(&initial);
    tlspolicy_free(&policy);
    return n < 0 ? 0 : n;
}

static size_t add_ca(struct certificate_list *to)
{
    struct credential *c = pair_credential(KEY_ED25519, "");
    certificate_list_add(to, c->chain.at[0]);
    pair_credential_free(&c);
    return 2 + certificate_facts(to->at[to->n - 1])->subject.n;
}

TEST(names_of_cas_are_sent_once_up_to_16_kib)
{
    struct certificate_list ca = {0};
    certificate_list_add(&ca, all[CRED_RSA]->chain.at[0]);
    certificate_list_add(&ca, all[CRED_WILD]->chain.at[0]);
    for (int i = 0; i < 1000; i++)
        certificate_list_add(&ca, all[CRED_RSA]->chain.at[0]);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        CHECK_INT(names_asked_for(version, NULL), 0);
        CHECK_INT(names_asked_for(version, &ca), 2);
    }
    for (size_t total = 0; total <= 16384;)
        total += add_ca(&ca);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        CHECK_INT(names_asked_for(version, &ca), 0);
    certificate_list_fini(&ca);
}

/* What CertificateRequest allows: SHA-1 and SHA-224 are not among it. */
TEST(signature_schemes_asked_for)
{
    static const uint16_t allowed[] = {0x0403, 0x0807, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806,
        0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601};
    struct tlspolicy_config config = pair_config(TLSPOLICY_SERVER, shown, 1);
    config.peer = PEER_OPTIONAL;
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        struct raw client;
        struct end server;
        raw_new(&client, ctx, "www.example", NULL);
        end_server(&server, policy);
        raw_handshake(&client, &server);
        int n = SSL_get_sigalgs(client.ssl, 0, NULL, NULL, NULL, NULL, NULL);
        CHECK_INT(n, COUNT_OF(allowed));
        for (int i = 0; i < n; i++) {
            uint8_t low, high;
            SSL_get_sigalgs(client.ssl, i, NULL, NULL, NULL, &low, &high);
            CHECK_INT(high << 8 | low, allowed[i]);
        }
        raw_free(&client);
        end_free(&server);
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&policy);
}

/* ---- the server's, judged by our client ---- */

static void check_refusal(uint16_t version, uint8_t answer)
{
    struct tlspolicy_config s = pair_config(TLSPOLICY_SERVER, shown, 1),
                            c = pair_config(TLSPOLICY_CLIENT, NULL, 0);
    s.version_max = version;
    struct tlspolicy *server_policy = pair_policy(&s), *client_policy = pair_policy(&c);
    struct end server, client;
    end_server(&server, server_policy);
    end_client(&client, client_policy, "www.example");
    client.answer = answer;
    pair_handshake(&client, &server);
    CHECK_INT(client.status, TLSCONN_FAILED);
    CHECK_INT(tlsconn_failure(client.c)->fault, TLSCONN_FAULT_PEER_CERTIFICATE);
    CHECK_INT(tlsconn_failure(client.c)->alert, answer);
    CHECK_INT(tlsconn_failure(server.c)->fault, TLSCONN_FAULT_ALERT_RECEIVED);
    CHECK_INT(tlsconn_failure(server.c)->alert, answer);
    end_free(&server);
    end_free(&client);
    tlspolicy_free(&server_policy);
    tlspolicy_free(&client_policy);
}

/* 46: the staple might change it, and does not. */
TEST(a_refused_server)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        check_refusal(version, 44);
        check_refusal(version, 46);
    }
}

/* A chain longer than allowed arrives with one element more than allowed, so that the judge can
 * tell. */
TEST(a_long_chain_is_cut_but_shows)
{
    struct credential longer = *all[CRED_ECDSA];
    struct certificate_list chain = {0};
    for (int i = 0; i < 20; i++)
        certificate_list_add(&chain, all[i ? CRED_RSA : CRED_ECDSA]->chain.at[0]);
    longer.chain = chain;
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct meeting m;
        meet(&m, version, PEER_REQUIRED, &longer, 0);
        CHECK_INT(m.server.status, TLSCONN_OK);
        CHECK_INT(m.server.chain_n, 11);
        part(&m);
    }
    certificate_list_fini(&chain);
}
