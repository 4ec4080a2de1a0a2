/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headers — what a head loses and gains on its way through: hop-by-hop fields, the fields that
 * speak for us, and the client's identity (RFC 9440).
 *
 * Whatever a client sends under a name that is ours, or under a spelling that a backend could take
 * for it, never arrives.
 */
#pragma once

#include "base/buf.h"
#include "io/address.h"
#include "pki/verdict.h"
#include "proto/http1.h"

/* Is NAME, or would a backend that folds case and punctuation take it for, a field that only we may
 * set? */
bool headers_is_reserved(struct bytes name);

/* The field lines that tell a target who the client is: Client-Cert, Client-Cert-Chain (RFC 9440),
 * X-Client-Cert-*. */
void headers_identity(struct buf *out, const struct verdict *v);

struct headers_client {
    const struct address *peer;
    bool is_trusted_proxy; /* X-Forwarded-For is appended to, not replaced */
    bool is_tls;
    bool is_target_tls;
    struct bytes identity; /* from headers_identity; empty where no certificate is asked for */
    struct bytes upgrade;  /* what it may be upgraded to (http1_offered_upgrade); empty: nothing */
};

/* The head of a request for a target. -1 if OUT has no room. */
int headers_write_request(
    struct buf *out, const struct http1_head *h, const struct headers_client *client) MUST_USE;

/* The same for a target of HTTP/2, as http2_write_field has it. */
int headers_write_request_http2(
    struct buf *out, const struct http1_head *h, const struct headers_client *client) MUST_USE;

enum headers_connection {
    HEADERS_CLOSE,
    HEADERS_KEEP_ALIVE,
    HEADERS_PERSIST /* HTTP/1.1: nothing need be said */
};

/* The head of a target's response for the client. IS_CHUNKED: its body will be. A 101 keeps its
 * Upgrade. */
int headers_write_response(struct buf *out, const struct http1_head *h, bool is_chunked,
    enum headers_connection connection) MUST_USE;
/* RFC 9110 §5.6.7 */
#define HEADERS_DATE_SIZE 40
void headers_date(int64_t now_s, char out[HEADERS_DATE_SIZE]);
/* The same for a client of HTTP/2, as http2_write_field has it. */
int headers_write_response_http2(struct buf *out, const struct http1_head *h) MUST_USE;

/* A short answer of our own. */
struct headers_error {
    unsigned status;
    const char *detail; /* for the client, or "" */
    bool is_head;       /* answers a HEAD: no body */
    int64_t now_s;
};
void headers_write_error(
    struct buf *out, const struct headers_error *e, enum headers_connection connection);
/* The same for a client of HTTP/2: the head, and its body. */
void headers_write_error_http2(struct buf *head, struct buf *body, const struct headers_error *e);
