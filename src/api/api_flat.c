/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_flat.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

#define NAME_SHOWN 64

static int shown(struct bytes b)
{
    return (int)(b.n < NAME_SHOWN ? b.n : NAME_SHOWN);
}

/* ---- from text to pairs ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = bytes_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode TEXT to the end of what F holds. */
static int decode(struct api_flat *f, struct bytes text, struct bytes *out, struct error *err)
{
    uint8_t *at = f->text + f->text_n;
    *out = (struct bytes){at, 0};
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_digit(text.at[i + 1]) : -1;
            int low = i + 2 < text.n ? hex_digit(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return error_set(err, "A %% is followed by two hexadecimal digits.");
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        at[out->n++] = c;
    }
    f->text_n += out->n;
    return 0;
}

static int add_pair(struct api_flat *f, struct bytes text, struct error *err)
{
    if (f->n == API_FLAT_PAIRS_MAX)
        return error_set(err, "There are more than %d parameters.", API_FLAT_PAIRS_MAX);
    struct api_pair *pair = &f->at[f->n];
    size_t equals = bytes_find(text, '=');
    if (decode(f, bytes_first(text, equals), &pair->name, err) < 0 ||
        decode(f, bytes_skip(text, equals + 1), &pair->value, err) < 0)
        return -1;
    f->n++;
    return 0;
}

static int compare(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.at, b.at, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_pairs(const void *a, const void *b)
{
    return compare(((const struct api_pair *)a)->name, ((const struct api_pair *)b)->name);
}

static size_t count(struct bytes text, uint8_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.at[i] == c;
    return n;
}

int api_flat_parse(struct bytes text, struct api_flat *out, struct error *err)
{
    size_t pairs = count(text, '&') + 1;
    *out = (struct api_flat){.text = mem_alloc_raw(text.n + 1)};
    out->at = mem_calloc(pairs < API_FLAT_PAIRS_MAX ? pairs : API_FLAT_PAIRS_MAX, sizeof(*out->at));
    while (text.n) {
        struct bytes one = bytes_first(text, bytes_find(text, '&'));
        text = bytes_skip(text, one.n + 1);
        if (one.n && add_pair(out, one, err) < 0)
            return -1;
    }
    if (out->n)
        qsort(out->at, out->n, sizeof(*out->at), compare_pairs);
    for (size_t i = 1; i < out->n; i++)
        if (bytes_equal(out->at[i].name, out->at[i - 1].name))
            return error_set(err, "%.*s is there twice.", shown(out->at[i].name),
                (const char *)out->at[i].name.at);
    return 0;
}

void api_flat_fini(struct api_flat *f)
{
    if (f->text)
        mem_wipe(f->text, f->text_n);
    free(f->text);
    free(f->at);
    *f = (struct api_flat){0};
}

struct bytes api_flat_find(const struct api_flat *f, const char *name)
{
    const struct api_pair key = {.name = bytes_of(name)};
    const struct api_pair *found =
        f->n ? bsearch(&key, f->at, f->n, sizeof(*f->at), compare_pairs) : NULL;
    return found ? found->value : (struct bytes){0};
}

/* ---- from pairs to JSON ---- */

struct build {
    size_t elements; /* of all lists, with what is not there yet */
    struct error *err;
};

/* Is it digits, and so an index into a list? -1: no; beyond the limit: the limit and one. */
static int index_of(struct bytes part)
{
    int index = 0;
    for (size_t i = 0; i < part.n; i++) {
        if (part.at[i] < '0' || part.at[i] > '9')
            return -1;
        index = index * 10 + (part.at[i] - '0');
        if (index > API_FLAT_INDEX_MAX)
            return API_FLAT_INDEX_MAX + 1;
    }
    return part.n ? index : -1;
}

/* The element INDEX of LIST, which grows as far. */
static int put_element(struct build *b, json_t *list, int index, json_t *value)
{
    if (index > API_FLAT_INDEX_MAX)
        return error_set(b->err, "An index is more than %d.", API_FLAT_INDEX_MAX);
    while (json_array_size(list) <= (size_t)index) {
        if (++b->elements > API_FLAT_PAIRS_MAX)
            return error_set(b->err, "There are more than %d elements.", API_FLAT_PAIRS_MAX);
        json_array_append_new(list, json_null());
    }
    return json_array_set(list, (size_t)index, value);
}

/* What is under PART in CONTAINER; NULL: nothing yet. */
static json_t *look(const json_t *container, struct bytes part)
{
    if (json_is_array(container)) {
        int index = index_of(part);
        json_t *element = index < 0 ? NULL : json_array_get(container, (size_t)index);
        return json_is_null(element) ? NULL : element;
    }
    return json_object_getn(container, (const char *)part.at, part.n);
}

static int put(struct build *b, json_t *container, struct bytes part, json_t *value)
{
    int index = index_of(part);
    if (json_is_array(container) != (index >= 0))
        return error_set(
            b->err, "%.*s is beside what is no list.", shown(part), (const char *)part.at);
    if (json_is_array(container))
        return put_element(b, container, index, value);
    if (json_object_setn(container, (const char *)part.at, part.n, value) < 0)
        return error_set(b->err, "The name of a parameter is no UTF-8.");
    return 0;
}

static int add_value(struct build *b, json_t *container, struct bytes part, struct bytes value)
{
    if (look(container, part))
        return error_set(
            b->err, "%.*s is there as a value and as more.", shown(part), (const char *)part.at);
    json_t *text = memchr(value.at ? value.at : (const uint8_t *)"", 0, value.n)
                       ? NULL
                       : json_stringn(value.n ? (const char *)value.at : "", value.n);
    if (!text)
        return error_set(b->err, "%.*s has a value that is no UTF-8, or has a NUL in it.",
            shown(part), (const char *)part.at);
    int result = put(b, container, part, text);
    json_decref(text);
    return result;
}

/* The container under PART, a new one if there is none: a list, if its own parts are numbers. */
static json_t *descend(struct build *b, json_t *container, struct bytes part, bool is_list)
{
    json_t *inner = look(container, part);
    if (inner)
        return json_is_string(inner) ? NULL : inner;
    inner = is_list ? json_array() : json_object();
    int failed = put(b, container, part, inner);
    json_decref(inner); /* CONTAINER has it, or nobody */
    return failed ? NULL : inner;
}

static int add(struct build *b, json_t *root, const struct api_pair *pair)
{
    struct bytes rest = pair->name;
    json_t *container = root;
    for (unsigned depth = 0; depth < API_FLAT_DEPTH_MAX; depth++) {
        struct bytes part = bytes_first(rest, bytes_find(rest, '.'));
        bool is_last = part.n == rest.n;
        rest = bytes_skip(rest, part.n + 1);
        if (!part.n || (!is_last && !rest.n))
            return error_set(b->err, "The name of a parameter has an empty part.");
        if (is_last)
            return add_value(b, container, part, pair->value);
        struct bytes next = bytes_first(rest, bytes_find(rest, '.'));
        error_set(
            b->err, "%.*s is there as a value and as more.", shown(part), (const char *)part.at);
        container = descend(b, container, part, index_of(next) >= 0);
        if (!container)
            return -1;
    }
    return error_set(b->err, "A parameter is nested deeper than %d.", API_FLAT_DEPTH_MAX);
}

/* A list that begins with its second element means something that we do not know. */
static int check_holes(json_t *value, struct error *err)
{
    const char *name;
    size_t i;
    json_t *inner;
    if (json_is_null(value))
        return error_set(err, "An element of a list is missing; they count from 0.");
    json_array_foreach(value, i, inner)
    {
        if (check_holes(inner, err) < 0)
            return -1;
    }
    json_object_foreach(value, name, inner)
    {
        if (check_holes(inner, err) < 0)
            return -1;
    }
    return 0;
}

json_t *api_flat_build(
    const struct api_flat *f, bool (*is_common)(struct bytes name), struct error *err)
{
    struct build b = {.err = err};
    json_t *root = json_object();
    int failed = 0;
    for (size_t i = 0; i < f->n && !failed; i++)
        if (!is_common(f->at[i].name))
            failed = add(&b, root, &f->at[i]);
    if (failed || check_holes(root, err) < 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}
