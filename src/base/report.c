/* SPDX-License-Identifier: Apache-2.0 */
#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"

#include "base/ban.h"

void report_init(struct report *r)
{
    memset(r, 0, sizeof(*r));
}

void report_fini(struct report *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->lines[i].text);
    report_init(r);
}

void report_line(struct report *r, bool is_error, const char *text)
{
    if (is_error)
        r->errors++;
    else
        r->warnings++;
    if (r->n == REPORT_LINES_MAX)
        return;
    r->lines[r->n++] = (struct report_line){is_error, mem_strdup(text)};
}

PRINTF(4, 0)
static void add(
    struct report *r, bool is_error, struct position at, const char *format, va_list args)
{
    char text[1024];
    int n = at.line ? snprintf(text, sizeof(text), "%s:%u:%u: ", at.file, at.line, at.column)
                    : snprintf(text, sizeof(text), "%s: ", at.file);
    if (n < 0 || (size_t)n >= sizeof(text))
        n = 0;
    vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
    report_line(r, is_error, text);
}

void report_error(struct report *r, struct position at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(r, true, at, format, args);
    va_end(args);
}

void report_warning(struct report *r, struct position at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(r, false, at, format, args);
    va_end(args);
}

void report_append(struct report *r, const struct report *from)
{
    size_t errors = r->errors + from->errors, warnings = r->warnings + from->warnings;
    for (size_t i = 0; i < from->n; i++)
        report_line(r, from->lines[i].is_error, from->lines[i].text);
    r->errors = errors; /* also those that FROM only counted */
    r->warnings = warnings;
}

bool report_has(const struct report *r, const char *text)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->lines[i].text, text) == 0)
            return true;
    return false;
}

void report_merge(struct report *r, const struct report *from)
{
    size_t errors = from->errors, warnings = from->warnings; /* that FROM only counted */
    for (size_t i = 0; i < from->n; i++) {
        const struct report_line *line = &from->lines[i];
        *(line->is_error ? &errors : &warnings) -= 1;
        if (!report_has(r, line->text))
            report_line(r, line->is_error, line->text);
    }
    r->errors += errors;
    r->warnings += warnings;
}

char *report_text(const struct report *r)
{
    struct buf b;
    buf_init(&b, 128 * 1024);
    for (size_t i = 0; i < r->n; i++)
        ignore_result(
            buf_printf(&b, "%s%s\n", r->lines[i].is_error ? "" : "warning: ", r->lines[i].text));
    size_t hidden = r->errors + r->warnings - r->n;
    if (hidden)
        ignore_result(buf_printf(&b, "and %zu more\n", hidden));
    char *text = mem_strndup(buf_bytes(&b).at, buf_size(&b));
    buf_fini(&b);
    return text;
}
