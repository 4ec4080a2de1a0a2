/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "pki/der.h"
#include "test.h"

#include "base/ban.h"

TEST(elements_one_after_the_other)
{
    struct bytes in = BYTES("\x02\x01\x05\x30\x02\x05\x00\x04\x00"), content, whole;
    struct der_element e;
    CHECK(der_is_next(in, DER_INTEGER) && !der_is_next(in, DER_SEQUENCE));
    CHECK(!der_take(&in, DER_SEQUENCE, &content) && in.n == 9);
    CHECK(der_take(&in, DER_INTEGER, &content) && bytes_equal(content, BYTES("\x05")));
    CHECK(!der_take_whole(&in, DER_SET, &whole) && in.n == 6);
    CHECK(
        der_take_whole(&in, DER_SEQUENCE, &whole) && bytes_equal(whole, BYTES("\x30\x02\x05\x00")));
    CHECK(der_next(&in, &e) && e.tag == DER_OCTET_STRING && !e.content.n && e.whole.n == 2);
    CHECK(!der_next(&in, &e) && !der_take(&in, DER_OCTET_STRING, NULL) && !der_is_next(in, 0));
}

/* X.690 §8.1.3, §10.1: one length, one way to write it. */
TEST(lengths)
{
    static const struct {
        struct bytes head;
        size_t content_n; /* octets that follow */
        bool want;
    } cases[] = {
        {BYTES("\x04\x00"), 0, true},
        {BYTES("\x04\x7f"), 0x7f, true},
        {BYTES("\x04\x7f"), 0x7e, false},
        {BYTES("\x04\x81\x80"), 0x80, true},
        {BYTES("\x04\x81\xff"), 0xff, true},
        {BYTES("\x04\x81\x7f"), 0x7f, false}, /* fits into one octet */
        {BYTES("\x04\x81\x00"), 0, false},
        {BYTES("\x04\x82\x01\x00"), 0x100, true},
        {BYTES("\x04\x82\x01\x00"), 0xff, false},
        {BYTES("\x04\x82\x00\xff"), 0xff, false}, /* fits into two */
        {BYTES("\x04\x83\x01\x00\x00"), 0x10000, true},
        {BYTES("\x04\x84\x00\x01\x00\x00"), 0x10000, false},
        {BYTES("\x04\x84\xff\xff\xff\xff"), 16, false},
        {BYTES("\x04\x85\x00\x00\x00\x00\x01"), 1, false},
        {BYTES("\x04\x88\xff\xff\xff\xff\xff\xff\xff\xff"), 16, false},
        {BYTES("\x04\x80"), 16, false}, /* indefinite */
        {BYTES("\x04\xff"), 16, false},
        {BYTES("\x04"), 0, false},
        {BYTES("\x05\x00"), 0, true},
        {BYTES("\x05\x01"), 1, false}, /* NULL has no content */
        {BYTES("\x04\x81"), 0, false},
        {BYTES("\x04\x82\x01"), 0, false},
    };
    static uint8_t octets[0x10010];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memcpy(octets, cases[i].head.at, cases[i].head.n);
        struct bytes in = {octets, cases[i].head.n + cases[i].content_n}, before = in;
        struct der_element e;
        CHECK_INT(der_next(&in, &e), cases[i].want);
        if (cases[i].want)
            CHECK(!in.n && e.whole.n == before.n && e.content.n == cases[i].content_n);
        else
            CHECK(in.at == before.at && in.n == before.n);
    }
}

/* X.690 §8.1.2, §10.2: strings are primitive, SEQUENCE and SET are constructed. */
TEST(identifiers)
{
    for (unsigned identifier = 0; identifier < 256; identifier++) {
        uint8_t octets[] = {(uint8_t)identifier, 0};
        struct bytes in = {octets, 2};
        struct der_element e;
        unsigned number = identifier & 0x1f;
        bool is_universal = !(identifier & 0xc0), is_constructed = identifier & 0x20;
        bool wants_constructed =
            number == 8 || number == 11 || number == 16 || number == 17 || number == 29;
        bool want =
            number != 31 && (!is_universal || (number && is_constructed == wants_constructed));
        CHECK_INT(der_next(&in, &e), want);
    }
}

TEST(booleans)
{
    bool b = false;
    CHECK(der_boolean(BYTES("\xff"), &b) && b);
    CHECK(der_boolean(BYTES("\x00"), &b) && !b);
    CHECK(!der_boolean(BYTES("\x01"), &b) && !der_boolean(BYTES(""), &b));
    CHECK(!der_boolean(BYTES("\xff\xff"), &b));
}

TEST(integers)
{
    static const struct {
        struct bytes content;
        bool is_integer, is_unsigned;
        uint64_t value;
    } cases[] = {
        {BYTES(""), false, false, 0},
        {BYTES("\x00"), true, true, 0},
        {BYTES("\x7f"), true, true, 0x7f},
        {BYTES("\x80"), true, false, 0},
        {BYTES("\xff"), true, false, 0},
        {BYTES("\x00\x80"), true, true, 0x80},
        {BYTES("\x00\x7f"), false, false, 0},
        {BYTES("\x00\x00"), false, false, 0},
        {BYTES("\xff\x7f"), true, false, 0},
        {BYTES("\xff\x80"), false, false, 0},
        {BYTES("\x01\x02"), true, true, 0x102},
        {BYTES("\x00\xff\xff\xff\xff\xff\xff\xff\xff"), true, true, UINT64_MAX},
        {BYTES("\x01\x00\x00\x00\x00\x00\x00\x00\x00"), true, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t value = 1;
        CHECK_INT(der_is_integer(cases[i].content), cases[i].is_integer);
        CHECK_INT(der_unsigned(cases[i].content, UINT64_MAX, &value), cases[i].is_unsigned);
        CHECK(!cases[i].is_unsigned || value == cases[i].value);
    }
    uint64_t value;
    CHECK(der_unsigned(BYTES("\x05"), 5, &value) && !der_unsigned(BYTES("\x06"), 5, &value));
}

TEST(object_identifiers)
{
    CHECK(der_is_oid(BYTES("\x2a")) && der_is_oid(BYTES("\x2a\x86\x48\x00")));
    CHECK(!der_is_oid(BYTES("")) && !der_is_oid(BYTES("\x2a\x86")));
    CHECK(!der_is_oid(BYTES("\x2a\x80\x01")) && !der_is_oid(BYTES("\x80\x01")));
    CHECK(der_is_oid(BYTES("\x2a\x81\x80\x01")));
}

TEST(bit_strings)
{
    static const struct {
        struct bytes content;
        bool want;
        unsigned bits;
    } cases[] = {
        {BYTES("\x00"), true, 0},
        {BYTES("\x07\x80"), true, 1 << 0},
        {BYTES("\x01\x06"), true, 1 << 5 | 1 << 6},
        {BYTES("\x00\x01"), true, 1 << 7},
        {BYTES("\x07\x00\x80"), true, 1 << 8},
        {BYTES("\x00\x00\x01"), true, 1 << 15},
        /* Zeros at the end. */
        {BYTES("\x00\x06"), true, 1 << 5 | 1 << 6},
        {BYTES("\x07\x06\x00"), true, 1 << 5 | 1 << 6},
        {BYTES("\x07\x00"), true, 0},
        {BYTES("\x00\xb0\x00\x00\x00"), true, 1 << 0 | 1 << 2 | 1 << 3},
        {BYTES("\x00\x80\0\0\0\0\0\0\0"), true, 1 << 0},
        {BYTES("\x00\x80\0\0\0\0\0\0\0\0"), false, 0},
        {BYTES(""), false, 0},
        {BYTES("\x01"), false, 0},     /* unused bits of nothing */
        {BYTES("\x02\x06"), false, 0}, /* an unused bit is set */
        {BYTES("\x01\x01"), false, 0},
        {BYTES("\x08\x80"), false, 0},
        {BYTES("\xff\x80"), false, 0},
        {BYTES("\x00\x00\x00\x01"), false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint16_t bits = 0;
        CHECK_INT(der_named_bits(cases[i].content, &bits), cases[i].want);
        CHECK(!cases[i].want || bits == cases[i].bits);
    }
    struct bytes octets;
    CHECK(der_octets(BYTES("\x00\x01\x02"), &octets) && bytes_equal(octets, BYTES("\x01\x02")));
    CHECK(der_octets(BYTES("\x00"), &octets) && !octets.n);
    CHECK(!der_octets(BYTES("\x01\x02"), &octets) && !der_octets(BYTES(""), &octets));
}

TEST(times)
{
    static const struct {
        uint8_t tag;
        const char *text;
        bool want;
        int64_t wall_s;
    } cases[] = {
        {DER_UTC_TIME, "700101000000Z", true, 0},
        {DER_UTC_TIME, "270115080000Z", true, 1800000000},
        {DER_UTC_TIME, "491231235959Z", true, 2524607999},
        {DER_UTC_TIME, "500101000000Z", true, -631152000},
        {DER_UTC_TIME, "000229000000Z", true, 951782400},
        {DER_GENERALIZED_TIME, "20500101000000Z", true, 2524608000},
        {DER_GENERALIZED_TIME, "20020101120100Z", true, 1009886460},   /* PKITS 4.2.4 */
        {DER_GENERALIZED_TIME, "99991231235959Z", true, 253402300799}, /* RFC 5280 §4.1.2.5 */
        {DER_GENERALIZED_TIME, "00000101000000Z", true, -62167219200},
        {DER_UTC_TIME, "010229000000Z", false, 0}, /* no leap year */
        {DER_GENERALIZED_TIME, "21000229000000Z", false, 0},
        {DER_UTC_TIME, "270015000000Z", false, 0},
        {DER_UTC_TIME, "271315000000Z", false, 0},
        {DER_UTC_TIME, "270100000000Z", false, 0},
        {DER_UTC_TIME, "270132000000Z", false, 0},
        {DER_UTC_TIME, "270431000000Z", false, 0},
        {DER_UTC_TIME, "270115240000Z", false, 0},
        {DER_UTC_TIME, "270115006000Z", false, 0},
        {DER_UTC_TIME, "270115000060Z", false, 0}, /* no leap seconds in POSIX time */
        {DER_UTC_TIME, "2701150000Z", false, 0},
        {DER_UTC_TIME, "270115000000", false, 0},
        {DER_UTC_TIME, "270115000000z", false, 0},
        {DER_UTC_TIME, "270115000000+0100", false, 0},
        {DER_UTC_TIME, "2701150000001", false, 0},
        {DER_UTC_TIME, "-70115000000Z", false, 0},
        {DER_UTC_TIME, "27011500000 Z", false, 0},
        {DER_UTC_TIME, "20270115000000Z", false, 0},
        {DER_UTC_TIME, "", false, 0},
        {DER_GENERALIZED_TIME, "20270115000000.5Z", false, 0},
        {DER_GENERALIZED_TIME, "270115000000Z", false, 0},
        {DER_GENERALIZED_TIME, "2027011500000AZ", false, 0},
        {DER_GENERALIZED_TIME, "2O270115000000Z", false, 0},
        {DER_GENERALIZED_TIME, "A0270115000000Z", false, 0},
        {DER_GENERALIZED_TIME, "", false, 0},
        {DER_OCTET_STRING, "270115000000Z", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct der_element e = {.tag = cases[i].tag, .content = bytes_of(cases[i].text)};
        int64_t wall_s = 0;
        if (der_time(&e, &wall_s) != cases[i].want)
            printf("# %s\n", cases[i].text);
        CHECK_INT(der_time(&e, &wall_s), cases[i].want);
        if (cases[i].want)
            CHECK_INT(wall_s, cases[i].wall_s);
    }
}

/* Days of all years that GeneralizedTime has, by another's calendar: 37 meets each day of each
 * month. */
TEST(the_calendar)
{
    for (int64_t day = -719162; day < 2932897; day += 37) {
        time_t want = day * 86400 + 3661;
        struct tm tm;
        char text[32];
        int64_t wall_s = 0;
        gmtime_r(&want, &tm);
        snprintf(text, sizeof(text), "%04d%02d%02d010101Z", tm.tm_year + 1900, tm.tm_mon + 1,
            tm.tm_mday);
        CHECK(der_generalized_time(bytes_of(text), &wall_s) && wall_s == want);
        struct der_element e = {.tag = DER_UTC_TIME, .content = bytes_of(text + 2)};
        bool is_utc = tm.tm_year >= 50 && tm.tm_year < 150;
        CHECK(!is_utc || (der_time(&e, &wall_s) && wall_s == want));
    }
}
