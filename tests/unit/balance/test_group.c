/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "balance/group.h"
#include "test.h"

static const struct config_target targets[] = {
    {.address = "app.internal:80", .host = "app.internal", .weight = 10},
    {.address = "10.0.0.9:81", .weight = 10},
    {.address = "other.internal:82", .host = "other.internal", .weight = 0},
};
static const struct config_group plain = {.name = "g",
    .protocol = PROTOCOL_HTTP,
    .health_check.type = HEALTH_CHECK_OFF,
    .targets = targets,
    .targets_n = 3};

static struct arena arena;
static struct group_idle idle;
static struct group g;

static void begin(const struct config_group *config)
{
    arena_init(&arena);
    g = (struct group){0};
    group_init(&g, config, &idle, &arena);
}

static void end(void)
{
    group_fini(&g);
    arena_fini(&arena);
}

/* Work at NOW_MS that could not reach those TRIED. */
static struct target *pick(uint64_t now_ms, const struct target *const *tried, size_t tried_n)
{
    static const struct address client = {.sa.v4 = {.sin_family = AF_INET}};
    const struct group_wish wish = {
        .client = &client, .now_ms = now_ms, .tried = tried, .tried_n = tried_n};
    bool can = group_can_pick(&g, &wish);
    struct target *t = group_pick(&g, &wish);
    CHECK(can == (t != NULL));
    return t;
}

static void resolve(const char *text)
{
    struct address_book book = {0};
    address_book_read(&book, bytes_of(text));
    group_resolve(&g, &book);
    address_book_fini(&book);
}

/* Where connections to T go, in the next N turns. */
static void check_turns(struct target *t, uint64_t now_ms, size_t n, const char *want)
{
    char got[512] = "", address[ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < n; i++) {
        group_turn(t, now_ms);
        address_format(&t->addresses[t->turn].address, address);
        strncat(got, i ? " " : "", 2);
        strncat(got, address, ADDRESS_TEXT_MAX);
    }
    CHECK_TEXT(got, want);
}

static struct address address(const char *text)
{
    struct address a;
    CHECK_INT(address_parse(bytes_of(text), false, &a, NULL), 0);
    return a;
}

TEST(a_name_gets_no_work_until_it_is_resolved)
{
    begin(&plain);
    for (int i = 0; i < 4; i++)
        CHECK(pick(0, NULL, 0) == &g.targets[1]);
    resolve("unknown.internal:80 10.0.0.1\n");
    CHECK(pick(0, NULL, 0) == &g.targets[1]);
    resolve("app.internal:80 10.0.0.1\nother.internal:82 10.0.0.2\n10.0.0.9:81 10.6.6.6\n");
    int picked[3] = {0};
    for (int i = 0; i < 10; i++)
        picked[pick(0, NULL, 0) - g.targets]++;
    CHECK(picked[0] == 5 && picked[1] == 5 && picked[2] == 0);
    check_turns(&g.targets[1], 0, 2, "10.0.0.9:81 10.0.0.9:81"); /* numbers are not in the book */
    end();
}

TEST(addresses_take_turns_at_the_target_s_port)
{
    begin(&plain);
    resolve("app.internal:80 10.0.0.1 10.0.0.2 2001:db8::3\n");
    check_turns(&g.targets[0], 0, 4, "10.0.0.2:80 [2001:db8::3]:80 10.0.0.1:80 10.0.0.2:80");
    resolve("app.internal:80 10.0.0.7\n");
    check_turns(&g.targets[0], 0, 2, "10.0.0.7:80 10.0.0.7:80");
    resolve(""); /* what the book does not know keeps what it has */
    check_turns(&g.targets[0], 0, 1, "10.0.0.7:80");
    end();
}

TEST(an_address_that_fails_is_avoided_for_a_while)
{
    begin(&plain);
    struct target *t = &g.targets[0];
    resolve("app.internal:80 10.0.0.1 10.0.0.2\n");
    group_avoid(t, (struct address[]){address("10.0.0.1:80")}, 1000);
    group_avoid(t, (struct address[]){address("10.0.0.9:80")}, 1000);
    check_turns(t, 1000, 2, "10.0.0.2:80 10.0.0.2:80");
    resolve("app.internal:80 10.0.0.1 10.0.0.2 10.0.0.3\n");
    check_turns(t, 1000, 2, "10.0.0.3:80 10.0.0.2:80"); /* that it failed is not forgotten */
    check_turns(t, 1000 + GROUP_AVOID_MS, 3, "10.0.0.3:80 10.0.0.1:80 10.0.0.2:80");
    end();
}

TEST(if_all_are_to_be_avoided_none_is)
{
    begin(&plain);
    struct target *t = &g.targets[0];
    resolve("app.internal:80 10.0.0.1 10.0.0.2\n");
    group_avoid(t, (struct address[]){address("10.0.0.1:80")}, 1000);
    group_avoid(t, (struct address[]){address("10.0.0.2:80")}, 1000);
    check_turns(t, 1000, 2, "10.0.0.2:80 10.0.0.1:80");
    end();
}

TEST(a_target_that_cannot_be_connected_to_is_passed_over_while_there_is_another)
{
    begin(&plain);
    struct target *named = &g.targets[0], *other = &g.targets[1];
    resolve("app.internal:80 10.0.0.1 10.0.0.2\n");
    group_avoid(named, (struct address[]){address("10.0.0.1:80")}, 1000);
    CHECK(pick(1000, NULL, 0) != pick(1000, NULL, 0)); /* it has another address */
    group_avoid(named, (struct address[]){address("10.0.0.2:80")}, 1000);
    for (int i = 0; i < 4; i++)
        CHECK(pick(1000, NULL, 0) == other);
    CHECK(pick(1000, (const struct target *[]){other}, 1) == named); /* better than none */
    group_avoid(other, (struct address[]){address("10.0.0.9:81")}, 1000);
    CHECK(pick(1000, NULL, 0) != pick(1000, NULL, 0));
    CHECK(pick(1000 + GROUP_AVOID_MS, NULL, 0) != pick(1000 + GROUP_AVOID_MS, NULL, 0));
    end();
}

/* Three targets whose health is what STATES says; who is picked in 12 turns. */
static void check_health(bool is_refused, const char *states, const char *want)
{
    static const struct config_target three[] = {{.address = "10.0.0.1:80", .weight = 10},
        {.address = "10.0.0.2:80", .weight = 10}, {.address = "10.0.0.3:80", .weight = 10}};
    const struct config_group checked = {.name = "g",
        .targets = three,
        .targets_n = 3,
        .health_check = {.type = HEALTH_CHECK_TCP, .all_unhealthy_refused = is_refused}};
    struct error err;
    int fd = -1;
    char got[8] = "";
    CHECK_INT(health_table_new(&fd, &err), 0);
    struct health_table *table = health_table_open(fd, &err);
    begin(&checked);
    g.health = table;
    for (size_t i = 0; i < 3; i++)
        if (states[i] != '?')
            health_table_set(
                table, g.targets[i].label, states[i] == '+' ? HEALTH_HEALTHY : HEALTH_UNHEALTHY);
    for (int i = 0; i < 12; i++) {
        const struct target *t = pick(0, NULL, 0);
        char c = t ? (char)('a' + (t - g.targets)) : '-';
        if (!strchr(got, c))
            strncat(got, &c, 1);
    }
    CHECK_TEXT(got, want);
    end();
    health_table_close((const struct health_table *[]){table});
    close(fd);
}

TEST(the_unhealthy_get_no_work_and_the_unknown_only_if_there_is_no_other)
{
    check_health(false, "+++", "abc");
    check_health(false, "+-+", "ac");
    check_health(false, "+?-", "a");
    check_health(false, "?-?", "ac");
    check_health(false, "???", "abc");
    check_health(false, "---", "abc"); /* then nothing can be told */
    check_health(true, "---", "-");
    check_health(true, "-?-", "b");
}

TEST(no_second_attempt_goes_to_an_unhealthy_target)
{
    static const struct config_target two[] = {
        {.address = "10.0.0.1:80", .weight = 10}, {.address = "10.0.0.2:80", .weight = 10}};
    const struct config_group checked = {
        .name = "g", .targets = two, .targets_n = 2, .health_check = {.type = HEALTH_CHECK_TCP}};
    struct error err;
    int fd = -1;
    CHECK_INT(health_table_new(&fd, &err), 0);
    struct health_table *table = health_table_open(fd, &err);
    begin(&checked);
    g.health = table;
    health_table_set(table, g.targets[0].label, HEALTH_HEALTHY);
    health_table_set(table, g.targets[1].label, HEALTH_UNHEALTHY);
    CHECK(pick(0, NULL, 0) == &g.targets[0]);
    CHECK(pick(0, (const struct target *[]){&g.targets[0]}, 1) == NULL);
    end();
    health_table_close((const struct health_table *[]){table});
    close(fd);
}

TEST(after_a_failure_others_come_first_then_other_addresses)
{
    begin(&plain);
    resolve("app.internal:80 10.0.0.1 10.0.0.2\nother.internal:82 10.0.0.3\n");
    const struct target *tried[] = {&g.targets[0], &g.targets[1], &g.targets[0]};
    CHECK(pick(0, tried, 1) == &g.targets[1]);
    CHECK(pick(0, tried, 2) == &g.targets[0]);
    CHECK(pick(0, tried, 3) == NULL);
    end();
}

TEST(a_name_is_what_the_target_must_prove)
{
    const struct config_group secure = {.name = "g",
        .protocol = PROTOCOL_HTTPS,
        .targets = targets,
        .targets_n = 2,
        .tls = {.name = ""}};
    begin(&secure);
    CHECK_TEXT(g.targets[0].server_name, "app.internal");
    CHECK(g.targets[0].name.kind == NAME_DNS && g.targets[1].name.kind == NAME_IP);
    CHECK(!g.targets[1].server_name);
    end();
}
