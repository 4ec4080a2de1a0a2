/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_head.h"
#include "proto/http1_syntax.h"
#include "proto/http1_target.h"

#include "base/ban.h"

int http1_check_method(struct bytes method)
{
    if (!http1_is_token(method))
        return -HTTP1_BAD_METHOD;
    /* RFC 9112 §3: a method longer than any that the server implements: 501. */
    if (method.n > HTTP1_METHOD_MAX)
        return -HTTP1_METHOD_TOO_LONG;
    return bytes_equal(method, BYTES("CONNECT")) ? -HTTP1_CONNECT_REFUSED : 0;
}

/* RFC 9112 §3: request-line = method SP request-target SP HTTP-version */
static int parse_request_line(struct bytes line, struct http1_head *out)
{
    size_t first = bytes_find(line, ' '), last = line.n;
    while (last > first && line.at[last - 1] != ' ')
        last--;
    if (last <= first + 1)
        return -HTTP1_BAD_REQUEST_LINE;
    int result = http1_read_version(bytes_skip(line, last), HTTP1_BAD_REQUEST_LINE, out);
    if (result < 0)
        return result;
    out->method = bytes_first(line, first);
    out->target = (struct bytes){line.at + first + 1, last - first - 2};
    result = http1_check_method(out->method);
    return result < 0 ? result : http1_split_target(out);
}

static int read_host(const struct http1_survey *s, struct http1_head *out)
{
    const struct http1_field *host = s->of[HTTP1_KNOWN_HOST].first;
    /* RFC 9112 §3.2: a server MUST respond with 400 to an HTTP/1.1 request that lacks a Host field,
     * and to any request with more than one or with an invalid value. */
    if (!host)
        return out->minor_version == 0 ? 0 : -HTTP1_MISSING_HOST;
    if (s->of[HTTP1_KNOWN_HOST].n > 1)
        return -HTTP1_MANY_HOSTS;
    if (http1_check_authority(host->value) < 0)
        return -HTTP1_BAD_HOST;
    /* RFC 9112 §3.2.2: with the absolute-form, the origin server MUST ignore the received Host
     * field. */
    if (out->form != HTTP1_ABSOLUTE_FORM)
        out->authority = host->value;
    return 0;
}

int http1_read_expect(const struct http1_survey *s, struct http1_head *out)
{
    /* RFC 9110 §10.1.1: a server MUST ignore a 100-continue in an HTTP/1.0 request; it MAY answer
     * 417 to others. */
    if (!s->of[HTTP1_KNOWN_EXPECT].n || out->minor_version == 0)
        return 0;
    for (size_t i = 0; i < out->fields_n; i++)
        if (bytes_equal_nocase(out->fields[i].name, BYTES("expect")) &&
            !bytes_equal_nocase(out->fields[i].value, BYTES("100-continue")))
            return -HTTP1_UNKNOWN_EXPECTATION;
    /* Without content there is nothing to wait for. */
    out->expects_continue = out->framing != HTTP1_BODY_NONE;
    return 0;
}

static int read_fields(struct http1_head *out)
{
    struct http1_survey survey;
    http1_take_survey(out, &survey);
    int result = read_host(&survey, out);
    if (result == 0)
        result = http1_read_framing(&survey, out);
    if (result == 0)
        result = http1_read_connection(&survey, out);
    if (result == 0)
        result = http1_read_expect(&survey, out);
    return result;
}

ssize_t http1_parse_request(struct bytes in, size_t *scanned, struct http1_head *out)
{
    /* RFC 9112 §2.2: a server SHOULD ignore at least one empty line received prior to the
     * request-line. */
    static const struct http1_start_line start = {parse_request_line, .empty_lines_max = 2};
    ssize_t n = http1_read_head(in, scanned, &start, out);
    if (n <= 0)
        return n;
    int result = read_fields(out);
    return result < 0 ? result : n;
}
