/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logger — writes the access log: the lines of all workers' rings, many to a write.
 *
 * It may block on a slow disk or a full pipe; the rings then fill, and the workers drop and count.
 * When a write fails, what it would have written is lost and counted too, and the next lines are
 * tried again: a log that cannot be written costs lines, never service. Only lines for a system's
 * log that has gone wait in the rings, as it will be back.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "balance/counters.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "role/lifeline.h"
#include "role/logfile.h"
#include "role/ring.h"
#include "role/roles.h"
#include "role/sandbox.h"

#include "base/ban.h"

#define BATCH_BYTES (256u * 1024)
#define RINGS_MAX   1024
/* How often dropped lines are told about. */
#define DROPS_REPORT_MS 10000
/* How often a system's log that has gone is looked for. */
#define SYSLOG_ASK_MS 1000

_Static_assert(BATCH_BYTES >= RING_RECORD_MAX, "every record fits into a batch");

struct source {
    struct ring ring;
    struct watch wake;
};

struct logger {
    struct loop *loop;
    struct lifeline lifeline;
    struct source **sources; /* by worker; NULL: none yet */
    size_t sources_n;
    struct buf batch;
    bool is_told;                    /* where lines go; until then they stay in the rings */
    int fd;                          /* -1: they are discarded */
    char prefix[LOGFILE_PREFIX_MAX]; /* of each line, which is a message of its own; "": a stream */
    bool is_torn;                    /* the last write ended inside a line */
    bool is_syslog_gone;             /* until a message arrives there again */
    bool is_waiting;                 /* for the supervisor to reach it: lines stay in the rings */
    struct timer ask;
    struct counters *counters;
    struct count *instance; /* the row */
    uint64_t lost;          /* lines, since writing began to fail; 0: it works */
    struct timer drops_report;
    bool is_done;
};

/* ---- writing ---- */

static uint64_t count_lines(struct bytes b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b.n; i++)
        n += b.at[i] == '\n';
    return n;
}

/* How much of B the file took before it failed; errno says why. A descriptor that somebody else
 * made non-blocking is waited for as if it were not. */
static size_t write_what_goes(int fd, struct bytes b)
{
    size_t done = 0;
    while (done < b.n) {
        ssize_t n = write(fd, b.at + done, b.n - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            ignore_result(poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1));
        else if (n == 0 || errno != EINTR)
            break;
    }
    return done;
}

/* The same where each line is a datagram. What is left begins with the line that was refused. */
static size_t send_what_goes(const struct logger *l, struct bytes lines)
{
    char message[LOGFILE_PREFIX_MAX + RING_RECORD_MAX];
    size_t done = 0, prefix_n = strlen(l->prefix);
    memcpy(message, l->prefix, prefix_n);
    while (done < lines.n) {
        struct bytes rest = bytes_skip(lines, done);
        size_t n = bytes_find(rest, '\n');
        size_t taken = n < RING_RECORD_MAX ? n : RING_RECORD_MAX;
        memcpy(message + prefix_n, rest.at, taken);
        ssize_t sent;
        do {
            sent = write(l->fd, message, prefix_n + taken);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0)
            return done;
        done += n + (n < rest.n);
    }
    return done;
}

static void lost_lines(struct logger *l, uint64_t lines, int why)
{
    struct error err;
    if (!l->lost) {
        error_errno(&err, why, "the access log cannot be written, its lines are lost");
        log_warning("%s", err.text);
    }
    l->lost += lines;
    if (l->instance)
        count_add(&l->instance[INSTANCE_LINES_UNWRITTEN], lines);
}

static void written_all(struct logger *l)
{
    if (l->lost)
        log_warning("the access log can be written again; %llu lines were lost",
            (unsigned long long)l->lost);
    if (l->is_syslog_gone)
        log_info("the system's log is there again");
    l->lost = 0;
    l->is_syslog_gone = false;
}

static void ask_for_syslog(struct timer *t)
{
    struct logger *l = container_of(t, struct logger, ask);
    channel_send(&l->lifeline.channel, &(struct message){.type = MESSAGE_LOG});
}

/* Whoever read the other end has ended; a system's log that starts anew has another socket, which
 * the supervisor can reach and we cannot. At the end there is nothing to wait for. */
static bool can_wait_for_syslog(const struct logger *l, int why)
{
    return l->prefix[0] && !l->is_done &&
           (why == ECONNREFUSED || why == ENOTCONN || why == ECONNRESET || why == EPIPE);
}

static void wait_for_syslog(struct logger *l)
{
    uint64_t now_ms = loop_now_ms(l->loop);
    if (!l->is_syslog_gone)
        log_warning("the system's log has gone; lines wait for it to be there again, a mebibyte of "
                    "each worker's");
    loop_timer_arm(
        l->loop, &l->ask, l->is_syslog_gone ? now_ms + SYSLOG_ASK_MS : now_ms, ask_for_syslog);
    l->is_syslog_gone = true;
    l->is_waiting = true;
}

/* What is left in the batch afterwards waits for the system's log. */
static void write_batch(struct logger *l)
{
    struct bytes lines = buf_bytes(&l->batch);
    if (l->fd < 0 || !lines.n) {
        buf_clear(&l->batch);
        return;
    }
    /* A line of its own for what comes after a torn one. */
    if (l->is_torn && write(l->fd, "\n", 1) == 1)
        l->is_torn = false;
    size_t done = l->prefix[0] ? send_what_goes(l, lines) : write_what_goes(l->fd, lines);
    int why = errno;
    if (done)
        l->is_torn = lines.at[done - 1] != '\n';
    if (done == lines.n) {
        written_all(l);
    } else if (can_wait_for_syslog(l, why)) {
        buf_consume(&l->batch, done);
        wait_for_syslog(l);
        return;
    } else {
        lost_lines(l, count_lines(bytes_skip(lines, done)), why);
    }
    buf_clear(&l->batch);
}

/* What was left of the last batch, then one batch of each ring. True if there was anything. */
static bool write_some(struct logger *l)
{
    if (l->is_waiting)
        return false;
    bool is_any = buf_size(&l->batch) > 0;
    write_batch(l);
    for (size_t i = 0; l->is_told && !l->is_waiting && i < l->sources_n; i++) {
        struct source *s = l->sources[i];
        if (!s || !ring_gather(&s->ring, &l->batch))
            continue;
        write_batch(l);
        /* Only now: a logger killed before this has its successor write the batch again rather than
         * never. */
        ring_release(&s->ring);
        is_any = true;
    }
    return is_any;
}

/* ---- dropped lines ---- */

static void report_drops(struct timer *t)
{
    struct logger *l = container_of(t, struct logger, drops_report);
    for (size_t i = 0; i < l->sources_n; i++) {
        uint64_t dropped = l->sources[i] ? ring_dropped(&l->sources[i]->ring) : 0;
        if (dropped)
            log_warning("the access log is too slow: %llu lines of worker %zu were dropped",
                (unsigned long long)dropped, i);
    }
    loop_timer_arm(l->loop, &l->drops_report, loop_now_ms(l->loop) + DROPS_REPORT_MS, report_drops);
}

/* ---- what the supervisor says ---- */

static void woken(struct watch *w, uint32_t events)
{
    ring_awake(&container_of(w, struct source, wake)->ring);
}

static void remove_source(struct logger *l, size_t i)
{
    struct source *s = l->sources[i];
    if (!s)
        return;
    loop_unwatch(l->loop, &s->wake);
    ring_close(&s->ring);
    free(s);
    l->sources[i] = NULL;
}

static void receive_ring(struct logger *l, struct message *m)
{
    ASSERT(m->index < RINGS_MAX);
    if (m->index >= l->sources_n) {
        l->sources = mem_realloc(l->sources, (m->index + 1) * sizeof(struct source *));
        while (l->sources_n <= m->index)
            l->sources[l->sources_n++] = NULL;
    }
    remove_source(l, m->index);
    struct error err;
    struct source *s = mem_alloc(sizeof(*s));
    int failed = ring_open(&s->ring, message_take(m, 0), message_take(m, 1), &err);
    if (!failed && loop_watch(l->loop, &s->wake, s->ring.wake_fd, EPOLLIN, woken) < 0)
        failed = error_errno(&err, errno, "epoll");
    if (!failed) {
        l->sources[m->index] = s;
        return;
    }
    log_error("the log lines of worker %u cannot be read: %s", m->index, err.text);
    ring_close(&s->ring);
    free(s);
}

static void receive_log(struct logger *l, struct message *m)
{
    /* What has been logged so far belongs to the file until now (the operator who rotates it
     * expects no more than that). */
    write_some(l);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = message_take(m, 0);
    memset(l->prefix, 0, sizeof(l->prefix));
    memcpy(l->prefix, m->text.at, m->text.n < sizeof(l->prefix) ? m->text.n : 0);
    loop_timer_stop(l->loop, &l->ask);
    l->is_told = true;
    l->is_torn = false;
    l->is_waiting = false;
}

static void receive_counters(struct logger *l, struct message *m)
{
    struct error err = {.text = "told so twice"};
    if (!l->counters)
        l->counters = counters_open(m->fds[0], &err);
    if (!l->counters || l->instance)
        log_error("lost lines are not counted: %s", err.text);
    else
        l->instance = counters_row(l->counters, COUNTERS_INSTANCE, NULL);
}

static void end(void *owner)
{
    struct logger *l = owner;
    l->is_done = true;
    l->is_waiting = false;
}

static void received(void *owner, struct message *m)
{
    struct logger *l = owner;
    if (m->type == MESSAGE_RING)
        receive_ring(l, m);
    else if (m->type == MESSAGE_LOG)
        receive_log(l, m);
    else if (m->type == MESSAGE_COUNTERS)
        receive_counters(l, m);
    else if (m->type == MESSAGE_STOP)
        end(l);
}

/* May we wait? Only if every ring is empty, and its worker knows that we are to be woken. */
static bool fall_asleep(struct logger *l)
{
    for (size_t i = 0; l->is_told && !l->is_waiting && i < l->sources_n; i++)
        if (l->sources[i] && !ring_sleep(&l->sources[i]->ring))
            return false;
    return true;
}

static void serve(struct logger *l)
{
    report_drops(&l->drops_report);
    while (!l->is_done) {
        bool may_wait = !write_some(l) && fall_asleep(l);
        loop_turn(l->loop, may_wait ? -1 : 0);
    }
    /* The workers have ended, or we are alone and told to end: what is there now is all. */
    while (write_some(l))
        continue;
    report_drops(&l->drops_report);
    loop_timer_stop(l->loop, &l->drops_report);
    loop_timer_stop(l->loop, &l->ask);
}

int logger_run(unsigned index)
{
    struct logger l = {.fd = -1};
    struct error err;
    buf_init(&l.batch, BATCH_BYTES);
    l.loop = loop_new(&err);
    if (!l.loop || lifeline_open(&l.lifeline, l.loop, received, end, &l, &err) < 0 ||
        sandbox_seal(&err) < 0) {
        log_error("cannot begin: %s", err.text);
        return 1;
    }
    channel_send(&l.lifeline.channel, &(struct message){.type = MESSAGE_READY});
    serve(&l);
    for (size_t i = 0; i < l.sources_n; i++)
        remove_source(&l, i);
    free(l.sources);
    counters_close(&l.counters);
    buf_fini(&l.batch);
    if (l.fd >= 0)
        close(l.fd);
    lifeline_close(&l.lifeline);
    loop_free(&l.loop);
    return 0;
}
