/* SPDX-License-Identifier: Apache-2.0 */
#include "api/objects.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define READ_FLAGS JSON_REJECT_DUPLICATES

/* ---- to the store ---- */

static void add_change(void *owner, enum model_kind kind, const char *id, const json_t *document)
{
    struct object_changes *c = owner;
    char *key = NULL;
    if (c->n == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 16;
        c->at = mem_realloc(c->at, c->capacity * sizeof(*c->at));
    }
    int n = asprintf(&key, "%s/%s", model_kind_name(kind), id);
    ASSERT(n > 0);
    char *value = document ? json_dumps(document, JSON_COMPACT) : NULL;
    ASSERT(!document || value);
    c->at[c->n++] = (struct store_change){key, bytes_of(value)};
}

void objects_list_changes(const struct model *m, struct object_changes *out)
{
    *out = (struct object_changes){0};
    model_each_change(m, add_change, out);
}

void objects_free_changes(struct object_changes *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free((char *)(uintptr_t)c->at[i].key);
        free((uint8_t *)(uintptr_t)c->at[i].value.at);
    }
    free(c->at);
    *c = (struct object_changes){0};
}

/* ---- from the store ---- */

static bool find_kind(struct bytes name, enum model_kind *out)
{
    for (size_t kind = 0; kind < MODEL_KIND_COUNT; kind++) {
        *out = (enum model_kind)kind;
        if (bytes_equal(name, bytes_of(model_kind_name(*out))))
            return true;
    }
    return false;
}

int objects_put(struct model *m, struct bytes key, struct bytes value, struct error *err)
{
    enum model_kind kind;
    size_t slash = bytes_find(key, '/');
    struct bytes id = bytes_skip(key, slash + 1);
    if (!find_kind(bytes_first(key, slash), &kind) || !id.n || memchr(id.at, 0, id.n))
        return error_set(err, "it has a document of no kind that there is");
    json_t *document = json_loadb((const char *)value.at, value.n, READ_FLAGS, NULL);
    if (!json_is_object(document)) {
        json_decref(document);
        return error_set(err, "it has a document that is no JSON object");
    }
    char *text = mem_strndup(id.at, id.n);
    model_put(m, kind, text, document);
    free(text);
    return 0;
}

/* ---- the text ---- */

static bool is_exported(enum model_kind kind)
{
    return kind != MODEL_TASK && kind != MODEL_TOKEN;
}

static void add_document(void *root, enum model_kind kind, const char *id, const json_t *document)
{
    const char *name = model_kind_name(kind);
    json_t *of_kind = json_object_get(root, name);
    if (!is_exported(kind))
        return;
    if (!of_kind) {
        of_kind = json_object();
        json_object_set_new(root, name, of_kind);
    }
    json_object_set(of_kind, id, (json_t *)(uintptr_t)document); /* counts, and changes nothing */
}

static int append(const char *text, size_t n, void *out)
{
    return buf_append(out, (struct bytes){(const uint8_t *)text, n});
}

int objects_write(const struct model *m, struct buf *out)
{
    json_t *root = json_object();
    model_each(m, add_document, root);
    int failed = json_dump_callback(root, append, out, JSON_COMPACT);
    json_decref(root);
    return failed ? -1 : 0;
}

int objects_read(struct model *m, struct bytes text, struct error *err)
{
    json_t *root = json_loadb((const char *)text.at, text.n, READ_FLAGS, NULL), *of_kind, *document;
    const char *name, *id;
    bool is_good = json_is_object(root);
    json_object_foreach(root, name, of_kind)
    {
        enum model_kind kind = MODEL_INSTANCE;
        is_good = is_good && find_kind(bytes_of(name), &kind) && json_is_object(of_kind);
        json_object_foreach(of_kind, id, document)
        {
            is_good = is_good && *id && json_is_object(document);
            if (is_good)
                model_put(m, kind, id, json_incref(document));
        }
    }
    json_decref(root);
    return is_good ? 0 : error_set(err, "its list of objects is none");
}
