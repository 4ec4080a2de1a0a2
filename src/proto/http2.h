/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2 — one connection of HTTP/2 (RFC 9113) as a codec: bytes in, events out, bytes out; no
 * sockets, no clock, and the content of bodies stays with the owner.
 *
 * nghttp2 does framing, HPACK, stream states and windows. What is ours: the messages
 * (http2_head.h), what a peer may ask for (http2_credit.h), and how much memory all of that may
 * take.
 *
 * Events come from inside http2_receive and http2_send; a handler may call anything of this file
 * but these two and http2_free. Memory: owned by whoever made it.
 */
#pragma once

#include <sys/types.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "proto/http1.h"
#include "proto/http2_credit.h"

/* Requests under way together: of one client, towards one server. */
#define HTTP2_CLIENT_STREAMS_MAX 50
#define HTTP2_STREAMS_MAX        100
/* Content that a peer may send on a stream before any was taken, a server as soon as the handler
 * lets it. On all streams together a client may send 65,535 octets: RFC 9113 §6.9.2. */
#define HTTP2_STREAM_WINDOW (32 * 1024)
/* What the framing layer may hold: for a client; for a server, whose streams are of many clients, a
 * head of each and what they become on the wire. */
#define HTTP2_MEMORY_MAX        (256 * 1024)
#define HTTP2_SHARED_MEMORY_MAX (2 * HTTP2_STREAMS_MAX * HTTP1_HEAD_MAX)
#define HTTP2_FRAME_OVERHEAD    9

struct http2;

enum http2_role { HTTP2_SERVER, HTTP2_CLIENT };

/* RFC 9113 §7: those that we send ourselves. */
enum http2_code {
    HTTP2_NO_ERROR = 0,
    HTTP2_PROTOCOL_ERROR = 1,
    HTTP2_INTERNAL_ERROR = 2,
    HTTP2_REFUSED_STREAM = 7,
    HTTP2_CANCEL = 8,
    HTTP2_ENHANCE_YOUR_CALM = 11
};

/* Why a connection cannot go on. */
enum http2_failure {
    HTTP2_OPEN,
    HTTP2_FAILED_PROTOCOL, /* the peer broke a rule for which there is no milder answer */
    HTTP2_FAILED_FLOOD,    /* its credits are spent: http2_credit_worst says on what */
    HTTP2_FAILED_MEMORY    /* the framing layer needs more than it may have */
};

/* What has come. OWNER is the connection's; STREAM what http2_set_stream gave, or NULL. HEAD is
 * valid during the call only. */
struct http2_handler {
    /* A request (server) or a response, interim ones among them (client). IS_LAST: without a body.
     */
    void (*head)(void *owner, int32_t id, void *stream, struct http1_head *head, bool is_last);
    /* Server: it is answered by a status and not by an error of the stream. FAULT: enum
     * http1_fault. HEAD has what could be read. */
    void (*refused)(void *owner, int32_t id, const struct http1_head *head, int fault);
    /* The message on this stream is malformed (RFC 9113 §8.1.1); it is being reset. STREAM may be
     * NULL, if its head was. */
    void (*malformed)(void *owner, int32_t id, void *stream, const char *why);
    /* Client: the method of the request on STREAM. */
    struct bytes (*method)(void *stream);
    /* Client: the request's head was written. How much content may come before any was taken.
     * NULL: HTTP2_STREAM_WINDOW. */
    size_t (*window)(void *stream);
    void (*content)(void *stream, struct bytes data);
    void (*trailers)(void *stream, const struct http1_head *fields);
    void (*ended)(void *stream); /* the peer's message is complete */
    /* There may be more room (http2_room) on STREAM; NULL: on any. */
    void (*room)(void *owner, void *stream);
    /* Content that waits to be sent; *IS_END: and there is none behind it, but *TRAILERS, if not
     * NULL.
     */
    struct bytes (*output)(void *stream, bool *is_end, const struct buf **trailers);
    /* N bytes of it were written. */
    void (*sent)(void *stream, size_t n);
    /* Our message was written whole. */
    void (*finished)(void *stream);
    /* Both sides are done, or the stream was reset: enum http2_code. The last that is heard of it.
     */
    void (*closed)(void *stream, uint32_t code);
    /* The peer has read what http2_announce_end said. */
    void (*announced)(void *owner);
    /* Client: the server takes no streams above LAST any more. */
    void (*goaway)(void *owner, int32_t last, uint32_t code);
};

struct http2 *http2_new(
    enum http2_role role, const struct http2_handler *handler, void *owner, uint64_t now_ms);
void http2_free(struct http2 **h);

/* Take BYTES. -1 if the connection cannot go on: GOAWAY has been queued, and http2_failure and
 * http2_text say why. */
int http2_receive(struct http2 *h, struct bytes bytes, uint64_t now_ms) MUST_USE;
/* Append frames to OUT as long as there are any and OUT has room for a whole one below SIZE_MAX. -1
 * as above. */
int http2_send(struct http2 *h, struct buf *out, size_t size_max, uint64_t now_ms) MUST_USE;
enum http2_failure http2_failure(const struct http2 *h);
const char *http2_text(const struct http2 *h);
const struct http2_credit *http2_credit(const struct http2 *h);
/* Bytes that the framing layer holds, with the head that is being received. */
size_t http2_memory(const struct http2 *h);
/* So much may that become by what is received from now on. */
void http2_allow(struct http2 *h, size_t memory_max);
/* Is there room for another head to be sent? */
bool http2_takes_head(const struct http2 *h);
/* While the handler has a head: bytes of its names and values. */
size_t http2_head_size(const struct http2 *h);
/* Is a head being received? */
bool http2_is_in_head(const struct http2 *h);
/* Has either side said GOAWAY, and are all streams done? */
bool http2_is_over(const struct http2 *h);

/* ---- messages ------------------------------------------------------------------------------- */

/* A head or trailer section to be sent: field lines, appended one by one. Names are put into lower
 * case. -1 if B has no room, or if it is no field. */
int http2_write_field(struct buf *b, struct bytes name, struct bytes value) MUST_USE;

/* The first field at the start of SECTION, which was written so; how many bytes that are. */
size_t http2_read_field(struct bytes section, struct http1_field *out);

/* An empty head of a response. RFC 9113 §8.3.2: it comes without a reason phrase; here it has the
 * usual one. */
void http2_begin_response(struct http1_head *out, unsigned status);

/* What events about stream ID come with. */
void http2_set_stream(struct http2 *h, int32_t id, void *stream);
/* The final head on stream ID (server); content follows if HAS_BODY, as the handler's output has
 * it. -1 if the stream is gone. */
int http2_respond(struct http2 *h, int32_t id, const struct buf *fields, bool has_body) MUST_USE;
/* An interim head. */
int http2_inform(struct http2 *h, int32_t id, const struct buf *fields) MUST_USE;
/* A request (client). The stream, or -1 if there can be no more on this connection. */
int32_t http2_request(
    struct http2 *h, const struct buf *fields, bool has_body, void *stream) MUST_USE;
/* How many requests may be under way together (client); 0: there can be no new ones. */
size_t http2_requests_max(const struct http2 *h);
/* Output has more, or its end. */
void http2_resume(struct http2 *h, int32_t id);
/* How much content the peer would take on that stream now. */
size_t http2_room(const struct http2 *h, int32_t id);
/* N bytes of received content have gone on, and are no burden any more: open the window. */
void http2_taken(struct http2 *h, int32_t id, size_t n);
/* Client: let so much MORE content come on the stream before any was taken. */
void http2_widen(struct http2 *h, int32_t id, size_t more);
/* The window of the connection is not opened any more; or, if not IS_SHUT, by all that was taken
 * meanwhile. */
void http2_shut(struct http2 *h, bool is_shut);
void http2_reset(struct http2 *h, int32_t id, enum http2_code code);

/* ---- the connection ------------------------------------------------------------------------- */

/* RFC 9113 §6.8: announce that there will be no new streams; those under way when the peer reads
 * this are still taken. */
void http2_announce_end(struct http2 *h);
/* No stream that has not come yet is taken. */
void http2_end(struct http2 *h, enum http2_code code);
/* Something of use was done. */
void http2_earn(struct http2 *h);
