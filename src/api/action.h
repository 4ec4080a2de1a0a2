/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action — what the API does: a row in action.def for each action, its fields, and a function.
 *
 * An action works on a request that is authenticated and held against its fields, and on the model
 * as the change in hand has it. It fills the response, or refuses and leaves nothing: whoever
 * called it gives up the change. What it wrote into the model comes into force, and becomes
 * durable, afterwards (publication.h), and only then the client is answered. Process: control.
 */
#pragma once

#include "api/call.h"
#include "api/field.h"
#include "base/bytes.h"

enum action_service { SERVICE_CLB, SERVICE_SSL, SERVICE_TAG };
enum action_kind {
    ACTION_READ,
    ACTION_WRITE, /* answers with its result */
    ACTION_TASK,  /* a write whose outcome DescribeTaskStatus tells, too */
};

struct action {
    const char *name;
    enum action_service service;
    enum action_kind kind;
    const struct field *fields;
    action_fn *run; /* 0, or what call_refuse returns */
};

/* NULL: the service has none of that name. */
const struct action *action_find(enum action_service service, struct bytes name);

#define X(service, name, kind, function, help) \
    action_fn action_##function;               \
    extern const struct field action_##function##_fields[];
#include "api/action.def"
#undef X
