/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "crypto/issue.h"
#include "fixture.h"

#include "base/ban.h"

static struct issue_request request(
    enum issue_profile profile, const struct issued *issuer, const struct private_key *key)
{
    return (struct issue_request){
        .profile = profile,
        .common_name = "x",
        .not_before = NOW,
        .not_after = NOW + DAY,
        .issuer = issued_der(issuer),
        .issuer_key = issuer ? issuer->key : NULL,
        .key = key,
    };
}

/* What REQUEST gives, as libcrypto sees it; NULL and ERR if it is refused. */
static X509 *issue(const struct issue_request *r, struct error *err)
{
    struct buf der;
    buf_init(&der, 1 << 16);
    bool made = issue_certificate(r, &der, err) == 0;
    X509 *x = made ? native_x509(buf_bytes(&der)) : NULL;
    MUST(!made || x);
    buf_fini(&der);
    return x;
}

static X509 *x509_of(const struct issued *i)
{
    X509 *x = native_x509(issued_der(i));
    MUST(x);
    return x;
}

static bool is_critical(const X509 *x, int nid)
{
    int at = X509_get_ext_by_NID(x, nid, -1);
    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at));
}

static bool has(const X509 *x, int nid)
{
    return X509_get_ext_by_NID(x, nid, -1) >= 0;
}

static bool is_signed_by(X509 *x, const X509 *issuer)
{
    return X509_verify(x, X509_get0_pubkey(issuer)) == 1;
}

TEST(extensions_of_a_ca)
{
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    struct issued sub = issue_fixture(ISSUE_INTERMEDIATE, "Sub", NULL, &ca);
    X509 *root = x509_of(&ca), *below = x509_of(&sub);
    CHECK(X509_get_extension_flags(root) & EXFLAG_CA);
    CHECK_INT(X509_get_key_usage(root), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    CHECK(is_critical(root, NID_basic_constraints));
    CHECK(is_critical(root, NID_key_usage));
    CHECK(has(root, NID_subject_key_identifier));
    CHECK_INT(X509_get_pathlen(root), -1);
    CHECK_INT(X509_get_pathlen(below), 0);
    CHECK(has(below, NID_authority_key_identifier));
    CHECK(is_signed_by(below, root));
    X509_free(root);
    X509_free(below);
    issued_fini(&ca);
    issued_fini(&sub);
}

TEST(every_kind_of_key_signs_and_is_certified)
{
    static const enum key_kind kinds[] = {
        KEY_RSA, KEY_EC_P256, KEY_EC_P384, KEY_EC_P521, KEY_ED25519};
    struct error err;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct issued ca = {.key = private_key_generate(kinds[i], &err)};
        struct issue_request r = request(ISSUE_CA, NULL, ca.key);
        buf_init(&ca.certificate, 1 << 16);
        MUST(issue_certificate(&r, &ca.certificate, &err) == 0);
        struct issue_request s = request(ISSUE_SERVER, &ca, ca.key);
        X509 *root = x509_of(&ca), *leaf = issue(&s, &err);
        MUST(leaf);
        CHECK_INT(X509_get_key_usage(leaf),
            KU_DIGITAL_SIGNATURE | (kinds[i] == KEY_RSA ? KU_KEY_ENCIPHERMENT : 0));
        CHECK_INT(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
        CHECK(!(X509_get_extension_flags(leaf) & EXFLAG_CA));
        CHECK_INT(EVP_PKEY_eq(X509_get0_pubkey(leaf), private_key_pkey(ca.key)), 1);
        CHECK(is_signed_by(leaf, root));
        X509_free(leaf);
        X509_free(root);
        issued_fini(&ca);
    }
}

TEST(a_client_never_deciphers)
{
    struct error err;
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    struct private_key *rsa = private_key_generate(KEY_RSA, &err);
    struct issue_request r = request(ISSUE_CLIENT, &ca, rsa);
    X509 *c = issue(&r, &err);
    MUST(c);
    CHECK_INT(X509_get_extended_key_usage(c), XKU_SSL_CLIENT);
    CHECK_INT(X509_get_key_usage(c), KU_DIGITAL_SIGNATURE);
    X509_free(c);
    private_key_unref(&rsa);
    issued_fini(&ca);
}

TEST(serials_differ_and_are_positive)
{
    struct issued a = issue_fixture(ISSUE_CA, "A", NULL, NULL),
                  b = issue_fixture(ISSUE_CA, "A", NULL, NULL);
    X509 *x = x509_of(&a), *y = x509_of(&b);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    CHECK_INT(ASN1_STRING_length(serial), 16);
    CHECK_INT(ASN1_STRING_get0_data(serial)[0] & 0xc0, 0x40);
    CHECK(ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(y)) != 0);
    X509_free(x);
    X509_free(y);
    issued_fini(&a);
    issued_fini(&b);
}

TEST(names)
{
    static const struct {
        const char *name;
        int type;
        struct bytes value;
    } rows[] = {
        {"DNS:*.a.example", GEN_DNS, BYTES("*.a.example")},
        {"IP:192.0.2.1", GEN_IPADD, BYTES("\xc0\0\2\1")},
        {"IP:2001:db8::1", GEN_IPADD, BYTES("\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
        {"EMAIL:a@example.com", GEN_EMAIL, BYTES("a@example.com")},
        {"URI:spiffe://a/b,c", GEN_URI, BYTES("spiffe://a/b,c")},
    };
    struct error err;
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    struct bytes names[COUNT_OF(rows)];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        names[i] = bytes_of(rows[i].name);
    struct issue_request r = request(ISSUE_CLIENT, &ca, ca.key);
    r.names = names;
    r.names_n = COUNT_OF(rows);
    r.common_name = NULL;
    X509 *c = issue(&r, &err);
    MUST(c);
    CHECK_INT(X509_NAME_entry_count(X509_get_subject_name(c)), 0);
    CHECK(is_critical(c, NID_subject_alt_name)); /* RFC 5280 §4.2.1.6: no subject */
    GENERAL_NAMES *all = X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL);
    CHECK_INT(sk_GENERAL_NAME_num(all), COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int type;
        const ASN1_STRING *s = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, (int)i), &type);
        CHECK_INT(type, rows[i].type);
        CHECK(bytes_equal((struct bytes){ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)},
            rows[i].value));
    }
    GENERAL_NAMES_free(all);
    X509_free(c);
    issued_fini(&ca);
}

TEST(bad_names_are_refused)
{
    static const char *const bad[] = {"", "a.example", "DNS:", "DNS:a b", "DNS:a\nb",
        "DNS:\xc3\xa9", "IP:1.2.3", "IP:1.2.3.4.5", "IP:x", "dns:a.example", "RID:1.2.3"};
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err;
        struct bytes name = bytes_of(bad[i]);
        struct issue_request r = request(ISSUE_SERVER, &ca, ca.key);
        r.names = &name;
        r.names_n = 1;
        CHECK(issue(&r, &err) == NULL);
        CHECK(strstr(err.text, "is no name for a certificate") != NULL);
    }
    CHECK_INT(ERR_peek_error(), 0);
    issued_fini(&ca);
}

TEST(bad_requests_are_refused)
{
    struct error err;
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    struct issued leaf = issue_fixture(ISSUE_SERVER, "leaf", "DNS:a.example", &ca);
    struct issued mixed = {ca.certificate, leaf.key}; /* borrowed */
    struct issue_request r = request(ISSUE_SERVER, &leaf, leaf.key);
    CHECK(issue(&r, &err) == NULL);
    CHECK(strstr(err.text, "CN=leaf is no CA") != NULL);
    r = request(ISSUE_SERVER, &mixed, leaf.key);
    CHECK(issue(&r, &err) == NULL);
    CHECK(strstr(err.text, "does not belong") != NULL);
    r = request(ISSUE_SERVER, &ca, leaf.key);
    r.not_after = r.not_before - 1;
    CHECK(issue(&r, &err) == NULL);
    r = request(ISSUE_SERVER, &ca, leaf.key);
    r.common_name = "a common name of more than sixty-four characters does not fit, says X.520";
    CHECK(issue(&r, &err) == NULL);
    CHECK(strstr(err.text, "1 to 64 characters") != NULL);
    r.common_name = "";
    CHECK(issue(&r, &err) == NULL);
    r = request(ISSUE_CA, &ca, leaf.key);
    r.common_name = NULL;
    CHECK(issue(&r, &err) == NULL);
    r = request(ISSUE_CA, &ca, leaf.key);
    r.issuer_key = NULL;
    CHECK(issue(&r, &err) == NULL);
    CHECK(strstr(err.text, "needs both") != NULL);
    r = request(ISSUE_SERVER, &ca, leaf.key);
    r.issuer = bytes_first(r.issuer, r.issuer.n - 1);
    CHECK(issue(&r, &err) == NULL);
    CHECK(strstr(err.text, "cannot read the certificate of the issuer") != NULL);
    issued_fini(&leaf);
    issued_fini(&ca);
}

TEST(dates_beyond_2050)
{
    struct error err;
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    struct issue_request r = request(ISSUE_SERVER, &ca, ca.key);
    r.not_after = 253402300799; /* 9999-12-31T23:59:59Z: "no end" (RFC 5280 §4.1.2.5) */
    X509 *c = issue(&r, &err);
    MUST(c);
    struct tm tm;
    CHECK(ASN1_TIME_to_tm(X509_get0_notAfter(c), &tm));
    CHECK_INT(timegm(&tm), 253402300799);
    X509_free(c);
    issued_fini(&ca);
}

TEST(crl_of_a_leaf_is_refused)
{
    struct error err;
    struct buf out;
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    struct issued leaf = issue_fixture(ISSUE_SERVER, "leaf", "DNS:a.example", &ca);
    struct issue_crl_request r = {issued_der(&leaf), leaf.key, NULL, 0, 1, NOW, NOW + DAY};
    buf_init(&out, 1 << 16);
    CHECK_INT(issue_crl(&r, &out, &err), -1);
    CHECK(strstr(err.text, "may not sign CRLs") != NULL);
    r.ca = issued_der(&ca);
    CHECK_INT(issue_crl(&r, &out, &err), -1);
    CHECK(strstr(err.text, "does not belong") != NULL);
    CHECK_INT(buf_size(&out), 0);
    buf_fini(&out);
    issued_fini(&leaf);
    issued_fini(&ca);
}

TEST(bad_crl_entries_are_refused)
{
    static const struct issue_revoked bad[] = {{"", NOW, 0}, {"xyz", NOW, 0}, {"12 34", NOW, 0}};
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err;
        struct buf out;
        struct issue_crl_request r = {issued_der(&ca), ca.key, &bad[i], 1, 1, NOW, NOW + DAY};
        buf_init(&out, 1 << 16);
        CHECK_INT(issue_crl(&r, &out, &err), -1);
        CHECK(strstr(err.text, "cannot revoke serial") != NULL);
        buf_fini(&out);
    }
    issued_fini(&ca);
}

TEST(a_crl_lists_whom_it_is_told)
{
    static const struct issue_revoked revoked[] = {{"1a2b", NOW, 1}, {"0f", NOW - DAY, 0}};
    struct error err;
    struct buf out;
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    struct issue_crl_request r = {issued_der(&ca), ca.key, revoked, 2, 7, NOW, NOW + DAY};
    buf_init(&out, 1 << 16);
    MUST(issue_crl(&r, &out, &err) == 0);
    BIO *pem = BIO_new_mem_buf(buf_bytes(&out).at, (int)buf_size(&out));
    X509_CRL *crl = PEM_read_bio_X509_CRL(pem, NULL, NULL, NULL);
    MUST(crl);
    CHECK_INT(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 2);
    for (size_t i = 0; i < 2; i++) {
        X509_REVOKED *entry;
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        MUST(ASN1_INTEGER_set(serial, i ? 0x0f : 0x1a2b));
        CHECK_INT(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
        ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
        CHECK(i ? !reason : reason && ASN1_ENUMERATED_get(reason) == 1);
        ASN1_ENUMERATED_free(reason);
        ASN1_INTEGER_free(serial);
    }
    X509_CRL_free(crl);
    BIO_free(pem);
    buf_fini(&out);
    issued_fini(&ca);
}
