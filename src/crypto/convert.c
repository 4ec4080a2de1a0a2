/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/convert.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/provider.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/decode.h"
#include "crypto/file_kind.h"
#include "crypto/native.h"
#include "crypto/pem_reader.h"

#include "base/ban.h"

#define PKCS12_ITERATIONS 100000

/* Moves what a memory BIO holds to the end of OUT. */
static int append_bio(BIO *from, struct buf *out)
{
    char *at;
    long n = BIO_get_mem_data(from, &at);
    int rc = buf_append(out, (struct bytes){(const uint8_t *)at, (size_t)n});
    BIO_free(from);
    return rc;
}

/* A memory BIO, wiped when it is freed. */
static BIO *new_bio(void)
{
    BIO *b = BIO_new(BIO_s_secmem());
    ASSERT(b);
    return b;
}

static int append_pem(const char *label, struct bytes der, struct buf *out)
{
    BIO *text = new_bio();
    ASSERT(der.n <= LONG_MAX && PEM_write_bio(text, label, "", der.at, (long)der.n) > 0);
    return append_bio(text, out);
}

int convert_certificate_pem(const struct certificate *c, struct buf *out)
{
    return append_pem(PEM_STRING_X509, certificate_der(c), out);
}

int convert_crl_pem(const struct crl *c, struct buf *out)
{
    return append_pem(PEM_STRING_X509_CRL, crl_der(c), out);
}

int convert_key_pem(const struct private_key *k, struct buf *out)
{
    BIO *text = new_bio();
    ASSERT(PEM_write_bio_PKCS8PrivateKey(text, private_key_pkey(k), NULL, NULL, 0, NULL, NULL));
    return append_bio(text, out);
}

int convert_key_der(const struct private_key *k, struct buf *out)
{
    BIO *der = new_bio();
    ASSERT(i2d_PKCS8PrivateKey_bio(der, private_key_pkey(k), NULL, NULL, 0, NULL, NULL));
    return append_bio(der, out);
}

static STACK_OF(X509) * borrow(const struct certificate_list *l)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    ASSERT(all);
    for (size_t i = 0; l && i < l->n; i++)
        ASSERT(sk_X509_push(all, certificate_x509(l->at[i])));
    return all;
}

int convert_pkcs12_write(const struct convert_pkcs12 *what, struct buf *der_out, struct error *err)
{
    if (!private_key_matches(what->key, what->certificate))
        return error_set(err, "the private key does not belong to the certificate of %s",
            certificate_facts(what->certificate)->subject);
    STACK_OF(X509) *chain = borrow(what->chain);
    PKCS12 *p12 = PKCS12_create(what->password, what->friendly_name, private_key_pkey(what->key),
        certificate_x509(what->certificate), chain, NID_aes_256_cbc, NID_aes_256_cbc,
        PKCS12_ITERATIONS, PKCS12_ITERATIONS, 0);
    sk_X509_free(chain);
    if (!p12)
        return error_set(err, "cannot write PKCS#12: %s", decode_libcrypto_reason());
    BIO *der = new_bio();
    ASSERT(i2d_PKCS12_bio(der, p12));
    PKCS12_free(p12);
    ERR_clear_error();
    return append_bio(der, der_out) ? error_set(err, "the PKCS#12 file is too large") : 0;
}

static int add_native(struct certificate_list *l, X509 *x, struct error *err)
{
    struct certificate *c = certificate_from_x509(x, err);
    if (!c)
        return -1;
    certificate_list_add(l, c);
    certificate_unref(&c);
    return 0;
}

static int add_all(struct certificate_list *l, const STACK_OF(X509) * all, struct error *err)
{
    for (int i = 0; i < sk_X509_num(all); i++)
        if (add_native(l, sk_X509_value(all, i), err))
            return -1;
    return 0;
}

void convert_bundle_fini(struct convert_bundle *b)
{
    certificate_list_fini(&b->certificates);
    private_key_unref(&b->key);
}

static int take_pkcs12(
    PKCS12 *p12, const char *password, struct convert_bundle *out, struct error *err)
{
    EVP_PKEY *key = NULL;
    X509 *own = NULL;
    STACK_OF(X509) *others = NULL;
    if (!PKCS12_verify_mac(p12, password, -1) && !PKCS12_verify_mac(p12, NULL, 0)) {
        ERR_clear_error();
        return error_set(err, "the password of the PKCS#12 file is wrong");
    }
    if (!PKCS12_parse(p12, password, &key, &own, &others))
        return error_set(err, "cannot decrypt the PKCS#12 file: %s; export it again with AES-256",
            decode_libcrypto_reason());
    int rc = own ? add_native(&out->certificates, own, err) : 0;
    if (!rc)
        rc = add_all(&out->certificates, others, err);
    if (key && !rc)
        rc = (out->key = private_key_from_pkey(key, err)) ? 0 : -1;
    else
        EVP_PKEY_free(key);
    if (!rc && !out->key && !out->certificates.n)
        rc = error_set(err, "the PKCS#12 file holds neither a certificate nor a private key");
    X509_free(own);
    sk_X509_pop_free(others, X509_free);
    return rc;
}

int convert_pkcs12_read(
    struct bytes der, const char *password, struct convert_bundle *out, struct error *err)
{
    *out = (struct convert_bundle){0};
    const uint8_t *at = der.at;
    PKCS12 *p12 = der.n && der.n <= INT_MAX ? d2i_PKCS12(NULL, &at, (long)der.n) : NULL;
    if (!p12) {
        enum file_kind kind = file_kind_of_der(der);
        ERR_clear_error();
        return kind == FILE_PKCS12 ? error_set(err, "the PKCS#12 file is damaged; export it again")
                                   : file_kind_refuse(kind, "PKCS#12", err);
    }
    /* Files exported by older systems are encrypted with RC2 or 3DES, which only this provider has.
     * Without it they are refused by take_pkcs12. */
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
    int rc = take_pkcs12(p12, password, out, err);
    if (legacy)
        OSSL_PROVIDER_unload(legacy);
    PKCS12_free(p12);
    ERR_clear_error();
    if (rc)
        convert_bundle_fini(out);
    return rc;
}

static int add_pkcs7(struct certificate_list *l, struct bytes der, struct error *err)
{
    const uint8_t *at = der.at;
    PKCS7 *p7 = d2i_PKCS7(NULL, &at, (long)der.n);
    int rc;
    if (!p7)
        rc = error_set(err, "malformed PKCS#7: %s", decode_libcrypto_reason());
    else if (!PKCS7_type_is_signed(p7) || !p7->d.sign)
        rc = error_set(
            err, "this PKCS#7 holds no certificates; export it again as a certificate chain");
    else
        rc = add_all(l, p7->d.sign->cert, err);
    PKCS7_free(p7);
    return rc;
}

static int read_pkcs7_pem(struct bytes file, struct certificate_list *out, struct error *err)
{
    struct pem_reader reader;
    struct pem_block block;
    enum pem_outcome outcome;
    size_t number = 0;
    int rc = 0;
    pem_reader_init(&reader, file);
    while (!rc && (outcome = pem_reader_next(&reader, &block)) != PEM_END) {
        number++;
        if (outcome == PEM_BROKEN)
            rc = pem_reader_refuse(number, err);
        else if (block.kind == FILE_PKCS7)
            rc = add_pkcs7(out, block.der, err);
    }
    pem_reader_fini(&reader);
    return rc;
}

int convert_pkcs7_read(struct bytes file, struct certificate_list *out, struct error *err)
{
    *out = (struct certificate_list){0};
    if (file.n > INT_MAX)
        return error_set(err, "larger than 2 GB: no PKCS#7");
    enum file_kind kind = file_kind_of_der(file);
    int rc;
    if (file_kind_is_pem(file))
        rc = read_pkcs7_pem(file, out, err);
    else if (kind == FILE_PKCS7)
        rc = add_pkcs7(out, file, err);
    else
        rc = file_kind_refuse(kind, "PKCS#7", err);
    if (!rc && !out->n)
        rc = error_set(err, "holds no PKCS#7 with certificates");
    if (rc)
        certificate_list_fini(out);
    ERR_clear_error();
    return rc;
}

int convert_pkcs7_write(const struct certificate_list *l, struct buf *out, struct error *err)
{
    PKCS7 *p7 = PKCS7_new();
    ASSERT(p7 && PKCS7_set_type(p7, NID_pkcs7_signed) && PKCS7_content_new(p7, NID_pkcs7_data));
    /* No content: what is signed, by nobody, is absent (RFC 2315 §9.1, the "degenerate" case). */
    ASSERT(PKCS7_set_detached(p7, 1));
    for (size_t i = 0; i < l->n; i++)
        ASSERT(PKCS7_add_certificate(p7, certificate_x509(l->at[i])));
    BIO *text = new_bio();
    ASSERT(PEM_write_bio_PKCS7(text, p7));
    PKCS7_free(p7);
    return append_bio(text, out) ? error_set(err, "the PKCS#7 file is too large") : 0;
}

static bool holds(const struct certificate_list *l, const struct certificate *c)
{
    for (size_t i = 0; i < l->n; i++)
        if (certificate_equal(l->at[i], c))
            return true;
    return false;
}

/* The certificate of ALL that issued C and is not yet in CHAIN; NULL if there is none. */
static const struct certificate *find_issuer(const struct certificate_list *all,
    const struct certificate_list *chain, const struct certificate *c)
{
    for (size_t i = 0; i < all->n; i++)
        if (!holds(chain, all->at[i]) && certificate_issued_by(c, all->at[i]))
            return all->at[i];
    return NULL;
}

static bool issued_another(const struct certificate_list *all, const struct certificate *c)
{
    for (size_t i = 0; i < all->n; i++)
        if (!certificate_equal(all->at[i], c) && certificate_issued_by(all->at[i], c))
            return true;
    return false;
}

/* The leaf issued none of the others; of several such, an end entity comes before a CA. */
static const struct certificate *find_leaf(const struct certificate_list *all)
{
    const struct certificate *leaf = NULL;
    for (size_t i = 0; i < all->n; i++) {
        const struct certificate *c = all->at[i];
        bool better = !leaf || (certificate_facts(leaf)->is_ca && !certificate_facts(c)->is_ca);
        if (better && !issued_another(all, c))
            leaf = c;
    }
    return leaf;
}

int convert_order_chain(struct certificate_list *l, struct error *err)
{
    struct certificate_list chain = {0};
    for (const struct certificate *c = find_leaf(l); c; c = find_issuer(l, &chain, c))
        certificate_list_add(&chain, c);
    for (size_t i = 0; i < l->n; i++)
        if (!holds(&chain, l->at[i])) {
            error_set(err,
                "%s is not part of the chain of %s; leave it out, or add the missing issuer",
                certificate_facts(l->at[i])->subject,
                chain.n ? certificate_facts(chain.at[0])->subject : "any other");
            certificate_list_fini(&chain);
            return -1;
        }
    certificate_list_fini(l);
    *l = chain;
    return 0;
}
