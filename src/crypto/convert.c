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

int convert_certificate_pem(struct bytes der, struct buf *out)
{
    return append_pem(PEM_STRING_X509, der, out);
}

int convert_crl_pem(struct bytes der, struct buf *out)
{
    return append_pem(PEM_STRING_X509_CRL, der, out);
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

/* ---- libcrypto's objects ---- */

static void free_stack(STACK_OF(X509) * all)
{
    sk_X509_pop_free(all, X509_free);
}

/* NULL and ERR if one cannot be read. L may be NULL. */
static STACK_OF(X509) * stack_of(const struct encoding_list *l, struct error *err)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    ASSERT(all);
    for (size_t i = 0; l && i < l->n; i++) {
        X509 *x = native_x509(l->at[i]);
        if (!x) {
            error_set(err, "cannot read certificate %zu: %s", i + 1, native_reason());
            free_stack(all);
            return NULL;
        }
        ASSERT(sk_X509_push(all, x));
    }
    return all;
}

static void add_native(struct encoding_list *l, X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    ASSERT(n > 0);
    encoding_list_add(l, (struct bytes){der, (size_t)n});
    OPENSSL_free(der);
}

static void add_all(struct encoding_list *l, const STACK_OF(X509) * all)
{
    for (int i = 0; i < sk_X509_num(all); i++)
        add_native(l, sk_X509_value(all, i));
}

/* ---- PKCS#12 ---- */

static int write_pkcs12(const struct convert_pkcs12 *what, X509 *own, STACK_OF(X509) * chain,
    struct buf *der_out, struct error *err)
{
    if (X509_check_private_key(own, private_key_pkey(what->key)) != 1)
        return error_set(err, "the private key does not belong to the certificate");
    PKCS12 *p12 = PKCS12_create(what->password, what->friendly_name, private_key_pkey(what->key),
        own, chain, NID_aes_256_cbc, NID_aes_256_cbc, PKCS12_ITERATIONS, PKCS12_ITERATIONS, 0);
    if (!p12)
        return error_set(err, "cannot write PKCS#12: %s", native_reason());
    BIO *der = new_bio();
    ASSERT(i2d_PKCS12_bio(der, p12));
    PKCS12_free(p12);
    return append_bio(der, der_out) ? error_set(err, "the PKCS#12 file is too large") : 0;
}

int convert_pkcs12_write(const struct convert_pkcs12 *what, struct buf *der_out, struct error *err)
{
    X509 *own = native_x509(what->certificate);
    STACK_OF(X509) *chain = stack_of(what->chain, err);
    int rc = -1;
    if (!own)
        error_set(err, "cannot read the certificate: %s", native_reason());
    else if (chain)
        rc = write_pkcs12(what, own, chain, der_out, err);
    free_stack(chain);
    X509_free(own);
    ERR_clear_error();
    return rc;
}

void convert_bundle_fini(struct convert_bundle *b)
{
    encoding_list_fini(&b->certificates);
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
        return error_set(err,
            "the password of the PKCS#12 file is wrong; give the one that it was exported with");
    }
    if (!PKCS12_parse(p12, password, &key, &own, &others))
        return error_set(err, "cannot decrypt the PKCS#12 file: %s; export it again with AES-256",
            native_reason());
    int rc = 0;
    if (own)
        add_native(&out->certificates, own);
    add_all(&out->certificates, others);
    if (key)
        rc = (out->key = private_key_from_pkey(key, err)) ? 0 : -1;
    if (!rc && !out->key && !out->certificates.n)
        rc = error_set(err, "the PKCS#12 file holds neither a certificate nor a private key");
    X509_free(own);
    free_stack(others);
    return rc;
}

int convert_pkcs12_read_modern(
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
    int rc = take_pkcs12(p12, password, out, err);
    PKCS12_free(p12);
    ERR_clear_error();
    if (rc)
        convert_bundle_fini(out);
    return rc;
}

int convert_pkcs12_read(
    struct bytes der, const char *password, struct convert_bundle *out, struct error *err)
{
    /* Files exported by older systems are encrypted with RC2 or 3DES, which only this provider has.
     * Without it they are refused by take_pkcs12. */
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
    int rc = convert_pkcs12_read_modern(der, password, out, err);
    if (legacy)
        OSSL_PROVIDER_unload(legacy);
    ERR_clear_error();
    return rc;
}

/* ---- PKCS#7 ---- */

static int add_pkcs7(struct encoding_list *l, struct bytes der, struct error *err)
{
    const uint8_t *at = der.at;
    PKCS7 *p7 = d2i_PKCS7(NULL, &at, (long)der.n);
    int rc = 0;
    if (!p7)
        rc = error_set(err, "malformed PKCS#7: %s", native_reason());
    else if (!PKCS7_type_is_signed(p7) || !p7->d.sign)
        rc = error_set(
            err, "this PKCS#7 holds no certificates; export it again as a certificate chain");
    else
        add_all(l, p7->d.sign->cert);
    PKCS7_free(p7);
    return rc;
}

static int read_pkcs7_pem(struct bytes file, struct encoding_list *out, struct error *err)
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

int convert_pkcs7_read(struct bytes file, struct encoding_list *out, struct error *err)
{
    *out = (struct encoding_list){0};
    if (file.n > PEM_READER_MAX)
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
        encoding_list_fini(out);
    ERR_clear_error();
    return rc;
}

int convert_pkcs7_write(const struct encoding_list *l, struct buf *out, struct error *err)
{
    STACK_OF(X509) *all = stack_of(l, err);
    if (!all)
        return -1;
    PKCS7 *p7 = PKCS7_new();
    ASSERT(p7 && PKCS7_set_type(p7, NID_pkcs7_signed) && PKCS7_content_new(p7, NID_pkcs7_data));
    /* No content: what is signed, by nobody, is absent (RFC 2315 §9.1, the "degenerate" case). */
    ASSERT(PKCS7_set_detached(p7, 1));
    for (int i = 0; i < sk_X509_num(all); i++)
        ASSERT(PKCS7_add_certificate(p7, sk_X509_value(all, i)));
    free_stack(all);
    BIO *text = new_bio();
    ASSERT(PEM_write_bio_PKCS7(text, p7));
    PKCS7_free(p7);
    return append_bio(text, out) ? error_set(err, "the PKCS#7 file is too large") : 0;
}
