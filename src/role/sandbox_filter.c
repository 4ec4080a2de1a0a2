/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/attributes.h"
#include "role/sandbox.h"

#include "base/ban.h"

#define ARGUMENTS_MAX 3

/* Argument INDEX must have VALUE in the bits of MASK. A mask of 0: any will do. */
struct argument {
    unsigned index;
    uint64_t mask, value;
};

struct rule {
    int call;       /* negative: this kind of machine has no such call */
    unsigned roles; /* who may make it */
    struct argument arguments[ARGUMENTS_MAX];
};

#define SUPERVISOR (1u << ROLE_SUPERVISOR)
#define LOADER     (1u << ROLE_LOADER)
#define CONTROL    (1u << ROLE_CONTROL)
#define LOGGER     (1u << ROLE_LOGGER)
#define WORKER     (1u << ROLE_WORKER)
#define SIGNER     (1u << ROLE_SIGNER)
#define SERVANTS   (CONTROL | LOGGER | WORKER | SIGNER)
#define EVERYONE   (SUPERVISOR | LOADER | SERVANTS)

/* An int is 32 bits: the kernel does not look at the others, and neither do we. */
#define IS(index, value)         \
    {                            \
        index, 0xffffffff, value \
    }
#define BITS(index, mask, value) \
    {                            \
        index, mask, value       \
    }
#define HAS_NO(index, bits) \
    {                       \
        index, bits, 0      \
    }
#define ONLY(index, bits)                        \
    {                                            \
        index, 0xffffffff & ~(uint64_t)(bits), 0 \
    }

static const struct rule rules[] = {
#define CALL(name, roles, ...) {SCMP_SYS(name), roles, {__VA_ARGS__}},
#include "role/sandbox_calls.def"
#undef CALL
};

static int add_rule(scmp_filter_ctx filter, const struct rule *r)
{
    struct scmp_arg_cmp compared[ARGUMENTS_MAX];
    unsigned n = 0;
    for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
        const struct argument *a = &r->arguments[i];
        if (a->mask)
            compared[n++] = SCMP_CMP64(a->index, SCMP_CMP_MASKED_EQ, a->mask, a->value);
    }
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, r->call, n, compared);
}

/* What a process that is about to crash does with itself, and only with itself. */
static int allow_abort(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
        SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, 0xffffffff, (uint64_t)getpid()));
}

static int fill(scmp_filter_ctx filter, enum role r)
{
    /* Calls of another architecture (32-bit ones on x86-64) are none of ours. The filter is a tree:
     * kernels before 5.11 walk it for each call. */
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < COUNT_OF(rules) && !failed; i++)
        if (rules[i].call >= 0 && (rules[i].roles & 1u << r))
            failed = add_rule(filter, &rules[i]);
    /* The supervisor's children abort, too, under its filter: it has a rule without a process. */
    if (!failed && r != ROLE_SUPERVISOR)
        failed = allow_abort(filter);
    return failed;
}

int sandbox_filter_calls(enum role r)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter) {
        errno = ENOMEM;
        return -1;
    }
    int failed = fill(filter, r);
    if (!failed)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    errno = -failed;
    return failed ? -1 : 0;
}
