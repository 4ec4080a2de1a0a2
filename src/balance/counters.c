/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/counters.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/scatter.h"
#include "base/shared_memory.h"

#include "base/ban.h"

/* What the memory begins with; rows follow, each behind the other. */
struct memory {
    _Alignas(64) _Atomic uint32_t used; /* bytes, these included; a row counts once it is below */
    _Alignas(64) uint8_t rows[];
};

/* A row; its labels follow the counts. */
struct row {
    uint16_t kind;
    uint16_t text_n;
    uint32_t size; /* to the next row */
    struct count counts[];
};

#define ALIGN     8u
#define FIRST_ROW ((uint32_t)sizeof(struct memory))
/* Kept for a row of COUNTERS_MORE of each kind. */
#define RESERVE   (COUNTERS_ROW_COUNT * 1024u)
#define INDEX_MIN 256

struct counters {
    struct memory *memory;
    /* Offsets of rows by the hash of their labels; 0: free. A power of two, at most half full. */
    uint32_t *index;
    size_t index_size, rows_n;
};

/* ---- the table ---- */

static const struct counters_column columns[] = {
#define COLUMN(row, symbol, metric, type, unit, label, value, help) \
    {metric, COUNTERS_##type, COUNTERS_##unit, label, value, help},
#include "balance/metrics.def"
};

static const struct kind {
    const char *labels;
    const char *help;
} kinds[] = {
#define ROW(symbol, labels, help) [COUNTERS_##symbol] = {labels, help},
#include "balance/metrics.def"
};

/* In the order of the rows in metrics.def. */
static const size_t columns_n[] = {INSTANCE_COLUMNS, PROCESS_COLUMNS, ADDRESS_COLUMNS,
    WORKER_COLUMNS, LISTENER_COLUMNS, HANDSHAKE_COLUMNS, ROUTE_COLUMNS, TARGET_COLUMNS,
    CERTIFICATE_COLUMNS, CRL_COLUMNS, TARGET_HEALTH_COLUMNS};

_Static_assert(COUNT_OF(columns_n) == COUNTERS_ROW_COUNT, "a number of columns for each row");
_Static_assert(COUNT_OF(columns) == INSTANCE_COLUMNS + PROCESS_COLUMNS + ADDRESS_COLUMNS +
                                        WORKER_COLUMNS + LISTENER_COLUMNS + HANDSHAKE_COLUMNS +
                                        ROUTE_COLUMNS + TARGET_COLUMNS + CERTIFICATE_COLUMNS +
                                        CRL_COLUMNS + TARGET_HEALTH_COLUMNS,
    "every column belongs to a row");

const struct counters_column *counters_columns(enum counters_row row, size_t *n)
{
    size_t first = 0;
    for (unsigned i = 0; i < row; i++)
        first += columns_n[i];
    *n = columns_n[row];
    return &columns[first];
}

const char *counters_labels(enum counters_row row)
{
    return kinds[row].labels;
}

const char *counters_help(enum counters_row row)
{
    return kinds[row].help;
}

unsigned counters_labels_n(enum counters_row row)
{
    unsigned n = kinds[row].labels[0] != 0;
    for (const char *c = kinds[row].labels; *c; c++)
        n += *c == ',';
    return n;
}

/* ---- rows in memory ---- */

static uint32_t row_size(enum counters_row kind, size_t text_n)
{
    size_t n = sizeof(struct row) + columns_n[kind] * sizeof(struct count) + text_n;
    return (uint32_t)((n + ALIGN - 1) & ~(size_t)(ALIGN - 1));
}

static struct bytes row_text(const struct row *r)
{
    return (struct bytes){(const uint8_t *)&r->counts[columns_n[r->kind]], r->text_n};
}

static bool is_text_of(enum counters_row kind, struct bytes text)
{
    unsigned n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.at[i] == 0;
    return n == counters_labels_n(kind) && (!text.n || text.at[text.n - 1] == 0);
}

/* The row at OFFSET, if one that makes sense ends at or before END. SEEN is what was checked: the
 * memory may change under our hands. */
static const struct row *row_at(
    const uint8_t *memory, uint32_t offset, uint32_t end, struct row *seen)
{
    if (offset % ALIGN || end > COUNTERS_BYTES || offset > end || end - offset < sizeof(struct row))
        return NULL;
    const struct row *r = (const struct row *)(const void *)(memory + offset);
    *seen = (struct row){.kind = r->kind, .text_n = r->text_n, .size = r->size};
    if (seen->kind >= COUNTERS_ROW_COUNT || seen->text_n > COUNTERS_TEXT_MAX ||
        seen->size != row_size((enum counters_row)seen->kind, seen->text_n) ||
        seen->size > end - offset)
        return NULL;
    return r;
}

/* ---- writing ---- */

static struct row *own_row(const struct counters *c, uint32_t offset)
{
    return (struct row *)(void *)((uint8_t *)c->memory + offset);
}

static uint32_t *find_place(struct counters *c, enum counters_row kind, struct bytes text)
{
    for (size_t i = scatter_bytes(kind, text);; i++) {
        uint32_t *place = &c->index[i & (c->index_size - 1)];
        const struct row *r = own_row(c, *place);
        if (!*place || (r->kind == kind && bytes_equal(row_text(r), text)))
            return place;
    }
}

static void index_row(struct counters *c, uint32_t offset)
{
    const struct row *r = own_row(c, offset);
    if ((c->rows_n + 1) * 2 > c->index_size) {
        uint32_t *old = c->index;
        size_t old_size = c->index_size;
        c->index_size = old_size ? old_size * 2 : INDEX_MIN;
        c->index = mem_calloc(c->index_size, sizeof(*c->index));
        for (size_t i = 0; i < old_size; i++)
            if (old[i]) {
                const struct row *moved = own_row(c, old[i]);
                *find_place(c, (enum counters_row)moved->kind, row_text(moved)) = old[i];
            }
        free(old);
    }
    *find_place(c, (enum counters_row)r->kind, row_text(r)) = offset;
    c->rows_n++;
}

static void clear_columns(struct row *r, enum counters_type type)
{
    size_t n;
    const struct counters_column *of = counters_columns((enum counters_row)r->kind, &n);
    for (size_t i = 0; i < n; i++)
        if (of[i].type == type)
            count_set(&r->counts[i], 0);
}

/* What the process before has left: all of it up to the first row that makes no sense. */
static void take_over(struct counters *c)
{
    uint32_t end = atomic_load(&c->memory->used), offset = FIRST_ROW;
    struct row seen;
    while (row_at((const uint8_t *)c->memory, offset, end, &seen)) {
        struct row *r = own_row(c, offset);
        if (!is_text_of((enum counters_row)r->kind, row_text(r)))
            break;
        clear_columns(r, COUNTERS_GAUGE);
        clear_columns(r, COUNTERS_LATEST);
        index_row(c, offset);
        offset += seen.size;
    }
    atomic_store(&c->memory->used, offset);
}

static struct count *make_row(struct counters *c, enum counters_row kind, struct bytes text)
{
    uint32_t offset = atomic_load_explicit(&c->memory->used, memory_order_relaxed);
    struct row *r = own_row(c, offset);
    uint32_t size = row_size(kind, text.n);
    memset(r, 0, size);
    *r = (struct row){.kind = (uint16_t)kind, .text_n = (uint16_t)text.n, .size = size};
    memcpy(&r->counts[columns_n[kind]], text.at, text.n);
    atomic_store_explicit(&c->memory->used, offset + size, memory_order_release);
    index_row(c, offset);
    return r->counts;
}

/* LABELS one behind the other in OUT, each cut to its share of it. */
static struct bytes join(enum counters_row kind, const char *const *labels, uint8_t *out)
{
    unsigned labels_n = counters_labels_n(kind);
    size_t n = 0;
    for (unsigned i = 0; i < labels_n; i++) {
        size_t length = strnlen(labels[i], COUNTERS_TEXT_MAX / labels_n - 1);
        memcpy(out + n, labels[i], length);
        n += length;
        out[n++] = 0;
    }
    return (struct bytes){out, n};
}

struct count *counters_row(struct counters *c, enum counters_row kind, const char *const *labels)
{
    static const char *const more[COUNTERS_LABELS_MAX] = {
        COUNTERS_MORE, COUNTERS_MORE, COUNTERS_MORE, COUNTERS_MORE, COUNTERS_MORE, COUNTERS_MORE};
    uint8_t space[COUNTERS_TEXT_MAX];
    struct bytes text = join(kind, labels, space);
    uint32_t *place = find_place(c, kind, text);
    if (*place)
        return own_row(c, *place)->counts;
    uint32_t used = atomic_load_explicit(&c->memory->used, memory_order_relaxed);
    if (labels == more || used + row_size(kind, text.n) <= COUNTERS_BYTES - RESERVE)
        return make_row(c, kind, text);
    return counters_row(c, kind, more);
}

void counters_clear(struct counters *c, enum counters_row kind)
{
    for (size_t i = 0; i < c->index_size; i++)
        if (c->index[i] && own_row(c, c->index[i])->kind == kind)
            clear_columns(own_row(c, c->index[i]), COUNTERS_LATEST);
}

int counters_new(int *fd, struct error *err)
{
    return shared_memory_new("counters", COUNTERS_BYTES, fd, err);
}

struct counters *counters_open(int fd, struct error *err)
{
    void *at = shared_memory_map(fd, COUNTERS_BYTES, SHARED_MEMORY_WRITE, err);
    if (!at)
        return NULL;
    struct counters *c = mem_alloc(sizeof(*c));
    c->memory = at;
    c->index_size = INDEX_MIN;
    c->index = mem_calloc(c->index_size, sizeof(*c->index));
    take_over(c);
    return c;
}

void counters_close(struct counters **cp)
{
    struct counters *c = *cp;
    *cp = NULL;
    if (!c)
        return;
    shared_memory_unmap(c->memory, COUNTERS_BYTES);
    free(c->index);
    free(c);
}

/* ---- reading ---- */

int counters_map(int fd, struct counters_view *out, struct error *err)
{
    out->at = shared_memory_map(fd, COUNTERS_BYTES, SHARED_MEMORY_READ, err);
    return out->at ? 0 : -1;
}

void counters_unmap(struct counters_view *v)
{
    if (v->at)
        shared_memory_unmap(v->at, COUNTERS_BYTES);
    v->at = NULL;
}

void counters_each(struct counters_view *v, counters_fn *fn, void *owner)
{
    v->seen = 0;
    counters_each_new(v, fn, owner);
}

void counters_each_new(struct counters_view *v, counters_fn *fn, void *owner)
{
    const struct memory *m = (const void *)v->at;
    if (!m)
        return;
    uint32_t end = atomic_load_explicit(&m->used, memory_order_acquire);
    uint32_t offset = v->seen ? v->seen : FIRST_ROW;
    struct row seen;
    for (const struct row *r; (r = row_at(v->at, offset, end, &seen)); offset += seen.size) {
        enum counters_row kind = (enum counters_row)seen.kind;
        uint8_t text[COUNTERS_TEXT_MAX];
        memcpy(text, &r->counts[columns_n[kind]], seen.text_n);
        struct counters_seen row = {kind, {text, seen.text_n}, r->counts};
        if (!is_text_of(kind, row.labels))
            return;
        fn(owner, &row);
        v->seen = offset + seen.size;
    }
}
