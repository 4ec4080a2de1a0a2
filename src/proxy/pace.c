/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pace.h"

#include "proxy/conn.h"

#include "base/ban.h"

static const struct config_timeouts *timeouts(const struct conn *c)
{
    return &service_config(c->service)->timeouts;
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
static uint64_t moved(const struct conn *c)
{
    switch (c->pace.party) {
    case PACE_CLIENT_SENDS:
        return c->client.received;
    case PACE_TARGET_SENDS:
        return c->upstream->stream.received;
    case PACE_TARGET_TAKES:
        return stream_taken(&c->upstream->stream);
    case PACE_CLIENT_TAKES:
        return stream_taken(&c->client);
    case PACE_NOBODY:
    case PACE_ANSWER:
    case PACE_PARTY_COUNT:
        break;
    }
    return 0;
}

/* What is too little in a span: a byte at least must move. */
static uint64_t needed(const struct conn *c)
{
    const struct config_timeouts *t = timeouts(c);
    uint64_t rate = c->pace.party == PACE_TARGET_SENDS ? t->response_rate : t->body_rate;
    uint64_t bytes = rate * t->body / 1000;
    return bytes ? bytes : 1;
}

static void begin_span(struct conn *c, struct pace_clock *clock)
{
    *clock = (struct pace_clock){.mark = moved(c), .has_begun = true};
    c->pace.since_ms = conn_now_ms(c);
}

void pace_watch(struct conn *c, enum pace_party party)
{
    struct pace *p = &c->pace;
    uint64_t now_ms = conn_now_ms(c), span_ms = timeouts(c)->body;
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
        begin_span(c, clock);
    if (clock)
        conn_progress(c, clock->waited_ms < span_ms ? span_ms - clock->waited_ms : 0);
    else
        conn_progress(c, timeouts(c)->response);
}

bool pace_is_kept(struct conn *c)
{
    struct pace_clock *clock = clock_of(&c->pace);
    if (!clock || moved(c) - clock->mark < needed(c))
        return false;
    begin_span(c, clock);
    conn_progress(c, timeouts(c)->body);
    return true;
}
