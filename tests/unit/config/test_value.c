/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "config/value.c"
#include "test.h"

TEST(durations)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {{"500ms", 500}, {"5s", 5000}, {"10m", 600000}, {"1h", 3600000}, {"1d", 86400000},
        {"0s", 0}, {"1", -1}, {"", -1}, {"s", -1}, {"5 s", -1}, {"-5s", -1}, {"1.5s", -1},
        {"5S", -1}, {"18446744073709551616ms", -1}, {"18446744073709551615d", -1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t ms = 0;
        struct error err;
        int result = value_duration(rows[i].text, &ms, &err);
        CHECK_INT(result < 0 ? -1 : (int64_t)ms, rows[i].want);
        char text[VALUE_FORMAT_MAX];
        value_format_duration(ms, text);
        if (result == 0)
            CHECK_TEXT(text, rows[i].text);
    }
    char text[VALUE_FORMAT_MAX];
    value_format_duration(90000, text);
    CHECK_TEXT(text, "90s");
    value_format_duration(86400000 + 1, text);
    CHECK_TEXT(text, "86400001ms");
}

TEST(sizes)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {{"0", 0}, {"1", 1}, {"4095", 4095}, {"64KiB", 65536}, {"10MiB", 10 << 20},
        {"3GiB", 3ll << 30}, {"", -1}, {"KiB", -1}, {"1 KiB", -1}, {"-1", -1}, {"1.5MiB", -1},
        {"1MB", -1}, {"1k", -1}, {"1kib", -1}, {"18446744073709551616", -1},
        {"18446744073709551615KiB", -1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t bytes = 0;
        struct error err;
        int result = value_size(rows[i].text, &bytes, &err);
        CHECK_INT(result < 0 ? -1 : (int64_t)bytes, rows[i].want);
        char text[VALUE_FORMAT_MAX];
        value_format_size(bytes, text);
        if (result == 0)
            CHECK_TEXT(text, rows[i].text);
    }
}

typedef int spell_fn(struct arena *, const char *, const char **, struct error *);

struct spelling {
    const char *text, *want; /* NULL: refused */
};

static void check_spellings(spell_fn *spell, const struct spelling *rows)
{
    struct arena a;
    arena_init(&a);
    for (; rows->text; rows++) {
        const char *out = NULL;
        struct error err;
        const char *got = spell(&a, rows->text, &out, &err) < 0 ? "refused" : out;
        if (strcmp(got, rows->want ? rows->want : "refused") != 0)
            printf("# %s\n", rows->text);
        CHECK_TEXT(got, rows->want ? rows->want : "refused");
    }
    arena_fini(&a);
}

TEST(addresses)
{
    static const struct spelling both[] = {{"127.0.0.1:80", "127.0.0.1:80"},
        {"[::1]:65535", "[::1]:65535"}, {"[2001:DB8:0:0::5]:443", "[2001:db8::5]:443"},
        {"127.0.0.1", NULL}, {"127.0.0.1:", NULL}, {"127.0.0.1:65536", NULL},
        {"127.0.0.1:080", NULL}, {"127.0.0.1:+80", NULL}, {"127.0.0.1:8 0", NULL},
        {"127.1:80", NULL}, {"::1:80", NULL}, {"[::1]", NULL}, {"[::1]80", NULL}, {"[::1:80", NULL},
        {"[]:80", NULL}, {"[127.0.0.1]:80", NULL}, {"]:80", NULL}, {"[:80", NULL}, {"*:80", NULL},
        {"", NULL}, {":", NULL}, {"[::1]]:80", NULL}, {NULL, NULL}};
    static const struct spelling bind[] = {
        {":443", ":443"}, {":0", ":0"}, {"0.0.0.0:0", "0.0.0.0:0"}, {NULL, NULL}};
    static const struct spelling numeric[] = {{"localhost:80", NULL}, {NULL, NULL}};
    static const struct spelling target[] = {{":443", NULL}, {"10.0.0.1:0", NULL},
        {"App.Internal:8080", "app.internal:8080"}, {"localhost:80", "localhost:80"},
        {"a_b.c-d.x1:80", "a_b.c-d.x1:80"}, {"app.internal", NULL}, {"app.internal:0", NULL},
        {"app..internal:80", NULL}, {"app.internal.:80", NULL}, {"*.internal:80", NULL},
        {"app.10:80", NULL}, {"10.0.0.256:80", NULL}, {"http://app:80", NULL}, {"a b:80", NULL},
        {"\xc3\xa4:80", NULL}, {NULL, NULL}};
    static const struct spelling server[] = {{"10.0.0.1", "10.0.0.1:53"},
        {"10.0.0.1:5353", "10.0.0.1:5353"}, {"2001:DB8::1", "[2001:db8::1]:53"},
        {"[::1]:5353", "[::1]:5353"}, {"[::1]", NULL}, {"ns.example", NULL},
        {"ns.example:53", NULL}, {"10.0.0.1:0", NULL}, {"", NULL}, {NULL, NULL}};
    check_spellings(value_bind_address, numeric);
    check_spellings(value_server_address, server);
    check_spellings(value_bind_address, both);
    check_spellings(value_target_address, both);
    check_spellings(value_bind_address, bind);
    check_spellings(value_target_address, target);
}

TEST(the_host_of_a_target)
{
    struct arena a;
    arena_init(&a);
    CHECK_TEXT(value_target_host(&a, "app.internal:8080"), "app.internal");
    CHECK(!value_target_host(&a, "10.0.0.1:80"));
    CHECK(!value_target_host(&a, "[2001:db8::5]:80"));
    arena_fini(&a);
}

TEST(domains)
{
    static const struct spelling all[] = {{"WWW.Example.com", "www.example.com"},
        {"localhost", "localhost"}, {"a_b.example", "a_b.example"},
        {"*.Example.com", "*.example.com"}, {"a.*.com", NULL}, {"*", NULL}, {"*.", NULL},
        {".example", NULL}, {"example.", NULL}, {"a..b", NULL}, {"https://a.b", NULL},
        {"a.b:443", NULL}, {"a b", NULL}, {"", NULL}, {"b\xC3\xBC.de", NULL}, {"10.0.0.300", NULL},
        {"*.5", NULL}, {"::1", NULL}, {"*.*", NULL},
        {"a23456789012345678901234567890123456789012345678901234567890123",
            "a23456789012345678901234567890123456789012345678901234567890123"},
        {"a234567890123456789012345678901234567890123456789012345678901234", NULL}, {NULL, NULL}};
    static const struct spelling sni[] = {
        {"www.example.*", NULL}, {"10.0.0.3", NULL}, {"~a", NULL}, {NULL, NULL}};
    static const struct spelling rule[] = {{"www.Example.*", "www.example.*"},
        {"10.0.0.3", "10.0.0.3"}, {"*.example.*", NULL}, {".*", NULL},
        {"~^Img[0-9]+\\.", "~^Img[0-9]+\\."}, {"~", NULL}, {"~(", NULL}, {"~ ^a", NULL},
        {"~\xC3\xBC", NULL}, {NULL, NULL}};
    static const struct spelling host[] = {{"", ""}, {"App.internal", "app.internal"},
        {"10.0.0.3", "10.0.0.3"}, {"2001:DB8::1", "2001:db8::1"}, {"10.0.0.300", NULL},
        {"*.internal", NULL}, {"app:80", NULL}, {NULL, NULL}};
    check_spellings(value_sni_domain, all);
    check_spellings(value_rule_domain, all);
    check_spellings(value_sni_domain, sni);
    check_spellings(value_rule_domain, rule);
    check_spellings(value_host, host);
}

TEST(networks)
{
    static const struct spelling rows[] = {{"10.0.0.0/8", "10.0.0.0/8"},
        {"10.1.2.3", "10.1.2.3/32"}, {"0.0.0.0/0", "0.0.0.0/0"}, {"2001:db8::/32", "2001:db8::/32"},
        {"::1", "::1/128"}, {"::/0", "::/0"}, {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
        {"10.0.0.1/8", NULL}, {"10.0.0.0/33", NULL}, {"::/129", NULL}, {"10.0.0.0/", NULL},
        {"10.0.0.0/8x", NULL}, {"10.0.0/8", NULL}, {"host/8", NULL}, {"", NULL}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config_network n;
        struct error err;
        char text[VALUE_FORMAT_MAX] = "refused";
        if (value_network(rows[i].text, &n, &err) == 0)
            value_format_network(&n, text);
        CHECK_TEXT(text, rows[i].want ? rows[i].want : "refused");
    }
}

TEST(client_names)
{
    static const struct spelling rows[] = {{"DNS:*.fleet.example", ""},
        {"URI:spiffe://example/*", ""}, {"EMAIL:*@example.com", ""}, {"IP:10.0.0.1", ""},
        {"IP:2001:db8::1", ""}, {"IP:10.0.0.*", NULL}, {"DNS:", NULL}, {"CN:alice", NULL},
        {"alice", NULL}, {"dns:a", NULL}, {"DNS:*.*.a", NULL}, {"DNS:a b", NULL},
        {"DNS:b\xC3\xBC", NULL}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err;
        CHECK_INT(value_client_name(rows[i].text, &err), rows[i].want ? 0 : -1);
    }
}

TEST(paths)
{
    static const struct {
        const char *text, *want;
        enum config_path_match match;
    } rows[] = {{"/", "/", PATH_PREFIX}, {"/api/", "/api/", PATH_PREFIX},
        {"= /health", "/health", PATH_EXACT}, {"=   /health", "/health", PATH_EXACT},
        {"=/health", NULL, 0}, {"", NULL, 0}, {"api", NULL, 0}, {"= ", NULL, 0}, {"/a b", NULL, 0},
        {"/a?b", NULL, 0}, {"/a#b", NULL, 0}, {"/\xC3\xBC", NULL, 0}, {"/../a", NULL, 0},
        {"/a/..", NULL, 0}, {"/a/./b", NULL, 0}, {"/a..b/.c/...", "/a..b/.c/...", PATH_PREFIX},
        {"/%C3%BC%20%7B", "/%C3%BC%20%7B", PATH_PREFIX}, {"/%c3%bc", NULL, 0}, {"/%61", NULL, 0},
        {"/a%2Fb", NULL, 0}, {"/a%5Cb", NULL, 0}, {"/a\\b", NULL, 0}, {"/%00", NULL, 0},
        {"/%", NULL, 0}, {"/%2", NULL, 0}, {"/%7E", NULL, 0}, {"~ %61", "%61", PATH_REGEX},
        {"^~ /static/", "/static/", PATH_PREFIX_FINAL}, {"^~ static", NULL, 0},
        {"~ \\.(png|jpg)$", "\\.(png|jpg)$", PATH_REGEX},
        {"~*  ^/Img/", "^/Img/", PATH_REGEX_NOCASE}, {"~ ", NULL, 0}, {"~* (", NULL, 0},
        {"~^/a", NULL, 0}, {"~ [a-", NULL, 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum config_path_match match;
        const char *path;
        struct error err;
        int result = value_path(rows[i].text, &match, &path, &err);
        CHECK_INT(result, rows[i].want ? 0 : -1);
        if (result == 0) {
            CHECK_TEXT(path, rows[i].want);
            CHECK_INT(match, rows[i].match);
        }
    }
}
