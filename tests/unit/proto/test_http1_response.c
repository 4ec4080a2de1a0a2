/* SPDX-License-Identifier: Apache-2.0 */
#include "http1_head_cases.h"

static ssize_t parse_answer_to_get(struct bytes in, size_t *scanned, struct http1_head *out)
{
    return http1_parse_response(in, scanned, BYTES("GET"), out);
}

static ssize_t parse_answer_to_head(struct bytes in, size_t *scanned, struct http1_head *out)
{
    return http1_parse_response(in, scanned, BYTES("HEAD"), out);
}

TEST(status_line)
{
    static const struct head_case cases[] = {
        {"plain", BYTES("HTTP/1.1 200 OK\r\n\r\n"), "200 OK until-close close"},
        {"empty reason", BYTES("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello"),
            "200  length=5 keep-alive"},
        {"obs-text in the reason", BYTES("HTTP/1.1 500 \xc3\xa9\t!\r\nContent-Length: 0\r\n\r\n"),
            "500 \xc3\xa9\t! length=0 keep-alive"},
        {"no space after the status", BYTES("HTTP/1.1 200\r\n\r\n"), "bad_status_line"},
        {"two spaces", BYTES("HTTP/1.1  200 OK\r\n\r\n"), "bad_status"},
        {"tab", BYTES("HTTP/1.1\t200 OK\r\n\r\n"), "bad_status_line"},
        {"two digits", BYTES("HTTP/1.1 20 OK\r\n\r\n"), "bad_status"},
        {"four digits", BYTES("HTTP/1.1 2000 OK\r\n\r\n"), "bad_status_line"},
        {"099", BYTES("HTTP/1.1 099 \r\n\r\n"), "bad_status"},
        {"599", BYTES("HTTP/1.1 599 \r\nContent-Length: 1\r\n\r\n"), "599  length=1 keep-alive"},
        {"600", BYTES("HTTP/1.1 600 \r\n\r\n"), "bad_status"},
        {"HTTP/0.9", BYTES("HTTP/0.9 200 OK\r\n\r\n"), "bad_version"},
        {"HTTP/2.0", BYTES("HTTP/2.0 200 OK\r\n\r\n"), "bad_version"},
        {"ICY", BYTES("ICY 200 OK\r\n\r\n"), "bad_status_line"},
        {"empty line before", BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), "bad_status_line"},
        {"control byte in the reason", BYTES("HTTP/1.1 200 \x1b[2J\r\n\r\n"), "control_byte"},
        {"bare LF", BYTES("HTTP/1.1 200 OK\n\n"), "bare_lf"},
        {"obs-fold", BYTES("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), "obs_fold"},
    };
    RUN_HEAD_CASES(cases, parse_answer_to_get);
}

#define OK "HTTP/1.1 200 OK\r\n"

TEST(framing)
{
    static const struct head_case cases[] = {
        {"length", BYTES(OK "Content-Length: 5\r\n\r\n"), "200 OK length=5 keep-alive"},
        {"chunked", BYTES(OK "Transfer-Encoding: chunked\r\n\r\n"), "200 OK chunked keep-alive"},
        {"until close, whatever Connection says", BYTES(OK "Connection: keep-alive\r\n\r\n"),
            "200 OK until-close close"},
        {"both", BYTES(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "length_with_coding"},
        {"two lengths", BYTES(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
            "conflicting_lengths"},
        {"gzip", BYTES(OK "Transfer-Encoding: gzip\r\n\r\n"), "unknown_coding"},
        {"chunked, gzip", BYTES(OK "Transfer-Encoding: chunked, gzip\r\n\r\n"), "bad_coding"},
        {"HTTP/1.0 chunked", BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "coding_in_http10"},
        {"HTTP/1.0 length", BYTES("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"),
            "200 OK length=5 close"},
        {"HTTP/1.0 keep-alive",
            BYTES("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n"),
            "200 OK length=5 keep-alive"},
        {"close", BYTES(OK "Connection: close\r\nContent-Length: 5\r\n\r\n"),
            "200 OK length=5 close"},
        {"304 with length", BYTES("HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n"),
            "304  none keep-alive"},
        {"304 with coding", BYTES("HTTP/1.1 304 \r\nTransfer-Encoding: chunked\r\n\r\n"),
            "304  none keep-alive"},
        {"204", BYTES("HTTP/1.1 204 \r\n\r\n"), "204  none keep-alive"},
        {"204 with length 0", BYTES("HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n"),
            "204  none keep-alive"},
        {"204 with length", BYTES("HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n"), "body_forbidden"},
        {"204 with coding", BYTES("HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n"),
            "body_forbidden"},
        {"100", BYTES("HTTP/1.1 100 Continue\r\n\r\n" OK), "100 Continue none keep-alive"},
        {"100 with coding", BYTES("HTTP/1.1 100 \r\nTransfer-Encoding: chunked\r\n\r\n"),
            "body_forbidden"},
        {"names Content-Length in Connection",
            BYTES(OK "Connection: content-length\r\nContent-Length: 5\r\n\r\n"), "bad_connection"},
    };
    RUN_HEAD_CASES(cases, parse_answer_to_get);
}

TEST(answers_to_head)
{
    static const struct head_case cases[] = {
        {"length", BYTES(OK "Content-Length: 5\r\n\r\n"), "200 OK none keep-alive"},
        {"coding", BYTES(OK "Transfer-Encoding: chunked\r\n\r\n"), "200 OK none keep-alive"},
        {"neither", BYTES(OK "\r\n"), "200 OK none keep-alive"},
        {"bad length", BYTES(OK "Content-Length: x\r\n\r\n"), "bad_content_length"},
    };
    RUN_HEAD_CASES(cases, parse_answer_to_head);
}

TEST(upgrades)
{
    static const struct head_case cases[] = {
        {"101", BYTES("HTTP/1.1 101 \r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81"),
            "101  none keep-alive upgrades"},
        {"101 without Upgrade", BYTES("HTTP/1.1 101 \r\nConnection: upgrade\r\n\r\n"),
            "bad_upgrade"},
        {"101 without Connection", BYTES("HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n"),
            "bad_upgrade"},
        {"200 only advertises",
            BYTES(OK "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"),
            "200 OK length=0 keep-alive"},
    };
    RUN_HEAD_CASES(cases, parse_answer_to_get);
}
