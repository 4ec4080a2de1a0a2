/* SPDX-License-Identifier: Apache-2.0 */
#include "api/instance_view.h"

#include <string.h>

#include "api/document.h"

#include "base/ban.h"

/* Members that are the same for all, because Sallyport has not what they are about. */
static const struct {
    const char *name, *json;
} constants[] = {{"Forward", "1"}, {"Domain", "\"\""}, {"Status", "1"}, {"OpenBgp", "0"},
    {"Snat", "false"}, {"Isolation", "0"}, {"Log", "\"\""}, {"SecureGroups", "[]"},
    {"ChargeType", "null"}, {"NetworkAttributes", "null"}, {"PrepaidAttributes", "null"},
    {"LogSetId", "\"\""}, {"LogTopicId", "\"\""}, {"ExtraInfo", "null"}, {"IsDDos", "false"},
    {"ConfigId", "\"\""}, {"LoadBalancerPassToTarget", "true"}, {"IPv6Mode", "null"},
    {"SnatPro", "false"}, {"SnatIps", "[]"}, {"SlaType", "null"}, {"IsBlock", "false"},
    {"LocalBgp", "false"}, {"MixIpTarget", "false"}, {"Zones", "[]"}, {"VipIsp", "\"\""},
    {"MasterZone", "null"}, {"BackupZoneSet", "[]"}, {"AnycastZone", "\"\""},
    {"LoadBalancerDomain", "\"\""}};

json_t *instance_view_make(const struct call *c, const json_t *instance)
{
    static const char *const members[] = {"LoadBalancerId", "LoadBalancerName", "LoadBalancerType",
        "CreateTime", "Tags", "VpcId", "SubnetId", "ProjectId", "AddressIPVersion"};
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT_OF(members); i++)
        json_object_set_new(out, members[i], document_share_member(instance, members[i]));
    for (size_t i = 0; i < COUNT_OF(constants); i++)
        json_object_set_new(
            out, constants[i].name, json_loads(constants[i].json, JSON_DECODE_ANY, NULL));
    const char *vip = document_text(instance, "Vip");
    json_object_set_new(out, "LoadBalancerVips", json_pack("[s]", vip));
    json_object_set_new(out, "AddressIPv6", strchr(vip, ':') ? json_string(vip) : json_null());
    json_object_set_new(out, "StatusTime", document_share_member(instance, "CreateTime"));
    json_object_set_new(out, "TargetRegionInfo",
        json_pack("{s:s, s:o}", "Region", c->region ? c->region : "", "VpcId",
            document_share_member(instance, "VpcId")));
    json_object_set_new(out, "AttributeFlags",
        document_flag(instance, "DeleteProtect") ? json_pack("[s]", "DeleteProtect")
                                                 : json_array());
    if (document_text(instance, "ConfigFile"))
        json_object_set_new(out, "ConfigFile", document_share_member(instance, "ConfigFile"));
    return out;
}
