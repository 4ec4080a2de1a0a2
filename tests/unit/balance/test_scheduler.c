/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/scheduler.h"
#include "base/scatter.h"
#include "test.h"

#define TARGETS_MAX 16
#define CLIENTS     20000

static struct candidate candidates[TARGETS_MAX];

static void set_weights(const unsigned *weights, size_t n)
{
    for (size_t i = 0; i < n; i++)
        candidates[i] = (struct candidate){.weight = weights[i], .name = scatter_mix(i)};
}

/* A pick may spoil what it is given. */
static size_t pick(struct scheduler *s, uint64_t client)
{
    struct candidate copy[TARGETS_MAX];
    memcpy(copy, candidates, sizeof(copy));
    return scheduler_pick(s, copy, client);
}

static void check_turns(struct scheduler *s, const char *want)
{
    char got[64] = "";
    for (size_t i = 0; want[i]; i++) {
        size_t at = pick(s, 0);
        got[i] = at == SCHEDULER_NONE ? '-' : (char)('a' + at);
    }
    CHECK_TEXT(got, want);
}

static void check_fresh_turns(
    enum config_scheduler kind, const unsigned *weights, size_t n, const char *want)
{
    struct scheduler s;
    set_weights(weights, n);
    scheduler_init(&s, kind, n);
    check_turns(&s, want);
    scheduler_fini(&s);
}

TEST(equal_weights_take_turns)
{
    check_fresh_turns(SCHEDULER_WRR, (unsigned[]){10, 10, 10}, 3, "abcabcabc");
}

TEST(picks_are_spread_as_evenly_as_weights_allow)
{
    check_fresh_turns(SCHEDULER_WRR, (unsigned[]){5, 1, 1}, 3, "aabacaaaabacaa");
}

TEST(weight_zero_gets_no_work)
{
    for (int kind = SCHEDULER_WRR; kind <= SCHEDULER_IP_HASH; kind++)
        check_fresh_turns((enum config_scheduler)kind, (unsigned[]){0, 3, 0}, 3, "bbbb");
}

TEST(all_zero_picks_none)
{
    for (int kind = SCHEDULER_WRR; kind <= SCHEDULER_IP_HASH; kind++)
        check_fresh_turns((enum config_scheduler)kind, (unsigned[]){0, 0}, 2, "--");
}

/* Over TURNS, each is picked as often as WANT says, or once more or less. */
static void check_about(struct scheduler *s, int turns, const int *want)
{
    int picked[TARGETS_MAX] = {0};
    for (int i = 0; i < turns; i++)
        picked[pick(s, 0)]++;
    for (size_t i = 0; i < s->n; i++)
        if (abs(picked[i] - want[i]) > 1)
            CHECK_INT(picked[i], want[i]);
}

TEST(who_was_away_has_nothing_to_make_up_for)
{
    struct scheduler s;
    set_weights((unsigned[]){10, 10, 10}, 3);
    scheduler_init(&s, SCHEDULER_WRR, 3);
    check_turns(&s, "ab");
    candidates[1].weight = 0;
    check_about(&s, 1000, (int[]){500, 0, 500});
    candidates[1].weight = 10;
    check_about(&s, 6, (int[]){2, 2, 2});
    check_about(&s, 30, (int[]){10, 10, 10});
    scheduler_fini(&s);
}

TEST(shares_are_exact_over_a_cycle)
{
    const unsigned weights[] = {100, 37, 1, 0, 62};
    unsigned picked[5] = {0};
    struct scheduler s;
    set_weights(weights, 5);
    scheduler_init(&s, SCHEDULER_WRR, 5);
    for (int i = 0; i < 200 * 50; i++)
        picked[pick(&s, 0)]++;
    for (int i = 0; i < 5; i++)
        CHECK_INT(picked[i], weights[i] * 50);
    scheduler_fini(&s);
}

TEST(the_least_under_way_for_the_weight_is_next)
{
    struct scheduler s;
    set_weights((unsigned[]){10, 20, 10, 0}, 4);
    scheduler_init(&s, SCHEDULER_LEAST_CONN, 4);
    candidates[0].load = 3;
    candidates[1].load = 5; /* 2.5 for each 10 */
    candidates[2].load = 3;
    check_turns(&s, "bbb");
    candidates[1].load = 6; /* all alike: as wrr */
    check_turns(&s, "bacbbacb");
    candidates[2].load = 0;
    check_turns(&s, "ccc");
    scheduler_fini(&s);
}

TEST(with_each_counted_least_conn_shares_as_the_weights_say)
{
    struct scheduler s;
    set_weights((unsigned[]){1, 2, 7}, 3);
    scheduler_init(&s, SCHEDULER_LEAST_CONN, 3);
    for (int i = 0; i < 1000; i++)
        candidates[pick(&s, 0)].load++;
    CHECK_INT(candidates[0].load, 100);
    CHECK_INT(candidates[1].load, 200);
    CHECK_INT(candidates[2].load, 700);
    scheduler_fini(&s);
}

/* ---- ip_hash ---- */

static uint64_t client(size_t i)
{
    uint8_t octets[16] = {[10] = 0xff, 0xff, 10, 0, (uint8_t)(i >> 8), (uint8_t)i};
    octets[13] = (uint8_t)(i >> 16);
    return scatter_bytes(0, (struct bytes){octets, sizeof(octets)});
}

static size_t where[CLIENTS];

static void place_clients(size_t n, size_t *counts)
{
    struct scheduler s;
    scheduler_init(&s, SCHEDULER_IP_HASH, n);
    memset(counts, 0, TARGETS_MAX * sizeof(*counts));
    for (size_t i = 0; i < CLIENTS; i++)
        counts[where[i] = pick(&s, client(i))]++;
    scheduler_fini(&s);
}

/* Between 95 % and 105 % of WANT, and four standard deviations of a draw more. */
static void check_share(size_t got, double want)
{
    double slack = 0.05 * want + 60;
    if ((double)got < want - slack || (double)got > want + slack)
        CHECK_INT(got, want);
}

TEST(clients_are_spread_as_the_weights_say)
{
    size_t counts[TARGETS_MAX];
    const unsigned weights[] = {10, 10, 30, 0, 50};
    set_weights(weights, 5);
    place_clients(5, counts);
    for (size_t i = 0; i < 5; i++)
        check_share(counts[i], weights[i] * CLIENTS / 100.0);
    CHECK_INT(counts[3], 0);
}

/* With N targets of one weight, target GONE goes: its clients move, and nobody else. The same read
 * backwards is a target that comes. */
static void check_moves(size_t n, size_t gone)
{
    static size_t before[CLIENTS];
    size_t counts[TARGETS_MAX], moved = 0, others_moved = 0;
    for (size_t i = 0; i < n; i++)
        candidates[i] = (struct candidate){.weight = 10, .name = scatter_mix(i)};
    place_clients(n, counts);
    memcpy(before, where, sizeof(before));
    candidates[gone].weight = 0;
    place_clients(n, counts);
    for (size_t i = 0; i < CLIENTS; i++) {
        moved += where[i] != before[i];
        others_moved += where[i] != before[i] && before[i] != gone;
    }
    CHECK_INT(others_moved, 0);
    CHECK(moved <= CLIENTS / n + CLIENTS / 20);
    CHECK(moved >= CLIENTS / n - CLIENTS / 20);
    for (size_t i = 0; i < n; i++)
        if (i != gone)
            check_share(counts[i], (double)CLIENTS / (double)(n - 1));
}

TEST(only_the_clients_of_a_target_that_goes_move_and_to_all_others)
{
    for (size_t n = 2; n <= TARGETS_MAX; n += 3)
        check_moves(n, n / 2);
}

TEST(a_changed_weight_moves_as_few_as_it_can)
{
    static size_t before[CLIENTS];
    size_t counts[TARGETS_MAX], moved = 0;
    set_weights((unsigned[]){10, 10, 10, 10}, 4);
    place_clients(4, counts);
    memcpy(before, where, sizeof(before));
    candidates[2].weight = 20;
    place_clients(4, counts);
    for (size_t i = 0; i < CLIENTS; i++) {
        moved += where[i] != before[i];
        CHECK(where[i] == before[i] || where[i] == 2);
    }
    check_share(moved, CLIENTS * (2.0 / 5 - 1.0 / 4));
}
