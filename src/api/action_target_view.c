/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeTargets and DescribeTargetHealth: who the servers of an instance are, and how they do. */
#include <string.h>

#include "api/document.h"
#include "api/filter.h"
#include "api/lookup.h"
#include "api/target_group.h"
#include "api/target_health.h"

#include "base/ban.h"

/* ---- fields ---- */

const struct field action_describe_targets_fields[] = {
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},
    {"ListenerIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 20,
        .help = "these listeners only"},
    {"Protocol", FIELD_TEXT, .choices = "TCP|UDP|HTTP|HTTPS|TCP_SSL|QUIC",
        .help = "listeners of this protocol only"},
    {"Port", FIELD_INTEGER, .min = 1, .max = 65535, .help = "the listener with this port only"},
    {"Filters", FIELD_OBJECT, .is_list = true, .list_max = FILTER_LIST_MAX, .of = filter_fields,
        .help = "which targets are told: location-id, private-ip-address, tag; all have to fit"},
    {NULL},
};

const struct field action_describe_target_health_fields[] = {
    {"LoadBalancerIds", FIELD_TEXT, .is_list = true, .is_required = true, .max = 64, .list_max = 30,
        .help = "the instances"},
    {"ListenerIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100,
        .help = "these listeners only"},
    {"LocationIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 1000,
        .help = "these rules only"},
    {NULL},
};

/* ---- which ones ---- */

/* An empty list asks for all. */
static bool wants(const json_t *list, const char *id)
{
    return !json_array_size(list) || lookup_has_text(list, id);
}

/* A target, and the rule that it belongs to, if that is a rule. */
struct place {
    const char *location_id;
    const json_t *target;
};

static bool fits_location(const json_t *values, const void *object)
{
    const struct place *p = object;
    return lookup_has_text(values, p->location_id);
}

static bool fits_address(const json_t *values, const void *object)
{
    const struct place *p = object;
    return filter_has_address(values, p->target);
}

static bool fits_tag(const json_t *values, const void *object)
{
    const struct place *p = object;
    return lookup_has_text(values, document_text(p->target, "Tag"));
}

static const struct filter filters[] = {
    {"location-id", fits_location},
    {"private-ip-address", fits_address},
    {"tag", fits_tag},
    {0},
};

/* ---- DescribeTargets ---- */

/* The targets of HOLDER, a listener or rule, that fit: a new list. */
static json_t *targets_of(const struct call *c, const json_t *holder, const char *location_id)
{
    json_t *out = json_array(), *target;
    size_t i;
    json_array_foreach(target_group_servers(c->model, holder), i, target)
    {
        const struct place place = {location_id, target};
        if (filter_fits(c, filters, &place))
            json_array_append_new(out, target_health_backend(target));
    }
    return out;
}

static json_t *rule_targets(const struct call *c, const json_t *rule)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:[]}", "LocationId",
        document_share_member(rule, "LocationId"), "Domain", document_share_member(rule, "Domain"),
        "Url", document_share_member(rule, "Url"), "Targets",
        targets_of(c, rule, document_text(rule, "LocationId")), "FunctionTargets");
}

/* Rules none of whose targets fit are left out, where there are filters. */
static json_t *all_rule_targets(const struct call *c, const json_t *listener)
{
    json_t *out = json_array(), *rule;
    bool is_filtered = json_array_size(call_list(c, "Filters")) > 0;
    size_t i;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        json_t *told = rule_targets(c, rule);
        if (!is_filtered || json_array_size(json_object_get(told, "Targets")))
            json_array_append(out, told);
        json_decref(told);
    }
    return out;
}

static json_t *listener_targets(const struct call *c, const json_t *listener)
{
    bool is_layer7 = lookup_is_layer7(listener);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i}", "ListenerId",
        document_share_member(listener, "ListenerId"), "Protocol",
        document_share_member(listener, "Protocol"), "Port",
        document_share_member(listener, "Port"), "Rules",
        is_layer7 ? all_rule_targets(c, listener) : json_null(), "Targets",
        is_layer7 ? json_null() : targets_of(c, listener, NULL), "EndPort", 0);
}

static bool is_wanted(const struct call *c, const json_t *listener)
{
    const char *protocol = call_text(c, "Protocol");
    int64_t port = call_integer(c, "Port", 0);
    return wants(call_list(c, "ListenerIds"), document_text(listener, "ListenerId")) &&
           (!protocol || document_is(listener, "Protocol", protocol)) &&
           (!port || document_integer(listener, "Port") == port);
}

int action_describe_targets(struct call *c)
{
    if (filter_check(c, filters) < 0)
        return -1;
    json_t *listeners = lookup_listeners(c, call_text(c, "LoadBalancerId"));
    json_t *out = json_array(), *listener;
    size_t i;
    json_array_foreach(listeners, i, listener)
    {
        if (is_wanted(c, listener))
            json_array_append_new(out, listener_targets(c, listener));
    }
    json_object_set_new(c->response, "Listeners", out);
    bool is_found = listeners != NULL;
    json_decref(listeners);
    return is_found ? 0 : -1;
}

/* ---- DescribeTargetHealth ---- */

/* Who is not checked gets its share of the work, as a healthy one does. */
static const struct {
    const char *detail;
    bool is_healthy;
} state_words[] = {
    [TARGET_UNCHECKED] = {"Close", true},
    [TARGET_ALIVE] = {"Alive", true},
    [TARGET_UNKNOWN] = {"Unknown", false},
    [TARGET_DEAD] = {"Dead", false},
};

static json_t *tell_health(
    const struct call *c, const json_t *holder, const char *id, const json_t *target)
{
    const char *why;
    enum target_state state = target_health_of(c, holder, id, target, &why);
    const char *detail = state_words[state].detail;
    const json_t *ip = json_array_get(json_object_get(target, "PrivateIpAddresses"), 0);
    return json_pack("{s:O?, s:o, s:b, s:o, s:s, s:s, s:o, s:o, s:s?}", "IP", ip, "Port",
        document_share_member(target, "Port"), "HealthStatus", state_words[state].is_healthy,
        "TargetId", document_share_member(target, "InstanceId"), "HealthStatusDetail", detail,
        "HealthStatusDetial", detail, "TargetGroupId",
        document_share_member(holder, "TargetGroupId"), "Weight",
        document_share_member(target, "Weight"), "HealthStatusReason", why);
}

/* HOLDER: a rule, or a TCP listener, of which the cloud tells as of a rule without domain. */
static json_t *rule_health(const struct call *c, const json_t *holder, const char *id)
{
    json_t *out = json_array(), *target;
    size_t i;
    json_array_foreach(target_group_servers(c->model, holder), i, target)
    {
        json_array_append_new(out, tell_health(c, holder, id, target));
    }
    return json_pack("{s:s, s:o, s:o, s:n, s:o}", "LocationId", id, "Domain",
        document_share_member(holder, "Domain"), "Url", document_share_member(holder, "Url"),
        "RuleId", "Targets", out);
}

static json_t *rules_health(const struct call *c, const json_t *listener)
{
    const json_t *locations = call_list(c, "LocationIds");
    const char *listener_id = document_text(listener, "ListenerId");
    json_t *out = json_array(), *rule;
    size_t i;
    if (!lookup_is_layer7(listener)) {
        if (wants(locations, listener_id))
            json_array_append_new(out, rule_health(c, listener, listener_id));
        return out;
    }
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        const char *id = document_text(rule, "LocationId");
        if (wants(locations, id))
            json_array_append_new(out, rule_health(c, rule, id));
    }
    return out;
}

static json_t *listener_health(const struct call *c, const json_t *listener)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "ListenerId",
        document_share_member(listener, "ListenerId"), "ListenerName",
        document_share_member(listener, "ListenerName"), "Protocol",
        document_share_member(listener, "Protocol"), "Port",
        document_share_member(listener, "Port"), "Rules", rules_health(c, listener));
}

static const char *name_of_instance(const json_t *instances, const char *id)
{
    size_t i;
    json_t *instance;
    json_array_foreach(instances, i, instance)
    {
        if (document_is(instance, "LoadBalancerId", id))
            return document_text(instance, "LoadBalancerName");
    }
    return NULL;
}

static int add_instance_health(struct call *c, const json_t *instances, const char *id, json_t *out)
{
    json_t *listeners = lookup_listeners(c, id);
    json_t *told = json_array(), *listener;
    size_t i;
    json_array_foreach(listeners, i, listener)
    {
        if (wants(call_list(c, "ListenerIds"), document_text(listener, "ListenerId")))
            json_array_append_new(told, listener_health(c, listener));
    }
    json_array_append_new(
        out, json_pack("{s:s, s:s?, s:o}", "LoadBalancerId", id, "LoadBalancerName",
                 name_of_instance(instances, id), "Listeners", told));
    bool is_found = listeners != NULL;
    json_decref(listeners);
    return is_found ? 0 : -1;
}

int action_describe_target_health(struct call *c)
{
    json_t *instances = lookup_instances(c), *out = json_array(), *id;
    int result = 0;
    size_t i;
    json_array_foreach(call_list(c, "LoadBalancerIds"), i, id)
    {
        if (result == 0)
            result = add_instance_health(c, instances, json_string_value(id), out);
    }
    json_object_set_new(c->response, "LoadBalancers", out);
    json_decref(instances);
    return result;
}
