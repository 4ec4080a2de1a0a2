/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_target.h"

#include <arpa/inet.h>

#include "proto/http1_syntax.h"

#include "base/ban.h"

#define HOST_MAX (HTTP1_HOST_SIZE - 1)
#define PORT_MAX 65535

static bool is_alnum(uint8_t c)
{
    uint8_t lower = bytes_lower(c);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

/* RFC 3986 §2.3 */
static bool is_unreserved(uint8_t c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* ---- targets ------------------------------------------------------------------------------- */

static bool is_visible_without_fragment(struct bytes target)
{
    for (size_t i = 0; i < target.n; i++)
        if (target.at[i] <= ' ' || target.at[i] >= 0x7f || target.at[i] == '#')
            return false;
    return true;
}

static bool starts_with_nocase(struct bytes b, struct bytes prefix)
{
    return b.n >= prefix.n && bytes_equal_nocase(bytes_first(b, prefix.n), prefix);
}

static int split_absolute(struct http1_head *out)
{
    const struct bytes schemes[] = {BYTES("http://"), BYTES("https://")};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (!starts_with_nocase(out->target, schemes[i]))
            continue;
        struct bytes rest = bytes_skip(out->target, schemes[i].n);
        size_t slash = bytes_find(rest, '/');
        out->form = HTTP1_ABSOLUTE_FORM;
        out->authority = bytes_first(rest, slash);
        out->path_and_query = slash < rest.n ? bytes_skip(rest, slash) : BYTES("/");
        /* "http://host?query" has an empty path. To forward it, a slash would have to be put
         * between the two (RFC 9112 §3.2.1): a repair. */
        if (bytes_find(out->authority, '?') < out->authority.n)
            return -HTTP1_BAD_TARGET;
        return http1_check_authority(out->authority);
    }
    return -HTTP1_BAD_TARGET;
}

int http1_split_target(struct http1_head *out)
{
    /* RFC 9112 §3.2: no white space is allowed in the request-target; an invalid request-line is
     * answered with 400 and never repaired, since the repair is what others can be made to disagree
     * about. */
    if (!out->target.n || !is_visible_without_fragment(out->target))
        return -HTTP1_BAD_TARGET;
    if (out->target.at[0] == '/') {
        out->form = HTTP1_ORIGIN_FORM;
        out->path_and_query = out->target;
        return 0;
    }
    /* RFC 9112 §3.2.4: the asterisk-form is only used for a server-wide OPTIONS request. */
    if (bytes_equal(out->target, BYTES("*")) && bytes_equal(out->method, BYTES("OPTIONS"))) {
        out->form = HTTP1_ASTERISK_FORM;
        out->path_and_query = out->target;
        return 0;
    }
    return split_absolute(out);
}

/* One unit of a path: a byte, or a percent-encoded one, as it is routed on. Bytes taken from the
 * start of PATH, or -fault. */
static int decode_unit(struct bytes path, uint8_t out[3], size_t *out_n)
{
    static const char digits[] = "0123456789ABCDEF";
    out[0] = path.at[0];
    *out_n = 1;
    /* Some servers take a backslash for a slash. */
    if (out[0] == '\\')
        return -HTTP1_ENCODED_SLASH;
    if (out[0] != '%')
        return 1;
    int high = path.n > 2 ? http1_hex_value(path.at[1]) : -1;
    int low = path.n > 2 ? http1_hex_value(path.at[2]) : -1;
    if (high < 0 || low < 0)
        return -HTTP1_BAD_PERCENT;
    uint8_t c = (uint8_t)(high << 4 | low);
    if (c == '/' || c == '\\')
        return -HTTP1_ENCODED_SLASH;
    if (c == '\0')
        return -HTTP1_ENCODED_NUL;
    if (is_unreserved(c)) {
        out[0] = c;
        return 3;
    }
    out[1] = (uint8_t)digits[high];
    out[2] = (uint8_t)digits[low];
    *out_n = 3;
    return 3;
}

/* "." and "..", also with a parameter ("..;x"): servers that know path parameters drop them before
 * they look. */
static bool is_dot_segment(struct bytes segment)
{
    struct bytes name = bytes_first(segment, bytes_find(segment, ';'));
    return bytes_equal(name, BYTES(".")) || bytes_equal(name, BYTES(".."));
}

ssize_t http1_normalise_path(struct bytes path, uint8_t *out)
{
    if (bytes_equal(path, BYTES("*"))) {
        out[0] = '*';
        return 1;
    }
    if (!path.n || path.at[0] != '/')
        return -HTTP1_BAD_TARGET;
    size_t n = 0, segment = 1;
    while (path.n) {
        uint8_t unit[3];
        size_t unit_n;
        int taken = decode_unit(path, unit, &unit_n);
        if (taken < 0)
            return taken;
        /* RFC 3986 §6.2.2.3 would remove dot-segments; what is routed must be what the target sees,
         * so they are refused. */
        if (unit[0] == '/' && n && is_dot_segment((struct bytes){out + segment, n - segment}))
            return -HTTP1_DOT_SEGMENT;
        memcpy(out + n, unit, unit_n);
        n += unit_n;
        if (unit[0] == '/')
            segment = n;
        path = bytes_skip(path, (size_t)taken);
    }
    return is_dot_segment((struct bytes){out + segment, n - segment}) ? -HTTP1_DOT_SEGMENT
                                                                      : (ssize_t)n;
}

/* ---- authorities --------------------------------------------------------------------------- */

/* Letters, digits, hyphen, underscore and single dots, one of which may end the name (RFC 1123
 * §2.1, and the underscore that is met in practice). RFC 3986's reg-name also has sub-delims and
 * percent-encoding; no name in the DNS does. */
static bool is_host_name(struct bytes host)
{
    bool label_is_empty = true;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.at[i];
        if (c == '.' ? label_is_empty : !is_alnum(c) && c != '-' && c != '_')
            return false;
        label_is_empty = c == '.';
    }
    return host.n > 0;
}

static bool is_port(struct bytes digits)
{
    unsigned port = 0;
    for (size_t i = 0; i < digits.n; i++) {
        unsigned digit = (unsigned)digits.at[i] - '0';
        if (digit > 9 || i == 5)
            return false;
        port = port * 10 + digit;
    }
    return port <= PORT_MAX; /* RFC 3986 §3.2.3: port = *DIGIT, which may be empty */
}

/* "[address]" into the 16 bytes of ADDRESS. RFC 6874's zones and IPvFuture are refused. */
static bool parse_literal(struct bytes host, struct in6_addr *address)
{
    char text[INET6_ADDRSTRLEN];
    if (host.n < 2 || host.at[host.n - 1] != ']' || host.n - 2 >= sizeof(text))
        return false;
    memcpy(text, host.at + 1, host.n - 2);
    text[host.n - 2] = '\0';
    return strlen(text) == host.n - 2 && inet_pton(AF_INET6, text, address) == 1;
}

ssize_t http1_normalise_host(struct bytes authority, char *out)
{
    bool is_literal = authority.n && authority.at[0] == '[';
    size_t bracket = is_literal ? bytes_find(authority, ']') : 0;
    size_t host_n = bracket + bytes_find(bytes_skip(authority, bracket), ':');
    struct bytes host = bytes_first(authority, host_n);
    if (host.n > HOST_MAX || !is_port(bytes_skip(authority, host_n + 1)))
        return -HTTP1_BAD_HOST;
    if (is_literal) {
        struct in6_addr address;
        if (!parse_literal(host, &address) || !inet_ntop(AF_INET6, &address, out, INET6_ADDRSTRLEN))
            return -HTTP1_BAD_HOST;
        return (ssize_t)strlen(out);
    }
    if (!is_host_name(host))
        return -HTTP1_BAD_HOST;
    size_t n = host.at[host.n - 1] == '.' ? host.n - 1 : host.n;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)bytes_lower(host.at[i]);
    out[n] = '\0';
    return (ssize_t)n;
}

int http1_check_authority(struct bytes authority)
{
    char host[HTTP1_HOST_SIZE];
    ssize_t n = http1_normalise_host(authority, host);
    return n < 0 ? (int)n : 0;
}
