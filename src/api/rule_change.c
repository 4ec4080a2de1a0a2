/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rule_change.h"

#include <string.h>

#include "api/document.h"
#include "api/lookup.h"
#include "base/arena.h"
#include "config/value.h"

#include "base/ban.h"

/* ---- what may stand there ---- */

typedef int spell_fn(struct arena *a, const char *text, const char **out, struct error *err);

static json_t *spell(struct call *c, const char *text, spell_fn *fn, const char *field)
{
    struct arena a;
    struct error err;
    const char *spelled;
    json_t *out = NULL;
    arena_init(&a);
    if (fn(&a, text, &spelled, &err) == 0)
        out = json_string(spelled);
    else
        call_refuse(c, API_ERROR_VALUE, "%s: \"%.128s\" %s.", field, text, err.text);
    arena_fini(&a);
    return out;
}

json_t *rule_change_domains(struct call *c, const json_t *wanted, const char *field)
{
    json_t *out = json_array(), *item;
    size_t i;
    json_array_foreach(wanted, i, item)
    {
        json_t *domain = spell(c, json_string_value(item), value_rule_domain, field);
        if (!domain) {
            json_decref(out);
            return NULL;
        }
        if (!lookup_has_text(out, json_string_value(domain)))
            json_array_append(out, domain);
        json_decref(domain);
    }
    return out;
}

int rule_change_check_url(struct call *c, const char *url, const char *field)
{
    enum config_path_match match;
    const char *path;
    struct error err;
    if (value_path(url, &match, &path, &err) == 0)
        return 0;
    return call_refuse(c, API_ERROR_VALUE, "%s: \"%.200s\" %s.", field, url, err.text);
}

int rule_change_check_sni(struct call *c, const json_t *domains, const char *field)
{
    size_t i;
    json_t *domain;
    json_array_foreach(domains, i, domain)
    {
        const char *name = json_string_value(domain);
        json_t *spelled = spell(c, name, value_sni_domain, field);
        if (!spelled)
            return call_refuse(c, API_ERROR_UNSUPPORTED,
                "%s: the listener has SniSwitch 1, and no client can ask for %.128s in its "
                "handshake; accepted are www.example.com and *.example.com.",
                field, name);
        json_decref(spelled);
    }
    return 0;
}

/* `^~ /a` and `/a` are the same prefix. */
static const char *comparable(const char *url)
{
    return strncmp(url, "^~ ", 3) == 0 ? url + 3 + strspn(url + 3, " ") : url;
}

bool rule_change_shares(const json_t *a, const json_t *b)
{
    size_t i;
    json_t *domain;
    json_array_foreach(a, i, domain)
    {
        if (lookup_has_text(b, json_string_value(domain)))
            return true;
    }
    return false;
}

bool rule_change_same_url(const char *a, const char *b)
{
    return strcmp(comparable(a), comparable(b)) == 0;
}

int rule_change_check_double(struct call *c, const json_t *listener, const json_t *rule,
    const json_t *domains, const char *url)
{
    size_t i;
    json_t *other;
    json_array_foreach(json_object_get(listener, "Rules"), i, other)
    {
        bool is_same = rule_change_same_url(document_text(other, "Url"), url);
        if (other != rule && is_same &&
            rule_change_shares(domains, json_object_get(other, "Domains")))
            return call_refuse(c, API_ERROR_DUPLICATE,
                "Domain, Url: the rule %s is for %.128s %.200s already.",
                document_text(other, "LocationId"), document_text(other, "Domain"), url);
    }
    return 0;
}

/* ---- domains ---- */

json_t *rule_change_find_domain(const json_t *listener, const char *domain)
{
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        if (lookup_has_domain(json_object_get(rule, "Domains"), domain))
            return rule;
    }
    return NULL;
}

json_t *rule_change_find_domains(const json_t *listener, const json_t *domains)
{
    size_t i;
    json_t *domain, *rule = NULL;
    json_array_foreach(domains, i, domain)
    {
        rule = rule ? rule : rule_change_find_domain(listener, json_string_value(domain));
    }
    return rule;
}

/* Add those of MORE that DOMAINS has not; were there any? */
static bool join(json_t *domains, const json_t *more)
{
    size_t i, before = json_array_size(domains);
    json_t *domain;
    json_array_foreach(more, i, domain)
    {
        if (!lookup_has_text(domains, json_string_value(domain)))
            json_array_append(domains, domain);
    }
    return json_array_size(domains) > before;
}

void rule_change_set(json_t *listener, const json_t *domains, const char *member, json_t *value)
{
    json_t *related = json_copy((json_t *)(uintptr_t)domains), *rule;
    size_t i;
    bool grows = true;
    while (grows) {
        grows = false;
        json_array_foreach(json_object_get(listener, "Rules"), i, rule)
        {
            const json_t *its = json_object_get(rule, "Domains");
            if (rule_change_shares(related, its))
                grows |= join(related, its);
        }
    }
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        if (rule_change_shares(related, json_object_get(rule, "Domains")))
            json_object_set_new(rule, member, json_deep_copy(value));
    }
    json_decref(related);
}

void rule_change_set_default(json_t *listener, const char *domain)
{
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(listener, "Rules"), i, rule)
    {
        bool is_it = lookup_has_domain(json_object_get(rule, "Domains"), domain);
        json_object_set_new(rule, "DefaultServer", json_boolean(is_it));
    }
}

void rule_change_settle_default(json_t *listener)
{
    const json_t *rules = json_object_get(listener, "Rules");
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule)
    {
        if (document_flag(rule, "DefaultServer"))
            return;
    }
    const char *oldest = document_text(json_array_get(rules, 0), "Domain");
    if (oldest)
        rule_change_set_default(listener, oldest);
}

/* ---- redirects ---- */

int rule_change_check_landing(struct call *c, bool takes_url, const char *url, const char *field)
{
    if (takes_url || url[0] != '~')
        return 0;
    return call_refuse(c, API_ERROR_PARAMETER,
        "%s: \"%.200s\" is a regular expression, to which nobody can be sent; a redirect to it "
        "needs TakeUrl (or TakeUrls) true.",
        field, url);
}

int rule_change_check_visitors(struct call *c, const json_t *rule, const char *url)
{
    size_t at = 0, i;
    const json_t *listener;
    json_t *other;
    while (model_next(c->model, MODEL_LISTENER, &at, &listener))
        json_array_foreach(json_object_get(listener, "Rules"), i, other)
        {
            const json_t *rewrite = json_object_get(other, "Rewrite");
            bool is_to =
                document_is(rewrite, "TargetLocationId", document_text(rule, "LocationId"));
            if (is_to &&
                rule_change_check_landing(c, document_flag(rewrite, "TakeUrl"), url, "Url") < 0)
                return -1;
        }
    return 0;
}

void rule_change_forget_targets(
    struct call *c, const char *instance_id, const char *listener_id, const char *location_id)
{
    size_t at = 0, i;
    const json_t *kept;
    while (model_next(c->model, MODEL_LISTENER, &at, &kept)) {
        const char *id = document_text(kept, "ListenerId");
        json_t *rule;
        if (!document_is(kept, "LoadBalancerId", instance_id))
            continue;
        json_array_foreach(json_object_get(kept, "Rules"), i, rule)
        {
            const json_t *rewrite = json_object_get(rule, "Rewrite");
            bool is_to = document_is(rewrite, "TargetListenerId", listener_id) &&
                         (!location_id || document_is(rewrite, "TargetLocationId", location_id));
            json_t *changed = is_to ? model_edit(c->model, MODEL_LISTENER, id) : NULL;
            if (changed)
                json_object_del(json_array_get(json_object_get(changed, "Rules"), i), "Rewrite");
        }
    }
}
