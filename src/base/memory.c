/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

#include "base/ban.h"

/* What glibc keeps at hand for each thread, in sizes up to this, its malloc takes and its calloc
 * does not. */
#define AT_HAND_MAX 1032

void *mem_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        panic("out of memory");
    return p;
}

void *mem_alloc(size_t n)
{
    return n <= AT_HAND_MAX ? memset(mem_alloc_raw(n), 0, n) : mem_calloc(1, n);
}

void *mem_alloc_raw(size_t n)
{
    return mem_realloc(NULL, n);
}

void *mem_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        panic("out of memory");
    return q;
}

char *mem_strndup(const void *at, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n)
        memcpy(copy, at, n);
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

void mem_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}
