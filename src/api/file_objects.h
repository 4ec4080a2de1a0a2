/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_objects — the listeners of the configuration file as the API's objects, to be looked at: an
 * instance for each IP address, with ids that are hashes of names and so the same after each
 * reload. Documents as the model has them (model.h), and ConfigFile: where it stands, "FILE:LINE";
 * ConfigGroup: what the target group of a rule or listener is called there.
 */
#pragma once

#include "api/model.h"
#include "config/config.h"

/* Does L stand in the file? Else it is the API's. */
bool file_objects_has(const struct config_listener *l);
/* New lists. CONFIG: what is in force, or NULL: nothing yet. */
json_t *file_objects_instances(const struct config *config) MUST_USE;
json_t *file_objects_listeners(const struct config *config, const char *instance_id) MUST_USE;
