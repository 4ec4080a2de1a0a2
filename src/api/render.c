/* SPDX-License-Identifier: Apache-2.0 */
#include "api/render.h"

#include <stdlib.h>
#include <string.h>

#include "api/document.h"
#include "api/health_fields.h"
#include "base/memory.h"
#include "config/archive.h"
#include "crypto/digest.h"

#include "base/ban.h"

#define COOKIE_DEFAULT "SALLYPORT"

struct render {
    const struct model *model;
    json_t *listeners, *groups; /* of the configuration */
    json_t *files;              /* the certificates that it names: CertificateId → true */
};

/* "api:/MsJyaXVm.crt" */
static json_t *file_name(const char *id, const char *kind)
{
    return json_sprintf("api:/%s.%s", id, kind);
}

/* The name of that file, which the archive will have. */
static json_t *use_file(struct render *r, const char *id, const char *kind)
{
    json_object_set_new(r->files, id, json_true());
    return file_name(id, kind);
}

static bool has_crl(const struct render *r, const char *ca)
{
    return document_text(model_find(r->model, MODEL_CERTIFICATE, ca), "Crl") != NULL;
}

/* ---- who is authenticated how ---- */

static void add_certificate(struct render *r, json_t *list, const char *id)
{
    json_array_append_new(list, json_pack("{s:o, s:o}", "certificate", use_file(r, id, "crt"),
                                    "key", use_file(r, id, "key")));
}

/* hard, soft, {grace: 24h} */
static json_t *policy_of(const json_t *revocation)
{
    if (document_is(revocation, "Policy", "SOFT"))
        return json_string("soft");
    if (document_is(revocation, "Policy", "GRACE"))
        return json_pack("{s:o}", "grace",
            json_sprintf("%llds", (long long)document_integer(revocation, "GraceSeconds")));
    return json_string("hard");
}

static void set_revocation(struct render *r, json_t *out, const char *ca, const json_t *revocation)
{
    if (ca && has_crl(r, ca))
        json_object_set_new(out, "revocation",
            json_pack(
                "{s:[o], s:o}", "crl", use_file(r, ca, "crl"), "policy", policy_of(revocation)));
}

static void set_clients(struct render *r, json_t *out, const json_t *certificate)
{
    const char *ca = document_text(certificate, "CertCaId");
    const json_t *names = json_object_get(certificate, "ClientNames");
    json_object_set_new(out, "client_ca", json_pack("[o]", use_file(r, ca, "crt")));
    if (json_array_size(names))
        json_object_set_new(out, "client_names", document_share(names));
    set_revocation(r, out, ca, json_object_get(certificate, "Revocation"));
}

/* What certificates_choose has kept, as the keys of a listener or a domain. */
static void set_authn(struct render *r, json_t *out, const json_t *certificate)
{
    json_t *list = json_array();
    size_t i;
    json_t *id;
    bool is_mutual = document_is(certificate, "SSLMode", "MUTUAL");
    bool is_optional = document_is(certificate, "SSLVerifyClient", "OPTIONAL");
    add_certificate(r, list, document_text(certificate, "CertId"));
    json_array_foreach(json_object_get(certificate, "ExtCertIds"), i, id)
        add_certificate(r, list, json_string_value(id));
    json_object_set_new(out, "certificates", list);
    json_object_set_new(out, "authentication",
        json_string(!is_mutual    ? "one-way"
                    : is_optional ? "optional"
                                  : "mutual"));
    if (is_mutual)
        set_clients(r, out, certificate);
}

/* ---- target groups: one for each rule, and for each listener of TCP and TCP_SSL ---- */

/* What the targets of a rule or listener speak: ForwardType, or of streams TCP. */
static const struct speech {
    const char *forward, *protocol, *http_version;
} speeches[] = {
    {"HTTP", "HTTP", NULL},
    {"HTTPS", "HTTPS", NULL},
    {"GRPC", "HTTP", "2"},
    {"GRPCS", "HTTPS", "2"},
    {"TCP", "TCP", NULL},
    {"TCP_SSL", "TCP_SSL", NULL},
};

static const struct speech *speech_of(const json_t *owner)
{
    const char *forward = document_text(owner, "ForwardType");
    bool is_encrypted = json_is_object(json_object_get(owner, "TargetTls"));
    size_t i = 0;
    if (!forward)
        forward = is_encrypted ? "TCP_SSL" : "TCP";
    while (i + 1 < COUNT_OF(speeches) && strcmp(speeches[i].forward, forward) != 0)
        i++;
    return &speeches[i];
}

static json_t *target_address(const json_t *target)
{
    const char *host =
        json_string_value(json_array_get(json_object_get(target, "PrivateIpAddresses"), 0));
    long long port = document_integer(target, "Port");
    if (!host)
        host = document_text(target, "InstanceId");
    return json_sprintf(
        host && strchr(host, ':') ? "[%s]:%lld" : "%s:%lld", host ? host : "", port);
}

static json_t *render_targets(const json_t *targets)
{
    json_t *out = json_array();
    size_t i;
    json_t *target;
    json_array_foreach(targets, i, target)
        json_array_append_new(out, json_pack("{s:o, s:I}", "address", target_address(target),
                                       "weight", (json_int_t)document_integer(target, "Weight")));
    return out;
}

static json_t *render_target_tls(struct render *r, const json_t *tls)
{
    json_t *out = json_object();
    const char *ca = document_text(tls, "CertCaId"), *own = document_text(tls, "CertId");
    if (ca)
        json_object_set_new(out, "ca", json_pack("[o]", use_file(r, ca, "crt")));
    set_revocation(r, out, ca, json_object_get(tls, "Revocation"));
    if (document_text(tls, "Name"))
        json_object_set_new(out, "name", document_share_member(tls, "Name"));
    if (own) {
        json_object_set_new(out, "certificate", use_file(r, own, "crt"));
        json_object_set_new(out, "key", use_file(r, own, "key"));
    }
    return out;
}

static json_t *render_scheduler(const char *scheduler)
{
    if (scheduler && strcmp(scheduler, "LEAST_CONN") == 0)
        return json_string("least_conn");
    return json_string(scheduler && strcmp(scheduler, "IP_HASH") == 0 ? "ip_hash" : "wrr");
}

static void set_stickiness(json_t *out, const json_t *owner, bool is_http)
{
    long long seconds = document_integer(owner, "SessionExpireTime");
    const char *cookie = document_text(owner, "CookieName");
    if (seconds && is_http)
        json_object_set_new(out, "stickiness",
            json_pack("{s:s, s:o}", "cookie", cookie && *cookie ? cookie : COOKIE_DEFAULT,
                "expires", json_sprintf("%llds", seconds)));
    else if (seconds)
        json_object_set_new(
            out, "stickiness", json_pack("{s:o}", "source_ip", json_sprintf("%llds", seconds)));
}

/* How the targets are checked: as the rule or listener says, or a group of the second version. */
static json_t *render_health(
    const json_t *owner, const json_t *bound, const struct health_owner *of)
{
    if (!document_is(bound, "TargetGroupType", "v2"))
        return health_fields_render(json_object_get(owner, "HealthCheck"), of);
    json_t *check = health_fields_of_group(json_object_get(bound, "HealthCheck"));
    json_t *out = health_fields_render(check, of);
    json_decref(check);
    return out;
}

/* The group NAME of OWNER, a rule or a listener. */
static void add_group(struct render *r, const char *name, const json_t *owner)
{
    const struct speech *speech = speech_of(owner);
    const char *bound_id = document_text(owner, "TargetGroupId");
    const json_t *bound = bound_id ? model_find(r->model, MODEL_GROUP, bound_id) : NULL;
    const json_t *own_tls = json_object_get(owner, "TargetTls");
    const struct health_owner of = {.protocol = speech->forward,
        .domain = json_string_value(json_array_get(json_object_get(owner, "Domains"), 0))};
    bool is_v2 = document_is(bound, "TargetGroupType", "v2");
    json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", name, "protocol", speech->protocol,
        "scheduler",
        render_scheduler(
            is_v2 ? document_text(bound, "ScheduleAlgorithm") : document_text(owner, "Scheduler")),
        "health_check", render_health(owner, bound, &of), "targets",
        render_targets(json_object_get(bound ? bound : owner, bound ? "Instances" : "Targets")));
    if (speech->http_version)
        json_object_set_new(out, "http_version", json_string(speech->http_version));
    if (document_flag(owner, "ProxyProtocol"))
        json_object_set_new(out, "proxy_protocol", json_string("v2"));
    set_stickiness(out, is_v2 ? bound : owner, document_text(owner, "ForwardType") != NULL);
    if (json_is_object(own_tls))
        json_object_set_new(out, "tls", render_target_tls(r, own_tls));
    json_array_append_new(r->groups, out);
}

/* ---- rules ---- */

static const json_t *find_rule(const struct render *r, const json_t *rewrite, const json_t **owner)
{
    const char *listener = document_text(rewrite, "TargetListenerId");
    size_t i;
    json_t *rule;
    *owner = listener ? model_find(r->model, MODEL_LISTENER, listener) : NULL;
    json_array_foreach(json_object_get(*owner, "Rules"), i, rule)
    {
        if (document_is(rule, "LocationId", document_text(rewrite, "TargetLocationId")))
            return rule;
    }
    return NULL;
}

/* Append TEXT, a user's, to OUT, a template: whatever it has of variables is none. */
static void append_literal(struct buf *out, const char *text)
{
    for (; *text; text++)
        ignore_result(buf_printf(out, *text == '$' ? "$%c" : "%c", *text));
}

/* Of the paths "= /x" and "^~ /x" what a request may have. */
static const char *plain_path(const char *url)
{
    return url[0] == '=' || url[0] == '^' ? strchr(url, '/') : url;
}

#define REDIRECT_MAX 2048 /* more than a domain and a path, each character twice */

static json_t *render_redirect(const struct render *r, const json_t *rewrite)
{
    const json_t *listener, *target = find_rule(r, rewrite, &listener);
    const json_t *domains = json_object_get(target, "Domains");
    const char *domain = json_string_value(json_array_get(domains, 0));
    bool is_https = document_is(listener, "Protocol", "HTTPS");
    bool takes_url = document_flag(rewrite, "TakeUrl");
    long long port = document_integer(listener, "Port");
    struct buf to;
    if (!target || !domain)
        return NULL;
    buf_init(&to, REDIRECT_MAX);
    ignore_result(buf_printf(&to, is_https ? "https://" : "http://"));
    if (json_array_size(domains) > 1 || strpbrk(domain, "*~"))
        ignore_result(buf_printf(&to, "$host")); /* where the client asked */
    else
        append_literal(&to, domain);
    if (port != (is_https ? 443 : 80))
        ignore_result(buf_printf(&to, ":%lld", port));
    if (!takes_url)
        append_literal(&to, plain_path(document_text(target, "Url")));
    json_t *out = json_pack("{s:o, s:o, s:b}", "to",
        json_stringn((const char *)buf_bytes(&to).at, buf_size(&to)), "code",
        json_sprintf("%lld", (long long)document_integer(rewrite, "RewriteCode")), "keep_uri",
        takes_url);
    buf_fini(&to);
    return out;
}

/* A row of the configuration for each of its domains. */
static void add_rule(struct render *r, json_t *rows, const json_t *rule)
{
    json_t *redirect = render_redirect(r, json_object_get(rule, "Rewrite"));
    size_t i;
    json_t *domain;
    json_array_foreach(json_object_get(rule, "Domains"), i, domain)
    {
        json_t *row =
            json_pack("{s:O, s:O}", "domain", domain, "path", json_object_get(rule, "Url"));
        if (redirect)
            json_object_set(row, "redirect", redirect);
        else
            json_object_set(row, "target_group", json_object_get(rule, "LocationId"));
        json_array_append_new(rows, row);
    }
    if (!redirect)
        add_group(r, document_text(rule, "LocationId"), rule);
    json_decref(redirect);
}

/* The first row's domain is the default domain. */
static json_t *render_rules(struct render *r, const json_t *rules)
{
    json_t *rows = json_array();
    size_t i;
    json_t *rule;
    for (int is_default = 1; is_default >= 0; is_default--)
        json_array_foreach(rules, i, rule)
        {
            if (document_flag(rule, "DefaultServer") == (is_default == 1))
                add_rule(r, rows, rule);
        }
    return rows;
}

/* ---- listeners ---- */

static const json_t *default_rule(const json_t *listener)
{
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        if (document_flag(rule, "DefaultServer"))
            return rule;
    }
    return NULL;
}

/* Clients name it in their handshake: no pattern but `*.x`, no IP address. */
static bool is_sni_domain(const char *domain)
{
    const char *last = strrchr(domain, '.');
    bool ends_in_number = last && last[1] && !last[1 + strspn(last + 1, "0123456789")];
    return domain[0] != '~' && !strchr(domain + 1, '*') && !ends_in_number;
}

static bool has_row(const json_t *rows, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (document_is(row, "name", name))
            return true;
    }
    return false;
}

/* What differs between the domains of an HTTPS listener: certificates, if it chooses them by SNI,
 * and whether HTTP/2 is spoken. */
static json_t *render_domains(struct render *r, const json_t *listener)
{
    json_t *rows = json_array();
    size_t i, k;
    json_t *rule, *domain;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
        json_array_foreach(json_object_get(rule, "Domains"), k, domain)
    {
        const char *name = json_string_value(domain);
        if (!is_sni_domain(name) || has_row(rows, name))
            continue;
        json_t *row = json_pack("{s:s, s:b}", "name", name, "http2", document_flag(rule, "Http2"));
        if (document_integer(listener, "SniSwitch"))
            set_authn(r, row, json_object_get(rule, "Certificate"));
        json_array_append_new(rows, row);
    }
    return rows;
}

static void set_https(struct render *r, json_t *out, const json_t *listener)
{
    const json_t *rule = default_rule(listener);
    json_t *domains = render_domains(r, listener);
    json_object_set_new(out, "http2", json_boolean(document_flag(rule, "Http2")));
    if (json_array_size(domains))
        json_object_set(out, "domains", domains);
    json_decref(domains);
}

static void set_limits(json_t *out, const json_t *listener)
{
    static const struct {
        const char *name, *key;
    } limits[] = {{"MaxConn", "max_conn"}, {"MaxCps", "max_cps"}};
    json_t *map = json_object();
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        if (document_integer(listener, limits[i].name) > 0)
            json_object_set_new(
                map, limits[i].key, document_share_member(listener, limits[i].name));
    json_object_set_new(out, "limits", map);
}

static json_t *bind_address(const struct render *r, const json_t *listener)
{
    const json_t *instance =
        model_find(r->model, MODEL_INSTANCE, document_text(listener, "LoadBalancerId"));
    const char *vip = document_text(instance, "Vip");
    return json_sprintf(vip && strchr(vip, ':') ? "[%s]:%lld" : "%s:%lld", vip ? vip : "",
        (long long)document_integer(listener, "Port"));
}

/* What it shows clients: its own certificate, or under SNI the default domain's; NULL: it is not
 * encrypted, or has no certificate yet, and so cannot be in force. */
static const json_t *certificate_of(const json_t *listener)
{
    const json_t *of = document_integer(listener, "SniSwitch") ? default_rule(listener) : listener;
    const json_t *certificate = json_object_get(of, "Certificate");
    return json_is_object(certificate) ? certificate : NULL;
}

static void add_listener(struct render *r, const json_t *listener)
{
    const char *id = document_text(listener, "ListenerId");
    const char *protocol = document_text(listener, "Protocol");
    bool is_https = strcmp(protocol, "HTTPS") == 0;
    bool is_tls = is_https || strcmp(protocol, "TCP_SSL") == 0;
    const json_t *certificate = certificate_of(listener);
    if (document_flag(listener, "Stopped") || (is_tls && !certificate))
        return;
    json_t *out = json_pack(
        "{s:s, s:s, s:o}", "name", id, "protocol", protocol, "address", bind_address(r, listener));
    if (is_tls)
        set_authn(r, out, certificate);
    if (is_https)
        set_https(r, out, listener);
    if (is_https || strcmp(protocol, "HTTP") == 0) {
        json_object_set_new(out, "rules", render_rules(r, json_object_get(listener, "Rules")));
    } else {
        json_object_set_new(out, "target_group", json_string(id));
        add_group(r, id, listener);
    }
    set_limits(out, listener);
    json_array_append_new(r->listeners, out);
}

/* ---- the archive ---- */

static int add_json(struct buf *out, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(1));
    int result = text ? archive_add(out, name, bytes_of(text)) : -1;
    free(text);
    return result;
}

static int add_text(struct buf *out, const char *id, const char *kind, const char *text)
{
    json_t *name = file_name(id, kind);
    int result = archive_add(out, json_string_value(name), bytes_of(text));
    json_decref(name);
    return result;
}

static int add_sealed_key(struct buf *out, const char *id, const char *base64)
{
    uint8_t *sealed = mem_alloc(strlen(base64) + 1);
    json_t *name = file_name(id, "key");
    size_t n;
    int result = base64_decode(bytes_of(base64), sealed, &n);
    if (result == 0)
        result = archive_add(out, json_string_value(name), (struct bytes){sealed, n});
    json_decref(name);
    free(sealed);
    return result;
}

static int add_files(const struct render *r, struct buf *out, struct error *err)
{
    const char *id;
    json_t *is_used;
    json_object_foreach(r->files, id, is_used)
    {
        const json_t *record = model_find(r->model, MODEL_CERTIFICATE, id);
        const char *certificates = document_text(record, "PublicKey");
        const char *key = document_text(record, "SealedKey"), *crl = document_text(record, "Crl");
        if (!certificates)
            return error_set(err, "there is no certificate %s, which a listener uses", id);
        if (add_text(out, id, "crt", certificates) < 0 ||
            (key && add_sealed_key(out, id, key) < 0) || (crl && add_text(out, id, "crl", crl) < 0))
            return error_set(err, "the API's objects with their certificates are too large");
    }
    return 0;
}

static int add_all(const struct render *r, struct buf *out, struct error *err)
{
    json_t *config = json_pack("{s:O, s:O}", "listeners", r->listeners, "target_groups", r->groups);
    bool has_room = add_json(out, ARCHIVE_CONFIG, config) == 0;
    json_decref(config);
    if (!has_room)
        return error_set(err, "the API's objects are too large: delete some");
    return add_files(r, out, err);
}

int render_model(const struct model *m, struct buf *out, struct error *err)
{
    struct render r = {
        .model = m, .listeners = json_array(), .groups = json_array(), .files = json_object()};
    size_t at = 0;
    const json_t *listener;
    while (model_next(m, MODEL_LISTENER, &at, &listener))
        add_listener(&r, listener);
    int result = add_all(&r, out, err);
    json_decref(r.listeners);
    json_decref(r.groups);
    json_decref(r.files);
    return result;
}
