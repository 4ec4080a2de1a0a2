/* SPDX-License-Identifier: Apache-2.0 */
#include "role/shutdown.h"

#include "base/log.h"
#include "base/panic.h"
#include "role/notify.h"
#include "role/reload.h"
#include "role/staff.h"

#include "base/ban.h"

/* What a stage may take; for the workers on top of timeouts.drain, at which they cut their
 * connections themselves. */
#define STAGE_MAX_MS 5000
/* The workers' stage when told twice: to cut the connections and log them. */
#define HURRIED_MAX_MS 1000

#define STAFF(role)    (1u << (role))

static const unsigned staff_of[] = {
    [SHUTDOWN_NONE] = 0,
    [SHUTDOWN_WORKERS] = STAFF(ROLE_WORKER) | STAFF(ROLE_LOADER),
    [SHUTDOWN_CONTROL] = STAFF(ROLE_CONTROL) | STAFF(ROLE_SIGNER),
    [SHUTDOWN_LOGGER] = STAFF(ROLE_LOGGER),
    [SHUTDOWN_DONE] = 0,
};

static bool is_of_stage(const struct supervisor *s, const struct child *c)
{
    return staff_of[s->shutdown] & STAFF(c->role);
}

static void dismiss(struct supervisor *s, struct child *c)
{
    if (!is_of_stage(s, c))
        return;
    bool may_drain = c->role == ROLE_WORKER && !s->is_hurried;
    child_leave(c, may_drain ? MESSAGE_DRAIN : MESSAGE_STOP);
}

static void kill_late(struct supervisor *s, struct child *c)
{
    if (!is_of_stage(s, c) || !child_is_running(c))
        return;
    log_warning("%s (pid %d) does not end; killing it", c->name, (int)c->pid);
    child_kill(c);
}

static void limit_reached(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, shutdown_limit);
    staff_each(s, kill_late);
}

static uint64_t limit_ms(const struct supervisor *s)
{
    if (s->shutdown != SHUTDOWN_WORKERS)
        return STAGE_MAX_MS;
    if (s->is_hurried || !s->in_force)
        return HURRIED_MAX_MS;
    return s->in_force->config->timeouts.drain + STAGE_MAX_MS;
}

/* The only function that writes s->shutdown. */
static void shutdown_goto(struct supervisor *s, enum shutdown_state next)
{
    ASSERT(next == s->shutdown + 1);
    s->shutdown = next;
    if (next == SHUTDOWN_DONE) {
        loop_timer_stop(s->loop, &s->shutdown_limit);
        loop_stop(s->loop);
        return;
    }
    /* The last lines are in the rings: a logger that waits to be started again is needed now. */
    if (next == SHUTDOWN_LOGGER)
        staff_hurry(s);
    staff_each(s, dismiss);
    loop_timer_arm(s->loop, &s->shutdown_limit, loop_now_ms(s->loop) + limit_ms(s), limit_reached);
}

static bool has_running(const struct supervisor *s)
{
    const struct child *few[] = {&s->loader, &s->control, &s->logger, &s->signer};
    for (size_t i = 0; i < COUNT_OF(few); i++)
        if (is_of_stage(s, few[i]) && child_is_running(few[i]))
            return true;
    for (unsigned i = 0; i < s->workers_n; i++)
        if (is_of_stage(s, &s->workers[i]) && child_is_running(&s->workers[i]))
            return true;
    return false;
}

void shutdown_progress(struct supervisor *s)
{
    while (s->shutdown != SHUTDOWN_NONE && s->shutdown != SHUTDOWN_DONE && !has_running(s))
        shutdown_goto(s, s->shutdown + 1);
}

/* Told again: there is no time for draining. */
static void hurry(struct supervisor *s)
{
    if (s->shutdown != SHUTDOWN_WORKERS || s->is_hurried)
        return;
    s->is_hurried = true;
    log_info("stopping at once");
    staff_each(s, dismiss);
    loop_timer_arm(s->loop, &s->shutdown_limit, loop_now_ms(s->loop) + limit_ms(s), limit_reached);
}

void shutdown_begin(struct supervisor *s)
{
    if (s->shutdown != SHUTDOWN_NONE) {
        hurry(s);
        return;
    }
    notify_send("STOPPING=1");
    reload_cancel(s);
    if (s->in_force) {
        log_info("stopping: open exchanges may take %llu ms more",
            (unsigned long long)s->in_force->config->timeouts.drain);
        generation_close_endpoints(s->in_force);
    }
    shutdown_goto(s, SHUTDOWN_WORKERS);
    staff_send_state(s, false);
    shutdown_progress(s);
}

static void kill_but_loader(struct supervisor *s, struct child *c)
{
    if (c->role != ROLE_LOADER) /* reload_cancel has seen to it */
        child_kill(c);
}

void shutdown_abort(struct supervisor *s, int status)
{
    s->status = status;
    s->is_hurried = true;
    staff_each(s, kill_but_loader);
    shutdown_goto(s, SHUTDOWN_WORKERS);
    shutdown_progress(s);
}
