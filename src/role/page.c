/* SPDX-License-Identifier: Apache-2.0 */
#include "role/page.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/panic.h"

#include "base/ban.h"

/* F_SEAL_FUTURE_WRITE leaves the supervisor its writable mapping and denies others theirs. */
#define SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct page *page_new(int *fd_out, struct error *err)
{
    int fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(struct page)) == 0)
        at = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED && fcntl(fd, F_ADD_SEALS, SEALS) == 0) {
        *fd_out = fd;
        return at;
    }
    error_errno(err, errno, "no memory shared with the workers");
    if (at != MAP_FAILED)
        munmap(at, sizeof(struct page));
    if (fd >= 0)
        close(fd);
    return NULL;
}

const struct page *page_map(int fd, struct error *err)
{
    void *at = mmap(NULL, sizeof(struct page), PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        return at;
    error_errno(err, errno, "no memory shared with the supervisor");
    return NULL;
}

void page_unmap(const struct page **page)
{
    if (!*page)
        return;
    int result = munmap((void *)(uintptr_t)*page, sizeof(struct page));
    ASSERT(result == 0);
    *page = NULL;
}
