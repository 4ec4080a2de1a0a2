/* SPDX-License-Identifier: Apache-2.0 */
#include "api/replays.h"
#include "base/attributes.h"
#include "test.h"

#define NOW 1795323525

static enum replays_verdict add(struct replays *r, unsigned number, int64_t signed_s, int64_t now_s)
{
    char name[REPLAYS_NAME_SIZE];
    replays_name((struct bytes){(const uint8_t *)&number, sizeof(number)}, name);
    return replays_add(r, name, signed_s, now_s);
}

TEST(a_signature_is_taken_once)
{
    struct replays *r = replays_new();
    CHECK_INT(add(r, 1, NOW, NOW), REPLAYS_NEW);
    CHECK_INT(add(r, 1, NOW, NOW + 300), REPLAYS_KNOWN);
    CHECK_INT(add(r, 2, NOW, NOW), REPLAYS_NEW);
    replays_free(&r);
}

/* Better no further write than one twice. */
TEST(a_full_table_refuses_and_forgets_only_what_is_out_of_date)
{
    struct replays *r = replays_new();
    for (unsigned i = 0; i < REPLAYS_MAX; i++)
        if (add(r, i, NOW + (i % 2), NOW) != REPLAYS_NEW)
            CHECK(!"new");
    CHECK_INT(add(r, REPLAYS_MAX, NOW, NOW), REPLAYS_FULL);
    CHECK_INT(add(r, 7, NOW + 1, NOW), REPLAYS_KNOWN);
    CHECK_INT(add(r, REPLAYS_MAX, NOW + 300, NOW + 300), REPLAYS_FULL);
    CHECK_INT(add(r, REPLAYS_MAX, NOW + 301, NOW + 301), REPLAYS_NEW);
    CHECK_INT(add(r, 7, NOW + 1, NOW + 301), REPLAYS_KNOWN);
    CHECK_INT(add(r, 6, NOW, NOW + 301), REPLAYS_NEW); /* its time is over; the gate refuses it */
    replays_free(&r);
}
