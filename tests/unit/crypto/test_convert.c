/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/pkcs12.h>

#include "crypto/convert.h"
#include "crypto/pem_reader.h"
#include "fixture.h"

#include "base/ban.h"

static struct issued root, sub, leaf;
static struct buf out;

static void make_all(void)
{
    root = issue_fixture(ISSUE_CA, "Root", NULL, NULL);
    sub = issue_fixture(ISSUE_INTERMEDIATE, "Sub", NULL, &root);
    leaf = issue_fixture(ISSUE_CLIENT, "leaf", "DNS:leaf.example", &sub);
    buf_init(&out, 1 << 20);
}

static void drop_all(void)
{
    issued_fini(&root);
    issued_fini(&sub);
    issued_fini(&leaf);
    buf_fini(&out);
}

/* Is FILE one PEM block of KIND around DER? */
static bool is_pem_of(struct bytes file, enum file_kind kind, struct bytes der)
{
    struct pem_reader reader;
    struct pem_block block;
    pem_reader_init(&reader, file);
    bool is_it = pem_reader_next(&reader, &block) == PEM_BLOCK && block.kind == kind &&
                 bytes_equal(block.der, der);
    is_it &= pem_reader_next(&reader, &block) == PEM_END;
    pem_reader_fini(&reader);
    return is_it;
}

static struct encoding_list list_of(
    const struct issued *a, const struct issued *b, const struct issued *c)
{
    struct encoding_list l = {0};
    const struct issued *all[] = {a, b, c};
    for (size_t i = 0; i < 3; i++)
        if (all[i])
            encoding_list_add(&l, issued_der(all[i]));
    return l;
}

/* Are they the same certificates, in any order? */
static bool holds_all(const struct encoding_list *l, const struct encoding_list *want)
{
    size_t found = 0;
    for (size_t i = 0; i < want->n; i++)
        for (size_t k = 0; k < l->n; k++)
            found += bytes_equal(want->at[i], l->at[k]);
    return found == want->n && l->n == want->n;
}

TEST(certificate_in_pem)
{
    make_all();
    CHECK_INT(convert_certificate_pem(issued_der(&leaf), &out), 0);
    CHECK(bytes_starts_with(buf_bytes(&out), BYTES("-----BEGIN CERTIFICATE-----\n")));
    CHECK(bytes_ends_with(buf_bytes(&out), BYTES("\n-----END CERTIFICATE-----\n")));
    CHECK(is_pem_of(buf_bytes(&out), FILE_CERTIFICATE, issued_der(&leaf)));
    drop_all();
}

TEST(key_in_pem_is_pkcs8)
{
    make_all();
    CHECK_INT(convert_key_pem(leaf.key, &out), 0);
    CHECK(bytes_starts_with(buf_bytes(&out), BYTES("-----BEGIN PRIVATE KEY-----\n")));
    drop_all();
}

TEST(a_full_buf_is_reported)
{
    make_all();
    struct buf small;
    buf_init(&small, 10);
    CHECK_INT(convert_certificate_pem(issued_der(&leaf), &small), -1);
    CHECK_INT(convert_key_pem(leaf.key, &small), -1);
    CHECK_INT(buf_size(&small), 0);
    buf_fini(&small);
    drop_all();
}

TEST(pkcs12_round_trip)
{
    make_all();
    struct error err;
    struct convert_bundle b;
    struct encoding_list chain = list_of(&sub, &root, NULL), all = list_of(&leaf, &sub, &root);
    struct convert_pkcs12 what = {issued_der(&leaf), leaf.key, &chain, "secret", "alice"};
    CHECK_INT(convert_pkcs12_write(&what, &out, &err), 0);
    CHECK_INT(convert_pkcs12_read(buf_bytes(&out), "secret", &b, &err), 0);
    CHECK(b.key && EVP_PKEY_eq(private_key_pkey(b.key), private_key_pkey(leaf.key)) == 1);
    CHECK(holds_all(&b.certificates, &all));
    CHECK(bytes_equal(b.certificates.at[0], issued_der(&leaf)));
    convert_bundle_fini(&b);

    CHECK_INT(convert_pkcs12_read(buf_bytes(&out), "wrong", &b, &err), -1);
    CHECK(strstr(err.text, "password of the PKCS#12 file is wrong") != NULL);
    for (size_t n = 0; n < buf_size(&out); n += 7)
        CHECK_INT(convert_pkcs12_read(bytes_first(buf_bytes(&out), n), "secret", &b, &err), -1);
    CHECK_INT(ERR_peek_error(), 0);
    encoding_list_fini(&chain);
    encoding_list_fini(&all);
    drop_all();
}

TEST(pkcs12_is_modern)
{
    make_all();
    struct error err;
    struct convert_pkcs12 what = {issued_der(&leaf), leaf.key, NULL, "secret", NULL};
    MUST(convert_pkcs12_write(&what, &out, &err) == 0);
    const uint8_t aes_256_cbc[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
    const uint8_t hmac_sha256[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09};
    const uint8_t sha256[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
    struct bytes der = buf_bytes(&out);
    CHECK(memmem(der.at, der.n, aes_256_cbc, sizeof(aes_256_cbc)) != NULL);
    CHECK(memmem(der.at, der.n, hmac_sha256, sizeof(hmac_sha256)) != NULL);
    CHECK(memmem(der.at, der.n, sha256, sizeof(sha256)) != NULL); /* of the MAC */
    drop_all();
}

TEST(pkcs12_of_a_foreign_key_is_refused)
{
    make_all();
    struct error err;
    struct convert_pkcs12 what = {issued_der(&leaf), sub.key, NULL, "secret", NULL};
    CHECK_INT(convert_pkcs12_write(&what, &out, &err), -1);
    CHECK(strstr(err.text, "does not belong") != NULL);
    struct convert_bundle b;
    CHECK_INT(convert_pkcs12_read(issued_der(&leaf), "x", &b, &err), -1);
    CHECK(strstr(err.text, "looks like a certificate") != NULL);
    drop_all();
}

TEST(pkcs7_round_trip)
{
    make_all();
    struct error err;
    struct encoding_list l = list_of(&leaf, &sub, &root), again;
    CHECK_INT(convert_pkcs7_write(&l, &out, &err), 0);
    CHECK(bytes_starts_with(buf_bytes(&out), BYTES("-----BEGIN PKCS7-----\n")));
    CHECK_INT(convert_pkcs7_read(buf_bytes(&out), &again, &err), 0);
    CHECK(holds_all(&again, &l));
    encoding_list_fini(&again);

    BIO *pem = BIO_new_mem_buf(buf_bytes(&out).at, (int)buf_size(&out));
    PKCS7 *p7 = PEM_read_bio_PKCS7(pem, NULL, NULL, NULL);
    uint8_t *der = NULL;
    int n = i2d_PKCS7(p7, &der);
    MUST(n > 0);
    for (int size = 0; size < n; size += 5)
        CHECK_INT(convert_pkcs7_read((struct bytes){der, (size_t)size}, &again, &err), -1);
    CHECK_INT(convert_pkcs7_read((struct bytes){der, (size_t)n}, &again, &err), 0);
    CHECK_INT(again.n, 3);
    encoding_list_fini(&again);
    OPENSSL_free(der);
    PKCS7_free(p7);
    BIO_free(pem);
    CHECK_INT(convert_pkcs7_read(BYTES("hello"), &again, &err), -1);
    encoding_list_fini(&l);
    drop_all();
}

TEST(unreadable_certificates_are_refused)
{
    make_all();
    struct error err;
    struct encoding_list broken = list_of(&leaf, NULL, NULL);
    encoding_list_add(&broken, bytes_first(issued_der(&root), 100));
    CHECK_INT(convert_pkcs7_write(&broken, &out, &err), -1);
    CHECK(strstr(err.text, "cannot read certificate 2") != NULL);
    struct convert_pkcs12 what = {issued_der(&leaf), leaf.key, &broken, "secret", NULL};
    CHECK_INT(convert_pkcs12_write(&what, &out, &err), -1);
    CHECK(strstr(err.text, "cannot read certificate 2") != NULL);
    what = (struct convert_pkcs12){broken.at[1], leaf.key, NULL, "secret", NULL};
    CHECK_INT(convert_pkcs12_write(&what, &out, &err), -1);
    CHECK(strstr(err.text, "cannot read the certificate") != NULL);
    CHECK_INT(buf_size(&out), 0);
    encoding_list_fini(&broken);
    drop_all();
}

TEST(crl_in_pem)
{
    make_all();
    struct error err;
    struct bytes der = BYTES("\x30\x03\x02\x01\x00"); /* what it says is not looked at */
    struct issue_crl_request r = {issued_der(&root), root.key, NULL, 0, 1, NOW, NOW + DAY};
    CHECK_INT(convert_crl_pem(der, &out), 0);
    CHECK(is_pem_of(buf_bytes(&out), FILE_CRL, der));
    buf_clear(&out);
    MUST(issue_crl(&r, &out, &err) == 0);
    CHECK(bytes_starts_with(buf_bytes(&out), BYTES("-----BEGIN X509 CRL-----\n")));
    drop_all();
}
