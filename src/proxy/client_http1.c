/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client_http1.h"

#include "base/panic.h"
#include "proxy/headers.h"
#include "proxy/proxy_parts.h"

#include "base/ban.h"

static struct client_http1 *of(const struct exchange *e)
{
    return &e->conn->http1;
}

static struct buf *out(const struct exchange *e)
{
    return &e->conn->client.out;
}

static enum headers_connection connection_header(const struct client_http1 *h)
{
    if (!h->keeps_alive)
        return HEADERS_CLOSE;
    return h->minor_version == 0 ? HEADERS_KEEP_ALIVE : HEADERS_PERSIST;
}

static bool takes_head(struct exchange *e)
{
    return stream_room(&e->conn->client) > 0;
}

static bool flush(struct exchange *e)
{
    struct stream *s = &e->conn->client;
    stream_flush(s);
    if (s->state != STREAM_FAILED && !s->write_failed)
        return true;
    conn_client_failed(e->conn);
    return false;
}

static bool affords_gzip(struct exchange *e)
{
    return true; /* one response at a time */
}

static void write_head(struct exchange *e, const struct http1_head *h, bool is_chunked,
    enum headers_connection connection)
{
    int result = headers_write_response(out(e), h, is_chunked, connection);
    ASSERT(result == 0); /* a head is at most HTTP1_HEAD_MAX; ours adds little */
}

/* After this response the client cannot take its next one unless it knows where this one ends, and
 * has sent its request. */
static void respond(struct exchange *e, const struct http1_head *head)
{
    struct client_http1 *h = of(e);
    bool has_length = head->framing == HTTP1_BODY_NONE || head->framing == HTTP1_BODY_LENGTH;
    bool is_chunked = !has_length && h->minor_version > 0;
    bool ends_by_close = !has_length && h->minor_version == 0;
    h->keeps_alive = h->keeps_alive && exchange_is_request_whole(e) && !ends_by_close &&
                     !conn_is_ending(e->conn);
    party_http1_send(&h->party, is_chunked);
    write_head(e, head, is_chunked, connection_header(h));
}

/* RFC 9110 §15.2: interim responses go on to the client, but not to one of HTTP/1.0. */
static void inform(struct exchange *e, const struct http1_head *head)
{
    if (of(e)->minor_version > 0)
        write_head(e, head, false, HEADERS_PERSIST);
}

static void upgrade(struct exchange *e, const struct http1_head *head)
{
    write_head(e, head, false, HEADERS_PERSIST);
}

static void refuse(struct exchange *e, unsigned status, const char *detail)
{
    struct client_http1 *h = of(e);
    struct headers_error error = {
        .status = status,
        .detail = detail,
        .is_head = bytes_equal(e->method, BYTES("HEAD")),
        .now_s = loop_wall_s(e->conn->proxy->loop),
    };
    h->keeps_alive = h->keeps_alive && !e->is_suspect && exchange_is_request_whole(e) &&
                     !conn_is_ending(e->conn);
    headers_write_error(out(e), &error, connection_header(h));
}

static bool goes_on(const struct exchange *e)
{
    return of(e)->keeps_alive && exchange_is_request_whole(e);
}

static void end(struct exchange *e, bool went_on)
{
    of(e)->keeps_alive = false;
    if (went_on)
        conn_next(e->conn);
    else
        conn_close(e->conn, CLOSE_DONE, "");
}

static void cut(struct exchange *e, int reason, const char *detail)
{
    conn_reset(e->conn, (enum close_reason)reason, detail);
}

static const struct client_ops ops = {
    .flush = flush,
    .takes_head = takes_head,
    .affords_gzip = affords_gzip,
    .respond = respond,
    .inform = inform,
    .upgrade = upgrade,
    .refuse = refuse,
    .goes_on = goes_on,
    .end = end,
    .cut = cut,
};

struct client client_http1_init(struct client_http1 *h, struct stream *stream)
{
    *h = (struct client_http1){0};
    party_http1_init(&h->party, stream);
    return (struct client){&ops, &h->party.party, STREAM_OUT_SOFT};
}

void client_http1_begin(struct client_http1 *h, const struct http1_head *head)
{
    h->minor_version = head->minor_version;
    h->keeps_alive = head->keep_alive;
    party_http1_receive(&h->party, head);
}
