/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/issue.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/panic.h"
#include "crypto/digest.h"
#include "crypto/native.h"

#include "base/ban.h"

#define SERIAL_BYTES 16

static const struct profile {
    bool is_ca;
    const char *basic_constraints, *key_usage, *extended_key_usage;
} profiles[] = {
    [ISSUE_CA] = {true, "critical,CA:TRUE", "critical,keyCertSign,cRLSign", NULL},
    [ISSUE_INTERMEDIATE] = {true, "critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign",
        NULL},
    [ISSUE_SERVER] = {false, "critical,CA:FALSE", "critical,digitalSignature", "serverAuth"},
    [ISSUE_CLIENT] = {false, "critical,CA:FALSE", "critical,digitalSignature", "clientAuth"},
};

/* The longest subject that a message shows. */
#define SUBJECT_TEXT_MAX 160

/* What is to be signed, with libcrypto's object of the issuer. */
struct issuing {
    const struct issue_request *request;
    X509 *issuer; /* NULL: self-signed */
};

/* "CN=alice,O=Example", printable ASCII. */
static const char *subject_of(const X509 *x, char out[SUBJECT_TEXT_MAX])
{
    BIO *text = BIO_new(BIO_s_mem());
    ASSERT(text);
    int n = X509_NAME_print_ex(text, X509_get_subject_name(x), 0, XN_FLAG_RFC2253);
    int got = n < 0 ? 0 : BIO_read(text, out, SUBJECT_TEXT_MAX - 1);
    out[got > 0 ? got : 0] = 0;
    BIO_free(text);
    return out;
}

static int failed(struct error *err, const char *what)
{
    return error_set(err, "cannot %s: %s", what, native_reason());
}

/* RFC 5280 §4.1.2.2: positive, unique; 128 random bits are. */
static void set_random_serial(X509 *x)
{
    uint8_t random[SERIAL_BYTES];
    random_fill(random, sizeof(random));
    random[0] = (uint8_t)((random[0] & 0x7f) | 0x40);
    BIGNUM *number = BN_bin2bn(random, sizeof(random), NULL);
    ASSERT(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)));
    BN_free(number);
}

static int set_subject(X509 *x, const char *common_name, struct error *err)
{
    if (!common_name || !common_name[0])
        return 0;
    if (!X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8,
            (const unsigned char *)common_name, -1, -1, 0)) {
        ERR_clear_error();
        return error_set(err,
            "the common name \"%s\" does not fit into a certificate; use 1 to 64 characters of "
            "UTF-8",
            common_name);
    }
    return 0;
}

static const struct name_kind {
    const char *prefix;
    int type;
} name_kinds[] = {
    {"DNS:", GEN_DNS},
    {"EMAIL:", GEN_EMAIL},
    {"URI:", GEN_URI},
    {"IP:", GEN_IPADD},
};

/* VALUE as the ASN.1 string of its kind: IA5String of printable characters, or the octets of an
 * address. */
static ASN1_STRING *encode_name(int type, struct bytes value)
{
    char text[256];
    if (!value.n || value.n >= sizeof(text))
        return NULL;
    for (size_t i = 0; i < value.n; i++)
        if (value.at[i] <= ' ' || value.at[i] > '~')
            return NULL;
    memcpy(text, value.at, value.n);
    text[value.n] = 0;
    if (type == GEN_IPADD)
        return a2i_IPADDRESS(text);
    ASN1_STRING *s = ASN1_IA5STRING_new();
    ASSERT(s && ASN1_STRING_set(s, text, (int)value.n));
    return s;
}

static int add_name(GENERAL_NAMES *all, struct bytes name, struct error *err)
{
    const struct name_kind *kind = NULL;
    for (size_t i = 0; i < COUNT_OF(name_kinds) && !kind; i++)
        if (bytes_starts_with(name, bytes_of(name_kinds[i].prefix)))
            kind = &name_kinds[i];
    ASN1_STRING *value =
        kind ? encode_name(kind->type, bytes_skip(name, strlen(kind->prefix))) : NULL;
    if (!value) {
        ERR_clear_error();
        return error_set(err,
            "\"%.*s\" is no name for a certificate; write DNS:host, IP:address, EMAIL:address or "
            "URI:uri",
            BYTES_ARG(bytes_first(name, 200)));
    }
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASSERT(g);
    GENERAL_NAME_set0_value(g, kind->type, value);
    ASSERT(sk_GENERAL_NAME_push(all, g));
    return 0;
}

/* RFC 5280 §4.2.1.6: critical where there is no subject. */
static int add_names(X509 *x, const struct issue_request *r, struct error *err)
{
    bool has_subject = X509_NAME_entry_count(X509_get_subject_name(x)) > 0;
    if (!has_subject && (!r->names_n || profiles[r->profile].is_ca))
        return error_set(err, "a certificate needs a common name%s",
            profiles[r->profile].is_ca ? "" : " or a subject alternative name");
    if (!r->names_n)
        return 0;
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    ASSERT(all);
    int rc = 0;
    for (size_t i = 0; i < r->names_n && !rc; i++)
        rc = add_name(all, r->names[i], err);
    if (!rc && X509_add1_ext_i2d(x, NID_subject_alt_name, all, !has_subject, 0) != 1)
        rc = failed(err, "add the subject alternative names");
    GENERAL_NAMES_free(all);
    return rc;
}

static int add_extension(X509 *x, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *e = value ? X509V3_EXT_nconf_nid(NULL, context, nid, value) : NULL;
    int added = !value || (e && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
    return added ? 0 : -1;
}

static int add_extensions(X509 *x, const struct issuing *i, struct error *err)
{
    const struct issue_request *r = i->request;
    const struct profile *p = &profiles[r->profile];
    /* RSA key transport (TLS 1.2) needs a key that may decipher: RFC 5246 §7.4.2. */
    bool deciphers = r->profile == ISSUE_SERVER && private_key_kind(r->key) == KEY_RSA;
    const char *usage = deciphers ? "critical,digitalSignature,keyEncipherment" : p->key_usage;
    X509V3_CTX context = {0}; /* X509V3_set_ctx leaves members as they are */
    X509V3_set_ctx(&context, i->issuer ? i->issuer : x, x, NULL, NULL, 0);
    if (add_extension(x, &context, NID_basic_constraints, p->basic_constraints) ||
        add_extension(x, &context, NID_key_usage, usage) ||
        add_extension(x, &context, NID_ext_key_usage, p->extended_key_usage) ||
        add_extension(x, &context, NID_subject_key_identifier, "hash") ||
        add_extension(x, &context, NID_authority_key_identifier, i->issuer ? "keyid" : NULL))
        return failed(err, "add the extensions of a certificate");
    return 0;
}

/* Ed25519 hashes by itself (RFC 8410 §3). */
static const EVP_MD *digest_for(const struct private_key *k)
{
    return private_key_kind(k) == KEY_ED25519 ? NULL : EVP_sha256();
}

/* Takes the issuer's certificate out of the request. */
static int read_issuer(struct issuing *i, struct error *err)
{
    const struct issue_request *r = i->request;
    char subject[SUBJECT_TEXT_MAX];
    if (!r->issuer.n != !r->issuer_key)
        return error_set(err, "an issuer needs both its certificate and its private key");
    if (!r->issuer.n)
        return 0;
    i->issuer = native_x509(r->issuer);
    if (!i->issuer)
        return failed(err, "read the certificate of the issuer");
    if (!(X509_get_extension_flags(i->issuer) & EXFLAG_CA))
        return error_set(err, "%s is no CA; give the certificate of a CA as the issuer",
            subject_of(i->issuer, subject));
    if (X509_check_private_key(i->issuer, private_key_pkey(r->issuer_key)) != 1)
        return error_set(err,
            "the private key of the issuer does not belong to the certificate of %s",
            subject_of(i->issuer, subject));
    return 0;
}

static int fill(X509 *x, const struct issuing *i, struct error *err)
{
    const struct issue_request *r = i->request;
    const struct private_key *signer = r->issuer_key ? r->issuer_key : r->key;
    set_random_serial(x);
    if (set_subject(x, r->common_name, err))
        return -1;
    const X509_NAME *issuer = X509_get_subject_name(i->issuer ? i->issuer : x);
    if (!X509_set_version(x, X509_VERSION_3) || !X509_set_issuer_name(x, issuer) ||
        !ASN1_TIME_set(X509_getm_notBefore(x), r->not_before) ||
        !ASN1_TIME_set(X509_getm_notAfter(x), r->not_after) ||
        !X509_set_pubkey(x, private_key_pkey(r->key)))
        return failed(err, "fill a certificate");
    if (add_extensions(x, i, err) || add_names(x, r, err))
        return -1;
    if (!X509_sign(x, private_key_pkey(signer), digest_for(signer)))
        return failed(err, "sign a certificate");
    return 0;
}

static int append_certificate(X509 *x, struct buf *out, struct error *err)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    ASSERT(n > 0);
    int rc = buf_append(out, (struct bytes){der, (size_t)n});
    OPENSSL_free(der);
    return rc ? error_set(err, "the certificate is too large") : 0;
}

int issue_certificate(const struct issue_request *request, struct buf *der_out, struct error *err)
{
    struct issuing i = {.request = request};
    X509 *x = X509_new();
    ASSERT(x);
    int rc = request->not_after < request->not_before
                 ? error_set(err, "the certificate would end before it starts")
                 : read_issuer(&i, err);
    if (!rc)
        rc = fill(x, &i, err);
    if (!rc)
        rc = append_certificate(x, der_out, err);
    X509_free(i.issuer);
    X509_free(x);
    ERR_clear_error();
    return rc;
}

/* An entry for R; NULL if its serial is not hex. */
static X509_REVOKED *make_entry(const struct issue_revoked *r)
{
    BIGNUM *number = NULL;
    bool is_hex = BN_hex2bn(&number, r->serial) == (int)strlen(r->serial);
    ASN1_INTEGER *serial = is_hex && number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    ASN1_TIME *at = ASN1_TIME_set(NULL, r->at);
    ASN1_ENUMERATED *code = ASN1_ENUMERATED_new();
    X509_REVOKED *entry = X509_REVOKED_new();
    bool good = serial && at && code && entry && X509_REVOKED_set_serialNumber(entry, serial) &&
                X509_REVOKED_set_revocationDate(entry, at) &&
                ASN1_ENUMERATED_set(code, (long)r->reason);
    /* §5.3.1: unspecified is said by leaving the extension out. */
    if (good && r->reason)
        good = X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, code, 0, 0) == 1;
    if (!good) {
        X509_REVOKED_free(entry);
        entry = NULL;
    }
    ASN1_ENUMERATED_free(code);
    ASN1_TIME_free(at);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return entry;
}

static int add_entries(X509_CRL *x, const struct issue_crl_request *r, struct error *err)
{
    for (size_t i = 0; i < r->revoked_n; i++) {
        X509_REVOKED *entry = make_entry(&r->revoked[i]);
        if (!entry)
            return error_set(err, "cannot revoke serial \"%s\"; give a serial number in hex",
                r->revoked[i].serial);
        ASSERT(X509_CRL_add0_revoked(x, entry));
    }
    return 0;
}

/* RFC 5280 §5.2.1 and §5.2.3: both are demanded of every CRL. */
static bool add_crl_extensions(X509_CRL *x, X509 *ca, const struct issue_crl_request *r)
{
    X509V3_CTX context = {0}; /* X509V3_set_ctx leaves members as they are */
    X509V3_set_ctx(&context, ca, NULL, NULL, x, 0);
    X509_EXTENSION *authority =
        X509V3_EXT_nconf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool added = authority && X509_CRL_add_ext(x, authority, -1) && number &&
                 ASN1_INTEGER_set_uint64(number, r->number) &&
                 X509_CRL_add1_ext_i2d(x, NID_crl_number, number, 0, 0) == 1;
    ASN1_INTEGER_free(number);
    X509_EXTENSION_free(authority);
    return added;
}

static int fill_crl(X509_CRL *x, X509 *ca, const struct issue_crl_request *r, struct error *err)
{
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, r->this_update);
    ASN1_TIME *next_update = ASN1_TIME_set(NULL, r->next_update);
    bool filled = this_update && next_update && X509_CRL_set_version(x, X509_CRL_VERSION_2) &&
                  X509_CRL_set_issuer_name(x, X509_get_subject_name(ca)) &&
                  X509_CRL_set1_lastUpdate(x, this_update) &&
                  X509_CRL_set1_nextUpdate(x, next_update) && add_crl_extensions(x, ca, r);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    if (!filled)
        return failed(err, "fill a certificate revocation list");
    if (add_entries(x, r, err))
        return -1;
    X509_CRL_sort(x);
    if (!X509_CRL_sign(x, private_key_pkey(r->ca_key), digest_for(r->ca_key)))
        return failed(err, "sign a certificate revocation list");
    return 0;
}

static int append_pem(X509_CRL *x, struct buf *out, struct error *err)
{
    BIO *text = BIO_new(BIO_s_mem());
    ASSERT(text && PEM_write_bio_X509_CRL(text, x));
    char *at;
    long n = BIO_get_mem_data(text, &at);
    int rc = buf_append(out, (struct bytes){(const uint8_t *)at, (size_t)n});
    BIO_free(text);
    return rc ? error_set(err, "the certificate revocation list is too large") : 0;
}

static int check_crl_issuer(X509 *ca, const struct private_key *key, struct error *err)
{
    char subject[SUBJECT_TEXT_MAX];
    if (X509_check_private_key(ca, private_key_pkey(key)) != 1)
        return error_set(err, "the private key does not belong to the certificate of %s",
            subject_of(ca, subject));
    /* All bits are set where there is no keyUsage (RFC 5280 §4.2.1.3). */
    if (!(X509_get_extension_flags(ca) & EXFLAG_CA) || !(X509_get_key_usage(ca) & KU_CRL_SIGN))
        return error_set(
            err, "%s may not sign CRLs; use a CA with keyUsage cRLSign", subject_of(ca, subject));
    return 0;
}

int issue_crl(const struct issue_crl_request *request, struct buf *pem_out, struct error *err)
{
    X509 *ca = native_x509(request->ca);
    X509_CRL *x = X509_CRL_new();
    ASSERT(x);
    int rc = ca ? check_crl_issuer(ca, request->ca_key, err)
                : failed(err, "read the certificate of the issuer");
    if (!rc)
        rc = fill_crl(x, ca, request, err);
    if (!rc)
        rc = append_pem(x, pem_out, err);
    X509_CRL_free(x);
    X509_free(ca);
    ERR_clear_error();
    return rc;
}
