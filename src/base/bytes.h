/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes — a borrowed run of bytes, passed by value.
 *
 * Memory: never owned; whoever made the slice says how long it lives.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at;
    size_t n;
};

/* A slice of a string literal, without its NUL. */
#define BYTES(literal)   ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

#define BYTES_NUMBER_MAX 20 /* digits of 2^64 - 1 */

/* For printf: "%.*s", BYTES_ARG(b). */
#define BYTES_ARG(b) (int)(b).n, (const char *)(b).at

/* A slice of TEXT, without its NUL; NULL gives the empty slice. */
static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

static inline uint8_t bytes_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* ASCII case does not count; other bytes do. */
static inline bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (bytes_lower(a.at[i]) != bytes_lower(b.at[i]))
            return false;
    return true;
}

static inline bool bytes_starts_with(struct bytes b, struct bytes prefix)
{
    return b.n >= prefix.n && (prefix.n == 0 || memcmp(b.at, prefix.at, prefix.n) == 0);
}

static inline bool bytes_ends_with(struct bytes b, struct bytes suffix)
{
    return b.n >= suffix.n &&
           (suffix.n == 0 || memcmp(b.at + b.n - suffix.n, suffix.at, suffix.n) == 0);
}

/* B without its first N bytes (all of them, if it has fewer). */
static inline struct bytes bytes_skip(struct bytes b, size_t n)
{
    if (n > b.n)
        n = b.n;
    return (struct bytes){n ? b.at + n : b.at, b.n - n};
}

/* At most the first N bytes of B. */
static inline struct bytes bytes_first(struct bytes b, size_t n)
{
    return (struct bytes){b.at, b.n < n ? b.n : n};
}

/* Position of C in B, or B.n. */
static inline size_t bytes_find(struct bytes b, uint8_t c)
{
    const uint8_t *p = b.n ? memchr(b.at, c, b.n) : NULL;
    return p ? (size_t)(p - b.at) : b.n;
}

/* N in decimal, without what printf costs. */
static inline struct bytes bytes_number(uint64_t n, uint8_t digits[BYTES_NUMBER_MAX])
{
    uint8_t *end = digits + BYTES_NUMBER_MAX, *at = end;
    do {
        *--at = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n);
    return (struct bytes){at, (size_t)(end - at)};
}

/* B without leading and trailing spaces and tabs (OWS of RFC 9110 §5.6.3). */
static inline struct bytes bytes_trim(struct bytes b)
{
    while (b.n && (b.at[0] == ' ' || b.at[0] == '\t'))
        b = bytes_skip(b, 1);
    while (b.n && (b.at[b.n - 1] == ' ' || b.at[b.n - 1] == '\t'))
        b.n--;
    return b;
}
