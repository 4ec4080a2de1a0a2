/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "tls/server_name.h"

#include "base/ban.h"

static bool parses_as(struct bytes extension, const char *want)
{
    struct bytes name;
    return server_name_parse(extension, &name) == 0 && bytes_equal(name, bytes_of(want));
}

TEST(one_host_name)
{
    CHECK(parses_as(BYTES("\0\6\0\0\3a.b"), "a.b"));
}

TEST(anything_else_is_malformed)
{
    static const struct bytes cases[] = {
        BYTES(""), BYTES("\0"), BYTES("\0\0"), /* an empty list */
        BYTES("\0\3\0\0\0"),                   /* an empty name */
        BYTES("\0\6\0\0\4a.b"),                /* the name leaves the list */
        BYTES("\0\7\0\0\3a.b"),                /* the list leaves the extension */
        BYTES("\0\6\0\0\3a.bX"),               /* bytes behind the list */
        BYTES("\0\7\0\0\3a.bX"),               /* bytes behind the name */
        BYTES("\0\6\1\0\3a.b"),                /* another type */
        BYTES("\0\14\0\0\3a.b\0\0\3c.d"),      /* two names */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes name;
        CHECK(server_name_parse(cases[i], &name) == -1);
    }
}

TEST(every_cut_is_malformed)
{
    struct bytes whole = BYTES("\0\16\0\0\13example.com"), name;
    CHECK_INT(server_name_parse(whole, &name), 0);
    for (size_t n = 0; n < whole.n; n++)
        CHECK_INT(server_name_parse(bytes_first(whole, n), &name), -1);
}

TEST(what_dns_could_hold)
{
    static const struct {
        const char *name;
        bool is_dns;
    } cases[] = {
        {"example.com", true},
        {"EXAMPLE.com.", true},
        {"localhost", true},
        {"_dmarc.a-b.c1", true},
        {"1.2.3.x", true},
        {"", false},
        {".", false},
        {"a..b", false},
        {".a", false},
        {"a..", false},
        {"127.0.0.1", false},
        {"10", false},
        {"::1", false},
        {"[::1]", false},
        {"a b", false},
        {"*.a", false},
        {"a/b", false},
        {"a\xc3\xa4.de", false},
        {"0123456789012345678901234567890123456789012345678901234567890123.de", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (server_name_is_dns(bytes_of(cases[i].name)) != cases[i].is_dns) {
            printf("# %s\n", cases[i].name);
            CHECK(false);
        }
    CHECK(!server_name_is_dns(BYTES("good.example\0.evil")));
    char longest[300];
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 50; i < sizeof(longest); i += 51)
        longest[i] = '.';
    CHECK(server_name_is_dns((struct bytes){(uint8_t *)longest, 253}));
    CHECK(!server_name_is_dns((struct bytes){(uint8_t *)longest, 254}));
}

TEST(escaping_keeps_a_log_line_whole)
{
    char text[256];
    server_name_escape(BYTES("A\n\0\\\"\x80z"), text, sizeof(text));
    CHECK_TEXT(text, "a\\x0a\\x00\\x5c\"\\x80z");
    char small[6];
    server_name_escape(BYTES("abcdefgh"), small, sizeof(small));
    CHECK(strlen(small) < sizeof(small));
    server_name_escape(BYTES("\1\1\1\1"), small, sizeof(small));
    CHECK_TEXT(small, "\\x01");
}
