/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/domain_map.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

static int compare(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.at, b.at, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Where NAME is, or would be inserted. */
static size_t position(const struct domain_map *m, enum domain_kind kind, struct bytes name)
{
    size_t low = 0, high = m->n[kind];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(m->entries[kind][middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void *lookup(const struct domain_map *m, enum domain_kind kind, struct bytes name)
{
    size_t i = position(m, kind, name);
    return i < m->n[kind] && bytes_equal(m->entries[kind][i].name, name) ? m->entries[kind][i].value
                                                                         : NULL;
}

static enum domain_kind kind_of(struct bytes *name)
{
    if (name->n > 1 && name->at[0] == '*') {
        *name = bytes_skip(*name, 1);
        return DOMAIN_SUFFIX;
    }
    if (name->n > 1 && name->at[name->n - 1] == '*') {
        name->n--;
        return DOMAIN_PREFIX;
    }
    return DOMAIN_EXACT;
}

void domain_map_add(struct domain_map *m, const char *text, void *value)
{
    struct bytes name = bytes_of(text);
    enum domain_kind kind = kind_of(&name);
    size_t i = position(m, kind, name);
    m->entries[kind] = mem_realloc(m->entries[kind], (m->n[kind] + 1) * sizeof(**m->entries));
    memmove(
        m->entries[kind] + i + 1, m->entries[kind] + i, (m->n[kind] - i) * sizeof(**m->entries));
    m->entries[kind][i] = (struct domain_entry){name, value};
    m->n[kind]++;
}

void *domain_map_get(const struct domain_map *m, const char *text)
{
    struct bytes name = bytes_of(text);
    enum domain_kind kind = kind_of(&name);
    return lookup(m, kind, name);
}

void domain_map_fini(struct domain_map *m)
{
    for (int kind = 0; kind < DOMAIN_KIND_COUNT; kind++)
        free(m->entries[kind]);
    *m = (struct domain_map){0};
}

/* ".b.c", then ".c" of "a.b.c". */
static void *find_suffix(const struct domain_map *m, struct bytes host)
{
    for (size_t dot = 1; m->n[DOMAIN_SUFFIX] && dot < host.n; dot++) {
        void *value = host.at[dot] == '.' ? lookup(m, DOMAIN_SUFFIX, bytes_skip(host, dot)) : NULL;
        if (value)
            return value;
    }
    return NULL;
}

/* "a.b.", then "a." of "a.b.c". */
static void *find_prefix(const struct domain_map *m, struct bytes host)
{
    for (size_t n = host.n; m->n[DOMAIN_PREFIX] && n-- > 1;) {
        void *value = host.at[n - 1] == '.' ? lookup(m, DOMAIN_PREFIX, bytes_first(host, n)) : NULL;
        if (value)
            return value;
    }
    return NULL;
}

void *domain_map_find(const struct domain_map *m, struct bytes host)
{
    void *value = lookup(m, DOMAIN_EXACT, host);
    if (!value)
        value = find_suffix(m, host);
    return value ? value : find_prefix(m, host);
}
