/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/rewrite.h"

#include <stdio.h>

#include "base/panic.h"
#include "proto/http1_write.h"
#include "proxy/headers.h"
#include "proxy/proxy_parts.h"
#include "proxy/variables.h"

#include "base/ban.h"

/* ---- fields
 * ---------------------------------------------------------------------------------------------- */

static bool is_ours(struct bytes name)
{
    static const char *const names[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection",
        "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "Expect", "HTTP2-Settings"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (bytes_equal_nocase(name, bytes_of(names[i])))
            return true;
    return headers_is_reserved(name);
}

static void check_name(const char *name, struct position at, struct report *report)
{
    if (is_ours(bytes_of(name)))
        report_error(report, at,
            "%s cannot be changed: it frames the message, holds for one hop, or is Sallyport's "
            "word "
            "to targets; use a name of your own",
            name);
}

void rewrite_check(const struct config_headers *changes, struct report *report)
{
    for (size_t i = 0; i < changes->remove_n; i++)
        check_name(changes->remove[i].text, changes->remove[i].at, report);
    for (size_t i = 0; i < changes->set_n; i++)
        check_name(changes->set[i].name, changes->set[i].at, report);
    for (size_t i = 0; i < changes->add_n; i++)
        check_name(changes->add[i].name, changes->add[i].at, report);
}

static void take_away(struct http1_head *h, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < h->fields_n; i++)
        if (!bytes_equal_nocase(h->fields[i].name, bytes_of(name)))
            h->fields[n++] = h->fields[i];
    h->fields_n = n;
}

static int put(struct http1_head *h, const char *name, struct bytes value)
{
    if (h->fields_n == HTTP1_FIELDS_MAX)
        return -1;
    h->fields[h->fields_n++] = (struct http1_field){bytes_of(name), value};
    return 0;
}

/* TEXT with its variables, among E's texts; -1 if it is too long for a field. */
static int expand(struct exchange *e, const char *template, struct bytes *out)
{
    struct buf text;
    buf_init(&text, HTTP1_LINE_MAX);
    int result = variables_expand(e, template, &text);
    *out = arena_copy(&e->arena, bytes_trim(buf_bytes(&text)));
    buf_fini(&text);
    return result;
}

static int add(struct exchange *e, struct http1_head *h, const struct config_header *header)
{
    struct bytes value;
    if (expand(e, header->value, &value) < 0)
        return -1;
    return value.n ? put(h, header->name, value) : 0;
}

/* What is written has its bounds (HTTP1_HEAD_MAX, STREAM_OUT_MAX): twice what a peer may send. */
static bool is_too_large(const struct http1_head *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->fields_n; i++)
        n += h->fields[i].name.n + h->fields[i].value.n + sizeof(": \r\n") - 1;
    return n > 2 * HTTP1_HEAD_MAX;
}

static int change(struct exchange *e, struct http1_head *h, const struct config_headers *changes)
{
    int result = 0;
    for (size_t i = 0; i < changes->remove_n; i++)
        take_away(h, changes->remove[i].text);
    for (size_t i = 0; i < changes->set_n; i++)
        take_away(h, changes->set[i].name);
    for (size_t i = 0; i < changes->set_n; i++)
        result |= add(e, h, &changes->set[i]);
    for (size_t i = 0; i < changes->add_n; i++)
        result |= add(e, h, &changes->add[i]);
    return result < 0 || is_too_large(h) ? -1 : 0;
}

int rewrite_request(struct exchange *e, struct http1_head *h)
{
    int result = change(e, h, &e->conn->listener->config->request_headers);
    return result | change(e, h, &e->rule->request_headers);
}

int rewrite_response(struct exchange *e, struct http1_head *h)
{
    int result = change(e, h, &e->conn->listener->config->response_headers);
    return result | change(e, h, &e->rule->response_headers);
}

/* ---- answers
 * ---------------------------------------------------------------------------------------------- */

static const unsigned redirect_codes[REDIRECT_CODE_COUNT] = {[REDIRECT_301] = 301,
    [REDIRECT_302] = 302,
    [REDIRECT_303] = 303,
    [REDIRECT_307] = 307,
    [REDIRECT_308] = 308};

bool rewrite_answers(const struct exchange *e)
{
    return e->lacks_slash || e->rule->group == CONFIG_NO_GROUP;
}

/* Does URL name a host? Without one, clients take for it what follows. */
static bool has_host(struct bytes url)
{
    static const struct bytes ends = BYTES("/?#:");
    struct bytes host = bytes_skip(url, bytes_find(url, ':') + sizeof("//"));
    return host.n && bytes_find(ends, (char)host.at[0]) == ends.n;
}

/* RFC 9110 §10.2.2. 0, or -fault: a request of HTTP/1.0 may have said no host. A slash at the end
 * of `to` and the one that each path begins with are one. */
static int put_location(struct exchange *e, struct http1_head *h)
{
    const struct config_redirect *r = &e->rule->redirect;
    struct bytes to;
    if (expand(e, r->url, &to) < 0)
        return -HTTP1_HEAD_TOO_LARGE;
    if (!has_host(to))
        return -HTTP1_MISSING_HOST;
    if (r->keeps_uri && bytes_starts_with(e->uri, BYTES("/"))) {
        if (bytes_ends_with(to, BYTES("/")))
            to.n--;
        char *whole = arena_printf(&e->arena, "%.*s%.*s", BYTES_ARG(to), BYTES_ARG(e->uri));
        to = bytes_of(whole);
    }
    return put(h, "Location", to) < 0 ? -HTTP1_HEAD_TOO_LARGE : 0;
}

/* The path of the rule, and the query. Not the path as it came, which may be encoded otherwise. */
static int put_slash(struct exchange *e, struct http1_head *h)
{
    struct bytes query = bytes_skip(e->uri, e->path.n);
    const char *to = arena_printf(&e->arena, "%s%.*s", e->rule->path, BYTES_ARG(query));
    return put(h, "Location", bytes_of(to)) < 0 ? -HTTP1_HEAD_TOO_LARGE : 0;
}

/* RFC 9110 §6.4.1, §9.3.2: no content follows after HEAD, and in 204 and 304. */
static int put_content(
    struct exchange *e, struct http1_head *h, const char *type, struct bytes *content)
{
    bool has_none = h->status == 204 || h->status == 304;
    bool is_head = bytes_equal(e->method, BYTES("HEAD"));
    int result = has_none || !content->n ? 0 : put(h, "Content-Type", bytes_of(type));
    h->framing = has_none || is_head ? HTTP1_BODY_NONE : HTTP1_BODY_LENGTH;
    h->content_length = content->n;
    if (is_head && !has_none)
        result |= put(h, "Content-Length", bytes_of(arena_printf(&e->arena, "%zu", content->n)));
    if (has_none || is_head)
        content->n = 0;
    return result;
}

static unsigned answer_status(const struct exchange *e)
{
    if (e->lacks_slash)
        return 301;
    return e->rule->redirect.to ? redirect_codes[e->rule->redirect.code] : e->rule->respond.status;
}

int rewrite_answer(struct exchange *e, struct http1_head *h, struct bytes *content)
{
    const struct config_rule *rule = e->rule;
    bool redirects = e->lacks_slash || rule->redirect.to;
    char date[HEADERS_DATE_SIZE];
    ASSERT(rewrite_answers(e));
    *h = (struct http1_head){.minor_version = 1, .keep_alive = true};
    h->status = answer_status(e);
    h->reason = bytes_of(http1_reason_phrase(h->status));
    *content = redirects ? (struct bytes){0} : bytes_of(rule->respond.body);
    headers_date(loop_wall_s(e->conn->proxy->loop), date);
    int fault = !redirects ? 0 : e->lacks_slash ? put_slash(e, h) : put_location(e, h);
    int result = put(h, "Date", bytes_of(arena_strdup(&e->arena, date)));
    result |= put_content(e, h, rule->respond.type, content);
    result |= rewrite_response(e, h);
    return !fault && result < 0 ? -HTTP1_HEAD_TOO_LARGE : fault;
}
