/* SPDX-License-Identifier: Apache-2.0 */
#include "api/lookup.h"

#include <string.h>

#include "api/document.h"
#include "api/file_objects.h"
#include "base/memory.h"

#include "base/ban.h"

/* Append the documents of KIND whose LoadBalancerId is INSTANCE_ID (NULL: any) to OUT. */
static void take_all(
    const struct model *m, enum model_kind kind, const char *instance_id, json_t *out)
{
    size_t at = 0;
    const json_t *d;
    while (model_next(m, kind, &at, &d))
        if (!instance_id || document_is(d, "LoadBalancerId", instance_id))
            json_array_append_new(out, document_share(d));
}

static json_t *find_by(const json_t *list, const char *name, const char *text)
{
    size_t i;
    json_t *d;
    json_array_foreach(list, i, d)
    {
        if (document_is(d, name, text))
            return d;
    }
    return NULL;
}

json_t *lookup_instances(const struct call *c)
{
    json_t *all = json_array();
    json_t *of_file = file_objects_instances(c->around->config);
    take_all(c->model, MODEL_INSTANCE, NULL, all);
    json_array_extend(all, of_file);
    json_decref(of_file);
    return all;
}

static int refuse_unknown_instance(struct call *c, const char *id)
{
    return call_refuse(
        c, API_ERROR_LB_NOT_FOUND, "LoadBalancerId: there is no instance %.64s.", id);
}

json_t *lookup_listeners(struct call *c, const char *instance_id)
{
    json_t *of_file = file_objects_instances(c->around->config);
    const json_t *instance = find_by(of_file, "LoadBalancerId", instance_id);
    json_t *out = NULL;
    if (instance) {
        out = file_objects_listeners(c->around->config, instance_id);
    } else if (model_find(c->model, MODEL_INSTANCE, instance_id)) {
        out = json_array();
        take_all(c->model, MODEL_LISTENER, instance_id, out);
    } else {
        ignore_result(refuse_unknown_instance(c, instance_id));
    }
    json_decref(of_file);
    return out;
}

/* Is ID the NAME of one of LIST, which is the file's and let go? Then C is refused. */
static bool belongs_to_file(struct call *c, json_t *list, const char *name, const char *id)
{
    const json_t *d = find_by(list, name, id);
    if (d)
        ignore_result(call_refuse(c, API_ERROR_UNAUTHORIZED,
            "%s: %.64s belongs to the configuration file (%.200s); change it there.", name, id,
            document_text(d, "ConfigFile")));
    json_decref(list);
    return d != NULL;
}

const json_t *lookup_instance(struct call *c, const char *id)
{
    const json_t *instance = model_find(c->model, MODEL_INSTANCE, id);
    if (!instance &&
        !belongs_to_file(c, file_objects_instances(c->around->config), "LoadBalancerId", id))
        ignore_result(refuse_unknown_instance(c, id));
    return instance;
}

json_t *lookup_listener(struct call *c, const char *instance_id, const char *id, const char *field)
{
    if (!lookup_instance(c, instance_id))
        return NULL;
    const json_t *listener = model_find(c->model, MODEL_LISTENER, id);
    if (listener && document_is(listener, "LoadBalancerId", instance_id))
        return model_edit(c->model, MODEL_LISTENER, id);
    ignore_result(call_refuse(c, API_ERROR_LISTENER_NOT_FOUND,
        "%s: the instance %.64s has no listener %.64s.", field, instance_id, id));
    return NULL;
}

json_t *lookup_requested_listener(struct call *c)
{
    return lookup_listener(
        c, call_text(c, "LoadBalancerId"), call_text(c, "ListenerId"), "ListenerId");
}

bool lookup_is_layer7(const json_t *listener)
{
    return document_is(listener, "Protocol", "HTTP") || document_is(listener, "Protocol", "HTTPS");
}

bool lookup_has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (text && json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

bool lookup_has_domain(const json_t *list, const char *domain)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (bytes_equal_nocase(bytes_of(json_string_value(item)), bytes_of(domain)))
            return true;
    }
    return false;
}

static json_t *find_by_domain(json_t *rules, const char *domain, const char *url)
{
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule)
    {
        if (document_is(rule, "Url", url) &&
            lookup_has_domain(json_object_get(rule, "Domains"), domain))
            return rule;
    }
    return NULL;
}

json_t *lookup_rule(struct call *c, json_t *listener, const json_t *by)
{
    const char *id = document_text(by, "LocationId");
    const char *domain = document_text(by, "Domain"), *url = document_text(by, "Url");
    json_t *rules = json_object_get(listener, "Rules");
    json_t *rule = NULL;
    if (!lookup_is_layer7(listener)) {
        ignore_result(call_refuse(c, API_ERROR_VALUE,
            "%s: the listener %s is %s; only HTTP and HTTPS listeners have rules.",
            id ? "LocationId" : "Domain", document_text(listener, "ListenerId"),
            document_text(listener, "Protocol")));
        return NULL;
    }
    if (!id && (!domain || !url)) {
        ignore_result(call_refuse(c, API_ERROR_MISSING,
            "LocationId is missing: it, or Domain and Url, say which rule of the listener."));
        return NULL;
    }
    rule = id ? find_by(rules, "LocationId", id) : find_by_domain(rules, domain, url);
    if (!rule)
        ignore_result(call_refuse(c, API_ERROR_LOCATION_NOT_FOUND,
            "%s: the listener %s has no rule %.128s %.200s.", id ? "LocationId" : "Domain, Url",
            document_text(listener, "ListenerId"), id ? id : domain, id ? "" : url));
    return rule;
}
