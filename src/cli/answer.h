/* SPDX-License-Identifier: Apache-2.0 */
/* answer — what stands in the JSON with which an instance answers. What is not there is empty or 0.
 */
#pragma once

#include <jansson.h>

static inline const char *answer_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static inline long long answer_number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}
