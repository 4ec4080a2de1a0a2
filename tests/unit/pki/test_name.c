/* SPDX-License-Identifier: Apache-2.0 */
/* Names as a certificate may hold them, without a certificate: certificate_facts is ours here. */
#include <stdlib.h>

#include "pki/name.c"
#include "test.h"

struct certificate {
    struct certificate_facts facts;
};

const struct certificate_facts *certificate_facts(const struct certificate *c)
{
    return &c->facts;
}

/* Does a certificate with the one name KIND:PRESENTED match the pattern TEXT? */
static bool matches_bytes(
    const char *text, bool is_allow_list, enum certificate_name_kind kind, struct bytes presented)
{
    struct certificate_name name = {kind, presented};
    struct certificate c = {{.names = &name, .names_n = 1}};
    struct arena arena;
    struct name_pattern p;
    struct error err = {""};
    arena_init(&arena);
    int parsed = name_pattern_parse(bytes_of(text), is_allow_list, &arena, &p, &err);
    if (parsed < 0)
        printf("# %s\n", err.text);
    CHECK_INT(parsed, 0);
    bool matches = parsed == 0 && name_matches(&p, &c);
    arena_fini(&arena);
    return matches;
}

static bool matches(
    const char *text, bool is_allow_list, enum certificate_name_kind kind, const char *presented)
{
    return matches_bytes(text, is_allow_list, kind, bytes_of(presented));
}

TEST(dns_names_of_servers)
{
    static const struct {
        const char *presented, *host;
        bool want;
    } cases[] = {
        {"www.example.com", "www.example.com", true},
        {"WWW.Example.COM", "www.eXample.com", true},
        {"www.example.com", "www.example.com.", true},
        {"localhost", "localhost", true},
        {"a_b.example.com", "a_b.example.com", true},
        {"xn--bcher-kva.example", "xn--bcher-kva.example", true},
        {"www.example.com", "example.com", false},
        {"example.com", "www.example.com", false},
        {"www.example.com.", "www.example.com", false},
        {"www.example.com.evil.example", "www.example.com", false},
        {"", "www.example.com", false},
        {"", "", false},
        {".", ".", false},
        {"*.example.com", "www.example.com", true},
        {"*.EXAMPLE.com", "www.example.COM.", true},
        {"*.example.com", "xn--bcher-kva.example.com", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", ".example.com", false},
        {"*.example.com", "a.b.example.com", false},
        {"*.example.com", "*.example.com", false},
        {"*.co.uk", "example.co.uk", true}, /* no list of public suffixes */
        {"*.com", "example.com", false},
        {"*.", "com", false},
        {"*", "localhost", false},
        {"*", "*", false},
        {"w*.example.com", "www.example.com", false},
        {"*w.example.com", "www.example.com", false},
        {"w*w.example.com", "www.example.com", false},
        {"xn--*.example.com", "xn--a.example.com", false},
        {"www.*.com", "www.example.com", false},
        {"*.*.com", "www.example.com", false},
        {"**.example.com", "www.example.com", false},
        {"*.example.com ", "www.example.com", false},
        {" www.example.com", "www.example.com", false},
        {"www.example.com\n", "www.example.com", false},
        {"b\xc3\xbc"
         "cher.example.com",
            "b\xc3\xbc"
            "cher.example.com",
            false},
        {"192.0.2.1", "192.0.2.1", false},
        {"*.0.2.1", "192.0.2.1", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool got = name_dns_matches(bytes_of(cases[i].presented), bytes_of(cases[i].host));
        if (got != cases[i].want)
            printf("# %s against %s\n", cases[i].presented, cases[i].host);
        CHECK_INT(got, cases[i].want);
    }
}

/* peers.md T19: what stands behind a NUL, space, newline or foreign byte counts, in every kind of
 * name. */
TEST(bytes_that_hide_the_rest_of_a_name)
{
    static const char hiders[] = {0, ' ', '\t', '\n', '\r', 0x7f, (char)0x80, (char)0xff};
    static const struct {
        const char *pattern;
        enum certificate_name_kind kind;
        const char *good;
    } kinds[] = {
        {"DNS:good.example", NAME_DNS, "good.example"},
        {"DNS:*.good.example", NAME_DNS, "a.good.example"},
        {"EMAIL:alice@good.example", NAME_EMAIL, "alice@good.example"},
        {"EMAIL:*@good.example", NAME_EMAIL, "alice@good.example"},
        {"URI:spiffe://good.example/a", NAME_URI, "spiffe://good.example/a"},
        {"URI:spiffe://good.example/*", NAME_URI, "spiffe://good.example/a"},
    };
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        size_t n = strlen(kinds[k].good);
        CHECK(matches(kinds[k].pattern, true, kinds[k].kind, kinds[k].good));
        for (size_t h = 0; h < sizeof(hiders); h++) {
            for (size_t at = 0; at <= n; at++) {
                char name[64];
                memcpy(name, kinds[k].good, at);
                name[at] = hiders[h];
                memcpy(name + at + 1, kinds[k].good + at, n - at);
                CHECK(!matches_bytes(
                    kinds[k].pattern, true, kinds[k].kind, (struct bytes){(uint8_t *)name, n + 1}));
            }
        }
    }
    CHECK(
        !matches_bytes("DNS:good.example", false, NAME_DNS, BYTES("good.example\0.evil.example")));
    CHECK(!matches_bytes("DNS:good.example", false, NAME_DNS, BYTES("good.example\0")));
}

/* peers.md T18: the right string in a name of another kind is another name. */
TEST(a_name_of_another_kind_never_matches)
{
    static const char *const patterns[] = {
        "DNS:a.example", "EMAIL:a@a.example", "URI:a://a.example/", "IP:97.46.98.99"};
    static const enum certificate_name_kind kinds[] = {NAME_DNS, NAME_EMAIL, NAME_URI, NAME_IP};
    static const char *const values[] = {"a.example", "a@a.example", "a://a.example/", "a.bc"};
    static const enum certificate_name_kind all[] = {
        NAME_DNS, NAME_IP, NAME_EMAIL, NAME_URI, NAME_OTHER};
    for (int allow = 0; allow < 2; allow++)
        for (size_t p = 0; p < COUNT_OF(patterns); p++)
            for (size_t k = 0; k < COUNT_OF(all); k++)
                CHECK_INT(matches(patterns[p], allow, all[k], values[p]), all[k] == kinds[p]);
    CHECK(!matches("IP:192.0.2.1", false, NAME_DNS, "192.0.2.1"));
    CHECK(!matches("IP:192.0.2.1", false, NAME_IP, "192.0.2.1"));
}

TEST(addresses)
{
    CHECK(matches_bytes("IP:192.0.2.1", false, NAME_IP, BYTES("\xc0\x00\x02\x01")));
    CHECK(!matches_bytes("IP:192.0.2.1", false, NAME_IP, BYTES("\xc0\x00\x02\x02")));
    CHECK(!matches_bytes("IP:192.0.2.1", true, NAME_IP, BYTES("\xc0\x00\x02\x00\xff\xff\xff\x00")));
    CHECK(!matches_bytes("IP:192.0.2.1", false, NAME_IP, BYTES("\xc0\x00\x02")));
    CHECK(!matches_bytes("IP:192.0.2.1", false, NAME_IP, BYTES("")));
    CHECK(matches_bytes(
        "IP:2001:db8::1", true, NAME_IP, BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")));
    /* A byte that means a star elsewhere. */
    CHECK(matches_bytes("IP:42.0.2.1", true, NAME_IP, BYTES("\x2a\x00\x02\x01")));
    CHECK(!matches_bytes("IP:::ffff:192.0.2.1", false, NAME_IP, BYTES("\xc0\x00\x02\x01")));
}

TEST(mailboxes)
{
    CHECK(matches("EMAIL:alice@example.com", false, NAME_EMAIL, "alice@EXAMPLE.com"));
    CHECK(!matches("EMAIL:alice@example.com", false, NAME_EMAIL, "Alice@example.com"));
    CHECK(!matches("EMAIL:alice@example.com", false, NAME_EMAIL, "alice@sub.example.com"));
    CHECK(!matches("EMAIL:alice@example.com", false, NAME_EMAIL, "example.com"));
    CHECK(!matches("EMAIL:alice@example.com", false, NAME_EMAIL, "@example.com"));
    CHECK(matches("EMAIL:*@example.com", true, NAME_EMAIL, "bob@Example.com"));
    CHECK(!matches("EMAIL:*@example.com", true, NAME_EMAIL, "bob@evil.example.com"));
    CHECK(!matches("EMAIL:*@example.com", true, NAME_EMAIL, "bob@evil.com@evil.com"));
    CHECK(!matches("EMAIL:*@example.com", true, NAME_EMAIL, "@example.com"));
    CHECK(!matches("EMAIL:*@example.com", true, NAME_EMAIL, "*@example.com"));
    /* The star is ours in an allow-list only. */
    CHECK(!matches("EMAIL:*@example.com", false, NAME_EMAIL, "bob@example.com"));
}

TEST(uris)
{
    CHECK(matches("URI:spiffe://Example/a", false, NAME_URI, "SPIFFE://example/a"));
    CHECK(!matches("URI:spiffe://example/a", false, NAME_URI, "spiffe://example/A"));
    CHECK(!matches("URI:spiffe://example/a", false, NAME_URI, "spiffe://example/a/"));
    CHECK(!matches("URI:https://Alice@example/", false, NAME_URI, "https://alice@example/"));
    CHECK(matches("URI:urn:uuid:1-2", false, NAME_URI, "URN:uuid:1-2"));
    CHECK(!matches("URI:urn:uuid:1-2", false, NAME_URI, "urn:UUID:1-2"));
    CHECK(!matches("URI:a://b/c", false, NAME_URI, "a:b/c"));
    CHECK(matches("URI:spiffe://example/*", true, NAME_URI, "spiffe://EXAMPLE/team/app"));
    CHECK(!matches("URI:spiffe://example/*", true, NAME_URI, "spiffe://example/"));
    CHECK(!matches("URI:spiffe://example/*", true, NAME_URI, "spiffe://example.evil/team"));
    CHECK(!matches("URI:spiffe://example/*", true, NAME_URI, "spiffe://x@example/team"));
    CHECK(!matches("URI:spiffe://example/*", true, NAME_URI, "spiffe://evil@example/team"));
    CHECK(!matches("URI:spiffe://example/*", true, NAME_URI, "https://example/team"));
    CHECK(!matches("URI:spiffe://example/*", true, NAME_URI, "spiffe://example/*"));
    CHECK(
        !matches("URI:spiffe://example/team/*", true, NAME_URI, "spiffe://example/team/../other"));
    CHECK(!matches(
        "URI:spiffe://example/team/*", true, NAME_URI, "spiffe://example/team/%2E./other"));
    CHECK(!matches("URI:spiffe://example/team/*", true, NAME_URI, "spiffe://example/team/.."));
    CHECK(matches("URI:spiffe://example/team/*", true, NAME_URI, "spiffe://example/team/..."));
    CHECK(matches("URI:urn:fleet:*", true, NAME_URI, "urn:fleet:7"));
    CHECK(!matches("URI:spiffe://example/*", false, NAME_URI, "spiffe://example/team"));
}

TEST(allow_list_of_dns_names)
{
    CHECK(matches("DNS:*.fleet.example", true, NAME_DNS, "a.fleet.example"));
    CHECK(matches("DNS:*.fleet.example", true, NAME_DNS, "A.B.Fleet.Example"));
    CHECK(!matches("DNS:*.fleet.example", true, NAME_DNS, "fleet.example"));
    CHECK(!matches("DNS:*.fleet.example", true, NAME_DNS, ".fleet.example"));
    CHECK(!matches("DNS:*.fleet.example", true, NAME_DNS, "evilfleet.example"));
    CHECK(!matches("DNS:*.fleet.example", true, NAME_DNS, "a.fleet.example.evil"));
    CHECK(!matches("DNS:*.fleet.example", true, NAME_DNS, "a..fleet.example"));
    /* reliability.md §7, 12: no wildcards in client certificates. */
    CHECK(!matches("DNS:*.fleet.example", true, NAME_DNS, "*.fleet.example"));
    CHECK(!matches("DNS:a.fleet.example", true, NAME_DNS, "*.fleet.example"));
    CHECK(matches("DNS:a.fleet.example", true, NAME_DNS, "A.fleet.example"));
    CHECK(!matches("DNS:a.fleet.example", true, NAME_DNS, "a.fleet.example."));
}

TEST(any_of_several_names)
{
    struct certificate_name names[] = {{NAME_OTHER, BYTES("b.example")},
        {NAME_DNS, BYTES("a.example")}, {NAME_DNS, BYTES("b.example")}};
    struct certificate c = {{.subject = BYTES("0\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
                                              "c.example"),
        .names = names,
        .names_n = COUNT_OF(names)}};
    struct name_pattern b = {NAME_DNS, BYTES("b.example"), false},
                        c_pattern = {NAME_DNS, BYTES("c.example"), false};
    CHECK(name_find(&b, &c) == &names[2]);
    CHECK(name_find(&c_pattern, &c) == NULL);
}

TEST(what_is_not_accepted_and_why)
{
    static const struct {
        const char *text;
        bool is_allow_list;
        const char *want;
    } cases[] = {
        {"alice", false,
            "\"alice\" is not KIND:VALUE; accepted: DNS:name, IP:address, EMAIL:mailbox, URI:uri"},
        {"", false,
            "\"\" is not KIND:VALUE; accepted: DNS:name, IP:address, EMAIL:mailbox, URI:uri"},
        {"DNS", false,
            "\"DNS\" is not KIND:VALUE; accepted: DNS:name, IP:address, EMAIL:mailbox, URI:uri"},
        {"OTHER:x", false,
            "\"OTHER:x\" is not KIND:VALUE; accepted: DNS:name, IP:address, EMAIL:mailbox, "
            "URI:uri"},
        {"CN:x", true,
            "\"CN:x\" is not KIND:VALUE; accepted: DNS:name, IP:address, EMAIL:mailbox, URI:uri"},
        {"DNS:", false, "accepted: DNS:name"},
        {"DNS:*.a.example", false, "accepted: DNS:name"},
        {"DNS:*", true, "accepted: DNS:name or DNS:*.name"},
        {"DNS:a.*.example", true, "accepted: DNS:name or DNS:*.name"},
        {"DNS:*.*.example", true, "accepted: DNS:name or DNS:*.name"},
        {"DNS:a*.example", true, "accepted: DNS:name or DNS:*.name"},
        {"DNS:a b", false, "accepted: DNS:name"},
        {"DNS:a..b", false, "accepted: DNS:name"},
        {"DNS:192.0.2.1", false, "an IP address is written IP:address"},
        {"DNS:b\xc3\xbc"
         "cher.example",
            false,
            "\"DNS:b\\xc3\\xbccher.example\" is not a name to look for; write internationalised "
            "names in their ASCII form (xn--...)"},
        {"DNS:*.b\xc3\xbc"
         "cher.example",
            true, "write internationalised names in their ASCII form (xn--...)"},
        {"IP:", false, "accepted: IP:192.0.2.1 or IP:2001:db8::1, one address"},
        {"IP:10.0.0.0/8", true, "accepted: IP:192.0.2.1 or IP:2001:db8::1, one address"},
        {"IP:192.0.2.01x", false, "accepted: IP:192.0.2.1"},
        {"IP:fe80::1%eth0", false, "accepted: IP:192.0.2.1"},
        {"EMAIL:alice", false, "accepted: EMAIL:user@domain"},
        {"EMAIL:@example.com", false, "accepted: EMAIL:user@domain"},
        {"EMAIL:alice@", false, "accepted: EMAIL:user@domain"},
        {"EMAIL:a*@example.com", true, "accepted: EMAIL:user@domain or EMAIL:*@domain"},
        {"EMAIL:*@*.example.com", true, "accepted: EMAIL:user@domain or EMAIL:*@domain"},
        {"URI:spiffe", false, "accepted: URI:scheme://host/path"},
        {"URI:1a://b", false, "accepted: URI:scheme://host/path"},
        {"URI:spiffe:///a", false, "accepted: URI:scheme://host/path"},
        {"URI:spiffe://example*", true, "accepted: URI:scheme://host/path or"},
        {"URI:spiffe://*", true, "accepted: URI:scheme://host/path or"},
        {"URI:spiffe:*", true, "accepted: URI:scheme://host/path or"},
        {"URI:*", true, "accepted: URI:scheme://host/path or"},
        {"URI:spiffe://*.example/a", true, "accepted: URI:scheme://host/path or"},
        {"URI:spiffe://example/*/x", true, "accepted: URI:scheme://host/path or"},
        {"URI:spiffe://example/**", true, "accepted: URI:scheme://host/path or"},
    };
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct name_pattern p;
        struct error err = {""};
        CHECK_INT(
            name_pattern_parse(bytes_of(cases[i].text), cases[i].is_allow_list, &arena, &p, &err),
            -1);
        if (!strstr(err.text, cases[i].want))
            printf("# %s: %s\n", cases[i].text, err.text);
        CHECK(strstr(err.text, cases[i].want));
    }
    arena_fini(&arena);
}

TEST(hosts)
{
    static const struct {
        const char *host, *want;
    } cases[] = {
        {"www.example.com", "DNS:www.example.com"},
        {"www.example.com.", "DNS:www.example.com"},
        {"localhost", "DNS:localhost"},
        {"192.0.2.1", "IP:192.0.2.1"},
        {"2001:db8::1", "IP:2001:db8::1"},
        {"[2001:db8::1]", "IP:2001:db8::1"},
        {"[192.0.2.1]", NULL},
        {"[www.example.com]", NULL},
        {"192.0.2.256", NULL},
        {"127.1", NULL},
        {"*.example.com", NULL},
        {"www.example.com:443", NULL},
        {"www example", NULL},
        {"", NULL},
        {"[", NULL},
        {"[]", NULL},
    };
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct name_pattern p;
        struct error err = {""};
        char text[64];
        int got = name_pattern_of_host(bytes_of(cases[i].host), &arena, &p, &err);
        CHECK_INT(got, cases[i].want ? 0 : -1);
        if (got < 0) {
            CHECK(strstr(err.text, "is neither a host name nor an IP address; accepted: "));
            continue;
        }
        name_pattern_format(&p, text, sizeof(text));
        CHECK_TEXT(text, cases[i].want);
        CHECK(!p.is_allow_list);
    }
    arena_fini(&arena);
}

TEST(names_as_text)
{
    static const struct {
        struct certificate_name name;
        size_t size;
        const char *want;
    } cases[] = {
        {{NAME_DNS, {(const uint8_t *)"a.example", 9}}, 64, "DNS:a.example"},
        {{NAME_DNS, {(const uint8_t *)"a\0\n\"\\\xff", 6}}, 64, "DNS:a\\x00\\x0a\\x22\\x5c\\xff"},
        {{NAME_IP, {(const uint8_t *)"\xc0\x00\x02\x01", 4}}, 64, "IP:192.0.2.1"},
        {{NAME_IP, {(const uint8_t *)"\x01\x02", 2}}, 64, "IP:\\x01\\x02"},
        {{NAME_OTHER, {(const uint8_t *)"x", 1}}, 64, "OTHER:x"},
        {{NAME_DIRECTORY, BYTES("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03www")}, 64,
            "DIRECTORY:CN=www"},
        {{NAME_DNS, {NULL, 0}}, 64, "DNS:"},
        {{NAME_DNS, {(const uint8_t *)"abcdefghijkl", 12}}, 12, "DNS:abcd..."},
        {{NAME_DNS, {(const uint8_t *)"a\n\n\n", 4}}, 12, "DNS:a..."},
        {{NAME_DNS, {(const uint8_t *)"abc", 3}}, 4, "..."},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[64];
        name_format(&cases[i].name, text, cases[i].size);
        CHECK_TEXT(text, cases[i].want);
    }
}
