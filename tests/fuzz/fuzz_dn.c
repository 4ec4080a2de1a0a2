/* SPDX-License-Identifier: Apache-2.0 */
/* Two names, one after the other: equality is one, equal names share their hash, and each has a
 * text that may be logged. */
#include "base/panic.h"
#include "fuzz.h"
#include "pki/der.h"
#include "pki/dn.h"

#include "base/ban.h"

static void check_text(struct bytes name)
{
    struct arena a;
    arena_init(&a);
    for (const char *text = dn_text(&a, name); *text; text++)
        ASSERT(*text >= 0x20 && *text <= 0x7e);
    arena_fini(&a);
}

static bool count(void *owner, struct bytes value)
{
    ++*(int *)owner;
    return *(int *)owner < 3;
}

static void check(struct bytes name)
{
    int emails = 0;
    bool is_name = dn_is_valid(name);
    ASSERT(dn_equal(name, name));
    ASSERT(!is_name || (dn_is_within(name, name) && dn_is_within(name, BYTES("\x30\x00"))));
    ASSERT(dn_is_empty(name) == bytes_equal(name, BYTES("\x30\x00")));
    ASSERT(dn_each_email(name, count, &emails) == (emails < 3));
    check_text(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n}, b = in;
    struct der_element first;
    if (!der_next(&b, &first))
        b = bytes_skip(in, n / 2);
    struct bytes a = bytes_first(in, n - b.n);
    bool is_equal = dn_equal(a, b);
    ASSERT(is_equal == dn_equal(b, a));
    ASSERT(!is_equal || dn_hash(a) == dn_hash(b));
    ASSERT(!is_equal || bytes_equal(a, b) || (dn_is_within(a, b) && dn_is_within(b, a)));
    ASSERT(is_equal || !dn_is_within(a, b) || !dn_is_within(b, a));
    check(a);
    check(b);
    return 0;
}
