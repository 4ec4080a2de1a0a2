/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/pkcs12.h>

#include "crypto/convert.h"
#include "fixture.h"

#include "base/ban.h"

static struct identity root, sub, leaf;
static struct buf out;

static void make_all(void)
{
    root = make_identity(ISSUE_CA, "Root", NULL, NULL);
    sub = make_identity(ISSUE_INTERMEDIATE, "Sub", NULL, &root);
    leaf = make_identity(ISSUE_CLIENT, "leaf", "DNS:leaf.example", &sub);
    buf_init(&out, 1 << 20);
}

static void drop_all(void)
{
    identity_fini(&root);
    identity_fini(&sub);
    identity_fini(&leaf);
    buf_fini(&out);
}

static struct certificate_list list_of(
    const struct certificate *a, const struct certificate *b, const struct certificate *c)
{
    struct certificate_list l = {0};
    const struct certificate *all[] = {a, b, c};
    for (size_t i = 0; i < 3; i++)
        if (all[i])
            certificate_list_add(&l, all[i]);
    return l;
}

TEST(certificate_in_pem)
{
    make_all();
    struct error err;
    struct certificate_list l;
    CHECK_INT(convert_certificate_pem(leaf.certificate, &out), 0);
    CHECK(bytes_starts_with(buf_bytes(&out), BYTES("-----BEGIN CERTIFICATE-----\n")));
    CHECK(bytes_ends_with(buf_bytes(&out), BYTES("\n-----END CERTIFICATE-----\n")));
    CHECK_INT(certificate_list_parse(buf_bytes(&out), &l, &err), 0);
    CHECK(l.n == 1 && certificate_equal(l.at[0], leaf.certificate));
    certificate_list_fini(&l);
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
    CHECK_INT(convert_certificate_pem(leaf.certificate, &small), -1);
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
    struct certificate_list chain = list_of(sub.certificate, root.certificate, NULL);
    struct convert_pkcs12 what = {leaf.certificate, leaf.key, &chain, "secret", "alice"};
    CHECK_INT(convert_pkcs12_write(&what, &out, &err), 0);
    CHECK_INT(convert_pkcs12_read(buf_bytes(&out), "secret", &b, &err), 0);
    CHECK(b.key && private_key_matches(b.key, leaf.certificate));
    CHECK_INT(b.certificates.n, 3);
    CHECK(b.certificates.n == 3 && certificate_equal(b.certificates.at[0], leaf.certificate));
    CHECK_INT(convert_order_chain(&b.certificates, &err), 0);
    CHECK(certificate_equal(b.certificates.at[2], root.certificate));
    convert_bundle_fini(&b);

    CHECK_INT(convert_pkcs12_read(buf_bytes(&out), "wrong", &b, &err), -1);
    CHECK(strstr(err.text, "password of the PKCS#12 file is wrong") != NULL);
    for (size_t n = 0; n < buf_size(&out); n += 7)
        CHECK_INT(convert_pkcs12_read(bytes_first(buf_bytes(&out), n), "secret", &b, &err), -1);
    CHECK_INT(ERR_peek_error(), 0);
    certificate_list_fini(&chain);
    drop_all();
}

TEST(pkcs12_is_modern)
{
    make_all();
    struct error err;
    struct convert_pkcs12 what = {leaf.certificate, leaf.key, NULL, "secret", NULL};
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
    struct convert_pkcs12 what = {leaf.certificate, sub.key, NULL, "secret", NULL};
    CHECK_INT(convert_pkcs12_write(&what, &out, &err), -1);
    CHECK(strstr(err.text, "does not belong") != NULL);
    struct convert_bundle b;
    CHECK_INT(convert_pkcs12_read(certificate_der(leaf.certificate), "x", &b, &err), -1);
    CHECK(strstr(err.text, "looks like a certificate") != NULL);
    drop_all();
}

TEST(pkcs7_round_trip)
{
    make_all();
    struct error err;
    struct certificate_list l = list_of(leaf.certificate, sub.certificate, root.certificate), again;
    CHECK_INT(convert_pkcs7_write(&l, &out, &err), 0);
    CHECK(bytes_starts_with(buf_bytes(&out), BYTES("-----BEGIN PKCS7-----\n")));
    CHECK_INT(convert_pkcs7_read(buf_bytes(&out), &again, &err), 0);
    CHECK_INT(again.n, 3);
    CHECK_INT(convert_order_chain(&again, &err), 0);
    for (size_t i = 0; i < again.n; i++)
        CHECK(certificate_equal(again.at[i], l.at[i]));
    certificate_list_fini(&again);

    BIO *pem = BIO_new_mem_buf(buf_bytes(&out).at, (int)buf_size(&out));
    PKCS7 *p7 = PEM_read_bio_PKCS7(pem, NULL, NULL, NULL);
    uint8_t *der = NULL;
    int n = i2d_PKCS7(p7, &der);
    MUST(n > 0);
    for (int size = 0; size < n; size += 5)
        CHECK_INT(convert_pkcs7_read((struct bytes){der, (size_t)size}, &again, &err), -1);
    CHECK_INT(convert_pkcs7_read((struct bytes){der, (size_t)n}, &again, &err), 0);
    CHECK_INT(again.n, 3);
    certificate_list_fini(&again);
    OPENSSL_free(der);
    PKCS7_free(p7);
    BIO_free(pem);
    CHECK_INT(convert_pkcs7_read(BYTES("hello"), &again, &err), -1);
    certificate_list_fini(&l);
    drop_all();
}

TEST(crl_between_der_and_pem)
{
    make_all();
    struct error err;
    struct crl_list l, again;
    struct buf pem;
    struct issue_crl_request r = {root.certificate, root.key, NULL, 0, 1, NOW, NOW + DAY};
    MUST(issue_crl(&r, &out, &err) == 0 && crl_list_parse(buf_bytes(&out), &l, &err) == 0);
    CHECK_INT(crl_list_parse(crl_der(l.at[0]), &again, &err), 0);
    buf_init(&pem, 1 << 16);
    CHECK_INT(convert_crl_pem(again.at[0], &pem), 0);
    CHECK(bytes_equal(buf_bytes(&pem), buf_bytes(&out)));
    buf_fini(&pem);
    crl_list_fini(&again);
    crl_list_fini(&l);
    drop_all();
}

TEST(order_of_a_chain)
{
    make_all();
    struct error err;
    const struct certificate *c[] = {leaf.certificate, sub.certificate, root.certificate};
    static const int orders[][3] = {
        {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        struct certificate_list l = list_of(c[orders[i][0]], c[orders[i][1]], c[orders[i][2]]);
        certificate_list_add(&l, c[orders[i][0]]); /* a duplicate */
        CHECK_INT(convert_order_chain(&l, &err), 0);
        CHECK_INT(l.n, 3);
        for (size_t k = 0; k < 3; k++)
            CHECK(l.at[k] == c[k]);
        certificate_list_fini(&l);
    }
    drop_all();
}

TEST(order_of_cas_alone)
{
    make_all();
    struct error err;
    struct certificate_list l = list_of(root.certificate, sub.certificate, NULL);
    CHECK_INT(convert_order_chain(&l, &err), 0);
    CHECK(l.n == 2 && l.at[0] == sub.certificate);
    certificate_list_fini(&l);
    drop_all();
}

TEST(order_without_a_chain)
{
    make_all();
    struct error err;
    struct identity stranger = make_identity(ISSUE_CLIENT, "stranger", "DNS:s.example", NULL);
    struct certificate_list l = list_of(stranger.certificate, sub.certificate, leaf.certificate);
    CHECK_INT(convert_order_chain(&l, &err), -1);
    CHECK(strstr(err.text, "is not part of the chain of") != NULL);
    CHECK_INT(l.n, 3);
    certificate_list_fini(&l);
    l = list_of(root.certificate, leaf.certificate, NULL); /* the intermediate is missing */
    CHECK_INT(convert_order_chain(&l, &err), -1);
    CHECK(strstr(err.text, "CN=Root is not part of the chain of CN=leaf") != NULL);
    certificate_list_fini(&l);
    CHECK_INT(convert_order_chain(&l, &err), 0); /* empty */
    identity_fini(&stranger);
    drop_all();
}
