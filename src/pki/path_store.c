/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/path_store.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

struct path_store {
    size_t n;
    struct path_store_entry entries[]; /* sorted by subject */
};

/* Its own issuer by name, and not evidently by another key. The signature on an anchor is not part
 * of a path (RFC 5280 §6.1), so it is not checked: who puts a certificate into the file trusts it.
 */
static bool is_self_signed(const struct certificate_facts *f)
{
    return f->is_self_issued && (!f->authority_key_id.at || !f->subject_key_id.at ||
                                    bytes_equal(f->authority_key_id, f->subject_key_id));
}

static int compare_subjects(const void *left, const void *right)
{
    uint64_t a = ((const struct path_store_entry *)left)->subject,
             b = ((const struct path_store_entry *)right)->subject;
    return a < b ? -1 : a > b;
}

struct path_store *path_store_new(const struct certificate_list *anchors, bool partial_chain)
{
    struct path_store *s = mem_alloc(sizeof(*s) + anchors->n * sizeof(s->entries[0]));
    s->n = anchors->n;
    for (size_t i = 0; i < anchors->n; i++) {
        const struct certificate_facts *f = certificate_facts(anchors->at[i]);
        s->entries[i] = (struct path_store_entry){
            f->subject_hash, certificate_ref(anchors->at[i]), partial_chain || is_self_signed(f)};
    }
    qsort(s->entries, s->n, sizeof(s->entries[0]), compare_subjects);
    return s;
}

void path_store_free(struct path_store **sp)
{
    struct path_store *s = *sp;
    *sp = NULL;
    for (size_t i = 0; s && i < s->n; i++)
        certificate_unref(&s->entries[i].certificate);
    free(s);
}

size_t path_store_count(const struct path_store *s)
{
    return s->n;
}

const struct path_store_entry *path_store_find(
    const struct path_store *s, uint64_t subject, size_t *n)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->entries[middle].subject < subject)
            low = middle + 1;
        else
            high = middle;
    }
    for (*n = 0; low + *n < s->n && s->entries[low + *n].subject == subject;)
        ++*n;
    return s->entries + low;
}

bool path_store_has(const struct path_store *s, const struct certificate *c)
{
    size_t n;
    const struct path_store_entry *e = path_store_find(s, certificate_facts(c)->subject_hash, &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].is_anchor && certificate_equal(e[i].certificate, c))
            return true;
    return false;
}
