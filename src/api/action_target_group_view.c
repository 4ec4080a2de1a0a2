/* SPDX-License-Identifier: Apache-2.0 */
/* Target groups, their servers and how these do. */
#include <string.h>

#include "api/document.h"
#include "api/filter.h"
#include "api/lookup.h"
#include "api/target_group.h"
#include "api/target_health.h"

#include "base/ban.h"

/* ---- fields ---- */

#define PAGE_FIELDS                                                                          \
    {"Offset", FIELD_INTEGER, .min = 0, .max = INT32_MAX,                                    \
        .help = "so many are left out; default 0"},                                          \
    {                                                                                        \
        "Limit", FIELD_INTEGER, .min = 0, .max = 100, .help = "so many are told; default 20" \
    }

#define GROUPS_FIELDS                                                           \
    {"TargetGroupIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100, \
        .help = "these only"},                                                  \
        {"Filters", FIELD_OBJECT, .is_list = true, .list_max = FILTER_LIST_MAX, \
            .of = filter_fields,                                                \
            .help = "TargetGroupVpcId, TargetGroupName, Tag (a label's "        \
                    "name); all have to fit"},                                  \
        PAGE_FIELDS,                                                            \
    {                                                                           \
        NULL                                                                    \
    }

const struct field action_describe_target_groups_fields[] = {GROUPS_FIELDS};
const struct field action_describe_target_group_list_fields[] = {GROUPS_FIELDS};

const struct field action_describe_target_group_instances_fields[] = {
    {"Filters", FIELD_OBJECT, .is_list = true, .is_required = true, .list_max = FILTER_LIST_MAX,
        .of = filter_fields, .help = "TargetGroupId, BindIP, InstanceId; all have to fit"},
    PAGE_FIELDS,
    {NULL},
};

const struct field action_describe_target_group_instance_status_fields[] = {
    {"TargetGroupId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the target group"},
    {"TargetGroupInstanceIps", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 1000,
        .help = "the servers with these IP addresses only"},
    {NULL},
};

/* ---- groups ---- */

static bool fits_vpc(const json_t *values, const void *group)
{
    return lookup_has_text(values, document_text(group, "VpcId"));
}

static bool fits_name(const json_t *values, const void *group)
{
    return lookup_has_text(values, document_text(group, "TargetGroupName"));
}

static bool fits_tag(const json_t *values, const void *group)
{
    return filter_has_tag(values, json_object_get(group, "Tag"));
}

static const struct filter group_filters[] = {
    {"TargetGroupVpcId", fits_vpc},
    {"TargetGroupName", fits_name},
    {"Tag", fits_tag},
    {0},
};

/* Of those who are bound to a group, as they are told. */
struct associations {
    const struct call *c;
    json_t *list;
};

static void add_association(void *owner, const json_t *listener, const json_t *rule)
{
    struct associations *a = owner;
    const json_t *instance =
        model_find(a->c->model, MODEL_INSTANCE, document_text(listener, "LoadBalancerId"));
    json_array_append_new(a->list,
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:n, s:n}", "LoadBalancerId",
            document_share_member(listener, "LoadBalancerId"), "ListenerId",
            document_share_member(listener, "ListenerId"), "LocationId",
            document_share_member(rule, "LocationId"), "Protocol",
            document_share_member(listener, "Protocol"), "Port",
            document_share_member(listener, "Port"), "Domain",
            document_share_member(rule, "Domain"), "Url", document_share_member(rule, "Url"),
            "LoadBalancerName", document_share_member(instance, "LoadBalancerName"), "ListenerName",
            document_share_member(listener, "ListenerName"), "Weight", "RuleId"));
}

/* Of groups of Type v1, there is none. */
static json_t *tell_health_check(const json_t *group)
{
    const json_t *kept = json_object_get(group, "HealthCheck");
    if (!json_is_object(kept))
        return json_null();
    json_t *out = json_copy((json_t *)(uintptr_t)kept);
    json_object_set_new(out, "JumboFrame", json_false());
    if (!json_object_get(out, "ExtendedCode"))
        json_object_set_new(out, "ExtendedCode", json_null());
    return out;
}

static json_t *tell_group(const struct call *c, const json_t *group, bool with_rules)
{
    struct associations a = {c, json_array()};
    const char *id = document_text(group, "TargetGroupId");
    json_t *out = json_copy((json_t *)(uintptr_t)group);
    size_t n = json_array_size(json_object_get(group, "Instances"));
    target_group_each_use(c->model, id, add_association, &a);
    json_object_del(out, "Instances");
    json_object_set_new(out, "HealthCheck", tell_health_check(group));
    json_object_set_new(
        out, "AssociatedRuleCount", json_integer((json_int_t)json_array_size(a.list)));
    json_object_set_new(out, "RegisteredInstancesCount", json_integer((json_int_t)n));
    json_object_set(out, "AssociatedRule", with_rules ? a.list : json_null());
    json_decref(a.list);
    return out;
}

/* LIST from Offset on, as many as Limit, as NAME of C's response; TotalCount. The new list. */
static json_t *page(struct call *c, json_t *list, const char *name)
{
    size_t n = json_array_size(list), first, end;
    json_t *out = json_array();
    call_page(c, n, &first, &end);
    for (size_t i = first; i < end; i++)
        json_array_append(out, json_array_get(list, i));
    json_object_set_new(c->response, "TotalCount", json_integer((json_int_t)n));
    json_object_set_new(c->response, name, out);
    json_decref(list);
    return out;
}

static int describe_groups(struct call *c, bool with_rules)
{
    const json_t *ids = call_list(c, "TargetGroupIds"), *group;
    if (filter_check(c, group_filters) < 0)
        return -1;
    json_t *found = json_array(), *listed;
    size_t i;
    for (size_t at = 0; model_next(c->model, MODEL_GROUP, &at, &group);) {
        bool is_asked_for =
            !json_array_size(ids) || lookup_has_text(ids, document_text(group, "TargetGroupId"));
        if (is_asked_for && filter_fits(c, group_filters, group))
            json_array_append_new(found, document_share(group));
    }
    json_t *told = page(c, found, "TargetGroupSet");
    json_array_foreach(told, i, listed) /* who is bound to a group takes a look at all rules */
        json_array_set_new(told, i, tell_group(c, listed, with_rules));
    return 0;
}

int action_describe_target_groups(struct call *c)
{
    return describe_groups(c, true);
}

int action_describe_target_group_list(struct call *c)
{
    return describe_groups(c, false);
}

/* ---- servers ---- */

struct member {
    const char *group_id;
    const json_t *server;
};

static bool is_in_group(const json_t *values, const void *object)
{
    const struct member *m = object;
    return lookup_has_text(values, m->group_id);
}

static bool has_address(const json_t *values, const void *object)
{
    const struct member *m = object;
    return filter_has_address(values, m->server);
}

static bool has_instance(const json_t *values, const void *object)
{
    const struct member *m = object;
    return lookup_has_text(values, document_text(m->server, "InstanceId"));
}

static const struct filter member_filters[] = {
    {"TargetGroupId", is_in_group},
    {"BindIP", has_address},
    {"InstanceId", has_instance},
    {0},
};

static json_t *tell_member(const struct member *m)
{
    json_t *out = target_health_backend(m->server);
    json_object_del(out, "Tag");
    json_object_del(out, "Zone");
    json_object_set_new(out, "TargetGroupId", json_string(m->group_id));
    json_object_set_new(out, "ZoneId", json_null());
    return out;
}

int action_describe_target_group_instances(struct call *c)
{
    const json_t *group;
    if (filter_check(c, member_filters) < 0)
        return -1;
    json_t *found = json_array();
    for (size_t at = 0; model_next(c->model, MODEL_GROUP, &at, &group);) {
        size_t i;
        json_t *server;
        json_array_foreach(json_object_get(group, "Instances"), i, server)
        {
            const struct member m = {document_text(group, "TargetGroupId"), server};
            if (filter_fits(c, member_filters, &m))
                json_array_append_new(found, tell_member(&m));
        }
    }
    json_object_set_new(c->response, "RealCount", json_integer((json_int_t)json_array_size(found)));
    page(c, found, "TargetGroupInstanceSet");
    return 0;
}

/* ---- how servers do ---- */

/* What is known of a server, by those who are bound to its group and check it: the worst counts. */
struct status {
    const struct call *c;
    const json_t *server;
    enum target_state worst;
};

static void look(void *owner, const json_t *listener, const json_t *rule)
{
    struct status *s = owner;
    const json_t *holder = rule ? rule : listener;
    const char *id = document_text(holder, rule ? "LocationId" : "ListenerId");
    enum target_state now = target_health_of(s->c, holder, id, s->server, NULL);
    if (now > s->worst)
        s->worst = now;
}

static const char *const status_words[] = {
    [TARGET_UNCHECKED] = "off",
    [TARGET_ALIVE] = "health",
    [TARGET_UNKNOWN] = "on",
    [TARGET_DEAD] = "unhealth",
};

int action_describe_target_group_instance_status(struct call *c)
{
    const char *id = call_text(c, "TargetGroupId");
    const json_t *group = model_find(c->model, MODEL_GROUP, id);
    const json_t *wanted = call_list(c, "TargetGroupInstanceIps");
    json_t *out = json_array(), *server;
    size_t i;
    json_object_set_new(c->response, "TargetGroupInstanceSet", out);
    if (!group)
        return call_refuse(
            c, API_ERROR_NOT_FOUND, "TargetGroupId: there is no target group %.64s.", id);
    json_array_foreach(json_object_get(group, "Instances"), i, server)
    {
        struct status s = {c, server, TARGET_UNCHECKED};
        const json_t *ip = json_array_get(json_object_get(server, "PrivateIpAddresses"), 0);
        if (json_array_size(wanted) && !lookup_has_text(wanted, json_string_value(ip)))
            continue;
        target_group_each_use(c->model, id, look, &s);
        json_array_append_new(out, json_pack("{s:O, s:s, s:s, s:o, s:n}", "InstanceIp", ip,
                                       "Status", status_words[s.worst], "InstanceId", "", "Port",
                                       document_share_member(server, "Port"), "EniId"));
    }
    return 0;
}
