/* SPDX-License-Identifier: Apache-2.0 */
#include "api/address_choice.h"

#include <string.h>

#include "api/document.h"
#include "api/file_objects.h"
#include "config/config.h"
#include "io/address.h"

#include "base/ban.h"

/* ---- the address of an instance ---- */

static bool is_ipv6(const char *host)
{
    return strchr(host, ':') != NULL;
}

/* What C asks for: 4, 6, or 0, which is what Vip is. */
static int wanted_family(const struct call *c)
{
    const char *version = call_text(c, "AddressIPVersion");
    if (!version)
        return call_text(c, "Vip") ? 0 : 4;
    return strcmp(version, "IPV4") == 0 ? 4 : 6;
}

static bool is_allowed(const struct call *c, const char *host)
{
    const struct config_api *settings = c->around->settings;
    bool is_listed = !settings || !settings->addresses_n;
    for (size_t i = 0; !is_listed && i < settings->addresses_n; i++)
        is_listed = strcmp(settings->addresses[i].text, host) == 0;
    return is_listed;
}

static json_t *refuse_vip(struct call *c, const char *why)
{
    call_refuse(c, API_ERROR_VALUE, "Vip %s", why);
    return NULL;
}

static json_t *given_vip(struct call *c, const char *given)
{
    char host[ADDRESS_TEXT_MAX];
    struct address a;
    if (address_parse_host(bytes_of(given), 0, &a) < 0)
        return refuse_vip(c, "must be an IP address.");
    address_format_host(&a, host);
    if (wanted_family(c) && (wanted_family(c) == 6) != is_ipv6(host))
        return refuse_vip(c, "is not of the family that AddressIPVersion says.");
    if (!is_allowed(c, host))
        return refuse_vip(c, "must be one of `api.addresses` in the configuration file.");
    return json_string(host);
}

json_t *address_choice_vip(struct call *c)
{
    const struct config_api *settings = c->around->settings;
    const char *given = call_text(c, "Vip");
    bool is_v6 = wanted_family(c) == 6;
    bool is_internal = strcmp(call_text(c, "LoadBalancerType"), "INTERNAL") == 0;
    if (given)
        return given_vip(c, given);
    for (size_t i = 0; settings && i < settings->addresses_n; i++)
        if (is_ipv6(settings->addresses[i].text) == is_v6)
            return json_string(settings->addresses[i].text);
    if (settings && settings->addresses_n) {
        call_refuse(c, API_ERROR_VALUE,
            "AddressIPVersion: `api.addresses` in the configuration file has no address of that "
            "family.");
        return NULL;
    }
    if (is_internal)
        return json_string(is_v6 ? "::1" : "127.0.0.1");
    return json_string(is_v6 ? "::" : "0.0.0.0");
}

/* ---- who has a port ---- */

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || !*host;
}

/* Could not both listen at one port? "" is both families. */
static bool overlap(const char *a, const char *b)
{
    bool same_family = !*a || !*b || is_ipv6(a) == is_ipv6(b);
    return same_family && (is_any(a) || is_any(b) || strcmp(a, b) == 0);
}

/* "10.0.0.1" and 443 of "10.0.0.1:443"; "" of ":443". */
static int64_t split(const char *address, char host[ADDRESS_TEXT_MAX])
{
    struct address a;
    struct error err;
    host[0] = '\0';
    if (address_parse(bytes_of(address), true, &a, &err) < 0)
        return 0;
    if (!a.both_families)
        address_format_host(&a, host);
    return address_port(&a);
}

static int refuse_port(struct call *c, int64_t port, const char *holder, const char *name)
{
    return call_refuse(
        c, API_ERROR_PORT, "Ports: %lld is taken by %s%.200s.", (long long)port, holder, name);
}

static int check_file(struct call *c, const char *vip, int64_t port)
{
    const struct config *config = c->around->config;
    char host[ADDRESS_TEXT_MAX];
    for (size_t i = 0; config && i < config->listeners_n; i++) {
        const struct config_listener *l = &config->listeners[i];
        if (file_objects_has(l) && split(l->address, host) == port && overlap(host, vip))
            return refuse_port(c, port, "a listener of the configuration file, ", l->name);
    }
    if (config && config->admin && split(config->admin, host) == port && overlap(host, vip))
        return refuse_port(c, port, "the admin address, ", config->admin);
    return 0;
}

int address_choice_port(struct call *c, const char *vip, int64_t port)
{
    size_t at = 0;
    const json_t *listener;
    while (model_next(c->model, MODEL_LISTENER, &at, &listener)) {
        const json_t *instance =
            model_find(c->model, MODEL_INSTANCE, document_text(listener, "LoadBalancerId"));
        if (document_integer(listener, "Port") == port &&
            overlap(document_text(instance, "Vip"), vip))
            return refuse_port(c, port, "the listener ", document_text(listener, "ListenerId"));
    }
    return check_file(c, vip, port);
}
