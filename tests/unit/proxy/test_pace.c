/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pace.h"
#include "proxy/proxy_parts.h"
#include "test.h"

#define SPAN_MS 10000

static struct config config = {.timeouts = {.body = SPAN_MS, .response = 5000, .body_rate = 100}};
static struct service service = {.config = &config};
static struct proxy proxy;
static struct upstream upstream;
static struct conn conn;
#define exchange conn.exchange

static void begin(void)
{
    struct error err;
    if (!proxy.loop)
        proxy.loop = loop_new(&err);
    conn = (struct conn){.proxy = &proxy, .service = &service};
    exchange_init(
        &exchange, &conn, client_http1_init(&conn.http1, &conn.client), &conn.timer, NULL);
    party_http1_init(&exchange.http1, &upstream.stream);
    exchange.target = &exchange.http1.party;
    conn.client.fd = upstream.stream.fd = -1;
}

/* MS pass while the same party is waited for. */
static void pass(uint64_t ms)
{
    exchange.pace.since_ms -= ms;
}

static uint64_t left_ms(void)
{
    return conn.timer.deadline_ms - loop_now_ms(proxy.loop);
}

static void end(void)
{
    loop_timer_stop(proxy.loop, &conn.timer);
}

TEST(a_clock_runs_only_while_its_party_is_waited_for)
{
    begin();
    pace_watch(&exchange, PACE_TARGET_SENDS);
    CHECK_INT(left_ms(), SPAN_MS);
    pass(1000);
    pace_watch(&exchange, PACE_CLIENT_TAKES);
    CHECK_INT(left_ms(), SPAN_MS);
    pass(2500);
    pace_watch(&exchange, PACE_TARGET_SENDS);
    CHECK_INT(left_ms(), SPAN_MS - 1000);
    pass(SPAN_MS);
    pace_watch(&exchange, PACE_CLIENT_TAKES);
    CHECK_INT(left_ms(), SPAN_MS - 2500);
    pace_watch(&exchange, PACE_TARGET_SENDS); /* who has no time left is asked at once */
    CHECK_INT(left_ms(), 0);
    end();
}

TEST(to_be_waited_for_again_is_no_new_span)
{
    begin();
    conn.client.received = 500;
    pace_watch(&exchange, PACE_CLIENT_SENDS);
    pace_watch(&exchange, PACE_TARGET_TAKES);
    conn.client.received += 999; /* one less than the rate says */
    pace_watch(&exchange, PACE_CLIENT_SENDS);
    CHECK(!pace_is_kept(&exchange));
    conn.client.received++;
    CHECK(pace_is_kept(&exchange));
    CHECK(!pace_is_kept(&exchange)); /* that was another span */
    end();
}

TEST(the_response_begins_anew)
{
    begin();
    pace_watch(&exchange, PACE_CLIENT_SENDS);
    pass(4000);
    pace_watch(&exchange, PACE_ANSWER);
    CHECK_INT(left_ms(), 5000);
    CHECK(!pace_is_kept(&exchange));
    pace_watch(&exchange, PACE_TARGET_SENDS);
    CHECK_INT(left_ms(), SPAN_MS);
    upstream.stream.received++;
    CHECK(pace_is_kept(&exchange)); /* without a rate a byte will do */
    CHECK(!pace_is_kept(&exchange));
    end();
}
