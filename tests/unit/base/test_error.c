/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "test.h"

#include "base/ban.h"

TEST(both_return_minus_one_and_fill_the_text)
{
    struct error err;
    CHECK_INT(error_set(&err, "%s: no '%c'", "file", 'x'), -1);
    CHECK_TEXT(err.text, "file: no 'x'");
    CHECK_INT(error_errno(&err, ENOENT, "cannot open %s", "file"), -1);
    CHECK_TEXT(err.text, "cannot open file: No such file or directory");
}

TEST(nobody_needs_to_listen)
{
    CHECK_INT(error_set(NULL, "x"), -1);
    CHECK_INT(error_errno(NULL, ENOENT, "x"), -1);
}

TEST(the_old_text_may_be_part_of_the_new)
{
    struct error err;
    error_set(&err, "inner");
    error_set(&err, "outer: %s", err.text);
    CHECK_TEXT(err.text, "outer: inner");
    error_errno(&err, EACCES, "again: %s", err.text);
    CHECK_TEXT(err.text, "again: outer: inner: Permission denied");
}

TEST(too_long_a_text_is_cut)
{
    struct error err;
    error_set(&err, "%2000d", 1);
    CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
    error_errno(&err, ENOENT, "%2000d", 1);
    CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
}
