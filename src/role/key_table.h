/* SPDX-License-Identifier: Apache-2.0 */
/* key_table — the signer's keys of a generation (role/key_store.h), for whoever builds what uses
 * them: a worker its service, control its health checks. */
#pragma once

#include "role/key_store.h"

struct key_table {
    struct bytes table;
    struct key_handle handle; /* office and store, the same for all of them */
};

/* As find_key of struct service_source; OWNER is a struct key_table. */
bool key_table_find(void *owner, const char *name, struct held_key *out);
