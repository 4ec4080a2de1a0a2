/* SPDX-License-Identifier: Apache-2.0 */
#include "base/report.h"
#include "test.h"

#include "base/ban.h"

static void check_text(const struct report *r, const char *want)
{
    char *text = report_text(r);
    CHECK_TEXT(text, want);
    free(text);
}

TEST(lines_say_where)
{
    struct report r;
    report_init(&r);
    check_text(&r, "");
    report_error(&r, (struct position){"a.yaml", 3, 7}, "no '%s'; accepted: x", "y");
    report_warning(&r, (struct position){"a.yaml", 0, 0}, "unwise");
    report_line(&r, true, "as it is: %s");
    CHECK_INT(r.errors, 2);
    CHECK_INT(r.warnings, 1);
    check_text(&r, "a.yaml:3:7: no 'y'; accepted: x\nwarning: a.yaml: unwise\nas it is: %s\n");
    report_fini(&r);
    CHECK_INT(r.n, 0);
}

TEST(too_many_lines_are_counted)
{
    struct report r;
    report_init(&r);
    for (size_t i = 0; i < REPORT_LINES_MAX + 2; i++)
        report_line(&r, i > 0, "x");
    CHECK_INT(r.n, REPORT_LINES_MAX);
    CHECK_INT(r.errors, REPORT_LINES_MAX + 1);
    char *text = report_text(&r);
    CHECK(strstr(text, "x\nand 2 more\n") != NULL);
    free(text);
    report_fini(&r);
}

TEST(merging_says_nothing_twice)
{
    struct report a, b;
    report_init(&a);
    report_init(&b);
    report_line(&a, false, "both");
    report_line(&b, false, "both");
    report_line(&b, true, "new");
    report_merge(&a, &b);
    check_text(&a, "warning: both\nnew\n");
    for (size_t i = 0; i < REPORT_LINES_MAX + 5; i++)
        report_line(&b, true, "x");
    report_merge(&a, &b);
    CHECK_INT(a.warnings, 1);
    CHECK_INT(a.errors, 2 + 7); /* new, x, and what b only counted */
    report_fini(&a);
    report_fini(&b);
}

TEST(appending_keeps_lines_and_counts)
{
    struct report a, b;
    report_init(&a);
    report_init(&b);
    report_line(&a, true, "one");
    report_line(&b, false, "two");
    report_append(&a, &b);
    check_text(&a, "one\nwarning: two\n");
    for (size_t i = 0; i < REPORT_LINES_MAX + 5; i++)
        report_line(&b, true, "x");
    report_append(&a, &b);
    CHECK_INT(a.errors, 1 + REPORT_LINES_MAX + 5);
    CHECK_INT(a.warnings, 2);
    CHECK_INT(a.n, REPORT_LINES_MAX);
    report_fini(&a);
    report_fini(&b);
}

TEST(a_long_line_is_cut)
{
    struct report r;
    report_init(&r);
    report_error(&r, (struct position){"a.yaml", 1, 1}, "%5000d", 1);
    CHECK(strlen(r.lines[0].text) < 5000);
    CHECK(strncmp(r.lines[0].text, "a.yaml:1:1: ", 12) == 0);
    report_fini(&r);
}
