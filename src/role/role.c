/* SPDX-License-Identifier: Apache-2.0 */
#include "role/role.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "role/message.h"
#include "role/roles.h"
#include "role/sandbox.h"

#include "base/ban.h"

#define TITLE_PREFIX "sallyport: "
/* Above what a role begins with, so that arranging those descriptors does not overwrite it. */
#define BINARY_FD_MIN 10
#define ARGUMENTS_MAX 2

static const struct row {
    const char *name;
    bool is_numbered;
    role_fn *run;
    void (*open_files)(void); /* that are not where the sandbox puts it; NULL: it needs none */
} rows[ROLE_COUNT] = {
    [ROLE_SUPERVISOR] = {"supervisor", false, NULL},
    [ROLE_LOADER] = {"loader", false, loader_run},
    [ROLE_CONTROL] = {"control", false, control_run},
    [ROLE_LOGGER] = {"logger", false, logger_run},
    [ROLE_WORKER] = {"worker", true, worker_run, worker_open_files},
    [ROLE_SIGNER] = {"signer", false, signer_run},
};

/* ROLE_COUNT if TITLE is none. */
static enum role find_title(const char *title)
{
    size_t prefix = strlen(TITLE_PREFIX);
    if (!title || strncmp(title, TITLE_PREFIX, prefix) != 0)
        return ROLE_COUNT;
    struct bytes word = bytes_of(title + prefix);
    word = bytes_first(word, bytes_find(word, ' '));
    enum role r = ROLE_SUPERVISOR;
    while (r < ROLE_COUNT && !bytes_equal(word, bytes_of(rows[r].name)))
        r++;
    return r;
}

bool role_is_title(const char *title)
{
    return find_title(title) != ROLE_COUNT;
}

bool role_wipes_memory(const char *title)
{
    return find_title(title) == ROLE_CONTROL;
}

void role_name(enum role r, unsigned index, char out[ROLE_TITLE_MAX])
{
    if (rows[r].is_numbered)
        snprintf(out, ROLE_TITLE_MAX, "%s %u", rows[r].name, index);
    else
        snprintf(out, ROLE_TITLE_MAX, "%s", rows[r].name);
}

void role_title(enum role r, unsigned index, char out[ROLE_TITLE_MAX])
{
    char name[ROLE_TITLE_MAX];
    role_name(r, index, name);
    snprintf(out, ROLE_TITLE_MAX, TITLE_PREFIX "%.30s", name);
}

/* The first message says who to be. The supervisor has spoken before we run, so this does not wait
 * for long. */
static int receive_start(struct start *out, int *root_fd)
{
    struct message m;
    uint8_t text[MESSAGE_TEXT_MAX];
    if (message_receive(ROLE_CHANNEL_FD, &m, text) != MESSAGE_OK)
        return -1;
    if (m.type != MESSAGE_START || m.text.n != sizeof(*out)) {
        message_close(&m);
        return -1;
    }
    memcpy(out, m.text.at, sizeof(*out));
    *root_fd = message_take(&m, 0);
    return 0;
}

int role_run(int argc, char **argv)
{
    enum role r = find_title(argv[0]);
    ASSERT(r != ROLE_COUNT);
    /* Executed by descriptor, we would be called after its number in ps and top. */
    prctl(PR_SET_NAME, "sallyport", 0, 0, 0);
    log_init(argv[0] + strlen(TITLE_PREFIX));
    tzset(); /* reads /etc/localtime now, and not where the first time is put into words */
    if (r == ROLE_SUPERVISOR)
        return supervisor_main(
            argc > 2 ? argv[2] : NULL, argc > 1 && strcmp(argv[1], ROLE_UNBOXED) == 0);
    struct start start;
    struct error err;
    int root_fd;
    if (receive_start(&start, &root_fd) < 0) {
        fputs("sallyport: this name is for processes that `sallyport run` starts\n", stderr);
        return 2;
    }
    if (rows[r].open_files)
        rows[r].open_files();
    /* Privileges are given up here, after the execution and before anything of the network is
     * touched, rather than between fork and execution: the user need not be able to reach the
     * binary, and what holds for this process only (undumpable) survives. Until now it has only
     * read from its supervisor. */
    if (sandbox_enter(r, &start, root_fd, &err) < 0) {
        log_error("%s", err.text);
        return 1;
    }
    return rows[r].run(start.index);
}

int role_open_binary(struct error *err)
{
    int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot find this program's file; is /proc mounted?");
    int high = fcntl(fd, F_DUPFD_CLOEXEC, BINARY_FD_MIN);
    if (high < 0)
        error_errno(err, errno, "no descriptor for this program's file");
    close(fd);
    return high;
}

void role_execute(
    int binary_fd, const char *title, char *const *arguments, char *const *environment)
{
    char *argv[ARGUMENTS_MAX + 2] = {mem_strdup(title)};
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    execveat(binary_fd, "", argv, environment, AT_EMPTY_PATH);
}
