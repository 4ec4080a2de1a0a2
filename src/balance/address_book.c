/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/address_book.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

#define TARGET_LENGTH_MAX (253 + sizeof(":65535") - 1)

void address_book_write(
    struct buf *out, const char *target, const struct address *addresses, size_t n)
{
    char host[ADDRESS_TEXT_MAX];
    struct buf line;
    if (n == 0 || n > ADDRESS_BOOK_ADDRESSES_MAX)
        return;
    buf_init(&line, TARGET_LENGTH_MAX + ADDRESS_BOOK_ADDRESSES_MAX * ADDRESS_TEXT_MAX);
    int result = buf_printf(&line, "%s", target);
    for (size_t i = 0; i < n; i++) {
        address_format_host(&addresses[i], host);
        result |= buf_printf(&line, " %s", host);
    }
    result |= buf_append(&line, BYTES("\n"));
    if (result == 0)
        ignore_result(buf_append(out, buf_bytes(&line)));
    buf_fini(&line);
}

/* What comes before the first C of *LEFT, which is what comes after it from then on. */
static struct bytes take_until(struct bytes *left, uint8_t c)
{
    size_t n = bytes_find(*left, c);
    struct bytes taken = bytes_first(*left, n);
    *left = bytes_skip(*left, n + 1);
    return taken;
}

/* False: the line says nothing. */
static bool read_line(struct address_book *b, struct bytes line, struct address_book_entry *out)
{
    struct address found[ADDRESS_BOOK_ADDRESSES_MAX];
    size_t n = 0;
    struct bytes target = take_until(&line, ' ');
    while (line.n && n < COUNT_OF(found))
        if (address_parse_host(take_until(&line, ' '), 0, &found[n]) == 0)
            n++;
    if (!n || !target.n || target.n > TARGET_LENGTH_MAX || bytes_find(target, 0) < target.n)
        return false;
    out->target = arena_strndup(&b->arena, target.at, target.n);
    out->addresses = arena_alloc(&b->arena, n * sizeof(*found));
    out->addresses_n = n;
    memcpy(out->addresses, found, n * sizeof(*found));
    return true;
}

static int by_target(const void *x, const void *y)
{
    const struct address_book_entry *a = x, *b = y;
    return strcmp(a->target, b->target);
}

static size_t count_lines(struct bytes text)
{
    size_t n = 0;
    for (; text.n; n++)
        take_until(&text, '\n');
    return n < ADDRESS_BOOK_ENTRIES_MAX ? n : ADDRESS_BOOK_ENTRIES_MAX;
}

/* Keep one entry of each target. */
static void drop_repeated(struct address_book *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->entries_n; i++)
        if (i == 0 || strcmp(b->entries[i].target, b->entries[kept - 1].target) != 0)
            b->entries[kept++] = b->entries[i];
    b->entries_n = kept;
}

void address_book_read(struct address_book *b, struct bytes text)
{
    arena_init(&b->arena);
    size_t max = count_lines(text);
    b->entries = mem_calloc(max + 1, sizeof(*b->entries));
    b->entries_n = 0;
    while (text.n && b->entries_n < max)
        if (read_line(b, take_until(&text, '\n'), &b->entries[b->entries_n]))
            b->entries_n++;
    qsort(b->entries, b->entries_n, sizeof(*b->entries), by_target);
    drop_repeated(b);
}

void address_book_fini(struct address_book *b)
{
    free(b->entries);
    arena_fini(&b->arena);
    *b = (struct address_book){0};
}

const struct address_book_entry *address_book_find(const struct address_book *b, const char *target)
{
    const struct address_book_entry key = {.target = target};
    return b->entries_n ? bsearch(&key, b->entries, b->entries_n, sizeof(key), by_target) : NULL;
}
