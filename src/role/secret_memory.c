/* SPDX-License-Identifier: Apache-2.0 */
#include "role/secret_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define WHAT "memory for keys"

/* A kernel may lack it, or have it switched off (secretmem.enable=0, the default before 6.5); and
 * it is locked memory, of which there may be too little. Ordinary memory is kept out of swap and
 * dumps as far as it can be. */
static int open_secret(size_t size, void **at)
{
    int fd = (int)syscall(SYS_memfd_secret, (long)O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) == 0)
        *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*at != MAP_FAILED)
        return fd;
    close(fd);
    return -1;
}

static int open_ordinary(size_t size, void **at)
{
    int fd = memfd_create("key store", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) == 0)
        *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*at != MAP_FAILED) {
        ignore_result(madvise(*at, size, MADV_DONTDUMP));
        ignore_result(mlock(*at, size));
        return fd;
    }
    close(fd);
    return -1;
}

int secret_memory_new(struct bytes content, struct error *err)
{
    void *at = MAP_FAILED;
    size_t size = content.n ? content.n : 1;
    int fd = open_secret(size, &at);
    if (fd < 0)
        fd = open_ordinary(size, &at);
    if (fd < 0)
        return error_errno(err, errno, "no " WHAT);
    if (content.n)
        memcpy(at, content.at, content.n);
    struct bytes mapped = {at, size};
    secret_memory_unmap(&mapped);
    return fd;
}

int secret_memory_map(int fd, struct bytes *out, struct error *err)
{
    struct stat st;
    *out = (struct bytes){0};
    if (fstat(fd, &st) < 0 || st.st_size <= 0)
        return error_errno(err, errno, WHAT);
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return error_errno(err, errno, WHAT " of %lld bytes", (long long)st.st_size);
    ignore_result(madvise(at, (size_t)st.st_size, MADV_DONTDUMP));
    *out = (struct bytes){at, (size_t)st.st_size};
    return 0;
}

void secret_memory_unmap(struct bytes *mapped)
{
    if (mapped->at) {
        int result = munmap((void *)(uintptr_t)mapped->at, mapped->n);
        ASSERT(result == 0);
    }
    *mapped = (struct bytes){0};
}

/* ---- the whole process ---- */

/* More than some hundred keys, and the arithmetic with them, take. */
#define HEAP_BYTES (4u << 20)

/* Some of the stack, below what is in use. */
#define STACK_BYTES (64u << 10)
#define PAGE        4096u

static bool lock_range(uintptr_t first, uintptr_t last)
{
    first &= ~(uintptr_t)(PAGE - 1);
    void *at = (void *)first;
    ignore_result(madvise(at, last - first, MADV_DONTDUMP));
    return mlock2(at, last - first, MLOCK_ONFAULT) == 0;
}

/* The heap, made large enough beforehand; what it may need beyond that is not locked. */
static bool lock_heap(void)
{
    ignore_result(mallopt(M_MMAP_THRESHOLD, (int)HEAP_BYTES));
    ignore_result(mallopt(M_TRIM_THRESHOLD, INT_MAX));
    free(mem_alloc_raw(HEAP_BYTES / 2));
    uintptr_t end = (uintptr_t)sbrk(0);
    size_t size = mallinfo2().arena;
    return size && size <= end && lock_range(end - size, end);
}

static bool lock_stack(void)
{
    uint8_t room[STACK_BYTES];
    mem_wipe(room, sizeof(room)); /* it is there from now on */
    return lock_range((uintptr_t)room, (uintptr_t)(room + sizeof(room)));
}

bool secret_memory_lock_process(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY &&
        mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
        return true;
    /* With a limit, locking the future would make allocations fail once it is reached. */
    return lock_heap() && lock_stack();
}
