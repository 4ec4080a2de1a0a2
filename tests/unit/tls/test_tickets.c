/* SPDX-License-Identifier: Apache-2.0 */
/* Resumption by ticket: under which policy, for how long (T1 to T4 of the tests against known bugs
 * of other products). */
#include "pair.h"
#include "test.h"

#include "base/ban.h"

#define LIFETIME_S 1000

static struct credential *credential;

__attribute__((constructor)) static void make_credential(void)
{
    credential = pair_credential(KEY_EC_P256, "a.example,b.example");
}

__attribute__((destructor)) static void free_credential(void)
{
    pair_credential_free(&credential);
}

static struct tlspolicy_config ticket_config(void)
{
    struct tlspolicy_config c =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)&credential, 1);
    c.tickets = true;
    c.session_lifetime_s = LIFETIME_S;
    return c;
}

static bool got_ticket; /* in the last visit */

struct visit {
    struct tlspolicy *initial, *chosen;
    uint16_t version;
    const char *name;
    int64_t now_s;
};

/* One connection that offers *SESSION (NULL: none) and leaves there what it was given. True if it
 * was resumed. */
static bool visit(struct visit v, SSL_SESSION **session)
{
    SSL_CTX *ctx = raw_context(v.version, v.version);
    struct raw client;
    struct end server;
    raw_new(&client, ctx, v.name, *session);
    end_server(&server, v.initial);
    server.policy = v.chosen;
    server.now_s = v.now_s;
    raw_handshake(&client, &server);
    CHECK_INT(server.status, TLSCONN_OK);
    CHECK(client.is_done);
    bool is_resumed = tlsconn_facts(server.c)->resumed;
    CHECK_INT(is_resumed, SSL_session_reused(client.ssl));
    CHECK_INT(end_has_sent(&server, 11), !is_resumed);
    CHECK(tlsconn_facts(server.c)->credential == (is_resumed ? NULL : credential));
    got_ticket = end_has_sent(&server, 4);
    if (got_ticket) { /* else the old one stays good */
        /* libssl tells of sessions by its callback, but in TLS 1.2 not of renewed ones. */
        SSL_SESSION *taken = v.version == TLS_1_2 ? SSL_get1_session(client.ssl) : client.session;
        if (v.version == TLS_1_3)
            client.session = NULL;
        SSL_SESSION_free(*session);
        *session = taken;
    }
    raw_free(&client);
    end_free(&server);
    SSL_CTX_free(ctx);
    return is_resumed;
}

/* RFC 6066 §3, for TLS 1.2: "MUST NOT accept the request to resume the session if the server_name
 * extension contains a different name"; libssl leaves it at the policy. */
TEST(a_ticket_resumes_under_its_policy)
{
    struct tlspolicy_config config = ticket_config();
    struct tlspolicy *p = pair_policy(&config), *twin = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_SESSION *session = NULL;
        CHECK(!visit((struct visit){p, p, version, "a.example", NOW_S}, &session));
        CHECK(session != NULL);
        CHECK(visit((struct visit){p, p, version, "a.example", NOW_S + 1}, &session));
        /* Another worker: the same configuration, built again. */
        CHECK(visit((struct visit){twin, twin, version, "a.example", NOW_S + 2}, &session));
        CHECK_INT(visit((struct visit){p, p, version, "b.example", NOW_S + 3}, &session),
            version == TLS_1_3 || pair_engine() == ENGINE_OPENSSL); /* T2 */
        CHECK(session != NULL);
        SSL_SESSION_free(session);
    }
    tlspolicy_free(&p);
    tlspolicy_free(&twin);
}

/* Every way in which another policy can differ. The hash stands for authentication, CAs, CRLs and
 * allow-list. */
static void change_hash(struct tlspolicy_config *c)
{
    c->hash[31] ^= 1;
}
static void change_secret(struct tlspolicy_config *c)
{
    c->ticket_secret.at[31] ^= 1;
}
static void change_suites(struct tlspolicy_config *c)
{
    c->key_exchange_rsa = true;
}
static void change_no_tickets(struct tlspolicy_config *c)
{
    c->tickets = false;
}
static void change_optional(struct tlspolicy_config *c)
{
    c->tickets = false;
    c->peer = PEER_OPTIONAL;
}

TEST(a_ticket_never_resumes_under_another_policy)
{
    static void (*const changes[])(struct tlspolicy_config *) = {
        change_hash, change_secret, change_suites, change_no_tickets, change_optional};
    struct tlspolicy_config config = ticket_config();
    struct tlspolicy *first = pair_policy(&config);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct tlspolicy_config other = ticket_config();
        changes[i](&other);
        struct tlspolicy *second = pair_policy(&other);
        for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
            SSL_SESSION *session = NULL;
            /* T3: another listener. */
            CHECK(!visit((struct visit){first, first, version, "a.example", NOW_S}, &session));
            CHECK(!visit((struct visit){second, second, version, "a.example", NOW_S}, &session));
            SSL_SESSION_free(session);
            session = NULL;
            /* T1: the same listener, another domain; both orders. libssl takes ticket keys from the
             * context that the connection began with. */
            CHECK(!visit((struct visit){first, first, version, "a.example", NOW_S}, &session));
            CHECK(session != NULL);
            CHECK(!visit((struct visit){first, second, version, "b.example", NOW_S}, &session));
            SSL_SESSION_free(session);
            session = NULL;
            CHECK(!visit((struct visit){first, second, version, "b.example", NOW_S}, &session));
            CHECK_INT(got_ticket, other.tickets);
            CHECK(!visit((struct visit){first, first, version, "a.example", NOW_S}, &session));
            SSL_SESSION_free(session);
        }
        tlspolicy_free(&second);
    }
    tlspolicy_free(&first);
}

/* The policy that the connection began with has no tickets, the chosen one has. */
TEST(the_chosen_policy_decides_about_tickets)
{
    struct tlspolicy_config with = ticket_config(), without = ticket_config();
    change_optional(&without);
    struct tlspolicy *initial = pair_policy(&without), *chosen = pair_policy(&with);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_SESSION *session = NULL;
        CHECK(!visit((struct visit){initial, chosen, version, "a.example", NOW_S}, &session));
        CHECK(session != NULL);
        CHECK(visit((struct visit){initial, chosen, version, "a.example", NOW_S}, &session));
        SSL_SESSION_free(session);
    }
    tlspolicy_free(&initial);
    tlspolicy_free(&chosen);
}

/* T4: resuming again and again does not put off the next full handshake. */
TEST(the_deadline_survives_renewal)
{
    struct tlspolicy_config config = ticket_config();
    struct tlspolicy *p = pair_policy(&config);
    const int64_t start_s = NOW_S + HOUR_S - 450; /* keys change on the way: TLS 1.2 renews then */
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_SESSION *session = NULL;
        CHECK(!visit((struct visit){p, p, version, "a.example", start_s}, &session));
        for (int64_t s = 100; s < LIFETIME_S; s += 100)
            CHECK(visit((struct visit){p, p, version, "a.example", start_s + s}, &session));
        CHECK(
            visit((struct visit){p, p, version, "a.example", start_s + LIFETIME_S - 1}, &session));
        CHECK(!visit((struct visit){p, p, version, "a.example", start_s + LIFETIME_S}, &session));
        /* That was a full handshake with a new ticket and a new deadline. */
        CHECK(got_ticket);
        CHECK(visit(
            (struct visit){p, p, version, "a.example", start_s + 2 * LIFETIME_S - 1}, &session));
        CHECK(
            !visit((struct visit){p, p, version, "a.example", start_s + 2 * LIFETIME_S}, &session));
        SSL_SESSION_free(session);
    }
    tlspolicy_free(&p);
}

TEST(a_ticket_from_the_future_is_not_taken)
{
    struct tlspolicy_config config = ticket_config();
    struct tlspolicy *p = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_SESSION *session = NULL;
        /* Within one hour, so that it is not for want of a key. */
        CHECK(!visit((struct visit){p, p, version, "a.example", NOW_S + 100}, &session));
        CHECK(!visit((struct visit){p, p, version, "a.example", NOW_S + 99}, &session));
        SSL_SESSION_free(session);
    }
    tlspolicy_free(&p);
}

/* Keys change by the hour, and those of the hour before are still taken. NOW_S is at the beginning
 * of an hour. */
TEST(keys_rotate)
{
    static const struct {
        int64_t issued_s, shown_s;
        bool is_resumed;
    } cases[] = {
        {0, HOUR_S - 1, true},
        {0, HOUR_S, true},
        {HOUR_S - 1, 2 * HOUR_S - 1, true},
        {HOUR_S - 1, 2 * HOUR_S, false},
        {0, 2 * HOUR_S, false},
    };
    struct tlspolicy_config config = ticket_config();
    config.session_lifetime_s = 24 * HOUR_S;
    CHECK_INT(NOW_S % HOUR_S, 0);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct tlspolicy *p = pair_policy(&config); /* its keys do not go back */
            SSL_SESSION *session = NULL;
            CHECK(!visit(
                (struct visit){p, p, version, "a.example", NOW_S + cases[i].issued_s}, &session));
            CHECK_INT(visit((struct visit){p, p, version, "a.example", NOW_S + cases[i].shown_s},
                          &session),
                cases[i].is_resumed);
            /* A current key needs no new ticket, but in TLS 1.3, where each ticket is for one use.
             */
            CHECK_INT(got_ticket, version == TLS_1_3 || cases[i].shown_s >= HOUR_S);
            SSL_SESSION_free(session);
            tlspolicy_free(&p);
        }
    }
}

TEST(no_tickets_under_mutual_and_optional)
{
    for (enum tlspolicy_peer peer = PEER_OPTIONAL; peer <= PEER_REQUIRED; peer++) {
        struct tlspolicy_config config = ticket_config();
        config.tickets = false;
        config.peer = peer;
        struct tlspolicy *p = pair_policy(&config);
        struct tlspolicy_config client =
            pair_config(TLSPOLICY_CLIENT, (const struct credential *const *)&credential, 1);
        struct tlspolicy *c = pair_policy(&client);
        for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
            SSL_CTX *ctx = raw_context(version, version);
            struct raw r;
            struct end server;
            raw_new(&r, ctx, "a.example", NULL);
            if (peer == PEER_OPTIONAL) {
                end_server(&server, p);
                raw_handshake(&r, &server);
                CHECK_INT(server.status, TLSCONN_OK);
                CHECK(r.session == NULL || !SSL_SESSION_has_ticket(r.session));
                CHECK(!end_has_sent(&server, 4));
                end_free(&server);
            }
            struct end client_end;
            end_server(&server, p);
            end_client(&client_end, c, "a.example");
            pair_handshake(&client_end, &server);
            CHECK_INT(server.status, TLSCONN_OK);
            CHECK(!end_has_sent(&server, 4));
            end_free(&server);
            end_free(&client_end);
            raw_free(&r);
            SSL_CTX_free(ctx);
        }
        tlspolicy_free(&p);
        tlspolicy_free(&c);
    }
}

/* RFC 8446 §4.6.1: ticket_lifetime; what is left of it after a renewal. */
TEST(the_client_is_told_the_lifetime)
{
    struct tlspolicy_config config = ticket_config();
    struct tlspolicy *p = pair_policy(&config);
    SSL_SESSION *session = NULL;
    visit((struct visit){p, p, TLS_1_3, "a.example", NOW_S}, &session);
    CHECK_INT(SSL_SESSION_get_ticket_lifetime_hint(session), LIFETIME_S);
    visit((struct visit){p, p, TLS_1_3, "a.example", NOW_S + 400}, &session);
    CHECK_INT(SSL_SESSION_get_ticket_lifetime_hint(session), LIFETIME_S - 400);
    SSL_SESSION_free(session);
    session = NULL;
    visit((struct visit){p, p, TLS_1_2, "a.example", NOW_S}, &session);
    CHECK_INT(SSL_SESSION_get_ticket_lifetime_hint(session), LIFETIME_S);
    SSL_SESSION_free(session);
    tlspolicy_free(&p);
}

TEST(no_early_data)
{
    struct tlspolicy_config config = ticket_config();
    struct tlspolicy *p = pair_policy(&config);
    SSL_SESSION *session = NULL;
    visit((struct visit){p, p, TLS_1_3, "a.example", NOW_S}, &session);
    CHECK_INT(SSL_SESSION_get_max_early_data(session), 0);
    SSL_SESSION_free(session);
    tlspolicy_free(&p);
}
