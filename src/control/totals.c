/* SPDX-License-Identifier: Apache-2.0 */
#include "control/totals.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/scatter.h"

#include "base/ban.h"

#define INDEX_MIN 1024

int totals_add_source(struct totals_sources *s, size_t index, int fd, struct error *err)
{
    struct counters_view view;
    if (counters_map(fd, &view, err) < 0)
        return -1;
    if (index >= s->n) {
        s->views = mem_realloc(s->views, (index + 1) * sizeof(*s->views));
        while (s->n <= index)
            s->views[s->n++] = (struct counters_view){0};
    }
    counters_unmap(&s->views[index]);
    s->views[index] = view;
    return 0;
}

void totals_fini_sources(struct totals_sources *s)
{
    for (size_t i = 0; i < s->n; i++)
        counters_unmap(&s->views[i]);
    free(s->views);
    *s = (struct totals_sources){0};
}

/* ---- adding up ---- */

/* Index entries are 1 + the position of the row; 0: free. */
static size_t *find_place(struct totals *t, enum counters_row row, struct bytes text)
{
    for (size_t i = scatter_bytes(row, text);; i++) {
        size_t *place = &t->index[i & (t->index_size - 1)];
        if (!*place ||
            (t->rows[*place - 1].row == row && bytes_equal(t->rows[*place - 1].text, text)))
            return place;
    }
}

static void make_room(struct totals *t)
{
    if (t->n * 2 < t->index_size)
        return;
    t->index_size = t->index_size ? t->index_size * 2 : INDEX_MIN;
    free(t->index);
    t->index = mem_calloc(t->index_size, sizeof(*t->index));
    t->rows = mem_realloc(t->rows, t->index_size * sizeof(*t->rows));
    for (size_t i = 0; i < t->n; i++)
        *find_place(t, t->rows[i].row, t->rows[i].text) = i + 1;
}

static struct total *find_row(struct totals *t, enum counters_row row, struct bytes text)
{
    make_room(t);
    size_t *place = find_place(t, row, text);
    if (*place)
        return &t->rows[*place - 1];
    size_t columns_n;
    counters_columns(row, &columns_n);
    struct total *new = &t->rows[t->n++];
    *new = (struct total){.row = row, .text = arena_copy(&t->arena, text)};
    new->values = arena_alloc(&t->arena, columns_n * sizeof(*new->values));
    memset(new->values, 0, columns_n * sizeof(*new->values));
    struct bytes left = new->text;
    for (unsigned i = 0; i < counters_labels_n(row); i++) {
        new->labels[i] = (const char *)left.at;
        left = bytes_skip(left, bytes_find(left, 0) + 1);
    }
    *place = t->n;
    return new;
}

static void add(void *owner, const struct counters_seen *seen)
{
    size_t n;
    const struct counters_column *columns = counters_columns(seen->row, &n);
    struct total *total = find_row(owner, seen->row, seen->labels);
    for (size_t i = 0; i < n; i++) {
        uint64_t value = count_get(&seen->counts[i]);
        if (columns[i].type != COUNTERS_LATEST)
            total->values[i] += value;
        else if (value > total->values[i])
            total->values[i] = value;
    }
}

static int by_name(const void *a, const void *b)
{
    const struct total *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    size_t n = x->text.n < y->text.n ? x->text.n : y->text.n;
    int order = n ? memcmp(x->text.at, y->text.at, n) : 0;
    return order ? order : (x->text.n > y->text.n) - (x->text.n < y->text.n);
}

void totals_init(struct totals *t, const struct totals_sources *s)
{
    *t = (struct totals){0};
    arena_init(&t->arena);
    make_room(t);
    for (size_t i = 0; i < s->n; i++)
        counters_each(&s->views[i], add, t);
    qsort(t->rows, t->n, sizeof(*t->rows), by_name);
    for (size_t i = t->n; i--;)
        t->first[t->rows[i].row] = i;
    t->first[COUNTERS_ROW_COUNT] = t->n;
    /* Kinds without rows begin where the next one does. */
    for (unsigned row = COUNTERS_ROW_COUNT; row--;)
        if (t->first[row] >= t->n || t->rows[t->first[row]].row != row)
            t->first[row] = t->first[row + 1];
}

void totals_fini(struct totals *t)
{
    free(t->rows);
    free(t->index);
    arena_fini(&t->arena);
    *t = (struct totals){0};
}

const struct total *totals_rows(const struct totals *t, enum counters_row row, size_t *n)
{
    *n = t->first[row + 1] - t->first[row];
    return &t->rows[t->first[row]];
}
