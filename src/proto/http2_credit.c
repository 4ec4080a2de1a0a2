/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_credit.h"

#include "base/ban.h"

#define SMALL_COST 5

void http2_credit_init(struct http2_credit *c, uint64_t now_ms)
{
    *c = (struct http2_credit){.left = HTTP2_CREDIT_MAX, .filled_ms = now_ms};
}

void http2_credit_earn(struct http2_credit *c, unsigned credits)
{
    int32_t room = HTTP2_CREDIT_MAX - c->left;
    c->left += (int32_t)credits < room ? (int32_t)credits : room;
}

/* In whole credits, so that none is lost however often this is asked. */
static void refill(struct http2_credit *c, uint64_t now_ms)
{
    static const uint64_t full_ms = 1000ull * HTTP2_CREDIT_MAX / HTTP2_CREDIT_PER_SECOND;
    uint64_t passed_ms = now_ms - c->filled_ms;
    if (passed_ms > full_ms)
        passed_ms = full_ms;
    uint64_t credits = passed_ms * HTTP2_CREDIT_PER_SECOND / 1000;
    if (!credits)
        return;
    c->filled_ms =
        passed_ms == full_ms ? now_ms : c->filled_ms + credits * 1000 / HTTP2_CREDIT_PER_SECOND;
    http2_credit_earn(c, (unsigned)credits);
}

int http2_credit_spend(struct http2_credit *c, enum http2_work work, unsigned cost, uint64_t now_ms)
{
    refill(c, now_ms);
    c->spent[work] += cost;
    c->left -= (int32_t)cost;
    if (c->left >= 0)
        return 0;
    c->left = 0;
    return -1;
}

void http2_credit_move(struct http2_credit *c, size_t n)
{
    size_t room = HTTP2_CREDIT_MOVED_MAX - c->moved;
    c->moved += n < room ? n : room;
}

int http2_credit_spend_small(struct http2_credit *c, uint64_t now_ms)
{
    if (c->moved < HTTP2_CREDIT_SMALL)
        return http2_credit_spend(c, HTTP2_WORK_FRAMES, SMALL_COST, now_ms);
    c->moved -= HTTP2_CREDIT_SMALL;
    return 0;
}

enum http2_work http2_credit_worst(const struct http2_credit *c)
{
    unsigned worst = 0;
    for (unsigned i = 1; i < HTTP2_WORK_COUNT; i++)
        if (c->spent[i] > c->spent[worst])
            worst = i;
    return (enum http2_work)worst;
}
