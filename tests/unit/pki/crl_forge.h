/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl_forge — CRLs put together element by element and signed, also such as no CA should issue.
 *
 * Memory: what is made lives until forge_clear().
 */
#pragma once

#include "base/arena.h"
#include "fixture.h"
#include "pki/crl.h"
#include "pki/der.h"

static struct arena forge_arena;

static inline void forge_clear(void)
{
    arena_fini(&forge_arena);
}

/* An element of TAG around the N PARTS. */
static inline struct bytes forge_element(uint8_t tag, const struct bytes *parts, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += parts[i].n;
    uint8_t *out = arena_alloc(&forge_arena, size + 6), *at = out;
    *at++ = tag;
    size_t octets = size < 0x80        ? 0
                    : size < 0x100     ? 1
                    : size < 0x10000   ? 2
                    : size < 0x1000000 ? 3
                                       : 4;
    if (octets)
        *at++ = (uint8_t)(0x80 | octets);
    for (size_t i = octets ? octets : 1; i--;)
        *at++ = (uint8_t)(size >> 8 * i);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n)
            memcpy(at, parts[i].at, parts[i].n);
        at += parts[i].n;
    }
    return (struct bytes){out, (size_t)(at - out)};
}
#define FORGE(tag, ...)                                     \
    forge_element(tag, (const struct bytes[]){__VA_ARGS__}, \
        sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes))

/* The PARTS one after the other. */
static inline struct bytes forge_join(const struct bytes *parts, size_t n)
{
    struct bytes element = forge_element(DER_SEQUENCE, parts, n), content;
    MUST(der_take(&element, DER_SEQUENCE, &content));
    return content;
}

static inline struct bytes forge_time(int64_t wall_s)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, wall_s);
    struct bytes text = {ASN1_STRING_get0_data(t), (size_t)ASN1_STRING_length(t)};
    struct bytes e = FORGE(text.n == 13 ? DER_UTC_TIME : DER_GENERALIZED_TIME, text);
    ASN1_TIME_free(t);
    return e;
}

#define FORGE_OID_NUMBER    BYTES("\x55\x1d\x14")
#define FORGE_OID_REASON    BYTES("\x55\x1d\x15")
#define FORGE_OID_DELTA     BYTES("\x55\x1d\x1b")
#define FORGE_OID_POINT     BYTES("\x55\x1d\x1c")
#define FORGE_OID_OWNER     BYTES("\x55\x1d\x1d")
#define FORGE_OID_AUTHORITY BYTES("\x55\x1d\x23")
#define FORGE_OID_UNKNOWN   BYTES("\x2b\x06\x01\x04\x01\x83\xb2\x03\x01")

static inline struct bytes forge_extension(struct bytes oid, bool is_critical, struct bytes value)
{
    struct bytes yes = is_critical ? FORGE(DER_BOOLEAN, BYTES("\xff")) : BYTES("");
    return FORGE(DER_SEQUENCE, FORGE(DER_OID, oid), yes, FORGE(DER_OCTET_STRING, value));
}

static inline struct bytes forge_number(struct bytes oid, struct bytes octets)
{
    return forge_extension(oid, oid.at[2] == 0x1b, FORGE(DER_INTEGER, octets));
}

/* issuingDistributionPoint of the content CONTENT. */
static inline struct bytes forge_point(struct bytes content)
{
    return forge_extension(FORGE_OID_POINT, true, FORGE(DER_SEQUENCE, content));
}

/* CN=TEXT */
static inline struct bytes forge_name(const char *text)
{
    return FORGE(
        DER_SEQUENCE, FORGE(DER_SET, FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x55\x04\x03")),
                                         FORGE(DER_UTF8_STRING, bytes_of(text)))));
}

static inline struct bytes forge_directory(struct bytes name)
{
    return FORGE(DER_CONTEXT_CONSTRUCTED(4), name);
}

/* One entry; EXTENSIONS: the content, or empty. */
static inline struct bytes forge_entry(struct bytes serial, struct bytes extensions)
{
    return FORGE(DER_SEQUENCE, FORGE(DER_INTEGER, serial), forge_time(NOW - DAY),
        extensions.n ? FORGE(DER_SEQUENCE, extensions) : extensions);
}

static inline struct bytes forge_reason(uint8_t reason)
{
    return forge_extension(
        FORGE_OID_REASON, false, FORGE(DER_ENUMERATED, (struct bytes){&reason, 1}));
}

static inline struct bytes forge_owner(struct bytes names)
{
    return forge_extension(FORGE_OID_OWNER, true, FORGE(DER_SEQUENCE, names));
}

/* Whole elements, but for ENTRIES and EXTENSIONS: contents. What is empty is as usual: version 2,
 * ECDSA with SHA-256, the CA's name, from yesterday to tomorrow, and nothing in it. */
struct forge_shape {
    struct bytes version, algorithm, issuer, dates, entries, extensions;
    struct bytes outer_algorithm;
    const EVP_MD *digest; /* NULL: SHA-256 */
    bool is_v1, is_ed25519;
};

static inline struct bytes forge_tbs(const struct identity *ca, const struct forge_shape *s)
{
    struct bytes usual =
        FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x02")));
    struct bytes empty = {0};
    return FORGE(DER_SEQUENCE,
        s->version.n ? s->version
        : s->is_v1   ? empty
                     : FORGE(DER_INTEGER, BYTES("\1")),
        s->algorithm.n ? s->algorithm : usual,
        s->issuer.n ? s->issuer : certificate_facts(ca->certificate)->subject,
        s->dates.n ? s->dates : forge_time(NOW - DAY), s->dates.n ? empty : forge_time(NOW + DAY),
        s->entries.n ? FORGE(DER_SEQUENCE, s->entries) : empty,
        s->extensions.n ? FORGE(DER_CONTEXT_CONSTRUCTED(0), FORGE(DER_SEQUENCE, s->extensions))
                        : empty);
}

static inline struct bytes forge_sign(
    const struct identity *ca, struct bytes tbs, const EVP_MD *digest)
{
    uint8_t signature[1024] = {0};
    size_t n = sizeof(signature) - 1;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    MUST(EVP_DigestSignInit(context, NULL, digest, NULL, private_key_pkey(ca->key)) == 1);
    MUST(EVP_DigestSign(context, signature + 1, &n, tbs.at, tbs.n) == 1);
    EVP_MD_CTX_free(context);
    return FORGE(DER_BIT_STRING, (struct bytes){signature, n + 1});
}

static inline struct bytes forge_crl(const struct identity *ca, const struct forge_shape *s)
{
    struct forge_shape shape = *s;
    if (s->is_ed25519)
        shape.algorithm = FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x2b\x65\x70")));
    struct bytes tbs = forge_tbs(ca, &shape), rest = tbs, inner, algorithm;
    const EVP_MD *digest = s->is_ed25519 ? NULL : s->digest ? s->digest : EVP_sha256();
    MUST(der_take(&rest, DER_SEQUENCE, &inner));
    if (der_is_next(inner, DER_INTEGER))
        MUST(der_take(&inner, DER_INTEGER, NULL));
    MUST(der_take_whole(&inner, DER_SEQUENCE, &algorithm));
    return FORGE(DER_SEQUENCE, tbs, s->outer_algorithm.n ? s->outer_algorithm : algorithm,
        forge_sign(ca, tbs, digest));
}

static inline struct crl *forge_open(const struct identity *ca, const struct forge_shape *s)
{
    struct error err = {0};
    struct crl *c = crl_make(forge_crl(ca, s), &err);
    if (!c)
        printf("# %s\n", err.text);
    MUST(c);
    return c;
}
