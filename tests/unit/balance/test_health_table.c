/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "balance/health_table.h"
#include "base/scatter.h"
#include "test.h"

static int fd;
static struct health_table *table;      /* control's */
static const struct health_table *view; /* a worker's */

static void begin(void)
{
    struct error err;
    CHECK_INT(health_table_new(&fd, &err), 0);
    table = health_table_open(fd, &err);
    view = health_table_map(fd, &err);
    CHECK(table && view);
}

static void end(void)
{
    const struct health_table *t = table;
    health_table_close(&t);
    health_table_close(&view);
    close(fd);
}

TEST(what_is_written_is_read_and_nothing_else)
{
    begin();
    CHECK_INT(health_table_get(view, 42), HEALTH_WAITING);
    health_table_set(table, 42, HEALTH_UNHEALTHY);
    health_table_set(table, 42 + (1ull << 40), HEALTH_HEALTHY); /* wants the same slot */
    CHECK_INT(health_table_get(view, 42), HEALTH_UNHEALTHY);
    CHECK_INT(health_table_get(view, 42 + (1ull << 40)), HEALTH_HEALTHY);
    CHECK_INT(health_table_get(view, 42 + (2ull << 40)), HEALTH_WAITING);
    health_table_set(table, 42, HEALTH_HEALTHY);
    CHECK_INT(health_table_get(view, 42), HEALTH_HEALTHY);
    CHECK_INT(health_table_get(NULL, 42), HEALTH_WAITING);
    end();
}

TEST(labels_that_mean_an_empty_slot_are_known_to_nobody)
{
    begin();
    for (uint64_t label = 0; label < 2; label++) {
        health_table_set(table, label, HEALTH_UNHEALTHY);
        CHECK_INT(health_table_get(view, label), HEALTH_WAITING);
    }
    end();
}

TEST(what_is_not_retained_is_forgotten_and_the_rest_is_still_found)
{
    const uint64_t kept[] = {7, 7 + (2ull << 40)};
    begin();
    for (uint64_t i = 0; i < 3; i++)
        health_table_set(table, 7 + (i << 40), HEALTH_UNHEALTHY);
    health_table_retain(table, kept, 2);
    CHECK_INT(health_table_get(view, 7), HEALTH_UNHEALTHY);
    CHECK_INT(health_table_get(view, 7 + (1ull << 40)), HEALTH_WAITING);
    CHECK_INT(health_table_get(view, 7 + (2ull << 40)), HEALTH_UNHEALTHY); /* behind the gap */
    health_table_set(table, 7 + (2ull << 40), HEALTH_HEALTHY);             /* stays where it is */
    health_table_retain(table, kept + 1, 1);
    CHECK_INT(health_table_get(view, 7 + (2ull << 40)), HEALTH_HEALTHY);
    end();
}

TEST(four_generations_of_targets_have_room)
{
    begin();
    for (uint64_t i = 0; i < 4 * CONFIG_CHECKED_MAX; i++)
        health_table_set(table, scatter_mix(i), HEALTH_UNHEALTHY);
    size_t found = 0;
    for (uint64_t i = 0; i < 4 * CONFIG_CHECKED_MAX; i++)
        found += health_table_get(view, scatter_mix(i)) == HEALTH_UNHEALTHY;
    CHECK_INT(found, 4 * CONFIG_CHECKED_MAX);
    for (uint64_t i = 0; i < 100; i++) /* reloads that replace all of them */
        health_table_retain(table, NULL, 0);
    health_table_set(table, 3, HEALTH_HEALTHY);
    CHECK_INT(health_table_get(view, 3), HEALTH_HEALTHY);
    end();
}
