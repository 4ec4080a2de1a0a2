/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bio.h>
#include <openssl/x509.h>

#include "der_writer.h"
#include "pki/dn.h"
#include "test.h"

#include "base/ban.h"

#define TYPE_CN     BYTES("\x06\x03\x55\x04\x03")
#define TYPE_O      BYTES("\x06\x03\x55\x04\x0a")
#define TYPE_SERIAL BYTES("\x06\x03\x55\x04\x05")
#define TYPE_EMAIL  BYTES("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")
#define TYPE_OTHER  BYTES("\x06\x03\x2a\x03\x04")

enum {
    UTF8 = 0x0c,
    NUMERIC = 0x12,
    PRINTABLE = 0x13,
    TELETEX = 0x14,
    IA5 = 0x16,
    UTC = 0x17,
    VISIBLE = 0x1a,
    UNIVERSAL = 0x1c,
    BMP = 0x1e
};

#define ATTRIBUTE(type, tag, value) SEQUENCE_OF(type, TLV(tag, value))
#define RDN(...)                    TLV(0x31, __VA_ARGS__)
#define NAME(...)                   SEQUENCE_OF(__VA_ARGS__)
/* A name of one common name. */
#define COMMON(tag, value) NAME(RDN(ATTRIBUTE(TYPE_CN, tag, BYTES(value))))

static bool equal(struct bytes a, struct bytes b)
{
    bool is_equal = dn_equal(a, b);
    CHECK_INT(dn_equal(b, a), is_equal);
    CHECK(dn_equal(a, a) && dn_equal(b, b));
    CHECK(!is_equal || dn_hash(a) == dn_hash(b));
    return is_equal;
}

/* RFC 5280 §7.1 */
TEST(strings_compare_by_their_characters)
{
    const struct {
        struct bytes a, b;
        bool want;
    } cases[] = {
        {COMMON(UTF8, "Alice"), COMMON(UTF8, "Alice"), true},
        {COMMON(UTF8, "Alice"), COMMON(PRINTABLE, "aLICE"), true},
        {COMMON(UTF8, "Alice"), COMMON(BMP, "\0A\0L\0I\0C\0E"), true},
        {COMMON(UTF8, "Alice"), COMMON(UNIVERSAL, "\0\0\0A\0\0\0L\0\0\0I\0\0\0C\0\0\0E"), true},
        {COMMON(IA5, "Alice"), COMMON(VISIBLE, "Alice"), true},
        {COMMON(NUMERIC, "12"), COMMON(PRINTABLE, "12"), true},
        {COMMON(UTF8, "\xc3\xa9"), COMMON(TELETEX, "\xe9"), true},
        {COMMON(UTF8, "\xe2\x82\xac"), COMMON(BMP, "\x20\xac"), true},
        {COMMON(UTF8, "\xf0\x9f\x98\x80"), COMMON(UNIVERSAL, "\0\x01\xf6\0"), true},
        {COMMON(UTF8, "  A \x20 B  "), COMMON(UTF8, "a b"), true},
        {COMMON(UTF8, "   "), COMMON(PRINTABLE, ""), true},
        {COMMON(UTF8, "ab"), COMMON(UTF8, "a b"), false},
        {COMMON(UTF8, "a"), COMMON(UTF8, "a b"), false},
        {COMMON(UTF8, "a"), COMMON(UTF8, "b"), false},
        {COMMON(UTF8, "a\tb"), COMMON(UTF8, "a b"), false},
        /* Only ASCII has a case here. */
        {COMMON(UTF8, "\xc3\x89"), COMMON(UTF8, "\xc3\xa9"), false},
        {COMMON(UTF8, "a\0b"), COMMON(UTF8, "a"), false},
        {COMMON(UTF8, "["), COMMON(UTF8, "{"), false},
        {COMMON(UTF8, "@"), COMMON(UTF8, "`"), false},
        /* What is no string counts as it is. */
        {COMMON(0x04, "a"), COMMON(0x04, "A"), false},
        {COMMON(0x04, "a"), COMMON(UTF8, "a"), false},
        {COMMON(UTF8, "a"), COMMON(0x04, "a"), false},
        {COMMON(UTC, "270115000000Z"), COMMON(UTF8, "270115000000Z"), false},
        {COMMON(UTF8, "a"), NAME(RDN(ATTRIBUTE(TYPE_O, UTF8, BYTES("a")))), false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (equal(cases[i].a, cases[i].b) != cases[i].want)
            printf("# case %zu\n", i);
        CHECK_INT(equal(cases[i].a, cases[i].b), cases[i].want);
    }
    written_free();
}

#define CN(value)     ATTRIBUTE(TYPE_CN, UTF8, BYTES(value))
#define O(value)      ATTRIBUTE(TYPE_O, UTF8, BYTES(value))
#define SERIAL(value) ATTRIBUTE(TYPE_SERIAL, UTF8, BYTES(value))

TEST(structure_counts)
{
    struct bytes two = NAME(RDN(O("o")), RDN(CN("c")));
    CHECK(equal(two, NAME(RDN(O("O")), RDN(CN("C")))));
    CHECK(!equal(two, NAME(RDN(CN("c")), RDN(O("o")))));
    CHECK(!equal(two, NAME(RDN(CN("c"), O("o")))));
    CHECK(!equal(two, NAME(RDN(O("o")))));
    CHECK(!equal(two, NAME(RDN(O("o")), RDN(CN("c")), RDN(CN("c")))));
    CHECK(!equal(two, NAME(NOTHING)) && equal(NAME(NOTHING), BYTES("\x30\x00")));

    /* Attributes of one RDN in any order, and each once. */
    CHECK(equal(NAME(RDN(CN("c"), O("o"))), NAME(RDN(O("O"), CN("C")))));
    CHECK(!equal(NAME(RDN(CN("c"), O("o"))), NAME(RDN(CN("c"), O("x")))));
    CHECK(!equal(NAME(RDN(CN("c"), O("o"))), NAME(RDN(CN("c"), O("o"), SERIAL("1")))));
    CHECK(!equal(NAME(RDN(CN("a"), CN("A"))), NAME(RDN(CN("a"), CN("b")))));
    CHECK(!equal(NAME(RDN(CN("a"), CN("b"))), NAME(RDN(CN("a"), CN("A")))));
    written_free();
}

TEST(names_within_names)
{
    struct bytes base = NAME(RDN(O("o"))), name = NAME(RDN(O("O")), RDN(CN("c")));
    struct bytes same_bytes = NAME(RDN(O("o")), RDN(CN("c"))), none = NAME(NOTHING);
    CHECK(dn_is_within(name, base) && dn_is_within(same_bytes, base) && dn_is_within(base, base));
    CHECK(!dn_is_within(base, name) && dn_is_within(name, name));
    CHECK(dn_is_within(name, none) && dn_is_within(none, none) && !dn_is_within(none, base));
    CHECK(!dn_is_within(name, NAME(RDN(CN("c")))));
    CHECK(!dn_is_within(name, NAME(RDN(O("oo")))));
    CHECK(!dn_is_within(BYTES("x"), none) && !dn_is_within(none, BYTES("x")));
    CHECK(!dn_is_within(name, JOIN(base, BYTES("x"))));
    CHECK(!dn_is_within(name, BYTES("\x30\x01\x31"))); /* the same octets, but no RDN */
    CHECK(dn_is_empty(none) && !dn_is_empty(base) && !dn_is_empty(BYTES("")) &&
          !dn_is_empty(BYTES("\x30")));
    written_free();
}

/* An RDN of N attributes, in order and all different. */
static struct bytes wide(size_t n)
{
    struct bytes set = NOTHING;
    for (size_t i = 0; i < n; i++) {
        uint8_t type[] = {6, 3, 0x55, 4, (uint8_t)i};
        set = JOIN(set, ATTRIBUTE(((struct bytes){type, 5}), UTF8, BYTES("x")));
    }
    return NAME(RDN(set));
}

TEST(what_is_a_name)
{
    const struct {
        struct bytes name;
        bool want;
    } cases[] = {
        {NAME(NOTHING), true},
        {NAME(RDN(CN("c"), O("o"))), true},
        {NAME(RDN(CN("a"), CN("b"))), true},
        {COMMON(PRINTABLE, "*.example.com"), true},
        {COMMON(PRINTABLE, "a@b_c&d"), true},
        {COMMON(PRINTABLE, ""), true},
        {COMMON(IA5, "a\n"), true},
        {COMMON(TELETEX, "\xe9"), true},
        {COMMON(BMP, "\0a"), true},
        {COMMON(0x04, "\xff"), true},
        {wide(16), true},
        {wide(17), false},
        {BYTES(""), false},
        {BYTES("\x31\x00"), false},
        {BYTES("\x30\x00\x00"), false},
        {NAME(RDN(NOTHING)), false},
        {NAME(BYTES("\x31")), false},
        {NAME(CN("c")), false},
        {NAME(RDN(O("o"), CN("c"))), false}, /* not sorted */
        {NAME(RDN(CN("c"), CN("c"))), false},
        {NAME(RDN(BYTES("\x05\x00"))), false},
        {NAME(RDN(SEQUENCE_OF(TYPE_CN))), false},
        {NAME(RDN(SEQUENCE_OF(BYTES("\x06\x01\x80"), BYTES("\x0c\x01x")))), false},
        {NAME(RDN(SEQUENCE_OF(BYTES("\x0c\x01x"), TYPE_CN))), false},
        {NAME(RDN(SEQUENCE_OF(TYPE_CN, BYTES("\x0c\x01x\x05\x00")))), false},
        {COMMON(PRINTABLE, "a\0b"), false},
        {COMMON(PRINTABLE, "\xe9"), false},
        {COMMON(NUMERIC, "\x7f"), false},
        {COMMON(VISIBLE, "a\n"), false},
        {COMMON(IA5, "\x80"), false},
        {COMMON(BMP, "\0a\0"), false},
        {COMMON(BMP, "\xd8\x3d\xde\x00"), false}, /* surrogates */
        {COMMON(UNIVERSAL, "\0\0\0"), false},
        {COMMON(UNIVERSAL, "\0\x11\0\0"), false},
        {COMMON(UTF8, "\x80"), false},
        {COMMON(UTF8, "\xff"), false},
        {COMMON(UTF8, "\xc3"), false},
        {COMMON(UTF8, "\xc3x"), false},
        {COMMON(UTF8, "\xc0\x80"), false},         /* NUL, the long way */
        {COMMON(UTF8, "\xe0\x80\xaf"), false},     /* likewise */
        {COMMON(UTF8, "\xf0\x80\x80\xaf"), false}, /* likewise */
        {COMMON(UTF8, "\xed\xa0\x80"), false},     /* a surrogate */
        {COMMON(UTF8, "\xf4\x90\x80\x80"), false},
        {COMMON(UTF8, "\xf8\x88\x80\x80\x80"), false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (dn_is_valid(cases[i].name) != cases[i].want)
            printf("# case %zu\n", i);
        CHECK_INT(dn_is_valid(cases[i].name), cases[i].want);
        /* Any bytes may be compared, hashed and shown. */
        struct bytes other = JOIN(cases[i].name);
        CHECK(equal(cases[i].name, other));
        struct arena a;
        arena_init(&a);
        CHECK(dn_text(&a, cases[i].name)[0] || dn_is_empty(cases[i].name));
        arena_fini(&a);
    }
    written_free();
}

TEST(names_that_are_none_equal_only_themselves)
{
    struct bytes good = NAME(RDN(CN("c")));
    const struct bytes bad[] = {BYTES(""), BYTES("x"), JOIN(good, BYTES("\x05\x00")),
        NAME(RDN(NOTHING)), NAME(RDN(CN("c")), BYTES("x")), NAME(RDN(CN("C")), BYTES("x")),
        NAME(RDN(CN("c"), BYTES("x"))), NAME(RDN(CN("C"), BYTES("x")))};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CHECK(!equal(good, bad[i]));
        for (size_t j = 0; j < i; j++)
            CHECK(!equal(bad[i], bad[j]));
    }
    CHECK(equal(COMMON(UTF8, "\xffx"), COMMON(UTF8, "\xffX")));
    CHECK(!equal(COMMON(UTF8, "\xff"), COMMON(TELETEX, "\xff")));
    written_free();
}

/* ---- random names ---- */

#define WORDS_MAX 3
struct abstract {
    unsigned types[3], words[3][WORDS_MAX], words_n[3], n; /* one attribute an RDN */
};

static unsigned seed = 1;
static unsigned pick(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

static struct abstract imagine(void)
{
    struct abstract a = {.n = pick(4)};
    for (unsigned i = 0; i < a.n; i++) {
        a.types[i] = pick(2);
        a.words_n[i] = pick(WORDS_MAX + 1);
        for (unsigned w = 0; w < a.words_n[i]; w++)
            a.words[i][w] = pick(2);
    }
    return a;
}

/* The same character in one of the encodings, in either case. */
static struct bytes character(uint8_t tag, uint8_t c)
{
    uint8_t octets[4] = {0};
    size_t n = tag == BMP ? 2 : tag == UNIVERSAL ? 4 : 1;
    octets[n - 1] = c >= 'a' && pick(2) ? c - 0x20 : c;
    return JOIN(((struct bytes){octets, n}));
}

static struct bytes spaces(uint8_t tag, unsigned at_least)
{
    struct bytes all = NOTHING;
    for (unsigned n = at_least + pick(3); n; n--)
        all = JOIN(all, character(tag, ' '));
    return all;
}

static struct bytes render(const struct abstract *a)
{
    static const uint8_t tags[] = {UTF8, PRINTABLE, IA5, BMP, UNIVERSAL, TELETEX};
    struct bytes rdns = NOTHING;
    for (unsigned i = 0; i < a->n; i++) {
        uint8_t tag = tags[pick(COUNT_OF(tags))];
        struct bytes value = spaces(tag, 0);
        for (unsigned w = 0; w < a->words_n[i]; w++)
            value = JOIN(value, spaces(tag, w > 0), character(tag, a->words[i][w] ? 'a' : 'b'));
        value = JOIN(value, spaces(tag, 0));
        rdns = JOIN(rdns, RDN(ATTRIBUTE(a->types[i] ? TYPE_CN : TYPE_O, tag, value)));
    }
    return NAME(rdns);
}

TEST(equality_and_hash_of_random_names)
{
    int equal_n = 0;
    for (int round = 0; round < 3000; round++) {
        struct abstract a = imagine(), b = imagine();
        struct bytes name = render(&a);
        CHECK(dn_is_valid(name) && equal(name, render(&a)));
        bool is_same = a.n == b.n;
        for (unsigned i = 0; is_same && i < a.n; i++)
            is_same = a.types[i] == b.types[i] && a.words_n[i] == b.words_n[i] &&
                      !memcmp(a.words[i], b.words[i], a.words_n[i] * sizeof(unsigned));
        struct bytes other = render(&b);
        CHECK_INT(equal(name, other), is_same);
        CHECK_INT(dn_hash(name) == dn_hash(other), is_same);
        equal_n += is_same;
        written_free();
    }
    CHECK(equal_n > 10 && equal_n < 2990);
}

/* ---- text ---- */

static void check_text(struct bytes name, const char *want)
{
    struct arena a;
    arena_init(&a);
    CHECK_TEXT(dn_text(&a, name), want);
    arena_fini(&a);
}

TEST(names_as_text)
{
    check_text(NAME(NOTHING), "");
    check_text(NAME(RDN(O("Example")), RDN(CN("alice"))), "CN=alice,O=Example");
    check_text(NAME(RDN(CN("c"), O("o"))), "O=o+CN=c");
    check_text(COMMON(UTF8, "a\n\x1b\0,\xc3\xa9\x7f"), "CN=a\\0A\\1B\\00\\,\\C3\\A9\\7F");
    check_text(COMMON(UTF8, " # "), "CN=\\ #\\ ");
    check_text(COMMON(UTF8, " "), "CN=\\ ");
    check_text(COMMON(UTF8, "#1"), "CN=\\#1");
    check_text(COMMON(UTF8, "#"), "CN=\\#");
    check_text(COMMON(UTF8, ",+\"\\<>;="), "CN=\\,\\+\\\"\\\\\\<\\>\\;=");
    check_text(COMMON(TELETEX, "\xe9"), "CN=\\C3\\A9");
    check_text(COMMON(BMP, "\x20\xac"), "CN=\\E2\\82\\AC");
    check_text(COMMON(UTF8, "\xf0\x9f\x98\x80"), "CN=\\F0\\9F\\98\\80");
    check_text(COMMON(UTF8, ""), "CN=");
    check_text(COMMON(0x04, "\xab"), "CN=#0401AB");
    check_text(COMMON(UTF8, "\xff"), "CN=#0C01FF");
    check_text(NAME(RDN(ATTRIBUTE(TYPE_OTHER, UTF8, BYTES("a")))), "1.2.3.4=#0C0161");
    check_text(NAME(RDN(ATTRIBUTE(BYTES("\x06\x02\x88\x37"), UTF8, BYTES("a")))), "2.999=#0C0161");
    check_text(NAME(RDN(ATTRIBUTE(BYTES("\x06\x01\x00"), UTF8, BYTES("a")))), "0.0=#0C0161");
    check_text(NAME(RDN(ATTRIBUTE(BYTES("\x06\x0b\x2a\x83\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
                   UTF8, BYTES("a")))),
        "1.2.?=#0C0161");
    check_text(NAME(RDN(ATTRIBUTE(BYTES("\x06\x0c\x83\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x05"),
                   UTF8, BYTES("a")))),
        "2.?.5=#0C0161");
    check_text(BYTES("\x30\x01"), "#3001");
    check_text(NAME(RDN(NOTHING)), "#30023100");
    check_text(NAME(RDN(BYTES("\x05\x00"))), "#300431020500");
    written_free();
}

/* What libcrypto says, whose form this is. */
static void check_as_libcrypto(struct bytes name)
{
    const uint8_t *at = name.at;
    X509_NAME *n = d2i_X509_NAME(NULL, &at, (long)name.n);
    BIO *out = BIO_new(BIO_s_mem());
    char *want;
    CHECK(n && out && X509_NAME_print_ex(out, n, 0, XN_FLAG_RFC2253) >= 0);
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &want);
    check_text(name, want);
    BIO_free(out);
    X509_NAME_free(n);
}

TEST(texts_are_those_of_libcrypto)
{
    static const uint8_t alphabet[] = {
        'a', ' ', '#', ',', '+', '"', '\\', '<', '>', ';', '=', '\n', 0, 0x7f, 'Z', '/'};
    static const uint8_t tags[] = {UTF8, PRINTABLE, IA5, TELETEX, NUMERIC, BMP, UNIVERSAL};
    static const struct bytes types[] = {TYPE_CN, TYPE_O, TYPE_SERIAL, TYPE_EMAIL, TYPE_OTHER,
        BYTES("\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), BYTES("\x06\x03\x55\x04\x61")};
    for (int round = 0; round < 2000; round++) {
        struct bytes rdns = NOTHING;
        for (unsigned n = pick(4); n; n--) {
            struct bytes value = NOTHING;
            uint8_t tag = tags[pick(COUNT_OF(tags))];
            for (unsigned i = pick(5); i; i--)
                value = JOIN(value, character(tag, alphabet[pick(sizeof(alphabet))]));
            /* libcrypto escapes a "#" at the start, as RFC 4514 §2.4 demands, unless it is alone.
             */
            if (value.n <= 4 && value.n && value.at[value.n - 1] == '#')
                value = NOTHING;
            rdns = JOIN(rdns, RDN(ATTRIBUTE(types[pick(COUNT_OF(types))], tag, value)));
        }
        check_as_libcrypto(NAME(rdns));
        written_free();
    }
}

/* Every attribute type that has a name here has the same one there. */
TEST(types_are_called_as_in_libcrypto)
{
    static const struct bytes arcs[] = {BYTES("\x55\x04"),
        BYTES("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01"), BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09"),
        BYTES("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01")};
    int named = 0;
    for (size_t i = 0; i < COUNT_OF(arcs); i++)
        for (uint8_t last = 0; last < 128; last++) {
            struct arena a;
            arena_init(&a);
            struct bytes name = NAME(
                RDN(ATTRIBUTE(TLV(0x06, arcs[i], ((struct bytes){&last, 1})), UTF8, BYTES("x"))));
            bool has_name = !strchr(dn_text(&a, name), '#');
            if (has_name)
                check_as_libcrypto(name);
            named += has_name;
            arena_fini(&a);
        }
    CHECK(named > 30);
    written_free();
}

static bool collect(void *owner, struct bytes value)
{
    struct bytes *all = owner;
    *all = JOIN(*all, value, BYTES(";"));
    return !bytes_equal(value, BYTES("stop"));
}

TEST(email_addresses_in_names)
{
    struct bytes all = NOTHING;
    struct bytes first = ATTRIBUTE(TYPE_EMAIL, IA5, BYTES("a@b")),
                 stop = ATTRIBUTE(TYPE_EMAIL, IA5, BYTES("stop"));
    CHECK(dn_each_email(NAME(RDN(O("o")), RDN(CN("c"), first), RDN(first)), collect, &all));
    CHECK(bytes_equal(all, BYTES("a@b;a@b;")));
    all = NOTHING;
    CHECK(!dn_each_email(NAME(RDN(stop), RDN(first)), collect, &all));
    CHECK(bytes_equal(all, BYTES("stop;")));
    CHECK(dn_each_email(BYTES("x"), collect, &all) && dn_each_email(NAME(NOTHING), collect, &all));
    written_free();
}

TEST(the_last_common_name)
{
    struct bytes name = NAME(RDN(ATTRIBUTE(TYPE_CN, UTF8, BYTES("first"))),
        RDN(ATTRIBUTE(TYPE_CN, PRINTABLE, BYTES("last"))),
        RDN(ATTRIBUTE(TYPE_O, UTF8, BYTES("o"))));
    CHECK(bytes_equal(dn_common_name(name), BYTES("last")));
    CHECK_INT(dn_common_name(COMMON(BMP, "\0A")).n, 0);
    CHECK_INT(dn_common_name(NAME(RDN(ATTRIBUTE(TYPE_O, UTF8, BYTES("o"))))).n, 0);
    CHECK_INT(dn_common_name(BYTES("x")).n, 0);
    written_free();
}
