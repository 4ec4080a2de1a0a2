/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field — what a request may consist of: a table for each action and object, and the one function
 * that holds a request against it.
 *
 * After field_check a request is as its table says: each member known, of its type (integers and
 * booleans that came as texts, as the cloud's own examples and all flattened requests have them,
 * are integers and booleans), inside its range, and the required ones there. Members that are null
 * are gone. What an action reads it may rely on.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/api_error.h"
#include "base/error.h"

enum field_type { FIELD_TEXT, FIELD_INTEGER, FIELD_BOOLEAN, FIELD_OBJECT };

struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    bool is_list, is_required;
    int64_t min, max;       /* of an integer; of a text's length in bytes; both 0: any */
    int64_t list_max;       /* of a list's length */
    const char *choices;    /* of a text: "WRR|LEAST_CONN"; compared without regard to case, and
                               then written as here */
    const struct field *of; /* FIELD_OBJECT */
    const char *only; /* what Sallyport cannot honour: the values as JSON that ask for nothing, as
                         "false" or "-1|0"; "" if any value asks for something */
    const char *why;  /* ONLY: the end of the sentence, as "there is no bandwidth to buy" */
    const char *help; /* what it means, for docs/api-reference.md; NULL: WHY says all there is */
};

/* Hold REQUEST, an object, against FIELDS. -1: the error and its sentence, which names the field by
 * its path ("Rules.0.HealthCheck.TimeOut"). */
int field_check(json_t *request, const struct field *fields, enum api_error *error,
    struct error *sentence) MUST_USE;
