/* SPDX-License-Identifier: Apache-2.0 */
/* Which suite is chosen, for every subset and order that a client may offer. The client is libssl;
 * the server's answer is read after its first flight, so that thousands of handshakes take seconds.
 */
#include "pair.h"
#include "test.h"

#include "base/ban.h"

struct offer {
    const char *openssl, *iana;
};
static const struct offer tls13[] = {
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
};
static const struct offer ecdhe[] = {
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
};
static const struct offer with_rsa[] = {
    {"AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256"},
    {"AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
};

static struct credential *credentials[2]; /* ECDSA, RSA */

struct run {
    SSL_CTX *client;
    struct tlspolicy *policy;
    enum tlspolicy_preference preference;
    const struct offer *offers;
    size_t offers_n;
    bool is_tls13;
    unsigned handshakes, wrong;
};

/* The rule, said once more in other words: by the letters of the name. */
static int worth(const char *iana, enum tlspolicy_preference preference)
{
    int forward_secret = strncmp(iana, "TLS_RSA_", 8) == 0 ? 0 : 10;
    bool is_256 = strstr(iana, "AES_256") || strstr(iana, "CHACHA20");
    if (preference == PREFER_STRONGEST)
        return forward_secret + is_256;
    if (preference == PREFER_FASTEST)
        return forward_secret + !is_256;
    return forward_secret;
}

static const char *expected(const struct run *r, const size_t *order, size_t n)
{
    const char *best = r->offers[order[0]].iana;
    for (size_t i = 1; i < n; i++)
        if (worth(r->offers[order[i]].iana, r->preference) > worth(best, r->preference))
            best = r->offers[order[i]].iana;
    return best;
}

static void try_order(struct run *r, const size_t *order, size_t n)
{
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(
            list + used, sizeof(list) - used, "%s%s", i ? ":" : "", r->offers[order[i]].openssl);
    struct raw client;
    struct end server;
    raw_new(&client, r->client, NULL, NULL);
    end_server(&server, r->policy);
    CHECK_INT(r->is_tls13 ? SSL_set_ciphersuites(client.ssl, list)
                          : SSL_set_cipher_list(client.ssl, list),
        1);
    raw_hello(&client, tlsconn_wire_in(server.c));
    server.status = tlsconn_handshake(server.c, NOW_S);
    const struct tlsconn_facts *f = tlsconn_facts(server.c);
    const char *want = expected(r, order, n);
    r->handshakes++;
    if (strcmp(f->cipher, want) != 0 && !r->wrong++) {
        printf("# %s: %s, not %s\n", list, f->cipher, want);
        CHECK(false);
    }
    for (size_t i = 0; i < n; i++) /* what was offered is reported, in the client's order */
        CHECK_TEXT(tlsconn_cipher_name(f->offered[i]), r->offers[order[i]].iana);
    end_free(&server);
    raw_free(&client);
}

/* Every way to go on from the first N of ORDER. */
static void try_all(struct run *r, size_t *order, size_t n)
{
    if (n)
        try_order(r, order, n);
    for (size_t next = 0; next < r->offers_n; next++) {
        bool is_used = false;
        for (size_t i = 0; i < n; i++)
            is_used |= order[i] == next;
        if (is_used)
            continue;
        order[n] = next;
        try_all(r, order, n + 1);
    }
}

static unsigned run_all(struct run r, size_t credentials_n, bool key_exchange_rsa)
{
    size_t order[8];
    if (!credentials[0]) {
        credentials[0] = pair_credential(KEY_EC_P256, "same.example");
        credentials[1] = pair_credential(KEY_RSA, "same.example");
    }
    struct tlspolicy_config config =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)credentials, credentials_n);
    config.preference = r.preference;
    config.key_exchange_rsa = key_exchange_rsa;
    r.policy = pair_policy(&config);
    r.client = raw_context(TLS_1_2, r.is_tls13 ? TLS_1_3 : TLS_1_2);
    try_all(&r, order, 0);
    SSL_CTX_free(r.client);
    tlspolicy_free(&r.policy);
    return r.handshakes;
}

__attribute__((destructor)) static void free_credentials(void)
{
    for (size_t i = 0; i < 2; i++)
        if (credentials[i])
            pair_credential_free(&credentials[i]);
}

TEST(tls13_every_subset_and_order_under_each_preference)
{
    for (enum tlspolicy_preference p = PREFER_STRONGEST; p <= PREFER_CLIENT; p++)
        CHECK_INT(
            run_all((struct run){.preference = p, .offers = tls13, .offers_n = 3, .is_tls13 = true},
                1, false),
            15);
}

TEST(tls12_ecdsa_every_subset_and_order_under_each_preference)
{
    for (enum tlspolicy_preference p = PREFER_STRONGEST; p <= PREFER_CLIENT; p++)
        CHECK_INT(
            run_all((struct run){.preference = p, .offers = ecdhe, .offers_n = 3}, 1, false), 15);
}

TEST(tls12_pair_every_subset_and_order)
{
    CHECK_INT(run_all((struct run){.preference = PREFER_STRONGEST, .offers = ecdhe, .offers_n = 6},
                  2, false),
        1956);
}

TEST(tls12_pair_some_orders_under_the_other_preferences)
{
    CHECK_INT(
        run_all((struct run){.preference = PREFER_FASTEST, .offers = ecdhe + 1, .offers_n = 4}, 2,
            false),
        64);
    CHECK_INT(run_all((struct run){.preference = PREFER_CLIENT, .offers = ecdhe + 1, .offers_n = 4},
                  2, false),
        64);
}

TEST(tls12_without_forward_secrecy_comes_last)
{
    for (enum tlspolicy_preference p = PREFER_STRONGEST; p <= PREFER_CLIENT; p++)
        CHECK_INT(
            run_all((struct run){.preference = p, .offers = with_rsa, .offers_n = 4}, 2, true), 64);
}

/* SSL_CTX_set_ciphersuites and SSL_CTX_set_cipher_list are different lists to libssl: changing one
 * for a connection must not lose the other. */
TEST(a_rearranged_connection_completes)
{
    struct raw client;
    struct end server;
    run_all((struct run){.offers = tls13, .offers_n = 1, .is_tls13 = true}, 2, false);
    struct tlspolicy_config config =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)credentials, 2);
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        CHECK_INT(
            SSL_CTX_set_ciphersuites(ctx, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"),
            1);
        CHECK_INT(SSL_CTX_set_cipher_list(
                      ctx, "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"),
            1);
        raw_new(&client, ctx, NULL, NULL);
        end_server(&server, policy);
        raw_handshake(&client, &server);
        CHECK_INT(server.status, TLSCONN_OK);
        CHECK(client.is_done);
        CHECK(strstr(SSL_get_cipher_name(client.ssl), "CHACHA20") != NULL);
        CHECK_TEXT(tlsconn_facts(server.c)->cipher,
            SSL_CIPHER_standard_name(SSL_get_current_cipher(client.ssl)));
        raw_free(&client);
        end_free(&server);
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&policy);
}

TEST(nothing_in_common_is_handshake_failure)
{
    struct raw client;
    struct end server;
    run_all((struct run){.offers = tls13, .offers_n = 1, .is_tls13 = true}, 2, false);
    struct tlspolicy_config config =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)credentials, 2);
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        SSL_CTX *ctx = raw_context(version, version);
        CHECK_INT(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_CCM_SHA256"), 1);
        CHECK_INT(
            SSL_CTX_set_cipher_list(ctx, "ECDHE-RSA-AES256-SHA384:AES128-SHA:AES256-GCM-SHA384"),
            1);
        raw_new(&client, ctx, NULL, NULL);
        end_server(&server, policy);
        raw_handshake(&client, &server);
        CHECK_INT(client.alert, 40);
        CHECK_INT(tlsconn_failure(server.c)->fault, TLSCONN_FAULT_NO_COMMON);
        CHECK_INT(tlsconn_failure(server.c)->alert, 40);
        raw_free(&client);
        end_free(&server);
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&policy);
}

TEST(groups_in_common_or_not)
{
    static const struct {
        const char *offered, *want;
    } cases[] = {{"X25519", "x25519"}, {"P-256", "secp256r1"}, {"P-384", "secp384r1"},
        {"P-521:P-384", "secp384r1"} /* HelloRetryRequest */, {"P-521", NULL}};
    run_all((struct run){.offers = tls13, .offers_n = 1, .is_tls13 = true}, 2, false);
    struct tlspolicy_config config =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)credentials, 2);
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        for (size_t i = 0; i < 5; i++) {
            struct raw client;
            struct end server;
            SSL_CTX *ctx = raw_context(version, version);
            raw_new(&client, ctx, "same.example", NULL);
            CHECK(raw_set_groups(&client, cases[i].offered));
            end_server(&server, policy);
            raw_handshake(&client, &server);
            if (cases[i].want)
                CHECK_TEXT(tlsconn_facts(server.c)->group, cases[i].want);
            else
                CHECK_INT(tlsconn_failure(server.c)->fault, TLSCONN_FAULT_NO_COMMON);
            CHECK_INT(client.alert, cases[i].want ? -1 : 40);
            CHECK_INT(server.chosen, 1); /* once, also with HelloRetryRequest */
            raw_free(&client);
            end_free(&server);
            SSL_CTX_free(ctx);
        }
    }
    tlspolicy_free(&policy);
}

static const struct tlspolicy_list two_groups = {(const uint16_t[]){0x18, 0x1d}, 2};
static const struct tlspolicy_list one_scheme = {(const uint16_t[]){0x0403}, 1};

/* TLS 1.2: the server's preference; 1.3: of those that there is a share of. */
TEST(a_policy_has_its_own_groups)
{
    static const struct {
        const char *offered, *want[2];
    } cases[] = {{"X25519:P-384", {"secp384r1", "x25519"}},
        {"P-256:P-384", {"secp384r1", "secp384r1"}}, {"P-256", {NULL, NULL}}};
    run_all((struct run){.offers = tls13, .offers_n = 1, .is_tls13 = true}, 2, false);
    struct tlspolicy_config config =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)credentials, 2);
    config.groups = two_groups;
    struct tlspolicy *policy = pair_policy(&config);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            struct raw client;
            struct end server;
            const char *want = cases[i].want[version - TLS_1_2];
            SSL_CTX *ctx = raw_context(version, version);
            raw_new(&client, ctx, "same.example", NULL);
            CHECK(raw_set_groups(&client, cases[i].offered));
            end_server(&server, policy);
            raw_handshake(&client, &server);
            CHECK_TEXT(tlsconn_facts(server.c)->group, want ? want : "");
            CHECK_INT(server.status, want ? TLSCONN_OK : TLSCONN_FAILED);
            raw_free(&client);
            end_free(&server);
            SSL_CTX_free(ctx);
        }
    tlspolicy_free(&policy);
}

static void check_refused(struct tlspolicy_config *config, const char *why)
{
    struct error err = {""};
    struct tlspolicy *p = tlspolicy_new(config, &err);
    CHECK(!p && strstr(err.text, why));
    tlspolicy_free(&p);
}

/* A key that could never sign, and numbers that mean nothing to us. */
TEST(what_a_policy_cannot_do_is_said_at_once)
{
    static const uint16_t x448[] = {0x1e}, sha1[] = {0x0203};
    run_all((struct run){.offers = tls13, .offers_n = 1, .is_tls13 = true}, 2, false);
    struct tlspolicy_config usual =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)credentials, 1);
    struct tlspolicy_config config = usual;
    config.own_schemes = one_scheme;
    struct tlspolicy *p = pair_policy(&config);
    tlspolicy_free(&p);
    config.credentials_n = 2; /* the second is RSA */
    check_refused(&config, "cannot sign with any of signature_schemes");
    config = usual;
    config.groups = (struct tlspolicy_list){x448, 1};
    check_refused(&config, "0x001e is no group");
    config = usual;
    config.schemes = (struct tlspolicy_list){sha1, 1};
    check_refused(&config, "0x0203 is no signature scheme");
}
