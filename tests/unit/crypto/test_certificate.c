/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "crypto/certificate.h"
#include "crypto/convert.h"
#include "crypto/digest.h"
#include "fixture.h"

#include "base/ban.h"

/* The DER of WHO's certificate after F has changed it and ISSUER has signed it again, through
 * certificate_parse. */
typedef void spoil_fn(X509 *x);
static struct certificate *spoil(const struct identity *who, spoil_fn *f, struct error *err)
{
    X509 *x = X509_dup(certificate_x509(who->certificate));
    MUST(x);
    f(x);
    MUST(X509_sign(x, private_key_pkey(who->key), EVP_sha256()));
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    MUST(n > 0);
    *err = (struct error){0};
    struct certificate *c = certificate_parse((struct bytes){der, (size_t)n}, err);
    OPENSSL_free(der);
    X509_free(x);
    return c;
}

TEST(facts_of_a_server)
{
    struct identity ca = make_identity(ISSUE_CA, "Test CA", NULL, NULL);
    struct identity s = make_identity(ISSUE_SERVER, "www", "DNS:www.example.com", &ca);
    const struct certificate_facts *f = certificate_facts(s.certificate);
    CHECK_TEXT(f->subject, "CN=www");
    CHECK_TEXT(f->issuer, "CN=Test CA");
    CHECK_INT(strlen(f->serial), 32);
    CHECK_INT(f->not_before, NOW - DAY);
    CHECK_INT(f->not_after, NOW + DAY);
    CHECK_INT(f->key_kind, KEY_EC_P256);
    CHECK_INT(f->key_bits, 256);
    CHECK_INT(f->names_n, 1);
    CHECK(f->names_n == 1 && f->names[0].kind == NAME_DNS &&
          bytes_equal(f->names[0].value, BYTES("www.example.com")));
    CHECK(!f->is_ca && !f->is_self_issued && f->has_key_usage && f->may_sign);
    CHECK(!f->may_encipher_keys && !f->may_sign_certificates && !f->may_sign_crls);
    CHECK(f->has_extended_key_usage && f->for_server && !f->for_client);

    const struct certificate_facts *g = certificate_facts(ca.certificate);
    CHECK(g->is_ca && g->is_self_issued && g->may_sign_certificates && g->may_sign_crls);
    CHECK(!g->may_sign && !g->has_extended_key_usage && g->for_server && g->for_client);
    CHECK(bytes_equal(
        certificate_issuer_der(s.certificate), certificate_subject_der(ca.certificate)));
    CHECK(certificate_issued_by(s.certificate, ca.certificate));
    CHECK(!certificate_issued_by(ca.certificate, s.certificate));
    identity_fini(&s);
    identity_fini(&ca);
}

TEST(sha256_is_over_the_der)
{
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    uint8_t hash[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    digest_sha256(certificate_der(ca.certificate), hash);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    CHECK_TEXT(certificate_facts(ca.certificate)->sha256, hex);
    identity_fini(&ca);
}

static void drop_usages(X509 *x)
{
    X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_by_NID(x, NID_key_usage, -1)));
}

TEST(absent_key_usage_allows_everything)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct certificate *c = spoil(&ca, drop_usages, &err);
    MUST(c);
    const struct certificate_facts *f = certificate_facts(c);
    CHECK(!f->has_key_usage && f->may_sign && f->may_encipher_keys && f->may_sign_certificates &&
          f->may_sign_crls);
    certificate_unref(&c);
    identity_fini(&ca);
}

static void name_with_control_bytes(X509 *x)
{
    X509_NAME *n = X509_NAME_new();
    MUST(X509_NAME_add_entry_by_txt(
        n, "CN", V_ASN1_UTF8STRING, (const unsigned char *)"a\n\x1b\0,\xc3\xa9\x7f", 8, -1, 0));
    MUST(X509_set_subject_name(x, n));
    X509_NAME_free(n);
}

TEST(names_are_escaped)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct certificate *c = spoil(&ca, name_with_control_bytes, &err);
    MUST(c);
    CHECK_TEXT(certificate_facts(c)->subject, "CN=a\\0A\\1B\\00\\,\\C3\\A9\\7F");
    certificate_unref(&c);
    identity_fini(&ca);
}

static void add_alternative(X509 *x, int type, const void *at, int n)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s =
        ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    MUST(all && g && s && ASN1_STRING_set(s, at, n));
    GENERAL_NAME_set0_value(g, type, s);
    MUST(sk_GENERAL_NAME_push(all, g));
    MUST(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_REPLACE) == 1);
    GENERAL_NAMES_free(all);
}

static void name_with_nul(X509 *x)
{
    add_alternative(x, GEN_DNS, "good.example\0.evil", 18);
}

static void address_of_five(X509 *x)
{
    add_alternative(x, GEN_IPADD, "\1\2\3\4\5", 5);
}

TEST(nul_in_a_name_is_kept)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct certificate *c = spoil(&ca, name_with_nul, &err);
    MUST(c);
    const struct certificate_facts *f = certificate_facts(c);
    CHECK(f->names_n == 1 && bytes_equal(f->names[0].value, BYTES("good.example\0.evil")));
    certificate_unref(&c);
    identity_fini(&ca);
}

static void no_version(X509 *x)
{
    MUST(X509_set_version(x, X509_VERSION_1));
}

static void extension_twice(X509 *x)
{
    int at = X509_get_ext_by_NID(x, NID_subject_key_identifier, -1);
    MUST(X509_add_ext(x, X509_get_ext(x, at), -1));
}

static void constraints_of_garbage(X509 *x)
{
    X509_EXTENSION *e = X509_get_ext(x, X509_get_ext_by_NID(x, NID_basic_constraints, -1));
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    MUST(s && ASN1_OCTET_STRING_set(s, (const unsigned char *)"\x30\x05\x01", 3));
    MUST(X509_EXTENSION_set_data(e, s));
    ASN1_OCTET_STRING_free(s);
}

static void time_with_offset(X509 *x)
{
    MUST(ASN1_STRING_set(X509_getm_notAfter(x), "270115000000+0100", -1));
}

static void time_without_seconds(X509 *x)
{
    MUST(ASN1_STRING_set(X509_getm_notAfter(x), "2701150000Z", -1));
}

static const struct {
    spoil_fn *spoil;
    const char *why;
} broken[] = {
    {address_of_five, "subjectAltName"},
    {no_version, "version 3"},
    {extension_twice, "occurs twice"},
    {constraints_of_garbage, "extension cannot be decoded"},
    {time_with_offset, "validity"},
    {time_without_seconds, "validity"},
};

TEST(malformed)
{
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct error err;
        CHECK(spoil(&ca, broken[i].spoil, &err) == NULL);
        CHECK(strstr(err.text, "malformed certificate") && strstr(err.text, broken[i].why));
    }
    CHECK_INT(ERR_peek_error(), 0);
    identity_fini(&ca);
}

TEST(der_is_consumed_exactly)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct buf der;
    buf_init(&der, 1 << 16);
    MUST(buf_append(&der, certificate_der(ca.certificate)) == 0);
    for (size_t n = 0; n < buf_size(&der); n++)
        CHECK(certificate_parse(bytes_first(buf_bytes(&der), n), &err) == NULL);
    struct certificate *c = certificate_parse(buf_bytes(&der), &err);
    CHECK(c && certificate_equal(c, ca.certificate));
    certificate_unref(&c);
    MUST(buf_append(&der, BYTES("\0")) == 0);
    CHECK(certificate_parse(buf_bytes(&der), &err) == NULL);
    CHECK(strstr(err.text, "bytes follow its end") != NULL);
    buf_fini(&der);
    identity_fini(&ca);
}

TEST(indefinite_length_is_not_der)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct bytes der = certificate_der(ca.certificate);
    struct buf ber;
    buf_init(&ber, 1 << 16);
    MUST(der.at[1] == 0x82);
    MUST(buf_append(&ber, BYTES("\x30\x80")) == 0 && buf_append(&ber, bytes_skip(der, 4)) == 0 &&
         buf_append(&ber, BYTES("\0\0")) == 0);
    CHECK(certificate_parse(buf_bytes(&ber), &err) == NULL);
    CHECK(strstr(err.text, "not DER") != NULL);
    buf_fini(&ber);
    identity_fini(&ca);
}

TEST(random_damage_never_crashes)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_SERVER, "x", "DNS:a.example", NULL);
    struct bytes der = certificate_der(ca.certificate);
    uint8_t copy[2048];
    MUST(der.n <= sizeof(copy));
    for (size_t i = 0; i < der.n; i++)
        for (unsigned bit = 0; bit < 8; bit += 3) {
            memcpy(copy, der.at, der.n);
            copy[i] ^= (uint8_t)(1u << bit);
            struct certificate *c = certificate_parse((struct bytes){copy, der.n}, &err);
            certificate_unref(&c);
        }
    CHECK_INT(ERR_peek_error(), 0);
    identity_fini(&ca);
}

TEST(list_of_pem_with_junk)
{
    struct error err;
    struct identity a = make_identity(ISSUE_CA, "A", NULL, NULL),
                    b = make_identity(ISSUE_CA, "B", NULL, NULL);
    struct buf file;
    struct certificate_list l;
    buf_init(&file, 1 << 20);
    MUST(buf_append(&file, BYTES("# A\nissuer=A\n")) == 0);
    MUST(convert_certificate_pem(a.certificate, &file) == 0);
    MUST(convert_key_pem(a.key, &file) == 0);
    MUST(buf_append(&file, BYTES("\r\n\r\nB:\r\n")) == 0);
    MUST(convert_certificate_pem(b.certificate, &file) == 0);
    CHECK_INT(certificate_list_parse(buf_bytes(&file), &l, &err), 0);
    CHECK_INT(l.n, 2);
    CHECK(l.n == 2 && certificate_equal(l.at[0], a.certificate) &&
          certificate_equal(l.at[1], b.certificate));
    certificate_list_fini(&l);

    /* The last block loses its last line. */
    struct bytes cut = bytes_first(buf_bytes(&file), buf_size(&file) - 30);
    CHECK_INT(certificate_list_parse(cut, &l, &err), -1);
    CHECK(strstr(err.text, "PEM block 3 of the file is damaged") != NULL);
    CHECK_INT(l.n, 0);
    buf_fini(&file);
    identity_fini(&a);
    identity_fini(&b);
}

TEST(list_names_the_broken_certificate)
{
    struct error err;
    struct identity a = make_identity(ISSUE_CA, "A", NULL, NULL);
    struct buf file;
    struct certificate_list l;
    buf_init(&file, 1 << 20);
    MUST(convert_certificate_pem(a.certificate, &file) == 0);
    MUST(buf_append(&file,
             BYTES("-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n")) == 0);
    CHECK_INT(certificate_list_parse(buf_bytes(&file), &l, &err), -1);
    CHECK(strstr(err.text, "certificate 2 of the file") != NULL);
    buf_fini(&file);
    identity_fini(&a);
}

TEST(list_of_der)
{
    struct error err;
    struct identity a = make_identity(ISSUE_CA, "A", NULL, NULL);
    struct certificate_list l;
    CHECK_INT(certificate_list_parse(certificate_der(a.certificate), &l, &err), 0);
    CHECK_INT(l.n, 1);
    certificate_list_fini(&l);
    identity_fini(&a);
}

/* Writes one file that holds no certificate as we want it. */
static void write_other(int which, const struct identity *i, struct buf *out)
{
    struct error err;
    struct convert_pkcs12 p12 = {i->certificate, i->key, NULL, "x", NULL};
    struct certificate *one[] = {i->certificate};
    struct certificate_list l = {one, 1};
    switch (which) {
    case 0:
        MUST(convert_pkcs12_write(&p12, out, &err) == 0);
        break;
    case 1:
        MUST(convert_pkcs7_write(&l, out, &err) == 0);
        break;
    default:
        MUST(convert_key_pem(i->key, out) == 0);
    }
}

TEST(other_files_are_named)
{
    static const char *const names[] = {"PKCS#12", "PKCS#7", "private key"};
    struct identity a = make_identity(ISSUE_CA, "A", NULL, NULL);
    for (int which = 0; which < 3; which++) {
        struct error err;
        struct buf file;
        struct certificate_list l;
        buf_init(&file, 1 << 20);
        write_other(which, &a, &file);
        CHECK_INT(certificate_list_parse(buf_bytes(&file), &l, &err), -1);
        CHECK(strstr(err.text, names[which]) != NULL);
        CHECK(which == 2 || strstr(err.text, "sallyport pki convert"));
        buf_fini(&file);
    }
    identity_fini(&a);
}

TEST(empty_files)
{
    struct error err;
    struct certificate_list l;
    CHECK_INT(certificate_list_parse((struct bytes){0}, &l, &err), -1);
    CHECK(strstr(err.text, "is empty") != NULL);
    CHECK_INT(certificate_list_parse(BYTES("no certificate here\n"), &l, &err), -1);
    CHECK(strstr(err.text, "neither PEM nor DER") != NULL);
}
