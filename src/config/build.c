/* SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include <stdio.h>

#include "base/panic.h"
#include "config/archive.h"
#include "config/keys.h"
#include "config/merge.h"
#include "config/redirect.h"
#include "config/value.h"

#include "base/ban.h"

#define WORDS_MAX 400 /* of a list of names in a message */

struct build {
    struct config *config;
    struct arena *arena;
    struct report *report;
    const char *folder;
    const struct node *root;
    struct node *fallbacks[KEY_COUNT_MAX]; /* the keys' defaults as trees; NULL for KEY_… */
};

/* Read N, a value of key K (or an item of its list), into PLACE. */
typedef void read_fn(struct build *b, const struct key *k, struct node *n, void *place);

static void build_scope(struct build *b, enum scope scope, struct node *map, void *out);

static const char *const kind_names[] = {
    [NODE_TEXT] = "a text", [NODE_LIST] = "a list", [NODE_MAP] = "a map of keys"};

struct words {
    char text[WORDS_MAX];
    size_t n;
};

/* Append ", WORD"; "…" stands for what does not fit. */
static void add_word(struct words *w, const char *word)
{
    size_t room = sizeof(w->text) - w->n;
    if (strlen(word) + sizeof(", , …") > room)
        word = "…";
    if (w->n >= strlen("…") && strcmp(w->text + w->n - strlen("…"), "…") == 0)
        return;
    int n = snprintf(w->text + w->n, room, "%s%s", w->n ? ", " : "", word);
    w->n += (size_t)n;
}

static bool expect(struct build *b, const char *name, const struct node *n, enum node_kind kind)
{
    if (n->kind == NODE_TEXT && n->is_plain && !*n->text)
        report_error(b->report, n->at, "%s has no value; give it one, or remove the key", name);
    else if (n->kind == NODE_TEXT && kind == NODE_LIST)
        report_error(b->report, n->at, "%s: a list is wanted; write [%s]", name,
            tree_quote(b->arena, n->text));
    else if (n->kind != kind)
        report_error(b->report, n->at, "%s: %s is wanted, not %s", name, kind_names[kind],
            kind_names[n->kind]);
    else
        return true;
    return false;
}

static bool expect_text(struct build *b, const struct key *k, const struct node *n)
{
    return expect(b, k->name, n, NODE_TEXT);
}

/* The text of N is not accepted; WHY goes on where it left off. */
static void refuse(struct build *b, const struct key *k, const struct node *n, const char *why)
{
    report_error(b->report, n->at, "%s: %s %s", k->name, tree_quote(b->arena, n->text), why);
}

static bool has_length(struct build *b, const struct key *k, const struct node *n)
{
    size_t length = strlen(n->text);
    if (length >= k->min && length <= k->max)
        return true;
    report_error(b->report, n->at, "%s: %s has %zu bytes; accepted: %llu to %llu", k->name,
        tree_quote(b->arena, n->text), length, (unsigned long long)k->min,
        (unsigned long long)k->max);
    return false;
}

static void read_text(struct build *b, const struct key *k, struct node *n, void *place)
{
    if (expect_text(b, k, n) && has_length(b, k, n))
        *(const char **)place = n->text;
}

static void read_name(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct error err;
    if (!expect_text(b, k, n) || !has_length(b, k, n))
        return;
    if (value_name(n->text, &err) < 0)
        refuse(b, k, n, err.text);
    *(const char **)place = n->text;
}

/* Report that N is none of WORDS; NEAREST, if there is one, may have been meant. */
static void refuse_choice(struct build *b, const struct key *k, const struct node *n,
    const char *nearest, const char *words)
{
    report_error(b->report, n->at, "%s: %s is not accepted; %s%s%saccepted: %s", k->name,
        tree_quote(b->arena, n->text), nearest ? "did you mean " : "", nearest ? nearest : "",
        nearest ? "? " : "", words);
}

/* The index of N among the choices of K. */
static bool find_choice(struct build *b, const struct key *k, const struct node *n, unsigned *index)
{
    struct words words = {0};
    if (!expect_text(b, k, n))
        return false;
    for (*index = 0; k->choices[*index]; ++*index) {
        add_word(&words, k->choices[*index]);
        if (strcmp(n->text, k->choices[*index]) == 0)
            return true;
    }
    refuse_choice(b, k, n, keys_nearest_choice(k->choices, n->text), words.text);
    return false;
}

static void read_choice(struct build *b, const struct key *k, struct node *n, void *place)
{
    unsigned i;
    if (!find_choice(b, k, n, &i))
        return;
    if (k->size == sizeof(bool))
        *(bool *)place = i == 1;
    else
        *(unsigned *)place = i; /* an enum */
}

static void read_one_of_choices(struct build *b, const struct key *k, struct node *n, void *place)
{
    unsigned i;
    if (find_choice(b, k, n, &i))
        *(struct config_text *)place = (struct config_text){n->text, n->at};
}

static void read_integer(struct build *b, const struct key *k, struct node *n, void *place)
{
    uint64_t value;
    struct error err;
    if (!expect_text(b, k, n))
        return;
    if (value_integer(n->text, &value, &err) < 0)
        report_error(b->report, n->at, "%s: %s %s; accepted: %llu to %llu", k->name,
            tree_quote(b->arena, n->text), err.text, (unsigned long long)k->min,
            (unsigned long long)k->max);
    else if (value < k->min || value > k->max)
        report_error(b->report, n->at, "%s: %llu is out of range; accepted: %llu to %llu", k->name,
            (unsigned long long)value, (unsigned long long)k->min, (unsigned long long)k->max);
    else
        *(unsigned *)place = (unsigned)value;
}

static void read_workers(struct build *b, const struct key *k, struct node *n, void *place)
{
    if (n->kind == NODE_TEXT && strcmp(n->text, "auto") == 0)
        *(unsigned *)place = 0;
    else
        read_integer(b, k, n, place);
}

/* How quantities of a type are read and written. */
struct quantity {
    int (*read)(const char *text, uint64_t *out, struct error *err);
    void (*format)(uint64_t value, char out[VALUE_FORMAT_MAX]);
};

static void read_quantity(struct build *b, const struct key *k, struct node *n,
    const struct quantity *quantity, uint64_t *out)
{
    struct error err;
    uint64_t value;
    char min[VALUE_FORMAT_MAX], max[VALUE_FORMAT_MAX];
    if (!expect_text(b, k, n))
        return;
    quantity->format(k->min, min);
    quantity->format(k->max, max);
    if (quantity->read(n->text, &value, &err) < 0)
        refuse(b, k, n, err.text);
    else if (value < k->min || value > k->max)
        report_error(b->report, n->at, "%s: %s is out of range; accepted: %s to %s", k->name,
            n->text, min, max);
    else
        *out = value;
}

static void read_duration(struct build *b, const struct key *k, struct node *n, void *place)
{
    static const struct quantity duration = {value_duration, value_format_duration};
    read_quantity(b, k, n, &duration, place);
}

static void read_size(struct build *b, const struct key *k, struct node *n, void *place)
{
    static const struct quantity size = {value_size, value_format_size};
    read_quantity(b, k, n, &size, place);
}

static const char *absolute_path(struct build *b, const char *text)
{
    if (text[0] == '/')
        return text;
    return arena_printf(
        b->arena, "%s%s%s", b->folder, strcmp(b->folder, "/") == 0 ? "" : "/", text);
}

static bool is_path(struct build *b, const struct key *k, const struct node *n)
{
    if (!expect_text(b, k, n))
        return false;
    if (!*n->text)
        refuse(b, k, n, "is not the name of a file");
    return *n->text;
}

/* The API's objects have files of their own, and only these: whoever has taken over the control
 * process cannot have the loader read what it may not read itself. In the file the same name is
 * that of a file in its folder. */
static const char *file_path(struct build *b, const struct key *k, const struct node *n)
{
    if (!merge_is_api(n->at))
        return absolute_path(b, n->text);
    if (strncmp(n->text, ARCHIVE_API, strlen(ARCHIVE_API)) != 0 &&
        strcmp(n->text, CONFIG_SYSTEM_TRUST) != 0)
        refuse(b, k, n, "is none of the API's files");
    return n->text;
}

static void read_file(struct build *b, const struct key *k, struct node *n, void *place)
{
    if (is_path(b, k, n))
        *(struct config_file *)place = (struct config_file){file_path(b, k, n), n->at};
}

static void read_log_file(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct error err;
    struct syslog_place syslog;
    if (!is_path(b, k, n))
        return;
    bool is_syslog = strncmp(n->text, "syslog:", strlen("syslog:")) == 0;
    if (is_syslog && value_syslog(n->text, &syslog, &err) < 0)
        refuse(b, k, n, err.text);
    bool stands = is_syslog || strcmp(n->text, "-") == 0;
    *(const char **)place = stands ? n->text : absolute_path(b, n->text);
}

static void read_folder(struct build *b, const struct key *k, struct node *n, void *place)
{
    if (is_path(b, k, n))
        *(const char **)place = absolute_path(b, n->text);
}

_Static_assert(
    offsetof(struct config_tls, tls13) == offsetof(struct config_tls, tls12) + 1 &&
        offsetof(struct config_group_tls, tls13) == offsetof(struct config_group_tls, tls12) + 1,
    "read_versions takes the two as an array");

static void read_versions(struct build *b, const struct key *k, struct node *n, void *place)
{
    static const char *const names[] = {"1.2", "1.3"};
    bool *versions = place;
    if (!expect(b, k->name, n, NODE_LIST))
        return;
    if (!n->first)
        report_error(b->report, n->at, "%s is empty; accepted: 1.2, 1.3, or both", k->name);
    for (const struct node *item = n->first; item; item = item->next) {
        if (!expect_text(b, k, item))
            return;
        size_t i = strcmp(item->text, names[0]) == 0 ? 0 : 1;
        if (strcmp(item->text, names[i]) != 0)
            refuse_choice(b, k, item, NULL, "1.2, 1.3");
        else if (versions[i])
            report_error(
                b->report, item->at, "%s: %s stands there twice; remove one", k->name, names[i]);
        else
            versions[i] = true;
    }
}

/* hard, soft, or {grace: DURATION} */
static void read_policy(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct config_policy *policy = place;
    if (n->kind == NODE_TEXT && strcmp(n->text, "hard") == 0) {
        policy->kind = CONFIG_REVOCATION_HARD;
    } else if (n->kind == NODE_TEXT && strcmp(n->text, "soft") == 0) {
        policy->kind = CONFIG_REVOCATION_SOFT;
    } else if (n->kind == NODE_MAP && n->n == 1 && strcmp(n->first->key, "grace") == 0) {
        policy->kind = CONFIG_REVOCATION_GRACE;
        read_duration(b, k, n->first, &policy->grace_ms);
    } else {
        const char *got = n->kind == NODE_TEXT ? tree_quote(b->arena, n->text) : "this";
        report_error(b->report, n->at, "%s: %s is not accepted; accepted: hard, soft, {grace: 24h}",
            k->name, got);
    }
}

/* [2xx, 3xx] */
static void read_codes(struct build *b, const struct key *k, struct node *n, void *place)
{
    unsigned *codes = place;
    if (!expect(b, k->name, n, NODE_LIST))
        return;
    if (!n->first)
        report_error(b->report, n->at, "%s is empty; accepted: 1xx, 2xx, 3xx, 4xx, 5xx", k->name);
    for (const struct node *item = n->first; item; item = item->next) {
        if (!expect_text(b, k, item))
            return;
        if (item->text[0] < '1' || item->text[0] > '5' || strcmp(item->text + 1, "xx") != 0)
            refuse_choice(b, k, item, NULL, "1xx, 2xx, 3xx, 4xx, 5xx");
        else
            *codes |= 1u << (item->text[0] - '0');
    }
}

static void read_client_name(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct error err;
    if (!expect_text(b, k, n))
        return;
    if (value_client_name(n->text, &err) < 0)
        refuse(b, k, n, err.text);
    *(struct config_text *)place = (struct config_text){n->text, n->at};
}

static void read_server(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct config_text *server = place;
    struct error err;
    server->at = n->at;
    if (expect_text(b, k, n) && value_server_address(b->arena, n->text, &server->text, &err) < 0)
        refuse(b, k, n, err.text);
}

static void read_ip_address(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct config_text *address = place;
    struct error err;
    address->at = n->at;
    if (expect_text(b, k, n) && value_ip_address(b->arena, n->text, &address->text, &err) < 0)
        refuse(b, k, n, err.text);
}

static void read_url(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct error err;
    if (!expect_text(b, k, n) || !has_length(b, k, n))
        return;
    if (value_url(n->text, &err) < 0)
        refuse(b, k, n, err.text);
    *(const char **)place = n->text;
}

static void read_header(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct config_header *header = place;
    struct error err;
    header->at = n->at;
    if (expect_text(b, k, n) &&
        value_header(b->arena, n->text, &header->name, &header->value, &err) < 0)
        refuse(b, k, n, err.text);
}

static void read_header_name(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct error err;
    if (!expect_text(b, k, n))
        return;
    if (value_header_name(n->text, &err) < 0)
        refuse(b, k, n, err.text);
    *(struct config_text *)place = (struct config_text){n->text, n->at};
}

static void read_network(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct error err;
    if (expect_text(b, k, n) && value_network(n->text, place, &err) < 0)
        refuse(b, k, n, err.text);
}

/* Texts that value.h spells in its own way. */
static void read_spelled(struct build *b, const struct key *k, struct node *n, void *place)
{
    typedef int spell_fn(struct arena *, const char *, const char **, struct error *);
    static spell_fn *const spell[TYPE_COUNT] = {
        [TYPE_BIND_ADDRESS] = value_bind_address,
        [TYPE_ADDRESS] = value_target_address,
        [TYPE_SNI_DOMAIN] = value_sni_domain,
        [TYPE_RULE_DOMAIN] = value_rule_domain,
        [TYPE_HOST] = value_host,
    };
    struct error err;
    if (expect_text(b, k, n) && spell[k->type](b->arena, n->text, place, &err) < 0)
        refuse(b, k, n, err.text);
}

static void read_path(struct build *b, const struct key *k, struct node *n, void *place)
{
    struct config_rule *rule = container_of(place, struct config_rule, path);
    struct error err;
    if (!expect_text(b, k, n) || !has_length(b, k, n))
        return;
    if (value_path(n->text, &rule->match, &rule->path, &err) < 0)
        refuse(b, k, n, err.text);
}

/* The name of a target group; groups keep the order of the file, so its index there is that in
 * config.groups. */
static void read_group(struct build *b, const struct key *k, struct node *n, void *place)
{
    if (!expect_text(b, k, n))
        return;
    struct words known = {0};
    size_t i = 0;
    const struct node *groups = tree_find(b->root, "target_groups");
    for (const struct node *g = groups ? groups->first : NULL; g; g = g->next, i++) {
        const struct node *name = tree_find(g, "name");
        if (!name || name->kind != NODE_TEXT)
            continue;
        if (strcmp(name->text, n->text) == 0) {
            *(size_t *)place = i;
            return;
        }
        add_word(&known, name->text);
    }
    report_error(b->report, n->at, "%s: there is no target group %s; known: %s", k->name,
        tree_quote(b->arena, n->text), known.n ? known.text : "none");
}

static void read_map(struct build *b, const struct key *k, struct node *n, void *place)
{
    if (expect(b, k->name, n, NODE_MAP))
        build_scope(b, k->child, n, place);
}

/* How a value is read; of lists, an item. */
static const struct reading {
    read_fn *read;
    size_t item_size; /* lists; 0: the child scope's */
} readings[TYPE_COUNT] = {
    [TYPE_TEXT] = {read_text, 0},
    [TYPE_NAME] = {read_name, 0},
    [TYPE_CHOICE] = {read_choice, 0},
    [TYPE_CHOICES] = {read_one_of_choices, sizeof(struct config_text)},
    [TYPE_INTEGER] = {read_integer, 0},
    [TYPE_WORKERS] = {read_workers, 0},
    [TYPE_DURATION] = {read_duration, 0},
    [TYPE_SIZE] = {read_size, 0},
    [TYPE_FILE] = {read_file, 0},
    [TYPE_FILES] = {read_file, sizeof(struct config_file)},
    [TYPE_LOG_FILE] = {read_log_file, 0},
    [TYPE_FOLDER] = {read_folder, 0},
    [TYPE_VERSIONS] = {read_versions, 0},
    [TYPE_POLICY] = {read_policy, 0},
    [TYPE_CODES] = {read_codes, 0},
    [TYPE_CLIENT_NAMES] = {read_client_name, sizeof(struct config_text)},
    [TYPE_BIND_ADDRESS] = {read_spelled, 0},
    [TYPE_ADDRESS] = {read_spelled, 0},
    [TYPE_IP_ADDRESSES] = {read_ip_address, sizeof(struct config_text)},
    [TYPE_SERVERS] = {read_server, sizeof(struct config_text)},
    [TYPE_NETWORKS] = {read_network, sizeof(struct config_network)},
    [TYPE_SNI_DOMAIN] = {read_spelled, 0},
    [TYPE_RULE_DOMAIN] = {read_spelled, 0},
    [TYPE_HOST] = {read_spelled, 0},
    [TYPE_PATH] = {read_path, 0},
    [TYPE_URL] = {read_url, 0},
    [TYPE_HEADERS] = {read_header, sizeof(struct config_header)},
    [TYPE_HEADER_NAMES] = {read_header_name, sizeof(struct config_text)},
    [TYPE_GROUP] = {read_group, 0},
    [TYPE_MAP] = {read_map, 0},
    [TYPE_MAPS] = {read_map, 0},
};

static void read_list(struct build *b, const struct key *k, struct node *list, void *owner)
{
    if (!expect(b, k->name, list, NODE_LIST))
        return;
    if (list->n < k->min || list->n > k->max) {
        report_error(b->report, list->at, "%s: a list of %zu; accepted: %llu to %llu%s", k->name,
            list->n, (unsigned long long)k->min, (unsigned long long)k->max,
            list->n == 0 && !key_is_required(k) ? ", or no such key" : "");
        return;
    }
    const struct reading *reading = &readings[k->type];
    size_t size = reading->item_size ? reading->item_size : keys_scope(k->child)->size;
    uint8_t *items = arena_alloc(b->arena, list->n * size);
    *(void **)key_value(k, owner) = items;
    *(size_t *)(void *)((char *)owner + k->count_offset) = list->n;
    for (struct node *item = list->first; item; item = item->next, items += size)
        reading->read(b, k, item, items);
}

static void read_key(struct build *b, const struct key *k, struct node *n, void *owner)
{
    if (key_is_list(k))
        read_list(b, k, n, owner);
    else
        readings[k->type].read(b, k, n, key_value(k, owner));
}

static void refuse_unknown_keys(struct build *b, enum scope scope, const struct node *map)
{
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        if (keys_find(scope, entry->key))
            continue;
        struct words accepted = {0};
        for (size_t i = 0; i < key_count; i++)
            if (key_table[i].scope == scope)
                add_word(&accepted, key_table[i].name);
        const struct key *nearest = keys_nearest(scope, entry->key);
        report_error(b->report, entry->key_at, "unknown key %s; %s%s%saccepted in %s: %s",
            tree_quote(b->arena, entry->key), nearest ? "did you mean " : "",
            nearest ? nearest->name : "", nearest ? "? " : "", keys_scope(scope)->noun,
            accepted.text);
    }
}

/* Keys are read in the order of the table, whatever their order in the file. */
static void build_scope(struct build *b, enum scope scope, struct node *map, void *out)
{
    const struct scope_info *info = keys_scope(scope);
    refuse_unknown_keys(b, scope, map);
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        if (k->scope != scope)
            continue;
        struct node *n = tree_value(map, k->name);
        if (!n && key_is_required(k))
            report_error(b->report, map->at, "%s needs %s: %s", info->noun, k->name, k->help);
        if (!n && b->fallbacks[i]) {
            n = b->fallbacks[i];
            tree_move(n, map->at);
        }
        if (n)
            read_key(b, k, n, out);
    }
    if (info->at_offset != SCOPE_NOT_PLACED)
        *(struct position *)(void *)((char *)out + info->at_offset) = map->at;
}

/* Defaults go through the same parser as what the operator writes. */
static void parse_fallbacks(struct build *b)
{
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        if (key_is_required(k) || key_is_inherited(k) || key_is_optional(k))
            continue;
        b->fallbacks[i] = tree_parse(b->arena, bytes_of(k->fallback), k->name, b->report);
        ASSERT(b->fallbacks[i]);
    }
}

/* What the domain leaves out is the listener's. A domain of the API's that says who is
 * authenticated how says all of it: there, a listener has nothing but what its default domain has.
 */
static void inherit(
    struct config_authn *own, const struct node *domain, const struct config_authn *from)
{
    own->at = domain->at;
    if (merge_is_api(domain->at) && tree_value(domain, "authentication"))
        return;
    if (!tree_value(domain, "authentication"))
        own->authentication = from->authentication;
    if (!tree_value(domain, "certificates")) {
        own->certificates = from->certificates;
        own->certificates_n = from->certificates_n;
    }
    if (!tree_value(domain, "client_ca")) {
        own->client_ca = from->client_ca;
        own->client_ca_n = from->client_ca_n;
    }
    if (!tree_value(domain, "client_names")) {
        own->client_names = from->client_names;
        own->client_names_n = from->client_names_n;
    }
    if (!tree_value(domain, "revocation"))
        own->revocation = from->revocation;
}

/* Under one-way nobody looks at clients' certificates. (That an operator wrote this down is found
 * by check.c.) */
static void drop_unused(struct config_authn *authn)
{
    if (authn->authentication != AUTHENTICATION_ONE_WAY)
        return;
    authn->client_ca_n = authn->client_names_n = 0;
    authn->revocation = (struct config_revocation_rule){.at = authn->at};
}

/* What the rules leave out is the listener's. */
static void settle_rules(struct build *b, const struct config_listener *l, const struct node *map)
{
    const struct node *n = tree_first(map, "rules");
    for (size_t i = 0; i < l->rules_n; i++, n = n->next) {
        struct config_rule *rule = (struct config_rule *)(uintptr_t)&l->rules[i];
        rule->label = arena_printf(b->arena, "%s %s %s%s", l->name, rule->domain,
            config_path_mark(rule->match), rule->path);
        if (!tree_value(n, "max_body"))
            rule->max_body = l->max_body;
        if (!tree_value(n, "compression"))
            rule->compression = l->compression;
        if (!tree_value(n, "target_group"))
            rule->group = CONFIG_NO_GROUP;
        if (rule->redirect.to)
            rule->redirect.url = redirect_url(b->config, rule->redirect.to, b->arena);
    }
}

static void settle_listener(struct build *b, struct config_listener *l, const struct node *map)
{
    const struct node *n = tree_first(map, "domains");
    l->address_at = tree_value(map, "address")->at;
    l->authn.at = map->at;
    for (size_t i = 0; i < l->domains_n; i++, n = n->next) {
        struct config_domain *d =
            (struct config_domain *)(uintptr_t)&l->domains[i]; /* ours until we return */
        inherit(&d->authn, n, &l->authn);
        drop_unused(&d->authn);
        if (!tree_value(n, "http2"))
            d->http2 = l->http2;
    }
    drop_unused(&l->authn);
    settle_rules(b, l, map);
}

/* What `auto` means for a group. */
static enum config_health_type health_type(const struct config_group *g)
{
    static const enum config_health_type types[] = {
        [PROTOCOL_HTTP] = HEALTH_CHECK_HTTP,
        [PROTOCOL_HTTPS] = HEALTH_CHECK_HTTPS,
        [PROTOCOL_TCP] = HEALTH_CHECK_TCP,
        [PROTOCOL_TCP_SSL] = HEALTH_CHECK_TCP,
    };
    bool has_no_key = g->tls.certificate.path && g->tls.engine == CONFIG_ENGINE_OPENSSL;
    return has_no_key && g->protocol == PROTOCOL_HTTPS ? HEALTH_CHECK_TLS : types[g->protocol];
}

/* Whoever wants checks to come quickly need not say that they are to be short. */
static void settle_health_check(struct config_group *g, const struct node *map)
{
    struct config_health_check *h = &g->health_check;
    const struct node *n = tree_value(map, "health_check");
    if (h->type == HEALTH_CHECK_AUTO)
        h->type = health_type(g);
    if (n && !tree_value(n, "timeout") && h->timeout_ms >= h->interval_ms)
        h->timeout_ms = h->interval_ms / 2;
}

static void settle_group(struct build *b, struct config_group *g, const struct node *map)
{
    settle_health_check(g, map);
    for (size_t i = 0; i < g->targets_n; i++) {
        struct config_target *t = (struct config_target *)(uintptr_t)&g->targets[i];
        t->host = value_target_host(b->arena, t->address);
    }
}

static struct position place_of(const struct node *root, const char *scope, const char *key)
{
    const struct node *n = tree_value(root, scope);
    if (n && key)
        n = tree_value(n, key);
    return n ? n->at : root->at;
}

void build_config(struct config *c, struct node *root, const char *folder, struct report *report)
{
    struct build b = {
        .config = c, .arena = &c->arena, .report = report, .folder = folder, .root = root};
    if (!expect(&b, "a configuration", root, NODE_MAP))
        return;
    size_t errors = report->errors;
    parse_fallbacks(&b);
    build_scope(&b, SCOPE_ROOT, root, c);
    if (report->errors != errors)
        return;
    c->admin_at = place_of(root, "admin", "address");
    c->access_log_at = place_of(root, "access_log", "file");
    c->state_at = place_of(root, "state", "dir");
    c->user_at = place_of(root, "user", NULL);
    c->workers_at = place_of(root, "workers", NULL);
    const struct node *n = tree_first(root, "listeners");
    for (size_t i = 0; i < c->listeners_n; i++, n = n->next)
        settle_listener(&b, (struct config_listener *)(uintptr_t)&c->listeners[i], n);
    n = tree_first(root, "target_groups");
    for (size_t i = 0; i < c->groups_n; i++, n = n->next)
        settle_group(&b, (struct config_group *)(uintptr_t)&c->groups[i], n);
}
