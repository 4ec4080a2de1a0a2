/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1.h"
#include "test.h"

struct target_case {
    struct bytes input;
    const char *want; /* normalised, or "!token" */
};

static void check_result(struct bytes input, ssize_t n, const char *out, const char *want)
{
    struct bytes got = {(const uint8_t *)out, n < 0 ? 0 : (size_t)n};
    if (n < 0 && want[0] == '!' && strcmp(want + 1, http1_fault_token((enum http1_fault) - n)) == 0)
        return;
    if (n >= 0 && bytes_equal(got, bytes_of(want)))
        return;
    test_failed = 1;
    printf("# \"%.*s\": \"%.*s%s\", not \"%s\"\n", BYTES_ARG(input), BYTES_ARG(got),
        n < 0 ? http1_fault_token((enum http1_fault) - n) : "", want);
}

/* Into memory of the promised size. */
static void check_path(const struct target_case *c)
{
    uint8_t *out = malloc(c->input.n ? c->input.n : 1);
    ssize_t n = http1_normalise_path(c->input, out);
    check_result(c->input, n, (const char *)out, c->want);
    free(out);
}

TEST(paths)
{
    static const struct target_case cases[] = {
        {BYTES("/"), "/"},
        {BYTES("*"), "*"},
        {BYTES("/a/b.c/...;x=1//"), "/a/b.c/...;x=1//"},
        {BYTES("/%41%7e%2d%5f%39"), "/A~-_9"},
        {BYTES("/%e4%c3%a9%20%3f%25"), "/%E4%C3%A9%20%3F%25"},
        {BYTES("/.a/a./..a/a.."), "/.a/a./..a/a.."},
        {BYTES("/%2541"), "/%2541"},
        {BYTES("/%252e%252e/"), "/%252e%252e/"},
        {BYTES(""), "!bad_target"},
        {BYTES("a"), "!bad_target"},
        {BYTES("/."), "!dot_segment"},
        {BYTES("/.."), "!dot_segment"},
        {BYTES("/../a"), "!dot_segment"},
        {BYTES("/a/./b"), "!dot_segment"},
        {BYTES("/a/%2e%2E/b"), "!dot_segment"},
        {BYTES("/a/.%2e"), "!dot_segment"},
        {BYTES("/a/..;x/b"), "!dot_segment"},
        {BYTES("/a/.;"), "!dot_segment"},
        {BYTES("/a%2fb"), "!encoded_slash"},
        {BYTES("/a%2Fb"), "!encoded_slash"},
        {BYTES("/a%5cb"), "!encoded_slash"},
        {BYTES("/a\\b"), "!encoded_slash"},
        {BYTES("/a%00"), "!encoded_nul"},
        {BYTES("/a%"), "!bad_percent"},
        {BYTES("/a%4"), "!bad_percent"},
        {BYTES("/a%g1"), "!bad_percent"},
        {BYTES("/a%1g"), "!bad_percent"},
        {BYTES("/a%%34"), "!bad_percent"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_path(&cases[i]);
}

TEST(hosts)
{
    static const struct target_case cases[] = {
        {BYTES("example.com"), "example.com"},
        {BYTES("EXAMPLE.Com:8443"), "example.com"},
        {BYTES("example.com.:1"), "example.com"},
        {BYTES("a_b-c.d"), "a_b-c.d"},
        {BYTES("a:"), "a"},
        {BYTES("a:65535"), "a"},
        {BYTES("127.0.0.1:80"), "127.0.0.1"},
        {BYTES("[::1]"), "::1"},
        {BYTES("[2001:DB8:0::1]:443"), "2001:db8::1"},
        {BYTES("[::ffff:192.0.2.1]"), "::ffff:192.0.2.1"},
        {BYTES(""), "!bad_host"},
        {BYTES(":80"), "!bad_host"},
        {BYTES("."), "!bad_host"},
        {BYTES(".a"), "!bad_host"},
        {BYTES("a..b"), "!bad_host"},
        {BYTES("a.."), "!bad_host"},
        {BYTES("a:65536"), "!bad_host"},
        {BYTES("a:000080"), "!bad_host"},
        {BYTES("a:8 0"), "!bad_host"},
        {BYTES("a:+80"), "!bad_host"},
        {BYTES("a:80:80"), "!bad_host"},
        {BYTES("u@a"), "!bad_host"},
        {BYTES("a,b"), "!bad_host"},
        {BYTES("a b"), "!bad_host"},
        {BYTES("a/b"), "!bad_host"},
        {BYTES("*.a"), "!bad_host"},
        {BYTES("%61"), "!bad_host"},
        {BYTES("\xc3\xa9"), "!bad_host"},
        {BYTES("::1"), "!bad_host"},
        {BYTES("["), "!bad_host"},
        {BYTES("[]"), "!bad_host"},
        {BYTES("[::1"), "!bad_host"},
        {BYTES("[::1]x"), "!bad_host"},
        {BYTES("[::1]]"), "!bad_host"},
        {BYTES("[fe80::1%25eth0]"), "!bad_host"},
        {BYTES("[v1.a]"), "!bad_host"},
        {BYTES("[::1\0]"), "!bad_host"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[HTTP1_HOST_SIZE];
        ssize_t n = http1_normalise_host(cases[i].input, out);
        check_result(cases[i].input, n, out, cases[i].want);
        CHECK(n < 0 || out[n] == '\0');
    }
}

TEST(longest_host)
{
    uint8_t text[256];
    char out[HTTP1_HOST_SIZE];
    memset(text, 'a', sizeof(text));
    CHECK_INT(http1_normalise_host((struct bytes){text, 255}, out), 255);
    CHECK_INT(http1_normalise_host((struct bytes){text, 256}, out), -HTTP1_BAD_HOST);
}
