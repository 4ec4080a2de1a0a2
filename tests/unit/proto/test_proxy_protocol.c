/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy_protocol.h"
#include "test.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_ENDS   "\xC0\x00\x02\x01\xC6\x33\x64\x02\x30\x39\x01\xBB"

static void text_of(const struct proxy_protocol_end *e, char *out)
{
    for (int i = 0; i < 16; i++)
        sprintf(out + 2 * i, "%02x", e->address[i]);
    sprintf(out + 32, ":%u", e->port);
}

static void check_ends(const struct proxy_protocol *h, const char *source, const char *destination)
{
    char text[64];
    text_of(&h->source, text);
    CHECK_TEXT(text, source);
    text_of(&h->destination, text);
    CHECK_TEXT(text, destination);
}

TEST(version_1)
{
    struct proxy_protocol h;
    struct bytes in = BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\nGET /");
    CHECK_INT(proxy_protocol_read(in, &h), in.n - 5);
    CHECK(h.has_ends);
    check_ends(
        &h, "00000000000000000000ffffc0000201:12345", "00000000000000000000ffffc6336402:443");
    in = BYTES("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
    CHECK_INT(proxy_protocol_read(in, &h), in.n);
    check_ends(&h, "20010db8000000000000000000000001:1", "00000000000000000000000000000001:65535");
}

TEST(version_1_unknown_says_nothing)
{
    struct proxy_protocol h;
    CHECK_INT(proxy_protocol_read(BYTES("PROXY UNKNOWN\r\n"), &h), 15);
    CHECK(!h.has_ends);
    CHECK_INT(proxy_protocol_read(BYTES("PROXY UNKNOWN ffff:: 1 x\r\n"), &h), 26);
    CHECK(!h.has_ends);
}

TEST(version_2)
{
    struct proxy_protocol h;
    struct bytes in = BYTES(SIGNATURE "\x21\x11\x00\x0C" V4_ENDS "data");
    CHECK_INT(proxy_protocol_read(in, &h), 28);
    CHECK(h.has_ends);
    check_ends(
        &h, "00000000000000000000ffffc0000201:12345", "00000000000000000000ffffc6336402:443");
    in = BYTES(SIGNATURE "\x21\x21\x00\x24"
                         "0123456789abcdefFEDCBA9876543210\x00\x01\x00\x02");
    CHECK_INT(proxy_protocol_read(in, &h), 52);
    check_ends(&h, "30313233343536373839616263646566:1", "46454443424139383736353433323130:2");
}

TEST(version_2_local_and_other_families_say_nothing)
{
    struct proxy_protocol h;
    CHECK_INT(proxy_protocol_read(BYTES(SIGNATURE "\x20\x11\x00\x0C" V4_ENDS), &h), 28);
    CHECK(!h.has_ends);
    CHECK_INT(proxy_protocol_read(BYTES(SIGNATURE "\x21\x00\x00\x00"), &h), 16);
    CHECK(!h.has_ends);
    CHECK_INT(proxy_protocol_read(BYTES(SIGNATURE "\x21\x12\x00\x0C" V4_ENDS), &h), 28);
    CHECK(!h.has_ends);
}

TEST(extensions_are_skipped_and_checksums_checked)
{
    struct proxy_protocol h;
    /* The checksum is that of a program which gives E3069283 for "123456789", as CRC-32C does. */
    uint8_t with[] = SIGNATURE "\x21\x11\x00\x19" V4_ENDS "\x02\x00\x03one\x03\x00\x04\0\0\0\0";
    struct bytes in = {with, sizeof(with) - 1};
    CHECK_INT(proxy_protocol_read(in, &h), -PROXY_PROTOCOL_CORRUPT);
    memcpy(with + in.n - 4, "\xde\xb2\x23\xd4", 4);
    CHECK_INT(proxy_protocol_read(in, &h), in.n);
    with[20] ^= 1;
    CHECK_INT(proxy_protocol_read(in, &h), -PROXY_PROTOCOL_CORRUPT);
}

TEST(what_is_no_header_is_told_from_what_is_not_complete)
{
    static const struct {
        struct bytes in;
        enum proxy_protocol_fault want;
    } rows[] = {
        {BYTES("GET / HTTP/1.1\r\n"), PROXY_PROTOCOL_ABSENT},
        {BYTES("PROXIED"), PROXY_PROTOCOL_ABSENT},
        {BYTES("\x16\x03\x01"), PROXY_PROTOCOL_ABSENT},
        {BYTES("\r\n\r\n\0\r\nQUIX"), PROXY_PROTOCOL_ABSENT},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\n"), PROXY_PROTOCOL_INCOMPLETE},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), PROXY_PROTOCOL_MALFORMED},
        {BYTES(SIGNATURE "\x11\x11\x00\x0C" V4_ENDS), PROXY_PROTOCOL_MALFORMED},
        {BYTES(SIGNATURE "\x22\x11\x00\x0C" V4_ENDS), PROXY_PROTOCOL_MALFORMED},
        {BYTES(SIGNATURE "\x21\x11\x00\x0B" V4_ENDS), PROXY_PROTOCOL_MALFORMED},
        {BYTES(SIGNATURE "\x21\x11\x00\x0E" V4_ENDS "\x01\x00"), PROXY_PROTOCOL_MALFORMED},
        {BYTES(SIGNATURE "\x21\x11\x00\x0F" V4_ENDS "\x01\x00\x01"), PROXY_PROTOCOL_MALFORMED},
        {BYTES(SIGNATURE "\x21\x11\x00\x10" V4_ENDS "\x03\x00\x01x"), PROXY_PROTOCOL_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proxy_protocol h;
        CHECK_INT(proxy_protocol_read(rows[i].in, &h), -(ssize_t)rows[i].want);
    }
}

TEST(every_beginning_of_a_header_is_incomplete)
{
    static const struct bytes whole[] = {BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n"),
        BYTES(SIGNATURE "\x21\x11\x00\x0F" V4_ENDS "\x04\x00\x00")};
    struct proxy_protocol h;
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(proxy_protocol_read(whole[i], &h), whole[i].n);
        for (size_t n = 0; n < whole[i].n; n++)
            CHECK_INT(
                proxy_protocol_read(bytes_first(whole[i], n), &h), -PROXY_PROTOCOL_INCOMPLETE);
    }
}

TEST(a_line_without_end_is_refused_when_it_is_too_long)
{
    uint8_t line[108] = "PROXY UNKNOWN ";
    memset(line + 14, 'x', sizeof(line) - 14);
    struct proxy_protocol h;
    CHECK_INT(proxy_protocol_read((struct bytes){line, 106}, &h), -PROXY_PROTOCOL_INCOMPLETE);
    CHECK_INT(proxy_protocol_read((struct bytes){line, 107}, &h), -PROXY_PROTOCOL_MALFORMED);
}

static struct bytes written(
    struct buf *out, const struct proxy_protocol *h, const struct proxy_protocol_tls *tls)
{
    buf_init(out, PROXY_PROTOCOL_MAX);
    proxy_protocol_write(out, h, tls);
    struct proxy_protocol read;
    CHECK_INT(proxy_protocol_read(buf_bytes(out), &read), buf_size(out));
    CHECK(read.has_ends == h->has_ends);
    CHECK(!h->has_ends || memcmp(&read.source, &h->source, sizeof(read.source)) == 0);
    CHECK(!h->has_ends || memcmp(&read.destination, &h->destination, sizeof(read.source)) == 0);
    return buf_bytes(out);
}

static const struct proxy_protocol v4 = {true, {{[10] = 0xFF, 0xFF, 0xC0, 0, 2, 1}, 12345},
    {{[10] = 0xFF, 0xFF, 0xC6, 0x33, 0x64, 2}, 443}};

TEST(what_is_written_for_a_plain_connection)
{
    struct buf out;
    CHECK(bytes_equal(written(&out, &v4, NULL), BYTES(SIGNATURE "\x21\x11\x00\x0C" V4_ENDS)));
    buf_fini(&out);
    struct proxy_protocol v6 = v4;
    v6.source.address[0] = 0x20;
    CHECK_INT(written(&out, &v6, NULL).n, 52);
    buf_fini(&out);
    CHECK(bytes_equal(
        written(&out, &(struct proxy_protocol){0}, NULL), BYTES(SIGNATURE "\x20\x00\x00\x00")));
    buf_fini(&out);
}

TEST(what_is_written_of_tls)
{
    struct buf out;
    struct proxy_protocol_tls tls = {.alpn = BYTES("h2"),
        .authority = BYTES("a.test"),
        .version = BYTES("TLSv1.3"),
        .cipher = BYTES("C"),
        .signature = BYTES("S"),
        .is_verified = true,
        .common_name = BYTES("alice"),
        .certificate = BYTES("DER")};
    CHECK(bytes_equal(written(&out, &v4, &tls),
        BYTES(SIGNATURE "\x21\x11\x00\x42" V4_ENDS "\x01\x00\x02h2\x02\x00\x06"
                        "a.test\x20\x00\x25\x07\0\0\0\0\x21\x00\x07TLSv1.3\x23\x00\x01"
                        "C\x27\x00\x01S\x22\x00\x05"
                        "alice\x28\x00\x03"
                        "DER")));
    buf_fini(&out);
    tls.is_resumed = true;
    CHECK_INT(written(&out, &v4, &tls).at[28 + 5 + 9 + 3], 0x05);
    buf_fini(&out);
}

TEST(without_a_certificate_nothing_is_verified)
{
    struct buf out;
    CHECK(bytes_equal(written(&out, &v4, &(struct proxy_protocol_tls){.is_resumed = true}),
        BYTES(SIGNATURE "\x21\x11\x00\x14" V4_ENDS "\x20\x00\x05\x01\0\0\0\x01")));
    buf_fini(&out);
}

TEST(what_is_too_long_is_left_out)
{
    static uint8_t certificate[60001];
    struct buf out;
    struct proxy_protocol_tls tls = {
        .is_verified = true, .certificate = {certificate, sizeof(certificate) - 1}};
    CHECK_INT(written(&out, &v4, &tls).n, 28 + 8 + 3 + 60000);
    buf_fini(&out);
    tls.certificate.n++;
    CHECK_INT(written(&out, &v4, &tls).n, 28 + 8);
    buf_fini(&out);
}
