/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "codec_cases.h"
#include "pair.h"
#include "pki/certificate.h"
#include "pki/credential.h"

#include "base/ban.h"

#define RANDOM_16  "0123456789abcdef"
#define RANDOM     RANDOM_16 RANDOM_16
#define SESSION_ID "\x20" RANDOM

/* RFC 8448 §3: the ClientHello and ServerHello of a simple handshake, without their headers. */
#define RFC8448_CLIENT                                                                 \
    "\x03\x03\xcb\x34\xec\xb1\xe7\x81\x63\xba\x1c\x38\xc6\xda\xcb\x19\x6a\x6d\xff\xa2" \
    "\x1a\x8d\x99\x12\xec\x18\xa2\xef\x62\x83\x02\x4d\xec\xe7\x00\x00\x06\x13\x01\x13" \
    "\x03\x13\x02\x01\x00\x00\x91\x00\x00\x00\x0b\x00\x09\x00\x00\x06\x73\x65\x72\x76" \
    "\x65\x72\xff\x01\x00\x01\x00\x00\x0a\x00\x14\x00\x12\x00\x1d\x00\x17\x00\x18\x00" \
    "\x19\x01\x00\x01\x01\x01\x02\x01\x03\x01\x04\x00\x23\x00\x00\x00\x33\x00\x26\x00" \
    "\x24\x00\x1d\x00\x20\x99\x38\x1d\xe5\x60\xe4\xbd\x43\xd2\x3d\x8e\x43\x5a\x7d\xba" \
    "\xfe\xb3\xc0\x6e\x51\xc1\x3c\xae\x4d\x54\x13\x69\x1e\x52\x9a\xaf\x2c\x00\x2b\x00" \
    "\x03\x02\x03\x04\x00\x0d\x00\x20\x00\x1e\x04\x03\x05\x03\x06\x03\x02\x03\x08\x04" \
    "\x08\x05\x08\x06\x04\x01\x05\x01\x06\x01\x02\x01\x04\x02\x05\x02\x06\x02\x02\x02" \
    "\x00\x2d\x00\x02\x01\x01\x00\x1c\x00\x02\x40\x01"
#define RFC8448_SERVER                                                                 \
    "\x03\x03\xa6\xaf\x06\xa4\x12\x18\x60\xdc\x5e\x6e\x60\x24\x9c\xd3\x4c\x95\x93\x0c" \
    "\x8a\xc5\xcb\x14\x34\xda\xc1\x55\x77\x2e\xd3\xe2\x69\x28\x00\x13\x01\x00\x00\x2e" \
    "\x00\x33\x00\x24\x00\x1d\x00\x20\xc9\x82\x88\x76\x11\x20\x95\xfe\x66\x76\x2b\xdb" \
    "\xf7\xc6\x72\xe1\x56\xd6\xcc\x25\x3b\x83\x3d\xf1\xdd\x69\xb1\xb0\x4e\x75\x1f\x0f" \
    "\x00\x2b\x00\x02\x03\x04"

TEST(client_hello_of_rfc_8448)
{
    struct client_hello h;
    struct bytes got, key;
    uint16_t group, limit;
    uint8_t alert;
    bool has_dhe;
    CHECK_INT(sizeof(RFC8448_CLIENT) - 1, 192);
    CHECK(client_hello_read(BYTES(RFC8448_CLIENT), &h, &alert));
    CHECK_INT(h.legacy_version, 0x0303);
    CHECK(h.random.n == 32 && h.random.at[0] == 0xcb && h.random.at[31] == 0xe7);
    CHECK_INT(h.session_id.n, 0);
    CHECK(bytes_equal(h.suites, BYTES("\x13\x01\x13\x03\x13\x02")));
    CHECK(h.has_null_compression && h.has_only_null_compression && h.has_extensions);
    const struct bytes *e = h.extensions.at;
    CHECK(extension_read_server_name(e[EXTENSION_SERVER_NAME], &got));
    CHECK(bytes_equal(got, BYTES("server")));
    CHECK(extension_read_versions(e[EXTENSION_SUPPORTED_VERSIONS], &got));
    CHECK(wire_contains_16(got, 0x0304) && got.n == 2);
    CHECK(extension_read_list_16(e[EXTENSION_SUPPORTED_GROUPS], &got) && got.n == 18);
    CHECK(extension_read_list_16(e[EXTENSION_SIGNATURE_ALGORITHMS], &got) && got.n == 30);
    CHECK(extension_read_key_shares(e[EXTENSION_KEY_SHARE], &got, &alert));
    CHECK(extension_next_key_share(&got, &group, &key) && group == 0x001d && key.n == 32);
    CHECK(!extension_next_key_share(&got, &group, &key));
    CHECK(extension_read_psk_modes(e[EXTENSION_PSK_KEY_EXCHANGE_MODES], &has_dhe) && has_dhe);
    CHECK(extension_read_record_size_limit(e[EXTENSION_RECORD_SIZE_LIMIT], &limit, &alert));
    CHECK_INT(limit, 16385);
    CHECK_INT(h.extensions.last_known, EXTENSION_RECORD_SIZE_LIMIT);
}

TEST(server_hello_of_rfc_8448)
{
    struct server_hello h;
    struct extensions e;
    struct bytes key;
    uint16_t group;
    uint8_t alert;
    CHECK(server_hello_read(BYTES(RFC8448_SERVER), &h, &alert));
    CHECK_INT(h.legacy_version, 0x0303);
    CHECK_INT(h.version, 0x0304);
    CHECK_INT(h.suite, 0x1301);
    CHECK(!h.is_retry && h.has_extensions);
    unsigned asked =
        EXTENSION_BIT(EXTENSION_KEY_SHARE) | EXTENSION_BIT(EXTENSION_SUPPORTED_VERSIONS);
    CHECK(extensions_read(h.block, IN_SERVER_HELLO_13, asked, &e, &alert));
    CHECK(extension_read_key_share(e.at[EXTENSION_KEY_SHARE], &group, &key));
    CHECK(group == 0x001d && key.n == 32 && key.at[0] == 0xc9);
}

/* ---- every reader ---- */

static bool read_client_hello(struct bytes body)
{
    struct client_hello h;
    uint8_t alert = 0;
    bool is_read = client_hello_read(body, &h, &alert);
    CHECK(is_read || alert == ALERT_DECODE_ERROR);
    return is_read;
}

static bool read_server_hello(struct bytes body)
{
    struct server_hello h;
    uint8_t alert = 0;
    bool is_read = server_hello_read(body, &h, &alert);
    CHECK(is_read || alert == ALERT_DECODE_ERROR);
    return is_read;
}

static bool read_certificate_12(struct bytes body)
{
    struct bytes context, list;
    size_t n;
    return certificate_message_read(body, false, &context, &list, &n) && n == 2;
}

static bool read_certificate_13(struct bytes body)
{
    struct bytes context, list;
    size_t n;
    return certificate_message_read(body, true, &context, &list, &n) && n == 2 && context.n == 1;
}

static bool read_status(struct bytes body)
{
    struct bytes response;
    return certificate_status_read(body, &response) && bytes_equal(response, BYTES("ocsp"));
}

static bool read_request_12(struct bytes body)
{
    struct certificate_request r;
    uint8_t alert;
    return certificate_request_read(body, false, &r, &alert);
}

static bool read_request_13(struct bytes body)
{
    struct certificate_request r;
    uint8_t alert;
    return certificate_request_read(body, true, &r, &alert);
}

static bool read_verify(struct bytes body)
{
    struct digitally_signed d;
    return certificate_verify_read(body, &d);
}

static bool read_server_key_exchange(struct bytes body)
{
    struct server_key_exchange k;
    return server_key_exchange_read(body, &k);
}

static bool read_ticket_12(struct bytes body)
{
    struct new_session_ticket t;
    uint8_t alert;
    return new_session_ticket_read(body, false, &t, &alert);
}

static bool read_ticket_13(struct bytes body)
{
    struct new_session_ticket t;
    uint8_t alert;
    return new_session_ticket_read(body, true, &t, &alert);
}

static bool read_key_update(struct bytes body)
{
    bool is_requested;
    uint8_t alert = 0;
    bool is_read = key_update_read(body, &is_requested, &alert);
    CHECK(is_read || alert == ALERT_DECODE_ERROR);
    return is_read;
}

#define CLIENT_HEAD "\x03\x03" RANDOM SESSION_ID "\0\4\x13\1\xc0\x2b\1\0"
#define SERVER_HEAD "\x03\x03" RANDOM SESSION_ID "\xc0\x2b\0"
#define REQUEST_12  "\2\1\x40\0\4\4\3\x08\4\0\x09\0\3abc\0\2de"
#define REQUEST_13  "\0\0\x1d\0\x0d\0\4\0\2\4\3\0\x2f\0\7\0\5\0\3abc\0\x32\0\6\0\4\4\3\x08\4"
#define EXCHANGE    "\3\0\x1d\4key!\4\3\0\3sig"
#define TICKET_13   "\0\0\x0e\x10\1\2\3\4\1n\0\6ticket\0\x08\0\x2a\0\4\0\0\0\0"

TEST(messages_are_read_whole_or_not_at_all)
{
    static const struct codec_case cases[] = {
        {"ClientHello", read_client_hello, BYTES(CLIENT_HEAD "\0\4\0\x17\0\0"),
            sizeof(CLIENT_HEAD) - 1},
        {"ClientHello of RFC 8448", read_client_hello, BYTES(RFC8448_CLIENT), 45},
        {"ServerHello", read_server_hello, BYTES(SERVER_HEAD "\0\4\0\x17\0\0"),
            sizeof(SERVER_HEAD) - 1},
        {"Certificate, 1.2", read_certificate_12, BYTES("\0\0\x09\0\0\2ab\0\0\1c"), 0},
        {"Certificate, 1.3", read_certificate_13,
            BYTES("\1x\0\0\x11\0\0\2ab\0\4\0\5\0\0\0\0\1c\0\0"), 0},
        {"CertificateStatus", read_status, BYTES("\1\0\0\4ocsp"), 0},
        {"CertificateRequest, 1.2", read_request_12, BYTES(REQUEST_12), 0},
        {"CertificateRequest, 1.3", read_request_13, BYTES(REQUEST_13), 0},
        {"CertificateVerify", read_verify, BYTES("\4\3\0\3sig"), 0},
        {"ServerKeyExchange", read_server_key_exchange, BYTES(EXCHANGE), 0},
        {"NewSessionTicket, 1.2", read_ticket_12, BYTES("\0\0\x0e\x10\0\6ticket"), 0},
        {"NewSessionTicket, 1.3", read_ticket_13, BYTES(TICKET_13), 0},
        {"KeyUpdate", read_key_update, BYTES("\1"), 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        codec_check(&cases[i]);
}

TEST(messages_that_are_whole_but_wrong)
{
    static const struct {
        const char *name;
        bool (*read)(struct bytes body);
        struct bytes body;
    } cases[] = {
        {"no suites", read_client_hello, BYTES("\3\3" RANDOM "\0\0\0\1\0")},
        {"odd suites", read_client_hello, BYTES("\3\3" RANDOM "\0\0\3\x13\1\0\1\0")},
        {"no compression methods", read_client_hello, BYTES("\3\3" RANDOM "\0\0\2\x13\1\0")},
        {"a session id of 33 octets", read_client_hello,
            BYTES("\3\3" RANDOM "\x21" RANDOM "x\0\2\x13\1\1\0")},
        {"a server's of 33 octets", read_server_hello,
            BYTES("\3\3" RANDOM "\x21" RANDOM "x\x13\1\0")},
        {"supported_versions with three octets", read_server_hello,
            BYTES(SERVER_HEAD "\0\7\0\x2b\0\3\3\4\3")},
        {"an empty certificate", read_certificate_12, BYTES("\0\0\x08\0\0\0\0\0\2ab")},
        {"a status that is not OCSP", read_status, BYTES("\2\0\0\4ocsp")},
        {"an empty status", read_status, BYTES("\1\0\0\0")},
        {"no types", read_request_12, BYTES("\0\0\2\4\3\0\0")},
        {"no schemes", read_request_12, BYTES("\1\1\0\0\0\0")},
        {"odd schemes", read_request_12, BYTES("\1\1\0\1\4\0\0")},
        {"no authorities where some must be", read_request_13,
            BYTES("\0\0\x0e\0\x0d\0\4\0\2\4\3\0\x2f\0\2\0\0")},
        {"malformed schemes", read_request_13, BYTES("\0\0\7\0\x0d\0\3\0\1\4")},
        {"malformed schemes for certificates", read_request_13,
            BYTES("\0\0\x0e\0\x0d\0\4\0\2\4\3\0\x32\0\2\0\0")},
        {"an explicit curve", read_server_key_exchange, BYTES("\1\0\x1d\4key!\4\3\0\3sig")},
        {"an empty key", read_server_key_exchange, BYTES("\3\0\x1d\0\4\3\0\3sig")},
        {"an empty ticket", read_ticket_13, BYTES("\0\0\x0e\x10\1\2\3\4\1n\0\0\0\0")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (cases[i].read(cases[i].body))
            printf("# %s\n", cases[i].name);
        CHECK(!cases[i].read(cases[i].body));
    }
}

/* ---- what single messages say ---- */

TEST(compression_of_client_hello)
{
    struct client_hello h;
    uint8_t alert;
    CHECK(client_hello_read(BYTES("\3\3" RANDOM "\0\0\2\x13\1\2\1\0"), &h, &alert));
    CHECK(h.has_null_compression && !h.has_only_null_compression && !h.has_extensions);
    CHECK(client_hello_read(BYTES("\3\3" RANDOM "\0\0\2\x13\1\1\1"), &h, &alert));
    CHECK(!h.has_null_compression);
}

TEST(client_hello_names_the_alert_of_its_extensions)
{
    struct client_hello h;
    uint8_t alert;
    CHECK(!client_hello_read(BYTES(CLIENT_HEAD "\0\x08\0\x17\0\0\0\x17\0\0"), &h, &alert));
    CHECK_INT(alert, ALERT_DECODE_ERROR);
    CHECK(h.extensions.is_repeated);
    CHECK_INT(h.extensions.last_number, 0x17);
}

TEST(server_hello_rules)
{
    struct server_hello h;
    uint8_t alert;
    CHECK(server_hello_read(BYTES(SERVER_HEAD), &h, &alert));
    CHECK_INT(h.version, 0x0303);
    CHECK(!h.has_extensions && h.session_id.n == 32);
    CHECK(!server_hello_read(BYTES("\3\3" RANDOM "\0\xc0\x2b\1"), &h, &alert));
    CHECK_INT(alert, ALERT_ILLEGAL_PARAMETER);

    uint8_t retry[] = SERVER_HEAD "\0\6\0\x2b\0\2\3\4";
    memcpy(retry + 2, message_retry_random, 32);
    CHECK(server_hello_read((struct bytes){retry, sizeof(retry) - 1}, &h, &alert));
    CHECK(h.is_retry);
    CHECK_INT(h.version, 0x0304);
}

TEST(marks_of_a_downgrade)
{
    uint8_t random[32] = {0};
    struct bytes r = {random, sizeof(random)};
    CHECK(!message_is_downgrade(r));
    memcpy(random + 24, message_downgrade_mark, 8);
    CHECK(message_is_downgrade(r));
    random[31] = 0; /* RFC 8446 §4.1.3: TLS 1.1 or below */
    CHECK(message_is_downgrade(r));
    random[31] = 2;
    CHECK(!message_is_downgrade(r));
    CHECK(!message_is_downgrade(bytes_skip(r, 24)));
}

/* An extension that is not it, then the one; behind the leaf an issuer with one of its own. */
TEST(staple_of_the_leaf)
{
    struct bytes response;
    CHECK(certificate_staple_read(BYTES("\0\0\0\x25\0\0\2xx\0\x0e\0\x12\0\0\0\5\0\6\1\0\0\2ok"
                                        "\0\0\1y\0\x0a\0\5\0\6\1\0\0\2no"),
        &response));
    CHECK(bytes_equal(response, BYTES("ok")));
    CHECK(!certificate_staple_read(BYTES("\0\0\0\7\0\0\2xx\0\0"), &response));
    CHECK(!certificate_staple_read(BYTES("\0\0\0\0"), &response));
    CHECK(!certificate_staple_read(BYTES("\0\0\0\x0d\0\0\2xx\0\6\0\5\0\2\2\0"), &response));
}

TEST(certificate_request_in_both_versions)
{
    struct certificate_request r;
    uint8_t alert;
    CHECK(certificate_request_read(BYTES(REQUEST_12), false, &r, &alert));
    CHECK(bytes_equal(r.types, BYTES("\1\x40")) && bytes_equal(r.schemes, BYTES("\4\3\x08\4")));
    CHECK(bytes_equal(r.authorities, BYTES("\0\3abc\0\2de")) && !r.schemes_cert.at);
    CHECK(certificate_request_read(BYTES(REQUEST_13), true, &r, &alert));
    CHECK(bytes_equal(r.schemes, BYTES("\4\3")));
    CHECK(bytes_equal(r.schemes_cert, BYTES("\4\3\x08\4")));
    CHECK(bytes_equal(r.authorities, BYTES("\0\3abc")));
    /* RFC 8446 §4.3.2 */
    CHECK(!certificate_request_read(BYTES("\0\0\0"), true, &r, &alert));
    CHECK_INT(alert, ALERT_MISSING_EXTENSION);
    CHECK(!certificate_request_read(BYTES("\0\0\4\0\x33\0\0"), true, &r, &alert));
    CHECK_INT(alert, ALERT_ILLEGAL_PARAMETER);
}

TEST(server_key_exchange_gives_what_is_signed)
{
    struct server_key_exchange k;
    CHECK(server_key_exchange_read(BYTES(EXCHANGE), &k));
    CHECK_INT(k.group, 0x001d);
    CHECK(bytes_equal(k.key, BYTES("key!")));
    CHECK(bytes_equal(k.parameters, BYTES("\3\0\x1d\4key!")));
    CHECK_INT(k.signature.scheme, 0x0403);
    CHECK(bytes_equal(k.signature.signature, BYTES("sig")));
}

TEST(tickets_in_both_versions)
{
    struct new_session_ticket t;
    uint8_t alert;
    CHECK(new_session_ticket_read(BYTES("\0\0\0\0\0\0"), false, &t, &alert));
    CHECK_INT(t.ticket.n, 0);
    CHECK(new_session_ticket_read(BYTES(TICKET_13), true, &t, &alert));
    CHECK_INT(t.lifetime_s, 3600);
    CHECK_INT(t.age_add, 0x01020304);
    CHECK(bytes_equal(t.nonce, BYTES("n")) && bytes_equal(t.ticket, BYTES("ticket")));
}

TEST(key_update_is_yes_or_no)
{
    bool is_requested;
    uint8_t alert;
    CHECK(key_update_read(BYTES("\0"), &is_requested, &alert) && !is_requested);
    CHECK(key_update_read(BYTES("\1"), &is_requested, &alert) && is_requested);
    CHECK(!key_update_read(BYTES("\2"), &is_requested, &alert));
    CHECK_INT(alert, ALERT_ILLEGAL_PARAMETER);
}

/* ---- writing ---- */

static struct bytes written(struct buf *b, bool is_tls13, const struct credential *c)
{
    buf_clear(b);
    struct wire_writer w = {.out = b};
    struct wire_mark mark = message_begin(&w, MESSAGE_CERTIFICATE);
    message_put_certificate(&w, is_tls13, BYTES("ctx"), &c->chain, c->ocsp);
    wire_end(&w, mark);
    CHECK(!w.has_failed);
    CHECK_INT(b->at[0], MESSAGE_CERTIFICATE);
    CHECK_INT(b->at[2] << 8 | b->at[3], buf_size(b) - MESSAGE_HEADER_SIZE);
    return bytes_skip(buf_bytes(b), MESSAGE_HEADER_SIZE);
}

TEST(certificate_that_was_written_is_read)
{
    struct credential *c = pair_credential(KEY_EC_P256, "a.example");
    certificate_list_add(&c->chain, c->chain.at[0]); /* the length of a chain is all that counts */
    pair_staple(c, "staple");
    struct buf b;
    buf_init(&b, 8192);
    for (int is_tls13 = 0; is_tls13 <= 1; is_tls13++) {
        struct bytes context, list, response;
        struct certificate_entry entry;
        struct extensions e;
        uint8_t alert;
        size_t n;
        struct bytes body = written(&b, is_tls13, c);
        CHECK(certificate_message_read(body, is_tls13, &context, &list, &n));
        CHECK_INT(n, 2);
        CHECK(bytes_equal(context, is_tls13 ? BYTES("ctx") : BYTES("")));
        CHECK(certificate_message_next(&list, is_tls13, &entry));
        CHECK(bytes_equal(entry.der, certificate_der(c->chain.at[0])));
        if (is_tls13) {
            CHECK(extensions_read(
                entry.block, IN_CERTIFICATE, EXTENSION_BIT(EXTENSION_STATUS_REQUEST), &e, &alert));
            CHECK(certificate_status_read(e.at[EXTENSION_STATUS_REQUEST], &response));
            CHECK(bytes_equal(response, BYTES("staple")));
        }
        CHECK(certificate_message_next(&list, is_tls13, &entry) && !entry.block.n);
        CHECK(!certificate_message_next(&list, is_tls13, &entry));
    }
    buf_fini(&b);
    pair_credential_free(&c);
}
