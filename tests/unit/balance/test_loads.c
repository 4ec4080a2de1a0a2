/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "balance/loads.h"
#include "test.h"

static const struct config_target targets[] = {
    {.address = "10.0.0.1:80", .weight = 10}, {.address = "10.0.0.2:80", .weight = 10}};
static const struct config_group config = {.name = "app",
    .protocol = PROTOCOL_HTTP,
    .scheduler = SCHEDULER_LEAST_CONN,
    .health_check.type = HEALTH_CHECK_OFF,
    .targets = targets,
    .targets_n = 2};

/* Another worker. */
struct worker {
    int fd;
    struct counters *counters;
};

static struct count *row(struct worker *w, const char *group, const char *target)
{
    return counters_row(w->counters, COUNTERS_TARGET, (const char *const[]){group, target});
}

static void start_worker(struct worker *w)
{
    struct error err;
    if (!w->fd)
        CHECK_INT(counters_new(&w->fd, &err), 0);
    w->counters = counters_open(w->fd, &err);
    CHECK(w->counters);
}

static void check_elsewhere(
    struct loads *l, struct group *g, uint64_t now_ms, uint64_t first, uint64_t second)
{
    loads_refresh(l, now_ms);
    CHECK_INT(g->targets[0].elsewhere, first);
    CHECK_INT(g->targets[1].elsewhere, second);
}

TEST(what_others_have_under_way_is_seen_and_goes_with_them)
{
    struct worker a = {0}, b = {0};
    struct arena arena;
    struct group_idle idle = {0};
    struct group g = {0};
    struct error err;
    arena_init(&arena);
    group_init(&g, &config, &idle, &arena);
    start_worker(&a);
    start_worker(&b);
    struct loads *l = loads_new();
    CHECK_INT(loads_add_source(l, a.fd, &err), 0);
    CHECK_INT(loads_add_source(l, b.fd, &err), 0);
    count_set(&row(&a, "app", "10.0.0.1:80")[TARGET_ACTIVE], 3);
    count_set(&row(&a, "other", "10.0.0.1:80")[TARGET_ACTIVE], 50);
    loads_adopt(l, &g, 1);
    check_elsewhere(l, &g, 1000, 3, 0);
    count_set(&row(&b, "app", "10.0.0.1:80")[TARGET_ACTIVE], 4);
    count_set(&row(&b, "app", "10.0.0.2:80")[TARGET_ACTIVE], 5);
    check_elsewhere(l, &g, 1000, 3, 0);                /* not at each pick */
    check_elsewhere(l, &g, 1000 + LOADS_AGE_MS, 7, 5); /* rows made since are found */
    counters_close(&b.counters);                       /* it dies, and a new one goes on */
    start_worker(&b);
    check_elsewhere(l, &g, 2000, 3, 0);
    count_set(&row(&a, "app", "10.0.0.1:80")[TARGET_ACTIVE], UINT64_MAX); /* says nonsense */
    check_elsewhere(l, &g, 3000, 0, 0);
    loads_free(&l);
    counters_close(&a.counters);
    counters_close(&b.counters);
    close(a.fd);
    close(b.fd);
    group_fini(&g);
    arena_fini(&arena);
}
