/* SPDX-License-Identifier: Apache-2.0 */
#include "config/document.h"

#include "base/memory.h"
#include "config/keys.h"
#include "config/value.h"

#include "base/ban.h"

static const char preface[] =
    "<!-- Generated from src/config/keys.def by `ninja -C build config-doc && "
    "build/src/config/config-doc`: "
    "change it there. -->\n"
    "# The configuration file\n"
    "\n"
    "YAML in UTF-8; `/etc/sallyport/sallyport.yaml` unless `-c` names another. Relative file names "
    "begin at the folder "
    "that the\n"
    "configuration is in. Unknown keys, wrong types, missing files and contradictions are errors: "
    "`sallyport check` "
    "lists them\n"
    "with line and column, and `sallyport check -T` prints what is in force, defaults included.\n"
    "\n"
    "Durations carry their unit: `500ms`, `5s`, `10m`, `1h`, `1d`. `null` as a value means the "
    "same as leaving the key "
    "out; an\n"
    "empty value is an error. Anchors, aliases, tags and merge keys of YAML are refused.\n"
    "\n"
    "A commented example is in [etc/sallyport.yaml](../etc/sallyport.yaml).\n";

static const char *const type_names[TYPE_COUNT] = {
    [TYPE_TEXT] = "text",
    [TYPE_NAME] = "name",
    [TYPE_CHOICE] = NULL, /* its choices */
    [TYPE_INTEGER] = "whole number",
    [TYPE_WORKERS] = "`auto` or a whole number",
    [TYPE_DURATION] = "duration",
    [TYPE_FILE] = "file",
    [TYPE_FILES] = "list of files",
    [TYPE_LOG_FILE] = "file or `-`",
    [TYPE_VERSIONS] = "list of `\"1.2\"`, `\"1.3\"`",
    [TYPE_POLICY] = "`hard`, `soft` or `{grace: DURATION}`",
    [TYPE_CLIENT_NAMES] = "list of names",
    [TYPE_BIND_ADDRESS] = "address",
    [TYPE_ADDRESS] = "address",
    [TYPE_NETWORKS] = "list of networks",
    [TYPE_SNI_DOMAIN] = "domain",
    [TYPE_RULE_DOMAIN] = "domain",
    [TYPE_HOST] = "host name or address",
    [TYPE_PATH] = "path",
    [TYPE_GROUP] = "name of a target group",
    [TYPE_MAP] = "map",
    [TYPE_MAPS] = "list of maps",
};

#define PUT(out, ...) ignore_result(buf_printf(out, __VA_ARGS__))

static void put_type(struct buf *out, const struct key *k)
{
    if (k->type != TYPE_CHOICE)
        PUT(out, "%s", type_names[k->type]);
    for (size_t i = 0; k->choices && k->choices[i]; i++)
        PUT(out, "%s`%s`", i ? ", " : "", k->choices[i]);
}

static void put_default(struct buf *out, const struct key *k)
{
    if (key_is_required(k))
        PUT(out, "required");
    else if (key_is_inherited(k))
        PUT(out, "the listener's");
    else if (key_is_optional(k))
        PUT(out, "none");
    else
        PUT(out, "`%s`", k->fallback);
}

static void put_range(struct buf *out, const struct key *k)
{
    char min[VALUE_FORMAT_MAX], max[VALUE_FORMAT_MAX];
    if (k->max == 0)
        return;
    if (k->type == TYPE_DURATION || k->type == TYPE_POLICY) {
        value_format_duration(k->min, min);
        value_format_duration(k->max, max);
        PUT(out, "%s – %s", min, max);
        return;
    }
    bool is_number = k->type == TYPE_INTEGER || k->type == TYPE_WORKERS;
    bool is_list = key_is_list(k) || k->type == TYPE_VERSIONS;
    PUT(out, "%llu – %llu%s", (unsigned long long)k->min, (unsigned long long)k->max,
        is_number ? ""
        : is_list ? " items"
                  : " bytes");
}

static void put_protocols(struct buf *out, const struct key *k)
{
    const char *separator = "";
    for (int p = PROTOCOL_HTTP; k->on != ON_ALL && p <= PROTOCOL_TCP_SSL; p++) {
        if (!(k->on & ON(p)))
            continue;
        PUT(out, "%s%s", separator, config_protocol_name(p));
        separator = ", ";
    }
}

static void put_scope(struct buf *out, enum scope scope)
{
    const struct scope_info *info = keys_scope(scope);
    PUT(out, "\n## %s\n\n%s\n\n", *info->path ? info->path : "The outermost level", info->help);
    PUT(out,
        "| key | type | default | accepted | only under | meaning |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        if (k->scope != scope)
            continue;
        PUT(out, "| `%s` | ", k->name);
        put_type(out, k);
        PUT(out, " | ");
        put_default(out, k);
        PUT(out, " | ");
        put_range(out, k);
        PUT(out, " | ");
        put_protocols(out, k);
        PUT(out, " | %s |\n", k->help);
    }
}

void document_write(struct buf *out)
{
    PUT(out, "%s", preface);
    for (enum scope s = SCOPE_ROOT; s < SCOPE_COUNT; s++)
        put_scope(out, s);
}
