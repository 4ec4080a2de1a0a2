/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree — YAML as a tree of texts, lists and maps, each with its place in the file.
 *
 * A deliberately small YAML: one document, keys are texts, no key twice in a map; anchors, aliases,
 * tags and merge keys are refused, because each of them makes a line mean something that does not
 * stand there. No text holds a NUL. Memory: nodes live in the arena that tree_parse was given.
 */
#pragma once

#include "base/arena.h"
#include "base/report.h"

#define TREE_DEPTH_MAX 32
#define TREE_NODES_MAX 200000
#define TREE_KEYS_MAX  256 /* of one map: no map here has a tenth of it */

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    struct position at;
    const char *text;       /* NODE_TEXT */
    bool is_plain;          /* NODE_TEXT: written without quotes */
    const char *key;        /* of an entry of a map */
    struct position key_at; /* of an entry of a map */
    struct node *first;     /* NODE_LIST, NODE_MAP: items or entries, in the order of the file */
    struct node *next;      /* the next item or entry of the same list or map */
    size_t n;               /* how many items or entries */
};

/* FILE must live as long as the tree. NULL if REPORT got an error. An empty document is an empty
 * map. */
struct node *tree_parse(
    struct arena *a, struct bytes text, const char *file, struct report *report) MUST_USE;

/* The entry KEY of MAP; NULL if there is none (or MAP is no map). */
struct node *tree_find(const struct node *map, const char *key);

/* As tree_find, but an entry whose value is the word `null` or `~` counts as not there. (One
 * without any value does not: it may be a template that went wrong.) */
struct node *tree_value(const struct node *map, const char *key);

/* The first item or entry of the list or map KEY of MAP; NULL: it is empty, or not there. */
struct node *tree_first(const struct node *map, const char *key);

/* Give N and everything in it the place AT. */
void tree_move(struct node *n, struct position at);

/* TEXT in quotes for a message: control bytes escaped, cut where it is long. */
const char *tree_quote(struct arena *a, const char *text);
