/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_head — what the heads of requests and responses have in common: their lines, their framing,
 * their connection.
 *
 * For the files of this folder. Pure; slices point into the input.
 */
#pragma once

#include <sys/types.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "proto/http1.h"

/* Parse a start line (without its CRLF, and scanned) into OUT. 0 or -fault. */
typedef int http1_start_line_fn(struct bytes line, struct http1_head *out);

struct http1_start_line {
    http1_start_line_fn *parse;
    size_t empty_lines_max; /* that may stand before it */
};

/* Read start line and fields up to the empty line. Results as of http1_parse_request, whose SCANNED
 * this is. */
ssize_t http1_read_head(struct bytes in, size_t *scanned, const struct http1_start_line *start,
    struct http1_head *out) MUST_USE;

/* "HTTP/1.0" or "HTTP/1.1" into OUT->minor_version. 0, -BAD_VERSION for another version, -MALFORMED
 * for what is none. */
int http1_read_version(
    struct bytes version, enum http1_fault malformed, struct http1_head *out) MUST_USE;

/* The fields that decide about the message itself: the first of each name, and how many there are.
 */
enum http1_known {
    HTTP1_KNOWN_HOST,
    HTTP1_KNOWN_CONTENT_LENGTH,
    HTTP1_KNOWN_TRANSFER_ENCODING,
    HTTP1_KNOWN_CONNECTION,
    HTTP1_KNOWN_UPGRADE,
    HTTP1_KNOWN_EXPECT,
    HTTP1_KNOWN_COUNT
};
struct http1_survey {
    struct {
        const struct http1_field *first;
        size_t n;
    } of[HTTP1_KNOWN_COUNT];
};
void http1_take_survey(const struct http1_head *h, struct http1_survey *s);

/* Set framing and content_length as Content-Length and Transfer-Encoding say; HTTP1_BODY_NONE
 * without them. 0 or -fault. */
int http1_read_framing(const struct http1_survey *s, struct http1_head *h) MUST_USE;

/* Is this the method of a request that we take? 0 or -fault. */
int http1_check_method(struct bytes method) MUST_USE;

/* Set expects_continue as Expect says. Framing is known. 0 or -fault. */
int http1_read_expect(const struct http1_survey *s, struct http1_head *out) MUST_USE;

/* May NAME not be a trailer? */
bool http1_is_forbidden_trailer(struct bytes name);

/* Set keep_alive and upgrades as Connection and Upgrade say. 0 or -fault. */
int http1_read_connection(const struct http1_survey *s, struct http1_head *h) MUST_USE;
