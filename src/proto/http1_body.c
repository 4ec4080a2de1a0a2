/* SPDX-License-Identifier: Apache-2.0 */
#include "base/panic.h"
#include "proto/http1_head.h"
#include "proto/http1_syntax.h"

#include "base/ban.h"

/* clang-format off */
/*
 *            +-------------------------------+
 *            v                               |
 *   CHUNK_SIZE --> CHUNK_DATA --> CHUNK_END -+     DATA --> DONE   a length, or until close
 *            |
 *            +--> TRAILERS --> DONE                DONE            no body, or a length of 0
 */
/* clang-format on */

#define CHUNK_DIGITS_MAX 16

void http1_body_init(struct http1_body *b, const struct http1_head *head)
{
    static const enum http1_body_state first[] = {
        [HTTP1_BODY_NONE] = HTTP1_BODY_DONE,
        [HTTP1_BODY_LENGTH] = HTTP1_BODY_DATA,
        [HTTP1_BODY_CHUNKED] = HTTP1_CHUNK_SIZE,
        [HTTP1_BODY_UNTIL_CLOSE] = HTTP1_BODY_DATA,
    };
    *b = (struct http1_body){.framing = head->framing, .state = first[head->framing]};
    if (head->framing != HTTP1_BODY_LENGTH)
        return;
    b->left = head->content_length;
    if (!b->left)
        b->state = HTTP1_BODY_DONE;
}

/* At most LEFT bytes of IN. */
static struct bytes take_data(struct http1_body *b, struct bytes in)
{
    struct bytes data = in.n < b->left ? in : bytes_first(in, (size_t)b->left);
    b->left -= data.n;
    return data;
}

static ssize_t next_data(struct http1_body *b, struct bytes in, struct http1_body_item *out)
{
    if (b->framing == HTTP1_BODY_UNTIL_CLOSE) {
        out->data = in;
        return (ssize_t)in.n;
    }
    out->data = take_data(b, in);
    if (!b->left)
        b->state = HTTP1_BODY_DONE;
    return (ssize_t)out->data.n;
}

/* ---- chunk-size lines ---------------------------------------------------------------------- */

/* RFC 9112 §7.1: chunk-size = 1*HEXDIG; recipients MUST anticipate large numerals. No sign, no 0x,
 * no white space. Digits read from the start of LINE, or -fault. */
static ssize_t read_size(struct bytes line, uint64_t *size)
{
    size_t n = 0;
    *size = 0;
    for (; n < line.n && http1_hex_value(line.at[n]) >= 0; n++) {
        if (n == CHUNK_DIGITS_MAX)
            return -HTTP1_BAD_CHUNK_SIZE;
        *size = *size << 4 | (uint64_t)http1_hex_value(line.at[n]);
    }
    if (n == 0 || (n < line.n && line.at[n] != ';'))
        return -HTTP1_BAD_CHUNK_SIZE;
    return *size > INT64_MAX ? -HTTP1_CHUNK_TOO_LARGE : (ssize_t)n;
}

static size_t token_length(struct bytes b)
{
    size_t n = 0;
    while (n < b.n && http1_is_tchar(b.at[n]))
        n++;
    return n;
}

/* The length of the quoted-string at the start of B with its quotes, or 0 (RFC 9110 §5.6.4). A
 * scanned line holds no bytes that qdtext and quoted-pair do not allow. */
static size_t quoted_length(struct bytes b)
{
    for (size_t i = 1; i < b.n; i++) {
        if (b.at[i] == '"')
            return i + 1;
        if (b.at[i] == '\\')
            i++;
    }
    return 0;
}

/* RFC 9112 §7.1.1: *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ). "Bad" white space
 * is only for recipients that repair, and others read past it differently: refused. */
static bool are_extensions(struct bytes b)
{
    while (b.n) {
        if (b.at[0] != ';')
            return false;
        b = bytes_skip(b, 1);
        size_t name = token_length(b);
        if (!name)
            return false;
        b = bytes_skip(b, name);
        if (!b.n || b.at[0] != '=')
            continue;
        b = bytes_skip(b, 1);
        size_t value = b.n && b.at[0] == '"' ? quoted_length(b) : token_length(b);
        if (!value)
            return false;
        b = bytes_skip(b, value);
    }
    return true;
}

/* RFC 9112 §7.1.1: a recipient ought to limit the total length of chunk extensions. Ours is against
 * the content, so that a long stream may carry some with every chunk. */
static int count_extensions(struct http1_body *b, size_t n, uint64_t content)
{
    b->extension_bytes += n;
    if (b->extension_bytes > HTTP1_EXTENSIONS_MAX)
        return -HTTP1_MANY_CHUNK_EXTENSIONS;
    b->extension_bytes -= content < b->extension_bytes ? content : b->extension_bytes;
    return 0;
}

static ssize_t next_chunk_size(struct http1_body *b, struct bytes in)
{
    static const struct http1_line_limit limit = {HTTP1_LINE_MAX + 2, HTTP1_CHUNK_LINE_TOO_LONG};
    ssize_t n = http1_scan_line(in, &b->scanned, limit);
    if (n <= 0)
        return n;
    b->scanned = 0;
    struct bytes line = bytes_first(in, (size_t)n - 2);
    ssize_t digits = read_size(line, &b->left);
    if (digits < 0)
        return digits;
    struct bytes extensions = bytes_skip(line, (size_t)digits);
    if (!are_extensions(extensions))
        return -HTTP1_BAD_CHUNK_EXTENSION;
    int result = count_extensions(b, extensions.n, b->left);
    if (result < 0)
        return result;
    b->state = b->left ? HTTP1_CHUNK_DATA : HTTP1_TRAILERS;
    return n;
}

/* ---- the rest of the chunked coding -------------------------------------------------------- */

static ssize_t next_chunk_data(struct http1_body *b, struct bytes in, struct http1_body_item *out)
{
    out->data = take_data(b, in);
    if (!b->left)
        b->state = HTTP1_CHUNK_END;
    return (ssize_t)out->data.n;
}

static ssize_t next_chunk_end(struct http1_body *b, struct bytes in)
{
    struct bytes got = bytes_first(in, 2);
    if (!bytes_starts_with(BYTES("\r\n"), got))
        return -HTTP1_BAD_CHUNK_END;
    if (got.n < 2)
        return 0;
    b->state = HTTP1_CHUNK_SIZE;
    return 2;
}

/* RFC 9110 §6.5.1: fields for framing, routing, authentication, request modifiers, response
 * controls and content format may not be sent as trailers, because they are needed, or were acted
 * upon, before the content. */
bool http1_is_forbidden_trailer(struct bytes name)
{
    static const char *const names[] = {"content-length", "transfer-encoding", "trailer",
        "content-encoding", "content-type", "content-range", "host", "connection", "keep-alive",
        "proxy-connection", "upgrade", "te", "expect", "max-forwards", "cache-control", "pragma",
        "range", "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
        "cookie", "set-cookie", "location", "forwarded", "client-cert", "client-cert-chain"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (bytes_equal_nocase(name, bytes_of(names[i])))
            return true;
    return false;
}

static ssize_t next_trailer(struct http1_body *b, struct bytes in, struct http1_body_item *out)
{
    ssize_t n = http1_scan_line(in, &b->scanned, http1_field_line_limit(b->trailer_bytes));
    if (n <= 0)
        return n;
    b->scanned = 0;
    b->trailer_bytes += (size_t)n;
    if (n == 2) {
        out->event = HTTP1_EVENT_END;
        b->state = HTTP1_BODY_DONE;
        return n;
    }
    if (b->trailers_n++ == HTTP1_FIELDS_MAX)
        return -HTTP1_TOO_MANY_FIELDS;
    out->event = HTTP1_EVENT_TRAILER;
    int result = http1_split_field(bytes_first(in, (size_t)n - 2), &out->trailer);
    if (result < 0)
        return result;
    return http1_is_forbidden_trailer(out->trailer.name) ? -HTTP1_BAD_TRAILER : n;
}

ssize_t http1_body_next(struct http1_body *b, struct bytes in, struct http1_body_item *out)
{
    *out = (struct http1_body_item){.event = HTTP1_EVENT_DATA};
    switch (b->state) {
    case HTTP1_BODY_DATA:
        return next_data(b, in, out);
    case HTTP1_CHUNK_SIZE:
        return next_chunk_size(b, in);
    case HTTP1_CHUNK_DATA:
        return next_chunk_data(b, in, out);
    case HTTP1_CHUNK_END:
        return next_chunk_end(b, in);
    case HTTP1_TRAILERS:
        return next_trailer(b, in, out);
    case HTTP1_BODY_DONE:
        return 0;
    }
    panic("http1_body: state %d", (int)b->state);
}

int http1_body_eof(struct http1_body *b)
{
    if (b->framing == HTTP1_BODY_UNTIL_CLOSE)
        b->state = HTTP1_BODY_DONE;
    return http1_body_is_done(b) ? 0 : -1;
}
