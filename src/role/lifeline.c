/* SPDX-License-Identifier: Apache-2.0 */
#include "role/lifeline.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "role/role.h"

#include "base/ban.h"

static void end_if_alone(struct lifeline *l)
{
    if (l->must_end && !channel_is_open(&l->channel))
        l->end(l->owner);
}

static void channel_ended(void *owner, enum message_status why)
{
    struct lifeline *l = owner;
    log_warning("the supervisor is gone; going on without it until SIGTERM");
    end_if_alone(l);
}

static void channel_received(void *owner, struct message *m)
{
    struct lifeline *l = owner;
    l->received(l->owner, m);
}

static void signalled(struct watch *w, uint32_t events)
{
    struct lifeline *l = container_of(w, struct lifeline, signals);
    struct signalfd_siginfo info;
    if (read(w->fd, &info, sizeof(info)) != sizeof(info))
        return;
    l->must_end = true;
    end_if_alone(l);
}

/* The signals that the supervisor handles are blocked from birth on and stay so: an interrupt at
 * the terminal reaches every process, and is the supervisor's business. */
static int watch_sigterm(struct lifeline *l)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    int fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -1;
    if (sigprocmask(SIG_BLOCK, &term, NULL) == 0 &&
        loop_watch(l->loop, &l->signals, fd, EPOLLIN, signalled) == 0)
        return 0;
    close(fd);
    return -1;
}

int lifeline_open(struct lifeline *l, struct loop *loop, channel_message_fn *received,
    lifeline_end_fn *end, void *owner, struct error *err)
{
    *l = (struct lifeline){.loop = loop, .received = received, .end = end, .owner = owner};
    l->signals.fd = -1;
    channel_init(&l->channel, channel_received, channel_ended, l);
    signal(SIGPIPE, SIG_IGN);
    if (watch_sigterm(l) < 0)
        return error_errno(err, errno, "cannot receive signals");
    return channel_open(&l->channel, loop, ROLE_CHANNEL_FD, err);
}

void lifeline_close(struct lifeline *l)
{
    channel_close(&l->channel);
    int fd = l->signals.fd;
    loop_unwatch(l->loop, &l->signals);
    if (fd >= 0)
        close(fd);
}
