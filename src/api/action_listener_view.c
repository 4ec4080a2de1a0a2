/* SPDX-License-Identifier: Apache-2.0 */
/* The listeners of an instance, with their rules. */
#include <string.h>

#include "api/action.h"
#include "api/document.h"
#include "api/listener_view.h"
#include "api/lookup.h"
#include "config/config.h"

#include "base/ban.h"

const struct field action_describe_listeners_fields[] = {
    {"LoadBalancerId", FIELD_TEXT, .is_required = true, .max = 64, .help = "the instance"},
    {"ListenerIds", FIELD_TEXT, .is_list = true, .max = 64, .list_max = 100, .help = "these"},
    {"Protocol", FIELD_TEXT, .choices = "TCP|UDP|HTTP|HTTPS|TCP_SSL|QUIC",
        .help = "those of this protocol"},
    {"Port", FIELD_INTEGER, .min = 1, .max = 65535, .help = "the one at this port"},
    {NULL},
};

static bool is_asked_for(const struct call *c, const json_t *listener)
{
    const json_t *ids = call_list(c, "ListenerIds");
    const char *protocol = call_text(c, "Protocol");
    int64_t port = call_integer(c, "Port", 0);
    return (!json_array_size(ids) || lookup_has_text(ids, document_text(listener, "ListenerId"))) &&
           (!protocol || document_is(listener, "Protocol", protocol)) &&
           (!port || port == document_integer(listener, "Port"));
}

int action_describe_listeners(struct call *c)
{
    json_t *listeners = lookup_listeners(c, call_text(c, "LoadBalancerId")), *listener;
    json_t *out = json_array();
    size_t i;
    json_array_foreach(listeners, i, listener)
    {
        if (is_asked_for(c, listener))
            json_array_append_new(out, listener_view_make(c, listener));
    }
    json_object_set_new(c->response, "TotalCount", json_integer((json_int_t)json_array_size(out)));
    json_object_set_new(c->response, "Listeners", out);
    json_decref(listeners);
    return listeners ? 0 : -1;
}
