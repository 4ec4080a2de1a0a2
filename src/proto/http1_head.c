/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_head.h"

#include <assert.h>

#include "base/panic.h"
#include "proto/http1_syntax.h"

#include "base/ban.h"

/*
 * Where a head that comes in pieces has got to. Complete lines are checked once, as they come, and
 * bytes of the last, incomplete line are looked at once; so a head costs the same in one piece and
 * byte by byte, plus one more reading when it is complete, because the caller may have moved the
 * bytes that slices of earlier calls would point to.
 */
struct progress {
    size_t line;  /* offset of the first incomplete line */
    size_t seen;  /* bytes of that line that were looked at */
    size_t lines; /* complete lines, start line and fields */
};

#define OFFSET_BITS 17
#define LINES_BITS  8
static_assert(HTTP1_HEAD_MAX < 1 << OFFSET_BITS && HTTP1_FIELDS_MAX + 1 < 1 << LINES_BITS,
    "the maxima fit into what the caller keeps for us");
static_assert(2 * OFFSET_BITS + LINES_BITS <= 8 * sizeof(size_t), "size_t has 64 bits");

static size_t bits(size_t packed, unsigned from, unsigned n)
{
    return packed >> from & (((size_t)1 << n) - 1);
}

static struct progress unpack(size_t packed)
{
    return (struct progress){
        .line = bits(packed, 0, OFFSET_BITS),
        .seen = bits(packed, OFFSET_BITS, OFFSET_BITS),
        .lines = bits(packed, 2 * OFFSET_BITS, LINES_BITS),
    };
}

static size_t pack(const struct progress *p)
{
    return p->line | p->seen << OFFSET_BITS | p->lines << (2 * OFFSET_BITS);
}

static struct http1_line_limit line_limit(const struct progress *p)
{
    struct http1_line_limit limit = http1_field_line_limit(p->line);
    if (p->lines == 0)
        limit.fault = HTTP1_START_LINE_TOO_LONG;
    return limit;
}

static int read_field(struct bytes line, size_t index, struct http1_head *out)
{
    if (index == HTTP1_FIELDS_MAX)
        return -HTTP1_TOO_MANY_FIELDS;
    out->fields_n = index + 1;
    return http1_split_field(line, &out->fields[index]);
}

static ssize_t read_lines(struct bytes in, struct progress *p, const struct http1_start_line *start,
    struct http1_head *out)
{
    for (;;) {
        ssize_t n = http1_scan_line(bytes_skip(in, p->line), &p->seen, line_limit(p));
        if (n <= 0)
            return n;
        struct bytes line = {in.at + p->line, (size_t)n - 2};
        p->line += (size_t)n;
        p->seen = 0;
        if (!line.n && p->lines)
            return (ssize_t)p->line;
        /* Before the start line there are only empty lines, of two bytes each. */
        if (!line.n && p->line <= 2 * start->empty_lines_max)
            continue;
        int result = p->lines ? read_field(line, p->lines - 1, out) : start->parse(line, out);
        if (result < 0)
            return result;
        p->lines++;
    }
}

/* All but the fields themselves, which fields_n covers. */
static void reset_head(struct http1_head *h)
{
    memset(h, 0, offsetof(struct http1_head, fields));
    h->fields_n = 0;
    h->framing = HTTP1_BODY_NONE;
    h->content_length = 0;
    h->keep_alive = false;
    h->upgrades = false;
}

ssize_t http1_read_head(
    struct bytes in, size_t *scanned, const struct http1_start_line *start, struct http1_head *out)
{
    struct progress p = unpack(*scanned);
    ASSERT(p.line + p.seen <= in.n);
    bool is_resumed = *scanned != 0;
    reset_head(out);
    ssize_t n = read_lines(in, &p, start, out);
    *scanned = n ? 0 : pack(&p);
    if (n <= 0 || !is_resumed)
        return n;
    reset_head(out);
    p = (struct progress){0};
    return read_lines(in, &p, start, out);
}

int http1_read_version(struct bytes version, enum http1_fault malformed, struct http1_head *out)
{
    const struct bytes name = BYTES("HTTP/");
    /* RFC 9112 §2.3: HTTP-version = HTTP-name "/" DIGIT "." DIGIT, case-sensitive */
    if (version.n != name.n + 3 || !bytes_starts_with(version, name) || version.at[6] != '.')
        return -(int)malformed;
    unsigned major = (unsigned)version.at[5] - '0', minor = (unsigned)version.at[7] - '0';
    if (major > 9 || minor > 9)
        return -(int)malformed;
    out->minor_version = minor;
    return major == 1 && minor <= 1 ? 0 : -HTTP1_BAD_VERSION;
}

void http1_take_survey(const struct http1_head *h, struct http1_survey *s)
{
#define ROW(known, name) [sizeof(name) - 1] = { BYTES(name), HTTP1_KNOWN_##known }
    /* No two are equally long. */
    static const struct {
        struct bytes name;
        enum http1_known known;
    } rows[] = {
        ROW(HOST, "host"),
        ROW(CONTENT_LENGTH, "content-length"),
        ROW(TRANSFER_ENCODING, "transfer-encoding"),
        ROW(CONNECTION, "connection"),
        ROW(UPGRADE, "upgrade"),
        ROW(EXPECT, "expect"),
    };
#undef ROW
    *s = (struct http1_survey){0};
    for (const struct http1_field *f = h->fields; f < h->fields + h->fields_n; f++) {
        size_t n = f->name.n;
        if (n && n < COUNT_OF(rows) && bytes_equal_nocase(f->name, rows[n].name) &&
            !s->of[rows[n].known].n++)
            s->of[rows[n].known].first = f;
    }
}

static int read_content_length(struct bytes value, uint64_t *length)
{
    /* RFC 9110 §8.6: Content-Length = 1*DIGIT; a recipient MUST anticipate large numerals and
     * prevent errors due to overflow. A list of equal numbers, which a recipient may repair, is
     * refused. */
    uint64_t n = 0;
    for (size_t i = 0; i < value.n; i++) {
        unsigned digit = (unsigned)value.at[i] - '0';
        if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
            return -HTTP1_BAD_CONTENT_LENGTH;
        n = n * 10 + digit;
    }
    *length = n;
    return value.n ? 0 : -HTTP1_BAD_CONTENT_LENGTH;
}

/* We decode chunked and nothing else, and need it to be there once and last (RFC 9112 §6.1, §6.3).
 */
static int check_coding(struct bytes value)
{
    struct bytes coding = {NULL, 0};
    size_t codings = 0, chunked = 0;
    bool is_chunked = false;
    while (http1_next_element(&value, &coding)) {
        is_chunked = bytes_equal_nocase(coding, BYTES("chunked"));
        chunked += is_chunked;
        codings++;
    }
    /* RFC 9112 §6.1: a sender MUST NOT apply the chunked transfer coding more than once. §6.3:
     * where chunked is not the final encoding, the length of a request cannot be determined
     * reliably, and the server MUST answer 400. */
    if (codings == 0 || chunked > 1 || (chunked == 1 && !is_chunked))
        return -HTTP1_BAD_CODING;
    /* RFC 9112 §6.1: a transfer coding that the server does not understand: 501. */
    return codings > 1 || !chunked ? -HTTP1_UNKNOWN_CODING : 0;
}

int http1_read_framing(const struct http1_survey *s, struct http1_head *h)
{
    const size_t lengths = s->of[HTTP1_KNOWN_CONTENT_LENGTH].n;
    const size_t codings = s->of[HTTP1_KNOWN_TRANSFER_ENCODING].n;
    h->framing = HTTP1_BODY_NONE;
    /* RFC 9112 §6.3: such a message might indicate an attempt at request smuggling and ought to be
     * handled as an error. */
    if (lengths && codings)
        return -HTTP1_LENGTH_WITH_CODING;
    if (lengths > 1)
        return -HTTP1_CONFLICTING_LENGTHS;
    if (lengths) {
        h->framing = HTTP1_BODY_LENGTH;
        return read_content_length(
            s->of[HTTP1_KNOWN_CONTENT_LENGTH].first->value, &h->content_length);
    }
    if (!codings)
        return 0;
    /* RFC 9112 §6.1: Transfer-Encoding was added in HTTP/1.1; its framing in an HTTP/1.0 message is
     * to be treated as faulty. */
    if (h->minor_version == 0)
        return -HTTP1_CODING_IN_HTTP10;
    if (codings > 1)
        return -HTTP1_BAD_CODING;
    h->framing = HTTP1_BODY_CHUNKED;
    return check_coding(s->of[HTTP1_KNOWN_TRANSFER_ENCODING].first->value);
}

static int check_connection(const struct http1_head *h)
{
    /* RFC 9110 §7.6.1: a sender MUST NOT send an option that corresponds to a field for all
     * recipients. Who obeys drops the named field on the way, and for these that changes where a
     * message goes or where it ends. */
    static const char *const essential[] = {"host", "content-length", "transfer-encoding"};
    size_t bytes = 0;
    for (const struct http1_field *f = h->fields; f < h->fields + h->fields_n; f++) {
        if (!bytes_equal_nocase(f->name, BYTES("connection")))
            continue;
        bytes += f->value.n;
        if (bytes > HTTP1_CONNECTION_MAX)
            return -HTTP1_BAD_CONNECTION;
        struct bytes list = f->value, option;
        while (http1_next_element(&list, &option)) {
            if (!http1_is_token(option))
                return -HTTP1_BAD_CONNECTION;
            for (size_t i = 0; i < COUNT_OF(essential); i++)
                if (bytes_equal_nocase(option, bytes_of(essential[i])))
                    return -HTTP1_BAD_CONNECTION;
        }
    }
    return 0;
}

int http1_read_connection(const struct http1_survey *s, struct http1_head *h)
{
    bool is_old = h->minor_version == 0;
    h->keep_alive = !is_old;
    if (!s->of[HTTP1_KNOWN_CONNECTION].n)
        return 0;
    if (check_connection(h) < 0)
        return -HTTP1_BAD_CONNECTION;
    /* RFC 9112 §9.3 */
    if (is_old)
        h->keep_alive = http1_list_has(h, "connection", BYTES("keep-alive"));
    if (http1_list_has(h, "connection", BYTES("close")))
        h->keep_alive = false;
    /* RFC 9110 §7.8: Upgrade has no meaning without the option; a server MUST ignore it in an
     * HTTP/1.0 request. */
    h->upgrades = !is_old && s->of[HTTP1_KNOWN_UPGRADE].n &&
                  http1_list_has(h, "connection", BYTES("upgrade"));
    return 0;
}

const struct http1_field *http1_find(const struct http1_head *h, const char *name)
{
    struct bytes wanted = bytes_of(name);
    for (size_t i = 0; i < h->fields_n; i++)
        if (bytes_equal_nocase(h->fields[i].name, wanted))
            return &h->fields[i];
    return NULL;
}

bool http1_list_has(const struct http1_head *h, const char *name, struct bytes token)
{
    struct bytes wanted = bytes_of(name);
    for (size_t i = 0; i < h->fields_n; i++) {
        if (!bytes_equal_nocase(h->fields[i].name, wanted))
            continue;
        struct bytes list = h->fields[i].value, element;
        while (http1_next_element(&list, &element))
            if (bytes_equal_nocase(element, token))
                return true;
    }
    return false;
}

bool http1_takes_trailers(const struct http1_head *request)
{
    /* RFC 9110 §10.1.4: a sender of TE MUST also send the connection option. Without it, somebody
     * before us may have passed the field on without knowing it. HTTP/2 has no such option. */
    return request->minor_version > 0 &&
           (request->is_http2 || http1_list_has(request, "connection", BYTES("te"))) &&
           http1_list_has(request, "te", BYTES("trailers"));
}

bool http1_is_hop_by_hop(const struct http1_head *h, struct bytes name)
{
    static const struct bytes names[] = {BYTES("connection"), BYTES("http2-settings"),
        BYTES("keep-alive"), BYTES("proxy-connection"), BYTES("te"), BYTES("transfer-encoding"),
        BYTES("upgrade")};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (bytes_equal_nocase(name, names[i]))
            return true;
    /* RFC 9110 §7.6.1: intermediaries MUST remove any field with the same name as a connection
     * option. */
    return http1_list_has(h, "connection", name);
}
