/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_flat — requests as names and values: `Rules.0.Domain=a&Ports.0=80` in a query or a form
 * (application/x-www-form-urlencoded), and the JSON that they stand for.
 *
 * Pure. Memory: names and values are decoded copies, wiped by api_flat_fini.
 */
#pragma once

#include <jansson.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

#define API_FLAT_PAIRS_MAX 10000 /* and elements of lists, holes included */
#define API_FLAT_INDEX_MAX 1000
#define API_FLAT_DEPTH_MAX 32

struct api_pair {
    struct bytes name, value;
};

struct api_flat {
    struct api_pair *at; /* in the order of their names */
    size_t n;
    uint8_t *text;
    size_t text_n;
};

/* -1: too many, a name twice, or an escape that is none. OUT is to be finished in any case. */
int api_flat_parse(struct bytes text, struct api_flat *out, struct error *err) MUST_USE;
void api_flat_fini(struct api_flat *f);
/* Empty: there is none. */
struct bytes api_flat_find(const struct api_flat *f, const char *name);
/* An object of texts, lists and objects, without those that IS_COMMON says belong to the envelope.
 * NULL: they contradict each other, a list has a hole, or a limit is exceeded. */
json_t *api_flat_build(
    const struct api_flat *f, bool (*is_common)(struct bytes name), struct error *err) MUST_USE;
