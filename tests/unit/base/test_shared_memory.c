/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/shared_memory.h"
#include "test.h"

#include "base/ban.h"

#define SIZE 8192

TEST(what_one_writes_another_reads)
{
    struct error err;
    int fd;
    CHECK_INT(shared_memory_new("test", SIZE, &fd, &err), 0);
    char *writer = shared_memory_map(fd, SIZE, SHARED_MEMORY_WRITE, &err);
    const char *reader = shared_memory_map(fd, SIZE, SHARED_MEMORY_READ, &err);
    memcpy(writer + SIZE - 5, "last", 5);
    CHECK_TEXT(reader + SIZE - 5, "last");
    shared_memory_unmap(writer, SIZE);
    shared_memory_unmap(reader, SIZE);
    close(fd);
}

TEST(its_size_is_fixed)
{
    struct error err;
    int fd;
    CHECK_INT(shared_memory_new("test", SIZE, &fd, &err), 0);
    CHECK_INT(ftruncate(fd, SIZE / 2), -1);
    CHECK_INT(ftruncate(fd, SIZE * 2), -1);
    CHECK(!shared_memory_map(fd, SIZE * 2, SHARED_MEMORY_READ, &err));
    CHECK_TEXT(err.text, "no shared memory of 16384 bytes: Invalid argument");
    close(fd);
}

TEST(memory_that_could_shrink_is_refused)
{
    struct error err;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK_INT(ftruncate(fd, SIZE), 0);
    CHECK(!shared_memory_map(fd, SIZE, SHARED_MEMORY_WRITE, &err));
    CHECK(!shared_memory_map(fd, SIZE, SHARED_MEMORY_READ, &err));
    CHECK_INT(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    void *at = shared_memory_map(fd, SIZE, SHARED_MEMORY_READ, &err);
    CHECK(at != NULL);
    shared_memory_unmap(at, SIZE);
    close(fd);
}
