/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"

#include "base/ban.h"

/* A document as it was kept, and as the change in hand has it. */
struct entry {
    struct entry *next; /* in its bucket */
    char *id;
    json_t *kept;   /* NULL: the change made it */
    json_t *coming; /* of a changed one; NULL: the change deletes it */
    bool is_changed;
};

/* The documents of one kind: in the order of their making, and by id. */
struct shelf {
    struct entry **entries, **buckets;
    size_t n, capacity; /* of both: a power of two, or 0 */
    size_t count;       /* of documents, with the change */
};

struct model {
    struct shelf shelves[MODEL_KIND_COUNT];
    size_t changes_n;
};

/* ---- shelves ---- */

#define SHELF_MIN 16

/* FNV-1a. Ids are made by ourselves, so nobody chooses them to collide; but tokens, of which there
 * are few enough for it not to matter. */
static size_t bucket_of(const struct shelf *s, const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    return hash & (s->capacity - 1);
}

static struct entry *find(const struct shelf *s, const char *id)
{
    if (!s->capacity)
        return NULL;
    struct entry *e = s->buckets[bucket_of(s, id)];
    while (e && strcmp(e->id, id) != 0)
        e = e->next;
    return e;
}

static void link_entry(struct shelf *s, struct entry *e)
{
    struct entry **bucket = &s->buckets[bucket_of(s, e->id)];
    e->next = *bucket;
    *bucket = e;
}

static void grow(struct shelf *s)
{
    s->capacity = s->capacity ? 2 * s->capacity : SHELF_MIN;
    s->entries = mem_realloc(s->entries, s->capacity * sizeof(struct entry *));
    free(s->buckets);
    s->buckets = mem_calloc(s->capacity, sizeof(struct entry *));
    for (size_t i = 0; i < s->n; i++)
        link_entry(s, s->entries[i]);
}

static struct entry *add(struct shelf *s, const char *id)
{
    if (s->n == s->capacity)
        grow(s);
    struct entry *e = mem_alloc(sizeof(*e));
    e->id = mem_strdup(id);
    s->entries[s->n++] = e;
    link_entry(s, e);
    return e;
}

static void free_entry(struct entry *e)
{
    json_decref(e->kept);
    if (e->is_changed)
        json_decref(e->coming);
    free(e->id);
    free(e);
}

/* Whoever has no document goes; the others keep their order. */
static void sweep(struct shelf *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->entries[i]->kept)
            s->entries[n++] = s->entries[i];
        else
            free_entry(s->entries[i]);
    }
    if (n == s->n)
        return;
    s->n = n;
    memset(s->buckets, 0, s->capacity * sizeof(struct entry *));
    for (size_t i = 0; i < s->n; i++)
        link_entry(s, s->entries[i]);
}

static json_t *document_of(const struct entry *e)
{
    return e->is_changed ? e->coming : e->kept;
}

/* ---- the model ---- */

const char *model_kind_name(enum model_kind kind)
{
    static const char *const names[] = {
        [MODEL_INSTANCE] = "instance",
        [MODEL_LISTENER] = "listener",
        [MODEL_GROUP] = "group",
        [MODEL_CERTIFICATE] = "certificate",
        [MODEL_TASK] = "task",
        [MODEL_TOKEN] = "token",
    };
    return names[kind];
}

struct model *model_new(void)
{
    return mem_alloc(sizeof(struct model));
}

void model_free(struct model **mp)
{
    struct model *m = *mp;
    *mp = NULL;
    if (!m)
        return;
    for (size_t kind = 0; kind < MODEL_KIND_COUNT; kind++) {
        struct shelf *s = &m->shelves[kind];
        for (size_t i = 0; i < s->n; i++)
            free_entry(s->entries[i]);
        free(s->entries);
        free(s->buckets);
    }
    free(m);
}

const json_t *model_find(const struct model *m, enum model_kind kind, const char *id)
{
    const struct entry *e = find(&m->shelves[kind], id);
    return e ? document_of(e) : NULL;
}

bool model_next(const struct model *m, enum model_kind kind, size_t *at, const json_t **document)
{
    const struct shelf *s = &m->shelves[kind];
    for (; *at < s->n; (*at)++) {
        *document = document_of(s->entries[*at]);
        if (*document) {
            (*at)++;
            return true;
        }
    }
    return false;
}

void model_each(const struct model *m, model_document_fn *fn, void *owner)
{
    for (size_t kind = 0; kind < MODEL_KIND_COUNT; kind++) {
        const struct shelf *s = &m->shelves[kind];
        for (size_t i = 0; i < s->n; i++)
            if (document_of(s->entries[i]))
                fn(owner, (enum model_kind)kind, s->entries[i]->id, document_of(s->entries[i]));
    }
}

size_t model_count(const struct model *m, enum model_kind kind)
{
    return m->shelves[kind].count;
}

/* ---- the change ---- */

/* DOCUMENT, which becomes the model's, is what E will be; NULL: nothing. */
static void change(struct model *m, struct shelf *s, struct entry *e, json_t *document)
{
    s->count -= document_of(e) != NULL;
    s->count += document != NULL;
    if (e->is_changed)
        json_decref(e->coming);
    m->changes_n += !e->is_changed;
    e->is_changed = true;
    e->coming = document;
}

json_t *model_edit(struct model *m, enum model_kind kind, const char *id)
{
    struct shelf *s = &m->shelves[kind];
    struct entry *e = find(s, id);
    if (!e || !document_of(e))
        return NULL;
    if (!e->is_changed)
        change(m, s, e, json_deep_copy(e->kept));
    return e->coming;
}

void model_put(struct model *m, enum model_kind kind, const char *id, json_t *document)
{
    struct shelf *s = &m->shelves[kind];
    struct entry *e = find(s, id);
    ASSERT(document);
    change(m, s, e ? e : add(s, id), document);
}

void model_delete(struct model *m, enum model_kind kind, const char *id)
{
    struct shelf *s = &m->shelves[kind];
    struct entry *e = find(s, id);
    if (e)
        change(m, s, e, NULL);
}

bool model_is_changed(const struct model *m)
{
    return m->changes_n;
}

void model_each_change(const struct model *m, model_document_fn *fn, void *owner)
{
    for (size_t kind = 0; m->changes_n && kind < MODEL_KIND_COUNT; kind++) {
        const struct shelf *s = &m->shelves[kind];
        for (size_t i = 0; i < s->n; i++) {
            const struct entry *e = s->entries[i];
            if (e->is_changed && (e->kept || e->coming))
                fn(owner, (enum model_kind)kind, e->id, e->coming);
        }
    }
}

/* The change ends: what there is of each changed document from now on. */
static void end_change(struct model *m, bool is_kept)
{
    for (size_t kind = 0; m->changes_n && kind < MODEL_KIND_COUNT; kind++) {
        struct shelf *s = &m->shelves[kind];
        for (size_t i = 0; i < s->n; i++) {
            struct entry *e = s->entries[i];
            if (!e->is_changed)
                continue;
            json_decref(is_kept ? e->kept : e->coming);
            if (is_kept)
                e->kept = e->coming;
            e->coming = NULL;
            e->is_changed = false;
        }
        sweep(s);
        s->count = s->n;
    }
    m->changes_n = 0;
}

void model_keep(struct model *m)
{
    end_change(m, true);
}

void model_abort(struct model *m)
{
    end_change(m, false);
}

/* ---- ids ---- */

#define ID_RANDOM 8
/* Lower case first: of most kinds only these. */
#define ID_ALPHABET "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ID_LOWER    36

/* Rules live in their listener's document. */
static bool is_rule(const struct model *m, const char *id)
{
    const json_t *listener;
    for (size_t at = 0; model_next(m, MODEL_LISTENER, &at, &listener);) {
        size_t i;
        json_t *rule;
        json_array_foreach(json_object_get(listener, "Rules"), i, rule)
        {
            const char *its = json_string_value(json_object_get(rule, "LocationId"));
            if (its && strcmp(its, id) == 0)
                return true;
        }
    }
    return false;
}

static bool is_taken(const struct model *m, const char *id)
{
    for (size_t kind = 0; kind < MODEL_KIND_COUNT; kind++)
        if (find(&m->shelves[kind], id))
            return true;
    return is_rule(m, id);
}

/* One of the first N characters of the alphabet, each as likely as the others. */
static char draw(unsigned n)
{
    uint8_t octet;
    do
        random_fill(&octet, 1);
    while (octet >= 256 / n * n);
    return ID_ALPHABET[octet % n];
}

void model_make_id(const struct model *m, const char *prefix, char out[MODEL_ID_MAX])
{
    size_t prefix_n = strlen(prefix);
    ASSERT(prefix_n + ID_RANDOM < MODEL_ID_MAX);
    memcpy(out, prefix, prefix_n);
    out[prefix_n + ID_RANDOM] = '\0';
    do
        for (size_t i = 0; i < ID_RANDOM; i++)
            out[prefix_n + i] = draw(prefix_n ? ID_LOWER : sizeof(ID_ALPHABET) - 1);
    while (is_taken(m, out));
}
