/* SPDX-License-Identifier: Apache-2.0 */
#include "role/watchdog.h"

#include "base/log.h"
#include "role/notify.h"
#include "role/staff.h"

#include "base/ban.h"

/* A worker that hangs must not hide behind a supervisor that does not. One that builds a generation
 * is excused: that has a limit of its own (reload.c). So is one that has just died, as it is being
 * replaced. */
static bool is_alive(const struct child *worker)
{
    return worker->state != CHILD_UP || worker->owed || worker->has_ponged;
}

static void tick(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, watchdog);
    bool all_alive = true;
    for (unsigned i = 0; i < s->workers_n; i++) {
        struct child *w = &s->workers[i];
        if (!is_alive(w)) {
            all_alive = false;
            log_error(
                "%s (pid %d) does not answer; the watchdog will hear of it", w->name, (int)w->pid);
        }
        w->has_ponged = false;
    }
    if (all_alive)
        notify_send("WATCHDOG=1");
    staff_tell_workers(s, MESSAGE_PING, 0);
    loop_timer_arm(s->loop, t, loop_now_ms(s->loop) + s->watchdog_ms / 2, tick);
}

void watchdog_start(struct supervisor *s)
{
    if (s->watchdog.slot || !(s->watchdog_ms = notify_watchdog_ms()))
        return;
    tick(&s->watchdog);
}

void watchdog_stop(struct supervisor *s)
{
    loop_timer_stop(s->loop, &s->watchdog);
}
