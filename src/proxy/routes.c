/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/routes.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

static bool is_regex(const struct config_rule *rule)
{
    return rule->match == PATH_REGEX || rule->match == PATH_REGEX_NOCASE;
}

/* Exact paths before prefixes, longer before shorter: then the first match is the right one. */
static int by_precedence(const void *a, const void *b)
{
    const struct config_rule *x = *(const struct config_rule *const *)a,
                             *y = *(const struct config_rule *const *)b;
    bool x_exact = x->match == PATH_EXACT, y_exact = y->match == PATH_EXACT;
    if (x_exact != y_exact)
        return x_exact ? -1 : 1;
    size_t nx = strlen(x->path), ny = strlen(y->path);
    return (nx < ny) - (nx > ny);
}

/* config_parse has compiled it before. */
static struct regex *compile(const char *text, bool ignores_case)
{
    struct error err;
    struct regex *r = regex_new(text, ignores_case, &err);
    ASSERT(r);
    return r;
}

static struct route_domain *new_domain(
    struct routes *r, const struct config_listener *config, const struct config_rule *first)
{
    struct route_domain *d = &r->domains[r->domains_n++];
    d->first = first;
    d->paths = mem_calloc(config->rules_n, sizeof(*d->paths));
    d->regexes = mem_calloc(config->rules_n, sizeof(*d->regexes));
    if (first->domain[0] == '~') /* hosts have no case (RFC 9110 §4.2.3) */
        d->host = compile(first->domain + 1, true);
    else
        domain_map_add(&r->by_name, first->domain, d);
    return d;
}

static struct route_domain *domain_of(
    struct routes *r, const struct config_listener *config, const struct config_rule *rule)
{
    for (size_t i = 0; rule->domain[0] == '~' && i < r->domains_n; i++)
        if (strcmp(r->domains[i].first->domain, rule->domain) == 0)
            return &r->domains[i];
    struct route_domain *d =
        rule->domain[0] == '~' ? NULL : domain_map_get(&r->by_name, rule->domain);
    return d ? d : new_domain(r, config, rule);
}

void routes_init(struct routes *r, const struct config_listener *config)
{
    r->domains = mem_calloc(config->rules_n, sizeof(*r->domains));
    for (size_t i = 0; i < config->rules_n; i++) {
        const struct config_rule *rule = &config->rules[i];
        struct route_domain *d = domain_of(r, config, rule);
        if (is_regex(rule))
            d->regexes[d->regexes_n++] =
                (struct route_regex){compile(rule->path, rule->match == PATH_REGEX_NOCASE), rule};
        else
            d->paths[d->paths_n++] = rule;
    }
    for (size_t i = 0; i < r->domains_n; i++)
        qsort(r->domains[i].paths, r->domains[i].paths_n, sizeof(*r->domains[i].paths),
            by_precedence);
}

void routes_fini(struct routes *r)
{
    for (size_t i = 0; i < r->domains_n; i++) {
        struct route_domain *d = &r->domains[i];
        for (size_t k = 0; k < d->regexes_n; k++)
            regex_free(&d->regexes[k].regex);
        regex_free(&d->host);
        free(d->regexes);
        free(d->paths);
    }
    free(r->domains);
    domain_map_fini(&r->by_name);
    *r = (struct routes){0};
}

static enum route_answer find_domain(const struct routes *r, struct bytes host,
    struct regex_budget *budget, const struct route_domain **out)
{
    *out = domain_map_find(&r->by_name, host);
    for (size_t i = 0; !*out && i < r->domains_n; i++) {
        if (!r->domains[i].host)
            continue;
        enum regex_answer answer = regex_match(r->domains[i].host, host, budget);
        if (answer == REGEX_UNDECIDED)
            return ROUTE_UNDECIDED;
        if (answer == REGEX_MATCHES)
            *out = &r->domains[i];
    }
    if (!*out && r->domains_n)
        *out = &r->domains[0]; /* the first rule's domain is the default domain */
    return *out ? ROUTE_FOUND : ROUTE_NONE;
}

static bool matches(const struct config_rule *rule, struct bytes path)
{
    struct bytes want = bytes_of(rule->path);
    return rule->match == PATH_EXACT ? bytes_equal(path, want) : bytes_starts_with(path, want);
}

/* Is RULE for what is below PATH, "/foo/" for "/foo"? Two slashes in front, in a Location, would be
 * taken for those before a host. */
static bool is_below(const struct config_rule *rule, struct bytes path)
{
    struct bytes want = bytes_of(rule->path);
    return rule->match != PATH_EXACT && path.n > 1 && path.at[1] != '/' && want.n == path.n + 1 &&
           want.at[path.n] == '/' && bytes_starts_with(want, path);
}

static enum route_answer find_path(
    const struct route_domain *d, struct bytes path, const struct config_rule **out)
{
    const struct config_rule *below = NULL;
    for (size_t i = 0; i < d->paths_n; i++) {
        const struct config_rule *rule = d->paths[i];
        if (is_below(rule, path)) /* one of the path itself comes next, if there is one */
            below = rule;
        if (!matches(rule, path))
            continue;
        *out = below && strlen(rule->path) < path.n ? below : rule;
        return *out == below ? ROUTE_SLASH : ROUTE_FOUND;
    }
    *out = below;
    return below ? ROUTE_SLASH : ROUTE_NONE;
}

enum route_answer routes_find(
    const struct routes *r, struct bytes host, struct bytes path, const struct config_rule **out)
{
    const struct route_domain *d;
    struct regex_budget budget = {0};
    *out = NULL;
    enum route_answer answer = find_domain(r, host, &budget, &d);
    if (answer != ROUTE_FOUND)
        return answer;
    /* RFC 9110 §7.1: "*" is the server, and no path. */
    if (!bytes_starts_with(path, BYTES("/")))
        return ROUTE_NONE;
    answer = find_path(d, path, out);
    if (answer == ROUTE_SLASH || (*out && (*out)->match != PATH_PREFIX))
        return answer;
    for (size_t i = 0; i < d->regexes_n; i++) {
        enum regex_answer found = regex_match(d->regexes[i].regex, path, &budget);
        if (found == REGEX_DIFFERS)
            continue;
        *out = found == REGEX_MATCHES ? d->regexes[i].rule : NULL;
        return *out ? ROUTE_FOUND : ROUTE_UNDECIDED;
    }
    return answer;
}
