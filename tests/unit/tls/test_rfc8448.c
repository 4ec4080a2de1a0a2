/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key schedule and the record layer against the traces of RFC 8448, octet for octet: every
 * secret, key, Finished, binder and record, as sender and as receiver.
 */
#include <string.h>

#include "base/attributes.h"
#include "test.h"
#include "tls/key_schedule.h"
#include "tls/message.h"
#include "tls/record.h"

#include "base/ban.h"

enum kind {
    BEGIN,
    BINDER_KEY,
    BINDER,
    MIX,
    SECRET,
    CLIENT_KEYS,
    SERVER_KEYS,
    CLIENT_HANDSHAKE,
    SERVER_HANDSHAKE,
    CLIENT_CHANGE_CIPHER_SPEC,
    SERVER_CHANGE_CIPHER_SPEC,
    CLIENT_ALERT,
    SERVER_ALERT,
    CLIENT_APPLICATION_DATA,
    SERVER_APPLICATION_DATA,
    RETRY,
    RESUMPTION,
    SERVER_TICKET
};

static const struct row {
    enum kind kind;
    const char *name, *a, *b;
} rows[] = {
#define T(kind, name, a, b) {kind, name, a, b},
#include "rfc8448.def"
#undef T
};

#define OCTETS_MAX  1024
#define SECRETS_MAX 16
#define FINISHED_N  32
#define PLAIN_LAYER ((struct record_layer){.plain_max = RECORD_PLAIN_MAX, .first_minor = 3})

struct octets {
    uint8_t at[OCTETS_MAX];
    size_t n;
};

static const struct suite suite = {.version = TLS_1_3,
    .aead = AEAD_AES_128_GCM,
    .hash = HASH_SHA256,
    .name = "TLS_AES_128_GCM_SHA256"};

/* One direction, at both ends. */
struct direction {
    struct record_layer sender, receiver;
};

static struct {
    struct key_schedule schedule;
    struct hash transcript;
    struct direction client, server;
    struct {
        const char *name;
        struct secret secret;
    } secrets[SECRETS_MAX];
    size_t secrets_n;
} trace;

static struct octets octets_of(const char *hex)
{
    struct octets o = {.n = strlen(hex) / 2};
    if (o.n > OCTETS_MAX)
        abort();
    for (size_t i = 0; i < o.n; i++) {
        unsigned value;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1)
            abort();
        o.at[i] = (uint8_t)value;
    }
    return o;
}

static struct bytes bytes_in(const struct octets *o)
{
    return (struct bytes){o->at, o->n};
}

static void check(const struct row *r, const char *what, struct bytes got, struct bytes want)
{
    if (bytes_equal(got, want))
        return;
    printf("# %s: %s differs\n", r->name, what);
    test_failed = 1;
}

static struct secret *secret_of(const char *name)
{
    for (size_t i = 0; i < trace.secrets_n; i++)
        if (!strcmp(trace.secrets[i].name, name))
            return &trace.secrets[i].secret;
    abort();
}

static struct secret *add_secret(const char *name)
{
    if (trace.secrets_n == SECRETS_MAX)
        abort();
    trace.secrets[trace.secrets_n].name = name;
    return &trace.secrets[trace.secrets_n++].secret;
}

static void direction_end(struct direction *d)
{
    record_fini(&d->sender);
    record_fini(&d->receiver);
}

static void direction_begin(struct direction *d)
{
    record_init(&d->sender);
    record_init(&d->receiver);
}

static void begin(const struct octets *psk)
{
    trace.secrets_n = 0;
    direction_begin(&trace.client);
    direction_begin(&trace.server);
    trace.client.sender.first_minor = 1;
    hash_init(&trace.transcript, HASH_SHA256);
    key_schedule_start(&trace.schedule, HASH_SHA256, bytes_in(psk));
}

static void end(void)
{
    direction_end(&trace.client);
    direction_end(&trace.server);
}

static void derive(const struct row *r, struct bytes transcript_hash, const struct octets *want)
{
    struct secret *s = add_secret(r->name);
    key_schedule_derive(&trace.schedule, r->name, transcript_hash, s);
    check(r, "secret", (struct bytes){s->at, hash_size(s->hash)}, bytes_in(want));
}

static void derive_now(const struct row *r, const struct octets *want, const struct octets *hash)
{
    uint8_t now[HASH_SIZE_MAX];
    struct bytes transcript = {now, hash_peek(&trace.transcript, now)};
    check(r, "transcript", transcript, bytes_in(hash));
    derive(r, transcript, want);
}

static void derive_binder_key(const struct row *r, const struct octets *want)
{
    uint8_t nothing[HASH_SIZE_MAX];
    derive(r, (struct bytes){nothing, hash_make(HASH_SHA256, (struct bytes){0}, nothing)}, want);
}

static void check_verify_data(const struct row *r, struct bytes transcript, struct bytes want)
{
    uint8_t got[HASH_SIZE_MAX];
    size_t n = key_schedule_verify_data(secret_of(r->name), transcript, got);
    check(r, "verify_data", (struct bytes){got, n}, want);
}

static void use_keys(
    const struct row *r, struct direction *d, const struct octets *key, const struct octets *iv)
{
    struct record_keys keys;
    key_schedule_keys(secret_of(r->name), &suite, &keys);
    check(r, "key", (struct bytes){keys.key, 16}, bytes_in(key));
    check(r, "IV", (struct bytes){keys.iv, sizeof(keys.iv)}, bytes_in(iv));
    CHECK_INT(keys.format, RECORD_TLS13);
    record_set_keys(&d->sender, &keys);
    record_set_keys(&d->receiver, &keys);
}

static void resume(const struct row *r, const struct octets *nonce, const struct octets *want)
{
    uint8_t psk[HASH_SIZE_MAX];
    key_schedule_expand(secret_of(r->name), "resumption", bytes_in(nonce), psk, want->n);
    check(r, "PSK", (struct bytes){psk, want->n}, bytes_in(want));
}

static void pass(const struct row *r, struct direction *d, enum record_type type,
    const struct octets *content, struct octets *wire)
{
    struct record_layer plain = PLAIN_LAYER;
    struct record got;
    struct buf out;
    size_t used = 0;
    uint8_t alert = 0;
    buf_init(&out, 2 * OCTETS_MAX);
    CHECK_INT(record_put(type == RECORD_CHANGE_CIPHER_SPEC ? &plain : &d->sender, type,
                  bytes_in(content), &out, 0),
        content->n);
    check(r, "record", buf_bytes(&out), bytes_in(wire));
    CHECK_INT(record_take(&d->receiver, wire->at, wire->n, &got, &used, &alert), RECORD_OK);
    CHECK_INT(got.type, type);
    CHECK_INT(used, wire->n);
    check(r, "content", got.content, bytes_in(content));
    buf_fini(&out);
}

/* A handshake record; if the row has a name, with a Finished at its end. */
static void pass_handshake(
    const struct row *r, struct direction *d, const struct octets *content, struct octets *wire)
{
    struct bytes messages = bytes_in(content);
    pass(r, d, RECORD_HANDSHAKE, content, wire);
    if (r->name[0]) {
        uint8_t now[HASH_SIZE_MAX];
        const size_t before = messages.n - MESSAGE_HEADER_SIZE - FINISHED_N;
        hash_add(&trace.transcript, bytes_first(messages, before));
        check_verify_data(r, (struct bytes){now, hash_peek(&trace.transcript, now)},
            bytes_skip(messages, before + MESSAGE_HEADER_SIZE));
        messages = bytes_skip(messages, before);
    }
    hash_add(&trace.transcript, messages);
}

/* RFC 8446 §4.4.1: ClientHello becomes a message_hash. */
static void pass_retry(const struct row *r, const struct octets *content, struct octets *wire)
{
    uint8_t header[4] = {MESSAGE_MESSAGE_HASH, 0, 0, FINISHED_N}, digest[HASH_SIZE_MAX];
    hash_peek(&trace.transcript, digest);
    hash_init(&trace.transcript, HASH_SHA256);
    hash_add(&trace.transcript, (struct bytes){header, sizeof(header)});
    hash_add(&trace.transcript, (struct bytes){digest, FINISHED_N});
    pass_handshake(r, &trace.server, content, wire);
}

static const enum record_type types[] = {
    [CLIENT_CHANGE_CIPHER_SPEC] = RECORD_CHANGE_CIPHER_SPEC,
    [SERVER_CHANGE_CIPHER_SPEC] = RECORD_CHANGE_CIPHER_SPEC,
    [CLIENT_ALERT] = RECORD_ALERT,
    [SERVER_ALERT] = RECORD_ALERT,
    [CLIENT_APPLICATION_DATA] = RECORD_APPLICATION_DATA,
    [SERVER_APPLICATION_DATA] = RECORD_APPLICATION_DATA,
    [SERVER_TICKET] = RECORD_HANDSHAKE,
};

static void play(const struct row *r)
{
    struct octets a = octets_of(r->a), b = octets_of(r->b);
    switch (r->kind) {
    case BEGIN:
        begin(&a);
        break;
    case BINDER_KEY:
        derive_binder_key(r, &a);
        break;
    case BINDER:
        check_verify_data(r, bytes_in(&b), bytes_in(&a));
        break;
    case MIX:
        key_schedule_next(&trace.schedule, bytes_in(&a));
        break;
    case SECRET:
        derive_now(r, &a, &b);
        break;
    case CLIENT_KEYS:
    case SERVER_KEYS:
        use_keys(r, r->kind == CLIENT_KEYS ? &trace.client : &trace.server, &a, &b);
        break;
    case CLIENT_HANDSHAKE:
    case SERVER_HANDSHAKE:
        pass_handshake(r, r->kind == CLIENT_HANDSHAKE ? &trace.client : &trace.server, &a, &b);
        break;
    case CLIENT_CHANGE_CIPHER_SPEC:
    case CLIENT_ALERT:
    case CLIENT_APPLICATION_DATA:
        pass(r, &trace.client, types[r->kind], &a, &b);
        break;
    case SERVER_CHANGE_CIPHER_SPEC:
    case SERVER_ALERT:
    case SERVER_APPLICATION_DATA:
    case SERVER_TICKET:
        pass(r, &trace.server, types[r->kind], &a, &b);
        break;
    case RETRY:
        pass_retry(r, &a, &b);
        break;
    case RESUMPTION:
        resume(r, &a, &b);
        break;
    }
}

/* Play the section that begins with NUMBER. */
static void play_section(char number)
{
    size_t i = 0;
    while (i < COUNT_OF(rows) && !(rows[i].kind == BEGIN && rows[i].name[0] == number))
        i++;
    CHECK(i < COUNT_OF(rows));
    do
        play(&rows[i++]);
    while (i < COUNT_OF(rows) && rows[i].kind != BEGIN);
    end();
}

TEST(simple)
{
    play_section('3');
}

TEST(resumed)
{
    play_section('4');
}

TEST(hello_retry_request)
{
    play_section('5');
}

TEST(client_authentication)
{
    play_section('6');
}

TEST(compatibility_mode)
{
    play_section('7');
}
