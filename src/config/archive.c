/* SPDX-License-Identifier: Apache-2.0 */
#include "config/archive.h"

#include "base/memory.h"

#include "base/ban.h"

/* An entry: this, the name without NUL, the content. In the byte order of the machine: no archive
 * leaves it. */
struct head {
    uint64_t name_n, content_n;
};

/* An entry's name, in two parts. */
static int add(struct buf *out, struct bytes prefix, struct bytes name, struct bytes content)
{
    const struct head head = {prefix.n + name.n, content.n};
    size_t room = buf_room(out);
    if (room < sizeof(head) + head.name_n || room - sizeof(head) - head.name_n < content.n)
        return -1;
    const struct bytes parts[] = {{(const uint8_t *)&head, sizeof(head)}, prefix, name, content};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (buf_append(out, parts[i]) < 0)
            return -1;
    return 0;
}

int archive_add(struct buf *out, const char *name, struct bytes content)
{
    return add(out, BYTES(""), bytes_of(name), content);
}

int archive_begin(struct buf *out, const char *name, size_t n)
{
    const struct head head = {strlen(name), n};
    if (buf_room(out) < sizeof(head) + head.name_n)
        return -1;
    ignore_result(buf_append(out, (struct bytes){(const uint8_t *)&head, sizeof(head)}));
    return buf_append(out, bytes_of(name));
}

int archive_add_crls(struct buf *out, const char *path, struct bytes content)
{
    return add(out, BYTES(ARCHIVE_CRL), bytes_of(path), content);
}

bool archive_next(struct bytes *archive, struct bytes *name, struct bytes *content)
{
    struct head head;
    struct bytes in = *archive;
    if (in.n < sizeof(head))
        return false;
    memcpy(&head, in.at, sizeof(head));
    in = bytes_skip(in, sizeof(head));
    if (head.name_n > in.n || head.content_n > in.n - head.name_n)
        return false;
    *name = bytes_first(in, head.name_n);
    in = bytes_skip(in, head.name_n);
    *content = bytes_first(in, head.content_n);
    *archive = bytes_skip(in, head.content_n);
    return true;
}

static struct bytes find(struct bytes archive, struct bytes prefix, struct bytes rest)
{
    struct bytes name, content;
    while (archive_next(&archive, &name, &content))
        if (bytes_starts_with(name, prefix) && bytes_equal(bytes_skip(name, prefix.n), rest))
            return content;
    return (struct bytes){0};
}

struct bytes archive_find(struct bytes archive, const char *name)
{
    return find(archive, BYTES(""), bytes_of(name));
}

struct bytes archive_find_crls(struct bytes archive, const char *path)
{
    return find(archive, BYTES(ARCHIVE_CRL), bytes_of(path));
}

struct bytes archive_next_crls(struct bytes *archive)
{
    struct bytes name, content;
    while (archive_next(archive, &name, &content))
        if (bytes_starts_with(name, BYTES(ARCHIVE_CRL)))
            return content;
    return (struct bytes){0};
}
