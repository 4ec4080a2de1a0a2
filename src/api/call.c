/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/ban.h"

#define PAGE_DEFAULT 20 /* what Limit is in the cloud where it is not said */

int call_refuse(struct call *c, enum api_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->sentence.text, sizeof(c->sentence.text), format, args);
    va_end(args);
    c->error = error;
    return -1;
}

const char *call_text(const struct call *c, const char *name)
{
    return json_string_value(json_object_get(c->request, name));
}

int64_t call_integer(const struct call *c, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(c->request, name);
    return value ? json_integer_value(value) : otherwise;
}

bool call_flag(const struct call *c, const char *name, bool otherwise)
{
    const json_t *value = json_object_get(c->request, name);
    return value ? json_is_true(value) : otherwise;
}

json_t *call_list(const struct call *c, const char *name)
{
    if (!json_object_get(c->request, name))
        json_object_set_new(c->request, name, json_array());
    return json_object_get(c->request, name);
}

void call_page(const struct call *c, size_t n, size_t *first, size_t *end)
{
    int64_t offset = call_integer(c, "Offset", 0), limit = call_integer(c, "Limit", PAGE_DEFAULT);
    *first = offset < 0 ? 0 : (uint64_t)offset < n ? (size_t)offset : n;
    *end = limit < 0 ? *first : (uint64_t)limit < n - *first ? *first + (size_t)limit : n;
}

json_t *call_time(int64_t now_s)
{
    char text[64];
    struct tm tm;
    time_t t = (time_t)now_s;
    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    return json_string(text);
}
