/* SPDX-License-Identifier: Apache-2.0 */
/* path_store — the anchors of a policy, found by subject. For path_search alone; see pki/path.h. */
#pragma once

#include "pki/path.h"

struct path_store_entry {
    uint64_t subject; /* dn_hash */
    struct certificate *certificate;
    bool is_anchor; /* else it may only stand between a leaf and an anchor */
};

size_t path_store_count(const struct path_store *s);
/* The first of the entries whose subject has the hash SUBJECT, N of them one after another. */
const struct path_store_entry *path_store_find(
    const struct path_store *s, uint64_t subject, size_t *n);
