/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox — what each process gives up, so that whoever takes it over gets little: an empty root
 * folder and namespaces of its own (sandbox_enter), then Landlock, resource limits and the list of
 * system calls that it may make (sandbox_seal). A call that is not on the list ends the process.
 *
 * The lists are in sandbox_calls.def, the rest in the table of sandbox.c. Without seccomp a process
 * does not start; what else the kernel lacks or forbids is said once and done without.
 *
 * A role opens and initialises everything that takes files or rare system calls, then seals itself,
 * then hears what the network says.
 */
#pragma once

#include "role/role.h"
#include "role/roles.h"

/* The supervisor, before it seals itself: a folder without content or name, where the others live.
 * -1: there is nowhere to make one. */
int sandbox_make_root(void);

/* Be role R from here on: become the user, go to ROOT_FD (-1: none), leave the network where the
 * role needs none, give up capabilities. For a role that keeps its user: only the capabilities.
 * Closes ROOT_FD. */
int sandbox_enter(enum role r, const struct start *start, int root_fd, struct error *err) MUST_USE;

/* Before sandbox_seal: FOLDER, an open one, is this role's to keep files in. It stays the caller's.
 */
void sandbox_keep_folder(int folder);

/* From now on only what the role's row and list allow. Nothing if it runs with --sandbox=off. */
int sandbox_seal(struct error *err) MUST_USE;

/* ---- the parts; each fails with errno ---- */

/* sandbox_filter.c: only the calls of role R. */
int sandbox_filter_calls(enum role r) MUST_USE;

/* What Landlock takes away from a process, with the words of landlock(7). */
struct sandbox_landlock {
    uint64_t files;    /* LANDLOCK_ACCESS_FS_* that stay, anywhere */
    const char *reads; /* a file that stays readable, or NULL */
    const int *folder; /* an open folder whose files it may make, read, write, rename and remove, or
                          NULL */
    bool executes_self; /* may execute this program */
    uint64_t tcp;       /* LANDLOCK_ACCESS_NET_* that are gone */
    uint64_t scoped;    /* LANDLOCK_SCOPE_*: only towards itself and its children */
};

/* sandbox_landlock.c: the version of the kernel's Landlock; -1: it has none, or hides it. */
int sandbox_landlock_version(void) MUST_USE;
#define SANDBOX_LANDLOCK_LATEST 6 /* of those whose additions are used */
/* sandbox_landlock.c: what this kernel knows of L. */
int sandbox_restrict(const struct sandbox_landlock *l) MUST_USE;

/* sandbox_capability.c: have in effect what is permitted: a change of user has ended it. */
int sandbox_raise_capabilities(void) MUST_USE;
/* sandbox_capability.c: keep, of the capabilities that there are, only those in KEPT (bits). */
int sandbox_keep_capabilities(uint64_t kept) MUST_USE;
