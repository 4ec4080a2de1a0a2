/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/dn.h"

#include "pki/der.h"
#include "pki/dn_parts.h"

#include "base/ban.h"

/* ---- characters ---- */

enum dn_encoding dn_encoding_of(uint8_t tag)
{
    switch (tag) {
    case DER_UTF8_STRING:
        return DN_UTF8;
    case DER_NUMERIC_STRING:
    case DER_PRINTABLE_STRING:
    case DER_TELETEX_STRING: /* as everyone reads it: Latin-1 */
    case DER_IA5_STRING:
    case DER_VISIBLE_STRING:
        return DN_LATIN1;
    case DER_UNIVERSAL_STRING:
        return DN_UNIVERSAL;
    case DER_BMP_STRING:
        return DN_BMP;
    default:
        return DN_NO_STRING;
    }
}

/* RFC 3629 §4: the octets of the character at the start of IN, which is not empty; 0 if there is
 * none. */
static size_t read_utf8(struct bytes in, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = in.at[0];
    size_t n = first < 0x80   ? 1
               : first < 0xc0 ? 0
               : first < 0xe0 ? 2
               : first < 0xf0 ? 3
               : first < 0xf8 ? 4
                              : 0;
    if (!n || n > in.n)
        return 0;
    uint32_t c = n == 1 ? first : first & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((in.at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (in.at[i] & 0x3f);
    }
    *character = c;
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

/* The same where each character takes WIDTH octets. */
static size_t read_wide(struct bytes in, size_t width, uint32_t *character)
{
    uint32_t c = 0;
    if (in.n < width)
        return 0;
    for (size_t i = 0; i < width; i++)
        c = c << 8 | in.at[i];
    *character = c;
    return c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : width;
}

uint32_t dn_next_character(struct dn_string *t)
{
    static const uint8_t widths[] = {
        [DN_NO_STRING] = 1, [DN_LATIN1] = 1, [DN_BMP] = 2, [DN_UNIVERSAL] = 4};
    uint32_t c = 0;
    if (!t->left.n)
        return DN_END;
    size_t n = t->encoding == DN_UTF8 ? read_utf8(t->left, &c)
                                      : read_wide(t->left, widths[t->encoding], &c);
    if (!n) {
        c = DN_WRONG + t->left.at[0];
        n = 1;
    }
    t->left = bytes_skip(t->left, n);
    return c;
}

/* RFC 5280 §7.1: lower case, one space for several, none at either end. HAS_BEGUN: something was
 * returned before. */
static uint32_t next_folded(struct dn_string *t, bool has_begun)
{
    struct dn_string before;
    bool is_spaced = false;
    uint32_t c;
    for (;;) {
        before = *t;
        c = dn_next_character(t);
        if (c != ' ')
            break;
        is_spaced = true;
    }
    if (is_spaced && has_begun && c != DN_END) {
        *t = before;
        return ' ';
    }
    return c < 0x80 ? bytes_lower((uint8_t)c) : c;
}

/* ---- attributes ---- */

bool dn_open(struct bytes name, struct bytes *rdns)
{
    return der_take(&name, DER_SEQUENCE, rdns) && !name.n;
}

bool dn_take_rdn(struct bytes *rdns, struct bytes *rdn)
{
    return der_take(rdns, DER_SET, rdn) && rdn->n;
}

bool dn_take_attribute(struct bytes *rdn, struct dn_attribute *out)
{
    struct der_element sequence, value;
    if (!der_is_next(*rdn, DER_SEQUENCE) || !der_next(rdn, &sequence))
        return false;
    struct bytes fields = sequence.content;
    if (!der_take(&fields, DER_OID, &out->type) || !der_next(&fields, &value) || fields.n ||
        !der_is_oid(out->type))
        return false;
    out->tag = value.tag;
    out->value = value.content;
    out->whole_value = value.whole;
    out->whole = sequence.whole;
    return true;
}

static bool text_equal(struct dn_string a, struct dn_string b)
{
    bool has_begun = false;
    for (;;) {
        uint32_t c = next_folded(&a, has_begun);
        if (c != next_folded(&b, has_begun))
            return false;
        if (c == DN_END)
            return true;
        has_begun = true;
    }
}

static struct dn_string text_of(const struct dn_attribute *a)
{
    return (struct dn_string){dn_encoding_of(a->tag), a->value};
}

static bool attribute_equal(const struct dn_attribute *a, const struct dn_attribute *b)
{
    if (!bytes_equal(a->type, b->type))
        return false;
    if (bytes_equal(a->whole_value, b->whole_value))
        return true;
    struct dn_string left = text_of(a), right = text_of(b);
    return left.encoding && right.encoding && text_equal(left, right);
}

struct rdn {
    struct dn_attribute attributes[DN_RDN_ATTRIBUTES_MAX];
    size_t n;
};

static bool take_rdn(struct bytes *rdns, struct rdn *out)
{
    struct bytes set;
    if (!dn_take_rdn(rdns, &set))
        return false;
    for (out->n = 0; set.n; out->n++)
        if (out->n == DN_RDN_ATTRIBUTES_MAX || !dn_take_attribute(&set, &out->attributes[out->n]))
            return false;
    return true;
}

/* As sets: folding may have changed the order in which DER wants them. */
static bool rdn_equal(const struct rdn *a, const struct rdn *b)
{
    unsigned used = 0;
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        size_t j = 0;
        while (
            j < b->n && (used >> j & 1 || !attribute_equal(&a->attributes[i], &b->attributes[j])))
            j++;
        if (j == b->n)
            return false;
        used |= 1u << j;
    }
    return true;
}

/* Take the RDNs of BASE off both; false at the first difference. */
static bool skip_common(struct bytes *name, struct bytes *base)
{
    struct rdn a, b;
    while (base->n)
        if (!take_rdn(name, &a) || !take_rdn(base, &b) || !rdn_equal(&a, &b))
            return false;
    return true;
}

bool dn_equal(struct bytes a, struct bytes b)
{
    if (bytes_equal(a, b))
        return true;
    return dn_open(a, &a) && dn_open(b, &b) && skip_common(&a, &b) && !a.n;
}

bool dn_is_within(struct bytes name, struct bytes base)
{
    return dn_open(name, &name) && dn_open(base, &base) && skip_common(&name, &base);
}

bool dn_is_empty(struct bytes name)
{
    return dn_open(name, &name) && !name.n;
}

/* ---- hash ---- */

#define HASH_START 0xcbf29ce484222325u /* FNV-1a */
#define HASH_PRIME 0x100000001b3u

static uint64_t hash_add(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * HASH_PRIME;
}

static uint64_t hash_bytes(uint64_t hash, struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        hash = hash_add(hash, b.at[i]);
    return hash;
}

static uint64_t hash_attribute(const struct dn_attribute *a)
{
    uint64_t hash = hash_bytes(HASH_START, a->type);
    struct dn_string text = text_of(a);
    if (!text.encoding)
        return hash_bytes(hash, a->whole_value);
    bool has_begun = false;
    for (uint32_t c; (c = next_folded(&text, has_begun)) != DN_END; has_begun = true)
        hash = hash_add(hash, c);
    return hash;
}

uint64_t dn_hash(struct bytes name)
{
    struct bytes rdns;
    struct rdn rdn;
    uint64_t hash = HASH_START;
    if (!dn_open(name, &rdns))
        return hash_bytes(hash, name);
    while (rdns.n) {
        uint64_t sum = 0; /* whatever the order */
        if (!take_rdn(&rdns, &rdn))
            return hash_bytes(HASH_START, name);
        for (size_t i = 0; i < rdn.n; i++)
            sum += hash_attribute(&rdn.attributes[i]);
        hash = hash_add(hash, sum);
    }
    return hash ^ hash >> 32;
}

/* ---- validity ---- */

/* X.680 §41, and RFC 5280 appendix B on what is found in them: PrintableString is used for names
 * with
 * `*`, `@` or `_` too, so it is held to what can be printed. */
static bool is_character_of(uint8_t tag, uint32_t c)
{
    switch (tag) {
    case DER_NUMERIC_STRING:
    case DER_PRINTABLE_STRING:
    case DER_VISIBLE_STRING:
        return c >= 0x20 && c < 0x7f;
    case DER_IA5_STRING:
        return c < 0x80;
    default:
        return c < DN_WRONG;
    }
}

static bool is_value_valid(const struct dn_attribute *a)
{
    struct dn_string text = text_of(a);
    if (!text.encoding)
        return true;
    for (uint32_t c; (c = dn_next_character(&text)) != DN_END;)
        if (!is_character_of(a->tag, c))
            return false;
    return true;
}

/* X.690 §11.6: a SET OF is in the order of the encodings; the types of an RDN differ (X.501 §9.3),
 * so none comes twice. */
static bool is_in_order(const struct rdn *r)
{
    for (size_t i = 1; i < r->n; i++) {
        struct bytes a = r->attributes[i - 1].whole, b = r->attributes[i].whole;
        int difference = memcmp(a.at, b.at, a.n < b.n ? a.n : b.n);
        if (difference > 0 || (!difference && a.n >= b.n))
            return false;
    }
    return true;
}

bool dn_is_valid(struct bytes name)
{
    struct bytes rdns;
    struct rdn rdn;
    if (!dn_open(name, &rdns))
        return false;
    while (rdns.n) {
        if (!take_rdn(&rdns, &rdn) || !is_in_order(&rdn))
            return false;
        for (size_t i = 0; i < rdn.n; i++)
            if (!is_value_valid(&rdn.attributes[i]))
                return false;
    }
    return true;
}

bool dn_each_email(struct bytes name, dn_value_fn *f, void *owner)
{
    static const struct bytes email = BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01");
    struct bytes rdns;
    struct rdn rdn;
    if (!dn_open(name, &rdns))
        return true;
    while (take_rdn(&rdns, &rdn))
        for (size_t i = 0; i < rdn.n; i++)
            if (bytes_equal(rdn.attributes[i].type, email) && !f(owner, rdn.attributes[i].value))
                return false;
    return true;
}

struct bytes dn_common_name(struct bytes name)
{
    static const struct bytes common = BYTES("\x55\x04\x03");
    struct bytes rdns, found = {0};
    struct rdn rdn;
    if (!dn_open(name, &rdns))
        return found;
    while (take_rdn(&rdns, &rdn))
        for (size_t i = 0; i < rdn.n; i++) {
            const struct dn_attribute *a = &rdn.attributes[i];
            bool is_ascii = a->tag == DER_PRINTABLE_STRING || a->tag == DER_IA5_STRING;
            if (bytes_equal(a->type, common) && (is_ascii || a->tag == DER_UTF8_STRING))
                found = a->value;
        }
    return found;
}
