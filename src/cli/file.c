/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ban.h"

#define READ_STEP   65536
#define PATH_LENGTH 4096

static int read_all(int fd, const char *path, struct buf *out, struct error *err)
{
    for (;;) {
        if (buf_room(out) < READ_STEP)
            return error_set(err, "%s is larger than %u bytes", path, FILE_READ_MAX);
        ssize_t n = read(fd, buf_space(out, READ_STEP), READ_STEP);
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", path);
        buf_added(out, (size_t)n);
    }
}

int file_read(const char *path, struct buf *out, struct error *err)
{
    buf_init(out, FILE_READ_MAX + READ_STEP);
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    int result = read_all(fd, path, out, err);
    if (!is_input)
        close(fd);
    if (result < 0)
        buf_fini(out);
    return result;
}

static int write_all(int fd, struct bytes data)
{
    while (data.n) {
        ssize_t n = write(fd, data.at, data.n);
        if (n < 0 && errno != EINTR)
            return -1;
        data = bytes_skip(data, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

/* Give the file at TEMPORARY its name. link() fails where the name is taken, so nobody's file is
 * lost to a race. */
static int publish(const char *temporary, const char *path, bool may_replace, struct error *err)
{
    int result = may_replace ? rename(temporary, path) : link(temporary, path);
    int failed = result < 0 ? errno : 0;
    if (failed || !may_replace)
        unlink(temporary);
    if (failed == EEXIST)
        return error_set(err, "%s exists already; --force replaces it", path);
    return failed ? error_errno(err, failed, "cannot write %s", path) : 0;
}

int file_write(const char *path, struct bytes data, enum file_access access, bool may_replace,
    struct error *err)
{
    char temporary[PATH_LENGTH];
    int length = snprintf(temporary, sizeof(temporary), "%s.tmp-%d", path, (int)getpid());
    if (length < 0 || (size_t)length >= sizeof(temporary))
        return error_set(err, "the name %.64s… is too long", path);
    mode_t mode = access == FILE_SECRET ? 0600 : 0644;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_errno(err, errno, "cannot create %s", temporary);
    int failed = write_all(fd, data) < 0 || fsync(fd) < 0 ? errno : 0;
    close(fd);
    if (!failed)
        return publish(temporary, path, may_replace, err);
    unlink(temporary);
    return error_errno(err, failed, "cannot write %s", path);
}
