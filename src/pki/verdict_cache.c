/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/verdict_cache.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

/* A key may stand in any of WAYS places, so that a few that want the same one do not push each
 * other out. */
#define WAYS 4

struct entry {
    uint8_t key[VERDICT_CACHE_KEY_SIZE];
    int64_t from_s, until_s;
    uint64_t used; /* the cache's clock at the last use; 0: empty */
    struct verdict *verdict;
};

struct table {
    struct entry *entries;
    size_t n; /* a power of two */
};

struct verdict_cache {
    uint64_t clock; /* ticks once for each use */
    struct table accepted, refused;
};

static void forget(struct entry *e)
{
    if (e->verdict)
        verdict_fini(e->verdict);
    free(e->verdict);
    *e = (struct entry){0};
}

static void copy_verdict(const struct verdict *from, struct verdict *to)
{
    *to = *from;
    to->chain = (struct certificate_list){0};
    certificate_list_add_all(&to->chain, &from->chain);
}

/* The places where KEY may stand. The key is a digest: its first bytes are as good as any. */
static struct entry *set_of(const struct table *t, const uint8_t *key)
{
    uint32_t hash;
    memcpy(&hash, key, sizeof(hash));
    return t->entries + (hash & (t->n / WAYS - 1)) * WAYS;
}

static struct entry *find_in(const struct table *t, const uint8_t *key)
{
    struct entry *set = set_of(t, key);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].verdict && memcmp(set[i].key, key, VERDICT_CACHE_KEY_SIZE) == 0)
            return &set[i];
    return NULL;
}

/* Where KEY stands, else the place that was not used for the longest time. */
static struct entry *place_for(const struct table *t, const uint8_t *key)
{
    struct entry *known = find_in(t, key), *set = set_of(t, key), *oldest = set;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < oldest->used)
            oldest = &set[i];
    return known ? known : oldest;
}

struct verdict_cache *verdict_cache_new(void)
{
    struct verdict_cache *c = mem_alloc(sizeof(*c));
    c->accepted.n = VERDICT_CACHE_ACCEPTED;
    c->refused.n = VERDICT_CACHE_REFUSED;
    c->accepted.entries = mem_calloc(c->accepted.n, sizeof(struct entry));
    c->refused.entries = mem_calloc(c->refused.n, sizeof(struct entry));
    return c;
}

static void free_table(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        forget(&t->entries[i]);
    free(t->entries);
}

void verdict_cache_free(struct verdict_cache **cp)
{
    struct verdict_cache *c = *cp;
    *cp = NULL;
    if (!c)
        return;
    free_table(&c->accepted);
    free_table(&c->refused);
    free(c);
}

bool verdict_cache_find(struct verdict_cache *c, const uint8_t key[VERDICT_CACHE_KEY_SIZE],
    int64_t now_s, struct verdict *out)
{
    struct entry *e = find_in(&c->accepted, key);
    if (!e)
        e = find_in(&c->refused, key);
    if (!e)
        return false;
    if (now_s < e->from_s || now_s > e->until_s) {
        forget(e);
        return false;
    }
    e->used = ++c->clock;
    copy_verdict(e->verdict, out);
    return true;
}

void verdict_cache_keep(struct verdict_cache *c, const uint8_t key[VERDICT_CACHE_KEY_SIZE],
    int64_t now_s, const struct verdict *v)
{
    int64_t until_s = v->holds_until_s;
    if (!v->accepted && until_s > now_s + VERDICT_CACHE_REFUSED_S)
        until_s = now_s + VERDICT_CACHE_REFUSED_S;
    if (until_s < now_s)
        return;
    struct entry *e = place_for(v->accepted ? &c->accepted : &c->refused, key);
    forget(e);
    *e = (struct entry){
        .from_s = now_s,
        .until_s = until_s,
        .used = ++c->clock,
        .verdict = mem_alloc_raw(sizeof(*e->verdict)),
    };
    memcpy(e->key, key, sizeof(e->key));
    copy_verdict(v, e->verdict);
}
