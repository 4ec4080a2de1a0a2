/* SPDX-License-Identifier: Apache-2.0 */
#include "control/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "balance/address_book.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "config/archive.h"
#include "config/config.h"
#include "control/plan_config.h"
#include "io/resolver.h"

#include "base/ban.h"

#define ASKING_MAX     64 /* at a time, so that no server is flooded by a large configuration */
#define GATHER_MS      20 /* changes that come together are published together */
#define JITTER_PERCENT 10 /* so that names found together are not asked for together for ever */
#define LIST_TEXT_MAX  (RESOLVER_ADDRESSES_MAX * ADDRESS_TEXT_MAX)

_Static_assert(RESOLVER_ADDRESSES_MAX <= ADDRESS_BOOK_ADDRESSES_MAX, "what is found fits");
_Static_assert(2 * CONFIG_NAMES_MAX <= ADDRESS_BOOK_ENTRIES_MAX, "two plans fit");

struct name {
    struct plan *plan;
    const char *target, *host;
    struct address addresses[RESOLVER_ADDRESSES_MAX]; /* the last that were found */
    size_t addresses_n;
    bool is_awaited;   /* has no address, and has not failed yet */
    unsigned failures; /* in a row */
    const char *why;   /* of the last one */
    struct timer due;
    struct list link; /* waiting until fewer are asked for */
};

/* The names of a generation. */
struct plan {
    struct names *names;
    uint64_t generation;
    struct arena arena;
    struct resolver *resolver; /* NULL: there are none */
    struct name *list;         /* by target, each once */
    size_t n;
    size_t awaited_n, asking_n;
    struct list waiting;
};

struct names {
    struct loop *loop;
    names_publish_fn *publish;
    void *owner;
    struct address_book recalled;
    struct plan *in_force, *coming; /* NULL: none */
    struct timer gather;
};

/* ---- publishing ---- */

static int by_target(const void *x, const void *y)
{
    const struct name *a = x, *b = y;
    return strcmp(a->target, b->target);
}

static struct name *find(const struct plan *p, const char *target)
{
    const struct name key = {.target = target};
    return p && p->n ? bsearch(&key, p->list, p->n, sizeof(key), by_target) : NULL;
}

static uint64_t settled_generation(const struct names *n)
{
    if (n->coming && !n->coming->awaited_n)
        return n->coming->generation;
    return n->in_force && !n->in_force->awaited_n ? n->in_force->generation : 0;
}

static void publish(struct timer *t)
{
    struct names *n = container_of(t, struct names, gather);
    struct buf book;
    buf_init(&book, ADDRESS_BOOK_TEXT_MAX);
    for (size_t i = 0; n->in_force && i < n->in_force->n; i++) {
        const struct name *name = &n->in_force->list[i];
        address_book_write(&book, name->target, name->addresses, name->addresses_n);
    }
    for (size_t i = 0; n->coming && i < n->coming->n; i++) {
        const struct name *name = &n->coming->list[i];
        if (!find(n->in_force, name->target))
            address_book_write(&book, name->target, name->addresses, name->addresses_n);
    }
    n->publish(n->owner, settled_generation(n), buf_bytes(&book));
    buf_fini(&book);
}

static void publish_in(struct names *n, uint64_t ms)
{
    uint64_t at_ms = loop_now_ms(n->loop) + ms;
    if (!n->gather.slot || n->gather.deadline_ms > at_ms)
        loop_timer_arm(n->loop, &n->gather, at_ms, publish);
}

/* ---- what is found ---- */

static void ask(struct timer *t);

static void ask_in(struct name *name, unsigned seconds)
{
    struct loop *loop = name->plan->names->loop;
    uint64_t ms = seconds * 1000ull;
    ms += arc4random_uniform((uint32_t)(ms * JITTER_PERCENT / 100 + 1));
    loop_timer_arm(loop, &name->due, loop_now_ms(loop) + ms, ask);
}

/* "10.0.0.5, 10.0.0.6" */
static const char *list_text(const struct name *name, char out[LIST_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < name->addresses_n && n < LIST_TEXT_MAX; i++) {
        address_format_host(&name->addresses[i], host);
        n += (size_t)snprintf(out + n, LIST_TEXT_MAX - n, "%s%s", i ? ", " : "", host);
    }
    return out;
}

static bool is_the_same(const struct name *name, const struct resolver_answer *answer)
{
    if (name->addresses_n != answer->addresses_n)
        return false;
    for (size_t i = 0; i < name->addresses_n; i++)
        if (!address_equal(&name->addresses[i], &answer->addresses[i]))
            return false;
    return true;
}

static void found(struct name *name, const struct resolver_answer *answer)
{
    char list[LIST_TEXT_MAX];
    bool is_new = !is_the_same(name, answer);
    if (is_new) {
        memcpy(name->addresses, answer->addresses, sizeof(name->addresses));
        name->addresses_n = answer->addresses_n;
        publish_in(name->plan->names, GATHER_MS);
    }
    if (is_new || name->failures)
        log_info("target %s: %s", name->target, list_text(name, list));
    name->failures = 0;
    ask_in(name, answer->ttl_s > NAMES_TTL_MIN_S ? answer->ttl_s : NAMES_TTL_MIN_S);
}

static void failed(struct name *name, const char *why)
{
    char list[LIST_TEXT_MAX];
    bool is_new = !name->failures || strcmp(name->why, why) != 0;
    if (is_new && name->addresses_n)
        log_warning("target %s cannot be resolved: %s; it keeps %s", name->target, why,
            list_text(name, list));
    else if (is_new)
        log_warning(
            "target %s cannot be resolved: %s; it gets no work until it can", name->target, why);
    unsigned pause_s = NAMES_PAUSE_MIN_S;
    for (unsigned i = 0; i < name->failures && pause_s < NAMES_PAUSE_MAX_S; i++)
        pause_s *= 2;
    name->failures++;
    name->why = why;
    ask_in(name, pause_s < NAMES_PAUSE_MAX_S ? pause_s : NAMES_PAUSE_MAX_S);
}

/* There is room for one more. Not at once: this may be the end of a chain of names that need no
 * server. */
static void wake_one(struct plan *p)
{
    if (list_is_empty(&p->waiting))
        return;
    struct name *next = container_of(p->waiting.next, struct name, link);
    list_remove(&next->link);
    loop_timer_arm(p->names->loop, &next->due, loop_now_ms(p->names->loop), ask);
}

static void answered(void *owner, const struct resolver_answer *answer)
{
    struct name *name = owner;
    struct plan *p = name->plan;
    p->asking_n--;
    wake_one(p);
    if (answer->why)
        failed(name, answer->why);
    else
        found(name, answer);
    if (!name->is_awaited)
        return;
    name->is_awaited = false;
    if (--p->awaited_n == 0)
        publish_in(p->names, 0); /* a commit may be waiting for it */
}

static void ask(struct timer *t)
{
    struct name *name = container_of(t, struct name, due);
    struct plan *p = name->plan;
    if (p->asking_n >= ASKING_MAX) {
        list_append(&p->waiting, &name->link);
        return;
    }
    p->asking_n++;
    resolver_ask(p->resolver, name->host, answered, name);
}

/* ---- plans ---- */

static void plan_free(struct plan **pp)
{
    struct plan *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    resolver_free(&p->resolver);
    for (size_t i = 0; i < p->n; i++)
        loop_timer_stop(p->names->loop, &p->list[i].due);
    free(p->list);
    arena_fini(&p->arena);
    free(p);
}

static void add_names(struct plan *p, const struct config_group *g)
{
    for (size_t i = 0; i < g->targets_n; i++) {
        const struct config_target *t = &g->targets[i];
        if (t->host)
            p->list[p->n++] = (struct name){.plan = p,
                .target = arena_strdup(&p->arena, t->address),
                .host = arena_strdup(&p->arena, t->host)};
    }
}

/* Sort them, each once. */
static void order(struct plan *p)
{
    size_t kept = 0;
    qsort(p->list, p->n, sizeof(*p->list), by_target);
    for (size_t i = 0; i < p->n; i++)
        if (i == 0 || strcmp(p->list[i].target, p->list[kept - 1].target) != 0)
            p->list[kept++] = p->list[i];
    p->n = kept;
}

/* A name that is known begins with what is known of it, and nobody has to wait for it. */
static void remember(struct names *n, struct name *name)
{
    const struct name *known = find(n->in_force, name->target);
    const struct address_book_entry *recalled = address_book_find(&n->recalled, name->target);
    if (known && known->addresses_n) {
        memcpy(name->addresses, known->addresses, sizeof(name->addresses));
        name->addresses_n = known->addresses_n;
    } else if (recalled) {
        memcpy(
            name->addresses, recalled->addresses, recalled->addresses_n * sizeof(struct address));
        name->addresses_n = recalled->addresses_n;
    }
    name->is_awaited = !name->addresses_n;
    name->plan->awaited_n += name->is_awaited;
}

static struct resolver *make_resolver(
    struct loop *loop, const struct config *config, struct bytes archive, struct error *err)
{
    const char *servers[RESOLVER_SERVERS_MAX];
    size_t n = 0;
    for (; n < config->resolver.servers_n && n < COUNT_OF(servers); n++)
        servers[n] = config->resolver.servers[n].text;
    const struct resolver_config how = {.hosts = archive_find(archive, ARCHIVE_HOSTS),
        .resolv_conf = archive_find(archive, ARCHIVE_RESOLV_CONF),
        .servers = servers,
        .servers_n = n};
    return resolver_new(loop, &how, err);
}

static struct plan *plan_new(struct names *n, uint64_t generation)
{
    struct plan *p = mem_alloc(sizeof(*p));
    p->names = n;
    p->generation = generation;
    p->list = mem_calloc(CONFIG_NAMES_MAX, sizeof(*p->list));
    arena_init(&p->arena);
    list_init(&p->waiting);
    return p;
}

static void begin(struct names *n, struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        list_init(&p->list[i].link);
        remember(n, &p->list[i]);
    }
    for (size_t i = 0; i < p->n; i++)
        ask(&p->list[i].due);
    if (!p->awaited_n)
        publish_in(n, 0);
}

/* ---- the generations ---- */

struct names *names_new(struct loop *loop, names_publish_fn *fn, void *owner)
{
    struct names *n = mem_alloc(sizeof(*n));
    *n = (struct names){.loop = loop, .publish = fn, .owner = owner};
    arena_init(&n->recalled.arena);
    return n;
}

void names_free(struct names **np)
{
    struct names *n = *np;
    *np = NULL;
    if (!n)
        return;
    plan_free(&n->in_force);
    plan_free(&n->coming);
    loop_timer_stop(n->loop, &n->gather);
    address_book_fini(&n->recalled);
    free(n);
}

void names_recall(struct names *n, struct bytes book)
{
    address_book_fini(&n->recalled);
    address_book_read(&n->recalled, book);
}

int names_prepare(struct names *n, uint64_t generation, struct bytes archive, struct error *err)
{
    plan_free(&n->coming);
    struct config *config = plan_config(archive, err);
    if (!config)
        return -1;
    struct plan *p = plan_new(n, generation);
    for (size_t i = 0; i < config->groups_n; i++)
        add_names(p, &config->groups[i]);
    order(p);
    if (p->n)
        p->resolver = make_resolver(n->loop, config, archive, err);
    bool is_made = !p->n || p->resolver;
    config_free(&config);
    if (!is_made) {
        plan_free(&p);
        return -1;
    }
    n->coming = p;
    begin(n, p);
    return 0;
}

void names_commit(struct names *n, uint64_t generation)
{
    if (!n->coming || n->coming->generation != generation)
        return;
    plan_free(&n->in_force);
    n->in_force = n->coming;
    n->coming = NULL;
    publish_in(n, 0);
}

void names_abort(struct names *n, uint64_t generation)
{
    if (n->coming && n->coming->generation == generation)
        plan_free(&n->coming);
}
