/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's core with keys of each kind: what it does for a worker that asks as a handshake
 * would, and that it does nothing else for one that has been taken over.
 *
 * `test_keyring no_request_makes_a_key_sign_anything_but_a_handshake` with
 * SALLYPORT_TEST_REQUESTS=1000000 tries as many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/convert.h"
#include "role/signer_world.h"
#include "test.h"

static struct signer_world world;

static void begin(void)
{
    signer_world_init(&world);
}

static void finish(void)
{
    signer_world_fini(&world);
}

/* ---- requests ---- */

#define HASH_N 32
static uint8_t octets[65536];

static struct bytes request(
    uint64_t number, uint32_t key, enum signing_kind kind, uint16_t scheme, struct bytes content)
{
    struct signing_head head = {number, key, (uint16_t)kind, scheme};
    memcpy(octets, &head, sizeof(head));
    memcpy(octets + sizeof(head), content.at, content.n);
    return (struct bytes){octets, sizeof(head) + content.n};
}

static enum signing_outcome ask_at(struct bytes r, uint64_t now_ms, struct signing_answer *out)
{
    keyring_answer(world.ring, 0, r, now_ms, out);
    return out->outcome;
}

static enum signing_outcome ask(struct bytes r)
{
    struct signing_answer answer;
    return ask_at(r, 1000, &answer);
}

/* A content that has the form of KIND. */
static struct bytes content_of(enum signing_kind kind)
{
    static uint8_t hash[48], exchange[64 + 4 + 32] = {[64] = 3, 0, 29, 32}, cipher[256];
    static const uint8_t messages[] = {1, 0, 0, 1, 'h', 2, 0, 0, 1, 's', 11, 0, 0, 1, 'c', 12, 0, 0,
        1, 'k', 13, 0, 0, 1, 'r', 14, 0, 0, 0, 11, 0, 0, 1, 'c', 16, 0, 0, 1, 'x'};
    switch (kind) {
    case SIGNING_SERVER_13:
    case SIGNING_CLIENT_13:
        return (struct bytes){hash, HASH_N};
    case SIGNING_SERVER_12:
        return (struct bytes){exchange, sizeof(exchange)};
    case SIGNING_CLIENT_12:
        return (struct bytes){messages, sizeof(messages)};
    case SIGNING_PREMASTER:
    case SIGNING_KIND_COUNT:
        break;
    }
    return (struct bytes){cipher, sizeof(cipher)};
}

#define ED25519_SCHEME 0x0807
#define ECDSA_SCHEME   0x0403
#define PSS_SCHEME     0x0804
#define PKCS1_SCHEME   0x0401
static const uint16_t schemes[KEYS] = {ECDSA_SCHEME, ED25519_SCHEME, PSS_SCHEME};

TEST(each_key_does_what_the_configuration_uses_it_for_and_nothing_else)
{
    static const bool may[KEYS][SIGNING_KIND_COUNT] = {
        [SERVER] = {[SIGNING_SERVER_13] = true, [SIGNING_SERVER_12] = true},
        [OUT] = {[SIGNING_CLIENT_13] = true, [SIGNING_CLIENT_12] = true},
        [TRANSPORT] =
            {[SIGNING_SERVER_13] = true, [SIGNING_SERVER_12] = true, [SIGNING_PREMASTER] = true},
    };
    begin();
    for (uint32_t key = 0; key < KEYS; key++)
        for (unsigned kind = 0; kind < SIGNING_KIND_COUNT; kind++)
            CHECK_INT(ask(request(STORE_NUMBER, key, kind, schemes[key], content_of(kind))),
                may[key][kind] ? SIGNING_DONE : SIGNING_FORBIDDEN);
    finish();
}

TEST(control_checks_targets_and_is_nobodys_server)
{
    struct signing_answer answer;
    begin();
    for (uint32_t key = 0; key < KEYS; key++)
        for (unsigned kind = 0; kind < SIGNING_KIND_COUNT; kind++) {
            bool is_clients = SIGNING_BIT(kind) & SIGNING_AS_CLIENT;
            keyring_answer(world.ring, KEYRING_CONTROL,
                request(STORE_NUMBER, key, kind, schemes[key], content_of(kind)), 1000, &answer);
            CHECK_INT(answer.outcome, key == OUT && is_clients ? SIGNING_DONE : SIGNING_FORBIDDEN);
        }
    finish();
}

TEST(the_table_names_each_key_or_its_flaw)
{
    struct held_key held;
    begin();
    for (uint32_t i = 0; i < KEYS; i++) {
        CHECK(key_store_find(buf_bytes(&world.table), signer_names[i], &held));
        CHECK_INT(held.handle.index, i);
        CHECK(private_key_matches(world.keys[i], held.spki));
    }
    CHECK(key_store_find(buf_bytes(&world.table), "/broken", &held));
    CHECK(!held.spki.n && held.flaw.n);
    CHECK(!key_store_find(buf_bytes(&world.table), "/libssl", &held)); /* the workers' */
    finish();
}

TEST(the_table_holds_no_private_key)
{
    begin();
    for (int i = 0; i < KEYS; i++) {
        struct buf der;
        buf_init(&der, 1 << 16);
        CHECK_INT(convert_key_der(world.keys[i], &der), 0);
        struct bytes end = bytes_skip(buf_bytes(&der), buf_size(&der) - 16);
        CHECK(i == SERVER ||
              !memmem(buf_bytes(&world.table).at, buf_size(&world.table), end.at, end.n));
        CHECK(memmem(buf_bytes(&world.store).at, buf_size(&world.store), end.at,
            end.n)); /* it would be found */
        buf_fini(&der);
    }
    finish();
}

TEST(schemes_that_do_not_fit_the_key_or_version_are_refused)
{
    begin();
    struct bytes hash = content_of(SIGNING_SERVER_13), exchange = content_of(SIGNING_SERVER_12);
    CHECK_INT(
        ask(request(STORE_NUMBER, SERVER, SIGNING_SERVER_13, PSS_SCHEME, hash)), SIGNING_FORBIDDEN);
    CHECK_INT(ask(request(STORE_NUMBER, SERVER, SIGNING_SERVER_13, 0x0503, hash)),
        SIGNING_FORBIDDEN); /* P-384 */
    /* RFC 8446 §4.2.3: RSASSA-PKCS1-v1_5 signs no handshake of TLS 1.3. */
    CHECK_INT(ask(request(STORE_NUMBER, TRANSPORT, SIGNING_SERVER_13, PKCS1_SCHEME, hash)),
        SIGNING_FORBIDDEN);
    CHECK_INT(ask(request(STORE_NUMBER, TRANSPORT, SIGNING_SERVER_12, PKCS1_SCHEME, exchange)),
        SIGNING_DONE);
    CHECK_INT(ask(request(STORE_NUMBER, SERVER, SIGNING_SERVER_13, 0, hash)), SIGNING_FORBIDDEN);
    finish();
}

/* RFC 5246 §7.4.7.1: the version is the ClientHello's. A captured worker could have what was
 * recorded of SSL 3.0 to TLS 1.1 opened otherwise. */
TEST(no_premaster_of_before_tls12_is_opened)
{
    static const struct {
        uint16_t version;
        enum signing_outcome outcome;
    } rows[] = {{0, SIGNING_MALFORMED}, {0x0002, SIGNING_MALFORMED}, {0x0300, SIGNING_MALFORMED},
        {0x0302, SIGNING_MALFORMED}, {0x0303, SIGNING_DONE}, {0x0304, SIGNING_DONE}};
    begin();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(ask(request(STORE_NUMBER, TRANSPORT, SIGNING_PREMASTER, rows[i].version,
                      content_of(SIGNING_PREMASTER))),
            rows[i].outcome);
    finish();
}

TEST(keys_are_those_of_their_generation_until_it_is_forgotten)
{
    begin();
    struct bytes hash = content_of(SIGNING_SERVER_13);
    keyring_add(world.ring, STORE_NUMBER + 1, buf_bytes(&world.store));
    CHECK_INT(keyring_keys(world.ring), 2 * KEYS);
    CHECK_INT(ask(request(STORE_NUMBER + 2, SERVER, SIGNING_SERVER_13, ECDSA_SCHEME, hash)),
        SIGNING_NO_KEY);
    CHECK_INT(
        ask(request(STORE_NUMBER, KEYS, SIGNING_SERVER_13, ECDSA_SCHEME, hash)), SIGNING_NO_KEY);
    keyring_remove(world.ring, STORE_NUMBER);
    CHECK_INT(
        ask(request(STORE_NUMBER, SERVER, SIGNING_SERVER_13, ECDSA_SCHEME, hash)), SIGNING_NO_KEY);
    CHECK_INT(ask(request(STORE_NUMBER + 1, SERVER, SIGNING_SERVER_13, ECDSA_SCHEME, hash)),
        SIGNING_DONE);
    finish();
}

TEST(a_worker_has_a_ceiling_for_each_key)
{
    struct signing_answer answer;
    unsigned done = 0;
    begin();
    struct bytes r =
        request(STORE_NUMBER, SERVER, SIGNING_SERVER_13, PSS_SCHEME, content_of(SIGNING_SERVER_13));
    /* One that is refused for its scheme costs no arithmetic, and counts all the same. */
    while (ask_at(r, 5000, &answer) == SIGNING_FORBIDDEN)
        done++;
    CHECK_INT(answer.outcome, SIGNING_TOO_OFTEN);
    CHECK_INT(done, KEYRING_CEILING);
    CHECK_INT(ask_at(r, 5001, &answer), SIGNING_FORBIDDEN);
    /* Other workers and other keys have their own. */
    for (done = 0; ask_at(r, 5001, &answer) == SIGNING_FORBIDDEN; done++)
        continue;
    CHECK_INT(done, KEYRING_CEILING / 1000 - 1);
    keyring_answer(world.ring, 1, r, 5001, &answer);
    CHECK_INT(answer.outcome, SIGNING_FORBIDDEN);
    CHECK_INT(ask_at(request(STORE_NUMBER, OUT, SIGNING_CLIENT_13, ED25519_SCHEME,
                         content_of(SIGNING_CLIENT_13)),
                  5001, &answer),
        SIGNING_DONE);
    finish();
}

/* ---- a worker that was taken over ---- */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void fill(uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)next_random();
}

/* What an attacker would like to have signed: a digest with its DigestInfo, a certificate, a
 * CertificateVerify made elsewhere, any octets. */
static struct bytes coveted(void)
{
    static uint8_t at[4096];
    static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
        0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    static const uint8_t certificate[] = {0x30, 0x82, 0x02, 0x00, 0xa0, 0x03, 0x02, 0x01, 0x02};
    size_t n = next_random() % 512;
    fill(at, sizeof(at));
    switch (next_random() % 4) {
    case 0:
        memcpy(at, digest_info, sizeof(digest_info));
        return (struct bytes){at, sizeof(digest_info) + 32};
    case 1:
        memcpy(at, certificate, sizeof(certificate));
        return (struct bytes){at, 516};
    case 2:
        memset(at, ' ', 64);
        memcpy(at + 64, "TLS 1.3, client CertificateVerify", 34);
        return (struct bytes){at, 64 + 34 + 32};
    default:
        return (struct bytes){at, n};
    }
}

/* One more request, from what a handshake says to what none would. */
static struct bytes next_request(void)
{
    enum signing_kind kind = next_random() % SIGNING_KIND_COUNT;
    uint32_t key = (uint32_t)(next_random() % (KEYS + 1));
    uint64_t number = STORE_NUMBER - next_random() % 2; /* … or one that was forgotten */
    uint16_t scheme = schemes[next_random() % KEYS];
    bool is_raw = next_random() % 2;
    struct bytes r = request(number, key, kind, scheme, is_raw ? coveted() : content_of(kind));
    for (uint64_t changes = next_random() % 4; changes; changes--)
        octets[next_random() % r.n] = (uint8_t)next_random();
    if (next_random() % 4 == 0)
        r.n = next_random() % (r.n + 1);
    if (next_random() % 8 == 0)
        fill(octets, r.n);
    return r;
}

TEST(no_request_makes_a_key_sign_anything_but_a_handshake)
{
    const char *wanted = getenv("SALLYPORT_TEST_REQUESTS");
    unsigned long n = wanted ? strtoul(wanted, NULL, 10) : 20000, done = 0, wrong = 0;
    unsigned long refused = 0;
    begin();
    for (unsigned long i = 0; i < n; i++) {
        struct signing_answer answer;
        struct bytes r = next_request();
        if (ask_at(r, i, &answer) == SIGNING_DONE) {
            done++;
            wrong += !signer_world_is_of_a_handshake(&world, r, &answer);
        } else {
            refused++;
            wrong += answer.n != 0;
        }
    }
    printf("# %lu requests, %lu refused, %lu part of a handshake, %lu wrong\n", n, refused, done,
        wrong);
    CHECK_INT(wrong, 0);
    CHECK(done && refused > done);
    finish();
}
