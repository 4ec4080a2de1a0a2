/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates put together piece by piece, for what no CA issues, and issued ones for signatures.
 */
#include "base/buf.h"
#include "crypto/convert.h"
#include "crypto/digest.h"
#include "crypto/fixture.h"
#include "der_writer.h"
#include "pki/certificate.h"

#include "base/ban.h"

/* ---- the writer ---- */

#define OID(octets)   TLV(0x06, BYTES(octets))
#define CE(last)      "\x55\x1d" last /* id-ce, where most extensions are */
#define TRUE_ELEMENT  BYTES("\x01\x01\xff")
#define FALSE_ELEMENT BYTES("\x01\x01\x00")
#define SHA256_ECDSA  SEQUENCE_OF(OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"))
#define COMMON(name) \
    SEQUENCE_OF(TLV(0x31, SEQUENCE_OF(OID("\x55\x04\x03"), TLV(0x0c, BYTES(name)))))
#define TIME(text) TLV(0x17, BYTES(text))

/* What a certificate is made of; what is not given is as it should be, or absent. */
struct parts {
    struct bytes version, serial, algorithm, issuer, validity, subject, spki, unique_ids,
        extensions;
    struct bytes outer_algorithm, signature, more;
};

static struct bytes given_or(struct bytes given, struct bytes otherwise)
{
    return given.at ? given : otherwise;
}

static struct bytes build(struct parts p)
{
    static const uint8_t point[65] = {4, 1, 2, 3};
    struct bytes ec =
        SEQUENCE_OF(OID("\x2a\x86\x48\xce\x3d\x02\x01"), OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"));
    struct bytes tbs = SEQUENCE_OF(given_or(p.version, BYTES("\xa0\x03\x02\x01\x02")),
        given_or(p.serial, BYTES("\x02\x01\x1a")), given_or(p.algorithm, SHA256_ECDSA),
        given_or(p.issuer, COMMON("CA")),
        given_or(p.validity, SEQUENCE_OF(TIME("270101000000Z"), TIME("280101000000Z"))),
        given_or(p.subject, COMMON("www")),
        given_or(p.spki, SEQUENCE_OF(ec, TLV(0x03, BYTES("\x00"), ((struct bytes){point, 65})))),
        p.unique_ids, p.extensions.at ? TLV(0xa3, SEQUENCE_OF(p.extensions)) : NOTHING);
    return SEQUENCE_OF(tbs, given_or(p.outer_algorithm, given_or(p.algorithm, SHA256_ECDSA)),
        given_or(p.signature, TLV(0x03, BYTES("\x00sig"))), p.more);
}

#define EXTENSION(oid, ...)          SEQUENCE_OF(OID(oid), TLV(0x04, __VA_ARGS__))
#define CRITICAL_EXTENSION(oid, ...) SEQUENCE_OF(OID(oid), TRUE_ELEMENT, TLV(0x04, __VA_ARGS__))
#define WITH(...)                    build((struct parts){.extensions = JOIN(__VA_ARGS__)})

#define BASIC(...)                   EXTENSION(CE("\x13"), SEQUENCE_OF(__VA_ARGS__))
#define ALTERNATIVE                  EXTENSION(CE("\x11"), SEQUENCE_OF(BYTES("\x82\x01x")))
#define CA                           CRITICAL_EXTENSION(CE("\x13"), SEQUENCE_OF(TRUE_ELEMENT))
#define SIGNER                       EXTENSION(CE("\x0f"), BYTES("\x03\x02\x02\x04"))
#define SUBTREE                      SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(BYTES("\x82\x01x"))))
#define AIA                          "\x2b\x06\x01\x05\x05\x07\x01\x01" /* authorityInfoAccess */
#define EMPTY                        SEQUENCE_OF(NOTHING)

static struct certificate *parse(struct bytes der)
{
    struct error err = {""};
    struct certificate *c = certificate_parse(der, &err);
    if (!c)
        printf("# %s\n", err.text);
    MUST(c);
    return c;
}

static void check_refused(struct bytes der, const char *why)
{
    struct error err = {""};
    struct certificate *c = certificate_parse(der, &err);
    CHECK(!c);
    if (!strstr(err.text, why))
        printf("# not \"%s\": %s\n", why, err.text);
    CHECK(strstr(err.text, "malformed certificate: ") && strstr(err.text, why));
    certificate_unref(&c);
}

/* ---- what it says ---- */

TEST(facts_of_a_plain_certificate)
{
    struct certificate *c = parse(build((struct parts){0}));
    const struct certificate_facts *f = certificate_facts(c);
    CHECK_INT(f->version, 3);
    CHECK_TEXT(certificate_subject(c), "CN=www");
    CHECK_TEXT(certificate_issuer(c), "CN=CA");
    CHECK_TEXT(certificate_serial(c), "1a");
    CHECK(bytes_equal(f->serial, BYTES("\x1a")) && bytes_equal(f->subject, COMMON("www")));
    CHECK(bytes_equal(f->issuer, COMMON("CA")) && bytes_equal(f->signature, BYTES("sig")));
    CHECK_INT(f->not_before, 1798761600);
    CHECK_INT(f->not_after, 1830297600);
    CHECK(f->key_kind == KEY_EC_P256 && f->key_bits == 256 && f->key.n == 65 && f->spki.n == 91);
    CHECK_INT(f->signature_algorithm, SIGNATURE_ECDSA_SHA256);
    CHECK(bytes_starts_with(f->tbs, BYTES("\x30")) && f->tbs.at == certificate_der(c).at + 3);

    CHECK(!f->is_self_issued && !f->has_names && !f->names_n && !f->has_basic_constraints &&
          !f->is_ca);
    CHECK_INT(f->path_length, -1);
    CHECK(!f->has_key_usage && f->key_usage == UINT16_MAX);
    CHECK(!f->has_extended_key_usage && f->extended_key_usage == EXTENDED_ANY);
    CHECK(!f->subject_key_id.at && !f->authority_key_id.at && !f->name_constraints.at &&
          !f->policies.at && !f->policy_mappings.at && !f->policy_constraints.at &&
          !f->inhibit_any_policy.at && !f->crl_distribution_points.at && !f->freshest_crl.at &&
          !f->unknown_critical.at);
    CHECK(!f->is_ocsp_no_check && !f->flaws);
    CHECK(!certificate_public_key(c) && !certificate_public_key(c)); /* no point of the curve */
    CHECK(!certificate_may_issue(c));
    certificate_unref(&c);
    written_free();
}

TEST(facts_of_every_extension)
{
    struct bytes oid = OID("\x2a\x03"), policies = SEQUENCE_OF(SEQUENCE_OF(oid)),
                 mappings = SEQUENCE_OF(SEQUENCE_OF(oid, oid)),
                 policy_constraints = SEQUENCE_OF(BYTES("\x80\x01\x00")),
                 constraints = SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(BYTES("\x82\x01x")))),
                 points = SEQUENCE_OF(SEQUENCE_OF(NOTHING)),
                 fresh = SEQUENCE_OF(SEQUENCE_OF(BYTES("\x81\x01\x00"))),
                 inhibit = BYTES("\x02\x01\x03");
    struct certificate *c = parse(WITH(
        CRITICAL_EXTENSION(CE("\x13"), SEQUENCE_OF(TRUE_ELEMENT, BYTES("\x02\x01\x02"))),
        CRITICAL_EXTENSION(CE("\x0f"), BYTES("\x03\x02\x01\x06")),
        EXTENSION(CE("\x25"), SEQUENCE_OF(OID("\x2b\x06\x01\x05\x05\x07\x03\x01"),
                                  OID("\x2b\x06\x01\x05\x05\x07\x03\x02"))),
        EXTENSION(CE("\x0e"), BYTES("\x04\x02SK")),
        EXTENSION(CE("\x23"), SEQUENCE_OF(BYTES("\x80\x02"
                                                "AK"))),
        CRITICAL_EXTENSION(CE("\x1e"), constraints), EXTENSION(CE("\x20"), policies),
        EXTENSION(CE("\x21"), mappings), EXTENSION(CE("\x24"), policy_constraints),
        EXTENSION(CE("\x36"), inhibit), EXTENSION(CE("\x1f"), points), EXTENSION(CE("\x2e"), fresh),
        EXTENSION("\x2b\x06\x01\x05\x05\x07\x30\x01\x05", BYTES("\x05\x00")),
        EXTENSION("\x2a\x03\x04", BYTES("whatever"))));
    const struct certificate_facts *f = certificate_facts(c);
    CHECK(f->has_basic_constraints && f->is_ca && f->path_length == 2);
    CHECK(f->has_key_usage && f->key_usage == (USAGE_KEY_CERT_SIGN | USAGE_CRL_SIGN));
    CHECK(
        f->has_extended_key_usage && f->extended_key_usage == (EXTENDED_SERVER | EXTENDED_CLIENT));
    CHECK(bytes_equal(f->subject_key_id, BYTES("SK")) &&
          bytes_equal(f->authority_key_id, BYTES("AK")));
    CHECK(bytes_equal(f->name_constraints, constraints) && bytes_equal(f->policies, policies));
    CHECK(bytes_equal(f->policy_mappings, mappings) &&
          bytes_equal(f->policy_constraints, policy_constraints));
    CHECK(bytes_equal(f->inhibit_any_policy, inhibit) &&
          bytes_equal(f->crl_distribution_points, points));
    CHECK(bytes_equal(f->freshest_crl, fresh) && f->is_ocsp_no_check && !f->unknown_critical.at &&
          !f->flaws);
    CHECK(certificate_may_issue(c));
    certificate_unref(&c);
    written_free();
}

TEST(extended_key_usages)
{
    static const struct {
        struct bytes oid;
        unsigned want;
    } cases[] = {
        {BYTES("\x2b\x06\x01\x05\x05\x07\x03\x01"), EXTENDED_SERVER},
        {BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02"), EXTENDED_CLIENT},
        {BYTES("\x2b\x06\x01\x05\x05\x07\x03\x09"), EXTENDED_OCSP_SIGNING},
        {BYTES("\x55\x1d\x25\x00"), EXTENDED_ANY},
        {BYTES("\x2b\x06\x01\x05\x05\x07\x03\x03"), EXTENDED_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct certificate *c =
            parse(WITH(EXTENSION(CE("\x25"), SEQUENCE_OF(TLV(0x06, cases[i].oid)))));
        CHECK_INT(certificate_facts(c)->extended_key_usage, cases[i].want);
        certificate_unref(&c);
    }
    written_free();
}

TEST(alternative_names_are_raw)
{
    struct bytes other = TLV(0xa0, OID("\x2a\x03"), TLV(0xa0, BYTES("\x05\x00")));
    struct certificate *c = parse(WITH(CRITICAL_EXTENSION(CE("\x11"),
        SEQUENCE_OF(TLV(0x82, BYTES("good.example\0.evil")), TLV(0x87, BYTES("\1\2\3\4")),
            TLV(0x87, BYTES("0123456789abcdef")), TLV(0x81, BYTES("a@b")), TLV(0x86, BYTES("a:b")),
            TLV(0xa4, COMMON("x")), other, TLV(0x88, BYTES("\x2a\x03")), TLV(0x82, NOTHING)))));
    const struct certificate_name want[] = {
        {NAME_DNS, BYTES("good.example\0.evil")},
        {NAME_IP, BYTES("\1\2\3\4")},
        {NAME_IP, BYTES("0123456789abcdef")},
        {NAME_EMAIL, BYTES("a@b")},
        {NAME_URI, BYTES("a:b")},
        {NAME_DIRECTORY, COMMON("x")},
        {NAME_OTHER, other},
        {NAME_OTHER, BYTES("\x88\x02\x2a\x03")},
        {NAME_DNS, BYTES("")},
    };
    const struct certificate_facts *f = certificate_facts(c);
    CHECK(f->has_names && f->names_critical);
    CHECK_INT(f->names_n, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want) && i < f->names_n; i++)
        CHECK(f->names[i].kind == want[i].kind && bytes_equal(f->names[i].value, want[i].value));
    certificate_unref(&c);
    written_free();
}

/* LIST of N names of one octet. */
static struct bytes names(size_t n)
{
    static uint8_t octets[3 * 3000];
    for (size_t i = 0; i < n; i++)
        memcpy(octets + 3 * i, "\x82\x01x", 3);
    return EXTENSION(CE("\x11"), SEQUENCE_OF(((struct bytes){octets, 3 * n})));
}

static struct bytes extensions(size_t n)
{
    struct bytes all = NOTHING;
    for (size_t i = 0; i < n; i++) {
        uint8_t oid[] = {0x2a, (uint8_t)i};
        all = JOIN(all, SEQUENCE_OF(TLV(0x06, ((struct bytes){oid, 2})), BYTES("\x04\x00")));
    }
    return all;
}

TEST(numbers_are_limited)
{
    static uint8_t octets[65536];
    struct certificate *c = parse(WITH(names(2048)));
    CHECK_INT(certificate_facts(c)->names_n, 2048);
    certificate_unref(&c);
    check_refused(WITH(names(2049)), "extension subjectAltName cannot be decoded");

    c = parse(WITH(extensions(64)));
    certificate_unref(&c);
    check_refused(WITH(extensions(65)), "more than 64 extensions");

    struct bytes plain = WITH(EXTENSION("\x2a\x03\x04", ((struct bytes){octets, 60000})));
    size_t most = 65536 - plain.n + 60000;
    c = parse(WITH(EXTENSION("\x2a\x03\x04", ((struct bytes){octets, most}))));
    CHECK_INT(certificate_der(c).n, 65536);
    certificate_unref(&c);
    uint8_t *more = arena_alloc(&written, 65537);
    check_refused((struct bytes){more, 65537}, "more than 65536 octets");
    written_free();
}

TEST(unknown_critical_extensions_are_for_the_verifier)
{
    struct certificate *c = parse(WITH(EXTENSION("\x2a\x01", NOTHING),
        CRITICAL_EXTENSION("\x2a\x02", NOTHING), CRITICAL_EXTENSION("\x2a\x03", NOTHING)));
    CHECK(bytes_equal(certificate_facts(c)->unknown_critical, BYTES("\x2a\x02")));
    certificate_unref(&c);
    written_free();
}

/* RFC 5280 §4.2.2.1: it MUST NOT be critical, and nobody here fetches anything. */
TEST(authority_information_access_is_not_used)
{
    struct bytes value = SEQUENCE_OF(SEQUENCE_OF(OID("\x2a\x03"), BYTES("\x86\x03u:v")));
    struct certificate *c = parse(WITH(EXTENSION(AIA, value)));
    CHECK(!certificate_facts(c)->unknown_critical.at);
    certificate_unref(&c);
    c = parse(WITH(CRITICAL_EXTENSION(AIA, value)));
    CHECK(bytes_equal(certificate_facts(c)->unknown_critical, BYTES(AIA)));
    certificate_unref(&c);
    c = parse(WITH(CRITICAL_EXTENSION("\x2a\x03", NOTHING), CRITICAL_EXTENSION(AIA, value)));
    CHECK(bytes_equal(certificate_facts(c)->unknown_critical, BYTES("\x2a\x03")));
    certificate_unref(&c);
    written_free();
}

TEST(path_lengths)
{
    static const struct {
        struct bytes length;
        int want;
    } cases[] = {
        {BYTES("\x02\x01\x00"), 0},
        {BYTES("\x02\x01\x7f"), 127},
        {BYTES("\x02\x04\x7f\xff\xff\xff"), INT32_MAX},
        {BYTES("\x02\x05\x00\xff\xff\xff\xff"), INT32_MAX}, /* no path is longer */
        {BYTES("\x02\x09\x7f\0\0\0\0\0\0\0\0"), INT32_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct certificate *c =
            parse(WITH(EXTENSION(CE("\x13"), SEQUENCE_OF(TRUE_ELEMENT, cases[i].length))));
        CHECK_INT(certificate_facts(c)->path_length, cases[i].want);
        certificate_unref(&c);
    }
    written_free();
}

TEST(versions)
{
    static const struct {
        struct bytes encoding;
        unsigned want;
    } cases[] = {
        {BYTES(""), 1},
        {BYTES("\xa0\x03\x02\x01\x01"), 2},
        {BYTES("\xa0\x03\x02\x01\x02"), 3},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct certificate *c = parse(
            build((struct parts){.version = cases[i].encoding, .extensions = JOIN(CA, SIGNER)}));
        CHECK_INT(certificate_facts(c)->version, cases[i].want);
        CHECK_INT(certificate_may_issue(c), cases[i].want == 3);
        certificate_unref(&c);
    }
    written_free();
}

/* RFC 4055 §1.2, RFC 8410 §3: what we do not check is shown nevertheless. */
TEST(keys_and_algorithms_that_are_not_accepted)
{
    struct bytes ed448 = SEQUENCE_OF(OID("\x2b\x65\x71"));
    struct certificate *c = parse(build(
        (struct parts){.spki = SEQUENCE_OF(ed448, BYTES("\x03\x02\x00x")), .algorithm = ed448}));
    const struct certificate_facts *f = certificate_facts(c);
    CHECK(f->key_kind == KEY_UNSUPPORTED && !f->key_bits && !certificate_public_key(c));
    CHECK_INT(f->signature_algorithm, SIGNATURE_UNKNOWN);
    certificate_unref(&c);
    c = parse(build((struct parts){.algorithm = SEQUENCE_OF(OID("\x2a\x86\x48\xce\x3d\x04\x01"))}));
    CHECK_INT(certificate_facts(c)->signature_algorithm, SIGNATURE_WEAK);
    certificate_unref(&c);
    written_free();
}

/* ---- what is wrong with it ---- */

TEST(flaws_one_by_one)
{
    static const uint8_t long_serial[] = {
        0x02, 21, 0, 0x80, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    const struct {
        struct parts parts;
        enum certificate_flaw want;
    } cases[] = {
        {{.serial = BYTES("\x02\x01\x00")}, FLAW_SERIAL_NOT_POSITIVE},
        {{.serial = BYTES("\x02\x01\x80")}, FLAW_SERIAL_NOT_POSITIVE},
        {{.serial = {long_serial, sizeof(long_serial)}}, FLAW_SERIAL_TOO_LONG},
        {{.issuer = EMPTY}, FLAW_ISSUER_EMPTY},
        {{.subject = EMPTY}, FLAW_SUBJECT_EMPTY_NO_NAMES},
        {{.subject = EMPTY, .extensions = ALTERNATIVE}, FLAW_NAMES_NOT_CRITICAL},
        {{.extensions = EXTENSION(CE("\x11"), EMPTY)}, FLAW_NAMES_EMPTY},
        {{.version = BYTES("\xa0\x03\x02\x01\x01"), .extensions = ALTERNATIVE},
            FLAW_EXTENSIONS_NOT_VERSION_3},
        {{.extensions = CRITICAL_EXTENSION(CE("\x23"), EMPTY)}, FLAW_AKI_CRITICAL},
        {{.extensions = CRITICAL_EXTENSION(CE("\x0e"), BYTES("\x04\x00"))}, FLAW_SKI_CRITICAL},
        {{.extensions = BASIC(BYTES("\x02\x01\x00"))}, FLAW_PATH_LENGTH_NOT_CA},
        {{.extensions = SIGNER}, FLAW_CERT_SIGN_NOT_CA},
        {{.extensions = JOIN(BASIC(TRUE_ELEMENT), SIGNER)}, FLAW_CA_NOT_CRITICAL},
        {{.extensions = CA}, FLAW_CA_WITHOUT_KEY_USAGE},
        {{.extensions = CRITICAL_EXTENSION(CE("\x1e"), SUBTREE)}, FLAW_CONSTRAINTS_NOT_CA},
        {{.extensions = JOIN(CA, SIGNER, EXTENSION(CE("\x1e"), SUBTREE))},
            FLAW_CONSTRAINTS_NOT_CRITICAL},
        {{.extensions = EXTENSION(CE("\x0f"), BYTES("\x03\x01\x00"))}, FLAW_KEY_USAGE_EMPTY},
        {{.unique_ids = BYTES("\x81\x02\x00x")}, FLAW_UNIQUE_ID},
        {{.unique_ids = BYTES("\x82\x02\x00x")}, FLAW_UNIQUE_ID},
    };
    unsigned all = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct certificate *c = parse(build(cases[i].parts));
        CHECK_INT(certificate_facts(c)->flaws, CERTIFICATE_FLAW_BIT(cases[i].want));
        CHECK(strstr(certificate_flaw_text(cases[i].want), "(RFC 5280 4."));
        all |= certificate_facts(c)->flaws;
        certificate_unref(&c);
    }
    /* This one does not come alone. */
    struct certificate *c = parse(build((struct parts){.subject = EMPTY,
        .extensions =
            JOIN(CA, SIGNER, CRITICAL_EXTENSION(CE("\x11"), SEQUENCE_OF(BYTES("\x82\x01x"))))}));
    CHECK_INT(certificate_facts(c)->flaws, CERTIFICATE_FLAW_BIT(FLAW_CA_SUBJECT_EMPTY));
    all |= certificate_facts(c)->flaws;
    certificate_unref(&c);
    CHECK_INT(all, CERTIFICATE_FLAW_BIT(CERTIFICATE_FLAW_COUNT) - 1);
    written_free();
}

TEST(malformed_fields)
{
    const struct {
        struct parts parts;
        const char *why;
    } cases[] = {
        {{.version = BYTES("\xa0\x03\x02\x01\x00")}, "version"}, /* the default, spelt out */
        {{.version = BYTES("\xa0\x03\x02\x01\x03")}, "version"},
        {{.version = BYTES("\xa0\x04\x02\x02\x00\x02")}, "version"},
        {{.version = BYTES("\xa0\x00")}, "version"},
        {{.version = BYTES("\xa0\x05\x02\x01\x02\x05\x00")}, "version"},
        {{.version = BYTES("\xa0\x7f")}, "version"},
        {{.serial = BYTES("\x02\x00")}, "serial"},
        {{.serial = BYTES("\x02\x02\x00\x01")}, "serial"},
        {{.serial = BYTES("\x04\x01\x01")}, "serial"},
        {{.algorithm = BYTES("\x04\x00"), .outer_algorithm = SHA256_ECDSA}, "signature algorithm"},
        {{.algorithm = EMPTY}, "signature algorithm"},
        {{.algorithm = SEQUENCE_OF(BYTES("\x06\x01\x80"))}, "signature algorithm"},
        {{.algorithm = SEQUENCE_OF(OID("\x2a"), BYTES("\x05"))}, "signature algorithm"},
        {{.algorithm = SEQUENCE_OF(OID("\x2a"), BYTES("\x05\x00\x05\x00"))}, "signature algorithm"},
        {{.outer_algorithm = SEQUENCE_OF(OID("\x2b\x65\x70"))}, "two signature algorithms differ"},
        {{.algorithm = SEQUENCE_OF(OID("\x2a")),
             .outer_algorithm = SEQUENCE_OF(OID("\x2a"), BYTES("\x05\x00"))},
            "two signature algorithms differ"},
        {{.issuer = BYTES("\x30\x02\x31\x00")}, "issuer"},
        {{.issuer = BYTES("\x04\x00")}, "issuer"},
        {{.subject = BYTES("\x30\x02\x31\x00")}, "subject"},
        {{.validity = SEQUENCE_OF(TIME("270101000000Z"))}, "validity"},
        {{.validity = SEQUENCE_OF(TIME("2701010000Z"), TIME("280101000000Z"))}, "validity"},
        {{.validity = SEQUENCE_OF(TIME("270101000000Z"), TIME("280101000000+0100"))}, "validity"},
        {{.validity = SEQUENCE_OF(TIME("270101000000Z"), TIME("280101000000Z"), BYTES("\x05\x00"))},
            "validity"},
        {{.validity = BYTES("\x30\x01\x00")}, "validity"},
        {{.validity = BYTES("\x04\x00")}, "validity"},
        {{.spki = BYTES("\x30\x00")}, "public key"},
        {{.spki = BYTES("\x31\x00")}, "public key"},
        {{.unique_ids = BYTES("\x81\x00")}, "unique identifier"},
        {{.unique_ids = BYTES("\x81\x01\x08")}, "unique identifier"},
        {{.unique_ids = BYTES("\x81\x7f")}, "unique identifier"},
        {{.version = BYTES(""), .unique_ids = BYTES("\x81\x02\x00x")}, "unique identifier"},
        {{.unique_ids = BYTES("\x82\x02\x00x\x81\x02\x00x")},
            "its extensions"}, /* the wrong way round */
        {{.unique_ids = BYTES("\xa3\x00")}, "its extensions"},
        {{.unique_ids = BYTES("\xa3\x02\x30\x00")}, "its extensions"},
        {{.unique_ids = BYTES("\xa3\x04\x30\x00\x05\x00")}, "its extensions"},
        {{.unique_ids = BYTES("\x05\x00")}, "its extensions"},
        {{.unique_ids = BYTES("\xa3\x04\x30\x02\x05\x00\x05\x00")}, "its extensions"},
        {{.signature = TLV(0x03, BYTES("\x04sig\x10"))}, "whole number of octets"},
        {{.signature = BYTES("\x04\x01x")}, "not DER of a Certificate"},
        {{.outer_algorithm = BYTES("\x04\x01x")}, "not DER of a Certificate"},
        {{.more = BYTES("\x05\x00")}, "not DER of a Certificate"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refused(build(cases[i].parts), cases[i].why);
    check_refused(SEQUENCE_OF(BYTES("\x05\x00")), "not DER of a Certificate");
    written_free();
}

#define NAMED(what) "its extension " what " cannot be decoded"

TEST(malformed_extensions)
{
    struct bytes null = BYTES("\x05\x00"), oid = OID("\x2a\x03");
    const struct {
        struct bytes extensions;
        const char *why;
    } cases[] = {
        {SEQUENCE_OF(OID("\x2a\x03"), FALSE_ELEMENT, BYTES("\x04\x00")),
            "an extension of it"}, /* the default */
        {SEQUENCE_OF(OID("\x2a\x03"), BYTES("\x01\x01\x01"), BYTES("\x04\x00")),
            "an extension of it"},
        {SEQUENCE_OF(OID("\x2a\x03")), "an extension of it"},
        {SEQUENCE_OF(OID("\x2a\x03"), BYTES("\x04\x00"), null), "an extension of it"},
        {SEQUENCE_OF(BYTES("\x06\x01\x80"), BYTES("\x04\x00")), "an extension of it"},
        {SEQUENCE_OF(BYTES("\x04\x00"), oid), "an extension of it"},
        {null, "an extension of it"},
        {JOIN(ALTERNATIVE, ALTERNATIVE), "an extension occurs twice"},
        {JOIN(EXTENSION("\x2a\x03", null), ALTERNATIVE, EXTENSION("\x2a\x03", NOTHING)),
            "an extension occurs twice"},
        {BASIC(FALSE_ELEMENT), NAMED("basicConstraints")}, /* the default */
        {BASIC(BYTES("\x01\x01\x01")), NAMED("basicConstraints")},
        {BASIC(TRUE_ELEMENT, BYTES("\x02\x01\xff")), NAMED("basicConstraints")},
        {BASIC(TRUE_ELEMENT, BYTES("\x02\x00")), NAMED("basicConstraints")},
        {BASIC(TRUE_ELEMENT, BYTES("\x02\x02\x00\x01")), NAMED("basicConstraints")},
        {BASIC(TRUE_ELEMENT, null), NAMED("basicConstraints")},
        {BASIC(BYTES("\x02\x01\x00"), TRUE_ELEMENT), NAMED("basicConstraints")},
        {EXTENSION(CE("\x13"), null), NAMED("basicConstraints")},
        {EXTENSION(CE("\x13"), EMPTY, null), NAMED("basicConstraints")},
        {EXTENSION(CE("\x13"), BYTES("\x30\x05\x01")), NAMED("basicConstraints")},
        {EXTENSION(CE("\x0f"), BYTES("\x03\x02\x02\x06")), NAMED("keyUsage")},
        {EXTENSION(CE("\x0f"), BYTES("\x04\x01\x06")), NAMED("keyUsage")},
        {EXTENSION(CE("\x0f"), BYTES("\x03\x02\x01\x06"), null), NAMED("keyUsage")},
        {EXTENSION(CE("\x25"), EMPTY), NAMED("extKeyUsage")},
        {EXTENSION(CE("\x25"), SEQUENCE_OF(null)), NAMED("extKeyUsage")},
        {EXTENSION(CE("\x25"), SEQUENCE_OF(BYTES("\x06\x00"))), NAMED("extKeyUsage")},
        {EXTENSION(CE("\x25"), SEQUENCE_OF(oid), null), NAMED("extKeyUsage")},
        {EXTENSION(CE("\x0e"), null), NAMED("subjectKeyIdentifier")},
        {EXTENSION(CE("\x0e"), BYTES("\x04\x00"), null), NAMED("subjectKeyIdentifier")},
        {EXTENSION(CE("\x23"), null), NAMED("authorityKeyIdentifier")},
        {EXTENSION(CE("\x23"), SEQUENCE_OF(null)), NAMED("authorityKeyIdentifier")},
        {EXTENSION(CE("\x23"), SEQUENCE_OF(BYTES("\x82\x01\x01"))),
            NAMED("authorityKeyIdentifier")},
        {EXTENSION(CE("\x23"), SEQUENCE_OF(BYTES("\xa1\x03\x82\x01x"))),
            NAMED("authorityKeyIdentifier")},
        {EXTENSION(CE("\x23"), SEQUENCE_OF(BYTES("\xa1\x03\x82\x01x\x82\x00"))),
            NAMED("authorityKeyIdentifier")},
        {EXTENSION(CE("\x1e"), EMPTY), NAMED("nameConstraints")},
        {EXTENSION(CE("\x1e"), null), NAMED("nameConstraints")},
        {EXTENSION(CE("\x1f"), EMPTY), NAMED("cRLDistributionPoints")},
        {EXTENSION(CE("\x20"), EMPTY), NAMED("certificatePolicies")},
        {EXTENSION(CE("\x21"), EMPTY), NAMED("policyMappings")},
        {EXTENSION(CE("\x24"), EMPTY), NAMED("policyConstraints")},
        {EXTENSION(CE("\x2e"), EMPTY), NAMED("freshestCRL")},
        {EXTENSION(CE("\x36"), null), NAMED("inhibitAnyPolicy")},
        {EXTENSION(CE("\x36"), BYTES("\x02\x01\xff")), NAMED("inhibitAnyPolicy")},
        {EXTENSION(CE("\x36"), BYTES("\x02\x01\x00"), null), NAMED("inhibitAnyPolicy")},
        {EXTENSION(CE("\x36"), BYTES("\x02\x00")), NAMED("inhibitAnyPolicy")},
        {EXTENSION("\x2b\x06\x01\x05\x05\x07\x30\x01\x05", NOTHING), NAMED("id-pkix-ocsp-nocheck")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refused(WITH(cases[i].extensions), cases[i].why);
    written_free();
}

TEST(malformed_information_access)
{
    struct bytes null = BYTES("\x05\x00"), oid = OID("\x2a\x03"), uri = BYTES("\x86\x01u");
    const struct bytes cases[] = {
        null,
        EMPTY,
        SEQUENCE_OF(EMPTY),
        SEQUENCE_OF(null),
        SEQUENCE_OF(SEQUENCE_OF(oid)),
        SEQUENCE_OF(SEQUENCE_OF(oid, null)),
        SEQUENCE_OF(SEQUENCE_OF(oid, uri, null)),
        SEQUENCE_OF(SEQUENCE_OF(BYTES("\x06\x00"), uri)),
        JOIN(SEQUENCE_OF(SEQUENCE_OF(oid, uri)), null),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refused(WITH(EXTENSION(AIA, cases[i])), NAMED("authorityInfoAccess"));
    written_free();
}

TEST(malformed_alternative_names)
{
    const struct bytes cases[] = {
        BYTES("\x87\x05\1\2\3\4\5"),               /* an address of five octets */
        BYTES("\x87\x08\1\2\3\4\xff\xff\xff\xff"), /* an address with a mask */
        BYTES("\x87\x00"),
        BYTES("\x89\x00"),
        BYTES("\x88\x01\x80"),
        BYTES("\xa0\x00"),
        BYTES("\xa0\x03\x06\x01\x2a"),
        BYTES("\xa0\x05\x06\x01\x2a\xa0\x00"),
        BYTES("\xa0\x07\x06\x01\x80\xa0\x02\x05\x00"),
        BYTES("\xa0\x09\x06\x01\x2a\xa0\x04\x05\x00\x05\x00"),
        BYTES("\xa0\x09\x06\x01\x2a\xa0\x02\x05\x00\x05\x00"),
        BYTES("\xa2\x03\x16\x01x"), /* constructed */
        BYTES("\x82\x02x"),
        BYTES("\x0c\x01x"),
        BYTES("\xa4\x00"),
        BYTES("\xa4\x04\x30\x02\x31\x00"),
        BYTES("\x84\x02\x30\x00"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refused(WITH(EXTENSION(CE("\x11"), SEQUENCE_OF(BYTES("\x82\x01x"), cases[i]))),
            NAMED("subjectAltName"));
    check_refused(WITH(EXTENSION(CE("\x11"), BYTES("\x05\x00"))), NAMED("subjectAltName"));
    written_free();
}

TEST(der_is_consumed_exactly)
{
    struct bytes der = WITH(CA, SIGNER, ALTERNATIVE);
    struct error err;
    struct certificate *c = parse(der);
    CHECK(bytes_equal(certificate_der(c), der) && certificate_der(c).at != der.at);
    certificate_unref(&c);
    check_refused(NOTHING, "it is empty");
    for (size_t n = 1; n < der.n; n++)
        check_refused(bytes_first(der, n), "it is not DER, or cut off");
    check_refused(JOIN(der, BYTES("\0")), "bytes follow its end");
    check_refused(JOIN(BYTES("\x30\x80"), bytes_skip(der, 4), BYTES("\0\0")), "it is not DER");
    /* Damage of any one bit is noticed, or leads to another certificate. */
    uint8_t copy[512];
    MUST(der.n <= sizeof(copy));
    for (size_t bit = 0; bit < 8 * der.n; bit++) {
        memcpy(copy, der.at, der.n);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        c = certificate_parse((struct bytes){copy, der.n}, &err);
        if (c)
            CHECK(certificate_subject(c) && certificate_issuer(c) && certificate_serial(c));
        certificate_unref(&c);
    }
    written_free();
}

/* ---- signatures, references, texts ---- */

static struct certificate *issue(enum issue_profile profile, const char *name, const char *san,
    struct issued *out, const struct issued *issuer)
{
    *out = issue_fixture(profile, name, san, issuer);
    return parse(issued_der(out));
}

TEST(who_issued_it)
{
    struct issued ca_i, server_i, other_i;
    struct certificate *ca = issue(ISSUE_CA, "Test CA", NULL, &ca_i, NULL),
                       *other = issue(ISSUE_CA, "Test CA", NULL, &other_i, NULL),
                       *server =
                           issue(ISSUE_SERVER, "www", "DNS:www.example.com", &server_i, &ca_i);
    CHECK(certificate_facts(ca)->is_self_issued && !certificate_facts(server)->is_self_issued);
    CHECK(certificate_issued_by(server, ca) && certificate_issued_by(ca, ca));
    CHECK(!certificate_issued_by(server, other)); /* the name, but not the key */
    CHECK(!certificate_issued_by(ca, server));
    CHECK(certificate_may_issue(ca) && !certificate_may_issue(server));
    CHECK(certificate_public_key(ca) && certificate_public_key(ca) == certificate_public_key(ca));
    CHECK(!certificate_facts(ca)->flaws && !certificate_facts(server)->flaws);
    CHECK(certificate_facts(server)->extended_key_usage == EXTENDED_SERVER);

    struct certificate *again = parse(certificate_der(ca));
    CHECK(
        certificate_equal(ca, again) && certificate_equal(ca, ca) && !certificate_equal(ca, other));
    struct certificate *reference = certificate_ref(ca);
    certificate_unref(&ca);
    CHECK(!ca && certificate_equal(reference, again));
    certificate_unref(&reference);
    certificate_unref(&again);
    certificate_unref(&other);
    certificate_unref(&server);
    issued_fini(&ca_i);
    issued_fini(&other_i);
    issued_fini(&server_i);
}

/* The issuer's key, under another name. */
TEST(the_name_counts_too)
{
    struct error err;
    struct issued ca_i, server_i;
    struct certificate *ca = issue(ISSUE_CA, "Test CA", NULL, &ca_i, NULL),
                       *server = issue(ISSUE_SERVER, "www", "DNS:a.example", &server_i, &ca_i);
    struct issue_request request = {.profile = ISSUE_CA,
        .common_name = "Renamed CA",
        .not_before = NOW,
        .not_after = NOW + DAY,
        .key = ca_i.key};
    struct buf der;
    buf_init(&der, 1 << 16);
    MUST(issue_certificate(&request, &der, &err) == 0);
    struct certificate *renamed = parse(buf_bytes(&der));
    CHECK(certificate_issued_by(server, ca) && !certificate_issued_by(server, renamed));
    buf_fini(&der);
    certificate_unref(&renamed);
    certificate_unref(&ca);
    certificate_unref(&server);
    issued_fini(&ca_i);
    issued_fini(&server_i);
}

/* The issuer's name, and a key that cannot be used. */
TEST(an_issuer_without_a_key)
{
    struct certificate *c = parse(build((struct parts){.subject = COMMON("CA")}));
    CHECK(certificate_facts(c)->is_self_issued && !certificate_issued_by(c, c));
    certificate_unref(&c);
    written_free();
}

TEST(sha256_is_over_the_der)
{
    struct certificate *c = parse(build((struct parts){0}));
    uint8_t hash[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    digest_sha256(certificate_der(c), hash);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    for (int again = 0; again < 2; again++) {
        CHECK_TEXT(certificate_sha256(c), hex);
        CHECK(!memcmp(certificate_digest(c), hash, sizeof(hash)));
        CHECK(certificate_subject(c) == certificate_subject(c) &&
              certificate_issuer(c) == certificate_issuer(c) &&
              certificate_serial(c) == certificate_serial(c));
    }
    certificate_unref(&c);
    written_free();
}

/* ---- files ---- */

static void append_pem(struct buf *file, const struct issued *i)
{
    MUST(convert_certificate_pem(issued_der(i), file) == 0);
}

TEST(list_of_pem_with_junk)
{
    struct error err;
    struct issued a = issue_fixture(ISSUE_CA, "A", NULL, NULL),
                  b = issue_fixture(ISSUE_CA, "B", NULL, NULL);
    struct buf file;
    struct certificate_list l;
    buf_init(&file, 1 << 20);
    MUST(buf_append(&file, BYTES("# A\nissuer=A\n")) == 0);
    append_pem(&file, &a);
    MUST(convert_key_pem(a.key, &file) == 0);
    MUST(buf_append(&file, BYTES("\r\n\r\nB:\r\n")) == 0);
    append_pem(&file, &b);
    CHECK_INT(certificate_list_parse(buf_bytes(&file), &l, &err), 0);
    CHECK_INT(l.n, 2);
    CHECK(l.n == 2 && bytes_equal(certificate_der(l.at[0]), issued_der(&a)) &&
          bytes_equal(certificate_der(l.at[1]), issued_der(&b)));
    struct certificate_list copy = {0};
    certificate_list_add(&copy, l.at[1]);
    certificate_list_fini(&l);
    CHECK_TEXT(certificate_subject(copy.at[0]), "CN=B");
    certificate_list_fini(&copy);

    /* The last block loses its last line. */
    struct bytes cut = bytes_first(buf_bytes(&file), buf_size(&file) - 30);
    CHECK_INT(certificate_list_parse(cut, &l, &err), -1);
    CHECK(strstr(err.text, "PEM block 3 of the file is damaged") != NULL);
    CHECK_INT(l.n, 0);
    buf_fini(&file);
    issued_fini(&a);
    issued_fini(&b);
}

TEST(list_names_the_broken_certificate)
{
    struct error err;
    struct issued a = issue_fixture(ISSUE_CA, "A", NULL, NULL);
    struct buf file;
    struct certificate_list l;
    buf_init(&file, 1 << 20);
    append_pem(&file, &a);
    MUST(buf_append(&file,
             BYTES("-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n")) == 0);
    CHECK_INT(certificate_list_parse(buf_bytes(&file), &l, &err), -1);
    CHECK(strstr(err.text, "certificate 2 of the file: malformed certificate: ") != NULL);
    /* The system's trust store is put together by others: the rest of it counts. */
    append_pem(&file, &a);
    CHECK_INT(certificate_list_parse_store(buf_bytes(&file), &l, &err), 0);
    CHECK_INT(l.n, 2);
    certificate_list_fini(&l);
    buf_fini(&file);
    issued_fini(&a);
}

TEST(list_of_der)
{
    struct error err;
    struct certificate_list l;
    struct bytes der = build((struct parts){0});
    CHECK_INT(certificate_list_parse(der, &l, &err), 0);
    CHECK_INT(l.n, 1);
    certificate_list_fini(&l);
    CHECK_INT(certificate_list_parse(bytes_first(der, der.n - 1), &l, &err), -1);
    CHECK(strstr(err.text, "it is not DER, or cut off") != NULL);
    written_free();
}

TEST(other_files_are_named)
{
    struct error err;
    struct certificate_list l;
    struct issued a = issue_fixture(ISSUE_CA, "A", NULL, NULL);
    struct buf file;
    buf_init(&file, 1 << 20);
    MUST(convert_key_pem(a.key, &file) == 0);
    CHECK_INT(certificate_list_parse(buf_bytes(&file), &l, &err), -1);
    CHECK(strstr(err.text, "looks like a private key, where a certificate is wanted") != NULL);
    struct convert_pkcs12 p12 = {issued_der(&a), a.key, NULL, "x", NULL};
    buf_clear(&file);
    MUST(convert_pkcs12_write(&p12, &file, &err) == 0);
    CHECK_INT(certificate_list_parse(buf_bytes(&file), &l, &err), -1);
    CHECK(strstr(err.text, "looks like PKCS#12") && strstr(err.text, "sallyport pki convert"));
    buf_fini(&file);
    issued_fini(&a);
}

TEST(empty_files)
{
    struct error err;
    struct certificate_list l;
    CHECK_INT(certificate_list_parse(NOTHING, &l, &err), -1);
    CHECK(strstr(err.text, "is empty") != NULL);
    CHECK_INT(certificate_list_parse(BYTES("no certificate here\n"), &l, &err), -1);
    CHECK(strstr(err.text, "neither PEM nor DER") != NULL);
    CHECK_INT(certificate_list_parse(
                  (struct bytes){(const uint8_t *)"", (size_t)INT32_MAX + 1}, &l, &err),
        -1);
    CHECK(strstr(err.text, "larger than 2 GB") != NULL);
}
