/* SPDX-License-Identifier: Apache-2.0 */
#include "config/admin_https.h"

#include "base/attributes.h"

#include "base/ban.h"

/* What the listener is but for its own keys. Only the API is reached by it: who may see metrics is
 * not asked there. */
#define BODY_MAX "10MiB"
#define TEMPLATE                                                                                  \
    "{listeners: {name: " ADMIN_HTTPS_NAME ", protocol: HTTPS, rules: [{domain: localhost, "      \
    "path: \"= /\", target_group: " ADMIN_HTTPS_NAME ", max_body: " BODY_MAX "}]}, "              \
    "target_groups: {name: " ADMIN_HTTPS_NAME ", protocol: HTTP, health_check: {type: \"off\"}, " \
    "targets: [{address: \"%s\"}]}}"

/* Of a listener's keys. */
static const char *const keys[] = {"address", "certificates", "authentication", "client_ca",
    "client_names", "revocation", "tls", "limits"};
#define KEYS_TEXT \
    "address, certificates, authentication, client_ca, client_names, revocation, tls, limits"

static struct node **last_of(struct node *list)
{
    struct node **end = &list->first;
    while (*end)
        end = &(*end)->next;
    return end;
}

/* Take the entry KEY out of MAP. */
static struct node *take(struct node *map, const char *key)
{
    for (struct node **at = &map->first; *at; at = &(*at)->next)
        if (strcmp((*at)->key, key) == 0) {
            struct node *entry = *at;
            *at = entry->next;
            entry->next = NULL;
            map->n--;
            return entry;
        }
    return NULL;
}

/* Append ITEM to the list KEY of ROOT, if it is one: else build.c says what is wrong with it. */
static void append(struct arena *a, struct node *root, const char *key, struct node *item)
{
    struct node *list = tree_find(root, key);
    if (!list) {
        list = arena_alloc(a, sizeof(*list));
        *list = (struct node){.kind = NODE_LIST, .at = item->at, .key = key, .key_at = item->at};
        *last_of(root) = list;
        root->n++;
    }
    if (list->kind != NODE_LIST)
        return;
    *last_of(list) = item;
    item->key = NULL;
    item->next = NULL;
    list->n++;
}

static bool check_keys(const struct node *https, struct arena *a, struct report *report)
{
    for (const struct node *entry = https->first; entry; entry = entry->next) {
        bool is_known = false;
        for (size_t i = 0; i < COUNT_OF(keys) && !is_known; i++)
            is_known = strcmp(entry->key, keys[i]) == 0;
        if (!is_known) {
            report_error(report, entry->key_at, "unknown key %s; accepted in admin.https: %s",
                tree_quote(a, entry->key), KEYS_TEXT);
            return false;
        }
    }
    return true;
}

/* Where connections to ADMIN, "127.0.0.1:9080", are made to: a loopback address, as the API takes
 * plain HTTP nowhere else. NULL: nowhere that is known. */
static const char *target_of(struct arena *a, const struct node *admin)
{
    const char *text = admin && admin->kind == NODE_TEXT ? admin->text : "";
    const char *colon = strrchr(text, ':');
    if (!colon || strcmp(colon, ":0") == 0)
        return NULL;
    int host_n = (int)(colon - text);
    if (!host_n || strncmp(text, "0.0.0.0:", 8) == 0)
        return arena_printf(a, "127.0.0.1%s", colon);
    if (strncmp(text, "[::]:", 5) == 0)
        return arena_printf(a, "[::1]%s", colon);
    bool is_loopback = strncmp(text, "127.", 4) == 0 || strncmp(text, "[::1]:", 6) == 0;
    return is_loopback ? text : NULL;
}

static void add_listener(struct arena *a, struct node *root, struct node *https, const char *target,
    struct report *report)
{
    struct node *made =
        tree_parse(a, bytes_of(arena_printf(a, TEMPLATE, target)), https->at.file, report);
    if (!made) /* the admin address is none */
        return;
    tree_move(made, https->at);
    struct node *listener = take(made, "listeners"), *group = take(made, "target_groups");
    *last_of(listener) = https->first;
    listener->n += https->n;
    append(a, root, "listeners", listener);
    append(a, root, "target_groups", group);
}

void admin_https_expand(struct arena *a, struct node *root, struct report *report)
{
    struct node *admin = tree_value(root, "admin");
    struct node *https = admin ? tree_value(admin, "https") : NULL;
    if (!https || https->kind != NODE_MAP || !check_keys(https, a, report))
        return;
    take(admin, "https");
    const char *target = target_of(a, tree_value(admin, "address"));
    if (!target)
        report_error(report, https->at,
            "admin.https needs an admin address that is reached on this machine, with a fixed "
            "port, "
            "as `address: 127.0.0.1:9080`");
    else
        add_listener(a, root, https, target, report);
}
