/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: addresses that listeners are at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/action.h"
#include "api/address_choice.h"
#include "api/document.h"
#include "api/instance_targets.h"
#include "api/instance_view.h"
#include "api/labels.h"
#include "api/lookup.h"
#include "base/memory.h"
#include "crypto/digest.h"

#include "base/ban.h"

#define NAME_MAX_BYTES  60
#define TOKEN_MAX_BYTES 64
#define TOKEN_AGE_S     (24 * 3600)
#define TOKENS_MAX      10000
#define AT_RISK         20 /* so many servers, and an instance is deleted by ForceDelete only */

/* ---- fields ---- */

#define NOTHING_SOLD "nothing is sold here"
#define NO_ZONES     "there are no zones"

const struct field action_create_load_balancer_fields[] = {
    {"LoadBalancerType", FIELD_TEXT, .is_required = true, .choices = "OPEN|INTERNAL",
        .help =
            "where no address is said: OPEN, all addresses of this machine; INTERNAL, loopback"},
    {"Forward", FIELD_INTEGER, .only = "1", .why = "there are no classic instances"},
    {"LoadBalancerName", FIELD_TEXT, .min = 1, .max = NAME_MAX_BYTES,
        .help = "letters, digits, `-`, `_`, `.`; of one instance only; where it is taken, the "
                "instance is called by its id"},
    {"VpcId", FIELD_TEXT, .max = 64, .help = "a label, told again"},
    {"SubnetId", FIELD_TEXT, .max = 64, .help = "a label, told again"},
    {"ProjectId", FIELD_INTEGER, .help = "a label, told again"},
    {"AddressIPVersion", FIELD_TEXT, .choices = "IPV4|IPV6|IPv6FullChain",
        .help = "the family of its address; default IPV4"},
    {"Number", FIELD_INTEGER, .min = 1, .max = 20, .help = "how many; default 1"},
    {"Tags", FIELD_OBJECT, .is_list = true, .list_max = LABELS_MAX, .of = labels_fields,
        .help = "labels, told again"},
    {"ClientToken", FIELD_TEXT,
        .help = "at most 64 ASCII characters: a request with one that was used within a day makes "
                "nothing, and answers as the first did"},
    {"Vip", FIELD_TEXT, .max = 64,
        .help = "the IP address that its listeners bind: one of `api.addresses`, where that is "
                "set. Several instances may have one address, and then share its ports"},
    {"LoadBalancerPassToTarget", FIELD_BOOLEAN, .only = "false|true",
        .why = "there are no security groups",
        .help = "of no effect: there are no security groups"},
    {"InternetAccessible", FIELD_OBJECT, .only = "", .why = "there is no bandwidth to buy"},
    {"VipIsp", FIELD_TEXT, .only = "", .why = "addresses are this machine's; choose one by Vip"},
    {"BandwidthPackageId", FIELD_TEXT, .only = "", .why = "there is no bandwidth to buy"},
    {"MasterZoneId", FIELD_TEXT, .only = "", .why = NO_ZONES},
    {"SlaveZoneId", FIELD_TEXT, .only = "", .why = NO_ZONES},
    {"ZoneId", FIELD_TEXT, .only = "", .why = NO_ZONES},
    {"ExclusiveCluster", FIELD_OBJECT, .only = "", .why = "there are no clusters"},
    {"ClusterIds", FIELD_TEXT, .is_list = true, .only = "", .why = "there are no clusters"},
    {"ClusterTag", FIELD_TEXT, .only = "", .why = "there are no clusters"},
    {"SlaType", FIELD_TEXT, .only = "", .why = NOTHING_SOLD},
    {"SnatPro", FIELD_BOOLEAN, .only = "false", .why = "targets are reached from this machine"},
    {"SnatIps", FIELD_OBJECT, .is_list = true, .only = "",
        .why = "targets are reached from this machine"},
    {"EipAddressId", FIELD_TEXT, .only = "",
        .why = "addresses are this machine's; choose one by Vip"},
    {"DynamicVip", FIELD_BOOLEAN, .only = "false", .why = "an instance has an address, not a name"},
    {"Egress", FIELD_TEXT, .only = "", .why = "there is one network"},
    {"LBChargePrepaid", FIELD_OBJECT, .only = "", .why = NOTHING_SOLD},
    {"LBChargeType", FIELD_TEXT, .only = "\"POSTPAID_BY_HOUR\"", .why = NOTHING_SOLD},
    {"AccessLogTopicId", FIELD_TEXT, .only = "",
        .why = "the access log is the configuration file's"},
    {"AdvancedRoute", FIELD_BOOLEAN, .only = "false", .why = "there are no advanced routes"},
    {"AvailableZoneAffinityInfo", FIELD_OBJECT, .only = "", .why = NO_ZONES},
    {NULL},
};

const struct field action_delete_load_balancer_fields[] = {
    {"LoadBalancerIds", FIELD_TEXT, .is_list = true, .is_required = true, .max = 64, .list_max = 20,
        .help = "the instances, which go with their listeners and rules"},
    {"ForceDelete", FIELD_BOOLEAN,
        .help = "true: also those with 20 real servers or more; default false"},
    {NULL},
};

const struct field action_modify_load_balancer_attributes_fields[] = {
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},
    {"LoadBalancerName", FIELD_TEXT, .min = 1, .max = NAME_MAX_BYTES, .help = "its new name"},
    {"DeleteProtect", FIELD_BOOLEAN, .help = "true: it cannot be deleted until this is false"},
    {"TargetRegionInfo", FIELD_OBJECT, .only = "", .why = "there is one region"},
    {"InternetChargeInfo", FIELD_OBJECT, .only = "", .why = "there is no bandwidth to buy"},
    {"LoadBalancerPassToTarget", FIELD_BOOLEAN, .only = "false|true",
        .why = "there are no security groups",
        .help = "of no effect: there are no security groups"},
    {"SwitchFlag", FIELD_BOOLEAN, .only = "false", .why = "there is one region"},
    {"SnatPro", FIELD_BOOLEAN, .only = "false", .why = "targets are reached from this machine"},
    {"ModifyClassicDomain", FIELD_BOOLEAN, .only = "false",
        .why = "instances have no domain names"},
    {"AssociateEndpoint", FIELD_TEXT, .only = "", .why = "there are no endpoints"},
    {NULL},
};

/* ---- names ---- */

/* Letters of any script, digits, - _ . */
static int check_name(struct call *c, const char *name)
{
    for (const char *at = name; *at; at++) {
        bool is_letter = (*at | 0x20) >= 'a' && (*at | 0x20) <= 'z';
        bool is_other = (*at >= '0' && *at <= '9') || strchr("-_.", *at) || (uint8_t)*at >= 0x80;
        if (!is_letter && !is_other)
            return call_refuse(c, API_ERROR_VALUE,
                "LoadBalancerName must have letters, digits, '-', '_' and '.' only.");
    }
    return 0;
}

static const json_t *find_name(const struct call *c, const char *name)
{
    size_t at = 0;
    const json_t *instance;
    while (model_next(c->model, MODEL_INSTANCE, &at, &instance))
        if (document_is(instance, "LoadBalancerName", name))
            return instance;
    return NULL;
}

/* ---- ClientToken ---- */

/* What was asked. */
static json_t *digest_of(const struct call *c)
{
    static const char digits[] = "0123456789abcdef";
    char *text = json_dumps(c->request, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t hash[SHA256_SIZE];
    char hex[2 * SHA256_SIZE];
    digest_sha256(bytes_of(text), hash);
    free(text);
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    return json_stringn(hex, sizeof(hex));
}

static int check_token(struct call *c, const char *token)
{
    size_t n = token ? strlen(token) : 0;
    bool is_good = n <= TOKEN_MAX_BYTES;
    for (size_t i = 0; is_good && i < n; i++)
        is_good = token[i] > ' ' && token[i] <= '~';
    return is_good
               ? 0
               : call_refuse(c, API_ERROR_CLIENT_TOKEN,
                     "ClientToken must have at most %d visible ASCII characters.", TOKEN_MAX_BYTES);
}

/* All are looked at: one that is used again after its day keeps its place among the others. */
static void forget_old_tokens(struct call *c)
{
    size_t at = 0;
    const json_t *d;
    while (model_next(c->model, MODEL_TOKEN, &at, &d))
        if (document_integer(d, "Time") < c->now_s - TOKEN_AGE_S) {
            char *token = mem_strdup(document_text(d, "ClientToken"));
            model_delete(c->model, MODEL_TOKEN, token);
            free(token);
        }
}

/* None of them is forgotten before its time: better no instance than one twice. */
static int check_token_room(struct call *c)
{
    forget_old_tokens(c);
    return model_count(c->model, MODEL_TOKEN) < TOKENS_MAX
               ? 0
               : call_refuse(c, API_ERROR_LIMIT,
                     "ClientToken: %d were used within a day, and no more are remembered; leave it "
                     "out.",
                     TOKENS_MAX);
}

static void answer_with(struct call *c, const json_t *made)
{
    json_object_set_new(
        c->response, "LoadBalancerIds", document_share_member(made, "LoadBalancerIds"));
    json_object_set_new(c->response, "DealName", document_share_member(made, "DealName"));
}

/* 1: the token was used, and C is answered. */
static int answer_again(struct call *c, const char *token, const json_t *digest)
{
    const json_t *used = token ? model_find(c->model, MODEL_TOKEN, token) : NULL;
    if (!used || document_integer(used, "Time") < c->now_s - TOKEN_AGE_S)
        return 0;
    if (!json_equal(json_object_get(used, "Digest"), digest))
        return call_refuse(c, API_ERROR_VALUE,
            "ClientToken was used by a request with other parameters; make a new one.");
    answer_with(c, used);
    return 1;
}

/* ---- CreateLoadBalancer ---- */

static int check_room(struct call *c, int64_t more)
{
    size_t at = 0;
    const json_t *instance;
    while (model_next(c->model, MODEL_INSTANCE, &at, &instance))
        more += document_is(instance, "LoadBalancerType", call_text(c, "LoadBalancerType"));
    return more <= INSTANCE_VIEW_MAX
               ? 0
               : call_refuse(c, API_ERROR_LIMIT, "Number: there can be %d instances of type %s.",
                     INSTANCE_VIEW_MAX, call_text(c, "LoadBalancerType"));
}

static json_t *label(const struct call *c, const char *name)
{
    const char *text = call_text(c, name);
    return json_string(text ? text : "");
}

static void make_instance(struct call *c, const json_t *vip, const char *name, json_t *ids)
{
    char id[MODEL_ID_MAX];
    model_make_id(c->model, "lb-", id);
    bool is_named = name && !find_name(c, name);
    model_put(c->model, MODEL_INSTANCE, id,
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:O, s:o, s:o, s:I, s:b}", "LoadBalancerId", id,
            "LoadBalancerName", is_named ? name : id, "LoadBalancerType",
            call_text(c, "LoadBalancerType"), "Vip", json_string_value(vip), "AddressIPVersion",
            strchr(json_string_value(vip), ':') ? "ipv6" : "ipv4", "CreateTime",
            call_time(c->now_s), "Tags", call_list(c, "Tags"), "VpcId", label(c, "VpcId"),
            "SubnetId", label(c, "SubnetId"), "ProjectId",
            (json_int_t)call_integer(c, "ProjectId", 0), "DeleteProtect", false));
    json_array_append_new(ids, json_string(id));
}

/* "20261122" and digits: orders are called so. */
static json_t *make_deal(const struct call *c)
{
    uint64_t number;
    json_t *time = call_time(c->now_s);
    const char *t = json_string_value(time);
    random_fill((uint8_t *)&number, sizeof(number));
    json_t *deal = json_sprintf(
        "%.4s%.2s%.2s%012llu", t, t + 5, t + 8, (unsigned long long)(number % 1000000000000));
    json_decref(time);
    return deal;
}

static void create(struct call *c, const json_t *vip, const char *token, json_t *digest)
{
    int64_t number = call_integer(c, "Number", 1);
    json_t *made = json_pack("{s:[], s:o}", "LoadBalancerIds", "DealName", make_deal(c));
    for (int64_t i = 0; i < number; i++)
        make_instance(c, vip, number == 1 ? call_text(c, "LoadBalancerName") : NULL,
            json_object_get(made, "LoadBalancerIds"));
    answer_with(c, made);
    if (token) {
        json_object_set_new(made, "ClientToken", json_string(token));
        json_object_set_new(made, "Time", json_integer(c->now_s));
        json_object_set(made, "Digest", digest);
        model_put(c->model, MODEL_TOKEN, token, json_deep_copy(made));
    }
    json_decref(made);
}

static int check_and_create(struct call *c, const char *token, json_t *digest)
{
    const char *name = call_text(c, "LoadBalancerName");
    if ((name && check_name(c, name) < 0) || check_room(c, call_integer(c, "Number", 1)) < 0 ||
        (token && check_token_room(c) < 0))
        return -1;
    json_t *vip = address_choice_vip(c);
    if (vip)
        create(c, vip, token, digest);
    json_decref(vip);
    return vip ? 0 : -1;
}

int action_create_load_balancer(struct call *c)
{
    const char *token = call_text(c, "ClientToken");
    if (token && !*token) /* as some clients send what they do not mean */
        token = NULL;
    if (check_token(c, token) < 0)
        return -1;
    json_t *digest = digest_of(c);
    int answered = answer_again(c, token, digest);
    int result = answered ? (answered < 0 ? -1 : 0) : check_and_create(c, token, digest);
    json_decref(digest);
    return result;
}

/* ---- DeleteLoadBalancer ---- */

static int check_deletable(struct call *c, const char *id)
{
    const json_t *instance = lookup_instance(c, id);
    size_t servers = instance ? instance_targets_count(c, id) : 0;
    if (!instance)
        return -1;
    if (document_flag(instance, "DeleteProtect"))
        return call_refuse(c, API_ERROR_FAILED,
            "%s is protected; set its DeleteProtect to false first "
            "(ModifyLoadBalancerAttributes).",
            id);
    if (servers >= AT_RISK && !call_flag(c, "ForceDelete", false))
        return call_refuse(c, API_ERROR_TARGETS_AT_RISK,
            "%s has %zu real servers; ForceDelete deletes it all the same.", id, servers);
    return 0;
}

static void delete_instance(struct call *c, const char *id)
{
    size_t at = 0;
    const json_t *listener;
    while (model_next(c->model, MODEL_LISTENER, &at, &listener))
        if (document_is(listener, "LoadBalancerId", id))
            model_delete(c->model, MODEL_LISTENER, document_text(listener, "ListenerId"));
    model_delete(c->model, MODEL_INSTANCE, id);
}

int action_delete_load_balancer(struct call *c)
{
    size_t i;
    json_t *id;
    json_array_foreach(call_list(c, "LoadBalancerIds"), i, id)
    {
        if (check_deletable(c, json_string_value(id)) < 0)
            return -1;
        delete_instance(c, json_string_value(id));
    }
    return 0;
}

/* ---- ModifyLoadBalancerAttributes ---- */

int action_modify_load_balancer_attributes(struct call *c)
{
    const char *id = call_text(c, "LoadBalancerId"), *name = call_text(c, "LoadBalancerName");
    const json_t *protect = json_object_get(c->request, "DeleteProtect");
    if (!lookup_instance(c, id) || (name && check_name(c, name) < 0))
        return -1;
    const json_t *other = name ? find_name(c, name) : NULL;
    if (other && !document_is(other, "LoadBalancerId", id))
        return call_refuse(c, API_ERROR_DUPLICATE, "LoadBalancerName: %s is called %s.",
            document_text(other, "LoadBalancerId"), name);
    json_t *instance = model_edit(c->model, MODEL_INSTANCE, id);
    if (name)
        json_object_set_new(instance, "LoadBalancerName", json_string(name));
    if (protect)
        json_object_set_new(instance, "DeleteProtect", document_share(protect));
    json_object_set_new(c->response, "DealName", json_null());
    return 0;
}
