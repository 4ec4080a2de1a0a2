/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "test.h"

#include "base/ban.h"

TEST(it_is_a_queue)
{
    struct buf b;
    buf_init(&b, 100);
    CHECK_INT(buf_append(&b, BYTES("hello ")), 0);
    CHECK_INT(buf_printf(&b, "%s %d", "world", 7), 0);
    CHECK(bytes_equal(buf_bytes(&b), BYTES("hello world 7")));
    buf_consume(&b, 6);
    CHECK(bytes_equal(buf_bytes(&b), BYTES("world 7")));
    CHECK_INT(buf_room(&b), 93);
    buf_clear(&b);
    CHECK_INT(buf_size(&b), 0);
    buf_fini(&b);
}

TEST(texts_of_any_length_are_printed)
{
    for (int n = 1; n < 3000; n += 37) {
        struct buf b;
        buf_init(&b, 4000);
        CHECK_INT(buf_append(&b, BYTES("before")), 0);
        CHECK_INT(buf_printf(&b, "%*d", n, 7), 0);
        CHECK_INT(buf_size(&b), 6 + n);
        CHECK(bytes_equal(bytes_first(buf_bytes(&b), 6), BYTES("before")));
        CHECK_INT(buf_bytes(&b).at[5 + n], '7');
        CHECK_INT(buf_printf(&b, "%*d", 4000, 7), -1);
        CHECK_INT(buf_size(&b), 6 + n);
        buf_fini(&b);
    }
}

TEST(numbers_in_decimal)
{
    static const struct {
        uint64_t n;
        const char *text;
    } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {65535, "65535"}, {100000, "100000"},
        {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b;
        buf_init(&b, 100);
        CHECK_INT(buf_append_number(&b, cases[i].n), 0);
        CHECK(bytes_equal(buf_bytes(&b), bytes_of(cases[i].text)));
        buf_fini(&b);
    }
}

TEST(the_maximum_can_be_reached_and_not_exceeded)
{
    struct buf b;
    buf_init(&b, 5);
    CHECK_INT(buf_append(&b, BYTES("123456")), -1);
    CHECK_INT(buf_printf(&b, "%d", 123456), -1);
    CHECK_INT(buf_size(&b), 0);
    CHECK_INT(buf_append(&b, BYTES("12")), 0);
    CHECK_INT(buf_printf(&b, "%d", 3456), -1);
    CHECK_INT(buf_printf(&b, "%d", 345), 0);
    CHECK(bytes_equal(buf_bytes(&b), BYTES("12345")));
    CHECK_INT(buf_room(&b), 0);
    CHECK_INT(buf_append(&b, BYTES("")), 0);
    CHECK_INT(buf_append(&b, BYTES("6")), -1);
    buf_consume(&b, 1);
    CHECK_INT(buf_append(&b, BYTES("6")), 0);
    CHECK(bytes_equal(buf_bytes(&b), BYTES("23456")));
    buf_fini(&b);
}

TEST(nothing_is_lost_however_it_moves_inside)
{
    enum { MAX = 3000 };
    struct buf b;
    buf_init(&b, MAX);
    uint8_t in = 0, out = 0;
    unsigned state = 1;
    for (int round = 0; round < 2000; round++) {
        state = state * 1103515245 + 12345;
        size_t add = (state >> 16) % (buf_room(&b) + 1);
        uint8_t *space = buf_space(&b, add);
        for (size_t i = 0; i < add; i++)
            space[i] = in++;
        buf_added(&b, add);
        size_t take = (state >> 8) % (buf_size(&b) + 1);
        size_t wrong = 0;
        for (size_t i = 0; i < take; i++)
            wrong += buf_bytes(&b).at[i] != out++;
        CHECK_INT(wrong, 0);
        buf_consume(&b, take);
    }
    CHECK(b.capacity < 4 * MAX);
    buf_fini(&b);
}

TEST(memory_is_given_back_only_when_empty)
{
    struct buf b;
    buf_init(&b, 10);
    CHECK_INT(buf_append(&b, BYTES("x")), 0);
    buf_release(&b);
    CHECK_INT(buf_size(&b), 1);
    buf_consume(&b, 1);
    buf_release(&b);
    CHECK(b.at == NULL);
    CHECK_INT(buf_append(&b, BYTES("0123456789")), 0);
    buf_fini(&b);
    CHECK(b.at == NULL);
    CHECK_INT(buf_room(&b), 10);
}

TEST(memory_that_is_not_needed_is_given_back)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    memset(buf_space(&b, 100000), 'x', 100000);
    buf_added(&b, 100000);
    buf_fit(&b);
    CHECK(b.capacity >= 100000);
    buf_consume(&b, 99000);
    buf_fit(&b);
    CHECK_INT(b.capacity, 1000);
    CHECK_INT(buf_size(&b), 1000);
    CHECK_INT(buf_bytes(&b).at[999], 'x');
    CHECK_INT(buf_append(&b, BYTES("y")), 0);
    CHECK_INT(buf_bytes(&b).at[1000], 'y');
    buf_clear(&b);
    buf_fit(&b);
    CHECK(b.at == NULL);
}
