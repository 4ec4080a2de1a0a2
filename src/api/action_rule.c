/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of HTTP and HTTPS listeners: which requests go to which targets. */
#include <stdio.h>
#include <string.h>

#include "api/action.h"
#include "api/certificates.h"
#include "api/document.h"
#include "api/health_fields.h"
#include "api/instance_view.h"
#include "api/listener_fields.h"
#include "api/lookup.h"
#include "api/rule_change.h"
#include "config/value.h"

#include "base/ban.h"

#define SESSION_MIN_S    30
#define SESSION_MAX_S    86400
#define COOKIE_MAX       64
#define PATH_IN_REQUEST  64                     /* "Rules.499." */
#define FIELD_IN_REQUEST (PATH_IN_REQUEST + 16) /* "Rules.499.HealthCheck" */

/* ---- fields ---- */

static const struct field oauth_fields[] = {
    {"OAuthEnable", FIELD_BOOLEAN, .only = "false", .why = "there is no OAuth"},
    {"OAuthFailureStatus", FIELD_TEXT, .only = "\"BYPASS\"|\"REJECT\"", .why = "there is no OAuth"},
    {NULL},
};

/* What CreateRule and ModifyRule have in common. */
#define SHARED_FIELDS                                                                             \
    {"SessionExpireTime", FIELD_INTEGER, .min = 0, .max = SESSION_MAX_S,                          \
        .help = "30 to 86400 seconds for which a cookie keeps a client at its target; 0 "         \
                "(default): none. With Scheduler WRR only"},                                      \
        {"HealthCheck", FIELD_OBJECT, .of = health_fields_table,                                  \
            .help = "how targets are checked"},                                                   \
        {"Scheduler", FIELD_TEXT, .choices = "WRR|LEAST_CONN|IP_HASH", .help = "default WRR"},    \
        {"ForwardType", FIELD_TEXT, .choices = "HTTP|HTTPS|GRPC|GRPCS",                           \
            .help = "what targets speak; default HTTP. GRPC and GRPCS need Http2 of the domain"}, \
        {"CookieName", FIELD_TEXT, .max = COOKIE_MAX,                                             \
            .help = "of that cookie; default SALLYPORT"},                                         \
        {"TargetTls", FIELD_OBJECT, .of = listener_fields_target_tls,                             \
            .help = "Sallyport's own, with ForwardType HTTPS and GRPCS: what the targets must "   \
                    "prove"},                                                                     \
        {"TrpcCallee", FIELD_TEXT, .only = "\"\"", .why = "there is no TRPC"},                    \
    {                                                                                             \
        "TrpcFunc", FIELD_TEXT, .only = "\"\"", .why = "there is no TRPC"                         \
    }

static const struct field rule_fields[] = {
    {"Url", FIELD_TEXT, .is_required = true, .min = 1, .max = RULE_CHANGE_URL_MAX,
        .help = "a prefix, `/api/`; a whole path, `= /health`; a prefix before which no regular "
                "expression is asked, `^~ /static/`; a regular expression, `~ \\.png$`, without "
                "case `~* \\.png$`"},
    {"Domain", FIELD_TEXT, .min = 1, .max = RULE_CHANGE_DOMAIN_MAX,
        .help = "`www.example.com`, `*.example.com`, `www.example.*`, or `~` and a regular "
                "expression"},
    {"Domains", FIELD_TEXT, .is_list = true, .min = 1, .max = RULE_CHANGE_DOMAIN_MAX,
        .list_max = 100, .help = "instead of Domain: several"},
    {"Certificate", FIELD_OBJECT, .of = certificates_input_fields,
        .help = "of a listener with SNI: the domain's; needed for the first rule of a domain"},
    {"MultiCertInfo", FIELD_OBJECT, .of = certificates_multi_fields,
        .help = "instead of Certificate: several, with keys of different kinds"},
    {"DefaultServer", FIELD_BOOLEAN,
        .help = "true: its domain is the default one, which answers for unknown hosts; the first "
                "rule's is where nobody says"},
    {"Http2", FIELD_BOOLEAN, .help = "of HTTPS listeners: the domain's clients may speak HTTP/2"},
    {"TargetType", FIELD_TEXT, .choices = "NODE|TARGETGROUP",
        .help = "real servers of its own (default), or a target group's"},
    {"Quic", FIELD_BOOLEAN, .only = "false", .why = "there is no QUIC"},
    {"OAuth", FIELD_OBJECT, .of = oauth_fields, .help = "off"},
    SHARED_FIELDS,
    {NULL},
};

#define OF_LISTENER                                                                         \
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"}, \
    {                                                                                       \
        "ListenerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the listener"    \
    }

const struct field action_create_rule_fields[] = {
    OF_LISTENER,
    {"Rules", FIELD_OBJECT, .is_list = true, .is_required = true, .list_max = 100,
        .of = rule_fields, .help = "the new rules"},
    {NULL},
};

const struct field action_modify_rule_fields[] = {
    OF_LISTENER,
    {"LocationId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the rule"},
    {"Url", FIELD_TEXT, .min = 1, .max = RULE_CHANGE_URL_MAX, .help = "its new path"},
    {"OAuth", FIELD_OBJECT, .of = oauth_fields, .help = "off"},
    SHARED_FIELDS,
    {NULL},
};

const struct field action_delete_rule_fields[] = {
    OF_LISTENER,
    {"LocationIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100,
        .help = "the rules; or one by the next two"},
    {"Domain", FIELD_TEXT, .max = RULE_CHANGE_RENAMED_MAX, .help = "its domain"},
    {"Url", FIELD_TEXT, .max = RULE_CHANGE_URL_MAX, .help = "its path"},
    {"NewDefaultServerDomain", FIELD_TEXT, .max = RULE_CHANGE_RENAMED_MAX,
        .help = "which domain is the default one, if the default one goes; without it that of the "
                "oldest rule left"},
    {NULL},
};

/* ---- a listener that has rules ---- */

static json_t *find_listener(struct call *c)
{
    json_t *listener = lookup_requested_listener(c);
    if (!listener || lookup_is_layer7(listener))
        return listener;
    call_refuse(c, API_ERROR_VALUE,
        "ListenerId: This interface only support HTTP/HTTPS listener; %s is %s.",
        document_text(listener, "ListenerId"), document_text(listener, "Protocol"));
    return NULL;
}

static bool is_https(const json_t *listener)
{
    return document_is(listener, "Protocol", "HTTPS");
}

/* ---- what holds for a rule, new or changed ---- */

static int check_session(struct call *c, const json_t *rule, const char *path)
{
    int64_t seconds = document_integer(rule, "SessionExpireTime");
    const char *cookie = document_text(rule, "CookieName");
    if (seconds && seconds < SESSION_MIN_S)
        return call_refuse(c, API_ERROR_RANGE, "%sSessionExpireTime must be 0, or from %d to %d.",
            path, SESSION_MIN_S, SESSION_MAX_S);
    if (seconds && !document_is(rule, "Scheduler", "WRR"))
        return call_refuse(c, API_ERROR_VALUE,
            "%sSessionExpireTime needs Scheduler WRR; the rule has %s.", path,
            document_text(rule, "Scheduler"));
    if (cookie && !value_is_token(cookie))
        return call_refuse(c, API_ERROR_VALUE,
            "%sCookieName must have letters, digits and !#$%%&'*+-.^_`|~ only.", path);
    return 0;
}

static int check_forward(
    struct call *c, const json_t *listener, const json_t *rule, const char *path)
{
    const char *forward = document_text(rule, "ForwardType");
    bool is_grpc = strncmp(forward, "GRPC", 4) == 0;
    bool is_encrypted = forward[strlen(forward) - 1] == 'S';
    if (is_grpc && !is_https(listener))
        return call_refuse(c, API_ERROR_VALUE,
            "%sForwardType %s needs an HTTPS listener, where clients can speak HTTP/2.", path,
            forward);
    if (is_grpc && !document_flag(rule, "Http2"))
        return call_refuse(c, API_ERROR_VALUE,
            "%sForwardType %s needs Http2 of the domain to be true.", path, forward);
    if (json_is_object(json_object_get(rule, "TargetTls")) && !is_encrypted)
        return call_refuse(c, API_ERROR_VALUE,
            "%sTargetTls needs ForwardType HTTPS or GRPCS; the rule has %s.", path, forward);
    return 0;
}

/* Copy what GIVEN says into RULE. */
static void take_simple(json_t *rule, const json_t *given)
{
    static const char *const names[] = {
        "SessionExpireTime", "Scheduler", "ForwardType", "CookieName", "TargetType"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const json_t *value = json_object_get(given, names[i]);
        if (value)
            json_object_set_new(rule, names[i], document_share(value));
    }
}

static int take_target_tls(struct call *c, json_t *rule, const json_t *given, const char *path)
{
    const json_t *input = json_object_get(given, "TargetTls");
    char field[FIELD_IN_REQUEST];
    snprintf(field, sizeof(field), "%sTargetTls", path);
    json_t *tls = input ? listener_fields_take_target_tls(c, input, field) : NULL;
    if (tls)
        json_object_set_new(rule, "TargetTls", tls);
    return input && !tls ? -1 : 0;
}

/* RULE as GIVEN, a part of the request at PATH ("Rules.0."), has it from now on. */
static int change_rule(
    struct call *c, const json_t *listener, json_t *rule, const json_t *given, const char *path)
{
    char field[FIELD_IN_REQUEST];
    take_simple(rule, given);
    if (take_target_tls(c, rule, given, path) < 0 || check_session(c, rule, path) < 0 ||
        check_forward(c, listener, rule, path) < 0)
        return -1;
    snprintf(field, sizeof(field), "%sHealthCheck", path);
    const struct health_owner owner = {.path = field,
        .protocol = document_text(rule, "ForwardType"),
        .domain = document_text(rule, "Domain")};
    json_t *check = health_fields_choose(
        c, json_object_get(given, "HealthCheck"), json_object_get(rule, "HealthCheck"), &owner);
    if (check)
        json_object_set_new(rule, "HealthCheck", check);
    return check ? 0 : -1;
}

/* ---- CreateRule ---- */

/* Domain or Domains of GIVEN as they are kept: a new list. NULL: C is refused. */
static json_t *take_domains(struct call *c, const json_t *given, const char *path)
{
    const char *single = document_text(given, "Domain");
    const json_t *several = json_object_get(given, "Domains");
    char field[FIELD_IN_REQUEST];
    if (!single && !json_array_size(several)) {
        call_refuse(c, API_ERROR_MISSING, "%sDomain is missing: it, or Domains.", path);
        return NULL;
    }
    if (single && json_array_size(several)) {
        call_refuse(c, API_ERROR_PARAMETER, "%sDomain and Domains exclude each other.", path);
        return NULL;
    }
    snprintf(field, sizeof(field), "%sDomain%s", path, single ? "" : "s");
    json_t *wanted = single ? json_pack("[s]", single) : document_share(several);
    json_t *out = rule_change_domains(c, wanted, field);
    json_decref(wanted);
    return out;
}

/* What a domain has already, its new rule has, too. */
static void inherit(json_t *rule, const json_t *listener)
{
    static const char *const members[] = {"Http2", "Certificate", "DefaultServer"};
    const json_t *other = rule_change_find_domains(listener, json_object_get(rule, "Domains"));
    for (size_t i = 0; other && i < COUNT_OF(members); i++)
        if (json_object_get(other, members[i]))
            json_object_set_new(
                rule, members[i], json_deep_copy(json_object_get(other, members[i])));
}

static int take_certificate(
    struct call *c, json_t *listener, json_t *rule, const json_t *given, const char *path)
{
    json_t *certificate;
    bool is_sni = document_integer(listener, "SniSwitch");
    bool is_given =
        json_object_get(given, "Certificate") || json_object_get(given, "MultiCertInfo");
    const json_t *before = json_object_get(rule, "Certificate");
    if (is_given && !is_sni)
        return call_refuse(c, API_ERROR_PARAMETER,
            "%sCertificate needs a listener with SniSwitch 1; this one has one certificate for "
            "all of its domains (ModifyListener).",
            path);
    if (is_sni && !is_given && !before)
        return call_refuse(c, API_ERROR_MISSING,
            "%sCertificate is missing: the listener has SniSwitch 1, and its domains "
            "certificates of their own.",
            path);
    if (listener_fields_take_certificate(c, given, before, &certificate) < 0)
        return -1;
    if (certificate)
        rule_change_set(listener, json_object_get(rule, "Domains"), "Certificate", certificate);
    if (certificate)
        json_object_set_new(rule, "Certificate", certificate);
    return 0;
}

/* What GIVEN says of the domain as a whole. */
static int take_attributes(
    struct call *c, json_t *listener, json_t *rule, const json_t *given, const char *path)
{
    const json_t *domains = json_object_get(rule, "Domains");
    json_t *http2 = json_object_get(given, "Http2");
    if (json_is_true(http2) && !is_https(listener))
        return call_refuse(c, API_ERROR_PARAMETER, "%sHttp2 needs an HTTPS listener.", path);
    if (take_certificate(c, listener, rule, given, path) < 0)
        return -1;
    if (http2) {
        rule_change_set(listener, domains, "Http2", http2);
        json_object_set(rule, "Http2", http2);
    }
    return 0;
}

static int check_new(struct call *c, const json_t *listener, const json_t *domains, const char *url,
    const char *path)
{
    char field[FIELD_IN_REQUEST];
    snprintf(field, sizeof(field), "%sUrl", path);
    if (rule_change_check_url(c, url, field) < 0)
        return -1;
    snprintf(field, sizeof(field), "%sDomain", path);
    if (document_integer(listener, "SniSwitch") && rule_change_check_sni(c, domains, field) < 0)
        return -1;
    if (json_array_size(json_object_get(listener, "Rules")) >= INSTANCE_VIEW_RULES_MAX)
        return call_refuse(
            c, API_ERROR_LIMIT, "Rules: a listener can have %d rules.", INSTANCE_VIEW_RULES_MAX);
    return rule_change_check_double(c, listener, NULL, domains, url);
}

static json_t *new_rule(const struct call *c, const json_t *domains, const char *url)
{
    char id[MODEL_ID_MAX];
    model_make_id(c->model, "loc-", id);
    return json_pack("{s:s, s:O, s:O, s:s, s:o, s:s, s:s, s:i, s:s, s:b, s:b, s:[]}", "LocationId",
        id, "Domain", json_array_get(domains, 0), "Domains", domains, "Url", url, "CreateTime",
        call_time(c->now_s), "Scheduler", "WRR", "ForwardType", "HTTP", "SessionExpireTime", 0,
        "TargetType", "NODE", "DefaultServer", false, "Http2", false, "Targets");
}

static int add_rule(struct call *c, json_t *listener, const json_t *given, const char *path)
{
    const char *url = document_text(given, "Url");
    json_t *domains = take_domains(c, given, path);
    if (!domains || check_new(c, listener, domains, url, path) < 0) {
        json_decref(domains);
        return -1;
    }
    json_t *rule = new_rule(c, domains, url);
    inherit(rule, listener);
    int result = take_attributes(c, listener, rule, given, path) < 0 ||
                         change_rule(c, listener, rule, given, path) < 0
                     ? -1
                     : 0;
    if (result == 0) {
        json_array_append(json_object_get(listener, "Rules"), rule);
        json_array_append(
            json_object_get(c->response, "LocationIds"), json_object_get(rule, "LocationId"));
        if (document_flag(given, "DefaultServer"))
            rule_change_set_default(listener, json_string_value(json_array_get(domains, 0)));
    }
    json_decref(domains);
    json_decref(rule);
    return result;
}

int action_create_rule(struct call *c)
{
    json_t *listener = find_listener(c), *given;
    size_t i, defaults = 0;
    if (!listener)
        return -1;
    if (listener_fields_check_room(
            c, "target_groups", json_array_size(call_list(c, "Rules")), "Rules") < 0)
        return -1;
    json_object_set_new(c->response, "LocationIds", json_array());
    json_array_foreach(call_list(c, "Rules"), i, given)
    {
        char path[PATH_IN_REQUEST];
        snprintf(path, sizeof(path), "Rules.%zu.", i);
        defaults += document_flag(given, "DefaultServer");
        if (defaults > 1)
            return call_refuse(c, API_ERROR_VALUE,
                "%sDefaultServer: another rule of the request has it, and a listener has one "
                "default domain.",
                path);
        if (add_rule(c, listener, given, path) < 0)
            return -1;
    }
    rule_change_settle_default(listener);
    return 0;
}

/* ---- ModifyRule ---- */

int action_modify_rule(struct call *c)
{
    json_t *listener = find_listener(c);
    json_t *by = json_pack("{s:s}", "LocationId", call_text(c, "LocationId"));
    json_t *rule = listener ? lookup_rule(c, listener, by) : NULL;
    const char *url = call_text(c, "Url");
    json_decref(by);
    if (!rule)
        return -1;
    if (url &&
        (rule_change_check_url(c, url, "Url") < 0 || rule_change_check_visitors(c, rule, url) < 0 ||
            rule_change_check_double(c, listener, rule, json_object_get(rule, "Domains"), url) < 0))
        return -1;
    if (url)
        json_object_set_new(rule, "Url", json_string(url));
    return change_rule(c, listener, rule, c->request, "");
}

/* ---- DeleteRule ---- */

static void remove_rule(struct call *c, json_t *listener, const json_t *rule)
{
    json_t *rules = json_object_get(listener, "Rules"), *other;
    size_t i;
    rule_change_forget_targets(c, call_text(c, "LoadBalancerId"), call_text(c, "ListenerId"),
        document_text(rule, "LocationId"));
    json_array_foreach(rules, i, other)
    {
        if (other == rule) {
            json_array_remove(rules, i);
            return;
        }
    }
}

static int remove_listed(struct call *c, json_t *listener)
{
    json_t *ids = call_list(c, "LocationIds"), *id;
    size_t i;
    json_array_foreach(ids, i, id)
    {
        json_t *by = json_pack("{s:O}", "LocationId", id);
        json_t *rule = lookup_rule(c, listener, by);
        json_decref(by);
        if (!rule)
            return -1;
        remove_rule(c, listener, rule);
    }
    return 0;
}

/* By Domain and Url, or of Domain all. */
static int remove_named(struct call *c, json_t *listener)
{
    const char *domain = call_text(c, "Domain");
    if (domain && !call_text(c, "Url")) {
        json_t *rule = rule_change_find_domain(listener, domain);
        if (!rule)
            return call_refuse(c, API_ERROR_LOCATION_NOT_FOUND,
                "Domain: the listener %s has no rule for %s.", call_text(c, "ListenerId"), domain);
        for (; rule; rule = rule_change_find_domain(listener, domain))
            remove_rule(c, listener, rule);
        return 0;
    }
    json_t *rule = lookup_rule(c, listener, c->request);
    if (rule)
        remove_rule(c, listener, rule);
    return rule ? 0 : -1;
}

int action_delete_rule(struct call *c)
{
    json_t *listener = find_listener(c);
    const char *next = call_text(c, "NewDefaultServerDomain");
    bool by_ids = json_array_size(call_list(c, "LocationIds"));
    if (!listener || (by_ids ? remove_listed(c, listener) : remove_named(c, listener)) < 0)
        return -1;
    if (next && !rule_change_find_domain(listener, next))
        return call_refuse(c, API_ERROR_LOCATION_NOT_FOUND,
            "NewDefaultServerDomain: the listener has no rule for %s.", next);
    if (next)
        rule_change_set_default(listener, next);
    rule_change_settle_default(listener);
    return 0;
}
