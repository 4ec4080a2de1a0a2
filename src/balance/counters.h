/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters — what a process counts, in memory that another one reads meanwhile: rows of numbers
 * (balance/metrics.def), each named by its labels.
 *
 * A row, once made, stays where it is, so whoever counts keeps its address and adds to it without a
 * lock. The memory outlives the process: one that is started again goes on where its predecessor
 * ended, and a reload finds the rows of the names that it keeps. So no counter ever goes back.
 *
 * One process writes. Readers map the memory read-only and believe nothing that stands there; what
 * they see of a row may be a moment apart. Bounded: labels for which there is no room any more are
 * counted together, under COUNTERS_MORE.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

#define COUNTERS_BYTES      (16u << 20) /* address space; memory only as far as it is used */
#define COUNTERS_LABELS_MAX 6
#define COUNTERS_TEXT_MAX   2048 /* of a row's labels together; longer ones are cut */
#define COUNTERS_MORE       "(more)"

enum counters_row {
#define ROW(symbol, labels, help) COUNTERS_##symbol,
#include "balance/metrics.def"
    COUNTERS_ROW_COUNT
};

/* The columns of each row. */
enum instance_column {
#define INSTANCE(symbol, ...) INSTANCE_##symbol,
#include "balance/metrics.def"
    INSTANCE_COLUMNS
};
enum process_column {
#define PROCESS(symbol, ...) PROCESS_##symbol,
#include "balance/metrics.def"
    PROCESS_COLUMNS
};
enum address_column {
#define ADDRESS(symbol, ...) ADDRESS_##symbol,
#include "balance/metrics.def"
    ADDRESS_COLUMNS
};
enum worker_column {
#define WORKER(symbol, ...) WORKER_##symbol,
#include "balance/metrics.def"
    WORKER_COLUMNS
};
enum listener_column {
#define LISTENER(symbol, ...) LISTENER_##symbol,
#include "balance/metrics.def"
    LISTENER_COLUMNS
};
enum handshake_column {
#define HANDSHAKE(symbol, ...) HANDSHAKE_##symbol,
#include "balance/metrics.def"
    HANDSHAKE_COLUMNS
};
enum route_column {
#define ROUTE(symbol, ...) ROUTE_##symbol,
#include "balance/metrics.def"
    ROUTE_COLUMNS
};
enum target_column {
#define TARGET(symbol, ...) TARGET_##symbol,
#include "balance/metrics.def"
    TARGET_COLUMNS
};
enum certificate_column {
#define CERTIFICATE(symbol, ...) CERTIFICATE_##symbol,
#include "balance/metrics.def"
    CERTIFICATE_COLUMNS
};
enum target_health_column {
#define TARGET_HEALTH(symbol, ...) TARGET_HEALTH_##symbol,
#include "balance/metrics.def"
    TARGET_HEALTH_COLUMNS
};
enum crl_column {
#define CRL(symbol, ...) CRL_##symbol,
#include "balance/metrics.def"
    CRL_COLUMNS
};

enum counters_type {
    COUNTERS_COUNTER,
    COUNTERS_GAUGE,
    COUNTERS_LATEST,
    COUNTERS_BUCKET,
    COUNTERS_SUM
};
enum counters_unit { COUNTERS_COUNT, COUNTERS_MS, COUNTERS_US, COUNTERS_TIME };

/* A line of metrics.def. */
struct counters_column {
    const char *metric;
    enum counters_type type;
    enum counters_unit unit;
    const char *label, *value; /* "" if the column has no label of its own */
    const char *help;          /* of the metric, at its first column */
};
const struct counters_column *counters_columns(enum counters_row row, size_t *n);
/* The names of a row's labels, separated by commas. */
const char *counters_labels(enum counters_row row);
/* Which rows of this kind there are. */
const char *counters_help(enum counters_row row);
unsigned counters_labels_n(enum counters_row row);

struct count {
    _Atomic uint64_t n;
};

/* For the one who writes. */

static inline uint64_t count_get(const struct count *c)
{
    return atomic_load_explicit(&c->n, memory_order_relaxed);
}
static inline void count_set(struct count *c, uint64_t n)
{
    atomic_store_explicit(&c->n, n, memory_order_relaxed);
}
/* As there is one writer, this need not be one atomic step. */
static inline void count_add(struct count *c, uint64_t n)
{
    count_set(c, count_get(c) + n);
}
static inline void count_drop(struct count *c)
{
    count_set(c, count_get(c) - 1);
}

struct counters;

/* New memory; the descriptor is the caller's. -1 with ERR. */
int counters_new(int *fd, struct error *err) MUST_USE;
/* Write to it, from where the process before ended; its gauges begin at 0. FD stays the caller's.
 * NULL with ERR. */
struct counters *counters_open(int fd, struct error *err) MUST_USE;
void counters_close(struct counters **c);

/* The row of these labels (as many as it has), made if there is none: an array of its columns. */
struct count *counters_row(struct counters *c, enum counters_row row, const char *const *labels);
/* Set LATEST columns of all rows of this kind to 0, before those that are in force are set anew. */
void counters_clear(struct counters *c, enum counters_row row);

/* For those who read. */

struct counters_view {
    const uint8_t *at; /* NULL: none */
    uint32_t seen;     /* how far counters_each came */
};

/* Map memory that counters_new made. -1 with ERR. */
int counters_map(int fd, struct counters_view *out, struct error *err) MUST_USE;
void counters_unmap(struct counters_view *v);

struct counters_seen {
    enum counters_row row;
    struct bytes labels; /* each ends with NUL */
    const struct count *counts;
};
typedef void counters_fn(void *owner, const struct counters_seen *row);
/* Call FN for every row, up to the first that makes no sense. */
void counters_each(struct counters_view *v, counters_fn *fn, void *owner);
/* For every row that was made since the last call of either. */
void counters_each_new(struct counters_view *v, counters_fn *fn, void *owner);
