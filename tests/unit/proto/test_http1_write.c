/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1.h"
#include "proto/http1_write.h"
#include "test.h"

static bool holds(const struct buf *b, const char *want)
{
    return bytes_equal(buf_bytes(b), bytes_of(want));
}

TEST(request)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(http1_write_request_line(&b, BYTES("GET"), BYTES("/a?b")), 0);
    CHECK_INT(http1_write_field(&b, BYTES("Host"), BYTES("a")), 0);
    CHECK_INT(http1_write_field(&b, BYTES("X-Empty"), BYTES("")), 0);
    CHECK_INT(http1_write_end(&b), 0);
    CHECK(holds(&b, "GET /a?b HTTP/1.1\r\nHost: a\r\nX-Empty: \r\n\r\n"));
    static struct http1_head head;
    size_t scanned = 0;
    CHECK_INT(http1_parse_request(buf_bytes(&b), &scanned, &head), (ssize_t)buf_size(&b));
    buf_fini(&b);
}

TEST(response)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(http1_write_status(&b, 421), 0);
    CHECK_INT(http1_write_status_line(&b, 299, BYTES("Fine \xc3\xa9")), 0);
    CHECK_INT(http1_write_status(&b, 599), 0);
    CHECK(holds(
        &b, "HTTP/1.1 421 Misdirected Request\r\nHTTP/1.1 299 Fine \xc3\xa9\r\nHTTP/1.1 599 \r\n"));
    CHECK_TEXT(http1_reason_phrase(502), "Bad Gateway");
    CHECK_TEXT(http1_reason_phrase(1000), "");
    buf_fini(&b);
}

TEST(chunks)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(http1_write_chunk_begin(&b, 26), 0);
    CHECK_INT(buf_append(&b, BYTES("abcdefghijklmnopqrstuvwxyz")), 0);
    CHECK_INT(http1_write_chunk_end(&b), 0);
    CHECK_INT(http1_write_last_chunk(&b), 0);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("b")), 0);
    CHECK_INT(http1_write_end(&b), 0);
    CHECK(holds(&b, "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nA: b\r\n\r\n"));
    buf_clear(&b);
    CHECK_INT(http1_write_chunk_begin(&b, INT64_MAX), 0);
    CHECK(holds(&b, "7fffffffffffffff\r\n"));
    buf_fini(&b);
}

/* Nothing that would begin a line of its own, end a name early, or split the start line
 * differently. */
TEST(refused_pieces)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("b\r\nC: d")), -1);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("b\n")), -1);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("\r")), -1);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("\0")), -1);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("\x7f")), -1);
    CHECK_INT(http1_write_field(&b, BYTES("A\r\nB"), BYTES("c")), -1);
    CHECK_INT(http1_write_field(&b, BYTES("A:"), BYTES("c")), -1);
    CHECK_INT(http1_write_field(&b, BYTES(""), BYTES("c")), -1);
    CHECK_INT(http1_write_request_line(&b, BYTES("GET "), BYTES("/")), -1);
    CHECK_INT(http1_write_request_line(&b, BYTES("GET"), BYTES("/ HTTP/1.1\r\nA: b")), -1);
    CHECK_INT(http1_write_request_line(&b, BYTES("GET"), BYTES("/a b")), -1);
    CHECK_INT(http1_write_request_line(&b, BYTES("GET"), BYTES("")), -1);
    CHECK_INT(http1_write_status_line(&b, 200, BYTES("O\nK")), -1);
    CHECK_INT(buf_size(&b), 0);
    buf_fini(&b);
}

TEST(no_room)
{
    struct buf b;
    buf_init(&b, 6);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("bc")), -1);
    CHECK_INT(buf_size(&b), 0);
    CHECK_INT(http1_write_field(&b, BYTES("A"), BYTES("b")), 0);
    CHECK_INT(http1_write_end(&b), -1);
    CHECK_INT(http1_write_chunk_begin(&b, 1), -1);
    CHECK_INT(http1_write_chunk_end(&b), -1);
    CHECK_INT(http1_write_last_chunk(&b), -1);
    CHECK_INT(http1_write_status(&b, 200), -1);
    CHECK_INT(http1_write_request_line(&b, BYTES("GET"), BYTES("/")), -1);
    CHECK(holds(&b, "A: b\r\n"));
    buf_fini(&b);
}

/* They are looked at eight at a time. */
TEST(controls_are_found_wherever_they_stand)
{
    enum { LENGTH = 20 };
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < LENGTH; at++) {
            uint8_t value[LENGTH];
            memset(value, at % 2 ? '\t' : 0xff, sizeof(value));
            value[at] = (uint8_t)c;
            struct buf b;
            buf_init(&b, 100);
            bool is_allowed = c == '\t' || (c >= ' ' && c != 0x7f);
            struct bytes text = {value, sizeof(value)};
            CHECK_INT(http1_write_field(&b, BYTES("a"), text), is_allowed ? 0 : -1);
            buf_fini(&b);
        }
}
