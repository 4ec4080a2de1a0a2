/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_folder — what an instance keeps (`state: {dir: …}`), as the supervisor opens it for
 * control:
 *
 *   DIR/               the supervisor's user, 0711, which locks it: it serves one instance
 *   DIR/sealing.key    0600: what the signer opens the API's private keys with; nobody reads it but
 *                      the kernel, which copies it for the signer
 *   DIR/sealing.pub    the other half, which control is given
 *   DIR/api-keys …     api/access_keys.h
 *   DIR/control/       control's own, 0700: store.db, generation
 *
 * What is missing is made. Process: supervisor.
 */
#pragma once

#include "api/access_keys.h"
#include "crypto/sealed.h"
#include "role/privilege.h"

struct state_folder {
    int control; /* the folder; -1: there is no state */
    int lock;    /* DIR, locked for as long as this is open */
    struct access_key_files keys;
    struct sealing_key sealing;
};
#define STATE_FOLDER_NONE                             \
    {                                                 \
        .control = -1, .lock = -1, .keys = { -1, -1 } \
    }

/* PATH is absolute; WHO control will be. -1: OUT is none. */
int state_folder_open(const char *path, const struct identity *who, struct state_folder *out,
    struct error *err) MUST_USE;
void state_folder_close(struct state_folder *f);
