/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/address_book.h"
#include "base/memory.h"
#include "test.h"

static void check(struct bytes text, const char *target, const char *want)
{
    struct address_book b = {0};
    char got[1024] = "", host[ADDRESS_TEXT_MAX];
    address_book_read(&b, text);
    const struct address_book_entry *e = address_book_find(&b, target);
    for (size_t i = 0; e && i < e->addresses_n; i++) {
        address_format_host(&e->addresses[i], host);
        strncat(got, i ? " " : "", 2);
        strncat(got, host, ADDRESS_TEXT_MAX);
    }
    CHECK(!e || e->addresses_n > 0);
    CHECK_TEXT(e ? got : "unknown", want);
    address_book_fini(&b);
}

TEST(what_is_written_is_read)
{
    struct address a[3];
    struct buf out;
    buf_init(&out, ADDRESS_BOOK_TEXT_MAX);
    CHECK(address_parse_host(BYTES("10.0.0.5"), 0, &a[0]) == 0 &&
          address_parse_host(BYTES("10.0.0.6"), 0, &a[1]) == 0 &&
          address_parse_host(BYTES("2001:db8::5"), 0, &a[2]) == 0);
    address_book_write(&out, "b.internal:80", a, 3);
    address_book_write(&out, "a.internal:80", a + 1, 1);
    address_book_write(&out, "none.internal:80", a, 0);
    check(buf_bytes(&out), "b.internal:80", "10.0.0.5 10.0.0.6 2001:db8::5");
    check(buf_bytes(&out), "a.internal:80", "10.0.0.6");
    check(buf_bytes(&out), "none.internal:80", "unknown");
    check(buf_bytes(&out), "b.internal", "unknown");
    buf_fini(&out);
}

TEST(a_line_that_does_not_fit_is_left_out_whole)
{
    struct address a;
    struct buf out;
    CHECK_INT(address_parse_host(BYTES("10.0.0.5"), 0, &a), 0);
    buf_init(&out, 30);
    address_book_write(&out, "a.internal:80", &a, 1);
    address_book_write(&out, "b.internal:80", &a, 1);
    CHECK(bytes_equal(buf_bytes(&out), BYTES("a.internal:80 10.0.0.5\n")));
    buf_fini(&out);
}

TEST(what_is_malformed_is_passed_over)
{
    check(BYTES(""), "a:80", "unknown");
    check(BYTES("\n\n \na:80\n"), "a:80", "unknown");
    check(BYTES("a:80 \n"), "a:80", "unknown");
    check(BYTES("a:80 nonsense\n"), "a:80", "unknown");
    check(BYTES("a:80 nonsense 10.0.0.1  10.0.0.2:80 ::1"), "a:80", "10.0.0.1 ::1");
    check(BYTES(" a:80 10.0.0.1\nb:80 10.0.0.2\n"), "b:80", "10.0.0.2");
    check(BYTES("a\0b:80 10.0.0.1\nb:80 10.0.0.2\n"), "b:80", "10.0.0.2");
    check(BYTES("a:80 10.0.0.1\na:80 10.0.0.1\nb:80 10.0.0.2\n"), "a:80", "10.0.0.1");
}

TEST(more_than_the_bounds_is_passed_over)
{
    struct buf text;
    buf_init(&text, 1 << 22);
    CHECK_INT(buf_printf(&text, "many:80"), 0);
    for (int i = 1; i <= 200; i++)
        CHECK_INT(buf_printf(&text, " 10.0.0.%d", i), 0);
    CHECK_INT(buf_printf(&text, "\n"), 0);
    for (int i = 0; i < 300; i++)
        CHECK_INT(buf_append(&text, BYTES("x")), 0);
    CHECK_INT(buf_printf(&text, ":80 10.0.0.1\n"), 0);
    for (int i = 0; i < 3 * ADDRESS_BOOK_ENTRIES_MAX; i++)
        CHECK_INT(buf_printf(&text, "a%d:80 10.0.0.1\n", i), 0);
    struct address_book b = {0};
    address_book_read(&b, buf_bytes(&text));
    CHECK_INT(b.entries_n, ADDRESS_BOOK_ENTRIES_MAX);
    CHECK_INT(address_book_find(&b, "many:80")->addresses_n, ADDRESS_BOOK_ADDRESSES_MAX);
    address_book_fini(&b);
    CHECK(!address_book_find(&b, "many:80"));
    buf_fini(&text);
}
