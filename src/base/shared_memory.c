/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/panic.h"

#include "base/ban.h"

#define SEALS_WANTED (F_SEAL_SHRINK | F_SEAL_GROW)

int shared_memory_new(const char *name, size_t size, int *fd, struct error *err)
{
    *fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd >= 0 && ftruncate(*fd, (off_t)size) == 0 &&
        fcntl(*fd, F_ADD_SEALS, SEALS_WANTED | F_SEAL_SEAL) == 0)
        return 0;
    error_errno(err, errno, "no memory to share for %s", name);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return -1;
}

int shared_memory_reader(int fd, struct error *err)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    return reader >= 0 ? reader : error_errno(err, errno, "no shared memory to be read only");
}

void *shared_memory_map(int fd, size_t size, enum shared_memory_access access, struct error *err)
{
    struct stat st;
    void *at = MAP_FAILED;
    int protection = access == SHARED_MEMORY_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
    errno = EINVAL;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals >= 0 && (seals & SEALS_WANTED) == SEALS_WANTED && fstat(fd, &st) == 0 &&
        st.st_size == (off_t)size)
        at = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        return at;
    error_errno(err, errno, "no shared memory of %zu bytes", size);
    return NULL;
}

void shared_memory_unmap(const void *at, size_t size)
{
    int result = munmap((void *)(uintptr_t)at, size);
    ASSERT(result == 0);
}
