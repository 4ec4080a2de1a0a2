/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every sequence of up to six messages that a client can send after its ClientHello, each of them
 * right as such: signatures, Finished and records are made with the true secrets, over whatever was
 * said before. Only the sequences of RFC 8446 §2 and RFC 5246 §7.3 open the connection, and only
 * then is there application data.
 */
#include "base/memory.h"
#include "base/panic.h"
#include "side.h"
#include "test.h"
#include "tls/machine_parts.h"

#include "base/ban.h"

#define LENGTH_MAX 6

static struct credential *ecdsa;

/* A client's end of the conversation. */
struct talk {
    struct side server;
    struct record_layer seal;
    bool is_tls13;
    bool has_keys; /* SEAL has those of the application */
};

static void say(struct talk *t, enum record_type type, struct bytes content)
{
    CHECK_INT(record_put(&t->seal, type, content, &t->server.m->wire_in, 0), content.n);
    side_run(&t->server);
}

static void say_message(struct talk *t, enum message_type type, struct bytes body)
{
    struct buf message;
    buf_init(&message, 4096);
    struct wire_writer w = {.out = &message};
    struct wire_mark mark = message_begin(&w, type);
    wire_put(&w, body);
    wire_end(&w, mark);
    ASSERT(!w.has_failed);
    say(t, RECORD_HANDSHAKE, buf_bytes(&message));
    buf_fini(&message);
}

static void use_traffic(struct talk *t, const struct secret *traffic)
{
    struct record_keys keys;
    key_schedule_keys(traffic, t->server.m->suite, &keys);
    record_set_keys(&t->seal, &keys);
}

/* ---- what can be said ---- */

static void say_data(struct talk *t)
{
    say(t, RECORD_APPLICATION_DATA, BYTES("GET /"));
}

static void say_hello(struct talk *t)
{
    const struct handshake *hs = t->server.m->hs;
    say_message(t, MESSAGE_CLIENT_HELLO,
        hs ? bytes_skip(hs->hello_message, MESSAGE_HEADER_SIZE) : BYTES("\3\3"));
}

static void say_certificate(struct talk *t)
{
    struct buf body;
    buf_init(&body, 4096);
    struct wire_writer w = {.out = &body};
    message_put_certificate(&w, t->is_tls13, (struct bytes){0}, &ecdsa->chain, (struct bytes){0});
    say_message(t, MESSAGE_CERTIFICATE, buf_bytes(&body));
    buf_fini(&body);
}

static void say_no_certificate(struct talk *t)
{
    say_message(t, MESSAGE_CERTIFICATE, t->is_tls13 ? BYTES("\0\0\0\0") : BYTES("\0\0\0"));
}

static void say_verify(struct talk *t)
{
    uint8_t digest[HASH_SIZE_MAX], body[4 + PRIVATE_KEY_SIGNATURE_MAX] = {4, 3};
    const struct handshake *hs = t->server.m->hs;
    struct buf content;
    buf_init(&content, 65536);
    if (hs && t->is_tls13)
        peer_verify_content(
            &content, false, (struct bytes){digest, hash_peek(&hs->transcript, digest)});
    else if (hs)
        ASSERT(buf_append(&content, buf_bytes(&hs->messages)) == 0);
    size_t n = private_key_sign(ecdsa->key, SIGNATURE_ECDSA_SHA256, buf_bytes(&content), body + 4);
    body[3] = (uint8_t)n;
    say_message(t, MESSAGE_CERTIFICATE_VERIFY, (struct bytes){body, 4 + n});
    buf_fini(&content);
}

/* With the keys of the application, which a server has that has sent its Finished. */
static void say_finished(struct talk *t)
{
    uint8_t digest[HASH_SIZE_MAX], data[HASH_SIZE_MAX];
    const struct handshake *hs = t->server.m->hs;
    size_t n = VERIFY_DATA_SIZE;
    if (!hs) {
        say_message(t, MESSAGE_FINISHED, BYTES("123456789012"));
        return;
    }
    struct bytes transcript = {digest, hash_peek(&hs->transcript, digest)};
    if (t->is_tls13)
        n = key_schedule_verify_data(&hs->client_secret, transcript, data);
    else
        prf_make(t->server.m->suite->hash, (struct bytes){hs->master, MASTER_SECRET_SIZE},
            (struct prf_seed){"client finished", transcript, {0}}, data, n);
    say_message(t, MESSAGE_FINISHED, (struct bytes){data, n});
    if (t->is_tls13 && !t->server.m->hs && !t->has_keys) {
        use_traffic(t, &t->server.m->receive_secret);
        t->has_keys = true;
    }
}

static void say_key_update(struct talk *t)
{
    say_message(t, MESSAGE_KEY_UPDATE, BYTES("\0"));
    if (t->has_keys && t->server.event != MACHINE_FAILED)
        use_traffic(t, &t->server.m->receive_secret);
}

static void say_end_of_early_data(struct talk *t)
{
    say_message(t, MESSAGE_END_OF_EARLY_DATA, BYTES(""));
}

static void say_key_exchange(struct talk *t)
{
    uint8_t body[1 + KEY_SHARE_PUBLIC_MAX];
    struct key_share *share = key_share_new(GROUP_X25519);
    struct bytes key = key_share_public(share);
    body[0] = (uint8_t)key.n;
    memcpy(body + 1, key.at, key.n);
    say_message(t, MESSAGE_CLIENT_KEY_EXCHANGE, (struct bytes){body, 1 + key.n});
    key_share_free(&share);
}

static void say_change_cipher_spec(struct talk *t)
{
    struct machine *m = t->server.m;
    struct prf_keys keys;
    say(t, RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"));
    if (!m->hs || t->server.event == MACHINE_FAILED)
        return;
    prf_keys_make(m->suite, m->hs->master, m->hs->client_random, m->hs->server_random, &keys);
    record_set_keys(&t->seal, &keys.client);
}

typedef void say_fn(struct talk *t);
struct word {
    char letter;
    say_fn *say;
};
static const struct word words13[] = {{'C', say_certificate}, {'E', say_no_certificate},
    {'V', say_verify}, {'F', say_finished}, {'K', say_key_update}, {'H', say_hello},
    {'O', say_end_of_early_data}, {'d', say_data}};
static const struct word words12[] = {{'C', say_certificate}, {'E', say_no_certificate},
    {'X', say_key_exchange}, {'V', say_verify}, {'S', say_change_cipher_spec}, {'F', say_finished},
    {'H', say_hello}, {'d', say_data}};

/* ---- ClientHello ---- */

/* supported_versions, supported_groups, key_share (the base point of X25519), signature_algorithms
 */
static const char extensions13[] = "\0\x2b\0\3\2\3\4"
                                   "\0\x0a\0\4\0\2\0\x1d"
                                   "\0\x33\0\x26\0\x24\0\x1d\0\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                   "\0\x0d\0\4\0\2\4\3";
/* supported_groups, signature_algorithms, extended_master_secret */
static const char extensions12[] = "\0\x0a\0\6\0\4\0\x1d\0\x17"
                                   "\0\x0d\0\4\0\2\4\3"
                                   "\0\x17\0\0";

static void put_client_hello(struct buf *out, bool is_tls13)
{
    static const uint8_t random[32] = {1};
    struct wire_writer w = {.out = out};
    wire_put_24(&w, 0x160301);
    struct wire_mark record = wire_begin(&w, 2);
    struct wire_mark message = message_begin(&w, MESSAGE_CLIENT_HELLO);
    wire_put_16(&w, TLS_1_2);
    wire_put(&w, (struct bytes){random, sizeof(random)});
    wire_put_8(&w, 0);
    wire_put(&w, BYTES("\0\4\x13\1\xc0\x2b\1\0"));
    struct wire_mark block = wire_begin(&w, 2);
    wire_put(&w, is_tls13 ? BYTES(extensions13) : BYTES(extensions12));
    wire_end(&w, block);
    wire_end(&w, message);
    wire_end(&w, record);
    ASSERT(!w.has_failed);
}

static void begin(struct talk *t)
{
    struct machine *m;
    side_start(&t->server);
    m = t->server.m;
    put_client_hello(&m->wire_in, t->is_tls13);
    ASSERT(side_run(&t->server) == MACHINE_WANT_INPUT);
    record_fini(&t->seal);
    record_init(&t->seal);
    t->has_keys = false;
    if (t->is_tls13)
        use_traffic(t, &m->hs->client_secret);
}

/* ---- all there is to say ---- */

struct tree {
    struct talk talk;
    const struct word *words;
    size_t words_n;
    const char *const *openings; /* what opens the connection */
    char said[LENGTH_MAX + 1];
    unsigned opened, with_data;
};

static bool is_open(const struct tree *t, size_t n)
{
    for (const char *const *o = t->openings; *o; o++)
        if (strlen(*o) <= n && strncmp(t->said, *o, strlen(*o)) == 0)
            return true;
    return false;
}

/* Say again what T->said holds. False: the server has heard enough. */
static bool replay(struct tree *t, size_t n)
{
    struct side *s = &t->talk.server;
    begin(&t->talk);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < t->words_n; j++)
            if (t->words[j].letter == t->said[i])
                t->words[j].say(&t->talk);
        CHECK(!s->m->facts.is_handshake_complete || is_open(t, i + 1));
        CHECK(s->event != MACHINE_DATA || (is_open(t, i) && t->said[i] == 'd'));
        CHECK((machine_opened(s->m).n == 0) == (s->event != MACHINE_DATA));
        CHECK(s->m->facts.is_handshake_complete || machine_write_room(s->m) == 0);
        if (i + 1 == n && s->event == MACHINE_DATA)
            t->with_data++;
        if (s->event == MACHINE_DATA)
            machine_take(s->m, machine_opened(s->m).n);
    }
    if (test_failed)
        printf("# said %.*s\n", (int)n, t->said);
    return s->event != MACHINE_FAILED && !test_failed;
}

/* Whoever is dead stays so: what begins with what killed it need not be said. */
static void walk(struct tree *t, size_t n)
{
    if (!replay(t, n))
        return;
    t->opened += t->talk.server.m->facts.is_handshake_complete;
    for (size_t i = 0; n < LENGTH_MAX && i < t->words_n; i++) {
        t->said[n] = t->words[i].letter;
        walk(t, n + 1);
    }
}

static void walk_all(bool is_tls13, enum tlspolicy_peer peer, const char *const *openings)
{
    struct tree t = {.words = is_tls13 ? words13 : words12,
        .words_n = is_tls13 ? COUNT_OF(words13) : COUNT_OF(words12),
        .openings = openings};
    ecdsa = pair_credential(KEY_EC_P256, "www.example");
    side_init(&t.talk.server, &machine_server, &ecdsa, 1);
    t.talk.server.policy.peer = peer;
    t.talk.is_tls13 = is_tls13;
    record_init(&t.talk.seal);
    walk(&t, 0);
    CHECK(t.opened > 0 && t.with_data > 0);
    record_fini(&t.talk.seal);
    side_free(&t.talk.server);
    pair_credential_free(&ecdsa);
}

TEST(one_way_13)
{
    walk_all(true, PEER_NOT_ASKED, (const char *const[]){"F", NULL});
}

TEST(optional_13)
{
    walk_all(true, PEER_OPTIONAL, (const char *const[]){"EF", "CVF", NULL});
}

TEST(mutual_13)
{
    walk_all(true, PEER_REQUIRED, (const char *const[]){"CVF", NULL});
}

TEST(one_way_12)
{
    walk_all(false, PEER_NOT_ASKED, (const char *const[]){"XSF", NULL});
}

TEST(optional_12)
{
    walk_all(false, PEER_OPTIONAL, (const char *const[]){"EXSF", "CXVSF", NULL});
}

TEST(mutual_12)
{
    walk_all(false, PEER_REQUIRED, (const char *const[]){"CXVSF", NULL});
}
