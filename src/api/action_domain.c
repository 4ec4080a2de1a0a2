/* SPDX-License-Identifier: Apache-2.0 */
/* The domains of a listener's rules: renamed, with certificates and HTTP/2 of their own. */
#include <string.h>

#include "api/action.h"
#include "api/certificates.h"
#include "api/document.h"
#include "api/listener_fields.h"
#include "api/lookup.h"
#include "api/rule_change.h"

#include "base/ban.h"

/* ---- fields ---- */

#define OF_DOMAIN                                                                            \
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},  \
        {"ListenerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the listener"},  \
    {                                                                                        \
        "Domain", FIELD_TEXT, .is_required = true, .min = 1, .max = RULE_CHANGE_RENAMED_MAX, \
                              .help = "the domain"                                           \
    }

const struct field action_modify_domain_fields[] = {
    OF_DOMAIN,
    {"NewDomain", FIELD_TEXT, .is_required = true, .min = 1, .max = RULE_CHANGE_RENAMED_MAX,
        .help = "what it is called in all of its rules from now on"},
    {NULL},
};

const struct field action_modify_domain_attributes_fields[] = {
    OF_DOMAIN,
    {"NewDomain", FIELD_TEXT, .min = 1, .max = RULE_CHANGE_RENAMED_MAX,
        .help = "what it is called in all of its rules from now on"},
    {"NewDomains", FIELD_TEXT, .is_list = true, .min = 1, .max = RULE_CHANGE_RENAMED_MAX,
        .list_max = 100, .help = "instead of NewDomain: several take its place"},
    {"Certificate", FIELD_OBJECT, .of = certificates_input_fields,
        .help = "of a listener with SNI: its certificate, and whether clients must show one"},
    {"MultiCertInfo", FIELD_OBJECT, .of = certificates_multi_fields,
        .help = "instead of Certificate: several, with keys of different kinds"},
    {"Http2", FIELD_BOOLEAN, .help = "of HTTPS listeners: its clients may speak HTTP/2"},
    {"DefaultServer", FIELD_BOOLEAN,
        .help = "true: it is the default domain; false needs NewDefaultServerDomain"},
    {"NewDefaultServerDomain", FIELD_TEXT, .max = RULE_CHANGE_RENAMED_MAX,
        .help = "the default domain instead of it"},
    {"Quic", FIELD_BOOLEAN, .only = "false", .why = "there is no QUIC"},
    {NULL},
};

/* ---- names ---- */

/* Those of the request as they are kept: a new list; empty: it has none. NULL: C is refused. */
static json_t *new_names(struct call *c)
{
    const char *single = call_text(c, "NewDomain");
    json_t *several = call_list(c, "NewDomains");
    if (single && json_array_size(several)) {
        call_refuse(c, API_ERROR_PARAMETER, "NewDomain and NewDomains exclude each other.");
        return NULL;
    }
    json_t *wanted = single ? json_pack("[s]", single) : document_share(several);
    json_t *out = rule_change_domains(c, wanted, single ? "NewDomain" : "NewDomains");
    json_decref(wanted);
    return out;
}

/* DOMAINS with NAMES in the place of DOMAIN. */
static json_t *replace(const json_t *domains, const char *domain, const json_t *names)
{
    json_t *out = json_array(), *item;
    size_t i;
    json_array_foreach(domains, i, item)
    {
        if (bytes_equal_nocase(bytes_of(json_string_value(item)), bytes_of(domain)))
            json_array_extend(out, (json_t *)(uintptr_t)names);
        else if (!lookup_has_text(names, json_string_value(item)))
            json_array_append(out, item);
    }
    return out;
}

static int rename_in(
    struct call *c, json_t *listener, json_t *rule, const char *domain, const json_t *names)
{
    json_t *renamed = replace(json_object_get(rule, "Domains"), domain, names);
    json_object_set_new(rule, "Domains", renamed);
    json_object_set(rule, "Domain", json_array_get(renamed, 0));
    return rule_change_check_double(c, listener, rule, renamed, document_text(rule, "Url"));
}

/* A name that another domain has: its rules and those of DOMAIN would be of one domain, and may
 * differ in what a domain has only once. */
static int check_others(
    struct call *c, const json_t *listener, const char *domain, const json_t *names)
{
    const json_t *own = json_object_get(rule_change_find_domain(listener, domain), "Domains");
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        const json_t *other = rule_change_find_domain(listener, json_string_value(name));
        if (other && !rule_change_shares(own, json_object_get(other, "Domains")))
            return call_refuse(c, API_ERROR_DUPLICATE,
                "NewDomain: the listener has rules for %s already.", json_string_value(name));
    }
    return 0;
}

static int rename_domain(struct call *c, json_t *listener, const char *domain, const json_t *names)
{
    size_t i;
    json_t *rule;
    if (!json_array_size(names))
        return 0;
    if (document_integer(listener, "SniSwitch") && rule_change_check_sni(c, names, "NewDomain") < 0)
        return -1;
    if (check_others(c, listener, domain, names) < 0)
        return -1;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        if (lookup_has_domain(json_object_get(rule, "Domains"), domain) &&
            rename_in(c, listener, rule, domain, names) < 0)
            return -1;
    }
    return 0;
}

/* ---- attributes ---- */

static int set_certificate(struct call *c, json_t *listener, const json_t *rule)
{
    json_t *certificate;
    if ((json_object_get(c->request, "Certificate") ||
            json_object_get(c->request, "MultiCertInfo")) &&
        !document_integer(listener, "SniSwitch"))
        return call_refuse(c, API_ERROR_PARAMETER,
            "Certificate: the listener has SniSwitch 0, and one certificate for all of its "
            "domains; change it by ModifyListener.");
    if (listener_fields_take_certificate(
            c, c->request, json_object_get(rule, "Certificate"), &certificate) < 0)
        return -1;
    if (certificate)
        rule_change_set(listener, json_object_get(rule, "Domains"), "Certificate", certificate);
    json_decref(certificate);
    return 0;
}

static bool needs_http2(const json_t *listener, const json_t *domains)
{
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        const char *forward = document_text(rule, "ForwardType");
        if (rule_change_shares(domains, json_object_get(rule, "Domains")) && forward &&
            strncmp(forward, "GRPC", 4) == 0)
            return true;
    }
    return false;
}

static int set_http2(struct call *c, json_t *listener, const json_t *rule)
{
    json_t *http2 = json_object_get(c->request, "Http2");
    const json_t *domains = json_object_get(rule, "Domains");
    if (json_is_true(http2) && !document_is(listener, "Protocol", "HTTPS"))
        return call_refuse(c, API_ERROR_PARAMETER, "Http2 needs an HTTPS listener.");
    if (json_is_false(http2) && needs_http2(listener, domains))
        return call_refuse(c, API_ERROR_VALUE,
            "Http2: a rule of the domain has ForwardType GRPC, which needs it.");
    if (http2)
        rule_change_set(listener, domains, "Http2", http2);
    return 0;
}

static int set_default(struct call *c, json_t *listener, const json_t *rule)
{
    const json_t *given = json_object_get(c->request, "DefaultServer");
    const char *next = call_text(c, "NewDefaultServerDomain");
    bool is_default = document_flag(rule, "DefaultServer");
    if (json_is_true(given) && next)
        return call_refuse(
            c, API_ERROR_PARAMETER, "NewDefaultServerDomain belongs to DefaultServer false.");
    if (json_is_false(given) && is_default && !next)
        return call_refuse(c, API_ERROR_MISSING,
            "NewDefaultServerDomain is missing: a listener has one default domain, and %s is it.",
            call_text(c, "Domain"));
    if (next && !rule_change_find_domain(listener, next))
        return call_refuse(c, API_ERROR_LOCATION_NOT_FOUND,
            "NewDefaultServerDomain: the listener has no rule for %s.", next);
    if (json_is_true(given))
        rule_change_set_default(listener, document_text(rule, "Domain"));
    else if (next)
        rule_change_set_default(listener, next);
    return 0;
}

/* ---- the actions ---- */

static json_t *find_rule(struct call *c, json_t *listener)
{
    const char *domain = call_text(c, "Domain");
    json_t *rule = rule_change_find_domain(listener, domain);
    if (!rule)
        call_refuse(c, API_ERROR_LOCATION_NOT_FOUND, "Domain: the listener %s has no rule for %s.",
            document_text(listener, "ListenerId"), domain);
    return rule;
}

int action_modify_domain_attributes(struct call *c)
{
    json_t *listener = lookup_requested_listener(c);
    const json_t *rule = listener ? find_rule(c, listener) : NULL;
    if (!rule || set_certificate(c, listener, rule) < 0 || set_http2(c, listener, rule) < 0 ||
        set_default(c, listener, rule) < 0)
        return -1;
    json_t *names = new_names(c);
    int result = names ? rename_domain(c, listener, call_text(c, "Domain"), names) : -1;
    json_decref(names);
    return result;
}

int action_modify_domain(struct call *c)
{
    return action_modify_domain_attributes(c);
}
