/* SPDX-License-Identifier: Apache-2.0 */
#include "api/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/ban.h"

#define NAME_MAX_N 64
#define READ_SIZE  65536

/* The name of what is being written. */
static void name_beside(const char *name, char out[NAME_MAX_N])
{
    snprintf(out, NAME_MAX_N, "%s.new", name);
}

static int write_all(int fd, struct bytes content)
{
    while (content.n) {
        ssize_t n = write(fd, content.at, content.n);
        if (n < 0 && errno != EINTR)
            return -1;
        content = bytes_skip(content, n > 0 ? (size_t)n : 0);
    }
    return fsync(fd);
}

int export_write(const char *name, struct bytes content, struct error *err)
{
    char beside[NAME_MAX_N];
    name_beside(name, beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failed = fd < 0 ? -1 : write_all(fd, content);
    int why = errno;
    if (fd >= 0)
        close(fd);
    return failed ? error_errno(err, why, "%s could not be written", beside) : 0;
}

int export_replace(const char *name, struct error *err)
{
    char beside[NAME_MAX_N];
    name_beside(name, beside);
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = folder < 0 || rename(beside, name) < 0 || fsync(folder) < 0;
    int why = errno;
    if (folder >= 0)
        close(folder);
    return failed ? error_errno(err, why, "%s could not be replaced", name) : 0;
}

int export_read(const char *name, struct buf *out, struct error *err)
{
    int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    err->text[0] = '\0';
    if (fd < 0)
        return errno == ENOENT ? -1 : error_errno(err, errno, "%s cannot be opened", name);
    ssize_t n = 0;
    do {
        size_t want = buf_room(out) < READ_SIZE ? buf_room(out) : READ_SIZE;
        n = want ? read(fd, buf_space(out, want), want) : 0;
        if (n > 0)
            buf_added(out, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    int why = errno;
    close(fd);
    return n < 0 ? error_errno(err, why, "%s cannot be read", name) : 0;
}
