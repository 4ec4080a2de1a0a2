/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page — the number of the generation in force, in memory shared by the supervisor (who alone can
 * write it) and the workers. Storing it is the commit of a generation: it cannot fail, and from
 * then on every worker that looks serves that generation, however slow it was or however often it
 * was started again.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

struct page {
    _Atomic uint64_t generation; /* 0: none yet */
};

/* The supervisor's: *FD is for page_map, and can no longer be mapped for writing. NULL with ERR. */
struct page *page_new(int *fd, struct error *err) MUST_USE;
/* A worker's. NULL with ERR. */
const struct page *page_map(int fd, struct error *err) MUST_USE;
void page_unmap(const struct page **page);

static inline void page_publish(struct page *p, uint64_t generation)
{
    atomic_store_explicit(&p->generation, generation, memory_order_release);
}

static inline uint64_t page_generation(const struct page *p)
{
    return atomic_load_explicit(&p->generation, memory_order_acquire);
}
