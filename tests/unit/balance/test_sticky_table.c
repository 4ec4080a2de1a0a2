/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "balance/sticky_table.h"
#include "test.h"

static int fd;
static struct sticky_table *table;      /* of the worker that writes */
static const struct sticky_table *view; /* another's */

static void begin(void)
{
    struct error err;
    CHECK_INT(sticky_table_new(&fd, &err), 0);
    table = sticky_table_open(fd, &err);
    view = sticky_table_map(fd, &err);
    CHECK(table && view);
}

static void end(void)
{
    const struct sticky_table *t = table;
    sticky_table_close(&t);
    sticky_table_close(&view);
    close(fd);
}

static void put(uint64_t client, uint64_t label, uint64_t until_ms)
{
    sticky_table_put(table, client, (struct sticky_place){label, until_ms});
}

TEST(a_client_is_remembered_until_its_time_is_over)
{
    begin();
    CHECK_INT(sticky_table_get(view, 7, 0).until_ms, 0);
    put(7, 42, 100);
    CHECK_INT(sticky_table_get(view, 7, 99).label, 42);
    CHECK_INT(sticky_table_get(view, 7, 99).until_ms, 100);
    CHECK_INT(sticky_table_get(view, 7, 100).until_ms, 0);
    CHECK_INT(sticky_table_get(view, 8, 0).until_ms, 0);
    put(7, 43, 200);
    CHECK_INT(sticky_table_get(view, 7, 150).label, 43);
    end();
}

TEST(client_0_is_a_client_like_others)
{
    begin();
    CHECK_INT(sticky_table_get(view, 0, 0).until_ms, 0);
    put(0, 1, 10);
    CHECK_INT(sticky_table_get(view, 0, 0).label, 1);
    end();
}

TEST(those_that_end_first_make_way)
{
    size_t early = 0, late = 0;
    begin();
    for (uint64_t i = 1; i <= STICKY_TABLE_CLIENTS / 2; i++)
        put(i, 1, 1000); /* as many as there is room for, with luck */
    for (uint64_t i = 1; i <= STICKY_TABLE_CLIENTS / 2; i++)
        late += sticky_table_get(view, i, 0).until_ms == 1000;
    CHECK(late > STICKY_TABLE_CLIENTS / 2 * 98 / 100);
    for (uint64_t i = 1; i <= 4 * STICKY_TABLE_CLIENTS; i++)
        put(1ull << 32 | i, 2, 10);
    for (uint64_t i = 1; i <= STICKY_TABLE_CLIENTS / 2; i++)
        early += sticky_table_get(view, i, 0).until_ms == 1000;
    CHECK(early > late * 95 / 100); /* a flood displaces itself, as long as it leaves it a place */
    end();
}
