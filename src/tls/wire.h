/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — the presentation language of TLS (RFC 8446 §3): numbers and vectors, read off a slice and
 * written to a buf.
 *
 * Reading: false, and nothing taken, if the slice is too short. Writing: what does not fit a buf's
 * maximum, or a vector its length field, is noted in the writer, and nothing is sent then.
 */
#pragma once

#include "base/buf.h"

bool wire_take_8(struct bytes *in, uint8_t *out) MUST_USE;
bool wire_take_16(struct bytes *in, uint16_t *out) MUST_USE;
bool wire_take_24(struct bytes *in, uint32_t *out) MUST_USE;
bool wire_take_32(struct bytes *in, uint32_t *out) MUST_USE;
bool wire_take(struct bytes *in, size_t n, struct bytes *out) MUST_USE;
/* A vector with a length of 1, 2 or 3 octets: its content. */
bool wire_take_vector_8(struct bytes *in, struct bytes *out) MUST_USE;
bool wire_take_vector_16(struct bytes *in, struct bytes *out) MUST_USE;
bool wire_take_vector_24(struct bytes *in, struct bytes *out) MUST_USE;
/* Is NUMBER in LIST, a vector of 16-bit numbers? */
bool wire_contains_16(struct bytes list, uint16_t number);

struct wire_writer {
    struct buf *out;
    bool has_failed;
};
void wire_put_8(struct wire_writer *w, uint8_t number);
void wire_put_16(struct wire_writer *w, uint16_t number);
void wire_put_24(struct wire_writer *w, uint32_t number);
void wire_put_32(struct wire_writer *w, uint32_t number);
void wire_put(struct wire_writer *w, struct bytes data);
/* A vector whose length takes LENGTH_N octets begins (a place to be filled in); wire_end fills it
 * in. */
struct wire_mark {
    size_t at;
    unsigned length_n;
};
struct wire_mark wire_begin(struct wire_writer *w, unsigned length_n) MUST_USE;
void wire_end(struct wire_writer *w, struct wire_mark mark);
