/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signer — holds the private keys, and signs handshakes for the workers: the only process that has
 * a key, and it has no network, no file and no descriptor but those of its rings.
 *
 *   STORE…, KEYS, CALLS…, SERVE  → READY; requests that wait in the rings are answered from here on
 *   KEYS                         → STORED, or FAILED and nothing has changed
 *
 * Each wake-up answers all that waits, one request of each worker in turn, so that no worker keeps
 * the others from theirs.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "balance/counters.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "config/load.h"
#include "io/call_ring.h"
#include "role/key_store.h"
#include "role/keyring.h"
#include "role/lifeline.h"
#include "role/memfile.h"
#include "role/roles.h"
#include "role/sandbox.h"
#include "role/secret_memory.h"

#include "base/ban.h"

/* Rounds over all rings before the supervisor is listened to again. */
#define ROUNDS_MAX 64
/* How long an answer may wait for the next one. */
#define FLUSH_US 1000

struct caller {
    struct call_ring ring;
    struct watch wake;
    int next;          /* the place whose turn it is */
    uint64_t since_us; /* the worker has not been told yet of answers since then; 0: of all */
};

struct signer {
    struct loop *loop;
    struct lifeline lifeline;
    struct keyring *keyring;
    struct caller *callers[KEYRING_WORKERS_MAX]; /* by worker; NULL: none yet */
    unsigned callers_n;
    struct counters *counters;
    struct count *instance; /* the row */
    uint8_t request[CALL_RING_REQUEST_MAX];
    bool is_serving, is_done;
};

/* ---- calls ---- */

static void count(struct signer *s, enum signing_outcome outcome)
{
    static const enum instance_column columns[SIGNING_OUTCOME_COUNT] = {
        [SIGNING_DONE] = INSTANCE_SIGNER_DONE,
        [SIGNING_MALFORMED] = INSTANCE_SIGNER_REFUSED,
        [SIGNING_FORBIDDEN] = INSTANCE_SIGNER_REFUSED,
        [SIGNING_NO_KEY] = INSTANCE_SIGNER_REFUSED,
        [SIGNING_TOO_OFTEN] = INSTANCE_SIGNER_TOO_OFTEN,
        [SIGNING_IMPOSSIBLE] = INSTANCE_SIGNER_FAILED,
        [SIGNING_INTERRUPTED] = INSTANCE_SIGNER_FAILED,
        [SIGNING_LATE] = INSTANCE_SIGNER_FAILED,
    };
    if (s->instance)
        count_add(&s->instance[columns[outcome]], 1);
}

static void answer(struct signer *s, unsigned worker, int place, uint64_t now_ms)
{
    struct call_ring *ring = &s->callers[worker]->ring;
    struct signing_answer made;
    uint8_t octets[SIGNING_ANSWER_MAX];
    struct bytes request = call_ring_receive(ring, place, s->request);
    keyring_answer(s->keyring, worker, request, now_ms, &made);
    call_ring_reply(ring, place, (struct bytes){octets, signing_answer_write(&made, octets)});
    count(s, made.outcome);
    mem_wipe(&made, sizeof(made));
    mem_wipe(octets, sizeof(octets));
}

/* Of the places that ask, the one whose turn it is: none waits for ever behind busier ones. */
static int choose(struct caller *c, uint64_t asked)
{
    uint64_t later = asked & ~0ull << c->next;
    int place = __builtin_ctzll(later ? later : asked);
    c->next = (place + 1) % CALL_RING_PLACES;
    return place;
}

/* Tell the worker, unless more is to come in no time: waking it costs as much as some signatures
 * do, and may take the core from us. */
static void flush(struct caller *c, bool is_all, uint64_t now_us)
{
    if (!c->since_us || (!is_all && now_us - c->since_us < FLUSH_US))
        return;
    call_ring_flush(&c->ring);
    c->since_us = 0;
}

/* One request of worker I; false if there is none. */
static bool answer_one(struct signer *s, unsigned i)
{
    struct caller *c = s->callers[i];
    uint64_t asked = call_ring_asked(&c->ring);
    uint64_t now_us = clock_monotonic_us();
    flush(c, !asked, now_us);
    if (!asked)
        return false;
    answer(s, i, choose(c, asked), now_us / 1000);
    if (!c->since_us)
        c->since_us = now_us;
    return true;
}

/* One request of each worker; true if there was any. */
static bool answer_round(struct signer *s)
{
    bool is_any = false;
    for (unsigned i = 0; s->is_serving && i < s->callers_n; i++)
        if (s->callers[i] && answer_one(s, i))
            is_any = true;
    return is_any;
}

/* ---- what the supervisor says ---- */

static void woken(struct watch *w, uint32_t events)
{
    call_ring_awake(&container_of(w, struct caller, wake)->ring);
}

static void remove_caller(struct signer *s, unsigned worker)
{
    struct caller *c = s->callers[worker];
    s->callers[worker] = NULL;
    if (!c)
        return;
    loop_unwatch(s->loop, &c->wake);
    call_ring_close(&c->ring);
    free(c);
}

static void receive_calls(struct signer *s, struct message *m)
{
    struct error err;
    ASSERT(m->index < KEYRING_WORKERS_MAX);
    remove_caller(s, m->index);
    struct call_ring_fds fds = {message_take(m, 0), message_take(m, 1), message_take(m, 2)};
    struct caller *c = mem_alloc(sizeof(*c));
    int failed = call_ring_open_server(&c->ring, fds, &err);
    /* Edge-triggered: a wake-up need not be read. */
    if (!failed && loop_watch(s->loop, &c->wake, c->ring.own_fd, EPOLLIN | EPOLLET, woken) < 0)
        failed = error_errno(&err, errno, "epoll");
    if (failed) {
        log_error("worker %u gets no signatures: %s", m->index, err.text);
        call_ring_close(&c->ring);
        free(c);
        return;
    }
    s->callers[m->index] = c;
    if (s->callers_n <= m->index)
        s->callers_n = m->index + 1;
}

static void show_keys(struct signer *s)
{
    if (s->instance)
        count_set(&s->instance[INSTANCE_SIGNER_KEYS], keyring_keys(s->keyring));
}

static int send_stored(
    struct signer *s, uint64_t generation, int store_fd, struct bytes table, struct error *err)
{
    int table_fd = memfile_new("key table", table, err);
    if (table_fd < 0)
        return -1;
    channel_send(&s->lifeline.channel, &(struct message){.type = MESSAGE_STORED,
                                           .generation = generation,
                                           .fds = {store_fd, table_fd},
                                           .fds_n = 2});
    close(table_fd);
    return 0;
}

static int publish(struct signer *s, uint64_t generation, const struct buf *store,
    const struct buf *table, struct error *err)
{
    int store_fd = secret_memory_new(buf_bytes(store), err);
    if (store_fd < 0)
        return -1;
    int result = send_stored(s, generation, store_fd, buf_bytes(table), err);
    close(store_fd);
    if (result == 0)
        keyring_add(s->keyring, generation, buf_bytes(store));
    return result;
}

static int make(struct signer *s, struct message *m, struct error *err)
{
    struct bytes archive = {0}, keys = {0};
    struct buf store, table;
    buf_init(&store, LOAD_TOTAL_MAX);
    buf_init(&table, LOAD_TOTAL_MAX);
    int result = -1;
    if (memfile_map(m->fds[0], &archive, err) == 0 && memfile_map(m->fds[1], &keys, err) == 0)
        result = key_store_make(archive, keys, &store, &table, err);
    memfile_unmap(&archive);
    memfile_unmap(&keys);
    if (result == 0)
        result = publish(s, m->generation, &store, &table, err);
    buf_fini(&store);
    buf_fini(&table);
    return result;
}

static void receive_keys(struct signer *s, struct message *m)
{
    struct error err, why;
    if (make(s, m, &err) == 0) {
        show_keys(s);
        return;
    }
    int fd = memfile_new("report", bytes_of(err.text), &why);
    if (fd < 0) {
        log_error("%s; %s", err.text, why.text);
        s->is_done = true; /* which says it, too */
        return;
    }
    channel_send(&s->lifeline.channel,
        &(struct message){
            .type = MESSAGE_FAILED, .generation = m->generation, .fds = {fd}, .fds_n = 1});
    close(fd);
}

static void receive_store(struct signer *s, struct message *m)
{
    struct bytes store;
    struct error err;
    if (secret_memory_map(m->fds[0], &store, &err) < 0) {
        log_error("the keys of generation %llu are lost: %s", (unsigned long long)m->generation,
            err.text);
        return;
    }
    keyring_add(s->keyring, m->generation, store);
    secret_memory_unmap(&store);
    show_keys(s);
}

static void receive_forget(struct signer *s, struct message *m)
{
    keyring_remove(s->keyring, m->generation);
    show_keys(s);
}

static void receive_counters(struct signer *s, struct message *m)
{
    struct error err = {.text = "told so twice"};
    if (!s->counters)
        s->counters = counters_open(m->fds[0], &err);
    if (!s->counters || s->instance)
        log_error("signatures are not counted: %s", err.text);
    else
        s->instance = counters_row(s->counters, COUNTERS_INSTANCE, NULL);
}

static void serve_now(struct signer *s, struct message *m)
{
    s->is_serving = true;
    channel_send(&s->lifeline.channel, &(struct message){.type = MESSAGE_READY});
}

static void answer_ping(struct signer *s, struct message *m)
{
    channel_send(&s->lifeline.channel, &(struct message){.type = MESSAGE_PONG});
}

static void stop(struct signer *s, struct message *m)
{
    s->is_done = true;
}

static void end(void *owner)
{
    stop(owner, NULL);
}

typedef void signer_message_fn(struct signer *s, struct message *m);

static signer_message_fn *const handlers[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_COUNTERS] = receive_counters,
    [MESSAGE_CALLS] = receive_calls,
    [MESSAGE_KEYS] = receive_keys,
    [MESSAGE_STORE] = receive_store,
    [MESSAGE_FORGET] = receive_forget,
    [MESSAGE_SERVE] = serve_now,
    [MESSAGE_PING] = answer_ping,
    [MESSAGE_STOP] = stop,
};

static void received(void *owner, struct message *m)
{
    ASSERT(handlers[m->type]);
    handlers[m->type](owner, m);
}

/* ---- life ---- */

/* May we wait? Only if every ring is empty, and its worker knows that we are to be woken. */
static bool fall_asleep(struct signer *s)
{
    for (unsigned i = 0; s->is_serving && i < s->callers_n; i++)
        if (s->callers[i] && !call_ring_sleep(&s->callers[i]->ring))
            return false;
    return true;
}

static void serve(struct signer *s)
{
    while (!s->is_done) {
        int rounds = 0;
        while (rounds < ROUNDS_MAX && answer_round(s))
            rounds++;
        bool may_wait = rounds < ROUNDS_MAX && fall_asleep(s);
        loop_turn(s->loop, may_wait ? -1 : 0);
    }
}

int signer_run(unsigned index)
{
    struct signer *s = mem_alloc(sizeof(*s));
    struct error err;
    if (!secret_memory_lock_process())
        log_warning("its memory can be swapped out: start sallyport with more lockable memory "
                    "(LimitMEMLOCK=infinity)");
    s->loop = loop_new(&err);
    if (!s->loop || lifeline_open(&s->lifeline, s->loop, received, end, s, &err) < 0 ||
        sandbox_seal(&err) < 0) {
        log_error("cannot begin: %s", err.text);
        return 1;
    }
    s->keyring = keyring_new();
    serve(s);
    for (unsigned i = 0; i < s->callers_n; i++)
        remove_caller(s, i);
    keyring_free(&s->keyring);
    counters_close(&s->counters);
    lifeline_close(&s->lifeline);
    loop_free(&s->loop);
    mem_wipe(s, sizeof(*s));
    free(s);
    return 0;
}
