/* SPDX-License-Identifier: Apache-2.0 */
/* instance_view — an instance as the API tells it, and how many of everything there may be. */
#pragma once

#include "api/action.h"

#define INSTANCE_VIEW_MAX           100  /* instances of each type, as in the cloud */
#define INSTANCE_VIEW_LISTENERS_MAX 50   /* of an instance */
#define INSTANCE_VIEW_RULES_MAX     500  /* of a listener: the cloud has 50 */
#define INSTANCE_VIEW_TARGETS_MAX   1000 /* of a rule or listener */

/* LoadBalancer of the cloud: a new object. */
json_t *instance_view_make(const struct call *c, const json_t *instance) MUST_USE;
