/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup — the objects that requests name: instances, listeners, rules. Beside the API's there are
 * those of the configuration file (file_objects.h), which can be looked at and not changed.
 *
 * Where NULL is returned, C is refused: the sentence names the field and the object.
 */
#pragma once

#include "api/action.h"

/* All instances, or all listeners of one: a new list of documents, which are not to be changed. The
 * API's first, then the file's. */
json_t *lookup_instances(const struct call *c) MUST_USE;
json_t *lookup_listeners(struct call *c, const char *instance_id) MUST_USE;

/* The API's instance ID, to be read. */
const json_t *lookup_instance(struct call *c, const char *id) MUST_USE;
/* The listener ID of the instance INSTANCE_ID, to be changed. FIELD: where the request names it. */
json_t *lookup_listener(
    struct call *c, const char *instance_id, const char *id, const char *field) MUST_USE;
/* As the request has them: its LoadBalancerId and ListenerId. */
json_t *lookup_requested_listener(struct call *c) MUST_USE;

/* The rule of LISTENER, which is to be changed, that BY names: by its LocationId, or else by its
 * Domain and Url. */
json_t *lookup_rule(struct call *c, json_t *listener, const json_t *by) MUST_USE;

/* Does LISTENER route requests: is it HTTP or HTTPS? */
bool lookup_is_layer7(const json_t *listener);
/* Does the text LIST (perhaps empty) have TEXT; without regard to case, as in domains? */
bool lookup_has_text(const json_t *list, const char *text);
bool lookup_has_domain(const json_t *list, const char *domain);
