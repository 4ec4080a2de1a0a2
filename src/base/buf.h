/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf — a queue of bytes that grows up to a maximum given at its creation, and holds no memory
 * while it is empty after buf_release.
 *
 * Memory: owns its storage. Slices from buf_bytes and buf_space are valid until the next call that
 * changes the buf.
 */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

struct buf {
    uint8_t *at;
    size_t start, end, capacity;
    size_t high; /* bytes from here on were never written: nothing to wipe */
    size_t max;
};

/* An empty buf that will never hold more than MAX bytes. */
void buf_init(struct buf *b, size_t max);
/* Wipes what it held. */
void buf_fini(struct buf *b);

static inline size_t buf_size(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->at ? b->at + b->start : NULL, b->end - b->start};
}

/* How many bytes may still be added. */
static inline size_t buf_room(const struct buf *b)
{
    return b->max - buf_size(b);
}

/* Make N bytes of free space (N <= buf_room) and return its address; buf_added says how many were
 * written there. */
uint8_t *buf_space(struct buf *b, size_t n) MUST_USE;
void buf_added(struct buf *b, size_t n);

/* Append, or -1 (and nothing is appended) if it would exceed the maximum. */
int buf_append(struct buf *b, struct bytes data) MUST_USE;
int buf_printf(struct buf *b, const char *format, ...) PRINTF(2, 3) MUST_USE;
/* N in decimal. */
int buf_append_number(struct buf *b, uint64_t n) MUST_USE;

/* Drop the first N bytes (N <= size). */
void buf_consume(struct buf *b, size_t n);
void buf_clear(struct buf *b);
/* If empty, give the storage back. */
void buf_release(struct buf *b);
/* The same; else give back what is not needed for what it holds now. */
void buf_fit(struct buf *b);
