/* SPDX-License-Identifier: Apache-2.0 */
/* The servers of listeners and rules: bound, let go, weighed. */
#include <string.h>

#include "api/document.h"
#include "api/lookup.h"
#include "api/targets.h"
#include "base/memory.h"

#include "base/ban.h"

#define CALL_MAX  20 /* targets of a request about one listener or rule */
#define BATCH_MAX 500
#define RULES_MAX 100 /* of BatchModifyTargetWeight */

/* ---- fields ---- */

#define NO_SERVERS_WHY "there are no cloud servers to look it up among; give EniIp, the IP address"

/* Of a Target, whatever it is about; those of a BatchTarget, too. */
#define TARGET_FIELDS                                                                              \
    {"Port", FIELD_INTEGER, .is_required = true, .min = 1, .max = 65535,                           \
        .help = "the server's port"},                                                              \
        {"EniIp", FIELD_TEXT, .max = 64, .help = "the server's IP address, IPv4 or IPv6; needed"}, \
        {"Weight", FIELD_INTEGER, .min = 0, .max = 100,                                            \
            .help = "its share of the work, relative to the others; 10 where it is left out; 0 "   \
                    "gets no new work"},                                                           \
        {"InstanceId", FIELD_TEXT, .only = "\"\"", .why = NO_SERVERS_WHY},                         \
    {                                                                                              \
        "Tag", FIELD_TEXT, .max = 255, .help = "a label, which is told again"                      \
    }

static const struct field target_fields[] = {
    TARGET_FIELDS,
    {"Type", FIELD_TEXT, .choices = "CVM|ENI|CCN|EVM|GLOBALROUTE|NAT|SRV",
        .help = "of no effect, as in the cloud: all targets are ENI"},
    {NULL},
};

#define PLACE_FIELDS                                                                         \
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},  \
        {"ListenerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the listener"},  \
        {"LocationId", FIELD_TEXT, .max = 64,                                                \
            .help = "the rule, of an HTTP or HTTPS listener; or Domain and Url"},            \
        {"Domain", FIELD_TEXT, .max = 256,                                                   \
            .help = "with Url, the rule; not looked at where there is LocationId"},          \
        {"Url", FIELD_TEXT, .max = 1024, .help = "with Domain, the rule"},                   \
    {                                                                                        \
        "Targets", FIELD_OBJECT, .is_list = true, .is_required = true, .list_max = CALL_MAX, \
                                 .of = target_fields, .help = "the servers"                  \
    }

const struct field action_register_targets_fields[] = {PLACE_FIELDS, {NULL}};
const struct field action_deregister_targets_fields[] = {PLACE_FIELDS, {NULL}};
const struct field action_modify_target_weight_fields[] = {
    PLACE_FIELDS,
    {"Weight", FIELD_INTEGER, .min = 0, .max = 100,
        .help = "of those that have none of their own in Targets; 10 where it is left out"},
    {NULL},
};
const struct field action_modify_target_port_fields[] = {
    PLACE_FIELDS,
    {"NewPort", FIELD_INTEGER, .is_required = true, .min = 1, .max = 65535,
        .help = "the port that they have from now on"},
    {NULL},
};

static const struct field batch_target_fields[] = {
    {"ListenerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the listener"},
    {"LocationId", FIELD_TEXT, .max = 64, .help = "the rule, of an HTTP or HTTPS listener"},
    TARGET_FIELDS,
    {NULL},
};

#define BATCH_FIELDS                                                                          \
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},   \
    {                                                                                         \
        "Targets", FIELD_OBJECT, .is_list = true, .is_required = true, .list_max = BATCH_MAX, \
                                 .of = batch_target_fields, .help = "the servers"             \
    }

const struct field action_batch_register_targets_fields[] = {BATCH_FIELDS, {NULL}};
const struct field action_batch_deregister_targets_fields[] = {BATCH_FIELDS, {NULL}};

static const struct field weight_rule_fields[] = {
    {"ListenerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the listener"},
    {"LocationId", FIELD_TEXT, .max = 64,
        .help = "the rule, of an HTTP or HTTPS listener; or Domain and Url"},
    {"Domain", FIELD_TEXT, .max = 256, .help = "with Url, the rule"},
    {"Url", FIELD_TEXT, .max = 1024, .help = "with Domain, the rule"},
    {"Targets", FIELD_OBJECT, .is_list = true, .is_required = true, .list_max = 50,
        .of = target_fields, .help = "the servers"},
    {"Weight", FIELD_INTEGER, .min = 0, .max = 100,
        .help = "of those that have none of their own in Targets; 10 where it is left out"},
    {NULL},
};

const struct field action_batch_modify_target_weight_fields[] = {
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},
    {"ModifyList", FIELD_OBJECT, .is_list = true, .is_required = true, .list_max = RULES_MAX,
        .of = weight_rule_fields, .help = "listeners and rules, at most 500 servers in all"},
    {NULL},
};

/* ---- whose servers ---- */

/* The listener or rule that BY, a request or a part of it, names: what has the Targets. */
static json_t *find_holder(struct call *c, const json_t *by)
{
    json_t *listener = lookup_listener(
        c, call_text(c, "LoadBalancerId"), document_text(by, "ListenerId"), "ListenerId");
    if (!listener)
        return NULL;
    if (lookup_is_layer7(listener) || document_text(by, "LocationId") ||
        document_text(by, "Domain") || document_text(by, "Url"))
        return lookup_rule(c, listener, by);
    return listener;
}

/* Its list of targets, to be changed. */
static json_t *find_list(struct call *c, const json_t *by)
{
    json_t *holder = find_holder(c, by);
    if (!holder)
        return NULL;
    const char *group = document_text(holder, "TargetGroupId");
    if (group) {
        ignore_result(call_refuse(c, API_ERROR_PARAMETER,
            "Targets: those of %.64s are the ones of target group %.64s; change that.",
            document_text(by, "LocationId") ? document_text(by, "LocationId")
                                            : document_text(by, "ListenerId"),
            group));
        return NULL;
    }
    if (!json_is_array(json_object_get(holder, "Targets")))
        json_object_set_new(holder, "Targets", json_array());
    return json_object_get(holder, "Targets");
}

/* ---- changes of a list ---- */

typedef int change_fn(
    struct call *c, json_t *list, const struct target_key *key, const json_t *target);

static int set_weight(
    struct call *c, json_t *list, const struct target_key *key, const json_t *target)
{
    json_t *found = targets_find(c, list, key);
    return found ? json_object_set(found, "Weight", json_object_get(target, "Weight")) : -1;
}

static int set_port(
    struct call *c, json_t *list, const struct target_key *key, const json_t *target)
{
    return targets_move(c, list, key, call_integer(c, "NewPort", 0));
}

static int drop(struct call *c, json_t *list, const struct target_key *key, const json_t *target)
{
    return targets_remove(c, list, key);
}

static int change_one(struct call *c, json_t *list, const json_t *target, change_fn *change)
{
    struct target_key key;
    return targets_read(c, target, "EniIp", &key) < 0 ? -1 : change(c, list, &key, target);
}

/* Do CHANGE with the Targets of BY, a request or a part of it. */
static int change_all(struct call *c, const json_t *by, change_fn *change)
{
    json_t *list = find_list(c, by);
    size_t i;
    json_t *target;
    if (!list)
        return -1;
    json_array_foreach(json_object_get(by, "Targets"), i, target)
    {
        if (change_one(c, list, target, change) < 0)
            return -1;
    }
    return 0;
}

/* The weight that BY says for all becomes that of each of its Targets that has none. */
static void spread_weight(const json_t *by)
{
    const json_t *weight = json_object_get(by, "Weight");
    size_t i;
    json_t *target;
    json_array_foreach(json_object_get(by, "Targets"), i, target)
    {
        if (!json_object_get(target, "Weight"))
            json_object_set_new(target, "Weight",
                json_integer(weight ? json_integer_value(weight) : TARGETS_WEIGHT_DEFAULT));
    }
}

/* ---- actions ---- */

int action_register_targets(struct call *c)
{
    return change_all(c, c->request, targets_add);
}

int action_deregister_targets(struct call *c)
{
    return change_all(c, c->request, drop);
}

int action_modify_target_weight(struct call *c)
{
    spread_weight(c->request);
    return change_all(c, c->request, set_weight);
}

int action_modify_target_port(struct call *c)
{
    return change_all(c, c->request, set_port);
}

/* All of a batch or nothing: which listeners failed, while others did not, is never to be told. */
static int change_batch(struct call *c, change_fn *change)
{
    size_t i;
    json_t *target;
    json_array_foreach(call_list(c, "Targets"), i, target)
    {
        json_t *list = find_list(c, target);
        if (!list || change_one(c, list, target, change) < 0)
            return -1;
    }
    json_object_set_new(c->response, "FailListenerIdSet", json_array());
    json_object_set_new(c->response, "Message", json_null());
    return 0;
}

int action_batch_register_targets(struct call *c)
{
    return change_batch(c, targets_add);
}

int action_batch_deregister_targets(struct call *c)
{
    return change_batch(c, drop);
}

int action_batch_modify_target_weight(struct call *c)
{
    size_t i, n = 0;
    json_t *rule;
    json_array_foreach(call_list(c, "ModifyList"), i, rule)
    {
        n += json_array_size(json_object_get(rule, "Targets"));
        if (n > BATCH_MAX)
            return call_refuse(
                c, API_ERROR_LIMIT, "ModifyList has more than %d Targets in all.", BATCH_MAX);
        spread_weight(rule);
        if (change_all(c, rule, set_weight) < 0)
            return -1;
    }
    return 0;
}
