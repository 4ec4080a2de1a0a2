/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "role/memfile.h"
#include "role/page.h"
#include "test.h"

#include "base/ban.h"

TEST(a_memfile_cannot_be_changed)
{
    struct error err;
    struct bytes mapped;
    int fd = memfile_new("test", BYTES("content"), &err);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, "x", 1, 0) < 0);
    CHECK(ftruncate(fd, 0) < 0);
    CHECK(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK_INT(memfile_map(fd, &mapped, &err), 0);
    CHECK(bytes_equal(mapped, BYTES("content")));
    memfile_unmap(&mapped);
    close(fd);
}

TEST(an_empty_memfile_is_empty)
{
    struct error err;
    struct bytes mapped;
    int fd = memfile_new("test", (struct bytes){0}, &err);
    CHECK_INT(memfile_map(fd, &mapped, &err), 0);
    CHECK_INT(mapped.n, 0);
    memfile_unmap(&mapped);
    close(fd);
}

TEST(text_is_bounded_and_any_descriptor_will_do)
{
    struct error err;
    int pipe_fds[2];
    int fd = memfile_new("test", BYTES("0123456789"), &err);
    char *text = memfile_text(fd, 4);
    CHECK_TEXT(text, "0123");
    free(text);
    CHECK_INT(pipe(pipe_fds), 0); /* reading it would wait for ever */
    text = memfile_text(pipe_fds[0], 4);
    CHECK_TEXT(text, "");
    free(text);
    int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(write(unsealed, "0123", 4) == 4);
    text = memfile_text(unsealed, 4);
    CHECK_TEXT(text, "");
    free(text);
    close(unsealed);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(fd);
}

TEST(workers_see_the_page_and_cannot_write_it)
{
    struct error err;
    int fd = -1;
    struct page *page = page_new(&fd, &err);
    const struct page *seen = page_map(fd, &err);
    CHECK_INT(page_generation(seen), 0);
    page_publish(page, 7);
    CHECK_INT(page_generation(seen), 7);
    CHECK(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK(pwrite(fd, "x", 1, 0) < 0);
    page_unmap(&seen);
    seen = page;
    page_unmap(&seen);
    close(fd);
}
