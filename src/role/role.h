/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role — the processes of a running instance. The supervisor starts each of the others by executing
 * this binary anew with the role's title as argv[0] ("sallyport: worker 0"), so that each has an
 * address space of its own and its title stands in /proc/PID/cmdline. The supervisor gets its own
 * title in the same way.
 *
 * A role begins with its channel to the supervisor on ROLE_CHANNEL_FD, /dev/null as input and
 * output, the supervisor's stderr, and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"

#define ROLE_CHANNEL_FD 3
#define ROLE_TITLE_MAX  48
/* The supervisor's first argument; the second is the configuration's path, if one was given. */
#define ROLE_BOXED   "sandboxed"
#define ROLE_UNBOXED "unsandboxed"

enum role {
    ROLE_SUPERVISOR,
    ROLE_LOADER,
    ROLE_CONTROL,
    ROLE_LOGGER,
    ROLE_WORKER,
    ROLE_SIGNER,
    ROLE_COUNT
};

/* `sallyport run [-c FILE] [--sandbox=off]`: the supervisor, in the foreground. */
int supervisor_run(int argc, char **argv);

/* Is TITLE (argv[0]) that of a role? */
bool role_is_title(const char *title);
/* Does that role meet private keys that it must not keep? */
bool role_wipes_memory(const char *title);
/* Be that role. */
int role_run(int argc, char **argv);

/* "worker 0"; roles of which there is one carry no number. */
void role_name(enum role r, unsigned index, char out[ROLE_TITLE_MAX]);
/* The name as argv[0]. */
void role_title(enum role r, unsigned index, char out[ROLE_TITLE_MAX]);

/* A descriptor of the binary that runs now, whatever has become of its file: for role_execute. -1
 * with ERR. */
int role_open_binary(struct error *err) MUST_USE;
/* Execute BINARY_FD as the role of TITLE. Returns only on failure. */
void role_execute(
    int binary_fd, const char *title, char *const *arguments, char *const *environment);
