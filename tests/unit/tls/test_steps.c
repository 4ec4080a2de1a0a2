/* SPDX-License-Identifier: Apache-2.0 */
/* The table of steps, fed with handshakes made of bytes. The certificate is a stub. */
#include <stdlib.h>

#include "test.h"
#include "tls/steps.c"

struct certificate {
    const char *subject, *sha256;
    struct certificate_facts facts;
};

const struct certificate_facts *certificate_facts(const struct certificate *c)
{
    return &c->facts;
}

struct bytes certificate_der(const struct certificate *c)
{
    return bytes_of(c->subject);
}

const char *certificate_subject(const struct certificate *c)
{
    return c->subject;
}

const char *certificate_issuer(const struct certificate *c)
{
    return "";
}

const char *certificate_serial(const struct certificate *c)
{
    return "";
}

const char *certificate_sha256(const struct certificate *c)
{
    return c->sha256;
}

void certificate_list_fini(struct certificate_list *l)
{
    *l = (struct certificate_list){0};
}

static struct certificate server = {.subject = "CN=server",
    .sha256 = "0123456789abcdef0123456789abcdef",
    .facts = {.key_kind = KEY_RSA, .key_bits = 2048}};
static struct certificate client = {
    .subject = "CN=client", .sha256 = "fedcba9876543210fedcba9876543210"};

struct message {
    enum tlsconn_message_direction direction;
    uint8_t type;
    struct bytes body;
};

#define RANDOM "0123456789abcdef0123456789abcdef"
#define S      TLSCONN_SENT
#define R      TLSCONN_RECEIVED

static const struct message hello_12 = {
    S, 1, BYTES("\x03\x03" RANDOM "\x00\x00\x04\x13\x02\xc0\x30\x01\x00")};
static const struct message hello_13 = {S, 1,
    BYTES("\x03\x03" RANDOM "\x00\x00\x02\x13\x02\x01\x00\x00\x07\x00\x2b\x00\x03\x02\x03\x04")};
static const struct message server_12 = {R, 2, BYTES("\x03\x03" RANDOM "\x00\xc0\x30\x00")};
static const struct message server_rsa = {R, 2, BYTES("\x03\x03" RANDOM "\x00\x00\x9d\x00")};
static const struct message server_13 = {R, 2,
    BYTES("\x03\x03" RANDOM
          "\x00\x13\x02\x00\x00\x0e\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x04\x00\x1d\x00\x00")};
static const struct message server_certificate_12 = {R, 11, BYTES("\x00\x00\x05\x00\x00\x02xx")};
static const struct message server_certificate_13 = {
    R, 11, BYTES("\x00\x00\x00\x07\x00\x00\x02xx\x00\x00")};
static const struct message client_certificate_12 = {S, 11, BYTES("\x00\x00\x05\x00\x00\x02xx")};
static const struct message client_certificate_13 = {
    S, 11, BYTES("\x00\x00\x00\x07\x00\x00\x02xx\x00\x00")};
static const struct message no_certificate_12 = {S, 11, BYTES("\x00\x00\x00")};
static const struct message server_share = {R, 12, BYTES("\x03\x00\x1d\x02pp\x04\x03\x00\x01s")};
static const struct message request = {R, 13, BYTES("")};
static const struct message server_verify = {R, 15, BYTES("\x08\x07\x00\x01s")};
static const struct message client_verify = {S, 15, BYTES("\x04\x03\x00\x01s")};
static const struct message client_share = {S, 16, BYTES("\x02pp")};
static const struct message secret = {S, 16, BYTES("\x00\x04kkkk")};
static const struct message client_finished = {S, 20, BYTES("x")};
static const struct message server_finished = {R, 20, BYTES("x")};

static struct steps_handshake handshake;
static struct step steps[STEPS_MAX];

/* The steps after MESSAGES (up to one of type 0), with a peer that was accepted. MESSAGES are as
 * the client sees them. */
static size_t list(bool by_server, enum exchange x, const struct message *const *messages)
{
    handshake = (struct steps_handshake){.seen.by_server = by_server,
        .key_exchange_rsa = x == RSA_TRANSPORT,
        .verdict = {.is_judged = true, .accepted = true, .reason = REASON_ACCEPTED}};
    steps_describe(&handshake.server, &server);
    steps_describe(&handshake.client, &client);
    for (; *messages; messages++) {
        uint8_t bytes[256] = {(*messages)->type, 0, 0, (uint8_t)(*messages)->body.n};
        memcpy(bytes + 4, (*messages)->body.at, (*messages)->body.n);
        steps_see(&handshake.seen, by_server ? !(*messages)->direction : (*messages)->direction,
            (struct bytes){bytes, (*messages)->body.n + 4});
    }
    return steps_list(&handshake, steps);
}
#define LIST(x, ...)        list(false, x, (const struct message *const[]){__VA_ARGS__, NULL})
#define SERVER_LIST(x, ...) list(true, x, (const struct message *const[]){__VA_ARGS__, NULL})

#define ONE_WAY_RSA \
    &hello_12, &server_rsa, &server_certificate_12, &secret, &client_finished, &server_finished
#define ONE_WAY_12                                                                                 \
    &hello_12, &server_12, &server_certificate_12, &server_share, &client_share, &client_finished, \
        &server_finished
#define ONE_WAY_13                                                                   \
    &hello_13, &server_13, &server_certificate_13, &server_verify, &server_finished, \
        &client_finished
#define MUTUAL_RSA                                                                             \
    &hello_12, &server_rsa, &server_certificate_12, &request, &client_certificate_12, &secret, \
        &client_verify, &client_finished, &server_finished
#define MUTUAL_12                                                           \
    &hello_12, &server_12, &server_certificate_12, &server_share, &request, \
        &client_certificate_12, &client_share, &client_verify, &client_finished, &server_finished
#define MUTUAL_13                                                                              \
    &hello_13, &server_13, &request, &server_certificate_13, &server_verify, &server_finished, \
        &client_certificate_13, &client_verify, &client_finished

static void check_wire(size_t n, const char *want)
{
    char got[STEPS_MAX + 1] = "";
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(steps[i].number, i + 1);
        CHECK(*steps[i].evidence && *steps[i].does && *steps[i].message && *steps[i].actor);
        got[i] = steps_wire_name(steps[i].wire)[0];
    }
    CHECK_TEXT(got, want);
}

TEST(one_way_has_five_steps)
{
    check_wire(LIST(RSA_TRANSPORT, ONE_WAY_RSA), "lllll");
    check_wire(LIST(ECDHE_12, ONE_WAY_12), "lllee");
    check_wire(LIST(TLS13, ONE_WAY_13), "lllee");
}

TEST(mutual_has_nine_steps)
{
    check_wire(LIST(RSA_TRANSPORT, MUTUAL_RSA), "lllllenel");
    check_wire(LIST(ECDHE_12, MUTUAL_12), "lllllenee");
    check_wire(LIST(TLS13, MUTUAL_13), "lllllenee");
}

TEST(evidence_is_from_the_messages)
{
    LIST(RSA_TRANSPORT, MUTUAL_RSA);
    CHECK(strstr(steps[0].evidence, "TLS 1.2; 2 cipher suites; client random 30313233"));
    CHECK(strstr(steps[1].evidence, "one of 2 offered"));
    CHECK(strstr(steps[2].evidence, "public key RSA (2048 bits)"));
    CHECK(strstr(steps[3].evidence, "1 certificate sent: CN=client, sha256 fedcba9876543210"));
    CHECK(strstr(steps[7].evidence, "CertificateVerify with ecdsa_secp256r1_sha256"));
    CHECK(strstr(steps[7].evidence, "encrypted premaster secret of 4 octets"));
    LIST(ECDHE_12, ONE_WAY_12);
    CHECK(
        strstr(steps[3].evidence, "x25519 share of 2 octets; the server's is signed with ecdsa_"));
    LIST(TLS13, ONE_WAY_13);
    CHECK(strstr(steps[0].evidence, "TLS 1.3; 1 cipher suites"));
    CHECK(strstr(
        steps[3].evidence, "x25519 shares in both hellos; signed by the server with ed25519"));
}

TEST(a_message_that_was_not_seen_ends_the_list)
{
    CHECK_INT(LIST(TLS13, &hello_13), 1);
    CHECK_INT(LIST(TLS13, &hello_13, &server_13), 1);
    CHECK_INT(LIST(RSA_TRANSPORT, &hello_12, &server_rsa, &server_certificate_12), 3);
    CHECK_INT(LIST(RSA_TRANSPORT, &hello_12, &server_rsa, &server_certificate_12, &secret,
                  &client_finished),
        4);
    CHECK_INT(LIST(ECDHE_12, &hello_12, &server_12, &server_certificate_12, &client_share), 3);
}

TEST(a_refused_server_ends_the_list_with_step_three)
{
    LIST(TLS13, ONE_WAY_13);
    handshake.verdict.accepted = false;
    handshake.verdict.reason = REASON_EXPIRED;
    CHECK_INT(steps_list(&handshake, steps), 3);
    CHECK(strstr(steps[2].evidence, "expired"));
    handshake.verdict.is_judged = false;
    CHECK_INT(steps_list(&handshake, steps), 2);
}

TEST(a_refused_client_ends_the_list_with_step_five)
{
    LIST(TLS13, MUTUAL_13);
    handshake.alert = 44;
    CHECK_INT(steps_list(&handshake, steps), 5);
    CHECK(strstr(steps[4].evidence, "the alert certificate_revoked"));
    LIST(ECDHE_12, &hello_12, &server_12, &server_certificate_12, &server_share, &request,
        &client_certificate_12, &client_share, &client_verify, &client_finished);
    CHECK_INT(steps_list(&handshake, steps), 4);
    handshake.alert = 44;
    CHECK_INT(steps_list(&handshake, steps), 5);
}

TEST(a_request_that_we_answer_with_nothing_is_one_way)
{
    CHECK_INT(LIST(ECDHE_12, &hello_12, &server_12, &server_certificate_12, &server_share, &request,
                  &no_certificate_12, &client_share, &client_finished, &server_finished),
        5);
}

TEST(a_server_sees_the_same_steps_with_its_own_evidence)
{
    CHECK_INT(SERVER_LIST(TLS13, ONE_WAY_13), 5);
    CHECK_TEXT(steps[2].evidence, "the client went on to its Finished");
    CHECK_INT(SERVER_LIST(RSA_TRANSPORT, ONE_WAY_RSA), 5);
    CHECK_TEXT(steps[2].evidence, "the client went on to its ClientKeyExchange");
    CHECK_INT(SERVER_LIST(TLS13, MUTUAL_13), 9);
    CHECK_TEXT(steps[3].evidence,
        "CertificateRequest sent; 1 certificate received: CN=client, sha256 fedcba9876543210…");
    CHECK(strstr(steps[4].evidence, "name fail, accepted; public key"));
    CHECK(strstr(steps[8].evidence, "the client's Finished verifies"));
}

TEST(a_server_that_refuses_a_client_ends_the_list_with_step_five)
{
    SERVER_LIST(TLS13, &hello_13, &server_13, &request, &server_certificate_13, &server_verify,
        &server_finished, &client_certificate_13);
    handshake.verdict.accepted = false;
    handshake.verdict.reason = REASON_REVOKED;
    CHECK_INT(steps_list(&handshake, steps), 5);
    CHECK(strstr(steps[4].evidence, "revoked"));
    SERVER_LIST(ECDHE_12, &hello_12, &server_12, &server_certificate_12, &server_share, &request,
        &no_certificate_12);
    handshake.client = (struct steps_certificate){0};
    handshake.verdict.accepted = false;
    handshake.verdict.reason = REASON_NO_CERTIFICATE;
    CHECK(steps_is_mutual(&handshake));
    CHECK_INT(steps_list(&handshake, steps), 5);
    CHECK_TEXT(steps[3].evidence, "CertificateRequest sent; 0 certificates received");
}

TEST(a_server_that_is_refused_ends_the_list_with_step_three)
{
    SERVER_LIST(
        TLS13, &hello_13, &server_13, &server_certificate_13, &server_verify, &server_finished);
    handshake.verdict = (struct steps_verdict){0};
    CHECK_INT(steps_list(&handshake, steps), 2);
    handshake.alert = 48;
    CHECK_INT(steps_list(&handshake, steps), 3);
    CHECK_TEXT(steps[2].evidence, "refused: the client sent the alert unknown_ca");
}

TEST(broken_messages_are_no_evidence)
{
    struct steps_seen seen = {0};
    steps_see(&seen, TLSCONN_SENT, BYTES("\x01\x00\x00\x05\x03"));
    CHECK_INT(seen.messages, 0);
}

/* What tells a client of TLS 1.3 that it was accepted, as the server says nothing of its own. */
TEST(a_client_of_tls13_looks_for_a_sign)
{
    LIST(TLS13, MUTUAL_13);
    CHECK_TEXT(steps[4].evidence, "no alert has come after our Finished");
    handshake.has_close = true;
    CHECK_INT(steps_list(&handshake, steps), 9);
    CHECK(strstr(steps[4].evidence, "answered our close_notify with its own"));
    handshake.seen.messages |= SERVER_TICKET;
    CHECK_INT(steps_list(&handshake, steps), 9);
    CHECK_TEXT(steps[4].evidence, "the server sent NewSessionTicket after our Finished");
    handshake.has_answer = true;
    CHECK_INT(steps_list(&handshake, steps), 9);
    CHECK_TEXT(steps[4].evidence, "the server sent application data after our Finished");
}

TEST(a_verdict_is_noted_factor_by_factor)
{
    struct verdict v = {.reason = REASON_EXPIRED};
    struct steps_verdict noted = {.accepted = true};
    v.factors[0].result = (enum factor_result)1;
    v.factors[FACTOR_COUNT - 1].result = (enum factor_result)2;
    steps_note_verdict(&noted, &v);
    CHECK(noted.is_judged && !noted.accepted);
    CHECK_INT(noted.reason, REASON_EXPIRED);
    CHECK_INT(noted.factors[0], 1);
    CHECK_INT(noted.factors[FACTOR_COUNT - 1], 2);
}
