/* SPDX-License-Identifier: Apache-2.0 */
#include "role/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int write_all(int fd, struct bytes content)
{
    while (content.n) {
        ssize_t n = write(fd, content.at, content.n);
        if (n < 0)
            return -1;
        content = bytes_skip(content, (size_t)n);
    }
    return 0;
}

int memfile_seal(int fd, struct error *err)
{
    return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? error_errno(err, errno, "memory file") : 0;
}

bool memfile_is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS;
}

int memfile_new(const char *name, struct bytes content, struct error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_errno(err, errno, "no memory file for %s (memfd_create)", name);
    if (write_all(fd, content) < 0 || memfile_seal(fd, err) < 0) {
        error_errno(err, errno, "memory file for %s of %zu bytes", name, content.n);
        close(fd);
        return -1;
    }
    return fd;
}

int memfile_map(int fd, struct bytes *out, struct error *err)
{
    struct stat st;
    *out = (struct bytes){0};
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "memory file");
    if (st.st_size == 0)
        return 0;
    /* MAP_PRIVATE: kernels before 6.7 refuse MAP_SHARED on a descriptor sealed against writing. */
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return error_errno(err, errno, "memory file of %lld bytes", (long long)st.st_size);
    *out = (struct bytes){at, (size_t)st.st_size};
    return 0;
}

void memfile_unmap(struct bytes *mapped)
{
    if (mapped->at) {
        int result = munmap((void *)(uintptr_t)mapped->at, mapped->n);
        ASSERT(result == 0);
    }
    *mapped = (struct bytes){0};
}

char *memfile_text(int fd, size_t max)
{
    struct stat st;
    size_t n = 0;
    /* Seals are a memfd's only: reading any other file may wait, for as long as whoever sent it
     * likes. */
    if (fcntl(fd, F_GET_SEALS) == SEALS && fstat(fd, &st) == 0 && st.st_size > 0)
        n = (uint64_t)st.st_size < max ? (size_t)st.st_size : max;
    char *text = mem_alloc(n + 1);
    size_t have = 0;
    while (have < n) {
        ssize_t got = pread(fd, text + have, n - have, (off_t)have);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    text[have] = 0;
    return text;
}
