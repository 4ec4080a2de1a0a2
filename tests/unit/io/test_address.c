/* SPDX-License-Identifier: Apache-2.0 */
#include "io/address.h"
#include "test.h"

#include "base/ban.h"

TEST(what_is_parsed_is_formatted_back)
{
    static const struct {
        const char *text, *formatted, *host;
        uint16_t port;
        bool any_host;
    } cases[] = {
        {"192.0.2.1:80", "192.0.2.1:80", "192.0.2.1", 80, false},
        {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", 0, false},
        {"10.9.99.100:80", "10.9.99.100:80", "10.9.99.100", 80, false},
        {"255.199.101.10:80", "255.199.101.10:80", "255.199.101.10", 80, false},
        {"[::]:65535", "[::]:65535", "::", 65535, true},
        {"[2001:DB8:0::1]:443", "[2001:db8::1]:443", "2001:db8::1", 443, false},
        {"[::ffff:192.0.2.1]:1", "192.0.2.1:1", "192.0.2.1", 1, false},
        {":443", ":443", "::", 443, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a;
        struct error err;
        char text[ADDRESS_TEXT_MAX];
        CHECK_INT(address_parse(bytes_of(cases[i].text), cases[i].any_host, &a, &err), 0);
        address_format(&a, text);
        CHECK_TEXT(text, cases[i].formatted);
        address_format_host(&a, text);
        CHECK_TEXT(text, cases[i].host);
        CHECK_INT(address_port(&a), cases[i].port);
        CHECK_INT(a.both_families, cases[i].text[0] == ':');
    }
}

TEST(addresses_are_equal_by_host_and_port)
{
    static const struct {
        const char *a, *b;
        bool are_equal;
    } cases[] = {
        {"192.0.2.1:80", "192.0.2.1:80", true},
        {"192.0.2.1:80", "192.0.2.1:81", false},
        {"192.0.2.1:80", "192.0.2.2:80", false},
        {"192.0.2.1:80", "[::ffff:192.0.2.1]:80", true},
        {"192.0.2.1:80", "[2001:db8::1]:80", false},
        {"[2001:db8::1]:80", "[2001:db8::1]:80", true},
        {"[2001:db8::1]:80", "[2001:db8::2]:80", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a, b;
        struct error err;
        CHECK_INT(address_parse(bytes_of(cases[i].a), false, &a, &err), 0);
        CHECK_INT(address_parse(bytes_of(cases[i].b), false, &b, &err), 0);
        CHECK_INT(address_equal(&a, &b), cases[i].are_equal);
        CHECK_INT(address_equal(&b, &a), cases[i].are_equal);
    }
}

TEST(the_longest_address_fits)
{
    struct address a;
    char text[ADDRESS_TEXT_MAX];
    CHECK_INT(
        address_parse(BYTES("[2001:db8:1111:2222:3333:4444:5555:6666]:65535"), false, &a, NULL), 0);
    address_format(&a, text);
    CHECK_TEXT(text, "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
}

TEST(everything_else_is_refused)
{
    static const char *const cases[] = {"", ":", ":80", "80", "192.0.2.1",
        "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:080", "192.0.2.1:+1", "192.0.2.1:123456",
        "192.0.2.1:8o", "192.0.2:80", "192.0.2.256:80", " 192.0.2.1:80", "192.0.2.1:80 ",
        "localhost:80", "::1:80", "[::1]", "[::1:80", "[]:80", "[:80", "[192.0.2.1]:80",
        "[2001:db8::1]x:80", "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a;
        struct error err = {""};
        int result = address_parse(bytes_of(cases[i]), false, &a, &err);
        if (result == 0)
            printf("# accepted: '%s'\n", cases[i]);
        CHECK_INT(result, -1);
        CHECK(strstr(err.text, "is no address; accepted: ") != NULL);
    }
    struct address a;
    CHECK_INT(address_parse(BYTES("192.0.2.1\0:80"), false, &a, NULL), -1);
    CHECK_INT(address_parse(BYTES(":"), true, &a, NULL), -1);
}

TEST(networks)
{
    static const struct {
        const char *address, *network;
        unsigned prefix;
        bool is_in;
    } cases[] = {
        {"10.1.2.3:1", "10.0.0.0:0", 96 + 8, true},
        {"11.1.2.3:1", "10.0.0.0:0", 96 + 8, false},
        {"10.127.0.1:1", "10.64.0.0:0", 96 + 10, true},
        {"10.128.0.1:1", "10.64.0.0:0", 96 + 10, false},
        {"10.0.0.1:1", "10.0.0.1:0", 128, true},
        {"10.0.0.0:1", "10.0.0.1:0", 128, false},
        {"[2001:db8::1]:1", "[2001:db8::]:0", 32, true},
        {"[2001:db9::1]:1", "[2001:db8::]:0", 32, false},
        {"[2001:db8::1]:1", "10.0.0.0:0", 0, true},
        {"[2001:db8::1]:1", "[2001:db8::1]:0", 129, false},
        {"[::ffff:10.1.2.3]:1", "10.0.0.0:0", 96 + 8, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a, network;
        uint8_t octets[16];
        CHECK_INT(address_parse(bytes_of(cases[i].address), false, &a, NULL), 0);
        CHECK_INT(address_parse(bytes_of(cases[i].network), false, &network, NULL), 0);
        address_octets(&network, octets);
        CHECK_INT(address_is_in(&a, octets, cases[i].prefix), cases[i].is_in);
    }
}
