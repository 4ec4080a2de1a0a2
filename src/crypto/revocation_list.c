/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/revocation_list.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/decode.h"
#include "crypto/digest.h"
#include "crypto/file_kind.h"
#include "crypto/native.h"
#include "crypto/pem_reader.h"
#include "crypto/reason_code.h"

#include "base/ban.h"

#define NUMBER_OCTETS_MAX 20 /* RFC 5280 §5.2.3 */

/* A CRL is asked about the CA that issued it, and about those of the same name: few. */
#define SIGNERS_MAX 8

struct signer {
    uint8_t spki_sha256[SHA256_SIZE];
    bool signed_it;
};

struct crl {
    X509_CRL *x;
    struct arena arena;
    struct bytes der;
    struct crl_facts facts;
    struct signer signers[SIGNERS_MAX]; /* what was found out, a ring */
    size_t signers_n;
};

static int malformed(struct error *err, const char *why)
{
    ERR_clear_error();
    return error_set(err, "malformed certificate revocation list: %s", why);
}

static int read_dates(struct crl *c, struct error *err)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(c->x);
    if (decode_time(X509_CRL_get0_lastUpdate(c->x), &c->facts.this_update) ||
        (next && decode_time(next, &c->facts.next_update)))
        return malformed(
            err, "thisUpdate or nextUpdate is not as RFC 5280 section 5.1.2.4 demands");
    return 0;
}

static int read_number(struct crl *c, struct error *err)
{
    int critical;
    c->facts.number = "";
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(c->x, NID_crl_number, &critical, NULL);
    if (!number)
        return critical == -1 ? 0 : malformed(err, "its cRLNumber cannot be decoded");
    BIGNUM *value =
        ASN1_STRING_length(number) <= NUMBER_OCTETS_MAX ? ASN1_INTEGER_to_BN(number, NULL) : NULL;
    char *decimal = value ? BN_bn2dec(value) : NULL;
    if (decimal)
        c->facts.number = arena_strdup(&c->arena, decimal);
    OPENSSL_free(decimal);
    BN_free(value);
    ASN1_INTEGER_free(number);
    return decimal ? 0 : malformed(err, "its cRLNumber is longer than 20 octets");
}

static void read_extensions(struct crl *c)
{
    struct crl_facts *f = &c->facts;
    for (int i = 0; i < X509_CRL_get_ext_count(c->x); i++) {
        X509_EXTENSION *e = X509_CRL_get_ext(c->x, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(e));
        if (nid == NID_delta_crl)
            f->is_delta = true;
        else if (nid == NID_issuing_distribution_point)
            f->has_issuing_distribution_point = true;
        else if (nid != NID_crl_number && nid != NID_authority_key_identifier)
            f->has_unknown_critical |= X509_EXTENSION_get_critical(e);
    }
}

/* An entry's critical certificateIssuer (RFC 5280 §5.3.3) is one that we do not process. */
static bool has_unknown_critical(const X509_REVOKED *entry)
{
    for (int i = 0; i < X509_REVOKED_get_ext_count(entry); i++) {
        X509_EXTENSION *e = X509_REVOKED_get_ext(entry, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(e));
        if (X509_EXTENSION_get_critical(e) && nid != NID_crl_reason && nid != NID_invalidity_date)
            return true;
    }
    return false;
}

/* What an entry says; -1 if it cannot be decoded. */
static int read_entry(const X509_REVOKED *entry, struct crl_entry *out)
{
    int critical;
    long code = REASON_CODE_UNSPECIFIED;
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, NULL);
    if (reason)
        code = ASN1_ENUMERATED_get(reason);
    ASN1_ENUMERATED_free(reason);
    out->reason = reason_code_name(code);
    bool readable = (reason || critical == -1) && out->reason;
    return readable && !decode_time(X509_REVOKED_get0_revocationDate(entry), &out->revoked_at) ? 0
                                                                                               : -1;
}

static int read_entries(struct crl *c, struct error *err)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(c->x);
    int n = entries ? sk_X509_REVOKED_num(entries) : 0;
    for (int i = 0; i < n; i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        struct crl_entry ignored;
        if (read_entry(entry, &ignored))
            return malformed(err, "an entry cannot be decoded");
        c->facts.has_unknown_critical |= has_unknown_critical(entry);
    }
    c->facts.entries = (size_t)n;
    return 0;
}

static int read_facts(struct crl *c, struct error *err)
{
    struct crl_facts *f = &c->facts;
    const X509_ALGOR *algorithm;
    f->issuer = decode_name(&c->arena, X509_CRL_get_issuer(c->x));
    if (!f->issuer)
        return malformed(err, "its issuer's name has no text form");
    f->issuer_der = decode_name_der(X509_CRL_get_issuer(c->x));
    X509_CRL_get0_signature(c->x, NULL, &algorithm);
    f->has_weak_signature = decode_is_weak_signature(algorithm);
    read_extensions(c);
    return read_dates(c, err) || read_number(c, err) || read_entries(c, err) ? -1 : 0;
}

static void free_crl(struct crl *c)
{
    X509_CRL_free(c->x);
    arena_fini(&c->arena);
    free(c);
}

/* One CRL, which must fill DER exactly, to the end of OUT. */
static int add_crl(struct crl_list *out, struct bytes der, struct error *err)
{
    const uint8_t *at = der.at;
    X509_CRL *x = d2i_X509_CRL(NULL, &at, (long)der.n);
    if (!x)
        return malformed(err, decode_libcrypto_reason());
    struct crl *c = mem_alloc(sizeof(*c));
    c->x = x;
    c->der = arena_copy(&c->arena, der);
    bool fills = at == der.at + der.n;
    if (!fills || read_facts(c, err)) {
        free_crl(c);
        return fills ? -1 : malformed(err, "bytes follow its end");
    }
    out->at = mem_realloc(out->at, (out->n + 1) * sizeof(struct crl *));
    out->at[out->n++] = c;
    return 0;
}

static int parse_pem(struct bytes file, struct crl_list *out, struct error *err)
{
    struct pem_reader reader;
    struct pem_block block;
    enum pem_outcome outcome;
    enum file_kind other = FILE_UNKNOWN; /* what the file holds instead of CRLs */
    size_t number = 0;
    int rc = 0;

    pem_reader_init(&reader, file);
    while (!rc && (outcome = pem_reader_next(&reader, &block)) != PEM_END) {
        number++;
        if (outcome == PEM_BROKEN)
            rc = pem_reader_refuse(number, err);
        else if (block.kind == FILE_CRL)
            rc = add_crl(out, block.der, err);
        else
            other = block.kind;
    }
    pem_reader_fini(&reader);
    if (!rc && !out->n)
        rc = file_kind_refuse(other, "a certificate revocation list", err);
    return rc;
}

int crl_list_parse(struct bytes file, struct crl_list *out, struct error *err)
{
    *out = (struct crl_list){0};
    if (file.n > INT_MAX)
        return error_set(err, "larger than 2 GB: no file of certificate revocation lists");
    enum file_kind kind = file_kind_of_der(file);
    int rc;
    if (file_kind_is_pem(file))
        rc = parse_pem(file, out, err);
    else if (kind == FILE_CERTIFICATE) /* a CRL starts as a certificate does */
        rc = add_crl(out, file, err);
    else
        rc = file_kind_refuse(kind, "a certificate revocation list", err);
    if (rc)
        crl_list_fini(out);
    return rc;
}

void crl_list_append(struct crl_list *l, struct crl_list *from)
{
    if (from->n) {
        l->at = mem_realloc(l->at, (l->n + from->n) * sizeof(struct crl *));
        memcpy(l->at + l->n, from->at, from->n * sizeof(struct crl *));
        l->n += from->n;
    }
    free(from->at);
    *from = (struct crl_list){0};
}

void crl_list_fini(struct crl_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free_crl(l->at[i]);
    free(l->at);
    *l = (struct crl_list){0};
}

const struct crl_facts *crl_facts(const struct crl *c)
{
    return &c->facts;
}

struct bytes crl_der(const struct crl *c)
{
    return c->der;
}

static bool verify_signature(struct crl *c, const struct certificate *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate_x509(issuer));
    bool verified = key && X509_CRL_verify(c->x, key) == 1;
    ERR_clear_error();
    return verified;
}

bool crl_signed_by(struct crl *c, const struct certificate *issuer)
{
    /* RFC 5280 §6.3.3 (f): the issuer's keyUsage, where present, has cRLSign. */
    if (c->facts.has_weak_signature || !certificate_facts(issuer)->may_sign_crls ||
        X509_NAME_cmp(X509_CRL_get_issuer(c->x), X509_get_subject_name(certificate_x509(issuer))))
        return false;

    struct signer s;
    digest_sha256(certificate_spki_der(issuer), s.spki_sha256);
    for (size_t i = 0; i < c->signers_n && i < SIGNERS_MAX; i++)
        if (memcmp(c->signers[i].spki_sha256, s.spki_sha256, SHA256_SIZE) == 0)
            return c->signers[i].signed_it;
    s.signed_it = verify_signature(c, issuer);
    c->signers[c->signers_n++ % SIGNERS_MAX] = s;
    return s.signed_it;
}

/* Is SERIAL in C with another reason than removeFromCRL? Only where such an entry was found: a list
 * may hold both. */
static X509_REVOKED *find_real_entry(const struct crl *c, const ASN1_INTEGER *serial)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(c->x);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        struct crl_entry e;
        if (ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(entry), serial) == 0 &&
            !read_entry(entry, &e) && strcmp(e.reason, REASON_REMOVE_FROM_CRL) != 0)
            return entry;
    }
    return NULL;
}

bool crl_lists(const struct crl *c, const struct certificate *certificate, struct crl_entry *out)
{
    enum { NOT_FOUND, FOUND, FOUND_REMOVED };
    X509 *x = certificate_x509(certificate);
    X509_REVOKED *entry = NULL;
    /* Sorted once by libcrypto, then a binary search; it compares the issuer's name too. */
    int found = X509_CRL_get0_by_cert(c->x, &entry, x);
    if (found == FOUND_REMOVED)
        entry = find_real_entry(c, X509_get0_serialNumber(x));
    if (found == NOT_FOUND || !entry)
        return false;
    ASSERT(!read_entry(entry, out)); /* all were read once, by crl_list_parse */
    return true;
}

void crl_each_entry(const struct crl *c, crl_entry_fn *f, void *owner)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(c->x);
    struct arena arena;
    arena_init(&arena);
    for (int i = 0; entries && i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        struct crl_entry e;
        ASSERT(!read_entry(entry, &e));
        f(owner, decode_serial(&arena, X509_REVOKED_get0_serialNumber(entry)), &e);
    }
    arena_fini(&arena);
}
