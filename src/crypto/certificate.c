/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/decode.h"
#include "crypto/digest.h"
#include "crypto/file_kind.h"
#include "crypto/native.h"
#include "crypto/pem_reader.h"

#include "base/ban.h"

/* Looking for duplicates is quadratic; certificates in use have about ten extensions. */
#define EXTENSIONS_MAX 64

struct certificate {
    X509 *x;
    unsigned references; /* a process has one thread */
    struct arena arena;
    struct bytes der, spki;
    struct certificate_facts facts;
};

/* Immutable to its users, but counted. */
static struct certificate *mutable(const struct certificate *c)
{
    return (struct certificate *)(uintptr_t)c;
}

static int malformed(struct error *err, const char *why)
{
    ERR_clear_error();
    return error_set(err, "malformed certificate: %s", why);
}

static int read_encodings(struct certificate *c, struct error *err)
{
    int der_n = i2d_X509(c->x, NULL);
    int spki_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), NULL);
    if (der_n <= 0 || spki_n <= 0)
        return malformed(err, decode_libcrypto_reason());
    uint8_t *der = arena_alloc(&c->arena, (size_t)der_n),
            *spki = arena_alloc(&c->arena, (size_t)spki_n);
    c->der = (struct bytes){der, (size_t)der_n};
    c->spki = (struct bytes){spki, (size_t)spki_n};
    i2d_X509(c->x, &der);
    i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &spki);

    uint8_t hash[SHA256_SIZE];
    digest_sha256(c->der, hash);
    c->facts.sha256 = decode_hex(&c->arena, (struct bytes){hash, sizeof(hash)});
    return 0;
}

static int read_identity(struct certificate *c, struct error *err)
{
    struct certificate_facts *f = &c->facts;
    f->subject = decode_name(&c->arena, X509_get_subject_name(c->x));
    f->issuer = decode_name(&c->arena, X509_get_issuer_name(c->x));
    if (!f->subject || !f->issuer)
        return malformed(err, "a name has no text form");
    f->serial = decode_serial(&c->arena, X509_get0_serialNumber(c->x));
    if (decode_time(X509_get0_notBefore(c->x), &f->not_before) ||
        decode_time(X509_get0_notAfter(c->x), &f->not_after))
        return malformed(err, "its validity is not as RFC 5280 section 4.1.2.5 demands");
    return 0;
}

static void read_key(struct certificate *c)
{
    struct certificate_facts *f = &c->facts;
    EVP_PKEY *key = X509_get0_pubkey(c->x);
    f->key_kind = private_key_kind_of(key);
    f->key_bits = key ? (unsigned)EVP_PKEY_get_bits(key) : 0;
    ERR_clear_error();
}

/* RFC 5280 §4.1: version 1 to 3; §4.1.2.9: extensions in version 3 only; §4.2: each at most once.
 */
static int check_extension_list(const X509 *x, struct error *err)
{
    int n = X509_get_ext_count(x);
    if (X509_get_version(x) < X509_VERSION_1 || X509_get_version(x) > X509_VERSION_3)
        return malformed(err, "its version is none of 1, 2, 3");
    if (n > 0 && X509_get_version(x) != X509_VERSION_3)
        return malformed(err, "it has extensions but is not of version 3");
    if (n > EXTENSIONS_MAX)
        return malformed(err, "it has more than 64 extensions");
    for (int i = 0; i < n; i++)
        if (X509_get_ext_by_OBJ(x, X509_EXTENSION_get_object(X509_get_ext(x, i)), i) >= 0)
            return malformed(err, "an extension occurs twice");
    return 0;
}

static int read_extensions(struct certificate *c, struct error *err)
{
    struct certificate_facts *f = &c->facts;
    if (check_extension_list(c->x, err))
        return -1;
    uint32_t flags = X509_get_extension_flags(c->x);
    if (flags & (EXFLAG_INVALID | EXFLAG_NO_FINGERPRINT))
        return malformed(err, "an extension cannot be decoded");
    f->is_ca = flags & EXFLAG_CA;
    f->is_self_issued = flags & EXFLAG_SI;

    f->has_key_usage = flags & EXFLAG_KUSAGE;
    uint32_t usage = X509_get_key_usage(c->x); /* all bits set where the extension is absent */
    f->may_sign = usage & KU_DIGITAL_SIGNATURE;
    f->may_encipher_keys = usage & KU_KEY_ENCIPHERMENT;
    f->may_sign_certificates = usage & KU_KEY_CERT_SIGN;
    f->may_sign_crls = usage & KU_CRL_SIGN;

    f->has_extended_key_usage = flags & EXFLAG_XKUSAGE;
    uint32_t purposes = X509_get_extended_key_usage(c->x); /* likewise */
    f->for_server = purposes & (XKU_SSL_SERVER | XKU_ANYEKU);
    f->for_client = purposes & (XKU_SSL_CLIENT | XKU_ANYEKU);
    return 0;
}

/* Names of kinds that we do not compare keep their whole encoding. */
static int read_other_name(struct certificate *c, const GENERAL_NAME *g, struct bytes *out)
{
    int n = i2d_GENERAL_NAME(g, NULL);
    if (n <= 0)
        return -1;
    uint8_t *at = arena_alloc(&c->arena, (size_t)n);
    *out = (struct bytes){at, (size_t)n};
    i2d_GENERAL_NAME(g, &at);
    return 0;
}

static int read_name(struct certificate *c, const GENERAL_NAME *g, struct certificate_name *out)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(g, &type);
    switch (type) {
    case GEN_DNS:
        out->kind = NAME_DNS;
        break;
    case GEN_EMAIL:
        out->kind = NAME_EMAIL;
        break;
    case GEN_URI:
        out->kind = NAME_URI;
        break;
    case GEN_IPADD:
        out->kind = NAME_IP;
        if (ASN1_STRING_length(value) != 4 && ASN1_STRING_length(value) != 16)
            return -1; /* RFC 5280 §4.2.1.6 */
        break;
    default:
        out->kind = NAME_OTHER;
        return read_other_name(c, g, &out->value);
    }
    out->value = arena_copy(&c->arena, decode_string(value));
    return 0;
}

static int read_names(struct certificate *c, struct error *err)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
    int n = all ? sk_GENERAL_NAME_num(all) : 0, broken = 0;
    struct certificate_name *names = arena_alloc(&c->arena, (size_t)n * sizeof(*names));
    for (int i = 0; i < n && !broken; i++)
        broken = read_name(c, sk_GENERAL_NAME_value(all, i), &names[i]);
    GENERAL_NAMES_free(all);
    if (broken)
        return malformed(err, "a subjectAltName cannot be decoded");
    c->facts.names = names;
    c->facts.names_n = (size_t)n;
    return 0;
}

struct certificate *certificate_from_x509(X509 *x, struct error *err)
{
    struct certificate *c = mem_alloc(sizeof(*c));
    X509_up_ref(x);
    c->x = x;
    c->references = 1;
    arena_init(&c->arena);
    if (read_encodings(c, err) || read_identity(c, err) || read_extensions(c, err) ||
        read_names(c, err))
        certificate_unref(&c);
    else
        read_key(c);
    return c;
}

struct certificate *certificate_parse(struct bytes der, struct error *err)
{
    const uint8_t *at = der.at;
    X509 *x = der.n && der.n <= INT_MAX ? d2i_X509(NULL, &at, (long)der.n) : NULL;
    if (!x) {
        malformed(err, der.n ? decode_libcrypto_reason() : "it is empty");
        return NULL;
    }
    struct certificate *c = NULL;
    if (at != der.at + der.n)
        malformed(err, "bytes follow its end");
    else
        c = certificate_from_x509(x, err);
    X509_free(x);
    /* libcrypto reads BER too. One certificate, one encoding: else its hash would not name it (RFC
     * 5280 §4.1). */
    if (c && !bytes_equal(c->der, der)) {
        malformed(err, "it is not DER");
        certificate_unref(&c);
    }
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
    X509_free(c->x);
    arena_fini(&c->arena);
    free(c);
}

const struct certificate_facts *certificate_facts(const struct certificate *c)
{
    return &c->facts;
}

X509 *certificate_x509(const struct certificate *c)
{
    return c->x;
}

struct bytes certificate_der(const struct certificate *c)
{
    return c->der;
}

struct bytes certificate_subject_der(const struct certificate *c)
{
    return decode_name_der(X509_get_subject_name(c->x));
}

struct bytes certificate_issuer_der(const struct certificate *c)
{
    return decode_name_der(X509_get_issuer_name(c->x));
}

struct bytes certificate_spki_der(const struct certificate *c)
{
    return c->spki;
}

bool certificate_equal(const struct certificate *a, const struct certificate *b)
{
    return a == b || bytes_equal(a->der, b->der);
}

bool certificate_issued_by(const struct certificate *c, const struct certificate *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer->x);
    bool names_match =
        X509_NAME_cmp(X509_get_issuer_name(c->x), X509_get_subject_name(issuer->x)) == 0;
    bool issued = names_match && key && X509_verify(c->x, key) == 1;
    ERR_clear_error();
    return issued;
}

static void list_take(struct certificate_list *l, struct certificate *c)
{
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof(*l->at));
    l->at[l->n++] = c;
}

void certificate_list_add(struct certificate_list *l, const struct certificate *c)
{
    list_take(l, certificate_ref(c));
}

void certificate_list_fini(struct certificate_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        certificate_unref(&l->at[i]);
    free(l->at);
    *l = (struct certificate_list){0};
}

/* Parse the NUMBERth certificate of a PEM file into OUT. */
static int add_numbered(
    struct certificate_list *out, struct bytes der, size_t number, struct error *err)
{
    struct error why;
    struct certificate *c = certificate_parse(der, &why);
    if (!c)
        return error_set(err, "certificate %zu of the file: %s", number, why.text);
    list_take(out, c);
    return 0;
}

static int parse_pem(struct bytes file, struct certificate_list *out, struct error *err)
{
    struct pem_reader reader;
    struct pem_block block;
    enum pem_outcome outcome;
    enum file_kind other = FILE_UNKNOWN; /* what the file holds instead of certificates */
    size_t number = 0;
    int rc = 0;

    pem_reader_init(&reader, file);
    while (!rc && (outcome = pem_reader_next(&reader, &block)) != PEM_END) {
        number++;
        if (outcome == PEM_BROKEN)
            rc = pem_reader_refuse(number, err);
        else if (block.kind == FILE_CERTIFICATE)
            rc = add_numbered(out, block.der, out->n + 1, err);
        else
            other = block.kind;
    }
    pem_reader_fini(&reader);
    if (!rc && !out->n)
        rc = file_kind_refuse(other, "a certificate", err);
    return rc;
}

static int parse_der(struct bytes file, struct certificate_list *out, struct error *err)
{
    enum file_kind kind = file_kind_of_der(file);
    if (kind != FILE_CERTIFICATE)
        return file_kind_refuse(kind, "a certificate", err);
    struct certificate *c = certificate_parse(file, err);
    if (!c)
        return -1;
    list_take(out, c);
    return 0;
}

int certificate_list_parse(struct bytes file, struct certificate_list *out, struct error *err)
{
    *out = (struct certificate_list){0};
    if (file.n > INT_MAX)
        return error_set(err, "larger than 2 GB: no file of certificates");
    int rc = file_kind_is_pem(file) ? parse_pem(file, out, err) : parse_der(file, out, err);
    if (rc)
        certificate_list_fini(out);
    return rc;
}
