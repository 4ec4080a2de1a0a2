/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signer_world — a signer's core with a key of each kind and use, and what TLS says of its answers,
 * in other words than its own: for the unit test and the fuzz target.
 */
#pragma once

#include "role/key_store.h"
#include "role/keyring.h"

/* Of a listener; of a target group; of a listener with RSA key transport. In the order of their
 * names, which is that of the store. */
enum signer_key { SERVER, OUT, TRANSPORT, KEYS };
extern const char *const signer_names[KEYS];

/* The number of the generation. */
#define STORE_NUMBER 7

struct signer_world {
    struct private_key *keys[KEYS];
    struct public_key *publics[KEYS];
    struct buf store, table;
    struct keyring *ring;
};

void signer_world_init(struct signer_world *w);
void signer_world_fini(struct signer_world *w);

/* Is ANSWER, that of a request which was done, what a handshake is to get for REQUEST from that key
 * in that role, and nothing else? */
bool signer_world_is_of_a_handshake(
    const struct signer_world *w, struct bytes request, const struct signing_answer *answer);
