/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"
#include "test.h"

static int match(const char *text, bool ignores_case, struct bytes subject)
{
    struct error err;
    struct regex *r = regex_new(text, ignores_case, &err);
    CHECK(r);
    int answer = (int)regex_match(r, subject);
    regex_free(&r);
    CHECK(!r);
    return answer;
}

TEST(it_matches_anywhere_unless_it_has_anchors)
{
    CHECK_INT(match("b+", false, BYTES("abbc")), REGEX_MATCHES);
    CHECK_INT(match("^b", false, BYTES("abbc")), REGEX_DIFFERS);
    CHECK_INT(match("", false, BYTES("")), REGEX_MATCHES);
}

TEST(groups_and_case)
{
    CHECK_INT(match("^/(a|b)/(c)$", false, BYTES("/b/c")), REGEX_MATCHES);
    CHECK_INT(match("^/A$", false, BYTES("/a")), REGEX_DIFFERS);
    CHECK_INT(match("^/A$", true, BYTES("/a")), REGEX_MATCHES);
}

TEST(the_end_is_the_end_and_octets_are_octets)
{
    CHECK_INT(match("^a$", false, BYTES("a\n")), REGEX_DIFFERS);
    CHECK_INT(match("^a.b$", false, BYTES("a\0b")), REGEX_MATCHES);
    CHECK_INT(match("^\xFF$", false, BYTES("\xFF")), REGEX_MATCHES);
}

TEST(time_and_memory_are_bounded)
{
    uint8_t as[5000];
    memset(as, 'a', sizeof(as));
    struct bytes subject = {as, sizeof(as)};
    CHECK_INT(match("^(a+)+$", false, subject), REGEX_MATCHES);
    CHECK_INT(match("^a+b", false, subject), REGEX_DIFFERS);
    CHECK_INT(match("^(a|aa)+[^a]", false, subject), REGEX_UNDECIDED);
}

/* Each run of a's alone is quickly done; there are hundreds, and a match could begin in each. */
TEST(time_is_bounded_for_all_places_where_a_match_could_begin)
{
    uint8_t runs[8001];
    for (size_t i = 0; i < sizeof(runs); i++)
        runs[i] = i % 14 ? 'a' : '/';
    runs[8000] = 'b';
    struct bytes subject = {runs, sizeof(runs)};
    CHECK_INT(match("(a+)+/b", false, subject), REGEX_UNDECIDED);
    CHECK_INT(match("^(a+)+/b", false, subject), REGEX_DIFFERS);
    CHECK_INT(match(".+\\.b$", false, subject), REGEX_UNDECIDED);
    CHECK_INT(match(".*\\.b$", false, subject), REGEX_DIFFERS);
    CHECK_INT(match("/a{13}/|b$", false, subject), REGEX_MATCHES);
    CHECK_INT(match("(?<=a)/(a)\\1+/", false, subject), REGEX_MATCHES);
}

TEST(what_is_wrong_is_said_with_its_place)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"a(", "is no regular expression: at character 3: missing closing parenthesis"},
        {"[a-",
            "is no regular expression: at character 4: missing terminating ] for character class"},
        {"a\\Cb",
            "is no regular expression: at character 4: using \\C is disabled by the application"},
        {"(?x)a # and",
            "is an expression that cannot be a part of another: missing closing parenthesis; begin "
            "it with ^, or remove its comment or its (*VERB)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = {.text = ""};
        CHECK(!regex_new(rows[i].text, false, &err));
        CHECK_TEXT(err.text, rows[i].want);
    }
}
