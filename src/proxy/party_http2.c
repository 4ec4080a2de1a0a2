/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/party_http2.h"

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define OUT_MAX  (32 * 1024)  /* that waits on one stream */
#define IN_MAX   (128 * 1024) /* more than any window: before a peer knows ours, it has 64 KiB */
#define TRAILERS (2 * HTTP1_HEAD_MAX) /* with what http2_write_field adds */

static struct party_http2 *of(struct party *p)
{
    return container_of(p, struct party_http2, party);
}

/* ---- what it sends
 * --------------------------------------------------------------------------------------------- */

static enum party_event next(struct party *party, size_t room, struct party_item *item)
{
    struct party_http2 *p = of(party);
    if (buf_size(&p->in)) {
        item->content = bytes_first(buf_bytes(&p->in), room);
        p->shown = item->content.n;
        return room ? PARTY_CONTENT : PARTY_WAITS;
    }
    if (buf_size(&p->in_trailers)) {
        p->shown = http2_read_field(buf_bytes(&p->in_trailers), &item->trailer);
        return room ? PARTY_TRAILER : PARTY_WAITS;
    }
    if (p->is_in_whole)
        return PARTY_END;
    return p->is_gone ? PARTY_CUT : PARTY_WAITS;
}

static void taken(struct party *party)
{
    struct party_http2 *p = of(party);
    if (buf_size(&p->in)) {
        buf_consume(&p->in, p->shown);
        http2_taken(p->link->http2, p->id, p->shown);
    } else {
        buf_consume(&p->in_trailers, p->shown);
    }
    p->shown = 0;
    buf_release(&p->in);
}

static bool is_whole(struct party *party)
{
    return of(party)->is_in_whole;
}

void party_http2_content(struct party_http2 *p, struct bytes data)
{
    p->received += data.n;
    if (buf_append(&p->in, data) < 0)
        http2_reset(p->link->http2, p->id, HTTP2_INTERNAL_ERROR);
}

void party_http2_trailers(struct party_http2 *p, const struct http1_head *fields)
{
    for (size_t i = 0; i < fields->fields_n; i++)
        ignore_result(
            http2_write_field(&p->in_trailers, fields->fields[i].name, fields->fields[i].value));
}

void party_http2_discard(struct party_http2 *p)
{
    if (buf_size(&p->in) && p->link->http2)
        http2_taken(p->link->http2, p->id, buf_size(&p->in));
    buf_clear(&p->in);
    buf_release(&p->in);
}

/* ---- what it is sent
 * --------------------------------------------------------------------------------------------- */

static size_t less(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Room for content of this connection, whatever the windows say. */
static size_t link_room(const struct http2_link *l)
{
    size_t room = stream_room(l->stream);
    return room > l->queued ? room - l->queued : 0;
}

static size_t room(struct party *party)
{
    struct party_http2 *p = of(party);
    size_t window = p->is_gone ? 0 : less(http2_room(p->link->http2, p->id), OUT_MAX);
    size_t waits = buf_size(&p->out);
    size_t n = window > waits ? less(window - waits, link_room(p->link)) : 0;
    p->wants_room = n == 0;
    return n;
}

bool party_http2_takes_head(struct party_http2 *p)
{
    bool has_room = link_room(p->link) > 0 && http2_takes_head(p->link->http2);
    p->wants_room |= !has_room;
    return has_room;
}

static void content(struct party *party, struct bytes data)
{
    struct party_http2 *p = of(party);
    int result = buf_append(&p->out, data);
    ASSERT(result == 0); /* no more than there was room for; answers of ours are small */
    p->link->queued += data.n;
    http2_resume(p->link->http2, p->id);
}

static void trailer(struct party *party, const struct http1_field *field)
{
    struct party_http2 *p = of(party);
    if (!p->is_bodyless)
        ignore_result(http2_write_field(&p->out_trailers, field->name, field->value));
}

static void end(struct party *party)
{
    struct party_http2 *p = of(party);
    p->is_out_whole = true;
    if (!p->is_bodyless && !p->is_gone)
        http2_resume(p->link->http2, p->id);
}

struct bytes party_http2_output(struct party_http2 *p, bool *is_end, const struct buf **trailers)
{
    *is_end = p->is_out_whole;
    *trailers = buf_size(&p->out_trailers) ? &p->out_trailers : NULL;
    return buf_bytes(&p->out);
}

void party_http2_sent(struct party_http2 *p, size_t n)
{
    buf_consume(&p->out, n);
    buf_release(&p->out);
    p->link->queued -= n;
    p->accepted += n;
}

void party_http2_close(struct party_http2 *p)
{
    party_http2_discard(p);
    party_http2_stop(p);
}

void party_http2_repeat(struct party_http2 *p, struct bytes data)
{
    content(&p->party, data);
}

void party_http2_stop(struct party_http2 *p)
{
    p->is_gone = true;
    p->link->queued -= buf_size(&p->out);
    buf_clear(&p->out);
}

static uint64_t received(struct party *party)
{
    return of(party)->received;
}

static uint64_t accepted(struct party *party)
{
    return of(party)->accepted;
}

static const struct party_ops ops = {
    .next = next,
    .taken = taken,
    .is_whole = is_whole,
    .room = room,
    .content = content,
    .trailer = trailer,
    .end = end,
    .received = received,
    .accepted = accepted,
};

void party_http2_init(struct party_http2 *p, struct http2_link *link, int32_t id)
{
    *p = (struct party_http2){.party = {&ops}, .link = link, .id = id};
    buf_init(&p->in, IN_MAX);
    buf_init(&p->out, STREAM_OUT_MAX);
    buf_init(&p->in_trailers, TRAILERS);
    buf_init(&p->out_trailers, TRAILERS);
}

void party_http2_fini(struct party_http2 *p)
{
    buf_fini(&p->in);
    buf_fini(&p->out);
    buf_fini(&p->in_trailers);
    buf_fini(&p->out_trailers);
}

void party_http2_fit(struct party_http2 *p)
{
    buf_fit(&p->in);
    buf_fit(&p->out);
    buf_fit(&p->in_trailers);
    buf_fit(&p->out_trailers);
}

size_t party_http2_held(const struct party_http2 *p)
{
    return p->in.capacity + p->out.capacity + p->in_trailers.capacity + p->out_trailers.capacity;
}
