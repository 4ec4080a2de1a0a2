/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_target — the way of an exchange, or a relay, to a target. */
#include <stdio.h>

#include "balance/loads.h"
#include "proxy/exchange.h"
#include "proxy/proxy_parts.h"
#include "proxy/tally.h"
#include "proxy/target_fault.h"
#include "proxy/target_http1.h"
#include "proxy/target_http2.h"

#include "base/ban.h"

static const struct config_timeouts *timeouts(const struct exchange *e)
{
    return &service_config(e->conn->service)->timeouts;
}

static bool is_http(const struct exchange *e)
{
    return e->conn->listener->is_http;
}

/* No target will have it. */
static void fail(struct exchange *e, unsigned status, enum close_reason reason, const char *detail)
{
    if (is_http(e))
        exchange_fail(e, status, (int)reason, detail);
    else
        conn_close(e->conn, reason, detail);
}

static struct group_wish wish_of(const struct exchange *e)
{
    return (struct group_wish){.client = &e->conn->peer,
        .now_ms = conn_now_ms(e->conn),
        .tried = e->tried,
        .tried_n = e->tried_n,
        .wanted = sticky_wanted(e)};
}

static void failed(struct exchange *e)
{
    struct upstream *u = e->upstream;
    const struct target_fault *f = target_fault_of(u->fault);
    tally_target_failed(e, f->reason);
    bool is_connect =
        u->fault == UPSTREAM_FAULT_CONNECT || u->fault == UPSTREAM_FAULT_CONNECT_TIMEOUT;
    if (is_connect && e->tried_n < EXCHANGE_TARGETS_MAX &&
        group_can_pick(e->group, (struct group_wish[]){wish_of(e)})) {
        exchange_release(e, TARGET_CLOSE);
        exchange_connect(e, e->group, 0);
        return;
    }
    char detail[sizeof(u->detail)];
    snprintf(detail, sizeof(detail), "%s", u->detail);
    fail(e, f->status, f->reason, detail);
}

static void ready(struct exchange *e)
{
    if (is_http(e)) {
        exchange_goto(e, EXCHANGE_FLOW, timeouts(e)->response);
        e->target_ops->begin(e);
        if (!e->can_repeat)
            exchange_forget_request(e);
    } else {
        exchange_goto(e, EXCHANGE_RELAY, timeouts(e)->relay_idle);
    }
}

/* A request tells by itself whether it is whole; what is relayed does not (docs/adr/0002). */
void exchange_run_target(struct exchange *e)
{
    struct conn *c = e->conn;
    if (c->client.state == STREAM_FAILED)
        conn_client_failed(c);
    else if (c->client.state == STREAM_TRUNCATED && !is_http(e))
        conn_reset(c, CLOSE_CLIENT_TRUNCATED, "");
    else if (e->upstream->state == UPSTREAM_READY)
        ready(e);
    else if (e->upstream->state == UPSTREAM_FAILED)
        failed(e);
}

void exchange_late_target(struct exchange *e)
{
    fail(e, 504, CLOSE_TARGET_TIMEOUT, "");
}

/* To TARGET, at the address whose turn it is. */
static void connect_to(struct exchange *e, struct target *target, uint64_t idle_max_ms)
{
    const struct config_timeouts *t = timeouts(e);
    struct upstream_limits limits = {
        .connect_ms = t->connect, .handshake_ms = t->handshake, .idle_ms = t->idle};
    group_turn(target, conn_now_ms(e->conn));
    if (e->group->config->http2)
        target_http2_connect(e, target, &limits, idle_max_ms);
    else
        target_http1_connect(e, target, &limits, idle_max_ms);
    exchange_goto(e, EXCHANGE_TARGET,
        t->connect + t->handshake + 1000); /* the upstream's own timers come first */
}

void exchange_connect(struct exchange *e, struct group *group, uint64_t idle_max_ms)
{
    if (e->state != EXCHANGE_TARGET)
        e->tried_n = 0;
    e->group = group;
    loads_refresh(e->conn->proxy->loads, conn_now_ms(e->conn));
    struct target *target = group_pick(group, (struct group_wish[]){wish_of(e)});
    if (!target) {
        fail(e, 503, CLOSE_NO_TARGET, "");
        return;
    }
    e->tried[e->tried_n++] = target;
    sticky_chosen(e, target);
    connect_to(e, target, idle_max_ms);
}

void exchange_begin_relay(struct exchange *e, struct group *group)
{
    exchange_connect(e, group, 0);
}

void exchange_connect_anew(struct exchange *e)
{
    struct target *target = e->upstream->target;
    exchange_release(e, TARGET_CLOSE);
    e->is_repeated = true;
    connect_to(e, target, 0);
}
