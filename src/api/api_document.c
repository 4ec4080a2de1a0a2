/* SPDX-License-Identifier: Apache-2.0 */
/* Writes docs/api-reference.md to standard output: all actions with their fields, out of
 * action.def and the tables that hold requests against them. */
#include <stdio.h>
#include <string.h>

#include "api/action.h"
#include "base/panic.h"

#include "base/ban.h"

#define OBJECTS_MAX 64

static const struct {
    const char *name;
    enum action_service service;
    enum action_kind kind;
    const struct field *fields;
    const char *help;
} actions[] = {
#define X(service, name, kind, function, help) \
    {#name, SERVICE_##service, ACTION_##kind, action_##function##_fields, help},
#include "api/action.def"
#undef X
};

/* Tables of objects, each of which is written once, under the name of the field that has it. */
static struct object {
    const struct field *fields;
    char name[80];
} objects[OBJECTS_MAX];
static size_t objects_n;

/* ---- objects ---- */

static const struct object *find_object(const struct field *fields)
{
    for (size_t i = 0; i < objects_n; i++)
        if (objects[i].fields == fields)
            return &objects[i];
    return NULL;
}

static bool is_named(const char *name)
{
    for (size_t i = 0; i < objects_n; i++)
        if (strcmp(objects[i].name, name) == 0)
            return true;
    return false;
}

/* All tables below FIELDS, which belong to ACTION. */
static void collect(const struct field *fields, const char *action)
{
    for (const struct field *f = fields; f->name; f++) {
        if (!f->of || find_object(f->of))
            continue;
        ASSERT(objects_n < OBJECTS_MAX);
        struct object *o = &objects[objects_n];
        const char *of = is_named(f->name) ? action : "";
        snprintf(o->name, sizeof(o->name), "%s%s%s", f->name, *of ? " of " : "", of);
        o->fields = f->of;
        objects_n++;
        collect(f->of, action);
    }
}

/* As a heading is linked to: small letters, and hyphens for spaces. */
static void put_link(const struct object *o)
{
    printf("[%s](#", o->name);
    for (const char *at = o->name; *at; at++)
        putchar(*at == ' ' ? '-' : bytes_lower((uint8_t)*at));
    putchar(')');
}

/* ---- fields ---- */

static void put_type(const struct field *f)
{
    static const char *const names[] = {[FIELD_TEXT] = "text",
        [FIELD_INTEGER] = "integer",
        [FIELD_BOOLEAN] = "boolean",
        [FIELD_OBJECT] = "object"};
    const struct object *o = f->of ? find_object(f->of) : NULL;
    if (f->is_list)
        printf("list of ");
    if (o)
        put_link(o);
    else
        printf("%s%s", names[f->type], f->is_list ? "s" : "");
}

/* "`WRR`, `LEAST_CONN`" of "WRR|LEAST_CONN". */
static void put_words(const char *words)
{
    struct bytes rest = bytes_of(words);
    for (const char *separator = ""; rest.n; separator = ", ") {
        struct bytes word = bytes_first(rest, bytes_find(rest, '|'));
        printf("%s`%.*s`", separator, BYTES_ARG(word));
        rest = bytes_skip(rest, word.n + 1);
    }
}

static void put_accepted(const struct field *f)
{
    if (f->only && !*f->only)
        printf("nothing");
    else if (f->only)
        put_words(f->only);
    else if (f->choices)
        put_words(f->choices);
    else if (f->min || f->max)
        printf("%lld – %lld%s", (long long)f->min, (long long)f->max,
            f->type == FIELD_TEXT ? " bytes" : "");
    if (f->list_max)
        printf(
            "%sat most %lld", f->choices || f->min || f->max ? "; " : "", (long long)f->list_max);
}

/* A text in a table: what divides its columns is not to. */
static void put_cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\%c" : "%c", *text);
}

static void put_fields(const struct field *fields)
{
    if (!fields->name) {
        puts("No parameters.");
        return;
    }
    puts("| parameter | type | accepted | meaning |\n|---|---|---|---|");
    for (; fields->name; fields++) {
        printf("| `%s`%s | ", fields->name, fields->is_required ? " (needed)" : "");
        put_type(fields);
        printf(" | ");
        put_accepted(fields);
        printf(" | ");
        if (fields->help)
            put_cell(fields->help);
        else if (fields->why)
            put_cell(fields->why);
        puts(" |");
    }
}

/* ---- the page ---- */

static const char begin[] =
    "<!-- Generated from src/api/action.def and the tables of fields by `ninja -C build\n"
    "     src/api/api-doc && build/src/api/api-doc`: change it there. -->\n"
    "# The control API: all actions and parameters\n"
    "\n"
    "How requests are sent, signed and answered is on [api.md](api.md). Parameters that are not\n"
    "listed here are refused with `UnknownParameter`; those of the cloud that Sallyport cannot\n"
    "honour are listed with the values that ask for nothing, and refused with\n"
    "`UnsupportedOperation` otherwise. *Read* needs an access key of any role, *write* and *task*\n"
    "one of role `write`. A *task* is answered with a RequestId whose outcome\n"
    "[DescribeTaskStatus](#describetaskstatus) tells.\n";

static void put_service(enum action_service service, const char *title)
{
    static const char *const kinds[] = {
        [ACTION_READ] = "Read", [ACTION_WRITE] = "Write", [ACTION_TASK] = "Task"};
    printf("\n## %s\n", title);
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (actions[i].service != service)
            continue;
        printf(
            "\n### %s\n\n*%s.* %s\n\n", actions[i].name, kinds[actions[i].kind], actions[i].help);
        put_fields(actions[i].fields);
    }
}

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        collect(actions[i].fields, actions[i].name);
    fputs(begin, stdout);
    put_service(SERVICE_CLB, "clb, version 2018-03-17");
    put_service(SERVICE_SSL, "ssl, version 2019-12-05");
    put_service(SERVICE_TAG, "tag, version 2018-08-13");
    puts("\n## Objects");
    for (size_t i = 0; i < objects_n; i++) {
        printf("\n### %s\n\n", objects[i].name);
        put_fields(objects[i].fields);
    }
    return ferror(stdout) ? 1 : 0;
}
