/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock — the clocks of a program under test, as far from the machine's as the file PROGRAM.clock
 * says: two numbers of eight octets, seconds of the wall clock and of the monotonic one. Whoever
 * writes there moves the clocks of all its processes, while they run.
 *
 * These stand before libc's, for the program and for the libraries that it uses. The file is mapped
 * before a process has its sandbox.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"

#include "base/ban.h"

struct shift {
    _Atomic int64_t wall_s, monotonic_s;
};
static const struct shift *shift;

__attribute__((constructor)) static void map_shift(void)
{
    char program[1024], path[1100];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program));
    snprintf(path, sizeof(path), "%.*s.clock", (int)n, program);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
    if (n < 0 || at == MAP_FAILED)
        panic("no %s", path);
    close(fd);
    shift = at;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    long result = syscall(SYS_clock_gettime, id, out);
    if (shift && id == CLOCK_REALTIME)
        out->tv_sec += shift->wall_s;
    if (shift && id == CLOCK_MONOTONIC)
        out->tv_sec += shift->monotonic_s;
    return (int)result;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}
