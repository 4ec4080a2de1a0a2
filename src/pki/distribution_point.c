/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/distribution_point.h"

#include "pki/der.h"
#include "pki/dn.h"

#include "base/ban.h"

#define FULL_NAME     DER_CONTEXT_CONSTRUCTED(0)
#define RELATIVE_NAME DER_CONTEXT_CONSTRUCTED(1)

/* GeneralName (RFC 5280 §4.2.1.6) */
#define DIRECTORY_NAME DER_CONTEXT_CONSTRUCTED(4)
static const uint8_t name_tags[] = {DER_CONTEXT_CONSTRUCTED(0), DER_CONTEXT(1), DER_CONTEXT(2),
    DER_CONTEXT_CONSTRUCTED(3), DIRECTORY_NAME, DER_CONTEXT_CONSTRUCTED(5), DER_CONTEXT(6),
    DER_CONTEXT(7), DER_CONTEXT(8)};

#define NAMES_MAX    64   /* in one GeneralNames; comparing two costs their product */
#define COMPLETE_MAX 4096 /* octets of a relative name with its base */

/* ---- GeneralNames ---- */

static bool is_name(const struct der_element *e)
{
    struct bytes name, rest = e->content;
    if (e->tag == DIRECTORY_NAME)
        return der_take_whole(&rest, DER_SEQUENCE, &name) && !rest.n && dn_is_valid(name);
    return memchr(name_tags, e->tag, sizeof(name_tags)) != NULL;
}

bool distribution_point_list_is_valid(struct bytes names)
{
    struct der_element e;
    size_t n = 0;
    for (; names.n; n++)
        if (n == NAMES_MAX || !der_next(&names, &e) || !is_name(&e))
            return false;
    return n > 0;
}

struct bytes distribution_point_directory(struct bytes names)
{
    struct der_element e;
    while (names.n && der_next(&names, &e))
        if (e.tag == DIRECTORY_NAME)
            return e.content;
    return (struct bytes){0};
}

bool distribution_point_list_has(struct bytes names, struct bytes issuer)
{
    struct der_element e;
    while (names.n && der_next(&names, &e))
        if (e.tag == DIRECTORY_NAME && dn_equal(e.content, issuer))
            return true;
    return false;
}

/* URIs are compared as they are: a CA writes one in one way. */
static bool is_same_name(const struct der_element *a, const struct der_element *b)
{
    if (a->tag != b->tag)
        return false;
    return a->tag == DIRECTORY_NAME ? dn_equal(a->content, b->content)
                                    : bytes_equal(a->content, b->content);
}

static bool lists_meet(struct bytes a, struct bytes b)
{
    struct der_element x, y;
    while (a.n && der_next(&a, &x))
        for (struct bytes rest = b; rest.n && der_next(&rest, &y);)
            if (is_same_name(&x, &y))
                return true;
    return false;
}

/* ---- DistributionPointName ---- */

bool distribution_point_name_is_valid(struct bytes name)
{
    struct der_element e;
    if (!der_next(&name, &e) || name.n)
        return false;
    if (e.tag == FULL_NAME)
        return distribution_point_list_is_valid(e.content);
    /* RelativeDistinguishedName: what a Name of this one RDN must be. */
    return e.tag == RELATIVE_NAME && e.content.n;
}

/* The header of an element of N octets, below 65536, before AT; its new beginning. */
static uint8_t *put_header(uint8_t *at, uint8_t tag, size_t n)
{
    if (n < 0x80) {
        *--at = (uint8_t)n;
    } else {
        *--at = (uint8_t)n;
        if (n > 0xff)
            *--at = (uint8_t)(n >> 8);
        *--at = n > 0xff ? 0x82 : 0x81;
    }
    *--at = tag;
    return at;
}

static uint8_t *put(uint8_t *at, struct bytes b)
{
    return memcpy(at - b.n, b.at, b.n);
}

/* §4.2.1.13: "the value is appended to the distinguished name of the CRL issuer". RDN and the
 * result are contents, the latter of GeneralNames; empty: BASE is no name, or both are too long. */
static struct bytes complete(struct bytes rdn, struct bytes base, uint8_t space[COMPLETE_MAX])
{
    enum { HEADERS = 12 }; /* three, each below 65536 */
    struct bytes rdns;
    if (!der_take(&base, DER_SEQUENCE, &rdns) || rdns.n + rdn.n > COMPLETE_MAX - HEADERS)
        return (struct bytes){0};
    uint8_t *end = space + COMPLETE_MAX, *at = put_header(put(end, rdn), DER_SET, rdn.n);
    if (rdns.n)
        at = put(at, rdns);
    at = put_header(at, DER_SEQUENCE, (size_t)(end - at));
    at = put_header(at, DIRECTORY_NAME, (size_t)(end - at));
    struct bytes names = {at, (size_t)(end - at)};
    return distribution_point_list_is_valid(names) ? names : (struct bytes){0};
}

/* The GeneralNames that NAME stands for. */
static struct bytes names_of(struct bytes name, struct bytes base, uint8_t space[COMPLETE_MAX])
{
    struct der_element e;
    if (!der_next(&name, &e))
        return (struct bytes){0};
    return e.tag == FULL_NAME ? e.content : complete(e.content, base, space);
}

bool distribution_point_names_meet(
    struct bytes a, struct bytes a_base, struct bytes b, struct bytes b_base)
{
    uint8_t a_space[COMPLETE_MAX], b_space[COMPLETE_MAX];
    return lists_meet(names_of(a, a_base, a_space), names_of(b, b_base, b_space));
}

bool distribution_point_name_meets(struct bytes name, struct bytes base, struct bytes names)
{
    uint8_t space[COMPLETE_MAX];
    return lists_meet(names_of(name, base, space), names);
}

bool distribution_point_name_has(struct bytes name, struct bytes base, struct bytes directory)
{
    uint8_t space[COMPLETE_MAX];
    return distribution_point_list_has(names_of(name, base, space), directory);
}

/* ---- DistributionPoint ---- */

bool distribution_point_next(struct bytes *points, struct distribution_point *out)
{
    struct bytes in, bits;
    uint16_t reasons;
    *out = (struct distribution_point){0};
    if (!der_take(points, DER_SEQUENCE, &in))
        return false;
    if (der_is_next(in, DER_CONTEXT_CONSTRUCTED(0)) &&
        (!der_take(&in, DER_CONTEXT_CONSTRUCTED(0), &out->name) ||
            !distribution_point_name_is_valid(out->name)))
        return false;
    if (der_is_next(in, DER_CONTEXT(1))) {
        if (!der_take(&in, DER_CONTEXT(1), &bits) || !der_named_bits(bits, &reasons))
            return false;
        out->has_reasons = true;
        out->reasons = reasons;
    }
    if (der_is_next(in, DER_CONTEXT_CONSTRUCTED(2)) &&
        (!der_take(&in, DER_CONTEXT_CONSTRUCTED(2), &out->crl_issuer) ||
            !distribution_point_list_is_valid(out->crl_issuer)))
        return false;
    /* §4.2.1.13: "either distributionPoint or cRLIssuer MUST be present". */
    return !in.n && (out->name.at || out->crl_issuer.at);
}
