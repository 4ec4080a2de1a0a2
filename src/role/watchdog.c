/* SPDX-License-Identifier: Apache-2.0 */
#include "role/watchdog.h"

#include "base/log.h"
#include "role/notify.h"

#include "base/ban.h"

/* A worker or signer that hangs must not hide behind a supervisor that does not. A worker that
 * builds a generation is excused: that has a limit of its own (reload.c). So is whoever has just
 * died, as it is being replaced. */
static bool is_alive(const struct child *c)
{
    return c->state != CHILD_UP || c->owed || c->has_ponged;
}

/* Did C answer the last question? Ask the next one. */
static bool ask(struct child *c)
{
    bool was_alive = is_alive(c);
    if (!was_alive)
        log_error(
            "%s (pid %d) does not answer; the watchdog will hear of it", c->name, (int)c->pid);
    c->has_ponged = false;
    child_send(c, &(struct message){.type = MESSAGE_PING});
    return was_alive;
}

static void tick(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, watchdog);
    bool all_alive = ask(&s->signer);
    for (unsigned i = 0; i < s->workers_n; i++)
        all_alive &= ask(&s->workers[i]);
    if (all_alive)
        notify_send("WATCHDOG=1");
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
