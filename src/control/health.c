/* SPDX-License-Identifier: Apache-2.0 */
#include "control/health.h"

#include <stdlib.h>

#include "balance/address_book.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "config/archive.h"
#include "control/plan_config.h"
#include "proxy/service_parts.h"
#include "proxy/source.h"

#include "base/ban.h"

#define JITTER_PERCENT 10 /* so that checks that begin together do not go on in step */

/* One target of one group. */
struct check {
    struct plan *plan;
    struct group *group;
    struct target *target;
    enum health_state state;
    unsigned streak; /* results in a row that speak against the state */
    int64_t since_s;
    char why[PROBE_WHY_MAX]; /* of the last failure */
    struct count *counts;
    struct timer due;
    struct probe probe;
    uint64_t begun_ms;
    struct list link; /* waiting until fewer are under way */
};

/* The checks of a generation. */
struct plan {
    struct health *health;
    struct bytes archive; /* CRLs are used where they lie */
    void (*release)(struct bytes archive);
    struct config *config;
    struct arena arena;
    struct group_idle idle;
    struct group *groups; /* those that are checked */
    size_t groups_n;
    struct check *checks; /* by group, in the order of its targets */
    size_t n;
    size_t probing_n;
    struct list waiting;
};

struct health {
    struct loop *loop;
    struct health_table *table;
    struct counters *counters;
    struct address_book book;
    struct plan *in_force; /* NULL: none */
};

/* ---- telling ---- */

static const enum target_health_column state_columns[] = {
    [HEALTH_WAITING] = TARGET_HEALTH_WAITING,
    [HEALTH_HEALTHY] = TARGET_HEALTH_HEALTHY,
    [HEALTH_UNHEALTHY] = TARGET_HEALTH_UNHEALTHY,
};

static void publish(struct check *c)
{
    for (size_t i = 0; i < COUNT_OF(state_columns); i++)
        count_set(&c->counts[state_columns[i]], i == c->state);
    count_set(&c->counts[TARGET_HEALTH_SINCE], (uint64_t)c->since_s);
    health_table_set(c->plan->health->table, c->target->label, c->state);
}

static void log_state(const struct check *c, unsigned in_a_row)
{
    const char *target = c->target->config->address, *group = c->group->config->name;
    if (c->state == HEALTH_UNHEALTHY && in_a_row > 1)
        log_warning(
            "target %s of %s is unhealthy: %s, %u in a row", target, group, c->why, in_a_row);
    else if (c->state == HEALTH_UNHEALTHY)
        log_warning("target %s of %s is unhealthy: %s", target, group, c->why);
    else if (in_a_row > 1)
        log_info("target %s of %s is healthy: %u good checks in a row", target, group, in_a_row);
    else
        log_info("target %s of %s is healthy", target, group);
}

static size_t count_unhealthy(const struct plan *p, const struct group *g)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->checks[i].group == g && p->checks[i].state == HEALTH_UNHEALTHY;
    return n;
}

static void log_if_last(const struct check *c)
{
    const struct config_group *g = c->group->config;
    if (c->state == HEALTH_UNHEALTHY && count_unhealthy(c->plan, c->group) == g->targets_n)
        log_warning("no target of %s is healthy: %s", g->name,
            g->health_check.all_unhealthy_refused ? "none is used" : "all are used");
}

static void become(struct check *c, enum health_state state)
{
    unsigned in_a_row = c->streak;
    c->state = state;
    c->streak = 0;
    c->since_s = loop_wall_s(c->plan->health->loop);
    count_add(&c->counts[TARGET_HEALTH_CHANGES], 1);
    publish(c);
    log_state(c, in_a_row);
    log_if_last(c);
}

/* ---- checking ---- */

static void begin_check(struct timer *t);

static void check_in(struct check *c, uint64_t ms)
{
    struct loop *loop = c->plan->health->loop;
    loop_timer_arm(loop, &c->due, loop_now_ms(loop) + ms, begin_check);
}

/* From one begin to the next. */
static void check_again(struct check *c)
{
    uint64_t now_ms = loop_now_ms(c->plan->health->loop);
    uint64_t interval_ms = c->group->config->health_check.interval_ms;
    uint64_t due_ms = c->begun_ms + interval_ms -
                      arc4random_uniform((uint32_t)(interval_ms * JITTER_PERCENT / 100 + 1));
    check_in(c, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* There is room for one more. */
static void wake_one(struct plan *p)
{
    if (list_is_empty(&p->waiting))
        return;
    struct check *next = container_of(p->waiting.next, struct check, link);
    list_remove(&next->link);
    check_in(next, 0);
}

static void note_result(struct check *c, bool is_good)
{
    const struct config_health_check *config = &c->group->config->health_check;
    bool agrees = c->state == (is_good ? HEALTH_HEALTHY : HEALTH_UNHEALTHY);
    /* Of a new target, the first check decides. */
    unsigned needed = c->state == HEALTH_WAITING ? 1
                      : is_good                  ? config->healthy
                                                 : config->unhealthy;
    c->streak = agrees ? 0 : c->streak + 1;
    if (c->streak >= needed)
        become(c, is_good ? HEALTH_HEALTHY : HEALTH_UNHEALTHY);
}

static void checked(void *owner, bool is_good, const char *why)
{
    struct check *c = owner;
    struct plan *p = c->plan;
    p->probing_n--;
    count_add(&c->counts[is_good ? TARGET_HEALTH_PASSED : TARGET_HEALTH_FAILED], 1);
    if (!is_good)
        memcpy(c->why, why, strnlen(why, PROBE_WHY_MAX - 1) + 1);
    note_result(c, is_good);
    check_again(c);
    wake_one(p);
}

static void begin_check(struct timer *t)
{
    struct check *c = container_of(t, struct check, due);
    struct plan *p = c->plan;
    if (p->probing_n >= HEALTH_PROBES_MAX) {
        list_append(&p->waiting, &c->link);
        return;
    }
    c->begun_ms = loop_now_ms(p->health->loop);
    if (!c->target->addresses_n) { /* its name is not resolved: it gets no work anyhow */
        check_again(c);
        wake_one(p);
        return;
    }
    group_turn(c->target, c->begun_ms);
    p->probing_n++;
    probe_begin(&c->probe, p->health->loop, c->group, c->target, checked, c);
}

/* ---- plans ---- */

static void plan_free(struct plan **pp)
{
    struct plan *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        loop_timer_stop(p->health->loop, &p->checks[i].due);
        probe_cancel(&p->checks[i].probe);
    }
    for (size_t i = 0; i < p->groups_n; i++)
        group_fini(&p->groups[i]);
    free(p->groups);
    free(p->checks);
    config_free(&p->config);
    arena_fini(&p->arena);
    p->release(p->archive);
    free(p);
}

static void set_ports(struct group *g)
{
    unsigned port = g->config->health_check.port;
    for (size_t i = 0; port && i < g->targets_n; i++)
        for (size_t k = 0; k < g->targets[i].addresses_n; k++)
            address_set_port(&g->targets[i].addresses[k].address, (uint16_t)port);
}

static void resolve(struct plan *p)
{
    for (size_t i = 0; i < p->groups_n; i++) {
        group_resolve(&p->groups[i], &p->health->book);
        set_ports(&p->groups[i]);
    }
}

static void add_group(struct plan *p, const struct config_group *config, const struct source *s)
{
    struct group *g = &p->groups[p->groups_n++];
    group_init(g, config, &p->idle, &p->arena);
    /* Plain checks go to TLS groups, too. */
    g->is_tls = probe_is_tls(config);
    if (g->is_tls)
        service_init_group_tls(g, s, true);
    for (size_t i = 0; i < g->targets_n; i++) {
        struct check *c = &p->checks[p->n++];
        *c = (struct check){.plan = p, .group = g, .target = &g->targets[i]};
        list_init(&c->link);
    }
}

static void add_groups(struct plan *p, const struct source *s)
{
    const struct config *config = p->config;
    size_t checks_n = 0;
    for (size_t i = 0; i < config->groups_n; i++)
        checks_n += config->groups[i].targets_n;
    p->groups = mem_calloc(config->groups_n, sizeof(*p->groups));
    p->checks = mem_calloc(checks_n, sizeof(*p->checks));
    for (size_t i = 0; i < config->groups_n; i++)
        if (config->groups[i].health_check.type != HEALTH_CHECK_OFF)
            add_group(p, &config->groups[i], s);
}

static int build(struct plan *p, const struct service_source *from, struct error *err)
{
    struct report report;
    const struct source source = {.from = from, .report = &report, .arena = &p->arena};
    p->config = plan_config(p->archive, err);
    if (!p->config)
        return -1;
    report_init(&report);
    add_groups(p, &source);
    int failed = report.errors ? -1 : 0;
    report_fini(&report);
    return failed ? error_set(err, "the targets' health cannot be checked: what the configuration "
                                   "says of them cannot be built")
                  : 0;
}

/* ---- from one generation to the next ---- */

static struct check *find(const struct plan *p, uint64_t label)
{
    for (size_t i = 0; p && i < p->n; i++)
        if (p->checks[i].target->label == label)
            return &p->checks[i];
    return NULL;
}

/* What is known of a target stays known. */
static void take_over(struct check *c, const struct plan *before)
{
    const struct check *known = find(before, c->target->label);
    const char *labels[] = {c->group->config->name, c->target->config->address};
    c->counts = counters_row(c->plan->health->counters, COUNTERS_TARGET_HEALTH, labels);
    c->state = health_table_get(c->plan->health->table, c->target->label);
    c->since_s = known ? known->since_s : loop_wall_s(c->plan->health->loop);
    if (known)
        memcpy(c->why, known->why, sizeof(c->why));
}

static int by_value(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static void forget_others(struct plan *p)
{
    uint64_t *labels = mem_calloc(p->n + 1, sizeof(*labels));
    for (size_t i = 0; i < p->n; i++)
        labels[i] = p->checks[i].target->label;
    qsort(labels, p->n, sizeof(*labels), by_value);
    health_table_retain(p->health->table, labels, p->n);
    free(labels);
}

/* New targets are checked at once, the others some time within their interval. */
static void begin(struct plan *p, const struct plan *before)
{
    counters_clear(p->health->counters, COUNTERS_TARGET_HEALTH);
    forget_others(p);
    for (size_t i = 0; i < p->n; i++) {
        struct check *c = &p->checks[i];
        uint64_t interval_ms = c->group->config->health_check.interval_ms;
        take_over(c, before);
        publish(c);
        check_in(c, c->state == HEALTH_WAITING ? 0 : arc4random_uniform((uint32_t)interval_ms));
    }
}

struct health *health_new(struct loop *loop)
{
    struct health *h = mem_alloc(sizeof(*h));
    *h = (struct health){.loop = loop};
    arena_init(&h->book.arena);
    return h;
}

struct counters *health_counters(const struct health *h)
{
    return h->counters;
}

int health_open(struct health *h, int table_fd, int counters_fd, struct error *err)
{
    if (h->table)
        return error_set(err, "the health of targets has a place already");
    h->counters = counters_open(counters_fd, err);
    if (h->counters)
        h->table = health_table_open(table_fd, err);
    return h->table ? 0 : -1;
}

void health_free(struct health **hp)
{
    struct health *h = *hp;
    *hp = NULL;
    if (!h)
        return;
    plan_free(&h->in_force);
    counters_close(&h->counters);
    const struct health_table *table = h->table;
    health_table_close(&table);
    address_book_fini(&h->book);
    free(h);
}

int health_adopt(struct health *h, const struct service_source *from, struct error *err)
{
    struct plan *before = h->in_force, *p = mem_alloc(sizeof(*p));
    *p = (struct plan){.health = h, .archive = from->archive, .release = from->release};
    arena_init(&p->arena);
    list_init(&p->waiting);
    if (!h->table || build(p, from, err) < 0) {
        plan_free(&p);
        return h->table ? -1 : error_set(err, "the health of targets has no place");
    }
    resolve(p);
    h->in_force = p;
    begin(p, before);
    plan_free(&before);
    return 0;
}

void health_resolve(struct health *h, struct bytes book)
{
    address_book_fini(&h->book);
    address_book_read(&h->book, book);
    if (h->in_force)
        resolve(h->in_force);
}

const char *health_why(const struct health *h, const char *group, const char *target)
{
    const struct check *c = find(h->in_force, group_label(group, target));
    return c && c->why[0] && (c->state == HEALTH_UNHEALTHY || c->streak) ? c->why : NULL;
}

bool health_find(
    const struct health *h, const char *group, const char *target, enum health_state *out)
{
    const struct check *c = find(h->in_force, group_label(group, target));
    if (c)
        *out = c->state;
    return c != NULL;
}
