/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/wrr.h"
#include "test.h"

static void pick(const unsigned *weights, size_t n, const char *want)
{
    struct wrr w;
    char got[64] = "";
    wrr_init(&w, weights, n);
    for (size_t i = 0; want[i]; i++) {
        size_t at = wrr_pick(&w);
        got[i] = at == WRR_NONE ? '-' : (char)('a' + at);
    }
    CHECK_TEXT(got, want);
    wrr_fini(&w);
}

TEST(equal_weights_take_turns)
{
    pick((unsigned[]){10, 10, 10}, 3, "abcabcabc");
}

TEST(picks_are_spread_as_evenly_as_weights_allow)
{
    pick((unsigned[]){5, 1, 1}, 3, "aabacaaaabacaa");
}

TEST(weight_zero_gets_no_work)
{
    pick((unsigned[]){0, 3, 0}, 3, "bbbb");
}

TEST(all_zero_picks_none)
{
    pick((unsigned[]){0, 0}, 2, "--");
}

TEST(a_weight_that_comes_later_has_nothing_to_make_up_for)
{
    struct wrr w;
    char got[8] = "";
    wrr_init(&w, (unsigned[]){10, 0, 10}, 3);
    for (int i = 0; i < 5; i++)
        (void)wrr_pick(&w);
    wrr_set_weight(&w, 1, 10);
    wrr_set_weight(&w, 1, 10); /* no change */
    for (int i = 0; i < 6; i++)
        got[i] = (char)('a' + wrr_pick(&w));
    CHECK_TEXT(got, "abcabc");
    wrr_fini(&w);
}

TEST(shares_are_exact_over_a_cycle)
{
    const unsigned weights[] = {100, 37, 1, 0, 62};
    unsigned picked[5] = {0};
    struct wrr w;
    wrr_init(&w, weights, 5);
    for (int i = 0; i < 200 * 50; i++)
        picked[wrr_pick(&w)]++;
    for (int i = 0; i < 5; i++)
        CHECK_INT(picked[i], weights[i] * 50);
    wrr_fini(&w);
}
