/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl.h"

#include <stdlib.h>

#include "base/memory.h"
#include "pki/crl_index.h"
#include "pki/dn.h"
#include "pki/reason_code.h"

#include "base/ban.h"

/* A CRL is asked about the CA that issued it, and about those of the same name: few. The first
 * place is for the last who had not signed it: strangers do not push out those who had. */
#define SIGNERS_MAX 4

struct signer {
    uint8_t *spki; /* owned */
    size_t spki_n;
    bool signed_it;
};

struct crl {
    struct crl_index_head head;
    struct bytes index;
    struct buf own; /* the index, if it is not borrowed */
    struct crl_facts facts;
    struct bytes signature, signed_bytes;
    struct arena texts;
    const char *issuer_text, *number_text;
    struct signer signers[SIGNERS_MAX]; /* what was found out */
    size_t signers_n;
};

/* ---- opening ---- */

static bool lies_within(const struct crl_index_head *h, uint32_t at, uint64_t size)
{
    return at >= sizeof(*h) && at <= h->size && size <= h->size - at;
}

/* Are all parts inside? What they hold is looked at when it is used. */
static bool head_is_sound(const struct crl_index_head *h, size_t size)
{
    if (h->magic != CRL_INDEX_MAGIC || h->size != size || !h->buckets ||
        h->serial_size > CRL_INDEX_SERIAL_MAX || (h->entries && !h->serial_size) ||
        h->signature_algorithm >= SIGNATURE_ALGORITHM_COUNT || h->scope > CRL_SCOPE_ATTRIBUTES ||
        h->issuers > CRL_INDEX_ISSUERS || (h->is_indirect && !h->issuers))
        return false;
    for (size_t i = 0; i < CRL_INDEX_FACTS; i++)
        if (h->facts[i].at && !lies_within(h, h->facts[i].at, h->facts[i].n))
            return false;
    uint64_t n = h->entries;
    return lies_within(h, h->issuers_at, h->issuers * sizeof(struct crl_index_slice)) &&
           lies_within(h, h->starts_at, ((uint64_t)h->buckets + 1) * sizeof(uint32_t)) &&
           lies_within(h, h->values_at, n * sizeof(uint32_t)) &&
           lies_within(h, h->owners_at, h->issuers ? n * sizeof(uint16_t) : 0) &&
           lies_within(h, h->serials_at, n * h->serial_size);
}

static struct bytes slice(const struct crl *c, struct crl_index_slice s)
{
    return s.at ? (struct bytes){c->index.at + s.at, s.n} : (struct bytes){0};
}

static struct bytes fact(const struct crl *c, enum crl_index_fact which)
{
    return slice(c, c->head.facts[which]);
}

static void read_facts(struct crl *c)
{
    const struct crl_index_head *h = &c->head;
    c->facts = (struct crl_facts){
        .issuer = fact(c, CRL_INDEX_ISSUER),
        .issuer_hash = h->issuer_hash,
        .authority_key_id = fact(c, CRL_INDEX_AUTHORITY_KEY_ID),
        .number = fact(c, CRL_INDEX_NUMBER),
        .base_number = fact(c, CRL_INDEX_BASE_NUMBER),
        .this_update = h->this_update,
        .next_update = h->next_update,
        .signature_algorithm = h->signature_algorithm,
        .has_distribution_point = h->has_distribution_point,
        .distribution_point = fact(c, CRL_INDEX_DISTRIBUTION_POINT),
        .scope = h->scope,
        .only_some_reasons = h->only_some_reasons,
        .is_indirect = h->is_indirect,
        .unknown_critical = fact(c, CRL_INDEX_UNKNOWN_CRITICAL),
        .entries = h->entries,
    };
    c->signature = fact(c, CRL_INDEX_SIGNATURE);
    c->signed_bytes = fact(c, CRL_INDEX_SIGNED);
}

struct crl *crl_open(struct bytes compiled, struct error *err)
{
    struct crl_index_head head;
    if (compiled.n >= sizeof(head))
        memcpy(&head, compiled.at, sizeof(head));
    if (compiled.n < sizeof(head) || !head_is_sound(&head, compiled.n)) {
        error_set(err, "the index of a certificate revocation list is damaged; load it again");
        return NULL;
    }
    struct crl *c = mem_alloc(sizeof(*c));
    c->head = head;
    c->index = compiled;
    arena_init(&c->texts);
    read_facts(c);
    return c;
}

void crl_free(struct crl **cp)
{
    struct crl *c = *cp;
    *cp = NULL;
    if (!c)
        return;
    for (size_t i = 0; i < SIGNERS_MAX; i++)
        free(c->signers[i].spki);
    arena_fini(&c->texts);
    buf_fini(&c->own);
    free(c);
}

/* ---- facts ---- */

const struct crl_facts *crl_facts(const struct crl *c)
{
    return &c->facts;
}

struct bytes crl_compiled(const struct crl *c)
{
    return c->index;
}

struct bytes crl_digest(const struct crl *c)
{
    return (struct bytes){c->head.digest, sizeof(c->head.digest)};
}

/* What is made on first use is no change that anybody can see. */
static struct crl *mutable(const struct crl *c)
{
    return (struct crl *)(uintptr_t)c;
}

const char *crl_issuer(const struct crl *c)
{
    if (!c->issuer_text)
        mutable(c)->issuer_text = dn_text(&mutable(c)->texts, c->facts.issuer);
    return c->issuer_text;
}

/* Divide the number of N octets at AT by ten. */
static unsigned divide(uint8_t *at, size_t n, bool *is_zero)
{
    unsigned remainder = 0;
    *is_zero = true;
    for (size_t i = 0; i < n; i++) {
        unsigned value = remainder << 8 | at[i];
        at[i] = (uint8_t)(value / 10);
        remainder = value % 10;
        *is_zero &= !at[i];
    }
    return remainder;
}

static const char *decimal_text(struct arena *a, struct bytes number)
{
    enum { OCTETS_MAX = 20, DIGITS_MAX = 50 };
    uint8_t left[OCTETS_MAX];
    char digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;
    bool is_zero = false;
    if (!number.at || number.n > OCTETS_MAX)
        return "";
    memcpy(left, number.at, number.n);
    while (!is_zero)
        digits[--at] = (char)('0' + divide(left, number.n, &is_zero));
    return arena_strndup(a, digits + at, DIGITS_MAX - at);
}

const char *crl_number(const struct crl *c)
{
    if (!c->number_text)
        mutable(c)->number_text = decimal_text(&mutable(c)->texts, c->facts.number);
    return c->number_text;
}

bool crl_has_same_scope(const struct crl *a, const struct crl *b)
{
    const struct crl_facts *x = &a->facts, *y = &b->facts;
    return dn_equal(x->issuer, y->issuer) &&
           bytes_equal(x->authority_key_id, y->authority_key_id) &&
           x->has_distribution_point == y->has_distribution_point &&
           bytes_equal(x->distribution_point, y->distribution_point) && x->scope == y->scope &&
           x->only_some_reasons == y->only_some_reasons && x->is_indirect == y->is_indirect;
}

int crl_compare_numbers(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.at, b.at, a.n) : 0;
}

int crl_compare_age(const struct crl *a, const struct crl *b)
{
    const struct crl_facts *x = &a->facts, *y = &b->facts;
    if (x->number.at && y->number.at)
        return crl_compare_numbers(x->number, y->number);
    return x->this_update < y->this_update ? -1 : x->this_update > y->this_update;
}

/* ---- the signature ---- */

static bool verify(const struct crl *c, const struct certificate *issuer)
{
    enum signature_algorithm a = c->facts.signature_algorithm;
    const struct public_key *key = certificate_public_key(issuer);
    if (!key || !c->signed_bytes.n)
        return false;
    if (a == SIGNATURE_ED25519)
        return public_key_verify(key, a, c->signed_bytes, c->signature);
    return c->signed_bytes.n == signature_digest_size(a) &&
           public_key_verify_digest(key, a, c->signed_bytes, c->signature);
}

static bool remember(struct crl *c, struct bytes spki, bool signed_it)
{
    struct signer *s = &c->signers[signed_it ? 1 + c->signers_n++ % (SIGNERS_MAX - 1) : 0];
    free(s->spki);
    s->spki = mem_alloc_raw(spki.n);
    s->spki_n = spki.n;
    s->signed_it = signed_it;
    memcpy(s->spki, spki.at, spki.n);
    return signed_it;
}

bool crl_signed_by(const struct crl *c, const struct certificate *issuer)
{
    const struct certificate_facts *f = certificate_facts(issuer);
    /* RFC 5280 §6.3.3 (f): "If a key usage extension is present in the CRL issuer's certificate,
     * verify that the cRLSign bit is set." */
    if (!(f->key_usage & USAGE_CRL_SIGN) || !dn_equal(f->subject, c->facts.issuer))
        return false;
    for (size_t i = 0; i < SIGNERS_MAX; i++) {
        const struct signer *s = &c->signers[i];
        if (s->spki && bytes_equal((struct bytes){s->spki, s->spki_n}, f->spki))
            return s->signed_it;
    }
    return remember(mutable(c), f->spki, verify(c, issuer));
}

/* ---- lookup ---- */

static uint32_t number_at(const struct crl *c, uint32_t base, size_t i)
{
    uint32_t n;
    memcpy(&n, c->index.at + base + i * sizeof(n), sizeof(n));
    return n;
}

/* Was the certificate of entry I issued by ISSUER? */
static bool is_owned_by(const struct crl *c, size_t i, struct bytes issuer)
{
    uint16_t owner;
    struct crl_index_slice s;
    if (!c->head.issuers)
        return true;
    memcpy(&owner, c->index.at + c->head.owners_at + i * sizeof(owner), sizeof(owner));
    if (owner >= c->head.issuers)
        return false;
    memcpy(&s, c->index.at + c->head.issuers_at + owner * sizeof(s), sizeof(s));
    return lies_within(&c->head, s.at, s.n) && dn_equal(slice(c, s), issuer);
}

static struct crl_entry entry_of(uint32_t value)
{
    return (struct crl_entry){
        .revoked_at = (int64_t)(value >> CRL_INDEX_REASON_BITS) * 60 + CRL_INDEX_EPOCH_S,
        .reason = value & ((1u << CRL_INDEX_REASON_BITS) - 1),
    };
}

bool crl_find(const struct crl *c, struct bytes serial, struct bytes issuer, struct crl_entry *out)
{
    const struct crl_index_head *h = &c->head;
    uint8_t key[CRL_INDEX_SERIAL_MAX];
    bool is_found = false;
    if (!h->entries || !crl_index_serial(serial, h->serial_size, h->has_negative, key))
        return false;
    uint32_t bucket = crl_index_bucket(h, key, h->issuers ? dn_hash(issuer) : 0);
    uint32_t end = number_at(c, h->starts_at, bucket + 1);
    if (end > h->entries)
        return false;
    for (uint32_t i = number_at(c, h->starts_at, bucket); i < end; i++) {
        const uint8_t *at = c->index.at + h->serials_at + (size_t)i * h->serial_size;
        if (memcmp(at, key, h->serial_size) != 0 || !is_owned_by(c, i, issuer))
            continue;
        /* Listed twice: what takes it out does not undo what puts it in. */
        if (!is_found || out->reason == REASON_CODE_REMOVE_FROM_CRL)
            *out = entry_of(number_at(c, h->values_at, i));
        is_found = true;
    }
    return is_found;
}

struct crl *crl_make(struct bytes der, struct error *err)
{
    struct buf index;
    buf_init(&index, CRL_INDEX_SIZE_MAX);
    struct crl *c = crl_compile(der, &index, err) == 0 ? crl_open(buf_bytes(&index), err) : NULL;
    if (c)
        c->own = index;
    else
        buf_fini(&index);
    return c;
}
