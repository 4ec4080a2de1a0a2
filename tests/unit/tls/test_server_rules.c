/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's server and clients that break rules after their ClientHello, in records sealed with
 * the server's own secrets. Each refusal is for its reason, and only that.
 */
#include <openssl/err.h>

#include "base/memory.h"
#include "base/panic.h"
#include "forged_hello.h"
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
    forged_hello_put(&f->server.m->wire_in, &usual);
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
    CHECK_TEXT(f.server.m->failure.text, "decryption failed or bad record mac");
    forget(&f);
    /* RFC 8446 §5.3: a number that comes once more would open what was sent before. */
    forge(&f, PEER_NOT_ASKED);
    f.server.m->receive.sequence = UINT64_MAX;
    side_feed(&f.server, (struct bytes){record, sizeof(record)});
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_INTERNAL_ERROR));
    forget(&f);
}

/* A client that did not understand ServerHello says so without keys; later it has them. */
TEST(an_alert_in_plaintext)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 47};
    for (int has_keys = 0; has_keys < 3; has_keys++) {
        struct forger f;
        if (has_keys == 2)
            open_connection(&f); /* whose keys have not been used yet, either */
        else
            forge(&f, PEER_NOT_ASKED);
        if (has_keys == 1)
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

/* RFC 8446 §4.2.10: what does not open is skipped until one does. */
TEST(early_data_ends_with_a_record_that_opens)
{
    static const uint8_t garbage[RECORD_HEADER_SIZE + 30] = {23, 3, 3, 0, 30};
    static const struct hello early = {.what = "early data", AND(42, "")};
    struct forger f;
    forged_hello_start(&f.server, ecdsa, &early);
    record_init(&f.seal);
    use(&f, &f.server.m->hs->client_secret);
    CHECK_INT(side_feed(&f.server, (struct bytes){garbage, sizeof(garbage)}), MACHINE_WANT_INPUT);
    CHECK_INT(say(&f, RECORD_ALERT, BYTES("\1\x5a")), MACHINE_WANT_INPUT);
    side_feed(&f.server, (struct bytes){garbage, sizeof(garbage)});
    CHECK(side_has_failed(&f.server, TLSCONN_FAULT_PROTOCOL, ALERT_BAD_RECORD_MAC));
    forget(&f);
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

/* … and what it makes up for. */
TEST(warnings_are_counted_between_data)
{
    struct forger f;
    open_connection(&f);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MACHINE_WARNINGS_MAX; i++)
            CHECK_INT(say(&f, RECORD_ALERT, BYTES("\1\x5a")), MACHINE_WANT_INPUT);
        CHECK_INT(say(&f, RECORD_APPLICATION_DATA, BYTES("a")), MACHINE_DATA);
        machine_take(f.server.m, 1);
    }
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

/* RFC 8446 §5.5; TLS 1.2 has no such message. */
TEST(a_key_that_has_sealed_enough_is_replaced)
{
    for (uint16_t version = TLS_1_2; version <= TLS_1_3; version++) {
        struct side client, server;
        side_init(&client, &machine_client, NULL, 0);
        side_init(&server, &machine_server, &ecdsa, 1);
        client.policy.version_max = version;
        side_start(&client);
        side_start(&server);
        side_meet(&client, &server);
        CHECK(server.m->facts.is_handshake_complete);
        server.m->send.sequence = 1 << 24;
        CHECK_INT(machine_write(server.m, BYTES("a")), 1);
        bool is_replaced = server.sent[server.sent_n - 1] == MESSAGE_KEY_UPDATE;
        CHECK_INT(is_replaced, version == TLS_1_3);
        CHECK_INT(server.m->send.sequence, is_replaced ? 1 : (1 << 24) + 1);
        side_free(&client);
        side_free(&server);
    }
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
        {BYTES("\x16\3\3\0\7\x10\0\0\3\1ab"), ALERT_DECODE_ERROR},
        {BYTES("\x16\3\3\0\4\x18\0\0\0"), ALERT_UNEXPECTED_MESSAGE}, /* KeyUpdate */
        {BYTES("\x16\3\3\0\4\0\0\0\0"), ALERT_UNEXPECTED_MESSAGE},   /* HelloRequest */
    };
    static const struct hello tls12 = {.what = "TLS 1.2", .is_tls12 = true};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct side s;
        forged_hello_start(&s, ecdsa, &tls12);
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
    forged_hello_start(&s, ecdsa, &tls12);
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
        forged_hello_put(&s.m->wire_in, &hello);
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
        forged_hello_put(&s.m->wire_in, &hello);
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
