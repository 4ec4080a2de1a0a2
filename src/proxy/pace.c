/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pace.h"

#include "proxy/conn.h"

#include "base/ban.h"

static const struct config_timeouts *timeouts(const struct exchange *e)
{
    return &service_config(e->conn->service)->timeouts;
}

static bool is_of_response(enum pace_party party)
{
    return party == PACE_TARGET_SENDS || party == PACE_CLIENT_TAKES;
}

/* NULL: whoever is waited for has one span, and no second. */
static struct pace_clock *clock_of(struct pace *p)
{
    switch (p->party) {
    case PACE_CLIENT_SENDS:
    case PACE_TARGET_SENDS:
        return &p->clocks[0];
    case PACE_TARGET_TAKES:
    case PACE_CLIENT_TAKES:
        return &p->clocks[1];
    case PACE_NOBODY:
    case PACE_ANSWER:
    case PACE_PARTY_COUNT:
        break;
    }
    return NULL;
}

/* Bytes that the party has sent or taken since its connection began. */
static uint64_t moved(struct exchange *e)
{
    struct party *client = e->client.party, *target = e->target;
    switch (e->pace.party) {
    case PACE_CLIENT_SENDS:
        return client->ops->received(client);
    case PACE_TARGET_SENDS:
        return target->ops->received(target);
    case PACE_TARGET_TAKES:
        return target->ops->accepted(target);
    case PACE_CLIENT_TAKES:
        return client->ops->accepted(client);
    case PACE_NOBODY:
    case PACE_ANSWER:
    case PACE_PARTY_COUNT:
        break;
    }
    return 0;
}

/* What is too little in a span: a byte at least must move. */
static uint64_t needed(const struct exchange *e)
{
    const struct config_timeouts *t = timeouts(e);
    uint64_t rate = e->pace.party == PACE_TARGET_SENDS ? t->response_rate : t->body_rate;
    uint64_t bytes = rate * t->body / 1000;
    return bytes ? bytes : 1;
}

static void begin_span(struct exchange *e, struct pace_clock *clock)
{
    *clock = (struct pace_clock){.mark = moved(e), .has_begun = true};
    e->pace.since_ms = conn_now_ms(e->conn);
}

void pace_watch(struct exchange *e, enum pace_party party)
{
    struct pace *p = &e->pace;
    uint64_t now_ms = conn_now_ms(e->conn), span_ms = timeouts(e)->body;
    if (p->party == party)
        return;
    struct pace_clock *clock = clock_of(p);
    if (clock)
        clock->waited_ms += (uint32_t)(now_ms - p->since_ms);
    if (is_of_response(p->party) != is_of_response(party))
        *p = (struct pace){0};
    p->party = party;
    p->since_ms = now_ms;
    clock = clock_of(p);
    if (clock && !clock->has_begun)
        begin_span(e, clock);
    if (clock)
        exchange_progress(e, clock->waited_ms < span_ms ? span_ms - clock->waited_ms : 0);
    else
        exchange_progress(e, timeouts(e)->response);
}

bool pace_is_kept(struct exchange *e)
{
    struct pace_clock *clock = clock_of(&e->pace);
    if (!clock || moved(e) - clock->mark < needed(e))
        return false;
    begin_span(e, clock);
    exchange_progress(e, timeouts(e)->body);
    return true;
}
