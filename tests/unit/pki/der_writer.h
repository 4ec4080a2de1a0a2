/* SPDX-License-Identifier: Apache-2.0 */
/*
 * der_writer — DER, well-formed or not, put together in tests.
 *
 * Memory: one arena for everything, given back by written_free().
 */
#pragma once

#include <stdlib.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/bytes.h"

static struct arena written;

static inline void written_free(void)
{
    arena_fini(&written);
}

static inline struct bytes join(size_t n, const struct bytes *parts)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += parts[i].n;
    uint8_t *at = arena_alloc(&written, size), *end = at;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n)
            memcpy(end, parts[i].at, parts[i].n);
        end += parts[i].n;
    }
    return (struct bytes){at, size};
}

static inline struct bytes element(uint8_t tag, size_t n, const struct bytes *parts)
{
    struct bytes content = join(n, parts);
    uint8_t head[4] = {tag, (uint8_t)content.n};
    size_t head_n = 2;
    if (content.n > 0xff) {
        head[1] = 0x82;
        head[2] = (uint8_t)(content.n >> 8);
        head[3] = (uint8_t)content.n;
        head_n = 4;
    } else if (content.n > 0x7f) {
        head[1] = 0x81;
        head[2] = (uint8_t)content.n;
        head_n = 3;
    }
    return join(2, (struct bytes[]){{head, head_n}, content});
}

#define PARTS(...)                                              \
    COUNT_OF(((struct bytes[]){__VA_ARGS__})), (struct bytes[]) \
    {                                                           \
        __VA_ARGS__                                             \
    }
#define TLV(tag, ...)    element(tag, PARTS(__VA_ARGS__))
#define JOIN(...)        join(PARTS(__VA_ARGS__))
#define SEQUENCE_OF(...) TLV(0x30, __VA_ARGS__)
#define NOTHING          ((struct bytes){0})
