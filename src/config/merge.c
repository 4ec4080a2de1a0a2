/* SPDX-License-Identifier: Apache-2.0 */
#include "config/merge.h"

#include "base/memory.h"

#include "base/ban.h"

/* What may be added, and what one of them is called. */
static const struct {
    const char *key, *noun;
} lists[] = {{"listeners", "listener"}, {"target_groups", "target group"}};

#define API_FILE "the API's objects"

/* How messages begin that are about ITEM. */
static const char *name_item(struct arena *a, const struct node *item, const char *noun)
{
    const struct node *name = tree_value(item, "name");
    return name && name->kind == NODE_TEXT ? arena_printf(a, "%s %s", noun, name->text) : API_FILE;
}

/* The list KEY of ROOT, which may have to be made; NULL: the file has something else there, and is
 * told so by build.c. */
static struct node *list_of(struct arena *a, struct node *root, const char *key)
{
    struct node *list = tree_find(root, key), **end = &root->first;
    if (list && tree_value(root, key))
        return list->kind == NODE_LIST ? list : NULL;
    if (!list) {
        list = arena_alloc(a, sizeof(*list));
        *list = (struct node){.at = root->at, .key = key, .key_at = root->at};
        while (*end)
            end = &(*end)->next;
        *end = list;
        root->n++;
    }
    list->kind = NODE_LIST; /* `null` becomes one, too */
    return list;
}

static void append(struct node *list, struct node *items, size_t n)
{
    struct node **end = &list->first;
    while (*end)
        end = &(*end)->next;
    *end = items;
    list->n += n;
}

static void merge_list(
    struct arena *a, struct node *root, const struct node *from, const char *noun)
{
    for (struct node *item = from->first; item; item = item->next)
        tree_move(item, (struct position){.file = name_item(a, item, noun)});
    struct node *list = list_of(a, root, from->key);
    if (list)
        append(list, from->first, from->n);
}

static const char *noun_of(const struct node *entry)
{
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (strcmp(lists[i].key, entry->key) == 0)
            return entry->kind == NODE_LIST ? lists[i].noun : NULL;
    return NULL;
}

static void refuse(struct report *report, struct position at)
{
    report_error(report, at, "the API adds lists of listeners and target groups, and nothing else");
}

void merge_api(struct arena *a, struct node *root, struct bytes api, struct report *report)
{
    const struct node *from = tree_parse(a, api, API_FILE, report);
    if (!from || root->kind != NODE_MAP)
        return;
    if (from->kind != NODE_MAP) {
        refuse(report, from->at);
        return;
    }
    for (const struct node *entry = from->first; entry; entry = entry->next) {
        const char *noun = noun_of(entry);
        if (noun)
            merge_list(a, root, entry, noun);
        else
            refuse(report, entry->at);
    }
}
