/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/serial.h"
#include "test.h"

#include "base/ban.h"

TEST(serials_as_people_read_them)
{
    static const struct {
        struct bytes content;
        const char *text;
    } rows[] = {
        {BYTES("\x00"), "0"},
        {BYTES(""), "0"},
        {BYTES("\x1a\x2b"), "1a2b"},
        {BYTES("\x00\xff"), "ff"},
        {BYTES("\x01\x00"), "100"},
        {BYTES("\xff"), "-1"},
        {BYTES("\xe6"), "-1a"},
        {BYTES("\x80"), "-80"},
        {BYTES("\xff\x00"), "-100"},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_TEXT(serial_text(&a, rows[i].content), rows[i].text);
    arena_fini(&a);
}
