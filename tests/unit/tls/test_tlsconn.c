/* SPDX-License-Identifier: Apache-2.0 */
/* Our client and our server joined in memory: handshakes, data, facts, failures. */
#include "base/memory.h"
#include "pair.h"
#include "test.h"

#include "base/ban.h"

static struct credential *ecdsa, *rsa;
static struct buf plain;

static const struct credential *const *one(struct credential **c, enum key_kind kind)
{
    if (!*c)
        *c = pair_credential(kind, "www.example,*.wild.example");
    return (const struct credential *const *)c;
}

__attribute__((destructor)) static void free_credentials(void)
{
    if (ecdsa)
        pair_credential_free(&ecdsa);
    if (rsa)
        pair_credential_free(&rsa);
}

struct pair {
    struct tlspolicy *server_policy, *client_policy;
    struct end server, client;
};

static struct tlspolicy_config server_config(void)
{
    return pair_config(TLSPOLICY_SERVER, one(&ecdsa, KEY_EC_P256), 1);
}

static struct tlspolicy_config client_config(void)
{
    return pair_config(TLSPOLICY_CLIENT, NULL, 0);
}

static void pair_begin(
    struct pair *p, struct tlspolicy_config server, struct tlspolicy_config client)
{
    p->server_policy = pair_policy(&server);
    p->client_policy = pair_policy(&client);
    end_server(&p->server, p->server_policy);
    end_client(&p->client, p->client_policy, "www.example");
    buf_init(&plain, TLSCONN_WIRE_MAX);
}

static void pair_end(struct pair *p)
{
    end_free(&p->server);
    end_free(&p->client);
    tlspolicy_free(&p->server_policy);
    tlspolicy_free(&p->client_policy);
    buf_fini(&plain);
}

static void pair_open(
    struct pair *p, struct tlspolicy_config server, struct tlspolicy_config client)
{
    pair_begin(p, server, client);
    pair_handshake(&p->client, &p->server);
    CHECK_INT(p->client.status, TLSCONN_OK);
    CHECK_INT(p->server.status, TLSCONN_OK);
}

static bool is_group_of_facts(const struct tlsconn_facts *f, const char *cipher, const char *group)
{
    return strcmp(f->cipher, cipher) == 0 && strcmp(f->group, group) == 0;
}

TEST(facts_of_tls13)
{
    struct pair p;
    static const struct bytes alpn[] = {{(const uint8_t *)"http/1.1", 8}};
    struct tlspolicy_config s = server_config(), c = client_config();
    s.alpn = c.alpn = alpn;
    s.alpn_n = c.alpn_n = 1;
    pair_open(&p, s, c);
    const struct tlsconn_facts *f = tlsconn_facts(p.server.c), *g = tlsconn_facts(p.client.c);
    CHECK_INT(f->version, TLS_1_3);
    CHECK_INT(g->version, TLS_1_3);
    CHECK(is_group_of_facts(f, "TLS_AES_256_GCM_SHA384", "x25519"));
    CHECK(is_group_of_facts(g, "TLS_AES_256_GCM_SHA384", "x25519"));
    CHECK_TEXT(f->signature, "");
    CHECK_TEXT(g->signature, "ecdsa_secp256r1_sha256");
    CHECK_TEXT(f->alpn, "http/1.1");
    CHECK_TEXT(g->alpn, "http/1.1");
    CHECK_TEXT(f->sni, "www.example");
    CHECK_TEXT(g->sni, "www.example");
    CHECK(!f->resumed && !f->key_exchange_rsa && f->is_handshake_complete && !f->peer_asked);
    CHECK(!g->resumed && !g->key_exchange_rsa && g->is_handshake_complete && !g->peer_asked);
    CHECK(f->credential == ecdsa && g->credential == NULL);
    /* libssl adds TLS_EMPTY_RENEGOTIATION_INFO_SCSV; we send the extension that it stands for. */
    CHECK_INT(f->offered_n, pair_engine() == ENGINE_NATIVE ? 9 : 9 + 1);
    CHECK_INT(g->offered_n, f->offered_n);
    CHECK_INT(memcmp(f->offered, g->offered, sizeof(f->offered)), 0);
    CHECK_INT(f->offered[0], 0x1302);
    CHECK_INT(p.client.judged, 1);
    CHECK_INT(p.client.chain_n, 1);
    CHECK_TEXT(p.client.leaf, certificate_subject(ecdsa->chain.at[0]));
    CHECK_INT(p.server.chosen, 1);
    CHECK_TEXT(p.server.sni, "www.example");
    pair_end(&p);
}

TEST(facts_of_tls12)
{
    struct pair p;
    struct tlspolicy_config s = server_config();
    s.version_max = TLS_1_2;
    pair_open(&p, s, client_config());
    const struct tlsconn_facts *f = tlsconn_facts(p.server.c), *g = tlsconn_facts(p.client.c);
    CHECK_INT(f->version, TLS_1_2);
    CHECK(is_group_of_facts(f, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519"));
    CHECK(is_group_of_facts(g, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519"));
    CHECK_TEXT(g->signature, "ecdsa_secp256r1_sha256");
    pair_end(&p);
}

TEST(facts_of_rsa_key_transport)
{
    struct pair p;
    struct tlspolicy_config s = pair_config(TLSPOLICY_SERVER, one(&rsa, KEY_RSA), 1),
                            c = client_config();
    s.key_exchange_rsa = true;
    c.key_exchange_rsa_only = true;
    pair_open(&p, s, c);
    const struct tlsconn_facts *f = tlsconn_facts(p.server.c), *g = tlsconn_facts(p.client.c);
    CHECK(is_group_of_facts(f, "TLS_RSA_WITH_AES_256_GCM_SHA384", ""));
    CHECK(is_group_of_facts(g, "TLS_RSA_WITH_AES_256_GCM_SHA384", ""));
    CHECK(f->key_exchange_rsa && g->key_exchange_rsa);
    CHECK_TEXT(g->signature, "");
    CHECK(f->credential == rsa);
    CHECK(!end_has_sent(&p.server, 12)); /* no ServerKeyExchange: RFC 5246 §7.4.3 */
    pair_end(&p);
}

TEST(rsa_key_transport_is_off_unless_asked_for)
{
    struct pair p;
    struct tlspolicy_config s = pair_config(TLSPOLICY_SERVER, one(&rsa, KEY_RSA), 1),
                            c = client_config();
    c.key_exchange_rsa_only = true;
    pair_begin(&p, s, c);
    pair_handshake(&p.client, &p.server);
    CHECK_INT(p.server.status, TLSCONN_FAILED);
    CHECK_INT(tlsconn_failure(p.server.c)->fault, TLSCONN_FAULT_NO_COMMON);
    CHECK_INT(tlsconn_failure(p.client.c)->fault, TLSCONN_FAULT_ALERT_RECEIVED);
    CHECK_INT(tlsconn_failure(p.client.c)->alert, 40);
    pair_end(&p);
}

TEST(messages_are_reported_in_order)
{
    struct pair p;
    pair_open(&p, server_config(), client_config());
    static const uint8_t sent[] = {2, 8, 11, 15, 20}, received[] = {1, 20};
    CHECK_INT(p.server.sent_n, sizeof(sent));
    CHECK_INT(memcmp(p.server.sent, sent, sizeof(sent)), 0);
    CHECK_INT(p.server.received_n, sizeof(received));
    CHECK_INT(memcmp(p.server.received, received, sizeof(received)), 0);
    CHECK_INT(p.client.received_n, sizeof(sent));
    CHECK_INT(memcmp(p.client.received, sent, sizeof(sent)), 0);
    pair_end(&p);
}

TEST(no_common_version)
{
    struct pair p;
    struct tlspolicy_config s = server_config(), c = client_config();
    s.version_min = TLS_1_3;
    c.version_max = TLS_1_2;
    pair_begin(&p, s, c);
    pair_handshake(&p.client, &p.server);
    CHECK_INT(tlsconn_failure(p.server.c)->fault, TLSCONN_FAULT_NO_COMMON);
    CHECK_INT(tlsconn_failure(p.server.c)->alert, 70);
    CHECK_INT(tlsconn_failure(p.client.c)->alert, 70);
    CHECK_TEXT(tlsconn_failure(p.client.c)->text, "the peer sent the alert protocol_version");
    pair_end(&p);
}

TEST(no_policy_for_the_name)
{
    struct pair p;
    pair_begin(&p, server_config(), client_config());
    p.server.policy = NULL;
    pair_handshake(&p.client, &p.server);
    CHECK_INT(p.server.status, TLSCONN_FAILED);
    CHECK_INT(tlsconn_failure(p.server.c)->alert, 112);
    CHECK_INT(tlsconn_failure(p.client.c)->alert, 112);
    CHECK_INT(tlsconn_handshake(p.server.c, NOW_S), TLSCONN_FAILED);
    pair_end(&p);
}

TEST(alpn)
{
    static const struct bytes ours[] = {
        {(const uint8_t *)"h2", 2}, {(const uint8_t *)"http/1.1", 8}};
    static const struct bytes theirs[] = {
        {(const uint8_t *)"http/1.1", 8}, {(const uint8_t *)"h2", 2}};
    static const struct bytes other[] = {{(const uint8_t *)"imap", 4}};
    struct pair p;
    struct tlspolicy_config s = server_config(), c = client_config();
    s.alpn = ours;
    s.alpn_n = 2;
    c.alpn = theirs;
    c.alpn_n = 2;
    pair_open(&p, s, c);
    CHECK_TEXT(tlsconn_facts(p.client.c)->alpn, "h2"); /* the server's preference */
    pair_end(&p);
    c.alpn = other;
    c.alpn_n = 1;
    pair_begin(&p, s, c);
    pair_handshake(&p.client, &p.server);
    CHECK_INT(tlsconn_failure(p.client.c)->alert, 120);
    CHECK_INT(tlsconn_failure(p.server.c)->fault, TLSCONN_FAULT_NO_COMMON);
    pair_end(&p);
    s.alpn_n = 0; /* a server without a list ignores ALPN */
    pair_open(&p, s, c);
    CHECK_TEXT(tlsconn_facts(p.client.c)->alpn, "");
    pair_end(&p);
}

TEST(addresses_are_not_sent_as_names)
{
    static const char *const names[] = {"127.0.0.1", "::1", NULL, "*.example"};
    for (size_t i = 0; i < 4; i++) {
        struct pair p;
        pair_begin(&p, server_config(), client_config());
        end_free(&p.client);
        end_client(&p.client, p.client_policy, names[i]);
        pair_handshake(&p.client, &p.server);
        CHECK_INT(p.client.status, TLSCONN_OK);
        CHECK(!p.server.has_sni);
        CHECK_TEXT(tlsconn_facts(p.client.c)->sni, "");
        pair_end(&p);
    }
}

/* ---- data ---- */

/* Send DATA from one end to the other, however many turns it takes, and compare. */
static void transfer(struct end *from, struct end *to, struct bytes data)
{
    struct bytes left = data;
    struct buf got;
    buf_init(&got, data.n);
    while (buf_size(&got) < data.n) {
        size_t taken, before = buf_size(&got);
        CHECK_INT(tlsconn_write(from->c, left, &taken), TLSCONN_OK);
        left = bytes_skip(left, taken);
        CHECK(buf_size(tlsconn_wire_out(from->c)) <= TLSCONN_WIRE_MAX);
        pair_carry(from, to);
        while (tlsconn_read(to->c, &got) == TLSCONN_OK && buf_room(&got))
            ;
        if (buf_size(&got) == before && !taken) {
            CHECK(false); /* stuck */
            break;
        }
    }
    CHECK(bytes_equal(buf_bytes(&got), data));
    buf_fini(&got);
}

TEST(data_passes_both_ways)
{
    struct pair p;
    struct tlspolicy_config s = server_config();
    static uint8_t big[1000 * 1000];
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 31 + i / 251);
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        s.version_max = version;
        pair_open(&p, s, client_config());
        transfer(&p.client, &p.server, (struct bytes){big, sizeof(big)});
        transfer(&p.server, &p.client, (struct bytes){big, sizeof(big)});
        transfer(&p.server, &p.client, BYTES("x"));
        CHECK_INT(buf_size(tlsconn_wire_in(p.client.c)), 0);
        pair_end(&p);
    }
}

TEST(write_stops_at_the_bound)
{
    struct pair p;
    static uint8_t big[4 * TLSCONN_WIRE_MAX];
    struct tlspolicy_config s = server_config();
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        size_t taken, room, total = 0;
        s.version_max = version;
        pair_begin(&p, s, client_config());
        CHECK_INT(tlsconn_write_room(p.server.c), 0); /* no data before the handshake */
        CHECK_INT(tlsconn_write(p.server.c, BYTES("x"), &taken), TLSCONN_WANT_INPUT);
        CHECK_INT(taken, 0);
        pair_handshake(&p.client, &p.server);
        while ((room = tlsconn_write_room(p.server.c)) > 0) {
            CHECK_INT(
                tlsconn_write(p.server.c, (struct bytes){big, sizeof(big)}, &taken), TLSCONN_OK);
            CHECK_INT(taken, room);
            total += taken;
        }
        CHECK(total > TLSCONN_WIRE_MAX * 9 / 10);
        CHECK(buf_size(tlsconn_wire_out(p.server.c)) <= TLSCONN_WIRE_MAX);
        CHECK_INT(tlsconn_write(p.server.c, (struct bytes){big, 1}, &taken), TLSCONN_OK);
        CHECK_INT(taken, 0);
        tlsconn_close(p.server.c); /* still fits */
        pair_carry(&p.server, &p.client);
        buf_fini(&plain);
        buf_init(&plain, total);
        CHECK_INT(tlsconn_read(p.client.c, &plain), TLSCONN_OK);
        CHECK_INT(buf_size(&plain), total);
        buf_clear(&plain);
        CHECK_INT(tlsconn_read(p.client.c, &plain), TLSCONN_CLOSED);
        pair_end(&p);
    }
}

TEST(pending_is_exact)
{
    struct pair p;
    size_t taken;
    pair_open(&p, server_config(), client_config());
    struct buf little;
    buf_init(&little, 10);
    CHECK_INT(tlsconn_read(p.server.c, &little), TLSCONN_WANT_INPUT);
    CHECK(!tlsconn_has_pending(p.server.c));
    for (int i = 0; i < 3; i++)
        CHECK_INT(tlsconn_write(p.client.c, BYTES("twelve bytes"), &taken), TLSCONN_OK);
    pair_carry(&p.client, &p.server);
    size_t got = 0;
    while (tlsconn_has_pending(p.server.c)) {
        if (tlsconn_read(p.server.c, &little) != TLSCONN_OK)
            break;
        CHECK(buf_size(&little) > 0);
        got += buf_size(&little);
        buf_clear(&little);
    }
    CHECK_INT(got, 36);
    /* Half a record is nothing that could be read. */
    CHECK_INT(tlsconn_write(p.client.c, BYTES("more"), &taken), TLSCONN_OK);
    struct bytes record = buf_bytes(tlsconn_wire_out(p.client.c));
    CHECK_INT(buf_append(tlsconn_wire_in(p.server.c), bytes_first(record, record.n - 1)), 0);
    CHECK_INT(tlsconn_read(p.server.c, &little), TLSCONN_WANT_INPUT);
    CHECK(!tlsconn_has_pending(p.server.c));
    CHECK_INT(buf_append(tlsconn_wire_in(p.server.c), bytes_skip(record, record.n - 1)), 0);
    CHECK_INT(tlsconn_read(p.server.c, &little), TLSCONN_OK);
    CHECK_INT(buf_size(&little), 4);
    buf_fini(&little);
    pair_end(&p);
}

TEST(data_behind_the_last_handshake_message_is_not_lost)
{
    struct pair p;
    size_t taken;
    pair_begin(&p, server_config(), client_config());
    p.client.status = tlsconn_handshake(p.client.c, NOW_S);
    pair_carry(&p.client, &p.server);
    p.server.status = tlsconn_handshake(p.server.c, NOW_S);
    pair_carry(&p.server, &p.client);
    CHECK_INT(tlsconn_handshake(p.client.c, NOW_S), TLSCONN_OK);
    CHECK_INT(tlsconn_write(p.client.c, BYTES("early bird"), &taken), TLSCONN_OK);
    pair_carry(&p.client, &p.server);
    CHECK_INT(tlsconn_handshake(p.server.c, NOW_S), TLSCONN_OK);
    CHECK(tlsconn_has_pending(p.server.c));
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_OK);
    CHECK(bytes_equal(buf_bytes(&plain), BYTES("early bird")));
    pair_end(&p);
}

/* ---- the end ---- */

TEST(close_notify)
{
    struct pair p;
    size_t taken;
    pair_open(&p, server_config(), client_config());
    CHECK_INT(tlsconn_write(p.client.c, BYTES("last"), &taken), TLSCONN_OK);
    tlsconn_close(p.client.c);
    size_t size = buf_size(tlsconn_wire_out(p.client.c));
    tlsconn_close(p.client.c);
    CHECK_INT(buf_size(tlsconn_wire_out(p.client.c)), size);
    CHECK_INT(tlsconn_write_room(p.client.c), 0);
    pair_carry(&p.client, &p.server);
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_OK);
    buf_clear(&plain);
    /* It came with the last bytes, and nothing will come that could draw attention to it. */
    CHECK(tlsconn_has_pending(p.server.c));
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_CLOSED);
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_CLOSED);
    /* Half-closed: the other direction still works. */
    CHECK_INT(tlsconn_write(p.server.c, BYTES("answer"), &taken), TLSCONN_OK);
    CHECK_INT(taken, 6);
    tlsconn_close(p.server.c);
    pair_carry(&p.server, &p.client);
    CHECK_INT(tlsconn_read(p.client.c, &plain), TLSCONN_OK);
    CHECK(bytes_equal(buf_bytes(&plain), BYTES("answer")));
    CHECK_INT(tlsconn_read(p.client.c, &plain), TLSCONN_CLOSED);
    pair_end(&p);
}

TEST(truncation_is_not_a_close)
{
    struct pair p;
    size_t taken;
    pair_open(&p, server_config(), client_config());
    CHECK_INT(tlsconn_write(p.client.c, BYTES("cut"), &taken), TLSCONN_OK);
    pair_carry(&p.client, &p.server);
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_OK);
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_WANT_INPUT);
    pair_end(&p);
}

TEST(a_changed_byte_fails_with_bad_record_mac)
{
    struct pair p;
    size_t taken;
    pair_open(&p, server_config(), client_config());
    CHECK_INT(tlsconn_write(p.client.c, BYTES("secret"), &taken), TLSCONN_OK);
    struct buf *out = tlsconn_wire_out(p.client.c);
    out->at[out->end - 1] ^= 1;
    pair_carry(&p.client, &p.server);
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_FAILED);
    CHECK_INT(tlsconn_read(p.server.c, &plain), TLSCONN_FAILED);
    CHECK_INT(tlsconn_write(p.server.c, BYTES("x"), &taken), TLSCONN_FAILED);
    CHECK_INT(tlsconn_failure(p.server.c)->fault, TLSCONN_FAULT_PROTOCOL);
    CHECK_INT(tlsconn_failure(p.server.c)->alert, 20);
    pair_carry(&p.server, &p.client);
    CHECK_INT(tlsconn_read(p.client.c, &plain), TLSCONN_FAILED);
    CHECK_INT(tlsconn_failure(p.client.c)->fault, TLSCONN_FAULT_ALERT_RECEIVED);
    CHECK_INT(tlsconn_failure(p.client.c)->alert, 20);
    pair_end(&p);
}

TEST(what_is_no_tls_is_called_so)
{
    static const struct bytes cases[] = {
        BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("POST / HTTP/1.0\r\n\r\n"),
        BYTES("CONNECT x:443 HTTP/1.1\r\n\r\n"),
        BYTES("SSH-2.0-OpenSSH_9.2\r\n"),
        BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        BYTES("\x16\x09\x01\x00\x05hello"),
        BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        BYTES("\x80\x2e\x01\x03\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
              "\0\0\0\0\0\0\0\0\0\0\0"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p;
        pair_begin(&p, server_config(), client_config());
        end_feed(&p.server, cases[i]);
        CHECK_INT(p.server.status, TLSCONN_FAILED);
        CHECK_INT(tlsconn_failure(p.server.c)->fault, TLSCONN_FAULT_NOT_TLS);
        end_feed(&p.client, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"));
        CHECK_INT(p.client.status, TLSCONN_FAILED);
        CHECK_INT(tlsconn_failure(p.client.c)->fault, TLSCONN_FAULT_NOT_TLS);
        pair_end(&p);
    }
}

TEST(a_hello_of_ssl2_is_refused)
{
    /* version 3.3, one suite (0x00c02f), no session id, a challenge of 16 bytes */
    static const char hello[] = "\x80\x1c\x01\x03\x03\x00\x03\x00\x00\x00\x10\x00\xc0\x2f"
                                "0123456789abcdef";
    struct pair p;
    pair_begin(&p, server_config(), client_config());
    end_feed(&p.server, (struct bytes){(const uint8_t *)hello, sizeof(hello) - 1});
    CHECK_INT(p.server.status, TLSCONN_FAILED);
    CHECK_INT(tlsconn_failure(p.server.c)->alert, 70);
    pair_end(&p);
}

TEST(closing_during_the_handshake_is_a_failure)
{
    struct pair p;
    struct tlspolicy_config s = server_config();
    s.version_max = TLS_1_2;
    pair_begin(&p, s, client_config());
    CHECK_INT(tlsconn_handshake(p.client.c, NOW_S), TLSCONN_WANT_INPUT);
    pair_carry(&p.client, &p.server);
    CHECK_INT(tlsconn_handshake(p.server.c, NOW_S), TLSCONN_WANT_INPUT);
    end_feed(&p.server, BYTES("\x15\x03\x03\x00\x02\x01\x00"));
    CHECK_INT(p.server.status, TLSCONN_FAILED);
    CHECK_INT(tlsconn_failure(p.server.c)->fault, TLSCONN_FAULT_ALERT_RECEIVED);
    CHECK_INT(tlsconn_failure(p.server.c)->alert, 0);
    tlsconn_close(p.client.c); /* before the end of the handshake: nothing to close */
    CHECK_INT(buf_size(tlsconn_wire_out(p.client.c)), 0);
    pair_end(&p);
}

/* A xorshift generator: the same bytes in every run. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

/* A good ClientHello with some bytes changed, or cut, or followed by garbage. */
TEST(broken_hellos_do_no_harm)
{
    struct pair p;
    uint32_t state = 2463534242;
    pair_begin(&p, server_config(), client_config());
    CHECK_INT(tlsconn_handshake(p.client.c, NOW_S), TLSCONN_WANT_INPUT);
    struct bytes hello = buf_bytes(tlsconn_wire_out(p.client.c));
    for (int i = 0; i < 2000; i++) {
        uint8_t broken[1024];
        memcpy(broken, hello.at, hello.n);
        for (uint32_t n = next_random(&state) % 4 + 1; n; n--)
            broken[next_random(&state) % hello.n] = (uint8_t)next_random(&state);
        struct end server;
        end_server(&server, p.server_policy);
        end_feed(&server, (struct bytes){broken, hello.n - next_random(&state) % 3});
        if (server.status == TLSCONN_WANT_INPUT)
            end_feed(&server, (struct bytes){broken + 100, 200});
        if (server.status == TLSCONN_FAILED)
            CHECK(tlsconn_failure(server.c)->fault != TLSCONN_FAULT_NONE &&
                  tlsconn_failure(server.c)->fault != TLSCONN_FAULT_INTERNAL &&
                  tlsconn_failure(server.c)->text[0]);
        CHECK(server.status != TLSCONN_OK);
        end_free(&server);
    }
    pair_end(&p);
}

TEST(key_updates_are_limited)
{
    SSL_CTX *ctx = raw_context(TLS_1_3, TLS_1_3);
    struct tlspolicy_config config = server_config();
    struct tlspolicy *policy = pair_policy(&config);
    struct end server;
    struct raw r;
    int updates = 0;
    end_server(&server, policy);
    raw_new(&r, ctx, NULL, NULL);
    raw_handshake(&r, &server);
    CHECK_INT(server.status, TLSCONN_OK);
    buf_init(&plain, 1000);
    enum tlsconn_status status = TLSCONN_OK;
    for (; updates < 200 && status != TLSCONN_FAILED; updates++) {
        CHECK_INT(SSL_key_update(r.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        CHECK_INT(SSL_write(r.ssl, "x", 1), 1);
        raw_hello(&r, tlsconn_wire_in(server.c));
        ignore_result(tlsconn_read(server.c, &plain)); /* gives the byte that came along */
        status = tlsconn_read(server.c, &plain);
    }
    CHECK_INT(updates, 101);
    CHECK_INT(tlsconn_failure(server.c)->fault, TLSCONN_FAULT_PROTOCOL);
    buf_fini(&plain);
    raw_free(&r);
    end_free(&server);
    tlspolicy_free(&policy);
    SSL_CTX_free(ctx);
}

/* libssl stops between two records where its buffer happens to be empty, although more waits in
 * wire_in. */
TEST(a_key_update_at_any_place_stalls_nothing)
{
    static uint8_t data[2 * 16384];
    SSL_CTX *ctx = raw_context(TLS_1_3, TLS_1_3);
    struct tlspolicy_config config = server_config();
    struct tlspolicy *policy = pair_policy(&config);
    buf_init(&plain, TLSCONN_WIRE_MAX);
    for (int first = 1; first < 1000;) {
        struct end server;
        struct raw r;
        end_server(&server, policy);
        raw_new(&r, ctx, NULL, NULL);
        raw_handshake(&r, &server);
        for (int i = 0; i < 50; i++, first++) {
            CHECK_INT(SSL_write(r.ssl, data, 16000), 16000);
            CHECK_INT(SSL_write(r.ssl, data, first), first);
            CHECK_INT(SSL_key_update(r.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
            CHECK_INT(SSL_write(r.ssl, data, 100), 100);
            raw_hello(&r, tlsconn_wire_in(server.c));
            CHECK_INT(tlsconn_read(server.c, &plain), TLSCONN_OK);
            CHECK_INT(buf_size(&plain), 16000 + first + 100);
            CHECK(!tlsconn_has_pending(server.c));
            buf_clear(&plain);
        }
        raw_free(&r);
        end_free(&server);
    }
    buf_fini(&plain);
    tlspolicy_free(&policy);
    SSL_CTX_free(ctx);
}

TEST(renegotiation_is_refused)
{
    SSL_CTX *ctx = raw_context(TLS_1_2, TLS_1_2);
    struct tlspolicy_config config = server_config();
    struct tlspolicy *policy = pair_policy(&config);
    struct end server;
    struct raw r;
    end_server(&server, policy);
    raw_new(&r, ctx, NULL, NULL);
    raw_handshake(&r, &server);
    buf_init(&plain, 1000);
    CHECK_INT(SSL_renegotiate(r.ssl), 1);
    SSL_do_handshake(r.ssl);
    size_t sent_n = server.sent_n;
    raw_hello(&r, tlsconn_wire_in(server.c));
    CHECK(tlsconn_read(server.c, &plain) != TLSCONN_OK);
    CHECK_INT(server.sent_n, sent_n); /* no second ServerHello */
    buf_fini(&plain);
    raw_free(&r);
    end_free(&server);
    tlspolicy_free(&policy);
    SSL_CTX_free(ctx);
}

/* ---- policies ---- */

static bool is_refused(const struct tlspolicy_config *config, const char *why)
{
    struct error err = {""};
    struct tlspolicy *p = tlspolicy_new(config, &err);
    bool is_right = !p && strstr(err.text, why);
    if (!is_right)
        printf("# \"%s\"\n", err.text);
    tlspolicy_free(&p);
    return is_right;
}

TEST(policies_that_cannot_be)
{
    struct tlspolicy_config c = server_config();
    c.credentials_n = 0;
    CHECK(is_refused(&c, "needs a certificate"));
    c = server_config();
    c.version_min = 0x0302;
    CHECK(is_refused(&c, "TLS versions"));
    c = client_config();
    c.key_exchange_rsa_only = true;
    c.version_min = TLS_1_3;
    CHECK(is_refused(&c, "RSA key transport"));
    static const struct bytes empty[] = {{NULL, 0}};
    c = client_config();
    c.alpn = empty;
    c.alpn_n = 1;
    CHECK(is_refused(&c, "ALPN"));
    /* A certificate with the key of another: credential_load refuses it, and so does a policy. */
    struct credential mixed = *one(&ecdsa, KEY_EC_P256)[0];
    mixed.key = one(&rsa, KEY_RSA)[0]->key;
    const struct credential *list[] = {&mixed};
    c = pair_config(TLSPOLICY_SERVER, list, 1);
    CHECK(is_refused(&c, "the private key is not the certificate's"));
}
