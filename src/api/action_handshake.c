/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeHandshakes, Sallyport's own: the last TLS handshakes with clients, and the verdicts on
 * their certificates. */
#include <string.h>

#include "api/action.h"
#include "api/document.h"
#include "api/lookup.h"
#include "base/memory.h"
#include "control/handshakes.h"

#include "base/ban.h"

#define TEXT_MAX      (16u << 20)
#define LIMIT_DEFAULT 100

const struct field action_describe_handshakes_fields[] = {
    {"LoadBalancerId", FIELD_TEXT, .max = 64, .help = "the instance that ListenerId belongs to"},
    {"ListenerId", FIELD_TEXT, .max = 64, .help = "of this listener only"},
    {"OnlyFailed", FIELD_BOOLEAN, .help = "true: those only that were refused, or broke off"},
    {"Since", FIELD_INTEGER, .min = 0, .max = INT64_MAX,
        .help = "those after the one with this id; default: the last ones"},
    {"Limit", FIELD_INTEGER, .min = 1, .max = HANDSHAKES_LINES_MAX,
        .help = "at most so many, of the last ones; default 100"},
    {NULL},
};

/* What logs call the listener: its id, or of one of the configuration file its name. */
static json_t *name_of_listener(struct call *c)
{
    const char *id = call_text(c, "ListenerId"), *instance = call_text(c, "LoadBalancerId");
    json_t *name = NULL, *listener;
    size_t i;
    if (!instance) {
        ignore_result(call_refuse(c, API_ERROR_MISSING,
            "LoadBalancerId is missing: the instance that ListenerId belongs to."));
        return NULL;
    }
    json_t *listeners = lookup_listeners(c, instance);
    json_array_foreach(listeners, i, listener)
    {
        if (document_is(listener, "ListenerId", id))
            name = document_share_member(
                listener, document_text(listener, "ConfigFile") ? "ListenerName" : "ListenerId");
    }
    if (listeners && !name)
        ignore_result(call_refuse(c, API_ERROR_LISTENER_NOT_FOUND,
            "ListenerId: the instance %.64s has no listener %.64s.", instance, id));
    json_decref(listeners);
    return name;
}

/* The lines of TEXT that are about LISTENER (NULL: any), the last LIMIT of them. */
static json_t *read_lines(struct bytes text, const char *listener, size_t limit)
{
    json_t *out = json_array();
    while (text.n) {
        struct bytes line = bytes_first(text, bytes_find(text, '\n'));
        json_t *told = json_loadb((const char *)line.at, line.n, 0, NULL);
        if (told && (!listener || document_is(told, "listener", listener)))
            json_array_append(out, told);
        json_decref(told);
        text = bytes_skip(text, line.n + 1);
    }
    while (json_array_size(out) > limit)
        json_array_remove(out, 0);
    return out;
}

int action_describe_handshakes(struct call *c)
{
    const struct handshakes_query query = {.only_failed = call_flag(c, "OnlyFailed", false),
        .since = (uint64_t)call_integer(c, "Since", 0)};
    json_t *listener = call_text(c, "ListenerId") ? name_of_listener(c) : NULL;
    struct buf text;
    if (call_text(c, "ListenerId") && !listener)
        return -1;
    buf_init(&text, TEXT_MAX);
    int result = c->around->handshakes ? handshakes_write(c->around->handshakes, &query, &text) : 0;
    if (result == 0)
        json_object_set_new(c->response, "Handshakes",
            read_lines(buf_bytes(&text), json_string_value(listener),
                (size_t)call_integer(c, "Limit", LIMIT_DEFAULT)));
    buf_fini(&text);
    json_decref(listener);
    return result == 0 ? 0 : call_refuse(c, API_ERROR_INTERNAL, "The handshakes are too many.");
}
