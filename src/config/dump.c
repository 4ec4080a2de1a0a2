/* SPDX-License-Identifier: Apache-2.0 */
#include "config/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/panic.h"
#include "config/keys.h"
#include "config/value.h"

#include "base/ban.h"

struct dump {
    const struct config *config;
    struct buf *out;
    yaml_emitter_t yaml;
    bool failed; /* OUT is full */
};

/* Write the value of key K (or an item of its list), which is at PLACE. */
typedef void write_fn(struct dump *d, const struct key *k, const void *place);

static void write_scope(struct dump *d, enum scope scope, const void *owner, unsigned on);

static int append_to_buf(void *owner, unsigned char *at, size_t n)
{
    struct dump *d = owner;
    return buf_append(d->out, (struct bytes){at, n}) == 0;
}

/* The emitter takes the event, whether it fails or not. */
static void emit(struct dump *d, yaml_event_t *event)
{
    if (d->failed)
        yaml_event_delete(event);
    else
        d->failed = !yaml_emitter_emit(&d->yaml, event);
}

/* TEXT with '?' for what is not ASCII. YAML is UTF-8, but the folder that paths begin with can have
 * any name. */
static void write_ascii(struct dump *d, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t e;
    char *ascii = mem_strdup(text);
    for (char *c = ascii; *c; c++)
        if ((uint8_t)*c >= 0x80)
            *c = '?';
    if (yaml_scalar_event_initialize(
            &e, NULL, NULL, (yaml_char_t *)ascii, (int)strlen(ascii), 1, 1, style))
        emit(d, &e);
    free(ascii);
}

static void write_styled(struct dump *d, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t e;
    if (yaml_scalar_event_initialize(
            &e, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1, style))
        emit(d, &e);
    else
        write_ascii(d, text, style);
}

/* A text of the operator's: in quotes where it needs them. */
static void write_text(struct dump *d, const char *text)
{
    bool is_word = strcmp(text, "null") == 0 || strcmp(text, "~") == 0 || !*text;
    write_styled(d, text, is_word ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE);
}

/* A word of ours. */
static void write_plain(struct dump *d, const char *word)
{
    write_styled(d, word, YAML_PLAIN_SCALAR_STYLE);
}

static void begin_list(struct dump *d, bool is_inline)
{
    yaml_event_t e;
    if (yaml_sequence_start_event_initialize(
            &e, NULL, NULL, 1, is_inline ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE))
        emit(d, &e);
}

static void end_list(struct dump *d)
{
    yaml_event_t e;
    if (yaml_sequence_end_event_initialize(&e))
        emit(d, &e);
}

static void begin_map(struct dump *d, bool is_inline)
{
    yaml_event_t e;
    if (yaml_mapping_start_event_initialize(
            &e, NULL, NULL, 1, is_inline ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE))
        emit(d, &e);
}

static void end_map(struct dump *d)
{
    yaml_event_t e;
    if (yaml_mapping_end_event_initialize(&e))
        emit(d, &e);
}

static void write_string(struct dump *d, const struct key *k, const void *place)
{
    write_text(d, *(const char *const *)place);
}

static void write_choice(struct dump *d, const struct key *k, const void *place)
{
    write_plain(
        d, k->choices[k->size == sizeof(bool) ? *(const bool *)place : *(const unsigned *)place]);
}

static void write_integer(struct dump *d, const struct key *k, const void *place)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", *(const unsigned *)place);
    write_plain(d, text);
}

static void write_workers(struct dump *d, const struct key *k, const void *place)
{
    if (*(const unsigned *)place)
        write_integer(d, k, place);
    else
        write_plain(d, "auto");
}

static void write_duration(struct dump *d, const struct key *k, const void *place)
{
    char text[VALUE_FORMAT_MAX];
    value_format_duration(*(const uint64_t *)place, text);
    write_plain(d, text);
}

static void write_size(struct dump *d, const struct key *k, const void *place)
{
    char text[VALUE_FORMAT_MAX];
    value_format_size(*(const uint64_t *)place, text);
    write_plain(d, text);
}

static void write_file(struct dump *d, const struct key *k, const void *place)
{
    write_text(d, ((const struct config_file *)place)->path);
}

static void write_item(struct dump *d, const struct key *k, const void *place)
{
    write_text(d, ((const struct config_text *)place)->text);
}

static void write_versions(struct dump *d, const struct key *k, const void *place)
{
    static const char *const names[] = {"1.2", "1.3"};
    const bool *versions = place; /* tls12, tls13: see build.c */
    begin_list(d, true);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (versions[i])
            write_styled(d, names[i], YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    end_list(d);
}

static void write_policy(struct dump *d, const struct key *k, const void *place)
{
    const struct config_policy *policy = place;
    if (policy->kind != CONFIG_REVOCATION_GRACE) {
        write_plain(d, policy->kind == CONFIG_REVOCATION_HARD ? "hard" : "soft");
        return;
    }
    begin_map(d, true);
    write_plain(d, "grace");
    write_duration(d, k, &policy->grace_ms);
    end_map(d);
}

static void write_codes(struct dump *d, const struct key *k, const void *place)
{
    begin_list(d, true);
    for (unsigned i = 1; i <= 5; i++)
        if (*(const unsigned *)place & 1u << i)
            write_plain(d, (char[]){(char)('0' + i), 'x', 'x', 0});
    end_list(d);
}

static void write_network(struct dump *d, const struct key *k, const void *place)
{
    char text[VALUE_FORMAT_MAX];
    value_format_network(place, text);
    write_text(d, text);
}

static void write_path(struct dump *d, const struct key *k, const void *place)
{
    const struct config_rule *rule = container_of((uintptr_t)place, const struct config_rule, path);
    char text[1100]; /* keys.def allows 1024 */
    snprintf(text, sizeof(text), "%s%s", config_path_mark(rule->match), rule->path);
    write_text(d, text);
}

static void write_header(struct dump *d, const struct key *k, const void *place)
{
    const struct config_header *header = place;
    char text[1100]; /* value.h allows 1024 */
    snprintf(text, sizeof(text), "%s: %s", header->name, header->value);
    write_text(d, text);
}

static void write_group(struct dump *d, const struct key *k, const void *place)
{
    write_text(d, d->config->groups[*(const size_t *)place].name);
}

/* Protocol of the listener or group at ITEM, or type of the health check, as a set; of other scopes
 * all. */
static unsigned protocols_of(enum scope scope, const void *item)
{
    if (scope == SCOPE_LISTENER)
        return ON(((const struct config_listener *)item)->protocol);
    if (scope == SCOPE_GROUP)
        return ON(((const struct config_group *)item)->protocol);
    if (scope == SCOPE_STICKINESS)
        return ON(container_of((uintptr_t)item, const struct config_group, stickiness)->protocol);
    if (scope == SCOPE_HEALTH_CHECK)
        return ON_ALL | ON_CHECK(((const struct config_health_check *)item)->type);
    return ON_ALL;
}

static void write_map(struct dump *d, const struct key *k, const void *place)
{
    write_scope(d, k->child, place, protocols_of(k->child, place));
}

/* How a value is written; of lists, an item. */
static const struct writing {
    write_fn *write;
    size_t item_size; /* lists; 0: the child scope's */
} writings[TYPE_COUNT] = {
    [TYPE_TEXT] = {write_string, 0},
    [TYPE_NAME] = {write_string, 0},
    [TYPE_CHOICE] = {write_choice, 0},
    [TYPE_CHOICES] = {write_item, sizeof(struct config_text)},
    [TYPE_INTEGER] = {write_integer, 0},
    [TYPE_WORKERS] = {write_workers, 0},
    [TYPE_DURATION] = {write_duration, 0},
    [TYPE_SIZE] = {write_size, 0},
    [TYPE_FILE] = {write_file, 0},
    [TYPE_FILES] = {write_file, sizeof(struct config_file)},
    [TYPE_LOG_FILE] = {write_string, 0},
    [TYPE_FOLDER] = {write_string, 0},
    [TYPE_VERSIONS] = {write_versions, 0},
    [TYPE_POLICY] = {write_policy, 0},
    [TYPE_CODES] = {write_codes, 0},
    [TYPE_CLIENT_NAMES] = {write_item, sizeof(struct config_text)},
    [TYPE_BIND_ADDRESS] = {write_string, 0},
    [TYPE_ADDRESS] = {write_string, 0},
    [TYPE_IP_ADDRESSES] = {write_item, sizeof(struct config_text)},
    [TYPE_SERVERS] = {write_item, sizeof(struct config_text)},
    [TYPE_NETWORKS] = {write_network, sizeof(struct config_network)},
    [TYPE_SNI_DOMAIN] = {write_string, 0},
    [TYPE_RULE_DOMAIN] = {write_string, 0},
    [TYPE_HOST] = {write_string, 0},
    [TYPE_PATH] = {write_path, 0},
    [TYPE_URL] = {write_string, 0},
    [TYPE_HEADERS] = {write_header, sizeof(struct config_header)},
    [TYPE_HEADER_NAMES] = {write_item, sizeof(struct config_text)},
    [TYPE_GROUP] = {write_group, 0},
    [TYPE_MAP] = {write_map, 0},
    [TYPE_MAPS] = {write_map, 0},
};

static void write_list(struct dump *d, const struct key *k, const void *owner)
{
    const struct writing *w = &writings[k->type];
    size_t size = w->item_size ? w->item_size : keys_scope(k->child)->size;
    const uint8_t *item = *(const uint8_t *const *)key_value(k, owner);
    begin_list(d, k->type != TYPE_MAPS);
    for (size_t i = 0; i < key_items(k, owner); i++, item += size)
        w->write(d, k, item);
    end_list(d);
}

static bool is_zero(const void *value, size_t n)
{
    for (const uint8_t *at = value; n; n--)
        if (*at++)
            return false;
    return true;
}

static bool is_absent(const struct key *k, const void *owner);

/* A map is absent if its required key, for which 0 is no value, holds nothing; one without such a
 * key, if all of its keys are. */
static bool is_empty_map(enum scope scope, const void *map)
{
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        if (k->scope != scope)
            continue;
        if (key_is_required(k))
            return key_is_list(k) ? key_items(k, map) == 0 : is_zero(key_value(k, map), k->size);
        if (!is_absent(k, map))
            return false;
    }
    return true;
}

/* Is there nothing under K? */
static bool is_absent(const struct key *k, const void *owner)
{
    if (key_is_list(k))
        return key_items(k, owner) == 0 && k->min > 0; /* else it may be there, and empty */
    if (k->type == TYPE_FILE)
        return !((const struct config_file *)key_value(k, owner))->path;
    if (k->type == TYPE_GROUP)
        return *(const size_t *)key_value(k, owner) == CONFIG_NO_GROUP;
    if (k->type != TYPE_MAP || !(key_is_optional(k) || key_is_inherited(k)))
        return false;
    return is_empty_map(k->child, key_value(k, owner));
}

/* ON: the protocol of the listener or group that the map belongs to, as a set. */
static void write_scope(struct dump *d, enum scope scope, const void *owner, unsigned on)
{
    begin_map(d, keys_scope(scope)->is_inline);
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        if (k->scope != scope || !(k->on & on))
            continue;
        write_plain(d, k->name);
        if (is_absent(k, owner))
            write_plain(d, "null");
        else if (key_is_list(k))
            write_list(d, k, owner);
        else
            writings[k->type].write(d, k, key_value(k, owner));
    }
    end_map(d);
}

void dump_write(const struct config *c, struct buf *out)
{
    struct dump d = {.config = c, .out = out};
    yaml_event_t e;
    if (!yaml_emitter_initialize(&d.yaml))
        return;
    yaml_emitter_set_output(&d.yaml, append_to_buf, &d);
    yaml_emitter_set_unicode(&d.yaml, 1);
    yaml_emitter_set_width(&d.yaml, -1);
    if (yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING))
        emit(&d, &e);
    if (yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1))
        emit(&d, &e);
    write_scope(&d, SCOPE_ROOT, c, ON_ALL);
    if (yaml_document_end_event_initialize(&e, 1))
        emit(&d, &e);
    if (yaml_stream_end_event_initialize(&e))
        emit(&d, &e);
    yaml_emitter_delete(&d.yaml);
}
