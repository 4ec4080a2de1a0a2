/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener.h"

#include <stdlib.h>

#include "base/memory.h"
#include "proxy/rewrite.h"
#include "proxy/tally.h"

#include "base/ban.h"

static void init_authn(struct listener *l, const struct source *source)
{
    const struct config_listener *config = l->config;
    authn_init(&l->authn, config, NULL, source);
    l->domain_authn = mem_calloc(config->domains_n, sizeof(*l->domain_authn));
    for (size_t i = 0; i < config->domains_n; i++) {
        authn_init(&l->domain_authn[i], config, &config->domains[i], source);
        domain_map_add(&l->authn_of, config->domains[i].name, &l->domain_authn[i]);
    }
}

/* A certificate of A for DOMAIN: a host, or `*.x`. Of `x.*` and regular expressions nobody can
 * tell. */
static bool has_certificate_for(const struct authn *a, const char *domain, struct arena *arena)
{
    struct bytes want = bytes_of(domain);
    struct name_pattern host;
    if (bytes_ends_with(want, BYTES("*")) || bytes_starts_with(want, BYTES("~")))
        return true;
    bool is_wildcard = bytes_starts_with(want, BYTES("*"));
    if (!is_wildcard && name_pattern_of_host(want, arena, &host, NULL) < 0)
        return true;
    for (size_t i = 0; i < a->credentials_n; i++) {
        const struct certificate *leaf = a->credentials[i]->chain.at[0];
        const struct certificate_facts *f = certificate_facts(leaf);
        if (!f->names_n) /* credential_load has warned about that */
            return true;
        if (!is_wildcard && name_matches(&host, leaf))
            return true;
        for (size_t k = 0; k < f->names_n && is_wildcard; k++)
            if (f->names[k].kind == NAME_DNS && bytes_equal_nocase(f->names[k].value, want))
                return true;
    }
    return false;
}

static void check_certificate(const struct listener *l, const struct authn *a, const char *domain,
    struct position at, const struct source *source)
{
    if (a->credentials_n && !has_certificate_for(a, domain, source->arena))
        report_warning(source->report, at,
            "no certificate of listener %s is for %s: clients that ask for it will refuse; add one "
            "to certificates",
            l->config->name, domain);
}

/* Clients ask for the names of rules and domains: does a certificate have them? */
static void check_certificates(const struct listener *l, const struct source *source)
{
    const struct config_listener *config = l->config;
    for (size_t i = 0; i < config->domains_n; i++)
        check_certificate(
            l, &l->domain_authn[i], config->domains[i].name, config->domains[i].at, source);
    for (size_t i = 0; i < l->routes.domains_n; i++) {
        const struct config_rule *first = l->routes.domains[i].first;
        if (!domain_map_get(&l->authn_of, first->domain))
            check_certificate(
                l, listener_authn(l, bytes_of(first->domain)), first->domain, first->at, source);
    }
}

static void init_guards(struct listener *l, const struct source *source)
{
    l->guards = mem_calloc(l->config->rules_n, sizeof(struct guard *));
    for (size_t i = 0; i < l->config->rules_n; i++)
        l->guards[i] = guard_new(l->config, &l->config->rules[i], source);
}

const struct guard *listener_guard(const struct listener *l, const struct config_rule *rule)
{
    return l->guards ? l->guards[rule - l->config->rules] : NULL;
}

static void check_headers(const struct config_listener *config, struct report *report)
{
    rewrite_check(&config->request_headers, report);
    rewrite_check(&config->response_headers, report);
    for (size_t i = 0; i < config->rules_n; i++) {
        rewrite_check(&config->rules[i].request_headers, report);
        rewrite_check(&config->rules[i].response_headers, report);
    }
}

void listener_init(
    struct listener *l, const struct config_listener *config, const struct source *source)
{
    *l = (struct listener){.config = config,
        .is_http = config_protocol_is_http(config->protocol),
        .is_tls = config_protocol_is_tls(config->protocol)};
    if (l->is_tls)
        init_authn(l, source);
    if (l->is_http)
        routes_init(&l->routes, config);
    if (l->is_http)
        check_headers(l->config, source->report);
    if (l->is_http && l->is_tls)
        init_guards(l, source);
    if (l->is_http && l->is_tls)
        check_certificates(l, source);
}

void listener_fini(struct listener *l)
{
    if (l->is_tls)
        authn_fini(&l->authn);
    for (size_t i = 0; l->domain_authn && i < l->config->domains_n; i++)
        authn_fini(&l->domain_authn[i]);
    free(l->domain_authn);
    for (size_t i = 0; l->guards && i < l->config->rules_n; i++)
        guard_free(&l->guards[i]);
    free(l->guards);
    domain_map_fini(&l->authn_of);
    routes_fini(&l->routes);
    tally_fini(&l->tally);
    *l = (struct listener){0};
}

const struct authn *listener_authn(const struct listener *l, struct bytes host)
{
    const struct authn *a = domain_map_find(&l->authn_of, host);
    return a ? a : &l->authn;
}

const struct tlspolicy *listener_policy(const struct listener *l, size_t i)
{
    if (!l->is_tls || i > l->config->domains_n)
        return NULL;
    return i ? l->domain_authn[i - 1].tls : l->authn.tls;
}

bool listener_still_admits(
    const struct listener *now, const struct listener *old, const struct authn *authn)
{
    if (!now || now->config->protocol != old->config->protocol)
        return false;
    if (!now->is_tls)
        return true;
    if (!authn) /* its handshake has not come that far */
        return false;
    bool admits = memcmp(now->authn.hash, authn->hash, sizeof(authn->hash)) == 0;
    for (size_t i = 0; i < now->config->domains_n; i++)
        admits |= memcmp(now->domain_authn[i].hash, authn->hash, sizeof(authn->hash)) == 0;
    return admits;
}
