/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/party_gzip.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* zlib's memory is 2^(window + 2) + 2^(level + 9) octets: 32 KiB for each response under way, an
 * eighth of its default, for some hundredths more of output. */
#define WINDOW_BITS  12
#define MEMORY_LEVEL 5
#define GZIP_BITS    16 /* added to the window's: the gzip format, not zlib's */
#define EFFORT       4
#define IN_MAX       4096
#define OUT_MAX      4096

struct compressor {
    z_stream z;
    uint8_t in[IN_MAX], out[OUT_MAX];
    size_t out_n, shown; /* in OUT: what is not taken yet, and what next has shown of it */
    bool has_unflushed;  /* deflate holds content back */
    bool has_ended;      /* INNER; Z_FINISH */
    bool is_finished;    /* all is in OUT */
    bool has_trailer;    /* INNER's first, which is taken there and not shown yet */
    struct http1_field trailer;
    struct arena texts;
};

/* And some 6 KiB of its own: what zlib 1.2.13 takes of 64-bit memory. */
_Static_assert(sizeof(struct compressor) + (32 + 8) * 1024 <= PARTY_GZIP_MEMORY, "all is counted");

static struct party_gzip *of(struct party *p)
{
    return container_of(p, struct party_gzip, party);
}

/* Compress what IN holds, as far as OUT has room. */
static void run(struct compressor *c, int flush)
{
    bool is_fed = c->z.avail_in > 0;
    c->z.next_out = c->out + c->out_n;
    c->z.avail_out = (uInt)(OUT_MAX - c->out_n);
    int result = deflate(&c->z, flush);
    ASSERT(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
    c->out_n = OUT_MAX - c->z.avail_out;
    c->is_finished = result == Z_STREAM_END;
    /* zlib: as long as the output is filled to the last octet, more is to come. */
    if (flush != Z_NO_FLUSH && c->z.avail_out)
        c->has_unflushed = false;
    else if (is_fed)
        c->has_unflushed = true;
}

static enum party_event show(struct compressor *c, size_t room, struct party_item *item)
{
    if (!room)
        return PARTY_WAITS;
    c->shown = c->out_n < room ? c->out_n : room;
    item->content = (struct bytes){c->out, c->shown};
    return PARTY_CONTENT;
}

/* What INNER shows is taken whole: it counts what it has shown. */
static void take(struct party_gzip *g, struct bytes content)
{
    struct compressor *c = g->compressor;
    memcpy(c->in, content.at, content.n);
    c->z.next_in = c->in;
    c->z.avail_in = (uInt)content.n;
    g->inner->ops->taken(g->inner);
}

/* The first one tells that the content has ended, when some of it is still to be passed on. */
static void keep_trailer(struct party_gzip *g, const struct http1_field *f)
{
    struct compressor *c = g->compressor;
    c->trailer.name = arena_copy(&c->texts, f->name);
    c->trailer.value = arena_copy(&c->texts, f->value);
    c->has_trailer = true;
    g->inner->ops->taken(g->inner);
}

/* Fill OUT. An event that is neither content nor the end is the party's, too; else PARTY_WAITS. */
static enum party_event fill(struct party_gzip *g, struct party_item *item)
{
    struct compressor *c = g->compressor;
    while (!c->is_finished && c->out_n < OUT_MAX) {
        if (c->has_ended) {
            run(c, Z_FINISH);
            continue;
        }
        if (c->z.avail_in) {
            run(c, Z_NO_FLUSH);
            continue;
        }
        enum party_event event = g->inner->ops->next(g->inner, IN_MAX, item);
        switch (event) {
        case PARTY_CONTENT:
            take(g, item->content);
            break;
        case PARTY_TRAILER:
            keep_trailer(g, &item->trailer);
            c->has_ended = true;
            break;
        case PARTY_END:
            c->has_ended = true;
            break;
        case PARTY_WAITS:
            if (c->has_unflushed)
                run(c, Z_SYNC_FLUSH);
            return PARTY_WAITS;
        case PARTY_CUT:
        case PARTY_BAD:
            return event;
        }
    }
    return PARTY_WAITS;
}

static enum party_event next(struct party *p, size_t room, struct party_item *item)
{
    struct party_gzip *g = of(p);
    struct compressor *c = g->compressor;
    enum party_event event = fill(g, item);
    if (event != PARTY_WAITS)
        return event;
    if (c->out_n)
        return show(c, room, item);
    if (c->has_trailer)
        item->trailer = c->trailer;
    if (c->has_trailer)
        return PARTY_TRAILER;
    return c->is_finished ? g->inner->ops->next(g->inner, room, item) : PARTY_WAITS;
}

static void taken(struct party *p)
{
    struct party_gzip *g = of(p);
    struct compressor *c = g->compressor;
    if (c->shown) {
        c->out_n -= c->shown;
        memmove(c->out, c->out + c->shown, c->out_n);
        c->shown = 0;
    } else if (c->has_trailer) {
        c->has_trailer = false;
    } else {
        g->inner->ops->taken(g->inner);
    }
}

static bool is_whole(struct party *p)
{
    return of(p)->inner->ops->is_whole(of(p)->inner);
}

static uint64_t received(struct party *p)
{
    return of(p)->inner->ops->received(of(p)->inner);
}

/* Nothing is ever sent to it. */
static const struct party_ops ops = {
    .next = next,
    .taken = taken,
    .is_whole = is_whole,
    .received = received,
};

void party_gzip_init(struct party_gzip *p, struct party *inner)
{
    *p = (struct party_gzip){.party = {&ops}, .inner = inner};
    p->compressor = mem_alloc(sizeof(*p->compressor));
    arena_init(&p->compressor->texts);
    int result = deflateInit2(&p->compressor->z, EFFORT, Z_DEFLATED, WINDOW_BITS + GZIP_BITS,
        MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    ASSERT(result == Z_OK); /* no memory */
}

void party_gzip_fini(struct party_gzip *p)
{
    if (p->compressor) {
        deflateEnd(&p->compressor->z);
        arena_fini(&p->compressor->texts);
    }
    free(p->compressor);
    *p = (struct party_gzip){0};
}
