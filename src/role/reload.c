/* SPDX-License-Identifier: Apache-2.0 */
#include "role/reload.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "role/ledger.h"
#include "role/notify.h"
#include "role/proposal.h"
#include "role/resolution.h"
#include "role/shutdown.h"
#include "role/staff.h"
#include "role/vault.h"
#include "role/watchdog.h"

#include "base/ban.h"

/* For the loader, and then for the signer and the workers. */
#define STATE_MAX_MS 60000
/* For control to make durable what it proposed: until then nobody else gets on. */
#define DECIDING_MAX_MS 10000
/* As many as the configuration may ask for. */
#define WORKERS_MAX 256

#define TO(state)   (1u << (state))

static const struct {
    unsigned next;
    uint64_t max_ms;
    const char *late;
} states[] = {
    [RELOAD_NONE] = {TO(RELOAD_LOADING), 0, NULL},
    [RELOAD_LOADING] = {TO(RELOAD_PREPARING) | TO(RELOAD_NONE), STATE_MAX_MS,
        "the files that the configuration names could not be read within a minute"},
    [RELOAD_PREPARING] = {TO(RELOAD_DECIDING) | TO(RELOAD_NONE), STATE_MAX_MS,
        "signer and workers could not get the configuration ready within a minute"},
    [RELOAD_DECIDING] = {TO(RELOAD_NONE), DECIDING_MAX_MS,
        "control could not make the change durable within ten seconds"},
};

static void late(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, reload_limit);
    generation_fault(s->coming, "%s", states[s->reload].late);
    reload_fail(s);
}

/* The only function that writes s->reload. */
static void reload_goto(struct supervisor *s, enum reload_state next)
{
    ASSERT(states[s->reload].next & TO(next));
    s->reload = next;
    if (next == RELOAD_NONE)
        loop_timer_stop(s->loop, &s->reload_limit);
    else
        loop_timer_arm(s->loop, &s->reload_limit, loop_now_ms(s->loop) + states[next].max_ms, late);
}

/* A loader that has answered (it is "up") is on its way out by itself. */
static void kill_loader(struct supervisor *s)
{
    if (s->loader.state == CHILD_STARTING)
        child_kill(&s->loader);
}

/* The reload is over, whichever way. */
static void finish(struct supervisor *s)
{
    generation_free(&s->coming);
    reload_goto(s, RELOAD_NONE);
    notify_send("READY=1");
    reload_next(s);
}

/* ---- commit ---- */

static bool is_listening_on(const struct generation *g, const struct endpoint *e)
{
    for (size_t i = 0; g && i < g->endpoints_n; i++)
        if (g->endpoints[i] == e)
            return true;
    return g && g->admin == e;
}

static void log_endpoints(const struct generation *g, const struct generation *old)
{
    char address[ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < g->endpoints_n; i++) {
        const struct config_listener *l = &g->config->listeners[i];
        address_format(&g->endpoints[i]->bound, address);
        if (!is_listening_on(old, g->endpoints[i]))
            log_info("listener %s: %s %s", l->name, config_protocol_name(l->protocol), address);
    }
    if (g->admin && !is_listening_on(old, g->admin)) {
        address_format(&g->admin->bound, address);
        log_info("admin: HTTP %s", address);
    }
}

static void commit(struct supervisor *s)
{
    struct generation *old = s->in_force, *g = s->coming;
    s->in_force = g;
    s->coming = NULL;
    page_publish(s->page, g->number);
    staff_tell_workers(s, MESSAGE_COMMIT, g->number);
    resolution_commit(s);
    vault_committed(s);
    for (unsigned i = 0; i < s->workers_n; i++)
        child_is_up(&s->workers[i]);
    ledger_committed(s);
    staff_send_log(s);
    staff_send_admin(s);
    staff_send_state(s, true);
    generation_log_report(g, s->proposal.is_begun ? old : NULL); /* warnings */
    log_endpoints(g, old);
    if (s->proposal.is_begun)
        log_info("changed by the API: generation %llu", (unsigned long long)g->number);
    else if (old)
        log_info("reloaded: generation %llu", (unsigned long long)g->number);
    else
        log_info("ready: generation %llu, %u workers", (unsigned long long)g->number, s->workers_n);
    if (old)
        vault_retire(s, old);
    generation_free(&old);
    if (s->proposal.is_begun)
        proposal_committed(s);
    finish(s);
    watchdog_start(s);
}

/* A worker that has died since all were ready is back before the commit. */
void reload_progress(struct supervisor *s)
{
    if (s->reload < RELOAD_PREPARING || !staff_is_ready_for(s, s->coming->number) ||
        resolution_is_awaited(s))
        return;
    if (!s->proposal.is_begun || s->proposal.is_decided) {
        commit(s);
    } else if (s->reload == RELOAD_PREPARING) {
        reload_goto(s, RELOAD_DECIDING);
        proposal_prepared(s);
    }
}

/* ---- failure ---- */

void reload_fail(struct supervisor *s)
{
    if (!s->in_force) {
        /* The operator stands before the terminal: as `sallyport check` says it. */
        char *text = report_text(&s->coming->report);
        fputs(text, stderr);
        free(text);
        reload_cancel(s);
        shutdown_abort(s, 1);
        return;
    }
    if (s->proposal.is_begun) {
        generation_log_refusal(s->coming);
        proposal_refused(s, &s->coming->report);
    } else {
        log_error("reload failed, generation %llu stays in force:",
            (unsigned long long)s->in_force->number);
        generation_log_report(s->coming, NULL);
        ledger_reload_failed(s);
    }
    staff_tell_workers(s, MESSAGE_ABORT, s->coming->number);
    vault_abort(s, s->coming);
    resolution_abort(s);
    kill_loader(s);
    finish(s);
}

void reload_cancel(struct supervisor *s)
{
    if (s->reload == RELOAD_NONE)
        return;
    reload_goto(s, RELOAD_NONE);
    resolution_abort(s);
    generation_free(&s->coming);
    kill_loader(s);
}

/* ---- load, prepare ---- */

static unsigned count_cores(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
        return 1;
    unsigned n = (unsigned)CPU_COUNT(&cores);
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}

/* Start-up: the configuration says who the others are to be and how many. */
static int open_first(struct supervisor *s, struct generation *g)
{
    const struct config *c = g->config;
    unsigned workers_n = c->workers ? c->workers : count_cores();
    struct error err;
    if (privilege_resolve(c->user, &s->means.identity, &err) < 0) {
        report_error(&g->report, c->user_at, "%s", err.text);
        return -1;
    }
    if (generation_open(g, NULL, workers_n) < 0)
        return -1;
    if (c->state_dir && state_folder_open(c->state_dir, &s->means.identity, &s->state, &err) < 0) {
        report_error(&g->report, c->state_at, "%s", err.text);
        return -1;
    }
    reload_goto(s, RELOAD_PREPARING);
    resolution_prepare(s);
    if (staff_hire(s, workers_n, &err) == 0)
        return 0;
    generation_fault(g, "%s", err.text);
    return -1;
}

static int open_next(struct supervisor *s, struct generation *g)
{
    if (generation_may_follow(g, s->in_force) < 0 ||
        generation_open(g, s->in_force, s->workers_n) < 0)
        return -1;
    /* Whoever died too often may have died of what this reload mends; it is sent both generations.
     */
    staff_hurry(s);
    reload_goto(s, RELOAD_PREPARING);
    resolution_prepare(s);
    vault_prepare(s);
    return 0;
}

void reload_loaded(struct supervisor *s, const struct generation_files *files)
{
    struct generation *g = s->coming;
    int failed = generation_load(g, files);
    if (!failed)
        failed = s->in_force ? open_next(s, g) : open_first(s, g);
    if (failed)
        reload_fail(s);
}

static void begin(struct supervisor *s)
{
    struct error err;
    s->coming = generation_new(s->in_force ? s->in_force->number + 1 : 1);
    reload_goto(s, RELOAD_LOADING);
    if (staff_start_loader(s, &err) < 0) {
        generation_fault(s->coming, "%s", err.text);
        reload_fail(s);
    }
}

/* The file goes first: what is proposed next is held against it. */
void reload_next(struct supervisor *s)
{
    if (s->reload != RELOAD_NONE || child_is_running(&s->loader) || s->shutdown != SHUTDOWN_NONE)
        return;
    if (s->must_reload_again)
        reload_begin(s);
    else if (s->in_force && proposal_take_turn(s))
        begin(s);
}

void reload_begin(struct supervisor *s)
{
    if (s->reload != RELOAD_NONE || child_is_running(&s->loader)) {
        s->must_reload_again = true;
        return;
    }
    s->must_reload_again = false;
    if (s->in_force) {
        log_info("reloading %s", s->config);
        notify_reloading();
    }
    begin(s);
}
