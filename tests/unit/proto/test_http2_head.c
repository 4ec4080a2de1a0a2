/* SPDX-License-Identifier: Apache-2.0 */
/* What the framing layer lets through, and what it would refuse before us: both end here. */
#include "base/memory.h"
#include "proto/http2_head.h"
#include "test.h"

static struct http2_block block;
static struct http1_head head;

/* FIELDS: name, value, …, NULL. */
static void fill(const char *const *fields)
{
    http2_block_fini(&block);
    http2_block_init(&block);
    for (; fields[0]; fields += 2)
        CHECK_INT(http2_block_add(&block, bytes_of(fields[0]), bytes_of(fields[1])), 0);
}

static const char *fault(int result)
{
    return result < 0 ? http1_fault_token((enum http1_fault) - result) : "";
}

#define GET         ":method", "GET", ":scheme", "https", ":path", "/a?b"
#define REQUEST     GET, ":authority", "localhost"
#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct request_case {
    const char *want; /* the fault's token */
    const char *const *fields;
};

TEST(what_a_request_may_not_be)
{
    const struct request_case cases[] = {
        {"", FIELDS(REQUEST)},
        {"", FIELDS(GET, "host", "localhost")},
        {"", FIELDS(REQUEST, "host", "LOCALHOST")},
        {"host_mismatch", FIELDS(REQUEST, "host", "localhost:80")},
        {"many_hosts", FIELDS(REQUEST, "host", "localhost", "host", "localhost")},
        {"missing_host", FIELDS(GET)},
        {"bad_host", FIELDS(GET, ":authority", "a@localhost")},
        {"bad_host", FIELDS(GET, ":authority", "")},
        {"bad_pseudo_field", FIELDS(REQUEST, ":path", "/c")},
        {"bad_pseudo_field", FIELDS(REQUEST, ":protocol", "websocket")},
        {"bad_pseudo_field", FIELDS(REQUEST, ":status", "200")},
        {"bad_pseudo_field", FIELDS(":method", "GET", ":authority", "a", ":path", "/")},
        {"bad_scheme", FIELDS(":method", "GET", ":authority", "a", ":path", "/", ":scheme", "ftp")},
        {"bad_target",
            FIELDS(":method", "GET", ":authority", "a", ":path", "http://b/", ":scheme", "https")},
        {"bad_target", FIELDS(":method", "GET", ":authority", "a", ":path", "/ HTTP/1.1\r\nx: y",
                           ":scheme", "https")},
        {"bad_target",
            FIELDS(":method", "GET", ":authority", "a", ":path", "*", ":scheme", "http")},
        {"bad_method",
            FIELDS(":method", "GE T", ":authority", "a", ":path", "/", ":scheme", "http")},
        {"connect_refused", FIELDS(":method", "CONNECT", ":authority", "a:443")},
        {"control_byte", FIELDS(REQUEST, "x", "a\r\nb: c")},
        {"control_byte", FIELDS(REQUEST, "x", "a\nb")},
        {"control_byte", FIELDS(REQUEST, "cookie", "a\r\nb")},
        {"bad_field_name", FIELDS(REQUEST, "X", "a")},
        {"bad_field_name", FIELDS(REQUEST, "x y", "a")},
        {"bad_field_name", FIELDS(REQUEST, "x:y", "a")},
        {"bad_field_name", FIELDS(REQUEST, "", "a")},
        {"bad_connection", FIELDS(REQUEST, "connection", "x")},
        {"bad_connection", FIELDS(REQUEST, "upgrade", "x")},
        {"bad_connection", FIELDS(REQUEST, "transfer-encoding", "chunked")},
        {"bad_connection", FIELDS(REQUEST, "te", "gzip")},
        {"", FIELDS(REQUEST, "te", "trailers")},
        {"bad_content_length", FIELDS(REQUEST, "content-length", "-1")},
        {"bad_content_length", FIELDS(REQUEST, "content-length", "1")}, /* and no body */
        {"conflicting_lengths", FIELDS(REQUEST, "content-length", "0", "content-length", "0")},
        {"unknown_expectation", FIELDS(REQUEST, "expect", "magic")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fill(cases[i].fields);
        CHECK_TEXT(fault(http2_read_request(&block, true, &head)), cases[i].want);
    }
    http2_block_fini(&block);
}

TEST(a_request_in_the_form_of_http_1_1)
{
    fill(FIELDS(REQUEST, "cookie", "a=1", "x", " y ", "cookie", "b=2", "te", "trailers"));
    CHECK_INT(http2_read_request(&block, false, &head), 0);
    CHECK_INT(head.framing, HTTP1_BODY_CHUNKED);
    CHECK(bytes_equal(head.path_and_query, BYTES("/a?b")));
    CHECK(bytes_equal(head.authority, BYTES("localhost")));
    CHECK(bytes_equal(http1_find(&head, "cookie")->value, BYTES("a=1; b=2")));
    CHECK(bytes_equal(http1_find(&head, "x")->value, BYTES("y")));
    CHECK(http1_takes_trailers(&head) && head.keep_alive && head.fields_n == 3);
    fill(FIELDS(REQUEST, "content-length", "7"));
    CHECK_INT(http2_read_request(&block, false, &head), 0);
    CHECK(head.framing == HTTP1_BODY_LENGTH && head.content_length == 7);
    http2_block_fini(&block);
}

TEST(a_section_has_its_limits_and_crumbs_are_one_field)
{
    static char large[HTTP1_LINE_MAX];
    struct bytes value = {(const uint8_t *)large, sizeof(large) - 100};
    memset(large, 'y', sizeof(large));
    fill(FIELDS(REQUEST));
    for (int i = 0; i < 1000; i++)
        CHECK_INT(http2_block_add(&block, BYTES("cookie"), BYTES("a=b")), 0);
    for (int i = 0; i < HTTP1_FIELDS_MAX - 1; i++)
        CHECK_INT(http2_block_add(&block, BYTES("x"), BYTES("y")), 0);
    CHECK_INT(http2_read_request(&block, true, &head), 0);
    CHECK_INT(head.fields_n, HTTP1_FIELDS_MAX);
    CHECK_TEXT(fault(http2_read_request(&block, true, &head)), "too_many_fields");
    fill(FIELDS(REQUEST));
    CHECK_INT(http2_block_add(&block, BYTES("x"), (struct bytes){value.at, sizeof(large)}), 0);
    CHECK_TEXT(fault(http2_read_request(&block, true, &head)), "field_line_too_long");
    fill(FIELDS(REQUEST));
    int kept = 0;
    while (http2_block_add(&block, BYTES("x"), value) == 0)
        kept++;
    CHECK_INT(kept, HTTP2_DECODED_MAX / (HTTP1_LINE_MAX - 95));
    CHECK_TEXT(fault(http2_read_request(&block, true, &head)), "head_too_large");
    http2_block_fini(&block);
}

TEST(what_a_response_says_about_its_end)
{
    const struct {
        const char *status, *length, *method;
        bool is_last;
        enum http1_framing framing;
    } cases[] = {
        {"200", NULL, "GET", false, HTTP1_BODY_CHUNKED},
        {"200", NULL, "GET", true, HTTP1_BODY_LENGTH}, /* of 0 */
        {"200", "5", "GET", false, HTTP1_BODY_LENGTH},
        {"200", "5", "HEAD", true, HTTP1_BODY_NONE},
        {"304", "5", "GET", true, HTTP1_BODY_NONE},
        {"204", NULL, "GET", true, HTTP1_BODY_NONE},
        {"103", NULL, "GET", false, HTTP1_BODY_NONE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *length = cases[i].length;
        fill(FIELDS(":status", cases[i].status, length ? "content-length" : NULL, length));
        CHECK_INT(
            http2_read_response(&block, cases[i].is_last, bytes_of(cases[i].method), &head), 0);
        CHECK_INT(head.framing, cases[i].framing);
    }
    static const char *const bad[] = {"101", "20", "2000", "2x0", "600", "099"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        fill(FIELDS(":status", bad[i]));
        CHECK_TEXT(fault(http2_read_response(&block, true, BYTES("GET"), &head)), "bad_status");
    }
    fill(FIELDS(":status", "200", "content-length", "5"));
    CHECK_TEXT(fault(http2_read_response(&block, true, BYTES("GET"), &head)), "bad_content_length");
    fill(FIELDS(":status", "204", "content-length", "5"));
    CHECK_TEXT(fault(http2_read_response(&block, true, BYTES("GET"), &head)), "body_forbidden");
    http2_block_fini(&block);
}

TEST(trailers)
{
    fill(FIELDS("grpc-status", "0", "x", "y"));
    CHECK_INT(http2_read_trailers(&block, &head), 0);
    CHECK_INT(head.fields_n, 2);
    fill(FIELDS("content-length", "0"));
    CHECK_TEXT(fault(http2_read_trailers(&block, &head)), "bad_trailer");
    fill(FIELDS(":status", "200"));
    CHECK_TEXT(fault(http2_read_trailers(&block, &head)), "bad_pseudo_field");
    http2_block_fini(&block);
}
