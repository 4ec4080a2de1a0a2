/* SPDX-License-Identifier: Apache-2.0 */
#include "role/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#include "base/ban.h"

#define MODE 0640

int logfile_open(const char *path, struct error *err)
{
    if (strcmp(path, "-") == 0) {
        int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? error_errno(err, errno, "standard output cannot be the access log") : fd;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, MODE);
    if (fd < 0)
        return error_errno(err, errno, "the access log %s cannot be opened for appending", path);
    /* Only opening must not block; the logger may. */
    ignore_result(fcntl(fd, F_SETFL, O_APPEND));
    return fd;
}
