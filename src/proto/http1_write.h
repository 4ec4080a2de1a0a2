/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_write — HTTP/1.1 messages, piece by piece, appended to a buf.
 *
 * All return 0, or -1 and append nothing: there is no room, or the piece is not what it should be;
 * so a CR, LF or NUL from elsewhere can never begin a line of its own here.
 *
 *   request:  http1_write_request_line, http1_write_field …, http1_write_end
 *   response: http1_write_status, http1_write_field …, http1_write_end
 *   chunks:   (http1_write_chunk_begin, the data, http1_write_chunk_end) …,
 *             http1_write_last_chunk, http1_write_field for each trailer …, http1_write_end
 */
#pragma once

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

int http1_write_request_line(struct buf *b, struct bytes method, struct bytes target) MUST_USE;
/* With the reason phrase of http1_reason_phrase. STATUS is 100 to 599. */
int http1_write_status(struct buf *b, unsigned status) MUST_USE;
/* With the REASON of somebody else's response; it may be empty. */
int http1_write_status_line(struct buf *b, unsigned status, struct bytes reason) MUST_USE;
int http1_write_field(struct buf *b, struct bytes name, struct bytes value) MUST_USE;
/* The empty line after the fields of a head or of a trailer section. */
int http1_write_end(struct buf *b) MUST_USE;

/* SIZE is not 0: that would be the last chunk. */
int http1_write_chunk_begin(struct buf *b, uint64_t size) MUST_USE;
int http1_write_chunk_end(struct buf *b) MUST_USE;
/* Trailers and http1_write_end follow. */
int http1_write_last_chunk(struct buf *b) MUST_USE;

/* As in the IANA registry; "" for a status that is not in it. */
const char *http1_reason_phrase(unsigned status);
