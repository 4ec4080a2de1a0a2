/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/loads.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

#define SOURCES_MAX      256
#define ACTIVE_MAX       (1u << 30) /* of one target in one worker; more makes no sense */
#define READS_PER_MS_MAX 1000       /* on average */

/* What one worker has under way at one of the targets. */
struct load {
    const struct count *active;
    struct target *target;
};

struct loads {
    struct counters_view *sources;
    size_t sources_n;
    struct target **targets; /* by label */
    size_t targets_n;
    struct load *loads;
    size_t loads_n, loads_max;
    uint64_t due_ms;
};

struct loads *loads_new(void)
{
    return mem_calloc(1, sizeof(struct loads));
}

static void forget(struct loads *l)
{
    free(l->targets);
    free(l->loads);
    l->targets = NULL;
    l->loads = NULL;
    l->targets_n = l->loads_n = l->loads_max = 0;
}

void loads_free(struct loads **lp)
{
    struct loads *l = *lp;
    *lp = NULL;
    if (!l)
        return;
    for (size_t i = 0; i < l->sources_n; i++)
        counters_unmap(&l->sources[i]);
    free(l->sources);
    forget(l);
    free(l);
}

int loads_add_source(struct loads *l, int fd, struct error *err)
{
    struct counters_view view = {0};
    if (l->sources_n == SOURCES_MAX)
        return error_set(err, "more workers than there can be");
    if (counters_map(fd, &view, err) < 0)
        return -1;
    l->sources = mem_realloc(l->sources, (l->sources_n + 1) * sizeof(*l->sources));
    l->sources[l->sources_n++] = view;
    return 0;
}

/* ---- whose loads ---- */

static int by_label(const void *x, const void *y)
{
    const struct target *const *a = x, *const *b = y;
    return ((*a)->label > (*b)->label) - ((*a)->label < (*b)->label);
}

void loads_adopt(struct loads *l, struct group *groups, size_t groups_n)
{
    forget(l);
    for (size_t i = 0; i < l->sources_n; i++)
        l->sources[i].seen = 0;
    for (size_t i = 0; i < groups_n; i++) {
        struct group *g = &groups[i];
        if (!g->scheduler.kind->needs_loads)
            continue;
        l->targets = mem_realloc(l->targets, (l->targets_n + g->targets_n) * sizeof(*l->targets));
        for (size_t k = 0; k < g->targets_n; k++)
            l->targets[l->targets_n++] = &g->targets[k];
    }
    if (l->targets_n)
        qsort(l->targets, l->targets_n, sizeof(*l->targets), by_label);
    l->due_ms = 0;
}

static struct target *find(const struct loads *l, struct bytes labels)
{
    const char *group = (const char *)labels.at;
    const struct target key = {.label = group_label(group, group + strlen(group) + 1)};
    const struct target *const pointer = &key;
    struct target **found =
        bsearch(&pointer, l->targets, l->targets_n, sizeof(*l->targets), by_label);
    return found ? *found : NULL;
}

static void note(void *owner, const struct counters_seen *row)
{
    struct loads *l = owner;
    struct target *t = row->row == COUNTERS_TARGET ? find(l, row->labels) : NULL;
    if (!t)
        return;
    if (l->loads_n == l->loads_max) {
        l->loads_max = l->loads_max ? 2 * l->loads_max : 64;
        l->loads = mem_realloc(l->loads, l->loads_max * sizeof(*l->loads));
    }
    l->loads[l->loads_n++] = (struct load){&row->counts[TARGET_ACTIVE], t};
}

/* ---- how much ---- */

void loads_refresh(struct loads *l, uint64_t now_ms)
{
    if (!l->targets_n || now_ms < l->due_ms)
        return;
    for (size_t i = 0; i < l->sources_n; i++) /* a worker makes rows as it needs them */
        counters_each_new(&l->sources[i], note, l);
    for (size_t i = 0; i < l->targets_n; i++)
        l->targets[i]->elsewhere = 0;
    for (size_t i = 0; i < l->loads_n; i++) {
        uint64_t active = count_get(l->loads[i].active);
        l->loads[i].target->elsewhere += active <= ACTIVE_MAX ? active : 0;
    }
    l->due_ms = now_ms + LOADS_AGE_MS + l->loads_n / READS_PER_MS_MAX;
}
