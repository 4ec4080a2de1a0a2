/* SPDX-License-Identifier: Apache-2.0 */
/* filter — the Filters of requests: names, each with values of which one has to fit. */
#pragma once

#include "api/action.h"

/* Does OBJECT have one of VALUES, texts? */
typedef bool filter_fn(const json_t *values, const void *object);

/* What can be filtered by; a row without name ends a table. */
struct filter {
    const char *name;
    filter_fn *fits;
};

extern const struct field filter_fields[]; /* Name, Values */
#define FILTER_LIST_MAX 10

/* Has one of TAGS, of which each has a TagKey, a key that VALUES name? */
bool filter_has_tag(const json_t *values, const json_t *tags);
/* Has SERVER an address that VALUES name as its first? */
bool filter_has_address(const json_t *values, const json_t *server);

/* -1: there is one that TABLE has not, and C is refused. */
int filter_check(struct call *c, const struct filter *table) MUST_USE;
/* Do all filters of C, which filter_check has seen, fit OBJECT? */
bool filter_fits(const struct call *c, const struct filter *table, const void *object);
