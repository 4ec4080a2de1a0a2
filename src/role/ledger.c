/* SPDX-License-Identifier: Apache-2.0 */
#include "role/ledger.h"

#include <unistd.h>

#include "balance/health_table.h"
#include "balance/limiter.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/shared_memory.h"
#include "proxy/handshake_log.h"

#include "base/ban.h"

int ledger_open(struct supervisor *s, struct error *err)
{
    if (counters_new(&s->counters_fd, err) < 0 || health_table_new(&s->health_fd, err) < 0 ||
        limiter_new(&s->limits_fd, err) < 0)
        return -1;
    s->counters = counters_open(s->counters_fd, err);
    if (!s->counters)
        return -1;
    s->instance = counters_row(s->counters, COUNTERS_INSTANCE, NULL);
    count_set(&s->instance[INSTANCE_STARTED], (uint64_t)clock_wall_s());
    count_set(&s->instance[INSTANCE_UNBOXED], s->means.is_sandbox_off);
    return 0;
}

void ledger_close(struct supervisor *s)
{
    counters_close(&s->counters);
    if (s->counters_fd >= 0)
        close(s->counters_fd);
    if (s->health_fd >= 0)
        close(s->health_fd);
    if (s->limits_fd >= 0)
        close(s->limits_fd);
}

int ledger_equip(struct child *c, struct error *err)
{
    if (counters_new(&c->counters_fd, err) < 0)
        return -1;
    if (c->role != ROLE_WORKER)
        return 0;
    return handshake_log_new(&c->handshakes_fd, err) < 0 || sticky_table_new(&c->sticky_fd, err) < 0
               ? -1
               : 0;
}

static void give(struct child *to, uint32_t index, int counters_fd, int handshakes_fd)
{
    child_send(to, &(struct message){.type = MESSAGE_COUNTERS,
                       .index = index,
                       .fds = {counters_fd, handshakes_fd},
                       .fds_n = handshakes_fd >= 0 ? 2 : 1});
}

void ledger_hand_out(struct child *c)
{
    give(c, c->index, c->counters_fd, c->handshakes_fd);
}

/* FDS, only to be read. */
static void show(struct child *to, enum message_type type, const int *fds, size_t n)
{
    struct message m = {.type = type};
    struct error err;
    for (; m.fds_n < n; m.fds_n++) {
        m.fds[m.fds_n] = shared_memory_reader(fds[m.fds_n], &err);
        if (m.fds[m.fds_n] < 0)
            break;
    }
    if (m.fds_n == n)
        child_send(to, &m);
    else
        log_error("%s is not shown what others write: %s", to->name, err.text);
    message_close(&m);
}

void ledger_show_worker(struct supervisor *s, struct child *c)
{
    child_send(
        c, &(struct message){
               .type = MESSAGE_LIMITS, .index = c->index, .fds = {s->limits_fd}, .fds_n = 1});
    child_send(c, &(struct message){.type = MESSAGE_STICKINESS,
                      .fds = {c->sticky_fd},
                      .fds_n = 1,
                      .text = {s->sticky_key, sizeof(s->sticky_key)}});
    show(c, MESSAGE_HEALTH, &s->health_fd, 1);
    for (unsigned i = 0; i < s->workers_n; i++) {
        const int fds[] = {s->workers[i].counters_fd, s->workers[i].sticky_fd};
        if (i != c->index)
            show(c, MESSAGE_PEER, fds, COUNT_OF(fds));
    }
}

void ledger_show(struct supervisor *s)
{
    for (unsigned i = 0; i < s->workers_n; i++)
        give(&s->control, i, s->workers[i].counters_fd, s->workers[i].handshakes_fd);
    give(&s->control, s->workers_n, s->logger.counters_fd, -1);
    give(&s->control, s->workers_n + 1, s->counters_fd, -1);
    child_send(&s->control, &(struct message){.type = MESSAGE_HEALTH,
                                .index = s->workers_n + 2,
                                .fds = {s->health_fd, s->control.counters_fd},
                                .fds_n = 2});
    give(&s->control, s->workers_n + 3, s->signer.counters_fd, -1);
}

void ledger_committed(struct supervisor *s)
{
    const struct generation *g = s->in_force;
    counters_clear(s->counters, COUNTERS_ADDRESS);
    for (size_t i = 0; i < g->endpoints_n; i++) {
        const struct config_listener *l = &g->config->listeners[i];
        char address[ADDRESS_TEXT_MAX];
        address_format(&g->endpoints[i]->bound, address);
        const char *labels[] = {l->name, config_protocol_name(l->protocol), address};
        count_set(&counters_row(s->counters, COUNTERS_ADDRESS, labels)[ADDRESS_IN_FORCE], 1);
    }
    count_set(&s->instance[INSTANCE_GENERATION], g->number);
    count_set(&s->instance[INSTANCE_RELOADED], (uint64_t)clock_wall_s());
    count_add(&s->instance[INSTANCE_RELOADS], g->number > 1);
}

void ledger_reload_failed(struct supervisor *s)
{
    count_add(&s->instance[INSTANCE_RELOADS_FAILED], 1);
}

void ledger_died(struct supervisor *s, const struct child *c)
{
    const char *labels[] = {c->name};
    count_add(&counters_row(s->counters, COUNTERS_PROCESS, labels)[PROCESS_RESTARTS], 1);
}
