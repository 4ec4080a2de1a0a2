/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server and its tickets: which one a session goes on by and which one means a full
 * handshake, with our own client and, for what that never sends, with a ClientHello of the test's
 * own.
 */
#include "base/memory.h"
#include "base/panic.h"
#include "side.h"
#include "test.h"
#include "tls/client.h"
#include "tls/machine_parts.h"
#include "tls/session.h"

#include "base/ban.h"

static struct credential *ecdsa, *rsa;

__attribute__((constructor)) static void make_credentials(void)
{
    ecdsa = pair_credential(KEY_EC_P256, "www.example");
    rsa = pair_credential(KEY_RSA, "www.example");
}

__attribute__((destructor)) static void free_credentials(void)
{
    pair_credential_free(&ecdsa);
    pair_credential_free(&rsa);
}

/* ---- two of ours ---- */

struct couple {
    struct side client, server;
    struct tlsconn_session *session;
};

static void pair_up(struct couple *c, uint16_t version)
{
    struct credential *all[] = {ecdsa, rsa};
    side_init(&c->client, &machine_client, all, 1);
    side_init(&c->server, &machine_server, all, 2);
    c->client.policy.version_max = version;
    c->client.policy.version_min = version;
    c->client.policy.tickets = c->server.policy.tickets = true;
    c->server.policy.preference = PREFER_FASTEST; /* SHA-256 */
    c->session = NULL;
}

static void begin(struct couple *c)
{
    side_start(&c->client);
    side_start(&c->server);
    if (c->session)
        session_offer(c->client.m, c->session);
}

/* They meet, with the last session; is that what they go on with? */
static bool resume(struct couple *c)
{
    begin(c);
    side_meet(&c->client, &c->server);
    CHECK(c->server.m->facts.is_handshake_complete && c->client.m->facts.is_handshake_complete);
    CHECK_INT(c->client.m->facts.resumed, c->server.m->facts.resumed);
    return c->server.m->facts.resumed;
}

static void take_session(struct couple *c)
{
    CHECK(!resume(c));
    c->session = c->client.session;
    c->client.session = NULL;
    CHECK(c->session != NULL);
}

static void part(struct couple *c)
{
    side_free(&c->client);
    side_free(&c->server);
    session_free(c->session);
}

/* The binding sees to it that a policy opens its own tickets only; it is asked all the same. */
TEST(a_ticket_says_what_the_policy_demands_today)
{
    static const struct {
        enum tlspolicy_peer then, today;
        bool resumes;
    } rows[] = {
        {PEER_NOT_ASKED, PEER_NOT_ASKED, true},
        {PEER_NOT_ASKED, PEER_OPTIONAL, true},
        {PEER_NOT_ASKED, PEER_REQUIRED, false},
        {PEER_REQUIRED, PEER_NOT_ASKED, false},
        {PEER_REQUIRED, PEER_OPTIONAL, true},
        {PEER_REQUIRED, PEER_REQUIRED, true},
    };
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct couple c;
            pair_up(&c, version);
            c.server.policy.peer = rows[i].then;
            take_session(&c);
            c.server.policy.peer = rows[i].today;
            c.server.now_s += 60;
            bool resumes = resume(&c);
            if (resumes != rows[i].resumes)
                printf("# row %zu, %04x\n", i, version);
            CHECK_INT(resumes, rows[i].resumes);
            CHECK_INT(c.server.m->authenticated_s, NOW_S + (resumes ? 0 : 60));
            part(&c);
        }
}

static uint8_t refuse_first(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    struct side *s = owner;
    return s->judged++ ? 0 : ALERT_UNKNOWN_CA;
}

/* Whose ticket is refused today and who is accepted then was authenticated today. */
TEST(who_is_refused_by_a_ticket_is_authenticated_anew)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct couple c;
        pair_up(&c, version);
        c.server.policy.peer = PEER_REQUIRED;
        take_session(&c);
        begin(&c);
        struct tlsconn_handler handler = *c.server.m->handler;
        handler.judge = refuse_first;
        c.server.m->handler = &handler;
        c.server.now_s += 60;
        side_meet(&c.client, &c.server);
        CHECK(c.server.m->facts.is_handshake_complete && !c.server.m->facts.resumed);
        CHECK_INT(c.server.judged, 2);
        CHECK_INT(c.server.m->authenticated_s, NOW_S + 60);
        part(&c);
    }
}

/* RFC 5246 §7.4.1.2: the suite is the session's, if it may still be had. */
TEST(a_session_of_a_suite_that_is_off_does_not_go_on)
{
    for (int is_off = 0; is_off < 2; is_off++) {
        struct couple c;
        pair_up(&c, TLS_1_2);
        c.client.policy.key_exchange_rsa_only = true;
        c.client.policy.key_exchange_rsa = c.server.policy.key_exchange_rsa = true;
        take_session(&c);
        CHECK(c.server.m->facts.key_exchange_rsa);
        c.client.policy.key_exchange_rsa_only = false;
        c.server.policy.key_exchange_rsa = !is_off;
        CHECK_INT(resume(&c), !is_off);
        CHECK_INT(c.server.m->facts.key_exchange_rsa, !is_off);
        part(&c);
    }
}

/* The client takes longer over its handshake than its session would last. */
TEST(a_handshake_that_outlasts_its_session_gives_none)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++)
        for (int is_late = 0; is_late < 2; is_late++) {
            struct couple c;
            pair_up(&c, version);
            c.server.policy.session_lifetime_s = 60;
            begin(&c);
            side_run(&c.client);
            side_carry(&c.client, &c.server);
            CHECK_INT(side_run(&c.server), MACHINE_WANT_INPUT);
            c.server.now_s += 59 + is_late;
            side_carry(&c.server, &c.client);
            side_meet(&c.client, &c.server);
            CHECK(c.server.m->facts.is_handshake_complete);
            CHECK_INT(c.client.session && ((struct session *)c.client.session)->ticket.n, !is_late);
            part(&c);
        }
}

/* RFC 6066 §8: a status goes with a Certificate, of which there is none; §3: "the server MUST NOT
 * include a server_name extension". */
TEST(neither_status_nor_name_comes_with_a_session_that_goes_on)
{
    struct couple c;
    struct server_hello hello;
    struct bytes body;
    uint8_t alert;
    pair_up(&c, TLS_1_2);
    pair_staple(ecdsa, "a response");
    begin(&c);
    client_set_server_name(c.client.m, "www.example");
    side_meet(&c.client, &c.server);
    c.session = c.client.session;
    c.client.session = NULL;
    begin(&c);
    client_set_server_name(c.client.m, "www.example");
    side_run(&c.client);
    side_carry(&c.client, &c.server);
    side_run(&c.server);
    CHECK(c.server.m->facts.resumed);
    struct bytes flight =
        bytes_skip(buf_bytes(&c.server.m->wire_out), RECORD_HEADER_SIZE + MESSAGE_HEADER_SIZE - 3);
    CHECK(wire_take_vector_24(&flight, &body) && server_hello_read(body, &hello, &alert));
    CHECK(extension_find(hello.block, EXTENSION_EXTENDED_MASTER_SECRET, &body));
    CHECK(!extension_find(hello.block, EXTENSION_STATUS_REQUEST, &body));
    CHECK(!extension_find(hello.block, EXTENSION_SERVER_NAME, &body));
    part(&c);
}

/* ---- pre_shared_key of several (RFC 8446 §4.2.11) ---- */

/* A ClientHello that offers the session, among others. */
struct offer {
    const char *what;
    unsigned before;    /* identities that are none of ours */
    int longer;         /* the binder, by so many octets */
    struct bytes modes; /* empty: psk_dhe_ke */
    bool is_tls12;      /* the session */
    bool has_no_schemes;
    bool is_full;
    uint8_t alert;
};

#define SHARE "\0\x24\0\x1d\0\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static struct wire_mark put_identities(
    struct wire_writer *w, const struct offer *o, struct bytes ticket)
{
    struct wire_mark identities = wire_begin(w, 2);
    for (unsigned i = 0; i <= o->before; i++) {
        struct wire_mark identity = wire_begin(w, 2);
        wire_put(w, i == o->before ? ticket : BYTES("a ticket that somebody else has given us"));
        wire_end(w, identity);
        wire_put_32(w, 0); /* its age, which does not count without early data */
    }
    return identities;
}

/* Zeros, in whose place the last is put later. */
static void put_binders(struct wire_writer *w, const struct offer *o)
{
    static const uint8_t zeros[SHA256_SIZE + 1];
    struct wire_mark binders = wire_begin(w, 2);
    for (unsigned i = 0; i <= o->before; i++) {
        struct wire_mark binder = wire_begin(w, 1);
        wire_put(
            w, (struct bytes){zeros, (size_t)(SHA256_SIZE + (i == o->before ? o->longer : 0))});
        wire_end(w, binder);
    }
    wire_end(w, binders);
}

/* The size of the message up to the binders. */
static size_t put_hello(struct wire_writer *w, const struct offer *o, const struct session *s)
{
    static const uint8_t random[32] = {1};
    struct wire_mark message = message_begin(w, MESSAGE_CLIENT_HELLO);
    wire_put_16(w, TLS_1_2);
    wire_put(w, (struct bytes){random, sizeof(random)});
    wire_put(w, BYTES("\0\0\2\x13\x01\1\0")); /* no session id, one suite, no compression */
    struct wire_mark block = wire_begin(w, 2);
    side_put_extension(w, 43, BYTES("\2\3\4"));
    side_put_extension(w, 10, BYTES("\0\2\0\x1d"));
    side_put_extension(w, 51, BYTES(SHARE));
    if (!o->has_no_schemes)
        side_put_extension(w, 13, BYTES("\0\2\4\3"));
    side_put_extension(w, 45, o->modes.n ? o->modes : BYTES("\1\1"));
    wire_put_16(w, 41);
    struct wire_mark psk = wire_begin(w, 2);
    struct wire_mark identities = put_identities(w, o, s->ticket);
    wire_end(w, identities);
    size_t truncated_n = buf_size(w->out);
    put_binders(w, o);
    wire_end(w, psk);
    wire_end(w, block);
    wire_end(w, message);
    CHECK(!w->has_failed);
    return truncated_n;
}

static void make_binder(
    struct buf *message, size_t truncated_n, const struct secret *psk, int longer)
{
    struct key_schedule schedule;
    struct secret key;
    uint8_t digest[HASH_SIZE_MAX], binder[HASH_SIZE_MAX];
    key_schedule_start(&schedule, HASH_SHA256, (struct bytes){psk->at, SHA256_SIZE});
    key_schedule_derive(&schedule, "res binder", key_schedule_nothing(HASH_SHA256), &key);
    size_t n = hash_make(HASH_SHA256, bytes_first(buf_bytes(message), truncated_n), digest);
    key_schedule_verify_data(&key, (struct bytes){digest, n}, binder);
    memcpy(message->at + message->end - SHA256_SIZE - longer, binder,
        longer < 0 ? SHA256_SIZE - 1 : SHA256_SIZE);
}

static void say_offer(struct couple *c, const struct offer *o)
{
    struct buf message;
    const struct session *s = (const struct session *)c->session;
    buf_init(&message, 4096);
    struct wire_writer w = {.out = &message};
    size_t truncated_n = put_hello(&w, o, s);
    make_binder(&message, truncated_n, &s->psk, o->longer);
    w = (struct wire_writer){.out = &c->server.m->wire_in};
    wire_put_24(&w, 0x160301);
    struct wire_mark record = wire_begin(&w, 2);
    wire_put(&w, buf_bytes(&message));
    wire_end(&w, record);
    CHECK(!w.has_failed);
    side_run(&c->server);
    buf_fini(&message);
}

/* Which of the identities the server has taken; -1: none. */
static int index_taken(const struct side *server)
{
    struct server_hello hello;
    struct bytes body, wire = buf_bytes(&server->m->wire_out);
    uint8_t alert;
    uint16_t index;
    wire = bytes_skip(wire, RECORD_HEADER_SIZE + 1);
    CHECK(wire_take_vector_24(&wire, &body) && server_hello_read(body, &hello, &alert));
    bool is_taken = extension_find(hello.block, EXTENSION_PRE_SHARED_KEY, &body);
    CHECK_INT(is_taken, server->m->facts.resumed);
    return is_taken && extension_read_number(body, &index) ? index : -1;
}

/* The client's Finished. */
static void finish(struct side *server)
{
    uint8_t digest[HASH_SIZE_MAX], message[4 + HASH_SIZE_MAX] = {MESSAGE_FINISHED};
    struct record_layer seal;
    struct record_keys keys;
    const struct handshake *hs = server->m->hs;
    struct bytes transcript = {digest, hash_peek(&hs->transcript, digest)};
    size_t n = key_schedule_verify_data(&hs->client_secret, transcript, message + 4);
    message[3] = (uint8_t)n;
    record_init(&seal);
    key_schedule_keys(&hs->client_secret, server->m->suite, &keys);
    record_set_keys(&seal, &keys);
    CHECK_INT(
        record_put(&seal, RECORD_HANDSHAKE, (struct bytes){message, 4 + n}, &server->m->wire_in, 0),
        4 + n);
    CHECK_INT(side_run(server), MACHINE_COMPLETE);
    record_fini(&seal);
}

static const struct offer offers[] = {
    {.what = "ours alone"},
    {.what = "ours as the fourth", .before = 3},
    {.what = "ours as the fifth, which is not looked at", .before = 4, .is_full = true},
    {.what = "a session needs no signature", .has_no_schemes = true},
    {.what = "… but without one", .before = 4, .has_no_schemes = true, .alert = 109},
    {.what = "not without (EC)DHE", .modes = BYTES("\1\0"), .is_full = true},
    {.what = "with (EC)DHE, too", .modes = BYTES("\2\0\1")},
    {.what = "a ticket of TLS 1.2", .is_tls12 = true, .is_full = true},
    {.what = "a binder with a tail", .longer = 1, .alert = ALERT_DECRYPT_ERROR},
    {.what = "a binder that is short", .longer = -1, .alert = ALERT_DECODE_ERROR},
};

TEST(the_first_ticket_of_ours_among_four_is_taken)
{
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        struct couple c;
        const struct offer *o = &offers[i];
        int before = test_failed;
        pair_up(&c, o->is_tls12 ? TLS_1_2 : TLS_1_3);
        take_session(&c);
        side_start(&c.server);
        say_offer(&c, o);
        if (o->alert) {
            CHECK(side_has_failed(&c.server, TLSCONN_FAULT_PROTOCOL, o->alert));
        } else {
            CHECK_INT(index_taken(&c.server), o->is_full ? -1 : (int)o->before);
            finish(&c.server);
            /* RFC 8446 §4.2.9: none that the client could not use. */
            CHECK_INT(memchr(c.server.sent, MESSAGE_NEW_SESSION_TICKET, c.server.sent_n) != NULL,
                !o->modes.n || o->modes.at[0] == 2);
        }
        if (test_failed != before)
            printf("# %s: %s\n", o->what, c.server.m->failure.text);
        part(&c);
    }
}
