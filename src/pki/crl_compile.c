/* SPDX-License-Identifier: Apache-2.0 */
/* A CRL becomes an index in three walks over its entries: how many and how long, how many in each
 * bucket, and each to its place. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "pki/crl_index.h"
#include "pki/crl_parse.h"
#include "pki/dn.h"

#include "base/ban.h"

#define SLOTS (2 * (CRL_INDEX_ISSUERS + 1)) /* a power of two, never more than half full */

/* The issuers of an indirect CRL's certificates, each once. */
struct issuers {
    struct issuer {
        struct bytes name;
        uint64_t hash;
    } * at;
    uint32_t n, capacity;
    uint16_t *slots; /* 1 + the place in AT */
};

struct compilation {
    struct crl_syntax syntax;
    struct crl_index_head head;
    struct issuers issuers;
    uint8_t signed_digest[64];
    struct bytes facts[CRL_INDEX_FACTS];
    uint8_t *out;
};

/* The walk over the entries: who issued the certificate of each. */
struct walk {
    struct bytes rest;
    struct crl_parse_entry entry;
    uint16_t owner;
};

static void issuers_fini(struct issuers *l)
{
    free(l->at);
    free(l->slots);
}

static uint16_t add_issuer(struct issuers *l, struct bytes name)
{
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 16;
        l->at = mem_realloc(l->at, l->capacity * sizeof(*l->at));
    }
    l->at[l->n] = (struct issuer){name, dn_hash(name)};
    return (uint16_t)l->n++;
}

/* The place of NAME in the list, where it is put if it is new; -1: there are too many. */
static int find_issuer(struct compilation *c, struct bytes name)
{
    struct issuers *l = &c->issuers;
    if (!l->slots)
        l->slots = mem_calloc(SLOTS, sizeof(*l->slots));
    size_t slot = crl_index_hash(c->head.seed, name) >> 32;
    for (;; slot++) {
        uint16_t *taken = &l->slots[slot & (SLOTS - 1)];
        if (*taken && bytes_equal(l->at[*taken - 1].name, name))
            return *taken - 1;
        if (*taken)
            continue;
        if (l->n == CRL_INDEX_ISSUERS)
            return -1;
        *taken = (uint16_t)(add_issuer(l, name) + 1);
        return *taken - 1;
    }
}

/* RFC 5280 §5.3.3: without certificateIssuer, an entry's is that of the entry before, and the first
 * one's is the CRL's. */
static int next_entry(struct compilation *c, struct walk *w, struct error *err)
{
    if (crl_parse_next(&c->syntax, &w->rest, &w->entry, err) < 0)
        return -1;
    if (!w->entry.has_issuer)
        return 0;
    int owner = find_issuer(c, w->entry.issuer);
    if (owner < 0)
        return error_set(err,
            "certificates of more than %d issuers in one certificate revocation list; split it",
            CRL_INDEX_ISSUERS);
    w->owner = (uint16_t)owner;
    return 0;
}

/* ---- the first walk ---- */

struct measure {
    uint32_t content_max, positive_max; /* octets, with and without a zero in front */
    bool has_negative;
};

static void measure_serial(struct measure *m, struct bytes serial)
{
    bool has_zero = serial.n > 1 && serial.at[0] == 0;
    uint32_t n = (uint32_t)serial.n, positive = has_zero ? n - 1 : n;
    m->has_negative |= serial.at[0] & 0x80;
    m->content_max = n > m->content_max ? n : m->content_max;
    m->positive_max = positive > m->positive_max ? positive : m->positive_max;
}

static int measure(struct compilation *c, struct error *err)
{
    struct measure m = {0};
    struct crl_facts *f = &c->syntax.facts;
    for (struct walk w = {.rest = c->syntax.entries}; w.rest.n; f->entries++) {
        if (next_entry(c, &w, err) < 0)
            return -1;
        if (w.entry.serial.n > CRL_INDEX_SERIAL_MAX)
            return error_set(err,
                "malformed certificate revocation list: a serial number of %zu octets; at most 20 "
                "are "
                "allowed (RFC 5280 section 4.1.2.2)",
                w.entry.serial.n);
        measure_serial(&m, w.entry.serial);
        /* §5.3: such a list "MUST NOT" be used "to determine the status of any certificates". */
        if (!f->unknown_critical.at)
            f->unknown_critical = w.entry.unknown_critical;
    }
    c->head.entries = (uint32_t)f->entries;
    c->head.has_negative = m.has_negative;
    c->head.serial_size = m.has_negative ? m.content_max : m.positive_max;
    c->head.buckets = c->head.entries / CRL_INDEX_BUCKET + 1;
    return 0;
}

/* ---- the layout ---- */

static void digest_tbs(struct compilation *c)
{
    enum signature_algorithm a = c->syntax.facts.signature_algorithm;
    struct bytes tbs = c->syntax.tbs;
    if (a == SIGNATURE_ED25519)
        c->facts[CRL_INDEX_SIGNED] = tbs;
    else if (signature_digest_size(a))
        c->facts[CRL_INDEX_SIGNED] =
            (struct bytes){c->signed_digest, signature_digest(a, tbs, c->signed_digest)};
}

static void collect_facts(struct compilation *c)
{
    const struct crl_facts *f = &c->syntax.facts;
    struct crl_index_head *h = &c->head;
    c->facts[CRL_INDEX_ISSUER] = f->issuer;
    c->facts[CRL_INDEX_AUTHORITY_KEY_ID] = f->authority_key_id;
    c->facts[CRL_INDEX_NUMBER] = f->number;
    c->facts[CRL_INDEX_BASE_NUMBER] = f->base_number;
    c->facts[CRL_INDEX_DISTRIBUTION_POINT] = f->distribution_point;
    c->facts[CRL_INDEX_UNKNOWN_CRITICAL] = f->unknown_critical;
    c->facts[CRL_INDEX_SIGNATURE] = c->syntax.signature;
    digest_tbs(c);
    h->magic = CRL_INDEX_MAGIC;
    h->issuer_hash = dn_hash(f->issuer);
    h->this_update = f->this_update;
    h->next_update = f->next_update;
    h->signature_algorithm = f->signature_algorithm;
    h->scope = f->scope;
    h->only_some_reasons = f->only_some_reasons;
    h->has_distribution_point = f->has_distribution_point;
    h->is_indirect = f->is_indirect;
    h->issuers = c->issuers.n;
}

/* Where each part begins; the size of all. */
static uint64_t lay_out(struct compilation *c)
{
    struct crl_index_head *h = &c->head;
    uint64_t at = sizeof(*h);
    for (size_t i = 0; i < CRL_INDEX_FACTS; i++) {
        if (c->facts[i].at)
            h->facts[i] = (struct crl_index_slice){(uint32_t)at, (uint32_t)c->facts[i].n};
        at += c->facts[i].n;
    }
    h->issuers_at = (uint32_t)at;
    at += (uint64_t)h->issuers * sizeof(struct crl_index_slice);
    for (uint32_t i = 0; i < h->issuers; i++)
        at += c->issuers.at[i].name.n;
    h->starts_at = (uint32_t)at;
    at += ((uint64_t)h->buckets + 1) * sizeof(uint32_t);
    h->values_at = (uint32_t)at;
    at += (uint64_t)h->entries * sizeof(uint32_t);
    h->owners_at = (uint32_t)at;
    at += h->issuers ? (uint64_t)h->entries * sizeof(uint16_t) : 0;
    h->serials_at = (uint32_t)at;
    at += (uint64_t)h->entries * h->serial_size;
    h->size = at;
    return at;
}

/* ---- writing ---- */

static void write_issuers(const struct compilation *c)
{
    const struct crl_index_head *h = &c->head;
    uint32_t at = h->issuers_at + h->issuers * (uint32_t)sizeof(struct crl_index_slice);
    for (uint32_t i = 0; i < h->issuers; i++) {
        struct bytes name = c->issuers.at[i].name;
        struct crl_index_slice slice = {at, (uint32_t)name.n};
        memcpy(c->out + h->issuers_at + i * sizeof(slice), &slice, sizeof(slice));
        memcpy(c->out + at, name.at, name.n);
        at += slice.n;
    }
}

static uint32_t value_of(const struct crl_parse_entry *e)
{
    const int64_t last = (1u << (32 - CRL_INDEX_REASON_BITS)) - 1; /* in the year 2460 */
    int64_t minutes = (e->revoked_at - CRL_INDEX_EPOCH_S) / 60;
    minutes = minutes < 0 ? 0 : minutes > last ? last : minutes;
    return (uint32_t)minutes << CRL_INDEX_REASON_BITS | e->reason;
}

/* What the first walk has read without fault is read again; its serial is put into SERIAL. */
static uint32_t next_bucket(struct compilation *c, struct walk *w, uint8_t *serial)
{
    int result = next_entry(c, w, NULL);
    ASSERT(result == 0);
    bool fits =
        crl_index_serial(w->entry.serial, c->head.serial_size, c->head.has_negative, serial);
    ASSERT(fits);
    return crl_index_bucket(&c->head, serial, c->head.issuers ? c->issuers.at[w->owner].hash : 0);
}

static void write_entries(struct compilation *c)
{
    const struct crl_index_head *h = &c->head;
    uint8_t serial[CRL_INDEX_SERIAL_MAX];
    uint32_t *starts = mem_calloc((size_t)h->buckets + 1, sizeof(*starts));
    for (struct walk w = {.rest = c->syntax.entries}; w.rest.n;)
        starts[next_bucket(c, &w, serial) + 1]++;
    for (uint32_t i = 0; i < h->buckets; i++)
        starts[i + 1] += starts[i];
    memcpy(c->out + h->starts_at, starts, ((size_t)h->buckets + 1) * sizeof(*starts));
    /* From here on each is where the bucket's next entry goes. */
    for (struct walk w = {.rest = c->syntax.entries}; w.rest.n;) {
        size_t at = starts[next_bucket(c, &w, serial)]++;
        uint32_t value = value_of(&w.entry);
        memcpy(c->out + h->values_at + at * sizeof(value), &value, sizeof(value));
        memcpy(c->out + h->serials_at + at * h->serial_size, serial, h->serial_size);
        if (h->issuers)
            memcpy(c->out + h->owners_at + at * sizeof(w.owner), &w.owner, sizeof(w.owner));
    }
    free(starts);
}

static void write_index(struct compilation *c)
{
    memcpy(c->out, &c->head, sizeof(c->head));
    for (size_t i = 0; i < CRL_INDEX_FACTS; i++)
        if (c->facts[i].n)
            memcpy(c->out + c->head.facts[i].at, c->facts[i].at, c->facts[i].n);
    write_issuers(c);
    write_entries(c);
}

static int compile(struct compilation *c, struct buf *out, struct error *err)
{
    /* Whoever wants many serials in one bucket does not know the digest before it is made. */
    memcpy(&c->head.seed, c->head.digest, sizeof(c->head.seed));
    if (c->syntax.facts.is_indirect)
        ignore_result(find_issuer(c, c->syntax.facts.issuer));
    if (measure(c, err) < 0)
        return -1;
    collect_facts(c);
    uint64_t size = lay_out(c);
    if (size > UINT32_MAX || size > buf_room(out))
        return error_set(err,
            "a certificate revocation list of %zu entries, too large with all others; split it by "
            "distribution points",
            c->syntax.facts.entries);
    c->out = buf_space(out, size);
    write_index(c);
    buf_added(out, size);
    return 0;
}

int crl_compile(struct bytes der, struct buf *out, struct error *err)
{
    struct compilation c = {0};
    int result = crl_parse(der, &c.syntax, err);
    digest_sha256(der, c.head.digest);
    if (result == 0)
        result = compile(&c, out, err);
    issuers_fini(&c.issuers);
    return result;
}

int crl_each_entry(struct bytes der, crl_entry_fn *f, void *owner, struct error *err)
{
    struct crl_syntax s;
    struct crl_parse_entry e;
    if (crl_parse(der, &s, err) < 0)
        return -1;
    for (struct bytes rest = s.entries; rest.n;) {
        if (crl_parse_next(&s, &rest, &e, err) < 0)
            return -1;
        if (!f(owner, e.serial, e.revoked_at, e.reason))
            break;
    }
    return 0;
}
