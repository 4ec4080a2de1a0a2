/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report — what is wrong (errors) or unwise (warnings) about a configuration: a bounded list of
 * lines.
 *
 * Each line reads `FILE:LINE:COLUMN: what is wrong; what is accepted`. A configuration with an
 * error is not used. Memory: the report owns its lines; report_fini frees them. After
 * REPORT_LINES_MAX lines further ones are counted only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

#define REPORT_LINES_MAX 64

struct report_line {
    bool is_error;
    char *text;
};

struct report {
    struct report_line lines[REPORT_LINES_MAX];
    size_t n;
    size_t errors; /* all that were reported, also those beyond the maximum */
    size_t warnings;
};

/* A place in a configuration file. Lines and columns count from 1; line 0 means the file as a
 * whole. */
struct position {
    const char *file;
    unsigned line;
    unsigned column;
};

void report_init(struct report *r);
void report_fini(struct report *r);

void report_error(struct report *r, struct position at, const char *format, ...) PRINTF(3, 4);
void report_warning(struct report *r, struct position at, const char *format, ...) PRINTF(3, 4);

/* Add a line that already says where. */
void report_line(struct report *r, bool is_error, const char *text);

/* Does R have this line? */
bool report_has(const struct report *r, const char *text);
/* Append all lines of FROM to R; those that it has already are the same thing, noticed twice. */
void report_merge(struct report *r, const struct report *from);
/* Append all lines of FROM to R. */
void report_append(struct report *r, const struct report *from);

/* The lines as one text, each ended by a newline; warnings are marked `warning: `. The caller frees
 * it. */
char *report_text(const struct report *r);
