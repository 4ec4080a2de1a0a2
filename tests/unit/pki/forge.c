/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <stdarg.h>
#include <stdlib.h>

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/panic.h"

#define FORGED_MAX 64

static struct {
    struct forged at[FORGED_MAX];
    X509 *x509[FORGED_MAX];
    size_t n;
    long serial;
    struct arena arena;
} made;

static X509 *x509_of(const struct forged *f)
{
    return made.x509[f - made.at];
}

static ASN1_TIME *time_of(int64_t wall_s)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, wall_s);
    ASSERT(t);
    return t;
}

/* What WRITE put into the BIO, kept until the reset. */
static struct bytes keep(BIO *bio)
{
    char *at;
    long n = BIO_get_mem_data(bio, &at);
    ASSERT(n > 0);
    struct bytes kept = arena_copy(&made.arena, (struct bytes){(const uint8_t *)at, (size_t)n});
    BIO_free(bio);
    return kept;
}

static void set_name(X509_NAME *name, const char *cn)
{
    ASSERT(X509_NAME_add_entry_by_txt(
        name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0));
}

static void set_time(X509 *x, int64_t not_before, int64_t not_after)
{
    ASN1_TIME *from = time_of(not_before ? not_before : FORGE_NOW - 30 * FORGE_DAY),
              *to = time_of(not_after ? not_after : FORGE_NOW + 30 * FORGE_DAY);
    ASSERT(X509_set1_notBefore(x, from) && X509_set1_notAfter(x, to));
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

static void add_extensions(X509 *x, X509 *issuer, const struct forge_extension *list, size_t n)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    for (size_t i = 0; i < n && list[i].name; i++) {
        X509_EXTENSION *e = X509V3_EXT_conf(NULL, &context, list[i].name, list[i].value);
        ASSERT(e && X509_add_ext(x, e, -1));
        X509_EXTENSION_free(e);
    }
}

static EVP_PKEY *key_for(const struct forge_request *request)
{
    if (request->key_of) {
        ASSERT(EVP_PKEY_up_ref(request->key_of->key));
        return request->key_of->key;
    }
    return request->rsa_bits ? EVP_RSA_gen(request->rsa_bits) : EVP_EC_gen("P-256");
}

/* The signature is the last thing in a certificate. */
static struct certificate *parse(X509 *x, bool is_damaged)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    struct error err = {""};
    ASSERT(n > 0);
    if (is_damaged)
        der[n - 1] ^= 1;
    struct certificate *c = certificate_parse((struct bytes){der, (size_t)n}, &err);
    OPENSSL_free(der);
    if (!c)
        panic("%s", err.text);
    return c;
}

const struct forged *forge_certificate(const struct forge_request *request)
{
    ASSERT(made.n < FORGED_MAX);
    X509 *x = X509_new();
    EVP_PKEY *key = key_for(request);
    ASSERT(x && key && X509_set_version(x, X509_VERSION_3) && X509_set_pubkey(x, key));
    ASSERT(ASN1_INTEGER_set(
        X509_get_serialNumber(x), request->serial ? request->serial : ++made.serial));
    set_name(X509_get_subject_name(x), request->cn);
    X509 *issuer = request->issuer ? x509_of(request->issuer) : x;
    ASSERT(X509_set_issuer_name(x, X509_get_subject_name(issuer)));
    set_time(x, request->not_before, request->not_after);
    add_extensions(x, issuer, request->extensions, COUNT_OF(request->extensions));
    ASSERT(X509_sign(x, request->issuer ? request->issuer->key : key,
        request->use_sha1 ? EVP_sha1() : EVP_sha256()));
    made.x509[made.n] = x;
    made.at[made.n] = (struct forged){parse(x, request->is_damaged), key};
    return &made.at[made.n++];
}

const struct forged *forge_ca(const char *cn, const struct forged *issuer)
{
    return forge_certificate(&(struct forge_request){.cn = cn,
        .issuer = issuer,
        .extensions = {{"basicConstraints", "critical,CA:TRUE"},
            {"keyUsage", "critical,keyCertSign,cRLSign"}, {"subjectKeyIdentifier", "hash"}}});
}

const struct forged *forge_leaf(const char *cn, const struct forged *issuer, const char *san)
{
    return forge_certificate(&(struct forge_request){.cn = cn,
        .issuer = issuer,
        .extensions = {{"subjectAltName", san}, {"extendedKeyUsage", "serverAuth,clientAuth"},
            {"keyUsage", "critical,digitalSignature"}}});
}

struct bytes forge_pem(const struct forged *first, ...)
{
    BIO *bio = BIO_new(BIO_s_mem());
    va_list args;
    va_start(args, first);
    for (const struct forged *f = first; f; f = va_arg(args, const struct forged *))
        ASSERT(PEM_write_bio_X509(bio, x509_of(f)));
    va_end(args);
    return keep(bio);
}

struct bytes forge_key_pem(const struct forged *of)
{
    BIO *bio = BIO_new(BIO_s_mem());
    ASSERT(PEM_write_bio_PKCS8PrivateKey(bio, of->key, NULL, NULL, 0, NULL, NULL));
    return keep(bio);
}

static void add_revoked(X509_CRL *crl, const struct forged *revoked)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *at = time_of(FORGE_NOW - FORGE_DAY);
    ASN1_ENUMERATED *why = ASN1_ENUMERATED_new();
    ASSERT(entry && why && ASN1_ENUMERATED_set(why, CRL_REASON_KEY_COMPROMISE));
    ASSERT(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(x509_of(revoked))) &&
           X509_REVOKED_set_revocationDate(entry, at) &&
           X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, why, 0, 0) == 1 &&
           X509_CRL_add0_revoked(crl, entry));
    ASN1_ENUMERATED_free(why);
    ASN1_TIME_free(at);
}

struct bytes forge_crl(const struct forged *issuer, int64_t this_update, int64_t next_update,
    const struct forged *revoked)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = time_of(this_update), *to = time_of(next_update);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASSERT(crl && number && ASN1_INTEGER_set(number, 17) &&
           X509_CRL_set_version(crl, X509_CRL_VERSION_2));
    ASSERT(X509_CRL_set_issuer_name(crl, X509_get_subject_name(x509_of(issuer))) &&
           X509_CRL_set1_lastUpdate(crl, from) &&
           (!next_update || X509_CRL_set1_nextUpdate(crl, to)) &&
           X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1);
    if (revoked)
        add_revoked(crl, revoked);
    ASSERT(X509_CRL_sort(crl) && X509_CRL_sign(crl, issuer->key, EVP_sha256()));
    BIO *bio = BIO_new(BIO_s_mem());
    ASSERT(i2d_X509_CRL_bio(bio, crl));
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(crl);
    return keep(bio);
}

struct bytes forge_ocsp(
    const struct forged *issuer, const struct forged *about, enum ocsp_status status)
{
    static const int native[] = {[OCSP_GOOD] = V_OCSP_CERTSTATUS_GOOD,
        [OCSP_REVOKED] = V_OCSP_CERTSTATUS_REVOKED,
        [OCSP_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN};
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), x509_of(about), x509_of(issuer));
    ASN1_TIME *from = time_of(FORGE_NOW - FORGE_DAY), *to = time_of(FORGE_NOW + FORGE_DAY);
    ASSERT(basic && id &&
           OCSP_basic_add1_status(
               basic, id, native[status], OCSP_REVOKED_STATUS_KEYCOMPROMISE, from, from, to) &&
           OCSP_basic_sign(basic, x509_of(issuer), issuer->key, EVP_sha256(), NULL, 0));
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char *der = NULL;
    int n = i2d_OCSP_RESPONSE(response, &der);
    ASSERT(n > 0);
    struct bytes kept = arena_copy(&made.arena, (struct bytes){der, (size_t)n});
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    return kept;
}

void forge_reset(void)
{
    for (size_t i = 0; i < made.n; i++) {
        struct certificate *c = (struct certificate *)(uintptr_t)made.at[i].certificate;
        certificate_unref(&c);
        EVP_PKEY_free(made.at[i].key);
        X509_free(made.x509[i]);
    }
    made.n = 0;
    made.serial = 0;
    arena_fini(&made.arena);
}
