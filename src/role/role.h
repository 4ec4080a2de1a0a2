/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role — the processes of a running instance. The supervisor starts each of the others by executing this binary anew
 * with the role's title as argv[0] ("sallyport: worker 0"), so that each has an address space of its own and its title
 * stands in /proc/PID/cmdline.
 */
#pragma once

#include <stdbool.h>

/* `sallyport run [-c FILE]`: the supervisor, in the foreground. */
int supervisor_run(int argc, char **argv);

/* Is TITLE (argv[0]) that of a role started by the supervisor? */
bool role_is_title(const char *title);
/* Be that role; its channel to the supervisor is descriptor 3. */
int role_run(const char *title);
