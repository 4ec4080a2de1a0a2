/* SPDX-License-Identifier: Apache-2.0 */
/* What instances there are, with what is in them, and how many there may be. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/action.h"
#include "api/document.h"
#include "api/filter.h"
#include "api/instance_targets.h"
#include "api/instance_view.h"
#include "api/lookup.h"
#include "base/memory.h"

#include "base/ban.h"

/* ---- fields ---- */

#define PAGE_FIELDS                                                                          \
    {"Offset", FIELD_INTEGER, .min = 0, .max = INT32_MAX, .help = "how many to skip"},       \
    {                                                                                        \
        "Limit", FIELD_INTEGER, .min = 0, .max = 100, .help = "how many to tell; default 20" \
    }

const struct field action_describe_load_balancers_fields[] = {
    {"LoadBalancerIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 20, .help = "these"},
    {"LoadBalancerType", FIELD_TEXT, .choices = "OPEN|INTERNAL", .help = "those of this type"},
    {"Forward", FIELD_INTEGER, .only = "1|-1", .why = "there are no classic instances"},
    {"LoadBalancerName", FIELD_TEXT, .max = 255, .help = "those with this in their name"},
    {"Domain", FIELD_TEXT, .only = "\"\"", .why = "instances have no domain names"},
    {"LoadBalancerVips", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100,
        .help = "those with one of these addresses"},
    {"BackendPrivateIps", FIELD_TEXT, .is_list = true, .max = 255, .list_max = 100,
        .help = "those with one of these real servers"},
    {"BackendPublicIps", FIELD_TEXT, .is_list = true, .only = "",
        .why = "real servers have one address, BackendPrivateIps"},
    PAGE_FIELDS,
    {"OrderBy", FIELD_TEXT, .choices = "CreateTime|LoadBalancerName|LoadBalancerType|Domain",
        .help = "default CreateTime"},
    {"OrderType", FIELD_INTEGER, .min = 0, .max = 1, .help = "1 descending (default), 0 ascending"},
    {"SearchKey", FIELD_TEXT, .max = 255, .help = "those with this in name, address or id"},
    {"WithRs", FIELD_INTEGER, .min = -1, .max = 1,
        .help = "1: those with real servers, 0: those without, -1 (default): all"},
    {"Filters", FIELD_OBJECT, .is_list = true, .list_max = FILTER_LIST_MAX, .of = filter_fields,
        .help = "`tag-key`: a label's name; `tag:NAME`: its value; `address-ip-version`"},
    {"AdditionalFields", FIELD_TEXT, .is_list = true, .choices = "TargetCount", .list_max = 1,
        .help = "`TargetCount`: how many real servers there are"},
    {"ProjectId", FIELD_INTEGER, .help = "those with this label; -1: all"},
    {"VpcId", FIELD_TEXT, .max = 64, .help = "those with this label"},
    {"SecurityGroup", FIELD_TEXT, .only = "", .why = "there are no security groups"},
    {"MasterZone", FIELD_TEXT, .only = "", .why = "there are no zones"},
    {NULL},
};

const struct field action_describe_load_balancers_detail_fields[] = {
    PAGE_FIELDS,
    {"Fields", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 60,
        .help = "members to tell besides LoadBalancerId, LoadBalancerName, ListenerId, "
                "LocationId, TargetId; none: all"},
    {"TargetType", FIELD_TEXT, .only = "\"NODE\"", .why = "there is a row for each real server"},
    {"Filters", FIELD_OBJECT, .is_list = true, .list_max = FILTER_LIST_MAX, .of = filter_fields,
        .help = "`loadbalancer-id`, `vip`, `target-ip`, `listener-id`, `location-id`, `domain`"},
    {NULL},
};

const struct field action_describe_quota_fields[] = {{NULL}};

/* ---- filters ---- */

static bool has_version(const json_t *values, const void *instance)
{
    return lookup_has_text(values, document_text(instance, "AddressIPVersion"));
}

static bool has_tag_key(const json_t *values, const void *instance)
{
    return filter_has_tag(values, json_object_get(instance, "Tags"));
}

static const struct filter filters[] = {
    {"tag-key", has_tag_key}, {"address-ip-version", has_version}, {NULL, NULL}};

/* Takes those of "tag:NAME" out of the request, which are no row of a table: what is left is for
 * filter_check. */
static json_t *take_tag_filters(struct call *c)
{
    json_t *taken = json_array(), *list = call_list(c, "Filters");
    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *filter = json_array_get(list, i);
        if (strncmp(document_text(filter, "Name"), "tag:", 4) != 0)
            continue;
        json_array_append(taken, filter);
        json_array_remove(list, i);
    }
    return taken;
}

static bool has_tag(const json_t *instance, const char *key, const json_t *values)
{
    size_t i;
    json_t *tag;
    json_array_foreach(json_object_get(instance, "Tags"), i, tag)
    {
        if (document_is(tag, "TagKey", key) &&
            lookup_has_text(values, document_text(tag, "TagValue")))
            return true;
    }
    return false;
}

static bool has_tags(const json_t *instance, const json_t *wanted)
{
    size_t i;
    json_t *filter;
    json_array_foreach(wanted, i, filter)
    {
        const char *key = document_text(filter, "Name") + strlen("tag:");
        if (!has_tag(instance, key, json_object_get(filter, "Values")))
            return false;
    }
    return true;
}

/* ---- which instances ---- */

static bool contains(const char *text, const char *part)
{
    return !part || (text && strcasestr(text, part));
}

static bool is_among(const struct call *c, const char *list_name, const char *text)
{
    const json_t *list = call_list(c, list_name);
    return !json_array_size(list) || lookup_has_text(list, text);
}

static bool fits_names(const struct call *c, const json_t *d)
{
    const char *key = call_text(c, "SearchKey"), *type = call_text(c, "LoadBalancerType");
    const char *name = document_text(d, "LoadBalancerName"), *vpc = call_text(c, "VpcId");
    int64_t project = call_integer(c, "ProjectId", -1);
    return is_among(c, "LoadBalancerIds", document_text(d, "LoadBalancerId")) &&
           is_among(c, "LoadBalancerVips", document_text(d, "Vip")) &&
           (!type || document_is(d, "LoadBalancerType", type)) &&
           (!vpc || document_is(d, "VpcId", vpc)) &&
           (project < 0 || project == document_integer(d, "ProjectId")) &&
           contains(name, call_text(c, "LoadBalancerName")) &&
           (contains(name, key) || contains(document_text(d, "Vip"), key) ||
               contains(document_text(d, "LoadBalancerId"), key));
}

struct servers {
    const json_t *wanted; /* addresses */
    size_t n;
    bool has_wanted;
};

static void look_at(void *owner, const struct instance_target *t)
{
    struct servers *s = owner;
    s->n += t->server != NULL;
    s->has_wanted |= t->server && lookup_has_text(s->wanted, instance_targets_address(t->server));
}

static struct servers servers_of(struct call *c, const json_t *instance)
{
    struct servers s = {.wanted = call_list(c, "BackendPrivateIps")};
    json_t *listeners = lookup_listeners(c, document_text(instance, "LoadBalancerId"));
    instance_targets_each(c->model, listeners, look_at, &s);
    json_decref(listeners);
    return s;
}

static bool fits_servers(struct call *c, const json_t *instance)
{
    int64_t with = call_integer(c, "WithRs", -1);
    bool are_named = json_array_size(call_list(c, "BackendPrivateIps"));
    if (with < 0 && !are_named)
        return true;
    struct servers s = servers_of(c, instance);
    return (with < 0 || (with == 1) == (s.n > 0)) && (!are_named || s.has_wanted);
}

/* ---- their order ---- */

struct place {
    const json_t *instance;
    const char *key;
    size_t at; /* in the order of their making */
    bool is_descending;
};

static int by_key(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    int order = strcmp(a->key, b->key);
    if (!order)
        order = (a->at > b->at) - (a->at < b->at);
    return a->is_descending ? -order : order;
}

/* Those of LIST in the order that C asks for; N places, to be freed. */
static struct place *sort(const struct call *c, const json_t *list)
{
    const char *by = call_text(c, "OrderBy");
    size_t i;
    json_t *d;
    struct place *places = mem_calloc(json_array_size(list), sizeof(*places));
    json_array_foreach(list, i, d)
    {
        const char *key = document_text(d, by ? by : "CreateTime");
        places[i] = (struct place){d, key ? key : "", i, call_integer(c, "OrderType", 1) == 1};
    }
    qsort(places, json_array_size(list), sizeof(*places), by_key);
    return places;
}

static json_t *select_instances(struct call *c, const json_t *tags)
{
    json_t *all = lookup_instances(c), *out = json_array();
    size_t i;
    json_t *d;
    json_array_foreach(all, i, d)
    {
        if (fits_names(c, d) && filter_fits(c, filters, d) && has_tags(d, tags) &&
            fits_servers(c, d))
            json_array_append(out, d);
    }
    json_decref(all);
    return out;
}

static json_t *describe_page(struct call *c, const json_t *selected)
{
    size_t first, end, n = json_array_size(selected);
    bool counts = lookup_has_text(call_list(c, "AdditionalFields"), "TargetCount");
    struct place *places = sort(c, selected);
    json_t *set = json_array();
    call_page(c, n, &first, &end);
    for (size_t i = first; i < end; i++) {
        json_t *view = instance_view_make(c, places[i].instance);
        if (counts)
            json_object_set_new(
                view, "TargetCount", json_integer((json_int_t)servers_of(c, places[i].instance).n));
        json_array_append_new(set, view);
    }
    free(places);
    return set;
}

int action_describe_load_balancers(struct call *c)
{
    json_t *tags = take_tag_filters(c);
    int result = filter_check(c, filters);
    if (result == 0) {
        json_t *selected = select_instances(c, tags);
        json_object_set_new(
            c->response, "TotalCount", json_integer((json_int_t)json_array_size(selected)));
        json_object_set_new(c->response, "LoadBalancerSet", describe_page(c, selected));
        json_decref(selected);
    }
    json_decref(tags);
    return result;
}

/* ---- DescribeLoadBalancersDetail: a row for each server ---- */

struct details {
    struct call *c;
    const json_t *instance;
    json_t *rows;
};

#define DETAIL_FILTER(function, member)                             \
    static bool function(const json_t *values, const void *row)     \
    {                                                               \
        return lookup_has_text(values, document_text(row, member)); \
    }
DETAIL_FILTER(has_instance, "LoadBalancerId")
DETAIL_FILTER(has_vip, "Address")
DETAIL_FILTER(has_target, "TargetAddress")
DETAIL_FILTER(has_listener, "ListenerId")
DETAIL_FILTER(has_location, "LocationId")
DETAIL_FILTER(has_domain, "Domain")

static const struct filter detail_filters[] = {{"loadbalancer-id", has_instance}, {"vip", has_vip},
    {"target-ip", has_target}, {"listener-id", has_listener}, {"location-id", has_location},
    {"domain", has_domain}, {NULL, NULL}};

/* What each object gives to a row: its member, and what that is called there. */
static const struct part {
    const char *member, *name;
} of_listener[] = {{"ListenerId", "ListenerId"}, {"Protocol", "Protocol"}, {"Port", "Port"},
    {"SniSwitch", "SniSwitch"}, {NULL, NULL}},
  of_rule[] = {{"LocationId", "LocationId"}, {"Domain", "Domain"}, {"Url", "Url"}, {NULL, NULL}},
  of_server[] = {
      {"InstanceId", "TargetId"}, {"Port", "TargetPort"}, {"Weight", "TargetWeight"}, {NULL, NULL}};

static void set_parts(json_t *row, const json_t *from, const struct part *parts)
{
    for (; parts->name; parts++)
        json_object_set_new(row, parts->name, document_share_member(from, parts->member));
}

/* Members that nobody asked for go; those that say whose row it is stay. */
static void keep_fields(const struct call *c, json_t *row)
{
    static const char always[] = "|LoadBalancerId|LoadBalancerName|ListenerId|LocationId|TargetId|";
    const json_t *fields = call_list(c, "Fields");
    const char *name;
    json_t *value;
    void *next;
    if (!json_array_size(fields))
        return;
    json_object_foreach_safe(row, next, name, value)
    {
        const char *found = strstr(always, name);
        bool stays = found && found[-1] == '|' && found[strlen(name)] == '|';
        if (!stays && !lookup_has_text(fields, name))
            json_object_del(row, name);
    }
}

static void add_row(void *owner, const struct instance_target *t)
{
    struct details *d = owner;
    json_t *row = instance_view_make(d->c, d->instance);
    json_object_set_new(row, "Address", document_share_member(d->instance, "Vip"));
    set_parts(row, t->listener, of_listener);
    set_parts(row, t->rule, of_rule);
    set_parts(row, t->server, of_server);
    const char *address = t->server ? instance_targets_address(t->server) : NULL;
    json_object_set_new(row, "TargetAddress", address ? json_string(address) : json_null());
    if (filter_fits(d->c, detail_filters, row)) {
        keep_fields(d->c, row);
        json_array_append(d->rows, row);
    }
    json_decref(row);
}

int action_describe_load_balancers_detail(struct call *c)
{
    struct details d = {.c = c};
    size_t first, end, i;
    json_t *instance;
    if (filter_check(c, detail_filters) < 0)
        return -1;
    d.rows = json_array();
    json_t *all = lookup_instances(c), *set = json_array();
    json_array_foreach(all, i, instance)
    {
        json_t *listeners = lookup_listeners(c, document_text(instance, "LoadBalancerId"));
        d.instance = instance;
        instance_targets_each(c->model, listeners, add_row, &d);
        json_decref(listeners);
    }
    call_page(c, json_array_size(d.rows), &first, &end);
    for (size_t at = first; at < end; at++)
        json_array_append(set, json_array_get(d.rows, at));
    json_object_set_new(
        c->response, "TotalCount", json_integer((json_int_t)json_array_size(d.rows)));
    json_object_set_new(c->response, "LoadBalancerDetailSet", set);
    json_decref(d.rows);
    json_decref(all);
    return 0;
}

/* ---- DescribeQuota ---- */

static int64_t count_type(const struct call *c, const char *type)
{
    size_t at = 0;
    int64_t n = 0;
    const json_t *instance;
    while (model_next(c->model, MODEL_INSTANCE, &at, &instance))
        n += document_is(instance, "LoadBalancerType", type);
    return n;
}

static void add_quota(json_t *set, const char *id, int64_t limit, int64_t current)
{
    json_array_append_new(
        set, json_pack("{s:s, s:I, s:o}", "QuotaId", id, "QuotaLimit", (json_int_t)limit,
                 "QuotaCurrent", current < 0 ? json_null() : json_integer(current)));
}

int action_describe_quota(struct call *c)
{
    json_t *set = json_array();
    add_quota(set, "TOTAL_OPEN_CLB_QUOTA", INSTANCE_VIEW_MAX, count_type(c, "OPEN"));
    add_quota(set, "TOTAL_INTERNAL_CLB_QUOTA", INSTANCE_VIEW_MAX, count_type(c, "INTERNAL"));
    add_quota(set, "TOTAL_LISTENER_QUOTA", INSTANCE_VIEW_LISTENERS_MAX, -1);
    add_quota(set, "TOTAL_LISTENER_RULE_QUOTA", INSTANCE_VIEW_RULES_MAX, -1);
    add_quota(set, "TOTAL_TARGET_BIND_QUOTA", INSTANCE_VIEW_TARGETS_MAX, -1);
    json_object_set_new(c->response, "QuotaSet", set);
    return 0;
}
