/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena — memory of one lifetime: allocated piece by piece, freed at once.
 */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t held; /* bytes of all blocks */
};

void arena_init(struct arena *a);
/* Free everything. The arena can be used again. */
void arena_fini(struct arena *a);

/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(struct arena *a, size_t n) MUST_USE;
/* A NUL-terminated copy. */
char *arena_strdup(struct arena *a, const char *text) MUST_USE;
char *arena_strndup(struct arena *a, const void *at, size_t n) MUST_USE;
struct bytes arena_copy(struct arena *a, struct bytes b) MUST_USE;
char *arena_printf(struct arena *a, const char *format, ...) PRINTF(2, 3) MUST_USE;
