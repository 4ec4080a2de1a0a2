/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints and names, written as texts: "+DNS:a.example -IP:c0000200ffffff00" permits and
 * excludes. */
#include "paper.h"
#include "pki/name_constraint.h"
#include "pki/path.h"
#include "test.h"

#include "base/ban.h"

static struct bytes hex(struct bytes text)
{
    uint8_t *at = arena_alloc(&written, text.n / 2 + 1);
    for (size_t i = 0; i < text.n / 2; i++) {
        char digits[3] = {(char)text.at[2 * i], (char)text.at[2 * i + 1], 0};
        at[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return (struct bytes){at, text.n / 2};
}

/* "DNS:x", "EMAIL:x", "URI:x"; "IP:" and "ANY:", a whole GeneralName, in hex; "DIR:" a common name.
 */
static struct bytes general_name(struct bytes text)
{
    size_t colon = bytes_find(text, ':');
    struct bytes kind = bytes_first(text, colon), value = bytes_skip(text, colon + 1);
    if (bytes_equal(kind, BYTES("DNS")))
        return TLV(0x82, value);
    if (bytes_equal(kind, BYTES("EMAIL")))
        return TLV(0x81, value);
    if (bytes_equal(kind, BYTES("URI")))
        return TLV(0x86, value);
    if (bytes_equal(kind, BYTES("IP")))
        return TLV(0x87, hex(value));
    if (bytes_equal(kind, BYTES("DIR")))
        return TLV(0xa4, COMMON(value));
    return hex(value);
}

static struct bytes constraints_of(const char *text)
{
    struct bytes rest = bytes_of(text), lists[2] = {NOTHING, NOTHING};
    while (rest.n) {
        size_t n = bytes_find(rest, ' ');
        struct bytes *list = &lists[rest.at[0] == '-'];
        *list = JOIN(*list, SEQUENCE_OF(general_name(bytes_skip(bytes_first(rest, n), 1))));
        rest = bytes_skip(rest, n + 1);
    }
    return SEQUENCE_OF(
        lists[0].n ? TLV(0xa0, lists[0]) : NOTHING, lists[1].n ? TLV(0xa1, lists[1]) : NOTHING);
}

static const struct bytes no_subject = BYTES("\x30\x00");

/* NAMES are separated by commas. */
static struct certificate *named(struct bytes subject, const char *names)
{
    struct bytes rest = bytes_of(names), list = NOTHING;
    while (rest.n) {
        size_t n = bytes_find(rest, ',');
        list = JOIN(list, general_name(bytes_first(rest, n)));
        rest = bytes_skip(rest, n + 1);
    }
    return paper(COMMON(BYTES("CA")), subject,
        list.n ? paper_extension(BYTES(CE("\x11")), SEQUENCE_OF(list)) : NOTHING);
}

static bool allows(struct bytes constraints, struct bytes subject, const char *names)
{
    unsigned comparisons = 1000;
    struct certificate_name which = {0};
    struct certificate *c = named(subject, names);
    CHECK(!name_constraint_fault(constraints, &comparisons));
    enum name_constraint_answer answer =
        name_constraint_check(constraints, c, &comparisons, &which);
    CHECK(answer != NAME_CONSTRAINT_UNDECIDED);
    CHECK((answer == NAME_CONSTRAINT_FORBIDS) == (which.value.at != NULL));
    certificate_unref(&c);
    return answer == NAME_CONSTRAINT_ALLOWS;
}

struct row {
    const char *constraints, *names;
    bool is_allowed;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool got = allows(constraints_of(rows[i].constraints), no_subject, rows[i].names);
        CHECK_INT(got, rows[i].is_allowed);
        if (got != rows[i].is_allowed)
            printf("# %s, %s\n", rows[i].constraints, rows[i].names);
        written_free();
    }
}

TEST(dns)
{
    static const struct row rows[] = {
        {"+DNS:example.com", "DNS:example.com", true},
        {"+DNS:example.com", "DNS:a.b.example.com", true},
        {"+DNS:example.com", "DNS:A.EXAMPLE.COM", true},
        {"+DNS:example.com", "DNS:aexample.com", false},
        {"+DNS:example.com", "DNS:com", false},
        {"+DNS:example.com", "DNS:example.com,DNS:evil.test", false},
        {"+DNS:a.test +DNS:b.test", "DNS:b.test,DNS:a.test", true},
        {"+DNS:", "DNS:anything.test", true},
        {"-DNS:", "DNS:anything.test", false},
        {"-DNS:example.com", "DNS:www.example.com", false},
        {"-DNS:www.example.com", "DNS:example.com", true},
        {"+DNS:example.com -DNS:bad.example.com", "DNS:good.example.com", true},
        {"+DNS:example.com -DNS:bad.example.com", "DNS:x.bad.example.com", false},
        {"+DNS:example.com -DNS:example.com", "DNS:example.com", false},
        /* Other kinds are not spoken of. */
        {"+IP:c0000200ffffff00", "DNS:example.com", true},
        {"+DNS:example.com", "IP:c0000201", true},
        {"-DNS:example.com", "EMAIL:a@example.com", true},
        /* What is no host name is not within anything, and not clear of anything. */
        {"+DNS:example.com", "DNS:.example.com", false},
        {"+DNS:example.com", "DNS:a..example.com", false},
        {"+DNS:example.com", "DNS:www.example.com.", false},
        {"-DNS:example.com", "DNS:www.example.com.", false},
        {"-DNS:example.com", "DNS:other test", false},
        {"-DNS:example.com", "DNS:*", false},
        {"-DNS:example.com", "DNS:a.*.test", false},
        {"-DNS:example.com", "DNS:", false},
        {"+DNS:example.com", "DNS:_service.example.com", true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(dns_wildcards)
{
    static const struct row rows[] = {
        {"+DNS:example.com", "DNS:*.example.com", true},
        {"+DNS:example.com", "DNS:*.www.example.com", true},
        {"+DNS:www.example.com", "DNS:*.example.com", false},
        {"+DNS:example.com", "DNS:*.com", false},
        {"-DNS:example.com", "DNS:*.example.com", false},
        {"-DNS:www.example.com", "DNS:*.example.com", false},
        {"-DNS:WWW.example.com", "DNS:*.Example.com", false},
        {"-DNS:com", "DNS:*.example.com", false},
        /* A wildcard is one label. */
        {"-DNS:a.www.example.com", "DNS:*.example.com", true},
        {"-DNS:other.test", "DNS:*.example.com", true},
        {"-DNS:test", "DNS:*.example.com", true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(email)
{
    static const struct row rows[] = {
        {"+EMAIL:example.com", "EMAIL:a@example.com", true},
        {"+EMAIL:example.com", "EMAIL:a@EXAMPLE.com", true},
        {"+EMAIL:example.com", "EMAIL:a@www.example.com", false},
        {"+EMAIL:.example.com", "EMAIL:a@www.example.com", true},
        {"+EMAIL:.example.com", "EMAIL:a@example.com", false},
        {"+EMAIL:.example.com", "EMAIL:a@badexample.com", false},
        {"+EMAIL:a@example.com", "EMAIL:a@Example.com", true},
        {"+EMAIL:a@example.com", "EMAIL:A@example.com", false},
        {"+EMAIL:*@example.com", "EMAIL:a@example.com", false},
        {"-EMAIL:a@example.com", "EMAIL:b@example.com", true},
        {"-EMAIL:a@example.com", "EMAIL:a@example.com", false},
        {"-EMAIL:a@example.com", "EMAIL:a@other.test", true},
        {"-EMAIL:", "EMAIL:a@example.com", false},
        {"+EMAIL:", "EMAIL:a@example.com", false},
        {"-EMAIL:example.com", "EMAIL:a@other.test", true},
        /* "a@evil.test"@example.com is a mailbox at example.com. */
        {"+EMAIL:example.com", "EMAIL:\"a@evil.test\"@example.com", true},
        /* A quoted local part can be written in many ways. */
        {"-EMAIL:a@example.com", "EMAIL:\"a\"@example.com", false},
        {"+EMAIL:a@example.com", "EMAIL:\"a\"@example.com", false},
        {"-EMAIL:\"a\"@example.com", "EMAIL:b@example.com", false},
        {"-EMAIL:example.com", "EMAIL:nobody", false},
        {"-EMAIL:example.com", "EMAIL:@other.test", false},
        {"-EMAIL:example.com", "EMAIL:a@", false},
        {"-EMAIL:example.com", "EMAIL:a b@other.test", false},
        {"-EMAIL:a@example.com", "EMAIL:", false},
        /* Without quotes there is one @ only: others would see a mailbox at evil.test. */
        {"+EMAIL:example.com", "EMAIL:a@evil.test@example.com", false},
        {"-EMAIL:evil.test", "EMAIL:a@evil.test@example.com", false},
        {"+EMAIL:example.com", "EMAIL:\"a\"@evil.test\"@example.com", false},
        {"+EMAIL:example.com", "EMAIL:\"a\\\"@example.com", false},
        {"+EMAIL:example.com", "EMAIL:a..b@example.com", false},
        {"+EMAIL:example.com", "EMAIL:a.+b@example.com", true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(uri)
{
    static const struct row rows[] = {
        {"+URI:example.com", "URI:spiffe://example.com/a", true},
        {"+URI:example.com", "URI:https://user:x@EXAMPLE.com:8443?q", true},
        {"+URI:example.com", "URI:https://example.com@evil.test/", false},
        /* Where readers of URIs would differ about the host */
        {"+URI:example.com", "URI:https://evil.test\\@example.com", false},
        {"+URI:example.com", "URI:https://evil.test@x@example.com", false},
        {"-URI:evil.test", "URI:https://evil.test\\@example.com", false},
        {"+URI:example.com", "URI:https://example.com:x", false},
        {"+URI:example.com", "URI:https://example.com:", true},
        {"+URI:example.com", "URI:://example.com", false},
        {"+URI:example.com", "URI:1a://example.com", false},
        {"+URI:example.com", "URI:https://www.example.com/", false},
        {"+URI:.example.com", "URI:https://www.example.com#x", true},
        {"+URI:.example.com", "URI:https://example.com", false},
        {"-URI:example.com", "URI:https://example.com/", false},
        {"-URI:example.com", "URI:https://example.org/", true},
        {"-URI:", "URI:https://example.org/", false},
        {"+URI:", "URI:https://example.org/", false},
        /* "the application MUST reject" */
        {"-URI:example.com", "URI:urn:uuid:1", false},
        {"-URI:example.com", "URI:https://192.0.2.1/", false},
        {"-URI:example.com", "URI:https://[2001:db8::1]/", false},
        {"-URI:example.com", "URI:https:///path", false},
        {"-URI:example.com", "URI:example.org", false},
        {"-URI:example.com", "URI:https://a%2eexample.org/", false},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(ip)
{
    static const struct row rows[] = {
        {"+IP:c0000200ffffff00", "IP:c0000201", true},
        {"+IP:c00002ffffffff00", "IP:c0000201", true},
        {"+IP:c0000200ffffff00", "IP:c0000301", false},
        {"-IP:c0000200ffffff00", "IP:c0000201", false},
        {"-IP:c0000200ffffff00", "IP:c0000301", true},
        {"+IP:0000000000000000", "IP:c0000301", true},
        {"+IP:c0000200fffffe00", "IP:c0000301", true},
        {"+IP:c0000200fffffe00", "IP:c0000401", false},
        {"+IP:20010db8000000000000000000000000ffffffff000000000000000000000000",
            "IP:20010db8000000000000000000000001", true},
        {"+IP:20010db8000000000000000000000000ffffffff000000000000000000000000",
            "IP:20010db9000000000000000000000001", false},
        /* An address of the other family is within no permitted subtree. */
        {"+IP:20010db8000000000000000000000000ffffffff000000000000000000000000", "IP:c0000201",
            false},
        {"-IP:20010db8000000000000000000000000ffffffff000000000000000000000000", "IP:c0000201",
            true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(directory_names)
{
    struct bytes www = COMMON(BYTES("www"));
    CHECK(allows(constraints_of("+DIR:www"), www, "DNS:a.test"));
    CHECK(allows(constraints_of("+DIR:WWW"), www, "DIR:www"));
    CHECK(!allows(constraints_of("+DIR:www"), www, "DIR:ftp"));
    CHECK(!allows(constraints_of("+DIR:www"), COMMON(BYTES("ftp")), "DIR:www"));
    CHECK(!allows(constraints_of("-DIR:www"), www, ""));
    CHECK(allows(constraints_of("-DIR:ftp"), www, ""));
    /* An empty subject is no name. */
    CHECK(allows(constraints_of("+DIR:www"), no_subject, "DNS:a.test"));
    written_free();
}

/* RFC 5280 §4.2.1.10: the rfc822Name constraint applies to emailAddress in the subject, too. */
TEST(email_address_in_the_subject)
{
    struct bytes subject =
        SEQUENCE_OF(TLV(0x31, SEQUENCE_OF(OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"),
                                  TLV(0x16, BYTES("a@example.com")))));
    CHECK(allows(constraints_of("+EMAIL:example.com"), subject, ""));
    CHECK(!allows(constraints_of("-EMAIL:example.com"), subject, ""));
    CHECK(!allows(constraints_of("+EMAIL:other.test"), subject, "EMAIL:a@other.test"));
    /* A common name is never a host name. */
    CHECK(allows(constraints_of("+DNS:other.test"), COMMON(BYTES("www.example.com")), ""));
    written_free();
}

/* "the application MUST either process the constraint or reject the certificate" */
TEST(kinds_that_we_cannot_compare)
{
    static const struct row rows[] = {
        {"-ANY:a00806022a03a0020500", "ANY:a00806022a04a0020500", false},
        {"+ANY:a00806022a03a0020500", "ANY:a00806022a03a0020500", false},
        {"-ANY:88022a03", "ANY:88022a04", false},
        {"-ANY:88022a03", "ANY:a00806022a04a0020500", true},
        {"-ANY:88022a03", "DNS:example.com", true},
        {"-DNS:example.com", "ANY:88022a04", true},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(constraints_that_mean_nothing)
{
    static const char *const bases[] = {"DNS:.example.com", "DNS:*.example.com", "DNS:example.com.",
        "DNS:a..b", "DNS:a b", "EMAIL:a@", "EMAIL:@example.com", "EMAIL:a@.example.com", "EMAIL:..",
        "EMAIL:.", "URI:https://example.com/", "URI:.", "IP:c0000200", "IP:c0000200ff00ff00",
        "IP:c0000200ffff0100", "IP:c000020000ffffff", "IP:", "ANY:a4023000aa", "ANY:a4020500"};
    unsigned comparisons = 1000;
    for (size_t i = 0; i < COUNT_OF(bases); i++)
        for (int excluded = 0; excluded < 2; excluded++) {
            char text[64];
            snprintf(text, sizeof(text), "%c%s", "+-"[excluded], bases[i]);
            const char *fault = name_constraint_fault(constraints_of(text), &comparisons);
            CHECK(fault && strstr(fault, "a subtree that means nothing"));
            if (!fault)
                printf("# %s\n", text);
        }
    written_free();
}

TEST(dns_names_that_are_too_long)
{
    struct bytes label = BYTES("a23456789012345678901234567890123456789012345678901234567890123."),
                 four = JOIN(label, label, label, label), end = BYTES("example.com");
    for (size_t n = 253; n <= 254; n++) {
        struct bytes name = JOIN(bytes_first(four, n - end.n - 1), BYTES("."), end);
        struct certificate *c = paper(COMMON(BYTES("CA")), no_subject,
            paper_extension(BYTES(CE("\x11")), SEQUENCE_OF(TLV(0x82, name))));
        unsigned comparisons = 1000;
        struct certificate_name which;
        CHECK_INT(
            name_constraint_check(constraints_of("+DNS:example.com"), c, &comparisons, &which),
            n == 253 ? NAME_CONSTRAINT_ALLOWS : NAME_CONSTRAINT_FORBIDS);
        certificate_unref(&c);
    }
    written_free();
}

TEST(syntax)
{
    struct bytes base = TLV(0x82, BYTES("a.test"));
    const struct bytes wrong[] = {
        EMPTY_SEQUENCE,
        SEQUENCE_OF(BYTES("\xa0\x00")),
        SEQUENCE_OF(BYTES("\xa0\x00\xa1\x00")),
        SEQUENCE_OF(TLV(0xa1, SEQUENCE_OF(base)), TLV(0xa0, SEQUENCE_OF(base))),
        SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(base)), BYTES("\x05\x00")),
        JOIN(SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(base))), BYTES("\x00")),
        SEQUENCE_OF(BYTES("\xa0\x02\x30")),
        BYTES("\x05\x00"),
        SEQUENCE_OF(TLV(0xa0, base)),
        SEQUENCE_OF(TLV(0xa0, EMPTY_SEQUENCE)),
        /* minimum and maximum */
        SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(base, BYTES("\x80\x01\x00")))),
        SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(base, BYTES("\x80\x01\x01")))),
        SEQUENCE_OF(TLV(0xa1, SEQUENCE_OF(base, BYTES("\x81\x01\x05")))),
        /* No GeneralName has these tags; a constructed string is BER, and libcrypto reads it. */
        SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(TLV(0xa1, TLV(0x82, BYTES("a.test")))))),
        SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(TLV(0x84, BYTES("\x30\x00"))))),
        SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(TLV(0x89, BYTES("a.test"))))),
        SEQUENCE_OF(TLV(0xa1, SEQUENCE_OF(TLV(0x1e, BYTES("a.test"))))),
    };
    unsigned comparisons = 1000;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK(name_constraint_fault(wrong[i], &comparisons));
    CHECK(!name_constraint_fault(SEQUENCE_OF(TLV(0xa0, SEQUENCE_OF(base))), &comparisons));
    CHECK_INT(comparisons, 999); /* one for each subtree that is good */
    written_free();
}

TEST(work_is_bounded)
{
    struct bytes constraints = constraints_of("+DNS:a.test +DNS:b.test -DNS:c.test");
    struct certificate *c = named(no_subject, "DNS:b.test,DNS:b.test");
    struct certificate_name which;
    for (unsigned enough = 6, n = 0; n <= enough; n++) {
        unsigned comparisons = n;
        CHECK_INT(name_constraint_check(constraints, c, &comparisons, &which),
            n < enough ? NAME_CONSTRAINT_UNDECIDED : NAME_CONSTRAINT_ALLOWS);
    }
    unsigned none = 0;
    CHECK(!name_constraint_fault(constraints, &none));
    CHECK_INT(none, 0);
    certificate_unref(&c);
    written_free();
}
