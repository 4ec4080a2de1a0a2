/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "tls/server_name.h"

#include "base/ban.h"

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
