/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server and clients that break rules: ClientHellos written by the test, and records
 * sealed with the server's own secrets. Each refusal is for its reason, and only that.
 */
#include <openssl/err.h>

#include "base/memory.h"
#include "base/panic.h"
#include "side.h"
#include "test.h"
#include "tls/machine_parts.h"

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

/* ---- ClientHello ---- */

#define SHARE   "\0\x24\0\x1d\0\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SCHEMES "\0\2\4\3"

struct addition {
    int number; /* -1: none; one of the usual ones is replaced, with an empty TEXT left out */
    struct bytes body;
};

/* A ClientHello that is in order, but for what a row says. */
struct hello {
    const char *what;
    struct addition a;
    uint16_t legacy; /* 0: TLS 1.2 */
    struct bytes session_id, suites, compression;
    uint8_t alert;
    bool is_left_out, is_tls12;
    struct addition b; /* at the end */
};

static void put_extension(struct wire_writer *w, uint16_t number, struct bytes body)
{
    wire_put_16(w, number);
    struct wire_mark mark = wire_begin(w, 2);
    wire_put(w, body);
    wire_end(w, mark);
}

static void put_extensions(struct wire_writer *w, const struct hello *h)
{
    const struct addition usual[] = {{43, BYTES("\2\3\4")}, {10, BYTES("\0\4\0\x1d\0\x17")},
        {51, BYTES(SHARE)}, {13, BYTES(SCHEMES)}};
    bool is_put = !h->a.body.at || h->is_left_out;
    for (size_t i = 0; i < COUNT_OF(usual); i++) {
        bool is_other = h->is_tls12 && (usual[i].number == 43 || usual[i].number == 51);
        bool is_changed = usual[i].number == h->a.number && (h->a.body.at || h->is_left_out);
        if (is_changed && !h->is_left_out)
            put_extension(w, (uint16_t)h->a.number, h->a.body);
        else if (!is_changed && !is_other)
            put_extension(w, (uint16_t)usual[i].number, usual[i].body);
        is_put = is_put || is_changed;
    }
    if (!is_put)
        put_extension(w, (uint16_t)h->a.number, h->a.body);
    if (h->b.body.at)
        put_extension(w, (uint16_t)h->b.number, h->b.body);
}

static void put_vector(struct wire_writer *w, unsigned length_n, struct bytes content)
{
    struct wire_mark vector = wire_begin(w, length_n);
    wire_put(w, content);
    wire_end(w, vector);
}

static void put_message(struct wire_writer *w, const struct hello *h)
{
    uint8_t random[32] = {0};
    struct wire_mark message = message_begin(w, MESSAGE_CLIENT_HELLO);
    wire_put_16(w, h->legacy ? h->legacy : TLS_1_2);
    wire_put(w, (struct bytes){random, sizeof(random)});
    put_vector(w, 1, h->session_id);
    put_vector(w, 2, h->suites.at ? h->suites : BYTES("\x13\x01\xc0\x2b"));
    put_vector(w, 1, h->compression.at ? h->compression : BYTES("\0"));
    struct wire_mark extensions = wire_begin(w, 2);
    put_extensions(w, h);
    wire_end(w, extensions);
    wire_end(w, message);
}

static void put_hello(struct buf *out, const struct hello *h)
{
    struct wire_writer w = {.out = out};
    wire_put_24(&w, 0x160301);
    struct wire_mark record = wire_begin(&w, 2);
    put_message(&w, h);
    wire_end(&w, record);
    CHECK(!w.has_failed);
}

static void start(struct side *s, const struct hello *h)
{
    side_init(s, &machine_server, &ecdsa, 1);
    side_start(s);
    put_hello(&s->m->wire_in, h);
    side_run(s);
}

#define LEFT_OUT(n)   .a = {n, {0}}, .is_left_out = true
#define WITH(n, text) .a = {n, BYTES(text)}
#define AND(n, text)  .b = {n, BYTES(text)}

static const struct hello hellos[] = {
    {.what = "as it should be"},
    {.what = "in TLS 1.2", .is_tls12 = true},
    {.what = "GREASE",
        WITH(43, "\4\x1a\x1a\3\4"),
        .suites = BYTES("\x2a\x2a\x13\x01"),
        AND(0x3a3a, "\0")},
    {.what = "no common suite", .suites = BYTES("\x13\x04"), .alert = ALERT_HANDSHAKE_FAILURE},
    {.what = "compression", .compression = BYTES("\1\0"), .alert = ALERT_ILLEGAL_PARAMETER},
    {.what = "compression is fine beside none in TLS 1.2",
        .is_tls12 = true,
        .compression = BYTES("\1\0")},
    {.what = "compression alone",
        .is_tls12 = true,
        .compression = BYTES("\1"),
        .alert = ALERT_ILLEGAL_PARAMETER},
    {.what = "versions cut off", WITH(43, "\3\3\4"), .alert = ALERT_DECODE_ERROR},
    {.what = "no version of ours", WITH(43, "\2\3\2"), .alert = ALERT_PROTOCOL_VERSION},
    {.what = "TLS 1.0 in the old place", .legacy = 0x0301},
    {.what = "SSL 3.0 in the old place", .legacy = 0x0300, .alert = ALERT_PROTOCOL_VERSION},
    {.what = "SSL 2.0 in the old place", .legacy = 0x0002, .alert = ALERT_PROTOCOL_VERSION},
    {.what = "no groups", LEFT_OUT(10), .alert = ALERT_MISSING_EXTENSION},
    {.what = "no shares", LEFT_OUT(51), .alert = ALERT_MISSING_EXTENSION},
    {.what = "no schemes", LEFT_OUT(13), .alert = ALERT_MISSING_EXTENSION},
    {.what = "no groups in TLS 1.2", LEFT_OUT(10), .is_tls12 = true},
    {.what = "no schemes in TLS 1.2",
        LEFT_OUT(13),
        .is_tls12 = true,
        .alert = ALERT_HANDSHAKE_FAILURE},
    {.what = "a share of another group", WITH(10, "\0\2\0\x17"), .alert = ALERT_ILLEGAL_PARAMETER},
    {.what = "a share that is no point",
        WITH(51, "\0\6\0\x1d\0\2ab"),
        .alert = ALERT_ILLEGAL_PARAMETER},
    {.what = "no share of ours: a retry", WITH(51, "\0\0")},
    {.what = "server_name cut off", AND(0, "\0\5\0\0\7a"), .alert = ALERT_DECODE_ERROR},
    {.what = "ALPN cut off", AND(16, "\0\3\3h"), .alert = ALERT_DECODE_ERROR},
    {.what = "status_request cut off", AND(5, "\1"), .alert = ALERT_DECODE_ERROR},
    {.what = "a tiny record_size_limit", AND(28, "\0\x3f"), .alert = ALERT_ILLEGAL_PARAMETER},
    {.what = "signature_algorithms_cert cut off", AND(50, "\0\3\4"), .alert = ALERT_DECODE_ERROR},
    {.what = "certificate_authorities", AND(47, "\0\3\0\1a")},
    {.what = "certificate_authorities of nobody", AND(47, "\0\0"), .alert = ALERT_DECODE_ERROR},
    {.what = "twice the same", AND(13, SCHEMES), .alert = ALERT_DECODE_ERROR},
    {.what = "renegotiation of nothing",
        .is_tls12 = true,
        AND(0xff01, "\1a"),
        .alert = ALERT_HANDSHAKE_FAILURE},
    {.what = "only compressed points",
        .is_tls12 = true,
        AND(11, "\1\1"),
        .alert = ALERT_ILLEGAL_PARAMETER},
    {.what = "extended_master_secret with content",
        .is_tls12 = true,
        AND(23, "a"),
        .alert = ALERT_DECODE_ERROR},
    {.what = "another curve than our key's",
        .is_tls12 = true,
        WITH(10, "\0\2\0\x1d"),
        .alert = ALERT_HANDSHAKE_FAILURE},
    {.what = "a PSK without its modes",
        AND(41, "\0\7\0\1a\0\0\0\0\0\x21\x20"
                "01234567890123456789012345678901"),
        .alert = ALERT_MISSING_EXTENSION},
    {.what = "a PSK that is not the last",
        WITH(41, "\0\7\0\1a\0\0\0\0\0\x21\x20"
                 "01234567890123456789012345678901"),
        AND(45, "\1\1"),
        .alert = ALERT_ILLEGAL_PARAMETER},
};

TEST(client_hellos)
{
    for (size_t i = 0; i < COUNT_OF(hellos); i++) {
        struct side s;
        start(&s, &hellos[i]);
        if (hellos[i].alert)
            CHECK(s.event == MACHINE_FAILED && s.m->failure.alert == hellos[i].alert);
        else
            CHECK_INT(s.event, MACHINE_WANT_INPUT);
        if (test_failed)
            printf("# %s: event %d, %d: %s\n", hellos[i].what, s.event, s.m->failure.alert,
                s.m->failure.text);
        side_free(&s);
    }
}

/* RFC 8446 §4.1.2: the second hello has the share that was asked for, and nothing that was early.
 */
TEST(after_a_retry)
{
    static const struct hello first = {.what = "no share", WITH(51, "\0\0"), AND(42, "")},
                              bare = {.what = "no share", WITH(51, "\0\0")},
                              early = {.what = "early data", AND(42, "")},
                              second = {.what = "as it should be"};
    static const uint8_t garbage[RECORD_HEADER_SIZE + 30] = {23, 3, 3, 0, 30};
    const struct hello *answers[] = {&bare, &early, &second};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct side s;
        start(&s, &first);
        CHECK_INT(side_feed(&s, (struct bytes){garbage, sizeof(garbage)}), MACHINE_WANT_INPUT);
        put_hello(&s.m->wire_in, answers[i]);
        side_run(&s);
        if (answers[i] == &second)
            side_feed(&s, (struct bytes){garbage, sizeof(garbage)});
        CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL,
            answers[i] == &second ? ALERT_BAD_RECORD_MAC : ALERT_ILLEGAL_PARAMETER));
        side_free(&s);
    }
}

/* What is the same only if one does not look where a field ends. */
TEST(the_second_hello_is_the_same_field_by_field)
{
    static const struct hello first = {.what = "no share",
        WITH(51, "\0\0"),
        .session_id = BYTES("\x13\x03"),
        .suites = BYTES("\x13\x01")};
    static const struct hello seconds[] = {
        {.what = "the same", .session_id = BYTES("\x13\x03"), .suites = BYTES("\x13\x01")},
        {.what = "shifted", .suites = BYTES("\x13\x03\x13\x01")},
        {.what = "shifted", .session_id = BYTES("\x13"), .suites = BYTES("\x03\x13\x01\0")}};
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        struct side s;
        start(&s, &first);
        put_hello(&s.m->wire_in, &seconds[i]);
        side_run(&s);
        if (i)
            CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER));
        else
            CHECK_INT(s.event, MACHINE_WANT_INPUT);
        side_free(&s);
    }
}

TEST(nothing_follows_a_hello_that_is_retried)
{
    static const struct hello first = {.what = "no share", WITH(51, "\0\0")};
    struct side s;
    struct buf wire;
    side_init(&s, &machine_server, &ecdsa, 1);
    side_start(&s);
    buf_init(&wire, 4096);
    put_hello(&wire, &first);
    CHECK(buf_append(&wire, BYTES("\1")) == 0);
    wire.at[4]++; /* of the record's length */
    side_feed(&s, buf_bytes(&wire));
    CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    CHECK_TEXT(s.m->failure.text, "not on record boundary");
    buf_fini(&wire);
    side_free(&s);
}

/* MESSAGE in as many records as it takes. */
static void feed_records(struct side *s, struct bytes message)
{
    for (; message.n; message = bytes_skip(message, RECORD_PLAIN_MAX)) {
        struct wire_writer w = {.out = &s->m->wire_in};
        wire_put_24(&w, 0x160301);
        put_vector(&w, 2, bytes_first(message, RECORD_PLAIN_MAX));
        CHECK(!w.has_failed);
        side_run(s);
    }
}

/* RFC 8446 §4.1.2: every vector as long as it may be. One octet more is no ClientHello. */
TEST(the_longest_client_hello)
{
    static uint8_t suites[65534], zeros[UINT16_MAX];
    struct hello h = {
        .is_tls12 = true, .session_id = {zeros, 32}, .suites = {suites, sizeof(suites)}};
    struct buf out;
    struct wire_writer w = {.out = &out};
    struct side s;
    suites[sizeof(suites) - 2] = 0xc0, suites[sizeof(suites) - 1] = 0x2b;
    h.compression = (struct bytes){zeros, 255};
    h.b = (struct addition){21, {zeros, sizeof(zeros) - 10 - 8 - 4}}; /* padding; groups, schemes */
    buf_init(&out, 1 << 18);
    put_message(&w, &h);
    CHECK_INT(buf_size(&out), MESSAGE_HEADER_SIZE + MACHINE_MESSAGE_MAX);
    side_init(&s, &machine_server, &ecdsa, 1);
    side_start(&s);
    feed_records(&s, buf_bytes(&out));
    CHECK_INT(s.event, MACHINE_WANT_INPUT);
    CHECK_INT(s.m->state, MACHINE_WAIT_CLIENT_KEY_EXCHANGE);
    side_free(&s);
    buf_fini(&out);
    side_init(&s, &machine_server, &ecdsa, 1);
    side_start(&s);
    side_feed(&s, BYTES("\x16\3\1\0\4\1\2\1\x45"));
    CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_DECODE_ERROR));
    side_free(&s);
}

/* The key of the test's share is the base point: zeros would be its product with nothing. */
TEST(a_share_that_gives_zeros)
{
    struct hello h = {.what = "zeros"};
    uint8_t zeros[] = SHARE;
    struct side s;
    zeros[6] = 0;
    h.a = (struct addition){51, {zeros, sizeof(zeros) - 1}};
    start(&s, &h);
    CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER));
    side_free(&s);
}

/* RFC 8449 §4: 256 octets, of which the content type is one; ServerHello is not protected. */
TEST(records_are_as_small_as_asked_for)
{
    static const struct hello h = {.what = "record_size_limit", AND(28, "\1\0")};
    struct side s;
    size_t largest = 0;
    start(&s, &h);
    CHECK_INT(s.event, MACHINE_WANT_INPUT);
    for (struct bytes out = buf_bytes(&s.m->wire_out); out.n;) {
        size_t n = (size_t)(out.at[3] << 8 | out.at[4]);
        if (out.at[0] == RECORD_APPLICATION_DATA && n > largest)
            largest = n;
        out = bytes_skip(out, RECORD_HEADER_SIZE + n);
    }
    CHECK_INT(largest, 256 + AEAD_TAG_SIZE);
    side_free(&s);
}

TEST(no_tls_at_all)
{
    static const struct {
        struct bytes wire;
        enum tlsconn_fault fault;
    } rows[] = {
        {BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), TLSCONN_FAULT_NOT_TLS},
        {BYTES("\x80\x2e\1\0\2\0\x15\0\0\0\x10\1\0\x80\7\0\xc0"), TLSCONN_FAULT_NOT_TLS},
        {BYTES("\x16\2\0\0\1\1"), TLSCONN_FAULT_NOT_TLS},
        {BYTES("\x16\3\1\0\4\2\0\0\0"), TLSCONN_FAULT_PROTOCOL}, /* ServerHello */
        {BYTES("\x16\3\1\0\0"), TLSCONN_FAULT_PROTOCOL},         /* nothing */
        {BYTES("\x16\3\1\0\4\1\3\0\0"), TLSCONN_FAULT_PROTOCOL}, /* of 192 KiB */
        {BYTES("\x14\3\1\0\1\1"), TLSCONN_FAULT_PROTOCOL},       /* change_cipher_spec */
        {BYTES("\x17\3\1\0\1a"), TLSCONN_FAULT_PROTOCOL},        /* data */
        {BYTES("\x15\3\1\0\2\2\x28"), TLSCONN_FAULT_ALERT_RECEIVED},
        {BYTES("\x15\3\1\0\2\1\0"), TLSCONN_FAULT_ALERT_RECEIVED}, /* close_notify */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        side_init(&s, &machine_server, &ecdsa, 1);
        side_start(&s);
        side_feed(&s, rows[i].wire);
        CHECK_INT(s.event, MACHINE_FAILED);
        CHECK_INT(s.m->failure.fault, rows[i].fault);
        if (test_failed)
            printf("# row %zu: %s\n", i, s.m->failure.text);
        side_free(&s);
    }
}

/* ---- TLS 1.3 after the server's flight ---- */

/* A client of the test's own: its records are sealed with the keys that the server expects. */
struct forger {
    struct side server;
    struct record_layer seal;
};

static void use(struct forger *f, const struct secret *traffic)
{
    struct record_keys keys;
    key_schedule_keys(traffic, f->server.m->suite, &keys);
    record_set_keys(&f->seal, &keys);
}

static void forge(struct forger *f, enum tlspolicy_peer peer)
{
    static const struct hello usual = {.what = "as it should be"};
    side_init(&f->server, &machine_server, &ecdsa, 1);
    f->server.policy.peer = peer;
    side_start(&f->server);
    put_hello(&f->server.m->wire_in, &usual);
    CHECK_INT(side_run(&f->server), MACHINE_WANT_INPUT);
    record_init(&f->seal);
    use(f, &f->server.m->hs->client_secret);
}

static void forget(struct forger *f)
{
    record_fini(&f->seal);
    side_free(&f->server);
}

static enum machine_event say(struct forger *f, enum record_type type, struct bytes content)
{
    size_t n = record_put(&f->seal, type, content, &f->server.m->wire_in, 0);
    CHECK_INT(n, content.n);
    return side_run(&f->server);
}

/* An empty record: record_put makes none. */
static enum machine_event say_nothing(struct forger *f, enum record_type type)
{
    uint8_t record[RECORD_HEADER_SIZE + 1 + AEAD_TAG_SIZE] = {
        RECORD_APPLICATION_DATA, 3, 3, 0, 1 + AEAD_TAG_SIZE, (uint8_t)type};
    uint8_t nonce[AEAD_NONCE_SIZE];
    struct record_keys *k = &f->seal.keys;
    struct aead *a = aead_new(k->kind, k->key);
    memcpy(nonce, k->iv, sizeof(nonce));
    nonce[11] ^= (uint8_t)f->seal.sequence++;
    aead_seal(a, nonce, (struct bytes){record, RECORD_HEADER_SIZE}, record + RECORD_HEADER_SIZE, 1,
        record + RECORD_HEADER_SIZE + 1);
    aead_free(&a);
    return side_feed(&f->server, (struct bytes){record, sizeof(record)});
}

/* The Finished that the server expects now, and whatever TAIL. */
static enum machine_event finish(struct forger *f, struct bytes tail)
{
    uint8_t digest[HASH_SIZE_MAX], message[4 + HASH_SIZE_MAX + 16] = {MESSAGE_FINISHED};
    const struct handshake *hs = f->server.m->hs;
    struct bytes transcript = {digest, hash_peek(&hs->transcript, digest)};
    size_t n = key_schedule_verify_data(&hs->client_secret, transcript, message + 4);
    message[3] = (uint8_t)n;
    memcpy(message + 4 + n, tail.at, tail.n);
    return say(f, RECORD_HANDSHAKE, (struct bytes){message, 4 + n + tail.n});
}

/* … so that application data may flow. */
static void open_connection(struct forger *f)
{
    forge(f, PEER_NOT_ASKED);
    CHECK_INT(finish(f, BYTES("")), MACHINE_COMPLETE);
    use(f, &f->server.m->receive_secret);
}

#define FINISHED_OF_ZEROS \
    "\x14\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

struct utterance {
    const char *what;
    enum record_type type;
    struct bytes content;
    uint8_t alert;
    enum tlsconn_fault fault;
};

static void check_utterances(
    const struct utterance *rows, size_t n, void (*prepare)(struct forger *))
{
    for (size_t i = 0; i < n; i++) {
        struct forger f;
        enum tlsconn_fault fault = rows[i].fault ? rows[i].fault : TLSCONN_FAULT_PROTOCOL;
        prepare(&f);
        if (rows[i].content.n)
            say(&f, rows[i].type, rows[i].content);
        else
            say_nothing(&f, rows[i].type);
        CHECK(side_has_failed(&f.server, fault, rows[i].alert));
        CHECK_INT(machine_opened(f.server.m).n, 0);
        CHECK_INT(machine_write_room(f.server.m), 0);
        if (test_failed)
            printf("# %s\n", rows[i].what);
        forget(&f);
    }
}

static void prepare_one_way(struct forger *f)
{
    forge(f, PEER_NOT_ASKED);
}

TEST(nothing_but_finished_completes_a_handshake)
{
    static const struct utterance rows[] = {
        {"data", RECORD_APPLICATION_DATA, BYTES("GET /"), ALERT_UNEXPECTED_MESSAGE},
        {"no data", RECORD_APPLICATION_DATA, BYTES(""), ALERT_UNEXPECTED_MESSAGE},
        {"Certificate, unasked", RECORD_HANDSHAKE, BYTES("\x0b\0\0\4\0\0\0\0"),
            ALERT_UNEXPECTED_MESSAGE},
        {"CertificateVerify", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\4\3\0\0"),
            ALERT_UNEXPECTED_MESSAGE},
        {"EndOfEarlyData", RECORD_HANDSHAKE, BYTES("\5\0\0\0"), ALERT_UNEXPECTED_MESSAGE},
        {"KeyUpdate", RECORD_HANDSHAKE, BYTES("\x18\0\0\1\0"), ALERT_UNEXPECTED_MESSAGE},
        {"ClientHello", RECORD_HANDSHAKE, BYTES("\1\0\0\1\0"), ALERT_UNEXPECTED_MESSAGE},
        {"a type that there is not", RECORD_HANDSHAKE, BYTES("\x63\0\0\0"),
            ALERT_UNEXPECTED_MESSAGE},
        {"Finished of zeros", RECORD_HANDSHAKE, BYTES(FINISHED_OF_ZEROS), ALERT_DECRYPT_ERROR},
        {"Finished that is short", RECORD_HANDSHAKE, BYTES("\x14\0\0\1\0"), ALERT_DECODE_ERROR},
        {"Finished that is empty", RECORD_HANDSHAKE, BYTES("\x14\0\0\0"), ALERT_DECODE_ERROR},
        {"Finished that is endless", RECORD_HANDSHAKE, BYTES("\x14\0\1\0"), ALERT_DECODE_ERROR},
        {"no handshake message", RECORD_HANDSHAKE, BYTES(""), ALERT_UNEXPECTED_MESSAGE},
        {"no alert", RECORD_ALERT, BYTES(""), ALERT_UNEXPECTED_MESSAGE},
        {"half an alert", RECORD_ALERT, BYTES("\2"), ALERT_DECODE_ERROR},
        {"two alerts", RECORD_ALERT, BYTES("\1\x5a\1\x5a"), ALERT_DECODE_ERROR},
        {"an alert of no level", RECORD_ALERT, BYTES("\3\x28"), ALERT_ILLEGAL_PARAMETER},
        {"an alert", RECORD_ALERT, BYTES("\2\x2a"), 42, TLSCONN_FAULT_ALERT_RECEIVED},
        {"a warning is as good", RECORD_ALERT, BYTES("\1\x2a"), 42, TLSCONN_FAULT_ALERT_RECEIVED},
        {"close_notify", RECORD_ALERT, BYTES("\1\0"), 0, TLSCONN_FAULT_ALERT_RECEIVED},
        {"a protected change_cipher_spec", RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"),
            ALERT_UNEXPECTED_MESSAGE},
    };
    check_utterances(rows, COUNT_OF(rows), prepare_one_way);
}

TEST(finished_is_the_last_of_its_record)
{
    struct forger f;
    forge(&f, PEER_NOT_ASKED);
    finish(&f, BYTES("\x18"));
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    CHECK_TEXT(f.server.m->failure.text, "not on record boundary");
    forget(&f);
}

TEST(a_message_is_not_interrupted)
{
    static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1};
    struct forger f;
    forge(&f, PEER_NOT_ASKED);
    CHECK_INT(say(&f, RECORD_HANDSHAKE, BYTES("\x14\0\0")), MACHINE_WANT_INPUT);
    side_feed(&f.server, (struct bytes){ccs, sizeof(ccs)});
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    forget(&f);
}

TEST(a_record_that_does_not_open)
{
    static const uint8_t record[RECORD_HEADER_SIZE + 30] = {23, 3, 3, 0, 30};
    struct forger f;
    forge(&f, PEER_NOT_ASKED);
    side_feed(&f.server, (struct bytes){record, sizeof(record)});
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_BAD_RECORD_MAC));
    forget(&f);
}

/* A client that did not understand ServerHello says so without keys; later it has them. */
TEST(an_alert_in_plaintext)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 47};
    for (int has_keys = 0; has_keys < 2; has_keys++) {
        struct forger f;
        forge(&f, PEER_NOT_ASKED);
        if (has_keys)
            CHECK_INT(say(&f, RECORD_ALERT, BYTES("\1\x5a")), MACHINE_WANT_INPUT);
        CHECK_INT(side_feed(&f.server, (struct bytes){alert, 5}),
            has_keys ? MACHINE_FAILED : MACHINE_WANT_INPUT);
        side_feed(&f.server, (struct bytes){alert + 5, 2});
        CHECK(side_has_failed(&f.server,
            has_keys ? TLSCONN_FAULT_PROTOCOL : TLSCONN_FAULT_ALERT_RECEIVED,
            has_keys ? ALERT_UNEXPECTED_MESSAGE : ALERT_ILLEGAL_PARAMETER));
        forget(&f);
    }
}

TEST(user_canceled_and_change_cipher_spec_mean_nothing)
{
    static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1};
    struct forger f;
    forge(&f, PEER_NOT_ASKED);
    CHECK_INT(side_feed(&f.server, (struct bytes){ccs, sizeof(ccs)}), MACHINE_WANT_INPUT);
    CHECK_INT(say(&f, RECORD_ALERT, BYTES("\1\x5a")), MACHINE_WANT_INPUT);
    CHECK_INT(finish(&f, BYTES("")), MACHINE_COMPLETE);
    side_feed(&f.server, (struct bytes){ccs, sizeof(ccs)}); /* too late */
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    forget(&f);
}

TEST(what_means_nothing_is_bounded)
{
    static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1}, two[] = {20, 3, 3, 0, 1, 2};
    struct forger f;
    unsigned n = 0;
    forge(&f, PEER_NOT_ASKED);
    while (side_feed(&f.server, (struct bytes){ccs, sizeof(ccs)}) == MACHINE_WANT_INPUT)
        n++;
    CHECK_INT(n, MACHINE_EMPTY_RECORDS_MAX);
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    forget(&f);
    forge(&f, PEER_NOT_ASKED);
    side_feed(&f.server, (struct bytes){two, sizeof(two)});
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    forget(&f);
    forge(&f, PEER_NOT_ASKED);
    for (n = 0; say(&f, RECORD_ALERT, BYTES("\1\x5a")) == MACHINE_WANT_INPUT;)
        n++;
    CHECK_INT(n, MACHINE_WARNINGS_MAX);
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    forget(&f);
}

/* ---- the client's certificate ---- */

static void prepare_mutual(struct forger *f)
{
    forge(f, PEER_REQUIRED);
}

TEST(nothing_but_a_certificate_opens_a_mutual_handshake)
{
    static const struct utterance rows[] = {
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED_OF_ZEROS), ALERT_UNEXPECTED_MESSAGE},
        {"CertificateVerify", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\4\3\0\0"),
            ALERT_UNEXPECTED_MESSAGE},
        {"data", RECORD_APPLICATION_DATA, BYTES("GET /"), ALERT_UNEXPECTED_MESSAGE},
        {"with a context", RECORD_HANDSHAKE, BYTES("\x0b\0\0\5\1a\0\0\0"), ALERT_ILLEGAL_PARAMETER},
        {"cut off", RECORD_HANDSHAKE, BYTES("\x0b\0\0\3\0\0\0"), ALERT_DECODE_ERROR},
        {"no X.509", RECORD_HANDSHAKE, BYTES("\x0b\0\0\x0a\0\0\0\6\0\0\1a\0\0"),
            ALERT_BAD_CERTIFICATE, TLSCONN_FAULT_PEER_CERTIFICATE},
        {"with an extension that we did not ask for", RECORD_HANDSHAKE,
            BYTES("\x0b\0\0\x0e\0\0\0\x0a\0\0\1a\0\4\0\5\0\0"), ALERT_UNSUPPORTED_EXTENSION},
    };
    check_utterances(rows, COUNT_OF(rows), prepare_mutual);
}

/* Its own certificate shown to the server: accepted, so that possession is in question. */
static void prepare_possession(struct forger *f)
{
    struct buf message;
    forge(f, PEER_REQUIRED);
    buf_init(&message, 4096);
    struct wire_writer w = {.out = &message};
    struct wire_mark mark = message_begin(&w, MESSAGE_CERTIFICATE);
    message_put_certificate(&w, true, (struct bytes){0}, &ecdsa->chain, (struct bytes){0});
    wire_end(&w, mark);
    CHECK_INT(say(f, RECORD_HANDSHAKE, buf_bytes(&message)), MACHINE_WANT_INPUT);
    CHECK_INT(f->server.judged, 1);
    buf_fini(&message);
}

TEST(a_certificate_counts_with_its_signature_only)
{
    static const struct utterance rows[] = {
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED_OF_ZEROS), ALERT_UNEXPECTED_MESSAGE},
        {"data", RECORD_APPLICATION_DATA, BYTES("GET /"), ALERT_UNEXPECTED_MESSAGE},
        {"a signature of nothing", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\4\3\0\0"),
            ALERT_DECRYPT_ERROR},
        {"a scheme for another key", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\x08\4\0\0"),
            ALERT_ILLEGAL_PARAMETER},
        {"a scheme for another curve", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\5\3\0\0"),
            ALERT_ILLEGAL_PARAMETER},
        {"SHA-1", RECORD_HANDSHAKE, BYTES("\x0f\0\0\4\2\3\0\0"), ALERT_ILLEGAL_PARAMETER},
        {"cut off", RECORD_HANDSHAKE, BYTES("\x0f\0\0\3\4\3\0"), ALERT_DECODE_ERROR},
        {"Certificate again", RECORD_HANDSHAKE, BYTES("\x0b\0\0\4\0\0\0\0"),
            ALERT_UNEXPECTED_MESSAGE},
    };
    check_utterances(rows, COUNT_OF(rows), prepare_possession);
}

/* A true signature by the right key, over what a server would sign. */
TEST(a_signature_of_the_other_role)
{
    struct forger f;
    uint8_t digest[HASH_SIZE_MAX], content[SIGNING_VERIFY_MAX],
        message[8 + PRIVATE_KEY_SIGNATURE_MAX] = {MESSAGE_CERTIFICATE_VERIFY, 0, 0, 0, 4, 3, 0, 0};
    for (int by_server = 0; by_server < 2; by_server++) {
        prepare_possession(&f);
        size_t content_n = signing_verify_content(by_server,
            (struct bytes){digest, hash_peek(&f.server.m->hs->transcript, digest)}, content);
        size_t n = private_key_sign(
            ecdsa->key, SIGNATURE_ECDSA_SHA256, (struct bytes){content, content_n}, message + 8);
        message[3] = (uint8_t)(4 + n);
        message[7] = (uint8_t)n;
        say(&f, RECORD_HANDSHAKE, (struct bytes){message, 8 + n});
        if (by_server)
            CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_DECRYPT_ERROR));
        else
            CHECK_INT(finish(&f, BYTES("")), MACHINE_COMPLETE);
        forget(&f);
    }
}

/* ---- an open connection ---- */

TEST(what_may_not_follow_the_handshake)
{
    static const struct utterance rows[] = {
        {"Finished", RECORD_HANDSHAKE, BYTES(FINISHED_OF_ZEROS), ALERT_UNEXPECTED_MESSAGE},
        {"ClientHello", RECORD_HANDSHAKE, BYTES("\1\0\0\1\0"), ALERT_UNEXPECTED_MESSAGE},
        {"Certificate", RECORD_HANDSHAKE, BYTES("\x0b\0\0\4\0\0\0\0"), ALERT_UNEXPECTED_MESSAGE},
        {"NewSessionTicket", RECORD_HANDSHAKE, BYTES("\4\0\0\0"), ALERT_UNEXPECTED_MESSAGE},
        {"KeyUpdate of neither kind", RECORD_HANDSHAKE, BYTES("\x18\0\0\1\2"),
            ALERT_ILLEGAL_PARAMETER},
        {"KeyUpdate of nothing", RECORD_HANDSHAKE, BYTES("\x18\0\0\0"), ALERT_DECODE_ERROR},
        {"KeyUpdate of two", RECORD_HANDSHAKE, BYTES("\x18\0\0\2\0\0"), ALERT_DECODE_ERROR},
        {"two KeyUpdates in a record", RECORD_HANDSHAKE, BYTES("\x18\0\0\1\0\x18\0\0\1\0"),
            ALERT_UNEXPECTED_MESSAGE},
        {"no handshake message", RECORD_HANDSHAKE, BYTES(""), ALERT_UNEXPECTED_MESSAGE},
        {"an alert", RECORD_ALERT, BYTES("\2\x28"), 40, TLSCONN_FAULT_ALERT_RECEIVED},
    };
    check_utterances(rows, COUNT_OF(rows), open_connection);
}

TEST(data_is_taken_bit_by_bit)
{
    struct forger f;
    open_connection(&f);
    CHECK_INT(say(&f, RECORD_APPLICATION_DATA, BYTES("hello, world")), MACHINE_DATA);
    CHECK(bytes_equal(machine_opened(f.server.m), BYTES("hello, world")));
    machine_take(f.server.m, 7);
    /* More may arrive, and move what waits, before it is taken. */
    CHECK_INT(say(&f, RECORD_APPLICATION_DATA, BYTES(" and more")), MACHINE_DATA);
    CHECK(bytes_equal(machine_opened(f.server.m), BYTES("world")));
    machine_take(f.server.m, 5);
    CHECK_INT(side_run(&f.server), MACHINE_DATA);
    CHECK(bytes_equal(machine_opened(f.server.m), BYTES(" and more")));
    machine_take(f.server.m, 9);
    CHECK_INT(side_run(&f.server), MACHINE_WANT_INPUT);
    CHECK_INT(f.server.m->wire_in.capacity, 0);
    forget(&f);
}

TEST(records_without_content_are_bounded)
{
    struct forger f;
    unsigned n = 0;
    open_connection(&f);
    for (int i = 0; i < 20; i++)
        CHECK_INT(say_nothing(&f, RECORD_APPLICATION_DATA), MACHINE_WANT_INPUT);
    CHECK_INT(say(&f, RECORD_APPLICATION_DATA, BYTES("a")), MACHINE_DATA);
    machine_take(f.server.m, 1);
    while (say_nothing(&f, RECORD_APPLICATION_DATA) == MACHINE_WANT_INPUT)
        n++;
    CHECK_INT(n, MACHINE_EMPTY_RECORDS_MAX);
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    forget(&f);
}

/* Any number of requests is answered once, with the next data: by two records. */
TEST(key_updates)
{
    struct forger f;
    struct record_layer open;
    struct record_keys keys;
    struct record r;
    size_t used;
    uint8_t alert;
    open_connection(&f);
    struct machine *m = f.server.m;
    buf_clear(&m->wire_out);
    record_init(&open);
    key_schedule_keys(&m->send_secret, m->suite, &keys);
    record_set_keys(&open, &keys);
    open.sequence = m->send.sequence;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(say(&f, RECORD_HANDSHAKE, BYTES("\x18\0\0\1\1")), MACHINE_WANT_INPUT);
        use(&f, &m->receive_secret);
    }
    CHECK_INT(say(&f, RECORD_APPLICATION_DATA, BYTES("a")), MACHINE_DATA);
    CHECK_INT(buf_size(&m->wire_out), 0);
    CHECK_INT(machine_write(m, BYTES("b")), 1);
    CHECK_INT(record_take(&open, m->wire_out.at + m->wire_out.start, buf_size(&m->wire_out), &r,
                  &used, &alert),
        RECORD_OK);
    CHECK(r.type == RECORD_HANDSHAKE && bytes_equal(r.content, BYTES("\x18\0\0\1\0")));
    buf_consume(&m->wire_out, used);
    key_schedule_keys(&m->send_secret, m->suite, &keys);
    record_set_keys(&open, &keys);
    CHECK_INT(record_take(&open, m->wire_out.at + m->wire_out.start, buf_size(&m->wire_out), &r,
                  &used, &alert),
        RECORD_OK);
    CHECK(r.type == RECORD_APPLICATION_DATA && bytes_equal(r.content, BYTES("b")));
    record_fini(&open);
    forget(&f);
}

TEST(key_updates_are_bounded)
{
    struct forger f;
    unsigned n = 0;
    open_connection(&f);
    for (; say(&f, RECORD_HANDSHAKE, BYTES("\x18\0\0\1\0")) == MACHINE_WANT_INPUT; n++)
        use(&f, &f.server.m->receive_secret);
    CHECK_INT(n, MACHINE_KEY_UPDATES_MAX);
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    CHECK_TEXT(f.server.m->failure.text, "more than 100 KeyUpdate messages");
    forget(&f);
}

TEST(close_notify_ends_one_direction)
{
    struct forger f;
    open_connection(&f);
    CHECK_INT(say(&f, RECORD_ALERT, BYTES("\1\0")), MACHINE_CLOSED);
    CHECK_INT(say(&f, RECORD_APPLICATION_DATA, BYTES("late")), MACHINE_CLOSED);
    CHECK_INT(machine_opened(f.server.m).n, 0);
    CHECK_INT(machine_write(f.server.m, BYTES("still")), 5);
    machine_close(f.server.m);
    size_t n = buf_size(&f.server.m->wire_out);
    machine_close(f.server.m);
    CHECK_INT(buf_size(&f.server.m->wire_out), n);
    CHECK_INT(machine_write(f.server.m, BYTES("more")), 0);
    forget(&f);
}

TEST(an_idle_connection_holds_little)
{
    struct forger f;
    open_connection(&f);
    buf_clear(&f.server.m->wire_out);
    machine_rest(f.server.m);
    CHECK(sizeof(*f.server.m) <= 2048);
    CHECK(!f.server.m->hs && !f.server.m->in.at && !f.server.m->wire_in.at &&
          !f.server.m->wire_out.at && !f.server.m->receive.aead && !f.server.m->send.aead);
    CHECK_INT(say(&f, RECORD_APPLICATION_DATA, BYTES("again")), MACHINE_DATA);
    forget(&f);
}

/* ---- TLS 1.2 ---- */

static void start_tls12(struct side *s, struct raw *client, SSL_CTX **ctx)
{
    side_init(s, &machine_server, &ecdsa, 1);
    side_start(s);
    *ctx = raw_context(TLS_1_2, TLS_1_2);
    raw_new(client, *ctx, "www.example", NULL);
}

/* As a warning: whether to go on is the client's to decide, and libssl does not. */
TEST(a_wish_to_renegotiate_is_declined)
{
    struct side s;
    struct raw client;
    SSL_CTX *ctx;
    start_tls12(&s, &client, &ctx);
    side_handshake(&client, &s);
    CHECK_INT(s.event, MACHINE_COMPLETE);
    CHECK(SSL_renegotiate(client.ssl) == 1);
    ignore_result(SSL_do_handshake(client.ssl));
    raw_hello(&client, &s.m->wire_in);
    CHECK_INT(side_run(&s), MACHINE_WANT_INPUT);
    CHECK_INT(s.received[s.received_n - 1], MESSAGE_CLIENT_HELLO);
    CHECK_INT(s.m->state, MACHINE_OPEN);
    side_deliver(&s, &client);
    CHECK_INT(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    raw_free(&client);
    SSL_CTX_free(ctx);
    side_free(&s);
}

static enum machine_event send_to(
    struct side *to, struct side *from, enum record_type type, struct bytes content)
{
    CHECK_INT(record_put(&from->m->send, type, content, &to->m->wire_in, 0), content.n);
    return side_run(to);
}

/* Application data goes on, and begins the count anew. */
TEST(wishes_to_renegotiate_are_bounded)
{
    struct side client, server;
    side_init(&client, &machine_client, NULL, 0);
    side_init(&server, &machine_server, &ecdsa, 1);
    client.policy.version_max = TLS_1_2;
    side_start(&client);
    side_start(&server);
    side_meet(&client, &server);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(send_to(&server, &client, RECORD_APPLICATION_DATA, BYTES("a")), MACHINE_DATA);
        machine_take(server.m, 1);
        for (int n = 0; n < MACHINE_WARNINGS_MAX; n++)
            CHECK_INT(
                send_to(&server, &client, RECORD_HANDSHAKE, BYTES("\1\0\0\0")), MACHINE_WANT_INPUT);
    }
    send_to(&server, &client, RECORD_HANDSHAKE, BYTES("\1\0\0\0"));
    CHECK(side_has_failed(&server, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    CHECK_TEXT(server.m->failure.text, "too many wishes to renegotiate");
    side_free(&client);
    side_free(&server);
}

TEST(tls12_before_its_finished)
{
    static const struct {
        struct bytes record;
        uint8_t alert;
    } rows[] = {
        {BYTES("\x14\3\3\0\1\1"), ALERT_UNEXPECTED_MESSAGE}, /* CVE-2014-0224 */
        {BYTES("\x14\3\3\0\2\1\1"), ALERT_DECODE_ERROR},
        {BYTES("\x17\3\3\0\1a"), ALERT_UNEXPECTED_MESSAGE},
        {BYTES("\x16\3\3\0\4\x14\0\0\0"), ALERT_UNEXPECTED_MESSAGE}, /* Finished */
        {BYTES("\x16\3\3\0\7\x0b\0\0\3\0\0\0"), ALERT_UNEXPECTED_MESSAGE},
        {BYTES("\x16\3\3\0\4\x10\0\0\0"), ALERT_DECODE_ERROR},   /* ClientKeyExchange */
        {BYTES("\x16\3\3\0\5\x10\0\0\1\0"), ALERT_DECODE_ERROR}, /* a point of no octets */
        {BYTES("\x16\3\3\0\6\x10\0\0\2\1a"), ALERT_ILLEGAL_PARAMETER},
        {BYTES("\x16\3\3\0\4\x18\0\0\0"), ALERT_UNEXPECTED_MESSAGE}, /* KeyUpdate */
    };
    static const struct hello tls12 = {.what = "TLS 1.2", .is_tls12 = true};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        start(&s, &tls12);
        CHECK_INT(s.event, MACHINE_WANT_INPUT);
        side_feed(&s, rows[i].record);
        CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, rows[i].alert));
        if (test_failed)
            printf("# row %zu\n", i);
        side_free(&s);
    }
}

TEST(tls12_takes_some_warnings)
{
    static const struct hello tls12 = {.what = "TLS 1.2", .is_tls12 = true};
    struct side s;
    unsigned n = 0;
    start(&s, &tls12);
    while (side_feed(&s, BYTES("\x15\3\3\0\2\1\x6e")) == MACHINE_WANT_INPUT)
        n++;
    CHECK_INT(n, MACHINE_WARNINGS_MAX);
    CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_UNEXPECTED_MESSAGE));
    side_free(&s);
}

/* ---- RSA key transport (RFC 5246 §7.4.7.1) ---- */

/* ClientKeyExchange with ENCRYPTED, ChangeCipherSpec, and a Finished under keys that nobody has. */
static void say_encrypted(struct side *s, struct bytes encrypted)
{
    static const uint8_t finished[RECORD_HEADER_SIZE + 8 + 16 + AEAD_TAG_SIZE] = {
        RECORD_HANDSHAKE, 3, 3, 0, 8 + 16 + AEAD_TAG_SIZE};
    struct wire_writer w = {.out = &s->m->wire_in};
    wire_put_24(&w, 0x160303);
    struct wire_mark record = wire_begin(&w, 2);
    struct wire_mark message = message_begin(&w, MESSAGE_CLIENT_KEY_EXCHANGE);
    struct wire_mark vector = wire_begin(&w, 2);
    wire_put(&w, encrypted);
    wire_end(&w, vector);
    wire_end(&w, message);
    wire_end(&w, record);
    wire_put(&w, BYTES("\x14\3\3\0\1\1"));
    wire_put(&w, (struct bytes){finished, sizeof(finished)});
    CHECK(!w.has_failed);
}

/* Whether it decrypts, and to what, is not to be seen before Finished, and not from it either. */
TEST(what_a_premaster_decrypts_to_does_not_show)
{
    static const struct hello hello = {
        .what = "RSA key transport", .suites = BYTES("\x00\x9c"), .is_tls12 = true};
    static const size_t lengths[] = {256, 0, 1, 255, 257, 512};
    struct credential *rsa = pair_credential(KEY_RSA, "www.example");
    for (size_t i = 0; i < 2 * COUNT_OF(lengths); i++) {
        uint8_t encrypted[512];
        struct side s;
        memset(encrypted, i % 2 ? 0xff : 0x2a, sizeof(encrypted)); /* above the modulus; below */
        side_init(&s, &machine_server, &rsa, 1);
        s.policy.key_exchange_rsa = true;
        side_start(&s);
        put_hello(&s.m->wire_in, &hello);
        CHECK_INT(side_run(&s), MACHINE_WANT_INPUT);
        say_encrypted(&s, (struct bytes){encrypted, lengths[i / 2]});
        side_run(&s);
        CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_BAD_RECORD_MAC));
        CHECK_INT(s.received_n, 2);
        side_free(&s);
    }
    pair_credential_free(&rsa);
}

/* Whose premaster secret would be checked by a version below: RFC 5246 §7.4.7.1. */
TEST(no_rsa_key_transport_for_who_says_tls12_by_supported_versions_alone)
{
    static const struct hello hello = {
        .what = "", .a = {43, BYTES("\2\3\3")}, .suites = BYTES("\x00\x9c"), .is_tls12 = true};
    struct credential *rsa = pair_credential(KEY_RSA, "www.example");
    for (unsigned minor = 2; minor <= 4; minor++) {
        struct side s;
        side_init(&s, &machine_server, &rsa, 1);
        s.policy.key_exchange_rsa = true;
        side_start(&s);
        put_hello(&s.m->wire_in, &hello);
        uint8_t *version = s.m->wire_in.at + s.m->wire_in.start + RECORD_HEADER_SIZE + 4;
        version[1] = (uint8_t)minor;
        if (minor >= 3)
            CHECK_INT(side_run(&s), MACHINE_WANT_INPUT);
        else
            side_run(&s);
        CHECK_INT(side_has_failed(&s, TLSCONN_FAULT_NO_COMMON, ALERT_HANDSHAKE_FAILURE), minor < 3);
        side_free(&s);
    }
    pair_credential_free(&rsa);
}
