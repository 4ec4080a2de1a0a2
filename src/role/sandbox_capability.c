/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "role/sandbox.h"

#include "base/ban.h"

struct capabilities {
    struct __user_cap_header_struct head;
    struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

/* Without CAP_SETPCAP the bound stays as it is. It counts when a program is executed, and then only
 * for one that has privileges of its own, which no_new_privs excludes. */
static int lower_bound(uint64_t kept)
{
    for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (!(kept & 1ULL << capability) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 &&
            errno != EPERM)
            return -1;
    return 0;
}

static int get(struct capabilities *c)
{
    *c = (struct capabilities){.head = {.version = _LINUX_CAPABILITY_VERSION_3}};
    return (int)syscall(SYS_capget, &c->head, c->words);
}

int sandbox_raise_capabilities(void)
{
    struct capabilities c;
    if (get(&c) < 0)
        return -1;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        c.words[i].effective = c.words[i].permitted;
    return (int)syscall(SYS_capset, &c.head, c.words);
}

int sandbox_keep_capabilities(uint64_t kept)
{
    struct capabilities c;
    if (lower_bound(kept) < 0 || get(&c) < 0)
        return -1;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t word = (uint32_t)(kept >> 32 * i);
        c.words[i].permitted &= word;
        c.words[i].effective &= word;
        /* What a program keeps over its execution (ambient ones) follows. */
        c.words[i].inheritable &= word;
    }
    return (int)syscall(SYS_capset, &c.head, c.words);
}
