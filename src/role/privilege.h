/* SPDX-License-Identifier: Apache-2.0 */
/* privilege — who a role may be: the user that it becomes, and what it gives up for good. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct identity {
    bool must_change; /* false: stay who we are (not started as root) */
    uid_t uid;
    gid_t gid;
};

/* Who the unprivileged roles are to be, for the configuration's `user` ("": sallyport if it exists,
 * else nobody). */
int privilege_resolve(const char *user, struct identity *out, struct error *err) MUST_USE;

/* As many descriptors as the hard limit allows, memory to be locked as we may, and no core dumps;
 * inherited by all that is executed. */
void privilege_set_limits(void);
/* No privileges by executing something, no core dump or debugger that shows memory. For every role.
 */
int privilege_harden(struct error *err) MUST_USE;
/* Become WHO, for good. */
int privilege_become(const struct identity *who, struct error *err) MUST_USE;
/* No process can be started from this one any more. */
int privilege_forbid_processes(struct error *err) MUST_USE;
