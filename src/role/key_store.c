/* SPDX-License-Identifier: Apache-2.0 */
#include "role/key_store.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "config/archive.h"
#include "config/load.h"
#include "config/named_files.h"
#include "crypto/convert.h"
#include "crypto/key_file.h"
#include "crypto/sealed.h"
#include "tls/signing.h"

#include "base/ban.h"

#define KEY_MAX  (64 * 1024) /* of a key's DER */
#define SPKI_MAX (16 * 1024)

/* A key, and what the configuration uses it for. */
struct wanted {
    char *name;
    const char *file, *passphrase; /* paths; the latter may be NULL */
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
    uint32_t index;  /* among those in the store */
    uint32_t spki_n; /* SubjectPublicKeyInfo follows, then certificates; 0: the reason */
};

/* ---- which there are ---- */

static void want(void *owner, const struct named_key *key, unsigned uses)
{
    struct wanted_list *l = owner;
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 64;
        l->at = mem_realloc(l->at, l->capacity * sizeof(*l->at));
    }
    l->at[l->n++] =
        (struct wanted){named_files_key_name(key), key->file->path, key->passphrase->path, uses};
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
        if (!n || strcmp(l->at[n - 1].name, l->at[i].name) != 0) {
            l->at[n++] = l->at[i];
            continue;
        }
        l->at[n - 1].uses |= l->at[i].uses;
        free(l->at[i].name);
    }
    l->n = n;
}

static void free_list(struct wanted_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].name);
    free(l->at);
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

/* An entry of several pieces. */
static int add_entry(
    struct buf *archive, const char *name, const struct bytes *pieces, size_t pieces_n)
{
    size_t n = 0;
    for (size_t i = 0; i < pieces_n; i++)
        n += pieces[i].n;
    if (archive_begin(archive, name, n) < 0)
        return -1;
    for (size_t i = 0; i < pieces_n; i++)
        if (buf_append(archive, pieces[i]) < 0)
            return -1;
    return 0;
}

static int list_flaw(struct buf *table, const char *name, const struct error *flaw)
{
    const struct listed head = {0};
    const struct bytes pieces[] = {{(const uint8_t *)&head, sizeof(head)}, bytes_of(flaw->text)};
    return add_entry(table, name, pieces, COUNT_OF(pieces));
}

static int store_key(const struct wanted *w, const struct private_key *key, struct buf *store)
{
    const struct stored head = {allowed_for(w->uses)};
    struct buf der;
    buf_init(&der, KEY_MAX);
    int failed = convert_key_der(key, &der);
    const struct bytes pieces[] = {{(const uint8_t *)&head, sizeof(head)}, buf_bytes(&der)};
    if (!failed)
        failed = add_entry(store, w->name, pieces, COUNT_OF(pieces));
    buf_fini(&der);
    return failed;
}

static int list_key(
    const struct wanted *w, const struct key_file *file, uint32_t index, struct buf *table)
{
    struct buf spki;
    buf_init(&spki, SPKI_MAX);
    int failed = private_key_spki(file->key, &spki);
    const struct listed head = {index, (uint32_t)buf_size(&spki)};
    const struct bytes pieces[] = {
        {(const uint8_t *)&head, sizeof(head)}, buf_bytes(&spki), buf_bytes(&file->certificates)};
    if (!failed)
        failed = add_entry(table, w->name, pieces, COUNT_OF(pieces));
    buf_fini(&spki);
    return failed;
}

/* A key of the API came sealed, for the one key that state.dir has; its name is bound to it. */
static int open_sealed(const char *name, struct bytes keys, struct buf *out, struct error *flaw)
{
    struct bytes left = keys, entry, content, half = {0};
    while (!half.at && archive_next(&left, &entry, &content))
        if (bytes_ends_with(entry, BYTES("/" LOAD_SEALING_KEY)))
            half = content;
    if (half.n != SEALING_KEY_SIZE)
        return error_set(flaw, "%s: there is no " LOAD_SEALING_KEY " to open it with", name);
    return sealed_open(half.at, bytes_of(name), archive_find(keys, name), out) == 0
               ? 0
               : error_set(flaw,
                     "%s: it is not sealed for the " LOAD_SEALING_KEY
                     " that is there; put that back, or upload the certificate again",
                     name);
}

static int read_key(
    const struct wanted *w, struct bytes keys, struct key_file *out, struct error *flaw)
{
    struct bytes passphrase = w->passphrase ? archive_find(keys, w->passphrase) : (struct bytes){0};
    struct buf opened;
    *out = (struct key_file){0};
    if (strncmp(w->file, ARCHIVE_API, strlen(ARCHIVE_API)) != 0)
        return key_file_read(archive_find(keys, w->file), passphrase, out, flaw);
    buf_init(&opened, KEY_MAX);
    int failed = open_sealed(w->file, keys, &opened, flaw);
    if (!failed)
        failed = key_file_read(buf_bytes(&opened), passphrase, out, flaw);
    buf_fini(&opened); /* wipes */
    return failed;
}

/* W, whose place in the store is *INDEX if it can be used. */
static int add_key(const struct wanted *w, struct bytes keys, uint32_t *index, struct buf *store,
    struct buf *table)
{
    struct key_file file;
    struct error flaw;
    int failed = 0;
    if (read_key(w, keys, &file, &flaw) < 0)
        failed = list_flaw(table, w->name, &flaw);
    else if (store_key(w, file.key, store) < 0 || list_key(w, &file, (*index)++, table) < 0)
        failed = -1;
    key_file_fini(&file);
    return failed;
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
    named_files_each_key(config, want, &list);
    merge(&list);
    int result = 0;
    uint32_t index = 0;
    for (size_t i = 0; i < list.n && !result; i++)
        result = add_key(&list.at[i], keys, &index, store, table);
    if (result < 0)
        error_set(err, "all keys together are too large for the signer");
    free_list(&list);
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
    if (head.spki_n) {
        out->spki = bytes_first(rest, head.spki_n);
        out->certificates = bytes_skip(rest, head.spki_n);
    } else {
        out->flaw = rest;
    }
    return true;
}
