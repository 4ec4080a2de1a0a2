/* SPDX-License-Identifier: Apache-2.0 */
#include "role/state_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/load.h"
#include "crypto/digest.h"

#include "base/ban.h"

#define PUBLIC_FILE    "sealing.pub"
#define CONTROL_FOLDER "control"

/* NAME with the octets of a half, durably: whole, or as it was. */
static int write_half(
    int folder, const char *name, const uint8_t half[SEALING_KEY_SIZE], mode_t mode)
{
    char beside[32];
    snprintf(beside, sizeof(beside), "%s.new", name);
    int fd = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    int failed = fd < 0 || write(fd, half, SEALING_KEY_SIZE) != SEALING_KEY_SIZE ||
                 fchmod(fd, mode) < 0 || fsync(fd) < 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (!failed)
        return renameat(folder, beside, folder, name);
    errno = why;
    return -1;
}

/* -1 with errno; ENODATA: it has another size. */
static int read_half(int folder, const char *name, uint8_t half[SEALING_KEY_SIZE])
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int failed = fd < 0 || fstat(fd, &st) < 0 ? -1 : 0;
    int why = failed ? errno : ENODATA;
    if (!failed &&
        (st.st_size != SEALING_KEY_SIZE || read(fd, half, SEALING_KEY_SIZE) != SEALING_KEY_SIZE))
        failed = -1;
    if (fd >= 0)
        close(fd);
    errno = why;
    return failed;
}

static bool exists(int folder, const char *name)
{
    struct stat st;
    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The public half first: a private one without it would never be used. */
static int make_halves(int folder, struct sealing_key *out)
{
    uint8_t private_half[SEALING_KEY_SIZE];
    random_fill(private_half, sizeof(private_half));
    sealed_find_key(private_half, out);
    int failed = write_half(folder, PUBLIC_FILE, out->public_half, 0644) < 0 ||
                 write_half(folder, LOAD_SEALING_KEY, private_half, 0600) < 0;
    mem_wipe(private_half, sizeof(private_half));
    return failed ? -1 : 0;
}

static int open_sealing_key(
    int folder, const char *path, struct sealing_key *out, struct error *err)
{
    if (!exists(folder, LOAD_SEALING_KEY))
        return make_halves(folder, out) == 0
                   ? 0
                   : error_errno(err, errno, "%s/%s cannot be made", path, LOAD_SEALING_KEY);
    return read_half(folder, PUBLIC_FILE, out->public_half) == 0
               ? 0
               : error_errno(err, errno,
                     "%s/%s cannot be read, which belongs to %s; put it back, or remove both, and "
                     "upload all certificates again",
                     path, PUBLIC_FILE, LOAD_SEALING_KEY);
}

static int open_control_folder(
    int folder, const char *path, const struct identity *who, struct error *err)
{
    bool is_made = mkdirat(folder, CONTROL_FOLDER, 0700) == 0;
    int fd = is_made || errno == EEXIST
                 ? openat(folder, CONTROL_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                 : -1;
    struct stat st;
    int failed = fd < 0 || fstat(fd, &st) < 0;
    /* Made by us or, at another time, for another user. */
    if (!failed && who->must_change && st.st_uid != who->uid)
        failed = fchown(fd, who->uid, who->gid);
    if (!failed)
        return fd;
    error_errno(err, errno, "%s/%s cannot be made control's", path, CONTROL_FOLDER);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Control reads access keys, and makes none. */
static int keep_from_writing(int *fd)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    if (reading < 0)
        return -1;
    close(*fd);
    *fd = reading;
    return 0;
}

/* Two instances would take each other's objects for their own. The lock ends with its holder. */
static int take(int folder, const char *path, struct error *err)
{
    if (flock(folder, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK
               ? error_set(err,
                     "the folder %s is in use by another instance; stop that one, or give this one "
                     "a `state` of its own",
                     path)
               : error_errno(err, errno, "the folder %s cannot be locked", path);
}

int state_folder_open(
    const char *path, const struct identity *who, struct state_folder *out, struct error *err)
{
    *out = (struct state_folder)STATE_FOLDER_NONE;
    if (access_keys_open_files(path, &out->keys, err) < 0) /* makes the folder */
        return -1;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    out->lock = folder;
    int failed = folder < 0 || keep_from_writing(&out->keys.list) < 0 ||
                         keep_from_writing(&out->keys.secret) < 0
                     ? error_errno(err, errno, "the folder %s", path)
                     : take(folder, path, err);
    if (!failed)
        failed = open_sealing_key(folder, path, &out->sealing, err);
    if (!failed)
        out->control = open_control_folder(folder, path, who, err);
    if (!failed && out->control >= 0 && fsync(folder) < 0)
        failed = error_errno(err, errno, "the folder %s", path);
    if (!failed && out->control >= 0)
        return 0;
    state_folder_close(out);
    return -1;
}

void state_folder_close(struct state_folder *f)
{
    if (f->control >= 0)
        close(f->control);
    if (f->lock >= 0)
        close(f->lock);
    f->control = f->lock = -1;
    access_keys_close_files(&f->keys);
}
