/* SPDX-License-Identifier: Apache-2.0 */
/* instance_targets — the real servers behind an instance: of all its listeners and their rules. */
#pragma once

#include "api/action.h"

/* A server, and through what it is reached; RULE: NULL of streams. */
struct instance_target {
    const json_t *listener, *rule, *server;
};
typedef void instance_targets_fn(void *owner, const struct instance_target *t);

/* Call FN for each server of LISTENERS (lookup_listeners), or, of a rule or listener that has none,
 * once with SERVER == NULL. */
void instance_targets_each(
    const struct model *m, const json_t *listeners, instance_targets_fn *fn, void *owner);
/* How many there are behind the instance ID. */
size_t instance_targets_count(struct call *c, const char *id);
/* The IP address or name of a server. */
const char *instance_targets_address(const json_t *server);
