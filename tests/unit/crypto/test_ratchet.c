/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ratchet.h"
#include "test.h"

#include "base/ban.h"

#define HOUR INT64_C(500000)

static struct ratchet start(void)
{
    return (struct ratchet){.at = {7}, .hour = HOUR};
}

static int differ(const struct ratchet *a, const struct ratchet *b)
{
    return memcmp(a->at, b->at, sizeof(a->at)) != 0;
}

TEST(hour_by_hour_or_all_at_once_it_is_the_same)
{
    struct ratchet slow = start(), fast = start();
    for (int64_t hour = HOUR; hour <= HOUR + 30; hour++) {
        struct ratchet before = slow;
        ratchet_advance(&slow, hour * RATCHET_PERIOD_S + 17);
        CHECK_INT(slow.hour, hour);
        CHECK_INT(differ(&slow, &before), hour > HOUR);
    }
    ratchet_advance(&fast, (HOUR + 31) * RATCHET_PERIOD_S - 1);
    CHECK_INT(fast.hour, slow.hour);
    CHECK(!differ(&fast, &slow));
}

TEST(it_never_goes_back)
{
    struct ratchet r = start(), same;
    ratchet_advance(&r, (HOUR + 2) * RATCHET_PERIOD_S);
    same = r;
    ratchet_advance(&r, (HOUR + 1) * RATCHET_PERIOD_S);
    ratchet_advance(&r, 0);
    CHECK_INT(r.hour, same.hour);
    CHECK(!differ(&r, &same));
}

/* One that nobody came to for a year still has what the others have. */
TEST(whoever_slept_for_a_year_has_the_same)
{
    struct ratchet awake = start(), asleep = start();
    for (int64_t hour = HOUR; hour <= HOUR + 366 * 24 + 1; hour++)
        ratchet_advance(&awake, hour * RATCHET_PERIOD_S);
    ratchet_advance(&asleep, awake.hour * RATCHET_PERIOD_S);
    CHECK(!differ(&awake, &asleep));
}
