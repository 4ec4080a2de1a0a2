/* SPDX-License-Identifier: Apache-2.0 */
#include "role/key_store.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "config/archive.h"
#include "config/named_files.h"
#include "crypto/convert.h"
#include "tls/signing.h"

#include "base/ban.h"

#define KEY_MAX  (64 * 1024) /* of a key's DER */
#define SPKI_MAX (16 * 1024)

/* A key file, and what the configuration uses it for. */
struct wanted {
    const char *name;
    unsigned uses;
};

struct wanted_list {
    struct wanted *at;
    size_t n, capacity;
};

/* What an entry's content begins with. */
struct stored {
    uint32_t allowed;
};
struct listed {
    uint32_t index;     /* among those in the store */
    uint32_t is_usable; /* SubjectPublicKeyInfo follows; else the reason */
};

/* ---- which there are ---- */

static void want(void *owner, const struct config_file *key, unsigned uses)
{
    struct wanted_list *l = owner;
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 64;
        l->at = mem_realloc(l->at, l->capacity * sizeof(*l->at));
    }
    l->at[l->n++] = (struct wanted){key->path, uses};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

/* Each key once, with all its uses. */
static void merge(struct wanted_list *l)
{
    size_t n = 0;
    if (l->n)
        qsort(l->at, l->n, sizeof(*l->at), by_name);
    for (size_t i = 0; i < l->n; i++) {
        if (n && strcmp(l->at[n - 1].name, l->at[i].name) == 0)
            l->at[n - 1].uses |= l->at[i].uses;
        else
            l->at[n++] = l->at[i];
    }
    l->n = n;
}

static unsigned allowed_for(unsigned uses)
{
    static const struct {
        unsigned use, allowed;
    } rows[] = {
        {NAMED_KEY_SERVER, SIGNING_AS_SERVER},
        {NAMED_KEY_RSA_TRANSPORT, SIGNING_BIT(SIGNING_PREMASTER)},
        {NAMED_KEY_CLIENT, SIGNING_AS_CLIENT},
    };
    unsigned allowed = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (uses & rows[i].use)
            allowed |= rows[i].allowed;
    return allowed;
}

/* ---- making ---- */

static int add_entry(
    struct buf *archive, const char *name, const void *head, size_t head_n, struct bytes rest)
{
    if (archive_begin(archive, name, head_n + rest.n) < 0 ||
        buf_append(archive, (struct bytes){head, head_n}) < 0)
        return -1;
    return buf_append(archive, rest);
}

static int list_flaw(struct buf *table, const char *name, const struct error *flaw)
{
    const struct listed head = {0};
    return add_entry(table, name, &head, sizeof(head), bytes_of(flaw->text));
}

static int add_key(const struct wanted *w, const struct private_key *key, uint32_t index,
    struct buf *store, struct buf *table)
{
    const struct stored stored = {allowed_for(w->uses)};
    const struct listed listed = {index, true};
    struct buf der, spki;
    buf_init(&der, KEY_MAX);
    buf_init(&spki, SPKI_MAX);
    int failed = convert_key_der(key, &der) < 0 || private_key_spki(key, &spki) < 0 ||
                 add_entry(store, w->name, &stored, sizeof(stored), buf_bytes(&der)) < 0 ||
                 add_entry(table, w->name, &listed, sizeof(listed), buf_bytes(&spki)) < 0;
    buf_fini(&der);
    buf_fini(&spki);
    return failed ? -1 : 0;
}

static int add_all(
    const struct wanted_list *l, struct bytes keys, struct buf *store, struct buf *table)
{
    uint32_t index = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct error flaw;
        struct private_key *key = private_key_parse(archive_find(keys, l->at[i].name), &flaw);
        int failed = key ? add_key(&l->at[i], key, index++, store, table)
                         : list_flaw(table, l->at[i].name, &flaw);
        private_key_unref(&key);
        if (failed)
            return -1;
    }
    return 0;
}

int key_store_make(struct bytes archive, struct bytes keys, struct buf *store, struct buf *table,
    struct error *err)
{
    struct wanted_list list = {0};
    struct report report;
    report_init(&report);
    struct config *config = config_parse_archive(archive, &report);
    report_fini(&report);
    if (!config)
        return error_set(err, "the generation's configuration is not one");
    named_files_each_key(config, CONFIG_ENGINE_NATIVE, want, &list);
    merge(&list);
    int result = add_all(&list, keys, store, table);
    if (result < 0)
        error_set(err, "all keys together are too large for the signer");
    free(list.at);
    config_free(&config);
    return result;
}

/* ---- reading ---- */

struct private_key *key_store_next(struct bytes *store, unsigned *allowed)
{
    struct bytes name, content;
    struct stored head;
    struct error err;
    if (!archive_next(store, &name, &content) || content.n < sizeof(head))
        return NULL;
    memcpy(&head, content.at, sizeof(head));
    *allowed = head.allowed;
    return private_key_parse(bytes_skip(content, sizeof(head)), &err);
}

bool key_store_find(struct bytes table, const char *name, struct held_key *out)
{
    struct bytes content = archive_find(table, name);
    struct listed head;
    if (content.n < sizeof(head))
        return false;
    memcpy(&head, content.at, sizeof(head));
    struct bytes rest = bytes_skip(content, sizeof(head));
    *out = (struct held_key){.handle.index = head.index};
    *(head.is_usable ? &out->spki : &out->flaw) = rest;
    return true;
}
