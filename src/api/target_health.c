/* SPDX-License-Identifier: Apache-2.0 */
#include "api/target_health.h"

#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "api/instance_targets.h"
#include "api/target_group.h"
#include "control/health.h"

#include "base/ban.h"

#define HOST_MAX 256

/* SERVER as the configuration spells it. The file's may have a host name. */
static void format_address(const json_t *server, char *out, size_t size)
{
    const char *host = instance_targets_address(server);
    snprintf(out, size, host && strchr(host, ':') ? "[%s]:%d" : "%s:%d", host ? host : "",
        (int)document_integer(server, "Port"));
}

enum target_state target_health_of(const struct call *c, const json_t *holder, const char *id,
    const json_t *server, const char **why)
{
    static const enum target_state states[] = {
        [HEALTH_WAITING] = TARGET_UNKNOWN,
        [HEALTH_HEALTHY] = TARGET_ALIVE,
        [HEALTH_UNHEALTHY] = TARGET_DEAD,
    };
    const char *group = target_group_config_name(holder, id);
    const struct health *health = c->around->health;
    char address[HOST_MAX + 16];
    enum health_state state;
    format_address(server, address, sizeof(address));
    if (why)
        *why = health ? health_why(health, group, address) : NULL;
    return health && health_find(health, group, address, &state) ? states[state] : TARGET_UNCHECKED;
}

json_t *target_health_backend(const json_t *server)
{
    static const char *const members[] = {"Type", "InstanceId", "Port", "Weight",
        "PublicIpAddresses", "PrivateIpAddresses", "InstanceName", "RegisteredTime", "EniId", "Tag",
        "Zone"};
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT_OF(members); i++)
        json_object_set_new(out, members[i], document_share_member(server, members[i]));
    return out;
}
