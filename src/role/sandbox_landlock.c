/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "role/landlock.h"
#include "role/sandbox.h"

#include "base/ban.h"

/* What there is to take away, by the version of the interface that knows it. A kernel refuses what
 * it does not know. */
static const struct {
    int abi;
    uint64_t files, tcp, scoped;
} known[] = {
    {1, .files = LANDLOCK_FILES_1},
    {2, .files = LANDLOCK_REFER},
    {3, .files = LANDLOCK_TRUNCATE},
    {4, .tcp = LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP},
    {5, .files = LANDLOCK_IOCTL_DEV},
    {6, .scoped = LANDLOCK_ABSTRACT_SOCKETS | LANDLOCK_SIGNALS},
};

static int allow(int ruleset, int fd, uint64_t access)
{
    struct landlock_path rule = {.access = access, .fd = fd};
    if (fd < 0)
        return -1;
    int failed = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH, &rule, 0);
    int why = errno;
    close(fd);
    errno = why;
    return failed;
}

/* The first object told of is the program: which interpreter does it name? */
static int find_interpreter(struct dl_phdr_info *program, size_t size, void *out)
{
    for (unsigned i = 0; i < program->dlpi_phnum; i++)
        if (program->dlpi_phdr[i].p_type == PT_INTERP)
            *(const char **)out =
                (const char *)(uintptr_t)(program->dlpi_addr + program->dlpi_phdr[i].p_vaddr);
    return 1;
}

/* The kernel executes both. Libraries are not executed but mapped. */
static int allow_self(int ruleset)
{
    const char *interpreter = NULL;
    dl_iterate_phdr(find_interpreter, &interpreter);
    int failed = allow(ruleset, open("/proc/self/exe", O_PATH | O_CLOEXEC), LANDLOCK_EXECUTE);
    if (!failed && interpreter)
        failed = allow(ruleset, open(interpreter, O_PATH | O_CLOEXEC), LANDLOCK_EXECUTE);
    return failed;
}

#define FOLDER_RIGHTS                                                                   \
    (LANDLOCK_READ_FILE | LANDLOCK_READ_DIR | LANDLOCK_WRITE_FILE | LANDLOCK_MAKE_REG | \
        LANDLOCK_REMOVE_FILE | LANDLOCK_TRUNCATE)

static int fill(int ruleset, const struct sandbox_landlock *l, uint64_t handled)
{
    int failed = 0;
    if (l->files & handled)
        failed = allow(ruleset, open("/", O_PATH | O_CLOEXEC), l->files & handled);
    int read = !failed && l->reads ? open(l->reads, O_PATH | O_CLOEXEC) : -1;
    if (read >= 0) /* what does not exist needs no rule */
        failed = allow(ruleset, read, LANDLOCK_READ_FILE);
    if (!failed && l->folder)
        failed = allow(ruleset, fcntl(*l->folder, F_DUPFD_CLOEXEC, 0), FOLDER_RIGHTS & handled);
    if (!failed && l->executes_self)
        failed = allow_self(ruleset);
    return failed;
}

int sandbox_landlock_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
}

int sandbox_restrict(const struct sandbox_landlock *l)
{
    int abi = sandbox_landlock_version();
    struct landlock_rules handled = {0};
    for (size_t i = 0; i < COUNT_OF(known) && known[i].abi <= abi; i++) {
        handled.files |= known[i].files;
        handled.tcp |= known[i].tcp & l->tcp;
        handled.scoped |= known[i].scoped & l->scoped;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
    if (ruleset < 0)
        return -1;
    int failed = fill(ruleset, l, handled.files);
    if (!failed)
        failed = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    int why = errno;
    close(ruleset);
    errno = why;
    return failed;
}
