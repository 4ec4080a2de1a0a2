/* SPDX-License-Identifier: Apache-2.0 */
#include "config/archive.h"

#include "base/ban.h"

/* An entry: this, the name without NUL, the content. In the byte order of the machine: no archive
 * leaves it. */
struct head {
    uint64_t name_n, content_n;
};

int archive_add(struct buf *out, const char *name, struct bytes content)
{
    const struct head head = {strlen(name), content.n};
    size_t room = buf_room(out);
    if (room < sizeof(head) + head.name_n || room - sizeof(head) - head.name_n < content.n)
        return -1;
    const struct bytes parts[] = {{(const uint8_t *)&head, sizeof(head)}, bytes_of(name), content};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (buf_append(out, parts[i]) < 0)
            return -1;
    return 0;
}

struct bytes archive_find(struct bytes archive, const char *name)
{
    struct head head;
    while (archive.n >= sizeof(head)) {
        memcpy(&head, archive.at, sizeof(head));
        archive = bytes_skip(archive, sizeof(head));
        if (head.name_n > archive.n || head.content_n > archive.n - head.name_n)
            break;
        struct bytes entry = bytes_first(archive, head.name_n);
        archive = bytes_skip(archive, head.name_n);
        if (bytes_equal(entry, bytes_of(name)))
            return bytes_first(archive, head.content_n);
        archive = bytes_skip(archive, head.content_n);
    }
    return (struct bytes){0};
}
