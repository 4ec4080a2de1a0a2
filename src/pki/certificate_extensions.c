/* SPDX-License-Identifier: Apache-2.0 */
/* The extensions of RFC 5280 §4.2 by a table: one row each. */
#include <limits.h>
#include <stdio.h>

#include "base/memory.h"
#include "pki/certificate_parts.h"
#include "pki/der.h"
#include "pki/dn.h"

#include "base/ban.h"

/* VALUE: the content of extnValue. False: it is not what the RFC says. */
typedef bool read_fn(struct certificate_facts *f, struct bytes value, bool is_critical);

static void flaw_if(struct certificate_facts *f, bool condition, enum certificate_flaw flaw)
{
    if (condition)
        f->flaws |= CERTIFICATE_FLAW_BIT(flaw);
}

/* One SEQUENCE and nothing else. */
static bool take_sequence(struct bytes value, struct bytes *content)
{
    return der_take(&value, DER_SEQUENCE, content) && !value.n;
}

/* ---- subjectAltName ---- */

static bool is_anything(struct bytes content)
{
    return true;
}

/* "4 octets … 16 octets" */
static bool is_address(struct bytes content)
{
    return content.n == 4 || content.n == 16;
}

/* OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY } */
static bool is_other_name(struct bytes content)
{
    struct bytes type, value;
    struct der_element any;
    return der_take(&content, DER_OID, &type) && der_is_oid(type) &&
           der_take(&content, DER_CONTEXT_CONSTRUCTED(0), &value) && !content.n &&
           der_next(&value, &any) && !value.n;
}

/* The alternatives of GeneralName (RFC 5280 §4.2.1.6), and what their content must be. */
static const struct name_row {
    uint8_t tag;
    enum certificate_name_kind kind;
    bool (*is_valid)(struct bytes content);
} name_rows[] = {
    {DER_CONTEXT(2), NAME_DNS, is_anything}, {DER_CONTEXT(7), NAME_IP, is_address},
    {DER_CONTEXT(1), NAME_EMAIL, is_anything}, {DER_CONTEXT(6), NAME_URI, is_anything},
    {DER_CONTEXT_CONSTRUCTED(4), NAME_DIRECTORY, dn_is_valid},
    {DER_CONTEXT_CONSTRUCTED(0), NAME_OTHER, is_other_name},
    {DER_CONTEXT_CONSTRUCTED(3), NAME_OTHER, is_anything}, /* x400Address */
    {DER_CONTEXT_CONSTRUCTED(5), NAME_OTHER, is_anything}, /* ediPartyName */
    {DER_CONTEXT(8), NAME_OTHER, der_is_oid},              /* registeredID */
};

static bool read_general_name(const struct der_element *e, struct certificate_name *out)
{
    size_t i = 0;
    while (i < COUNT_OF(name_rows) && name_rows[i].tag != e->tag)
        i++;
    if (i == COUNT_OF(name_rows))
        return false;
    out->kind = name_rows[i].kind;
    out->value = out->kind == NAME_OTHER ? e->whole : e->content;
    return name_rows[i].is_valid(e->content);
}

/* How many there are; one more than the limit if they are more; -1 if they are no GeneralNames. */
static int count_names(struct bytes list)
{
    int n = 0;
    struct der_element e;
    for (; list.n && n <= CERTIFICATE_NAMES_MAX; n++)
        if (!der_next(&list, &e))
            return -1;
    return n;
}

static bool read_alternative_names(
    struct certificate_facts *f, struct bytes value, bool is_critical)
{
    struct bytes list;
    int n = take_sequence(value, &list) ? count_names(list) : -1;
    if (n < 0 || n > CERTIFICATE_NAMES_MAX)
        return false;
    struct certificate_name *names = mem_calloc((size_t)n, sizeof(*names));
    f->names = names;
    f->names_n = (size_t)n;
    f->has_names = true;
    f->names_critical = is_critical;
    flaw_if(f, !n, FLAW_NAMES_EMPTY);
    for (int i = 0; i < n; i++) {
        struct der_element e;
        if (!der_next(&list, &e) || !read_general_name(&e, &names[i]))
            return false;
    }
    return true;
}

/* ---- usages ---- */

/* §4.2.1.9: BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER
 * (0..MAX) OPTIONAL } */
static bool read_basic_constraints(
    struct certificate_facts *f, struct bytes value, bool is_critical)
{
    struct bytes fields, content;
    if (!take_sequence(value, &fields))
        return false;
    f->has_basic_constraints = true;
    /* X.690 §11.5: a default is left out. */
    if (der_take(&fields, DER_BOOLEAN, &content) && (!der_boolean(content, &f->is_ca) || !f->is_ca))
        return false;
    if (der_take(&fields, DER_INTEGER, &content)) {
        uint64_t length = INT_MAX; /* what a larger one means as well */
        if (!der_is_integer(content) || content.at[0] & 0x80)
            return false;
        ignore_result(der_unsigned(content, INT_MAX, &length));
        f->path_length = (int)length;
    }
    flaw_if(f, f->is_ca && !is_critical, FLAW_CA_NOT_CRITICAL);
    return !fields.n;
}

static bool read_key_usage(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    struct bytes content;
    f->has_key_usage = true;
    return der_take(&value, DER_BIT_STRING, &content) && !value.n &&
           der_named_bits(content, &f->key_usage);
}

static const struct purpose_row {
    struct bytes oid;
    enum extended_key_usage usage;
} purposes[] = {
    {BYTES("\x2b\x06\x01\x05\x05\x07\x03\x01"), EXTENDED_SERVER},
    {BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02"), EXTENDED_CLIENT},
    {BYTES("\x2b\x06\x01\x05\x05\x07\x03\x09"), EXTENDED_OCSP_SIGNING},
    {BYTES("\x55\x1d\x25\x00"), EXTENDED_ANY},
};

static unsigned purpose_of(struct bytes oid)
{
    for (size_t i = 0; i < COUNT_OF(purposes); i++)
        if (bytes_equal(oid, purposes[i].oid))
            return purposes[i].usage;
    return EXTENDED_OTHER;
}

/* §4.2.1.12: ExtKeyUsageSyntax ::= SEQUENCE SIZE (1..MAX) OF KeyPurposeId */
static bool read_extended_key_usage(
    struct certificate_facts *f, struct bytes value, bool is_critical)
{
    struct bytes list, oid;
    if (!take_sequence(value, &list) || !list.n)
        return false;
    f->has_extended_key_usage = true;
    f->extended_key_usage = 0;
    while (list.n) {
        if (!der_take(&list, DER_OID, &oid) || !der_is_oid(oid))
            return false;
        f->extended_key_usage |= purpose_of(oid);
    }
    return true;
}

/* ---- key identifiers ---- */

static bool read_subject_key_id(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    flaw_if(f, is_critical, FLAW_SKI_CRITICAL);
    return der_take(&value, DER_OCTET_STRING, &f->subject_key_id) && !value.n;
}

/* §4.2.1.1: { keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber [2] }, all
 * OPTIONAL, the last two "MUST both be present or both be absent". */
static bool read_authority_key_id(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    struct bytes fields, serial;
    if (!take_sequence(value, &fields))
        return false;
    flaw_if(f, is_critical, FLAW_AKI_CRITICAL);
    bool has_key_id = der_take(&fields, DER_CONTEXT(0), &f->authority_key_id);
    bool has_issuer = der_take(&fields, DER_CONTEXT_CONSTRUCTED(1), NULL);
    bool has_serial = der_take(&fields, DER_CONTEXT(2), &serial);
    if (!has_key_id)
        f->authority_key_id = (struct bytes){0};
    return !fields.n && has_issuer == has_serial && (!has_serial || der_is_integer(serial));
}

/* ---- what others judge ---- */

/* For these only that they are one SEQUENCE; who uses them reads on. */

static bool keep_sequence(struct bytes value, struct bytes *out)
{
    struct bytes content;
    *out = value;
    return take_sequence(value, &content) && content.n;
}

static bool read_name_constraints(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    flaw_if(f, !is_critical, FLAW_CONSTRAINTS_NOT_CRITICAL);
    return keep_sequence(value, &f->name_constraints);
}

static bool read_policies(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    return keep_sequence(value, &f->policies);
}

static bool read_policy_mappings(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    return keep_sequence(value, &f->policy_mappings);
}

static bool read_policy_constraints(
    struct certificate_facts *f, struct bytes value, bool is_critical)
{
    return keep_sequence(value, &f->policy_constraints);
}

static bool read_distribution_points(
    struct certificate_facts *f, struct bytes value, bool is_critical)
{
    return keep_sequence(value, &f->crl_distribution_points);
}

static bool read_freshest_crl(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    return keep_sequence(value, &f->freshest_crl);
}

/* §4.2.1.14: InhibitAnyPolicy ::= SkipCerts, an INTEGER (0..MAX) */
static bool read_inhibit_any_policy(
    struct certificate_facts *f, struct bytes value, bool is_critical)
{
    struct bytes number;
    f->inhibit_any_policy = value;
    return der_take(&value, DER_INTEGER, &number) && !value.n && der_is_integer(number) &&
           !(number.at[0] & 0x80);
}

#define ID_PE_AUTHORITY_INFO_ACCESS "\x2b\x06\x01\x05\x05\x07\x01\x01"

/* §4.2.2.1: SEQUENCE SIZE (1..MAX) OF AccessDescription { accessMethod, accessLocation }. Nothing
 * is fetched from there, so it is not processed where it is critical, which it MUST NOT be. */
static bool read_information_access(
    struct certificate_facts *f, struct bytes value, bool is_critical)
{
    struct bytes list, description, method;
    struct der_element location;
    struct certificate_name name;
    if (is_critical && !f->unknown_critical.at)
        f->unknown_critical = BYTES(ID_PE_AUTHORITY_INFO_ACCESS);
    if (!take_sequence(value, &list) || !list.n)
        return false;
    while (list.n)
        if (!der_take(&list, DER_SEQUENCE, &description) ||
            !der_take(&description, DER_OID, &method) || !der_is_oid(method) ||
            !der_next(&description, &location) || !read_general_name(&location, &name) ||
            description.n)
            return false;
    return true;
}

/* RFC 6960 §4.2.2.2.1: "The value of the extension SHALL be NULL." */
static bool read_no_check(struct certificate_facts *f, struct bytes value, bool is_critical)
{
    f->is_ocsp_no_check = true;
    return bytes_equal(value, BYTES("\x05\x00"));
}

/* ---- the list ---- */

static const struct extension_row {
    struct bytes oid;
    read_fn *read;
    const char *name;
} rows[] = {
    {BYTES("\x55\x1d\x0e"), read_subject_key_id, "subjectKeyIdentifier"},
    {BYTES("\x55\x1d\x0f"), read_key_usage, "keyUsage"},
    {BYTES("\x55\x1d\x11"), read_alternative_names, "subjectAltName"},
    {BYTES("\x55\x1d\x13"), read_basic_constraints, "basicConstraints"},
    {BYTES("\x55\x1d\x1e"), read_name_constraints, "nameConstraints"},
    {BYTES("\x55\x1d\x1f"), read_distribution_points, "cRLDistributionPoints"},
    {BYTES("\x55\x1d\x20"), read_policies, "certificatePolicies"},
    {BYTES("\x55\x1d\x21"), read_policy_mappings, "policyMappings"},
    {BYTES("\x55\x1d\x23"), read_authority_key_id, "authorityKeyIdentifier"},
    {BYTES("\x55\x1d\x24"), read_policy_constraints, "policyConstraints"},
    {BYTES("\x55\x1d\x25"), read_extended_key_usage, "extKeyUsage"},
    {BYTES("\x55\x1d\x2e"), read_freshest_crl, "freshestCRL"},
    {BYTES("\x55\x1d\x36"), read_inhibit_any_policy, "inhibitAnyPolicy"},
    {BYTES(ID_PE_AUTHORITY_INFO_ACCESS), read_information_access, "authorityInfoAccess"},
    {BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01\x05"), read_no_check, "id-pkix-ocsp-nocheck"},
};

static const struct extension_row *find_row(struct bytes oid)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_equal(oid, rows[i].oid))
            return &rows[i];
    return NULL;
}

struct extension {
    struct bytes oid, value;
    bool is_critical;
};

/* §4.1: Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
 */
static bool take_extension(struct bytes *list, struct extension *out)
{
    struct bytes fields, critical;
    out->is_critical = false;
    if (!der_take(list, DER_SEQUENCE, &fields) || !der_take(&fields, DER_OID, &out->oid) ||
        !der_is_oid(out->oid))
        return false;
    /* X.690 §11.5: a default is left out. */
    if (der_take(&fields, DER_BOOLEAN, &critical) &&
        (!der_boolean(critical, &out->is_critical) || !out->is_critical))
        return false;
    return der_take(&fields, DER_OCTET_STRING, &out->value) && !fields.n;
}

static int read_extension(struct certificate_facts *f, const struct extension *e, struct error *err)
{
    const struct extension_row *row = find_row(e->oid);
    if (row && !row->read(f, e->value, e->is_critical)) {
        char why[96];
        snprintf(why, sizeof(why), "its extension %s cannot be decoded", row->name);
        return certificate_refuse(err, why);
    }
    if (!row && e->is_critical && !f->unknown_critical.at)
        f->unknown_critical = e->oid;
    return 0;
}

int certificate_read_extensions(
    struct certificate_facts *f, struct bytes extensions, struct error *err)
{
    struct bytes seen[CERTIFICATE_EXTENSIONS_MAX];
    for (size_t n = 0; extensions.n; n++) {
        struct extension e;
        if (n == CERTIFICATE_EXTENSIONS_MAX)
            return certificate_refuse(err, "it has more than 64 extensions");
        if (!take_extension(&extensions, &e))
            return certificate_refuse(err, "an extension of it cannot be decoded");
        /* §4.2: "A certificate MUST NOT include more than one instance of a particular extension."
         */
        for (size_t i = 0; i < n; i++)
            if (bytes_equal(seen[i], e.oid))
                return certificate_refuse(err, "an extension occurs twice in it");
        seen[n] = e.oid;
        if (read_extension(f, &e, err))
            return -1;
    }
    return 0;
}
