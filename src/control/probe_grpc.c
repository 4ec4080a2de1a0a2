/* SPDX-License-Identifier: Apache-2.0 */
/* probe_grpc — health checks by the protocol that gRPC has for them, grpc.health.v1
 * (doc/health-checking.md of gRPC): one call of Check on a connection of HTTP/2; the answer must be
 * SERVING. Or by any other call, of which the status counts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "control/probe.h"
#include "proto/http2.h"

#include "base/ban.h"

/* A message on the wire: not compressed, its length, then protocol buffers. Of a request field 1,
 * the service; of a response field 1, the status. */
#define PREFIX_N  5
#define SERVING_N 2
static const uint8_t serving[PREFIX_N + SERVING_N] = {0, 0, 0, 0, SERVING_N, 0x08, 0x01};

#define REQUEST_MAX  (PREFIX_N + 2 + CONFIG_CHECK_SERVICE_MAX)
#define RESPONSE_MAX 64 /* more than any that is good */
#define OUT_MAX      (64 * 1024)

struct call {
    struct http2 *http2;
    uint8_t request[REQUEST_MAX];
    size_t request_n, sent_n;
    uint8_t response[RESPONSE_MAX];
    size_t response_n; /* what did not fit is not kept, and is none that is good */
    int32_t id;
    unsigned http_status;
    char grpc_status[8]; /* "": there was none */
    bool is_over;
};

static void note_fields(struct call *c, const struct http1_head *h)
{
    for (size_t i = 0; i < h->fields_n; i++)
        if (bytes_equal(h->fields[i].name, BYTES("grpc-status")))
            snprintf(c->grpc_status, sizeof(c->grpc_status), "%.*s",
                BYTES_ARG(bytes_first(h->fields[i].value, sizeof(c->grpc_status) - 1)));
}

/* ---- events ---- */

static void on_head(void *owner, int32_t id, void *stream, struct http1_head *head, bool is_last)
{
    struct call *c = owner;
    c->http_status = head->status;
    note_fields(c, head);
}

static void on_refused(void *owner, int32_t id, const struct http1_head *head, int fault)
{
}

static void on_malformed(void *owner, int32_t id, void *stream, const char *why)
{
    ((struct call *)owner)->is_over = true;
}

static struct bytes method(void *stream)
{
    return BYTES("POST");
}

static void on_content(void *stream, struct bytes data)
{
    struct call *c = stream;
    struct bytes kept = bytes_first(data, RESPONSE_MAX - c->response_n);
    memcpy(c->response + c->response_n, kept.at, kept.n);
    c->response_n += kept.n;
    http2_taken(c->http2, c->id, data.n);
}

static void on_trailers(void *stream, const struct http1_head *fields)
{
    note_fields(stream, fields);
}

static void on_ended(void *stream)
{
    ((struct call *)stream)->is_over = true;
}

static struct bytes output(void *stream, bool *is_end, const struct buf **trailers)
{
    const struct call *c = stream;
    *is_end = true;
    *trailers = NULL;
    return bytes_skip((struct bytes){c->request, c->request_n}, c->sent_n);
}

static void on_sent(void *stream, size_t n)
{
    ((struct call *)stream)->sent_n += n;
}

static void on_closed(void *stream, uint32_t code)
{
    ((struct call *)stream)->is_over = true;
}

static void on_room(void *owner, void *stream)
{
}

static void on_finished(void *stream)
{
}

static void on_announced(void *owner)
{
}

static void on_goaway(void *owner, int32_t last, uint32_t code)
{
}

static const struct http2_handler handler = {
    .head = on_head,
    .refused = on_refused,
    .malformed = on_malformed,
    .method = method,
    .content = on_content,
    .trailers = on_trailers,
    .ended = on_ended,
    .room = on_room,
    .output = output,
    .sent = on_sent,
    .finished = on_finished,
    .closed = on_closed,
    .announced = on_announced,
    .goaway = on_goaway,
};

/* ---- the call ---- */

static void write_message(struct call *c, const char *service)
{
    size_t n = strlen(service);
    size_t body_n = n ? n + 2 : 0; /* a field that is empty is left out */
    c->request[PREFIX_N - 1] = (uint8_t)body_n;
    c->request_n = PREFIX_N + body_n;
    if (!n)
        return;
    c->request[PREFIX_N] = 0x0a; /* field 1, a text */
    c->request[PREFIX_N + 1] = (uint8_t)n;
    memcpy(c->request + PREFIX_N + 2, service, n);
}

static void write_fields(const struct probe *p, struct buf *fields)
{
    char host[PROBE_HOST_MAX];
    const struct {
        const char *name, *value;
    } list[] = {
        {":method", "POST"},
        {":scheme", p->upstream->stream.tls ? "https" : "http"},
        {":path", p->config->call[0] ? p->config->call : "/grpc.health.v1.Health/Check"},
        {":authority", probe_host(p, host)},
        {"te", "trailers"},
        {"content-type", "application/grpc"},
        {"user-agent", PROBE_USER_AGENT},
    };
    for (size_t i = 0; i < COUNT_OF(list); i++)
        ignore_result(http2_write_field(fields, bytes_of(list[i].name), bytes_of(list[i].value)));
}

static void send_call(struct probe *p, struct buf *out)
{
    uint64_t now_ms = loop_now_ms(p->loop);
    struct call *c = mem_calloc(1, sizeof(*c));
    struct buf fields;
    p->state = c;
    write_message(c, p->config->service);
    buf_init(&fields, PROBE_SEND_MAX);
    write_fields(p, &fields);
    c->http2 = http2_new(HTTP2_CLIENT, &handler, c, now_ms);
    c->id = http2_request(c->http2, &fields, true, c);
    buf_fini(&fields);
    if (c->id < 0 || http2_send(c->http2, out, OUT_MAX, now_ms) < 0)
        c->is_over = true;
}

/* A decimal number (PROTOCOL-HTTP2 of gRPC). */
static bool is_good(const struct config_health_check *config, const char *status)
{
    bool good[CONFIG_GRPC_STATUSES];
    size_t n = strspn(status, "0123456789");
    int result = health_check_statuses(config->statuses, good);
    ASSERT(result == 0); /* config_parse has looked at it */
    return n && n <= 2 && !status[n] && good[strtoul(status, NULL, 10)];
}

/* Whoever answers Check as it is meant to says more than that it has answered. */
static bool must_serve(const struct probe *p, const struct call *c)
{
    return !p->config->call[0] && strcmp(c->grpc_status, "0") == 0;
}

static int judge_answer(struct probe *p, const struct call *c)
{
    bool is_serving =
        c->response_n == sizeof(serving) && memcmp(c->response, serving, sizeof(serving)) == 0;
    if (c->http_status != 200)
        snprintf(p->why, sizeof(p->why), "no answer of gRPC: HTTP %u", c->http_status);
    else if (!is_good(p->config, c->grpc_status))
        snprintf(p->why, sizeof(p->why), "gRPC status %.*s", (int)sizeof(c->grpc_status),
            c->grpc_status[0] ? c->grpc_status : "missing");
    else if (must_serve(p, c) && !is_serving)
        snprintf(p->why, sizeof(p->why), "it says that it is not serving");
    else
        return 1;
    return 0;
}

static int judge_frames(struct probe *p, struct buf *in, struct buf *out)
{
    struct call *c = p->state;
    uint64_t now_ms = loop_now_ms(p->loop);
    bool has_failed = http2_receive(c->http2, buf_bytes(in), now_ms) < 0;
    buf_clear(in);
    if (has_failed || http2_send(c->http2, out, OUT_MAX, now_ms) < 0) {
        snprintf(p->why, sizeof(p->why), "its answer is no HTTP/2: %.150s", http2_text(c->http2));
        return 0;
    }
    return c->is_over ? judge_answer(p, c) : -1;
}

static void end_call(struct probe *p)
{
    struct call *c = p->state;
    p->state = NULL;
    if (c)
        http2_free(&c->http2);
    free(c);
}

const struct probe_kind probe_grpc = {.send = send_call, .judge = judge_frames, .end = end_call};
