/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/limits.h"

#include "base/log.h"
#include "proxy/proxy_parts.h"
#include "proxy/tally.h"

#include "base/ban.h"

#define TOLD_MS 10000 /* the log is told at most so often of each listener */

/* What is limited: the keys of struct limiter, and the columns of the metric. */
enum limit {
    LIMIT_CONN,
    LIMIT_CPS,
    LIMIT_SOURCE_CONN,
    LIMIT_SOURCE_CPS,
    LIMIT_RPS,
    LIMIT_SOURCE_RPS,
    LIMIT_COUNT
};

static const struct {
    const char *name;
    enum listener_column column;
    bool is_of_source;
} limits[LIMIT_COUNT] = {
    [LIMIT_CONN] = {"max_conn", LISTENER_LIMITED_CONN, false},
    [LIMIT_CPS] = {"max_cps", LISTENER_LIMITED_CPS, false},
    [LIMIT_SOURCE_CONN] = {"per_source.max_conn", LISTENER_LIMITED_SOURCE_CONN, true},
    [LIMIT_SOURCE_CPS] = {"per_source.max_cps", LISTENER_LIMITED_SOURCE_CPS, true},
    [LIMIT_RPS] = {"max_rps", LISTENER_LIMITED_RPS, false},
    [LIMIT_SOURCE_RPS] = {"per_source.max_rps", LISTENER_LIMITED_SOURCE_RPS, true},
};

static uint64_t now_us(const struct conn *c)
{
    return loop_now_ms(c->proxy->loop) * 1000;
}

/* NAME: what the limit is of. */
static uint64_t key_of(const struct conn *c, enum limit what, struct bytes name)
{
    uint8_t source[16];
    address_octets(&c->peer, source);
    return limiter_key(c->proxy->limiter, what, name, limits[what].is_of_source ? source : NULL);
}

static const char *refuse(struct conn *c, enum limit what, unsigned max)
{
    struct tally *t = c->listener->tally;
    uint64_t now_ms = conn_now_ms(c);
    count_add(&t->listener[limits[what].column], 1);
    if (!t->limited_ms || now_ms - t->limited_ms >= TOLD_MS) {
        t->limited_ms = now_ms;
        log_info("listener %s: refused what is beyond limits.%s: %u%s", c->listener->config->name,
            limits[what].name, max, limits[what].is_of_source ? " for one source" : "");
    }
    return limits[what].name;
}

static bool passes(const struct conn *c, enum limit what, struct bytes name, unsigned max)
{
    return !max || limiter_pass(c->proxy->limiter, key_of(c, what, name), max, now_us(c));
}

static bool takes(
    const struct conn *c, enum limit what, struct bytes name, unsigned max, uint32_t *slot)
{
    return !max || limiter_take(c->proxy->limiter, key_of(c, what, name), max, now_us(c), slot);
}

/* Sources before all together: one that is beyond its own limit takes nothing of the others'. */
const char *limits_refuse_conn(struct conn *c)
{
    const struct config_limits *l = &c->listener->config->limits;
    struct bytes name = bytes_of(c->listener->config->name);
    if (!passes(c, LIMIT_SOURCE_CPS, name, l->per_source.max_cps))
        return refuse(c, LIMIT_SOURCE_CPS, l->per_source.max_cps);
    if (!takes(c, LIMIT_SOURCE_CONN, name, l->per_source.max_conn, &c->limits.of_source))
        return refuse(c, LIMIT_SOURCE_CONN, l->per_source.max_conn);
    if (!passes(c, LIMIT_CPS, name, l->max_cps))
        return refuse(c, LIMIT_CPS, l->max_cps);
    if (!takes(c, LIMIT_CONN, name, l->max_conn, &c->limits.of_listener))
        return refuse(c, LIMIT_CONN, l->max_conn);
    return NULL;
}

void limits_leave(struct conn *c)
{
    limiter_give(c->proxy->limiter, c->limits.of_listener);
    limiter_give(c->proxy->limiter, c->limits.of_source);
    c->limits = (struct limits_share){LIMITER_NO_SLOT, LIMITER_NO_SLOT};
}

const char *limits_refuse_request(struct exchange *e)
{
    struct conn *c = e->conn;
    const struct config_rule_limits *l = &e->rule->limits;
    struct bytes name = bytes_of(e->rule->label);
    if (!passes(c, LIMIT_SOURCE_RPS, name, l->per_source.max_rps))
        return refuse(c, LIMIT_SOURCE_RPS, l->per_source.max_rps);
    if (!passes(c, LIMIT_RPS, name, l->max_rps))
        return refuse(c, LIMIT_RPS, l->max_rps);
    return NULL;
}
