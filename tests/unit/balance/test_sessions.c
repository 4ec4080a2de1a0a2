/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of what a target gives. */
#include "../tls/pair.h"
#include "balance/group.h"
#include "test.h"

#include "base/ban.h"

#define LIFETIME_S 1000

static struct credential *credential;
static struct tlspolicy *ours;
static struct tlspolicy *targets[TLS_1_3 + 1]; /* by version */

__attribute__((constructor)) static void make_policies(void)
{
    credential = pair_credential(KEY_EC_P256, "a.example");
    struct tlspolicy_config client = pair_config(TLSPOLICY_CLIENT, NULL, 0);
    client.tickets = true;
    client.session_lifetime_s = LIFETIME_S;
    ours = pair_policy(&client);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tlspolicy_config server =
            pair_config(TLSPOLICY_SERVER, (const struct credential *const *)&credential, 1);
        server.version_min = server.version_max = version;
        server.tickets = true;
        targets[version] = pair_policy(&server);
    }
}

__attribute__((destructor)) static void free_policies(void)
{
    tlspolicy_free(&ours);
    tlspolicy_free(&targets[TLS_1_2]);
    tlspolicy_free(&targets[TLS_1_3]);
    pair_credential_free(&credential);
}

/* A session that ends LIFETIME_S after NOW. */
static struct tlsconn_session *new_session(uint16_t version, int64_t now_s)
{
    struct end client, server;
    struct buf plain;
    end_server(&server, targets[version]);
    end_client(&client, ours, "a.example");
    client.now_s = server.now_s = now_s;
    pair_handshake(&client, &server);
    buf_init(&plain, 100);
    CHECK_INT(tlsconn_read(client.c, &plain), TLSCONN_WANT_INPUT);
    struct tlsconn_session *s = client.session;
    client.session = NULL;
    buf_fini(&plain);
    end_free(&client);
    end_free(&server);
    return s;
}

TEST(the_newest_are_kept_and_each_is_offered_once)
{
    struct sessions s = {0};
    CHECK(!sessions_newest(&s, NOW_S));
    const struct tlsconn_session *last = NULL;
    for (int i = 0; i < 100; i++) {
        struct tlsconn_session *session = new_session(TLS_1_3, NOW_S + i);
        last = session;
        sessions_keep(&s, session);
        CHECK(s.n <= SESSIONS_MAX);
    }
    for (int i = 99; i >= 100 - SESSIONS_MAX; i--) {
        const struct tlsconn_session *newest = sessions_newest(&s, NOW_S + 100);
        CHECK(i < 99 || newest == last);
        CHECK(tlsconn_session_ends_s(newest) == NOW_S + i + LIFETIME_S);
        sessions_offered(&s);
    }
    CHECK(!sessions_newest(&s, NOW_S + 100));
}

TEST(one_that_can_be_offered_again_replaces_those_before)
{
    struct sessions s = {0};
    sessions_keep(&s, new_session(TLS_1_3, NOW_S));
    sessions_keep(&s, new_session(TLS_1_2, NOW_S + 1));
    sessions_keep(&s, new_session(TLS_1_2, NOW_S + 2));
    CHECK_INT(s.n, 1);
    for (int i = 0; i < 3; i++) {
        CHECK(tlsconn_session_ends_s(sessions_newest(&s, NOW_S)) == NOW_S + 2 + LIFETIME_S);
        sessions_offered(&s);
    }
    sessions_clear(&s);
    CHECK(!sessions_newest(&s, NOW_S));
}

TEST(those_that_ended_are_forgotten)
{
    struct sessions s = {0};
    sessions_keep(&s, new_session(TLS_1_3, NOW_S));
    sessions_keep(&s, new_session(TLS_1_3, NOW_S + 1));
    CHECK(sessions_newest(&s, NOW_S + LIFETIME_S) == s.at[1]);
    CHECK(!sessions_newest(&s, NOW_S + 1 + LIFETIME_S));
    CHECK_INT(s.n, 0);
}

static void resolve(struct group *g, const char *text)
{
    struct address_book book = {0};
    address_book_read(&book, bytes_of(text));
    group_resolve(g, &book);
    address_book_fini(&book);
}

static struct address address(const char *text)
{
    struct address a;
    CHECK_INT(address_parse(bytes_of(text), false, &a, NULL), 0);
    return a;
}

TEST(they_stay_with_their_address_as_long_as_the_target_has_it)
{
    static const struct config_target only[] = {
        {.address = "a.example:443", .host = "a.example", .weight = 10}};
    static const struct config_group config = {.name = "g",
        .protocol = PROTOCOL_HTTPS,
        .targets = only,
        .targets_n = 1,
        .tls = {.name = ""}};
    const struct address first = address("10.0.0.1:443"), second = address("10.0.0.2:443");
    struct group g = {0};
    struct group_idle idle;
    struct arena arena;
    arena_init(&arena);
    group_init(&g, &config, &idle, &arena);
    struct target *t = &g.targets[0];
    CHECK(!group_sessions(t, &first));
    resolve(&g, "a.example:443 10.0.0.1 10.0.0.2\n");
    CHECK(group_sessions(t, &first) != group_sessions(t, &second));
    struct tlsconn_session *session = new_session(TLS_1_2, NOW_S);
    sessions_keep(group_sessions(t, &first), session);
    sessions_keep(group_sessions(t, &second), new_session(TLS_1_2, NOW_S));
    CHECK(sessions_newest(group_sessions(t, &first), NOW_S) == session);
    resolve(&g, "a.example:443 10.0.0.3 10.0.0.1\n");
    CHECK(sessions_newest(group_sessions(t, &first), NOW_S) == session);
    CHECK(!group_sessions(t, &second));
    resolve(&g, "a.example:443 10.0.0.3 10.0.0.2\n");
    CHECK(!group_sessions(t, &first));
    CHECK(!sessions_newest(group_sessions(t, &second), NOW_S));
    group_fini(&g);
    arena_fini(&arena);
}
