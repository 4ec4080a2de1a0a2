/* SPDX-License-Identifier: Apache-2.0 */
/* document — reading the model's documents, and what requests have become. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* NULL: it is not there, or null. */
static inline const char *document_text(const json_t *d, const char *name)
{
    return json_string_value(json_object_get(d, name));
}

static inline int64_t document_integer(const json_t *d, const char *name)
{
    return json_integer_value(json_object_get(d, name));
}

static inline bool document_flag(const json_t *d, const char *name)
{
    return json_is_true(json_object_get(d, name));
}

/* Is the text NAME of D this one? */
static inline bool document_is(const json_t *d, const char *name, const char *text)
{
    const char *its = document_text(d, name);
    return its && text && strcmp(its, text) == 0;
}

/* A reference of one's own to D, which is not to be changed. */
static inline json_t *document_share(const json_t *d)
{
    return json_incref((json_t *)(uintptr_t)d);
}

/* The same of D's member NAME; null where it is not there. */
static inline json_t *document_share_member(const json_t *d, const char *name)
{
    const json_t *member = json_object_get(d, name);
    return member ? document_share(member) : json_null();
}
