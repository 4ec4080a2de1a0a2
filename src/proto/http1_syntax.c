/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_syntax.h"

#include "base/ban.h"

#define DEL 0x7f

static const bool tchars[256] = {
    ['!'] = true,
    ['#'] = true,
    ['$'] = true,
    ['%'] = true,
    ['&'] = true,
    ['\''] = true,
    ['*'] = true,
    ['+'] = true,
    ['-'] = true,
    ['.'] = true,
    ['^'] = true,
    ['_'] = true,
    ['`'] = true,
    ['|'] = true,
    ['~'] = true,
    ['0' ... '9'] = true,
    ['A' ... 'Z'] = true,
    ['a' ... 'z'] = true,
};

bool http1_is_tchar(uint8_t c)
{
    return tchars[c];
}

bool http1_is_token(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!tchars[b.at[i]])
            return false;
    return b.n > 0;
}

bool http1_is_lower_token(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!tchars[b.at[i]] || b.at[i] != bytes_lower(b.at[i]))
            return false;
    return b.n > 0;
}

static bool is_control(uint8_t c)
{
    return c < ' ' || c == DEL;
}

/* Is one of eight bytes a control? Each byte of the first term has its high bit where it is below
 * a space, of the second where it is DEL; a borrow may set others above, only if there is one. */
static bool has_control(const uint8_t *at)
{
    const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
    uint64_t eight;
    memcpy(&eight, at, sizeof(eight));
    uint64_t del = eight ^ DEL * ones;
    return (((eight - ' ' * ones) & ~eight) | ((del - ones) & ~del)) & high;
}

/* How many bytes are before the first control, tabs included. Most of a head is looked at here. */
static size_t before_control(struct bytes b)
{
    size_t i = 0;
    while (b.n - i >= sizeof(uint64_t) && !has_control(b.at + i))
        i += sizeof(uint64_t);
    while (i < b.n && !is_control(b.at[i]))
        i++;
    return i;
}

bool http1_is_text(struct bytes b)
{
    size_t n;
    while ((n = before_control(b)) < b.n && b.at[n] == '\t')
        b = bytes_skip(b, n + 1);
    return n == b.n;
}

struct http1_line_limit http1_field_line_limit(size_t used)
{
    size_t left = HTTP1_HEAD_MAX - used;
    if (left < HTTP1_LINE_MAX + 2)
        return (struct http1_line_limit){left, HTTP1_HEAD_TOO_LARGE};
    return (struct http1_line_limit){HTTP1_LINE_MAX + 2, HTTP1_FIELD_LINE_TOO_LONG};
}

ssize_t http1_scan_line(struct bytes in, size_t *seen, struct http1_line_limit limit)
{
    struct bytes window = bytes_first(in, limit.bytes);
    size_t i = *seen;
    for (; (i += before_control(bytes_skip(window, i))) < window.n; i++) {
        uint8_t c = window.at[i];
        if (c == '\t')
            continue;
        /* RFC 9112 §2.2: a recipient MAY recognise a single LF as a line terminator. We do not:
         * what one parser takes for the end of a line and the next for a part of it is how requests
         * are smuggled. */
        if (c == '\n')
            return -HTTP1_BARE_LF;
        /* RFC 9110 §5.5: field values with CR, LF or NUL are invalid and dangerous; other control
         * bytes are invalid too, and no start line or chunk line has room for them. */
        if (c != '\r')
            return -HTTP1_CONTROL_BYTE;
        if (i + 1 == window.n)
            break;
        if (window.at[i + 1] != '\n')
            return -HTTP1_BARE_CR;
        return (ssize_t)i + 2;
    }
    *seen = i;
    /* The window ends here, so that no later byte could still end the line within its limit. */
    return window.n == limit.bytes ? -(ssize_t)limit.fault : 0;
}

int http1_split_field(struct bytes line, struct http1_field *out)
{
    /* RFC 9112 §5.2: a server that receives an obs-fold in a request MUST reject it or replace it;
     * we reject. §2.2: white space between the start line and the first field line likewise. */
    if (line.n && (line.at[0] == ' ' || line.at[0] == '\t'))
        return -HTTP1_OBS_FOLD;
    size_t colon = bytes_find(line, ':');
    if (colon == line.n)
        return -HTTP1_BAD_FIELD_NAME;
    struct bytes name = bytes_first(line, colon);
    /* RFC 9112 §5.1: no white space is allowed between the field name and colon; a server MUST
     * reject it with 400. */
    if (name.n && (name.at[name.n - 1] == ' ' || name.at[name.n - 1] == '\t'))
        return -HTTP1_SPACE_BEFORE_COLON;
    if (!http1_is_token(name))
        return -HTTP1_BAD_FIELD_NAME;
    *out = (struct http1_field){name, bytes_trim(bytes_skip(line, colon + 1))};
    return 0;
}

bool http1_next_element(struct bytes *list, struct bytes *element)
{
    while (list->n) {
        size_t comma = bytes_find(*list, ',');
        *element = bytes_trim(bytes_first(*list, comma));
        *list = bytes_skip(*list, comma + 1);
        if (element->n)
            return true;
    }
    return false;
}

int http1_hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    uint8_t lower = bytes_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}
