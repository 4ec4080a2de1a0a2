/* SPDX-License-Identifier: Apache-2.0 */
#include "config/health_check.h"
#include "test.h"

#include "base/ban.h"

TEST(lists_of_statuses)
{
    static const struct {
        const char *text;
        int first, last, n;
    } cases[] = {
        {"0", 0, 0, 1},
        {"12", 12, 12, 1},
        {"0,12,14", 0, 14, 3},
        {"0-99", 0, 99, 100},
        {"3-5,4-7,99", 3, 99, 6},
        {"5-5", 5, 5, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool good[CONFIG_GRPC_STATUSES];
        CHECK_INT(health_check_statuses(cases[i].text, good), 0);
        int n = 0;
        for (size_t k = 0; k < CONFIG_GRPC_STATUSES; k++)
            n += good[k];
        CHECK_INT(n, cases[i].n);
        CHECK(good[cases[i].first] && good[cases[i].last]);
    }
}

TEST(what_is_no_list)
{
    static const char *const cases[] = {"", "x", ",", "1,", ",1", "1,,2", "100", "1-", "-1", "5-4",
        "1-2-3", "1 2", " 1", "0x1", "1-100", "012"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool good[CONFIG_GRPC_STATUSES];
        CHECK_INT(health_check_statuses(cases[i], good), -1);
    }
}
