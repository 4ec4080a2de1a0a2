/* SPDX-License-Identifier: Apache-2.0 */
#include "config/redirect.h"

#include "config/value.h"

#include "base/ban.h"

const struct config_listener *redirect_listener(const struct config *c, const char *to)
{
    const char *name = value_redirect_listener(to);
    for (size_t i = 0; name && i < c->listeners_n; i++)
        if (strcmp(c->listeners[i].name, name) == 0)
            return &c->listeners[i];
    return NULL;
}

/* ":8443" */
static const char *port_of(const struct config_listener *l)
{
    return strrchr(l->address, ':');
}

const char *redirect_url(const struct config *c, const char *to, struct arena *arena)
{
    const struct config_listener *l = redirect_listener(c, to);
    if (!l)
        return to;
    bool is_tls = config_protocol_is_tls(l->protocol);
    bool is_default = strcmp(port_of(l), is_tls ? ":443" : ":80") == 0;
    return arena_printf(
        arena, "%s://$host%s", is_tls ? "https" : "http", is_default ? "" : port_of(l));
}

int redirect_check(
    const struct config *c, const struct config_listener *from, const char *to, struct error *err)
{
    const struct config_listener *l = redirect_listener(c, to);
    if (!value_redirect_listener(to))
        return 0;
    if (!l)
        return error_set(err, "names no listener of this file");
    if (l == from)
        return error_set(err, "is this listener itself: the client would come back for ever");
    if (!config_protocol_is_http(l->protocol))
        return error_set(
            err, "speaks %s; name a listener of HTTPS or HTTP", config_protocol_name(l->protocol));
    if (strcmp(port_of(l), ":0") == 0)
        return error_set(err,
            "has no port of its own that clients could be sent to (port 0); give it one, or write "
            "a URL");
    return 0;
}
