/* SPDX-License-Identifier: Apache-2.0 */
/* Records: beside those of libssl, and what must not pass. TLS 1.3's, octet for octet, are in
 * test_rfc8448.c. */
#include <openssl/ssl.h>

#include "../crypto/vectors.h"
#include "base/attributes.h"
#include "base/panic.h"
#include "pair.h"
#include "test.h"
#include "tls/key_schedule.h"
#include "tls/message.h"
#include "tls/prf.h"
#include "tls/record.h"

#include "base/ban.h"

#define WIRE_MAX (128 * 1024)

static const struct suite suites[] = {
    {.name = "ECDHE-ECDSA-AES128-GCM-SHA256",
        .version = TLS_1_2,
        .aead = AEAD_AES_128_GCM,
        .hash = HASH_SHA256},
    {.name = "ECDHE-ECDSA-AES256-GCM-SHA384",
        .version = TLS_1_2,
        .aead = AEAD_AES_256_GCM,
        .hash = HASH_SHA384},
    {.name = "ECDHE-ECDSA-CHACHA20-POLY1305",
        .version = TLS_1_2,
        .aead = AEAD_CHACHA20_POLY1305,
        .hash = HASH_SHA256},
    {.name = "TLS_AES_128_GCM_SHA256",
        .version = TLS_1_3,
        .aead = AEAD_AES_128_GCM,
        .hash = HASH_SHA256},
    {.name = "TLS_AES_256_GCM_SHA384",
        .version = TLS_1_3,
        .aead = AEAD_AES_256_GCM,
        .hash = HASH_SHA384},
    {.name = "TLS_CHACHA20_POLY1305_SHA256",
        .version = TLS_1_3,
        .aead = AEAD_CHACHA20_POLY1305,
        .hash = HASH_SHA256},
};

/* ---- one layer to seal, one to open ---- */

struct ends {
    struct record_layer seal, open;
    struct buf wire;
};

static struct record_keys some_keys(enum record_format format, enum aead_kind kind)
{
    struct record_keys keys = {.format = format, .kind = kind};
    vector_fill(keys.key, sizeof(keys.key), 1);
    vector_fill(keys.iv, sizeof(keys.iv), 2);
    return keys;
}

static void ends_init(struct ends *e, enum record_format format)
{
    const enum aead_kind kind =
        format == RECORD_TLS12_CHACHA20 ? AEAD_CHACHA20_POLY1305 : AEAD_AES_128_GCM;
    struct record_keys keys = some_keys(format, kind);
    record_init(&e->seal);
    record_init(&e->open);
    record_set_keys(&e->seal, &keys);
    record_set_keys(&e->open, &keys);
    buf_init(&e->wire, WIRE_MAX);
}

static void ends_fini(struct ends *e)
{
    record_fini(&e->seal);
    record_fini(&e->open);
    buf_fini(&e->wire);
}

static void put(struct ends *e, enum record_type type, struct bytes content)
{
    CHECK_INT(record_put(&e->seal, type, content, &e->wire, 0), content.n);
}

/* Append a record of TLS 1.3 that has INNER, whatever that is, inside. */
static void put_inner(struct ends *e, struct bytes inner)
{
    const size_t length = inner.n + AEAD_TAG_SIZE;
    uint8_t nonce[AEAD_NONCE_SIZE];
    uint8_t *at = buf_space(&e->wire, RECORD_HEADER_SIZE + length);
    struct aead *aead = aead_new(e->seal.keys.kind, e->seal.keys.key);
    memcpy(at, (uint8_t[]){23, 3, 3, (uint8_t)(length >> 8), (uint8_t)length}, 5);
    memcpy(at + RECORD_HEADER_SIZE, inner.at, inner.n);
    memcpy(nonce, e->seal.keys.iv, sizeof(nonce));
    nonce[sizeof(nonce) - 1] ^= (uint8_t)e->seal.sequence++;
    aead_seal(aead, nonce, (struct bytes){at, RECORD_HEADER_SIZE}, at + RECORD_HEADER_SIZE, inner.n,
        at + RECORD_HEADER_SIZE + inner.n);
    aead_free(&aead);
    buf_added(&e->wire, RECORD_HEADER_SIZE + length);
}

static uint8_t *wire_at(struct ends *e)
{
    return e->wire.at + e->wire.start;
}

/* Take the next record, which has to be of TYPE with CONTENT. */
static void take(struct ends *e, enum record_type type, struct bytes content)
{
    struct record r = {0};
    size_t used = 0;
    uint8_t alert = 0;
    CHECK_INT(record_take(&e->open, wire_at(e), buf_size(&e->wire), &r, &used, &alert), RECORD_OK);
    CHECK_INT(r.type, type);
    CHECK(bytes_equal(r.content, content));
    buf_consume(&e->wire, used);
}

/* The next record is refused with ALERT. */
static void refuse(struct ends *e, enum alert alert)
{
    struct record r;
    size_t used = 0;
    uint8_t got = 0;
    CHECK_INT(record_take(&e->open, wire_at(e), buf_size(&e->wire), &r, &used, &got), RECORD_BAD);
    CHECK_INT(got, alert);
    buf_clear(&e->wire);
}

static void refuse_bytes(enum record_format format, struct bytes wire, enum alert alert)
{
    struct ends e;
    ends_init(&e, format);
    CHECK_INT(buf_append(&e.wire, wire), 0);
    refuse(&e, alert);
    ends_fini(&e);
}

/* ---- beside libssl ---- */

/* What a libssl client tells of its keys. */
static struct {
    struct secret client, server;
} logged;

static void log_secret(const SSL *unused, const char *line)
{
    static const struct {
        const char *label;
        struct secret *to;
    } wanted[] = {
        {"CLIENT_TRAFFIC_SECRET_0 ", &logged.client},
        {"SERVER_TRAFFIC_SECRET_0 ", &logged.server},
    };
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        const size_t n = strlen(wanted[i].label);
        if (!strncmp(line, wanted[i].label, n))
            vector_read(strchr(line + n, ' ') + 1, wanted[i].to->at);
    }
}

/* The keys with which R's client or server writes now. */
static struct record_keys keys_of(struct raw *r, const struct suite *suite, bool by_server)
{
    struct record_keys keys;
    struct prf_keys both;
    uint8_t master[MASTER_SECRET_SIZE], client[32], server[32];
    struct hmac_key key;
    if (suite->version == TLS_1_3) {
        struct secret *s = by_server ? &logged.server : &logged.client;
        s->hash = suite->hash;
        key_schedule_keys(s, suite, &keys);
        return keys;
    }
    SSL_SESSION_get_master_key(SSL_get_session(r->ssl), master, sizeof(master));
    SSL_get_client_random(r->ssl, client, sizeof(client));
    SSL_get_server_random(r->ssl, server, sizeof(server));
    hmac_key_init(&key, suite->hash, (struct bytes){master, sizeof(master)});
    prf_keys_make(suite, &key, client, server, &both);
    return by_server ? both.server : both.client;
}

/* After a handshake with SUITE, our layers take the server's place: libssl reads what we seal and
 * the reverse. FINISHED_N: records that each side has sent with these keys already. */
static void exchange(struct raw *r, const struct suite *suite, uint64_t finished_n)
{
    struct record_keys theirs = keys_of(r, suite, false), ours = keys_of(r, suite, true);
    struct ends e;
    char got[64], *sent;
    ends_init(&e, RECORD_PLAIN);
    record_set_keys(&e.open, &theirs);
    record_set_keys(&e.seal, &ours);
    e.open.sequence = e.seal.sequence = finished_n;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(SSL_write(r->ssl, "from libssl", 11), 11);
        long n = BIO_get_mem_data(SSL_get_wbio(r->ssl), &sent);
        CHECK_INT(buf_append(&e.wire, (struct bytes){(const uint8_t *)sent, (size_t)n}), 0);
        CHECK_INT(BIO_reset(SSL_get_wbio(r->ssl)), 1);
        take(&e, RECORD_APPLICATION_DATA, BYTES("from libssl"));
        put(&e, RECORD_APPLICATION_DATA, BYTES("to libssl"));
        CHECK_INT(BIO_write(SSL_get_rbio(r->ssl), wire_at(&e), (int)buf_size(&e.wire)),
            buf_size(&e.wire));
        buf_clear(&e.wire);
        CHECK_INT(SSL_read(r->ssl, got, sizeof(got)), 9);
        CHECK(!memcmp(got, "to libssl", 9));
    }
    ends_fini(&e);
}

TEST(as_libssl)
{
    struct credential *credential = pair_credential(KEY_EC_P256, "");
    struct tlspolicy_config config =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)&credential, 1);
    struct tlspolicy *policy = pair_policy(&config);
    for (size_t i = 0; i < COUNT_OF(suites); i++) {
        const bool is_13 = suites[i].version == TLS_1_3;
        SSL_CTX *ctx = raw_context(suites[i].version, suites[i].version);
        struct raw client;
        struct end server;
        ASSERT(is_13 ? SSL_CTX_set_ciphersuites(ctx, suites[i].name)
                     : SSL_CTX_set_cipher_list(ctx, suites[i].name));
        SSL_CTX_set_keylog_callback(ctx, log_secret);
        raw_new(&client, ctx, NULL, NULL);
        end_server(&server, policy);
        raw_handshake(&client, &server);
        CHECK_INT(server.status, TLSCONN_OK);
        CHECK_TEXT(SSL_get_cipher_name(client.ssl), suites[i].name);
        exchange(&client, &suites[i], is_13 ? 0 : 1);
        end_free(&server);
        raw_free(&client);
        SSL_CTX_free(ctx);
    }
    tlspolicy_free(&policy);
    pair_credential_free(&credential);
}

/* ---- framing ---- */

static const enum record_format formats[] = {
    RECORD_PLAIN, RECORD_TLS12_GCM, RECORD_TLS12_CHACHA20, RECORD_TLS13};

TEST(split_anywhere)
{
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        struct ends e;
        struct record r;
        size_t used = 0;
        uint8_t alert = 0;
        ends_init(&e, formats[f]);
        put(&e, RECORD_HANDSHAKE, BYTES("one"));
        put(&e, RECORD_ALERT, BYTES("two"));
        const size_t first = RECORD_HEADER_SIZE + wire_at(&e)[4];
        for (size_t n = 0; n < first; n++)
            CHECK_INT(record_take(&e.open, wire_at(&e), n, &r, &used, &alert), RECORD_NEEDS_MORE);
        take(&e, RECORD_HANDSHAKE, BYTES("one"));
        take(&e, RECORD_ALERT, BYTES("two"));
        CHECK_INT(buf_size(&e.wire), 0);
        ends_fini(&e);
    }
}

TEST(header)
{
    /* A type that there is not; refused before the rest has come. */
    refuse_bytes(RECORD_PLAIN, BYTES("\x18\x03\x03\x00\x10"), ALERT_UNEXPECTED_MESSAGE);
    refuse_bytes(RECORD_PLAIN, BYTES("GET / HTTP/1.1\r\n"), ALERT_UNEXPECTED_MESSAGE);
    refuse_bytes(RECORD_PLAIN, BYTES("\x16\x02\x00\x00\x10"), ALERT_PROTOCOL_VERSION);
    refuse_bytes(RECORD_TLS12_GCM, BYTES("\x17\x03\x01\x00\x30"), ALERT_PROTOCOL_VERSION);
    refuse_bytes(RECORD_TLS13, BYTES("\x17\x03\x04\x00\x30"), ALERT_PROTOCOL_VERSION);
    /* TLS 1.3 protects all but change_cipher_spec. */
    refuse_bytes(RECORD_TLS13, BYTES("\x16\x03\x03\x00\x30"), ALERT_UNEXPECTED_MESSAGE);
    refuse_bytes(RECORD_TLS13, BYTES("\x15\x03\x03\x00\x02\x01\x00"), ALERT_UNEXPECTED_MESSAGE);
}

/* RFC 8446 §5.1: the version of a plain record "MUST be ignored for all purposes". */
TEST(version_of_a_plain_record)
{
    static const enum record_format plain[] = {RECORD_PLAIN, RECORD_TLS13};
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        for (uint8_t minor = 0; minor < 6; minor++) {
            uint8_t alert, ccs[] = {RECORD_CHANGE_CIPHER_SPEC, 3, minor, 0, 1, 1};
            size_t used;
            struct record r;
            struct ends e;
            ends_init(&e, plain[i]);
            CHECK_INT(record_take(&e.open, ccs, sizeof(ccs), &r, &used, &alert), RECORD_OK);
            CHECK_INT(used, sizeof(ccs));
            ends_fini(&e);
        }
}

TEST(length)
{
    static const struct {
        enum record_format format;
        uint8_t type;
        uint16_t max;
    } cases[] = {
        {RECORD_PLAIN, 22, 16384},
        {RECORD_TLS12_GCM, 23, 16384 + 2048},
        {RECORD_TLS12_CHACHA20, 23, 16384 + 2048},
        {RECORD_TLS13, 23, 16384 + 256},
        {RECORD_TLS13, 20, 16384},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t header[5] = {
            cases[i].type, 3, 3, (uint8_t)(cases[i].max >> 8), (uint8_t)cases[i].max};
        struct record_layer l;
        struct record r;
        struct record_keys keys = some_keys(cases[i].format, AEAD_AES_128_GCM);
        size_t used;
        uint8_t alert;
        record_init(&l);
        record_set_keys(&l, &keys);
        CHECK_INT(record_take(&l, header, sizeof(header), &r, &used, &alert), RECORD_NEEDS_MORE);
        header[4]++;
        CHECK_INT(record_take(&l, header, sizeof(header), &r, &used, &alert), RECORD_BAD);
        CHECK_INT(alert, ALERT_RECORD_OVERFLOW);
        record_fini(&l);
    }
}

/* A record that is too short to hold a tag. */
TEST(too_short)
{
    refuse_bytes(RECORD_TLS13, BYTES("\x17\x03\x03\x00\x00"), ALERT_BAD_RECORD_MAC);
    refuse_bytes(RECORD_TLS13, BYTES("\x17\x03\x03\x00\x0f---------------"), ALERT_BAD_RECORD_MAC);
    refuse_bytes(RECORD_TLS12_GCM, BYTES("\x17\x03\x03\x00\x17-----------------------"),
        ALERT_BAD_RECORD_MAC);
}

/* ---- protection ---- */

/* Whichever bit of it is turned over, a record does not open, and leaves the sequence number. */
TEST(every_bit)
{
    for (size_t f = 1; f < COUNT_OF(formats); f++) {
        struct ends e;
        uint8_t good[64], bad[64];
        struct record r;
        size_t used;
        uint8_t alert;
        ends_init(&e, formats[f]);
        put(&e, RECORD_APPLICATION_DATA, BYTES("content"));
        const size_t n = buf_size(&e.wire);
        memcpy(good, wire_at(&e), n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            memcpy(bad, good, n);
            bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum record_status status = record_take(&e.open, bad, n, &r, &used, &alert);
            /* The length may say that more is to come, and no less; of TLS 1.3 a header that says
             * change_cipher_spec stands for itself. */
            bool is_header = bit / 8 < RECORD_HEADER_SIZE;
            bool is_other = status == RECORD_NEEDS_MORE ||
                            (formats[f] == RECORD_TLS13 && bad[0] == RECORD_CHANGE_CIPHER_SPEC);
            CHECK(status == RECORD_BAD || (is_header && is_other));
            CHECK(is_header || alert == ALERT_BAD_RECORD_MAC);
        }
        CHECK_INT(e.open.sequence, 0);
        take(&e, RECORD_APPLICATION_DATA, BYTES("content"));
        ends_fini(&e);
    }
}

/* Neither again nor out of order. */
TEST(sequence)
{
    for (size_t f = 1; f < COUNT_OF(formats); f++) {
        struct ends e;
        ends_init(&e, formats[f]);
        put(&e, RECORD_APPLICATION_DATA, BYTES("first"));
        buf_clear(&e.wire);
        put(&e, RECORD_APPLICATION_DATA, BYTES("second"));
        refuse(&e, ALERT_BAD_RECORD_MAC);
        ends_fini(&e);
    }
}

/* RFC 8446 §5.3: "Sequence numbers do not wrap." */
TEST(sequence_ends)
{
    struct ends e;
    ends_init(&e, RECORD_TLS13);
    e.seal.sequence = UINT64_MAX - 1;
    e.open.sequence = UINT64_MAX;
    put(&e, RECORD_APPLICATION_DATA, BYTES("the last"));
    CHECK_INT(record_put(&e.seal, RECORD_APPLICATION_DATA, BYTES("one more"), &e.wire, 0), 0);
    refuse(&e, ALERT_INTERNAL_ERROR);
    ends_fini(&e);
}

/* RFC 5288 §3: "The nonce_explicit MUST be distinct for each distinct invocation of the GCM encrypt
 * function for any fixed key"; also where another record was before. */
TEST(explicit_nonce)
{
    struct ends e;
    ends_init(&e, RECORD_TLS12_GCM);
    for (uint8_t i = 0; i < 3; i++) {
        const uint8_t nonce[] = {0, 0, 0, 0, 0, 0, 0, i};
        put(&e, RECORD_APPLICATION_DATA, BYTES("content"));
        CHECK(memcmp(wire_at(&e) + RECORD_HEADER_SIZE, nonce, sizeof(nonce)) == 0);
        buf_clear(&e.wire);
    }
    ends_fini(&e);
}

TEST(wants_new_key)
{
    struct ends e;
    ends_init(&e, RECORD_TLS13);
    e.seal.sequence = (1 << 24) - 1;
    CHECK(!record_wants_new_key(&e.seal));
    put(&e, RECORD_APPLICATION_DATA, BYTES("."));
    CHECK(record_wants_new_key(&e.seal));
    e.seal.keys.kind = AEAD_CHACHA20_POLY1305;
    CHECK(!record_wants_new_key(&e.seal));
    e.seal.sequence = UINT64_MAX - (1 << 24);
    CHECK(record_wants_new_key(&e.seal));
    ends_fini(&e);
}

/* Letting the expanded key go changes nothing else. */
TEST(rest)
{
    struct ends e;
    ends_init(&e, RECORD_TLS13);
    for (int i = 0; i < 3; i++) {
        put(&e, RECORD_APPLICATION_DATA, BYTES("content"));
        take(&e, RECORD_APPLICATION_DATA, BYTES("content"));
        record_rest(&e.seal);
        record_rest(&e.open);
        CHECK(!e.seal.aead && !e.open.aead);
    }
    ends_fini(&e);
}

/* ---- TLS 1.3: what is inside ---- */

TEST(padding)
{
    struct ends e;
    ends_init(&e, RECORD_TLS13);
    put_inner(&e, BYTES("content\x17\0\0\0\0\0\0\0\0\0\0"));
    take(&e, RECORD_APPLICATION_DATA, BYTES("content"));
    put_inner(&e, BYTES("ends with zero\0\x16"));
    take(&e, RECORD_HANDSHAKE, BYTES("ends with zero\0"));
    put_inner(&e, BYTES("\x17\0\0\0"));
    take(&e, RECORD_APPLICATION_DATA, BYTES(""));
    put_inner(&e, BYTES("\0\0\0\0"));
    refuse(&e, ALERT_UNEXPECTED_MESSAGE);
    put_inner(&e, BYTES(""));
    refuse(&e, ALERT_UNEXPECTED_MESSAGE);
    ends_fini(&e);
}

TEST(inner_type)
{
    static const struct bytes cases[] = {
        BYTES("\1\x14"),      /* a protected change_cipher_spec */
        BYTES("content\x18"), /* no such type */
        BYTES("content\1"),
        BYTES("\x16"), /* handshake and alert without content */
        BYTES("\x15\0\0"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ends e;
        ends_init(&e, RECORD_TLS13);
        put_inner(&e, cases[i]);
        refuse(&e, ALERT_UNEXPECTED_MESSAGE);
        ends_fini(&e);
    }
}

/* RFC 8446 §5.4: content, type and padding have 2^14 + 1 octets at most. */
TEST(inner_length)
{
    uint8_t inner[RECORD_PLAIN_MAX + 2] = {[RECORD_PLAIN_MAX] = RECORD_APPLICATION_DATA};
    struct ends e;
    ends_init(&e, RECORD_TLS13);
    put_inner(&e, (struct bytes){inner, RECORD_PLAIN_MAX + 1});
    take(&e, RECORD_APPLICATION_DATA, (struct bytes){inner, RECORD_PLAIN_MAX});
    put_inner(&e, (struct bytes){inner, RECORD_PLAIN_MAX + 2}); /* one of padding too many */
    refuse(&e, ALERT_RECORD_OVERFLOW);
    ends_fini(&e);
}

/* RFC 8449 §4: "An endpoint that receives a record larger than its advertised limit". */
TEST(size_limit)
{
    for (size_t f = 1; f < COUNT_OF(formats); f++) {
        uint8_t content[100] = {1};
        struct ends e;
        ends_init(&e, formats[f]);
        e.open.plain_max = 64;
        put(&e, RECORD_APPLICATION_DATA, (struct bytes){content, 64});
        take(&e, RECORD_APPLICATION_DATA, (struct bytes){content, 64});
        put(&e, RECORD_APPLICATION_DATA, (struct bytes){content, 65});
        refuse(&e, ALERT_RECORD_OVERFLOW);
        /* What we send keeps to it. */
        e.seal.plain_max = 64;
        put(&e, RECORD_APPLICATION_DATA, (struct bytes){content, 100});
        take(&e, RECORD_APPLICATION_DATA, (struct bytes){content, 64});
        take(&e, RECORD_APPLICATION_DATA, (struct bytes){content + 64, 36});
        ends_fini(&e);
    }
}

/* ---- packing ---- */

/* As much as OUT has room for: all that record_room promised, in whole records and a rest. */
TEST(room)
{
    static uint8_t content[WIRE_MAX];
    for (size_t f = 0; f < COUNT_OF(formats); f++) {
        for (size_t max = 0; max < 100; max += 7) {
            struct ends e;
            ends_init(&e, formats[f]);
            e.wire.max = max + 2 * (RECORD_PLAIN_MAX + RECORD_OVERHEAD_MAX);
            const size_t reserve = 40, room = record_room(&e.seal, &e.wire, reserve);
            CHECK_INT(record_put(&e.seal, RECORD_APPLICATION_DATA,
                          (struct bytes){content, sizeof(content)}, &e.wire, reserve),
                room);
            CHECK(buf_room(&e.wire) >= reserve);
            /* No octet more would have fitted. */
            CHECK(buf_room(&e.wire) <= reserve + RECORD_OVERHEAD_MAX);
            take(&e, RECORD_APPLICATION_DATA, (struct bytes){content, RECORD_PLAIN_MAX});
            ends_fini(&e);
        }
    }
}

TEST(no_room)
{
    struct ends e;
    ends_init(&e, RECORD_TLS13);
    e.wire.max = RECORD_HEADER_SIZE + 1 + AEAD_TAG_SIZE;
    CHECK_INT(record_room(&e.seal, &e.wire, 0), 0);
    CHECK_INT(record_room(&e.seal, &e.wire, e.wire.max + 1), 0);
    CHECK_INT(record_put(&e.seal, RECORD_ALERT, BYTES("\2\x28"), &e.wire, 0), 0);
    CHECK_INT(e.seal.sequence, 0);
    ends_fini(&e);
}

/* An initial ClientHello says 3.1, all that follows 3.3 (RFC 8446 §5.1). */
TEST(first_version)
{
    struct ends e;
    ends_init(&e, RECORD_PLAIN);
    e.seal.first_minor = 1;
    put(&e, RECORD_HANDSHAKE, BYTES("hello"));
    CHECK_INT(wire_at(&e)[2], 1);
    take(&e, RECORD_HANDSHAKE, BYTES("hello"));
    put(&e, RECORD_HANDSHAKE, BYTES("hello"));
    CHECK_INT(wire_at(&e)[2], 3);
    ends_fini(&e);
}
