/* SPDX-License-Identifier: Apache-2.0 */
#include "role/resolution.h"

#include <unistd.h>

#include "base/log.h"
#include "role/reload.h"

#include "base/ban.h"

/* The workers are told no more often, whatever control says. */
#define PAUSE_MS 20

void resolution_fini(struct supervisor *s)
{
    loop_timer_stop(s->loop, &s->book.limit);
    loop_timer_stop(s->loop, &s->book.pause);
    if (s->book.fd >= 0)
        close(s->book.fd);
    s->book.fd = -1;
}

/* ---- the book ---- */

static void send_book(struct supervisor *s, struct child *to)
{
    if (s->book.fd >= 0)
        child_send(
            to, &(struct message){.type = MESSAGE_ADDRESSES, .fds = {s->book.fd}, .fds_n = 1});
}

static void pause_over(struct timer *t);

static void tell_workers(struct supervisor *s)
{
    for (unsigned i = 0; i < s->workers_n; i++)
        send_book(s, &s->workers[i]);
    s->book.is_due = false;
    loop_timer_arm(s->loop, &s->book.pause, loop_now_ms(s->loop) + PAUSE_MS, pause_over);
}

static void pause_over(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, book.pause);
    if (s->book.is_due)
        tell_workers(s);
}

/* ---- whom a commit waits for ---- */

static void await_no_longer(struct supervisor *s)
{
    s->book.is_awaited = false;
    loop_timer_stop(s->loop, &s->book.limit);
    if (s->book.is_due) /* before the commit */
        tell_workers(s);
}

static void late(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, book.limit);
    log_warning("not every name of a target has been resolved within %d s; going on without these",
        RESOLUTION_AWAIT_MS / 1000);
    await_no_longer(s);
    reload_progress(s);
}

bool resolution_is_awaited(const struct supervisor *s)
{
    return s->book.is_awaited;
}

void resolution_hear(struct supervisor *s, struct message *m)
{
    if (s->book.fd >= 0)
        close(s->book.fd);
    s->book.fd = message_take(m, 0);
    s->book.is_due = true;
    if (!s->book.pause.slot)
        tell_workers(s);
    if (!s->book.is_awaited || m->generation != s->coming->number)
        return;
    await_no_longer(s);
    reload_progress(s);
}

/* ---- generations ---- */

static void send_names(struct supervisor *s, const struct generation *g)
{
    child_send(&s->control,
        &(struct message){
            .type = MESSAGE_NAMES, .generation = g->number, .fds = {g->archive_fd}, .fds_n = 1});
}

static void send_fate(struct supervisor *s, enum message_type type, const struct generation *g)
{
    child_send(&s->control, &(struct message){.type = type, .generation = g->number});
}

void resolution_greet_control(struct supervisor *s)
{
    send_book(s, &s->control);
    if (s->in_force) {
        send_names(s, s->in_force);
        send_fate(s, MESSAGE_COMMIT, s->in_force);
    }
    if (s->reload == RELOAD_PREPARING)
        send_names(s, s->coming);
}

void resolution_greet_worker(struct supervisor *s, struct child *worker)
{
    send_book(s, worker);
}

void resolution_prepare(struct supervisor *s)
{
    s->book.is_awaited = config_has_names(s->coming->config);
    if (s->book.is_awaited)
        loop_timer_arm(s->loop, &s->book.limit, loop_now_ms(s->loop) + RESOLUTION_AWAIT_MS, late);
    send_names(s, s->coming);
}

void resolution_commit(struct supervisor *s)
{
    send_fate(s, MESSAGE_COMMIT, s->in_force);
}

void resolution_abort(struct supervisor *s)
{
    await_no_longer(s);
    if (s->coming)
        send_fate(s, MESSAGE_ABORT, s->coming);
}
