/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/group.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "base/scatter.h"

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

uint64_t group_label(const char *group, const char *address)
{
    return scatter_bytes(scatter_bytes(0, bytes_of(group)), bytes_of(address));
}

void group_init(
    struct group *g, const struct config_group *config, struct group_idle *idle, struct arena *a)
{
    g->idle = idle;
    g->config = config;
    g->is_tls = config_protocol_is_tls(config->protocol);
    g->targets_n = config->targets_n;
    g->targets = mem_calloc(config->targets_n, sizeof(*g->targets));
    g->candidates = mem_calloc(config->targets_n, sizeof(*g->candidates));
    for (size_t i = 0; i < config->targets_n; i++) {
        struct target *t = &g->targets[i];
        t->config = &config->targets[i];
        list_init(&t->idle);
        list_init(&t->shared);
        t->counts = t->uncounted;
        init_address(t);
        t->label = group_label(config->name, t->config->address);
        if (g->is_tls)
            target_name(t, config, a);
    }
    scheduler_init(&g->scheduler, config->scheduler, config->targets_n);
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
    free(g->candidates);
    scheduler_fini(&g->scheduler);
    tlspolicy_free(&g->tls.policy);
    verify_policy_fini(&g->tls.verify);
    credential_free(&g->tls.credential);
    *g = (struct group){0};
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
    }
}

/* ---- whom to choose ---- */

/* How good a target is for some work: the lower, the better. */
enum rank {
    RANK_GOOD,      /* healthy, or not checked at all */
    RANK_UNCHECKED, /* nothing is known of its health yet */
    RANK_AVOIDED,   /* it could not be connected to a moment ago */
    RANK_TRIED,     /* nor for this very work; it has other addresses */
    RANK_NONE       /* not to be chosen */
};

static size_t times_tried(const struct target *t, const struct group_wish *wish)
{
    size_t times = 0;
    for (size_t i = 0; i < wish->tried_n; i++)
        times += wish->tried[i] == t;
    return times;
}

static bool is_avoided(const struct target *t, uint64_t now_ms)
{
    size_t i = 0;
    while (i < t->addresses_n && t->addresses[i].avoid_until_ms > now_ms)
        i++;
    return i == t->addresses_n;
}

static bool takes_work(const struct target *t)
{
    return t->config->weight && t->addresses_n;
}

static enum health_state health_of(const struct group *g, const struct target *t)
{
    return g->config->health_check.type == HEALTH_CHECK_OFF ? HEALTH_HEALTHY
                                                            : health_table_get(g->health, t->label);
}

/* Are all that would take work unhealthy? If so, and if that is to mean that none of them is, their
 * health does not count. */
static bool is_health_void(const struct group *g)
{
    if (g->config->health_check.all_unhealthy_refused)
        return false;
    for (size_t i = 0; i < g->targets_n; i++)
        if (takes_work(&g->targets[i]) && health_of(g, &g->targets[i]) != HEALTH_UNHEALTHY)
            return false;
    return true;
}

static enum rank rank_of(
    const struct target *t, const struct group_wish *wish, enum health_state health)
{
    size_t times = times_tried(t, wish);
    if (!takes_work(t) || times >= t->addresses_n || health == HEALTH_UNHEALTHY)
        return RANK_NONE;
    if (times)
        return RANK_TRIED;
    if (is_avoided(t, wish->now_ms))
        return RANK_AVOIDED;
    return health == HEALTH_WAITING ? RANK_UNCHECKED : RANK_GOOD;
}

/* Rank all of them, in G's candidates: those of the best rank get their weight, the others 0. False
 * if there is none to be chosen. */
static bool rank_all(struct group *g, const struct group_wish *wish)
{
    enum rank best = RANK_NONE;
    bool is_void = is_health_void(g);
    for (size_t i = 0; i < g->targets_n; i++) {
        const struct target *t = &g->targets[i];
        enum rank rank = rank_of(t, wish, is_void ? HEALTH_HEALTHY : health_of(g, t));
        for (size_t k = 0; rank < best && k < i; k++)
            g->candidates[k].weight = 0;
        best = rank < best ? rank : best;
        g->candidates[i].weight = rank == best && best != RANK_NONE ? t->config->weight : 0;
    }
    return best != RANK_NONE;
}

bool group_can_pick(struct group *g, const struct group_wish *wish)
{
    return rank_all(g, wish);
}

/* Where the client comes from, whatever the port. */
static uint64_t client_hash(const struct address *client)
{
    uint8_t octets[16];
    address_octets(client, octets);
    return scatter_bytes(0, (struct bytes){octets, sizeof(octets)});
}

struct target *group_pick(struct group *g, const struct group_wish *wish)
{
    if (!rank_all(g, wish))
        return NULL;
    if (wish->wanted && g->candidates[wish->wanted - g->targets].weight)
        return &g->targets[wish->wanted - g->targets];
    for (size_t i = 0; i < g->targets_n; i++) {
        const struct target *t = &g->targets[i];
        g->candidates[i].load = count_get(&t->counts[TARGET_ACTIVE]) + t->elsewhere;
        g->candidates[i].name = t->label;
    }
    size_t i = scheduler_pick(&g->scheduler, g->candidates, client_hash(wish->client));
    ASSERT(i != SCHEDULER_NONE);
    return &g->targets[i];
}
