/* SPDX-License-Identifier: Apache-2.0 */
/* roles — the main functions of the roles, and what each is told first. */
#pragma once

#include <stdint.h>

#include "role/privilege.h"

/* The text of MESSAGE_START. */
struct start {
    uint32_t index; /* which of its kind */
    struct identity identity;
    bool is_sandbox_off;
    bool must_tell; /* the first of its kind says what the sandbox has to do without */
};

/* The exit status. Called with the channel on ROLE_CHANNEL_FD, privileges given up (except the
 * loader's), and the signals that the supervisor handles blocked. It calls sandbox_seal. */
typedef int role_fn(unsigned index);

int loader_run(unsigned index);
int control_run(unsigned index);
int logger_run(unsigned index);
int worker_run(unsigned index);
/* Before it goes where there are no files. */
void worker_open_files(void);
int signer_run(unsigned index);

/* CONFIG: the path as given, or NULL. */
int supervisor_main(const char *config, bool is_sandbox_off);
