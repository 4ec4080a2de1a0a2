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
    CHECK(bytes_equal(h.hello.suites, BYTES("\x13\x02\xc0\x30")));
    CHECK(bytes_equal(h.sni, BYTES("a.example")));
    CHECK(bytes_equal(h.versions, BYTES("\3\4\3\3")));
    CHECK(bytes_equal(h.groups, BYTES("\0\x1d")));
    CHECK(bytes_equal(h.signature_schemes, BYTES("\x08\7")));
    struct bytes name;
    CHECK(extension_next_alpn(&h.alpn, &name) && bytes_equal(name, BYTES("h2")));
    CHECK(!extension_next_alpn(&h.alpn, &name));
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
    static const char alpn[] = HEAD "\x00\x05\x00\x10\x00\x01\x00";
    CHECK_INT(
        hello_read_client((struct bytes){(const uint8_t *)alpn, sizeof(alpn) - 1}, &h, &err), -1);
    CHECK_TEXT(err.text, "extension 16 (application_layer_protocol_negotiation) is malformed");
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
    CHECK_INT(type, MESSAGE_CLIENT_HELLO);
    CHECK(bytes_equal(body, BYTES("\xff")));
    CHECK_INT(hello_unwrap(bytes_first(file, file.n - 1), space, &message, &err), -1);
    CHECK_INT(
        hello_unwrap(BYTES("\x16\x03\x01\x00\x00\x17\x03\x03\x00\x00"), space, &message, &err), -1);
}

TEST(group_of_a_server_hello)
{
    struct server_hello h;
    uint8_t alert;
    struct bytes shared =
        BYTES("\x03\x03" RANDOM "\x00\x13\x02\x00\x00\x09\x00\x33\x00\x05\x00\x1d\x00\x01k");
    CHECK(server_hello_read(shared, &h, &alert));
    CHECK_INT(hello_group(&h), 0x001d);
    CHECK(server_hello_read(BYTES("\x03\x03" RANDOM "\x00\xc0\x30\x00"), &h, &alert));
    CHECK_INT(hello_group(&h), 0);
}
