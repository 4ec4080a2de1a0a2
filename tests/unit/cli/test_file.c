/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/file.h"
#include "test.h"

static char folder[] = "/tmp/sallyport-test-XXXXXX";
static char path[64];

static void enter_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/sallyport-test-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/f", folder);
}

/* The folder holds the one file, and nothing half-written. */
static void leave_folder(size_t want)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    CHECK_INT(n, want);
    unlink(path);
    CHECK_INT(rmdir(folder), 0);
}

static bool holds(const char *text)
{
    struct buf content;
    if (file_read(path, &content, NULL) < 0)
        return false;
    bool same = bytes_equal(buf_bytes(&content), bytes_of(text));
    buf_fini(&content);
    return same;
}

TEST(a_secret_is_for_its_owner_only)
{
    struct stat s;
    enter_folder();
    CHECK_INT(file_write(path, BYTES("a"), FILE_SECRET, false, NULL), 0);
    CHECK(stat(path, &s) == 0 && (s.st_mode & 0777) == 0600);
    CHECK(holds("a"));
    leave_folder(1);
}

TEST(nothing_is_replaced_without_being_asked)
{
    struct error err;
    enter_folder();
    CHECK_INT(file_write(path, BYTES("a"), FILE_PUBLIC, false, NULL), 0);
    CHECK_INT(file_write(path, BYTES("b"), FILE_PUBLIC, false, &err), -1);
    CHECK(strstr(err.text, "exists already; --force replaces it"));
    CHECK(holds("a"));
    CHECK_INT(file_write(path, BYTES("b"), FILE_SECRET, true, NULL), 0);
    CHECK(holds("b"));
    leave_folder(1);
}

TEST(what_cannot_be_read_is_named)
{
    struct buf content;
    struct error err;
    enter_folder();
    CHECK_INT(file_read(path, &content, &err), -1);
    CHECK(strstr(err.text, path));
    CHECK_INT(file_read(folder, &content, &err), -1);
    CHECK(strstr(err.text, folder));
    leave_folder(0);
}
