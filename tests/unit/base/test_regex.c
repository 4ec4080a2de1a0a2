/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/regex.h"
#include "test.h"

static int match(const char *text, bool ignores_case, struct bytes subject)
{
    struct error err;
    struct regex *r = regex_new(text, ignores_case, &err);
    CHECK(r);
    int answer = (int)regex_match(r, subject, &(struct regex_budget){0});
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

/* The expressions of all rules that a request comes to have one budget. Alone, the last one here
 * takes 18 ms: 8000 steps, each of them a walk over what is left of the subject. */
TEST(many_expressions_together_are_bounded_as_one)
{
    static const char *const texts[] = {
        "/b", "a$", "(a+)+/b", ".+\\.b$", "^(a|aa)+[^a]", "[a-z]+[0-9]"};
    uint8_t as[8000];
    memset(as, 'a', sizeof(as));
    struct regex_budget budget = {0};
    uint64_t begin_us = clock_thread_us();
    int undecided = 0;
    for (size_t i = 0; i < 1000; i++) {
        struct error err;
        struct regex *r = regex_new(texts[i % 6], false, &err);
        undecided += regex_match(r, (struct bytes){as, sizeof(as)}, &budget) == REGEX_UNDECIDED;
        regex_free(&r);
    }
    CHECK_INT(undecided, 998);
    CHECK(clock_thread_us() - begin_us < 50000);
}

TEST(expressions_that_walk_over_the_subject_in_each_step_are_bounded)
{
    uint8_t as[8000];
    memset(as, 'a', sizeof(as));
    struct error err;
    struct regex *r = regex_new("[a-z]+[0-9]", false, &err);
    struct regex_budget budget = {0};
    uint64_t begin_us = clock_thread_us();
    CHECK_INT(regex_match(r, (struct bytes){as, sizeof(as)}, &budget), REGEX_UNDECIDED);
    CHECK(clock_thread_us() - begin_us < 3000);
    CHECK_INT(regex_match(r, BYTES("a1"), &budget), REGEX_UNDECIDED); /* there is nothing left */
    CHECK_INT(regex_match(r, BYTES("a1"), &(struct regex_budget){0}), REGEX_MATCHES);
    regex_free(&r);
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
