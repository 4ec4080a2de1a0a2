/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "config/keys.c"
#include "test.h"

TEST(the_word_that_was_meant)
{
    CHECK_TEXT(keys_nearest(SCOPE_LISTENER, "certificats")->name, "certificates");
    CHECK_TEXT(keys_nearest(SCOPE_LISTENER, "target_gruop")->name, "target_group");
    CHECK_TEXT(keys_nearest(SCOPE_LISTENER, "NAME")->name, "name");
    CHECK(!keys_nearest(SCOPE_LISTENER, "weight"));
    CHECK(!keys_nearest(
        SCOPE_CERTIFICATE, "kat")); /* two wrong letters of three are another word than "key" */
    CHECK(!keys_nearest(SCOPE_LISTENER, "a-key-of-more-than-thirty-two-letters"));
    CHECK_TEXT(keys_nearest_choice(authentication_names, "mutal"), "mutual");
    CHECK_TEXT(keys_nearest_choice(authentication_names, "oneway"), "one-way");
    CHECK(!keys_nearest_choice(authentication_names, "none"));
}

TEST(names_are_unique_and_known)
{
    for (size_t i = 0; i < key_count; i++)
        CHECK(keys_find(key_table[i].scope, key_table[i].name) == &key_table[i]);
    CHECK(!keys_find(SCOPE_ROOT, "dir"));
    for (int s = 0; s < SCOPE_COUNT; s++)
        CHECK(keys_scope((enum scope)s)->noun && keys_scope((enum scope)s)->size);
}
