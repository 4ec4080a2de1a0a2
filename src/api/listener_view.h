/* SPDX-License-Identifier: Apache-2.0 */
/* listener_view — listeners and rules as the API tells them: Listener and RuleOutput of the cloud,
 * with Sallyport's own members. New objects. */
#pragma once

#include "api/action.h"

json_t *listener_view_make(const struct call *c, const json_t *listener) MUST_USE;
json_t *listener_view_make_rule(
    const struct call *c, const json_t *listener, const json_t *rule) MUST_USE;
