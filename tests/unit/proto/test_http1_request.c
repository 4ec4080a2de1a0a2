/* SPDX-License-Identifier: Apache-2.0 */
#include "http1_head_cases.h"

#define H "Host: a\r\n"

TEST(start_line)
{
    static const struct head_case cases[] = {
        {"plain", BYTES("GET / HTTP/1.1\r\n" H "\r\n"), "GET / host=a none keep-alive"},
        {"what follows is left", BYTES("GET / HTTP/1.1\r\n" H "\r\nGET"),
            "GET / host=a none keep-alive"},
        {"incomplete", BYTES("GET / HTTP/1.1\r\n" H), "more"},
        {"query", BYTES("GET /a?b=c|d?\"e\" HTTP/1.1\r\n" H "\r\n"),
            "GET /a?b=c|d?\"e\" host=a none keep-alive"},
        {"unknown method", BYTES("BREW /pot HTTP/1.1\r\n" H "\r\n"),
            "BREW /pot host=a none keep-alive"},
        {"method of 32 bytes", BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.0\r\n\r\n"),
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / host= none close"},
        {"method of 33 bytes", BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.0\r\n\r\n"),
            "method_too_long"},
        {"method is no token", BYTES("G@T / HTTP/1.1\r\n" H "\r\n"), "bad_method"},
        {"no method", BYTES(" / HTTP/1.1\r\n" H "\r\n"), "bad_method"},
        {"CONNECT", BYTES("CONNECT a:443 HTTP/1.1\r\n" H "\r\n"), "connect_refused"},
        {"HTTP/0.9", BYTES("GET /\r\n"), "bad_request_line"},
        {"HTTP/1.2", BYTES("GET / HTTP/1.2\r\n"), "bad_version"},
        {"HTTP/2 preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "bad_version"},
        {"HTTP/1.10", BYTES("GET / HTTP/1.10\r\n"), "bad_request_line"},
        {"lower case", BYTES("GET / http/1.1\r\n"), "bad_request_line"},
        {"trailing space", BYTES("GET / HTTP/1.1 \r\n"), "bad_request_line"},
        {"two spaces", BYTES("GET  / HTTP/1.1\r\n"), "bad_target"},
        {"tab", BYTES("GET\t/ HTTP/1.1\r\n"), "bad_request_line"},
        {"no target", BYTES("GET  HTTP/1.1\r\n"), "bad_target"},
        {"one word", BYTES("GET\r\n"), "bad_request_line"},
        {"two empty lines before", BYTES("\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
            "GET / host= none close"},
        {"three empty lines before", BYTES("\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
            "bad_request_line"},
        {"bare line feed before", BYTES("\nGET / HTTP/1.0\r\n\r\n"), "bare_lf"},
        {"TLS ClientHello", BYTES("\x16\x03\x01"), "control_byte"},
    };
    RUN_HEAD_CASES(cases, http1_parse_request);
}

TEST(target)
{
    static const struct head_case cases[] = {
        {"origin-form keeps slashes", BYTES("GET //a/../b HTTP/1.0\r\n\r\n"),
            "GET //a/../b host= none close"},
        {"absolute-form wins over Host", BYTES("GET http://b:80/x?y HTTP/1.1\r\n" H "\r\n"),
            "GET /x?y host=b:80 none keep-alive"},
        {"https, any case, no path", BYTES("GET HTTPS://b HTTP/1.1\r\n" H "\r\n"),
            "GET / host=b none keep-alive"},
        {"absolute-form needs Host too", BYTES("GET http://b/ HTTP/1.1\r\n\r\n"), "missing_host"},
        {"absolute-form and bad Host", BYTES("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"),
            "bad_host"},
        {"query without path", BYTES("GET http://b?x HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"userinfo", BYTES("GET http://u@b/ HTTP/1.1\r\n" H "\r\n"), "bad_host"},
        {"no host", BYTES("GET http:///x HTTP/1.1\r\n" H "\r\n"), "bad_host"},
        {"another scheme", BYTES("GET ftp://b/ HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"asterisk-form", BYTES("OPTIONS * HTTP/1.1\r\n" H "\r\n"),
            "OPTIONS * host=a none keep-alive"},
        {"asterisk without OPTIONS", BYTES("GET * HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"authority-form", BYTES("GET b:80 HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"relative", BYTES("GET x HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"space", BYTES("GET /a b HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"fragment", BYTES("GET /a#b HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"above ASCII", BYTES("GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"tab", BYTES("GET /\t HTTP/1.1\r\n" H "\r\n"), "bad_target"},
        {"DEL", BYTES("GET /\x7f HTTP/1.1\r\n" H "\r\n"), "control_byte"},
    };
    RUN_HEAD_CASES(cases, http1_parse_request);
}

#define GET "GET / HTTP/1.1\r\n"

TEST(fields)
{
    static const struct head_case cases[] = {
        {"white space around a value", BYTES(GET "Host: \t a \t\r\n\r\n"),
            "GET / host=a none keep-alive"},
        {"no white space, empty value", BYTES(GET "Host:a\r\nX:\r\n\r\n"),
            "GET / host=a none keep-alive"},
        {"obs-text and tab in a value", BYTES(GET H "X: \xff\t\x80\r\n\r\n"),
            "GET / host=a none keep-alive"},
        {"bare LF", BYTES(GET H "X: y\nZ: 1\r\n\r\n"), "bare_lf"},
        {"bare LF as the end", BYTES(GET H "\n"), "bare_lf"},
        {"bare CR", BYTES(GET H "X: y\rZ: 1\r\n\r\n"), "bare_cr"},
        {"CR CR LF", BYTES(GET H "X: y\r\r\n\r\n"), "bare_cr"},
        {"CR at the end", BYTES(GET H "\rX"), "bare_cr"},
        {"NUL in a value", BYTES(GET H "X: \0\r\n\r\n"), "control_byte"},
        {"vertical tab in a value", BYTES(GET H "X: \v\r\n\r\n"), "control_byte"},
        {"space before the colon", BYTES(GET H "X : y\r\n\r\n"), "space_before_colon"},
        {"tab before the colon", BYTES(GET H "X\t: y\r\n\r\n"), "space_before_colon"},
        {"obs-fold", BYTES(GET H "X: y\r\n z\r\n\r\n"), "obs_fold"},
        {"obs-fold with a tab", BYTES(GET H "X: y\r\n\tz\r\n\r\n"), "obs_fold"},
        {"white space before the first field", BYTES(GET " " H "\r\n"), "obs_fold"},
        {"no name", BYTES(GET H ": y\r\n\r\n"), "bad_field_name"},
        {"no colon", BYTES(GET H "X\r\n\r\n"), "bad_field_name"},
        {"space in a name", BYTES(GET H "X Y: z\r\n\r\n"), "bad_field_name"},
        {"separator in a name", BYTES(GET H "X(Y): z\r\n\r\n"), "bad_field_name"},
        {"obs-text in a name", BYTES(GET H "X\xc3\xa9: z\r\n\r\n"), "bad_field_name"},
    };
    RUN_HEAD_CASES(cases, http1_parse_request);
}

TEST(host)
{
    static const struct head_case cases[] = {
        {"missing", BYTES(GET "\r\n"), "missing_host"},
        {"missing in HTTP/1.0", BYTES("GET / HTTP/1.0\r\n\r\n"), "GET / host= none close"},
        {"two", BYTES(GET H H "\r\n"), "many_hosts"},
        {"two in HTTP/1.0", BYTES("GET / HTTP/1.0\r\n" H "hOST: b\r\n\r\n"), "many_hosts"},
        {"empty", BYTES(GET "Host:\r\n\r\n"), "bad_host"},
        {"IPv6 with port", BYTES(GET "Host: [::1]:8443\r\n\r\n"),
            "GET / host=[::1]:8443 none keep-alive"},
        {"list", BYTES(GET "Host: a, b\r\n\r\n"), "bad_host"},
        {"userinfo", BYTES(GET "Host: u@a\r\n\r\n"), "bad_host"},
        {"path", BYTES(GET "Host: a/b\r\n\r\n"), "bad_host"},
    };
    RUN_HEAD_CASES(cases, http1_parse_request);
}

#define POST "POST / HTTP/1.1\r\n" H

TEST(framing)
{
    static const struct head_case cases[] = {
        {"length", BYTES(POST "Content-Length: 5\r\n\r\n"), "POST / host=a length=5 keep-alive"},
        {"leading zeros", BYTES(POST "Content-Length: 005\r\n\r\n"),
            "POST / host=a length=5 keep-alive"},
        {"largest", BYTES(POST "Content-Length: 9223372036854775807\r\n\r\n"),
            "POST / host=a length=9223372036854775807 keep-alive"},
        {"one more", BYTES(POST "Content-Length: 9223372036854775808\r\n\r\n"),
            "bad_content_length"},
        {"overflow", BYTES(POST "Content-Length: 18446744073709551621\r\n\r\n"),
            "bad_content_length"},
        {"plus", BYTES(POST "Content-Length: +5\r\n\r\n"), "bad_content_length"},
        {"minus", BYTES(POST "Content-Length: -5\r\n\r\n"), "bad_content_length"},
        {"hexadecimal", BYTES(POST "Content-Length: 0x5\r\n\r\n"), "bad_content_length"},
        {"space inside", BYTES(POST "Content-Length: 1 2\r\n\r\n"), "bad_content_length"},
        {"empty", BYTES(POST "Content-Length:\r\n\r\n"), "bad_content_length"},
        {"list of equals", BYTES(POST "Content-Length: 5, 5\r\n\r\n"), "bad_content_length"},
        {"two equals", BYTES(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
            "conflicting_lengths"},
        {"two", BYTES(POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n"),
            "conflicting_lengths"},
        {"chunked", BYTES(POST "Transfer-Encoding: Chunked\r\n\r\n"),
            "POST / host=a chunked keep-alive"},
        {"both", BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
            "length_with_coding"},
        {"both, the other way",
            BYTES(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "length_with_coding"},
        {"two codings fields",
            BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "bad_coding"},
        {"chunked twice", BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), "bad_coding"},
        {"chunked not last", BYTES(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"), "bad_coding"},
        {"no coding", BYTES(POST "Transfer-Encoding: ,\r\n\r\n"), "bad_coding"},
        {"gzip, chunked", BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), "unknown_coding"},
        {"gzip", BYTES(POST "Transfer-Encoding: gzip\r\n\r\n"), "unknown_coding"},
        {"identity", BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), "unknown_coding"},
        {"quoted", BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), "unknown_coding"},
        {"vertical tab", BYTES(POST "Transfer-Encoding: \vchunked\r\n\r\n"), "control_byte"},
        {"parameter", BYTES(POST "Transfer-Encoding: chunked;a=b\r\n\r\n"), "unknown_coding"},
        {"HTTP/1.0", BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "coding_in_http10"},
    };
    RUN_HEAD_CASES(cases, http1_parse_request);
}

TEST(connection)
{
    static const struct head_case cases[] = {
        {"close", BYTES(GET H "Connection: close\r\n\r\n"), "GET / host=a none close"},
        {"close among others", BYTES(GET H "Connection: te, ,CLOSE\r\n\r\n"),
            "GET / host=a none close"},
        {"second field", BYTES(GET H "Connection: te\r\nConnection: close\r\n\r\n"),
            "GET / host=a none close"},
        {"HTTP/1.0 keep-alive", BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
            "GET / host= none keep-alive"},
        {"HTTP/1.0 both", BYTES("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"),
            "GET / host= none close"},
        {"upgrade", BYTES(GET H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
            "GET / host=a none keep-alive upgrades"},
        {"upgrade without option", BYTES(GET H "Upgrade: websocket\r\n\r\n"),
            "GET / host=a none keep-alive"},
        {"upgrade without field", BYTES(GET H "Connection: upgrade\r\n\r\n"),
            "GET / host=a none keep-alive"},
        {"upgrade in HTTP/1.0",
            BYTES("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
            "GET / host= none close"},
        {"names Host", BYTES(GET H "Connection: close, Host\r\n\r\n"), "bad_connection"},
        {"names Content-Length",
            BYTES(POST "Content-Length: 5\r\nConnection: content-length\r\n\r\n"),
            "bad_connection"},
        {"names Transfer-Encoding", BYTES(GET H "Connection: transfer-encoding\r\n\r\n"),
            "bad_connection"},
        {"no token", BYTES(GET H "Connection: a b\r\n\r\n"), "bad_connection"},
        {"expects", BYTES(POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n"),
            "POST / host=a length=5 keep-alive expects-continue"},
        {"expects without content", BYTES(GET H "Expect: 100-continue\r\n\r\n"),
            "GET / host=a none keep-alive"},
        {"expects in HTTP/1.0",
            BYTES("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
            "POST / host= length=5 close"},
        {"expects something else", BYTES(GET H "Expect: 200-ok\r\n\r\n"), "unknown_expectation"},
    };
    RUN_HEAD_CASES(cases, http1_parse_request);
}

TEST(connection_size)
{
    struct head_case most = {"1024 bytes", padded(GET H "Connection: ", 'x', 1024, "\r\n\r\n"),
        "GET / host=a none keep-alive"};
    run_head_case(&most, http1_parse_request);
    struct head_case more = {
        "1025 bytes", padded(GET H "Connection: ", ',', 1025, "\r\n\r\n"), "bad_connection"};
    run_head_case(&more, http1_parse_request);
}

TEST(line_limits)
{
    struct head_case longest = {"8192 bytes", padded("GET /", 'x', 8178, " HTTP/1.1\r\nX"), "more"};
    run_head_case(&longest, http1_parse_request);
    struct head_case longer = {
        "8193 bytes", padded("GET /", 'x', 8179, " HTTP/1.1\r\nX"), "start_line_too_long"};
    run_head_case(&longer, http1_parse_request);
    struct head_case endless = {
        "start line without end", padded("GET /", 'x', 9000, ""), "start_line_too_long"};
    run_head_case(&endless, http1_parse_request);

    struct head_case field = {"field of 8192 bytes", padded(GET H "X: ", 'x', 8189, "\r\n\r\n"),
        "GET / host=a none keep-alive"};
    run_head_case(&field, http1_parse_request);
    struct head_case long_field = {
        "field of 8193 bytes", padded(GET H "X: ", 'x', 8190, "\r\n\r\n"), "field_line_too_long"};
    run_head_case(&long_field, http1_parse_request);
}

static struct bytes many_fields(size_t count, size_t value_n)
{
    static char text[2 * HTTP1_HEAD_MAX];
    size_t at = strlen(GET H);
    memcpy(text, GET H, at);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + at, "X: ", 3);
        memset(text + at + 3, 'x', value_n);
        memcpy(text + at + 3 + value_n, "\r\n", 2);
        at += value_n + 5;
    }
    memcpy(text + at, "\r\n", 2);
    return (struct bytes){(const uint8_t *)text, at + 2};
}

TEST(head_limits)
{
    struct head_case most = {"100 fields", many_fields(99, 1), "GET / host=a none keep-alive"};
    run_head_case(&most, http1_parse_request);
    struct head_case more = {"101 fields", many_fields(100, 1), "too_many_fields"};
    run_head_case(&more, http1_parse_request);
}

TEST(head_of_exactly_the_maximum)
{
    static struct http1_head head;
    static uint8_t text[HTTP1_HEAD_MAX + 1];
    size_t scanned = 0;
    struct bytes base = many_fields(8, 8000);
    for (size_t extra = 0; extra < 2; extra++) {
        size_t last = HTTP1_HEAD_MAX - base.n + extra; /* bytes of one more line with its CRLF */
        memcpy(text, base.at, base.n - 2);
        memset(text + base.n - 2, 'x', last);
        text[base.n] = ':';
        memcpy(text + base.n - 2 + last - 2, "\r\n\r\n", 4);
        CHECK_INT(http1_parse_request((struct bytes){text, base.n + last}, &scanned, &head),
            extra ? -HTTP1_HEAD_TOO_LARGE : HTTP1_HEAD_MAX);
    }
}

/* Lines that came whole are not read again while the rest comes: what changes in them meanwhile is
 * not noticed. */
TEST(complete_lines_are_read_once)
{
    static struct http1_head head;
    uint8_t text[] = GET H "X: y";
    size_t scanned = 0;
    CHECK_INT(http1_parse_request((struct bytes){text, sizeof(text) - 2}, &scanned, &head), 0);
    memset(text, '\n', sizeof(text) - 2);
    CHECK_INT(http1_parse_request((struct bytes){text, sizeof(text) - 1}, &scanned, &head), 0);
}

TEST(lookups)
{
    static struct http1_head head;
    size_t scanned = 0;
    struct bytes in =
        BYTES(GET H "Accept: x, Y ,,z\r\nCONNECTION: X-Secret, te\r\nX-Secret: 1\r\n\r\n");
    CHECK_INT(http1_parse_request(in, &scanned, &head), (ssize_t)in.n);
    CHECK_INT(head.fields_n, 4);
    CHECK(http1_find(&head, "host") == &head.fields[0]);
    CHECK(http1_find(&head, "hos") == NULL);
    CHECK(bytes_equal(http1_find(&head, "X-SECRET")->value, BYTES("1")));
    CHECK(http1_list_has(&head, "accept", BYTES("y")));
    CHECK(http1_list_has(&head, "accept", BYTES("Z")));
    CHECK(!http1_list_has(&head, "accept", BYTES("")));
    CHECK(!http1_list_has(&head, "accept", BYTES("x, Y")));
    CHECK(http1_is_hop_by_hop(&head, BYTES("x-secret")));
    CHECK(http1_is_hop_by_hop(&head, BYTES("Keep-Alive")));
    CHECK(http1_is_hop_by_hop(&head, BYTES("Upgrade")));
    CHECK(!http1_is_hop_by_hop(&head, BYTES("Trailer")));
    CHECK(!http1_is_hop_by_hop(&head, BYTES("Accept")));
}

TEST(faults)
{
    CHECK_INT(http1_fault_status(HTTP1_BAD_VERSION), 505);
    CHECK_INT(http1_fault_status(HTTP1_START_LINE_TOO_LONG), 414);
    CHECK_INT(http1_fault_status(HTTP1_FIELD_LINE_TOO_LONG), 431);
    CHECK_INT(http1_fault_status(HTTP1_UNKNOWN_CODING), 501);
    CHECK_INT(http1_fault_status(HTTP1_UNKNOWN_EXPECTATION), 417);
    CHECK_TEXT(http1_fault_token(HTTP1_BARE_LF), "bare_lf");
    CHECK_TEXT(http1_fault_text(HTTP1_CONNECT_REFUSED), "CONNECT is not offered");
}
