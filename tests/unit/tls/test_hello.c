/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "test.h"
#include "tls/hello.h"

#define RANDOM_16 "0123456789abcdef"
#define RANDOM    RANDOM_16 RANDOM_16

/* A ClientHello's body: two suites, SNI a.example, ALPN h2, versions 1.3 and 1.2, one group, one
 * scheme. */
#define EXTENSIONS                         \
    "\x00\x00\x00\x0e\x00\x0c\x00\x00\x09" \
    "a.example"                            \
    "\x00\x10\x00\x05\x00\x03\x02h2"       \
    "\x00\x2b\x00\x05\x04\x03\x04\x03\x03" \
    "\x00\x0a\x00\x04\x00\x02\x00\x1d"     \
    "\x00\x0d\x00\x04\x00\x02\x08\x07"
#define HEAD "\x03\x03" RANDOM "\x00\x00\x04\x13\x02\xc0\x30\x01\x00"
static const char client[] = HEAD "\x00\x34" EXTENSIONS;
#define CLIENT ((struct bytes){(const uint8_t *)client, sizeof(client) - 1})

TEST(client_hello_is_read)
{
    struct hello_client h;
    CHECK_INT(hello_read_client(CLIENT, &h, NULL), 0);
    CHECK_INT(h.suites.n, 2);
    CHECK_INT(h.suites.at[1], 0xc030);
    CHECK(bytes_equal(h.sni, BYTES("a.example")));
    CHECK_INT(h.versions.n, 2);
    CHECK_INT(h.versions.at[0], 0x0304);
    CHECK_INT(h.groups.at[0], 0x001d);
    CHECK_INT(h.signature_schemes.at[0], 0x0807);
    CHECK_INT(h.extensions.n, 5);
    struct bytes name;
    CHECK(hello_next_protocol(&h.alpn, &name) && bytes_equal(name, BYTES("h2")));
    CHECK(!hello_next_protocol(&h.alpn, &name));
}

TEST(client_hello_cut_or_lengthened_is_refused)
{
    /* At this length all but the extensions is there, and TLS 1.2 may leave them out. */
    size_t without_extensions = sizeof(HEAD) - 1;
    for (size_t n = 0; n < CLIENT.n; n++) {
        struct hello_client h;
        uint8_t *copy = malloc(n + 1); /* so that a read beyond the end is seen */
        memcpy(copy, client, n);
        uint8_t *exact = realloc(copy, n ? n : 1);
        int want = n == without_extensions ? 0 : -1;
        CHECK_INT(hello_read_client((struct bytes){exact, n}, &h, NULL), want);
        free(exact);
    }
    struct hello_client h;
    CHECK_INT(hello_read_client((struct bytes){CLIENT.at, CLIENT.n + 1}, &h, NULL), -1);
}

TEST(client_hello_rules)
{
    struct hello_client h;
    struct error err;
    static const char twice[] = HEAD "\x00\x08\x00\x17\x00\x00\x00\x17\x00\x00";
    CHECK_INT(
        hello_read_client((struct bytes){(const uint8_t *)twice, sizeof(twice) - 1}, &h, &err), -1);
    CHECK_TEXT(err.text, "extension 23 appears twice");
    static const char compressed[] = "\x03\x03" RANDOM "\x00\x00\x02\x13\x02\x01\x01";
    CHECK_INT(hello_read_client(
                  (struct bytes){(const uint8_t *)compressed, sizeof(compressed) - 1}, &h, &err),
        -1);
    CHECK_TEXT(err.text, "the null compression method is not offered");
    static const char odd[] = "\x03\x03" RANDOM "\x00\x00\x03\x13\x02\x00\x01\x00";
    CHECK_INT(
        hello_read_client((struct bytes){(const uint8_t *)odd, sizeof(odd) - 1}, &h, &err), -1);
    CHECK_TEXT(err.text, "the list of cipher suites is malformed");
}

TEST(records_are_joined)
{
    struct bytes file = BYTES("\x16\x03\x01\x00\x03\x01\x00\x00\x16\x03\x01\x00\x02\x01\xff");
    uint8_t space[32];
    struct bytes message, body;
    struct error err;
    uint8_t type;
    CHECK_INT(hello_unwrap(file, space, &message, &err), 0);
    CHECK_INT(hello_message(message, &type, &body), 0);
    CHECK_INT(type, HELLO_CLIENT_HELLO);
    CHECK(bytes_equal(body, BYTES("\xff")));
    CHECK_INT(hello_unwrap(bytes_first(file, file.n - 1), space, &message, &err), -1);
    CHECK_INT(
        hello_unwrap(BYTES("\x16\x03\x01\x00\x00\x17\x03\x03\x00\x00"), space, &message, &err), -1);
}

TEST(server_hello_says_its_version_in_the_extension)
{
    struct hello_server h;
    static const char tls13[] =
        "\x03\x03" RANDOM "\x00\x13\x02\x00\x00\x06\x00\x2b\x00\x02\x03\x04";
    CHECK_INT(hello_read_server((struct bytes){(const uint8_t *)tls13, sizeof(tls13) - 1}, &h), 0);
    CHECK_INT(h.version, 0x0304);
    CHECK_INT(h.suite, 0x1302);
    static const char tls12[] = "\x03\x03" RANDOM "\x00\xc0\x30\x00";
    CHECK_INT(hello_read_server((struct bytes){(const uint8_t *)tls12, sizeof(tls12) - 1}, &h), 0);
    CHECK_INT(h.version, 0x0303);
    CHECK_INT(hello_read_server((struct bytes){(const uint8_t *)tls12, sizeof(tls12) - 2}, &h), -1);
}

TEST(staples_in_both_formats)
{
    struct bytes tls12 = BYTES("\x01\x00\x00\x02ok"), other = BYTES("\x02\x00\x00\x02ok"), got;
    CHECK_INT(hello_read_staple(tls12, false, &got), 0);
    CHECK(bytes_equal(got, BYTES("ok")));
    CHECK_INT(hello_read_staple(other, false, &got), -1);
    for (size_t n = 0; n < tls12.n; n++)
        CHECK_INT(hello_read_staple(bytes_first(tls12, n), false, &got), -1);
    /* An extension that is not it, then the one; behind the leaf an issuer with one of its own. */
    struct bytes tls13 = BYTES(
        "\x00\x00\x00\x25\x00\x00\x02xx\x00\x0e\x00\x12\x00\x00\x00\x05\x00\x06\x01\x00\x00\x02ok"
        "\x00\x00\x01y\x00\x0a\x00\x05\x00\x06\x01\x00\x00\x02no");
    CHECK_INT(hello_read_staple(tls13, true, &got), 0);
    CHECK(bytes_equal(got, BYTES("ok")));
    CHECK_INT(hello_read_staple(BYTES("\x00\x00\x00\x07\x00\x00\x02xx\x00\x00"), true, &got), 0);
    CHECK_INT(got.n, 0);
    CHECK_INT(hello_read_staple(BYTES("\x00\x00\x00\x00"), true, &got), -1);
    CHECK_INT(
        hello_read_staple(
            BYTES("\x00\x00\x00\x0d\x00\x00\x02xx\x00\x06\x00\x05\x00\x02\x02\x00"), true, &got),
        -1);
}

TEST(certificates_in_both_formats)
{
    size_t n;
    struct bytes at[1] = {{0}};
    struct bytes tls12 = BYTES("\x00\x00\x09\x00\x00\x02xx\x00\x00\x01y");
    CHECK_INT(hello_read_certificates(tls12, false, at, 1, &n), 0);
    CHECK_INT(n, 2);
    CHECK(bytes_equal(at[0], BYTES("xx")));
    struct bytes tls13 = BYTES("\x00\x00\x00\x07\x00\x00\x02xx\x00\x00");
    CHECK_INT(hello_read_certificates(tls13, true, NULL, 0, &n), 0);
    CHECK_INT(n, 1);
    CHECK_INT(hello_read_certificates(tls13, false, NULL, 0, &n), -1);
    CHECK_INT(hello_read_certificates(BYTES("\x00\x00\x00"), false, NULL, 0, &n), 0);
    CHECK_INT(n, 0);
}

TEST(signature_schemes_of_both_messages)
{
    uint16_t scheme, group;
    CHECK_INT(hello_verify_scheme(BYTES("\x08\x07\x00\x01s"), &scheme), 0);
    CHECK_TEXT(hello_scheme_name(scheme), "ed25519");
    CHECK_INT(
        hello_exchange_scheme(BYTES("\x03\x00\x1d\x02pp\x04\x03\x00\x01s"), &group, &scheme), 0);
    CHECK_TEXT(hello_group_name(group), "x25519");
    CHECK_TEXT(hello_scheme_name(scheme), "ecdsa_secp256r1_sha256");
    CHECK_INT(
        hello_exchange_scheme(BYTES("\x02\x00\x1d\x02pp\x04\x03\x00\x01s"), &group, &scheme), -1);
}
