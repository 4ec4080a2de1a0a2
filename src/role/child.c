/* SPDX-License-Identifier: Apache-2.0 */
#include "role/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* A process that has closed its channel is on its way out; one that takes longer than this hangs.
 */
#define EXIT_MAX_MS 5000

#define TO(state)   (1u << (state))

static const unsigned next_states[] = {
    [CHILD_ABSENT] = TO(CHILD_STARTING) | TO(CHILD_WAITING),
    [CHILD_STARTING] = TO(CHILD_UP) | TO(CHILD_LEAVING) | TO(CHILD_ABSENT),
    [CHILD_UP] = TO(CHILD_LEAVING) | TO(CHILD_ABSENT),
    [CHILD_LEAVING] = TO(CHILD_ABSENT),
    /* to itself: it could not be started */
    [CHILD_WAITING] = TO(CHILD_STARTING) | TO(CHILD_WAITING) | TO(CHILD_ABSENT),
};

/* The only function that writes c->state. The timer belongs to the state. */
static void child_goto(struct child *c, enum child_state next)
{
    ASSERT(next_states[c->state] & TO(next));
    c->state = next;
    loop_timer_stop(c->loop, &c->timer);
}

/* ---- between fork and execution ---- */

/* What a role may know of our environment. */
static char **make_environment(void)
{
    static const char *const kept[] = {"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"};
    char **environment = mem_calloc(COUNT_OF(kept) + 1, sizeof(char *));
    for (size_t i = 0, n = 0; i < COUNT_OF(kept); i++) {
        const char *value = getenv(kept[i]);
        if (value && asprintf(&environment[n], "%s=%s", kept[i], value) >= 0)
            n++;
    }
    return environment;
}

/* Signals stay blocked as they are in the supervisor: none may meet the role before it is ready for
 * it. */
NORETURN static void become_role(
    const struct child *c, const struct child_means *means, int channel)
{
    char title[ROLE_TITLE_MAX];
    role_title(c->role, c->index, title);
    /* dup2 clears close-on-exec, except where it has nothing to do. */
    if (dup2(means->null_fd, STDIN_FILENO) == STDIN_FILENO &&
        dup2(means->null_fd, STDOUT_FILENO) == STDOUT_FILENO &&
        (channel == ROLE_CHANNEL_FD ? fcntl(channel, F_SETFD, 0) == 0
                                    : dup2(channel, ROLE_CHANNEL_FD) == ROLE_CHANNEL_FD) &&
        close_range(ROLE_CHANNEL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        role_execute(means->binary_fd, title, NULL, make_environment());
    log_error("%s cannot be executed: %s", c->name, strerrordesc_np(errno));
    _exit(127);
}

/* ---- the process ---- */

static void received(void *owner, struct message *m)
{
    struct child *c = owner;
    c->received(c, m);
}

static void exit_late(struct timer *t)
{
    struct child *c = container_of(t, struct child, timer);
    log_warning(
        "%s (pid %d) has closed its channel and does not end; killing it", c->name, (int)c->pid);
    child_kill(c);
}

static void channel_ended(void *owner, enum message_status why)
{
    struct child *c = owner;
    if (why == MESSAGE_BROKEN) {
        log_error("%s (pid %d) sends what is no message; killing it", c->name, (int)c->pid);
        child_kill(c);
        return;
    }
    loop_timer_arm(c->loop, &c->timer, loop_now_ms(c->loop) + EXIT_MAX_MS, exit_late);
}

void child_init(struct child *c, struct loop *loop, enum role role, unsigned index)
{
    *c = (struct child){.role = role,
        .index = index,
        .loop = loop,
        .ring_fd = -1,
        .wake_fd = -1,
        .counters_fd = -1,
        .handshakes_fd = -1,
        .sticky_fd = -1,
        .calls = {-1, -1, -1}};
    role_name(role, index, c->name);
    channel_init(&c->channel, received, channel_ended, c);
}

void child_fini(struct child *c)
{
    ASSERT(!child_is_running(c));
    loop_timer_stop(c->loop, &c->timer);
    const int fds[] = {c->ring_fd, c->wake_fd, c->counters_fd, c->handshakes_fd, c->sticky_fd,
        c->calls.memory, c->calls.server, c->calls.asker};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

int child_start(struct child *c, const struct child_means *means, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "no channel for %s", c->name);
    pid_t pid = fork();
    if (pid == 0)
        become_role(c, means, pair[1]);
    int why = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return error_errno(err, why, "%s cannot be started", c->name);
    }
    child_goto(c, CHILD_STARTING);
    c->pid = pid;
    c->prepared = 0;
    c->owed = 0;
    c->has_ponged = true;
    if (channel_open(&c->channel, c->loop, pair[0], err) < 0) {
        child_kill(c);
        return -1;
    }
    struct start start = {.index = c->index,
        .identity = means->identity,
        .is_sandbox_off = means->is_sandbox_off,
        .must_tell = c->index == 0 && !c->deaths_n};
    child_send(c, &(struct message){.type = MESSAGE_START,
                      .text = {(const uint8_t *)&start, sizeof(start)},
                      .fds = {means->root_fd},
                      .fds_n = means->root_fd >= 0});
    return 0;
}

void child_send(struct child *c, const struct message *m)
{
    channel_send(&c->channel, m);
}

void child_send_calls(struct child *c, const struct child *caller, unsigned index)
{
    child_send(c, &(struct message){.type = MESSAGE_CALLS,
                      .index = index,
                      .fds = {caller->calls.memory, caller->calls.server, caller->calls.asker},
                      .fds_n = 3});
}

void child_is_up(struct child *c)
{
    if (c->state == CHILD_STARTING)
        child_goto(c, CHILD_UP);
}

bool child_is_running(const struct child *c)
{
    return c->state == CHILD_STARTING || c->state == CHILD_UP || c->state == CHILD_LEAVING;
}

void child_leave(struct child *c, enum message_type type)
{
    if (c->state == CHILD_WAITING)
        child_goto(c, CHILD_ABSENT);
    if (!child_is_running(c))
        return;
    child_send(c, &(struct message){.type = type});
    if (c->state != CHILD_LEAVING)
        child_goto(c, CHILD_LEAVING);
    if (!channel_is_open(&c->channel)) /* it has not heard us, and has its limit already */
        channel_ended(c, MESSAGE_END);
}

void child_kill(struct child *c)
{
    if (child_is_running(c) && c->pid > 0)
        kill(c->pid, SIGKILL);
}

void child_ended(struct child *c)
{
    c->pid = 0; /* another process may have it from now on */
    channel_finish(&c->channel);
    child_goto(c, CHILD_ABSENT);
}

static void wait_over(struct timer *t)
{
    struct child *c = container_of(t, struct child, timer);
    c->due(c);
}

uint64_t child_wait(struct child *c)
{
    uint64_t now_ms = loop_now_ms(c->loop), pause_ms = 0;
    /* The ring of the latest deaths: its next place has the earliest. */
    uint64_t *earliest_ms = &c->deaths_ms[c->deaths_n % CHILD_DEATHS_MAX];
    if (c->deaths_n >= CHILD_DEATHS_MAX && now_ms - *earliest_ms < CHILD_DEATHS_WITHIN_MS)
        pause_ms = CHILD_PAUSE_MS;
    *earliest_ms = now_ms;
    c->deaths_n++;
    child_goto(c, CHILD_WAITING);
    loop_timer_arm(c->loop, &c->timer, now_ms + pause_ms, wait_over);
    return pause_ms;
}
