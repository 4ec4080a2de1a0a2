/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "crypto/issue.h"
#include "crypto/path.h"
#include "crypto/revocation_list.h"
#include "fixture.h"

#include "base/ban.h"

static struct issue_request request(
    enum issue_profile profile, const struct identity *issuer, const struct private_key *key)
{
    return (struct issue_request){
        .profile = profile,
        .common_name = "x",
        .not_before = NOW,
        .not_after = NOW + DAY,
        .issuer = issuer ? issuer->certificate : NULL,
        .issuer_key = issuer ? issuer->key : NULL,
        .key = key,
    };
}

static bool is_critical(const struct certificate *c, int nid)
{
    X509 *x = certificate_x509(c);
    int at = X509_get_ext_by_NID(x, nid, -1);
    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at));
}

static bool has(const struct certificate *c, int nid)
{
    return X509_get_ext_by_NID(certificate_x509(c), nid, -1) >= 0;
}

TEST(extensions_of_a_ca)
{
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct identity sub = make_identity(ISSUE_INTERMEDIATE, "Sub", NULL, &ca);
    const struct certificate_facts *f = certificate_facts(ca.certificate);
    CHECK(f->is_ca && f->may_sign_certificates && f->may_sign_crls && !f->may_sign);
    CHECK(is_critical(ca.certificate, NID_basic_constraints));
    CHECK(is_critical(ca.certificate, NID_key_usage));
    CHECK(has(ca.certificate, NID_subject_key_identifier));
    CHECK_INT(X509_get_pathlen(certificate_x509(ca.certificate)), -1);
    CHECK_INT(X509_get_pathlen(certificate_x509(sub.certificate)), 0);
    CHECK(has(sub.certificate, NID_authority_key_identifier));
    CHECK(certificate_issued_by(sub.certificate, ca.certificate));
    identity_fini(&ca);
    identity_fini(&sub);
}

TEST(every_kind_of_key_signs_and_is_certified)
{
    static const enum key_kind kinds[] = {
        KEY_RSA, KEY_EC_P256, KEY_EC_P384, KEY_EC_P521, KEY_ED25519};
    struct error err;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct identity ca = {.key = private_key_generate(kinds[i], &err)};
        struct issue_request r = request(ISSUE_CA, NULL, ca.key);
        ca.certificate = issue_certificate(&r, &err);
        MUST(ca.certificate);
        struct issue_request s = request(ISSUE_SERVER, &ca, ca.key);
        struct certificate *leaf = issue_certificate(&s, &err);
        MUST(leaf);
        const struct certificate_facts *f = certificate_facts(leaf);
        CHECK_INT(f->key_kind, kinds[i]);
        CHECK_INT(f->may_encipher_keys, kinds[i] == KEY_RSA);
        CHECK(f->may_sign && f->for_server && !f->for_client && !f->is_ca);
        CHECK(private_key_matches(ca.key, leaf));
        CHECK(certificate_issued_by(leaf, ca.certificate));
        certificate_unref(&leaf);
        identity_fini(&ca);
    }
}

TEST(a_client_never_deciphers)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct private_key *rsa = private_key_generate(KEY_RSA, &err);
    struct issue_request r = request(ISSUE_CLIENT, &ca, rsa);
    struct certificate *c = issue_certificate(&r, &err);
    MUST(c);
    const struct certificate_facts *f = certificate_facts(c);
    CHECK(f->for_client && !f->for_server && f->may_sign && !f->may_encipher_keys);
    certificate_unref(&c);
    private_key_unref(&rsa);
    identity_fini(&ca);
}

TEST(serials_differ_and_are_positive)
{
    struct identity a = make_identity(ISSUE_CA, "A", NULL, NULL),
                    b = make_identity(ISSUE_CA, "A", NULL, NULL);
    const char *s = certificate_facts(a.certificate)->serial;
    CHECK_INT(strlen(s), 32);
    CHECK(s[0] >= '4' && s[0] <= '7');
    CHECK(strcmp(s, certificate_facts(b.certificate)->serial) != 0);
    identity_fini(&a);
    identity_fini(&b);
}

TEST(names)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct bytes names[] = {BYTES("DNS:*.a.example"), BYTES("IP:192.0.2.1"),
        BYTES("IP:2001:db8::1"), BYTES("EMAIL:a@example.com"), BYTES("URI:spiffe://a/b,c")};
    struct issue_request r = request(ISSUE_CLIENT, &ca, ca.key);
    r.names = names;
    r.names_n = 5;
    r.common_name = NULL;
    struct certificate *c = issue_certificate(&r, &err);
    MUST(c);
    const struct certificate_facts *f = certificate_facts(c);
    CHECK_TEXT(f->subject, "");
    CHECK(is_critical(c, NID_subject_alt_name)); /* RFC 5280 §4.2.1.6: no subject */
    CHECK_INT(f->names_n, 5);
    CHECK(f->names[0].kind == NAME_DNS && bytes_equal(f->names[0].value, BYTES("*.a.example")));
    CHECK(f->names[1].kind == NAME_IP && bytes_equal(f->names[1].value, BYTES("\xc0\0\2\1")));
    CHECK(f->names[2].kind == NAME_IP && f->names[2].value.n == 16);
    CHECK(f->names[3].kind == NAME_EMAIL && bytes_equal(f->names[3].value, BYTES("a@example.com")));
    CHECK(f->names[4].kind == NAME_URI && bytes_equal(f->names[4].value, BYTES("spiffe://a/b,c")));
    certificate_unref(&c);
    identity_fini(&ca);
}

TEST(bad_names_are_refused)
{
    static const char *const bad[] = {"", "a.example", "DNS:", "DNS:a b", "DNS:a\nb",
        "DNS:\xc3\xa9", "IP:1.2.3", "IP:1.2.3.4.5", "IP:x", "dns:a.example", "RID:1.2.3"};
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err;
        struct bytes name = bytes_of(bad[i]);
        struct issue_request r = request(ISSUE_SERVER, &ca, ca.key);
        r.names = &name;
        r.names_n = 1;
        CHECK(issue_certificate(&r, &err) == NULL);
        CHECK(strstr(err.text, "is no name for a certificate") != NULL);
    }
    CHECK_INT(ERR_peek_error(), 0);
    identity_fini(&ca);
}

TEST(bad_requests_are_refused)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct identity leaf = make_identity(ISSUE_SERVER, "leaf", "DNS:a.example", &ca);
    struct identity mixed = {ca.certificate, leaf.key};
    struct issue_request r = request(ISSUE_SERVER, &leaf, leaf.key);
    CHECK(issue_certificate(&r, &err) == NULL);
    CHECK(strstr(err.text, "CN=leaf is no CA") != NULL);
    r = request(ISSUE_SERVER, &mixed, leaf.key);
    CHECK(issue_certificate(&r, &err) == NULL);
    CHECK(strstr(err.text, "does not belong") != NULL);
    r = request(ISSUE_SERVER, &ca, leaf.key);
    r.not_after = r.not_before - 1;
    CHECK(issue_certificate(&r, &err) == NULL);
    r = request(ISSUE_SERVER, &ca, leaf.key);
    r.common_name = "a common name of more than sixty-four characters does not fit, says X.520";
    CHECK(issue_certificate(&r, &err) == NULL);
    CHECK(strstr(err.text, "1 to 64 characters") != NULL);
    r.common_name = "";
    CHECK(issue_certificate(&r, &err) == NULL);
    r = request(ISSUE_CA, &ca, leaf.key);
    r.common_name = NULL;
    CHECK(issue_certificate(&r, &err) == NULL);
    r = request(ISSUE_CA, &ca, leaf.key);
    r.issuer_key = NULL;
    CHECK(issue_certificate(&r, &err) == NULL);
    identity_fini(&leaf);
    identity_fini(&ca);
}

TEST(dates_beyond_2050)
{
    struct error err;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct issue_request r = request(ISSUE_SERVER, &ca, ca.key);
    r.not_after = 253402300799; /* 9999-12-31T23:59:59Z: "no end" (RFC 5280 §4.1.2.5) */
    struct certificate *c = issue_certificate(&r, &err);
    MUST(c);
    CHECK_INT(certificate_facts(c)->not_after, 253402300799);
    certificate_unref(&c);
    identity_fini(&ca);
}

TEST(crl_of_a_leaf_is_refused)
{
    struct error err;
    struct buf out;
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct identity leaf = make_identity(ISSUE_SERVER, "leaf", "DNS:a.example", &ca);
    struct issue_crl_request r = {leaf.certificate, leaf.key, NULL, 0, 1, NOW, NOW + DAY};
    buf_init(&out, 1 << 16);
    CHECK_INT(issue_crl(&r, &out, &err), -1);
    CHECK(strstr(err.text, "may not sign CRLs") != NULL);
    r.ca = ca.certificate;
    CHECK_INT(issue_crl(&r, &out, &err), -1);
    CHECK(strstr(err.text, "does not belong") != NULL);
    CHECK_INT(buf_size(&out), 0);
    buf_fini(&out);
    identity_fini(&leaf);
    identity_fini(&ca);
}

TEST(bad_crl_entries_are_refused)
{
    static const struct issue_revoked bad[] = {
        {"", NOW, NULL}, {"xyz", NOW, NULL}, {"12 34", NOW, NULL}, {"12", NOW, "boredom"}};
    struct identity ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err;
        struct buf out;
        struct issue_crl_request r = {ca.certificate, ca.key, &bad[i], 1, 1, NOW, NOW + DAY};
        buf_init(&out, 1 << 16);
        CHECK_INT(issue_crl(&r, &out, &err), -1);
        CHECK(strstr(err.text, "cannot revoke serial") != NULL);
        buf_fini(&out);
    }
    identity_fini(&ca);
}
