/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "test.h"

#include "base/ban.h"

TEST(pieces_are_zeroed_aligned_and_apart)
{
    struct arena a;
    arena_init(&a);
    uint8_t *pieces[300];
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        size_t n = 1 + i % 97;
        pieces[i] = arena_alloc(&a, n);
        CHECK_INT((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        size_t dirty = 0;
        for (size_t k = 0; k < n; k++)
            dirty += pieces[i][k] != 0;
        CHECK_INT(dirty, 0);
        memset(pieces[i], (int)(1 + i % 255), n);
    }
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t k = 0; k < 1 + i % 97; k++)
            if (pieces[i][k] != 1 + i % 255)
                wrong++;
    CHECK_INT(wrong, 0); /* no piece was overwritten by another */
    arena_fini(&a);
}

TEST(a_large_piece_gets_its_own_block)
{
    struct arena a;
    arena_init(&a);
    memset(arena_alloc(&a, 1 << 20), 1, 1 << 20);
    CHECK(a.held >= 1 << 20);
    CHECK(arena_alloc(&a, 0) != NULL);
    arena_fini(&a);
    CHECK_INT(a.held, 0);
    CHECK(arena_alloc(&a, 1) != NULL);
    arena_fini(&a);
}

TEST(copies)
{
    struct arena a;
    arena_init(&a);
    char text[] = "hello";
    char *copy = arena_strdup(&a, text);
    text[0] = 'j';
    CHECK_TEXT(copy, "hello");
    CHECK_TEXT(arena_strndup(&a, "hello", 4), "hell");
    CHECK_TEXT(arena_strndup(&a, NULL, 0), "");
    CHECK_TEXT(arena_printf(&a, "%s-%03d", "x", 7), "x-007");
    CHECK(bytes_equal(arena_copy(&a, BYTES("a\0b")), BYTES("a\0b")));
    CHECK_INT(arena_copy(&a, (struct bytes){NULL, 0}).n, 0);
    arena_fini(&a);
}
