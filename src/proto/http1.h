/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1 — HTTP/1.0 and HTTP/1.1 messages (RFC 9112, RFC 9110), strict: reject, never repair.
 *
 * Pure: bytes in, a parsed head or body events out; no sockets, no clock, no allocation. Slices
 * point into the input.
 */
#pragma once

#include <sys/types.h>

#include "base/attributes.h"
#include "base/bytes.h"

#define HTTP1_FIELDS_MAX     100 /* field lines of a head, or of a trailer section */
#define HTTP1_LINE_MAX       8192 /* bytes of the start line, of a field line, of a chunk-size line */
#define HTTP1_HEAD_MAX       (64 * 1024) /* bytes of a whole head, or of a trailer section */
#define HTTP1_METHOD_MAX     32          /* bytes of a method */
#define HTTP1_CONNECTION_MAX 1024        /* bytes of all Connection fields of a head together */
#define HTTP1_EXTENSIONS_MAX (64 * 1024) /* by which chunk extensions may outweigh the content */
#define HTTP1_HOST_SIZE      256         /* what http1_normalise_host may write, with its NUL */
#define HTTP1_UPGRADE_MAX    256         /* bytes of the protocols that a request asks for */

/* Why a message is refused. Parsers return the negative. http1_fault.def: X(symbol, token, status,
 * text). */
enum http1_fault {
    HTTP1_FAULT_NONE,
#define X(symbol, token, status, text) HTTP1_##symbol,
#include "proto/http1_fault.def"
#undef X
    HTTP1_FAULT_COUNT
};
const char *http1_fault_token(enum http1_fault f);
const char *http1_fault_text(enum http1_fault f);
/* The status with which a server answers such a request (400, 414, 431, 501, 505). */
unsigned http1_fault_status(enum http1_fault f);

struct http1_field {
    struct bytes name;  /* token, as sent */
    struct bytes value; /* without leading and trailing OWS */
};

enum http1_framing {
    HTTP1_BODY_NONE,
    HTTP1_BODY_LENGTH,
    HTTP1_BODY_CHUNKED,
    HTTP1_BODY_UNTIL_CLOSE, /* responses only (RFC 9112 §6.3 rule 8) */
};

enum http1_target_form { HTTP1_ORIGIN_FORM, HTTP1_ABSOLUTE_FORM, HTTP1_ASTERISK_FORM };

/* Also what a message of HTTP/2 is brought into (proto/http2_head.h): then as one of HTTP/1.1. */
struct http1_head {
    unsigned minor_version; /* HTTP/1.0 or HTTP/1.1 */
    bool is_http2;          /* it came as HTTP/2 */
    /* request */
    struct bytes method;
    struct bytes target;         /* as sent */
    enum http1_target_form form; /* authority-form (CONNECT) is refused */
    struct bytes authority; /* of Host, or of an absolute-form target, which wins (RFC 9112 §3.2.2);
                               may be empty in HTTP/1.0 */
    struct bytes path_and_query; /* origin-form part of the target; "/" for an absolute-form without
                                    path; "*" */
    bool expects_continue;
    /* response */
    unsigned status;
    struct bytes reason;
    /* both */
    struct http1_field fields[HTTP1_FIELDS_MAX];
    size_t fields_n;
    enum http1_framing framing;
    uint64_t content_length; /* HTTP1_BODY_LENGTH */
    bool keep_alive; /* after this message, as version and Connection say (RFC 9112 §9.3) */
    bool upgrades;   /* Connection: upgrade with an Upgrade field; in a response also status 101 */
};

/* Parse a whole head. > 0: its length in bytes. 0: need more. < 0: -enum http1_fault. Leading empty
 * lines before a request are skipped (RFC 9112 §2.2; at most two). *SCANNED is the parser's memory
 * between calls for one growing head: begin with 0. */
ssize_t http1_parse_request(struct bytes in, size_t *scanned, struct http1_head *out) MUST_USE;
/* REQUEST_METHOD decides whether the response has a body (HEAD). Interim (1xx) responses are heads
 * of their own. */
ssize_t http1_parse_response(
    struct bytes in, size_t *scanned, struct bytes request_method, struct http1_head *out) MUST_USE;

/* The first field of that name (case does not count), or NULL. */
const struct http1_field *http1_find(const struct http1_head *h, const char *name);
/* Does the comma-separated list in any field NAME contain TOKEN (case does not count)? */
bool http1_list_has(const struct http1_head *h, const char *name, struct bytes token);
/* Does the sender of REQUEST take trailers (RFC 9110 §10.1.4)? */
bool http1_takes_trailers(const struct http1_head *request);
/* Is this a field that ends at this hop: Connection and what it names, Keep-Alive,
 * Proxy-Connection, TE, Transfer-Encoding, Upgrade, HTTP2-Settings, Trailer is not (RFC 9110
 * §7.6.1)? */
bool http1_is_hop_by_hop(const struct http1_head *h, struct bytes name);

/* ---- upgrades ------------------------------------------------------------------------------ */

/* The protocols that REQUEST asks for (RFC 9110 §7.8) as a list for another Upgrade field, without
 * those under which requests would go on unseen (HTTP/2, TLS). Its length; 0 if there are none. */
size_t http1_offered_upgrade(const struct http1_head *request, char list[HTTP1_UPGRADE_MAX]);
/* Does RESPONSE, a 101, switch to nothing but what OFFERED lists? */
bool http1_upgrades_to(const struct http1_head *response, struct bytes offered);

/* ---- bodies -------------------------------------------------------------------------------- */

enum http1_body_state {
    HTTP1_BODY_DATA,
    HTTP1_CHUNK_SIZE,
    HTTP1_CHUNK_DATA,
    HTTP1_CHUNK_END,
    HTTP1_TRAILERS,
    HTTP1_BODY_DONE
};

struct http1_body {
    enum http1_framing framing;
    enum http1_body_state state;
    uint64_t left; /* bytes of the body or of the chunk that are still to come */
    size_t trailer_bytes;
    size_t trailers_n;
    size_t scanned; /* of a chunk-size or trailer line that has not come whole: looked at already */
    uint64_t extension_bytes; /* dropped chunk extensions, as far as they outweigh the content */
};

void http1_body_init(struct http1_body *b, const struct http1_head *head);

enum http1_body_event { HTTP1_EVENT_DATA, HTTP1_EVENT_TRAILER, HTTP1_EVENT_END };

struct http1_body_item {
    enum http1_body_event event;
    struct bytes data;          /* DATA: a piece of the content, in place */
    struct http1_field trailer; /* TRAILER: one trailer field */
};

/* The next item at the start of IN. > 0: bytes consumed, OUT filled. 0: need more. < 0: -enum
 * http1_fault. END of an empty or length-delimited body consumes nothing and is returned as 0 with
 * b->state == HTTP1_BODY_DONE: ask http1_body_is_done first. A chunk-size line or chunk end without
 * content for the caller gives DATA with data.n = 0. */
ssize_t http1_body_next(
    struct http1_body *b, struct bytes in, struct http1_body_item *out) MUST_USE;
static inline bool http1_body_is_done(const struct http1_body *b)
{
    return b->state == HTTP1_BODY_DONE;
}
/* The connection ended. 0: that is how this body ends; -1: it was cut off. */
int http1_body_eof(struct http1_body *b) MUST_USE;

/* ---- targets ------------------------------------------------------------------------------- */

/* Normalise PATH (without query; "*" stays as it is) for routing into OUT (at least path.n bytes):
 * percent-encoded unreserved characters are decoded (RFC 3986 §6.2.2.2), hex digits upper-cased.
 * Length, or -fault: dot-segments (also encoded, also with a `;` parameter
 * behind them), encoded slash, backslash or NUL, bad percent-encoding. */
ssize_t http1_normalise_path(struct bytes path, uint8_t *out) MUST_USE;

/* AUTHORITY as host in lower case without port, brackets and one trailing dot into OUT
 * (HTTP1_HOST_SIZE bytes, ended by a NUL); length, or -fault. An IPv6 address is written as
 * inet_ntop writes it. */
ssize_t http1_normalise_host(struct bytes authority, char *out) MUST_USE;
