/* SPDX-License-Identifier: Apache-2.0 */
/*
 * domain_map — from a host name to what was configured for it: exact names before `*.x` (the
 * longest first) before `x.*` (the longest first), as in nginx and CLB. Both by binary search.
 *
 * Memory: names and values are borrowed.
 */
#pragma once

#include "base/bytes.h"

struct domain_entry {
    struct bytes name; /* without the `*`: "www.example.com", ".example.com", "www.example." */
    void *value;
};

enum domain_kind { DOMAIN_EXACT, DOMAIN_SUFFIX, DOMAIN_PREFIX, DOMAIN_KIND_COUNT };

struct domain_map {
    struct domain_entry *entries[DOMAIN_KIND_COUNT];
    size_t n[DOMAIN_KIND_COUNT];
};

/* M is zeroed. Adding a name again replaces nothing: look with domain_map_get first. */
void domain_map_add(struct domain_map *m, const char *name, void *value);
/* The value of exactly this entry ("*.x" as text), or NULL. */
void *domain_map_get(const struct domain_map *m, const char *name);
void domain_map_fini(struct domain_map *m);

/* What HOST (lower case, no port) belongs to, or NULL. */
void *domain_map_find(const struct domain_map *m, struct bytes host);
