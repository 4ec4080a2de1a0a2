/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "balance/signatory.h"
#include "base/clock.h"
#include "base/memory.h"
#include "test.h"

#include "base/ban.h"

/* A signatory, and the other end of its ring. */
static struct loop *l;
static struct signatory *s;
static struct call_ring signer;
static struct count counts[INSTANCE_COLUMNS];
static unsigned answers;

static struct call_ring_fds copies(struct call_ring_fds fds)
{
    return (struct call_ring_fds){dup(fds.memory), dup(fds.server), dup(fds.asker)};
}

static void begin(void)
{
    struct error err;
    struct call_ring_fds fds;
    l = loop_new(&err);
    s = signatory_new(l);
    memset(counts, 0, sizeof(counts));
    answers = 0;
    signatory_count(s, counts);
    CHECK_INT(call_ring_new(&fds, &err), 0);
    CHECK_INT(call_ring_open_server(&signer, copies(fds), &err), 0);
    CHECK_INT(signatory_open(s, fds, &err), 0);
}

static void finish(void)
{
    signatory_free(&s);
    loop_free(&l);
    call_ring_close(&signer);
}

/* Was the signer, which sleeps, woken since this was last asked? */
static bool has_woken_signer(void)
{
    uint64_t n;
    return read(signer.own_fd, &n, sizeof(n)) == sizeof(n);
}

/* What was written when the ring was opened is not in the tests' way. */
static void begin_asleep(void)
{
    begin();
    loop_turn(l, 0);
    ignore_result(has_woken_signer());
    CHECK(call_ring_sleep(&signer));
}

static void note_answer(struct signing_call *call, const struct signing_answer *answer)
{
    CHECK_INT(answer->outcome, SIGNING_INTERRUPTED); /* an empty one */
    answers++;
}

static void ask(struct signing_call *call)
{
    static const uint8_t hash[32];
    *call = (struct signing_call){
        .answered = note_answer, .request = {SIGNING_SERVER_13, 0x0403, {hash, sizeof(hash)}}};
    signatory_office(s)->ask(signatory_office(s), call);
}

static void answer_all(void)
{
    static uint8_t space[CALL_RING_REQUEST_MAX];
    for (uint64_t asked; (asked = call_ring_asked(&signer));) {
        int place = __builtin_ctzll(asked);
        call_ring_receive(&signer, place, space);
        call_ring_reply(&signer, place, (struct bytes){0});
    }
    call_ring_flush(&signer);
}

static void pass(uint64_t us)
{
    for (uint64_t until = clock_monotonic_us() + us; clock_monotonic_us() < until;)
        continue;
}

TEST(a_turn_wakes_the_signer_once_at_its_end)
{
    struct signing_call calls[3];
    begin_asleep();
    ask(&calls[0]);
    CHECK(!has_woken_signer());
    loop_turn(l, 0);
    CHECK(has_woken_signer());
    loop_turn(l, 0);
    CHECK(!has_woken_signer());
    answer_all();
    loop_turn(l, 0);
    CHECK_INT(answers, 1);
    finish();
}

TEST(a_long_turn_does_not_keep_the_signer_waiting_for_its_end)
{
    struct signing_call calls[2];
    begin_asleep();
    ask(&calls[0]);
    pass(1000);
    CHECK(!has_woken_signer());
    ask(&calls[1]);
    CHECK(has_woken_signer());
    answer_all();
    loop_turn(l, 0);
    CHECK_INT(answers, 2);
    finish();
}

TEST(each_wait_is_counted_by_how_long_it_was)
{
    struct signing_call calls[2];
    begin();
    ask(&calls[0]);
    pass(2000);
    ask(&calls[1]);
    answer_all();
    loop_turn(l, 0);
    unsigned n = 0, within_2_ms = 0;
    for (unsigned i = INSTANCE_SIGNED_100US; i <= INSTANCE_SIGNED_LATER; i++) {
        n += (unsigned)count_get(&counts[i]);
        within_2_ms += i <= INSTANCE_SIGNED_1MS ? (unsigned)count_get(&counts[i]) : 0;
    }
    CHECK_INT(n, 2);
    CHECK(within_2_ms <= 1);
    CHECK(count_get(&counts[INSTANCE_SIGNED_WAIT]) >= 2000);
    CHECK_INT(count_get(&counts[INSTANCE_SIGNER_WAITING]), 0);
    finish();
}
