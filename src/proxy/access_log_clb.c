/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_log_clb.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/socket.h"
#include "proxy/proxy_parts.h"
#include "tls/names.h"

#include "base/ban.h"

#define NOTHING "-"

typedef void field_fn(const struct exchange *e, struct buf *out);

#define PUT(out, ...) ignore_result(buf_printf(out, __VA_ARGS__))

/* What clients say stands in its brackets and on its line: other octets as \xHH. */
static void put_text(struct buf *out, struct bytes text)
{
    if (!text.n)
        PUT(out, NOTHING);
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.at[i];
        bool stands = c >= ' ' && c < 0x7F && c != '[' && c != ']' && c != '\\';
        if (stands)
            PUT(out, "%c", c);
        else
            PUT(out, "\\x%02X", c);
    }
}

static void put_address(struct buf *out, const struct address *a)
{
    char text[ADDRESS_TEXT_MAX];
    address_format(a, text);
    /* An IPv6 address has brackets of its own. */
    for (const char *c = text; *c; c++)
        if (*c != '[' && *c != ']')
            PUT(out, "%c", *c);
}

static void put_seconds(struct buf *out, uint64_t from_ms, uint64_t to_ms)
{
    uint64_t ms = to_ms > from_ms ? to_ms - from_ms : 0;
    if (from_ms && to_ms)
        PUT(out, "%llu.%03llu", (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
    else
        PUT(out, NOTHING);
}

/* ---- the fields ---- */

static void request_id(const struct exchange *e, struct buf *out)
{
    PUT(out, "%llx%06llx", (unsigned long long)clock_wall_ms(),
        (unsigned long long)++e->conn->proxy->logged);
}

static void time_local(const struct exchange *e, struct buf *out)
{
    char text[64];
    struct tm tm;
    time_t now = (time_t)loop_wall_s(e->conn->proxy->loop);
    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S +0000", &tm); /* no locale is set */
    PUT(out, "%s", text);
}

static bool is_web_socket(const struct exchange *e)
{
    return e->status == 101;
}

static void protocol_type(const struct exchange *e, struct buf *out)
{
    const struct conn *c = e->conn;
    if (!c->listener->is_http)
        PUT(out, "%s", config_protocol_name(c->listener->config->protocol));
    else if (is_web_socket(e))
        PUT(out, c->client.tls ? "WSS" : "WS");
    else if (c->http2)
        PUT(out, "HTTP2");
    else
        PUT(out, c->client.tls ? "HTTPS" : "HTTP");
}

static void server_addr(const struct exchange *e, struct buf *out)
{
    struct address local;
    if (socket_local(e->conn->client.fd, &local))
        put_address(out, &local);
    else
        PUT(out, "%s", e->conn->listener->config->address);
}

static void server_name(const struct exchange *e, struct buf *out)
{
    put_text(out, bytes_of(e->rule ? e->rule->domain : ""));
}

static void remote_addr(const struct exchange *e, struct buf *out)
{
    put_address(out, &e->conn->peer);
}

static void status(const struct exchange *e, struct buf *out)
{
    PUT(out, e->status ? "%u" : NOTHING, e->status);
}

static void upstream_addr(const struct exchange *e, struct buf *out)
{
    if (e->upstream)
        put_address(out, &e->upstream->address);
    else
        PUT(out, NOTHING);
}

static void upstream_status(const struct exchange *e, struct buf *out)
{
    if (e->upstream && e->answered_ms)
        status(e, out);
    else
        PUT(out, NOTHING);
}

static void proxy_host(const struct exchange *e, struct buf *out)
{
    put_text(out, bytes_of(e->group ? e->group->config->name : ""));
}

static void server_protocol(const struct exchange *e, struct buf *out)
{
    if (!e->method.n)
        PUT(out, NOTHING);
    else
        PUT(out, e->conn->http2 ? "HTTP/2.0" : "HTTP/1.%u", e->conn->http1.minor_version);
}

static void request(const struct exchange *e, struct buf *out)
{
    if (!e->method.n) {
        PUT(out, NOTHING);
        return;
    }
    put_text(out, e->method);
    PUT(out, " ");
    put_text(out, e->uri);
    PUT(out, " ");
    server_protocol(e, out);
}

static void request_length(const struct exchange *e, struct buf *out)
{
    PUT(out, "%llu", (unsigned long long)e->request.bytes);
}

static void bytes_sent(const struct exchange *e, struct buf *out)
{
    PUT(out, "%llu", (unsigned long long)e->response.bytes);
}

static void http_host(const struct exchange *e, struct buf *out)
{
    put_text(out, e->host);
}

static void user_agent(const struct exchange *e, struct buf *out)
{
    put_text(out, e->user_agent);
}

static void referer(const struct exchange *e, struct buf *out)
{
    put_text(out, e->referer);
}

static void request_time(const struct exchange *e, struct buf *out)
{
    put_seconds(out, e->started_ms ? e->started_ms : e->conn->accepted_ms, conn_now_ms(e->conn));
}

static void upstream_response_time(const struct exchange *e, struct buf *out)
{
    put_seconds(out, e->upstream ? e->upstream->ready_ms : 0, conn_now_ms(e->conn));
}

static void upstream_connect_time(const struct exchange *e, struct buf *out)
{
    const struct upstream *u = e->upstream;
    put_seconds(out, u ? u->opened_ms : 0, u ? u->ready_ms : 0);
}

static void upstream_header_time(const struct exchange *e, struct buf *out)
{
    put_seconds(out, e->upstream ? e->started_ms : 0, e->answered_ms);
}

/* In microseconds, as nginx has it. */
static void round_trip(const struct exchange *e, struct buf *out)
{
    unsigned us = socket_round_trip_us(e->conn->client.fd);
    PUT(out, us ? "%u" : NOTHING, us);
}

static void connection(const struct exchange *e, struct buf *out)
{
    PUT(out, "%llu", (unsigned long long)e->conn->number);
}

static void connection_requests(const struct exchange *e, struct buf *out)
{
    PUT(out, "%llu", (unsigned long long)e->conn->requests);
}

static void handshake_time(const struct exchange *e, struct buf *out)
{
    const struct conn *c = e->conn;
    put_seconds(out, c->client.tls ? c->accepted_ms : 0, c->secured_ms);
}

static void ssl_cipher(const struct exchange *e, struct buf *out)
{
    const struct tlsconn *tls = e->conn->client.tls;
    put_text(out, bytes_of(tls ? tlsconn_facts(tls)->cipher : ""));
}

static void ssl_protocol(const struct exchange *e, struct buf *out)
{
    const struct tlsconn *tls = e->conn->client.tls;
    put_text(out, bytes_of(tls ? names_version_token(tlsconn_facts(tls)->version) : ""));
}

static void vpc(const struct exchange *e, struct buf *out)
{
    PUT(out, "-1");
}

static void uri(const struct exchange *e, struct buf *out)
{
    put_text(out, e->path);
}

/* In CLB's order. */
static field_fn *const fields[] = {request_id, time_local, protocol_type, server_addr, server_name,
    remote_addr, status, upstream_addr, upstream_status, proxy_host, request, request_length,
    bytes_sent, http_host, user_agent, referer, request_time, upstream_response_time,
    upstream_connect_time, upstream_header_time, round_trip, connection, connection_requests,
    handshake_time, ssl_cipher, ssl_protocol, vpc, uri, server_protocol};

void access_log_clb(const struct exchange *e, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        PUT(out, i ? " [" : "[");
        fields[i](e, out);
        PUT(out, "]");
    }
    PUT(out, "\n");
}

void access_log_clb_remember(struct exchange *e, const struct http1_head *h)
{
    const struct http1_field *agent = http1_find(h, "User-Agent"), *from = http1_find(h, "Referer");
    e->user_agent = arena_copy(&e->arena, agent ? agent->value : (struct bytes){0});
    e->referer = arena_copy(&e->arena, from ? from->value : (struct bytes){0});
}
