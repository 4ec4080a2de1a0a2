/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "base/bytes.h"
#include "test.h"

#include "base/ban.h"

TEST(comparing)
{
    static const struct {
        const char *a, *b;
        bool equal, equal_nocase, starts, ends;
    } cases[] = {
        {"", "", true, true, true, true},
        {"abc", "", false, false, true, true},
        {"", "a", false, false, false, false},
        {"abc", "abc", true, true, true, true},
        {"abc", "ABc", false, true, false, false},
        {"abc", "ab", false, false, true, false},
        {"abc", "bc", false, false, false, true},
        {"abc", "abcd", false, false, false, false},
        {"[", "{", false, false, false, false}, /* 0x20 apart, and no letters */
        {"\xc4", "\xe4", false, false, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes a = bytes_of(cases[i].a), b = bytes_of(cases[i].b);
        CHECK_INT(bytes_equal(a, b), cases[i].equal);
        CHECK_INT(bytes_equal_nocase(a, b), cases[i].equal_nocase);
        CHECK_INT(bytes_starts_with(a, b), cases[i].starts);
        CHECK_INT(bytes_ends_with(a, b), cases[i].ends);
    }
}

TEST(nothing_is_a_slice_too)
{
    struct bytes nothing = bytes_of(NULL);
    CHECK_INT(nothing.n, 0);
    CHECK(bytes_equal(nothing, BYTES("")));
    CHECK_INT(bytes_find(nothing, 'x'), 0);
    CHECK_INT(bytes_skip(nothing, 3).n, 0);
    CHECK_INT(bytes_trim(nothing).n, 0);
}

TEST(cutting)
{
    struct bytes b = BYTES("abc");
    CHECK(bytes_equal(bytes_skip(b, 1), BYTES("bc")));
    CHECK_INT(bytes_skip(b, 4).n, 0);
    CHECK(bytes_equal(bytes_first(b, 2), BYTES("ab")));
    CHECK(bytes_equal(bytes_first(b, 4), b));
    CHECK_INT(bytes_find(b, 'c'), 2);
    CHECK_INT(bytes_find(b, 'd'), 3);
}

TEST(trimming)
{
    static const char *const cases[][2] = {
        {"a", "a"}, {" \ta b\t ", "a b"}, {" \t ", ""}, {"", ""}, {"\na\r", "\na\r"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK(bytes_equal(bytes_trim(bytes_of(cases[i][0])), bytes_of(cases[i][1])));
}
