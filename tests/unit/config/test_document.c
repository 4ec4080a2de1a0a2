/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "config/document.c"
#include "test.h"

#define PAGE_MAX (1u << 20)

static void read_page(struct buf *out)
{
    FILE *f = fopen(DOCUMENT, "re"); /* docs/config.md; the build says where */
    if (!f)
        return;
    size_t n = fread(buf_space(out, PAGE_MAX), 1, PAGE_MAX, f);
    buf_added(out, n);
    fclose(f);
}

TEST(the_page_is_that_of_the_table)
{
    struct buf page, table;
    buf_init(&page, PAGE_MAX);
    buf_init(&table, PAGE_MAX);
    read_page(&page);
    document_write(&table);
    bool same = bytes_equal(buf_bytes(&page), buf_bytes(&table));
    if (!same)
        printf("# docs/config.md is not what src/config/keys.def says; make it anew: "
               "ninja -C build config-doc && build/src/config/config-doc > docs/config.md\n");
    CHECK(same);
    buf_fini(&page);
    buf_fini(&table);
}

TEST(every_key_has_a_row)
{
    struct buf table;
    buf_init(&table, PAGE_MAX);
    document_write(&table);
    size_t rows = 0;
    for (struct bytes left = buf_bytes(&table); left.n;
         left = bytes_skip(left, bytes_find(left, '\n') + 1))
        rows += bytes_starts_with(left, BYTES("| `"));
    CHECK_INT(rows, key_count);
    buf_fini(&table);
}
