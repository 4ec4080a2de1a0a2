/* SPDX-License-Identifier: Apache-2.0 */
#include "api/target_group.h"

#include "api/document.h"

#include "base/ban.h"

const json_t *target_group_servers(const struct model *m, const json_t *holder)
{
    const char *id = document_text(holder, "TargetGroupId");
    return id ? json_object_get(model_find(m, MODEL_GROUP, id), "Instances")
              : json_object_get(holder, "Targets");
}

const char *target_group_config_name(const json_t *holder, const char *id)
{
    const char *of_file = document_text(holder, "ConfigGroup");
    return of_file ? of_file : id;
}

void target_group_each_use(
    const struct model *m, const char *id, target_group_use_fn *fn, void *owner)
{
    const json_t *listener;
    for (size_t at = 0; model_next(m, MODEL_LISTENER, &at, &listener);) {
        size_t i;
        json_t *rule;
        if (document_is(listener, "TargetGroupId", id))
            fn(owner, listener, NULL);
        json_array_foreach(json_object_get(listener, "Rules"), i, rule)
        {
            if (document_is(rule, "TargetGroupId", id))
                fn(owner, listener, rule);
        }
    }
}

static void count(void *owner, const json_t *listener, const json_t *rule)
{
    ++*(size_t *)owner;
}

size_t target_group_count_uses(const struct model *m, const char *id)
{
    size_t n = 0;
    target_group_each_use(m, id, count, &n);
    return n;
}
