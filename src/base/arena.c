/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define BLOCK_MIN 256 /* the first; each further one is twice as large as the one before */
#define BLOCK_MAX 1024

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(max_align_t) uint8_t bytes[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_fini(struct arena *a)
{
    for (struct arena_block *b = a->blocks; b;) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    arena_init(a);
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t align = _Alignof(max_align_t);
    n = (n + align - 1) & ~(align - 1);
    struct arena_block *b = a->blocks;
    if (!b || b->size - b->used < n) {
        size_t size = !b ? BLOCK_MIN : b->size < BLOCK_MAX / 2 ? 2 * b->size : BLOCK_MAX;
        size = n > size ? n : size;
        b = mem_alloc(sizeof(*b) + size);
        b->size = size;
        b->next = a->blocks;
        a->blocks = b;
        a->held += sizeof(*b) + size;
    }
    void *p = b->bytes + b->used;
    b->used += n;
    return p;
}

char *arena_strndup(struct arena *a, const void *at, size_t n)
{
    char *copy = arena_alloc(a, n + 1);
    if (n)
        memcpy(copy, at, n);
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_strndup(a, text, strlen(text));
}

struct bytes arena_copy(struct arena *a, struct bytes b)
{
    return (struct bytes){(const uint8_t *)arena_strndup(a, b.at, b.n), b.n};
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    char *text = arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}
