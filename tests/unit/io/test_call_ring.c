/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/call_ring.c"
#include "test.h"

static struct call_ring_fds fds;
static struct call_ring asker, server;

static struct call_ring_fds copies(void)
{
    return (struct call_ring_fds){dup(fds.memory), dup(fds.server), dup(fds.asker)};
}

static void open_asker(void)
{
    struct error err;
    CHECK_INT(call_ring_open_asker(&asker, copies(), &err), 0);
}

static void open_server(void)
{
    struct error err;
    CHECK_INT(call_ring_open_server(&server, copies(), &err), 0);
}

static void begin(void)
{
    struct error err;
    CHECK_INT(call_ring_new(&fds, &err), 0);
    open_asker();
    open_server();
}

static void finish(void)
{
    call_ring_close(&asker);
    call_ring_close(&server);
    close(fds.memory);
    close(fds.server);
    close(fds.asker);
}

/* Has FD been written to since this was last asked? */
static bool was_woken(int fd)
{
    uint64_t n;
    return read(fd, &n, sizeof(n)) == sizeof(n);
}

static uint8_t space[CALL_RING_REQUEST_MAX];

/* The answer to what is asked is what was asked, backwards. */
static void serve(int place)
{
    struct bytes request = call_ring_receive(&server, place, space);
    uint8_t answer[CALL_RING_ANSWER_MAX];
    for (size_t i = 0; i < request.n; i++)
        answer[i] = request.at[request.n - 1 - i];
    call_ring_reply(&server, place, (struct bytes){answer, request.n});
}

static bool gives(int place, const char *text)
{
    uint8_t out[CALL_RING_ANSWER_MAX];
    size_t n;
    return call_ring_fetch(&asker, place, out, &n) &&
           bytes_equal((struct bytes){out, n}, bytes_of(text));
}

TEST(an_answer_comes_to_its_place)
{
    begin();
    int a = call_ring_ask(&asker, BYTES("ab"), BYTES("c"));
    int b = call_ring_ask(&asker, BYTES("de"), BYTES(""));
    CHECK(a != b);
    CHECK_INT(call_ring_asked(&server), BIT(a) | BIT(b));
    serve(b);
    CHECK_INT(call_ring_answered(&asker), BIT(b));
    CHECK(gives(b, "ed"));
    CHECK_INT(call_ring_asked(&server), BIT(a));
    serve(a);
    CHECK_INT(call_ring_answered(&asker), BIT(a));
    CHECK(gives(a, "cba"));
    CHECK_INT(asker.busy, 0);
    finish();
}

TEST(no_more_are_asked_than_there_are_places)
{
    begin();
    for (int i = 0; i < CALL_RING_PLACES; i++)
        CHECK_INT(call_ring_ask(&asker, BYTES("x"), BYTES("")), i);
    CHECK_INT(call_ring_ask(&asker, BYTES("x"), BYTES("")), -1);
    serve(17);
    CHECK_INT(call_ring_answered(&asker), BIT(17));
    CHECK(gives(17, "x"));
    CHECK_INT(call_ring_ask(&asker, BYTES("y"), BYTES("")), 17);
    finish();
}

TEST(a_burst_wakes_each_side_once_and_only_if_it_sleeps)
{
    begin();
    was_woken(server.own_fd); /* opening wakes it */
    int a = call_ring_ask(&asker, BYTES("a"), BYTES(""));
    call_ring_flush(&asker);
    CHECK(!was_woken(server.own_fd));
    CHECK(!call_ring_sleep(&server)); /* there is something to do */
    serve(a);
    CHECK(call_ring_sleep(&server));
    int b = call_ring_ask(&asker, BYTES("b"), BYTES(""));
    CHECK(!was_woken(server.own_fd));
    call_ring_flush(&asker);
    CHECK(was_woken(server.own_fd));
    int c = call_ring_ask(&asker, BYTES("c"), BYTES(""));
    call_ring_flush(&asker);
    CHECK(!was_woken(server.own_fd));
    call_ring_flush(&server);
    CHECK(was_woken(asker.own_fd)); /* it waits from the beginning */
    serve(b);
    call_ring_flush(&server);
    CHECK(!was_woken(asker.own_fd));
    CHECK_INT(call_ring_answered(&asker), BIT(a) | BIT(b));
    serve(c);
    call_ring_flush(&server);
    CHECK(was_woken(asker.own_fd));
    finish();
}

TEST(a_server_finds_what_was_asked_before_it_was_there)
{
    begin();
    int a = call_ring_ask(&asker, BYTES("abc"), BYTES(""));
    call_ring_close(&server);
    int b = call_ring_ask(&asker, BYTES("de"), BYTES(""));
    open_server();
    serve(a);
    serve(b);
    CHECK_INT(call_ring_answered(&asker), BIT(a) | BIT(b));
    CHECK(gives(a, "cba"));
    CHECK(gives(b, "ed"));
    finish();
}

TEST(what_a_server_died_of_is_answered_by_nothing_and_not_tried_again)
{
    begin();
    int a = call_ring_ask(&asker, BYTES("abc"), BYTES(""));
    int b = call_ring_ask(&asker, BYTES("de"), BYTES(""));
    call_ring_receive(&server, a, space);
    call_ring_close(&server);
    open_server();
    CHECK_INT(call_ring_asked(&server), BIT(b));
    CHECK_INT(call_ring_answered(&asker), BIT(a));
    CHECK(gives(a, ""));
    finish();
}

static bool is_in_memory(int place, const char *text)
{
    return memcmp(asker.memory->places[place].data, text, strlen(text)) == 0;
}

TEST(an_asker_leaves_alone_what_its_predecessor_asked)
{
    begin();
    int old = call_ring_ask(&asker, BYTES("old"), BYTES(""));
    int done = call_ring_ask(&asker, BYTES("done"), BYTES(""));
    serve(done);
    CHECK(is_in_memory(done, "enod"));
    call_ring_close(&asker);
    open_asker();
    CHECK(!is_in_memory(done, "enod")); /* what it was told is for nobody */
    int new = call_ring_ask(&asker, BYTES("new"), BYTES(""));
    CHECK(new != old);
    serve(old);
    CHECK_INT(call_ring_answered(&asker), BIT(old));
    CHECK(is_in_memory(old, "dlo"));
    CHECK(!gives(old, "dlo"));
    CHECK(!is_in_memory(old, "dlo"));
    CHECK_INT(asker.busy, BIT(new));
    finish();
}

/* The old worker's request was in the signer's hands when the new worker took its place: the answer
 * to it comes late, where the new request stands. */
TEST(a_late_answer_to_a_predecessor_is_not_taken_for_ours)
{
    begin();
    int old = call_ring_ask(&asker, BYTES("old"), BYTES(""));
    call_ring_receive(&server, old, space);
    atomic_fetch_and(&server.memory->asked, ~BIT(old)); /* half of call_ring_reply */
    call_ring_close(&asker);
    open_asker();
    int new = call_ring_ask(&asker, BYTES("new"), BYTES(""));
    CHECK_INT(new, old);
    server.memory->places[old].answered_serial = server.serials[old];
    atomic_fetch_or(&server.memory->answered, BIT(old));
    CHECK_INT(call_ring_answered(&asker), BIT(new));
    CHECK(!gives(new, "new"));
    CHECK_INT(asker.busy, BIT(new)); /* still asked */
    serve(new);
    CHECK_INT(call_ring_answered(&asker), BIT(new));
    CHECK(gives(new, "wen"));
    finish();
}

/* An eventfd that is full takes no more, and whoever waits for a change of it waits for ever. */
TEST(an_asker_that_fills_the_eventfds_does_not_keep_its_successor_from_the_server)
{
    begin();
    const uint64_t most = UINT64_MAX - 1;
    uint64_t written;
    was_woken(fds.server);
    was_woken(fds.asker);
    CHECK_INT(write(fds.server, &most, sizeof(most)), sizeof(most));
    CHECK_INT(write(fds.asker, &most, sizeof(most)), sizeof(most));
    call_ring_close(&asker);
    open_asker();
    CHECK_INT(read(fds.server, &written, sizeof(written)), sizeof(written));
    CHECK_INT(written, 1);
    serve(call_ring_ask(&asker, BYTES("a"), BYTES("")));
    call_ring_flush(&server);
    CHECK_INT(read(fds.asker, &written, sizeof(written)), sizeof(written));
    CHECK_INT(written, 1);
    finish();
}

TEST(nonsense_in_the_memory_harms_neither_side)
{
    begin();
    struct call_ring_memory *m = asker.memory;
    memset(m->places, 0xff, sizeof(m->places)); /* sizes */
    atomic_store(&m->asked, ~0ull);
    atomic_store(&m->answered, ~0ull);
    atomic_store(&m->in_hand, ~0u);
    CHECK_INT(call_ring_receive(&server, 5, space).n, 0);
    CHECK_INT(call_ring_answered(&asker), 0); /* nothing was asked */
    int a = call_ring_ask(&asker, BYTES("a"), BYTES(""));
    m->places[a].answered_serial = asker.serials[a];
    m->places[a].size = CALL_RING_ANSWER_MAX + 1;
    CHECK(gives(a, ""));
    call_ring_close(&server);
    open_server();
    finish();
}
