/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "test.h"
#include "tls/wire.h"

#include "base/ban.h"

TEST(what_was_written_is_read)
{
    struct buf b;
    buf_init(&b, 64);
    struct wire_writer w = {.out = &b};
    struct wire_mark outer = wire_begin(&w, 3), inner = wire_begin(&w, 1);
    wire_put_8(&w, 0xfe);
    wire_put_16(&w, 0xfedc);
    wire_end(&w, inner);
    wire_put_24(&w, 0xfedcba);
    wire_put_32(&w, 0xfedcba98);
    inner = wire_begin(&w, 2);
    wire_end(&w, inner);
    wire_end(&w, outer);
    CHECK(!w.has_failed);
    CHECK(bytes_equal(
        buf_bytes(&b), BYTES("\0\0\x0d\x03\xfe\xfe\xdc\xfe\xdc\xba\xfe\xdc\xba\x98\0\0")));

    struct bytes in = buf_bytes(&b), all, some;
    uint8_t n8;
    uint16_t n16;
    uint32_t n24, n32;
    CHECK(wire_take_vector_24(&in, &all) && !in.n);
    CHECK(wire_take_vector_8(&all, &some));
    CHECK(wire_take_8(&some, &n8) && n8 == 0xfe);
    CHECK(wire_take_16(&some, &n16) && n16 == 0xfedc && !some.n);
    CHECK(wire_take_24(&all, &n24) && n24 == 0xfedcba);
    CHECK(wire_take_32(&all, &n32) && n32 == 0xfedcba98);
    CHECK(wire_take_vector_16(&all, &some) && !some.n && some.at && !all.n);
    buf_fini(&b);
}

TEST(marks_survive_what_was_consumed_before)
{
    struct buf b;
    buf_init(&b, 64);
    CHECK_INT(buf_append(&b, BYTES("gone!")), 0);
    buf_consume(&b, 4);
    struct wire_writer w = {.out = &b};
    struct wire_mark mark = wire_begin(&w, 1);
    wire_put(&w, BYTES("here"));
    wire_end(&w, mark);
    CHECK(bytes_equal(buf_bytes(&b), BYTES("!\4here")));
    buf_fini(&b);
}

/* Too short for each reader: refused, and nothing is taken. */
TEST(short_slices_stay_as_they_are)
{
    uint8_t n8;
    uint16_t n16;
    uint32_t n32;
    struct bytes none = {0}, some, one = BYTES("\1"), vector = BYTES("\0\0\4abc");
    CHECK(!wire_take_8(&none, &n8));
    CHECK(!wire_take_16(&one, &n16) && one.n == 1);
    CHECK(!wire_take_vector_8(&one, &some) && one.n == 1);
    CHECK(!wire_take_vector_24(&vector, &some) && vector.n == 6);
    CHECK(!wire_take(&vector, 7, &some) && vector.n == 6);
    vector = bytes_first(vector, 3);
    CHECK(!wire_take_32(&vector, &n32) && vector.n == 3);
    vector = bytes_first(vector, 2);
    CHECK(!wire_take_24(&vector, &n32) && vector.n == 2);
    CHECK(!wire_take_vector_24(&vector, &some) && vector.n == 2);
}

TEST(what_does_not_fit_is_noted)
{
    struct buf b;
    buf_init(&b, 300);
    struct wire_writer w = {.out = &b};
    uint8_t content[256] = {0};
    struct wire_mark mark = wire_begin(&w, 1);
    wire_put(&w, (struct bytes){content, 255});
    wire_end(&w, mark);
    CHECK(!w.has_failed && b.at[0] == 255);
    buf_clear(&b);
    mark = wire_begin(&w, 1);
    wire_put(&w, (struct bytes){content, 256});
    CHECK(!w.has_failed);
    wire_end(&w, mark);
    CHECK(w.has_failed);

    buf_clear(&b);
    w.has_failed = false;
    wire_put_24(&w, 1u << 24);
    CHECK(w.has_failed);

    buf_clear(&b);
    b.max = 3;
    w.has_failed = false;
    wire_put_16(&w, 1);
    CHECK(!w.has_failed);
    mark = wire_begin(&w, 2);
    CHECK(w.has_failed);
    wire_end(&w, mark); /* writes nowhere */
    wire_put_8(&w, 1);  /* nor anything that would fit: the message is spoilt */
    CHECK_INT(buf_size(&b), 2);
    buf_fini(&b);
}

TEST(numbers_in_a_list)
{
    struct bytes list = BYTES("\x12\x34\x56\x78\x9a");
    CHECK(wire_contains_16(list, 0x1234));
    CHECK(wire_contains_16(list, 0x5678));
    CHECK(!wire_contains_16(list, 0x3456));
    CHECK(!wire_contains_16((struct bytes){0}, 0));
}
