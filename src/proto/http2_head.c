/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_head.h"

#include "base/memory.h"
#include "proto/http1_head.h"
#include "proto/http1_syntax.h"
#include "proto/http1_target.h"
#include "proto/http1_write.h"
#include "proto/http2.h"

#include "base/ban.h"

/* ---- collecting ---------------------------------------------------------------------------- */

static void forget(struct http2_block *b)
{
    memset(b->pseudo, 0, sizeof(b->pseudo));
    b->n = b->decoded = 0;
    b->fault = HTTP1_FAULT_NONE;
    b->is_dropped = false;
}

void http2_block_init(struct http2_block *b)
{
    forget(b);
    buf_init(&b->bytes, HTTP2_DECODED_MAX);
    buf_init(&b->cookie, HTTP1_LINE_MAX);
}

void http2_block_clear(struct http2_block *b)
{
    forget(b);
    buf_clear(&b->bytes);
    buf_clear(&b->cookie);
}

void http2_block_fini(struct http2_block *b)
{
    buf_fini(&b->bytes);
    buf_fini(&b->cookie);
}

void http2_block_drop(struct http2_block *b)
{
    b->is_dropped = true;
    buf_clear(&b->bytes);
    buf_clear(&b->cookie);
    buf_release(&b->bytes);
    buf_release(&b->cookie);
}

static struct http2_span keep(struct http2_block *b, struct bytes text)
{
    struct http2_span span = {(uint32_t)buf_size(&b->bytes), (uint32_t)text.n, true};
    if (buf_append(&b->bytes, text) < 0)
        b->fault = HTTP1_HEAD_TOO_LARGE;
    return span;
}

static struct bytes text_of(const struct http2_block *b, struct http2_span span)
{
    return bytes_first(bytes_skip(buf_bytes(&b->bytes), span.at), span.n);
}

static void keep_field(struct http2_block *b, struct bytes name, struct bytes value)
{
    if (b->n == HTTP1_FIELDS_MAX) {
        b->fault = HTTP1_TOO_MANY_FIELDS;
        return;
    }
    b->names[b->n] = keep(b, name);
    b->values[b->n] = keep(b, value);
    b->n++;
}

static void keep_pseudo(struct http2_block *b, struct bytes name, struct bytes value)
{
    static const struct bytes names[HTTP2_PSEUDO_COUNT] = {
        [HTTP2_PSEUDO_METHOD] = BYTES(":method"),
        [HTTP2_PSEUDO_SCHEME] = BYTES(":scheme"),
        [HTTP2_PSEUDO_AUTHORITY] = BYTES(":authority"),
        [HTTP2_PSEUDO_PATH] = BYTES(":path"),
        [HTTP2_PSEUDO_STATUS] = BYTES(":status"),
    };
    for (size_t i = 0; i < HTTP2_PSEUDO_COUNT; i++)
        if (bytes_equal(name, names[i]) && !b->pseudo[i].is_there) {
            b->pseudo[i] = keep(b, value);
            return;
        }
    /* RFC 9113 §8.3: any other, or one twice, makes the message malformed. */
    b->fault = HTTP1_BAD_PSEUDO_FIELD;
}

/* RFC 9113 §8.2.3: before they are passed on in another context, crumbs MUST be concatenated into a
 * single one, with "; " between them. */
static void keep_crumb(struct http2_block *b, struct bytes value)
{
    int result = buf_size(&b->cookie) ? buf_append(&b->cookie, BYTES("; ")) : 0;
    if (result < 0 || buf_append(&b->cookie, value) < 0)
        b->fault = HTTP1_FIELD_LINE_TOO_LONG;
}

int http2_block_add(struct http2_block *b, struct bytes name, struct bytes value)
{
    static const size_t line_overhead = 4; /* ": " and CRLF */
    b->decoded += name.n + value.n + line_overhead;
    if (b->decoded > HTTP2_DECODED_MAX)
        return -1;
    if (b->fault || b->is_dropped)
        return 0;
    if (b->decoded > HTTP1_HEAD_MAX)
        b->fault = HTTP1_HEAD_TOO_LARGE;
    else if (name.n + value.n + line_overhead > HTTP1_LINE_MAX)
        b->fault =
            name.n && name.at[0] == ':' ? HTTP1_START_LINE_TOO_LONG : HTTP1_FIELD_LINE_TOO_LONG;
    else if (name.n && name.at[0] == ':')
        keep_pseudo(b, name, value);
    else if (bytes_equal(name, BYTES("cookie")))
        keep_crumb(b, value);
    else
        keep_field(b, name, value);
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* RFC 9113 §8.2.1: a name of other characters than a token's lower-case ones, or a value with NUL,
 * LF or CR, is malformed; §8.2.2: so are fields of the connection. The framing layer refuses most
 * of this by itself; what is passed on as HTTP/1.1 is looked at here, whoever reads the frames. */
static int check_field(const struct http1_field *f)
{
    static const struct bytes of_connection[] = {BYTES("connection"), BYTES("keep-alive"),
        BYTES("proxy-connection"), BYTES("transfer-encoding"), BYTES("upgrade")};
    if (!http1_is_lower_token(f->name))
        return -HTTP1_BAD_FIELD_NAME;
    if (!http1_is_text(f->value))
        return -HTTP1_CONTROL_BYTE;
    for (size_t i = 0; i < COUNT_OF(of_connection); i++)
        if (bytes_equal(f->name, of_connection[i]))
            return -HTTP1_BAD_CONNECTION;
    if (bytes_equal(f->name, BYTES("te")) && !bytes_equal_nocase(f->value, BYTES("trailers")))
        return -HTTP1_BAD_CONNECTION;
    return 0;
}

static int read_fields(struct http2_block *b, struct http1_head *out)
{
    if (!b->fault && buf_size(&b->cookie))
        keep_field(b, BYTES("cookie"), buf_bytes(&b->cookie));
    if (b->fault)
        return -(int)b->fault;
    for (size_t i = 0; i < b->n; i++) {
        out->fields[i] = (struct http1_field){text_of(b, b->names[i]), text_of(b, b->values[i])};
        int result = check_field(&out->fields[i]);
        if (result < 0)
            return result;
        out->fields[i].value = bytes_trim(out->fields[i].value);
    }
    out->fields_n = b->n;
    return 0;
}

static void begin(struct http1_head *out)
{
    *out = (struct http1_head){.minor_version = 1, .is_http2 = true, .keep_alive = true};
}

/* RFC 9113 §8.3.1: a request has exactly these, and CONNECT is not offered. */
static int read_request_line(const struct http2_block *b, struct http1_head *out)
{
    const struct http2_span *p = b->pseudo;
    if (!p[HTTP2_PSEUDO_METHOD].is_there || p[HTTP2_PSEUDO_STATUS].is_there)
        return -HTTP1_BAD_PSEUDO_FIELD;
    out->method = text_of(b, p[HTTP2_PSEUDO_METHOD]);
    int result = http1_check_method(out->method);
    if (result < 0)
        return result;
    if (!p[HTTP2_PSEUDO_SCHEME].is_there || !p[HTTP2_PSEUDO_PATH].is_there)
        return -HTTP1_BAD_PSEUDO_FIELD;
    struct bytes scheme = text_of(b, p[HTTP2_PSEUDO_SCHEME]);
    if (!bytes_equal_nocase(scheme, BYTES("https")) && !bytes_equal_nocase(scheme, BYTES("http")))
        return -HTTP1_BAD_SCHEME;
    out->target = text_of(b, p[HTTP2_PSEUDO_PATH]);
    /* Path and query, or "*"; a whole URI has its parts in fields of their own. */
    if (!bytes_starts_with(out->target, BYTES("/")) && !bytes_equal(out->target, BYTES("*")))
        return -HTTP1_BAD_TARGET;
    return http1_split_target(out);
}

/* RFC 9113 §8.3.1: a server SHOULD treat a request as malformed whose Host identifies another
 * entity than its :authority. */
static int read_authority(
    const struct http2_block *b, const struct http1_survey *s, struct http1_head *out)
{
    const struct http1_field *host = s->of[HTTP1_KNOWN_HOST].first;
    struct http2_span authority = b->pseudo[HTTP2_PSEUDO_AUTHORITY];
    if (s->of[HTTP1_KNOWN_HOST].n > 1)
        return -HTTP1_MANY_HOSTS;
    if (!authority.is_there && !host)
        return -HTTP1_MISSING_HOST;
    out->authority = authority.is_there ? text_of(b, authority) : host->value;
    if (host && !bytes_equal_nocase(host->value, out->authority))
        return -HTTP1_HOST_MISMATCH;
    return http1_check_authority(out->authority);
}

/* Without a length the body ends with the stream: as the chunked coding ends by itself. */
static void set_framing(bool is_last, struct http1_head *out)
{
    if (!is_last && out->framing == HTTP1_BODY_NONE)
        out->framing = HTTP1_BODY_CHUNKED;
}

/* RFC 9113 §8.1.1: a request is malformed if Content-Length does not equal the sum of its DATA. */
static int check_length(bool is_last, const struct http1_head *out)
{
    return is_last && out->content_length ? -HTTP1_BAD_CONTENT_LENGTH : 0;
}

int http2_read_request(struct http2_block *b, bool is_last, struct http1_head *out)
{
    struct http1_survey survey;
    begin(out);
    int result = read_fields(b, out);
    if (result == 0)
        result = read_request_line(b, out);
    if (result < 0)
        return result;
    http1_take_survey(out, &survey);
    result = read_authority(b, &survey, out);
    if (result == 0)
        result = http1_read_framing(&survey, out);
    if (result == 0)
        result = check_length(is_last, out);
    if (result < 0)
        return result;
    set_framing(is_last, out);
    return http1_read_expect(&survey, out);
}

static int read_status(const struct http2_block *b, struct http1_head *out)
{
    struct http2_span span = b->pseudo[HTTP2_PSEUDO_STATUS];
    struct bytes text = text_of(b, span);
    if (!span.is_there || text.n != 3)
        return -HTTP1_BAD_STATUS;
    for (size_t i = 0; i < 3; i++) {
        unsigned digit = (unsigned)text.at[i] - '0';
        if (digit > 9)
            return -HTTP1_BAD_STATUS;
        out->status = out->status * 10 + digit;
    }
    /* RFC 9113 §8.6: 101 has no meaning here. */
    return out->status < 100 || out->status > 599 || out->status == 101 ? -HTTP1_BAD_STATUS : 0;
}

void http2_begin_response(struct http1_head *out, unsigned status)
{
    begin(out);
    out->status = status;
    out->reason = bytes_of(http1_reason_phrase(status));
}

int http2_read_response(
    struct http2_block *b, bool is_last, struct bytes request_method, struct http1_head *out)
{
    struct http1_survey survey;
    begin(out);
    int result = read_fields(b, out);
    if (result == 0)
        result = read_status(b, out);
    if (result < 0)
        return result;
    out->reason = bytes_of(http1_reason_phrase(out->status));
    http1_take_survey(out, &survey);
    result = http1_read_framing(&survey, out);
    if (result < 0)
        return result;
    bool is_bare = out->status < 200 || out->status == 204;
    if (is_bare && out->content_length)
        return -HTTP1_BODY_FORBIDDEN;
    if (is_bare || out->status == 304 || bytes_equal(request_method, BYTES("HEAD"))) {
        out->framing = HTTP1_BODY_NONE;
        return 0;
    }
    /* To a client of HTTP/1.1 it must be said that nothing follows. */
    if (is_last && out->framing == HTTP1_BODY_NONE)
        out->framing = HTTP1_BODY_LENGTH;
    set_framing(is_last, out);
    return check_length(is_last, out);
}

int http2_read_trailers(struct http2_block *b, struct http1_head *out)
{
    begin(out);
    /* RFC 9113 §8.1: pseudo-header fields MUST NOT appear in a trailer section. */
    for (size_t i = 0; i < HTTP2_PSEUDO_COUNT; i++)
        if (b->pseudo[i].is_there)
            return -HTTP1_BAD_PSEUDO_FIELD;
    int result = read_fields(b, out);
    for (size_t i = 0; i < out->fields_n && result == 0; i++)
        if (http1_is_forbidden_trailer(out->fields[i].name))
            result = -HTTP1_BAD_TRAILER;
    return result;
}
