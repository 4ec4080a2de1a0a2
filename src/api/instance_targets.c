/* SPDX-License-Identifier: Apache-2.0 */
#include "api/instance_targets.h"

#include "api/document.h"
#include "api/lookup.h"
#include "api/target_group.h"

#include "base/ban.h"

static void each_of(
    const struct model *m, struct instance_target t, instance_targets_fn *fn, void *owner)
{
    const json_t *servers = target_group_servers(m, t.rule ? t.rule : t.listener);
    size_t i;
    json_t *server;
    if (!json_array_size(servers))
        fn(owner, &t);
    json_array_foreach(servers, i, server)
    {
        t.server = server;
        fn(owner, &t);
    }
}

void instance_targets_each(
    const struct model *m, const json_t *listeners, instance_targets_fn *fn, void *owner)
{
    size_t i, k;
    json_t *listener, *rule;
    json_array_foreach(listeners, i, listener)
    {
        const json_t *rules = json_object_get(listener, "Rules");
        if (!json_array_size(rules))
            each_of(m, (struct instance_target){.listener = listener}, fn, owner);
        json_array_foreach(rules, k, rule)
            each_of(m, (struct instance_target){.listener = listener, .rule = rule}, fn, owner);
    }
}

static void count(void *owner, const struct instance_target *t)
{
    *(size_t *)owner += t->server != NULL;
}

size_t instance_targets_count(struct call *c, const char *id)
{
    size_t n = 0;
    json_t *listeners = lookup_listeners(c, id);
    instance_targets_each(c->model, listeners, count, &n);
    json_decref(listeners);
    return n;
}

const char *instance_targets_address(const json_t *server)
{
    const char *ip =
        json_string_value(json_array_get(json_object_get(server, "PrivateIpAddresses"), 0));
    return ip ? ip : document_text(server, "InstanceId");
}
