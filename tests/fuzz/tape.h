/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape — the input of a fuzzer as a row of decisions. At its end every decision is 0, which always
 * means "as usual": a short input changes little, and an input can be made shorter.
 */
#pragma once

#include "base/bytes.h"

struct tape {
    struct bytes left;
};

static inline uint8_t tape_8(struct tape *t)
{
    uint8_t value = t->left.n ? t->left.at[0] : 0;
    t->left = bytes_skip(t->left, 1);
    return value;
}

static inline uint16_t tape_16(struct tape *t)
{
    uint8_t high = tape_8(t);
    return (uint16_t)(high << 8 | tape_8(t));
}

/* Below N; 0 if N is 0. */
static inline size_t tape_below(struct tape *t, size_t n)
{
    size_t value = n > 256 ? tape_16(t) : tape_8(t);
    return n ? value % n : 0;
}
