/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory — allocation that does not fail, and wiping.
 *
 * Bookkeeping allocations abort when memory is out; work is refused earlier, by counting against
 * limits.
 */
#pragma once

#include <stddef.h>

#include "base/attributes.h"

/* Zeroed memory; never NULL. Freed with free(). */
void *mem_alloc(size_t n) MUST_USE;
void *mem_calloc(size_t count, size_t size) MUST_USE;
void *mem_realloc(void *p, size_t n) MUST_USE;
char *mem_strdup(const char *text) MUST_USE;
/* Not zeroed: for what is written before it is read. */
void *mem_alloc_raw(size_t n) MUST_USE;
/* A NUL-terminated copy of N bytes. */
char *mem_strndup(const void *at, size_t n) MUST_USE;

/* Overwrite secrets; the compiler may not remove it. */
void mem_wipe(void *p, size_t n);

/* Discard a MUST_USE result on purpose. */
static inline void ignore_result(long result)
{
    (void)result;
}
