/* SPDX-License-Identifier: Apache-2.0 */
#include "role/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/load.h"
#include "role/landlock.h"

#include "base/ban.h"

#define KEEP(capability) (1ULL << (capability))
#define READ             (LANDLOCK_READ_FILE | LANDLOCK_READ_DIR)
/* Of nobody but itself and its children. */
#define ALONE     (LANDLOCK_SIGNALS | LANDLOCK_ABSTRACT_SOCKETS)
#define BOTH_WAYS (LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP)
#define NO_LIMIT  RLIM_INFINITY
/* Reports and the address book travel as memory files, and those count as files. */
#define MEMORY_FILE_MAX (16u << 20)
/* Control's store, and what it proposes. */
#define STATE_FILE_MAX (1u << 30)

static const struct row {
    bool keeps_user, keeps_root;
    uint64_t capabilities; /* those that stay, of those there are */
    int namespaces;        /* of its own, that are empty */
    struct sandbox_landlock landlock;
    rlim_t file_bytes_max;
} rows[ROLE_COUNT] = {
    /* Its capabilities: ports below 1024; other users, a root folder and a bound for its children;
     * to kill them as they are others'; to give control its folder; the loader's. It creates log
     * files and the state folder, and nothing else. Its Landlock is its children's, too, so it
     * cannot say whom they may connect to, nor that only control removes files; the service
     * manager's socket may be an abstract one. */
    [ROLE_SUPERVISOR] = {.keeps_user = true,
        .capabilities = KEEP(CAP_NET_BIND_SERVICE) | KEEP(CAP_SETUID) | KEEP(CAP_SETGID) |
                        KEEP(CAP_SYS_CHROOT) | KEEP(CAP_SETPCAP) | KEEP(CAP_KILL) |
                        KEEP(CAP_CHOWN) | KEEP(CAP_DAC_READ_SEARCH),
        .landlock = {.files = READ | LANDLOCK_WRITE_FILE | LANDLOCK_MAKE_REG | LANDLOCK_MAKE_DIR |
                              LANDLOCK_REMOVE_FILE | LANDLOCK_TRUNCATE,
            .executes_self = true,
            .scoped = LANDLOCK_SIGNALS},
        .file_bytes_max = NO_LIMIT},
    /* Reads whatever the operator names: keys are root's, or another user's. */
    [ROLE_LOADER] = {.keeps_user = true,
        .capabilities = KEEP(CAP_DAC_READ_SEARCH),
        .landlock = {.files = READ, .tcp = BOTH_WAYS, .scoped = ALONE},
        .file_bytes_max = NO_LIMIT},
    /* c-ares 1.18 makes its query numbers from /dev/urandom, each time that name servers change. */
    [ROLE_CONTROL] = {.keeps_root = true,
        .landlock = {.reads = "/dev/urandom", .tcp = LANDLOCK_BIND_TCP, .scoped = ALONE},
        .file_bytes_max = STATE_FILE_MAX},
    [ROLE_LOGGER] = {.namespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
        .landlock = {.tcp = BOTH_WAYS, .scoped = ALONE},
        .file_bytes_max = NO_LIMIT},
    [ROLE_WORKER] = {.landlock = {.tcp = LANDLOCK_BIND_TCP, .scoped = ALONE},
        .file_bytes_max = MEMORY_FILE_MAX},
    /* What it has, nobody is to have. */
    [ROLE_SIGNER] = {.namespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
        .landlock = {.tcp = BOTH_WAYS, .scoped = ALONE},
        .file_bytes_max = LOAD_TOTAL_MAX},
};

/* What this process is; written once, by sandbox_enter. */
static enum role role;
static bool is_off, must_tell;
static int kept_folder = -1;

/* Say, in the first process of a kind, what there is not; errno says why. */
static void lacks(const char *what)
{
    if (must_tell)
        log_warning("sandbox: without %s (%s)", what, strerrordesc_np(errno));
}

int sandbox_make_root(void)
{
    char in_tmp[] = "/tmp/sallyport-root-XXXXXX", in_run[] = "/run/sallyport-root-XXXXXX";
    if (IS_SANITIZED)
        return -1;
    char *path = mkdtemp(in_tmp);
    if (!path)
        path = mkdtemp(in_run);
    int fd = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || chmod(path, 0555) < 0)
        lacks("an empty root folder");
    /* Into what has no name, nothing can be put. */
    if (path)
        rmdir(path);
    return fd;
}

static int go_to(int root_fd)
{
    return fchdir(root_fd) < 0 || chroot(".") < 0 ? -1 : 0;
}

/* Namespaces of its own are made as the user and before the root folder is changed: the kernel
 * gives none to whoever is in a chroot. Whoever may not change the root folder (an instance that
 * was not started by root) may in a user namespace. */
static void isolate(const struct row *r, int root_fd)
{
    bool is_apart = r->namespaces && unshare(CLONE_NEWUSER | r->namespaces) == 0;
    if (r->namespaces && !is_apart && must_tell) /* it can open no socket, either way */
        log_info("sandbox: without a network namespace of its own (%s)", strerrordesc_np(errno));
    if (root_fd < 0 || r->keeps_root)
        return;
    int failed = go_to(root_fd);
    if (failed && !is_apart)
        failed = unshare(CLONE_NEWUSER) < 0 || go_to(root_fd) < 0;
    if (failed)
        lacks("an empty root folder");
}

static int become_servant(
    const struct row *r, const struct identity *who, int root_fd, struct error *err)
{
    /* CAP_SYS_CHROOT is needed once more after the change of user. */
    if (!is_off && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return error_errno(err, errno, "cannot keep capabilities for a moment");
    if (privilege_become(who, err) < 0)
        return -1;
    if (!is_off && sandbox_raise_capabilities() < 0)
        return error_errno(err, errno, "cannot keep capabilities for a moment");
    if (!is_off && !IS_SANITIZED)
        isolate(r, root_fd);
    return privilege_forbid_processes(err);
}

int sandbox_enter(enum role r, const struct start *start, int root_fd, struct error *err)
{
    const struct row *row = &rows[r];
    role = r;
    is_off = start->is_sandbox_off;
    must_tell = start->must_tell;
    int failed = row->keeps_user ? 0 : become_servant(row, &start->identity, root_fd, err);
    if (root_fd >= 0)
        close(root_fd);
    if (!failed && !is_off && sandbox_keep_capabilities(row->capabilities) < 0)
        failed = error_errno(err, errno, "cannot give up capabilities");
    return failed ? -1 : privilege_harden(err);
}

static int limit_files(rlim_t bytes_max, struct error *err)
{
    struct rlimit limit = {bytes_max, bytes_max};
    /* Too much is an error where it is written, and not the end of the process. */
    signal(SIGXFSZ, SIG_IGN);
    if (bytes_max != NO_LIMIT && setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return error_errno(err, errno, "cannot limit the size of files");
    return 0;
}

/* A kernel without Landlock, or with an early one, is done without; one that has it and refuses is
 * not. The supervisor tells for all. */
static int restrict_files_and_ports(struct sandbox_landlock l, struct error *err)
{
    int version = sandbox_landlock_version();
    if (version < 0 && role == ROLE_SUPERVISOR)
        lacks("Landlock");
    if (version < 0)
        return 0;
    if (version < SANDBOX_LANDLOCK_LATEST && role == ROLE_SUPERVISOR)
        log_info("sandbox: Landlock of version %d; ports take version 4, signals version %d",
            version, SANDBOX_LANDLOCK_LATEST);
    if (IS_SANITIZED) /* it reads /proc/self, and executes what finds the names of functions */
        l.files |= READ | LANDLOCK_EXECUTE;
    return sandbox_restrict(&l) < 0 ? error_errno(err, errno, "cannot be restricted by Landlock")
                                    : 0;
}

void sandbox_keep_folder(int folder)
{
    kept_folder = folder;
}

int sandbox_seal(struct error *err)
{
    struct sandbox_landlock landlock = rows[role].landlock;
    if (is_off)
        return 0;
    if (kept_folder >= 0)
        landlock.folder = &kept_folder;
    if (limit_files(rows[role].file_bytes_max, err) < 0 ||
        restrict_files_and_ports(landlock, err) < 0)
        return -1;
    if (sandbox_filter_calls(role) < 0)
        return error_errno(err, errno,
            "this kernel takes no list of system calls to allow (seccomp); use one that does, or "
            "start with --sandbox=off");
    return 0;
}
