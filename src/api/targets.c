/* SPDX-License-Identifier: Apache-2.0 */
#include "api/targets.h"

#include <string.h>

#include "api/document.h"
#include "base/memory.h"

#include "base/ban.h"

/* ---- what is a server ---- */

/* Somebody's own address: not any, not a group's. */
static bool is_of_one(const struct address *a)
{
    static const uint8_t any[16], any_v4[16] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t multicast_v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 0xe0};
    static const uint8_t multicast[16] = {0xff};
    uint8_t octets[16];
    address_octets(a, octets);
    return memcmp(octets, any, sizeof(any)) != 0 && !address_is_in(a, any_v4, 96 + 8) &&
           !address_is_in(a, multicast_v4, 96 + 3) && !address_is_in(a, multicast, 8);
}

int targets_read(struct call *c, const json_t *server, const char *ip_field, struct target_key *out)
{
    const char *ip = document_text(server, ip_field);
    struct address address;
    *out = (struct target_key){.port = document_integer(server, "Port")};
    if (!ip)
        return call_refuse(c, API_ERROR_MISSING,
            "Targets: %s is missing: the IP address of the server.", ip_field);
    if (!out->port)
        return call_refuse(
            c, API_ERROR_MISSING, "Targets: Port is missing: the port of %.64s.", ip);
    if (address_parse_host(bytes_of(ip), (uint16_t)out->port, &address) < 0 || !is_of_one(&address))
        return call_refuse(c, API_ERROR_VALUE,
            "Targets: %s is %.64s; accepted is the IPv4 or IPv6 address of a server.", ip_field,
            ip);
    address_format_host(&address, out->ip);
    return 0;
}

/* ---- lists ---- */

static bool is_at(const json_t *server, const char *ip, int64_t port)
{
    const json_t *addresses = json_object_get(server, "PrivateIpAddresses");
    const char *its = json_string_value(json_array_get(addresses, 0));
    return document_integer(server, "Port") == port && its && strcmp(its, ip) == 0;
}

static size_t index_of(const json_t *list, const char *ip, int64_t port)
{
    size_t i = 0;
    while (i < json_array_size(list) && !is_at(json_array_get(list, i), ip, port))
        i++;
    return i;
}

static bool has(const json_t *list, const char *ip, int64_t port)
{
    return index_of(list, ip, port) < json_array_size(list);
}

int targets_add(struct call *c, json_t *list, const struct target_key *key, const json_t *server)
{
    const json_t *weight = json_object_get(server, "Weight");
    const char *tag = document_text(server, "Tag");
    if (has(list, key->ip, key->port))
        return call_refuse(c, API_ERROR_DUPLICATE, "Targets: %s port %d is bound already.", key->ip,
            (int)key->port);
    if (json_array_size(list) >= TARGETS_MAX)
        return call_refuse(
            c, API_ERROR_LIMIT, "Targets: more than %d would be bound.", TARGETS_MAX);
    return json_array_append_new(
        list, json_pack("{s:s, s:s, s:I, s:I, s:n, s:[s], s:s, s:o, s:s, s:s?, s:n}", "Type", "ENI",
                  "InstanceId", "", "Port", (json_int_t)key->port, "Weight",
                  (json_int_t)(weight ? json_integer_value(weight) : TARGETS_WEIGHT_DEFAULT),
                  "PublicIpAddresses", "PrivateIpAddresses", key->ip, "InstanceName", "",
                  "RegisteredTime", call_time(c->now_s), "EniId", "", "Tag", tag, "Zone"));
}

static int refuse_unknown(struct call *c, const struct target_key *key)
{
    return call_refuse(
        c, API_ERROR_PARAMETER, "Targets: %s port %d is not bound.", key->ip, (int)key->port);
}

json_t *targets_find(struct call *c, json_t *list, const struct target_key *key)
{
    json_t *found = json_array_get(list, index_of(list, key->ip, key->port));
    if (!found)
        ignore_result(refuse_unknown(c, key));
    return found;
}

int targets_remove(struct call *c, json_t *list, const struct target_key *key)
{
    size_t i = index_of(list, key->ip, key->port);
    return i < json_array_size(list) ? json_array_remove(list, i) : refuse_unknown(c, key);
}

int targets_move(struct call *c, json_t *list, const struct target_key *key, int64_t port)
{
    json_t *server = targets_find(c, list, key);
    if (!server)
        return -1;
    if (port != key->port && has(list, key->ip, port))
        return call_refuse(
            c, API_ERROR_DUPLICATE, "NewPort: %s port %d is bound already.", key->ip, (int)port);
    return json_object_set_new(server, "Port", json_integer(port));
}
