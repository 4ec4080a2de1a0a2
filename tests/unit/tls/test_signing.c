/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a key is asked for, as the one who holds it sees it: which octets are a request, which
 * request has the form of its kind, and what answers mean.
 */
#include "base/memory.h"
#include "pair.h"
#include "test.h"
#include "tls/message.h"
#include "tls/signing.h"

#include "base/ban.h"

#define HASH_32   "0123456789abcdef0123456789abcdef"
#define RANDOMS   HASH_32 HASH_32
#define MESSAGE_0 "\0\0\0"
/* ClientHello, ServerHello, Certificate; CertificateRequest, ServerHelloDone, Certificate,
 * ClientKeyExchange: all without a body. */
#define BEGIN    "\1" MESSAGE_0 "\2" MESSAGE_0 "\x0b" MESSAGE_0
#define END      "\x0d" MESSAGE_0 "\x0e" MESSAGE_0 "\x0b" MESSAGE_0 "\x10" MESSAGE_0
#define STATUS   "\x16" MESSAGE_0
#define EXCHANGE "\x0c" MESSAGE_0

static const struct {
    const char *what;
    enum signing_kind kind;
    uint16_t number;
    struct bytes content;
    bool is_well_formed;
} requests[] = {
    {"the hash of a transcript", SIGNING_SERVER_13, 0x0403, BYTES(HASH_32), true},
    {"a longer one", SIGNING_CLIENT_13, 0x0403, BYTES(HASH_32 "0123456789abcdef"), true},
    {"no hash of ours", SIGNING_SERVER_13, 0x0403, BYTES("0123456789abcdef"), false},
    {"nothing", SIGNING_CLIENT_13, 0x0403, BYTES(""), false},
    {"a share", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\3\0\x1d\x20" HASH_32), true},
    {"a share cut off", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\3\0\x1d\x20"), false},
    {"… in its head", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\3\0"), false},
    {"no type of curve", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS), false},
    {"one random", SIGNING_SERVER_12, 0x0403, BYTES(HASH_32), false},
    {"a share and more", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\3\0\x1d\x20" HASH_32 "a"),
        false},
    {"a curve by its parameters", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\1\0\x1d\x20" HASH_32),
        false},
    {"a group of nobody", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\3\0\x1e\x20" HASH_32), false},
    {"a point of another size", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\3\0\x1d\1a"), false},
    {"a point of P-256", SIGNING_SERVER_12, 0x0403, BYTES(RANDOMS "\3\0\x17\x41\4" RANDOMS), true},
    {"a point that is compressed", SIGNING_SERVER_12, 0x0403,
        BYTES(RANDOMS "\3\0\x17\x41\2" RANDOMS), false},
    {"a handshake", SIGNING_CLIENT_12, 0x0403, BYTES(BEGIN END), true},
    {"with all that may be", SIGNING_CLIENT_12, 0x0403, BYTES(BEGIN STATUS EXCHANGE END), true},
    {"in another order", SIGNING_CLIENT_12, 0x0403, BYTES(BEGIN EXCHANGE STATUS END), false},
    {"without its end", SIGNING_CLIENT_12, 0x0403, BYTES(BEGIN), false},
    {"without its beginning", SIGNING_CLIENT_12, 0x0403, BYTES(END), false},
    {"and more", SIGNING_CLIENT_12, 0x0403, BYTES(BEGIN END "\x0f" MESSAGE_0), false},
    {"cut off", SIGNING_CLIENT_12, 0x0403, BYTES("\1\0\0\2a"), false},
    {"a ciphertext", SIGNING_PREMASTER, TLS_1_2, BYTES(HASH_32), true},
    {"a ciphertext for less than TLS 1.2", SIGNING_PREMASTER, 0x0302, BYTES(HASH_32), false},
    {"of a kind that there is not", SIGNING_KIND_COUNT, 0x0403, BYTES(HASH_32), false},
};

TEST(each_kind_has_its_form)
{
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct signing_request r = {requests[i].kind, requests[i].number, requests[i].content};
        if (signing_is_well_formed(&r) != requests[i].is_well_formed)
            printf("# %s\n", requests[i].what);
        CHECK_INT(signing_is_well_formed(&r), requests[i].is_well_formed);
    }
}

TEST(a_handshake_has_a_size_at_most)
{
    static uint8_t messages[SIGNING_CONTENT_MAX + 1] = {MESSAGE_CLIENT_HELLO};
    static const uint8_t rest[] = "\2" MESSAGE_0 "\x0b" MESSAGE_0 END;
    for (size_t n = SIGNING_CONTENT_MAX; n <= sizeof(messages); n++) {
        size_t body_n = n - (sizeof(rest) - 1) - MESSAGE_HEADER_SIZE;
        messages[2] = (uint8_t)(body_n >> 8);
        messages[3] = (uint8_t)body_n;
        memcpy(messages + MESSAGE_HEADER_SIZE + body_n, rest, sizeof(rest) - 1);
        struct signing_request r = {SIGNING_CLIENT_12, 0x0403, {messages, n}};
        CHECK_INT(signing_is_well_formed(&r), n == SIGNING_CONTENT_MAX);
    }
}

TEST(requests_travel)
{
    uint8_t octets[sizeof(struct signing_head) + 32];
    const struct key_handle key = {.store = 7, .index = 3};
    const struct signing_request r = {SIGNING_SERVER_13, 0x0403, BYTES(HASH_32)};
    struct signing_head head = signing_head_of(&key, &r), got_head;
    struct signing_request got;
    memcpy(octets, &head, sizeof(head));
    memcpy(octets + sizeof(head), r.content.at, r.content.n);
    CHECK(signing_read((struct bytes){octets, sizeof(octets)}, &got_head, &got));
    CHECK(got_head.store == 7 && got_head.key == 3 && got.kind == r.kind);
    CHECK_INT(got.number, r.number);
    CHECK(bytes_equal(got.content, r.content));
    for (size_t n = 0; n < sizeof(octets); n++)
        CHECK(!signing_read((struct bytes){octets, n}, &got_head, &got));
    head.kind = SIGNING_KIND_COUNT;
    memcpy(octets, &head, sizeof(head));
    CHECK(!signing_read((struct bytes){octets, sizeof(octets)}, &got_head, &got));
}

TEST(answers_travel)
{
    static const struct {
        struct bytes octets;
        enum signing_outcome outcome;
    } rows[] = {
        {BYTES("\0a"), SIGNING_DONE}, {BYTES("\2"), SIGNING_FORBIDDEN},
        {BYTES(""), SIGNING_INTERRUPTED}, {BYTES("\0"), SIGNING_INTERRUPTED}, /* nothing signed */
        {BYTES("\2a"), SIGNING_INTERRUPTED},                                  /* refused, and yet */
        {BYTES("\x63"), SIGNING_INTERRUPTED}, /* an outcome that there is not */
    };
    static const uint8_t longest[SIGNING_ANSWER_MAX + 1];
    uint8_t octets[SIGNING_ANSWER_MAX];
    struct signing_answer a;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        signing_answer_read(rows[i].octets, &a);
        CHECK_INT(a.outcome, rows[i].outcome);
        CHECK_INT(a.n, a.outcome == SIGNING_DONE);
        if (a.outcome != SIGNING_INTERRUPTED) {
            size_t n = signing_answer_write(&a, octets);
            CHECK(bytes_equal((struct bytes){octets, n}, rows[i].octets));
        }
    }
    for (size_t n = SIGNING_ANSWER_MAX; n <= sizeof(longest); n++) {
        signing_answer_read((struct bytes){longest, n}, &a);
        CHECK_INT(a.outcome, n == SIGNING_ANSWER_MAX ? SIGNING_DONE : SIGNING_INTERRUPTED);
    }
    for (enum signing_outcome o = 0; o <= SIGNING_OUTCOME_COUNT; o++)
        CHECK(*signing_outcome_text(o));
}

/* Each for its own reason, and never with a signature. */
TEST(a_key_does_not_do_everything)
{
    struct credential *ecdsa = pair_credential(KEY_EC_P256, "");
    static const struct {
        struct signing_request request;
        unsigned allowed;
        enum signing_outcome outcome;
    } rows[] = {
        {{SIGNING_SERVER_13, 0x0403, BYTES(HASH_32)}, SIGNING_AS_SERVER, SIGNING_DONE},
        {{SIGNING_SERVER_13, 0x0403, BYTES(HASH_32)}, SIGNING_AS_CLIENT, SIGNING_FORBIDDEN},
        {{SIGNING_SERVER_13, 0x0403, BYTES("a")}, SIGNING_AS_SERVER, SIGNING_MALFORMED},
        {{SIGNING_SERVER_13, 0x0503, BYTES(HASH_32)}, SIGNING_AS_SERVER, SIGNING_FORBIDDEN},
        {{SIGNING_SERVER_13, 0x7f7f, BYTES(HASH_32)}, SIGNING_AS_SERVER, SIGNING_FORBIDDEN},
        {{SIGNING_PREMASTER, TLS_1_2, BYTES(HASH_32)}, ~0u, SIGNING_FORBIDDEN},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct signing_answer a;
        signing_answer(&rows[i].request, ecdsa->key, rows[i].allowed, &a);
        CHECK_INT(a.outcome, rows[i].outcome);
        CHECK_INT(a.n > 0, a.outcome == SIGNING_DONE);
    }
    pair_credential_free(&ecdsa);
}
