/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault — what the supervisor has of private keys: the stores that the signer makes of them, as
 * descriptors that it never maps, so that a signer that dies is replaced by one with the very same
 * keys. The store of a replaced generation is kept as long as connections that began under it may
 * need its keys. Process: supervisor.
 */
#pragma once

#include "role/supervisor.h"

/* Have the signer make the store of the generation that is coming. */
void vault_prepare(struct supervisor *s);
/* It has: M's descriptors are taken. False: that is not what is awaited. */
bool vault_hear_stored(struct supervisor *s, struct message *m);
/* Tell a new signer what there is. */
void vault_greet_signer(struct supervisor *s, struct child *c);
/* Tell a new control how to ask the signer, and whom to check. */
void vault_greet_control(struct supervisor *s, struct child *c);
/* The generation in force is a new one: control checks its targets, with its keys. */
void vault_committed(struct supervisor *s);
/* G is not in force any more. */
void vault_retire(struct supervisor *s, struct generation *g);
/* G, which was coming, is not to be. */
void vault_abort(struct supervisor *s, const struct generation *g);
void vault_fini(struct supervisor *s);
