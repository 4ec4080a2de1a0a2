/* SPDX-License-Identifier: Apache-2.0 */
#include "role/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/value.h"

#include "base/ban.h"

#define MODE          0640
#define SEVERITY_INFO 6 /* RFC 5424 §6.2.1 */

static bool is_syslog(const char *path, struct syslog_place *out)
{
    return strncmp(path, "syslog:", strlen("syslog:")) == 0 && value_syslog(path, out, NULL) == 0;
}

static int connect_to(const char *path, struct error *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(to.sun_path))
        return error_set(err, "the path of the socket %s is too long", path);
    memcpy(to.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    int why = errno;
    if (fd >= 0)
        close(fd);
    return error_errno(err, why, "the system's log cannot be reached at %s", path);
}

void logfile_prefix(const char *path, char out[LOGFILE_PREFIX_MAX])
{
    struct syslog_place syslog;
    out[0] = 0;
    if (path && is_syslog(path, &syslog))
        snprintf(out, LOGFILE_PREFIX_MAX, "<%u>sallyport: ", syslog.facility * 8 + SEVERITY_INFO);
}

int logfile_open(const char *path, struct error *err)
{
    struct syslog_place syslog;
    if (is_syslog(path, &syslog))
        return connect_to(syslog.path, err);
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
