/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "proxy/party_http1.h"
#include "proxy/transfer.h"
#include "test.h"

static struct http1_head head;
static struct party_http1 sender, receiver;

/* The body of the message with HEAD is going to be moved. */
static void begin(struct stream *from, struct stream *to, bool is_chunked)
{
    party_http1_init(&sender, from);
    party_http1_receive(&sender, &head);
    party_http1_init(&receiver, to);
    party_http1_send(&receiver, is_chunked);
}

/* Push WIRE through a transfer, PIECE bytes at a time; the status at the end, what came out in
 * TEXT. */
static enum transfer_status push(
    const char *fields, const char *wire, bool is_chunked, size_t piece, char *text)
{
    struct stream from = {.fd = -1}, to = {.fd = -1, .out_soft = STREAM_OUT_SOFT};
    struct transfer t = {0};
    char request[512];
    size_t scanned = 0, at = 0, n = strlen(wire);
    bool moved = false;
    enum transfer_status status;
    buf_init(&from.in, STREAM_IN_MAX);
    buf_init(&to.out, STREAM_OUT_MAX);
    snprintf(request, sizeof(request), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    CHECK(http1_parse_request(bytes_of(request), &scanned, &head) > 0);
    begin(&from, &to, is_chunked);
    do {
        size_t step = n - at < piece ? n - at : piece;
        ignore_result(buf_append(&from.in, (struct bytes){(const uint8_t *)wire + at, step}));
        at += step;
        if (at == n)
            from.state = STREAM_EOF;
        status = transfer_run(&t, &sender.party, &receiver.party, &moved);
    } while (status == TRANSFER_WAITS && at < n);
    snprintf(text, 4096, "%.*s", BYTES_ARG(buf_bytes(&to.out)));
    buf_fini(&from.in);
    buf_fini(&to.out);
    return status;
}

#define CHUNKED "Transfer-Encoding: chunked\r\n"

TEST(a_chunked_body_is_chunked_anew_whatever_the_pieces)
{
    char text[4096];
    const char *wire = "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
    CHECK_INT(push(CHUNKED, wire, true, 1000, text), TRANSFER_ENDED);
    CHECK_TEXT(text, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    CHECK_INT(push(CHUNKED, wire, false, 1, text), TRANSFER_ENDED);
    CHECK_TEXT(text, "hello world");
}

TEST(trailers_go_along_but_not_those_that_only_we_may_set)
{
    char text[4096];
    CHECK_INT(
        push(CHUNKED,
            "1\r\na\r\n0\r\nX-Sum: 1\r\nX-Client-Cert-Verified: accepted\r\nclient_cert: x\r\n\r\n",
            true, 1000, text),
        TRANSFER_ENDED);
    CHECK_TEXT(text, "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
}

TEST(a_body_of_known_length_passes_as_it_is)
{
    char text[4096];
    CHECK_INT(push("Content-Length: 5\r\n", "hello", false, 2, text), TRANSFER_ENDED);
    CHECK_TEXT(text, "hello");
}

TEST(a_body_that_is_cut_off_is_never_complete)
{
    char text[4096];
    CHECK_INT(push("Content-Length: 6\r\n", "hello", false, 1000, text), TRANSFER_CUT);
    CHECK_INT(push(CHUNKED, "5\r\nhello\r\n", true, 1000, text), TRANSFER_CUT);
    CHECK_TEXT(text, "5\r\nhello\r\n"); /* no last chunk */
}

TEST(bad_framing_is_refused)
{
    char text[4096];
    CHECK_INT(push(CHUNKED, "5\nhello\r\n0\r\n\r\n", true, 1000, text), TRANSFER_REFUSED);
    CHECK_INT(push(CHUNKED, "-1\r\nhello\r\n0\r\n\r\n", true, 1000, text), TRANSFER_REFUSED);
}

TEST(a_line_of_the_chunked_coding_longer_than_the_room_left_is_not_an_end)
{
    struct stream from = {.fd = -1, .state = STREAM_EOF},
                  to = {.fd = -1, .out_soft = STREAM_OUT_SOFT};
    struct transfer t = {0};
    size_t scanned = 0;
    bool moved = false;
    static char filler[STREAM_OUT_SOFT];
    buf_init(&from.in, STREAM_IN_MAX);
    buf_init(&to.out, STREAM_OUT_MAX);
    CHECK(http1_parse_request(
              BYTES("POST / HTTP/1.1\r\nHost: a\r\n" CHUNKED "\r\n"), &scanned, &head) > 0);
    begin(&from, &to, true);
    stream_write(&to, (struct bytes){(const uint8_t *)filler, sizeof(filler) - 2});
    ignore_result(buf_append(&from.in, BYTES("0001\r\na\r\n0\r\n\r\n")));
    CHECK_INT(transfer_run(&t, &sender.party, &receiver.party, &moved), TRANSFER_WAITS);
    buf_clear(&to.out);
    CHECK_INT(transfer_run(&t, &sender.party, &receiver.party, &moved), TRANSFER_ENDED);
    buf_fini(&from.in);
    buf_fini(&to.out);
}

TEST(nothing_is_taken_while_the_receiver_has_no_room)
{
    struct stream from = {.fd = -1}, to = {.fd = -1, .out_soft = STREAM_OUT_SOFT};
    struct transfer t = {0};
    size_t scanned = 0;
    bool moved = false;
    static char filler[STREAM_OUT_SOFT];
    buf_init(&from.in, STREAM_IN_MAX);
    buf_init(&to.out, STREAM_OUT_MAX);
    CHECK(http1_parse_request(BYTES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"),
              &scanned, &head) > 0);
    begin(&from, &to, false);
    stream_write(&to, (struct bytes){(const uint8_t *)filler, sizeof(filler) - 4});
    ignore_result(buf_append(&from.in, BYTES("123456789")));
    CHECK_INT(transfer_run(&t, &sender.party, &receiver.party, &moved), TRANSFER_WAITS);
    CHECK_INT(buf_size(&from.in), 5);
    CHECK_INT(buf_size(&to.out), STREAM_OUT_SOFT);
    buf_clear(&to.out);
    CHECK_INT(transfer_run(&t, &sender.party, &receiver.party, &moved), TRANSFER_ENDED);
    buf_fini(&from.in);
    buf_fini(&to.out);
}
