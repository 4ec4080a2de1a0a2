/* SPDX-License-Identifier: Apache-2.0 */
#include "role/ledger.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/shared_memory.h"
#include "proxy/handshake_log.h"

#include "base/ban.h"

int ledger_open(struct supervisor *s, struct error *err)
{
    if (counters_new(&s->counters_fd, err) < 0)
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
}

int ledger_equip(struct child *c, struct error *err)
{
    if (counters_new(&c->counters_fd, err) < 0)
        return -1;
    return c->role == ROLE_WORKER ? handshake_log_new(&c->handshakes_fd, err) : 0;
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

void ledger_show_peers(struct supervisor *s, struct child *c)
{
    struct error err;
    for (unsigned i = 0; i < s->workers_n; i++) {
        int fd = i == c->index ? -1 : shared_memory_reader(s->workers[i].counters_fd, &err);
        if (fd >= 0)
            child_send(c, &(struct message){.type = MESSAGE_PEER, .fds = {fd}, .fds_n = 1});
        else if (i != c->index)
            log_error("%s cannot see what %s does: %s", c->name, s->workers[i].name, err.text);
        if (fd >= 0)
            close(fd);
    }
}

void ledger_show(struct supervisor *s)
{
    for (unsigned i = 0; i < s->workers_n; i++)
        give(&s->control, i, s->workers[i].counters_fd, s->workers[i].handshakes_fd);
    give(&s->control, s->workers_n, s->logger.counters_fd, -1);
    give(&s->control, s->workers_n + 1, s->counters_fd, -1);
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
