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
    const char *name = config->tls.name[0] ? config->tls.name : t->config->host;
    if (!name) {
        address_format_host(&t->addresses[0].address, host);
        name = arena_strdup(a, host);
    }
    struct error err;
    int result = name_pattern_of_host(bytes_of(name), a, &t->name, &err);
    ASSERT(result == 0); /* config_parse has looked at it */
    t->server_name = t->name.kind == NAME_DNS ? name : NULL;
}

/* Where the targets of host names listen is in the configuration, the rest in the address book. */
static uint16_t port_of(const struct config_target *config)
{
    return (uint16_t)strtoul(strrchr(config->address, ':') + 1, NULL, 10);
}

/* Numeric addresses are known from the start. */
static void init_address(struct target *t)
{
    struct error err;
    if (t->config->host)
        return;
    t->addresses = mem_alloc(sizeof(*t->addresses));
    t->addresses_n = 1;
    int result = address_parse(bytes_of(t->config->address), false, &t->addresses[0].address, &err);
    ASSERT(result == 0); /* config_parse has looked at it */
}

void group_init(
    struct group *g, const struct config_group *config, struct group_idle *idle, struct arena *a)
{
    g->idle = idle;
    g->config = config;
    g->is_tls = config_protocol_is_tls(config->protocol);
    g->targets_n = config->targets_n;
    g->targets = mem_calloc(config->targets_n, sizeof(*g->targets));
    unsigned *weights = mem_calloc(config->targets_n, sizeof(*weights));
    for (size_t i = 0; i < config->targets_n; i++) {
        struct target *t = &g->targets[i];
        t->config = &config->targets[i];
        list_init(&t->idle);
        t->counts = t->uncounted;
        init_address(t);
        weights[i] = t->addresses_n ? t->config->weight : 0;
        if (g->is_tls)
            target_name(t, config, a);
    }
    wrr_init(&g->wrr, weights, config->targets_n);
    free(weights);
}

static void free_addresses(struct target *t)
{
    for (size_t i = 0; i < t->addresses_n; i++)
        sessions_clear(&t->addresses[i].sessions);
    free(t->addresses);
}

void group_fini(struct group *g)
{
    for (size_t i = 0; i < g->targets_n; i++) {
        ASSERT(list_is_empty(&g->targets[i].idle));
        free_addresses(&g->targets[i]);
    }
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

void group_turn(struct target *t, uint64_t now_ms)
{
    size_t next = (t->turn + 1) % t->addresses_n;
    t->turn = next;
    for (size_t i = 0; i < t->addresses_n; i++) {
        size_t at = (next + i) % t->addresses_n;
        if (t->addresses[at].avoid_until_ms > now_ms)
            continue;
        t->turn = at;
        return;
    }
}

/* The place of A among the addresses of T, or addresses_n. */
static size_t find_address(const struct target *t, const struct address *a)
{
    size_t i = 0;
    while (i < t->addresses_n && !address_equal(&t->addresses[i].address, a))
        i++;
    return i;
}

void group_avoid(struct target *t, const struct address *a, uint64_t now_ms)
{
    size_t i = find_address(t, a);
    if (i < t->addresses_n)
        t->addresses[i].avoid_until_ms = now_ms + GROUP_AVOID_MS;
}

bool group_has_address(const struct target *t, const struct address *a)
{
    return find_address(t, a) < t->addresses_n;
}

struct sessions *group_sessions(struct target *t, const struct address *a)
{
    size_t i = find_address(t, a);
    return i < t->addresses_n ? &t->addresses[i].sessions : NULL;
}

/* What is known of an address stays known. */
static void set_addresses(struct target *t, const struct address_book_entry *found)
{
    struct target_address *addresses = mem_calloc(found->addresses_n, sizeof(*addresses));
    for (size_t i = 0; i < found->addresses_n; i++) {
        struct target_address *a = &addresses[i];
        a->address = found->addresses[i];
        address_set_port(&a->address, port_of(t->config));
        size_t old = find_address(t, &a->address);
        if (old < t->addresses_n) {
            *a = t->addresses[old];
            t->addresses[old].sessions = (struct sessions){0};
        }
    }
    free_addresses(t);
    t->addresses = addresses;
    t->addresses_n = found->addresses_n;
    t->turn %= t->addresses_n;
}

void group_resolve(struct group *g, const struct address_book *book)
{
    for (size_t i = 0; i < g->targets_n; i++) {
        struct target *t = &g->targets[i];
        const struct address_book_entry *found =
            t->config->host ? address_book_find(book, t->config->address) : NULL;
        if (!found)
            continue;
        set_addresses(t, found);
        wrr_set_weight(&g->wrr, i, t->config->weight);
    }
}

static size_t times_tried(const struct target *t, const struct target *const *tried, size_t tried_n)
{
    size_t times = 0;
    for (size_t i = 0; i < tried_n; i++)
        times += tried[i] == t;
    return times;
}

struct target *group_other(const struct group *g, const struct target *const *tried, size_t tried_n)
{
    size_t last = (size_t)(tried[tried_n - 1] - g->targets);
    struct target *again = NULL;
    for (size_t i = 1; i <= g->targets_n; i++) {
        struct target *t = &g->targets[(last + i) % g->targets_n];
        size_t times = times_tried(t, tried, tried_n);
        if (!t->config->weight || times >= t->addresses_n)
            continue;
        if (!times)
            return t;
        if (!again)
            again = t;
    }
    return again;
}
