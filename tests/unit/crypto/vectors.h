/* SPDX-License-Identifier: Apache-2.0 */
/* vectors — published ones, written in hexadecimal, and inputs for comparing two implementations.
 */
#pragma once

#include "base/bytes.h"
#include "test.h"

static inline uint8_t vector_nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* OUT has room. */
static inline struct bytes vector_read(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; hex[0]; hex += 2)
        out[n++] = (uint8_t)(vector_nibble(hex[0]) << 4 | vector_nibble(hex[1]));
    return (struct bytes){out, n};
}

/* Are the N octets at GOT those of HEX? Says so if not. */
static inline bool vector_is(const uint8_t *got, size_t n, const char *hex)
{
    char text[1024] = "";
    for (size_t i = 0; i < n && 2 * i + 2 < sizeof(text); i++)
        snprintf(text + 2 * i, 3, "%02x", got[i]);
    if (strcmp(text, hex) != 0)
        printf("# got %s\n", text);
    return strcmp(text, hex) == 0;
}

/* The same octets in every run (xorshift64; nothing secret). */
static inline void vector_fill(uint8_t *out, size_t n, uint64_t seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out[i] = (uint8_t)(x >> 32);
    }
}
