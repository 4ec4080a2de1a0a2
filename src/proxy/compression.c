/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/compression.h"

#include "base/arena.h"
#include "base/attributes.h"
#include "proto/http1_syntax.h"

#include "base/ban.h"

/* Smaller ones hardly get smaller: a head and trailer of gzip take 18 octets. */
#define LENGTH_MIN 256

/* What CLB compresses, and the like. */
static const char *const types[] = {"application/atom+xml", "application/javascript",
    "application/json", "application/ld+json", "application/manifest+json",
    "application/problem+json", "application/rss+xml", "application/vnd.ms-fontobject",
    "application/wasm", "application/x-font-ttf", "application/x-javascript",
    "application/x-web-app-manifest+json", "application/xhtml+xml", "application/xml",
    "font/opentype", "font/otf", "font/ttf", "image/bmp", "image/svg+xml", "image/x-icon",
    "text/calendar", "text/css", "text/csv", "text/html", "text/javascript", "text/markdown",
    "text/plain", "text/vcard", "text/vtt", "text/x-component", "text/xml"};

/* RFC 9110 §12.4.2: q=0 and q=0.000 are "not acceptable". */
static bool is_zero(struct bytes weight)
{
    if (!weight.n || weight.at[0] != '0')
        return false;
    for (size_t i = 1; i < weight.n; i++)
        if (weight.at[i] != '.' && weight.at[i] != '0')
            return false;
    return true;
}

/* "gzip ; q=0.5": its name, and whether its weight lets it be used. */
static struct bytes coding(struct bytes element, bool *is_usable)
{
    struct bytes name = bytes_trim(bytes_first(element, bytes_find(element, ';')));
    struct bytes rest = bytes_trim(bytes_skip(element, bytes_find(element, ';') + 1));
    bool has_weight = rest.n > 2 && bytes_equal_nocase(bytes_first(rest, 2), BYTES("q="));
    *is_usable = !has_weight || !is_zero(bytes_skip(rest, 2));
    return name;
}

bool compression_is_accepted(const struct http1_head *request)
{
    bool named = false, any = false;
    for (size_t i = 0; i < request->fields_n; i++) {
        struct bytes list = request->fields[i].value, element;
        if (!bytes_equal_nocase(request->fields[i].name, BYTES("Accept-Encoding")))
            continue;
        while (http1_next_element(&list, &element)) {
            bool is_usable;
            struct bytes name = coding(element, &is_usable);
            if (bytes_equal_nocase(name, BYTES("gzip")) ||
                bytes_equal_nocase(name, BYTES("x-gzip"))) {
                if (!is_usable)
                    return false;
                named = true;
            }
            any |= is_usable && bytes_equal(name, BYTES("*"));
        }
    }
    return named || any;
}

static bool is_type(const struct http1_field *content_type)
{
    if (!content_type)
        return false;
    struct bytes value = content_type->value;
    struct bytes type = bytes_trim(bytes_first(value, bytes_find(value, ';')));
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (bytes_equal_nocase(type, bytes_of(types[i])))
            return true;
    return false;
}

/* RFC 9110 §8.4: coded content is coded already; §14.4: a part is one of the content as it is; RFC
 * 9530 §2, RFC 1864: a digest of the content is one of it as it is. RFC 9111 §5.2.2.6. */
static bool may_be_changed(const struct http1_head *h)
{
    static const char *const obstacles[] = {
        "Content-Encoding", "Content-Range", "Content-Digest", "Digest", "Content-MD5"};
    for (size_t i = 0; i < COUNT_OF(obstacles); i++)
        if (http1_find(h, obstacles[i]))
            return false;
    return !http1_list_has(h, "Cache-Control", BYTES("no-transform"));
}

bool compression_applies(const struct http1_head *h)
{
    bool has_status = h->status >= 200 && h->status != 204 && h->status != 206 && h->status != 304;
    bool is_long = h->framing == HTTP1_BODY_CHUNKED || h->framing == HTTP1_BODY_UNTIL_CLOSE ||
                   (h->framing == HTTP1_BODY_LENGTH && h->content_length >= LENGTH_MIN);
    return has_status && is_long && is_type(http1_find(h, "Content-Type")) && may_be_changed(h);
}

/* Where there is room. */
static void add(struct http1_head *h, const char *name, struct bytes value)
{
    if (h->fields_n < HTTP1_FIELDS_MAX)
        h->fields[h->fields_n++] = (struct http1_field){bytes_of(name), value};
}

void compression_vary(struct http1_head *h)
{
    if (http1_list_has(h, "Vary", BYTES("Accept-Encoding")) ||
        http1_list_has(h, "Vary", BYTES("*")))
        return;
    add(h, "Vary", BYTES("Accept-Encoding"));
}

/* RFC 9110 §8.8.1: what is no longer the same octets has a weak validator. */
static struct bytes weaken(struct bytes etag, struct arena *texts)
{
    if (bytes_starts_with(etag, BYTES("W/")))
        return etag;
    return bytes_of(arena_printf(texts, "W/%.*s", BYTES_ARG(etag)));
}

bool compression_change(struct http1_head *h, struct arena *texts)
{
    if (h->fields_n + 2 > HTTP1_FIELDS_MAX)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < h->fields_n; i++) {
        struct http1_field f = h->fields[i];
        if (bytes_equal_nocase(f.name, BYTES("Accept-Ranges")) ||
            bytes_equal_nocase(f.name, BYTES("Content-Length")))
            continue;
        if (bytes_equal_nocase(f.name, BYTES("ETag")))
            f.value = weaken(f.value, texts);
        h->fields[n++] = f;
    }
    h->fields_n = n;
    h->framing = HTTP1_BODY_CHUNKED;
    add(h, "Content-Encoding", BYTES("gzip"));
    compression_vary(h);
    return true;
}
