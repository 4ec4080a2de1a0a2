/* SPDX-License-Identifier: Apache-2.0 */
#include "crl_forge.h"
#include "pki/distribution_point.h"

#include "base/ban.h"

#define AT(n, ...) FORGE(DER_CONTEXT_CONSTRUCTED(n), __VA_ARGS__)

static struct bytes uri(const char *text)
{
    return FORGE(DER_CONTEXT(6), bytes_of(text));
}

/* The RDN CN=TEXT: a SET's content. */
static struct bytes rdn(struct bytes text)
{
    return FORGE(DER_SEQUENCE, FORGE(DER_OID, BYTES("\x55\x04\x03")), FORGE(DER_UTF8_STRING, text));
}

TEST(points_one_by_one)
{
    struct bytes a = AT(0, AT(0, uri("http://a/"))), issuer = forge_directory(forge_name("X"));
    struct bytes three[] = {FORGE(DER_SEQUENCE, a),
        FORGE(DER_SEQUENCE, a, BYTES("\x81\2\5\x60"), AT(2, issuer)),
        FORGE(DER_SEQUENCE, AT(2, issuer))};
    struct bytes rest = forge_join(three, 3);
    struct distribution_point p;
    CHECK(distribution_point_next(&rest, &p));
    CHECK(p.name.at && !p.has_reasons && !p.crl_issuer.at);
    CHECK(distribution_point_next(&rest, &p));
    CHECK(p.name.at && p.has_reasons && p.reasons == (1 << 1 | 1 << 2) && p.crl_issuer.at);
    CHECK(bytes_equal(distribution_point_directory(p.crl_issuer), forge_name("X")));
    CHECK(distribution_point_list_has(p.crl_issuer, forge_name("x")));
    CHECK(!distribution_point_list_has(p.crl_issuer, forge_name("Y")));
    CHECK(distribution_point_next(&rest, &p));
    CHECK(!p.name.at && !p.has_reasons && p.crl_issuer.at && !rest.n);
    forge_clear();
}

TEST(what_is_no_point)
{
    struct bytes a = AT(0, AT(0, uri("http://a/"))), none = BYTES(""), null = BYTES("\5\0");
    struct bytes points[] = {
        none,                                          /* nothing */
        FORGE(DER_SET, a),                             /* no SEQUENCE */
        FORGE(DER_SEQUENCE, none),                     /* RFC 5280 §4.2.1.13: one of the two */
        FORGE(DER_SEQUENCE, BYTES("\x81\2\5\x60")),    /* reasons alone */
        FORGE(DER_SEQUENCE, a, BYTES("\x81\2\5\x7f")), /* a bit that is not used */
        FORGE(DER_SEQUENCE, a, null),                  /* something else */
        FORGE(DER_SEQUENCE, AT(0, none)),              /* no name */
        FORGE(DER_SEQUENCE, AT(0, AT(0, none))),       /* no GeneralName */
        FORGE(DER_SEQUENCE, AT(0, AT(0, BYTES("\x89\0")))),  /* of no kind */
        FORGE(DER_SEQUENCE, AT(0, AT(0, BYTES("\x86\5a")))), /* cut short */
        FORGE(DER_SEQUENCE, AT(0, AT(1, none))),             /* no RDN */
        FORGE(DER_SEQUENCE, AT(0, AT(2, uri("http://a/")))), /* of no kind */
        FORGE(DER_SEQUENCE, AT(0, AT(0, uri("a")), null)),   /* two names */
        FORGE(DER_SEQUENCE, AT(0, AT(0, AT(4, null)))),      /* no Name */
        FORGE(DER_SEQUENCE, AT(0, AT(0, AT(4, forge_name("a"), null)))),
        FORGE(DER_SEQUENCE, a, AT(2, none)),
        FORGE(DER_SEQUENCE, a, BYTES("\xa2\5\x30")),
        FORGE(DER_SEQUENCE, BYTES("\xa0\5\x30")),
        FORGE(DER_SEQUENCE, a, BYTES("\x81\5\x30")),
    };
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        struct distribution_point p;
        bool is_point = distribution_point_next(&points[i], &p);
        if (is_point)
            printf("# point %zu\n", i);
        CHECK(!is_point);
    }
    forge_clear();
}

TEST(many_names)
{
    struct bytes names[65];
    for (size_t i = 0; i < COUNT_OF(names); i++)
        names[i] = uri("http://a/");
    CHECK(distribution_point_list_is_valid(forge_join(names, 64)));
    CHECK(!distribution_point_list_is_valid(forge_join(names, 65)));
    struct bytes x400[] = {FORGE(DER_CONTEXT_CONSTRUCTED(3), BYTES("\5\0")), uri("a")};
    CHECK(distribution_point_list_is_valid(forge_join(x400, 2)));
    CHECK(!distribution_point_directory(forge_join(x400, 2)).at);
    forge_clear();
}

/* A name that is given relative to its issuer's, whatever its size, is the one that is written out.
 */
TEST(relative_names_are_completed)
{
    static const size_t sizes[] = {1, 90, 110, 120, 128, 200, 240, 255, 300, 1000, 4000, 70000};
    static char text[70001];
    memset(text, 'a', sizeof(text) - 1);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct bytes last = rdn((struct bytes){(const uint8_t *)text, sizes[i]});
        struct bytes whole =
            FORGE(DER_SEQUENCE, FORGE(DER_SET, rdn(BYTES("CA"))), FORGE(DER_SET, last));
        struct bytes relative = AT(1, last), full = AT(0, forge_directory(whole));
        struct bytes base = forge_name("CA");
        bool fits = sizes[i] < 5000; /* more is no name of a CA, and meets nothing */
        CHECK_INT(distribution_point_names_meet(relative, base, full, base), fits);
        CHECK_INT(distribution_point_names_meet(full, base, relative, base), fits);
        CHECK_INT(distribution_point_name_has(relative, base, whole), fits);
        CHECK_INT(distribution_point_name_meets(relative, base, forge_directory(whole)), fits);
        CHECK(!distribution_point_name_has(relative, forge_name("CB"), whole));
        CHECK(!distribution_point_name_has(relative, BYTES("\5\0"), whole)); /* no name to add to */
    }
    struct bytes empty = FORGE(DER_SEQUENCE, BYTES("")), cn = rdn(BYTES("CA"));
    CHECK(distribution_point_name_has(AT(1, cn), empty, forge_name("CA")));
    CHECK(!distribution_point_name_has(AT(1, BYTES("\5\0")), empty, forge_name("CA")));
    CHECK(!distribution_point_name_has(BYTES(""), empty, forge_name("CA")));
    forge_clear();
}
