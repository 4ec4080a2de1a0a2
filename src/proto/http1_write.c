/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_write.h"

#include <stdio.h>

#include "base/panic.h"
#include "proto/http1_syntax.h"

#include "base/ban.h"

/* The IANA registry of HTTP status codes (RFC 9110 §16.2.1). */
static const char *const phrases[600] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

/* Appended together or not at all. */
static int append_all(struct buf *b, const struct bytes *pieces, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += pieces[i].n;
    if (n > buf_room(b))
        return -1;
    uint8_t *to = buf_space(b, n);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].n)
            memcpy(to, pieces[i].at, pieces[i].n);
        to += pieces[i].n;
    }
    buf_added(b, n);
    return 0;
}

static bool is_target(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.at[i] <= ' ' || b.at[i] >= 0x7f)
            return false;
    return b.n > 0;
}

int http1_write_request_line(struct buf *b, struct bytes method, struct bytes target)
{
    if (!http1_is_token(method) || !is_target(target))
        return -1;
    const struct bytes pieces[] = {method, BYTES(" "), target, BYTES(" HTTP/1.1\r\n")};
    return append_all(b, pieces, COUNT_OF(pieces));
}

int http1_write_status_line(struct buf *b, unsigned status, struct bytes reason)
{
    ASSERT(status >= 100 && status <= 599);
    if (!http1_is_text(reason))
        return -1;
    const uint8_t digits[] = {(uint8_t)('0' + status / 100), (uint8_t)('0' + status / 10 % 10),
        (uint8_t)('0' + status % 10)};
    const struct bytes pieces[] = {
        BYTES("HTTP/1.1 "), {digits, sizeof(digits)}, BYTES(" "), reason, BYTES("\r\n")};
    return append_all(b, pieces, COUNT_OF(pieces));
}

int http1_write_status(struct buf *b, unsigned status)
{
    return http1_write_status_line(b, status, bytes_of(http1_reason_phrase(status)));
}

int http1_write_field(struct buf *b, struct bytes name, struct bytes value)
{
    if (!http1_is_token(name) || !http1_is_text(value))
        return -1;
    const struct bytes pieces[] = {name, BYTES(": "), value, BYTES("\r\n")};
    return append_all(b, pieces, COUNT_OF(pieces));
}

int http1_write_end(struct buf *b)
{
    return buf_append(b, BYTES("\r\n"));
}

int http1_write_chunk_begin(struct buf *b, uint64_t size)
{
    ASSERT(size > 0 && size <= INT64_MAX);
    char line[sizeof("7fffffffffffffff\r\n")];
    snprintf(line, sizeof(line), "%llx\r\n", (unsigned long long)size);
    return buf_append(b, bytes_of(line));
}

int http1_write_chunk_end(struct buf *b)
{
    return buf_append(b, BYTES("\r\n"));
}

int http1_write_last_chunk(struct buf *b)
{
    return buf_append(b, BYTES("0\r\n"));
}

const char *http1_reason_phrase(unsigned status)
{
    const char *phrase = status < COUNT_OF(phrases) ? phrases[status] : NULL;
    return phrase ? phrase : "";
}
