/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/certificate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "crypto/digest.h"
#include "pki/algorithm.h"
#include "pki/certificate_parts.h"
#include "pki/der.h"
#include "pki/dn.h"
#include "pki/serial.h"

#include "base/ban.h"

struct certificate {
    struct certificate_facts facts;
    struct bytes der;    /* the octets at the end of this */
    unsigned references; /* a process has one thread */
    bool has_tried_key, has_digest;
    struct public_key *key;
    uint8_t digest[SHA256_SIZE];
    struct arena arena; /* of the texts */
    const char *subject, *issuer, *serial, *sha256;
    uint8_t octets[];
};

/* Immutable to its users, but counted, and with memories of its own. */
static struct certificate *mutable(const struct certificate *c)
{
    return (struct certificate *)(uintptr_t)c;
}

int certificate_refuse(struct error *err, const char *why)
{
    return error_set(err, "malformed certificate: %s", why);
}

/* ---- parsing ---- */

/* RFC 5280 §4.1.2.1. Version 1 is the default, which DER leaves out. */
static int read_version(struct bytes *tbs, struct certificate_facts *f, struct error *err)
{
    struct bytes field, number;
    uint64_t version = 0;
    if (der_is_next(*tbs, DER_CONTEXT_CONSTRUCTED(0)) &&
        (!der_take(tbs, DER_CONTEXT_CONSTRUCTED(0), &field) ||
            !der_take(&field, DER_INTEGER, &number) || field.n ||
            !der_unsigned(number, 2, &version) || !version))
        return certificate_refuse(err, "its version is none of 1, 2, 3 as DER has them");
    f->version = (unsigned)version + 1;
    return 0;
}

/* §4.1.2.5 */
static bool read_validity(struct bytes *tbs, struct certificate_facts *f)
{
    struct bytes validity;
    struct der_element before, after;
    return der_take(tbs, DER_SEQUENCE, &validity) && der_next(&validity, &before) &&
           der_next(&validity, &after) && !validity.n && der_time(&before, &f->not_before) &&
           der_time(&after, &f->not_after);
}

static bool read_name(struct bytes *tbs, struct bytes *name)
{
    return der_take_whole(tbs, DER_SEQUENCE, name) && dn_is_valid(*name);
}

/* What every TBSCertificate has, up to its key (§4.1). IDENTIFIER: signature. */
static int read_fields(
    struct bytes *tbs, struct certificate_facts *f, struct bytes *identifier, struct error *err)
{
    if (read_version(tbs, f, err))
        return -1;
    if (!der_take(tbs, DER_INTEGER, &f->serial) || !der_is_integer(f->serial))
        return certificate_refuse(err, "its serial number is not an INTEGER");
    if (!der_take(tbs, DER_SEQUENCE, identifier) || !algorithm_is_identifier(*identifier))
        return certificate_refuse(err, "its signature algorithm cannot be decoded");
    if (!read_name(tbs, &f->issuer))
        return certificate_refuse(err, "its issuer is not a Name");
    if (!read_validity(tbs, f))
        return certificate_refuse(err, "its validity is not as RFC 5280 section 4.1.2.5 demands");
    if (!read_name(tbs, &f->subject))
        return certificate_refuse(err, "its subject is not a Name");
    if (!der_take_whole(tbs, DER_SEQUENCE, &f->spki) ||
        !algorithm_of_key(f->spki, &f->key_kind, &f->key_bits, &f->key))
        return certificate_refuse(err, "its public key cannot be decoded");
    return 0;
}

/* issuerUniqueID and subjectUniqueID (§4.1.2.8), BIT STRINGs of any size, since version 2. */
static bool skip_unique_ids(struct bytes *tbs, struct certificate_facts *f)
{
    for (uint8_t number = 1; number <= 2; number++) {
        if (!der_is_next(*tbs, DER_CONTEXT(number)))
            continue;
        struct bytes bits;
        if (f->version < 2 || !der_take(tbs, DER_CONTEXT(number), &bits) || !bits.n ||
            bits.at[0] > 7)
            return false;
        f->flaws |= CERTIFICATE_FLAW_BIT(FLAW_UNIQUE_ID);
    }
    return true;
}

static int read_rest(struct bytes *tbs, struct certificate_facts *f, struct error *err)
{
    struct bytes field, extensions;
    if (!skip_unique_ids(tbs, f))
        return certificate_refuse(err, "a unique identifier of it cannot be decoded");
    if (!tbs->n)
        return 0;
    if (!der_take(tbs, DER_CONTEXT_CONSTRUCTED(3), &field) || tbs->n ||
        !der_take(&field, DER_SEQUENCE, &extensions) || field.n || !extensions.n)
        return certificate_refuse(err, "its extensions cannot be decoded");
    if (f->version != 3)
        f->flaws |= CERTIFICATE_FLAW_BIT(FLAW_EXTENSIONS_NOT_VERSION_3);
    return certificate_read_extensions(f, extensions, err);
}

/* RFC 5280 §4.1 */
static int read_certificate(struct bytes der, struct certificate_facts *f, struct error *err)
{
    struct bytes fields, tbs, identifier, outer, signature;
    if (!der_take(&der, DER_SEQUENCE, &fields))
        return certificate_refuse(err, "it is not DER, or cut off");
    if (der.n)
        return certificate_refuse(err, "bytes follow its end");
    if (!der_take_whole(&fields, DER_SEQUENCE, &f->tbs) ||
        !der_take(&fields, DER_SEQUENCE, &outer) ||
        !der_take(&fields, DER_BIT_STRING, &signature) || fields.n)
        return certificate_refuse(err, "it is not DER of a Certificate");
    if (!der_octets(signature, &f->signature))
        return certificate_refuse(err, "its signature is not a whole number of octets");
    struct bytes whole = f->tbs;
    if (!der_take(&whole, DER_SEQUENCE, &tbs) || read_fields(&tbs, f, &identifier, err) ||
        read_rest(&tbs, f, err))
        return -1;
    /* §4.1.1.2: "This field MUST contain the same algorithm identifier as the signature field in
     * the sequence tbsCertificate". */
    if (!bytes_equal(identifier, outer))
        return certificate_refuse(err, "its two signature algorithms differ");
    f->signature_algorithm = algorithm_of_signature(identifier);
    return 0;
}

static void read_names(struct certificate_facts *f)
{
    f->issuer_hash = dn_hash(f->issuer);
    f->subject_hash = dn_hash(f->subject);
    f->is_self_issued = f->issuer_hash == f->subject_hash && dn_equal(f->subject, f->issuer);
}

/* The facts of a certificate that has no extensions. */
static const struct certificate_facts facts_default = {
    .path_length = -1,
    .key_usage = UINT16_MAX,
    .extended_key_usage = EXTENDED_ANY,
};

struct certificate *certificate_parse(struct bytes der, struct error *err)
{
    if (!der.n || der.n > CERTIFICATE_SIZE_MAX) {
        certificate_refuse(err, der.n ? "it has more than 65536 octets" : "it is empty");
        return NULL;
    }
    struct certificate *c = mem_alloc_raw(sizeof(*c) + der.n);
    *c = (struct certificate){.facts = facts_default, .der = {c->octets, der.n}, .references = 1};
    memcpy(c->octets, der.at, der.n);
    if (read_certificate(c->der, &c->facts, err)) {
        certificate_unref(&c);
        return NULL;
    }
    read_names(&c->facts);
    c->facts.flaws |= certificate_find_flaws(&c->facts);
    return c;
}

struct certificate *certificate_ref(const struct certificate *c)
{
    mutable(c)->references++;
    return mutable(c);
}

void certificate_unref(struct certificate **cp)
{
    struct certificate *c = *cp;
    *cp = NULL;
    if (!c || --c->references)
        return;
    free((void *)(uintptr_t)c->facts.names);
    public_key_free(&c->key);
    arena_fini(&c->arena);
    free(c);
}

/* ---- what it says ---- */

const struct certificate_facts *certificate_facts(const struct certificate *c)
{
    return &c->facts;
}

struct bytes certificate_der(const struct certificate *c)
{
    return c->der;
}

const char *certificate_subject(const struct certificate *c)
{
    if (!c->subject)
        mutable(c)->subject = dn_text(&mutable(c)->arena, c->facts.subject);
    return c->subject;
}

const char *certificate_issuer(const struct certificate *c)
{
    if (!c->issuer)
        mutable(c)->issuer = dn_text(&mutable(c)->arena, c->facts.issuer);
    return c->issuer;
}

const char *certificate_serial(const struct certificate *c)
{
    if (!c->serial)
        mutable(c)->serial = serial_text(&mutable(c)->arena, c->facts.serial);
    return c->serial;
}

const uint8_t *certificate_digest(const struct certificate *c)
{
    if (!c->has_digest)
        digest_sha256(c->der, mutable(c)->digest);
    mutable(c)->has_digest = true;
    return c->digest;
}

const char *certificate_sha256(const struct certificate *c)
{
    if (!c->sha256) {
        char *text = arena_alloc(&mutable(c)->arena, 2 * SHA256_SIZE + 1);
        for (size_t i = 0; i < SHA256_SIZE; i++)
            snprintf(text + 2 * i, 3, "%02x", certificate_digest(c)[i]);
        mutable(c)->sha256 = text;
    }
    return c->sha256;
}

const struct public_key *certificate_public_key(const struct certificate *c)
{
    struct error ignored;
    if (!c->has_tried_key)
        mutable(c)->key = public_key_new(c->facts.key_kind, c->facts.key, &ignored);
    mutable(c)->has_tried_key = true;
    return c->key;
}

bool certificate_may_issue(const struct certificate *c)
{
    const struct certificate_facts *f = &c->facts;
    return f->version == 3 && f->is_ca && f->key_usage & USAGE_KEY_CERT_SIGN;
}

bool certificate_equal(const struct certificate *a, const struct certificate *b)
{
    return a == b || bytes_equal(a->der, b->der);
}

bool certificate_issued_by(const struct certificate *c, const struct certificate *issuer)
{
    const struct certificate_facts *f = &c->facts;
    if (!dn_equal(f->issuer, issuer->facts.subject))
        return false;
    const struct public_key *key = certificate_public_key(issuer);
    return key && public_key_verify(key, f->signature_algorithm, f->tbs, f->signature);
}
