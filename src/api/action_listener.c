/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners: made, changed, deleted. */
#include <stdio.h>
#include <string.h>

#include "api/action.h"
#include "api/address_choice.h"
#include "api/certificates.h"
#include "api/document.h"
#include "api/health_fields.h"
#include "api/instance_view.h"
#include "api/listener_fields.h"
#include "api/lookup.h"
#include "api/rule_change.h"
#include "base/memory.h"

#include "base/ban.h"

#define NAME_MAX_BYTES  255
#define CONN_MAX        10000000
#define CPS_MAX         1000000
#define SESSION_MIN_S   30
#define SESSION_MAX_S   3600
#define NOT_RESCHEDULED "connections stay with their target until they end"
#define NO_RANGES       "a listener has one port"

/* ---- fields ---- */

/* What CreateListener and ModifyListener have in common. */
#define SHARED_FIELDS                                                                              \
    {"HealthCheck", FIELD_OBJECT, .of = health_fields_table,                                       \
        .help = "of TCP and TCP_SSL: how targets are checked; rules have their own"},              \
        {"Certificate", FIELD_OBJECT, .of = certificates_input_fields,                             \
            .help =                                                                                \
                "of TCP_SSL, and of HTTPS without SNI: who proves what. With SNI, domains have "   \
                "their own (CreateRule, ModifyDomainAttributes)"},                                 \
        {"MultiCertInfo", FIELD_OBJECT, .of = certificates_multi_fields,                           \
            .help = "instead of Certificate: several, with keys of different kinds"},              \
        {"SessionExpireTime", FIELD_INTEGER, .min = 0, .max = SESSION_MAX_S,                       \
            .help = "of TCP and TCP_SSL: 30 to 3600 seconds for which a client's address stays "   \
                    "with its target; 0 (default): not at all"},                                   \
        {"Scheduler", FIELD_TEXT, .choices = "WRR|LEAST_CONN|IP_HASH",                             \
            .help = "of TCP and TCP_SSL; default WRR"},                                            \
        {"SniSwitch", FIELD_INTEGER, .min = 0, .max = 1,                                           \
            .help =                                                                                \
                "of HTTPS: 1, each domain has its certificate; default 0. Once on it stays on"},   \
        {"TargetType", FIELD_TEXT, .choices = "NODE|TARGETGROUP",                                  \
            .help = "of TCP and TCP_SSL: real servers of its own (default), or a target group's"}, \
        {"SessionType", FIELD_TEXT, .only = "\"NORMAL\"", .why = "there is no QUIC"},              \
        {"KeepaliveEnable", FIELD_INTEGER, .min = 0, .max = 1,                                     \
            .help = "told again; connections to the targets of HTTP and HTTPS listeners are used " \
                    "again in any case"},                                                          \
        {"DeregisterTargetRst", FIELD_BOOLEAN, .only = "false", .why = NOT_RESCHEDULED},           \
        {"MaxConn", FIELD_INTEGER, .min = -1, .max = CONN_MAX,                                     \
            .help = "connections at a time; -1 (default): any number"},                            \
        {"MaxCps", FIELD_INTEGER, .min = -1, .max = CPS_MAX,                                       \
            .help = "new connections per second; -1 (default): any number"},                       \
        {"IdleConnectTimeout", FIELD_INTEGER, .only = "900",                                       \
            .why = "it is timeouts.relay_idle of the configuration file, for all listeners"},      \
        {"ProxyProtocol", FIELD_BOOLEAN,                                                           \
            .help = "of TCP and TCP_SSL: targets are told of the client by the PROXY protocol, "   \
                    "version 2; default false"},                                                   \
        {"SnatEnable", FIELD_BOOLEAN,                                                              \
            .help = "told again; targets see this machine's address in any case"},                 \
        {"DataCompressMode", FIELD_TEXT, .only = "\"transparent\"",                                \
            .why = "compression is `compression` of the configuration file's listeners"},          \
        {"RescheduleTargetZeroWeight", FIELD_BOOLEAN, .only = "false", .why = NOT_RESCHEDULED},    \
        {"RescheduleUnhealthy", FIELD_BOOLEAN, .only = "false", .why = NOT_RESCHEDULED},           \
        {"RescheduleExpandTarget", FIELD_BOOLEAN, .only = "false", .why = NOT_RESCHEDULED},        \
        {"RescheduleStartTime", FIELD_INTEGER, .only = "0", .why = NOT_RESCHEDULED},               \
        {"RescheduleInterval", FIELD_INTEGER, .only = "0", .why = NOT_RESCHEDULED},                \
    {                                                                                              \
        "TargetTls", FIELD_OBJECT,                                                                 \
            .of = listener_fields_target_tls,                                                      \
            .help =                                                                                \
                "Sallyport's own, of TCP and TCP_SSL: targets are spoken to over TLS, and must "   \
                "prove who they are; `{}` takes all defaults"                                      \
    }
#define INSTANCE_FIELD                                                                       \
    {                                                                                        \
        "LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance" \
    }
#define LISTENER_FIELD                                                                   \
    {                                                                                    \
        "ListenerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the listener" \
    }

const struct field action_create_listener_fields[] = {
    INSTANCE_FIELD,
    {"Ports", FIELD_INTEGER, .is_list = true, .is_required = true, .min = 1, .max = 65535,
        .list_max = INSTANCE_VIEW_LISTENERS_MAX, .help = "each becomes a listener"},
    {"Protocol", FIELD_TEXT, .is_required = true, .choices = "TCP|TCP_SSL|HTTP|HTTPS|UDP|QUIC",
        .help = "what clients speak; UDP and QUIC are refused"},
    {"ListenerNames", FIELD_TEXT, .is_list = true, .max = NAME_MAX_BYTES,
        .list_max = INSTANCE_VIEW_LISTENERS_MAX, .help = "in the order of Ports"},
    SHARED_FIELDS,
    {"EndPort", FIELD_INTEGER, .only = "0", .why = NO_RANGES},
    {"FullEndPorts", FIELD_INTEGER, .is_list = true, .only = "", .why = NO_RANGES},
    {"H2cSwitch", FIELD_BOOLEAN, .only = "false", .why = "HTTP/2 is for HTTPS listeners"},
    {"SslCloseSwitch", FIELD_BOOLEAN, .only = "false", .why = "a listener without TLS is of TCP"},
    {NULL},
};

const struct field action_modify_listener_fields[] = {
    INSTANCE_FIELD,
    LISTENER_FIELD,
    {"ListenerName", FIELD_TEXT, .max = NAME_MAX_BYTES, .help = "its new name"},
    SHARED_FIELDS,
    {NULL},
};

const struct field action_delete_listener_fields[] = {INSTANCE_FIELD, LISTENER_FIELD, {NULL}};

const struct field action_delete_load_balancer_listeners_fields[] = {
    INSTANCE_FIELD,
    {"ListenerIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 20,
        .help = "the listeners; none: all of the instance"},
    {NULL},
};

const struct field action_set_load_balancer_start_status_fields[] = {
    {"OperationType", FIELD_TEXT, .is_required = true, .choices = "Start|Stop",
        .help = "what to do"},
    INSTANCE_FIELD,
    {"ListenerIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = INSTANCE_VIEW_LISTENERS_MAX,
        .help = "the listeners; none: all of the instance"},
    {NULL},
};

/* ---- which fields fit which protocol ---- */

#define ON_TCP     1u
#define ON_TCP_SSL 2u
#define ON_HTTP    4u
#define ON_HTTPS   8u
#define ON_STREAMS (ON_TCP | ON_TCP_SSL)

static const struct {
    const char *name;
    unsigned on;
} protocols[] = {{"TCP", ON_TCP}, {"TCP_SSL", ON_TCP_SSL}, {"HTTP", ON_HTTP}, {"HTTPS", ON_HTTPS}};

static const struct {
    const char *field;
    unsigned on;
    const char *instead;
} fits[] = {
    {"HealthCheck", ON_STREAMS, "rules have it (CreateRule, ModifyRule)"},
    {"Certificate", ON_TCP_SSL | ON_HTTPS, "it has no certificate"},
    {"MultiCertInfo", ON_TCP_SSL | ON_HTTPS, "it has no certificate"},
    {"SessionExpireTime", ON_STREAMS, "rules have it (CreateRule, ModifyRule)"},
    {"Scheduler", ON_STREAMS, "rules have it (CreateRule, ModifyRule)"},
    {"SniSwitch", ON_HTTPS, "only HTTPS listeners choose by SNI"},
    {"TargetType", ON_STREAMS, "rules have it (CreateRule)"},
    {"ProxyProtocol", ON_STREAMS, "HTTP targets are told by X-Forwarded-For"},
    {"TargetTls", ON_STREAMS, "rules have it (CreateRule, ModifyRule)"},
};

static unsigned protocol_bit(const char *protocol)
{
    for (size_t i = 0; i < COUNT_OF(protocols); i++)
        if (strcmp(protocols[i].name, protocol) == 0)
            return protocols[i].on;
    return 0;
}

/* Does a value ask for something? What clients send with every request, 0, false and NODE, does
 * not. */
static bool asks(const json_t *value)
{
    return value && !json_is_false(value) &&
           !(json_is_integer(value) && json_integer_value(value) == 0) &&
           !(json_is_string(value) && strcmp(json_string_value(value), "NODE") == 0);
}

static int check_fit(struct call *c, const char *protocol)
{
    for (size_t i = 0; i < COUNT_OF(fits); i++)
        if (asks(json_object_get(c->request, fits[i].field)) &&
            !(fits[i].on & protocol_bit(protocol)))
            return call_refuse(c, API_ERROR_PARAMETER, "%s is not for %s listeners: %s.",
                fits[i].field, protocol, fits[i].instead);
    int64_t session = call_integer(c, "SessionExpireTime", 0);
    if (session && session < SESSION_MIN_S)
        return call_refuse(c, API_ERROR_RANGE, "SessionExpireTime must be 0, or from %d to %d.",
            SESSION_MIN_S, SESSION_MAX_S);
    return 0;
}

/* ---- CreateListener ---- */

static int check_protocol(struct call *c, const char *protocol)
{
    if (protocol_bit(protocol))
        return 0;
    return call_refuse(c, API_ERROR_UNSUPPORTED,
        "Protocol %s is not supported: there are TCP, TCP_SSL, HTTP and HTTPS.", protocol);
}

static int check_certificate_given(struct call *c, const char *protocol)
{
    bool is_sni = call_integer(c, "SniSwitch", 0);
    bool is_given =
        json_object_get(c->request, "Certificate") || json_object_get(c->request, "MultiCertInfo");
    bool is_needed =
        strcmp(protocol, "TCP_SSL") == 0 || (strcmp(protocol, "HTTPS") == 0 && !is_sni);
    if (is_needed && !is_given)
        return call_refuse(c, API_ERROR_MISSING,
            "Certificate is missing: %s listeners need it, or MultiCertInfo.", protocol);
    if (is_sni && is_given)
        return call_refuse(c, API_ERROR_PARAMETER,
            "Certificate is not for listeners with SniSwitch 1: each domain has its own "
            "(CreateRule, ModifyDomainAttributes).");
    return 0;
}

static size_t count_listeners(const struct call *c, const char *instance_id)
{
    size_t at = 0, n = 0;
    const json_t *listener;
    while (model_next(c->model, MODEL_LISTENER, &at, &listener))
        n += document_is(listener, "LoadBalancerId", instance_id);
    return n;
}

static int check_ports(struct call *c, const json_t *instance)
{
    const json_t *ports = call_list(c, "Ports");
    const char *id = document_text(instance, "LoadBalancerId");
    size_t names = json_array_size(call_list(c, "ListenerNames")), i, k;
    json_t *port;
    if (!json_array_size(ports))
        return call_refuse(c, API_ERROR_MISSING, "Ports is missing: it is empty.");
    if (names && names != json_array_size(ports))
        return call_refuse(
            c, API_ERROR_VALUE, "ListenerNames must have as many elements as Ports, or none.");
    if (count_listeners(c, id) + json_array_size(ports) > INSTANCE_VIEW_LISTENERS_MAX)
        return call_refuse(c, API_ERROR_LIMIT, "Ports: an instance can have %d listeners.",
            INSTANCE_VIEW_LISTENERS_MAX);
    bool is_stream = protocol_bit(call_text(c, "Protocol")) & ON_STREAMS;
    if (listener_fields_check_room(c, "listeners", json_array_size(ports), "Ports") < 0 ||
        (is_stream &&
            listener_fields_check_room(c, "target_groups", json_array_size(ports), "Ports") < 0))
        return -1;
    json_array_foreach(ports, i, port)
    {
        for (k = 0; k < i; k++)
            if (json_equal(port, json_array_get(ports, k)))
                return call_refuse(c, API_ERROR_PORT, "Ports: %lld stands there twice.",
                    (long long)json_integer_value(port));
        if (address_choice_port(c, document_text(instance, "Vip"), json_integer_value(port)) < 0)
            return -1;
    }
    return 0;
}

/* Copy what C says of NAME into LISTENER, where it says something. */
static void take(const struct call *c, json_t *listener, const char *name)
{
    const json_t *given = json_object_get(c->request, name);
    if (given)
        json_object_set_new(listener, name, document_share(given));
}

static void take_simple(const struct call *c, json_t *listener)
{
    static const char *const names[] = {"SessionExpireTime", "Scheduler", "SniSwitch", "TargetType",
        "KeepaliveEnable", "MaxConn", "MaxCps", "ProxyProtocol", "SnatEnable"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (asks(json_object_get(c->request, names[i])) || json_object_get(listener, names[i]))
            take(c, listener, names[i]);
}

static int take_target_tls(struct call *c, json_t *listener)
{
    const json_t *given = json_object_get(c->request, "TargetTls");
    json_t *tls = given ? listener_fields_take_target_tls(c, given, "TargetTls") : NULL;
    if (tls)
        json_object_set_new(listener, "TargetTls", tls);
    return given && !tls ? -1 : 0;
}

static int take_health(struct call *c, json_t *listener)
{
    const struct health_owner owner = {.path = "HealthCheck",
        .protocol = json_is_object(json_object_get(listener, "TargetTls")) ? "TCP_SSL" : "TCP"};
    if (lookup_is_layer7(listener))
        return 0;
    json_t *check = health_fields_choose(c, json_object_get(c->request, "HealthCheck"),
        json_object_get(listener, "HealthCheck"), &owner);
    if (check)
        json_object_set_new(listener, "HealthCheck", check);
    return check ? 0 : -1;
}

static json_t *new_listener(const struct call *c, const char *protocol)
{
    json_t *out = json_pack("{s:s, s:s, s:o, s:i, s:i, s:i}", "LoadBalancerId",
        call_text(c, "LoadBalancerId"), "Protocol", protocol, "CreateTime", call_time(c->now_s),
        "SniSwitch", 0, "MaxConn", -1, "MaxCps", -1);
    if (lookup_is_layer7(out)) {
        json_object_set_new(out, "Rules", json_array());
        json_object_set_new(out, "KeepaliveEnable", json_integer(0));
    } else {
        json_object_set_new(out, "Targets", json_array());
        json_object_set_new(out, "Scheduler", json_string("WRR"));
        json_object_set_new(out, "SessionExpireTime", json_integer(0));
        json_object_set_new(out, "TargetType", json_string("NODE"));
    }
    return out;
}

/* A listener for each port, all like PATTERN. */
static void put_listeners(struct call *c, const json_t *pattern)
{
    json_t *ids = json_array(), *port;
    size_t i;
    json_array_foreach(call_list(c, "Ports"), i, port)
    {
        char id[MODEL_ID_MAX];
        const char *name = json_string_value(json_array_get(call_list(c, "ListenerNames"), i));
        json_t *listener = json_deep_copy(pattern);
        model_make_id(c->model, "lbl-", id);
        json_object_set_new(listener, "ListenerId", json_string(id));
        json_object_set_new(listener, "ListenerName", json_string(name ? name : id));
        json_object_set(listener, "Port", port);
        model_put(c->model, MODEL_LISTENER, id, listener);
        json_array_append_new(ids, json_string(id));
    }
    json_object_set_new(c->response, "ListenerIds", ids);
}

static int fill_listener(struct call *c, json_t *listener)
{
    json_t *certificate;
    take_simple(c, listener);
    if (take_target_tls(c, listener) < 0 || take_health(c, listener) < 0 ||
        listener_fields_take_certificate(
            c, c->request, json_object_get(listener, "Certificate"), &certificate) < 0)
        return -1;
    if (certificate)
        json_object_set_new(listener, "Certificate", certificate);
    return 0;
}

int action_create_listener(struct call *c)
{
    const char *protocol = call_text(c, "Protocol");
    const json_t *instance = lookup_instance(c, call_text(c, "LoadBalancerId"));
    if (!instance || check_protocol(c, protocol) < 0 || check_fit(c, protocol) < 0 ||
        check_certificate_given(c, protocol) < 0 || check_ports(c, instance) < 0)
        return -1;
    json_t *pattern = new_listener(c, protocol);
    int result = fill_listener(c, pattern);
    if (result == 0)
        put_listeners(c, pattern);
    json_decref(pattern);
    return result;
}

/* ---- ModifyListener ---- */

static int check_sni(struct call *c, const json_t *listener)
{
    const json_t *given = json_object_get(c->request, "SniSwitch");
    bool is_on = document_integer(listener, "SniSwitch");
    bool has_certificate =
        json_object_get(c->request, "Certificate") || json_object_get(c->request, "MultiCertInfo");
    if (is_on && given && !json_integer_value(given))
        return call_refuse(c, API_ERROR_VALUE,
            "SniSwitch: it is on, and cannot be turned off: the domains have certificates of "
            "their own.");
    if ((is_on || json_integer_value(given)) && has_certificate)
        return call_refuse(c, API_ERROR_PARAMETER,
            "Certificate: with SniSwitch 1 each domain has its own; change it by "
            "ModifyDomainAttributes.");
    return 0;
}

/* SNI is turned on: what was the listener's is each domain's. */
static void share_certificate(json_t *listener)
{
    json_t *certificate = json_object_get(listener, "Certificate"), *rule;
    size_t i;
    if (!document_integer(listener, "SniSwitch") || !json_is_object(certificate))
        return;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
        json_object_set_new(rule, "Certificate", json_deep_copy(certificate));
    json_object_del(listener, "Certificate");
}

/* With SNI, a domain is what clients can ask for in their handshake. */
static int check_domains(struct call *c, const json_t *listener)
{
    size_t i;
    json_t *rule;
    if (!document_integer(listener, "SniSwitch"))
        return 0;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        if (rule_change_check_sni(c, json_object_get(rule, "Domains"), "SniSwitch") < 0)
            return -1;
    }
    return 0;
}

static int check_target_type(struct call *c, const json_t *listener)
{
    const char *given = call_text(c, "TargetType");
    bool is_bound = document_text(listener, "TargetGroupId");
    bool has_targets = json_array_size(json_object_get(listener, "Targets"));
    if (!given || document_is(listener, "TargetType", given) || (!is_bound && !has_targets))
        return 0;
    return call_refuse(c, API_ERROR_VALUE,
        "TargetType: the listener has %s; take them from it first (%s).",
        is_bound ? "a target group" : "real servers",
        is_bound ? "DisassociateTargetGroups" : "DeregisterTargets");
}

int action_modify_listener(struct call *c)
{
    json_t *listener = lookup_requested_listener(c);
    const char *name = call_text(c, "ListenerName");
    if (!listener || check_fit(c, document_text(listener, "Protocol")) < 0 ||
        check_sni(c, listener) < 0 || check_target_type(c, listener) < 0)
        return -1;
    if (name)
        json_object_set_new(listener, "ListenerName", json_string(name));
    if (fill_listener(c, listener) < 0)
        return -1;
    share_certificate(listener);
    return check_domains(c, listener);
}

/* ---- DeleteListener ---- */

/* Redirects go with their target. */
static void delete_listener(struct call *c, const char *instance_id, const char *id)
{
    rule_change_forget_targets(c, instance_id, id, NULL);
    model_delete(c->model, MODEL_LISTENER, id);
}

int action_delete_listener(struct call *c)
{
    if (!lookup_requested_listener(c))
        return -1;
    delete_listener(c, call_text(c, "LoadBalancerId"), call_text(c, "ListenerId"));
    return 0;
}

/* The ListenerIds of C; none: those of all of the instance. NULL: C is refused. */
static json_t *listed_ids(struct call *c, const char *instance_id)
{
    json_t *ids = call_list(c, "ListenerIds");
    size_t at = 0;
    const json_t *listener;
    if (!lookup_instance(c, instance_id))
        return NULL;
    bool are_all = !json_array_size(ids);
    while (are_all && model_next(c->model, MODEL_LISTENER, &at, &listener))
        if (document_is(listener, "LoadBalancerId", instance_id))
            json_array_append_new(ids, document_share_member(listener, "ListenerId"));
    return ids;
}

int action_delete_load_balancer_listeners(struct call *c)
{
    const char *instance_id = call_text(c, "LoadBalancerId");
    json_t *ids = listed_ids(c, instance_id), *id;
    size_t i;
    json_array_foreach(ids, i, id)
    {
        if (!lookup_listener(c, instance_id, json_string_value(id), "ListenerIds"))
            return -1;
        delete_listener(c, instance_id, json_string_value(id));
    }
    return ids ? 0 : -1;
}

/* ---- SetLoadBalancerStartStatus ---- */

int action_set_load_balancer_start_status(struct call *c)
{
    const char *instance_id = call_text(c, "LoadBalancerId");
    bool is_stopped = strcmp(call_text(c, "OperationType"), "Stop") == 0;
    json_t *ids = listed_ids(c, instance_id), *id;
    size_t i;
    if (ids && !json_array_size(ids))
        return call_refuse(
            c, API_ERROR_LB_EMPTY, "LoadBalancerId: %s has no listener.", instance_id);
    json_array_foreach(ids, i, id)
    {
        json_t *listener = lookup_listener(c, instance_id, json_string_value(id), "ListenerIds");
        if (!listener)
            return -1;
        json_object_set_new(listener, "Stopped", json_boolean(is_stopped));
    }
    return ids ? 0 : -1;
}
