/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include "proxy/conn.h"
#include "proxy/target_fault.h"

#include "base/ban.h"

/* Move bytes from one side's `in` to the other's `out`; when the sender has ended, so do we towards
 * the receiver. Nothing is flushed after the last look for room: what made room would not be
 * reported again. PASSED counts them. */
static bool pump(struct stream *from, struct stream *to, uint64_t *passed)
{
    bool moved = false;
    for (;;) {
        stream_flush(to);
        struct bytes data = bytes_first(buf_bytes(&from->in), stream_room(to));
        if (!data.n && stream_refill(from))
            continue;
        if (!data.n)
            break;
        stream_write(to, data);
        buf_consume(&from->in, data.n);
        *passed += data.n;
        moved = true;
    }
    if (from->state == STREAM_EOF && buf_size(&from->in) == 0)
        stream_shutdown(to);
    return moved;
}

static bool has_failed(const struct stream *s)
{
    return s->state == STREAM_FAILED || s->state == STREAM_TRUNCATED || s->write_failed;
}

static void target_failed(struct exchange *e)
{
    struct stream *target = &e->upstream->stream;
    if (target->state == STREAM_OPEN) /* writing failed; it may have said why before */
        stream_ready(target, EPOLLIN);
    const struct tlsconn_failure *f = target->tls ? tlsconn_failure(target->tls) : NULL;
    bool is_refusal = target_fault_is_late_refusal(e->upstream, e->response.bytes > 0);
    const char *detail = target->state == STREAM_TRUNCATED ? "without close_notify"
                         : f                               ? f->text
                                                           : "";
    conn_reset(e->conn, is_refusal ? CLOSE_TARGET_HANDSHAKE : CLOSE_TARGET_CLOSED, detail);
}

void relay_run(struct exchange *e)
{
    struct conn *c = e->conn;
    struct stream *client = &c->client, *target = &e->upstream->stream;
    bool moved = pump(client, target, &e->request.bytes);
    moved |= pump(target, client, &e->response.bytes);
    if (client->state == STREAM_EOF && target->state == STREAM_EOF && client->shut &&
        target->shut) {
        conn_close(c, CLOSE_DONE, "");
    } else if (client->state == STREAM_TRUNCATED) {
        conn_reset(c, CLOSE_CLIENT_TRUNCATED, "");
    } else if (has_failed(client)) {
        conn_client_failed(c);
    } else if (has_failed(target)) {
        target_failed(e);
    } else if (moved) {
        exchange_progress(e, service_config(c->service)->timeouts.relay_idle);
    }
}
