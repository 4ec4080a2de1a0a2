/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server and ClientHellos written by the test: those that break rules, each refused
 * for its reason and only that, and what is answered to the others, up to the retry.
 */
#include "base/memory.h"
#include "base/panic.h"
#include "forged_hello.h"
#include "test.h"

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

static const struct hello hellos[] = {
    {.what = "as it should be"},
    {.what = "in TLS 1.2", .is_tls12 = true},
    {.what = "GREASE",
        WITH(43, "\4\x1a\x1a\3\4"),
        .suites = BYTES("\x2a\x2a\x13\x01"),
        AND(0x3a3a, "\0")},
    {.what = "no common suite", .suites = BYTES("\x13\x04"), .alert = ALERT_HANDSHAKE_FAILURE},
    {.what = "a fallback that is none", .suites = BYTES("\x13\x01\x56\0")},
    {.what = "compressed points, which TLS 1.3 does not have", AND(11, "\1\1")},
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
        forged_hello_start(&s, ecdsa, &hellos[i]);
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
        forged_hello_start(&s, ecdsa, &first);
        CHECK_INT(side_feed(&s, (struct bytes){garbage, sizeof(garbage)}), MACHINE_WANT_INPUT);
        forged_hello_put(&s.m->wire_in, answers[i]);
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
        {.what = "another random",
            .session_id = BYTES("\x13\x03"),
            .suites = BYTES("\x13\x01"),
            .has_other_random = true},
        {.what = "another session", .session_id = BYTES("\x13\x04"), .suites = BYTES("\x13\x01")},
        {.what = "shifted", .suites = BYTES("\x13\x03\x13\x01")},
        {.what = "shifted", .session_id = BYTES("\x13"), .suites = BYTES("\x03\x13\x01\0")}};
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        struct side s;
        forged_hello_start(&s, ecdsa, &first);
        forged_hello_put(&s.m->wire_in, &seconds[i]);
        side_run(&s);
        if (i)
            CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER));
        else
            CHECK_INT(s.event, MACHINE_WANT_INPUT);
        side_free(&s);
    }
}

/* What is skipped has a length that a record may have, and need not come at once; nothing is, where
 * nothing was announced. */
TEST(early_data_before_the_second_hello)
{
    static const struct {
        bool is_announced;
        struct bytes head, tail;
        uint8_t alert;
    } rows[] = {
        {true, BYTES("\x17\3\3\0\2a"), BYTES("a"), 0},
        {true, BYTES("\x17\3\3\x41\0"), BYTES(""), 0},
        {true, BYTES("\x17\3\3\x41\1"), BYTES(""), ALERT_RECORD_OVERFLOW},
        {false, BYTES("\x17\3\3\0\2a"), BYTES("a"), ALERT_UNEXPECTED_MESSAGE},
    };
    static const struct hello bare = {.what = "no share", WITH(51, "\0\0")},
                              early = {.what = "no share", WITH(51, "\0\0"), AND(42, "")};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        forged_hello_start(&s, ecdsa, rows[i].is_announced ? &early : &bare);
        side_feed(&s, rows[i].head);
        side_feed(&s, rows[i].tail);
        if (rows[i].alert)
            CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, rows[i].alert));
        else
            CHECK_INT(s.event, MACHINE_WANT_INPUT);
        side_free(&s);
    }
}

/* The ServerHello that waits to be sent. */
static struct server_hello sent_hello(const struct side *s)
{
    struct server_hello hello = {0};
    struct bytes body, wire = bytes_skip(buf_bytes(&s->m->wire_out), RECORD_HEADER_SIZE + 1);
    uint8_t alert;
    CHECK(wire_take_vector_24(&wire, &body) && server_hello_read(body, &hello, &alert));
    return hello;
}

TEST(a_retry_says_for_what)
{
    static const struct hello first = {
        .what = "no share", WITH(51, "\0\0"), .session_id = BYTES("\x13\x03")};
    struct side s;
    struct bytes body;
    forged_hello_start(&s, ecdsa, &first);
    struct server_hello retry = sent_hello(&s);
    CHECK(retry.is_retry);
    CHECK_INT(buf_bytes(&s.m->wire_out).at[2], 3); /* only a ClientHello says 3.1 */
    CHECK_INT(retry.version, TLS_1_3);
    CHECK_INT(retry.suite, 0x1301);
    CHECK(bytes_equal(retry.session_id, first.session_id));
    CHECK(extension_find(retry.block, EXTENSION_KEY_SHARE, &body));
    CHECK(bytes_equal(body, BYTES("\0\x1d")));
    side_free(&s);
}

/* RFC 8446 D.4: only a client that sent a session id wants to see one. */
TEST(change_cipher_spec_is_for_who_looks_like_tls12)
{
    static const struct hello hellos13[] = {
        {.what = "bare"}, {.what = "in disguise", .session_id = BYTES("abc")}};
    for (size_t i = 0; i < COUNT_OF(hellos13); i++) {
        struct side s;
        forged_hello_start(&s, ecdsa, &hellos13[i]);
        struct bytes wire = buf_bytes(&s.m->wire_out);
        wire = bytes_skip(wire, RECORD_HEADER_SIZE + ((size_t)wire.at[3] << 8 | wire.at[4]));
        CHECK_INT(wire.at[0], i ? RECORD_CHANGE_CIPHER_SPEC : RECORD_APPLICATION_DATA);
        side_free(&s);
    }
}

/* RFC 8422 §5.2, RFC 8449 §4, RFC 5746 §3.6; without any there is no empty block, either (RFC 5246
 * §7.4.1.3). */
TEST(tls12_answers_what_was_sent)
{
    static const struct {
        struct hello hello;
        enum extension e;
        struct bytes body;
    } rows[] = {
        {{.what = "points", .is_tls12 = true, AND(11, "\1\0")}, EXTENSION_EC_POINT_FORMATS,
            BYTES("\1\0")},
        {{.what = "limit", .is_tls12 = true, AND(28, "\1\0")}, EXTENSION_RECORD_SIZE_LIMIT,
            BYTES("\x40\0")},
        {{.what = "renegotiation", .is_tls12 = true, AND(0xff01, "\0")},
            EXTENSION_RENEGOTIATION_INFO, BYTES("\0")},
        {{.what = "as a suite", .is_tls12 = true, .suites = BYTES("\xc0\x2b\0\xff")},
            EXTENSION_RENEGOTIATION_INFO, BYTES("\0")},
        {{.what = "nothing", .is_tls12 = true}, EXTENSION_COUNT, {0}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        struct extensions e = {0};
        uint8_t alert;
        forged_hello_start(&s, ecdsa, &rows[i].hello);
        struct server_hello hello = sent_hello(&s);
        bool is_one = rows[i].e < EXTENSION_COUNT;
        CHECK_INT(hello.has_extensions, is_one);
        if (is_one) {
            CHECK(extensions_read(hello.block, IN_SERVER_HELLO_12, ~0u, &e, &alert));
            CHECK_INT(e.present, EXTENSION_BIT(rows[i].e));
            CHECK(bytes_equal(e.at[rows[i].e], rows[i].body));
        }
        side_free(&s);
    }
}

/* Or anybody could repeat a handshake, and tell the age of a ticket. */
TEST(each_handshake_has_randoms_of_its_own)
{
    for (int is_tls12 = 0; is_tls12 < 2; is_tls12++) {
        struct hello h = {.what = "twice", .is_tls12 = is_tls12};
        struct side a, b;
        forged_hello_start(&a, ecdsa, &h);
        forged_hello_start(&b, ecdsa, &h);
        CHECK(memcmp(a.m->hs->server_random, b.m->hs->server_random, 16) != 0);
        CHECK(memcmp(a.m->hs->server_random, a.m->hs->server_random + 16, 8) != 0);
        CHECK_INT(a.m->hs->age_add != b.m->hs->age_add, !is_tls12);
        side_free(&a);
        side_free(&b);
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
    forged_hello_put(&wire, &first);
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
        struct wire_mark record = wire_begin(&w, 2);
        wire_put(&w, bytes_first(message, RECORD_PLAIN_MAX));
        wire_end(&w, record);
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
    forged_hello_put_message(&w, &h);
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
    forged_hello_start(&s, ecdsa, &h);
    CHECK(side_has_failed(&s, TLSCONN_FAULT_PROTOCOL, ALERT_ILLEGAL_PARAMETER));
    side_free(&s);
}

/* RFC 8449 §4: 256 octets, of which the content type is one; ServerHello is not protected. */
TEST(records_are_as_small_as_asked_for)
{
    static const struct hello h = {.what = "record_size_limit", AND(28, "\1\0")};
    struct side s;
    size_t largest = 0;
    forged_hello_start(&s, ecdsa, &h);
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
