/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl_parse.h"

#include "pki/algorithm.h"
#include "pki/der.h"
#include "pki/distribution_point.h"
#include "pki/dn.h"

#include "base/ban.h"

#define NUMBER_OCTETS_MAX 20 /* §5.2.3 */
#define EXTENSIONS_MAX    32

static int malformed(struct error *err, const char *why)
{
    return error_set(err, "malformed certificate revocation list: %s", why);
}

/* ---- extensions ---- */

struct extension {
    struct bytes oid, value; /* contents of extnID and extnValue */
    bool is_critical;
};

static bool next_extension(struct bytes *in, struct extension *out)
{
    struct bytes sequence, critical;
    *out = (struct extension){0};
    if (!der_take(in, DER_SEQUENCE, &sequence) || !der_take(&sequence, DER_OID, &out->oid) ||
        !der_is_oid(out->oid))
        return false;
    /* X.690 §11.5: a DEFAULT value is not encoded. */
    if (der_is_next(sequence, DER_BOOLEAN) &&
        (!der_take(&sequence, DER_BOOLEAN, &critical) ||
            !der_boolean(critical, &out->is_critical) || !out->is_critical))
        return false;
    return der_take(&sequence, DER_OCTET_STRING, &out->value) && !sequence.n;
}

/* The content of Extensions: 1 to EXTENSIONS_MAX, none twice (§4.2). */
static bool extensions_are_valid(struct bytes extensions)
{
    struct extension seen[EXTENSIONS_MAX];
    size_t n = 0;
    while (extensions.n) {
        if (n == EXTENSIONS_MAX || !next_extension(&extensions, &seen[n]))
            return false;
        for (size_t i = 0; i < n; i++)
            if (bytes_equal(seen[i].oid, seen[n].oid))
                return false;
        n++;
    }
    return n > 0;
}

/* An extension that is processed: READ fills TARGET from extnValue, or returns false. */
struct known {
    struct bytes oid;
    bool (*read)(struct bytes value, void *target);
    const char *fault;
    bool is_critical; /* as RFC 5280 wants it marked; otherwise marked, it is not what we know */
};

/* Read the known ones among the valid EXTENSIONS; *UNKNOWN becomes the OID of the first one
 * that must be processed, and is not. */
static int read_extensions(struct bytes extensions, const struct known *known, size_t known_n,
    void *target, struct bytes *unknown, struct error *err)
{
    struct extension e;
    while (extensions.n && next_extension(&extensions, &e)) {
        size_t i = 0;
        while (i < known_n && !bytes_equal(known[i].oid, e.oid))
            i++;
        if (i < known_n && !known[i].read(e.value, target))
            return malformed(err, known[i].fault);
        bool is_processed = i == known_n ? !e.is_critical : e.is_critical == known[i].is_critical;
        if (!is_processed && !unknown->at)
            *unknown = e.oid;
    }
    return 0;
}

/* ---- extensions of the list (§5.2) ---- */

static bool read_number(struct bytes value, struct bytes *out)
{
    struct bytes n;
    if (!der_take(&value, DER_INTEGER, &n) || value.n || !der_is_integer(n) || n.at[0] & 0x80)
        return false;
    if (n.at[0] == 0)
        n = bytes_skip(n, 1);
    *out = n;
    return n.n <= NUMBER_OCTETS_MAX;
}

static bool read_crl_number(struct bytes value, void *target)
{
    return read_number(value, &((struct crl_facts *)target)->number);
}

static bool read_delta_indicator(struct bytes value, void *target)
{
    return read_number(value, &((struct crl_facts *)target)->base_number);
}

static bool read_authority_key_id(struct bytes value, void *target)
{
    struct crl_facts *f = target;
    struct bytes sequence;
    if (!der_take(&value, DER_SEQUENCE, &sequence) || value.n)
        return false;
    return !der_is_next(sequence, DER_CONTEXT(0)) ||
           der_take(&sequence, DER_CONTEXT(0), &f->authority_key_id);
}

/* [n] IMPLICIT BOOLEAN DEFAULT FALSE */
static bool take_flag(struct bytes *in, uint8_t tag, bool *out)
{
    struct bytes content;
    *out = false;
    if (!der_is_next(*in, tag))
        return true;
    return der_take(in, tag, &content) && der_boolean(content, out) && *out;
}

static bool take_reasons(struct bytes *in, unsigned *out)
{
    struct bytes content;
    uint16_t bits;
    if (!der_is_next(*in, DER_CONTEXT(3)))
        return true;
    if (!der_take(in, DER_CONTEXT(3), &content) || !der_named_bits(content, &bits))
        return false;
    *out = bits & CRL_ALL_REASONS;
    return *out; /* a list for no reason: zero would mean all */
}

static bool take_point_name(struct bytes *in, struct bytes *out)
{
    if (!der_is_next(*in, DER_CONTEXT_CONSTRUCTED(0)))
        return true;
    /* A CHOICE is tagged explicitly (X.680 §31.2.7). */
    return der_take(in, DER_CONTEXT_CONSTRUCTED(0), out) && distribution_point_name_is_valid(*out);
}

static bool read_distribution_point(struct bytes value, void *target)
{
    struct crl_facts *f = target;
    struct bytes in;
    bool users, authorities, attributes;
    /* §5.2.5: "MUST NOT issue CRLs where the DER encoding of the issuing distribution point
     * extension is an empty sequence." */
    if (!der_take(&value, DER_SEQUENCE, &in) || value.n || !in.n)
        return false;
    if (!take_point_name(&in, &f->distribution_point) || !take_flag(&in, DER_CONTEXT(1), &users) ||
        !take_flag(&in, DER_CONTEXT(2), &authorities) ||
        !take_reasons(&in, &f->only_some_reasons) ||
        !take_flag(&in, DER_CONTEXT(4), &f->is_indirect) ||
        !take_flag(&in, DER_CONTEXT(5), &attributes) || in.n)
        return false;
    f->has_distribution_point = true;
    f->scope = users         ? CRL_SCOPE_USERS
               : authorities ? CRL_SCOPE_AUTHORITIES
               : attributes  ? CRL_SCOPE_ATTRIBUTES
                             : CRL_SCOPE_ALL;
    return users + authorities + attributes <= 1; /* §5.2.5: at most one of them */
}

/* What is not here (issuerAltName, freshestCRL, authorityInfoAccess) says nothing about
 * certificates; marked critical, it is one that we do not process. */
static const struct known list_extensions[] = {
    {BYTES("\x55\x1d\x23"), read_authority_key_id,
        "its authorityKeyIdentifier is not as RFC 5280 section 5.2.1 demands", false},
    {BYTES("\x55\x1d\x14"), read_crl_number,
        "its cRLNumber is not as RFC 5280 section 5.2.3 demands: 0 or more, at most 20 octets",
        false},
    {BYTES("\x55\x1d\x1b"), read_delta_indicator,
        "its deltaCRLIndicator is not as RFC 5280 section 5.2.4 demands", true},
    {BYTES("\x55\x1d\x1c"), read_distribution_point,
        "its issuingDistributionPoint is not as RFC 5280 section 5.2.5 demands", true},
};

static int read_list_extensions(struct bytes *in, struct crl_syntax *out, struct error *err)
{
    struct bytes wrapped, extensions;
    if (!der_is_next(*in, DER_CONTEXT_CONSTRUCTED(0)))
        return 0;
    if (!der_take(in, DER_CONTEXT_CONSTRUCTED(0), &wrapped) ||
        !der_take(&wrapped, DER_SEQUENCE, &extensions) || wrapped.n ||
        !extensions_are_valid(extensions))
        return malformed(err, "its extensions are not DER, or one is there twice");
    /* §5.1.2.1: "When extensions are used, […] this field MUST be present and MUST specify version
     * 2" */
    if (!out->is_v2)
        return malformed(err, "it has extensions, and is not of version 2");
    return read_extensions(extensions, list_extensions, COUNT_OF(list_extensions), &out->facts,
        &out->facts.unknown_critical, err);
}

/* ---- the list (§5.1) ---- */

static int read_version(struct bytes *in, struct crl_syntax *out, struct error *err)
{
    struct bytes content;
    uint64_t version;
    if (!der_is_next(*in, DER_INTEGER))
        return 0;
    if (!der_take(in, DER_INTEGER, &content) || !der_unsigned(content, 1, &version) || version != 1)
        return malformed(err, "its version is neither 1 nor 2");
    out->is_v2 = true;
    return 0;
}

/* §5.1.1.2: the algorithm "MUST contain the same algorithm identifier as the signature field in the
 * sequence tbsCertList". */
static int read_algorithm(
    struct bytes *in, struct bytes outer, struct crl_facts *f, struct error *err)
{
    struct bytes inner, content;
    if (!der_take_whole(in, DER_SEQUENCE, &inner) || !bytes_equal(inner, outer))
        return malformed(err, "the algorithms inside and outside of what is signed differ");
    f->signature_algorithm = der_take(&inner, DER_SEQUENCE, &content)
                                 ? algorithm_of_signature(content)
                                 : SIGNATURE_UNKNOWN;
    return 0;
}

static int read_issuer(struct bytes *in, struct crl_facts *f, struct error *err)
{
    /* §5.1.2.3: "The issuer field MUST contain a non-empty X.500 distinguished name". */
    if (!der_take_whole(in, DER_SEQUENCE, &f->issuer) || !dn_is_valid(f->issuer) ||
        dn_is_empty(f->issuer))
        return malformed(err, "its issuer is no distinguished name, or an empty one");
    return 0;
}

static int read_dates(struct bytes *in, struct crl_facts *f, struct error *err)
{
    struct der_element e;
    bool has_next;
    if (!der_next(in, &e) || !der_time(&e, &f->this_update))
        goto wrong;
    has_next = der_is_next(*in, DER_UTC_TIME) || der_is_next(*in, DER_GENERALIZED_TIME);
    if (has_next && (!der_next(in, &e) || !der_time(&e, &f->next_update)))
        goto wrong;
    return 0;
wrong:
    return malformed(err, "thisUpdate or nextUpdate is not as RFC 5280 section 5.1.2.4 demands");
}

static int read_entries(struct bytes *in, struct crl_syntax *out, struct error *err)
{
    if (!der_is_next(*in, DER_SEQUENCE))
        return 0;
    /* §5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be
     * absent." */
    if (!der_take(in, DER_SEQUENCE, &out->entries) || !out->entries.n)
        return malformed(err, "revokedCertificates is there, but lists nobody");
    return 0;
}

static int read_tbs(
    struct bytes in, struct bytes algorithm, struct crl_syntax *out, struct error *err)
{
    if (read_version(&in, out, err) < 0 || read_algorithm(&in, algorithm, &out->facts, err) < 0 ||
        read_issuer(&in, &out->facts, err) < 0 || read_dates(&in, &out->facts, err) < 0 ||
        read_entries(&in, out, err) < 0 || read_list_extensions(&in, out, err) < 0)
        return -1;
    return in.n ? malformed(err, "bytes follow its extensions") : 0;
}

int crl_parse(struct bytes der, struct crl_syntax *out, struct error *err)
{
    struct bytes list, tbs, algorithm, signature;
    *out = (struct crl_syntax){0};
    if (der.n > CRL_SIZE_MAX)
        return error_set(err, "a certificate revocation list of %zu bytes; at most %u are accepted",
            der.n, CRL_SIZE_MAX);
    if (!der_take(&der, DER_SEQUENCE, &list))
        return malformed(err, "it is not DER, or cut short");
    if (der.n)
        return malformed(err, "bytes follow its end");
    if (!der_take_whole(&list, DER_SEQUENCE, &out->tbs) ||
        !der_take_whole(&list, DER_SEQUENCE, &algorithm) ||
        !der_take(&list, DER_BIT_STRING, &signature) || list.n ||
        !der_octets(signature, &out->signature))
        return malformed(err, "it is not what is signed, an algorithm and a signature");
    struct bytes whole = out->tbs;
    if (!der_take(&whole, DER_SEQUENCE, &tbs))
        return malformed(err, "what is signed is not DER");
    return read_tbs(tbs, algorithm, out, err);
}

/* ---- entries (§5.3) ---- */

static bool read_reason(struct bytes value, void *target)
{
    enum { NOT_USED = 7, LAST = 10 }; /* §5.3.1 */
    struct crl_parse_entry *e = target;
    struct bytes content;
    uint64_t reason;
    if (!der_take(&value, DER_ENUMERATED, &content) || value.n ||
        !der_unsigned(content, LAST, &reason) || reason == NOT_USED)
        return false;
    e->reason = (unsigned)reason;
    return true;
}

static bool read_invalidity_date(struct bytes value, void *target)
{
    struct bytes content;
    int64_t ignored;
    return der_take(&value, DER_GENERALIZED_TIME, &content) && !value.n &&
           der_generalized_time(content, &ignored);
}

/* The one directoryName among NAMES. Of several, an entry's certificate may be of any; none then.
 */
static struct bytes only_directory(struct bytes names)
{
    struct bytes directory = distribution_point_directory(names);
    struct der_element e;
    while (names.n && der_next(&names, &e))
        if (e.tag == DER_CONTEXT_CONSTRUCTED(4) && !dn_equal(e.content, directory))
            return (struct bytes){0};
    return directory;
}

static bool read_certificate_issuer(struct bytes value, void *target)
{
    struct crl_parse_entry *e = target;
    struct bytes names;
    if (!der_take(&value, DER_SEQUENCE, &names) || value.n ||
        !distribution_point_list_is_valid(names))
        return false;
    e->has_issuer = true;
    e->issuer = only_directory(names);
    return true;
}

#define CERTIFICATE_ISSUER BYTES("\x55\x1d\x1d")
static const struct known entry_extensions[] = {
    {BYTES("\x55\x1d\x15"), read_reason, "the reason of an entry is none of RFC 5280 section 5.3.1",
        false},
    {BYTES("\x55\x1d\x18"), read_invalidity_date, "the invalidityDate of an entry is no time",
        false},
    {CERTIFICATE_ISSUER, read_certificate_issuer,
        "the certificateIssuer of an entry is no GeneralNames", true},
};

static int read_entry_extensions(
    const struct crl_syntax *s, struct bytes *in, struct crl_parse_entry *out, struct error *err)
{
    struct bytes extensions;
    if (!der_take(in, DER_SEQUENCE, &extensions) || !extensions_are_valid(extensions))
        return malformed(err, "the extensions of an entry are not DER, or one is there twice");
    if (!s->is_v2) /* §5.1.2.1 */
        return malformed(err, "an entry has extensions, and the list is not of version 2");
    if (read_extensions(extensions, entry_extensions, COUNT_OF(entry_extensions), out,
            &out->unknown_critical, err) < 0)
        return -1;
    /* §5.3.3: for indirect CRLs, and a certificate names its issuer by one directoryName only.
     * Otherwise nobody knows whose certificate is meant. */
    if (out->has_issuer && (!s->facts.is_indirect || !out->issuer.at)) {
        out->has_issuer = false;
        if (!out->unknown_critical.at)
            out->unknown_critical = CERTIFICATE_ISSUER;
    }
    return 0;
}

int crl_parse_next(
    const struct crl_syntax *s, struct bytes *rest, struct crl_parse_entry *out, struct error *err)
{
    struct bytes in;
    struct der_element date;
    *out = (struct crl_parse_entry){0};
    if (!der_take(rest, DER_SEQUENCE, &in) || !der_take(&in, DER_INTEGER, &out->serial) ||
        !der_is_integer(out->serial))
        return malformed(err, "an entry has no serial number");
    if (!der_next(&in, &date) || !der_time(&date, &out->revoked_at))
        return malformed(err, "the date of an entry is not as RFC 5280 section 5.1.2.4 demands");
    if (in.n && read_entry_extensions(s, &in, out, err) < 0)
        return -1;
    return in.n ? malformed(err, "bytes follow in an entry") : 0;
}
