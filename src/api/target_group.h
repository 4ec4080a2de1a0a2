/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target_group — the target groups of the model, and what is bound to them: rules, and listeners of
 * streams, each to one group at most (TargetGroupId).
 */
#pragma once

#include "api/model.h"

/* The servers of HOLDER, a rule or listener: its group's, if it is bound to one, or its own. May be
 * NULL: none. */
const json_t *target_group_servers(const struct model *m, const json_t *holder);
/* What the configuration calls the group of HOLDER, whose own id is ID. */
const char *target_group_config_name(const json_t *holder, const char *id);

/* Call FN for each rule and listener (RULE is NULL) that is bound to the group ID. */
typedef void target_group_use_fn(void *owner, const json_t *listener, const json_t *rule);
void target_group_each_use(
    const struct model *m, const char *id, target_group_use_fn *fn, void *owner);
size_t target_group_count_uses(const struct model *m, const char *id);
