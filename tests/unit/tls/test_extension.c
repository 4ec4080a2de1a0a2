/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "base/clock.h"
#include "codec_cases.h"

#include "base/ban.h"

#define BIT(symbol) EXTENSION_BIT(EXTENSION_##symbol)
#define ANY         (~0u)

/* Extensions as they stand in a block. */
#define SNI          "\x00\x00\x00\x00"
#define GROUPS       "\x00\x0a\x00\x04\x00\x02\x00\x1d"
#define ALPN         "\x00\x10\x00\x00"
#define COOKIE       "\x00\x2c\x00\x03\x00\x01!"
#define KEY_SHARE    "\x00\x33\x00\x02\x00\x1d"
#define PSK          "\x00\x29\x00\x02\x00\x00"
#define STATUS       "\x00\x05\x00\x00"
#define GREASE       "\x0a\x0a\x00\x00"
#define UNKNOWN      "\x12\x34\x00\x01x"
#define EARLY_DATA   "\x00\x2a\x00\x04\x00\x00\x40\x00"
#define VERSIONS_13  "\x00\x2b\x00\x02\x03\x04"
#define SIZE_LIMIT   "\x00\x1c\x00\x02\x40\x01"
#define SIGALGS      "\x00\x0d\x00\x04\x00\x02\x08\x07"
#define MASTER       "\x00\x17\x00\x00"
#define RENEGOTIATED "\xff\x01\x00\x01\x00"

TEST(blocks)
{
    static const struct {
        const char *name;
        struct bytes block;
        enum extension_place place;
        unsigned asked;
        uint8_t alert; /* 0: read */
    } cases[] = {
        {"none", BYTES(""), IN_CLIENT_HELLO, 0, 0},
        {"unknown in a question", BYTES(GREASE SNI UNKNOWN), IN_CLIENT_HELLO, 0, 0},
        {"in CertificateRequest too", BYTES(SIGALGS UNKNOWN), IN_CERTIFICATE_REQUEST, 0, 0},
        {"in NewSessionTicket too", BYTES(EARLY_DATA UNKNOWN), IN_NEW_SESSION_TICKET, 0, 0},
        {"unknown in an answer", BYTES(UNKNOWN), IN_ENCRYPTED_EXTENSIONS, ANY,
            ALERT_UNSUPPORTED_EXTENSION},
        {"GREASE in an answer", BYTES(GREASE), IN_SERVER_HELLO_12, ANY,
            ALERT_UNSUPPORTED_EXTENSION},
        {"asked", BYTES(SNI ALPN SIZE_LIMIT), IN_ENCRYPTED_EXTENSIONS,
            BIT(SERVER_NAME) | BIT(ALPN) | BIT(RECORD_SIZE_LIMIT), 0},
        {"not asked", BYTES(SNI ALPN), IN_ENCRYPTED_EXTENSIONS, BIT(SERVER_NAME),
            ALERT_UNSUPPORTED_EXTENSION},
        {"not asked, 1.2", BYTES(MASTER RENEGOTIATED), IN_SERVER_HELLO_12,
            BIT(EXTENDED_MASTER_SECRET), ALERT_UNSUPPORTED_EXTENSION},
        {"a staple not asked", BYTES(STATUS), IN_CERTIFICATE, 0, ALERT_UNSUPPORTED_EXTENSION},
        {"a staple", BYTES(STATUS), IN_CERTIFICATE, BIT(STATUS_REQUEST), 0},
        {"a cookie needs no question", BYTES(VERSIONS_13 COOKIE KEY_SHARE), IN_HELLO_RETRY_REQUEST,
            BIT(SUPPORTED_VERSIONS) | BIT(KEY_SHARE), 0},
        {"but elsewhere it is wrong", BYTES(COOKIE), IN_SERVER_HELLO_13, ANY,
            ALERT_ILLEGAL_PARAMETER},
        {"1.3's in a ServerHello of 1.2", BYTES(KEY_SHARE), IN_SERVER_HELLO_12, ANY,
            ALERT_ILLEGAL_PARAMETER},
        {"what belongs into EncryptedExtensions", BYTES(ALPN), IN_SERVER_HELLO_13, ANY,
            ALERT_ILLEGAL_PARAMETER},
        {"1.2's in EncryptedExtensions", BYTES(MASTER), IN_ENCRYPTED_EXTENSIONS, ANY,
            ALERT_ILLEGAL_PARAMETER},
        {"PSK in HelloRetryRequest", BYTES(PSK), IN_HELLO_RETRY_REQUEST, ANY,
            ALERT_ILLEGAL_PARAMETER},
        {"twice", BYTES(SNI GROUPS SNI), IN_CLIENT_HELLO, 0, ALERT_DECODE_ERROR},
        {"twice unknown", BYTES(UNKNOWN GROUPS UNKNOWN), IN_CLIENT_HELLO, 0, ALERT_DECODE_ERROR},
        {"twice is worse than not asked", BYTES(UNKNOWN UNKNOWN), IN_ENCRYPTED_EXTENSIONS, 0,
            ALERT_DECODE_ERROR},
        {"cut in its number", BYTES(SNI "\x00"), IN_CLIENT_HELLO, 0, ALERT_DECODE_ERROR},
        {"cut in its content", BYTES("\x00\x10\x00\x05\x00"), IN_CLIENT_HELLO, 0,
            ALERT_DECODE_ERROR},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct extensions e;
        uint8_t alert;
        bool is_read = extensions_read(cases[i].block, cases[i].place, cases[i].asked, &e, &alert);
        if ((is_read ? 0 : alert) != cases[i].alert)
            printf("# %s\n", cases[i].name);
        CHECK(is_read == !cases[i].alert);
        CHECK_INT(is_read ? 0 : alert, cases[i].alert);
    }
}

TEST(bodies_and_the_last)
{
    struct extensions e;
    uint8_t alert;
    CHECK(extensions_read(BYTES(SNI GROUPS UNKNOWN), IN_CLIENT_HELLO, 0, &e, &alert));
    CHECK_INT(e.present, BIT(SERVER_NAME) | BIT(SUPPORTED_GROUPS));
    CHECK(e.at[EXTENSION_SERVER_NAME].at && !e.at[EXTENSION_SERVER_NAME].n);
    CHECK(bytes_equal(e.at[EXTENSION_SUPPORTED_GROUPS], BYTES("\x00\x02\x00\x1d")));
    CHECK(!e.at[EXTENSION_ALPN].at);
    CHECK_INT(e.last_known, EXTENSION_COUNT);
    CHECK(bytes_equal(e.last, BYTES("x")));
    CHECK(extensions_read(BYTES(UNKNOWN SNI), IN_CLIENT_HELLO, 0, &e, &alert));
    CHECK_INT(e.last_known, EXTENSION_SERVER_NAME);
}

/* As many as a block can hold, all different but for the last: found, and in no time. */
TEST(sixteen_thousand_extensions)
{
    enum { N = 16383 };
    static uint8_t block[4 * N];
    struct extensions e;
    uint8_t alert;
    for (unsigned i = 0; i < N; i++) {
        block[4 * i] = (uint8_t)(i >> 7 | 0x80); /* 0x8000 and up: none of ours but 0xff01 */
        block[4 * i + 1] = (uint8_t)(i << 1);
    }
    CHECK(extensions_read((struct bytes){block, sizeof(block)}, IN_CLIENT_HELLO, 0, &e, &alert));
    memcpy(block + sizeof(block) - 4, block + 4 * 7000, 4);
    CHECK(!extensions_read((struct bytes){block, sizeof(block)}, IN_CLIENT_HELLO, 0, &e, &alert));
    CHECK(e.is_repeated);
    CHECK_INT(alert, ALERT_DECODE_ERROR);
}

TEST(numbers_and_names)
{
    CHECK_INT(extension_number(EXTENSION_KEY_SHARE), 51);
    CHECK_TEXT(extension_name(EXTENSION_RENEGOTIATION_INFO), "renegotiation_info");
}

/* ---- contents ---- */

static bool read_server_name(struct bytes body)
{
    struct bytes out;
    return extension_read_server_name(body, &out);
}

static bool read_number(struct bytes body)
{
    uint16_t out;
    return extension_read_number(body, &out);
}

static bool read_list_8(struct bytes body)
{
    struct bytes out;
    return extension_read_list_8(body, &out);
}

static bool read_list_16(struct bytes body)
{
    struct bytes out;
    return extension_read_list_16(body, &out);
}

static bool read_versions(struct bytes body)
{
    struct bytes out;
    return extension_read_versions(body, &out);
}

static bool read_cookie(struct bytes body)
{
    struct bytes out;
    return extension_read_cookie(body, &out);
}

static bool read_alpn(struct bytes body)
{
    struct bytes out;
    return extension_read_alpn(body, &out);
}

static bool read_psk_modes(struct bytes body)
{
    bool has_dhe;
    return extension_read_psk_modes(body, &has_dhe);
}

static bool read_key_shares(struct bytes body)
{
    struct bytes out;
    uint8_t alert;
    return extension_read_key_shares(body, &out, &alert);
}

static bool read_key_share(struct bytes body)
{
    struct bytes out;
    uint16_t group;
    return extension_read_key_share(body, &group, &out);
}

static bool read_psk_offer(struct bytes body)
{
    struct psk_offer offer;
    uint8_t alert;
    return extension_read_psk_offer(body, body, &offer, &alert);
}

static bool read_record_size_limit(struct bytes body)
{
    uint16_t limit;
    uint8_t alert;
    return extension_read_record_size_limit(body, &limit, &alert);
}

static bool read_status_request(struct bytes body)
{
    bool is_ocsp;
    return extension_read_status_request(body, &is_ocsp) && is_ocsp;
}

static bool read_authorities(struct bytes body)
{
    struct bytes names;
    return extension_read_authorities(body, &names);
}

#define BINDER_32 \
    "\x20"        \
    "0123456789abcdef0123456789abcdef"
#define BINDER_48 \
    "\x30"        \
    "0123456789abcdef0123456789abcdef0123456789abcdef"
/* Two identities, of 3 and 1 octets; their binders. */
#define IDENTITIES                                \
    "\x00\x10\x00\x03one\x00\x00\x00\x05\x00\x01" \
    "2\xff\xff\xff\xff"
#define OFFER IDENTITIES "\x00\x52" BINDER_32 BINDER_48

TEST(contents_are_read_whole_or_not_at_all)
{
    static const struct codec_case cases[] = {
        {"server_name", read_server_name,
            BYTES("\0\x0c\0\0\x09"
                  "a.example"),
            0},
        {"number", read_number, BYTES("\x03\x04"), 0},
        {"point formats", read_list_8, BYTES("\x03\0\1\2"), 0},
        {"groups", read_list_16, BYTES("\0\4\0\x1d\0\x17"), 0},
        {"versions", read_versions, BYTES("\4\3\4\3\3"), 0},
        {"cookie", read_cookie, BYTES("\0\3abc"), 0},
        {"ALPN", read_alpn, BYTES("\0\x0c\2h2\x08http/1.1"), 0},
        {"PSK modes", read_psk_modes, BYTES("\2\0\1"), 0},
        {"key shares", read_key_shares, BYTES("\0\x0b\0\x1d\0\2ab\0\x17\0\1c"), 0},
        {"key share", read_key_share, BYTES("\0\x1d\0\2ab"), 0},
        {"PSK offer", read_psk_offer, BYTES(OFFER), 0},
        {"record size limit", read_record_size_limit, BYTES("\x40\x01"), 0},
        {"status request", read_status_request, BYTES("\1\0\3\0\1r\0\4exts"), 0},
        {"authorities", read_authorities, BYTES("\0\5\0\3abc"), 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        codec_check(&cases[i]);
}

TEST(contents_that_are_whole_but_wrong)
{
    static const struct {
        const char *name;
        bool (*read)(struct bytes body);
        struct bytes body;
    } cases[] = {
        {"no names", read_server_name, BYTES("\0\0")},
        {"an empty host name", read_server_name, BYTES("\0\3\0\0\0")},
        {"a name that leaves the list", read_server_name, BYTES("\0\6\0\0\4a.b")},
        {"octets behind the name", read_server_name, BYTES("\0\7\0\0\3a.bX")},
        {"a name of another type", read_server_name, BYTES("\0\6\1\0\3a.b")},
        {"two names", read_server_name, BYTES("\0\14\0\0\3a.b\0\0\3c.d")},
        {"no numbers", read_list_16, BYTES("\0\0")},
        {"odd numbers", read_list_16, BYTES("\0\3\0\x1d\0")},
        {"no versions", read_versions, BYTES("\0")},
        {"odd versions", read_versions, BYTES("\3\3\4\3")},
        {"no formats", read_list_8, BYTES("\0")},
        {"an empty cookie", read_cookie, BYTES("\0\0")},
        {"no protocols", read_alpn, BYTES("\0\0")},
        {"an empty protocol", read_alpn, BYTES("\0\4\2h2\0")},
        {"no modes", read_psk_modes, BYTES("\0")},
        {"an empty share", read_key_share, BYTES("\0\x1d\0\0")},
        {"an empty share among others", read_key_shares, BYTES("\0\4\0\x1d\0\0")},
        {"no identities", read_psk_offer, BYTES("\0\0\0\x21" BINDER_32)},
        {"no binders", read_psk_offer, BYTES("\0\7\0\1x\0\0\0\0\0\0")},
        {"an empty identity", read_psk_offer, BYTES("\0\6\0\0\0\0\0\0\0\x21" BINDER_32)},
        {"a short binder", read_psk_offer,
            BYTES("\0\7\0\1x\0\0\0\0\0\x20\x1f"
                  "0123456789abcdef0123456789abcde")},
        {"an empty responder", read_status_request, BYTES("\1\0\2\0\0\0\0")},
        {"an empty name", read_authorities, BYTES("\0\2\0\0")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (cases[i].read(cases[i].body))
            printf("# %s\n", cases[i].name);
        CHECK(!cases[i].read(cases[i].body));
    }
}

/* Syntax is decode_error, a value out of its range illegal_parameter. */
TEST(alerts_of_contents)
{
    uint8_t alert;
    struct bytes entries;
    CHECK(!extension_read_key_shares(BYTES("\0\x0a\0\x1d\0\1a\0\x1d\0\1b"), &entries, &alert));
    CHECK_INT(alert, ALERT_ILLEGAL_PARAMETER);
    CHECK(!extension_read_key_shares(BYTES("\0\5\0\x1d\0\2a"), &entries, &alert));
    CHECK_INT(alert, ALERT_DECODE_ERROR);

    uint16_t limit;
    CHECK(!extension_read_record_size_limit(BYTES("\0\x3f"), &limit, &alert));
    CHECK_INT(alert, ALERT_ILLEGAL_PARAMETER);
    CHECK(!extension_read_record_size_limit(BYTES("\0"), &limit, &alert));
    CHECK_INT(alert, ALERT_DECODE_ERROR);
    CHECK(extension_read_record_size_limit(BYTES("\0\x40"), &limit, &alert));
    CHECK_INT(limit, 64);

    struct psk_offer offer;
    struct bytes one_binder = BYTES(IDENTITIES "\x00\x21" BINDER_32);
    CHECK(!extension_read_psk_offer(one_binder, one_binder, &offer, &alert));
    CHECK_INT(alert, ALERT_ILLEGAL_PARAMETER);
}

/* What a ClientHello of 64 KiB has room for: 6000 shares, each of a group that is listed, after
 * 10,000 others. Looking each of them up in the list would take 25 ms. */
TEST(many_key_shares_of_many_groups_cost_no_more_than_their_octets)
{
    enum { SHARES = 6000, OTHERS = 10000 };
    struct buf groups, entries;
    buf_init(&groups, UINT16_MAX);
    buf_init(&entries, UINT16_MAX);
    struct wire_writer g = {.out = &groups}, e = {.out = &entries};
    for (uint16_t i = 0; i < OTHERS; i++)
        wire_put_16(&g, 0x3000);
    for (uint16_t i = 0; i < SHARES; i++) {
        wire_put_16(&g, 0x4000 + i);
        wire_put_16(&e, 0x4000 + i);
        wire_put_24(&e, 1 << 8 | 'x'); /* a key of one octet */
    }
    CHECK(!g.has_failed && !e.has_failed);
    uint64_t begin_us = clock_thread_us();
    CHECK(extension_lists_key_shares(buf_bytes(&groups), buf_bytes(&entries)));
    CHECK(clock_thread_us() - begin_us < 10000);
    struct bytes but_the_last = bytes_first(buf_bytes(&groups), buf_size(&groups) - 2);
    CHECK(!extension_lists_key_shares(but_the_last, buf_bytes(&entries)));
    buf_fini(&groups);
    buf_fini(&entries);
}

TEST(psk_offer_is_gone_through)
{
    struct bytes hello = BYTES("before" OFFER), identity, binder;
    struct psk_offer offer;
    uint8_t alert;
    uint32_t age;
    CHECK(extension_read_psk_offer(bytes_skip(hello, 6), hello, &offer, &alert));
    CHECK_INT(offer.n, 2);
    CHECK_INT(offer.truncated_n, sizeof("before" IDENTITIES) - 1);
    CHECK(extension_next_psk(&offer, &identity, &age, &binder));
    CHECK(bytes_equal(identity, BYTES("one")) && age == 5 && binder.n == 32);
    CHECK(extension_next_psk(&offer, &identity, &age, &binder));
    CHECK(bytes_equal(identity, BYTES("2")) && age == 0xffffffff && binder.n == 48);
    CHECK(!extension_next_psk(&offer, &identity, &age, &binder));
}

TEST(other_contents_are_understood)
{
    bool flag;
    CHECK(extension_read_psk_modes(BYTES("\1\0"), &flag) && !flag);
    CHECK(extension_read_psk_modes(BYTES("\2\0\1"), &flag) && flag);
    CHECK(extension_read_status_request(BYTES("\1\0\0\0\0"), &flag) && flag);
    CHECK(extension_read_status_request(BYTES("\2whatever"), &flag) && !flag);
    uint16_t group;
    struct bytes entries, key;
    uint8_t alert;
    CHECK(extension_read_key_shares(BYTES("\0\0"), &entries, &alert)); /* asks for another group */
    CHECK(!extension_next_key_share(&entries, &group, &key));
    struct bytes names, name;
    CHECK(extension_read_alpn(BYTES("\0\5\2h2\1x"), &names));
    CHECK(extension_next_alpn(&names, &name) && bytes_equal(name, BYTES("h2")));
    CHECK(extension_next_alpn(&names, &name) && bytes_equal(name, BYTES("x")));
    CHECK(!extension_next_alpn(&names, &name));
}
