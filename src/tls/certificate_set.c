/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificate_set.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "tls/server_name.h"

#include "base/ban.h"

/* One dNSName of one credential. */
struct entry {
    char *name; /* lower case, no trailing dot; a wildcard as "*.example.com" */
    size_t credential;
};

/* A distinct name, and what is shown under it. */
struct row {
    const char *name; /* an entry's */
    size_t set;
};

struct certificate_sets {
    struct entry *entries; /* by name, then by credential */
    size_t entries_n;
    struct row *rows; /* by name */
    size_t rows_n;
    struct certificate_set *sets;
    size_t sets_n;
};

struct builder {
    struct certificate_sets *out;
    const struct credential *const *credentials;
    size_t credentials_n;
};

static enum certificate_set_kind kind_of(const struct credential *c)
{
    switch (credential_key_kind(c)) {
    case KEY_RSA:
        return SET_RSA;
    case KEY_RSA_PSS:
    case KEY_RSA_PSS_SHA256:
    case KEY_RSA_PSS_SHA384:
    case KEY_RSA_PSS_SHA512:
        return SET_RSA_PSS;
    case KEY_EC_P256:
    case KEY_EC_P384:
    case KEY_EC_P521:
        return SET_ECDSA;
    case KEY_ED25519:
        return SET_ED25519;
    case KEY_UNSUPPORTED:
        break;
    }
    panic("a credential with a key of an unsupported kind");
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->credential > y->credential) - (x->credential < y->credential);
}

/* A name that is no DNS name cannot be asked for; it is left out, not an error. */
static void add_entry(struct certificate_sets *s, struct bytes name, size_t credential)
{
    char text[2 + SERVER_NAME_MAX + 1] = "*.";
    size_t prefix = bytes_starts_with(name, BYTES("*.")) ? 2 : 0;
    name = bytes_skip(name, prefix);
    if (!server_name_is_dns(name))
        return;
    server_name_normalise(name, text + prefix);
    s->entries[s->entries_n++] = (struct entry){mem_strdup(text), credential};
}

static void gather_entries(struct builder *b)
{
    size_t total = 0;
    for (size_t i = 0; i < b->credentials_n; i++)
        total += certificate_facts(b->credentials[i]->chain.at[0])->names_n;
    b->out->entries = mem_calloc(total + 1, sizeof(*b->out->entries));
    for (size_t i = 0; i < b->credentials_n; i++) {
        const struct certificate_facts *facts = certificate_facts(b->credentials[i]->chain.at[0]);
        for (size_t j = 0; j < facts->names_n; j++)
            if (facts->names[j].kind == NAME_DNS)
                add_entry(b->out, facts->names[j].value, i);
    }
    qsort(b->out->entries, b->out->entries_n, sizeof(*b->out->entries), compare_entries);
}

/* The first entry that is not less than {NAME, credential 0}. */
static size_t lower_bound(const struct certificate_sets *s, const char *name)
{
    size_t low = 0, high = s->entries_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(s->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* For the kinds that SET lacks, the first certificate that has NAME. */
static void fill(const struct builder *b, struct certificate_set *set, const char *name)
{
    const struct certificate_sets *s = b->out;
    for (size_t i = lower_bound(s, name); i < s->entries_n && strcmp(s->entries[i].name, name) == 0;
         i++) {
        const struct credential *c = b->credentials[s->entries[i].credential];
        if (!set->by_kind[kind_of(c)])
            set->by_kind[kind_of(c)] = c;
    }
}

/* "*.example.com" for "www.example.com" (RFC 9525 §6.3: a wildcard stands for exactly one, the
 * left-most, label). False if NAME has but one label. */
static bool wildcard_for(const char *name, char text[2 + SERVER_NAME_MAX + 1])
{
    const char *dot = strchr(name, '.');
    if (!dot)
        return false;
    size_t n = strlen(dot);
    text[0] = '*';
    memcpy(text + 1, dot, n + 1);
    return true;
}

static size_t intern_set(struct certificate_sets *s, const struct certificate_set *set)
{
    for (size_t i = 0; i < s->sets_n; i++)
        if (memcmp(&s->sets[i], set, sizeof(*set)) == 0)
            return i;
    s->sets[s->sets_n] = *set;
    return s->sets_n++;
}

static void add_default(struct builder *b)
{
    struct certificate_set set = {0};
    set.by_kind[kind_of(b->credentials[0])] = b->credentials[0];
    /* By credential, not by name: "the first that shares a name" is about the order of the
     * configuration. */
    for (size_t i = 1; i < b->credentials_n; i++) {
        const struct credential *c = b->credentials[i];
        bool is_shared = false;
        for (size_t j = 0; j < b->out->entries_n && !is_shared; j++) {
            const struct entry *e = &b->out->entries[j];
            if (e->credential != i)
                continue;
            /* Entries are sorted by name, then credential: the first of a name is credential 0's if
             * it has it. */
            is_shared = b->out->entries[lower_bound(b->out, e->name)].credential == 0;
        }
        if (is_shared && !set.by_kind[kind_of(c)])
            set.by_kind[kind_of(c)] = c;
    }
    intern_set(b->out, &set);
}

static void add_rows(struct builder *b)
{
    struct certificate_sets *s = b->out;
    for (size_t i = 0; i < s->entries_n; i++) {
        const char *name = s->entries[i].name;
        if (i && strcmp(s->entries[i - 1].name, name) == 0)
            continue;
        struct certificate_set set = {0};
        char wildcard[2 + SERVER_NAME_MAX + 1];
        fill(b, &set, name);
        if (name[0] != '*' && wildcard_for(name, wildcard))
            fill(b, &set, wildcard);
        s->rows[s->rows_n++] = (struct row){name, intern_set(s, &set)};
    }
}

struct certificate_sets *certificate_sets_new(const struct credential *const *credentials, size_t n)
{
    ASSERT(n > 0);
    struct certificate_sets *s = mem_alloc(sizeof(*s));
    struct builder b = {s, credentials, n};
    gather_entries(&b);
    s->sets = mem_calloc(s->entries_n + 1, sizeof(*s->sets));
    s->rows = mem_calloc(s->entries_n + 1, sizeof(*s->rows));
    add_default(&b);
    add_rows(&b);
    return s;
}

void certificate_sets_free(struct certificate_sets **s)
{
    if (!*s)
        return;
    for (size_t i = 0; i < (*s)->entries_n; i++)
        free((*s)->entries[i].name);
    free((*s)->entries);
    free((*s)->rows);
    free((*s)->sets);
    free(*s);
    *s = NULL;
}

size_t certificate_sets_count(const struct certificate_sets *s)
{
    return s->sets_n;
}

const struct certificate_set *certificate_sets_at(const struct certificate_sets *s, size_t i)
{
    ASSERT(i < s->sets_n);
    return &s->sets[i];
}

static int compare_row(const void *key, const void *element)
{
    return strcmp(key, ((const struct row *)element)->name);
}

static const struct row *find_row(const struct certificate_sets *s, const char *name)
{
    return bsearch(name, s->rows, s->rows_n, sizeof(*s->rows), compare_row);
}

size_t certificate_sets_find(const struct certificate_sets *s, struct bytes host_name)
{
    char name[SERVER_NAME_MAX + 1], wildcard[2 + SERVER_NAME_MAX + 1];
    if (!server_name_is_dns(host_name)) /* empty; NUL and whatever else no certificate can have */
        return 0;
    server_name_normalise(host_name, name);
    const struct row *row = find_row(s, name);
    if (!row && wildcard_for(name, wildcard))
        row = find_row(s, wildcard);
    return row ? row->set : 0;
}
