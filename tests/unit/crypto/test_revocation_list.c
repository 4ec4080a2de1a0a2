/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "crypto/convert.h"
#include "crypto/revocation_list.h"
#include "fixture.h"

#include "base/ban.h"

/* A CRL of CA that lists the N certificates of REVOKED with their reasons, in PEM. */
static void write_crl(struct buf *out, const struct identity *ca,
    const struct issue_revoked *revoked, size_t n, unsigned long number)
{
    struct error err;
    struct issue_crl_request r = {
        .ca = ca->certificate,
        .ca_key = ca->key,
        .revoked = revoked,
        .revoked_n = n,
        .number = number,
        .this_update = NOW - DAY,
        .next_update = NOW + DAY,
    };
    MUST(issue_crl(&r, out, &err) == 0);
}

/* A list of one CRL that lists VICTIM (NULL: nobody). */
static struct crl_list make_crl(
    const struct identity *ca, const struct identity *victim, const char *reason)
{
    struct error err = {0};
    struct buf pem;
    struct crl_list l;
    struct issue_revoked entry = {0};
    if (victim)
        entry = (struct issue_revoked){
            certificate_facts(victim->certificate)->serial, NOW - 99, reason};
    buf_init(&pem, 1 << 20);
    write_crl(&pem, ca, &entry, victim ? 1 : 0, 7);
    MUST(crl_list_parse(buf_bytes(&pem), &l, &err) == 0 && l.n == 1);
    buf_fini(&pem);
    return l;
}

/* The CRL of L with F applied and signed again. */
typedef void change_crl_fn(X509_CRL *x);
static struct crl_list change_crl(
    const struct crl_list *l, const struct identity *ca, change_crl_fn *f, const EVP_MD *digest)
{
    struct bytes der = crl_der(l->at[0]);
    const uint8_t *at = der.at;
    X509_CRL *x = d2i_X509_CRL(NULL, &at, (long)der.n);
    MUST(x);
    if (f)
        f(x);
    MUST(X509_CRL_sign(x, private_key_pkey(ca->key), digest));
    uint8_t *changed = NULL;
    int n = i2d_X509_CRL(x, &changed);
    struct error err = {0};
    struct crl_list out;
    MUST(crl_list_parse((struct bytes){changed, (size_t)n}, &out, &err) == 0);
    OPENSSL_free(changed);
    X509_CRL_free(x);
    return out;
}

static struct identity ca, good, bad;

static void make_all(void)
{
    ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    good = make_identity(ISSUE_CLIENT, "good", "DNS:good.example", &ca);
    bad = make_identity(ISSUE_CLIENT, "bad", "DNS:bad.example", &ca);
}

static void drop_all(void)
{
    identity_fini(&ca);
    identity_fini(&good);
    identity_fini(&bad);
}

TEST(lists_the_revoked_one_only)
{
    make_all();
    struct crl_list l = make_crl(&ca, &bad, "keyCompromise");
    const struct crl_facts *f = crl_facts(l.at[0]);
    CHECK_TEXT(f->issuer, "CN=CA");
    CHECK_TEXT(f->number, "7");
    CHECK_INT(f->this_update, NOW - DAY);
    CHECK_INT(f->next_update, NOW + DAY);
    CHECK_INT(f->entries, 1);
    CHECK(!f->is_delta && !f->has_issuing_distribution_point && !f->has_unknown_critical &&
          !f->has_weak_signature);
    CHECK(bytes_equal(f->issuer_der, certificate_subject_der(ca.certificate)));

    struct crl_entry e;
    CHECK(crl_lists(l.at[0], bad.certificate, &e));
    CHECK_INT(e.revoked_at, NOW - 99);
    CHECK_TEXT(e.reason, "keyCompromise");
    CHECK(!crl_lists(l.at[0], good.certificate, &e));
    CHECK(crl_signed_by(l.at[0], ca.certificate));
    CHECK(crl_signed_by(l.at[0], ca.certificate)); /* remembered */
    crl_list_fini(&l);
    drop_all();
}

TEST(no_reason_is_unspecified)
{
    make_all();
    struct crl_entry e = {0};
    struct crl_list l = make_crl(&ca, &bad, NULL);
    CHECK(crl_lists(l.at[0], bad.certificate, &e));
    CHECK_TEXT(e.reason, "unspecified");
    crl_list_fini(&l);
    drop_all();
}

TEST(remove_from_crl_is_not_revoked)
{
    make_all();
    struct crl_entry e;
    struct crl_list l = make_crl(&ca, &bad, "removeFromCRL");
    CHECK(!crl_lists(l.at[0], bad.certificate, &e));
    crl_list_fini(&l);

    /* Listed twice, once removed: revoked. */
    const char *serial = certificate_facts(bad.certificate)->serial;
    struct issue_revoked twice[] = {
        {serial, NOW - 9, "removeFromCRL"}, {serial, NOW - 5, "superseded"}};
    struct error err;
    for (int order = 0; order < 2; order++) {
        struct issue_revoked both[] = {twice[order], twice[!order]};
        struct buf pem;
        buf_init(&pem, 1 << 20);
        write_crl(&pem, &ca, both, 2, 1);
        MUST(crl_list_parse(buf_bytes(&pem), &l, &err) == 0);
        CHECK(crl_lists(l.at[0], bad.certificate, &e));
        CHECK_TEXT(e.reason, "superseded");
        crl_list_fini(&l);
        buf_fini(&pem);
    }
    drop_all();
}

TEST(crl_of_another_ca_with_the_same_name)
{
    make_all();
    struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct crl_list l = make_crl(&twin, &bad, NULL);
    CHECK(!crl_signed_by(l.at[0], ca.certificate));
    CHECK(crl_signed_by(l.at[0], twin.certificate));
    CHECK(!crl_signed_by(l.at[0], ca.certificate)); /* remembered, each by its own */
    crl_list_fini(&l);
    identity_fini(&twin);
    drop_all();
}

TEST(crl_of_another_name)
{
    make_all();
    struct identity other = make_identity(ISSUE_CA, "Other", NULL, NULL);
    struct crl_entry e;
    struct crl_list l = make_crl(&other, &bad, NULL);
    CHECK(!crl_signed_by(l.at[0], ca.certificate));
    CHECK(!crl_lists(l.at[0], bad.certificate, &e)); /* the serial of another issuer */
    crl_list_fini(&l);
    identity_fini(&other);
    drop_all();
}

TEST(more_signers_than_are_remembered)
{
    make_all();
    struct crl_list l = make_crl(&ca, &bad, NULL);
    for (int i = 0; i < 20; i++) {
        struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
        CHECK(!crl_signed_by(l.at[0], twin.certificate));
        identity_fini(&twin);
        CHECK(crl_signed_by(l.at[0], ca.certificate));
    }
    crl_list_fini(&l);
    drop_all();
}

TEST(issuer_that_may_not_sign_crls)
{
    make_all();
    struct crl_list l = make_crl(&ca, &bad, NULL);
    change_identity(&ca, NULL, (struct change){NID_key_usage, "critical,keyCertSign"});
    CHECK(!crl_signed_by(l.at[0], ca.certificate));
    change_identity(&ca, NULL, (struct change){NID_key_usage, NULL});
    CHECK(crl_signed_by(l.at[0], ca.certificate));
    crl_list_fini(&l);
    drop_all();
}

TEST(weak_signature)
{
    make_all();
    struct crl_list l = make_crl(&ca, &bad, NULL);
    struct crl_list weak = change_crl(&l, &ca, NULL, EVP_sha1());
    CHECK(crl_facts(weak.at[0])->has_weak_signature);
    CHECK(!crl_signed_by(weak.at[0], ca.certificate));
    crl_list_fini(&weak);
    crl_list_fini(&l);
    drop_all();
}

static void add_extension(X509_CRL *x, int nid, const char *oid, int critical, const char *der)
{
    ASN1_OBJECT *object = oid ? OBJ_txt2obj(oid, 1) : OBJ_nid2obj(nid);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    MUST(value && ASN1_OCTET_STRING_set(value, (const unsigned char *)der + 1, der[0]));
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);
    MUST(e && X509_CRL_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static void make_delta(X509_CRL *x)
{
    add_extension(x, NID_delta_crl, NULL, 1, "\3\2\1\1");
}

static void add_distribution_point(X509_CRL *x)
{
    add_extension(x, NID_issuing_distribution_point, NULL, 1, "\5\x30\3\x81\1\xff");
}

static void add_unknown_critical(X509_CRL *x)
{
    add_extension(x, 0, "1.3.6.1.4.1.55555.1", 1, "\2\5\0");
}

static void add_unknown_harmless(X509_CRL *x)
{
    add_extension(x, 0, "1.3.6.1.4.1.55555.1", 0, "\2\5\0");
}

static void add_certificate_issuer(X509_CRL *x)
{
    X509_REVOKED *entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(x), 0);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_IA5STRING *host = ASN1_IA5STRING_new();
    MUST(names && g && host && ASN1_STRING_set(host, "x", 1));
    GENERAL_NAME_set0_value(g, GEN_DNS, host);
    MUST(sk_GENERAL_NAME_push(names, g));
    MUST(X509_REVOKED_add1_ext_i2d(entry, NID_certificate_issuer, names, 1, 0) == 1);
    GENERAL_NAMES_free(names);
}

TEST(extensions_are_flagged)
{
    static const struct {
        change_crl_fn *change;
        bool delta, point, unknown;
    } rows[] = {
        {make_delta, true, false, false},
        {add_distribution_point, false, true, false},
        {add_unknown_critical, false, false, true},
        {add_unknown_harmless, false, false, false},
        {add_certificate_issuer, false, false, true},
    };
    make_all();
    struct crl_list l = make_crl(&ca, &bad, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crl_list c = change_crl(&l, &ca, rows[i].change, EVP_sha256());
        const struct crl_facts *f = crl_facts(c.at[0]);
        CHECK_INT(f->is_delta, rows[i].delta);
        CHECK_INT(f->has_issuing_distribution_point, rows[i].point);
        CHECK_INT(f->has_unknown_critical, rows[i].unknown);
        crl_list_fini(&c);
    }
    crl_list_fini(&l);
    drop_all();
}

static void count_entry(void *owner, const char *serial, const struct crl_entry *e)
{
    size_t *seen = owner;
    CHECK_TEXT(serial, *seen ? "2b" : "1a");
    CHECK_TEXT(e->reason, *seen ? "superseded" : "unspecified");
    ++*seen;
}

TEST(several_in_pem_and_each_entry)
{
    make_all();
    struct error err;
    struct buf pem;
    struct crl_list l, more = {0};
    struct issue_revoked entries[] = {{"2b", NOW, "superseded"}, {"1A", NOW, NULL}};
    buf_init(&pem, 1 << 20);
    write_crl(&pem, &ca, entries, 2, 1);
    MUST(buf_append(&pem, BYTES("junk\n")) == 0);
    write_crl(&pem, &ca, NULL, 0, 18446744073709551615ul);
    CHECK_INT(crl_list_parse(buf_bytes(&pem), &l, &err), 0);
    CHECK_INT(l.n, 2);
    size_t seen = 0;
    crl_each_entry(l.at[0], count_entry, &seen);
    CHECK_INT(seen, 2);
    CHECK_TEXT(crl_facts(l.at[1])->number, "18446744073709551615");
    crl_list_append(&more, &l);
    CHECK_INT(l.n, 0);
    CHECK_INT(more.n, 2);
    crl_list_fini(&more);
    buf_fini(&pem);
    drop_all();
}

TEST(truncated_and_foreign_files)
{
    make_all();
    struct error err;
    struct crl_list l = make_crl(&ca, &bad, NULL), out;
    struct bytes der = crl_der(l.at[0]);
    for (size_t n = 0; n < der.n; n++)
        CHECK_INT(crl_list_parse(bytes_first(der, n), &out, &err), -1);
    CHECK_INT(crl_list_parse(certificate_der(ca.certificate), &out, &err), -1);
    struct buf pem;
    buf_init(&pem, 1 << 20);
    MUST(convert_certificate_pem(ca.certificate, &pem) == 0);
    CHECK_INT(crl_list_parse(buf_bytes(&pem), &out, &err), -1);
    CHECK(strstr(err.text, "looks like a certificate") != NULL);
    CHECK_INT(ERR_peek_error(), 0);
    buf_fini(&pem);
    crl_list_fini(&l);
    drop_all();
}
