/* SPDX-License-Identifier: Apache-2.0 */
#include "api/field.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

#include "base/ban.h"

#define PATH_MAX_BYTES 256
#define NAME_SHOWN     64 /* of a member that nobody knows */

struct check {
    char path[PATH_MAX_BYTES]; /* "Rules.0.Domain" */
    size_t path_n;
    enum api_error *error;
    struct error *sentence;
};

/* ---- the path ---- */

/* What is to be given to `leave`. A path that is too long is cut: it is for people. */
static size_t enter(struct check *k, const char *part)
{
    size_t before = k->path_n;
    int n = snprintf(
        k->path + before, sizeof(k->path) - before, "%s%.*s", before ? "." : "", NAME_SHOWN, part);
    k->path_n = before + (size_t)n < sizeof(k->path) ? before + (size_t)n : sizeof(k->path) - 1;
    return before;
}

static void leave(struct check *k, size_t before)
{
    k->path_n = before;
    k->path[before] = 0;
}

static int PRINTF(3, 4) refuse(struct check *k, enum api_error error, const char *format, ...)
{
    char text[sizeof(k->sentence->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *k->error = error;
    return error_set(k->sentence, "%.255s %.255s", k->path, text);
}

/* ---- one value ---- */

/* The texts of flattened requests, and of the cloud's own examples: "7570". */
static bool read_integer(const char *text, int64_t *out)
{
    char *end;
    const char *digits = text + (*text == '-');
    if (*digits < '0' || *digits > '9')
        return false; /* strtoll would take spaces and signs */
    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && !*end;
}

static int check_integer(struct check *k, const struct field *f, json_t **value)
{
    int64_t n;
    if (json_is_string(*value) && read_integer(json_string_value(*value), &n))
        *value = json_integer(n);
    else if (json_is_integer(*value))
        json_incref(*value);
    else
        return refuse(k, API_ERROR_PARAMETER, "must be an integer.");
    n = json_integer_value(*value);
    if ((f->min || f->max) && (n < f->min || n > f->max)) {
        json_decref(*value);
        return refuse(
            k, API_ERROR_RANGE, "must be from %lld to %lld.", (long long)f->min, (long long)f->max);
    }
    return 0;
}

static int check_boolean(struct check *k, const struct field *f, json_t **value)
{
    const char *text = json_string_value(*value);
    if (text && (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0))
        *value = json_boolean(bytes_lower((uint8_t)text[0]) == 't');
    else if (json_is_boolean(*value))
        json_incref(*value);
    else
        return refuse(k, API_ERROR_PARAMETER, "must be true or false.");
    return 0;
}

/* The choice that TEXT is, as the table spells it; empty: none. */
static struct bytes find_choice(const char *choices, struct bytes text)
{
    struct bytes rest = bytes_of(choices);
    while (rest.n) {
        struct bytes one = bytes_first(rest, bytes_find(rest, '|'));
        if (bytes_equal_nocase(one, text))
            return one;
        rest = bytes_skip(rest, one.n + 1);
    }
    return rest;
}

static int check_choice(struct check *k, const struct field *f, json_t **value)
{
    struct bytes choice = find_choice(f->choices, bytes_of(json_string_value(*value)));
    if (!choice.n)
        return refuse(k, API_ERROR_VALUE, "must be one of %s.", f->choices);
    *value = json_stringn((const char *)choice.at, choice.n);
    return 0;
}

static int check_text(struct check *k, const struct field *f, json_t **value)
{
    if (!json_is_string(*value))
        return refuse(k, API_ERROR_PARAMETER, "must be a text.");
    if (f->choices)
        return check_choice(k, f, value);
    int64_t n = (int64_t)json_string_length(*value);
    if ((f->min || f->max) && (n < f->min || n > f->max))
        return refuse(k, API_ERROR_LENGTH, "must have from %lld to %lld bytes.", (long long)f->min,
            (long long)f->max);
    json_incref(*value);
    return 0;
}

static int check_members(struct check *k, json_t *object, const struct field *fields);

static int check_object(struct check *k, const struct field *f, json_t **value)
{
    if (!json_is_object(*value))
        return refuse(k, API_ERROR_PARAMETER, "must be an object.");
    if (f->of && check_members(k, *value, f->of) < 0)
        return -1;
    json_incref(*value);
    return 0;
}

/* Each replaces *VALUE by a reference of its own to what it means; -1: and *VALUE is of no use. */
static int (*const by_type[])(struct check *, const struct field *, json_t **) = {
    [FIELD_TEXT] = check_text,
    [FIELD_INTEGER] = check_integer,
    [FIELD_BOOLEAN] = check_boolean,
    [FIELD_OBJECT] = check_object,
};

static int check_list(struct check *k, const struct field *f, json_t **value)
{
    char index[24];
    if (!json_is_array(*value))
        return refuse(k, API_ERROR_PARAMETER, "must be a list.");
    size_t n = json_array_size(*value);
    if (f->list_max && n > (size_t)f->list_max)
        return refuse(
            k, API_ERROR_LENGTH, "must have at most %lld elements.", (long long)f->list_max);
    for (size_t i = 0; i < n; i++) {
        json_t *element = json_array_get(*value, i);
        snprintf(index, sizeof(index), "%zu", i);
        size_t before = enter(k, index);
        if (by_type[f->type](k, f, &element) < 0)
            return -1;
        json_array_set_new(*value, i, element);
        leave(k, before);
    }
    json_incref(*value);
    return 0;
}

/* ---- what Sallyport cannot honour ---- */

/* Does VALUE ask for nothing? ONLY is as "-1|0". */
static bool is_one_of(const json_t *value, const char *only)
{
    struct bytes rest = bytes_of(only);
    while (rest.n) {
        struct bytes one = bytes_first(rest, bytes_find(rest, '|'));
        json_t *wanted = json_loadb((const char *)one.at, one.n, JSON_DECODE_ANY, NULL);
        bool is_it = json_equal(value, wanted);
        json_decref(wanted);
        if (is_it)
            return true;
        rest = bytes_skip(rest, one.n + 1);
    }
    return false;
}

static bool asks_for_nothing(const json_t *value, const struct field *f)
{
    bool is_empty = (json_is_array(value) && !json_array_size(value)) ||
                    (json_is_object(value) && !json_object_size(value));
    return is_empty || is_one_of(value, f->only);
}

/* ---- members ---- */

static const struct field *find_field(const struct field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

static int check_member(struct check *k, json_t *object, const char *name, const struct field *f)
{
    json_t *value = json_object_get(object, name);
    if ((f->is_list ? check_list : by_type[f->type])(k, f, &value) < 0)
        return -1;
    int result = f->only && !asks_for_nothing(value, f)
                     ? refuse(k, API_ERROR_UNSUPPORTED, "is not supported: %s.", f->why)
                     : 0;
    json_object_set_new(object, name, value);
    return result;
}

static int check_present(struct check *k, json_t *object, const struct field *fields)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, name, value)
    {
        const struct field *f = find_field(fields, name);
        size_t before = enter(k, name);
        if (!f)
            return refuse(k, API_ERROR_UNKNOWN_PARAMETER, "is not known here.");
        if (json_is_null(value))
            json_object_del(object, name);
        else if (check_member(k, object, name, f) < 0)
            return -1;
        leave(k, before);
    }
    return 0;
}

static int check_members(struct check *k, json_t *object, const struct field *fields)
{
    if (check_present(k, object, fields) < 0)
        return -1;
    for (; fields->name; fields++)
        if (fields->is_required && !json_object_get(object, fields->name)) {
            enter(k, fields->name);
            return refuse(k, API_ERROR_MISSING, "is missing.");
        }
    return 0;
}

int field_check(
    json_t *request, const struct field *fields, enum api_error *error, struct error *sentence)
{
    struct check k = {.error = error, .sentence = sentence};
    if (json_is_object(request))
        return check_members(&k, request, fields);
    *error = API_ERROR_FORMAT;
    return error_set(sentence, "The request must be a JSON object.");
}
