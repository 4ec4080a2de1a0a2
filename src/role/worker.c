/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker — one process's share of the data plane: builds the generations that it is given, serves
 * the one in force, and drains when it is told to.
 *
 *   LISTENER…, PREPARE  → `coming` is built           READY, or FAILED and nothing has changed
 *   the page names it   → proxy_adopt                 looked at then (a worker started again) and
 * on COMMIT ABORT               → `coming` is let go
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balance/address_book.h"
#include "balance/counters.h"
#include "balance/signatory.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "proxy/handshake_log.h"
#include "proxy/proxy.h"
#include "proxy/sticky.h"
#include "role/key_table.h"
#include "role/lifeline.h"
#include "role/memfile.h"
#include "role/page.h"
#include "role/ring.h"
#include "role/roles.h"
#include "role/sandbox.h"

#include "base/ban.h"

#define HEAP_SLACK (8 << 20)

/* A generation as this worker has it. */
struct prepared {
    struct service *service; /* NULL: none, or handed to the proxy */
    uint64_t generation;
    int *fds; /* one per listener */
    size_t fds_n;
};

enum worker_state {
    WORKER_EMPTY,    /* no generation yet */
    WORKER_SERVING,  /* a generation is in force */
    WORKER_DRAINING, /* accepts no more; ends when idle */
};

struct worker {
    struct loop *loop;
    struct lifeline lifeline;
    struct proxy *proxy;
    struct signatory *signatory; /* asks the signer */
    bool has_calls;              /* … by its ring */
    struct ring ring;
    struct counters *counters;
    struct count *instance; /* the row: lines that the ring did not take */
    struct handshake_log *handshakes;
    const struct page *page;
    struct ratchet ticket_secret;
    uint8_t sticky_key[STICKY_KEY_SIZE];
    enum worker_state state;
    bool has_failed; /* ends at once */
    struct prepared coming;
    struct address_book book; /* where targets with a host name are */
    int *fds;                 /* of the generation in force */
    size_t fds_n;
    uint64_t drain_ms;
    struct timer drain_limit;
    struct timer forgetting; /* ticket_secret goes forward */
};

static void close_all(int **fds, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        if ((*fds)[i] >= 0)
            close((*fds)[i]);
    free(*fds);
    *fds = NULL;
    *n = 0;
}

static void let_go(struct prepared *p)
{
    service_unref(&p->service);
    close_all(&p->fds, &p->fds_n);
    *p = (struct prepared){0};
}

/* Answer about GENERATION, with what REPORT says. */
static void answer(struct worker *w, struct message m, const struct report *report)
{
    struct error err;
    char *text = report_text(report);
    if (text[0]) {
        int fd = memfile_new("report", bytes_of(text), &err);
        if (fd >= 0)
            m.fds[m.fds_n++] = fd;
        else
            log_error("%s\n%s", err.text, text);
    }
    free(text);
    /* FAILED never goes without its reason; a worker that cannot even say that ends, which says it
     * too. */
    if (m.type == MESSAGE_FAILED && !m.fds_n)
        w->has_failed = true;
    else
        channel_send(&w->lifeline.channel, &m);
    message_close(&m);
}

static void unmap(struct bytes archive)
{
    memfile_unmap(&archive);
}

static int map_all(
    struct message *m, struct service_source *source, struct key_table *keys, struct error *err)
{
    return memfile_map(m->fds[0], &source->archive, err) < 0 ||
                   memfile_map(m->fds[1], &keys->table, err) < 0 ||
                   memfile_map(m->fds[2], &source->keys, err) < 0
               ? -1
               : 0;
}

static struct service *build(struct worker *w, struct message *m, struct report *report)
{
    struct key_table keys = {
        .handle = {.office = signatory_office(w->signatory), .store = m->generation}};
    struct service_source source = {.generation = m->generation,
        .now_s = loop_wall_s(w->loop),
        .release = unmap,
        .find_key = key_table_find,
        .find_key_owner = &keys};
    struct service *service = NULL;
    struct error err;
    /* What was sealed in the hour before is still to be opened. */
    ratchet_advance(&w->ticket_secret, loop_now_s(w->loop) - RATCHET_PERIOD_S);
    source.ticket_secret = w->ticket_secret;
    source.sticky_key = w->sticky_key;
    if (map_all(m, &source, &keys, &err) == 0) {
        service = service_build(&source, report);
    } else {
        report_line(report, true, err.text);
        memfile_unmap(&source.archive);
    }
    memfile_unmap(&keys.table);
    memfile_unmap(&source.keys);
    mem_wipe(&source, sizeof(source));
    return service;
}

/* The page decides; messages only wake us. */
static void adopt_if_in_force(struct worker *w)
{
    struct prepared *p = &w->coming;
    if (w->state == WORKER_DRAINING || !p->service || page_generation(w->page) != p->generation)
        return;
    w->drain_ms = service_config(p->service)->timeouts.drain;
    proxy_adopt(w->proxy, p->service, p->fds, p->fds_n);
    close_all(&w->fds, &w->fds_n);
    w->fds = p->fds;
    w->fds_n = p->fds_n;
    *p = (struct prepared){0};
    w->state = WORKER_SERVING;
}

static void receive_listener(struct worker *w, struct message *m)
{
    struct prepared *p = &w->coming;
    if (p->generation != m->generation || m->index == 0)
        let_go(p);
    p->generation = m->generation;
    p->fds = mem_realloc(p->fds, (p->fds_n + 1) * sizeof(int));
    p->fds[p->fds_n++] = message_take(m, 0);
}

static void receive_prepare(struct worker *w, struct message *m)
{
    struct report report;
    report_init(&report);
    w->coming.generation = m->generation;
    w->coming.service = build(w, m, &report);
    bool is_built = w->coming.service && w->coming.fds_n == m->index;
    if (is_built)
        service_resolve(w->coming.service, &w->book);
    answer(w,
        (struct message){
            .type = is_built ? MESSAGE_READY : MESSAGE_FAILED, .generation = m->generation},
        &report);
    report_fini(&report);
    if (is_built)
        adopt_if_in_force(w);
    else
        let_go(&w->coming);
}

static void abort_connections(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, drain_limit);
    proxy_abort(w->proxy);
}

static void drain(void *owner)
{
    struct worker *w = owner;
    if (w->state == WORKER_DRAINING)
        return;
    let_go(&w->coming);
    proxy_drain(w->proxy);
    close_all(&w->fds, &w->fds_n);
    loop_timer_arm(w->loop, &w->drain_limit, loop_now_ms(w->loop) + w->drain_ms, abort_connections);
    w->state = WORKER_DRAINING;
}

static void commit(struct worker *w, struct message *m)
{
    adopt_if_in_force(w);
}

static void abort_prepared(struct worker *w, struct message *m)
{
    if (w->coming.generation == m->generation)
        let_go(&w->coming);
}

/* Control, which has written it, meets the network: see address_book.h. */
static void receive_addresses(struct worker *w, struct message *m)
{
    char *text = memfile_text(m->fds[0], ADDRESS_BOOK_TEXT_MAX);
    address_book_fini(&w->book);
    address_book_read(&w->book, bytes_of(text));
    free(text);
    proxy_resolve(w->proxy, &w->book);
    if (w->coming.service)
        service_resolve(w->coming.service, &w->book);
}

static void answer_ping(struct worker *w, struct message *m)
{
    channel_send(&w->lifeline.channel, &(struct message){.type = MESSAGE_PONG});
}

static void receive_drain(struct worker *w, struct message *m)
{
    drain(w);
}

static void stop(struct worker *w, struct message *m)
{
    drain(w);
    proxy_abort(w->proxy);
}

static void receive_counters(struct worker *w, struct message *m)
{
    struct error err = {.text = "told so twice, or of no place for handshakes"};
    if (!w->counters && m->fds_n == 2)
        w->counters = counters_open(m->fds[0], &err);
    if (w->counters && !w->handshakes)
        w->handshakes = handshake_log_open(m->fds[1], &err);
    if (!w->handshakes || w->instance) {
        log_error("cannot count: %s", err.text);
        w->has_failed = true;
        return;
    }
    w->instance = counters_row(w->counters, COUNTERS_INSTANCE, NULL);
    proxy_count(w->proxy, m->index, w->counters, w->handshakes);
    signatory_count(w->signatory, w->instance);
}

static void receive_peer(struct worker *w, struct message *m)
{
    struct error err;
    if (proxy_add_peer(w->proxy, m->fds[0], m->fds[1], &err) < 0)
        log_error("what another worker does is not known: %s", err.text);
}

static void receive_limits(struct worker *w, struct message *m)
{
    struct error err = {.text = ""};
    if (proxy_limit(w->proxy, m->index, m->fds[0], &err) == 0)
        return;
    log_error("limits cannot be counted: %s", err.text);
    w->has_failed = true;
}

static void receive_health(struct worker *w, struct message *m)
{
    struct error err;
    if (proxy_see_health(w->proxy, m->fds[0], &err) < 0)
        log_error("the health of targets is not known: %s", err.text);
}

static void receive_stickiness(struct worker *w, struct message *m)
{
    struct error err = {.text = "the key is none"};
    if (m->text.n != sizeof(w->sticky_key) || proxy_remember(w->proxy, m->fds[0], &err) < 0) {
        log_error("cannot remember clients: %s", err.text);
        w->has_failed = true;
        return;
    }
    memcpy(w->sticky_key, m->text.at, m->text.n);
}

static void forget_past_secret(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, forgetting);
    ratchet_advance(&w->ticket_secret, loop_now_s(w->loop) - RATCHET_PERIOD_S);
    proxy_advance_tickets(w->proxy);
    loop_timer_arm(w->loop, t, loop_now_ms(w->loop) + RATCHET_LATE_MS, forget_past_secret);
}

static void receive_work(struct worker *w, struct message *m)
{
    struct error err = {.text = "told so twice"};
    if (!w->page && ring_open(&w->ring, message_take(m, 0), message_take(m, 1), &err) == 0)
        w->page = page_map(m->fds[2], &err);
    if (!w->page || m->text.n != sizeof(w->ticket_secret)) {
        log_error("cannot begin to work: %s", err.text);
        w->has_failed = true;
        return;
    }
    memcpy(&w->ticket_secret, m->text.at, m->text.n);
    forget_past_secret(&w->forgetting);
}

static void receive_calls(struct worker *w, struct message *m)
{
    struct error err = {.text = "told so twice"};
    if (!w->has_calls) {
        struct call_ring_fds fds = {message_take(m, 0), message_take(m, 1), message_take(m, 2)};
        w->has_calls = signatory_open(w->signatory, fds, &err) == 0;
        if (w->has_calls)
            return;
    }
    log_error("cannot ask the signer: %s", err.text);
    w->has_failed = true;
}

typedef void worker_message_fn(struct worker *w, struct message *m);

static worker_message_fn *const handlers[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_COUNTERS] = receive_counters,
    [MESSAGE_PEER] = receive_peer,
    [MESSAGE_HEALTH] = receive_health,
    [MESSAGE_STICKINESS] = receive_stickiness,
    [MESSAGE_LIMITS] = receive_limits,
    [MESSAGE_WORK] = receive_work,
    [MESSAGE_CALLS] = receive_calls,
    [MESSAGE_LISTENER] = receive_listener,
    [MESSAGE_PREPARE] = receive_prepare,
    [MESSAGE_COMMIT] = commit,
    [MESSAGE_ABORT] = abort_prepared,
    [MESSAGE_ADDRESSES] = receive_addresses,
    [MESSAGE_PING] = answer_ping,
    [MESSAGE_DRAIN] = receive_drain,
    [MESSAGE_STOP] = stop,
};

static void received(void *owner, struct message *m)
{
    ASSERT(handlers[m->type]);
    handlers[m->type](owner, m);
}

static void push_line(void *owner, struct bytes line)
{
    struct worker *w = owner;
    if (!ring_push(&w->ring, line))
        count_add(&w->instance[INSTANCE_LINES_DROPPED], 1);
}

/* How much memory we have; written once, by worker_open_files. */
static int statm_fd = -1;

static void serve(struct worker *w)
{
    w->proxy = proxy_new(w->loop, push_line, w);
    proxy_watch_memory(w->proxy, statm_fd);
    w->signatory = signatory_new(w->loop);
    while (!w->has_failed && !(w->state == WORKER_DRAINING && proxy_is_idle(w->proxy)))
        loop_turn(w->loop, -1);
    loop_timer_stop(w->loop, &w->drain_limit);
    loop_timer_stop(w->loop, &w->forgetting);
    let_go(&w->coming);
    proxy_free(&w->proxy);
    signatory_free(&w->signatory);
    close_all(&w->fds, &w->fds_n);
}

/* Buffers come and go with the bytes that they hold: without this the heap's end would be given
 * back to the system and asked for again many times a second, page by page. What lies idle beyond
 * memory_max is given back all the same (proxy/memory_ceiling.c). */
static void keep_heap(void)
{
    mallopt(M_TRIM_THRESHOLD, HEAP_SLACK);
    mallopt(M_TOP_PAD, HEAP_SLACK / 8);
    mallopt(M_MMAP_THRESHOLD, HEAP_SLACK / 8);
}

void worker_open_files(void)
{
    statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (statm_fd < 0)
        log_warning("memory_max means nothing: /proc/self/statm cannot be opened (%s); mount /proc",
            strerrordesc_np(errno));
}

int worker_run(unsigned index)
{
    struct worker w = {.state = WORKER_EMPTY};
    struct error err;
    keep_heap();
    w.loop = loop_new(&err);
    if (!w.loop || lifeline_open(&w.lifeline, w.loop, received, drain, &w, &err) < 0 ||
        sandbox_seal(&err) < 0) {
        log_error("cannot begin: %s", err.text);
        return 1;
    }
    serve(&w);
    int status = w.has_failed;
    if (statm_fd >= 0)
        close(statm_fd);
    address_book_fini(&w.book);
    lifeline_close(&w.lifeline);
    loop_free(&w.loop);
    ring_close(&w.ring);
    counters_close(&w.counters);
    handshake_log_close(&w.handshakes);
    page_unmap(&w.page);
    mem_wipe(&w, sizeof(w));
    return status;
}
