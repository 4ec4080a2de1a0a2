/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "crl_forge.h"
#include "crypto/convert.h"
#include "pki/crl_index.h"
#include "pki/dn.h"
#include "pki/reason_code.h"

#include "base/ban.h"

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
    forge_clear();
}

static struct bytes serial_of(const struct identity *i)
{
    return certificate_facts(i->certificate)->serial;
}

static bool lists(const struct crl *c, const struct identity *i, struct crl_entry *out)
{
    return crl_find(c, serial_of(i), certificate_facts(i->certificate)->issuer, out);
}

/* BAD with EXTENSIONS, in a CRL with the number 7. */
static struct crl *list_bad(struct bytes extensions)
{
    struct forge_shape s = {.entries = forge_entry(serial_of(&bad), extensions),
        .extensions = forge_number(FORGE_OID_NUMBER, BYTES("\7"))};
    return forge_open(&ca, &s);
}

/* The CRL of SHAPE is refused, and ERR says WHY. */
static void check_refused(const struct forge_shape *shape, const char *why)
{
    struct error err = {0};
    struct crl *c = crl_make(forge_crl(&ca, shape), &err);
    CHECK(!c);
    if (!strstr(err.text, why))
        CHECK_TEXT(err.text, why);
    crl_free(&c);
}

/* ---- what it says ---- */

TEST(lists_the_revoked_one_only)
{
    make_all();
    struct crl *c = list_bad(forge_reason(1));
    const struct crl_facts *f = crl_facts(c);
    CHECK_TEXT(crl_issuer(c), "CN=CA");
    CHECK_TEXT(crl_number(c), "7");
    CHECK_INT(f->this_update, NOW - DAY);
    CHECK_INT(f->next_update, NOW + DAY);
    CHECK_INT(f->entries, 1);
    CHECK(!f->base_number.at && !f->has_distribution_point && !f->unknown_critical.at);
    CHECK(bytes_equal(f->issuer, certificate_facts(ca.certificate)->subject));
    CHECK_INT(f->issuer_hash == dn_hash(f->issuer), true);
    struct crl_entry e;
    CHECK(lists(c, &bad, &e));
    CHECK_INT(e.revoked_at, NOW - DAY);
    CHECK_INT(e.reason, 1);
    CHECK(!lists(c, &good, &e));
    CHECK(crl_signed_by(c, ca.certificate));
    CHECK(crl_signed_by(c, ca.certificate)); /* remembered */
    crl_free(&c);
    c = list_bad(BYTES(""));
    CHECK(lists(c, &bad, &e));
    CHECK_INT(e.reason, REASON_CODE_UNSPECIFIED);
    crl_free(&c);
    drop_all();
}

TEST(nobody_is_listed)
{
    make_all();
    struct crl_entry e;
    struct forge_shape shapes[] = {{.is_v1 = false}, {.is_v1 = true}};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct crl *c = forge_open(&ca, &shapes[i]);
        CHECK_INT(crl_facts(c)->entries, 0);
        CHECK_TEXT(crl_number(c), "");
        CHECK(!crl_facts(c)->number.at);
        CHECK(!lists(c, &bad, &e));
        CHECK(crl_signed_by(c, ca.certificate));
        crl_free(&c);
    }
    drop_all();
}

/* Listed twice, once to be removed: revoked. */
TEST(what_takes_it_out_does_not_undo_what_puts_it_in)
{
    make_all();
    struct crl_entry e;
    struct bytes out = forge_entry(serial_of(&bad), forge_reason(REASON_CODE_REMOVE_FROM_CRL)),
                 in = forge_entry(serial_of(&bad), forge_reason(4));
    struct crl *c = forge_open(&ca, &(struct forge_shape){.entries = out});
    CHECK(lists(c, &bad, &e));
    CHECK_INT(e.reason, REASON_CODE_REMOVE_FROM_CRL);
    crl_free(&c);
    for (int order = 0; order < 2; order++) {
        struct bytes both[] = {order ? in : out, order ? out : in};
        c = forge_open(&ca, &(struct forge_shape){.entries = forge_join(both, 2)});
        CHECK(lists(c, &bad, &e));
        CHECK_INT(e.reason, 4);
        crl_free(&c);
    }
    drop_all();
}

TEST(numbers)
{
    static const struct {
        struct bytes octets;
        const char *text;
    } rows[] = {
        {BYTES("\0"), "0"},
        {BYTES("\1\0"), "256"},
        {BYTES("\0\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"},
        {BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            "730750818665451459101842416358141509827966271487"},
    };
    make_all();
    struct crl *all[COUNT_OF(rows)];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        all[i] = forge_open(&ca,
            &(struct forge_shape){.extensions = forge_number(FORGE_OID_NUMBER, rows[i].octets)});
        CHECK_TEXT(crl_number(all[i]), rows[i].text);
        for (size_t k = 0; k < i; k++) {
            CHECK(crl_compare_age(all[k], all[i]) < 0);
            CHECK(crl_compare_age(all[i], all[k]) > 0);
        }
        CHECK_INT(crl_compare_age(all[i], all[i]), 0);
    }
    /* Where one has no number, the date tells. */
    struct forge_shape later = {.dates = forge_time(NOW)};
    struct crl *dated = forge_open(&ca, &later);
    CHECK(crl_compare_age(all[0], dated) < 0);
    CHECK(crl_compare_age(dated, all[0]) > 0);
    crl_free(&dated);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        crl_free(&all[i]);
    drop_all();
}

TEST(dates_of_entries)
{
    static const struct {
        const char *time;
        int64_t at;
    } rows[] = {
        {"\x17\x0d"
         "500101000000Z",
            -631152000},
        {"\x17\x0d"
         "700101000059Z",
            0}, /* to the minute */
        {"\x17\x0d"
         "491231235959Z",
            2524607940},
        {"\x18\x0f"
         "19000101000000Z",
            -631152000}, /* as early as can be said */
        {"\x18\x0f"
         "99991231235959Z",
            15474975300}, /* and as late */
    };
    make_all();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct crl_entry e = {0};
        struct bytes entry =
            FORGE(DER_SEQUENCE, FORGE(DER_INTEGER, serial_of(&bad)), bytes_of(rows[i].time));
        struct crl *c = forge_open(&ca, &(struct forge_shape){.entries = entry});
        CHECK(lists(c, &bad, &e));
        CHECK_INT(e.revoked_at, rows[i].at);
        crl_free(&c);
    }
    drop_all();
}

/* ---- who signed ---- */

TEST(crl_of_another_ca_with_the_same_name)
{
    make_all();
    struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
    struct crl *c = forge_open(&twin, &(struct forge_shape){0});
    CHECK(!crl_signed_by(c, ca.certificate));
    CHECK(crl_signed_by(c, twin.certificate));
    CHECK(!crl_signed_by(c, ca.certificate)); /* remembered, each by its own */
    crl_free(&c);
    identity_fini(&twin);
    drop_all();
}

TEST(crl_of_another_name)
{
    make_all();
    struct crl *c = forge_open(&ca, &(struct forge_shape){.issuer = forge_name("Other")});
    CHECK(!crl_signed_by(c, ca.certificate));
    crl_free(&c);
    drop_all();
}

TEST(more_signers_than_are_remembered)
{
    make_all();
    struct crl *c = list_bad(BYTES(""));
    for (int i = 0; i < 10; i++) {
        struct identity twin = make_identity(ISSUE_CA, "CA", NULL, NULL);
        CHECK(!crl_signed_by(c, twin.certificate));
        identity_fini(&twin);
        CHECK(crl_signed_by(c, ca.certificate));
    }
    crl_free(&c);
    drop_all();
}

TEST(issuer_that_may_not_sign_crls)
{
    make_all();
    struct crl *c = list_bad(BYTES(""));
    change_identity(&ca, NULL, (struct change){NID_key_usage, "critical,keyCertSign"});
    CHECK(!crl_signed_by(c, ca.certificate));
    change_identity(&ca, NULL, (struct change){NID_key_usage, NULL});
    CHECK(crl_signed_by(c, ca.certificate));
    crl_free(&c);
    drop_all();
}

TEST(signatures)
{
    make_all();
    struct bytes sha1 = FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x2a\x86\x48\xce\x3d\x04\x01")));
    struct crl *c = forge_open(&ca, &(struct forge_shape){.algorithm = sha1, .digest = EVP_sha1()});
    CHECK_INT(crl_facts(c)->signature_algorithm, SIGNATURE_WEAK);
    CHECK(!crl_signed_by(c, ca.certificate));
    crl_free(&c);
    /* The algorithm says SHA-384, the signature is one of SHA-256. */
    struct bytes sha384 =
        FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x03")));
    c = forge_open(&ca, &(struct forge_shape){.algorithm = sha384});
    CHECK(!crl_signed_by(c, ca.certificate));
    crl_free(&c);
    c = forge_open(&ca, &(struct forge_shape){.algorithm = sha384, .digest = EVP_sha384()});
    CHECK(crl_signed_by(c, ca.certificate));
    crl_free(&c);
    /* One bit of what is signed. */
    struct bytes der =
        forge_crl(&ca, &(struct forge_shape){.entries = forge_entry(serial_of(&bad), BYTES(""))});
    struct error err;
    struct bytes at = {memmem(der.at, der.n, serial_of(&bad).at, serial_of(&bad).n), 1};
    ((uint8_t *)(uintptr_t)at.at)[5] ^= 1;
    c = crl_make(der, &err);
    CHECK(c && !crl_signed_by(c, ca.certificate));
    crl_free(&c);
    drop_all();
}

TEST(ed25519_signs_all_of_it)
{
    struct error err;
    struct bytes entries = {0};
    make_all();
    private_key_unref(&ca.key);
    ca.key = private_key_generate(KEY_ED25519, &err);
    X509 *x = must_x509(ca.certificate);
    MUST(X509_set_pubkey(x, private_key_pkey(ca.key)) &&
         X509_sign(x, private_key_pkey(ca.key), NULL));
    certificate_unref(&ca.certificate);
    ca.certificate = must_parse_x509(x);
    X509_free(x);
    entries = forge_entry(serial_of(&bad), BYTES(""));
    struct crl *c = forge_open(&ca, &(struct forge_shape){.is_ed25519 = true, .entries = entries});
    CHECK(crl_signed_by(c, ca.certificate));
    CHECK(!crl_signed_by(c, good.certificate));
    crl_free(&c);
    drop_all();
}

/* ---- extensions ---- */

TEST(extensions_of_the_list)
{
    static const struct {
        const char *point; /* content of issuingDistributionPoint */
        size_t n;
        enum crl_scope scope;
        unsigned reasons;
        bool is_indirect, has_name;
    } rows[] = {
#define POINT(text) text, sizeof(text) - 1
        {POINT("\x81\1\xff"), CRL_SCOPE_USERS, 0, false, false},
        {POINT("\x82\1\xff"), CRL_SCOPE_AUTHORITIES, 0, false, false},
        {POINT("\x85\1\xff"), CRL_SCOPE_ATTRIBUTES, 0, false, false},
        {POINT("\x83\2\5\x60"), CRL_SCOPE_ALL, 1 << 1 | 1 << 2, false, false},
        {POINT("\x84\1\xff"), CRL_SCOPE_ALL, 0, true, false},
        {POINT("\xa0\x0a\xa0\x08\x86\x06http:a"), CRL_SCOPE_ALL, 0, false, true},
        {POINT("\xa0\x0a\xa0\x08\x86\x06http:a\x81\1\xff\x83\2\1\2\x84\1\xff"), CRL_SCOPE_USERS,
            1 << 6, true, true},
        {POINT("\xa0\x0f\xa1\x0d\x30\x0b\6\3\x55\4\3\x0c\4name"), CRL_SCOPE_ALL, 0, false, true},
#undef POINT
    };
    make_all();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bytes content = {(const uint8_t *)rows[i].point, rows[i].n};
        struct crl *c = forge_open(&ca, &(struct forge_shape){.extensions = forge_point(content)});
        const struct crl_facts *f = crl_facts(c);
        CHECK(f->has_distribution_point && !f->unknown_critical.at);
        CHECK_INT(f->scope, rows[i].scope);
        CHECK_INT(f->only_some_reasons, rows[i].reasons);
        CHECK_INT(f->is_indirect, rows[i].is_indirect);
        CHECK_INT(f->distribution_point.at != NULL, rows[i].has_name);
        crl_free(&c);
    }
    /* deltaCRLIndicator, authorityKeyIdentifier, and what is not known */
    struct bytes key_id = FORGE(DER_SEQUENCE, FORGE(DER_CONTEXT(0), BYTES("key")));
    struct bytes extensions[] = {forge_number(FORGE_OID_DELTA, BYTES("\5")),
        forge_extension(FORGE_OID_AUTHORITY, false, key_id),
        forge_extension(FORGE_OID_UNKNOWN, false, BYTES("\5\0")),
        forge_extension(FORGE_OID_UNKNOWN, true, BYTES("\5\0"))};
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        struct crl *c = forge_open(&ca, &(struct forge_shape){.extensions = extensions[i]});
        const struct crl_facts *f = crl_facts(c);
        CHECK(bytes_equal(f->base_number, i == 0 ? BYTES("\5") : BYTES("")));
        CHECK(bytes_equal(f->authority_key_id, i == 1 ? BYTES("key") : BYTES("")));
        CHECK(bytes_equal(f->unknown_critical, i == 3 ? FORGE_OID_UNKNOWN : BYTES("")));
        crl_free(&c);
    }
    /* What is not marked as it MUST be, critical or not, is not what we know. */
    struct bytes critical[] = {
        forge_extension(FORGE_OID_DELTA, false, FORGE(DER_INTEGER, BYTES("\1"))),
        forge_extension(FORGE_OID_POINT, false, FORGE(DER_SEQUENCE, BYTES("\x81\1\xff"))),
        forge_extension(FORGE_OID_NUMBER, true, FORGE(DER_INTEGER, BYTES("\1"))),
        forge_extension(FORGE_OID_AUTHORITY, true, key_id)};
    for (size_t i = 0; i < COUNT_OF(critical); i++) {
        struct crl *c = forge_open(&ca, &(struct forge_shape){.extensions = critical[i]});
        CHECK(crl_facts(c)->unknown_critical.at);
        crl_free(&c);
    }
    drop_all();
}

TEST(extensions_of_entries)
{
    make_all();
    struct bytes date = FORGE(DER_GENERALIZED_TIME, BYTES("20260101000000Z"));
    struct bytes host = FORGE(DER_CONTEXT(2), BYTES("x"));
    struct bytes owner = forge_owner(forge_directory(forge_name("X")));
    struct bytes two[] = {forge_directory(forge_name("X")), forge_directory(forge_name("Y"))};
    struct bytes indirect = forge_point(BYTES("\x84\1\xff"));
    struct {
        struct bytes extension, of_list, unknown;
    } rows[] = {
        {forge_extension(BYTES("\x55\x1d\x18"), false, date), BYTES(""), BYTES("")},
        {forge_extension(FORGE_OID_UNKNOWN, false, BYTES("\5\0")), BYTES(""), BYTES("")},
        {forge_extension(FORGE_OID_UNKNOWN, true, BYTES("\5\0")), BYTES(""), FORGE_OID_UNKNOWN},
        {forge_extension(FORGE_OID_REASON, true, FORGE(DER_ENUMERATED, BYTES("\1"))), BYTES(""),
            FORGE_OID_REASON},
        {owner, indirect, BYTES("")},
        {owner, BYTES(""), FORGE_OID_OWNER},
        {forge_owner(host), BYTES(""), FORGE_OID_OWNER},
        {forge_owner(host), indirect, FORGE_OID_OWNER},
        {forge_owner(forge_join(two, 2)), indirect, FORGE_OID_OWNER},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct forge_shape s = {.entries = forge_entry(serial_of(&bad), rows[i].extension),
            .extensions = rows[i].of_list};
        struct crl *c = forge_open(&ca, &s);
        CHECK(bytes_equal(crl_facts(c)->unknown_critical, rows[i].unknown));
        crl_free(&c);
    }
    drop_all();
}

TEST(owners_of_an_indirect_crl)
{
    make_all();
    /* 1 and 2 by the CRL's issuer, 1 by X, 2 and 3 too, 1 by Y, 4 by X again. */
    struct bytes none = BYTES(""), by_x = forge_owner(forge_directory(forge_name("X"))),
                 by_y = forge_owner(forge_directory(forge_name("Y")));
    struct bytes entries[] = {forge_entry(BYTES("\1"), none), forge_entry(BYTES("\2"), none),
        forge_entry(BYTES("\1"), by_x), forge_entry(BYTES("\2"), none),
        forge_entry(BYTES("\3"), none), forge_entry(BYTES("\1"), by_y),
        forge_entry(BYTES("\4"), by_x)};
    struct bytes content = forge_join(entries, COUNT_OF(entries));
    struct crl *c = forge_open(&ca,
        &(struct forge_shape){.entries = content, .extensions = forge_point(BYTES("\x84\1\xff"))});
    struct bytes issuers[] = {certificate_facts(ca.certificate)->subject, forge_name("X"),
        forge_name("y") /* RFC 5280 §7.1: case does not count */, forge_name("Z")};
    static const char *const want[] = {"12", "1234", "1", ""};
    for (size_t i = 0; i < COUNT_OF(issuers); i++) {
        char got[8] = "";
        size_t n = 0;
        for (uint8_t serial = 1; serial < 6; serial++) {
            struct crl_entry e;
            if (crl_find(c, (struct bytes){&serial, 1}, issuers[i], &e))
                got[n++] = (char)('0' + serial);
        }
        CHECK_TEXT(got, want[i]);
    }
    crl_free(&c);
    drop_all();
}

TEST(more_issuers_than_an_index_has)
{
    enum { ISSUERS = CRL_INDEX_ISSUERS };
    make_all();
    struct bytes *entries = mem_calloc(ISSUERS, sizeof(*entries));
    char name[16];
    for (unsigned i = 0; i < ISSUERS; i++) {
        snprintf(name, sizeof(name), "%u", i);
        entries[i] = forge_entry(BYTES("\1"), forge_owner(forge_directory(forge_name(name))));
    }
    struct forge_shape s = {.extensions = forge_point(BYTES("\x84\1\xff"))};
    /* One place is the CRL's issuer's own. */
    s.entries = forge_join(entries, ISSUERS - 1);
    struct crl *c = forge_open(&ca, &s);
    struct crl_entry e;
    CHECK(crl_find(c, BYTES("\1"), forge_name("0"), &e));
    CHECK(crl_find(c, BYTES("\1"), forge_name("65533"), &e));
    CHECK(!crl_find(c, BYTES("\1"), forge_name("65534"), &e));
    crl_free(&c);
    s.entries = forge_join(entries, ISSUERS);
    check_refused(&s, "certificates of more than 65535 issuers");
    free(entries);
    drop_all();
}

TEST(scopes)
{
    make_all();
    struct bytes points[] = {BYTES("\x81\1\xff"), BYTES("\x82\1\xff"), BYTES("\x83\2\5\x60"),
        BYTES("\x83\2\6\x40"), BYTES("\x84\1\xff"), BYTES("\xa0\x0a\xa0\x08\x86\x06http:a"),
        BYTES("\xa0\x0a\xa0\x08\x86\x06http:b")};
    struct crl *all[COUNT_OF(points) + 2];
    all[0] = forge_open(&ca, &(struct forge_shape){0});
    all[1] = forge_open(&ca, &(struct forge_shape){.issuer = forge_name("Other")});
    for (size_t i = 0; i < COUNT_OF(points); i++)
        all[i + 2] = forge_open(&ca, &(struct forge_shape){.extensions = forge_point(points[i])});
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (size_t k = 0; k < COUNT_OF(all); k++)
            CHECK_INT(crl_has_same_scope(all[i], all[k]), i == k);
    struct bytes key_id = FORGE(DER_SEQUENCE, FORGE(DER_CONTEXT(0), BYTES("key")));
    struct crl *keyed = forge_open(&ca,
        &(struct forge_shape){.extensions = forge_extension(FORGE_OID_AUTHORITY, false, key_id)});
    CHECK(!crl_has_same_scope(keyed, all[0]));
    /* A delta CRL has the scope of its base. */
    struct crl *delta = forge_open(
        &ca, &(struct forge_shape){.extensions = forge_number(FORGE_OID_DELTA, BYTES("\5"))});
    CHECK(crl_has_same_scope(delta, all[0]));
    crl_free(&delta);
    crl_free(&keyed);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        crl_free(&all[i]);
    drop_all();
}

/* ---- what is refused ---- */

TEST(malformed_lists)
{
    make_all();
    struct bytes yesterday = forge_time(NOW - DAY), unknown = FORGE_OID_UNKNOWN;
    struct bytes number = forge_number(FORGE_OID_NUMBER, BYTES("\1"));
    struct bytes empty_name = FORGE(DER_SEQUENCE, BYTES(""));
    struct bytes nobody[] = {yesterday, empty_name},
                 wrong_next[] = {yesterday, FORGE(DER_UTC_TIME, BYTES("2611220000Z"))};
    struct bytes rsa = FORGE(DER_SEQUENCE,
        FORGE(DER_OID, BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")), FORGE(DER_NULL, BYTES("")));
    struct {
        const char *why;
        struct forge_shape shape;
    } rows[] = {
        {"its version is neither 1 nor 2", {.version = FORGE(DER_INTEGER, BYTES("\2"))}},
        {"its version is neither 1 nor 2", {.version = FORGE(DER_INTEGER, BYTES("\0"))}},
        {"it has extensions, and is not of version 2", {.is_v1 = true, .extensions = number}},
        {"an entry has extensions, and the list is not of version 2",
            {.is_v1 = true, .entries = forge_entry(BYTES("\1"), forge_reason(1))}},
        {"the algorithms inside and outside of what is signed differ", {.outer_algorithm = rsa}},
        {"its issuer is no distinguished name, or an empty one", {.issuer = empty_name}},
        {"its issuer is no distinguished name, or an empty one", {.issuer = yesterday}},
        {"thisUpdate or nextUpdate is not as RFC 5280 section 5.1.2.4 demands",
            {.dates = FORGE(DER_UTC_TIME, BYTES("2611220000Z"))}},
        {"thisUpdate or nextUpdate is not as RFC 5280 section 5.1.2.4 demands",
            {.dates = FORGE(DER_GENERALIZED_TIME, BYTES("20261122000000.5Z"))}},
        {"revokedCertificates is there, but lists nobody", {.dates = forge_join(nobody, 2)}},
        {"its extensions are not DER, or one is there twice",
            {.extensions = FORGE(DER_OCTET_STRING, unknown)}},
        {"its authorityKeyIdentifier is not",
            {.extensions = forge_extension(FORGE_OID_AUTHORITY, false, BYTES("\4\1a"))}},
        {"its cRLNumber is not", {.extensions = forge_number(FORGE_OID_NUMBER, BYTES("\xff"))}},
        {"its cRLNumber is not", {.extensions = forge_number(FORGE_OID_NUMBER, BYTES("\0\1"))}},
        {"its cRLNumber is not",
            {.extensions = forge_number(FORGE_OID_NUMBER, BYTES("123456789012345678901"))}},
        {"its cRLNumber is not",
            {.extensions = forge_extension(FORGE_OID_NUMBER, false, BYTES("\2\1\1\5\0"))}},
        {"its deltaCRLIndicator is not",
            {.extensions = forge_extension(FORGE_OID_DELTA, true, BYTES("\4\1\1"))}},
        {"its authorityKeyIdentifier is not",
            {.extensions = forge_extension(FORGE_OID_AUTHORITY, false, BYTES("\x30\0\5\0"))}},
        {"its extensions are not DER, or one is there twice",
            {.extensions = FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x80")))}},
        {"its extensions are not DER, or one is there twice",
            {.extensions = FORGE(DER_SEQUENCE, FORGE(DER_OID, unknown), BYTES("\1\1\1"),
                 FORGE(DER_OCTET_STRING, unknown))}},
        {"its extensions are not DER, or one is there twice", /* FALSE is the default */
            {.extensions = FORGE(DER_SEQUENCE, FORGE(DER_OID, unknown), BYTES("\1\1\0"),
                 FORGE(DER_OCTET_STRING, unknown))}},
        {"its extensions are not DER, or one is there twice",
            {.extensions = FORGE(DER_SEQUENCE, FORGE(DER_OID, unknown))}},
        {"its extensions are not DER, or one is there twice",
            {.extensions = FORGE(DER_SEQUENCE, FORGE(DER_OID, unknown),
                 FORGE(DER_OCTET_STRING, unknown), BYTES("\5\0"))}},
        {"thisUpdate or nextUpdate is not", {.dates = FORGE(DER_INTEGER, BYTES("\1"))}},
        {"thisUpdate or nextUpdate is not", {.dates = forge_join(wrong_next, 2)}},
        {"its version is neither 1 nor 2", {.version = FORGE(DER_INTEGER, BYTES("\0\1"))}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_refused(&rows[i].shape, rows[i].why);
    drop_all();
}

TEST(malformed_distribution_points)
{
    static const struct {
        const char *content;
        size_t n;
    } rows[] = {
#define POINT(text) {text, sizeof(text) - 1}
        POINT(""),         /* nothing in it */
        POINT("\x81\1\0"), /* FALSE is the default */
        POINT("\x81\1\1"),
        POINT("\x81\2\xff\xff"),       /* no BOOLEAN of DER */
        POINT("\x81\1\xff\x82\1\xff"), /* two scopes */
        POINT("\x81\1\xff\x85\1\xff"),
        POINT("\x84\1\xff\x81\1\xff"), /* out of order */
        POINT("\x83\1\0"),
        POINT("\x83\2\7\x80"), /* no reason */
        POINT("\x83\2\6\x60"), /* a bit that is not used is set */
        POINT("\x86\1\xff"),
        POINT("\x81\1\xff\5\0"), /* something else */
        POINT("\xa0\0"),
        POINT("\xa0\2\xa0\0"),       /* no name */
        POINT("\xa0\4\xa0\2\x89\0"), /* no GeneralName */
        POINT("\xa0\2\xa1\0"),
        POINT("\xa0\2\xa2\0"),
        POINT("\xa0\6\xa0\4\xa4\2\4\0"), /* no Name */
        POINT("\xa0\6\xa0\2\x86\0\x86\0"),
#undef POINT
    };
    make_all();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bytes content = {(const uint8_t *)rows[i].content, rows[i].n};
        check_refused(&(struct forge_shape){.extensions = forge_point(content)},
            "its issuingDistributionPoint is not as RFC 5280 section 5.2.5 demands");
    }
    drop_all();
}

TEST(malformed_entries)
{
    make_all();
    struct bytes date = forge_time(NOW), serial = FORGE(DER_INTEGER, BYTES("\1"));
    struct bytes twice = forge_reason(1), no = forge_extension(FORGE_OID_UNKNOWN, false, BYTES(""));
    uint8_t long_serial[CRL_INDEX_SERIAL_MAX + 1] = {1};
    struct {
        const char *why;
        struct bytes entry;
    } rows[] = {
        {"an entry has no serial number", FORGE(DER_SEQUENCE, date)},
        {"an entry has no serial number", FORGE(DER_SEQUENCE, FORGE(DER_INTEGER, BYTES("")), date)},
        {"an entry has no serial number",
            FORGE(DER_SEQUENCE, FORGE(DER_INTEGER, BYTES("\0\1")), date)},
        {"an entry has no serial number", FORGE(DER_OCTET_STRING, BYTES("x"))},
        {"a serial number of 65 octets",
            forge_entry((struct bytes){long_serial, sizeof(long_serial)}, BYTES(""))},
        {"the date of an entry is not", FORGE(DER_SEQUENCE, serial)},
        {"the date of an entry is not",
            FORGE(DER_SEQUENCE, serial, FORGE(DER_UTC_TIME, BYTES("261322000000Z")))},
        {"the extensions of an entry are not DER, or one is there twice",
            FORGE(DER_SEQUENCE, serial, date, FORGE(DER_SEQUENCE, BYTES("")))},
        {"the extensions of an entry are not DER, or one is there twice",
            FORGE(DER_SEQUENCE, serial, date, FORGE(DER_SEQUENCE, twice, no, twice))},
        {"the extensions of an entry are not DER, or one is there twice",
            FORGE(DER_SEQUENCE, serial, date, date)},
        {"bytes follow in an entry",
            FORGE(DER_SEQUENCE, serial, date, FORGE(DER_SEQUENCE, twice), date)},
        {"the reason of an entry is none of", forge_entry(BYTES("\1"), forge_reason(7))},
        {"the reason of an entry is none of", forge_entry(BYTES("\1"), forge_reason(11))},
        {"the reason of an entry is none of", forge_entry(BYTES("\1"), forge_reason(0xff))},
        {"the reason of an entry is none of",
            forge_entry(BYTES("\1"), forge_extension(FORGE_OID_REASON, false, BYTES("\2\1\1")))},
        {"the invalidityDate of an entry is no time",
            forge_entry(BYTES("\1"), forge_extension(BYTES("\x55\x1d\x18"), false, date))},
        {"the certificateIssuer of an entry is no GeneralNames",
            forge_entry(BYTES("\1"), forge_owner(BYTES("")))},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_refused(&(struct forge_shape){.entries = rows[i].entry}, rows[i].why);
    drop_all();
}

TEST(malformed_frames)
{
    make_all();
    struct error err;
    struct bytes der = forge_crl(
        &ca, &(struct forge_shape){.extensions = forge_number(FORGE_OID_NUMBER, BYTES("\1"))});
    struct bytes rest = der, list, tbs, inner, algorithm, signature;
    MUST(der_take(&rest, DER_SEQUENCE, &list) && der_take_whole(&list, DER_SEQUENCE, &tbs) &&
         der_take_whole(&list, DER_SEQUENCE, &algorithm) &&
         der_take_whole(&list, DER_BIT_STRING, &signature));
    rest = tbs;
    MUST(der_take(&rest, DER_SEQUENCE, &inner));
    struct bytes null = FORGE(DER_NULL, BYTES(""));
    struct {
        const char *why;
        struct bytes der;
    } rows[] = {
        {"it is not DER, or cut short", FORGE(DER_SET, der)},
        {"it is not what is signed, an algorithm and a signature",
            FORGE(DER_SEQUENCE, tbs, algorithm)},
        {"it is not what is signed, an algorithm and a signature",
            FORGE(DER_SEQUENCE, tbs, algorithm, signature, null)},
        {"it is not what is signed, an algorithm and a signature",
            FORGE(DER_SEQUENCE, tbs, algorithm, FORGE(DER_BIT_STRING, BYTES("\1\2")))},
        {"bytes follow its extensions",
            FORGE(DER_SEQUENCE, FORGE(DER_SEQUENCE, inner, null), algorithm, signature)},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct crl *c = crl_make(rows[i].der, &err);
        CHECK(!c);
        if (!strstr(err.text, rows[i].why))
            CHECK_TEXT(err.text, rows[i].why);
    }
    uint8_t *longer = arena_alloc(&forge_arena, der.n + 1);
    memcpy(longer, der.at, der.n);
    CHECK(!crl_make((struct bytes){longer, der.n + 1}, &err));
    CHECK(strstr(err.text, "bytes follow its end") != NULL);
    for (size_t n = 0; n < der.n; n++) {
        uint8_t *shorter = mem_alloc_raw(n + 1); /* a read beyond the end is seen */
        memcpy(shorter, der.at, n);
        CHECK(!crl_make((struct bytes){shorter, n}, &err));
        free(shorter);
    }
    drop_all();
}

/* ---- the index ---- */

/* N entries with serials of OCTETS octets each, as random as a CA makes them. */
static struct bytes many_entries(size_t n, size_t octets)
{
    struct bytes date = forge_time(NOW - DAY);
    struct buf all;
    buf_init(&all, 1u << 26);
    srandom(1);
    for (size_t i = 0; i < n; i++) {
        uint8_t serial[CRL_INDEX_SERIAL_MAX];
        for (size_t k = 0; k < octets; k++)
            serial[k] = (uint8_t)random();
        serial[0] = (uint8_t)(1 + serial[0] % 0x7f);
        uint8_t head[4] = {
            DER_SEQUENCE, (uint8_t)(2 + octets + date.n), DER_INTEGER, (uint8_t)octets};
        MUST(buf_append(&all, (struct bytes){head, 4}) == 0 &&
             buf_append(&all, (struct bytes){serial, octets}) == 0 && buf_append(&all, date) == 0);
    }
    struct bytes copy = arena_copy(&forge_arena, buf_bytes(&all));
    buf_fini(&all);
    return copy;
}

struct seen {
    const struct crl *crl;
    size_t n, stop_after;
};

static bool is_found(void *owner, struct bytes serial, int64_t revoked_at, unsigned reason)
{
    struct seen *s = owner;
    struct crl_entry e = {0};
    CHECK(crl_find(s->crl, serial, BYTES(""), &e));
    CHECK_INT(e.revoked_at, revoked_at - revoked_at % 60);
    CHECK_INT(e.reason, reason);
    uint8_t other[CRL_INDEX_SERIAL_MAX];
    memcpy(other, serial.at, serial.n);
    other[serial.n - 1] ^= 0x55;
    CHECK(!crl_find(s->crl, (struct bytes){other, serial.n}, BYTES(""), &e));
    return ++s->n != s->stop_after;
}

TEST(every_entry_is_found_and_nobody_else)
{
    enum { N = 5000, OCTETS = 20 };
    struct error err;
    struct buf index;
    make_all();
    struct bytes der = forge_crl(&ca, &(struct forge_shape){.entries = many_entries(N, OCTETS)});
    buf_init(&index, CRL_INDEX_SIZE_MAX);
    MUST(crl_compile(der, &index, &err) == 0);
    CHECK(buf_size(&index) <= N * (OCTETS + 4) + N / 8 * 4 + 1024);
    struct crl *c = crl_open(buf_bytes(&index), &err);
    MUST(c);
    struct seen seen = {.crl = c}, some = {.crl = c, .stop_after = 3};
    CHECK_INT(crl_each_entry(der, is_found, &seen, &err), 0);
    CHECK_INT(seen.n, N);
    CHECK_INT(crl_each_entry(der, is_found, &some, &err), 0);
    CHECK_INT(some.n, 3);
    CHECK_INT(crl_each_entry(bytes_first(der, 99), is_found, &some, &err), -1);
    crl_free(&c);
    buf_fini(&index);
    drop_all();
}

TEST(serials_of_any_shape)
{
    static const struct bytes with[] = {BYTES("\0"), BYTES("\1"), BYTES("\x7f"), BYTES("\0\x80"),
        BYTES("\0\xff\1"), BYTES("\1\0\0"), BYTES("\xff"), BYTES("\x80"), BYTES("\xff\1"),
        BYTES("\x81\2\3")};
    enum { POSITIVE = 6 };
    make_all();
    /* Only those that are not negative; then all of them; each among the others, and missing. */
    for (size_t n = POSITIVE; n <= COUNT_OF(with); n += COUNT_OF(with) - POSITIVE)
        for (size_t missing = 0; missing < COUNT_OF(with); missing++) {
            struct bytes entries[COUNT_OF(with)] = {0};
            for (size_t i = 0; i < n; i++)
                if (i != missing)
                    entries[i] = forge_entry(with[i], BYTES(""));
            struct crl *c =
                forge_open(&ca, &(struct forge_shape){.entries = forge_join(entries, n)});
            struct crl_entry e;
            for (size_t i = 0; i < COUNT_OF(with); i++)
                CHECK_INT(crl_find(c, with[i], BYTES(""), &e), i < n && i != missing);
            CHECK(!crl_find(c, BYTES("\1\2\3\4\5\6"), BYTES(""), &e));
            CHECK(!crl_find(c, BYTES(""), BYTES(""), &e));
            crl_free(&c);
        }
    drop_all();
}

/* Whatever a byte of it is changed to, nothing outside is read: the sanitizers would see it. */
TEST(a_damaged_index)
{
    struct error err;
    struct buf index;
    make_all();
    struct bytes owner = forge_owner(forge_directory(forge_name("X")));
    struct forge_shape s = {.entries = forge_entry(serial_of(&bad), owner),
        .extensions = forge_point(BYTES("\x84\1\xff"))};
    buf_init(&index, CRL_INDEX_SIZE_MAX);
    MUST(crl_compile(forge_crl(&ca, &s), &index, &err) == 0);
    size_t size = buf_size(&index), refused = 0;
    for (size_t i = 0; i < size; i++)
        for (int flip = 1; flip < 256; flip = flip * 2 + 1) {
            uint8_t *copy = mem_alloc_raw(size);
            memcpy(copy, buf_bytes(&index).at, size);
            copy[i] ^= (uint8_t)flip;
            struct crl *c = crl_open((struct bytes){copy, size}, &err);
            struct crl_entry e;
            refused += !c;
            if (c) {
                ignore_result(crl_find(c, serial_of(&bad), forge_name("X"), &e));
                ignore_result(crl_signed_by(c, ca.certificate));
                ignore_result((long)strlen(crl_issuer(c)) + (long)strlen(crl_number(c)));
            }
            crl_free(&c);
            free(copy);
        }
    CHECK(refused > 200);
    for (size_t n = 0; n < size; n++) {
        uint8_t *copy = mem_alloc_raw(n + 1);
        memcpy(copy, buf_bytes(&index).at, n);
        CHECK(!crl_open((struct bytes){copy, n}, &err));
        free(copy);
    }
    CHECK_TEXT(err.text, "the index of a certificate revocation list is damaged; load it again");
    buf_fini(&index);
    drop_all();
}

TEST(no_room_for_the_index)
{
    struct error err;
    struct buf index;
    make_all();
    buf_init(&index, 300);
    CHECK_INT(crl_compile(forge_crl(&ca, &(struct forge_shape){.entries = many_entries(99, 9)}),
                  &index, &err),
        -1);
    CHECK(strstr(err.text, "of 99 entries, too large") != NULL);
    CHECK_INT(buf_size(&index), 0);
    buf_fini(&index);
    drop_all();
}

/* ---- files ---- */

static void add_pem(struct buf *out, struct bytes der)
{
    char *text = NULL;
    BIO *b = BIO_new(BIO_s_mem());
    MUST(PEM_write_bio(b, "X509 CRL", "", der.at, (long)der.n));
    long n = BIO_get_mem_data(b, &text);
    MUST(buf_append(out, (struct bytes){(uint8_t *)text, (size_t)n}) == 0);
    BIO_free(b);
}

TEST(several_in_a_file)
{
    make_all();
    struct error err;
    struct buf pem, run;
    struct crl_list l, more = {0}, opened;
    struct crl_entry e;
    buf_init(&pem, 1 << 20);
    buf_init(&run, 1 << 20);
    add_pem(&pem,
        forge_crl(&ca, &(struct forge_shape){.entries = forge_entry(serial_of(&bad), BYTES(""))}));
    MUST(buf_append(&pem, BYTES("junk\n")) == 0);
    add_pem(&pem, forge_crl(&ca, &(struct forge_shape){
                                     .extensions = forge_number(FORGE_OID_NUMBER, BYTES("\2"))}));
    CHECK_INT(crl_list_parse(buf_bytes(&pem), &l, &err), 0);
    CHECK_INT(l.n, 2);
    CHECK(lists(l.at[0], &bad, &e) && !lists(l.at[1], &bad, &e));
    CHECK_TEXT(crl_number(l.at[1]), "2");
    /* The same by way of an archive. */
    CHECK_INT(crl_list_compile(buf_bytes(&pem), &run, &err), 0);
    CHECK_INT(crl_list_open(buf_bytes(&run), &opened, &err), 0);
    CHECK_INT(opened.n, 2);
    for (size_t i = 0; i < 2; i++)
        CHECK(bytes_equal(crl_compiled(opened.at[i]), crl_compiled(l.at[i])));
    crl_list_fini(&opened);
    CHECK_INT(crl_list_open(bytes_first(buf_bytes(&run), buf_size(&run) - 1), &opened, &err), -1);
    CHECK_INT(opened.n, 0);
    /* An operator's file is no index: its digest and its entries need not belong together. */
    CHECK_INT(crl_list_parse(buf_bytes(&run), &opened, &err), -1);
    CHECK(strstr(err.text, "is neither PEM nor DER") != NULL);
    crl_list_append(&more, &l);
    CHECK_INT(l.n, 0);
    CHECK_INT(more.n, 2);
    crl_list_fini(&more);
    buf_fini(&run);
    buf_fini(&pem);
    drop_all();
}

TEST(foreign_and_damaged_files)
{
    make_all();
    struct error err;
    struct crl_list out;
    struct buf pem;
    CHECK_INT(crl_list_parse(certificate_der(ca.certificate), &out, &err), -1);
    buf_init(&pem, 1 << 20);
    MUST(convert_certificate_pem(certificate_der(ca.certificate), &pem) == 0);
    CHECK_INT(crl_list_parse(buf_bytes(&pem), &out, &err), -1);
    CHECK(strstr(err.text, "looks like a certificate") != NULL);
    add_pem(&pem, forge_crl(&ca, &(struct forge_shape){0}));
    CHECK_INT(crl_list_parse(buf_bytes(&pem), &out, &err), 0); /* beside the certificate */
    CHECK_INT(out.n, 1);
    crl_list_fini(&out);
    add_pem(&pem, BYTES("\x30\3\2\1\1"));
    CHECK_INT(crl_list_parse(buf_bytes(&pem), &out, &err), -1); /* one broken is one too many */
    CHECK_INT(out.n, 0);
    buf_consume(&pem, 40);
    CHECK_INT(crl_list_parse(bytes_first(buf_bytes(&pem), buf_size(&pem) - 9), &out, &err), -1);
    CHECK(strstr(err.text, "is damaged") != NULL);
    CHECK_INT(crl_list_parse(BYTES(""), &out, &err), -1);
    buf_fini(&pem);
    drop_all();
}
