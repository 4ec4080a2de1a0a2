/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate policies along a path, written as texts: see parse_spec. */
#include "paper.h"
#include "pki/policy_set.h"
#include "test.h"

#include "base/ban.h"

#define PATH_MAX_HERE 5

/* The policy N; 0: anyPolicy. */
static struct bytes policy(unsigned n)
{
    if (!n)
        return BYTES("\x55\x1d\x20\x00");
    return JOIN(BYTES("\x2a"), ((struct bytes){(const uint8_t[]){(uint8_t)n}, 1}));
}

static struct bytes number(uint8_t tag, unsigned n)
{
    return TLV(tag, ((struct bytes){(const uint8_t[]){(uint8_t)n}, 1}));
}

static unsigned take_number(const char **text)
{
    char *end;
    unsigned n = **text == '*' ? 0 : (unsigned)strtoul(*text, &end, 10);
    *text = **text == '*' ? *text + 1 : end;
    return n;
}

/* "1,2,*" */
static struct bytes read_policies(const char **text)
{
    struct bytes list = NOTHING;
    do {
        *text += **text == ',';
        list = JOIN(list, SEQUENCE_OF(TLV(0x06, policy(take_number(text)))));
    } while (**text == ',');
    return list;
}

/* "1>2,1>3" */
static struct bytes read_mappings(const char **text)
{
    struct bytes list = NOTHING;
    do {
        *text += **text == ',';
        struct bytes from = TLV(0x06, policy(take_number(text)));
        *text += 1;
        list = JOIN(list, SEQUENCE_OF(from, TLV(0x06, policy(take_number(text)))));
    } while (**text == ',');
    return list;
}

/* "P1,* M1>2 E0 I0 A0 S": its policies (* is anyPolicy), mappings, requireExplicitPolicy,
 * inhibitPolicyMapping, inhibitAnyPolicy; self-issued. */
static struct certificate *parse_spec(const char *text)
{
    struct bytes extensions = NOTHING, constraints = NOTHING, issuer = COMMON(BYTES("issuer"));
    while (*text) {
        char what = *text++;
        if (what == 'P')
            extensions = JOIN(
                extensions, paper_extension(BYTES(CE("\x20")), SEQUENCE_OF(read_policies(&text))));
        if (what == 'M')
            extensions = JOIN(
                extensions, paper_extension(BYTES(CE("\x21")), SEQUENCE_OF(read_mappings(&text))));
        if (what == 'E')
            constraints = JOIN(constraints, number(0x80, take_number(&text)));
        if (what == 'I')
            constraints = JOIN(constraints, number(0x81, take_number(&text)));
        if (what == 'A')
            extensions = JOIN(
                extensions, paper_extension(BYTES(CE("\x36")), number(0x02, take_number(&text))));
        if (what == 'S')
            issuer = COMMON(BYTES("subject"));
    }
    if (constraints.n)
        extensions = JOIN(extensions, paper_extension(BYTES(CE("\x24")), SEQUENCE_OF(constraints)));
    return paper(issuer, COMMON(BYTES("subject")), extensions);
}

static enum path_fault judge(const struct certificate *const *path, size_t n,
    const struct path_policies *inputs, size_t *about)
{
    struct policy_fault fault = policy_set_check(path, n, inputs);
    CHECK_INT(fault.fault == PATH_FAULT_COUNT, fault.text == NULL);
    if (fault.text)
        printf("# %zu: %s\n", fault.about, fault.text);
    *about = fault.about;
    return fault.fault;
}

#define EXPLICIT .require_explicit = true
#define NO_MAP   .inhibit_mapping = true
#define NO_ANY   .inhibit_any = true
#define USERS(n) .initial = &users[n], .initial_n = 1

/* anyPolicy; the policies 1, 2 and 3; one that nobody names. */
static const struct bytes users[] = {
    BYTES("\x55\x1d\x20\x00"),
    BYTES("\x2a\x01"),
    BYTES("\x2a\x02"),
    BYTES("\x2a\x03"),
    BYTES("\x2a\x7f"),
};

struct row {
    struct path_policies inputs;
    const char *path[PATH_MAX_HERE]; /* from below the anchor to the leaf */
    bool is_good;
    size_t about; /* who is blamed, from the leaf up */
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct certificate *made[PATH_MAX_HERE];
        const struct certificate *path[PATH_MAX_HERE];
        size_t length = 0, about;
        while (length < PATH_MAX_HERE && rows[i].path[length])
            length++;
        for (size_t k = 0; k < length; k++)
            path[k] = made[k] = parse_spec(rows[i].path[length - 1 - k]);
        enum path_fault got = judge(path, length, &rows[i].inputs, &about);
        CHECK_INT(got, rows[i].is_good ? PATH_FAULT_COUNT : PATH_POLICY);
        if (!rows[i].is_good)
            CHECK_INT(about, rows[i].about);
        if ((got == PATH_FAULT_COUNT) != rows[i].is_good)
            printf("# row %zu\n", i);
        for (size_t k = 0; k < length; k++)
            certificate_unref(&made[k]);
        written_free();
    }
}

TEST(nothing_is_demanded_unless_somebody_does)
{
    static const struct row rows[] = {
        {{0}, {""}, true},
        {{0}, {"P1", "P2"}, true},
        {{0}, {"P1", "", "P1"}, true},
        {{EXPLICIT}, {""}, false, 0},
        {{EXPLICIT}, {"P1", "P1"}, true},
        {{EXPLICIT}, {"P1", "P2"}, false, 0},
        {{EXPLICIT}, {"P1", "", "P1"}, false, 1},
        {{EXPLICIT}, {"P*", "P2"}, true},
        {{EXPLICIT}, {"P1,2", "P*"}, true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(require_explicit_policy)
{
    static const struct row rows[] = {
        {{0}, {"P1E0", ""}, false, 0},
        {{0}, {"P1E0", "P1"}, true},
        {{0}, {"E0P1", "P2"}, false, 0},
        /* Only from the certificate on that it counts to. */
        {{0}, {"E1", "", ""}, false, 0},
        {{0}, {"E2", ""}, true},
        {{0}, {"E1", ""}, false, 0},
        /* Self-issued certificates do not count. */
        {{0}, {"E2", "S", ""}, true},
        {{0}, {"E2", "S", "", ""}, false, 0},
        /* What a later one says can only lower it. */
        {{0}, {"P1E0", "P1E5", "P2"}, false, 0},
        /* §6.1.5 (b): also the leaf may demand one of itself. */
        {{0}, {"P1", "P2E0"}, false, 0},
        {{0}, {"P1", "P1E0"}, true},
        {{0}, {"P1", "P2E1"}, true},
        {{0}, {"P1", "P2I0"}, true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(what_the_user_accepts)
{
    static const struct row rows[] = {
        {{EXPLICIT, USERS(1)}, {"P1", "P1"}, true},
        {{EXPLICIT, USERS(2)}, {"P1", "P1"}, false, 0},
        {{EXPLICIT, USERS(0)}, {"P1", "P1"}, true},
        {{EXPLICIT, USERS(2)}, {"P*", "P1,2"}, true},
        {{EXPLICIT, USERS(2)}, {"P*", "P1"}, false, 0},
        {{EXPLICIT, USERS(2)}, {"P*", "P*"}, true},
        {{EXPLICIT, USERS(2)}, {"P1", "P*"}, false, 0},
        {{EXPLICIT, USERS(1)}, {"P1,2", "P*"}, true},
        /* If none is demanded, it does not matter. */
        {{USERS(2)}, {"P1", "P1"}, true},
        /* By its name where the anchor stands, whatever it is called further down. */
        {{EXPLICIT, USERS(1)}, {"P1M1>2", "P2"}, true},
        {{EXPLICIT, USERS(2)}, {"P1M1>2", "P2"}, false, 0},
        {{EXPLICIT, USERS(1)}, {"P*M1>2", "P2"}, true},
        {{EXPLICIT, USERS(2)}, {"P*M1>2", "P2"}, false, 0},
        {{EXPLICIT, USERS(1)}, {"P1,3M1>2,3>2", "P2"}, true},
        {{EXPLICIT, USERS(1)}, {"P1,3M3>1", "P1"}, true},
        {{EXPLICIT, USERS(3)}, {"P1,3M3>1", "P1"}, true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(mapping)
{
    static const struct row rows[] = {
        {{EXPLICIT}, {"P1M1>2", "P1"}, false, 0},
        {{EXPLICIT}, {"P1M1>2,1>3", "P3"}, true},
        {{EXPLICIT}, {"P1,4M1>2", "P4"}, true},
        {{EXPLICIT}, {"P1M2>3", "P3"}, false, 0},
        {{EXPLICIT}, {"P1M2>3", "P1"}, true},
        {{EXPLICIT}, {"P1M1>2", "P2M2>3", "P3"}, true},
        {{EXPLICIT}, {"P*M1>2", "P1"}, true}, /* anyPolicy is still there */
        /* anyPolicy stands for what is expected. */
        {{EXPLICIT}, {"P1M1>2", "P*", "P2"}, true},
        {{EXPLICIT}, {"P1M1>2", "P*", "P1"}, false, 0},
        /* Inhibited: what is mapped is lost. */
        {{EXPLICIT, NO_MAP}, {"P1M1>2", "P2"}, false, 0},
        {{EXPLICIT, NO_MAP}, {"P1M1>2", "P1"}, false, 0},
        {{EXPLICIT, NO_MAP}, {"P1,3M1>2", "P3"}, true},
        {{EXPLICIT, NO_MAP}, {"P1", "P1"}, true},
        {{EXPLICIT}, {"P1I0", "P1M1>2", "P2"}, false, 0},
        {{EXPLICIT}, {"P1I1", "P1M1>2", "P2"}, true},
        {{EXPLICIT}, {"P1I1", "P1", "P1M1>2", "P2"}, false, 0},
        {{EXPLICIT}, {"P1I1", "P1S", "P1M1>2", "P2"}, true},
        /* §6.1.4 (a) */
        {{0}, {"P1M*>2", "P2"}, false, 1},
        {{0}, {"P1M1>*", "P2"}, false, 1},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(inhibit_any_policy)
{
    static const struct row rows[] = {
        {{EXPLICIT, NO_ANY}, {"P*", "P1"}, false, 1},
        {{EXPLICIT, NO_ANY}, {"P1", "P*"}, false, 0},
        {{EXPLICIT, NO_ANY}, {"P1,*", "P1"}, true},
        {{EXPLICIT}, {"P*A0", "P*"}, false, 0},
        {{EXPLICIT}, {"P*A0", "P1"}, true},
        {{EXPLICIT}, {"P*A1", "P*", "P*"}, false, 0},
        {{EXPLICIT}, {"P*A1", "P*", "P1"}, true},
        /* §6.1.3 (d) (2): in a self-issued CA's certificate it still stands. */
        {{EXPLICIT}, {"P1A0", "P*S", "P1"}, true},
        {{EXPLICIT}, {"P1A0", "P1", "P*S"}, false, 0},
    };
    check_rows(rows, COUNT_OF(rows));
}

/* A leaf with one extension. */
static enum path_fault fault_of(struct bytes oid, struct bytes value, bool is_leaf)
{
    struct certificate *odd = paper(
                           COMMON(BYTES("CA")), COMMON(BYTES("a")), paper_extension(oid, value)),
                       *plain = paper(COMMON(BYTES("CA")), COMMON(BYTES("b")), NOTHING);
    const struct certificate *path[] = {is_leaf ? odd : plain, is_leaf ? plain : odd};
    size_t about;
    enum path_fault fault = judge(path, 2, &(struct path_policies){0}, &about);
    certificate_unref(&odd);
    certificate_unref(&plain);
    return fault;
}

TEST(syntax)
{
    struct bytes one = SEQUENCE_OF(TLV(0x06, policy(1))), two = SEQUENCE_OF(TLV(0x06, policy(2)));
    const struct {
        struct bytes oid, value;
    } rows[] = {
        {BYTES(CE("\x20")), SEQUENCE_OF(one, two, one)},
        {BYTES(CE("\x20")),
            SEQUENCE_OF(SEQUENCE_OF(TLV(0x06, policy(0))), SEQUENCE_OF(TLV(0x06, policy(0))))},
        {BYTES(CE("\x20")), SEQUENCE_OF(EMPTY_SEQUENCE)},
        {BYTES(CE("\x20")), SEQUENCE_OF(TLV(0x06, policy(1)))},
        {BYTES(CE("\x20")), SEQUENCE_OF(SEQUENCE_OF(TLV(0x06, BYTES("\x80\x01"))))},
        {BYTES(CE("\x20")), SEQUENCE_OF(SEQUENCE_OF(TLV(0x06, policy(1)), BYTES("\x05\x00")))},
        {BYTES(CE("\x20")),
            SEQUENCE_OF(SEQUENCE_OF(TLV(0x06, policy(1)), EMPTY_SEQUENCE, EMPTY_SEQUENCE))},
        {BYTES(CE("\x21")), SEQUENCE_OF(one)},
        {BYTES(CE("\x21")),
            SEQUENCE_OF(SEQUENCE_OF(TLV(0x06, policy(1)), TLV(0x06, BYTES("\x80"))))},
        {BYTES(CE("\x21")), SEQUENCE_OF(SEQUENCE_OF(
                                TLV(0x06, policy(1)), TLV(0x06, policy(2)), BYTES("\x05\x00")))},
        {BYTES(CE("\x24")), SEQUENCE_OF(BYTES("\x80\x01\xff"))},
        {BYTES(CE("\x24")), SEQUENCE_OF(BYTES("\x81\x00"))},
        {BYTES(CE("\x24")), SEQUENCE_OF(BYTES("\x81\x01\x00\x80\x01\x00"))},
        {BYTES(CE("\x36")), BYTES("\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(fault_of(rows[i].oid, rows[i].value, false), PATH_POLICY);
    CHECK_INT(fault_of(rows[10].oid, rows[10].value, true), PATH_POLICY);
    /* Qualifiers are for people. */
    struct bytes qualified = SEQUENCE_OF(TLV(0x06, policy(1)), SEQUENCE_OF(BYTES("\x05\x00")));
    CHECK_INT(fault_of(BYTES(CE("\x20")), SEQUENCE_OF(qualified), true), PATH_FAULT_COUNT);
    written_free();
}

TEST(many_policies_are_refused)
{
    struct bytes policies = NOTHING, mappings = NOTHING;
    for (unsigned n = 1; n <= POLICY_SET_MAX + 1; n++) {
        struct bytes octet = {(const uint8_t[]){(uint8_t)(n % 128)}, 1};
        struct bytes oid =
            TLV(0x06, n > POLICY_SET_MAX ? policy(1) : JOIN(BYTES("\x2a\x03"), octet));
        policies = JOIN(policies, SEQUENCE_OF(oid));
        mappings = JOIN(mappings, SEQUENCE_OF(TLV(0x06, policy(1)), oid));
        if (n < POLICY_SET_MAX)
            continue;
        enum path_fault want = n > POLICY_SET_MAX ? PATH_LIMIT : PATH_FAULT_COUNT;
        CHECK_INT(fault_of(BYTES(CE("\x20")), SEQUENCE_OF(policies), true), want);
        CHECK_INT(fault_of(BYTES(CE("\x21")), SEQUENCE_OF(mappings), false), want);
    }
    written_free();
}

/* The policies 2a DOMAIN 1, 2a DOMAIN 2, …, N of them, or mappings of TO to them (0: no mappings).
 */
static struct bytes many(uint8_t domain, unsigned n, unsigned mapped)
{
    struct bytes list = NOTHING;
    for (unsigned i = 1; i <= n; i++) {
        struct bytes oid =
            TLV(0x06, ((struct bytes){(const uint8_t[]){0x2a, domain, (uint8_t)(i & 0x7f)}, 3}));
        list = JOIN(list, mapped ? SEQUENCE_OF(TLV(0x06, policy(mapped)), oid) : SEQUENCE_OF(oid));
    }
    return list;
}

static struct certificate *certificate_of(struct bytes policies, struct bytes mappings)
{
    struct bytes extensions = paper_extension(BYTES(CE("\x20")), SEQUENCE_OF(policies));
    if (mappings.n)
        extensions = JOIN(extensions, paper_extension(BYTES(CE("\x21")), SEQUENCE_OF(mappings)));
    return paper(COMMON(BYTES("CA")), COMMON(BYTES("a")), extensions);
}

/* Each certificate is within its limits, but what is expected of the next one grows. */
TEST(expectations_that_grow_are_refused)
{
    struct bytes any = SEQUENCE_OF(TLV(0x06, policy(0))), one = SEQUENCE_OF(TLV(0x06, policy(1))),
                 two = SEQUENCE_OF(TLV(0x06, policy(2)));
    struct certificate *first = certificate_of(JOIN(one, two, any), many(3, 128, 1)),
                       *mapping = certificate_of(any, many(4, 128, 2)),
                       *more = certificate_of(JOIN(any, many(5, 127, 0)), NOTHING),
                       *leaf = certificate_of(any, NOTHING);
    const struct path_policies none = {0};
    size_t about;
    CHECK_INT(judge((const struct certificate *[]){leaf, mapping, first}, 3, &none, &about),
        PATH_FAULT_COUNT);
    CHECK_INT(
        judge((const struct certificate *[]){leaf, mapping, mapping, first}, 4, &none, &about),
        PATH_FAULT_COUNT);
    CHECK_INT(judge((const struct certificate *[]){leaf, more, mapping, first}, 4, &none, &about),
        PATH_LIMIT);
    CHECK_INT(about, 1);
    struct certificate *again = certificate_of(any, many(6, 128, 1));
    CHECK_INT(judge((const struct certificate *[]){leaf, again, mapping, first}, 4, &none, &about),
        PATH_LIMIT);
    CHECK_INT(about, 1);
    certificate_unref(&first);
    certificate_unref(&mapping);
    certificate_unref(&more);
    certificate_unref(&leaf);
    certificate_unref(&again);
    written_free();
}

/* CVE-2023-0464: a tree would have 8^32 leaves. */
TEST(mappings_that_multiply)
{
    enum { WIDTH = 8, LENGTH = 32 };
    struct bytes policies = NOTHING, mappings = NOTHING;
    for (unsigned from = 1; from <= WIDTH; from++) {
        policies = JOIN(policies, SEQUENCE_OF(TLV(0x06, policy(from))));
        for (unsigned to = 1; to <= WIDTH; to++)
            mappings = JOIN(mappings, SEQUENCE_OF(TLV(0x06, policy(from)), TLV(0x06, policy(to))));
    }
    struct certificate *ca = paper(COMMON(BYTES("CA")), COMMON(BYTES("a")),
        JOIN(paper_extension(BYTES(CE("\x20")), SEQUENCE_OF(policies)),
            paper_extension(BYTES(CE("\x21")), SEQUENCE_OF(mappings))));
    const struct certificate *path[LENGTH];
    for (size_t i = 0; i < LENGTH; i++)
        path[i] = ca;
    size_t about;
    const struct path_policies theirs = {EXPLICIT, USERS(1)}, others = {EXPLICIT, USERS(4)};
    CHECK_INT(judge(path, LENGTH, &theirs, &about), PATH_FAULT_COUNT);
    CHECK_INT(judge(path, LENGTH, &others, &about), PATH_POLICY);
    certificate_unref(&ca);
    written_free();
}
