/* SPDX-License-Identifier: Apache-2.0 */
#include "config/document.h"

#include "base/memory.h"
#include "config/keys.h"
#include "config/value.h"

#include "base/ban.h"

/* What both pages begin with. Texts here and in keys.def are Markdown with `code` and nothing else.
 */
static const char *const introduction[] = {
    "YAML in UTF-8; `/etc/sallyport/sallyport.yaml` unless `-c` names another. Relative file names "
    "begin at the folder that the\n"
    "configuration is in. Unknown keys, wrong types, missing files and contradictions are errors: "
    "`sallyport check` lists them\n"
    "with line and column, and `sallyport check -T` prints what is in force, defaults included.",
    "Durations carry their unit: `500ms`, `5s`, `10m`, `1h`, `1d`; sizes in bytes may: `64KiB`, "
    "`10MiB`, `1GiB`. `null` as a value means the "
    "same as leaving the key out; an\n"
    "empty value is an error. Anchors, aliases, tags and merge keys of YAML are refused.",
};

/* ---- the facts of a key, as Markdown ---- */

static const char *const type_names[TYPE_COUNT] = {
    [TYPE_TEXT] = "text",
    [TYPE_NAME] = "name",
    [TYPE_CHOICE] = NULL, /* its choices */
    [TYPE_CHOICES] = "list of ",
    [TYPE_INTEGER] = "whole number",
    [TYPE_WORKERS] = "`auto` or a whole number",
    [TYPE_DURATION] = "duration",
    [TYPE_SIZE] = "size",
    [TYPE_FILE] = "file",
    [TYPE_FILES] = "list of files",
    [TYPE_LOG_FILE] = "file or `-`",
    [TYPE_FOLDER] = "folder",
    [TYPE_VERSIONS] = "list of `\"1.2\"`, `\"1.3\"`",
    [TYPE_POLICY] = "`hard`, `soft` or `{grace: DURATION}`",
    [TYPE_CODES] = "list of `1xx` … `5xx`",
    [TYPE_CLIENT_NAMES] = "list of names",
    [TYPE_BIND_ADDRESS] = "address",
    [TYPE_ADDRESS] = "address",
    [TYPE_IP_ADDRESSES] = "list of IP addresses",
    [TYPE_SERVERS] = "list of addresses",
    [TYPE_NETWORKS] = "list of networks",
    [TYPE_SNI_DOMAIN] = "domain",
    [TYPE_RULE_DOMAIN] = "domain",
    [TYPE_HOST] = "host name or address",
    [TYPE_PATH] = "path",
    [TYPE_URL] = "URL",
    [TYPE_HEADERS] = "list of `Name: value`",
    [TYPE_HEADER_NAMES] = "list of names",
    [TYPE_GROUP] = "name of a target group",
    [TYPE_MAP] = "map",
    [TYPE_MAPS] = "list of maps",
};

#define PUT(out, ...) ignore_result(buf_printf(out, __VA_ARGS__))

static void put_type(struct buf *out, const struct key *k)
{
    if (type_names[k->type])
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
    if (k->type == TYPE_SIZE) {
        value_format_size(k->min, min);
        value_format_size(k->max, max);
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

/* Protocols, or types of health checks. */
static void put_protocols(struct buf *out, const struct key *k)
{
    const char *separator = "";
    const char *const *types = keys_find(SCOPE_HEALTH_CHECK, "type")->choices;
    for (unsigned i = 0; types[i]; i++)
        if (k->on & ON_CHECK(i)) {
            PUT(out, "%s%s", separator, types[i]);
            separator = ", ";
        }
    for (int p = PROTOCOL_HTTP; k->on != ON_ALL && p <= PROTOCOL_TCP_SSL; p++) {
        if (!(k->on & ON(p)))
            continue;
        PUT(out, "%s%s", separator, config_protocol_name(p));
        separator = ", ";
    }
}

/* ---- docs/config.md ---- */

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

static const char variables_help[] =
    "What `redirect.to` and the values of headers may say of the request at hand. `$$` is a dollar "
    "sign; what does not apply is empty.";

static const struct {
    const char *name, *help;
} variables[] = {
#define X(symbol, name, help) {name, help},
#include "config/variable.def"
#undef X
};

static void put_variables(struct buf *out)
{
    PUT(out, "\n## Variables\n\n%s\n\n| variable | meaning |\n|---|---|\n", variables_help);
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        PUT(out, "| `$%s` | %s |\n", variables[i].name, variables[i].help);
}

void document_write_markdown(struct buf *out)
{
    PUT(out, "<!-- Generated from src/config/keys.def by `ninja -C build src/config/config-doc && "
             "build/src/config/config-doc markdown`: change it there. -->\n"
             "# The configuration file\n\n");
    for (size_t i = 0; i < COUNT_OF(introduction); i++)
        PUT(out, "%s\n\n", introduction[i]);
    PUT(out, "A commented example is in [etc/sallyport.yaml](../etc/sallyport.yaml).\n");
    for (enum scope s = SCOPE_ROOT; s < SCOPE_COUNT; s++)
        put_scope(out, s);
    put_variables(out);
}

/* ---- the manual page: macros of man(7), ASCII only ---- */

#define TEXT_MAX 4096

static const char manual_begin[] =
    ".\\\" SPDX-License-Identifier: Apache-2.0\n"
    ".\\\" Generated from src/config/keys.def by\n"
    ".\\\" `ninja -C build src/config/config-doc && build/src/config/config-doc manual`: change it "
    "there.\n"
    ".TH SALLYPORT.YAML 5 2026-11-22 Sallyport \"File formats\"\n"
    ".ad l\n"
    ".nh\n"
    ".SH NAME\n"
    "sallyport.yaml \\- the configuration of sallyport, a TLS load balancer\n"
    ".SH SYNOPSIS\n"
    ".I /etc/sallyport/sallyport.yaml\n"
    ".SH DESCRIPTION\n";

static const char manual_end[] =
    ".SH FILES\n"
    ".TP\n"
    ".I /etc/sallyport/sallyport.yaml\n"
    "The configuration of the service.\n"
    ".TP\n"
    ".I /usr/share/doc/sallyport/examples/sallyport.yaml\n"
    "A commented example: one-way and mutual authentication in front of HTTP and TCP targets.\n"
    ".SH SEE ALSO\n"
    ".BR sallyport (8)\n";

static const struct {
    const char *text;
    bool in_code_only; /* there, a hyphen is a minus and may be copied */
    const char *roff;
} spellings[] = {
    {"\\", false, "\\e"},
    {"-", true, "\\-"},
    {"'", true, "\\(aq"},
    {"~", false, "\\(ti"},
    {"^", false, "\\(ha"},
    {"\u2013", false, "\\(en"},
    {"\u2026", false, "\\&..."},
};

/* How many bytes of TEXT were written. */
static size_t put_spelling(struct buf *out, struct bytes text, bool is_code)
{
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        struct bytes found = bytes_of(spellings[i].text);
        if (!bytes_starts_with(text, found) || (spellings[i].in_code_only && !is_code))
            continue;
        PUT(out, "%s", spellings[i].roff);
        return found.n;
    }
    PUT(out, "%c", text.at[0]);
    return 1;
}

/* MARKDOWN as lines of text. The macros begin with a dot or an apostrophe: no line of ours does. */
static void put_roff(struct buf *out, struct bytes markdown)
{
    bool is_code = false;
    if (bytes_starts_with(markdown, BYTES(".")) || bytes_starts_with(markdown, BYTES("'")))
        PUT(out, "\\&");
    while (markdown.n) {
        size_t n = 1;
        if (markdown.at[0] == '`') {
            is_code = !is_code;
            PUT(out, "\\f%c", is_code ? 'B' : 'R');
        } else {
            n = put_spelling(out, markdown, is_code);
        }
        markdown = bytes_skip(markdown, n);
    }
    PUT(out, "\n");
}

/* "`weight` (whole number, 0 - 100; default `10`)" */
static void put_heading(struct buf *out, const struct key *k)
{
    PUT(out, "`%s` (", k->name);
    put_type(out, k);
    if (k->max)
        PUT(out, ", ");
    put_range(out, k);
    PUT(out, key_is_required(k) || key_is_optional(k) ? "; " : "; default ");
    if (key_is_optional(k))
        PUT(out, "no default");
    else
        put_default(out, k);
    if (k->on != ON_ALL)
        PUT(out, "; only under ");
    put_protocols(out, k);
    PUT(out, ")");
}

static void put_manual_scope(struct buf *out, enum scope scope)
{
    const struct scope_info *info = keys_scope(scope);
    PUT(out, ".SS \"%s\"\n", *info->path ? info->path : "The outermost level");
    put_roff(out, bytes_of(info->help));
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        if (k->scope != scope)
            continue;
        struct buf heading;
        buf_init(&heading, TEXT_MAX);
        put_heading(&heading, k);
        PUT(out, ".TP\n");
        put_roff(out, buf_bytes(&heading));
        put_roff(out, bytes_of(k->help));
        buf_fini(&heading);
    }
}

static void put_manual_variables(struct buf *out)
{
    PUT(out, ".SH VARIABLES\n");
    put_roff(out, bytes_of(variables_help));
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        PUT(out, ".TP\n\\fB$%s\\fR\n", variables[i].name);
        put_roff(out, bytes_of(variables[i].help));
    }
}

void document_write_manual(struct buf *out)
{
    PUT(out, "%s", manual_begin);
    for (size_t i = 0; i < COUNT_OF(introduction); i++) {
        PUT(out, "%s", i ? ".PP\n" : "");
        put_roff(out, bytes_of(introduction[i]));
    }
    PUT(out, ".SH KEYS\n");
    for (enum scope s = SCOPE_ROOT; s < SCOPE_COUNT; s++)
        put_manual_scope(out, s);
    put_manual_variables(out);
    PUT(out, "%s", manual_end);
}
