/* SPDX-License-Identifier: Apache-2.0 */
#include "role/staff.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "role/ledger.h"
#include "role/logfile.h"
#include "role/memfile.h"
#include "role/proposal.h"
#include "role/reload.h"
#include "role/resolution.h"
#include "role/ring.h"
#include "role/shutdown.h"
#include "role/vault.h"

#include "base/ban.h"

/* Longer reports and states are cut. */
#define TEXT_MAX (1u << 20)

/* ---- what they are told ---- */

/* The process that had the socket before has ended. */
static void mend(struct endpoint *e, unsigned index)
{
    struct error err;
    int result = endpoint_mend(e, index, &err);
    if (result < 0)
        log_error("%s", err.text);
    else if (result > 0)
        log_warning("%s: socket %u no longer listened, and was replaced; no process of ours ends "
                    "the sockets that it shares",
            e->name, index);
}

/* Its sockets, then everything else: PREPARE is the last, and is answered. */
static void send_generation(struct child *worker, const struct generation *g)
{
    for (size_t i = 0; i < g->endpoints_n; i++)
        child_send(worker, &(struct message){.type = MESSAGE_LISTENER,
                               .index = (uint32_t)i,
                               .generation = g->number,
                               .fds = {g->endpoints[i]->fds[worker->index]},
                               .fds_n = 1});
    child_send(worker, &(struct message){.type = MESSAGE_PREPARE,
                           .index = (uint32_t)g->endpoints_n,
                           .generation = g->number,
                           .fds = {g->archive_fd, g->table_fd, g->worker_keys_fd},
                           .fds_n = 3});
    worker->owed++;
}

/* Send a message with FD, or without a descriptor if there is none (-1). */
static void send_fd(struct child *c, enum message_type type, int fd)
{
    child_send(c, &(struct message){.type = type, .fds = {fd}, .fds_n = fd >= 0});
}

void staff_send_log(struct supervisor *s)
{
    char prefix[LOGFILE_PREFIX_MAX];
    if (!s->in_force) /* until then the logger waits */
        return;
    int fd = s->in_force->log_fd;
    logfile_prefix(s->in_force->config->access_log, prefix);
    child_send(&s->logger,
        &(struct message){
            .type = MESSAGE_LOG, .fds = {fd}, .fds_n = fd >= 0, .text = bytes_of(prefix)});
}

void staff_send_admin(struct supervisor *s)
{
    const struct endpoint *admin = s->in_force ? s->in_force->admin : NULL;
    send_fd(&s->control, MESSAGE_ADMIN, admin ? admin->fds[0] : -1);
}

static void write_state(const struct supervisor *s, struct buf *out)
{
    const struct generation *g = s->in_force;
    struct json j;
    json_init(&j, out);
    json_open_object(&j, NULL);
    json_int64(&j, "generation", (int64_t)g->number);
    json_int64(&j, "workers", s->workers_n);
    json_open_array(&j, "listeners");
    for (size_t i = 0; i < g->endpoints_n; i++) {
        char address[ADDRESS_TEXT_MAX];
        address_format(&g->endpoints[i]->bound, address);
        json_open_object(&j, NULL);
        json_text(&j, "name", g->config->listeners[i].name);
        json_text(&j, "protocol", config_protocol_name(g->config->listeners[i].protocol));
        json_text(&j, "address", address);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
}

static bool is_ready(const struct supervisor *s)
{
    if (!s->in_force || s->shutdown != SHUTDOWN_NONE || s->signer.state != CHILD_UP)
        return false;
    for (unsigned i = 0; i < s->workers_n; i++)
        if (s->workers[i].state != CHILD_UP)
            return false;
    return true;
}

void staff_send_state(struct supervisor *s, bool always)
{
    bool now_ready = is_ready(s);
    if (now_ready == s->was_ready && !always)
        return;
    s->was_ready = now_ready;
    struct buf state;
    struct error err;
    int fd = -1;
    buf_init(&state, TEXT_MAX);
    if (now_ready) {
        write_state(s, &state);
        fd = memfile_new("state", buf_bytes(&state), &err);
        if (fd < 0)
            log_warning("control cannot be told the state: %s", err.text);
    }
    send_fd(&s->control, MESSAGE_STATE, fd);
    if (fd >= 0)
        close(fd);
    buf_fini(&state);
}

static void greet_worker(struct supervisor *s, struct child *c)
{
    ledger_hand_out(c);
    ledger_show_worker(s, c);
    /* What was sealed in the hour before is still to be opened. */
    ratchet_advance(&s->ticket_secret, loop_now_s(s->loop) - RATCHET_PERIOD_S);
    child_send(c, &(struct message){.type = MESSAGE_WORK,
                      .index = c->index,
                      .fds = {c->ring_fd, c->wake_fd, s->page_fd},
                      .fds_n = 3,
                      .text = {(const uint8_t *)&s->ticket_secret, sizeof(s->ticket_secret)}});
    child_send_calls(c, c, c->index);
    resolution_greet_worker(s, c);
    for (size_t i = 0; s->in_force && i < s->in_force->endpoints_n; i++)
        mend(s->in_force->endpoints[i], c->index);
    if (s->in_force)
        send_generation(c, s->in_force);
    /* Without the table it is not its turn yet. */
    if (s->reload >= RELOAD_PREPARING && s->coming->table_fd >= 0)
        send_generation(c, s->coming);
}

static void greet_logger(struct supervisor *s, struct child *c)
{
    ledger_hand_out(c);
    for (unsigned i = 0; i < s->workers_n; i++)
        child_send(c, &(struct message){.type = MESSAGE_RING,
                          .index = i,
                          .fds = {s->workers[i].ring_fd, s->workers[i].wake_fd},
                          .fds_n = 2});
    staff_send_log(s);
}

static void send_folder(struct supervisor *s, struct child *c)
{
    const struct state_folder *f = &s->state;
    struct message m = {.type = MESSAGE_FOLDER};
    if (f->control >= 0)
        m = (struct message){.type = MESSAGE_FOLDER,
            .fds = {f->control, f->keys.list, f->keys.secret},
            .fds_n = 3,
            .text = {f->sealing.public_half, sizeof(f->sealing.public_half)}};
    child_send(c, &m);
}

static void greet_control(struct supervisor *s, struct child *c)
{
    send_folder(s, c);
    ledger_show(s);
    if (s->in_force && s->in_force->admin)
        mend(s->in_force->admin, 0);
    staff_send_admin(s);
    staff_send_state(s, true);
    resolution_greet_control(s);
    vault_greet_control(s, c);
}

static void greet_loader(struct supervisor *s, struct child *c)
{
    struct message m = {.type = MESSAGE_LOAD, .text = bytes_of(s->config)};
    if (s->in_force) {
        m.fds[m.fds_n++] = s->in_force->archive_fd;
        m.index |= LOAD_HAS_IN_FORCE;
    }
    if (s->proposal.is_begun) {
        m.fds[m.fds_n++] = s->proposal.fd;
        m.index |= LOAD_HAS_PROPOSAL;
    }
    child_send(c, &m);
}

/* ---- what they say ---- */

/* A child's answer about the generation that is coming, and not about one that came to nothing
 * before it? */
static bool is_about_coming(
    const struct supervisor *s, const struct child *c, const struct message *m)
{
    return s->coming && m->generation == s->coming->number && !c->owed;
}

static void note(struct generation *g, const struct message *m, unsigned fd_index, bool has_errors)
{
    if (fd_index >= m->fds_n)
        return;
    char *text = memfile_text(m->fds[fd_index], TEXT_MAX);
    generation_note(g, text, has_errors);
    free(text);
}

static void hear_ready(struct supervisor *s, struct child *c, struct message *m)
{
    if (c->role == ROLE_WORKER) {
        c->owed -= c->owed > 0;
        c->prepared = m->generation;
        if (is_about_coming(s, c, m))
            note(s->coming, m, 0, false);
    }
    /* A worker is up when it serves: at start-up after the commit, later with the generation in
     * force. */
    if (c->role != ROLE_WORKER || (s->in_force && m->generation == s->in_force->number))
        child_is_up(c);
    staff_send_state(s, false);
    reload_progress(s);
}

static void hear_failed(struct supervisor *s, struct child *c, struct message *m)
{
    c->owed -= c->owed > 0;
    c->prepared = 0;
    if (c->role == ROLE_LOADER)
        child_is_up(c);
    if (c->role == ROLE_LOADER ? s->reload == RELOAD_LOADING : is_about_coming(s, c, m)) {
        note(s->coming, m, 0, true);
        if (!s->coming->report.errors)
            generation_fault(s->coming, "%s failed without saying why", c->name);
        reload_fail(s);
    } else if (s->in_force && m->generation == s->in_force->number) {
        /* It was good enough for all others at the commit: memory is short, or the like. */
        log_error("%s cannot serve generation %llu:", c->name, (unsigned long long)m->generation);
        struct generation *only_for_its_report = generation_new(m->generation);
        note(only_for_its_report, m, 0, true);
        generation_log_report(only_for_its_report, NULL);
        generation_free(&only_for_its_report);
        child_kill(c);
    }
}

static void hear_loaded(struct supervisor *s, struct child *c, struct message *m)
{
    child_is_up(c);
    if (s->reload != RELOAD_LOADING)
        return;
    note(s->coming, m, 3, false);
    struct generation_files files = {message_take(m, 0), message_take(m, 1), message_take(m, 2)};
    reload_loaded(s, &files);
}

/* The keys are where they belong: now the workers. */
static void hear_stored(struct supervisor *s, struct child *c, struct message *m)
{
    if (vault_hear_stored(s, m))
        staff_prepare(s);
}

static void hear_pong(struct supervisor *s, struct child *c, struct message *m)
{
    c->has_ponged = true;
}

/* The system's log has another socket now. If it has none yet, the logger finds that out itself,
 * and asks again. */
static void hear_log(struct supervisor *s, struct child *c, struct message *m)
{
    struct error err;
    if (s->in_force)
        ignore_result(generation_reopen_log(s->in_force, &err));
    staff_send_log(s);
}

static void hear_addresses(struct supervisor *s, struct child *c, struct message *m)
{
    resolution_hear(s, m);
}

static void hear_propose(struct supervisor *s, struct child *c, struct message *m)
{
    proposal_hear(s, m);
}

static void hear_decide(struct supervisor *s, struct child *c, struct message *m)
{
    proposal_decide(s, m);
}

typedef void hear_fn(struct supervisor *s, struct child *c, struct message *m);

static const struct {
    hear_fn *hear;
    unsigned from; /* the roles that may say it */
} heard[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_READY] = {hear_ready,
        1u << ROLE_WORKER | 1u << ROLE_LOGGER | 1u << ROLE_CONTROL | 1u << ROLE_SIGNER},
    [MESSAGE_FAILED] = {hear_failed, 1u << ROLE_WORKER | 1u << ROLE_LOADER | 1u << ROLE_SIGNER},
    [MESSAGE_LOADED] = {hear_loaded, 1u << ROLE_LOADER},
    [MESSAGE_STORED] = {hear_stored, 1u << ROLE_SIGNER},
    [MESSAGE_PONG] = {hear_pong, 1u << ROLE_WORKER | 1u << ROLE_SIGNER},
    [MESSAGE_LOG] = {hear_log, 1u << ROLE_LOGGER},
    [MESSAGE_ADDRESSES] = {hear_addresses, 1u << ROLE_CONTROL},
    [MESSAGE_PROPOSE] = {hear_propose, 1u << ROLE_CONTROL},
    [MESSAGE_DECIDE] = {hear_decide, 1u << ROLE_CONTROL},
};

static void received(struct child *c, struct message *m)
{
    if (heard[m->type].from & (1u << c->role)) {
        heard[m->type].hear(c->owner, c, m);
        return;
    }
    /* A role is not trusted to be what we started: it may have met an attacker. */
    log_error("%s (pid %d) says what is not its to say; killing it", c->name, (int)c->pid);
    child_kill(c);
}

/* ---- who there is ---- */

static void start_again(struct child *c);

static void init_child(struct supervisor *s, struct child *c, enum role role, unsigned index)
{
    child_init(c, s->loop, role, index);
    c->received = received;
    c->due = start_again;
    c->owner = s;
}

void staff_init(struct supervisor *s)
{
    init_child(s, &s->loader, ROLE_LOADER, 0);
    init_child(s, &s->control, ROLE_CONTROL, 0);
    init_child(s, &s->logger, ROLE_LOGGER, 0);
    init_child(s, &s->signer, ROLE_SIGNER, 0);
}

void staff_each(struct supervisor *s, staff_fn *fn)
{
    fn(s, &s->loader);
    fn(s, &s->control);
    fn(s, &s->logger);
    fn(s, &s->signer);
    for (unsigned i = 0; i < s->workers_n; i++)
        fn(s, &s->workers[i]);
}

static void fini_child(struct supervisor *s, struct child *c)
{
    child_fini(c);
}

void staff_fini(struct supervisor *s)
{
    staff_each(s, fini_child);
    free(s->workers);
}

static int start(struct supervisor *s, struct child *c, struct error *err)
{
    static void (*const greet[ROLE_COUNT])(struct supervisor *, struct child *) = {
        [ROLE_LOADER] = greet_loader,
        [ROLE_CONTROL] = greet_control,
        [ROLE_LOGGER] = greet_logger,
        [ROLE_WORKER] = greet_worker,
        [ROLE_SIGNER] = vault_greet_signer,
    };
    if (child_start(c, &s->means, err) < 0)
        return -1;
    greet[c->role](s, c);
    return 0;
}

int staff_start_loader(struct supervisor *s, struct error *err)
{
    return start(s, &s->loader, err);
}

/* What outlives them: the others are told of it. */
static int equip_workers(struct supervisor *s, unsigned n, struct error *err)
{
    s->workers = mem_calloc(n, sizeof(struct child));
    for (; s->workers_n < n; s->workers_n++) {
        struct child *c = &s->workers[s->workers_n];
        init_child(s, c, ROLE_WORKER, s->workers_n);
        if (ring_new(&c->ring_fd, &c->wake_fd, err) < 0 || call_ring_new(&c->calls, err) < 0 ||
            ledger_equip(c, err) < 0)
            return -1;
    }
    return 0;
}

static int hire_workers(struct supervisor *s, unsigned n, struct error *err)
{
    for (unsigned i = 0; i < n; i++)
        if (start(s, &s->workers[i], err) < 0)
            return -1;
    return 0;
}

int staff_hire(struct supervisor *s, unsigned workers_n, struct error *err)
{
    if (ledger_equip(&s->logger, err) < 0 || ledger_equip(&s->control, err) < 0 ||
        call_ring_new(&s->control.calls, err) < 0 || ledger_equip(&s->signer, err) < 0 ||
        equip_workers(s, workers_n, err) < 0 || start(s, &s->signer, err) < 0 ||
        hire_workers(s, workers_n, err) < 0 || start(s, &s->logger, err) < 0)
        return -1;
    return start(s, &s->control, err);
}

/* ---- generations ---- */

void staff_prepare(struct supervisor *s)
{
    for (unsigned i = 0; i < s->workers_n; i++)
        send_generation(&s->workers[i], s->coming);
}

void staff_tell_workers(struct supervisor *s, enum message_type type, uint64_t generation)
{
    for (unsigned i = 0; i < s->workers_n; i++)
        child_send(&s->workers[i], &(struct message){.type = type, .generation = generation});
}

bool staff_is_ready_for(const struct supervisor *s, uint64_t generation)
{
    for (unsigned i = 0; i < s->workers_n; i++)
        if (s->workers[i].owed || s->workers[i].prepared != generation)
            return false;
    /* Later, these may be on their way back. */
    return s->in_force || (s->logger.state == CHILD_UP && s->control.state == CHILD_UP &&
                              s->signer.state == CHILD_UP);
}

/* ---- ends ---- */

static void start_again(struct child *c)
{
    struct supervisor *s = c->owner;
    struct error err;
    if (start(s, c, &err) == 0)
        return;
    log_error("%s", err.text);
    if (!child_is_running(c))
        child_wait(c);
}

static void start_waiting(struct supervisor *s, struct child *c)
{
    if (c->state == CHILD_WAITING)
        start_again(c);
}

void staff_hurry(struct supervisor *s)
{
    staff_each(s, start_waiting);
}

#define END_MAX 256

static void describe_end(int status, char *out, size_t out_max)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        snprintf(out, out_max,
            "was ended by its sandbox (SIGSYS) for a system call that is not on its list; report "
            "it with the kernel's log line (type=1326), and use --sandbox=off until then if it "
            "was no attack");
    else if (WIFSIGNALED(status))
        snprintf(out, out_max, "was killed by signal %d (%s)", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    else
        snprintf(out, out_max, "ended with status %d", WEXITSTATUS(status));
}

static struct child *find(struct supervisor *s, pid_t pid)
{
    struct child *few[] = {&s->loader, &s->control, &s->logger, &s->signer};
    for (size_t i = 0; i < COUNT_OF(few); i++)
        if (few[i]->pid == pid)
            return few[i];
    for (unsigned i = 0; i < s->workers_n; i++)
        if (s->workers[i].pid == pid)
            return &s->workers[i];
    return NULL;
}

/* A reload cannot do without the loader while it loads, nor without the signer until it has taken
 * the keys, nor without a worker while they prepare, nor the first one without anybody. */
static bool is_needed_by_reload(const struct supervisor *s, const struct child *c)
{
    if (c->role == ROLE_LOADER)
        return s->reload == RELOAD_LOADING;
    bool has_keys_to_take = c->role == ROLE_SIGNER && s->coming && s->coming->store_fd < 0;
    return s->reload == RELOAD_PREPARING &&
           (!s->in_force || c->role == ROLE_WORKER || has_keys_to_take);
}

/* Whoever ends and was not to is replaced: also the logger while others drain, as they have lines
 * to log, and the signer, as they have handshakes with targets to make. */
static bool is_replaced(const struct supervisor *s, const struct child *c)
{
    if (c->role == ROLE_LOADER)
        return false;
    bool is_needed_to_drain = (c->role == ROLE_LOGGER && s->shutdown < SHUTDOWN_LOGGER) ||
                              (c->role == ROLE_SIGNER && s->shutdown < SHUTDOWN_CONTROL);
    return s->shutdown == SHUTDOWN_NONE || (is_needed_to_drain && !s->is_hurried);
}

static void replace(struct child *c, pid_t pid, const char *end)
{
    uint64_t pause_ms = child_wait(c);
    if (pause_ms)
        log_error("%s (pid %d) %s, as it keeps doing; starting it again in %llu ms", c->name,
            (int)pid, end, (unsigned long long)pause_ms);
    else
        log_warning("%s (pid %d) %s; starting it again", c->name, (int)pid, end);
}

void staff_ended(struct supervisor *s, pid_t pid, int status)
{
    struct child *c = find(s, pid);
    if (!c)
        return;
    char end[END_MAX];
    describe_end(status, end, sizeof(end));
    child_ended(c);
    staff_send_state(s, false);
    if (is_needed_by_reload(s, c)) {
        generation_fault(
            s->coming, "%s %s while it was to get the configuration ready", c->name, end);
        reload_fail(s);
    }
    if (c->role == ROLE_CONTROL)
        proposal_drop(s);
    if (c->role == ROLE_LOADER)
        reload_next(s);
    if (is_replaced(s, c)) {
        ledger_died(s, c);
        replace(c, pid, end);
    } else if (s->shutdown != SHUTDOWN_NONE && status != 0 && !s->status &&
               c->role != ROLE_LOADER) {
        log_warning("%s (pid %d) %s", c->name, (int)pid, end);
    }
    shutdown_progress(s);
}
