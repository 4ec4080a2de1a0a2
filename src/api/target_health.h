/* SPDX-License-Identifier: Apache-2.0 */
/* target_health — how a server does that a rule or listener has, as the API tells it. */
#pragma once

#include "api/action.h"

/* The later, the worse. UNCHECKED: it is not checked. */
enum target_state {
    TARGET_UNCHECKED,
    TARGET_ALIVE,
    TARGET_UNKNOWN,
    TARGET_DEAD,
};

/* Of SERVER, of HOLDER, a rule or listener with the id ID. *WHY (which may be NULL) is NULL if
 * there is nothing to say. */
enum target_state target_health_of(const struct call *c, const json_t *holder, const char *id,
    const json_t *server, const char **why);

/* SERVER with all members of Backend, of which those of the configuration file lack some. */
json_t *target_health_backend(const json_t *server) MUST_USE;
