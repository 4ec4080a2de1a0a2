/* SPDX-License-Identifier: Apache-2.0 */
/* Target groups: servers that several rules and listeners share. */
#include <string.h>

#include "api/document.h"
#include "api/health_fields.h"
#include "api/labels.h"
#include "api/lookup.h"
#include "api/target_group.h"
#include "api/targets.h"
#include "base/memory.h"

#include "base/ban.h"

#define GROUPS_MAX       1000
#define NAME_MAX_BYTES   50
#define ASSOCIATIONS_MAX 20

/* ---- fields ---- */

#define SERVER_FIELDS(ports_required)                                                              \
    {"BindIP", FIELD_TEXT, .is_required = true, .max = 64,                                         \
        .help = "the server's IP address, IPv4 or IPv6"},                                          \
        {"Port", FIELD_INTEGER, .is_required = ports_required, .min = 1, .max = 65535,             \
            .help = "its port; the group's where it may be left out"},                             \
    {                                                                                              \
        "Weight", FIELD_INTEGER,                                                                   \
            .min = 0, .max = 100,                                                                  \
            .help = "its share of the work, relative to the others; 0 gets no new work; default: " \
                    "the group's"                                                                  \
    }
#define NO_NEW_PORT                                                                             \
    {                                                                                           \
        "NewPort", FIELD_INTEGER, .only = "0",                                                  \
                                  .why = "ModifyTargetGroupInstancesPort is what changes ports" \
    }

static const struct field new_server_fields[] = {SERVER_FIELDS(false), NO_NEW_PORT, {NULL}};
static const struct field server_fields[] = {SERVER_FIELDS(true), NO_NEW_PORT, {NULL}};
static const struct field moved_server_fields[] = {
    SERVER_FIELDS(true),
    {"NewPort", FIELD_INTEGER, .is_required = true, .min = 1, .max = 65535,
        .help = "its port from now on"},
    {NULL},
};

#define OF_V2 "of groups of Type v2: "
#define TRAFFIC_FIELDS                                                                           \
    {"Port", FIELD_INTEGER, .min = 1, .max = 65535, .help = "of servers that come without one"}, \
        {"ScheduleAlgorithm", FIELD_TEXT, .choices = "WRR|LEAST_CONN|IP_HASH",                   \
            .help = OF_V2 "who is chosen; default WRR. A group of Type v1 does as the rule or "  \
                          "listener says that it is bound to"},                                  \
        {"HealthCheck", FIELD_OBJECT, .of = health_fields_group_table,                           \
            .help = OF_V2 "how the servers are checked"},                                        \
        {"Weight", FIELD_INTEGER, .min = 0, .max = 100,                                          \
            .help = "of servers that come without one; default 10"},                             \
        {"SessionExpireTime", FIELD_INTEGER, .min = 0, .max = 86400,                             \
            .help = OF_V2 "so many seconds a client comes to the same server; 0, the default: "  \
                          "not"},                                                                \
        {"KeepaliveEnable", FIELD_BOOLEAN,                                                       \
            .help = "of no effect: connections to servers are kept for further requests in any " \
                    "case"},                                                                     \
    {                                                                                            \
        "SnatEnable", FIELD_BOOLEAN,                                                             \
            .help = "of no effect: servers see Sallyport's address in any case"                  \
    }

const struct field action_create_target_group_fields[] = {
    {"TargetGroupName", FIELD_TEXT, .max = NAME_MAX_BYTES, .help = "what people call it"},
    {"Type", FIELD_TEXT, .choices = "v1|v2",
        .help = "v1 (default): servers and nothing else; v2: with how they are spoken to"},
    {"Protocol", FIELD_TEXT, .choices = "TCP|HTTP|HTTPS|GRPC",
        .help = OF_V2 "what the servers speak; needed"},
    TRAFFIC_FIELDS,
    {"TargetGroupInstances", FIELD_OBJECT, .is_list = true, .list_max = 50, .of = new_server_fields,
        .help = "its first servers"},
    {"VpcId", FIELD_TEXT, .max = 64, .help = "a label, told again"},
    {"Tags", FIELD_OBJECT, .is_list = true, .list_max = LABELS_MAX, .of = labels_fields,
        .help = "labels, told again"},
    {"IpVersion", FIELD_TEXT, .max = 32, .help = "a label, told again: servers may be of both"},
    {"FullListenSwitch", FIELD_BOOLEAN, .only = "false", .why = "a listener has one port"},
    {NULL},
};

#define ID_FIELD                                                                                \
    {                                                                                           \
        "TargetGroupId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the target group" \
    }

const struct field action_modify_target_group_attribute_fields[] = {
    ID_FIELD,
    {"TargetGroupName", FIELD_TEXT, .max = NAME_MAX_BYTES, .help = "what people call it"},
    TRAFFIC_FIELDS,
    {NULL},
};

const struct field action_delete_target_groups_fields[] = {
    {"TargetGroupIds", FIELD_TEXT, .is_list = true, .is_required = true, .max = 64, .list_max = 20,
        .help = "the target groups; nothing may be bound to them"},
    {NULL},
};

#define SERVERS_FIELDS(fields)                                                       \
    ID_FIELD,                                                                        \
        {"TargetGroupInstances", FIELD_OBJECT, .is_list = true, .is_required = true, \
            .list_max = 50, .of = fields, .help = "the servers"},                    \
    {                                                                                \
        NULL                                                                         \
    }

const struct field action_register_target_group_instances_fields[] = {
    SERVERS_FIELDS(new_server_fields)};
const struct field action_deregister_target_group_instances_fields[] = {
    SERVERS_FIELDS(server_fields)};
const struct field action_modify_target_group_instances_weight_fields[] = {
    SERVERS_FIELDS(server_fields)};
const struct field action_modify_target_group_instances_port_fields[] = {
    SERVERS_FIELDS(moved_server_fields)};

static const struct field association_fields[] = {
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},
    {"ListenerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the listener"},
    {"LocationId", FIELD_TEXT, .max = 64, .help = "the rule, of an HTTP or HTTPS listener"},
    ID_FIELD,
    {"Weight", FIELD_INTEGER, .only = "10",
        .why = "a rule or listener has one target group, and nothing to weigh it against"},
    {NULL},
};

#define ASSOCIATIONS_FIELDS                                                                \
    {"Associations", FIELD_OBJECT, .is_list = true, .is_required = true,                   \
        .list_max = ASSOCIATIONS_MAX, .of = association_fields, .help = "what with what"}, \
    {                                                                                      \
        NULL                                                                               \
    }

const struct field action_associate_target_groups_fields[] = {ASSOCIATIONS_FIELDS};
const struct field action_disassociate_target_groups_fields[] = {ASSOCIATIONS_FIELDS};

/* ---- one group ---- */

static json_t *find_group(struct call *c, const char *id)
{
    json_t *group = model_edit(c->model, MODEL_GROUP, id);
    if (!group)
        ignore_result(
            call_refuse(c, API_ERROR_VALUE, "TargetGroupId: there is no target group %.64s.", id));
    return group;
}

static bool is_v2(const json_t *group)
{
    return document_is(group, "TargetGroupType", "v2");
}

/* What only groups of Type v2 say. */
static int check_type(struct call *c, const json_t *group)
{
    static const char *const of_v2[] = {
        "Protocol", "ScheduleAlgorithm", "HealthCheck", "SessionExpireTime"};
    for (size_t i = 0; i < COUNT_OF(of_v2) && !is_v2(group); i++)
        if (json_object_get(c->request, of_v2[i]))
            return call_refuse(c, API_ERROR_VALUE,
                "%s is of groups of Type v2; one of Type v1 does as the rule or listener says that "
                "it is bound to.",
                of_v2[i]);
    return 0;
}

static int set_health_check(struct call *c, json_t *group)
{
    const json_t *input = json_object_get(c->request, "HealthCheck");
    const json_t *kept = json_object_get(group, "HealthCheck");
    const struct health_owner owner = {
        .path = "HealthCheck", .protocol = document_text(group, "Protocol")};
    json_t *fresh = input ? health_fields_of_group(input) : NULL;
    json_t *before = json_is_object(kept) ? health_fields_of_group(kept) : NULL;
    json_t *check = health_fields_choose(c, fresh, before, &owner);
    json_decref(fresh);
    json_decref(before);
    if (!check)
        return -1;
    json_object_set_new(group, "HealthCheck", health_fields_to_group(check));
    json_decref(check);
    return 0;
}

/* What the request says of GROUP, for as long as it lasts. */
static int set_traffic(struct call *c, json_t *group)
{
    static const char *const members[] = {"TargetGroupName", "Port", "ScheduleAlgorithm", "Weight",
        "SessionExpireTime", "KeepaliveEnable", "SnatEnable"};
    if (check_type(c, group) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (json_object_get(c->request, members[i]))
            json_object_set(group, members[i], json_object_get(c->request, members[i]));
    json_object_set_new(group, "UpdatedTime", call_time(c->now_s));
    return is_v2(group) ? set_health_check(c, group) : 0;
}

/* ---- servers ---- */

typedef int change_fn(
    struct call *c, json_t *list, const struct target_key *key, const json_t *server);

/* What SERVER leaves out is as GROUP says. */
static void complete(const json_t *group, json_t *server)
{
    static const char *const members[] = {"Port", "Weight"};
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (!json_object_get(server, members[i]))
            json_object_set_new(server, members[i], document_share_member(group, members[i]));
}

/* Do CHANGE with all TargetGroupInstances of C. */
static int change_servers(struct call *c, json_t *group, change_fn *change)
{
    json_t *list = json_object_get(group, "Instances"), *server;
    size_t i;
    json_array_foreach(call_list(c, "TargetGroupInstances"), i, server)
    {
        struct target_key key;
        complete(group, server);
        if (targets_read(c, server, "BindIP", &key) < 0 || change(c, list, &key, server) < 0)
            return -1;
    }
    json_object_set_new(group, "UpdatedTime", call_time(c->now_s));
    return 0;
}

static int remove_server(
    struct call *c, json_t *list, const struct target_key *key, const json_t *server)
{
    return targets_remove(c, list, key);
}

static int move_server(
    struct call *c, json_t *list, const struct target_key *key, const json_t *server)
{
    return targets_move(c, list, key, document_integer(server, "NewPort"));
}

static int weigh_server(
    struct call *c, json_t *list, const struct target_key *key, const json_t *server)
{
    json_t *found = targets_find(c, list, key);
    return found ? json_object_set(found, "Weight", json_object_get(server, "Weight")) : -1;
}

static int change_requested(struct call *c, change_fn *change)
{
    json_t *group = find_group(c, call_text(c, "TargetGroupId"));
    return group ? change_servers(c, group, change) : -1;
}

int action_register_target_group_instances(struct call *c)
{
    return change_requested(c, targets_add);
}

int action_deregister_target_group_instances(struct call *c)
{
    return change_requested(c, remove_server);
}

int action_modify_target_group_instances_port(struct call *c)
{
    return change_requested(c, move_server);
}

int action_modify_target_group_instances_weight(struct call *c)
{
    return change_requested(c, weigh_server);
}

/* ---- groups ---- */

static json_t *make_group(const struct call *c, const char *id)
{
    const char *type = call_text(c, "Type"), *name = call_text(c, "TargetGroupName");
    const char *vpc = call_text(c, "VpcId"), *version = call_text(c, "IpVersion");
    bool of_v2 = type && strcmp(type, "v2") == 0;
    return json_pack("{s:s, s:s, s:s, s:s, s:n, s:o, s:O, s:n, s:s, s:O, s:i, s:b, s:b, s:i, s:s, "
                     "s:b, s:[]}",
        "TargetGroupId", id, "VpcId", vpc ? vpc : "", "TargetGroupName", name ? name : id,
        "TargetGroupType", of_v2 ? "v2" : "v1", "Port", "CreatedTime", call_time(c->now_s),
        "Protocol", of_v2 ? json_object_get(c->request, "Protocol") : json_null(), "HealthCheck",
        "ScheduleAlgorithm", of_v2 ? "WRR" : "", "Tag", call_list(c, "Tags"), "Weight",
        TARGETS_WEIGHT_DEFAULT, "FullListenSwitch", 0, "KeepaliveEnable", 0, "SessionExpireTime", 0,
        "IpVersion", version ? version : "IPv4", "SnatEnable", 0, "Instances");
}

int action_create_target_group(struct call *c)
{
    char id[MODEL_ID_MAX];
    const char *type = call_text(c, "Type");
    if (model_count(c->model, MODEL_GROUP) >= GROUPS_MAX)
        return call_refuse(
            c, API_ERROR_LIMIT, "There are %d target groups already; delete some.", GROUPS_MAX);
    if (type && strcmp(type, "v2") == 0 && !call_text(c, "Protocol"))
        return call_refuse(c, API_ERROR_MISSING,
            "Protocol is missing: what the servers of a group of Type v2 speak.");
    model_make_id(c->model, "lbtg-", id);
    json_t *group = make_group(c, id);
    model_put(c->model, MODEL_GROUP, id, group);
    if (set_traffic(c, group) < 0 || change_servers(c, group, targets_add) < 0)
        return -1;
    json_object_set_new(c->response, "TargetGroupId", json_string(id));
    return 0;
}

int action_modify_target_group_attribute(struct call *c)
{
    json_t *group = find_group(c, call_text(c, "TargetGroupId"));
    return group ? set_traffic(c, group) : -1;
}

int action_delete_target_groups(struct call *c)
{
    size_t i;
    json_t *item;
    json_array_foreach(call_list(c, "TargetGroupIds"), i, item)
    {
        const char *id = json_string_value(item);
        if (!find_group(c, id))
            return -1;
        size_t n = target_group_count_uses(c->model, id);
        if (n)
            return call_refuse(c, API_ERROR_FAILED,
                "TargetGroupIds: %zu listeners and rules are bound to %s; disassociate them first.",
                n, id);
        model_delete(c->model, MODEL_GROUP, id);
    }
    return 0;
}

/* ---- associations ---- */

/* The rule or listener that BY, an association, names. */
static json_t *find_holder(struct call *c, const json_t *by, json_t **listener)
{
    *listener = lookup_listener(
        c, document_text(by, "LoadBalancerId"), document_text(by, "ListenerId"), "ListenerId");
    if (!*listener)
        return NULL;
    return lookup_is_layer7(*listener) || document_text(by, "LocationId")
               ? lookup_rule(c, *listener, by)
               : *listener;
}

/* What a rule or listener speaks to its servers, as Protocol of a group has it. */
static const char *speech_of(const json_t *holder)
{
    const char *forward = document_text(holder, "ForwardType");
    return !forward ? "TCP" : strncmp(forward, "GRPC", 4) == 0 ? "GRPC" : forward;
}

static int check_fit(struct call *c, const json_t *holder, const json_t *group, const char *place)
{
    const char *bound = document_text(holder, "TargetGroupId");
    const char *id = document_text(group, "TargetGroupId");
    if (bound)
        return call_refuse(c, strcmp(bound, id) == 0 ? API_ERROR_DUPLICATE : API_ERROR_PARAMETER,
            "Associations: %s is bound to target group %s already.", place, bound);
    if (json_array_size(json_object_get(holder, "Targets")))
        return call_refuse(c, API_ERROR_PARAMETER,
            "Associations: %s has targets of its own; DeregisterTargets first.", place);
    if (is_v2(group) && !document_is(group, "Protocol", speech_of(holder)))
        return call_refuse(c, API_ERROR_VALUE,
            "Associations: the servers of %s speak %s, and %s speaks %s to its own.", id,
            document_text(group, "Protocol"), place, speech_of(holder));
    return 0;
}

static const char *place_of(const json_t *by)
{
    const char *rule = document_text(by, "LocationId");
    return rule ? rule : document_text(by, "ListenerId");
}

static int associate(struct call *c, const json_t *by)
{
    json_t *listener, *holder = find_holder(c, by, &listener);
    json_t *group = holder ? find_group(c, document_text(by, "TargetGroupId")) : NULL;
    if (!group || check_fit(c, holder, group, place_of(by)) < 0)
        return -1;
    json_object_set(holder, "TargetGroupId", json_object_get(group, "TargetGroupId"));
    json_object_set_new(
        holder, "TargetType", json_string(is_v2(group) ? "TARGETGROUP-V2" : "TARGETGROUP"));
    return 0;
}

static int disassociate(struct call *c, const json_t *by)
{
    json_t *listener, *holder = find_holder(c, by, &listener);
    if (!holder || !find_group(c, document_text(by, "TargetGroupId")))
        return -1;
    if (!document_is(holder, "TargetGroupId", document_text(by, "TargetGroupId")))
        return call_refuse(c, API_ERROR_PARAMETER,
            "Associations: %s is not bound to target group %s.", place_of(by),
            document_text(by, "TargetGroupId"));
    json_object_set_new(holder, "TargetGroupId", json_null());
    json_object_set_new(holder, "TargetType", json_string("NODE"));
    return 0;
}

static int each_association(struct call *c, int (*change)(struct call *, const json_t *))
{
    size_t i;
    json_t *association;
    json_array_foreach(call_list(c, "Associations"), i, association)
    {
        if (change(c, association) < 0)
            return -1;
    }
    return 0;
}

int action_associate_target_groups(struct call *c)
{
    return each_association(c, associate);
}

int action_disassociate_target_groups(struct call *c)
{
    return each_association(c, disassociate);
}
