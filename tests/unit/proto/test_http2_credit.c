/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "proto/http2_credit.h"
#include "test.h"

static struct http2_credit credit;

/* How often WORK at COST is taken at NOW_MS. */
static int spend_all(enum http2_work work, unsigned cost, uint64_t now_ms)
{
    int n = 0;
    while (http2_credit_spend(&credit, work, cost, now_ms) == 0)
        n++;
    return n;
}

TEST(time_brings_credits_back_and_none_is_lost_on_the_way)
{
    http2_credit_init(&credit, 1000);
    CHECK_INT(spend_all(HTTP2_WORK_RESETS, 10, 1000), HTTP2_CREDIT_MAX / 10);
    CHECK_INT(spend_all(HTTP2_WORK_RESETS, 10, 2000), HTTP2_CREDIT_PER_SECOND / 10);
    http2_credit_init(&credit, 1000);
    spend_all(HTTP2_WORK_RESETS, 10, 1000);
    int n = 0;
    for (uint64_t ms = 1001; ms <= 2000; ms++)
        n += http2_credit_spend(&credit, HTTP2_WORK_CONTROL, 1, ms) == 0;
    CHECK_INT(n, HTTP2_CREDIT_PER_SECOND);
    CHECK_INT(spend_all(HTTP2_WORK_RESETS, 10, UINT64_MAX / 2), HTTP2_CREDIT_MAX / 10);
}

TEST(what_is_of_use_earns_but_nobody_saves)
{
    http2_credit_init(&credit, 0);
    http2_credit_earn(&credit, 100);
    CHECK_INT(spend_all(HTTP2_WORK_FRAMES, 10, 0), HTTP2_CREDIT_MAX / 10);
    http2_credit_earn(&credit, 100);
    CHECK_INT(spend_all(HTTP2_WORK_FRAMES, 10, 0), 10);
}

TEST(small_windows_are_paid_for_by_content_that_has_moved)
{
    http2_credit_init(&credit, 0);
    for (int i = 0; i < 10000; i++) {
        http2_credit_move(&credit, HTTP2_CREDIT_SMALL);
        CHECK_INT(http2_credit_spend_small(&credit, 0), 0);
    }
    CHECK_INT(credit.left, HTTP2_CREDIT_MAX);
    http2_credit_move(&credit, SIZE_MAX); /* nobody saves */
    for (int i = 0; i < HTTP2_CREDIT_MOVED_MAX / HTTP2_CREDIT_SMALL; i++)
        CHECK_INT(http2_credit_spend_small(&credit, 0), 0);
    CHECK_INT(credit.left, HTTP2_CREDIT_MAX);
    int n = 0;
    while (http2_credit_spend_small(&credit, 0) == 0)
        http2_credit_move(&credit, 1), n++;
    CHECK(n <= HTTP2_CREDIT_MAX / 5 + 1);
}

TEST(the_worst_is_what_most_was_spent_on)
{
    http2_credit_init(&credit, 0);
    ignore_result(http2_credit_spend(&credit, HTTP2_WORK_CONTROL, 20, 0));
    ignore_result(http2_credit_spend(&credit, HTTP2_WORK_HEADERS, 30, 0));
    CHECK_INT(http2_credit_worst(&credit), HTTP2_WORK_HEADERS);
}
