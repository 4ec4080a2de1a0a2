/* SPDX-License-Identifier: Apache-2.0 */
#include "api/action.h"

#include "base/attributes.h"

#include "base/ban.h"

#define X(service, name, kind, function, help) \
    {#name, SERVICE_##service, ACTION_##kind, action_##function##_fields, action_##function},
static const struct action actions[] = {
#include "api/action.def"
};
#undef X

const struct action *action_find(enum action_service service, struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (actions[i].service == service && bytes_equal(bytes_of(actions[i].name), name))
            return &actions[i];
    return NULL;
}
