/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include "proxy/conn.h"

#include "base/ban.h"

/* Move bytes from one side's `in` to the other's `out`; when the sender has ended, so do we towards
 * the receiver. Nothing is flushed after the last look for room: what made room would not be
 * reported again. */
static bool pump(struct stream *from, struct stream *to)
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

void relay_run(struct conn *c)
{
    struct stream *client = &c->client, *target = &c->upstream->stream;
    bool moved = pump(client, target);
    moved |= pump(target, client);
    if (client->state == STREAM_EOF && target->state == STREAM_EOF && client->shut &&
        target->shut) {
        conn_close(c, CLOSE_DONE, "");
    } else if (client->state == STREAM_TRUNCATED) {
        conn_reset(c, CLOSE_CLIENT_TRUNCATED, "");
    } else if (has_failed(client)) {
        conn_client_failed(c);
    } else if (has_failed(target)) {
        conn_reset(c, CLOSE_TARGET_CLOSED,
            target->state == STREAM_TRUNCATED ? "without close_notify" : "");
    } else if (moved) {
        conn_progress(c, service_config(c->service)->timeouts.relay_idle);
    }
}
