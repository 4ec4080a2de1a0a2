/* SPDX-License-Identifier: Apache-2.0 */
#include "role/vault.h"

#include <unistd.h>

#include "base/memory.h"
#include "role/keyring.h"
#include "role/ledger.h"

#include "base/ban.h"

/* On top of timeouts.drain: until the slowest worker has adopted the next generation, and a
 * handshake that began at the last moment is over. */
#define SLACK_MS 10000

static void send_forget(struct supervisor *s, uint64_t generation)
{
    child_send(&s->signer, &(struct message){.type = MESSAGE_FORGET, .generation = generation});
}

static void send_store(struct child *c, uint64_t generation, int fd)
{
    child_send(c, &(struct message){
                      .type = MESSAGE_STORE, .generation = generation, .fds = {fd}, .fds_n = 1});
}

static void send_keys(struct child *c, const struct generation *g)
{
    child_send(c, &(struct message){.type = MESSAGE_KEYS,
                      .generation = g->number,
                      .fds = {g->archive_fd, g->keys_fd},
                      .fds_n = 2});
}

/* ---- generations that are gone ---- */

static void forget_first(struct supervisor *s)
{
    struct vault *v = &s->vault;
    send_forget(s, v->kept[0].generation);
    close(v->kept[0].store_fd);
    v->n--;
    memmove(&v->kept[0], &v->kept[1], v->n * sizeof(v->kept[0]));
}

static void forget_due(struct timer *t);

/* A longer drain than its successor's keeps a generation behind those that are due: it is looked at
 * first, as it came first, and they wait. */
static void watch_first(struct supervisor *s)
{
    struct vault *v = &s->vault;
    if (v->n)
        loop_timer_arm(s->loop, &v->due, v->kept[0].until_ms, forget_due);
    else
        loop_timer_stop(s->loop, &v->due);
}

static void forget_due(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, vault.due);
    while (s->vault.n && s->vault.kept[0].until_ms <= loop_now_ms(s->loop))
        forget_first(s);
    watch_first(s);
}

void vault_retire(struct supervisor *s, struct generation *g)
{
    struct vault *v = &s->vault;
    if (v->n == VAULT_MAX)
        forget_first(s);
    v->kept[v->n++] = (struct vault_kept){.generation = g->number,
        .store_fd = g->store_fd,
        .until_ms = loop_now_ms(s->loop) + g->config->timeouts.drain + SLACK_MS};
    g->store_fd = -1;
    watch_first(s);
}

/* ---- the generation that is coming ---- */

void vault_prepare(struct supervisor *s)
{
    send_keys(&s->signer, s->coming);
}

bool vault_hear_stored(struct supervisor *s, struct message *m)
{
    struct generation *g = s->coming;
    if (!g || s->reload != RELOAD_PREPARING || g->number != m->generation || g->store_fd >= 0)
        return false;
    g->store_fd = message_take(m, 0);
    g->table_fd = message_take(m, 1);
    generation_close_keys(g);
    return true;
}

void vault_abort(struct supervisor *s, const struct generation *g)
{
    send_forget(s, g->number);
}

/* ---- the signer ---- */

void vault_greet_signer(struct supervisor *s, struct child *c)
{
    ledger_hand_out(c);
    for (size_t i = 0; i < s->vault.n; i++)
        send_store(c, s->vault.kept[i].generation, s->vault.kept[i].store_fd);
    if (s->in_force)
        send_store(c, s->in_force->number, s->in_force->store_fd);
    if (s->reload >= RELOAD_PREPARING && s->coming->store_fd >= 0)
        send_store(c, s->coming->number, s->coming->store_fd);
    else if (s->reload == RELOAD_PREPARING)
        send_keys(c, s->coming);
    for (unsigned i = 0; i < s->workers_n; i++)
        child_send_calls(c, &s->workers[i], i);
    child_send_calls(c, &s->control, KEYRING_CONTROL);
    child_send(c, &(struct message){.type = MESSAGE_SERVE});
}

void vault_committed(struct supervisor *s)
{
    const struct generation *g = s->in_force;
    child_send(&s->control, &(struct message){.type = MESSAGE_TARGETS,
                                .generation = g->number,
                                .fds = {g->archive_fd, g->table_fd},
                                .fds_n = 2});
}

void vault_greet_control(struct supervisor *s, struct child *c)
{
    child_send_calls(c, c, KEYRING_CONTROL);
    if (s->in_force)
        vault_committed(s);
}

void vault_fini(struct supervisor *s)
{
    loop_timer_stop(s->loop, &s->vault.due);
    for (size_t i = 0; i < s->vault.n; i++)
        close(s->vault.kept[i].store_fd);
    s->vault.n = 0;
}
