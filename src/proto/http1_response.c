/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_head.h"

#include "base/ban.h"

#define VERSION_N 8 /* "HTTP/1.1" */
#define STATUS_N  3

/* RFC 9112 §4: status-line = HTTP-version SP status-code SP [ reason-phrase ]. The second SP is
 * there even when the reason phrase is absent. The reason phrase is HTAB, SP, VCHAR and obs-text:
 * all that a scanned line may hold. */
static int parse_status_line(struct bytes line, struct http1_head *out)
{
    if (line.n <= VERSION_N || line.at[VERSION_N] != ' ')
        return -HTTP1_BAD_STATUS_LINE;
    int result = http1_read_version(bytes_first(line, VERSION_N), HTTP1_BAD_STATUS_LINE, out);
    if (result < 0)
        return result;
    struct bytes rest = bytes_skip(line, VERSION_N + 1);
    for (size_t i = 0; i < STATUS_N; i++) {
        if (i == rest.n || rest.at[i] < '0' || rest.at[i] > '9')
            return -HTTP1_BAD_STATUS;
        out->status = out->status * 10 + rest.at[i] - '0';
    }
    if (rest.n == STATUS_N || rest.at[STATUS_N] != ' ')
        return -HTTP1_BAD_STATUS_LINE;
    out->reason = bytes_skip(rest, STATUS_N + 1);
    /* RFC 9110 §15: values outside the range 100..599 are invalid. */
    return out->status < 100 || out->status > 599 ? -HTTP1_BAD_STATUS : 0;
}

/* RFC 9112 §6.3 rules 1 and 8, where read_framing knows only the fields. */
static int apply_status(
    const struct http1_survey *s, struct bytes request_method, struct http1_head *out)
{
    if (out->status < 200 || out->status == 204) {
        /* RFC 9112 §6.1: a server MUST NOT send Transfer-Encoding here; RFC 9110 §8.6: nor
         * Content-Length. A length of 0 says what holds anyway, and is common with 204: it is let
         * through, for the proxy to drop. Any other announces bytes that somebody would take for
         * the next response. */
        if (s->of[HTTP1_KNOWN_TRANSFER_ENCODING].n || out->content_length)
            return -HTTP1_BODY_FORBIDDEN;
        out->framing = HTTP1_BODY_NONE;
    } else if (out->status == 304 || bytes_equal(request_method, BYTES("HEAD"))) {
        out->framing = HTTP1_BODY_NONE;
    } else if (!s->of[HTTP1_KNOWN_CONTENT_LENGTH].n && !s->of[HTTP1_KNOWN_TRANSFER_ENCODING].n) {
        out->framing = HTTP1_BODY_UNTIL_CLOSE;
        out->keep_alive = false;
    }
    /* RFC 9110 §15.2.2: the server MUST generate an Upgrade field in a 101; §7.8: and the upgrade
     * connection option. In any other response they only advertise. */
    if (out->status == 101 && !out->upgrades)
        return -HTTP1_BAD_UPGRADE;
    out->upgrades = out->status == 101;
    return 0;
}

static int read_fields(struct bytes request_method, struct http1_head *out)
{
    struct http1_survey survey;
    http1_take_survey(out, &survey);
    int result = http1_read_framing(&survey, out);
    if (result == 0)
        result = http1_read_connection(&survey, out);
    if (result == 0)
        result = apply_status(&survey, request_method, out);
    return result;
}

ssize_t http1_parse_response(
    struct bytes in, size_t *scanned, struct bytes request_method, struct http1_head *out)
{
    static const struct http1_start_line start = {parse_status_line, .empty_lines_max = 0};
    ssize_t n = http1_read_head(in, scanned, &start, out);
    if (n <= 0)
        return n;
    int result = read_fields(request_method, out);
    return result < 0 ? result : n;
}
