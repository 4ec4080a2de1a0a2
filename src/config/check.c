/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

#include <stdlib.h>

#include "base/memory.h"
#include "config/keys.h"
#include "config/merge.h"
#include "config/named_files.h"
#include "config/redirect.h"
#include "config/value.h"

#include "base/ban.h"

struct check {
    const struct config *config;
    struct report *report;
    struct arena *arena; /* for what messages say */
};

/* Who is authenticated how: a listener or a domain, with its map in the file. */
struct subject {
    const struct config_authn *authn;
    const struct node *map;
};

/* The place of KEY in MAP, or of MAP where it is not given. */
static struct position place_of(const struct node *map, const char *key)
{
    const struct node *n = tree_value(map, key);
    return n ? n->at : map->at;
}

/* "HTTPS, TCP_SSL" for a set of ON(protocol). */
static const char *protocols_text(struct check *ck, unsigned on)
{
    const char *text = "";
    for (int p = PROTOCOL_HTTP; p <= PROTOCOL_TCP_SSL; p++)
        if (on & ON(p))
            text =
                arena_printf(ck->arena, "%s%s%s", text, *text ? ", " : "", config_protocol_name(p));
    return text;
}

/* --- listeners
 * -----------------------------------------------------------------------------------------------
 */

/* certificates under HTTP, rules under TCP, domains under TCP_SSL, … */
static void check_keys_fit_protocol(
    struct check *ck, enum scope scope, enum config_protocol protocol, const struct node *map)
{
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        const struct node *n = k->scope == scope ? tree_value(map, k->name) : NULL;
        if (n && !(k->on & ON(protocol)))
            report_error(ck->report, n->key_at,
                "%s is not accepted under %s; remove it, or choose a protocol that has it: %s",
                k->name, config_protocol_name(protocol), protocols_text(ck, k->on));
    }
}

/* What a listener of some protocols cannot do without. */
static void check_listener_has(
    struct check *ck, const struct config_listener *l, const struct node *map)
{
    static const char *const needed[] = {"certificates", "rules", "target_group"};
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        const struct key *k = keys_find(SCOPE_LISTENER, needed[i]);
        if ((k->on & ON(l->protocol)) && !tree_value(map, k->name))
            report_error(ck->report, map->at, "the %s listener %s needs %s: %s",
                config_protocol_name(l->protocol), l->name, k->name, k->help);
    }
}

static void check_has_client_ca(struct check *ck, struct subject s)
{
    if (s.authn->authentication != AUTHENTICATION_ONE_WAY && s.authn->client_ca_n == 0)
        report_error(ck->report, place_of(s.map, "authentication"),
            "%s needs client_ca: the CA certificates whose clients may enter",
            config_authentication_name(s.authn->authentication));
}

/* Does a domain of L that asks clients for a certificate take KEY from L? */
static bool is_inherited(const struct config_listener *l, const struct node *map, const char *key)
{
    const struct node *n = tree_first(map, "domains");
    for (size_t i = 0; i < l->domains_n; i++, n = n->next)
        if (l->domains[i].authn.authentication != AUTHENTICATION_ONE_WAY && !tree_value(n, key))
            return true;
    return false;
}

static const char *const about_clients[] = {"client_ca", "client_names", "revocation"};

static void refuse_under_one_way(struct check *ck, const struct node *map, const char *key)
{
    const struct node *n = tree_value(map, key);
    if (n)
        report_error(ck->report, n->key_at,
            "%s is of no use: authentication is one-way, so no client is asked for a certificate; "
            "remove it, or set authentication: mutual",
            key);
}

/* Whoever names a client CA believes that clients are checked. */
static void check_one_way_asks_nobody(
    struct check *ck, const struct config_listener *l, const struct node *map)
{
    bool one_way = l->authn.authentication == AUTHENTICATION_ONE_WAY;
    for (size_t i = 0; one_way && i < COUNT_OF(about_clients); i++)
        if (!is_inherited(l, map, about_clients[i]))
            refuse_under_one_way(ck, map, about_clients[i]);
}

static void check_one_way_domain_asks_nobody(struct check *ck, struct subject s)
{
    bool one_way = s.authn->authentication == AUTHENTICATION_ONE_WAY;
    for (size_t i = 0; one_way && i < COUNT_OF(about_clients); i++)
        refuse_under_one_way(ck, s.map, about_clients[i]);
}

/* RFC 8446 §2: TLS 1.3 has no key transport by RSA. */
static void check_rsa_key_exchange(struct check *ck, bool rsa, bool tls12, const struct node *owner)
{
    const struct node *tls = tree_value(owner, "tls");
    if (!rsa)
        return;
    if (!tls12)
        report_error(ck->report, place_of(tls, "key_exchange"),
            "key_exchange: rsa exists in TLS 1.2 only; add \"1.2\" to versions, or remove it");
    else
        report_warning(ck->report, place_of(tls, "key_exchange"),
            "key_exchange: rsa has no forward secrecy: who records connections and gets the key "
            "later "
            "can read them; ecdhe has it");
}

/* libssl signs with the key itself (docs/threat-model.md). */
static void check_engine(
    struct check *ck, enum config_engine engine, bool has_key, const struct node *owner)
{
    if (engine == CONFIG_ENGINE_OPENSSL && has_key)
        report_warning(ck->report, place_of(tree_value(owner, "tls"), "engine"),
            "engine: openssl needs its private keys in every worker; with native only the signer "
            "has them");
    else if (named_files_are_workers(engine) && has_key)
        report_warning(ck->report, owner->at,
            "this program was built with keys_in_workers, to measure what the signer costs: every "
            "worker has the private keys");
}

static void check_protocols_match(
    struct check *ck, const struct config_listener *l, size_t group, struct position at)
{
    const struct config_group *g = &ck->config->groups[group];
    bool http = config_protocol_is_http(l->protocol);
    if (http == config_protocol_is_http(g->protocol))
        return;
    report_error(ck->report, at,
        "target_group: %s is a group of %s; behind %s listeners are accepted: %s", g->name,
        config_protocol_name(g->protocol), config_protocol_name(l->protocol),
        protocols_text(ck, http ? ON_HTTP : ON_TCP));
}

static void check_rule_does_one_thing(struct check *ck, const struct node *rule)
{
    static const char *const actions[] = {"target_group", "respond", "redirect"};
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        n += tree_value(rule, actions[i]) != NULL;
    if (n != 1)
        report_error(ck->report, rule->at, "a rule needs %s: target_group, respond or redirect",
            n ? "only one of" : "one of");
}

/* What would be written into a head, or nowhere. */
static void check_respond(struct check *ck, const struct config_respond *r, const struct node *rule)
{
    const struct node *map = tree_value(rule, "respond");
    bool has_none = r->status == 204 || r->status == 304; /* RFC 9110 §6.4.1 */
    if (!map)
        return;
    if (has_none && r->body[0])
        report_error(ck->report, place_of(map, "body"),
            "a response with status %u has no content; remove body, or choose another status",
            r->status);
    for (const char *c = r->type; *c; c++)
        if ((uint8_t)*c < ' ' || (uint8_t)*c >= 0x7F) {
            report_error(ck->report, place_of(map, "type"),
                "type: %s is no media type; write printable ASCII, as text/html; charset=utf-8",
                tree_quote(ck->arena, r->type));
            return;
        }
}

static void check_redirect(struct check *ck, const struct config_listener *l,
    const struct config_rule *rule, const struct node *map)
{
    struct error err;
    const char *to = rule->redirect.to;
    if (to && redirect_check(ck->config, l, to, &err) < 0)
        report_error(ck->report, place_of(tree_value(map, "redirect"), "to"), "to: %s %s",
            tree_quote(ck->arena, to), err.text);
    if (to && rule->redirect.keeps_uri && strpbrk(to, "?#"))
        report_error(ck->report, place_of(tree_value(map, "redirect"), "to"),
            "to: %s has a query or fragment, to which the request's path would be added; set "
            "keep_uri: false",
            tree_quote(ck->arena, to));
}

static bool asks_somebody(const struct config_listener *l)
{
    bool asks = l->authn.authentication != AUTHENTICATION_ONE_WAY;
    for (size_t i = 0; i < l->domains_n; i++)
        asks |= l->domains[i].authn.authentication != AUTHENTICATION_ONE_WAY;
    return asks;
}

static void check_rule_authentication(
    struct check *ck, const struct config_listener *l, const struct node *rule)
{
    const struct node *authn = tree_value(rule, "authentication");
    if (!authn)
        return;
    if (l->protocol != PROTOCOL_HTTPS)
        report_error(ck->report, authn->key_at,
            "authentication of a rule needs an HTTPS listener; %s is %s", l->name,
            config_protocol_name(l->protocol));
    else if (!asks_somebody(l))
        report_error(ck->report, authn->key_at,
            "nobody could pass: authentication of the listener %s is one-way, so that no client is "
            "asked for a certificate; set it to optional",
            l->name);
    if (!tree_value(authn, "client_ca") && !tree_value(authn, "client_names"))
        report_error(
            ck->report, authn->at, "authentication needs client_ca, client_names, or both");
}

static void check_listener_groups(
    struct check *ck, const struct config_listener *l, const struct node *map)
{
    const struct node *n = tree_first(map, "rules");
    for (size_t i = 0; i < l->rules_n; i++, n = n->next) {
        check_rule_does_one_thing(ck, n);
        check_respond(ck, &l->rules[i].respond, n);
        check_redirect(ck, l, &l->rules[i], n);
        check_rule_authentication(ck, l, n);
        if (l->rules[i].group != CONFIG_NO_GROUP)
            check_protocols_match(ck, l, l->rules[i].group, place_of(n, "target_group"));
    }
    if (tree_value(map, "target_group"))
        check_protocols_match(ck, l, l->group, place_of(map, "target_group"));
}

/* --- what may stand there only once
 * --------------------------------------------------------------------------- */

struct named {
    const char *name;
    struct position at;
};

static int by_name_and_place(const void *x, const void *y)
{
    const struct named *a = x, *b = y;
    int order = strcmp(a->name, b->name);
    if (order)
        return order;
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line ? -1 : 1;
    return a->at.column < b->at.column ? -1 : a->at.column > b->at.column;
}

static const char *describe_place(struct check *ck, struct position at)
{
    return merge_is_api(at) ? arena_printf(ck->arena, "taken (%s)", at.file)
                            : arena_printf(ck->arena, "already at line %u", at.line);
}

/* Sorts LIST. WHAT: "the listener name". */
static void refuse_duplicates(struct check *ck, struct named *list, size_t n, const char *what)
{
    if (n > 1)
        qsort(list, n, sizeof(*list), by_name_and_place);
    for (size_t i = 1; i < n; i++)
        if (strcmp(list[i].name, list[i - 1].name) == 0)
            report_error(ck->report, list[i].at, "%s %s is %s; change or remove one", what,
                list[i].name, describe_place(ck, list[i - 1].at));
}

static void check_domains_differ(struct check *ck, const struct config_listener *l)
{
    struct named *names = mem_calloc(l->domains_n + 1, sizeof(*names));
    for (size_t i = 0; i < l->domains_n; i++)
        names[i] = (struct named){l->domains[i].name, l->domains[i].at};
    refuse_duplicates(ck, names, l->domains_n, "the domain");
    free(names);
}

static void check_rules_differ(struct check *ck, const struct config_listener *l)
{
    struct named *names = mem_calloc(l->rules_n + 1, sizeof(*names));
    for (size_t i = 0; i < l->rules_n; i++) {
        const struct config_rule *r = &l->rules[i];
        const char *mark = config_path_mark(r->match);
        /* `^~ /a` and `/a` are the same prefix: which one counts could not be said. */
        if (r->match == PATH_PREFIX_FINAL)
            mark = config_path_mark(PATH_PREFIX);
        names[i] =
            (struct named){arena_printf(ck->arena, "%s %s%s", r->domain, mark, r->path), r->at};
    }
    refuse_duplicates(ck, names, l->rules_n, "the rule");
    free(names);
}

static bool has_port_0(const char *address)
{
    return strcmp(strrchr(address, ':'), ":0") == 0;
}

static void check_listeners_differ(struct check *ck)
{
    const struct config *c = ck->config;
    struct named *names = mem_calloc(c->listeners_n, sizeof(*names));
    struct named *addresses = mem_calloc(c->listeners_n + 1, sizeof(*addresses));
    size_t n = 0;
    for (size_t i = 0; i < c->listeners_n; i++) {
        const struct config_listener *l = &c->listeners[i];
        names[i] = (struct named){l->name, l->at};
        if (!has_port_0(l->address))
            addresses[n++] = (struct named){l->address, l->address_at};
    }
    if (c->admin && !has_port_0(c->admin))
        addresses[n++] = (struct named){c->admin, c->admin_at};
    refuse_duplicates(ck, names, c->listeners_n, "the listener name");
    refuse_duplicates(ck, addresses, n, "the address");
    free(names);
    free(addresses);
}

/* Each is a question that is asked again and again. */
static void check_names_are_not_too_many(struct check *ck)
{
    const struct config *c = ck->config;
    size_t n = 0;
    for (size_t i = 0; i < c->groups_n; i++)
        for (size_t j = 0; j < c->groups[i].targets_n; j++) {
            const struct config_target *t = &c->groups[i].targets[j];
            if (t->host && ++n == CONFIG_NAMES_MAX + 1)
                report_error(ck->report, t->at,
                    "more than %d targets have a host name; write IP addresses, or names that have "
                    "several addresses",
                    CONFIG_NAMES_MAX);
        }
}

static void check_groups_differ(struct check *ck)
{
    const struct config *c = ck->config;
    struct named *names = mem_calloc(c->groups_n, sizeof(*names));
    for (size_t i = 0; i < c->groups_n; i++)
        names[i] = (struct named){c->groups[i].name, c->groups[i].at};
    refuse_duplicates(ck, names, c->groups_n, "the target group name");
    free(names);
}

static void check_words_differ(
    struct check *ck, const struct config_text *words, size_t n, const char *what)
{
    struct named *names = mem_calloc(n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = (struct named){words[i].text, words[i].at};
    refuse_duplicates(ck, names, n, what);
    free(names);
}

static void check_negotiable(struct check *ck, const struct config_negotiable *c)
{
    check_words_differ(ck, c->groups, c->groups_n, "the group");
    check_words_differ(ck, c->schemes, c->schemes_n, "the signature scheme");
}

/* --- target groups
 * -------------------------------------------------------------------------------------------- */

static void check_certificate_and_key(struct check *ck, const struct node *group)
{
    const struct node *tls = tree_value(group, "tls");
    const struct node *certificate = tls ? tree_value(tls, "certificate") : NULL;
    const struct node *key = tls ? tree_value(tls, "key") : NULL;
    const struct node *passphrase = tls ? tree_value(tls, "passphrase") : NULL;
    if (passphrase && !key)
        report_error(ck->report, passphrase->key_at,
            "passphrase needs key: the file that it decrypts; or remove it");
    if (certificate && !key)
        report_error(ck->report, certificate->key_at,
            "certificate needs key: the file of its private key; or remove both");
    if (key && !certificate)
        report_error(ck->report, key->key_at,
            "key needs certificate: the file of the certificate that it belongs to; or remove "
            "both");
}

/* ---- stickiness ---- */

static void check_stickiness(
    struct check *ck, const struct config_group *g, const struct node *group)
{
    const struct node *map = tree_value(group, "stickiness");
    if (!map)
        return;
    check_keys_fit_protocol(ck, SCOPE_STICKINESS, g->protocol, map);
    if (g->stickiness.cookie && !value_is_token(g->stickiness.cookie))
        report_error(ck->report, place_of(map, "cookie"),
            "cookie: write a name of letters, digits and !#$%%&'*+-.^_`|~");
}

/* ---- health checks ---- */

static const char *health_type_name(enum config_health_type type)
{
    return keys_find(SCOPE_HEALTH_CHECK, "type")->choices[type];
}

/* path under TCP, send under HTTP, … */
static void check_health_keys_fit(
    struct check *ck, const struct config_health_check *h, const struct node *map)
{
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &key_table[i];
        const struct node *n = k->scope == SCOPE_HEALTH_CHECK ? tree_value(map, k->name) : NULL;
        if (n && !(k->on & (ON_ALL | ON_CHECK(h->type))))
            report_error(ck->report, n->key_at,
                "%s is of no use to a health check of type %s; remove it, or choose another type",
                k->name, health_type_name(h->type));
    }
}

/* What goes into the request line and Host, or onto the wire. */
static void check_health_texts(
    struct check *ck, const struct config_health_check *h, const struct node *map)
{
    if (h->path[0] != '/' || !value_is_visible(h->path) || strchr(h->path, '#'))
        report_error(ck->report, place_of(map, "path"),
            "path: write a path of visible ASCII characters that begins with /, perhaps with a "
            "query");
    if (!value_is_visible(h->host))
        report_error(ck->report, place_of(map, "host"),
            "host: write a host name or address of visible ASCII characters");
    if (!value_is_visible(h->service))
        report_error(ck->report, place_of(map, "service"),
            "service: write its full name, as package.Service");
    bool good[CONFIG_GRPC_STATUSES];
    if (health_check_statuses(h->statuses, good) < 0)
        report_error(ck->report, place_of(map, "statuses"),
            "statuses: write numbers from 0 to 99 and ranges of them, as \"0\", \"12,14\" or "
            "\"0-99\"");
    if (h->call[0] &&
        (h->call[0] != '/' || !strchr(h->call + 1, '/') || !value_is_visible(h->call)))
        report_error(ck->report, place_of(map, "call"),
            "call: write what is called as /package.Service/Method");
    if (h->call[0] && h->service[0])
        report_error(ck->report, place_of(map, "service"),
            "service is what grpc.health.v1 is asked for; remove it, or call");
    for (int i = 0; h->is_hex && i < 2; i++)
        if (!value_is_hex(i ? h->expect : h->send))
            report_error(ck->report, place_of(map, i ? "expect" : "send"),
                "%s: write pairs of hexadecimal digits, or encoding: text", i ? "expect" : "send");
    if (h->type == HEALTH_CHECK_CUSTOM && !h->send[0] && !h->expect[0])
        report_error(ck->report, map->at,
            "a CUSTOM health check needs send, expect, or both; to see whether a target takes "
            "connections choose type: TCP");
}

static void check_health_type(struct check *ck, const struct config_group *g, struct position at)
{
    enum config_health_type type = g->health_check.type;
    bool is_tls = type == HEALTH_CHECK_TLS || type == HEALTH_CHECK_HTTPS;
    if (is_tls && !config_protocol_is_tls(g->protocol))
        report_error(ck->report, at,
            "type: %s needs a group of protocol HTTPS or TCP_SSL, whose tls says what the target "
            "must prove",
            health_type_name(type));
    if ((type == HEALTH_CHECK_HTTPS || type == HEALTH_CHECK_GRPC) && g->tls.certificate.path &&
        g->tls.engine == CONFIG_ENGINE_OPENSSL)
        report_error(ck->report, at,
            "type: %s is not possible where tls.certificate is shown by the engine openssl: "
            "health checks have no private key; remove tls.engine, or choose type: TLS, which "
            "checks the target's certificate",
            health_type_name(type));
}

static void check_health(struct check *ck, const struct config_group *g, const struct node *group)
{
    const struct config_health_check *h = &g->health_check;
    const struct node *map = tree_value(group, "health_check");
    if (!map)
        return;
    check_health_type(ck, g, place_of(map, "type"));
    check_health_keys_fit(ck, h, map);
    check_health_texts(ck, h, map);
    if (h->timeout_ms >= h->interval_ms)
        report_error(ck->report, place_of(map, tree_value(map, "timeout") ? "timeout" : "interval"),
            "a health check's timeout must be shorter than its interval");
}

/* Each is a connection that is made again and again. */
static void check_checked_are_not_too_many(struct check *ck)
{
    const struct config *c = ck->config;
    size_t n = 0;
    for (size_t i = 0; i < c->groups_n; i++) {
        const struct config_group *g = &c->groups[i];
        size_t before = n;
        n += g->health_check.type == HEALTH_CHECK_OFF ? 0 : g->targets_n;
        if (before <= CONFIG_CHECKED_MAX && n > CONFIG_CHECKED_MAX)
            report_error(ck->report, g->at,
                "with this group more than %d targets are checked for their health; set its "
                "health_check to {type: off}, or have another instance for it",
                CONFIG_CHECKED_MAX);
    }
}

static void check_domains(struct check *ck, const struct config_listener *l, const struct node *map)
{
    const struct node *n = tree_first(map, "domains");
    for (size_t i = 0; i < l->domains_n; i++, n = n->next) {
        struct subject s = {&l->domains[i].authn, n};
        check_has_client_ca(ck, s);
        check_one_way_domain_asks_nobody(ck, s);
    }
}

static void check_listener(
    struct check *ck, const struct config_listener *l, const struct node *map)
{
    check_keys_fit_protocol(ck, SCOPE_LISTENER, l->protocol, map);
    check_listener_has(ck, l, map);
    check_listener_groups(ck, l, map);
    check_domains_differ(ck, l);
    check_rules_differ(ck, l);
    if (!config_protocol_is_tls(l->protocol))
        return;
    check_has_client_ca(ck, (struct subject){&l->authn, map});
    check_one_way_asks_nobody(ck, l, map);
    check_domains(ck, l, map);
    check_rsa_key_exchange(ck, l->tls.key_exchange_rsa, l->tls.tls12, map);
    check_engine(ck, l->tls.engine, config_protocol_is_tls(l->protocol), map);
    check_negotiable(ck, &l->tls.negotiable);
}

static void check_group(struct check *ck, const struct config_group *g, const struct node *map)
{
    check_keys_fit_protocol(ck, SCOPE_GROUP, g->protocol, map);
    check_certificate_and_key(ck, map);
    check_health(ck, g, map);
    check_stickiness(ck, g, map);
    if (!config_protocol_is_tls(g->protocol))
        return;
    check_rsa_key_exchange(ck, g->tls.key_exchange_rsa, g->tls.tls12, map);
    check_engine(ck, g->tls.engine, g->tls.key.path, map);
    check_negotiable(ck, &g->tls.negotiable);
}

/* libssl has its keys in the workers, and those of the API are opened by the signer alone. */
static void check_engine_of_api(struct check *ck, struct position at, enum config_engine engine)
{
    if (merge_is_api(at) && engine == CONFIG_ENGINE_OPENSSL)
        report_error(ck->report, at, "tls: engine: openssl is for the configuration file only");
}

/* A file that is empty by accident is not to be taken for one that leaves all to the control API.
 */
static void check_there_is_something(const struct check *ck, const struct node *root)
{
    if (!tree_value(root, "listeners") && !ck->config->state_dir)
        report_error(ck->report, root->at,
            "a configuration needs listeners: the addresses where clients arrive, and what is "
            "asked "
            "of them; or state, where the control API keeps those that it makes");
}

void check_config(const struct config *c, const struct node *root, struct report *report)
{
    struct check ck = {.config = c, .report = report, .arena = &(struct arena){0}};
    arena_init(ck.arena);
    check_there_is_something(&ck, root);
    const struct node *n = tree_first(root, "listeners");
    for (size_t i = 0; i < c->listeners_n; i++, n = n->next)
        check_listener(&ck, &c->listeners[i], n);
    n = tree_first(root, "target_groups");
    for (size_t i = 0; i < c->groups_n; i++, n = n->next)
        check_group(&ck, &c->groups[i], n);
    for (size_t i = 0; i < c->listeners_n; i++)
        check_engine_of_api(&ck, c->listeners[i].at, c->listeners[i].tls.engine);
    for (size_t i = 0; i < c->groups_n; i++)
        check_engine_of_api(&ck, c->groups[i].at, c->groups[i].tls.engine);
    check_listeners_differ(&ck);
    check_groups_differ(&ck);
    check_names_are_not_too_many(&ck);
    check_checked_are_not_too_many(&ck);
    arena_fini(ck.arena);
}
