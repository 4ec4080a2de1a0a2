/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects from rule to rule. */
#include <stdio.h>
#include <string.h>

#include "api/action.h"
#include "api/address_choice.h"
#include "api/document.h"
#include "api/health_fields.h"
#include "api/instance_view.h"
#include "api/listener_view.h"
#include "api/lookup.h"
#include "api/rule_change.h"

#include "base/ban.h"

#define PORT_HTTP    80
#define PORT_HTTPS   443
#define CODE_DEFAULT 301

/* ---- fields ---- */

#define INSTANCE_FIELD                                                                       \
    {                                                                                        \
        "LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance" \
    }

static const struct field map_fields[] = {
    {"SourceLocationId", FIELD_TEXT, .is_required = true, .max = 64,
        .help = "the rule that redirects; its targets get nothing any more"},
    {"TargetLocationId", FIELD_TEXT, .is_required = true, .max = 64,
        .help = "the rule whose domain (and, without TakeUrl, path) clients are sent to"},
    {"RewriteCode", FIELD_INTEGER, .min = 301, .max = 307, .help = "301 (default), 302 or 307"},
    {"TakeUrl", FIELD_BOOLEAN, .help = "path and query of the request are kept; default true"},
    {"SourceDomain", FIELD_TEXT, .max = RULE_CHANGE_RENAMED_MAX,
        .help = "the source rule's domain, which has to be it"},
    {NULL},
};

#define MAP_FIELDS                                                                           \
    INSTANCE_FIELD,                                                                          \
        {"SourceListenerId", FIELD_TEXT, .is_required = true, .max = 64,                     \
            .help = "the listener whose rules redirect"},                                    \
        {"TargetListenerId", FIELD_TEXT, .is_required = true, .max = 64,                     \
            .help = "the listener that they redirect to"},                                   \
    {                                                                                        \
        "RewriteInfos", FIELD_OBJECT, .is_list = true, .is_required = true, .list_max = 100, \
                                      .of = map_fields, .help = "which rule to which"        \
    }

const struct field action_manual_rewrite_fields[] = {MAP_FIELDS, {NULL}};
const struct field action_delete_rewrite_fields[] = {MAP_FIELDS, {NULL}};

const struct field action_auto_rewrite_fields[] = {
    INSTANCE_FIELD,
    {"ListenerId", FIELD_TEXT, .is_required = true, .max = 64,
        .help = "the HTTPS listener at port 443; that of HTTP at port 80 is made where there is "
                "none, and gets the same rules"},
    {"Domains", FIELD_TEXT, .is_list = true, .max = RULE_CHANGE_RENAMED_MAX, .list_max = 100,
        .help = "of these domains; none: of all"},
    {"RewriteCodes", FIELD_INTEGER, .is_list = true, .min = 301, .max = 307, .list_max = 100,
        .help = "301 (default), 302 or 307, for each of Domains"},
    {"TakeUrls", FIELD_BOOLEAN, .is_list = true, .list_max = 100,
        .help = "for each of Domains: path and query are kept; default true"},
    {NULL},
};

const struct field action_describe_rewrite_fields[] = {
    INSTANCE_FIELD,
    {"SourceListenerIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100,
        .help = "redirects from these listeners"},
    {"SourceLocationIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100,
        .help = "redirects from these rules"},
    {NULL},
};

/* ---- what holds for every redirect ---- */

static bool is_redirect(const json_t *rule)
{
    return json_is_object(json_object_get(rule, "Rewrite"));
}

static int check_code(struct call *c, int64_t code, const char *path)
{
    if (code == 301 || code == 302 || code == 307)
        return 0;
    return call_refuse(c, API_ERROR_VALUE, "%s must be 301, 302 or 307.", path);
}

/* Does a rule of any listener of the instance redirect to RULE? */
static bool is_target(const struct call *c, const json_t *rule)
{
    size_t at = 0, i;
    const json_t *listener;
    json_t *other;
    while (model_next(c->model, MODEL_LISTENER, &at, &listener))
        json_array_foreach(json_object_get(listener, "Rules"), i, other)
        {
            if (document_is(json_object_get(other, "Rewrite"), "TargetLocationId",
                    document_text(rule, "LocationId")))
                return true;
        }
    return false;
}

/* If A leads to B, A leads nowhere else, and B nowhere: nobody is sent on and on. */
static int check_chain(struct call *c, const json_t *source, const json_t *target)
{
    const char *from = document_text(source, "LocationId"),
               *to = document_text(target, "LocationId");
    if (source == target)
        return call_refuse(
            c, API_ERROR_PARAMETER, "TargetLocationId: %s cannot be redirected to itself.", to);
    if (is_redirect(source))
        return call_refuse(c, API_ERROR_REWRITE_EXISTS,
            "SourceLocationId: %s is redirected already, to %s; delete that first (DeleteRewrite).",
            from, document_text(json_object_get(source, "Rewrite"), "TargetLocationId"));
    if (is_redirect(target))
        return call_refuse(c, API_ERROR_REWRITE_EXISTS,
            "TargetLocationId: %s is redirected itself, to %s.", to,
            document_text(json_object_get(target, "Rewrite"), "TargetLocationId"));
    if (is_target(c, source))
        return call_refuse(c, API_ERROR_REWRITE_EXISTS,
            "SourceLocationId: another rule is redirected to %s.", from);
    return 0;
}

static void set_rewrite(json_t *source, const json_t *listener, const json_t *target, int64_t code,
    bool takes_url, const char *type)
{
    json_object_set_new(source, "Rewrite",
        json_pack("{s:o, s:o, s:I, s:b, s:s}", "TargetListenerId",
            document_share_member(listener, "ListenerId"), "TargetLocationId",
            document_share_member(target, "LocationId"), "RewriteCode", (json_int_t)code, "TakeUrl",
            takes_url, "RewriteType", type));
}

/* ---- ManualRewrite, DeleteRewrite ---- */

struct pair {
    json_t *from, *to; /* listeners */
    json_t *source, *target;
};

static json_t *find_listener(struct call *c, const char *field)
{
    const char *id = call_text(c, field);
    json_t *listener = lookup_listener(c, call_text(c, "LoadBalancerId"), id, field);
    if (!listener || lookup_is_layer7(listener))
        return listener;
    call_refuse(c, API_ERROR_LISTENER_PROTOCOL,
        "%s: %s is %s; redirects lead from and to rules of "
        "HTTP and HTTPS listeners.",
        field, id, document_text(listener, "Protocol"));
    return NULL;
}

static json_t *find_rule(struct call *c, json_t *listener, const json_t *map, const char *field)
{
    json_t *by = json_pack("{s:o}", "LocationId", document_share_member(map, field));
    json_t *rule = lookup_rule(c, listener, by);
    json_decref(by);
    return rule;
}

static int find_pair(struct call *c, const json_t *map, struct pair *p)
{
    p->source = find_rule(c, p->from, map, "SourceLocationId");
    p->target = p->source ? find_rule(c, p->to, map, "TargetLocationId") : NULL;
    return p->target ? 0 : -1;
}

static int redirect(struct call *c, const json_t *map, const struct pair *p)
{
    const json_t *code = json_object_get(map, "RewriteCode");
    const json_t *takes = json_object_get(map, "TakeUrl");
    const char *domain = document_text(map, "SourceDomain");
    bool takes_url = !takes || json_is_true(takes);
    if (check_chain(c, p->source, p->target) < 0 ||
        (code && check_code(c, json_integer_value(code), "RewriteInfos.RewriteCode") < 0))
        return -1;
    if (domain && !lookup_has_domain(json_object_get(p->source, "Domains"), domain))
        return call_refuse(c, API_ERROR_PARAMETER,
            "RewriteInfos.SourceDomain: the rule %s is for %s.",
            document_text(p->source, "LocationId"), document_text(p->source, "Domain"));
    if (rule_change_check_landing(
            c, takes_url, document_text(p->target, "Url"), "RewriteInfos.TargetLocationId") < 0)
        return -1;
    set_rewrite(p->source, p->to, p->target, code ? json_integer_value(code) : CODE_DEFAULT,
        takes_url, "Manual");
    return 0;
}

static int undo(struct call *c, const json_t *map, const struct pair *p)
{
    const json_t *rewrite = json_object_get(p->source, "Rewrite");
    if (!document_is(rewrite, "TargetLocationId", document_text(p->target, "LocationId")))
        return call_refuse(c, API_ERROR_REWRITE_NOT_FOUND,
            "RewriteInfos: %s is not redirected to %s.", document_text(p->source, "LocationId"),
            document_text(p->target, "LocationId"));
    json_object_del(p->source, "Rewrite");
    return 0;
}

static int each_pair(
    struct call *c, int (*fn)(struct call *c, const json_t *map, const struct pair *p))
{
    struct pair p = {.from = find_listener(c, "SourceListenerId")};
    size_t i;
    json_t *map;
    p.to = p.from ? find_listener(c, "TargetListenerId") : NULL;
    if (!p.to)
        return -1;
    json_array_foreach(call_list(c, "RewriteInfos"), i, map)
    {
        if (find_pair(c, map, &p) < 0 || fn(c, map, &p) < 0)
            return -1;
    }
    return 0;
}

int action_manual_rewrite(struct call *c)
{
    return each_pair(c, redirect);
}

int action_delete_rewrite(struct call *c)
{
    return each_pair(c, undo);
}

/* ---- AutoRewrite ---- */

static json_t *find_https(struct call *c)
{
    json_t *listener = lookup_requested_listener(c);
    if (!listener || (document_is(listener, "Protocol", "HTTPS") &&
                         document_integer(listener, "Port") == PORT_HTTPS))
        return listener;
    call_refuse(c, API_ERROR_LISTENER_PROTOCOL,
        "ListenerId: %s is %s at port %lld; needed is HTTPS at port %d.",
        document_text(listener, "ListenerId"), document_text(listener, "Protocol"),
        (long long)document_integer(listener, "Port"), PORT_HTTPS);
    return NULL;
}

static const json_t *find_at_80(const struct call *c)
{
    size_t at = 0;
    const json_t *listener;
    while (model_next(c->model, MODEL_LISTENER, &at, &listener))
        if (document_is(listener, "LoadBalancerId", call_text(c, "LoadBalancerId")) &&
            document_integer(listener, "Port") == PORT_HTTP)
            return listener;
    return NULL;
}

static json_t *make_at_80(struct call *c)
{
    char id[MODEL_ID_MAX];
    const json_t *instance = lookup_instance(c, call_text(c, "LoadBalancerId"));
    if (address_choice_port(c, document_text(instance, "Vip"), PORT_HTTP) < 0)
        return NULL;
    model_make_id(c->model, "lbl-", id);
    model_put(c->model, MODEL_LISTENER, id,
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:i, s:i, s:i, s:i, s:[]}", "ListenerId", id,
            "LoadBalancerId", call_text(c, "LoadBalancerId"), "ListenerName", id, "Protocol",
            "HTTP", "Port", PORT_HTTP, "CreateTime", call_time(c->now_s), "SniSwitch", 0, "MaxConn",
            -1, "MaxCps", -1, "KeepaliveEnable", 0, "Rules"));
    return model_edit(c->model, MODEL_LISTENER, id);
}

/* The HTTP listener at port 80, made if there is none. NULL: C is refused. */
static json_t *take_at_80(struct call *c)
{
    const json_t *listener = find_at_80(c);
    const char *id = document_text(listener, "ListenerId");
    if (!listener)
        return make_at_80(c);
    if (document_is(listener, "Protocol", "HTTP"))
        return model_edit(c->model, MODEL_LISTENER, id);
    call_refuse(c, API_ERROR_PORT, "ListenerId: port %d is taken by %s, which is %s, not HTTP.",
        PORT_HTTP, id, document_text(listener, "Protocol"));
    return NULL;
}

/* Is RULE for the path, and one of DOMAINS, of TARGET? */
static bool is_twin(const json_t *rule, const json_t *target, const json_t *domains)
{
    return rule_change_same_url(document_text(rule, "Url"), document_text(target, "Url")) &&
           rule_change_shares(json_object_get(rule, "Domains"), domains);
}

/* The domains of TARGET for which LISTENER has no rule with its path: a new list. */
static json_t *find_missing(const json_t *listener, const json_t *target)
{
    json_t *missing = json_array(), *domain, *rule;
    size_t i, k;
    json_array_foreach(json_object_get(target, "Domains"), i, domain)
    {
        json_t *only = json_pack("[O]", domain);
        bool is_there = false;
        json_array_foreach(json_object_get(listener, "Rules"), k, rule)
        {
            is_there |= is_twin(rule, target, only);
        }
        if (!is_there)
            json_array_append(missing, domain);
        json_decref(only);
    }
    return missing;
}

/* Consumes DOMAINS, of which there is one at least. */
static void make_twin(struct call *c, json_t *listener, const json_t *target, json_t *domains)
{
    char id[MODEL_ID_MAX];
    static const struct health_owner owner = {.path = "HealthCheck", .protocol = "HTTP"};
    model_make_id(c->model, "loc-", id);
    json_t *rule =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:i, s:s, s:b, s:b, s:b, s:[], s:o}",
            "LocationId", id, "Domain", document_share(json_array_get(domains, 0)), "Domains",
            domains, "Url", document_share_member(target, "Url"), "CreateTime", call_time(c->now_s),
            "Scheduler", "WRR", "ForwardType", "HTTP", "SessionExpireTime", 0, "TargetType", "NODE",
            "DefaultServer", false, "Http2", false, "BeAutoCreated", true, "Targets", "HealthCheck",
            health_fields_choose(c, NULL, NULL, &owner));
    json_array_append_new(json_object_get(listener, "Rules"), rule);
}

/* How the domain number I of the request is redirected. */
struct manner {
    int64_t code;
    bool takes_url;
};

static struct manner manner_of(const struct call *c, size_t i)
{
    const json_t *code = json_array_get(call_list(c, "RewriteCodes"), i);
    const json_t *takes = json_array_get(call_list(c, "TakeUrls"), i);
    return (struct manner){
        code ? json_integer_value(code) : CODE_DEFAULT, !takes || json_is_true(takes)};
}

static int make_missing_twin(struct call *c, json_t *from, const json_t *target)
{
    json_t *missing = find_missing(from, target);
    bool is_needed = json_array_size(missing) > 0;
    if (is_needed && json_array_size(json_object_get(from, "Rules")) < INSTANCE_VIEW_RULES_MAX) {
        make_twin(c, from, target, missing);
        return 0;
    }
    json_decref(missing);
    return is_needed ? call_refuse(c, API_ERROR_LIMIT,
                           "ListenerId: the listener at port %d can have %d rules.", PORT_HTTP,
                           INSTANCE_VIEW_RULES_MAX)
                     : 0;
}

/* TARGET may have several domains, and each of them a rule of its own at port 80. */
static int redirect_twins(
    struct call *c, json_t *from, const json_t *to, const json_t *target, struct manner manner)
{
    json_t *source;
    size_t i;
    if (make_missing_twin(c, from, target) < 0 || rule_change_check_landing(c, manner.takes_url,
                                                      document_text(target, "Url"), "TakeUrls") < 0)
        return -1;
    json_array_foreach(json_object_get(from, "Rules"), i, source)
    {
        if (!is_twin(source, target, json_object_get(target, "Domains")))
            continue;
        if (check_chain(c, source, target) < 0)
            return -1;
        set_rewrite(source, to, target, manner.code, manner.takes_url, "Auto");
    }
    return 0;
}

/* Was RULE redirected for a domain that stands in the request before number N? */
static bool is_done(const struct call *c, const json_t *rule, size_t n)
{
    bool is_before = false;
    for (size_t i = 0; i < n; i++)
        is_before |= lookup_has_domain(json_object_get(rule, "Domains"),
            json_string_value(json_array_get(call_list(c, "Domains"), i)));
    return is_before;
}

/* All rules of the domain number AT of the request, or if it names none of all domains. */
static int redirect_domain(struct call *c, json_t *from, const json_t *to, size_t at)
{
    const char *domain = json_string_value(json_array_get(call_list(c, "Domains"), at));
    struct manner manner = manner_of(c, at);
    size_t i, n = 0;
    json_t *target;
    if (check_code(c, manner.code, "RewriteCodes") < 0)
        return -1;
    json_array_foreach(json_object_get(to, "Rules"), i, target)
    {
        if (domain && !lookup_has_domain(json_object_get(target, "Domains"), domain))
            continue;
        n++;
        if (!is_done(c, target, at) && redirect_twins(c, from, to, target, manner) < 0)
            return -1;
    }
    return n ? 0
             : call_refuse(c, API_ERROR_LOCATION_NOT_FOUND,
                   "Domains: the listener %s has no rule%s%s.", call_text(c, "ListenerId"),
                   domain ? " for " : "", domain ? domain : "");
}

int action_auto_rewrite(struct call *c)
{
    json_t *to = find_https(c), *from = to ? take_at_80(c) : NULL;
    size_t n = json_array_size(call_list(c, "Domains"));
    if (!from)
        return -1;
    if (json_array_size(call_list(c, "RewriteCodes")) > (n ? n : 1) ||
        json_array_size(call_list(c, "TakeUrls")) > (n ? n : 1))
        return call_refuse(c, API_ERROR_PARAMETER,
            "RewriteCodes and TakeUrls must not have more elements than Domains.");
    for (size_t i = 0; i < (n ? n : 1); i++)
        if (redirect_domain(c, from, to, i) < 0)
            return -1;
    rule_change_settle_default(from);
    return 0;
}

/* ---- DescribeRewrite ---- */

static bool is_asked_for(const struct call *c, const char *list_name, const char *id)
{
    const json_t *list = call_list(c, list_name);
    return !json_array_size(list) || lookup_has_text(list, id);
}

int action_describe_rewrite(struct call *c)
{
    json_t *listeners = lookup_listeners(c, call_text(c, "LoadBalancerId"));
    json_t *set = json_array(), *listener, *rule;
    size_t i, k;
    json_array_foreach(listeners, i, listener)
    {
        if (!is_asked_for(c, "SourceListenerIds", document_text(listener, "ListenerId")))
            continue;
        json_array_foreach(json_object_get(listener, "Rules"), k, rule)
        {
            if (is_redirect(rule) &&
                is_asked_for(c, "SourceLocationIds", document_text(rule, "LocationId")))
                json_array_append_new(set, listener_view_make_rule(c, listener, rule));
        }
    }
    json_object_set_new(c->response, "RewriteSet", set);
    json_decref(listeners);
    return listeners ? 0 : -1;
}
