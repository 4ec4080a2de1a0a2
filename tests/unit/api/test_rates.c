/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rates.h"
#include "test.h"

static unsigned taken(struct rates *r, const char *name, uint64_t now_ms)
{
    unsigned n = 0;
    while (n < 1000 && rates_take(r, bytes_of(name), 10, now_ms))
        n++;
    return n;
}

TEST(a_second_has_so_many)
{
    struct rates *r = rates_new();
    CHECK_INT(taken(r, "a", 5000), 10);
    CHECK_INT(taken(r, "a", 5000), 0);
    CHECK_INT(taken(r, "b", 5000), 10);
    CHECK_INT(taken(r, "a", 5099), 0);
    CHECK_INT(taken(r, "a", 5300), 3);
    CHECK_INT(taken(r, "a", 99000), 10);
    rates_free(&r);
}

TEST(many_names_do_not_reset_one_that_goes_on)
{
    struct rates *r = rates_new();
    char name[16];
    for (unsigned i = 0; i < 4 * RATES_MAX; i++) {
        CHECK_INT(taken(r, "a", 5000 + i), i == 0 ? 10 : i % 100 == 0);
        snprintf(name, sizeof(name), "%u", i);
        CHECK_INT(taken(r, name, 5000 + i), 10);
    }
    rates_free(&r);
}
