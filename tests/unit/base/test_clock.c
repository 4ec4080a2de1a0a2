/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "test.h"

#include "base/ban.h"

TEST(times_are_formatted_and_read_back)
{
    static const struct {
        int64_t wall_s;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {1795334400, "2026-11-22T08:00:00Z"},
        {4102444800, "2100-01-01T00:00:00Z"}, /* beyond 32 bits */
        {-62135596800, "0001-01-01T00:00:00Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[CLOCK_RFC3339_MAX];
        int64_t wall_s = 1;
        clock_format(cases[i].wall_s, text);
        CHECK_TEXT(text, cases[i].text);
        CHECK_INT(clock_parse(bytes_of(cases[i].text), &wall_s), 0);
        CHECK_INT(wall_s, cases[i].wall_s);
    }
}

TEST(times_out_of_range_are_clamped)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format(INT64_MAX, text);
    CHECK_TEXT(text, "9999-12-31T23:59:59Z");
    clock_format(INT64_MIN, text);
    CHECK_TEXT(text, "0000-01-01T00:00:00Z");
}

TEST(milliseconds)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1007, "1970-01-01T00:00:01.007Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[CLOCK_RFC3339_MAX];
        clock_format_ms(cases[i].wall_ms, text);
        CHECK_TEXT(text, cases[i].text);
    }
}

TEST(other_spellings_of_a_time)
{
    static const struct {
        const char *text;
        int64_t wall_s;
    } cases[] = {
        {"1970-01-01t00:00:10z", 10}, {"1970-01-01 00:00:10Z", 10},
        {"1970-01-01T00:00:10.999Z", 10}, {"1970-01-01T01:00:10+01:00", 10},
        {"1969-12-31T23:30:10-00:30", 10},
        {"2016-12-31T23:59:60Z", 1483228800}, /* RFC 3339 §5.8: a leap second */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t wall_s = -1;
        CHECK_INT(clock_parse(bytes_of(cases[i].text), &wall_s), 0);
        CHECK_INT(wall_s, cases[i].wall_s);
    }
}

TEST(what_is_no_time)
{
    static const char *const cases[] = {"", "2026", "2026-11-22", "2026-11-22T08:00:00",
        "2026-11-22T08:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00Zx", " 2026-01-01T00:00:00Z", "+026-01-01T00:00:00Z",
        "2026-1-01T00:00:00Z"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t wall_s;
        int result = clock_parse(bytes_of(cases[i]), &wall_s);
        if (result == 0)
            printf("# accepted: '%s'\n", cases[i]);
        CHECK_INT(result, -1);
    }
}
