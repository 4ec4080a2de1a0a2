/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's client and servers that break rules: ServerHellos written by the test, and records
 * sealed with the client's own secrets. Each refusal is for its reason, and only that.
 */
#include "base/memory.h"
#include "base/panic.h"
#include "side.h"
#include "test.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

static struct credential *ecdsa;

__attribute__((constructor)) static void make_credential(void)
{
    ecdsa = pair_credential(KEY_EC_P256, "www.example");
}

__attribute__((destructor)) static void free_credential(void)
{
    pair_credential_free(&ecdsa);
}

/* ---- ServerHello ---- */

#define SHARE    "\0\x1d\0\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS    "\0\x1d\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define MARK_13  "DOWNGRD\1"
#define MARK_12  "DOWNGRD"
#define OF_P256  "\0\x17"
#define COOKIE   "\0\3abc"
#define TICKET_0 "\4\0\0\0"

enum { TLS13, RETRY, TLS12 };

struct addition {
    int number; /* one of the usual ones is replaced, with no body left out */
    struct bytes body;
};

/* A ServerHello that is in order, but for what a row says. */
struct hello {
    const char *what;
    int kind;
    struct addition a;
    bool is_left_out;
    uint8_t alert;        /* 0: it is taken */
    uint16_t suite;       /* 0: the usual one */
    uint16_t legacy;      /* 0: TLS 1.2 */
    uint8_t compression;  /* 0: null */
    bool has_other_id;    /* than what belongs there */
    bool is_client_tls12; /* the client has nothing better */
    bool is_client_rsa;   /* it takes RSA key transport, too */
    bool is_client_tls13; /* it takes nothing less */
    bool has_cookie;
    const char *mark; /* the random ends with its eight octets */
    enum tlsconn_fault fault;
};

static void put_extensions(struct wire_writer *w, const struct hello *h)
{
    const struct addition usual[][2] = {{{43, BYTES("\3\4")}, {51, BYTES(SHARE)}},
        {{43, BYTES("\3\4")}, {51, BYTES(OF_P256)}}, {{0xff01, BYTES("\0")}, {23, BYTES("")}}};
    bool is_put = !h->a.body.at;
    for (size_t i = 0; i < 2; i++) {
        const struct addition *one = &usual[h->kind][i];
        bool is_changed = (h->a.body.at || h->is_left_out) && one->number == h->a.number;
        if (!is_changed)
            side_put_extension(w, (uint16_t)one->number, one->body);
        else if (!h->is_left_out)
            side_put_extension(w, (uint16_t)one->number, h->a.body);
        is_put = is_put || is_changed;
    }
    if (!is_put)
        side_put_extension(w, (uint16_t)h->a.number, h->a.body);
    if (h->has_cookie)
        side_put_extension(w, 44, BYTES(COOKIE));
}

static void put_hello(struct side *client, const struct hello *h)
{
    struct wire_writer w = {.out = &client->m->wire_in};
    uint8_t random[32] = {1};
    bool echoes = (h->kind != TLS12) != h->has_other_id;
    if (h->mark)
        memcpy(random + 24, h->mark, 8);
    wire_put_24(&w, 0x160303);
    struct wire_mark record = wire_begin(&w, 2);
    struct wire_mark message = message_begin(&w, MESSAGE_SERVER_HELLO);
    wire_put_16(&w, h->legacy ? h->legacy : TLS_1_2);
    wire_put(&w, (struct bytes){h->kind == RETRY ? message_retry_random : random, 32});
    struct wire_mark vector = wire_begin(&w, 1);
    wire_put(&w, echoes ? client->m->hs->session_id : (struct bytes){0});
    wire_end(&w, vector);
    wire_put_16(&w, h->suite ? h->suite : h->kind == TLS12 ? 0xc02b : 0x1301);
    wire_put_8(&w, h->compression);
    vector = wire_begin(&w, 2);
    put_extensions(&w, h);
    wire_end(&w, vector);
    wire_end(&w, message);
    wire_end(&w, record);
    CHECK(!w.has_failed);
}

static void start(struct side *s, const struct hello *h)
{
    static uint8_t protocols[] = {1, 'a', 1, 'b'};
    side_init(s, &machine_client, &ecdsa, 1);
    if (h->is_client_tls12)
        s->policy.version_max = TLS_1_2;
    if (h->is_client_tls13)
        s->policy.version_min = TLS_1_3;
    s->policy.key_exchange_rsa = h->is_client_rsa;
    s->policy.alpn = protocols;
    s->policy.alpn_n = sizeof(protocols);
    side_start(s);
    client_set_server_name(s->m, "www.example");
    CHECK_INT(side_run(s), MACHINE_WANT_INPUT);
    buf_clear(&s->m->wire_out);
    put_hello(s, h);
    side_run(s);
}

#define LEFT_OUT(n)   .a = {n, {0}}, .is_left_out = true
#define WITH(n, text) .a = {n, BYTES(text)}

static const struct hello hellos[] = {
    {"as it should be", TLS13},
    {"an older version before the extension", TLS13, .legacy = 0x0302, .alert = 47},
    {"SSL 3.0 before the extension", TLS13, .legacy = 0x0300, .alert = 70,
        .fault = TLSCONN_FAULT_NO_COMMON},
    {"TLS 1.3 in the old place, too", TLS13, .legacy = 0x0304, .alert = 47},
    {"TLS 1.3 in the old place alone", TLS13, LEFT_OUT(43), .legacy = 0x0304, .alert = 47},
    {"a version that is not", TLS13, WITH(43, "\3\5"), .alert = 47},
    {"TLS 1.2 by the extension", TLS13, WITH(43, "\3\3"), .alert = 47},
    {"a version of one octet", TLS13, WITH(43, "\3"), .alert = 50},
    {"TLS 1.2 with a share", TLS13, LEFT_OUT(43), .alert = 47, .suite = 0xc02b},
    {"another session id", TLS13, .has_other_id = true, .alert = 47},
    {"a suite that was not offered", TLS13, .suite = 0x1305, .alert = 47},
    {"a suite of TLS 1.2", TLS13, .suite = 0xc02b, .alert = 47},
    {"compression", TLS13, .compression = 1, .alert = 47},
    {"no share", TLS13, LEFT_OUT(51), .alert = 109},
    {"a share of another group", TLS13, WITH(51, "\0\x17\0\1\4"), .alert = 47},
    {"a share that is too short", TLS13, WITH(51, "\0\x1d\0\1\4"), .alert = 47},
    {"a share without end", TLS13, WITH(51, "\0\x1d\0\2\4"), .alert = 50},
    {"a share that gives zeros", TLS13, WITH(51, ZEROS), .alert = 47},
    {"a session that was not offered", TLS13, WITH(41, "\0\0"), .alert = 110},
    {"an extension that we do not know", TLS13, WITH(4660, ""), .alert = 110},
    {"an extension of another message", TLS13, WITH(0, ""), .alert = 47},
    {"TLS 1.3 that looks like a fallback", TLS13, .mark = MARK_13},
    {"TLS 1.3 for a client that has not got it", TLS13, .is_client_tls12 = true, .alert = 47},

    {"a retry", RETRY},
    {"a retry for the same group", RETRY, WITH(51, "\0\x1d"), .alert = 47},
    {"a retry for a group that is not ours", RETRY, WITH(51, "\0\x19"), .alert = 47},
    {"a retry for no group", RETRY, WITH(51, "\0"), .alert = 50},
    {"a retry for nothing", RETRY, LEFT_OUT(51), .alert = 47},
    {"a retry with a cookie", RETRY, WITH(44, COOKIE)},
    {"a retry with a cookie and the same share", RETRY, LEFT_OUT(51), .has_cookie = true},
    {"a retry with an empty cookie", RETRY, WITH(44, "\0\0"), .alert = 50},
    {"a retry with another session id", RETRY, .has_other_id = true, .alert = 47},
    {"a retry with a suite that was not offered", RETRY, .suite = 0x1305, .alert = 47},
    {"a retry with a session", RETRY, WITH(41, "\0\0"), .alert = 47},

    {"TLS 1.2", TLS12},
    {"TLS 1.2 is the most that the server can", TLS12, .mark = MARK_12, .alert = 47},
    {"TLS 1.2 though both can do better", TLS12, .mark = MARK_13, .alert = 47},
    {"TLS 1.2 for a client that has nothing better", TLS12, .mark = MARK_13,
        .is_client_tls12 = true},
    {"less than TLS 1.2, but not quite", TLS12, .mark = MARK_12, .is_client_tls12 = true,
        .alert = 47},
    {"TLS 1.1", TLS12, .legacy = 0x0302, .alert = 70, .fault = TLSCONN_FAULT_NO_COMMON},
    {"TLS 1.2 for a client that wants better", TLS12, .is_client_tls13 = true, .alert = 70,
        .fault = TLSCONN_FAULT_NO_COMMON},
    {"the session id that stands for nothing", TLS12, .has_other_id = true, .alert = 47},
    {"a suite of TLS 1.3", TLS12, .suite = 0x1301, .alert = 47},
    {"RSA key transport unasked", TLS12, .suite = 0x009c, .alert = 47},
    {"compression in TLS 1.2", TLS12, .compression = 1, .alert = 47},
    {"nothing about renegotiation", TLS12, LEFT_OUT(0xff01), .alert = 40},
    {"a renegotiation", TLS12, WITH(0xff01, "\1a"), .alert = 40},
    {"no extended master secret", TLS12, LEFT_OUT(23)},
    {"an extended master secret with content", TLS12, WITH(23, "a"), .alert = 50},
    {"ALPN", TLS12, WITH(16, "\0\2\1b")},
    {"ALPN that we did not offer", TLS12, WITH(16, "\0\2\1c"), .alert = 47},
    {"ALPN of two", TLS12, WITH(16, "\0\4\1a\1b"), .alert = 50},
    {"ALPN of none", TLS12, WITH(16, "\0\0"), .alert = 50},
    {"ALPN cut off", TLS12, WITH(16, "\0\2\2b"), .alert = 50},
    {"a ticket unasked", TLS12, WITH(35, ""), .alert = 110},
    {"a share in TLS 1.2", TLS12, WITH(51, SHARE), .alert = 47},
    {"a name that is repeated", TLS12, WITH(0, "www"), .alert = 50},
    {"a tiny record_size_limit", TLS12, WITH(28, "\0\x3f"), .alert = 47},
    {"a status in the wrong place", TLS12, WITH(5, "\1"), .alert = 50},
    {"points cut off", TLS12, WITH(11, "\2\0"), .alert = 50},
    {"compressed points only", TLS12, WITH(11, "\1\1"), .alert = 47},
    {"groups, as some servers have them", TLS12, WITH(10, "\0\2\0\x1d")},
};

TEST(server_hellos)
{
    for (size_t i = 0; i < COUNT_OF(hellos); i++) {
        const struct hello *h = &hellos[i];
        struct side s;
        int before = test_failed;
        start(&s, h);
        if (h->alert)
            CHECK(side_has_failed(&s, h->fault ? h->fault : TLSCONN_FAULT_PROTOCOL, h->alert));
        else
            CHECK_INT(s.event, MACHINE_WANT_INPUT);
        if (test_failed != before)
            printf("# %s: %s\n", h->what, s.m->failure.text);
        side_free(&s);
    }
}

TEST(a_retry_comes_once_and_stands)
{
    static const struct {
        struct hello second;
        uint8_t alert;
        const char *text;
    } rows[] = {
        {{"again", RETRY}, ALERT_UNEXPECTED_MESSAGE, "unexpected message"},
        {{"another suite", TLS13, .suite = 0x1302}, ALERT_ILLEGAL_PARAMETER,
            "wrong cipher returned"},
        {{"another version", TLS12}, ALERT_ILLEGAL_PARAMETER, "another version after retry"},
        {{"the group of the first share", TLS13}, ALERT_ILLEGAL_PARAMETER, "bad key share"},
    };
    static const struct hello retry = {"a retry", RETRY};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        start(&s, &retry);
        CHECK_INT(s.sent_n, 2);
        put_hello(&s, &rows[i].second);
        side_run(&s);
        CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, rows[i].alert));
        CHECK_TEXT(s.m->failure.text, rows[i].text);
        side_free(&s);
    }
}

/* The ClientHello at the end of what waits to be sent. */
static struct client_hello sent_hello(const struct side *s)
{
    struct client_hello hello = {0};
    uint8_t alert;
    struct bytes wire = buf_bytes(&s->m->wire_out);
    if (wire.n && wire.at[0] == RECORD_CHANGE_CIPHER_SPEC)
        wire = bytes_skip(wire, RECORD_HEADER_SIZE + 1);
    wire = bytes_skip(wire, RECORD_HEADER_SIZE + MESSAGE_HEADER_SIZE);
    CHECK(client_hello_read(wire, &hello, &alert));
    return hello;
}

TEST(the_second_hello_is_the_first_but_for_what_was_asked)
{
    static const struct hello retries[] = {
        {"for a group", RETRY}, {"for a cookie", RETRY, WITH(44, COOKIE)}};
    const unsigned may_change =
        EXTENSION_BIT(EXTENSION_KEY_SHARE) | EXTENSION_BIT(EXTENSION_COOKIE);
    for (size_t i = 0; i < COUNT_OF(retries); i++) {
        struct side s;
        side_init(&s, &machine_client, &ecdsa, 1);
        side_start(&s);
        side_run(&s);
        struct buf first = s.m->wire_out;
        struct client_hello a = sent_hello(&s);
        buf_init(&s.m->wire_out, TLSCONN_WIRE_MAX);
        put_hello(&s, &retries[i]);
        CHECK_INT(side_run(&s), MACHINE_WANT_INPUT);
        struct client_hello b = sent_hello(&s);
        CHECK(bytes_equal(a.random, b.random) && bytes_equal(a.session_id, b.session_id));
        CHECK_INT(b.session_id.n, 32);
        CHECK(bytes_equal(a.suites, b.suites));
        CHECK_INT(a.extensions.present & ~may_change, b.extensions.present & ~may_change);
        for (enum extension e = 0; e < EXTENSION_COUNT; e++)
            if (!(EXTENSION_BIT(e) & may_change))
                CHECK(bytes_equal(a.extensions.at[e], b.extensions.at[e]));
        CHECK_INT(b.extensions.at[EXTENSION_KEY_SHARE].at[3], GROUP_SECP256R1);
        CHECK(bytes_equal(b.extensions.at[EXTENSION_COOKIE], i ? BYTES(COOKIE) : BYTES("")));
        buf_fini(&first);
        side_free(&s);
    }
}

TEST(nothing_follows_a_retry_in_its_record)
{
    static const struct hello retry = {"a retry", RETRY};
    struct side s;
    side_init(&s, &machine_client, &ecdsa, 1);
    side_start(&s);
    side_run(&s);
    put_hello(&s, &retry);
    CHECK(buf_append(&s.m->wire_in, BYTES("\2")) == 0);
    s.m->wire_in.at[s.m->wire_in.start + 4]++; /* of the record's length */
    side_run(&s);
    CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    CHECK_TEXT(s.m->failure.text, "not on record boundary");
    side_free(&s);
}

TEST(each_hello_has_a_random_of_its_own)
{
    struct side sides[2];
    struct client_hello hellos13[2];
    for (size_t i = 0; i < 2; i++) {
        side_init(&sides[i], &machine_client, &ecdsa, 1);
        side_start(&sides[i]);
        side_run(&sides[i]);
        hellos13[i] = sent_hello(&sides[i]);
    }
    CHECK(!bytes_equal(hellos13[0].random, hellos13[1].random));
    CHECK(!bytes_equal(hellos13[0].session_id, hellos13[1].session_id));
    side_free(&sides[0]);
    side_free(&sides[1]);
}

/* ---- sessions ---- */

/* A session that our own server gave. */
static void start_again(struct side *s, bool is_tls12)
{
    struct side server;
    side_init(s, &machine_client, &ecdsa, 1);
    side_init(&server, &machine_server, &ecdsa, 1);
    s->policy.tickets = server.policy.tickets = true;
    if (is_tls12)
        server.policy.version_max = TLS_1_2;
    server.policy.preference = PREFER_FASTEST;
    side_start(s);
    side_start(&server);
    side_meet(s, &server);
    side_free(&server);
    CHECK(s->session != NULL);
    side_start(s);
    session_offer(s->m, s->session);
    side_run(s);
}

TEST(a_session_goes_on_as_it_was)
{
    static const struct {
        struct hello hello;
        const char *text;
    } rows[] = {
        {{"the second of one", TLS13, WITH(41, "\0\1"), .alert = 47}, "bad psk identity"},
        {{"with another hash", TLS13, WITH(41, "\0\0"), .suite = 0x1302, .alert = 47},
            "bad psk identity"},
        {{"no number", TLS13, WITH(41, "\0"), .alert = 50}, "malformed pre_shared_key"},
        {{"with another suite", TLS12, .has_other_id = true, .suite = 0xc02c, .alert = 47},
            "old session cipher not returned"},
        {{"without the extended master secret", TLS12, LEFT_OUT(23), .has_other_id = true,
             .alert = 40},
            "inconsistent extms"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        start_again(&s, rows[i].hello.kind == TLS12);
        put_hello(&s, &rows[i].hello);
        side_run(&s);
        CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, rows[i].hello.alert));
        CHECK_TEXT(s.m->failure.text, rows[i].text);
        side_free(&s);
    }
}

/* RFC 8446 §4.1.4: the client "SHOULD NOT offer any pre-shared keys associated with a hash other
 * than that of the selected cipher suite". */
TEST(a_retry_with_another_hash_leaves_the_session_out)
{
    static const struct hello retries[] = {{"SHA-256", RETRY}, {"SHA-384", RETRY, .suite = 0x1302}};
    for (size_t i = 0; i < COUNT_OF(retries); i++) {
        struct side s;
        start_again(&s, false);
        buf_clear(&s.m->wire_out);
        put_hello(&s, &retries[i]);
        CHECK_INT(side_run(&s), MACHINE_WANT_INPUT);
        CHECK_INT(sent_hello(&s).extensions.at[EXTENSION_PRE_SHARED_KEY].n > 0, i == 0);
        side_free(&s);
    }
}

/* Who resumes is who was there before: neither shows a certificate nor its status, and none is
 * asked for. A server may announce a status as ever. */
TEST(a_session_that_goes_on_has_no_certificate)
{
    static const struct hello resumed[] = {{"resumed", TLS12, .has_other_id = true},
        {"with a status", TLS12, WITH(5, ""), .has_other_id = true}};
    static const struct bytes messages[] = {
        BYTES("\x16\3\3\0\7\x0b\0\0\3\0\0\0"), BYTES("\x16\3\3\0\x09\x16\0\0\5\1\0\0\1a")};
    for (size_t i = 0; i < COUNT_OF(resumed); i++) {
        struct side s;
        start_again(&s, true);
        put_hello(&s, &resumed[i]);
        CHECK_INT(side_run(&s), MACHINE_WANT_INPUT);
        CHECK(s.m->facts.resumed);
        side_feed(&s, messages[i]);
        CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
        side_free(&s);
    }
}

/* ---- after ServerHello ---- */

/* A server of the test's own: its records are sealed with the keys that the client expects. */
struct forger {
    struct side client;
    struct record_layer seal;
};

static void use(struct forger *f, const struct secret *traffic)
{
    struct record_keys keys;
    key_schedule_keys(traffic, f->client.m->suite, &keys);
    record_set_keys(&f->seal, &keys);
}

static void forge(struct forger *f, const struct hello *h)
{
    start(&f->client, h);
    record_init(&f->seal);
    f->seal.first_minor = 3;
    if (f->client.m->version == TLS_1_3)
        use(f, &f->client.m->hs->server_secret);
}

static void forget(struct forger *f)
{
    record_fini(&f->seal);
    side_free(&f->client);
}

static enum machine_event say(struct forger *f, enum record_type type, struct bytes content)
{
    size_t n = record_put(&f->seal, type, content, &f->client.m->wire_in, 0);
    CHECK_INT(n, content.n);
    return side_run(&f->client);
}

static void show(struct forger *f, const struct credential *c)
{
    struct buf message;
    buf_init(&message, 4096);
    struct wire_writer w = {.out = &message};
    struct wire_mark mark = message_begin(&w, MESSAGE_CERTIFICATE);
    message_put_certificate(
        &w, f->client.m->version == TLS_1_3, (struct bytes){0}, &c->chain, (struct bytes){0});
    wire_end(&w, mark);
    say(f, RECORD_HANDSHAKE, buf_bytes(&message));
    buf_fini(&message);
}

/* The certificate of the test's server. */
static void say_certificate(struct forger *f)
{
    show(f, ecdsa);
    CHECK_INT(f->client.event, MACHINE_WANT_INPUT);
}

static void say_signature(struct forger *f)
{
    uint8_t digest[HASH_SIZE_MAX], content[SIGNING_VERIFY_MAX],
        message[8 + PRIVATE_KEY_SIGNATURE_MAX] = {MESSAGE_CERTIFICATE_VERIFY, 0, 0, 0, 4, 3, 0, 0};
    size_t content_n = signing_verify_content(
        true, (struct bytes){digest, hash_peek(&f->client.m->hs->transcript, digest)}, content);
    size_t n = private_key_sign(
        ecdsa->key, SIGNATURE_ECDSA_SHA256, (struct bytes){content, content_n}, message + 8);
    message[3] = (uint8_t)(4 + n);
    message[7] = (uint8_t)n;
    say(f, RECORD_HANDSHAKE, (struct bytes){message, 8 + n});
}

static void say_verify(struct forger *f)
{
    say_signature(f);
    CHECK_INT(f->client.event, MACHINE_WANT_INPUT);
}

/* The Finished that the client expects now. */
static void say_finished(struct forger *f)
{
    uint8_t digest[HASH_SIZE_MAX], message[4 + HASH_SIZE_MAX] = {MESSAGE_FINISHED};
    const struct handshake *hs = f->client.m->hs;
    struct bytes transcript = {digest, hash_peek(&hs->transcript, digest)};
    size_t n = key_schedule_verify_data(&hs->server_secret, transcript, message + 4);
    message[3] = (uint8_t)n;
    CHECK_INT(say(f, RECORD_HANDSHAKE, (struct bytes){message, 4 + n}), MACHINE_COMPLETE);
}

struct utterance {
    const char *what;
    enum record_type type;
    struct bytes content;
    uint8_t alert;
    enum tlsconn_fault fault; /* none: PROTOCOL */
};

static void check_utterances(
    const struct utterance *rows, size_t n, void (*prepare)(struct forger *f))
{
    for (size_t i = 0; i < n; i++) {
        struct forger f;
        int before = test_failed;
        prepare(&f);
        say(&f, rows[i].type, rows[i].content);
        CHECK(side_has_failed(
            &f.client, rows[i].fault ? rows[i].fault : TLSCONN_FAULT_PROTOCOL, rows[i].alert));
        if (test_failed != before)
            printf("# %s\n", rows[i].what);
        forget(&f);
    }
}

#define EMPTY_EXTENSIONS "\x08\0\0\2\0\0"
#define FINISHED   \
    "\x14\0\0\x20" \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void after_hello(struct forger *f)
{
    static const struct hello usual = {"as it should be", TLS13};
    forge(f, &usual);
}

static void after_extensions(struct forger *f)
{
    after_hello(f);
    CHECK_INT(say(f, RECORD_HANDSHAKE, BYTES(EMPTY_EXTENSIONS)), MACHINE_WANT_INPUT);
}

static void after_certificate(struct forger *f)
{
    after_extensions(f);
    say_certificate(f);
}

static void after_verify(struct forger *f)
{
    after_certificate(f);
    say_verify(f);
}

static void after_finished(struct forger *f)
{
    after_verify(f);
    say_finished(f);
    use(f, &f->client.m->receive_secret);
}

TEST(extensions_follow_the_hello)
{
    static const struct utterance rows[] = {
        {"Certificate", RECORD_HANDSHAKE, BYTES("\x0b\0\0\4\0\0\0\0"), 10},
        {"CertificateRequest", RECORD_HANDSHAKE, BYTES("\x0d\0\0\3\0\0\0"), 10},
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED), 10},
        {"ServerHello", RECORD_HANDSHAKE, BYTES("\2\0\0\0"), 10},
        {"NewSessionTicket", RECORD_HANDSHAKE, BYTES(TICKET_0), 10},
        {"KeyUpdate", RECORD_HANDSHAKE, BYTES("\x18\0\0\1\0"), 10},
        {"HelloRequest", RECORD_HANDSHAKE, BYTES("\0\0\0\0"), 10},
        {"data", RECORD_APPLICATION_DATA, BYTES("HTTP/1.1"), 10},
        {"none, cut off", RECORD_HANDSHAKE, BYTES("\x08\0\0\1\0"), 50},
        {"and something more", RECORD_HANDSHAKE, BYTES("\x08\0\0\3\0\0a"), 50},
        {"ALPN that we did not offer", RECORD_HANDSHAKE,
            BYTES("\x08\0\0\x0b\0\x09\0\x10\0\5\0\3\2h2"), 47},
        {"early data unasked", RECORD_HANDSHAKE, BYTES("\x08\0\0\6\0\4\0\x2a\0\0"), 110},
        {"a share", RECORD_HANDSHAKE, BYTES("\x08\0\0\6\0\4\0\x33\0\0"), 47},
        {"a name with content", RECORD_HANDSHAKE, BYTES("\x08\0\0\7\0\5\0\0\0\1a"), 50},
        {"tiny records", RECORD_HANDSHAKE, BYTES("\x08\0\0\x08\0\6\0\x1c\0\2\0\x3f"), 47},
    };
    check_utterances(rows, COUNT_OF(rows), after_hello);
}

/* RFC 8449 §4: from what comes next on; in TLS 1.3 the content type counts. */
TEST(records_are_as_small_as_asked_for)
{
    static const struct hello tls12 = {"with a limit", TLS12, WITH(28, "\1\0")};
    struct forger f;
    after_hello(&f);
    say(&f, RECORD_HANDSHAKE, BYTES("\x08\0\0\x08\0\6\0\x1c\0\2\1\0"));
    CHECK_INT(f.client.event, MACHINE_WANT_INPUT);
    CHECK_INT(f.client.m->send.plain_max, 255);
    forget(&f);
    forge(&f, &tls12);
    CHECK_INT(f.client.event, MACHINE_WANT_INPUT);
    CHECK_INT(f.client.m->hs->record_limit, 256);
    forget(&f);
}

/* RFC 8446 §4.2.3: "If no signature_algorithms_cert extension is present, then
 * signature_algorithms also applies to signatures appearing in certificates." */
TEST(fewer_schemes_are_for_handshakes_only)
{
    for (int has_fewer = 0; has_fewer < 2; has_fewer++) {
        struct side s;
        struct bytes schemes = {0};
        side_init(&s, &machine_client, &ecdsa, 1);
        if (has_fewer)
            s.policy.schemes = BYTES("\x08\x07");
        side_start(&s);
        side_run(&s);
        struct client_hello hello = sent_hello(&s);
        CHECK_INT(hello.extensions.at[EXTENSION_SIGNATURE_ALGORITHMS].n,
            2 + (has_fewer ? 2 : signature_schemes_ours().n));
        bool is_sent = extension_read_list_16(
            hello.extensions.at[EXTENSION_SIGNATURE_ALGORITHMS_CERT], &schemes);
        CHECK_INT(is_sent, has_fewer);
        CHECK(!is_sent || bytes_equal(schemes, signature_schemes_ours()));
        side_free(&s);
    }
}

TEST(a_server_that_resumes_nothing_has_a_certificate)
{
    static const struct utterance rows[] = {
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED), 10},
        {"CertificateVerify", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\4\3\0\0"), 10},
        {"EncryptedExtensions", RECORD_HANDSHAKE, BYTES(EMPTY_EXTENSIONS), 10},
        {"data", RECORD_APPLICATION_DATA, BYTES("HTTP/1.1"), 10},
        {"no certificate", RECORD_HANDSHAKE, BYTES("\x0b\0\0\4\0\0\0\0"), 50},
        {"with a context", RECORD_HANDSHAKE, BYTES("\x0b\0\0\5\1a\0\0\0"), 47},
        {"no X.509", RECORD_HANDSHAKE, BYTES("\x0b\0\0\x0a\0\0\0\6\0\0\1a\0\0"), 42,
            TLSCONN_FAULT_PEER_CERTIFICATE},
        {"with an empty staple", RECORD_HANDSHAKE,
            BYTES("\x0b\0\0\x0e\0\0\0\x0a\0\0\1a\0\4\0\5\0\0"), 50},
        {"with an extension that we did not ask for", RECORD_HANDSHAKE,
            BYTES("\x0b\0\0\x0e\0\0\0\x0a\0\0\1a\0\4\0\x12\0\0"), 110},
        {"a request with a context", RECORD_HANDSHAKE,
            BYTES("\x0d\0\0\x0c\1a\0\x08\0\x0d\0\4\0\2\4\3"), 47},
        {"a request without schemes", RECORD_HANDSHAKE, BYTES("\x0d\0\0\3\0\0\0"), 109},
    };
    check_utterances(rows, COUNT_OF(rows), after_extensions);
}

TEST(a_certificate_counts_with_its_signature_only)
{
    static const struct utterance rows[] = {
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED), 10},
        {"data", RECORD_APPLICATION_DATA, BYTES("HTTP/1.1"), 10},
        {"Certificate again", RECORD_HANDSHAKE, BYTES("\x0b\0\0\4\0\0\0\0"), 10},
        {"a request", RECORD_HANDSHAKE, BYTES("\x0d\0\0\3\0\0\0"), 10},
        {"a signature of nothing", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\4\3\0\0"), 51},
        {"a scheme for another key", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\x08\4\0\0"), 47},
        {"a scheme for another curve", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\5\3\0\0"), 47},
        {"SHA-1", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\2\3\0\0"), 47},
        {"PKCS #1 v1.5", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\4\1\0\0"), 47},
        {"cut off", RECORD_HANDSHAKE, BYTES("\x0f\0\0\3\4\3\0"), 50},
    };
    check_utterances(rows, COUNT_OF(rows), after_certificate);
}

/* RFC 8446 §4.4.3: what we verify we have offered, whatever we could. */
TEST(a_signature_is_by_a_scheme_that_was_offered)
{
    for (int is_offered = 0; is_offered < 2; is_offered++) {
        struct forger f;
        after_certificate(&f);
        f.client.policy.schemes = is_offered ? BYTES("\4\3\x08\7") : BYTES("\5\3\x08\7");
        say_signature(&f);
        if (is_offered)
            CHECK_INT(f.client.event, MACHINE_WANT_INPUT);
        else
            CHECK(side_has_failed(&f.client, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER));
        forget(&f);
    }
}

TEST(nothing_but_finished_completes_a_handshake)
{
    static const struct utterance rows[] = {
        {"of zeros", RECORD_HANDSHAKE, BYTES(FINISHED), 51},
        {"too short", RECORD_HANDSHAKE, BYTES("\x14\0\0\1\0"), 50},
        {"data", RECORD_APPLICATION_DATA, BYTES("HTTP/1.1"), 10},
        {"a ticket", RECORD_HANDSHAKE, BYTES(TICKET_0), 10},
        {"CertificateVerify again", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\4\3\0\0"), 10},
        {"an alert", RECORD_ALERT, BYTES("\2\x28"), 40, TLSCONN_FAULT_ALERT_RECEIVED},
    };
    check_utterances(rows, COUNT_OF(rows), after_verify);
}

TEST(what_may_not_follow_the_handshake)
{
    static const struct utterance rows[] = {
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED), 10},
        {"HelloRequest", RECORD_HANDSHAKE, BYTES("\0\0\0\0"), 10},
        {"ServerHello", RECORD_HANDSHAKE, BYTES("\2\0\0\0"), 10},
        {"a request", RECORD_HANDSHAKE, BYTES("\x0d\0\0\x0b\0\0\x08\0\x0d\0\4\0\2\4\3"), 10},
        {"no ticket at all", RECORD_HANDSHAKE, BYTES(TICKET_0), 50},
        {"an empty ticket", RECORD_HANDSHAKE, BYTES("\4\0\0\x0d\0\0\0\1\0\0\0\0\0\0\0\0\0"), 50},
    };
    check_utterances(rows, COUNT_OF(rows), after_finished);
}

/* ---- TLS 1.2 ---- */

static void after_hello12(struct forger *f)
{
    static const struct hello usual = {"as it should be", TLS12};
    forge(f, &usual);
}

static void after_certificate12(struct forger *f)
{
    after_hello12(f);
    say_certificate(f);
}

/* A CertificateStatus is announced, and may yet be left out. */
static void after_announcement(struct forger *f)
{
    static const struct hello status = {"with a status", TLS12, WITH(5, "")};
    forge(f, &status);
    say_certificate(f);
    CHECK_INT(f->client.judged, 0);
}

#define REQUEST_12 "\x0d\0\0\x08\1\1\0\2\4\3\0\0"
#define DONE       "\x0e\0\0\0"

TEST(tls12_has_a_certificate)
{
    static const struct utterance rows[] = {
        {"change_cipher_spec", RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"), 10},
        {"Finished", RECORD_HANDSHAKE, BYTES("\x14\0\0\1\0"), 10},
        {"ServerKeyExchange", RECORD_HANDSHAKE, BYTES("\x0c\0\0\1\0"), 10},
        {"ServerHelloDone", RECORD_HANDSHAKE, BYTES(DONE), 10},
        {"a ticket", RECORD_HANDSHAKE, BYTES(TICKET_0), 10},
        {"data", RECORD_APPLICATION_DATA, BYTES("HTTP/1.1"), 10},
        {"no certificate", RECORD_HANDSHAKE, BYTES("\x0b\0\0\3\0\0\0"), 50},
        {"HelloRequest with a body", RECORD_HANDSHAKE, BYTES("\0\0\0\1\0"), 50},
    };
    check_utterances(rows, COUNT_OF(rows), after_hello12);
}

static const struct utterance no_key_exchange[] = {
    {"change_cipher_spec", RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"), 10},
    {"ServerHelloDone", RECORD_HANDSHAKE, BYTES(DONE), 10},
    {"CertificateRequest", RECORD_HANDSHAKE, BYTES(REQUEST_12), 10},
    {"Finished", RECORD_HANDSHAKE, BYTES("\x14\0\0\1\0"), 10},
    {"cut off", RECORD_HANDSHAKE, BYTES("\x0c\0\0\1\3"), 50},
    {"a curve by its parameters", RECORD_HANDSHAKE, BYTES("\x0c\0\0\x09\1\0\x1d\1a\4\3\0\0"), 50},
    {"a curve that is not ours", RECORD_HANDSHAKE, BYTES("\x0c\0\0\x09\3\0\x19\1a\4\3\0\0"), 47},
    {"unsigned", RECORD_HANDSHAKE, BYTES("\x0c\0\0\x09\3\0\x1d\1a\4\3\0\0"), 51},
    {"signed by another key", RECORD_HANDSHAKE, BYTES("\x0c\0\0\x09\3\0\x1d\1a\4\1\0\0"), 47},
    {"signed with SHA-1", RECORD_HANDSHAKE, BYTES("\x0c\0\0\x09\3\0\x1d\1a\2\3\0\0"), 47},
};

TEST(tls12_has_a_signed_key_exchange)
{
    check_utterances(no_key_exchange, COUNT_OF(no_key_exchange), after_certificate12);
}

TEST(tls12_has_one_even_where_a_status_may_be_left_out)
{
    static const struct utterance status[] = {
        {"no response", RECORD_HANDSHAKE, BYTES("\x16\0\0\4\1\0\0\0"), 50},
        {"of another type", RECORD_HANDSHAKE, BYTES("\x16\0\0\5\2\0\0\1a"), 50},
    };
    check_utterances(no_key_exchange, COUNT_OF(no_key_exchange), after_announcement);
    check_utterances(status, COUNT_OF(status), after_announcement);
}

/* RFC 5246 §7.4.4: certificate_types and supported_signature_algorithms both have to allow it; RFC
 * 8446 §4.4.2.3 has the second only. */
TEST(a_certificate_is_shown_to_who_asks_for_its_kind)
{
    static const struct {
        uint16_t version;
        struct bytes types, schemes;
        bool is_shown;
    } rows[] = {
        {TLS_1_2, BYTES("\x40"), BYTES("\4\3"), true},
        {TLS_1_2, BYTES("\1\x63\x40"), BYTES("\4\1\x7f\x7f\5\3"), true}, /* any curve */
        {TLS_1_2, BYTES("\1"), BYTES("\4\3"), false},
        {TLS_1_2, BYTES("\1\2\x63"), BYTES("\4\3"), false},
        {TLS_1_2, BYTES("\x40"), BYTES("\4\1\x08\4\x08\7"), false},
        {TLS_1_2, BYTES("\x40"), BYTES("\2\3"), false}, /* SHA-1 */
        {TLS_1_3, {0}, BYTES("\4\3"), true},
        {TLS_1_3, {0}, BYTES("\5\3\6\3\4\1"), false}, /* other curves */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        side_init(&s, &machine_client, &ecdsa, 1);
        side_start(&s);
        s.m->version = rows[i].version;
        s.m->hs->peer_schemes = rows[i].schemes;
        client_choose_certificate(s.m, rows[i].types);
        if ((s.m->hs->credential != NULL) != rows[i].is_shown)
            printf("# row %zu\n", i);
        CHECK_INT(s.m->hs->credential != NULL, rows[i].is_shown);
        CHECK(s.m->facts.peer_asked);
        side_free(&s);
    }
}

/* RFC 8422 §2, RFC 5246 §7.4.2, RFC 4055 §1.2; also where the certificate is judged later, as a
 * status was announced. */
TEST(tls12_has_a_key_that_suits_the_suite)
{
    struct credential *pss = pair_credential(KEY_RSA_PSS, "www.example");
    const struct {
        const char *what;
        struct hello hello;
        const struct credential *shown;
        struct bytes then;
    } rows[] = {
        {"ECDSA for RSA", {.kind = TLS12, .suite = 0xc02f}, ecdsa, {0}},
        {"RSA-PSS for ECDSA", {.kind = TLS12}, pss, {0}},
        {"RSA-PSS for key transport", {.kind = TLS12, .suite = 0x009c, .is_client_rsa = true}, pss,
            {0}},
        {"ECDSA for RSA, later", {.kind = TLS12, .suite = 0xc02f, WITH(5, "")}, ecdsa,
            BYTES("\x0c\0\0\x09\3\0\x1d\1a\4\3\0\0")},
        {"ECDSA for key transport, later",
            {.kind = TLS12, .suite = 0x009c, .is_client_rsa = true, WITH(5, "")}, ecdsa,
            BYTES(DONE)},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct forger f;
        forge(&f, &rows[i].hello);
        show(&f, rows[i].shown);
        if (rows[i].then.n) {
            CHECK_INT(f.client.event, MACHINE_WANT_INPUT);
            say(&f, RECORD_HANDSHAKE, rows[i].then);
        }
        if (!side_has_failed(&f.client, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER))
            printf("# %s\n", rows[i].what);
        CHECK_TEXT(f.client.m->failure.text, "wrong certificate type");
        forget(&f);
    }
    pair_credential_free(&pss);
}

/* Where the server's key decrypts, it signs nothing. */
TEST(tls12_has_no_key_exchange_where_the_key_decrypts)
{
    static const struct hello status = {
        "with a status", TLS12, .suite = 0x009c, .is_client_rsa = true, WITH(5, "")};
    struct forger f;
    forge(&f, &status);
    say_certificate(&f);
    say(&f, RECORD_HANDSHAKE, BYTES("\x0c\0\0\x09\3\0\x1d\1a\4\3\0\0"));
    CHECK(side_has_failed(&f.client, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    forget(&f);
}

/* ServerKeyExchange with a share that is our base point, rightly signed. */
static void say_key_exchange(struct forger *f)
{
    static const uint8_t parameters[4 + 32] = {3, 0, GROUP_X25519, 32, 9};
    const struct handshake *hs = f->client.m->hs;
    uint8_t content[64 + sizeof(parameters)],
        message[4 + sizeof(parameters) + 4 + PRIVATE_KEY_SIGNATURE_MAX] = {
            MESSAGE_SERVER_KEY_EXCHANGE};
    memcpy(content, hs->client_random, 32);
    memcpy(content + 32, hs->server_random, 32);
    memcpy(content + 64, parameters, sizeof(parameters));
    memcpy(message + 4, parameters, sizeof(parameters));
    uint8_t *signature = message + 4 + sizeof(parameters);
    size_t n = private_key_sign(ecdsa->key, SIGNATURE_ECDSA_SHA256,
        (struct bytes){content, sizeof(content)}, signature + 4);
    signature[0] = 4;
    signature[1] = 3;
    signature[3] = (uint8_t)n;
    message[3] = (uint8_t)(sizeof(parameters) + 4 + n);
    say(f, RECORD_HANDSHAKE, (struct bytes){message, 4u + message[3]});
    CHECK_INT(f->client.event, MACHINE_WANT_INPUT);
}

static void after_key_exchange12(struct forger *f)
{
    after_certificate12(f);
    say_key_exchange(f);
}

TEST(tls12_ends_the_flight_of_its_server)
{
    static const struct utterance rows[] = {
        {"ServerHelloDone with a body", RECORD_HANDSHAKE, BYTES("\x0e\0\0\1\0"), 50},
        {"a request that is cut off", RECORD_HANDSHAKE, BYTES("\x0d\0\0\1\1"), 50},
        {"ServerKeyExchange again", RECORD_HANDSHAKE, BYTES("\x0c\0\0\1\3"), 10},
        {"Certificate again", RECORD_HANDSHAKE, BYTES("\x0b\0\0\3\0\0\0"), 10},
        {"change_cipher_spec", RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"), 10},
        {"Finished", RECORD_HANDSHAKE, BYTES("\x14\0\0\1\0"), 10},
        {"data", RECORD_APPLICATION_DATA, BYTES("HTTP/1.1"), 10},
    };
    check_utterances(rows, COUNT_OF(rows), after_key_exchange12);
}

/* RFC 6066 §8: "If a server returns a 'CertificateStatus' message" – it need not: who announces one
 * and leaves it out is judged all the same, before anything of ours is sent. */
TEST(a_server_is_judged_though_its_status_never_came)
{
    for (uint8_t verdict = 0; verdict <= ALERT_UNKNOWN_CA; verdict += ALERT_UNKNOWN_CA) {
        struct forger f;
        after_announcement(&f);
        f.client.policy.tickets = true;
        f.client.answer = verdict;
        say_key_exchange(&f);
        CHECK_INT(f.client.judged, 0);
        CHECK_INT(f.client.sent_n, 1);
        say(&f, RECORD_HANDSHAKE, BYTES(DONE));
        CHECK_INT(f.client.judged, 1);
        CHECK_INT(f.client.chain_n, 1);
        if (verdict) {
            CHECK(side_has_failed(&f.client, TLSCONN_FAULT_PEER_CERTIFICATE, verdict));
            CHECK_INT(f.client.sent_n, 1);
        } else {
            CHECK_INT(f.client.event, MACHINE_WANT_INPUT);
            CHECK_INT(f.client.sent_n, 3); /* ClientKeyExchange and Finished */
            CHECK_INT(f.client.m->shown.n, 1);
        }
        forget(&f);
    }
}

/* As a server of our own has it, up to its ChangeCipherSpec; its keys are the test's. */
static void after_change12(struct forger *f)
{
    struct side server;
    side_init(&f->client, &machine_client, &ecdsa, 1);
    side_init(&server, &machine_server, &ecdsa, 1);
    f->client.policy.version_max = TLS_1_2;
    side_start(&f->client);
    side_start(&server);
    for (int flight = 0; flight < 2; flight++) {
        side_run(&f->client);
        side_carry(&f->client, &server);
        side_run(&server);
        if (!flight)
            side_carry(&server, &f->client);
    }
    CHECK_INT(server.event, MACHINE_COMPLETE);
    record_init(&f->seal);
    record_set_keys(&f->seal, &server.m->send.keys);
    CHECK_INT(side_feed(&f->client, BYTES("\x14\3\3\0\1\1")), MACHINE_WANT_INPUT);
    side_free(&server);
}

#define FINISHED_12 "\x14\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0"

TEST(tls12_is_not_open_before_finished)
{
    static const struct utterance rows[] = {
        {"of zeros", RECORD_HANDSHAKE, BYTES(FINISHED_12), 51},
        {"too short", RECORD_HANDSHAKE, BYTES("\x14\0\0\1\0"), 50},
        {"data", RECORD_APPLICATION_DATA, BYTES("HTTP/1.1"), 10},
        {"a ticket", RECORD_HANDSHAKE, BYTES(TICKET_0), 10},
        {"change_cipher_spec again", RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"), 10},
        {"ServerHelloDone", RECORD_HANDSHAKE, BYTES(DONE), 10},
    };
    check_utterances(rows, COUNT_OF(rows), after_change12);
}

/* The Finished that the client expects. */
static void after_finished12(struct forger *f)
{
    uint8_t digest[HASH_SIZE_MAX],
        message[4 + VERIFY_DATA_SIZE] = {MESSAGE_FINISHED, 0, 0, VERIFY_DATA_SIZE};
    after_change12(f);
    const struct handshake *hs = f->client.m->hs;
    struct bytes transcript = {digest, hash_peek(&hs->transcript, digest)};
    prf_make(f->client.m->suite->hash, (struct bytes){hs->master, MASTER_SECRET_SIZE},
        (struct prf_seed){"server finished", transcript, {0}}, message + 4, VERIFY_DATA_SIZE);
    CHECK_INT(say(f, RECORD_HANDSHAKE, (struct bytes){message, sizeof(message)}), MACHINE_COMPLETE);
}

TEST(what_may_not_follow_the_handshake_of_tls12)
{
    static const struct utterance rows[] = {
        {"HelloRequest with a body", RECORD_HANDSHAKE, BYTES("\0\0\0\1\0"), 50},
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED_12), 10},
        {"ServerHello", RECORD_HANDSHAKE, BYTES("\2\0\0\0"), 10},
        {"a ticket", RECORD_HANDSHAKE, BYTES(TICKET_0), 10},
        {"KeyUpdate", RECORD_HANDSHAKE, BYTES("\x18\0\0\1\0"), 10},
        {"change_cipher_spec", RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"), 10},
    };
    check_utterances(rows, COUNT_OF(rows), after_finished12);
}

TEST(wishes_to_renegotiate_are_bounded)
{
    struct forger f;
    unsigned n = 0;
    after_finished12(&f);
    while (say(&f, RECORD_HANDSHAKE, BYTES("\0\0\0\0")) == MACHINE_WANT_INPUT)
        n++;
    CHECK_INT(n, MACHINE_WARNINGS_MAX);
    CHECK(side_has_failed(&f.client, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    CHECK_TEXT(f.client.m->failure.text, "too many HelloRequest messages");
    forget(&f);
}
