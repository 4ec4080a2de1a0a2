/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "proto/http1_syntax.h"
#include "proto/http2_head.h"

#include "base/ban.h"

#define TEXT_MAX        160
#define DATA_MAX        16384       /* RFC 9113 §4.2: what every peer takes */
#define TABLE_MAX       4096        /* of HPACK, in either direction */
#define UNKNOWN_FIRST   0x0a        /* the first type of frame that RFC 9113 does not define */
#define LARGE_HEAD      (16 * 1024) /* what decodes to more costs credits */
#define LARGE_HEAD_UNIT 2048

/* While a head or trailer section is decoded, and taken. */
struct section_in {
    struct http2_block block;
    struct http1_head head;
};

struct http2 {
    nghttp2_session *session;
    enum http2_role role;
    const struct http2_handler *handler;
    void *owner;
    struct http2_credit credit;
    uint64_t now_ms;
    size_t memory, memory_max; /* allocated by nghttp2 */
    size_t allowed;            /* of it and IN while something is received */
    bool is_receiving;
    struct section_in *in; /* kept from one head to the next within http2_receive */
    bool is_in_head;
    struct buf *out;          /* while frames are written */
    size_t owed;              /* by which the window of the connection is not opened yet */
    bool is_shut;             /* nor will be */
    int32_t last_id;          /* server: of the streams that were opened */
    int32_t gap_from, gap_to; /* between which the peer passed over the last ones */
    bool has_moved;           /* content, since the last PING */
    bool is_short_of_memory;
    enum http2_failure failure;
    char text[TEXT_MAX];
};

/* ---- memory --------------------------------------------------------------------------------- */

/* Stands before each allocation of nghttp2, so that what is freed can be counted. */
union prefix {
    size_t n;
    max_align_t alignment;
};

static size_t section_memory(const struct http2 *h)
{
    return h->in ? sizeof(*h->in) + h->in->block.bytes.capacity + h->in->block.cookie.capacity : 0;
}

static bool is_allowed(const struct http2 *h, size_t more)
{
    return !h->is_receiving || section_memory(h) + h->memory + more <= h->allowed;
}

static void *reallocate(void *at, size_t n, void *owner)
{
    struct http2 *h = owner;
    union prefix *p = at ? (union prefix *)at - 1 : NULL;
    size_t before = p ? p->n : 0;
    bool is_more = n > before;
    if (n > h->memory_max || h->memory - before + n > h->memory_max ||
        (is_more && !is_allowed(h, n - before))) {
        h->is_short_of_memory = true;
        return NULL;
    }
    p = mem_realloc(p, sizeof(*p) + n);
    p->n = n;
    h->memory += n - before;
    return p + 1;
}

static void *allocate(size_t n, void *owner)
{
    return reallocate(NULL, n, owner);
}

static void *allocate_zeroed(size_t count, size_t size, void *owner)
{
    struct http2 *h = owner;
    if (size && count > h->memory_max / size)
        return NULL;
    void *at = allocate(count * size, owner);
    if (at)
        memset(at, 0, count * size);
    return at;
}

static void release(void *at, void *owner)
{
    struct http2 *h = owner;
    if (!at)
        return;
    union prefix *p = (union prefix *)at - 1;
    h->memory -= p->n;
    free(p);
}

/* ---- failing -------------------------------------------------------------------------------- */

static int fail(struct http2 *h, enum http2_failure failure, const char *text)
{
    if (!h->failure) {
        h->failure = failure;
        if (text)
            snprintf(h->text, sizeof(h->text), "%s", text);
    }
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int flooded(struct http2 *h)
{
    return fail(h, HTTP2_FAILED_FLOOD, "too much work for too little use");
}

static int spend(struct http2 *h, enum http2_work work, unsigned cost)
{
    return http2_credit_spend(&h->credit, work, cost, h->now_ms) < 0 ? flooded(h) : 0;
}

static int spend_small(struct http2 *h)
{
    return http2_credit_spend_small(&h->credit, h->now_ms) < 0 ? flooded(h) : 0;
}

/* What nghttp2 returned, as one of ours. The GOAWAY is queued here, unless nghttp2 did that. */
static int end_with(struct http2 *h, int error)
{
    if (h->is_short_of_memory || error == NGHTTP2_ERR_NOMEM)
        fail(h, HTTP2_FAILED_MEMORY, "more is asked for than its memory allows");
    else if (error == NGHTTP2_ERR_FLOODED)
        fail(h, HTTP2_FAILED_FLOOD, "frames to be answered come faster than answers are taken");
    else
        fail(h, HTTP2_FAILED_PROTOCOL, h->text[0] ? NULL : nghttp2_strerror(error));
    uint32_t code =
        h->failure == HTTP2_FAILED_PROTOCOL ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;
    ignore_result(nghttp2_session_terminate_session(h->session, code));
    return -1;
}

static int on_error(nghttp2_session *session, int error, const char *text, size_t n, void *owner)
{
    struct http2 *h = owner;
    if (!h->failure)
        snprintf(h->text, sizeof(h->text), "%.*s", (int)(n < TEXT_MAX ? n : TEXT_MAX), text);
    return 0;
}

static void *stream_of(struct http2 *h, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h->session, id);
}

/* ---- heads ---------------------------------------------------------------------------------- */

static void free_section(struct http2 *h)
{
    if (h->in)
        http2_block_fini(&h->in->block);
    free(h->in);
    h->in = NULL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct http2 *h = owner;
    h->is_in_head = true;
    if (h->in) {
        http2_block_clear(&h->in->block);
        return 0;
    }
    h->in = mem_alloc_raw(sizeof(*h->in));
    http2_block_init(&h->in->block);
    return 0;
}

/* There is no memory for this head. That of a request is decoded to its end, as the compression is
 * the connection's (RFC 9113 §4.3), and then refused. */
static int make_room(struct http2 *h, const nghttp2_frame *frame)
{
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return -1;
    http2_block_drop(&h->in->block);
    return is_allowed(h, 0) ? 0 : -1;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *owner)
{
    struct http2 *h = owner;
    struct http2_block *b = &h->in->block;
    if (!is_allowed(h, 0) && make_room(h, frame) < 0) {
        h->is_short_of_memory = true;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (http2_block_add(b, (struct bytes){name, name_n}, (struct bytes){value, value_n}) == 0)
        return 0;
    ignore_result(spend(h, HTTP2_WORK_HEADERS, HTTP2_CREDIT_MAX));
    return fail(h, HTTP2_FAILED_FLOOD, "a head that decodes to more than any that is taken");
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
    void *owner)
{
    /* RFC 9113 §8.2.1: a request or response that contains an invalid field MUST be treated as
     * malformed; by itself nghttp2 would drop the field. */
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void malformed(struct http2 *h, int32_t id, const char *why)
{
    h->handler->malformed(h->owner, id, stream_of(h, id), why);
}

/* What nghttp2 takes for well-formed, and we do not. */
static void refuse_malformed(struct http2 *h, int32_t id, int fault)
{
    http2_reset(h, id, HTTP2_PROTOCOL_ERROR);
    malformed(h, id, http1_fault_text((enum http1_fault)fault));
}

static int take_request(struct http2 *h, int32_t id, bool is_last)
{
    if (h->in->block.is_dropped) {
        http2_reset(h, id, HTTP2_REFUSED_STREAM);
        return 0;
    }
    int fault = -http2_read_request(&h->in->block, is_last, &h->in->head);
    if (!fault) {
        h->handler->head(h->owner, id, NULL, &h->in->head, is_last);
        return 0;
    }
    int result = spend(h, HTTP2_WORK_HEADERS, 2 * HTTP2_CREDIT_MESSAGE);
    switch (fault) {
    case HTTP1_BAD_PSEUDO_FIELD:
    case HTTP1_BAD_FIELD_NAME:
    case HTTP1_CONTROL_BYTE:
    case HTTP1_BAD_CONNECTION:
    case HTTP1_BAD_CONTENT_LENGTH:
    case HTTP1_CONFLICTING_LENGTHS:
    case HTTP1_HOST_MISMATCH:
        refuse_malformed(h, id, fault);
        break;
    default:
        h->handler->refused(h->owner, id, &h->in->head, fault);
    }
    return result;
}

static int take_response(struct http2 *h, int32_t id, bool is_last)
{
    void *stream = stream_of(h, id);
    if (!stream)
        return 0;
    int fault =
        -http2_read_response(&h->in->block, is_last, h->handler->method(stream), &h->in->head);
    if (fault)
        refuse_malformed(h, id, fault);
    else
        h->handler->head(h->owner, id, stream, &h->in->head, is_last);
    return 0;
}

static int take_trailers(struct http2 *h, int32_t id)
{
    void *stream = stream_of(h, id);
    if (!stream)
        return 0;
    int fault = -http2_read_trailers(&h->in->block, &h->in->head);
    if (fault)
        refuse_malformed(h, id, fault);
    else
        h->handler->trailers(stream, &h->in->head);
    return 0;
}

static int take_head(struct http2 *h, const nghttp2_frame *frame)
{
    int32_t id = frame->hd.stream_id;
    bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    /* nghttp2 says HEADERS of what follows an interim response as of trailers: these end a stream.
     */
    bool is_response =
        h->role == HTTP2_CLIENT && (frame->headers.cat == NGHTTP2_HCAT_RESPONSE ||
                                       h->in->block.pseudo[HTTP2_PSEUDO_STATUS].is_there);
    size_t decoded = h->in->block.decoded;
    int result = frame->headers.cat == NGHTTP2_HCAT_REQUEST ? take_request(h, id, is_last)
                 : is_response                              ? take_response(h, id, is_last)
                                                            : take_trailers(h, id);
    h->is_in_head = false;
    if (result == 0 && decoded > LARGE_HEAD)
        result = spend(h, HTTP2_WORK_HEADERS, (unsigned)((decoded - LARGE_HEAD) / LARGE_HEAD_UNIT));
    return result;
}

/* ---- frames --------------------------------------------------------------------------------- */

/* RFC 9113 §5.1.1: an identifier below one that was used before, and never used itself, is
 * unexpected: a connection error. nghttp2 takes it for that of a stream long closed. */
static int check_id(struct http2 *h, int32_t id)
{
    if (id > h->gap_from && id < h->gap_to)
        return fail(h, HTTP2_FAILED_PROTOCOL, "HEADERS: a stream that was passed over");
    if (id <= h->last_id)
        return 0;
    if (id > h->last_id + 2) {
        h->gap_from = h->last_id;
        h->gap_to = id;
    }
    h->last_id = id;
    return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *owner)
{
    static const struct {
        enum http2_work work;
        unsigned cost;
    } costs[] = {
        [NGHTTP2_DATA] = {HTTP2_WORK_FRAMES, 0},
        [NGHTTP2_HEADERS] = {HTTP2_WORK_HEADERS, 1},
        [NGHTTP2_PRIORITY] = {HTTP2_WORK_CONTROL, 5},
        [NGHTTP2_RST_STREAM] = {HTTP2_WORK_RESETS, 10},
        [NGHTTP2_SETTINGS] = {HTTP2_WORK_CONTROL, 20},
        [NGHTTP2_PUSH_PROMISE] = {HTTP2_WORK_CONTROL, 20},
        [NGHTTP2_PING] = {HTTP2_WORK_CONTROL, 5},
        [NGHTTP2_GOAWAY] = {HTTP2_WORK_CONTROL, 20},
        [NGHTTP2_WINDOW_UPDATE] = {HTTP2_WORK_FRAMES, 0},
        [NGHTTP2_CONTINUATION] = {HTTP2_WORK_HEADERS, 10},
    };
    struct http2 *h = owner;
    if (hd->type == NGHTTP2_HEADERS && h->role == HTTP2_SERVER && check_id(h, hd->stream_id) < 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (hd->type >= COUNT_OF(costs))
        return spend(h, HTTP2_WORK_CONTROL, 5);
    /* A peer may measure how fast content moves (gRPC does): a PING is free then. */
    if (hd->type == NGHTTP2_PING && h->has_moved) {
        h->has_moved = false;
        return 0;
    }
    return costs[hd->type].cost ? spend(h, costs[hd->type].work, costs[hd->type].cost) : 0;
}

static int take_data(struct http2 *h, const nghttp2_frame *frame)
{
    bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    void *stream = stream_of(h, frame->hd.stream_id);
    if (is_last && stream)
        h->handler->ended(stream);
    bool is_empty = frame->hd.length <= frame->data.padlen;
    return is_empty && !is_last ? spend(h, HTTP2_WORK_FRAMES, 10) : 0;
}

static int take_window(struct http2 *h, const nghttp2_frame *frame)
{
    int32_t id = frame->hd.stream_id;
    void *stream = id ? stream_of(h, id) : NULL;
    if (stream || !id)
        h->handler->room(h->owner, stream);
    return frame->window_update.window_size_increment < HTTP2_CREDIT_SMALL ? spend_small(h) : 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct http2 *h = owner;
    int32_t id = frame->hd.stream_id;
    bool is_ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    switch ((int)frame->hd.type) {
    case NGHTTP2_DATA:
        return take_data(h, frame);
    case NGHTTP2_HEADERS: {
        int result = take_head(h, frame);
        void *stream = stream_of(h, id);
        if (result == 0 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && stream)
            h->handler->ended(stream);
        return result;
    }
    case NGHTTP2_SETTINGS:
        h->handler->room(h->owner, NULL);
        return 0;
    case NGHTTP2_PING:
        if (is_ack)
            h->handler->announced(h->owner);
        return 0;
    case NGHTTP2_GOAWAY:
        if (h->role == HTTP2_CLIENT)
            h->handler->goaway(h->owner, frame->goaway.last_stream_id, frame->goaway.error_code);
        return 0;
    case NGHTTP2_WINDOW_UPDATE:
        return take_window(h, frame);
    default:
        return 0;
    }
}

static int on_invalid_frame(
    nghttp2_session *session, const nghttp2_frame *frame, int error, void *owner)
{
    struct http2 *h = owner;
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_HEADERS) /* what follows of it is skipped */
        h->is_in_head = false;
    if (id && (frame->hd.type == NGHTTP2_HEADERS || stream_of(h, id)))
        malformed(h, id, h->text[0] ? h->text : nghttp2_strerror(error));
    else if (!h->text[0])
        snprintf(h->text, sizeof(h->text), "%s", nghttp2_strerror(error));
    return 0;
}

static int on_data(
    nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *owner)
{
    struct http2 *h = owner;
    void *stream = stream_of(h, id);
    h->has_moved = true;
    if (stream)
        h->handler->content(stream, (struct bytes){data, n});
    else
        http2_taken(h, id, n);
    return 0;
}

/* nghttp2 tells the peer in the GOAWAY what it did, and us not always. */
static void fail_with(struct http2 *h, const nghttp2_frame *frame)
{
    size_t n = frame->goaway.opaque_data_len;
    if (!h->text[0])
        snprintf(h->text, sizeof(h->text), "%.*s", (int)(n < TEXT_MAX ? n : TEXT_MAX - 1),
            n ? (const char *)frame->goaway.opaque_data : "");
    fail(h, HTTP2_FAILED_PROTOCOL, NULL);
}

/* RFC 9113 §4.1: frames of unknown types MUST be ignored, which is work as well: nghttp2 tells of
 * them only where it is asked to. */
static int on_unknown(nghttp2_session *session, const nghttp2_frame_hd *hd, const uint8_t *data,
    size_t n, void *owner)
{
    return NGHTTP2_ERR_CANCEL;
}

static int drop_unknown(
    nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd, void *owner)
{
    return NGHTTP2_ERR_CANCEL;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct http2 *h = owner;
    int type = frame->hd.type;
    void *stream = stream_of(h, frame->hd.stream_id);
    bool can_end = type == NGHTTP2_DATA || type == NGHTTP2_HEADERS;
    if (type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST && stream)
        http2_widen(h, frame->hd.stream_id,
            h->handler->window ? h->handler->window(stream) : HTTP2_STREAM_WINDOW);
    if (can_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && stream)
        h->handler->finished(stream);
    /* RFC 9113 §8.1.1: of this one way to be malformed nghttp2 tells nobody but the peer. */
    if (type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code == NGHTTP2_PROTOCOL_ERROR &&
        stream)
        malformed(h, frame->hd.stream_id, "its content is not as long as Content-Length says");
    /* RFC 9113 §10.5; CVE-2025-8671: whoever makes us reset streams resets them. */
    if (type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
        return spend(h, HTTP2_WORK_RESETS, 10);
    /* Behind that frame, and not before it as nghttp2 would put the two. */
    if (type == NGHTTP2_GOAWAY && frame->goaway.last_stream_id == INT32_MAX)
        ignore_result(nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL));
    /* By itself nghttp2 ends a connection only for what its peer did. */
    if (type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !h->failure)
        fail_with(h, frame);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *owner)
{
    struct http2 *h = owner;
    void *stream = stream_of(h, id);
    if (stream)
        h->handler->closed(stream, code);
    return 0;
}

/* ---- output --------------------------------------------------------------------------------- */

static void submit_trailers(struct http2 *h, int32_t id, const struct buf *fields);

static ssize_t read_data(nghttp2_session *session, int32_t id, uint8_t *to, size_t n_max,
    uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    struct http2 *h = owner;
    const struct buf *trailers = NULL;
    bool is_end = false;
    void *stream = stream_of(h, id);
    if (!stream) /* its owner has left it */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct bytes data = h->handler->output(stream, &is_end, &trailers);
    size_t n = data.n < n_max ? data.n : n_max;
    if (n == data.n && is_end)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0)
        return NGHTTP2_ERR_DEFERRED;
    if (n == data.n && is_end && trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(h, id, trailers);
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)n;
}

/* N bytes go, for which windows, of stream and connection, will be opened again. Where there is no
 * more to be sent that is for each piece, however small; a piece that is small because windows are
 * so is the peer's doing. */
static int pay(struct http2 *h, int32_t id, size_t n)
{
    static const size_t two = 2 * HTTP2_CREDIT_SMALL;
    bool is_small = n && n < HTTP2_CREDIT_SMALL && n >= http2_room(h, id);
    http2_credit_move(&h->credit, n && n < two && !is_small ? two : n);
    return is_small ? spend_small(h) : 0;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
    size_t n, nghttp2_data_source *source, void *owner)
{
    struct http2 *h = owner;
    const struct buf *trailers;
    bool is_end;
    void *stream = stream_of(h, frame->hd.stream_id);
    struct bytes data = bytes_first(h->handler->output(stream, &is_end, &trailers), n);
    int result = buf_append(h->out, (struct bytes){header, HTTP2_FRAME_OVERHEAD});
    result |= buf_append(h->out, data);
    ASSERT(result == 0 && data.n == n); /* http2_send has looked for room */
    if (n)
        h->has_moved = true;
    result = pay(h, frame->hd.stream_id, n);
    h->handler->sent(stream, n);
    return result;
}

int http2_send(struct http2 *h, struct buf *out, size_t size_max, uint64_t now_ms)
{
    h->now_ms = now_ms;
    h->out = out;
    while (buf_size(out) + DATA_MAX + HTTP2_FRAME_OVERHEAD <= size_max) {
        const uint8_t *at;
        ssize_t n = nghttp2_session_mem_send(h->session, &at);
        if (n < 0)
            return end_with(h, (int)n);
        size_t before = buf_size(out);
        if (n > 0 && buf_append(out, (struct bytes){at, (size_t)n}) < 0)
            return end_with(h, NGHTTP2_ERR_NOMEM);
        if (n == 0 && buf_size(out) == before)
            break;
    }
    return h->failure ? -1 : 0;
}

int http2_receive(struct http2 *h, struct bytes bytes, uint64_t now_ms)
{
    h->now_ms = now_ms;
    if (h->failure)
        return -1;
    h->is_receiving = true;
    ssize_t n = nghttp2_session_mem_recv(h->session, bytes.at, bytes.n);
    h->is_receiving = false;
    if (!h->is_in_head)
        free_section(h);
    if (n < 0)
        return end_with(h, (int)n);
    return h->failure ? end_with(h, NGHTTP2_ERR_PROTO) : 0;
}

/* ---- fields --------------------------------------------------------------------------------- */

/* Before each name and value in a section to be sent. */
struct lengths {
    uint32_t name, value;
};

int http2_write_field(struct buf *b, struct bytes name, struct bytes value)
{
    struct lengths n = {(uint32_t)name.n, (uint32_t)value.n};
    bool is_pseudo = name.n > 1 && name.at[0] == ':';
    if (!http1_is_token(bytes_skip(name, is_pseudo)) || sizeof(n) + name.n + value.n > buf_room(b))
        return -1;
    uint8_t *to = buf_space(b, sizeof(n) + name.n + value.n);
    memcpy(to, &n, sizeof(n));
    for (size_t i = 0; i < name.n; i++)
        to[sizeof(n) + i] = bytes_lower(name.at[i]);
    if (value.n)
        memcpy(to + sizeof(n) + name.n, value.at, value.n);
    buf_added(b, sizeof(n) + name.n + value.n);
    return 0;
}

size_t http2_read_field(struct bytes section, struct http1_field *out)
{
    struct lengths n;
    memcpy(&n, section.at, sizeof(n));
    section = bytes_skip(section, sizeof(n));
    out->name = bytes_first(section, n.name);
    out->value = bytes_first(bytes_skip(section, n.name), n.value);
    return sizeof(n) + n.name + n.value;
}

/* The fields of a section as nghttp2 takes them. */
struct section {
    nghttp2_nv *at; /* FEW, or where those are too few, storage of its own */
    size_t n;
    nghttp2_nv few[24];
};

/* RFC 7541 §7.1.3: what should not be found out by trying goes into no table. */
static bool is_sensitive(struct bytes name)
{
    return bytes_equal(name, BYTES("authorization")) || bytes_equal(name, BYTES("set-cookie")) ||
           bytes_equal(name, BYTES("cookie"));
}

static size_t count_fields(struct bytes section)
{
    struct http1_field f;
    size_t n = 0;
    for (; section.n; n++)
        section = bytes_skip(section, http2_read_field(section, &f));
    return n;
}

static void section_init(struct section *s, const struct buf *fields)
{
    struct bytes rest = buf_bytes(fields);
    size_t n = count_fields(rest);
    s->at = n <= COUNT_OF(s->few) ? s->few : mem_calloc(n, sizeof(*s->at));
    s->n = 0;
    while (rest.n) {
        struct http1_field f;
        rest = bytes_skip(rest, http2_read_field(rest, &f));
        s->at[s->n++] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)f.name.at,
            .namelen = f.name.n,
            .value = (uint8_t *)(uintptr_t)f.value.at,
            .valuelen = f.value.n,
            .flags = is_sensitive(f.name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
        };
    }
}

static void section_fini(struct section *s)
{
    if (s->at != s->few)
        free(s->at);
}

static void submit_trailers(struct http2 *h, int32_t id, const struct buf *fields)
{
    struct section s;
    section_init(&s, fields);
    ignore_result(nghttp2_submit_trailer(h->session, id, s.at, s.n));
    section_fini(&s);
}

int http2_respond(struct http2 *h, int32_t id, const struct buf *fields, bool has_body)
{
    struct section s;
    section_init(&s, fields);
    nghttp2_data_provider provider = {.read_callback = read_data};
    int result = nghttp2_submit_response(h->session, id, s.at, s.n, has_body ? &provider : NULL);
    section_fini(&s);
    return result < 0 ? -1 : 0;
}

int http2_inform(struct http2 *h, int32_t id, const struct buf *fields)
{
    struct section s;
    section_init(&s, fields);
    int result = nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, id, NULL, s.at, s.n, NULL);
    section_fini(&s);
    return result < 0 ? -1 : 0;
}

int32_t http2_request(struct http2 *h, const struct buf *fields, bool has_body, void *stream)
{
    if (http2_requests_max(h) == 0) /* nghttp2 would find out only when it is to be sent */
        return -1;
    struct section s;
    section_init(&s, fields);
    nghttp2_data_provider provider = {.read_callback = read_data};
    int32_t id =
        nghttp2_submit_request(h->session, NULL, s.at, s.n, has_body ? &provider : NULL, stream);
    section_fini(&s);
    return id < 0 ? -1 : id;
}

/* ---- streams and windows --------------------------------------------------------------------- */

void http2_set_stream(struct http2 *h, int32_t id, void *stream)
{
    ignore_result(nghttp2_session_set_stream_user_data(h->session, id, stream));
}

void http2_resume(struct http2 *h, int32_t id)
{
    ignore_result(nghttp2_session_resume_data(h->session, id));
}

size_t http2_room(const struct http2 *h, int32_t id)
{
    int32_t stream = nghttp2_session_get_stream_remote_window_size(h->session, id);
    if (stream < 0) /* its head waits to be sent */
        stream = (int32_t)nghttp2_session_get_remote_settings(
            h->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    int32_t conn = nghttp2_session_get_remote_window_size(h->session);
    int32_t room = stream < conn ? stream : conn;
    return room > 0 ? (size_t)room : 0;
}

void http2_taken(struct http2 *h, int32_t id, size_t n)
{
    ignore_result(nghttp2_session_consume_stream(h->session, id, n));
    if (h->is_shut)
        h->owed += n;
    else
        ignore_result(nghttp2_session_consume_connection(h->session, n));
}

void http2_shut(struct http2 *h, bool is_shut)
{
    h->is_shut = is_shut;
    if (is_shut || !h->owed)
        return;
    ignore_result(nghttp2_session_consume_connection(h->session, h->owed));
    h->owed = 0;
}

void http2_widen(struct http2 *h, int32_t id, size_t more)
{
    ignore_result(nghttp2_submit_window_update(h->session, NGHTTP2_FLAG_NONE, id, (int32_t)more));
}

void http2_reset(struct http2 *h, int32_t id, enum http2_code code)
{
    ignore_result(nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, (uint32_t)code));
}

size_t http2_requests_max(const struct http2 *h)
{
    if (h->failure || !nghttp2_session_check_request_allowed(h->session))
        return 0;
    uint32_t max =
        nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return max < HTTP2_STREAMS_MAX ? max : HTTP2_STREAMS_MAX;
}

/* ---- the connection ------------------------------------------------------------------------- */

void http2_announce_end(struct http2 *h)
{
    ignore_result(nghttp2_submit_shutdown_notice(h->session));
}

void http2_end(struct http2 *h, enum http2_code code)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    ignore_result(
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, (uint32_t)code, NULL, 0));
}

void http2_earn(struct http2 *h)
{
    /* A target has several frames for each request: it opens windows by a little, and resets what
     * it has answered before it was whole. */
    unsigned shared = h->role == HTTP2_CLIENT ? HTTP2_CREDIT_SHARED : 1;
    http2_credit_earn(&h->credit, HTTP2_CREDIT_MESSAGE * shared);
}

enum http2_failure http2_failure(const struct http2 *h)
{
    return h->failure;
}

const char *http2_text(const struct http2 *h)
{
    return h->text;
}

const struct http2_credit *http2_credit(const struct http2 *h)
{
    return &h->credit;
}

size_t http2_memory(const struct http2 *h)
{
    return sizeof(*h) + h->memory + section_memory(h);
}

void http2_allow(struct http2 *h, size_t memory_max)
{
    h->allowed = memory_max;
}

size_t http2_head_size(const struct http2 *h)
{
    return h->in->block.decoded;
}

/* The largest is held twice, as fields and as frames. */
bool http2_takes_head(const struct http2 *h)
{
    return h->memory + 2 * (HTTP1_HEAD_MAX + HTTP1_FIELDS_MAX * sizeof(nghttp2_nv)) < h->memory_max;
}

bool http2_is_in_head(const struct http2 *h)
{
    return h->is_in_head;
}

bool http2_is_over(const struct http2 *h)
{
    return !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
}

/* ---- life ----------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks(void)
{
    nghttp2_session_callbacks *c;
    int result = nghttp2_session_callbacks_new(&c);
    ASSERT(result == 0);
    nghttp2_session_callbacks_set_error_callback2(c, on_error);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(c, on_unknown);
    nghttp2_session_callbacks_set_unpack_extension_callback(c, drop_unknown);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(c, send_data);
    return c;
}

static nghttp2_option *options(void)
{
    nghttp2_option *o;
    int result = nghttp2_option_new(&o);
    ASSERT(result == 0);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(o, TABLE_MAX);
    nghttp2_option_set_max_send_header_block_length(o, 8 * HTTP1_HEAD_MAX);
    for (unsigned type = UNKNOWN_FIRST; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(o, (uint8_t)type);
    nghttp2_option_set_peer_max_concurrent_streams(o, HTTP2_STREAMS_MAX);
    return o;
}

/* RFC 9113 §6.5.2. No push, and no extended CONNECT (RFC 8441). */
static void submit_settings(struct http2 *h)
{
    const nghttp2_settings_entry server[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_CLIENT_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP1_HEAD_MAX},
    };
    const nghttp2_settings_entry client[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}, /* http2_handler.window */
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP1_HEAD_MAX},
    };
    bool is_server = h->role == HTTP2_SERVER;
    int result = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, is_server ? server : client,
        is_server ? COUNT_OF(server) : COUNT_OF(client));
    ASSERT(result == 0);
    if (!is_server)
        result = nghttp2_session_set_local_window_size(
            h->session, NGHTTP2_FLAG_NONE, 0, HTTP2_STREAMS_MAX * HTTP2_STREAM_WINDOW);
    ASSERT(result == 0);
}

struct http2 *http2_new(
    enum http2_role role, const struct http2_handler *handler, void *owner, uint64_t now_ms)
{
    struct http2 *h = mem_alloc(sizeof(*h));
    nghttp2_mem mem = {h, allocate, release, allocate_zeroed, reallocate};
    nghttp2_session_callbacks *c = callbacks();
    nghttp2_option *o = options();
    h->role = role;
    h->memory_max = role == HTTP2_SERVER ? HTTP2_MEMORY_MAX : HTTP2_SHARED_MEMORY_MAX;
    h->allowed = h->memory_max;
    h->handler = handler;
    h->owner = owner;
    http2_credit_init(&h->credit, now_ms);
    int result = role == HTTP2_SERVER ? nghttp2_session_server_new3(&h->session, c, h, o, &mem)
                                      : nghttp2_session_client_new3(&h->session, c, h, o, &mem);
    ASSERT(result == 0); /* less than HTTP2_MEMORY_MAX */
    nghttp2_session_callbacks_del(c);
    nghttp2_option_del(o);
    submit_settings(h);
    return h;
}

void http2_free(struct http2 **hp)
{
    struct http2 *h = *hp;
    *hp = NULL;
    if (!h)
        return;
    nghttp2_session_del(h->session);
    free_section(h);
    free(h);
}
