/* SPDX-License-Identifier: Apache-2.0 */
/*
 * totals — the counters of all processes, added up: made anew for each who asks.
 *
 * The memories outlive the processes that count in them, so the sums of counters never go back.
 * Process: control.
 */
#pragma once

#include "balance/counters.h"
#include "base/arena.h"

/* The memories that are added up. */
struct totals_sources {
    struct counters_view *views;
    size_t n;
};

/* Memory number INDEX is behind FD, which stays the caller's. -1 with ERR. */
int totals_add_source(struct totals_sources *s, size_t index, int fd, struct error *err) MUST_USE;
void totals_fini_sources(struct totals_sources *s);

struct total {
    enum counters_row row;
    const char *labels[COUNTERS_LABELS_MAX];
    struct bytes text; /* the labels as they stand in the row */
    uint64_t *values;  /* one per column */
};

struct totals {
    struct arena arena;
    struct total *rows;                   /* sorted by kind, then by labels */
    size_t first[COUNTERS_ROW_COUNT + 1]; /* where the rows of each kind begin */
    size_t n;
    size_t *index, index_size;
};

void totals_init(struct totals *t, const struct totals_sources *s);
void totals_fini(struct totals *t);

/* The rows of one kind. */
const struct total *totals_rows(const struct totals *t, enum counters_row row, size_t *n);
