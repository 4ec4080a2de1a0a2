/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pki/dn.h"
#include "pki/dn_parts.h"

#include "base/ban.h"

/* Attribute types by the short names that libcrypto prints, which is what operators know: X.520,
 * RFC 4519, PKCS #9, and those of CA/Browser Forum's EV guidelines. */
static const struct type_row {
    struct bytes oid;
    const char *name;
} types[] = {
    {BYTES("\x55\x04\x03"), "CN"},
    {BYTES("\x55\x04\x0a"), "O"},
    {BYTES("\x55\x04\x0b"), "OU"},
    {BYTES("\x55\x04\x06"), "C"},
    {BYTES("\x55\x04\x07"), "L"},
    {BYTES("\x55\x04\x08"), "ST"},
    {BYTES("\x55\x04\x04"), "SN"},
    {BYTES("\x55\x04\x05"), "serialNumber"},
    {BYTES("\x55\x04\x09"), "street"},
    {BYTES("\x55\x04\x0c"), "title"},
    {BYTES("\x55\x04\x0d"), "description"},
    {BYTES("\x55\x04\x0f"), "businessCategory"},
    {BYTES("\x55\x04\x10"), "postalAddress"},
    {BYTES("\x55\x04\x11"), "postalCode"},
    {BYTES("\x55\x04\x12"), "postOfficeBox"},
    {BYTES("\x55\x04\x14"), "telephoneNumber"},
    {BYTES("\x55\x04\x29"), "name"},
    {BYTES("\x55\x04\x2a"), "GN"},
    {BYTES("\x55\x04\x2b"), "initials"},
    {BYTES("\x55\x04\x2c"), "generationQualifier"},
    {BYTES("\x55\x04\x2d"), "x500UniqueIdentifier"},
    {BYTES("\x55\x04\x2e"), "dnQualifier"},
    {BYTES("\x55\x04\x41"), "pseudonym"},
    {BYTES("\x55\x04\x48"), "role"},
    {BYTES("\x55\x04\x61"), "organizationIdentifier"},
    {BYTES("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), "UID"},
    {BYTES("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x03"), "mail"},
    {BYTES("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), "DC"},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"), "emailAddress"},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02"), "unstructuredName"},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08"), "unstructuredAddress"},
    {BYTES("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01"), "jurisdictionL"},
    {BYTES("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02"), "jurisdictionST"},
    {BYTES("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03"), "jurisdictionC"},
};

/* Text has its room from the start: no octet of a Name becomes more than six characters (two
 * escapes, for what UTF-8 needs two octets), and eight pay for the names of the types too. */
#define EXPANSION 8

struct writer {
    char *at;
    size_t n;
};

static void write_text(struct writer *w, const char *text)
{
    size_t n = strlen(text);
    memcpy(w->at + w->n, text, n);
    w->n += n;
}

static void write_character(struct writer *w, uint8_t c)
{
    w->at[w->n++] = (char)c;
}

static void write_hex(struct writer *w, uint8_t c)
{
    static const char digits[] = "0123456789ABCDEF";
    w->at[w->n++] = digits[c >> 4];
    w->at[w->n++] = digits[c & 15];
}

/* RFC 4514 §2.4: "#" and the encoding. */
static void write_encoding(struct writer *w, struct bytes whole)
{
    write_character(w, '#');
    for (size_t i = 0; i < whole.n; i++)
        write_hex(w, whole.at[i]);
}

/* Dotted decimal (RFC 4512 §1.4); an arc of more than 64 bits, which nobody has, is "?". */
static void write_oid(struct writer *w, struct bytes oid)
{
    uint64_t arc = 0;
    bool is_first = true, is_long = false;
    char number[32];
    for (size_t i = 0; i < oid.n; i++) {
        is_long = is_long || arc >> 57;
        arc = arc << 7 | (oid.at[i] & 0x7f);
        if (oid.at[i] & 0x80)
            continue;
        uint64_t root = arc < 80 ? arc / 40 : 2; /* X.690 §8.19.4 */
        if (is_long)
            snprintf(number, sizeof(number), is_first ? "2.?" : ".?");
        else if (is_first)
            snprintf(number, sizeof(number), "%u.%llu", (unsigned)root,
                (unsigned long long)(arc - 40 * root));
        else
            snprintf(number, sizeof(number), ".%llu", (unsigned long long)arc);
        write_text(w, number);
        arc = 0;
        is_first = is_long = false;
    }
}

/* The octets of a character in UTF-8. */
static size_t encode_utf8(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(0xf00 >> n | c);
    return n;
}

/* RFC 4514 §2.4, and everything that is not printable ASCII as octets of UTF-8. */
static void write_escaped(struct writer *w, uint32_t c, bool is_first, bool is_last)
{
    bool is_special = c < 0x80 && c && strchr(",+\"\\<>;", (int)c);
    bool is_edge = (c == ' ' && (is_first || is_last)) || (c == '#' && is_first);
    if (c >= 0x20 && c < 0x7f) {
        if (is_special || is_edge)
            write_character(w, '\\');
        write_character(w, (uint8_t)c);
        return;
    }
    uint8_t octets[4];
    size_t n = encode_utf8(c, octets);
    for (size_t i = 0; i < n; i++) {
        write_character(w, '\\');
        write_hex(w, octets[i]);
    }
}

static bool has_text(const struct dn_attribute *a)
{
    struct dn_string text = {dn_encoding_of(a->tag), a->value};
    uint32_t c = text.encoding ? 0 : DN_WRONG;
    while (c < DN_WRONG)
        c = dn_next_character(&text);
    return c == DN_END;
}

static void write_value(struct writer *w, const struct dn_attribute *a)
{
    struct dn_string text = {dn_encoding_of(a->tag), a->value};
    bool is_first = true;
    for (uint32_t c; (c = dn_next_character(&text)) != DN_END; is_first = false)
        write_escaped(w, c, is_first, !text.left.n);
}

static void write_attribute(struct writer *w, const struct dn_attribute *a)
{
    size_t i = 0;
    while (i < COUNT_OF(types) && !bytes_equal(a->type, types[i].oid))
        i++;
    bool is_known = i < COUNT_OF(types);
    if (is_known)
        write_text(w, types[i].name);
    else
        write_oid(w, a->type);
    write_character(w, '=');
    if (is_known && has_text(a))
        write_value(w, a);
    else
        write_encoding(w, a->whole_value);
}

/* The attributes of a Name, and where its RDNs begin. */
struct part {
    struct dn_attribute attribute;
    bool begins_rdn;
};

/* How many there are, written to OUT where that is not NULL; -1 if NAME is none. */
static long list_parts(struct bytes name, struct part *out)
{
    struct bytes rdns, rdn;
    long n = 0;
    if (!dn_open(name, &rdns))
        return -1;
    while (rdns.n) {
        if (!dn_take_rdn(&rdns, &rdn))
            return -1;
        for (bool begins = true; rdn.n; begins = false, n++) {
            struct part part = {.begins_rdn = begins};
            if (!dn_take_attribute(&rdn, &part.attribute))
                return -1;
            if (out)
                out[n] = part;
        }
    }
    return n;
}

const char *dn_text(struct arena *a, struct bytes name)
{
    struct writer w = {arena_alloc(a, EXPANSION * name.n + sizeof("#")), 0};
    long n = list_parts(name, NULL);
    if (n < 0) {
        write_encoding(&w, name);
        return w.at;
    }
    struct part *parts = mem_calloc((size_t)n, sizeof(*parts));
    ignore_result(list_parts(name, parts));
    for (long i = n - 1; i >= 0; i--) {
        write_attribute(&w, &parts[i].attribute);
        if (i)
            write_character(&w, parts[i].begins_rdn ? ',' : '+');
    }
    free(parts);
    return w.at;
}
