/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/group.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* What TARGET must prove, and what it is asked for by SNI: the group's tls.name, else the target's
 * own host. */
static void target_name(struct target *t, const struct config_group *config, struct arena *a)
{
    char host[ADDRESS_TEXT_MAX];
    address_format_host(&t->address, host);
    const char *name = config->tls.name[0] ? config->tls.name : arena_strdup(a, host);
    struct error err;
    int result = name_pattern_of_host(bytes_of(name), a, &t->name, &err);
    ASSERT(result == 0); /* config_parse has looked at it */
    t->server_name = t->name.kind == NAME_DNS ? name : NULL;
}

void group_init(struct group *g, const struct config_group *config, struct arena *a)
{
    g->config = config;
    g->is_tls = config_protocol_is_tls(config->protocol);
    g->targets_n = config->targets_n;
    g->targets = mem_calloc(config->targets_n, sizeof(*g->targets));
    unsigned *weights = mem_calloc(config->targets_n, sizeof(*weights));
    for (size_t i = 0; i < config->targets_n; i++) {
        struct target *t = &g->targets[i];
        struct error err;
        t->config = &config->targets[i];
        list_init(&t->idle);
        int result = address_parse(bytes_of(t->config->address), false, &t->address, &err);
        ASSERT(result == 0); /* config_parse has looked at it */
        weights[i] = t->config->weight;
        if (g->is_tls)
            target_name(t, config, a);
    }
    wrr_init(&g->wrr, weights, config->targets_n);
    free(weights);
}

void group_fini(struct group *g)
{
    for (size_t i = 0; i < g->targets_n; i++)
        ASSERT(list_is_empty(&g->targets[i].idle));
    free(g->targets);
    wrr_fini(&g->wrr);
    tlspolicy_free(&g->tls.policy);
    verify_policy_fini(&g->tls.verify);
    credential_free(&g->tls.credential);
    *g = (struct group){0};
}

struct target *group_pick(struct group *g)
{
    size_t i = wrr_pick(&g->wrr);
    return i == WRR_NONE ? NULL : &g->targets[i];
}

static bool is_among(const struct target *t, const struct target *const *tried, size_t tried_n)
{
    for (size_t i = 0; i < tried_n; i++)
        if (tried[i] == t)
            return true;
    return false;
}

struct target *group_other(const struct group *g, const struct target *const *tried, size_t tried_n)
{
    size_t last = (size_t)(tried[tried_n - 1] - g->targets);
    for (size_t i = 1; i < g->targets_n; i++) {
        struct target *t = &g->targets[(last + i) % g->targets_n];
        if (t->config->weight && !is_among(t, tried, tried_n))
            return t;
    }
    return NULL;
}
