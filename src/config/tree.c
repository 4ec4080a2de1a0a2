/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree.h"

#include <stdio.h>
#include <yaml.h>

#include "base/ban.h"

#define QUOTE_MAX 80

struct reader {
    yaml_parser_t yaml;
    yaml_event_t event; /* the current one */
    bool has_event;
    struct arena *arena;
    struct report *report;
    struct bytes text;
    const char *file;
    size_t nodes;
};

static struct node *read_node(struct reader *r, unsigned depth);

/* libyaml counts lines and columns from 0. */
static struct position position_of(const struct reader *r, yaml_mark_t mark)
{
    return (struct position){r->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* Columns count characters: continuation bytes of UTF-8 (10xxxxxx) add none. */
static struct position position_at_offset(const struct reader *r, size_t offset)
{
    struct position at = {r->file, 1, 1};
    for (size_t i = 0; i < offset && i < r->text.n; i++) {
        if (r->text.at[i] == '\n') {
            at.line++;
            at.column = 1;
        } else if ((r->text.at[i] & 0xC0) != 0x80) {
            at.column++;
        }
    }
    return at;
}

static void report_yaml_error(struct reader *r)
{
    const yaml_parser_t *y = &r->yaml;
    const char *problem = y->problem ? y->problem : "out of memory";
    if (y->error == YAML_READER_ERROR)
        report_error(r->report, position_at_offset(r, y->problem_offset),
            "%s; the file must be UTF-8 without control characters", problem);
    else
        report_error(r->report, position_of(r, y->problem_mark), "not YAML: %s%s%s", problem,
            y->context ? " " : "", y->context ? y->context : "");
}

/* Make the next event the current one. */
static bool next(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->yaml, &r->event) == 1;
    if (!r->has_event)
        report_yaml_error(r);
    return r->has_event;
}

static void refuse(struct reader *r, const char *what)
{
    report_error(r->report, position_of(r, r->event.start_mark), "%s", what);
}

static bool has_anchor_or_tag(const yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        return e->data.scalar.anchor || e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    return e->data.mapping_start.anchor || e->data.mapping_start.tag;
}

static bool is_acceptable(struct reader *r, unsigned depth)
{
    if (r->event.type == YAML_ALIAS_EVENT || has_anchor_or_tag(&r->event)) {
        refuse(r, "anchors, aliases and tags of YAML are not accepted; write the value out");
        return false;
    }
    if (depth > TREE_DEPTH_MAX) {
        refuse(r, "nested too deeply; at most 32 levels are accepted");
        return false;
    }
    if (++r->nodes > TREE_NODES_MAX) {
        refuse(r, "the file has too many values; at most 200000 are accepted");
        return false;
    }
    return true;
}

/* The text of the current scalar event. A quoted text can hold "\0", which would end it early for
 * whoever reads it. */
static const char *take_text(struct reader *r)
{
    const char *value = (const char *)r->event.data.scalar.value;
    size_t n = r->event.data.scalar.length;
    if (memchr(value, 0, n)) {
        refuse(r, "a NUL character is not accepted; remove it");
        return NULL;
    }
    return arena_strndup(r->arena, value, n);
}

static void append(struct node *parent, struct node **last, struct node *child)
{
    if (*last)
        (*last)->next = child;
    else
        parent->first = child;
    *last = child;
    parent->n++;
}

static bool read_items(struct reader *r, struct node *list, unsigned depth)
{
    struct node *last = NULL;
    while (next(r)) {
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        struct node *item = read_node(r, depth + 1);
        if (!item)
            return false;
        append(list, &last, item);
    }
    return false;
}

/* Is the current event a key that MAP may get? */
static bool is_acceptable_key(struct reader *r, const struct node *map)
{
    if (r->event.type != YAML_SCALAR_EVENT) {
        refuse(r, "a key must be a text");
        return false;
    }
    if (map->n == TREE_KEYS_MAX) {
        refuse(r, "too many keys in one map; at most 256 are accepted");
        return false;
    }
    const char *key = (const char *)r->event.data.scalar.value;
    if (strcmp(key, "<<") == 0) {
        refuse(r, "merge keys (<<) of YAML are not accepted; write the keys out");
        return false;
    }
    const struct node *same = tree_find(map, key);
    if (same)
        report_error(r->report, position_of(r, r->event.start_mark),
            "the key %s is already at line %u; keep one of them", tree_quote(r->arena, key),
            same->key_at.line);
    return !same;
}

static bool read_entries(struct reader *r, struct node *map, unsigned depth)
{
    struct node *last = NULL;
    while (next(r)) {
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return true;
        if (!is_acceptable(r, depth + 1) || !is_acceptable_key(r, map))
            return false;
        struct position at = position_of(r, r->event.start_mark);
        const char *key = take_text(r);
        struct node *entry = key && next(r) ? read_node(r, depth + 1) : NULL;
        if (!entry)
            return false;
        entry->key = key;
        entry->key_at = at;
        append(map, &last, entry);
    }
    return false;
}

/* The node that begins with the current event. On return the current event is its last one. */
static struct node *read_node(struct reader *r, unsigned depth)
{
    if (!is_acceptable(r, depth))
        return NULL;
    struct node *n = arena_alloc(r->arena, sizeof(*n));
    n->at = position_of(r, r->event.start_mark);
    if (r->event.type == YAML_SCALAR_EVENT) {
        n->kind = NODE_TEXT;
        n->is_plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        n->text = take_text(r);
        return n->text ? n : NULL;
    }
    if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        n->kind = NODE_LIST;
        return read_items(r, n, depth) ? n : NULL;
    }
    n->kind = NODE_MAP;
    return read_entries(r, n, depth) ? n : NULL;
}

/* stream start, document start, node, document end, stream end */
static struct node *read_stream(struct reader *r)
{
    if (!next(r) || !next(r))
        return NULL;
    if (r->event.type == YAML_STREAM_END_EVENT) {
        struct node *empty = arena_alloc(r->arena, sizeof(*empty));
        *empty = (struct node){.kind = NODE_MAP, .at = {r->file, 1, 1}};
        return empty;
    }
    if (!next(r))
        return NULL;
    struct node *root = read_node(r, 1);
    if (!root || !next(r) || !next(r))
        return NULL;
    if (r->event.type != YAML_STREAM_END_EVENT) {
        refuse(r, "a second document begins here; a configuration is one document");
        return NULL;
    }
    return root;
}

struct node *tree_parse(struct arena *a, struct bytes text, const char *file, struct report *report)
{
    struct reader r = {.arena = a, .report = report, .text = text, .file = file};
    /* libyaml takes a NUL for the end, and would not see what follows. */
    size_t nul = bytes_find(text, 0);
    if (nul < text.n) {
        report_error(report, position_at_offset(&r, nul),
            "a NUL byte is not accepted; the file must be UTF-8 text");
        return NULL;
    }
    if (!yaml_parser_initialize(&r.yaml)) {
        report_error(report, (struct position){.file = file}, "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, text.n ? text.at : (const uint8_t *)"", text.n);
    struct node *root = read_stream(&r);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.yaml);
    return root;
}

struct node *tree_find(const struct node *map, const char *key)
{
    if (map->kind != NODE_MAP)
        return NULL;
    for (struct node *n = map->first; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

static bool is_null(const struct node *n)
{
    return n->kind == NODE_TEXT && n->is_plain &&
           (strcmp(n->text, "null") == 0 || strcmp(n->text, "~") == 0);
}

struct node *tree_value(const struct node *map, const char *key)
{
    struct node *n = tree_find(map, key);
    return n && !is_null(n) ? n : NULL;
}

struct node *tree_first(const struct node *map, const char *key)
{
    struct node *n = tree_value(map, key);
    return n ? n->first : NULL;
}

void tree_move(struct node *n, struct position at)
{
    n->at = at;
    for (struct node *child = n->first; child; child = child->next)
        tree_move(child, at);
}

/* The bytes of the control character at AT, or 0: C0, DEL, and C1, which terminals obey as well
 * (U+0080 to U+009F are C2 80 to C2 9F in UTF-8). */
static size_t control_length(const char *at)
{
    uint8_t c = (uint8_t)at[0], next = c ? (uint8_t)at[1] : 0;
    if (c == 0xC2 && next >= 0x80 && next <= 0x9F)
        return 2;
    return c < 0x20 || c == 0x7F ? 1 : 0;
}

const char *tree_quote(struct arena *a, const char *text)
{
    char *quoted = arena_alloc(a, 4 * (QUOTE_MAX + 1) + sizeof("\"…\""));
    char *to = quoted;
    *to++ = '"';
    size_t i = 0;
    while (text[i] && i < QUOTE_MAX) {
        size_t control = control_length(text + i);
        if (!control)
            *to++ = text[i++];
        for (; control; control--)
            to += snprintf(to, 5, "\\x%02x", (uint8_t)text[i++]);
    }
    /* Do not end inside a character. */
    while (text[i] && i && ((uint8_t)text[i] & 0xC0) == 0x80 && to > quoted + 1) {
        i--;
        to--;
    }
    snprintf(to, sizeof("…\""), "%s\"", text[i] ? "…" : "");
    return quoted;
}
