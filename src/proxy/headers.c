/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "crypto/digest.h"
#include "proto/http1_write.h"
#include "proto/http2.h"

#include "base/ban.h"

/* Names that only we may set, lower case with `-`; those ending in `-` reserve all that begins so.
 */
static const struct bytes reserved[] = {
    BYTES("x-forwarded-for"),
    BYTES("x-forwarded-proto"),
    BYTES("x-real-ip"),
    BYTES("client-cert"),
    BYTES("client-cert-"),
    BYTES("x-client-cert-"),
};

/* Gateways to CGI, WSGI, PHP and the like fold case and turn punctuation into one character:
 * anything that is neither letter nor digit counts as `-` here. */
static uint8_t folded(uint8_t c)
{
    c = bytes_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

static bool begins_folded(struct bytes name, struct bytes prefix)
{
    if (name.n < prefix.n)
        return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (folded(name.at[i]) != prefix.at[i])
            return false;
    return true;
}

bool headers_is_reserved(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        struct bytes r = reserved[i];
        bool is_prefix = r.at[r.n - 1] == '-';
        if (begins_folded(name, r) && (is_prefix || name.n == r.n))
            return true;
    }
    return false;
}

/* RFC 9440 §2.1: the DER as a Byte Sequence of RFC 8941 §3.3.5, `:base64:`. */
static void write_byte_sequence(struct buf *out, const struct certificate *c)
{
    struct bytes der = certificate_der(c);
    size_t n = base64_size(der.n);
    char *text = mem_alloc(n + 1);
    text[base64_encode(der, text)] = 0;
    ignore_result(buf_printf(out, ":%s:", text));
    free(text);
}

/* The path without leaf and anchor, in order (RFC 9440 §2.3); left out where there is none. */
static void write_chain(struct buf *out, const struct certificate_list *chain)
{
    for (size_t i = 1; i + 1 < chain->n; i++) {
        ignore_result(buf_append(out, i == 1 ? BYTES("Client-Cert-Chain: ") : BYTES(", ")));
        write_byte_sequence(out, chain->at[i]);
    }
    if (chain->n > 2)
        ignore_result(buf_append(out, BYTES("\r\n")));
}

void headers_identity(struct buf *out, const struct verdict *v)
{
    if (v->accepted && v->chain.n) {
        const struct certificate *leaf = v->chain.at[0];
        ignore_result(buf_append(out, BYTES("Client-Cert: ")));
        write_byte_sequence(out, leaf);
        ignore_result(buf_append(out, BYTES("\r\n")));
        write_chain(out, &v->chain);
        ignore_result(http1_write_field(
            out, BYTES("X-Client-Cert-Subject"), bytes_of(certificate_subject(leaf))));
        ignore_result(http1_write_field(
            out, BYTES("X-Client-Cert-Sha256"), bytes_of(certificate_sha256(leaf))));
    }
    ignore_result(http1_write_field(out, BYTES("X-Client-Cert-Verified"),
        v->accepted && v->chain.n ? BYTES("accepted") : BYTES("none")));
}

typedef int write_field_fn(struct buf *out, struct bytes name, struct bytes value);

/* A trusted proxy's list goes on with its own address. */
static int write_forwarded_for(struct buf *out, const struct http1_head *h,
    const struct headers_client *client, struct bytes peer, write_field_fn *write)
{
    static const struct bytes name = BYTES("X-Forwarded-For");
    struct buf list;
    int result = 0;
    if (!client->is_trusted_proxy)
        return write(out, name, peer);
    buf_init(&list, HTTP1_HEAD_MAX);
    for (size_t i = 0; i < h->fields_n; i++)
        if (bytes_equal_nocase(h->fields[i].name, name) && h->fields[i].value.n)
            result |= buf_printf(&list, "%.*s, ", BYTES_ARG(h->fields[i].value));
    result |= buf_append(&list, peer);
    result |= write(out, name, buf_bytes(&list));
    buf_fini(&list);
    return result;
}

static int write_forwarded(struct buf *out, const struct http1_head *h,
    const struct headers_client *client, write_field_fn *write)
{
    char text[ADDRESS_TEXT_MAX];
    address_format_host(client->peer, text);
    struct bytes peer = bytes_of(text);
    return write_forwarded_for(out, h, client, peer, write) |
           write(out, BYTES("X-Forwarded-Proto"), client->is_tls ? BYTES("https") : BYTES("http")) |
           write(out, BYTES("X-Real-IP"), peer);
}

/* Written anew from what was parsed. */
static bool is_framing(struct bytes name)
{
    return bytes_equal_nocase(name, BYTES("Content-Length")) ||
           bytes_equal_nocase(name, BYTES("Transfer-Encoding"));
}

/* What a client's request says to its target; not what holds for one hop or is ours to say. */
static int write_end_to_end(struct buf *out, const struct http1_head *h, write_field_fn *write)
{
    int result = 0;
    for (size_t i = 0; i < h->fields_n; i++) {
        struct bytes name = h->fields[i].name;
        if (bytes_equal_nocase(name, BYTES("Host")) || is_framing(name) ||
            http1_is_hop_by_hop(h, name) || headers_is_reserved(name))
            continue;
        result |= write(out, name, h->fields[i].value);
    }
    return result;
}

static int write_length(struct buf *out, const struct http1_head *h, bool is_chunked)
{
    if (is_chunked)
        return http1_write_field(out, BYTES("Transfer-Encoding"), BYTES("chunked"));
    if (h->framing == HTTP1_BODY_LENGTH)
        return buf_append(out, BYTES("Content-Length: ")) |
               buf_append_number(out, h->content_length) | buf_append(out, BYTES("\r\n"));
    return 0;
}

/* What holds for the next hop only, said anew: RFC 9110 §7.8 and §10.1.4 want each named in
 * Connection. */
static int write_hop(struct buf *out, const struct http1_head *h, struct bytes upgrade)
{
    bool takes_trailers = http1_takes_trailers(h);
    int result = 0;
    if (takes_trailers)
        result |= http1_write_field(out, BYTES("TE"), BYTES("trailers"));
    if (upgrade.n)
        result |= http1_write_field(out, BYTES("Upgrade"), upgrade);
    if (takes_trailers || upgrade.n)
        result |= http1_write_field(out, BYTES("Connection"),
            !upgrade.n        ? BYTES("TE")
            : !takes_trailers ? BYTES("Upgrade")
                              : BYTES("Upgrade, TE"));
    return result;
}

int headers_write_request(
    struct buf *out, const struct http1_head *h, const struct headers_client *client)
{
    int result = http1_write_request_line(out, h->method, h->path_and_query);
    result |= http1_write_field(out, BYTES("Host"), h->authority);
    result |= write_end_to_end(out, h, http1_write_field);
    result |= write_length(out, h, h->framing == HTTP1_BODY_CHUNKED);
    result |= write_hop(out, h, client->upgrade);
    result |= write_forwarded(out, h, client, http1_write_field);
    result |= buf_append(out, client->identity);
    result |= http1_write_end(out);
    return result;
}

static int write_connection(struct buf *out, enum headers_connection connection)
{
    switch (connection) {
    case HEADERS_CLOSE:
        return http1_write_field(out, BYTES("Connection"), BYTES("close"));
    case HEADERS_KEEP_ALIVE:
        return http1_write_field(out, BYTES("Connection"), BYTES("keep-alive"));
    case HEADERS_PERSIST:
        break;
    }
    return 0;
}

/* RFC 9110 §7.8: a 101 names the protocol, and Connection names Upgrade. */
static int write_switch(struct buf *out, const struct http1_head *h)
{
    int result = http1_write_field(out, BYTES("Connection"), BYTES("Upgrade"));
    for (size_t i = 0; i < h->fields_n; i++)
        if (bytes_equal_nocase(h->fields[i].name, BYTES("Upgrade")))
            result |= http1_write_field(out, BYTES("Upgrade"), h->fields[i].value);
    return result;
}

/* The fields of a response but those that say where it ends on this hop. */
static int write_fields(struct buf *out, const struct http1_head *h, write_field_fn *write)
{
    /* Without a body (HEAD, 304) Content-Length tells what there would be: RFC 9110 §8.6. */
    bool keeps_length = h->framing == HTTP1_BODY_NONE && h->status >= 200 && h->status != 204;
    int result = 0;
    for (size_t i = 0; i < h->fields_n; i++) {
        struct bytes name = h->fields[i].name;
        if (http1_is_hop_by_hop(h, name) || (is_framing(name) && !keeps_length))
            continue;
        result |= write(out, name, h->fields[i].value);
    }
    return result;
}

int headers_write_response(struct buf *out, const struct http1_head *h, bool is_chunked,
    enum headers_connection connection)
{
    int result = http1_write_status_line(out, h->status, h->reason);
    result |= write_fields(out, h, http1_write_field);
    result |= write_length(out, h, is_chunked);
    if (h->status >= 200)
        result |= write_connection(out, connection);
    if (h->status == 101)
        result |= write_switch(out, h);
    result |= http1_write_end(out);
    return result;
}

static int write_number_http2(struct buf *out, struct bytes name, uint64_t value)
{
    uint8_t digits[BYTES_NUMBER_MAX];
    return http2_write_field(out, name, bytes_number(value, digits));
}

int headers_write_response_http2(struct buf *out, const struct http1_head *h)
{
    int result = write_number_http2(out, BYTES(":status"), h->status);
    result |= write_fields(out, h, http2_write_field);
    /* That nothing follows its head HTTP/2 says by itself. */
    bool has_length = h->content_length || !h->is_http2 || http1_find(h, "content-length");
    if (h->framing == HTTP1_BODY_LENGTH && has_length)
        result |= write_number_http2(out, BYTES("content-length"), h->content_length);
    return result;
}

/* The lines of headers_identity, one by one. */
static int write_identity_http2(struct buf *out, struct bytes lines)
{
    int result = 0;
    while (lines.n) {
        struct bytes line = bytes_first(lines, bytes_find(lines, '\r'));
        size_t colon = bytes_find(line, ':');
        result |= http2_write_field(out, bytes_first(line, colon), bytes_skip(line, colon + 2));
        lines = bytes_skip(lines, line.n + 2);
    }
    return result;
}

int headers_write_request_http2(
    struct buf *out, const struct http1_head *h, const struct headers_client *client)
{
    int result = http2_write_field(out, BYTES(":method"), h->method);
    result |= http2_write_field(
        out, BYTES(":scheme"), client->is_target_tls ? BYTES("https") : BYTES("http"));
    if (h->authority.n)
        result |= http2_write_field(out, BYTES(":authority"), h->authority);
    result |= http2_write_field(out, BYTES(":path"), h->path_and_query);
    result |= write_end_to_end(out, h, http2_write_field);
    if (h->framing == HTTP1_BODY_LENGTH)
        result |= write_number_http2(out, BYTES("content-length"), h->content_length);
    if (http1_takes_trailers(h))
        result |= http2_write_field(out, BYTES("te"), BYTES("trailers"));
    result |= write_forwarded(out, h, client, http2_write_field);
    result |= write_identity_http2(out, client->identity);
    return result;
}

void headers_date(int64_t now_s, char out[HEADERS_DATE_SIZE])
{
    struct tm tm;
    time_t t = (time_t)now_s;
    gmtime_r(&t, &tm);
    strftime(out, HEADERS_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* no locale is set */
}

#define ERROR_BODY_MAX 256

static size_t format_error(const struct headers_error *e, char body[ERROR_BODY_MAX])
{
    snprintf(body, ERROR_BODY_MAX, "%u %s%s%s\n", e->status, http1_reason_phrase(e->status),
        e->detail[0] ? ": " : "", e->detail);
    return strlen(body);
}

/* RFC 6585 §4: the limits are of requests per second, so that there is room again after one. */
#define RETRY_AFTER BYTES("1")

static int write_error_fields(
    struct buf *out, const struct headers_error *e, size_t body_n, write_field_fn *write)
{
    char date[HEADERS_DATE_SIZE];
    uint8_t digits[BYTES_NUMBER_MAX];
    headers_date(e->now_s, date);
    int result = write(out, BYTES("Date"), bytes_of(date));
    result |= write(out, BYTES("Content-Type"), BYTES("text/plain"));
    result |= write(out, BYTES("Content-Length"), bytes_number(body_n, digits));
    if (e->status == 429)
        result |= write(out, BYTES("Retry-After"), RETRY_AFTER);
    return result;
}

void headers_write_error(
    struct buf *out, const struct headers_error *e, enum headers_connection connection)
{
    char body[ERROR_BODY_MAX];
    size_t n = format_error(e, body);
    int result = http1_write_status(out, e->status);
    result |= write_error_fields(out, e, n, http1_write_field);
    result |= write_connection(out, connection);
    result |= http1_write_end(out);
    if (!e->is_head)
        result |= buf_append(out, bytes_of(body));
    ignore_result(result);
}

void headers_write_error_http2(struct buf *head, struct buf *body, const struct headers_error *e)
{
    char text[ERROR_BODY_MAX];
    size_t n = format_error(e, text);
    int result = write_number_http2(head, BYTES(":status"), e->status);
    result |= write_error_fields(head, e, n, http2_write_field);
    if (!e->is_head)
        result |= buf_append(body, bytes_of(text));
    ignore_result(result);
}
