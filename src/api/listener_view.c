/* SPDX-License-Identifier: Apache-2.0 */
#include "api/listener_view.h"

#include "api/document.h"
#include "api/health_fields.h"
#include "api/lookup.h"
#include "config/config.h"

#include "base/ban.h"

/* Members that are told as they are kept; those that are not there are null. */
static const char *const of_listener[] = {"ListenerId", "ListenerName", "Protocol", "Port",
    "CreateTime", "Certificate", "Scheduler", "SessionExpireTime", "SniSwitch", "TargetType",
    "KeepaliveEnable", "MaxConn", "MaxCps"};
static const char *const of_rule[] = {"LocationId", "Domain", "Domains", "Url", "CreateTime",
    "SessionExpireTime", "Scheduler", "Certificate", "DefaultServer", "Http2", "ForwardType",
    "TargetType", "CookieName"};
/* Sallyport's own: told where they are. */
static const char *const ours[] = {"TargetTls", "Stopped", "ConfigFile"};

/* Members that are the same for all. */
struct constant {
    const char *name, *json;
};
static const struct constant listener_constants[] = {{"EndPort", "0"},
    {"SessionType", "\"NORMAL\""}, {"Toa", "false"}, {"DeregisterTargetRst", "false"},
    {"TargetGroupList", "null"}, {"RescheduleInterval", "0"}, {"RescheduleStartTime", "0"},
    {"DataCompressMode", "\"transparent\""}, {NULL, NULL}};
static const struct constant rule_constants[] = {{"HttpGzip", "false"},
    {"QuicStatus", "\"QUIC_INACTIVE\""}, {"TargetGroupList", "null"}, {"WafDomainId", "\"\""},
    {"TrpcCallee", "\"\""}, {"TrpcFunc", "\"\""},
    {"OAuth", "{\"OAuthEnable\": false, \"OAuthFailureStatus\": \"BYPASS\"}"}, {NULL, NULL}};

static void set_constants(json_t *out, const struct constant *constants)
{
    for (; constants->name; constants++)
        json_object_set_new(
            out, constants->name, json_loads(constants->json, JSON_DECODE_ANY, NULL));
}

static void set_ours(json_t *out, const json_t *from)
{
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (json_object_get(from, ours[i]))
            json_object_set_new(out, ours[i], document_share_member(from, ours[i]));
}

static json_t *target_group_of(const struct call *c, const json_t *holder)
{
    const char *id = document_text(holder, "TargetGroupId");
    const json_t *group = id ? model_find(c->model, MODEL_GROUP, id) : NULL;
    if (!group)
        return json_null();
    return json_pack("{s:s, s:o, s:n}", "TargetGroupId", id, "TargetGroupName",
        document_share_member(group, "TargetGroupName"), "Weight");
}

/* ---- rules ---- */

static json_t *rewrite_of(const json_t *rule)
{
    static const char *const members[] = {
        "TargetListenerId", "TargetLocationId", "RewriteCode", "TakeUrl", "RewriteType"};
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT_OF(members); i++)
        json_object_set_new(
            out, members[i], document_share_member(json_object_get(rule, "Rewrite"), members[i]));
    return out;
}

json_t *listener_view_make_rule(const struct call *c, const json_t *listener, const json_t *rule)
{
    const struct health_owner owner = {
        .protocol = document_text(rule, "ForwardType"), .domain = document_text(rule, "Domain")};
    const json_t *check = json_object_get(rule, "HealthCheck");
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT_OF(of_rule); i++)
        json_object_set_new(out, of_rule[i], document_share_member(rule, of_rule[i]));
    set_constants(out, rule_constants);
    set_ours(out, rule);
    json_object_set_new(out, "ListenerId", document_share_member(listener, "ListenerId"));
    json_object_set_new(
        out, "HealthCheck", check ? health_fields_describe(check, &owner) : json_null());
    json_object_set_new(out, "RewriteTarget", rewrite_of(rule));
    json_object_set_new(out, "BeAutoCreated", json_boolean(document_flag(rule, "BeAutoCreated")));
    json_object_set_new(out, "TargetGroup", target_group_of(c, rule));
    return out;
}

/* ---- listeners ---- */

static json_t *rules_of(const struct call *c, const json_t *listener)
{
    const json_t *rules = json_object_get(listener, "Rules");
    json_t *out = json_array(), *rule;
    size_t i;
    json_array_foreach(rules, i, rule)
        json_array_append_new(out, listener_view_make_rule(c, listener, rule));
    return out;
}

static json_t *health_of(const json_t *listener)
{
    bool is_encrypted = json_is_object(json_object_get(listener, "TargetTls"));
    const struct health_owner owner = {.protocol = is_encrypted ? "TCP_SSL" : "TCP"};
    const json_t *check = json_object_get(listener, "HealthCheck");
    return check ? health_fields_describe(check, &owner) : json_null();
}

/* The switches that are on. */
static json_t *flags_of(const json_t *listener)
{
    static const char *const flags[] = {"ProxyProtocol", "SnatEnable"};
    json_t *out = json_array();
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (document_flag(listener, flags[i]))
            json_array_append_new(out, json_string(flags[i]));
    return out;
}

json_t *listener_view_make(const struct call *c, const json_t *listener)
{
    const struct config *config = c->around->config;
    bool is_layer7 = lookup_is_layer7(listener);
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT_OF(of_listener); i++)
        json_object_set_new(out, of_listener[i], document_share_member(listener, of_listener[i]));
    set_constants(out, listener_constants);
    set_ours(out, listener);
    json_object_set_new(out, "HealthCheck", is_layer7 ? json_null() : health_of(listener));
    json_object_set_new(out, "Rules", is_layer7 ? rules_of(c, listener) : json_null());
    json_object_set_new(out, "AttrFlags", flags_of(listener));
    json_object_set_new(out, "TargetGroup", target_group_of(c, listener));
    json_object_set_new(out, "IdleConnectTimeout",
        config && !is_layer7 ? json_integer((json_int_t)(config->timeouts.relay_idle / 1000))
                             : json_null());
    return out;
}
