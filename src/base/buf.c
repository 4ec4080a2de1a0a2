/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define CAPACITY_MIN    512
#define PRINTED_USUALLY 256 /* longer texts are put into words twice */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    if (b->at)
        mem_wipe(b->at, b->high); /* also what was consumed */
    free(b->at);
    *b = (struct buf){.max = b->max};
}

/* Move all to storage of CAPACITY bytes. */
static void move(struct buf *b, size_t capacity)
{
    size_t size = buf_size(b);
    uint8_t *to = mem_alloc_raw(capacity);
    if (size)
        memcpy(to, b->at + b->start, size);
    if (b->at)
        mem_wipe(b->at, b->high);
    free(b->at);
    *b = (struct buf){.at = to, .end = size, .high = size, .capacity = capacity, .max = b->max};
}

/* Make N bytes of free space, whatever the maximum, and return its address. */
static uint8_t *reserve(struct buf *b, size_t n)
{
    if (b->capacity - b->end >= n && b->at)
        return b->at + b->end;
    size_t size = buf_size(b);
    if (b->at && b->capacity >= size + n && b->start >= b->capacity / 2) {
        memmove(b->at, b->at + b->start, size);
        b->start = 0;
        b->end = size;
    } else {
        size_t capacity = b->capacity ? b->capacity : CAPACITY_MIN;
        while (capacity < size + n)
            capacity *= 2;
        move(b, capacity);
    }
    return b->at + b->end;
}

uint8_t *buf_space(struct buf *b, size_t n)
{
    ASSERT(n <= buf_room(b));
    return reserve(b, n);
}

void buf_added(struct buf *b, size_t n)
{
    ASSERT(n <= b->capacity - b->end);
    b->end += n;
    if (b->high < b->end)
        b->high = b->end;
}

int buf_append(struct buf *b, struct bytes data)
{
    if (data.n > buf_room(b))
        return -1;
    if (!data.n)
        return 0;
    memcpy(buf_space(b, data.n), data.at, data.n);
    buf_added(b, data.n);
    return 0;
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char *space = (char *)reserve(b, PRINTED_USUALLY);
    size_t space_n = b->capacity - b->end; /* with the NUL, which is not kept */
    int n = vsnprintf(space, space_n, format, args);
    va_end(args);
    bool is_short = n >= 0 && (size_t)n < space_n, is_allowed = n >= 0 && (size_t)n <= buf_room(b);
    if (!is_short || !is_allowed)
        b->high = b->capacity; /* something of it stands there */
    if (!is_short && is_allowed)
        vsnprintf((char *)reserve(b, (size_t)n + 1), (size_t)n + 1, format, again);
    va_end(again);
    if (!is_allowed)
        return -1;
    buf_added(b, (size_t)n);
    return 0;
}

int buf_append_number(struct buf *b, uint64_t n)
{
    uint8_t digits[BYTES_NUMBER_MAX];
    return buf_append(b, bytes_number(n, digits));
}

void buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= buf_size(b));
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

void buf_release(struct buf *b)
{
    if (buf_size(b) == 0 && b->at) {
        free(b->at);
        *b = (struct buf){.max = b->max};
    }
}

void buf_fit(struct buf *b)
{
    buf_release(b);
    if (b->capacity > 2 * buf_size(b) && b->capacity > CAPACITY_MIN)
        move(b, buf_size(b));
}
