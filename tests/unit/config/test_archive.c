/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/archive.c"
#include "test.h"

TEST(what_was_added_is_found)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(archive_add(&b, "/a", BYTES("one")), 0);
    CHECK_INT(archive_add(&b, "/ab", BYTES("")), 0);
    CHECK_INT(archive_add(&b, "/b", BYTES("t\0o")), 0);
    struct bytes a = buf_bytes(&b);
    CHECK(bytes_equal(archive_find(a, "/a"), BYTES("one")));
    CHECK(archive_find(a, "/ab").at && archive_find(a, "/ab").n == 0);
    CHECK(bytes_equal(archive_find(a, "/b"), BYTES("t\0o")));
    CHECK(!archive_find(a, "/").at && !archive_find(a, "one").at && !archive_find(a, "").at);
    buf_fini(&b);
}

TEST(crls_stand_apart)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(archive_add(&b, "/a", BYTES("raw")), 0);
    CHECK_INT(archive_add_crls(&b, "/a", BYTES("one")), 0);
    CHECK_INT(archive_add_crls(&b, "/b", BYTES("two")), 0);
    struct bytes a = buf_bytes(&b);
    CHECK(bytes_equal(archive_find(a, "/a"), BYTES("raw")));
    CHECK(bytes_equal(archive_find_crls(a, "/a"), BYTES("one")));
    CHECK(!archive_find(a, "/b").at && !archive_find_crls(a, "/c").at);
    CHECK(bytes_equal(archive_next_crls(&a), BYTES("one")));
    CHECK(bytes_equal(archive_next_crls(&a), BYTES("two")));
    CHECK(!archive_next_crls(&a).at);
    buf_fini(&b);
}

TEST(a_full_archive_stays_as_it_is)
{
    struct buf b;
    buf_init(&b, 2 * (sizeof(struct head) + 4));
    CHECK_INT(archive_add(&b, "/a", BYTES("12")), 0);
    CHECK_INT(archive_add(&b, "/b", BYTES("123")), -1);
    CHECK_INT(buf_size(&b), sizeof(struct head) + 4);
    CHECK_INT(archive_add(&b, "/a-name-too-long", BYTES("")), -1);
    CHECK_INT(archive_add(&b, "/b", BYTES("12")), 0);
    CHECK(bytes_equal(archive_find(buf_bytes(&b), "/b"), BYTES("12")));
    buf_fini(&b);
}

/* Whatever the bytes, nothing outside them is read (the sanitizer looks on: each prefix is a block
 * of its own). */
TEST(damage_finds_nothing)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(archive_add(&b, "/a", BYTES("one")), 0);
    CHECK_INT(archive_add(&b, "/b", BYTES("two")), 0);
    for (size_t n = 0; n < buf_size(&b); n++) {
        uint8_t *copy = mem_alloc(n);
        memcpy(copy, buf_bytes(&b).at, n);
        CHECK(!archive_find((struct bytes){copy, n}, "/b").at);
        free(copy);
    }
    struct head huge = {UINT64_MAX, UINT64_MAX};
    CHECK(!archive_find((struct bytes){(const uint8_t *)&huge, sizeof(huge)}, "/a").at);
    buf_fini(&b);
}
