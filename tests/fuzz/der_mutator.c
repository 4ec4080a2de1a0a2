/* SPDX-License-Identifier: Apache-2.0 */
/*
 * der_mutator — libFuzzer's mutations for inputs that are DER: one element is changed, and the
 * lengths of all around it still fit. What looks like DER inside of an OCTET STRING or BIT STRING
 * is changed likewise. One time in eight, and where there is no DER, libFuzzer may do as it likes.
 */
#include <stdlib.h>

#include "base/attributes.h"
#include "pki/der.h"

#include "base/ban.h"

#define ELEMENTS_MAX 4096
#define DEPTH_MAX    24

size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);

/* An element of the input, by its place. Parents come before their children. */
struct node {
    size_t at, content, end;
    int parent; /* -1: none */
};
struct tree {
    struct node nodes[ELEMENTS_MAX];
    int n;
};

static unsigned state;
static unsigned pick(unsigned n)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
}

/* The elements that fill IN exactly, in a row. */
static bool is_row(struct bytes in)
{
    struct der_element e;
    if (!in.n)
        return false;
    while (in.n)
        if (!der_next(&in, &e))
            return false;
    return true;
}

static void add_row(struct tree *t, const uint8_t *base, struct bytes in, int parent)
{
    struct der_element e;
    while (t->n < ELEMENTS_MAX && in.n && der_next(&in, &e))
        t->nodes[t->n++] = (struct node){(size_t)(e.whole.at - base), (size_t)(e.content.at - base),
            (size_t)(e.whole.at - base) + e.whole.n, parent};
}

static unsigned depth_of(const struct tree *t, int i)
{
    unsigned depth = 0;
    for (; i >= 0; i = t->nodes[i].parent)
        depth++;
    return depth;
}

/* Level by level: the list is the queue of what is still to be opened. */
static void read_tree(struct tree *t, struct bytes input)
{
    t->n = 0;
    add_row(t, input.at, input, -1);
    for (int i = 0; i < t->n; i++) {
        const struct node *node = &t->nodes[i];
        struct bytes content = {input.at + node->content, node->end - node->content};
        if (input.at[node->at] == DER_BIT_STRING)
            content = bytes_skip(content, 1); /* the number of unused bits */
        if (depth_of(t, i) < DEPTH_MAX && is_row(content))
            add_row(t, input.at, content, i);
    }
}

struct space {
    uint8_t *at;
    size_t n, max;
};

static bool add(struct space *s, struct bytes b)
{
    if (b.n > s->max - s->n)
        return false;
    if (b.n)
        memcpy(s->at + s->n, b.at, b.n);
    s->n += b.n;
    return true;
}

static bool add_head(struct space *s, uint8_t tag, size_t n)
{
    uint8_t head[6] = {tag, (uint8_t)n};
    size_t octets = 0;
    for (size_t rest = n; n >= 0x80 && rest; rest >>= 8)
        octets++;
    for (size_t i = 0; i < octets; i++)
        head[1 + octets - i] = (uint8_t)(n >> 8 * i);
    if (octets)
        head[1] = (uint8_t)(0x80 | octets);
    return add(s, (struct bytes){head, 2 + octets});
}

/* INPUT with INSTEAD for NODE, and with the lengths of all around it set right; in OUT. */
static bool replace(const struct tree *t, struct bytes input, const struct node *node,
    struct bytes instead, struct space *out)
{
    uint8_t *buffers[2] = {malloc(out->max), malloc(out->max)};
    struct bytes inner = instead;
    bool fits = buffers[0] && buffers[1];
    for (int which = 0; fits && node->parent >= 0; which = !which) {
        const struct node *outer = &t->nodes[node->parent];
        struct space s = {buffers[which], 0, out->max};
        struct bytes before = {input.at + outer->content, node->at - outer->content};
        struct bytes after = {input.at + node->end, outer->end - node->end};
        fits = add_head(&s, input.at[outer->at], before.n + inner.n + after.n) && add(&s, before) &&
               add(&s, inner) && add(&s, after);
        inner = (struct bytes){s.at, s.n};
        node = outer;
    }
    fits = fits && add(out, bytes_first(input, node->at)) && add(out, inner) &&
           add(out, bytes_skip(input, node->end));
    free(buffers[0]);
    free(buffers[1]);
    return fits;
}

/* What stands in the place of NODE afterwards. */
static bool change(
    const struct tree *t, struct bytes input, const struct node *node, struct space *out)
{
    static const uint8_t tags[] = {DER_BOOLEAN, DER_INTEGER, DER_BIT_STRING, DER_OCTET_STRING,
        DER_NULL, DER_OID, DER_ENUMERATED, DER_UTF8_STRING, DER_PRINTABLE_STRING,
        DER_TELETEX_STRING, DER_IA5_STRING, DER_UTC_TIME, DER_GENERALIZED_TIME,
        DER_UNIVERSAL_STRING, DER_BMP_STRING, DER_SEQUENCE, DER_SET, DER_CONTEXT(0), DER_CONTEXT(1),
        DER_CONTEXT(2), DER_CONTEXT(4), DER_CONTEXT(6), DER_CONTEXT(7), DER_CONTEXT_CONSTRUCTED(0),
        DER_CONTEXT_CONSTRUCTED(1), DER_CONTEXT_CONSTRUCTED(3), DER_CONTEXT_CONSTRUCTED(4)};
    struct bytes whole = {input.at + node->at, node->end - node->at},
                 content = {input.at + node->content, node->end - node->content};
    const struct node *another = &t->nodes[pick((unsigned)t->n)];
    struct bytes other = {input.at + another->at, another->end - another->at};
    uint8_t octets[4096];
    size_t n = content.n < sizeof(octets) / 2 ? content.n : sizeof(octets) / 2;
    switch (pick(7)) {
    case 0:
        return true; /* gone */
    case 1:
        return add(out, whole) && add(out, whole);
    case 2:
        return add(out, other);
    case 3:
        return add(out, whole) && add(out, other);
    case 4:
        return add_head(out, tags[pick(COUNT_OF(tags))], content.n) && add(out, content);
    default:
        memcpy(octets, content.at, n);
        n = LLVMFuzzerMutate(octets, n, sizeof(octets));
        return add_head(out, whole.at[0], n) && add(out, (struct bytes){octets, n});
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
    static struct tree t;
    struct bytes input = {data, n};
    state = seed;
    read_tree(&t, input);
    if (!t.n || !pick(8))
        return LLVMFuzzerMutate(data, n, max);
    const struct node *node = &t.nodes[pick((unsigned)t.n)];
    struct space instead = {malloc(max), 0, max}, out = {malloc(max), 0, max};
    bool fits = instead.at && out.at && change(&t, input, node, &instead) &&
                replace(&t, input, node, (struct bytes){instead.at, instead.n}, &out);
    if (fits)
        memcpy(data, out.at, out.n);
    free(instead.at);
    free(out.at);
    return fits ? out.n : LLVMFuzzerMutate(data, n, max);
}
