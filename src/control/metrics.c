/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"

#include "base/ban.h"

/* A metric: neighbouring columns of one row under one name. */
struct metric {
    enum counters_row row;
    const struct counters_column *columns;
    size_t first, n; /* of the row's columns */
};

/* The next metric behind *M, from the first on if it is zeroed. */
static bool next_metric(struct metric *m)
{
    size_t columns_n;
    const struct counters_column *of = counters_columns(m->row, &columns_n);
    size_t first = m->first + m->n;
    if (first == columns_n) {
        if (m->row + 1 == COUNTERS_ROW_COUNT)
            return false;
        m->row++;
        of = counters_columns(m->row, &columns_n);
        first = 0;
    }
    m->columns = &of[first];
    m->first = first;
    for (m->n = 1; first + m->n < columns_n; m->n++)
        if (strcmp(of[first + m->n].metric, of[first].metric) != 0)
            break;
    return true;
}

static const char *type_name(const struct metric *m)
{
    switch (m->columns[0].type) {
    case COUNTERS_COUNTER:
        return "counter";
    case COUNTERS_GAUGE:
    case COUNTERS_LATEST:
        return "gauge";
    case COUNTERS_BUCKET:
    case COUNTERS_SUM:
        return "histogram";
    }
    return "untyped";
}

/* ---- the text format ---- */

/* What does not fit is remembered, and nothing follows it. */
struct sink {
    struct buf *out;
    bool failed;
};

static void put(struct sink *s, struct bytes text)
{
    s->failed = s->failed || buf_append(s->out, text) < 0;
}

static void put_text(struct sink *s, const char *text)
{
    put(s, bytes_of(text));
}

/* A label's value: backslash, quote and newline are escaped. What is not UTF-8 (a file's name may
 * not be) goes as question marks. */
static void put_value(struct sink *s, const char *text)
{
    for (struct bytes left = bytes_of(text); left.n;) {
        size_t n = 0;
        while (n < left.n && left.at[n] != '\\' && left.at[n] != '"' && left.at[n] != '\n' &&
               left.at[n] < 0x80)
            n++;
        put(s, bytes_first(left, n));
        left = bytes_skip(left, n);
        if (!left.n)
            return;
        n = json_utf8_length(left);
        if (left.at[0] == '\\' || left.at[0] == '"')
            put_text(s, "\\");
        if (left.at[0] == '\n')
            put_text(s, "\\n");
        else if (n)
            put(s, bytes_first(left, n));
        else
            put_text(s, "?");
        left = bytes_skip(left, n ? n : 1);
    }
}

/* The labels of ROW that have a value, and one more. */
static void put_labels(
    struct sink *s, const struct total *row, const char *label, const char *value)
{
    bool is_open = false;
    struct bytes names = bytes_of(counters_labels(row->row));
    for (unsigned i = 0; names.n; i++) {
        struct bytes name = bytes_first(names, bytes_find(names, ','));
        names = bytes_skip(names, name.n + 1);
        if (!row->labels[i][0])
            continue;
        put_text(s, is_open ? "," : "{");
        is_open = true;
        put(s, name);
        put_text(s, "=\"");
        put_value(s, row->labels[i]);
        put_text(s, "\"");
    }
    if (label[0]) {
        put_text(s, is_open ? "," : "{");
        is_open = true;
        put_text(s, label);
        put_text(s, "=\"");
        put_text(s, value);
        put_text(s, "\"");
    }
    if (is_open)
        put_text(s, "}");
}

static void put_number(struct sink *s, enum counters_unit unit, uint64_t n)
{
    char text[40];
    if (unit == COUNTERS_MS)
        snprintf(text, sizeof(text), " %" PRIu64 ".%03u\n", n / 1000, (unsigned)(n % 1000));
    else if (unit == COUNTERS_US)
        snprintf(text, sizeof(text), " %" PRIu64 ".%06u\n", n / 1000000, (unsigned)(n % 1000000));
    else
        snprintf(text, sizeof(text), " %" PRIu64 "\n", n);
    put_text(s, text);
}

static void put_sample(struct sink *s, const struct total *row, const char *suffix,
    const struct counters_column *column, uint64_t n)
{
    put_text(s, column->metric);
    put_text(s, suffix);
    put_labels(s, row, column->label, column->value);
    /* Buckets and counts of a histogram are numbers of events whatever its unit. */
    put_number(s, column->type == COUNTERS_BUCKET ? COUNTERS_COUNT : column->unit, n);
}

static void put_histogram(struct sink *s, const struct metric *m, const struct total *row)
{
    uint64_t events = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct counters_column *column = &m->columns[i];
        uint64_t n = row->values[m->first + i];
        if (column->type == COUNTERS_BUCKET) {
            events += n;
            put_sample(s, row, "_bucket", column, events);
            continue;
        }
        put_sample(s, row, "_sum", column, n);
        struct counters_column count = *column;
        count.unit = COUNTERS_COUNT;
        put_sample(s, row, "_count", &count, events);
    }
}

static void put_rows(
    struct sink *s, const struct metric *m, const struct total *rows, size_t rows_n)
{
    bool is_histogram = m->columns[0].type == COUNTERS_BUCKET;
    for (size_t r = 0; r < rows_n; r++) {
        if (is_histogram)
            put_histogram(s, m, &rows[r]);
        for (size_t i = 0; !is_histogram && i < m->n; i++) {
            uint64_t n = rows[r].values[m->first + i];
            if (n || m->columns[i].type != COUNTERS_LATEST)
                put_sample(s, &rows[r], "", &m->columns[i], n);
        }
    }
}

static void put_metric(
    struct sink *s, const struct metric *m, const struct total *rows, size_t rows_n)
{
    put_text(s, "# HELP ");
    put_text(s, m->columns[0].metric);
    put_text(s, " ");
    put_text(s, m->columns[0].help);
    put_text(s, "\n# TYPE ");
    put_text(s, m->columns[0].metric);
    put_text(s, " ");
    put_text(s, type_name(m));
    put_text(s, "\n");
    put_rows(s, m, rows, rows_n);
}

int metrics_write(const struct totals *t, struct buf *out)
{
    struct sink s = {out, false};
    for (struct metric m = {0}; next_metric(&m);) {
        size_t rows_n;
        const struct total *rows = totals_rows(t, m.row, &rows_n);
        put_metric(&s, &m, rows, rows_n);
    }
    return s.failed ? -1 : 0;
}

/* ---- documentation ---- */

static void document_metric(struct sink *s, const struct metric *m)
{
    put_text(s, "| `");
    put_text(s, m->columns[0].metric);
    put_text(s, "` | ");
    put_text(s, type_name(m));
    put_text(s, " | ");
    put_text(s, m->columns[0].help);
    put_text(s, ". | ");
    if (m->columns[0].label[0]) {
        put_text(s, "`");
        put_text(s, m->columns[0].label);
        put_text(s, "`:");
        for (size_t i = 0; i < m->n && m->columns[i].label[0]; i++) {
            put_text(s, i ? ", " : " ");
            put_text(s, m->columns[i].value);
        }
    }
    put_text(s, " |\n");
}

int metrics_document(struct buf *out)
{
    struct sink s = {out, false};
    int row = -1;
    put_text(&s,
        "# Metrics\n\nGenerated from src/balance/metrics.def; see the end of this page.\n\n"
        "`GET /metrics` on the admin address, in the text format of Prometheus. Counters only "
        "grow as long as the instance lives: neither a\nreload nor the end of a worker takes "
        "anything away. What has no value (a label, a time that nobody knows) is left out.\n");
    for (struct metric m = {0}; next_metric(&m);) {
        if ((int)m.row != row) {
            row = (int)m.row;
            put_text(&s, "\n## One ");
            put_text(&s, counters_help(m.row));
            put_text(&s, "\n\nLabels: ");
            put_text(&s, counters_labels(m.row)[0] ? counters_labels(m.row) : "none");
            put_text(
                &s, ".\n\n| metric | type | meaning | label of its own |\n|---|---|---|---|\n");
        }
        document_metric(&s, &m);
    }
    put_text(&s, "\nTo make it anew: `ninja -C build src/control/metrics-doc && "
                 "build/src/control/metrics-doc > "
                 "docs/metrics.md`.\n");
    return s.failed ? -1 : 0;
}
