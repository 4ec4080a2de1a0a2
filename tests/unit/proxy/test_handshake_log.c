/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of handshakes: order, overwriting, and records that make no sense. */
#include <stdio.h>
#include <unistd.h>

#include "proxy/handshake_log.c"
#include "test.h"

static int fd;
static struct handshake_log *handshakes;
static struct handshake_view view;
static struct handshake_record got;

static void begin(void)
{
    struct error err;
    CHECK_INT(handshake_log_new(&fd, &err), 0);
    handshakes = handshake_log_open(fd, &err);
    CHECK_INT(handshake_log_map(fd, &view, &err), 0);
}

static void end(void)
{
    handshake_log_close(&handshakes);
    handshake_log_unmap(&view);
    close(fd);
}

static void record(int64_t time_ms)
{
    struct handshake_record *r = handshake_log_begin(handshakes);
    r->time_ms = time_ms;
    snprintf(r->listener, sizeof(r->listener), "web");
    handshake_log_end(handshakes);
}

TEST(what_is_recorded_is_read)
{
    begin();
    CHECK(!handshake_log_read(&view, 0, &got));
    record(5);
    CHECK_INT(handshake_log_count(&view), 1);
    CHECK(handshake_log_read(&view, 0, &got));
    CHECK_INT(got.time_ms, 5);
    CHECK_TEXT(got.listener, "web");
    CHECK(!handshake_log_read(&view, 1, &got));
    end();
}

TEST(the_oldest_is_overwritten_first)
{
    begin();
    for (int64_t i = 0; i < HANDSHAKE_LOG_SLOTS + 3; i++)
        record(i);
    CHECK(!handshake_log_read(&view, 2, &got));
    CHECK(handshake_log_read(&view, 3, &got));
    CHECK_INT(got.time_ms, 3);
    CHECK(handshake_log_read(&view, HANDSHAKE_LOG_SLOTS + 2, &got));
    end();
}

TEST(one_that_is_being_written_is_not_read)
{
    begin();
    for (int64_t i = 0; i < HANDSHAKE_LOG_SLOTS; i++)
        record(i);
    handshake_log_begin(handshakes)->time_ms = 7777;
    CHECK(!handshake_log_read(&view, 0, &got));
    CHECK(handshake_log_read(&view, 1, &got));
    end();
}

TEST(the_next_process_goes_on_behind)
{
    begin();
    record(1);
    handshake_log_begin(handshakes); /* killed here */
    struct error err;
    handshake_log_close(&handshakes);
    handshakes = handshake_log_open(fd, &err);
    record(2);
    CHECK_INT(handshake_log_count(&view), 2);
    CHECK(handshake_log_read(&view, 1, &got));
    CHECK_INT(got.time_ms, 2);
    end();
}

static void spoil(size_t offset, uint8_t byte)
{
    struct handshake_record *r = handshake_log_begin(handshakes);
    ((uint8_t *)r)[offset] = byte;
    handshake_log_end(handshakes);
}

TEST(a_record_out_of_range_is_not_handed_out)
{
    static const size_t offsets[] = {offsetof(struct handshake_record, result),
        offsetof(struct handshake_record, close), offsetof(struct handshake_record, resumed),
        offsetof(struct handshake_record, steps.verdict.accepted),
        offsetof(struct handshake_record, steps.verdict.reason),
        offsetof(struct handshake_record, steps.verdict.factors[3]),
        offsetof(struct handshake_record, steps.server.key_kind),
        offsetof(struct handshake_record, steps.seen.versions_offered_n),
        offsetof(struct handshake_record, peer_n) + 1};
    begin();
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        spoil(offsets[i], 200);
        CHECK(!handshake_log_read(&view, i, &got));
    }
    end();
}

TEST(a_text_without_end_is_ended)
{
    begin();
    memset(handshake_log_begin(handshakes)->remedy, 'x', sizeof(got.remedy));
    handshake_log_end(handshakes);
    CHECK(handshake_log_read(&view, 0, &got));
    CHECK_INT(strlen(got.remedy), sizeof(got.remedy) - 1);
    end();
}
