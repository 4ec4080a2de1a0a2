/* SPDX-License-Identifier: Apache-2.0 */
/* What our client resumes: whose sessions, to whom it offers them, until when. */
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"
#include "pair.h"
#include "test.h"

#include "base/ban.h"

#define LIFETIME_S 1000

static struct credential *first, *second;

__attribute__((constructor)) static void make_credentials(void)
{
    first = pair_credential(KEY_EC_P256, "a.example");
    second = pair_credential(KEY_EC_P256, "a.example");
}

__attribute__((destructor)) static void free_credentials(void)
{
    pair_credential_free(&first);
    pair_credential_free(&second);
}

static struct tlspolicy_config server_config(uint16_t version)
{
    struct tlspolicy_config c =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)&first, 1);
    c.version_min = c.version_max = version;
    c.tickets = true;
    return c;
}

static struct tlspolicy_config client_config(void)
{
    struct tlspolicy_config c = pair_config(TLSPOLICY_CLIENT, NULL, 0);
    c.tickets = true;
    c.session_lifetime_s = LIFETIME_S;
    return c;
}

static struct tlspolicy *server_policy(uint16_t version)
{
    struct tlspolicy_config config = server_config(version);
    return pair_policy(&config);
}

static struct tlspolicy *client_policy(void)
{
    struct tlspolicy_config config = client_config();
    return pair_policy(&config);
}

struct visit {
    const struct tlspolicy *client, *server;
    const char *name;
    int64_t now_s;
};

/* Was it offered, was it resumed? */
struct outcome {
    bool is_offered, is_resumed;
    unsigned sessions_n;
};

/* One connection that offers *SESSION (NULL: none) and replaces it by the one that it was given. */
static struct outcome visit(struct visit v, struct tlsconn_session **session)
{
    struct end client, server;
    struct outcome o = {0};
    struct buf plain;
    end_server(&server, v.server);
    end_client(&client, v.client, v.name);
    client.now_s = server.now_s = v.now_s;
    if (*session)
        o.is_offered = tlsconn_offer(client.c, *session, v.now_s);
    pair_handshake(&client, &server);
    CHECK_INT(client.status, TLSCONN_OK);
    CHECK_INT(server.status, TLSCONN_OK);
    buf_init(&plain, 100);
    CHECK_INT(tlsconn_read(client.c, &plain), TLSCONN_WANT_INPUT); /* tickets of TLS 1.3 */
    o.is_resumed = tlsconn_facts(client.c)->resumed;
    CHECK_INT(tlsconn_facts(server.c)->resumed, o.is_resumed);
    CHECK_INT(client.judged, !o.is_resumed);
    CHECK_INT(end_has_sent(&server, 11), !o.is_resumed);
    o.sessions_n = client.sessions_n;
    if (client.session) {
        tlsconn_session_free(session);
        *session = client.session;
        client.session = NULL;
    }
    buf_fini(&plain);
    end_free(&client); /* without close_notify */
    end_free(&server);
    return o;
}

static bool is_shown(const struct tlsconn_session *s, const struct credential *c)
{
    const struct certificate_list *chain = tlsconn_session_chain(s);
    return chain->n == 1 && certificate_equal(chain->at[0], c->chain.at[0]);
}

TEST(a_session_is_resumed_without_certificates_and_keeps_them)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tlspolicy *c = client_policy(), *s = server_policy(version);
        struct tlsconn_session *session = NULL;
        struct visit v = {c, s, "a.example", NOW_S};
        CHECK(!visit(v, &session).is_resumed);
        CHECK(session != NULL);
        for (int i = 0; i < 3; i++) {
            CHECK(visit(v, &session).is_resumed);
            CHECK(is_shown(session, first));
        }
        CHECK_INT(tlsconn_session_is_single_use(session), version == TLS_1_3);
        tlsconn_session_free(&session);
        tlspolicy_free(&c);
        tlspolicy_free(&s);
    }
}

/* RFC 5077 §3.3: a server may renew a ticket when it resumes by it. Ours does so in the hour after
 * the key's. */
TEST(a_renewed_ticket_replaces_the_one_before)
{
    struct tlspolicy *c = client_policy(), *s = server_policy(TLS_1_2);
    struct tlsconn_session *session = NULL;
    CHECK_INT(visit((struct visit){c, s, "a.example", NOW_S + 3500}, &session).sessions_n, 1);
    CHECK_INT(visit((struct visit){c, s, "a.example", NOW_S + 3501}, &session).sessions_n, 0);
    struct outcome o = visit((struct visit){c, s, "a.example", NOW_S + 3601}, &session);
    CHECK(o.is_resumed);
    CHECK_INT(o.sessions_n, 1);
    CHECK(visit((struct visit){c, s, "a.example", NOW_S + 3602}, &session).is_resumed);
    tlsconn_session_free(&session);
    tlspolicy_free(&c);
    tlspolicy_free(&s);
}

static void change_hash(struct tlspolicy_config *c)
{
    c->hash[31] ^= 1;
}
static void change_version(struct tlspolicy_config *c)
{
    c->version_min = c->version_min == TLS_1_2 ? TLS_1_3 : TLS_1_2;
}
static void change_suites(struct tlspolicy_config *c)
{
    c->key_exchange_rsa = true;
}
static void change_no_tickets(struct tlspolicy_config *c)
{
    c->tickets = false;
}

TEST(a_session_is_not_offered_under_another_policy_or_for_another_name)
{
    static void (*const changes[])(struct tlspolicy_config *) = {
        change_hash, change_version, change_suites, change_no_tickets};
    struct tlspolicy *c = client_policy(), *s = server_policy(TLS_1_3);
    struct tlsconn_session *session = NULL;
    visit((struct visit){c, s, "a.example", NOW_S}, &session);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct tlspolicy_config config = client_config();
        changes[i](&config);
        struct tlspolicy *other = pair_policy(&config);
        struct end client;
        end_client(&client, other, "a.example");
        CHECK(!tlsconn_offer(client.c, session, NOW_S));
        end_free(&client);
        tlspolicy_free(&other);
    }
    static const char *const names[] = {"b.example", "127.0.0.1", NULL};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct end client;
        end_client(&client, c, names[i]);
        CHECK(!tlsconn_offer(client.c, session, NOW_S));
        end_free(&client);
    }
    CHECK(visit((struct visit){c, s, "A.example", NOW_S}, &session).is_resumed);
    tlsconn_session_free(&session);
    tlspolicy_free(&c);
    tlspolicy_free(&s);
}

TEST(without_tickets_nothing_is_given)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tlspolicy_config config = client_config();
        config.tickets = false;
        struct tlspolicy *c = pair_policy(&config), *s = server_policy(version);
        struct tlsconn_session *session = NULL;
        CHECK_INT(visit((struct visit){c, s, "a.example", NOW_S}, &session).sessions_n, 0);
        tlspolicy_free(&c);
        tlspolicy_free(&s);
    }
}

TEST(the_deadline_survives_resumption)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tlspolicy *c = client_policy(), *s = server_policy(version);
        struct tlsconn_session *session = NULL;
        visit((struct visit){c, s, "a.example", NOW_S}, &session);
        for (int64_t at_s = 0; at_s < LIFETIME_S; at_s += 333)
            CHECK(visit((struct visit){c, s, "a.example", NOW_S + at_s}, &session).is_resumed);
        CHECK(tlsconn_session_ends_s(session) == NOW_S + LIFETIME_S);
        struct outcome o = visit((struct visit){c, s, "a.example", NOW_S + LIFETIME_S}, &session);
        CHECK(!o.is_offered && !o.is_resumed);
        CHECK(tlsconn_session_ends_s(session) == NOW_S + 2 * LIFETIME_S);
        /* A clock that was set back makes no session younger. */
        CHECK(!visit((struct visit){c, s, "a.example", NOW_S}, &session).is_offered);
        tlsconn_session_free(&session);
        tlspolicy_free(&c);
        tlspolicy_free(&s);
    }
}

TEST(the_server_may_set_an_earlier_end)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tlspolicy_config config = server_config(version);
        config.session_lifetime_s = 60;
        struct tlspolicy *c = client_policy(), *s = pair_policy(&config);
        struct tlsconn_session *session = NULL;
        visit((struct visit){c, s, "a.example", NOW_S}, &session);
        CHECK(tlsconn_session_ends_s(session) == NOW_S + 60);
        tlsconn_session_free(&session);
        tlspolicy_free(&c);
        tlspolicy_free(&s);
    }
}

/* The certificate that counts is the one that was shown last. */
TEST(a_session_that_the_server_does_not_know_costs_nothing_but_a_full_handshake)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tlspolicy_config config = server_config(version);
        config.ticket_secret.at[0] ^= 1;
        config.credentials = (const struct credential *const *)&second;
        struct tlspolicy *c = client_policy(), *s = server_policy(version),
                         *other = pair_policy(&config);
        struct tlsconn_session *session = NULL;
        visit((struct visit){c, s, "a.example", NOW_S}, &session);
        CHECK(is_shown(session, first));
        struct outcome o = visit((struct visit){c, other, "a.example", NOW_S + 9}, &session);
        CHECK(o.is_offered && !o.is_resumed);
        CHECK(is_shown(session, second));
        CHECK(tlsconn_session_ends_s(session) == NOW_S + 9 + LIFETIME_S);
        tlsconn_session_free(&session);
        tlspolicy_free(&c);
        tlspolicy_free(&s);
        tlspolicy_free(&other);
    }
}

/* ---- a server that is libssl itself, for tickets of any length ---- */

static size_t ticket_n;
static uint64_t server_options;

static int fill_ticket(SSL *ssl, void *unused)
{
    static const uint8_t filler[UINT16_MAX];
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), filler, ticket_n);
}

static SSL *libssl_server(SSL_CTX *ctx, uint16_t version)
{
    struct bytes leaf = certificate_der(first->chain.at[0]);
    ASSERT(SSL_CTX_use_certificate_ASN1(ctx, (int)leaf.n, leaf.at) == 1 &&
           SSL_CTX_use_PrivateKey(ctx, private_key_pkey(first->key)) == 1 &&
           SSL_CTX_set_session_ticket_cb(ctx, fill_ticket, NULL, NULL) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, version) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 20) == 1);
    SSL_CTX_set_options(ctx, server_options);
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
    SSL_set_accept_state(ssl);
    return ssl;
}

static void carry_to_libssl(struct end *from, SSL *to)
{
    struct buf *out = tlsconn_wire_out(from->c);
    if (buf_size(out))
        ASSERT(BIO_write(SSL_get_rbio(to), buf_bytes(out).at, (int)buf_size(out)) > 0);
    buf_clear(out);
}

static bool carry_from_libssl(SSL *from, struct end *to)
{
    struct buf *in = tlsconn_wire_in(to->c);
    uint8_t *space = buf_space(in, 4096);
    int n = BIO_read(SSL_get_wbio(from), space, 4096);
    buf_added(in, n > 0 ? (size_t)n : 0);
    return n > 0;
}

/* How many sessions a client gets from a server that sends 20 (TLS 1.2: one) tickets with N bytes
 * of filler each. */
static unsigned sessions_of(uint16_t version, size_t n)
{
    struct tlspolicy *policy = client_policy();
    struct end client;
    struct buf plain;
    ticket_n = n;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *server = libssl_server(ctx, version);
    end_client(&client, policy, "a.example");
    buf_init(&plain, 100);
    bool is_moving = true;
    for (int i = 0; i < 5 || is_moving; i++) {
        client.status = tlsconn_handshake(client.c, NOW_S);
        if (client.status == TLSCONN_OK)
            CHECK_INT(tlsconn_read(client.c, &plain), TLSCONN_WANT_INPUT);
        carry_to_libssl(&client, server);
        ignore_result(SSL_do_handshake(server));
        is_moving = carry_from_libssl(server, &client);
    }
    CHECK_INT(client.status, TLSCONN_OK);
    unsigned sessions_n = client.sessions_n;
    buf_fini(&plain);
    end_free(&client);
    SSL_free(server);
    SSL_CTX_free(ctx);
    tlspolicy_free(&policy);
    return sessions_n;
}

TEST(tickets_that_are_too_long_or_too_many_are_not_kept)
{
    CHECK_INT(sessions_of(TLS_1_3, 7000), TLSCONN_SESSIONS_MAX);
    CHECK_INT(sessions_of(TLS_1_3, TLSCONN_TICKET_MAX), 0);
    CHECK_INT(sessions_of(TLS_1_3, 60000), 0);
    CHECK_INT(sessions_of(TLS_1_2, 7000), 1);
    CHECK_INT(sessions_of(TLS_1_2, TLSCONN_TICKET_MAX), 0);
}

TEST(without_extended_master_secret_nothing_is_kept)
{
    server_options = SSL_OP_NO_EXTENDED_MASTER_SECRET;
    CHECK_INT(sessions_of(TLS_1_2, 0), 0);
    CHECK_INT(sessions_of(TLS_1_3, 0), TLSCONN_SESSIONS_MAX);
    server_options = 0;
    CHECK_INT(sessions_of(TLS_1_2, 0), 1);
}
