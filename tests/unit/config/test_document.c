/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "config/document.c"
#include "config/template.h"
#include "test.h"

#define PAGE_MAX (1u << 20)

static const struct page {
    const char *file, *name, *row; /* ROW begins a key, and nothing else */
    void (*write)(struct buf *out);
} pages[] = {
    {DOCS "/config.md", "markdown", "| `", document_write_markdown},
    {DOCS "/man/sallyport.yaml.5", "manual", ".TP\n\\fB", document_write_manual},
};

static void read_page(const struct page *page, struct buf *out)
{
    FILE *f = fopen(page->file, "re");
    if (!f)
        return;
    size_t n = fread(buf_space(out, PAGE_MAX), 1, PAGE_MAX, f);
    buf_added(out, n);
    fclose(f);
}

static bool is_current(const struct page *page)
{
    struct buf committed, table;
    buf_init(&committed, PAGE_MAX);
    buf_init(&table, PAGE_MAX);
    read_page(page, &committed);
    page->write(&table);
    bool same = bytes_equal(buf_bytes(&committed), buf_bytes(&table));
    if (!same)
        printf("# %s is not what src/config/keys.def says; make it anew: ninja -C build "
               "src/config/config-doc "
               "&& build/src/config/config-doc %s > %s\n",
            page->file, page->name, page->file);
    buf_fini(&committed);
    buf_fini(&table);
    return same;
}

TEST(the_pages_are_those_of_the_table)
{
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        CHECK(is_current(&pages[i]));
}

static size_t count_rows(const struct page *page)
{
    struct buf table;
    buf_init(&table, PAGE_MAX);
    page->write(&table);
    size_t rows = 0;
    for (struct bytes left = buf_bytes(&table); left.n;
         left = bytes_skip(left, bytes_find(left, '\n') + 1))
        rows += bytes_starts_with(left, bytes_of(page->row));
    buf_fini(&table);
    return rows;
}

TEST(every_key_and_variable_has_a_row)
{
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        CHECK_INT(count_rows(&pages[i]), key_count + VARIABLE_COUNT);
}

TEST(markdown_becomes_roff)
{
    static const struct {
        const char *markdown, *roff;
    } cases[] = {
        {"one-way, `one-way`", "one-way, \\fBone\\-way\\fR\n"},
        {"the client's, `'`", "the client's, \\fB\\(aq\\fR\n"},
        {".5", "\\&.5\n"},
        {"'x", "\\&'x\n"},
        {"`DNS:…` 1 – 2", "\\fBDNS:\\&...\\fR 1 \\(en 2\n"},
        {"a\\b ~^", "a\\eb \\(ti\\(ha\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        buf_init(&out, TEXT_MAX);
        put_roff(&out, bytes_of(cases[i].markdown));
        CHECK(bytes_equal(buf_bytes(&out), bytes_of(cases[i].roff)));
        buf_fini(&out);
    }
}

/* Formatters differ in what they make of anything else. */
TEST(the_manual_is_ascii)
{
    struct buf page;
    buf_init(&page, PAGE_MAX);
    document_write_manual(&page);
    for (struct bytes left = buf_bytes(&page); left.n; left = bytes_skip(left, 1))
        CHECK(left.at[0] < 0x80);
    buf_fini(&page);
}
