/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/guard.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

/* The handshake lets in only clients of the listener's CAs: others never come as far as a rule. */
static bool is_among(
    const struct config_file *file, const struct config_authn *authn, const struct source *s)
{
    for (size_t i = 0; i < authn->client_ca_n; i++)
        if (bytes_equal(source_file(s, file), source_file(s, &authn->client_ca[i])))
            return true;
    return false;
}

static void check_ca(
    const struct config_listener *l, const struct config_file *file, const struct source *s)
{
    bool found = is_among(file, &l->authn, s);
    for (size_t i = 0; i < l->domains_n; i++)
        found |= is_among(file, &l->domains[i].authn, s);
    if (!found)
        report_error(s->report, file->at,
            "%s is not among client_ca of the listener %s, which refuses its clients in the "
            "handshake; add it there, too",
            file->path, l->name);
}

/* Without CAs of its own the rule takes those that the listener and its domains name. */
static void load_anchors(struct guard *g, const struct config_listener *l,
    const struct config_rule_authn *config, const struct source *s)
{
    struct certificate_list ca = {0};
    for (size_t i = 0; i < config->client_ca_n; i++)
        check_ca(l, &config->client_ca[i], s);
    source_anchors(s, config->client_ca, config->client_ca_n, &ca);
    if (!config->client_ca_n) {
        source_anchors(s, l->authn.client_ca, l->authn.client_ca_n, &ca);
        for (size_t i = 0; i < l->domains_n; i++)
            source_anchors(s, l->domains[i].authn.client_ca, l->domains[i].authn.client_ca_n, &ca);
    }
    g->verify.anchors = path_store_new(&ca, false);
    source_revocation(s, &l->authn.revocation, &ca, &g->verify);
    certificate_list_fini(&ca);
}

struct guard *guard_new(
    const struct config_listener *listener, const struct config_rule *rule, const struct source *s)
{
    const struct config_rule_authn *config = &rule->authn;
    if (!config->client_ca_n && !config->client_names_n)
        return NULL;
    struct guard *g = mem_alloc(sizeof(*g));
    g->verify.purpose = PATH_CLIENT;
    g->verify.depth_max = VERIFY_DEPTH_DEFAULT;
    g->verify.cache = verdict_cache_new();
    load_anchors(g, listener, config, s);
    g->names = source_names(s, config->client_names, config->client_names_n);
    g->verify.names = g->names;
    g->verify.names_n = config->client_names_n;
    return g;
}

void guard_free(struct guard **g)
{
    if (!*g)
        return;
    verify_policy_fini(&(*g)->verify);
    free((*g)->names);
    free(*g);
    *g = NULL;
}

struct verdict *guard_refuses(const struct guard *g, const struct verdict *shown, int64_t now_s)
{
    struct verdict *v = verdict_new();
    if (!shown || !shown->accepted || !shown->chain.n)
        verdict_no_certificate(v, false);
    else
        verify_chain(&g->verify, (const struct certificate *const *)shown->chain.at, shown->chain.n,
            now_s, v);
    if (v->accepted)
        verdict_free(&v);
    return v;
}
