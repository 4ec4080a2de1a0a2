/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "proto/http1.h"
#include "test.h"

/* Each case is decoded whole, byte by byte, and in two pieces split at every byte; every piece
 * stands in memory of its own size, and what was not consumed comes again with the next. The
 * transcripts must be equal. */
struct body_case {
    const char *name;
    struct bytes input;
    const char *want; /* the content; each trailer in braces; then how it ended: "." done, "+" more
                         to come, or "!token" */
};

static void add(struct buf *to, const char *text)
{
    CHECK(buf_append(to, bytes_of(text)) == 0);
}

/* Decode what there is of IN; bytes consumed, or all of it after a fault. */
static size_t decode(struct http1_body *b, struct bytes in, struct buf *to, bool *is_refused)
{
    size_t used = 0;
    while (!http1_body_is_done(b)) {
        struct http1_body_item item;
        ssize_t n = http1_body_next(b, bytes_skip(in, used), &item);
        if (n < 0) {
            add(to, "!");
            add(to, http1_fault_token((enum http1_fault) - n));
            *is_refused = true;
            return in.n;
        }
        if (n == 0)
            return used;
        used += (size_t)n;
        if (item.event == HTTP1_EVENT_DATA)
            CHECK(buf_append(to, item.data) == 0);
        if (item.event == HTTP1_EVENT_TRAILER)
            CHECK(buf_printf(to, "{%.*s=%.*s}", BYTES_ARG(item.trailer.name),
                      BYTES_ARG(item.trailer.value)) == 0);
    }
    return used;
}

/* Feed INPUT so that the pieces end at FIRST, FIRST + STEP, …. */
static void run(const struct body_case *c, struct http1_head head, size_t first, size_t step)
{
    struct http1_body body;
    struct buf got;
    bool is_refused = false;
    http1_body_init(&body, &head);
    buf_init(&got, 1 << 20);
    size_t used = 0;
    for (size_t end = first; !is_refused && !http1_body_is_done(&body); end += step) {
        end = end < c->input.n ? end : c->input.n;
        uint8_t *piece = malloc(end - used ? end - used : 1);
        memcpy(piece, c->input.at + used, end - used);
        used += decode(&body, (struct bytes){piece, end - used}, &got, &is_refused);
        free(piece);
        if (end == c->input.n)
            break;
    }
    if (!is_refused)
        add(&got, http1_body_is_done(&body) ? "." : "+");
    if (!bytes_equal(buf_bytes(&got), bytes_of(c->want))) {
        test_failed = 1;
        printf("# %s (%zu, then every %zu): \"%.*s\", not \"%s\"\n", c->name, first, step,
            BYTES_ARG(bytes_first(buf_bytes(&got), 200)), c->want);
    }
    buf_fini(&got);
}

static void run_case(const struct body_case *c, struct http1_head head)
{
    run(c, head, c->input.n, 1);
    run(c, head, 1, 1);
    for (size_t split = 1; split < c->input.n && split < 200; split++)
        run(c, head, split, c->input.n);
}

static const struct http1_head chunked = {.framing = HTTP1_BODY_CHUNKED};

#define RUN_CASES(cases)                                \
    do {                                                \
        for (size_t i_ = 0; i_ < COUNT_OF(cases); i_++) \
            run_case(&(cases)[i_], chunked);            \
    } while (0)

TEST(chunks)
{
    static const struct body_case cases[] = {
        {"none", BYTES("0\r\n\r\n"), "."},
        {"two", BYTES("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /"), "hello world."},
        {"hexadecimal", BYTES("a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n"),
            "01234567890123456789."},
        {"16 digits", BYTES("0000000000000001\r\nx\r\n0\r\n\r\n"), "x."},
        {"17 digits", BYTES("00000000000000001\r\nx\r\n"), "!bad_chunk_size"},
        {"largest", BYTES("7fffffffffffffff\r\nx"), "x+"},
        {"too large", BYTES("8000000000000000\r\nx"), "!chunk_too_large"},
        {"data holds CRLF", BYTES("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n."},
        {"incomplete", BYTES("5\r\nhel"), "hel+"},
        {"without its end", BYTES("5\r\nhello\r\n0\r\n"), "hello+"},
        {"empty size", BYTES("\r\n"), "!bad_chunk_size"},
        {"0x", BYTES("0x5\r\nhello\r\n"), "!bad_chunk_size"},
        {"sign", BYTES("+5\r\nhello\r\n"), "!bad_chunk_size"},
        {"minus", BYTES("-1\r\nhello\r\n"), "!bad_chunk_size"},
        {"leading space", BYTES(" 5\r\nhello\r\n"), "!bad_chunk_size"},
        {"trailing space", BYTES("5 \r\nhello\r\n"), "!bad_chunk_size"},
        {"underscore", BYTES("1_0\r\nhello\r\n"), "!bad_chunk_size"},
        {"bare LF after the size", BYTES("5\nhello\r\n"), "!bare_lf"},
        {"bare CR after the size", BYTES("5\r\r;\r\nhello\r\n"), "!bare_cr"},
        {"NUL after the size", BYTES("5\0\r\nhello\r\n"), "!control_byte"},
        {"longer than its size", BYTES("4\r\nhello\r\n"), "hell!bad_chunk_end"},
        {"bare LF after the data", BYTES("5\r\nhello\n0\r\n\r\n"), "hello!bad_chunk_end"},
        {"bare CR after the data", BYTES("5\r\nhello\rx"), "hello!bad_chunk_end"},
    };
    RUN_CASES(cases);
}

TEST(chunk_extensions)
{
    static const struct body_case cases[] = {
        {"name", BYTES("1;a\r\nx\r\n0;b\r\n\r\n"), "x."},
        {"value", BYTES("1;a=b;c=d\r\nx\r\n0\r\n\r\n"), "x."},
        {"quoted", BYTES("1;a=\"b; c\\\"\\\\\";d=\"\"\r\nx\r\n0\r\n\r\n"), "x."},
        {"no name", BYTES("1;\r\nx\r\n"), "!bad_chunk_extension"},
        {"no value", BYTES("1;a=\r\nx\r\n"), "!bad_chunk_extension"},
        {"white space", BYTES("1 ;a\r\nx\r\n"), "!bad_chunk_size"},
        {"white space after the semicolon", BYTES("1; a\r\nx\r\n"), "!bad_chunk_extension"},
        {"white space after the name", BYTES("1;a =b\r\nx\r\n"), "!bad_chunk_extension"},
        {"quote not closed", BYTES("1;a=\"b\r\nx\r\n"), "!bad_chunk_extension"},
        {"escaped quote at the end", BYTES("1;a=\"b\\\"\r\nx\r\n"), "!bad_chunk_extension"},
        {"text after the quote", BYTES("1;a=\"b\"c\r\nx\r\n"), "!bad_chunk_extension"},
        {"bare LF in quotes", BYTES("1;a=\"\n\"\r\nx\r\n"), "!bare_lf"},
    };
    RUN_CASES(cases);
}

TEST(trailers)
{
    static const struct body_case cases[] = {
        {"two", BYTES("0\r\nA: b\r\nC:\t d \r\n\r\n"), "{A=b}{C=d}."},
        {"bare LF", BYTES("0\r\nA: b\n\r\n"), "!bare_lf"},
        {"bare LF as the end", BYTES("0\r\n\n"), "!bare_lf"},
        {"obs-fold", BYTES("0\r\nA: b\r\n c\r\n\r\n"), "{A=b}!obs_fold"},
        {"space before the colon", BYTES("0\r\nA : b\r\n\r\n"), "!space_before_colon"},
        {"no colon", BYTES("0\r\nA\r\n\r\n"), "!bad_field_name"},
        {"Content-Length", BYTES("0\r\ncontent-length: 5\r\n\r\n"), "!bad_trailer"},
        {"Transfer-Encoding", BYTES("0\r\nTransfer-Encoding: chunked\r\n\r\n"), "!bad_trailer"},
        {"Host", BYTES("0\r\nHost: a\r\n\r\n"), "!bad_trailer"},
        {"Authorization", BYTES("0\r\nAuthorization: a\r\n\r\n"), "!bad_trailer"},
        {"Client-Cert", BYTES("0\r\nClient-Cert: :a:\r\n\r\n"), "!bad_trailer"},
    };
    RUN_CASES(cases);
}

/* BEFORE, then COUNT times UNIT, then AFTER, in a static buffer. */
static struct bytes repeated(const char *before, const char *unit, size_t count, const char *after)
{
    static char text[1 << 20];
    size_t at = strlen(before);
    memcpy(text, before, at);
    for (size_t i = 0; i < count; i++, at += strlen(unit))
        memcpy(text + at, unit, strlen(unit));
    memcpy(text + at, after, strlen(after));
    return (struct bytes){(const uint8_t *)text, at + strlen(after)};
}

static void check_end(struct bytes input, const char *end)
{
    struct http1_body body;
    struct buf got;
    bool is_refused = false;
    http1_body_init(&body, &chunked);
    buf_init(&got, 1 << 20);
    decode(&body, input, &got, &is_refused);
    if (!is_refused)
        add(&got, http1_body_is_done(&body) ? "." : "+");
    CHECK(bytes_ends_with(buf_bytes(&got), bytes_of(end)));
    buf_fini(&got);
}

TEST(limits)
{
    check_end(repeated("1;", "a", 8190, "\r\nx\r\n0\r\n\r\n"), "x.");
    check_end(repeated("1;", "a", 8191, "\r\nx\r\n0\r\n\r\n"), "!chunk_line_too_long");
    check_end(repeated("0\r\n", "A: b\r\n", 100, "\r\n"), "{A=b}.");
    check_end(repeated("0\r\n", "A: b\r\n", 101, "\r\n"), "!too_many_fields");
    check_end(repeated("0\r\nA: ", "b", 8190, "\r\n\r\n"), "!field_line_too_long");

    char line[8192 + 1] = "A: ";
    memset(line + 3, 'b', 8187);
    memcpy(line + 8190, "\r\n", 3);
    check_end(repeated("0\r\n", line, 7, "\r\n"), "}.");
    check_end(repeated("0\r\n", line, 8, "\r\n"), "!head_too_large");
}

/* Extensions are dropped, so they must not be most of what we read; a stream may have a short one
 * with every chunk. */
TEST(extensions_against_content)
{
    check_end(
        repeated("", "1;abcdefghijklm\r\nx\r\n", 6000, "0\r\n\r\n"), "!many_chunk_extensions");
    check_end(repeated("", "10;abcdefghijklmn\r\n0123456789abcdef\r\n", 5000, "0\r\n\r\n"), "f.");
}

TEST(lengths)
{
    static const struct body_case five = {"five", BYTES("helloGET"), "hello."};
    run_case(&five, (struct http1_head){.framing = HTTP1_BODY_LENGTH, .content_length = 5});
    static const struct body_case cut = {"cut", BYTES("hel"), "hel+"};
    run_case(&cut, (struct http1_head){.framing = HTTP1_BODY_LENGTH, .content_length = 5});
    static const struct body_case empty = {"empty", BYTES("GET"), "."};
    run_case(&empty, (struct http1_head){.framing = HTTP1_BODY_LENGTH});
    run_case(&empty, (struct http1_head){.framing = HTTP1_BODY_NONE});
    static const struct body_case endless = {"until close", BYTES("hello"), "hello+"};
    run_case(&endless, (struct http1_head){.framing = HTTP1_BODY_UNTIL_CLOSE});
}

TEST(end_of_the_connection)
{
    struct http1_body body;
    struct http1_body_item item;
    http1_body_init(&body, &(struct http1_head){.framing = HTTP1_BODY_UNTIL_CLOSE});
    CHECK_INT(http1_body_next(&body, BYTES("abc"), &item), 3);
    CHECK_INT(http1_body_eof(&body), 0);
    CHECK(http1_body_is_done(&body));

    http1_body_init(&body, &(struct http1_head){.framing = HTTP1_BODY_LENGTH, .content_length = 4});
    CHECK_INT(http1_body_next(&body, BYTES("abc"), &item), 3);
    CHECK_INT(http1_body_eof(&body), -1);
    CHECK_INT(http1_body_next(&body, BYTES("d"), &item), 1);
    CHECK_INT(http1_body_eof(&body), 0);

    http1_body_init(&body, &chunked);
    CHECK_INT(http1_body_next(&body, BYTES("0\r\n"), &item), 3);
    CHECK_INT(http1_body_eof(&body), -1);
    CHECK_INT(http1_body_next(&body, BYTES("\r\n"), &item), 2);
    CHECK_INT(item.event, HTTP1_EVENT_END);
    CHECK_INT(http1_body_eof(&body), 0);
}
