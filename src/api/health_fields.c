/* SPDX-License-Identifier: Apache-2.0 */
#include "api/health_fields.h"

#include <string.h>

#include "api/document.h"
#include "config/health_check.h"
#include "config/value.h"

#include "base/ban.h"

#define CODES_ALL          31   /* 1xx to 5xx */
#define GRPC_UNIMPLEMENTED "12" /* what any server answers, as the cloud supposes */

#define OF_HTTP            "HTTP|HTTPS"
#define OF_HOSTS           "HTTP|HTTPS|GRPC"
#define OF_CUSTOM          "CUSTOM"
#define OF_GRPC            "GRPC"

/* The members: by both names, and the types of checks that they are of use to (NULL: all). */
static const struct member {
    const char *name, *group_name, *types;
} members[] = {
    {"HealthSwitch", "HealthSwitch", NULL},
    {"TimeOut", "Timeout", NULL},
    {"IntervalTime", "GapTime", NULL},
    {"HealthNum", "GoodLimit", NULL},
    {"UnHealthNum", "BadLimit", NULL},
    {"CheckType", "Protocol", NULL},
    {"CheckPort", "Port", NULL},
    {"HttpCode", "HttpCode", OF_HTTP},
    {"HttpCheckPath", "HttpCheckPath", OF_HOSTS},
    {"HttpCheckDomain", "HttpCheckDomain", OF_HOSTS},
    {"HttpCheckMethod", "HttpCheckMethod", OF_HTTP},
    {"HttpVersion", "HttpVersion", OF_HTTP},
    {"ContextType", "ContextType", OF_CUSTOM},
    {"SendContext", "SendContext", OF_CUSTOM},
    {"RecvContext", "RecvContext", OF_CUSTOM},
    {"ExtendedCode", "ExtendedCode", OF_GRPC},
};

#define TYPES "TCP|TLS|HTTP|HTTPS|GRPC|CUSTOM|PING"
#define TYPE_IS                                                                              \
    "`TCP` a connection, `TLS` (Sallyport's own) a handshake, `HTTP`, `HTTPS` a request, "   \
    "`GRPC` grpc.health.v1, `CUSTOM` bytes for bytes; default: what the targets speak, TCP " \
    "for TCP and TCP_SSL"
#define TIMEOUT_IS  "seconds, less than the interval; default 2"
#define INTERVAL_IS "seconds from one check to the next; default 5"
#define GOOD_IS     "so many in a row make an unhealthy target healthy; default 3"
#define BAD_IS      "so many failures in a row make a healthy target unhealthy; default 3"
#define PORT_IS     "where targets are checked; -1, the default: at their own port"
#define CONTEXT     500

/* The members that have the same name and meaning in both. */
#define SHARED_FIELDS                                                                            \
    {"HttpCode", FIELD_INTEGER, .min = 1, .max = CODES_ALL,                                      \
        .help = "the good statuses, a sum: 1 is 1xx, 2 2xx, 4 3xx, 8 4xx, 16 5xx; default 31"},  \
        {"HttpCheckPath", FIELD_TEXT, .min = 1, .max = 200,                                      \
            .help = "path and query that are asked for; default `/`. Of GRPC: what is called, "  \
                    "`/package.Service/Method`; default: grpc.health.v1"},                       \
        {"HttpCheckDomain", FIELD_TEXT, .max = 253,                                              \
            .help = "the host that is asked for; default: the rule's domain, else the target's " \
                    "address"},                                                                  \
        {"HttpCheckMethod", FIELD_TEXT, .choices = "HEAD|GET", .help = "default HEAD"},          \
        {"HttpVersion", FIELD_TEXT, .only = "\"HTTP/1.1\"",                                      \
            .why = "health checks speak HTTP/1.1"},                                              \
        {"ContextType", FIELD_TEXT, .choices = "TEXT|HEX",                                       \
            .help = "how SendContext and RecvContext are written; default TEXT"},                \
        {"SendContext", FIELD_TEXT, .max = CONTEXT, .help = "what is sent; default nothing"},    \
        {"RecvContext", FIELD_TEXT, .max = CONTEXT,                                              \
            .help = "what the answer begins with; default: any answer"},                         \
    {                                                                                            \
        "ExtendedCode", FIELD_TEXT,                                                              \
            .max = 100,                                                                          \
            .help = "of GRPC: the good statuses, `0`, `12,14`, `0-99`; default 0, and with "     \
                    "HttpCheckPath 12"                                                           \
    }

const struct field health_fields_table[] = {
    {"HealthSwitch", FIELD_INTEGER, .max = 1, .help = "1: targets are checked (default), 0: not"},
    {"TimeOut", FIELD_INTEGER, .min = 1, .max = 60, .help = TIMEOUT_IS},
    {"IntervalTime", FIELD_INTEGER, .min = 2, .max = 300, .help = INTERVAL_IS},
    {"HealthNum", FIELD_INTEGER, .min = 1, .max = 10, .help = GOOD_IS},
    {"UnHealthNum", FIELD_INTEGER, .min = 1, .max = 10, .help = BAD_IS},
    {"CheckType", FIELD_TEXT, .choices = TYPES, .help = TYPE_IS},
    {"CheckPort", FIELD_INTEGER, .min = -1, .max = 65535, .help = PORT_IS},
    SHARED_FIELDS,
    {"SourceIpType", FIELD_INTEGER, .only = "0",
        .why = "checks come from the address that this machine has towards the target"},
    {NULL},
};

const struct field health_fields_group_table[] = {
    {"HealthSwitch", FIELD_BOOLEAN, .help = "whether targets are checked; default true"},
    {"Timeout", FIELD_INTEGER, .min = 1, .max = 60, .help = TIMEOUT_IS},
    {"GapTime", FIELD_INTEGER, .min = 2, .max = 300, .help = INTERVAL_IS},
    {"GoodLimit", FIELD_INTEGER, .min = 1, .max = 10, .help = GOOD_IS},
    {"BadLimit", FIELD_INTEGER, .min = 1, .max = 10, .help = BAD_IS},
    {"Protocol", FIELD_TEXT, .choices = TYPES, .help = TYPE_IS},
    {"Port", FIELD_INTEGER, .min = -1, .max = 65535, .help = PORT_IS},
    SHARED_FIELDS,
    {"JumboFrame", FIELD_BOOLEAN, .only = "false", .why = "there are no jumbo frames to choose"},
    {NULL},
};

/* ---- what fits whom ---- */

/* Is WORD one of LIST, as "HTTP|HTTPS"? */
static bool is_one_of(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, n) == 0 && (at[n] == '|' || !at[n]))
            return true;
    }
    return false;
}

/* What is checked where nobody says, and what may be. */
static const struct fit {
    const char *protocol, *type, *allowed;
} fits[] = {
    {"TCP", "TCP", "TCP|HTTP|CUSTOM"},
    {"TCP_SSL", "TCP", "TCP|HTTP|CUSTOM|TLS|HTTPS"},
    {"HTTP", "HTTP", "TCP|HTTP|GRPC"},
    {"HTTPS", "HTTPS", "TCP|TLS|HTTP|HTTPS|GRPC"},
    {"GRPC", "GRPC", "TCP|HTTP|GRPC"},
    {"GRPCS", "GRPC", "TCP|TLS|HTTP|HTTPS|GRPC"},
};

static const struct fit *fit_of(const char *protocol)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(fits) && strcmp(fits[i].protocol, protocol) != 0)
        i++;
    return &fits[i];
}

static const char *type_of(const json_t *check, const struct health_owner *owner)
{
    const char *type = document_text(check, "CheckType");
    return type ? type : fit_of(owner->protocol)->type;
}

/* ---- from a request ---- */

static int check_type(struct call *c, const json_t *check, const struct health_owner *owner)
{
    const char *type = type_of(check, owner), *allowed = fit_of(owner->protocol)->allowed;
    if (strcmp(type, "PING") == 0)
        return call_refuse(c, API_ERROR_UNSUPPORTED,
            "%s.CheckType PING is not supported: it is for UDP listeners.", owner->path);
    if (!is_one_of(allowed, type))
        return call_refuse(c, API_ERROR_VALUE,
            "%s.CheckType %s does not fit targets that speak %s; one of %s does.", owner->path,
            type, owner->protocol, allowed);
    return 0;
}

static int check_use(
    struct call *c, const json_t *input, const char *type, const struct health_owner *owner)
{
    for (size_t i = 0; input && i < COUNT_OF(members); i++)
        if (members[i].types && json_object_get(input, members[i].name) &&
            !is_one_of(members[i].types, type))
            return call_refuse(c, API_ERROR_VALUE,
                "%s.%s is of no use to a check of type %s; leave it out, or choose another "
                "CheckType.",
                owner->path, members[i].name, type);
    return 0;
}

static int check_texts(struct call *c, const json_t *check, const struct health_owner *owner)
{
    const char *path = document_text(check, "HttpCheckPath");
    const char *domain = document_text(check, "HttpCheckDomain");
    static const char *const contexts[] = {"SendContext", "RecvContext"};
    if (path && (path[0] != '/' || !value_is_visible(path) || strchr(path, '#')))
        return call_refuse(c, API_ERROR_VALUE,
            "%s.HttpCheckPath must begin with / and have visible ASCII characters only.",
            owner->path);
    if (domain && (!value_is_visible(domain) || strpbrk(domain, "*~/")))
        return call_refuse(c, API_ERROR_VALUE,
            "%s.HttpCheckDomain must be a host name: no wildcard, no regular expression.",
            owner->path);
    for (size_t i = 0; i < COUNT_OF(contexts); i++) {
        const char *text = document_text(check, contexts[i]);
        bool is_wrong =
            text && (document_is(check, "ContextType", "HEX") ? !value_is_hex(text)
                                                              : !value_is_visible(text));
        if (is_wrong)
            return call_refuse(c, API_ERROR_VALUE,
                "%s.%s must be visible ASCII, or under ContextType HEX pairs of hexadecimal "
                "digits.",
                owner->path, contexts[i]);
    }
    return 0;
}

/* What is called, and the statuses that are good. CLB's default path, `/`, is no method. */
static int check_grpc(struct call *c, const json_t *check, const struct health_owner *owner)
{
    bool good[CONFIG_GRPC_STATUSES];
    const char *codes = document_text(check, "ExtendedCode");
    const char *path = document_text(check, "HttpCheckPath");
    if (strcmp(type_of(check, owner), OF_GRPC) != 0)
        return 0;
    if (path && path[0] && path[1] && !strchr(path + 1, '/'))
        return call_refuse(c, API_ERROR_VALUE,
            "%s.HttpCheckPath of a check of type GRPC must be /package.Service/Method.",
            owner->path);
    if (codes && *codes && health_check_statuses(codes, good) < 0)
        return call_refuse(c, API_ERROR_VALUE,
            "%s.ExtendedCode must be numbers from 0 to 99 and ranges of them, as 12, 12,14 or "
            "0-99.",
            owner->path);
    return 0;
}

static int check_custom(struct call *c, const json_t *check, const struct health_owner *owner)
{
    const char *send = document_text(check, "SendContext");
    const char *receive = document_text(check, "RecvContext");
    if (strcmp(type_of(check, owner), "CUSTOM") != 0 || (send && *send) || (receive && *receive))
        return 0;
    return call_refuse(c, API_ERROR_MISSING,
        "%s.SendContext is missing: a check of type CUSTOM needs it, RecvContext, or both.",
        owner->path);
}

static int check_all(
    struct call *c, const json_t *input, const json_t *check, const struct health_owner *owner)
{
    if (check_type(c, check, owner) < 0 || check_use(c, input, type_of(check, owner), owner) < 0 ||
        check_texts(c, check, owner) < 0 || check_custom(c, check, owner) < 0 ||
        check_grpc(c, check, owner) < 0)
        return -1;
    if (document_integer(check, "TimeOut") >= document_integer(check, "IntervalTime"))
        return call_refuse(
            c, API_ERROR_VALUE, "%s.TimeOut must be less than IntervalTime.", owner->path);
    return 0;
}

static json_t *defaults(void)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "HealthSwitch", 1, "TimeOut", 2, "IntervalTime",
        5, "HealthNum", 3, "UnHealthNum", 3);
}

json_t *health_fields_choose(
    struct call *c, const json_t *input, const json_t *before, const struct health_owner *owner)
{
    json_t *out = before ? json_deep_copy(before) : defaults();
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const json_t *given = json_object_get(input, members[i].name);
        if (given)
            json_object_set_new(out, members[i].name, document_share(given));
        else if (!json_object_get(out, members[i].name))
            json_object_set_new(out, members[i].name, json_null());
    }
    if (document_integer(out, "CheckPort") < 0)
        json_object_set_new(out, "CheckPort", json_null());
    if (check_all(c, input, out, owner) == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* ---- target groups ---- */

json_t *health_fields_to_group(const json_t *check)
{
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT_OF(members); i++)
        json_object_set_new(
            out, members[i].group_name, document_share_member(check, members[i].name));
    json_object_set_new(out, "HealthSwitch", json_boolean(document_integer(check, "HealthSwitch")));
    return out;
}

json_t *health_fields_of_group(const json_t *group_check)
{
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const json_t *member = json_object_get(group_check, members[i].group_name);
        if (json_is_boolean(member))
            json_object_set_new(out, members[i].name, json_integer(json_is_true(member)));
        else if (member && !json_is_null(member))
            json_object_set_new(out, members[i].name, document_share(member));
    }
    return out;
}

/* ---- to the API, and to the configuration ---- */

json_t *health_fields_describe(const json_t *check, const struct health_owner *owner)
{
    json_t *out = json_copy((json_t *)(uintptr_t)check);
    const char *type = type_of(check, owner);
    json_object_set_new(out, "CheckType", json_string(type));
    json_object_set_new(out, "SourceIpType", json_integer(0));
    if (is_one_of(OF_HTTP, type)) {
        static const struct {
            const char *name, *value;
        } texts[] = {
            {"HttpCheckPath", "/"}, {"HttpCheckMethod", "HEAD"}, {"HttpVersion", "HTTP/1.1"}};
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            if (!document_text(out, texts[i].name))
                json_object_set_new(out, texts[i].name, json_string(texts[i].value));
        if (!document_integer(out, "HttpCode"))
            json_object_set_new(out, "HttpCode", json_integer(CODES_ALL));
    } else if (strcmp(owner->protocol, "TCP") != 0 && strcmp(owner->protocol, "TCP_SSL") != 0) {
        /* of rules, clients read it without a look whether it is there */
        json_object_set_new(out, "HttpCheckMethod", json_string("HEAD"));
    }
    return out;
}

/* The rule's domain, where somebody can ask for it. */
static const char *host_of(const json_t *check, const struct health_owner *owner)
{
    const char *host = document_text(check, "HttpCheckDomain");
    if (host && *host)
        return host;
    return owner->domain && !strpbrk(owner->domain, "*~") ? owner->domain : "";
}

static json_t *render_codes(int64_t bits)
{
    json_t *codes = json_array();
    for (int i = 0; i < 5; i++)
        if ((bits ? bits : CODES_ALL) & 1 << i)
            json_array_append_new(codes, json_sprintf("%dxx", i + 1));
    return codes;
}

static void set_text(json_t *out, const char *key, const json_t *check, const char *name)
{
    const char *text = document_text(check, name);
    if (text && *text)
        json_object_set_new(out, key, json_string(text));
}

static void render_grpc(json_t *out, const json_t *check)
{
    const char *method = document_text(check, "HttpCheckPath");
    bool is_called = method && method[0] && method[1];
    if (is_called)
        json_object_set_new(out, "call", json_string(method));
    set_text(out, "statuses", check, "ExtendedCode");
    if (is_called && !json_object_get(out, "statuses"))
        json_object_set_new(out, "statuses", json_string(GRPC_UNIMPLEMENTED));
}

json_t *health_fields_render(const json_t *check, const struct health_owner *owner)
{
    const char *type = type_of(check, owner);
    if (!document_integer(check, "HealthSwitch"))
        return json_pack("{s:s}", "type", "off");
    json_t *out = json_pack("{s:s, s:o, s:o, s:I, s:I}", "type", type, "interval",
        json_sprintf("%llds", (long long)document_integer(check, "IntervalTime")), "timeout",
        json_sprintf("%llds", (long long)document_integer(check, "TimeOut")), "healthy",
        (json_int_t)document_integer(check, "HealthNum"), "unhealthy",
        (json_int_t)document_integer(check, "UnHealthNum"));
    if (document_integer(check, "CheckPort") > 0)
        json_object_set_new(out, "port", json_integer(document_integer(check, "CheckPort")));
    if (is_one_of(OF_HOSTS, type) && *host_of(check, owner))
        json_object_set_new(out, "host", json_string(host_of(check, owner)));
    if (is_one_of(OF_HTTP, type)) {
        set_text(out, "path", check, "HttpCheckPath");
        set_text(out, "method", check, "HttpCheckMethod");
        json_object_set_new(out, "codes", render_codes(document_integer(check, "HttpCode")));
    }
    if (is_one_of(OF_GRPC, type))
        render_grpc(out, check);
    if (is_one_of(OF_CUSTOM, type)) {
        set_text(out, "send", check, "SendContext");
        set_text(out, "expect", check, "RecvContext");
        if (document_is(check, "ContextType", "HEX"))
            json_object_set_new(out, "encoding", json_string("hex"));
    }
    return out;
}

/* ---- from the configuration ---- */

static const char *const type_names[] = {
    [HEALTH_CHECK_TCP] = "TCP",
    [HEALTH_CHECK_TLS] = "TLS",
    [HEALTH_CHECK_HTTP] = "HTTP",
    [HEALTH_CHECK_HTTPS] = "HTTPS",
    [HEALTH_CHECK_GRPC] = "GRPC",
    [HEALTH_CHECK_CUSTOM] = "CUSTOM",
};

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

json_t *health_fields_of_config(const struct config_health_check *h)
{
    const char *type = h->type == HEALTH_CHECK_OFF ? NULL : type_names[h->type];
    bool is_custom = h->type == HEALTH_CHECK_CUSTOM, is_grpc = h->type == HEALTH_CHECK_GRPC;
    json_t *out = json_pack("{s:i, s:I, s:I, s:i, s:i, s:s?, s:o}", "HealthSwitch", type != NULL,
        "TimeOut", (json_int_t)((h->timeout_ms + 999) / 1000), "IntervalTime",
        (json_int_t)((h->interval_ms + 999) / 1000), "HealthNum", (int)h->healthy, "UnHealthNum",
        (int)h->unhealthy, "CheckType", type, "CheckPort",
        h->port ? json_integer(h->port) : json_null());
    json_object_set_new(out, "HttpCode", json_integer(h->codes >> 1));
    json_object_set_new(out, "HttpCheckPath", text_or_null(is_grpc ? h->call : h->path));
    json_object_set_new(out, "ExtendedCode", text_or_null(is_grpc ? h->statuses : ""));
    json_object_set_new(out, "HttpCheckDomain", text_or_null(h->host));
    json_object_set_new(out, "HttpCheckMethod", json_string(h->is_get ? "GET" : "HEAD"));
    json_object_set_new(
        out, "ContextType", text_or_null(is_custom ? h->is_hex ? "HEX" : "TEXT" : ""));
    json_object_set_new(out, "SendContext", text_or_null(h->send));
    json_object_set_new(out, "RecvContext", text_or_null(h->expect));
    return out;
}
