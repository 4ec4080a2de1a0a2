/* SPDX-License-Identifier: Apache-2.0 */
#include "api/file_objects.h"

#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "api/health_fields.h"
#include "base/memory.h"
#include "config/merge.h"
#include "crypto/digest.h"

#include "base/ban.h"

#define ID_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ID_LOWER      36
#define ID_N          8
#define TIME_UNKNOWN  "1970-01-01 00:00:00" /* files do not say when a listener came into them */

/* "lbl-" and what is always the same for WHAT and NAME: of certificates (no prefix) with capitals.
 */
static json_t *make_id(const char *prefix, const char *what, const char *name)
{
    char text[MODEL_ID_MAX];
    uint8_t hash[SHA256_SIZE];
    struct digest *d = digest_new();
    digest_add(d, bytes_of(what));
    digest_add(d, bytes_of(name));
    digest_finish(&d, hash);
    size_t n = (size_t)snprintf(text, sizeof(text), "%s", prefix);
    for (size_t i = 0; i < ID_N; i++)
        text[n++] = ID_CHARACTERS[hash[i] % (*prefix ? ID_LOWER : sizeof(ID_CHARACTERS) - 1)];
    return json_stringn(text, n);
}

/* The host of an address: "10.0.0.1"; of ":443", which is both families, "::". */
static json_t *host_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    bool is_v6 = address[0] == '[';
    size_t n = (size_t)(colon - address);
    return n == 0 ? json_string("::") : json_stringn(address + is_v6, n - (is_v6 ? 2 : 0));
}

static int64_t port_of(const char *address)
{
    unsigned port = 0;
    ignore_result(sscanf(strrchr(address, ':'), ":%u", &port));
    return port;
}

static json_t *place_of(struct position at)
{
    return json_sprintf("%s:%u", at.file, at.line);
}

bool file_objects_has(const struct config_listener *l)
{
    return !merge_is_api(l->at);
}

/* ---- instances ---- */

static json_t *instance_of(const struct config_listener *l)
{
    json_t *vip = host_of(l->address);
    const char *host = json_string_value(vip);
    bool is_loopback = strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
    return json_pack("{s:o, s:o, s:s, s:o, s:s, s:s, s:[], s:s, s:s, s:i, s:o}", "LoadBalancerId",
        make_id("lb-", "instance", host), "LoadBalancerName", json_sprintf("file-%s", host),
        "LoadBalancerType", is_loopback ? "INTERNAL" : "OPEN", "Vip", vip, "AddressIPVersion",
        strchr(host, ':') ? "ipv6" : "ipv4", "CreateTime", TIME_UNKNOWN, "Tags", "VpcId", "",
        "SubnetId", "", "ProjectId", 0, "ConfigFile", place_of(l->at));
}

static bool has_instance(const json_t *list, const json_t *instance)
{
    size_t i;
    json_t *d;
    json_array_foreach(list, i, d)
    {
        if (document_is(d, "LoadBalancerId", document_text(instance, "LoadBalancerId")))
            return true;
    }
    return false;
}

json_t *file_objects_instances(const struct config *config)
{
    json_t *out = json_array();
    for (size_t i = 0; config && i < config->listeners_n; i++) {
        if (!file_objects_has(&config->listeners[i]))
            continue;
        json_t *instance = instance_of(&config->listeners[i]);
        if (!has_instance(out, instance))
            json_array_append(out, instance);
        json_decref(instance);
    }
    return out;
}

/* ---- what listeners and rules have ---- */

static json_t *names_of(const struct config_text *texts, size_t n)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_string(texts[i].text));
    return out;
}

static json_t *revocation_of(const struct config_revocation_rule *rule)
{
    static const char *const policies[] = {[CONFIG_REVOCATION_HARD] = "HARD",
        [CONFIG_REVOCATION_SOFT] = "SOFT",
        [CONFIG_REVOCATION_GRACE] = "GRACE"};
    if (rule->policy.kind == CONFIG_REVOCATION_OFF)
        return json_null();
    json_t *out = json_pack("{s:s}", "Policy", policies[rule->policy.kind]);
    if (rule->policy.kind == CONFIG_REVOCATION_GRACE)
        json_object_set_new(
            out, "GraceSeconds", json_integer((json_int_t)(rule->policy.grace_ms / 1000)));
    return out;
}

/* As certificates_choose keeps it. Ids are those of files, which no other action knows. */
static json_t *certificate_of(const struct config_authn *a)
{
    bool is_mutual = a->authentication != AUTHENTICATION_ONE_WAY;
    bool is_optional = a->authentication == AUTHENTICATION_OPTIONAL;
    json_t *others = json_array();
    for (size_t i = 1; i < a->certificates_n; i++)
        json_array_append_new(
            others, make_id("", "certificate", a->certificates[i].certificate.path));
    json_t *out =
        json_pack("{s:s, s:o, s:o}", "SSLMode", is_mutual ? "MUTUAL" : "UNIDIRECTIONAL", "CertId",
            make_id("", "certificate", a->certificates[0].certificate.path), "ExtCertIds", others);
    json_object_set_new(out, "SSLVerifyClient",
        is_mutual ? json_string(is_optional ? "OPTIONAL" : "ON") : json_null());
    json_object_set_new(out, "CertCaId",
        a->client_ca_n ? make_id("", "certificate", a->client_ca[0].path) : json_null());
    json_object_set_new(
        out, "ClientNames", is_mutual ? names_of(a->client_names, a->client_names_n) : json_null());
    json_object_set_new(out, "Revocation", revocation_of(&a->revocation));
    return out;
}

static const char *scheduler_of(const struct config_group *g)
{
    static const char *const names[] = {[SCHEDULER_WRR] = "WRR",
        [SCHEDULER_LEAST_CONN] = "LEAST_CONN",
        [SCHEDULER_IP_HASH] = "IP_HASH"};
    return names[g->scheduler];
}

/* Backend; a host name stands where the cloud has the id of a virtual machine. */
static json_t *target_of(const struct config_target *t)
{
    json_t *host = host_of(t->address);
    json_t *out = json_pack("{s:s, s:o, s:I, s:i, s:o, s:s}", "Type", t->host ? "CVM" : "ENI",
        "InstanceId", t->host ? json_string(t->host) : json_null(), "Port",
        (json_int_t)port_of(t->address), "Weight", (int)t->weight, "PrivateIpAddresses",
        t->host ? json_array() : json_pack("[O]", host), "RegisteredTime", TIME_UNKNOWN);
    json_decref(host);
    return out;
}

/* What a rule or a listener has of its target group. */
static void set_group(json_t *out, const struct config_group *g)
{
    json_t *targets = json_array();
    uint64_t session_ms = g->stickiness.source_ip_ms;
    if (g->stickiness.cookie && *g->stickiness.cookie) {
        session_ms = g->stickiness.expires_ms;
        json_object_set_new(out, "CookieName", json_string(g->stickiness.cookie));
    }
    for (size_t i = 0; i < g->targets_n; i++)
        json_array_append_new(targets, target_of(&g->targets[i]));
    json_object_set_new(out, "Targets", targets);
    json_object_set_new(out, "ConfigGroup", json_string(g->name));
    json_object_set_new(out, "Scheduler", json_string(scheduler_of(g)));
    json_object_set_new(out, "SessionExpireTime", json_integer((json_int_t)(session_ms / 1000)));
    json_object_set_new(out, "HealthCheck", health_fields_of_config(&g->health_check));
    json_object_set_new(out, "ProxyProtocol", json_boolean(g->proxy_protocol == PROXY_PROTOCOL_V2));
}

static const char *forward_of(const struct config_group *g)
{
    if (g->http2)
        return g->protocol == PROTOCOL_HTTPS ? "GRPCS" : "GRPC";
    return config_protocol_name(g->protocol);
}

/* ---- rules and listeners ---- */

static const struct config_domain *find_domain(const struct config_listener *l, const char *name)
{
    for (size_t i = 0; i < l->domains_n; i++)
        if (strcmp(l->domains[i].name, name) == 0)
            return &l->domains[i];
    return NULL;
}

static json_t *rule_of(
    const struct config *config, const struct config_listener *l, const struct config_rule *rule)
{
    const struct config_domain *domain = find_domain(l, rule->domain);
    json_t *out = json_pack("{s:o, s:s, s:[s], s:o, s:b, s:b, s:s, s:s, s:o}", "LocationId",
        make_id("loc-", "rule", rule->label), "Domain", rule->domain, "Domains", rule->domain,
        "Url", json_sprintf("%s%s", config_path_mark(rule->match), rule->path), "DefaultServer",
        strcmp(rule->domain, l->rules[0].domain) == 0, "Http2",
        l->protocol == PROTOCOL_HTTPS && (domain ? domain->http2 : l->http2), "TargetType", "NODE",
        "CreateTime", TIME_UNKNOWN, "ConfigFile", place_of(rule->at));
    if (l->domains_n)
        json_object_set_new(
            out, "Certificate", certificate_of(domain ? &domain->authn : &l->authn));
    if (rule->group != CONFIG_NO_GROUP) {
        set_group(out, &config->groups[rule->group]);
        json_object_set_new(
            out, "ForwardType", json_string(forward_of(&config->groups[rule->group])));
    } else {
        json_object_set_new(out, "Targets", json_array());
        json_object_set_new(out, "ForwardType", json_string("HTTP"));
    }
    return out;
}

static json_t *rules_of(const struct config *config, const struct config_listener *l)
{
    json_t *out = json_array();
    for (size_t i = 0; i < l->rules_n; i++)
        json_array_append_new(out, rule_of(config, l, &l->rules[i]));
    return out;
}

static json_t *limit_of(unsigned limit)
{
    return json_integer(limit ? (json_int_t)limit : -1);
}

static json_t *listener_of(const struct config *config, const struct config_listener *l)
{
    json_t *host = host_of(l->address);
    bool is_http = config_protocol_is_http(l->protocol);
    json_t *out = json_pack("{s:o, s:o, s:s, s:s, s:I, s:s, s:i, s:o, s:o, s:o}", "ListenerId",
        make_id("lbl-", "listener", l->name), "LoadBalancerId",
        make_id("lb-", "instance", json_string_value(host)), "ListenerName", l->name, "Protocol",
        config_protocol_name(l->protocol), "Port", (json_int_t)port_of(l->address), "CreateTime",
        TIME_UNKNOWN, "SniSwitch", l->domains_n > 0, "MaxConn", limit_of(l->limits.max_conn),
        "MaxCps", limit_of(l->limits.max_cps), "ConfigFile", place_of(l->at));
    json_decref(host);
    if (config_protocol_is_tls(l->protocol) && !l->domains_n)
        json_object_set_new(out, "Certificate", certificate_of(&l->authn));
    if (is_http) {
        json_object_set_new(out, "Rules", rules_of(config, l));
    } else {
        json_object_set_new(out, "TargetType", json_string("NODE"));
        set_group(out, &config->groups[l->group]);
    }
    return out;
}

json_t *file_objects_listeners(const struct config *config, const char *instance_id)
{
    json_t *out = json_array();
    for (size_t i = 0; config && i < config->listeners_n; i++) {
        const struct config_listener *l = &config->listeners[i];
        json_t *listener = file_objects_has(l) ? listener_of(config, l) : NULL;
        if (document_is(listener, "LoadBalancerId", instance_id))
            json_array_append(out, listener);
        json_decref(listener);
    }
    return out;
}
