/* SPDX-License-Identifier: Apache-2.0 */
#include "config/template.h"
#include "test.h"

/* HOST is what OWNER says; everything else has no value. */
static int value(const void *owner, enum variable v, struct buf *out)
{
    return v == VARIABLE_HOST ? buf_append(out, bytes_of(owner)) : 0;
}

static void check(const char *text, const char *want)
{
    struct error err = {.text = ""};
    struct buf out;
    buf_init(&out, 16);
    CHECK_INT(template_check(text, &err), want ? 0 : -1);
    if (want) {
        CHECK_INT(template_expand(text, value, "$a.test", &out), 0);
        CHECK(bytes_equal(buf_bytes(&out), bytes_of(want)));
    }
    buf_fini(&out);
}

TEST(variables_stand_for_values_and_two_dollars_for_one)
{
    check("", "");
    check("plain", "plain");
    check("$host", "$a.test"); /* what a value says is not looked at again */
    check("a-$host/b", "a-$a.test/b");
    check("$path$query", "");
    check("$$host$$", "$host$");
    check("$$$host", "$$a.test");
}

TEST(what_is_no_variable_is_refused)
{
    check("$", NULL);
    check("$ host", NULL);
    check("$hosts", NULL);
    check("$Host", NULL);
    check("${host}", NULL);
    check("a$$b$c", NULL);
}

TEST(what_does_not_fit_is_not_expanded)
{
    struct buf out;
    buf_init(&out, 8);
    CHECK_INT(template_expand("$host$host", value, "12345", &out), -1);
    CHECK_INT(template_expand("123456789", value, "", &out), -1);
    buf_fini(&out);
}
