/* SPDX-License-Identifier: Apache-2.0 */
#include "role/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "role/ledger.h"
#include "role/reload.h"
#include "role/resolution.h"
#include "role/role.h"
#include "role/sandbox.h"
#include "role/shutdown.h"
#include "role/staff.h"
#include "role/vault.h"
#include "role/watchdog.h"

#include "base/ban.h"

#define CONFIG_DEFAULT "/etc/sallyport/sallyport.yaml"

/* ---- signals ---- */

static void reap(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        staff_ended(s, pid, status);
}

static void reload(struct supervisor *s)
{
    if (s->shutdown == SHUTDOWN_NONE)
        reload_begin(s);
}

static void reopen_logs(struct supervisor *s)
{
    struct error err;
    struct generation *generations[] = {s->in_force, s->coming};
    for (size_t i = 0; i < COUNT_OF(generations); i++) {
        struct generation *g = generations[i];
        if (g && g->config && generation_reopen_log(g, &err) < 0)
            log_error("%s; going on with the one that is open", err.text);
    }
    staff_send_log(s);
    log_info("logs reopened");
}

static const struct {
    int number;
    void (*handle)(struct supervisor *s);
} handled[] = {
    {SIGHUP, reload},
    {SIGTERM, shutdown_begin},
    {SIGINT, shutdown_begin},
    {SIGUSR1, reopen_logs},
    {SIGCHLD, reap},
};

static void signalled(struct watch *w, uint32_t events)
{
    struct supervisor *s = container_of(w, struct supervisor, signals);
    struct signalfd_siginfo info;
    while (read(w->fd, &info, sizeof(info)) == sizeof(info))
        for (size_t i = 0; i < COUNT_OF(handled); i++)
            if (handled[i].number == (int)info.ssi_signo)
                handled[i].handle(s);
}

static int watch_signals(struct supervisor *s, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(handled); i++) {
        sigaddset(&set, handled[i].number);
        /* Ignored ones (nohup, a shell's background job) would not arrive, blocked or not, and
         * children would not be ours to wait for. An ignored SIGINT is left so: it means that the
         * terminal's is not for us. */
        if (handled[i].number != SIGINT)
            signal(handled[i].number, SIG_DFL);
    }
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0 && sigprocmask(SIG_SETMASK, &set, NULL) == 0 &&
        loop_watch(s->loop, &s->signals, fd, EPOLLIN, signalled) == 0)
        return 0;
    error_errno(err, errno, "cannot receive signals");
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- life ---- */

/* What was the secret two hours ago is nobody's any more, also where no worker has asked for it. */
static void forget_past_secret(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, forgetting);
    ratchet_advance(&s->ticket_secret, loop_now_s(s->loop) - RATCHET_PERIOD_S);
    loop_timer_arm(s->loop, t, loop_now_ms(s->loop) + RATCHET_LATE_MS, forget_past_secret);
}

static int init(struct supervisor *s, struct error *err)
{
    s->means.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (s->means.null_fd < 0)
        return error_errno(err, errno, "cannot open /dev/null");
    if (getrandom(s->ticket_secret.at, RATCHET_SIZE, 0) != RATCHET_SIZE)
        return error_errno(err, errno, "no random bytes for session tickets");
    s->ticket_secret.hour = loop_now_s(s->loop) / RATCHET_PERIOD_S - 1;
    forget_past_secret(&s->forgetting);
    if (getrandom(s->sticky_key, sizeof(s->sticky_key), 0) != sizeof(s->sticky_key))
        return error_errno(err, errno, "no random bytes for cookies");
    s->means.binary_fd = role_open_binary(err);
    if (s->means.binary_fd < 0)
        return -1;
    s->page = page_new(&s->page_fd, err);
    if (!s->page)
        return -1;
    if (ledger_open(s, err) < 0)
        return -1;
    return watch_signals(s, err);
}

/* Before anything that others wrote is read. */
static int seal(struct supervisor *s, struct error *err)
{
    const struct start start = {.is_sandbox_off = s->means.is_sandbox_off, .must_tell = true};
    if (s->means.is_sandbox_off)
        log_warning("the sandbox is off (--sandbox=off): a process that is taken over can do what "
                    "its user can");
    if (sandbox_enter(ROLE_SUPERVISOR, &start, -1, err) < 0)
        return -1;
    if (!s->means.is_sandbox_off)
        s->means.root_fd = sandbox_make_root();
    return sandbox_seal(err);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void fini(struct supervisor *s)
{
    watchdog_stop(s);
    loop_timer_stop(s->loop, &s->forgetting);
    resolution_fini(s);
    staff_fini(s);
    vault_fini(s);
    close_fd(s->proposal.fd);
    state_folder_close(&s->state);
    generation_free(&s->in_force);
    const struct page *page = s->page;
    page_unmap(&page);
    int signals_fd = s->signals.fd;
    loop_unwatch(s->loop, &s->signals);
    close_fd(signals_fd);
    close_fd(s->page_fd);
    ledger_close(s);
    close_fd(s->means.root_fd);
    close_fd(s->means.binary_fd);
    close_fd(s->means.null_fd);
    loop_free(&s->loop);
    mem_wipe(&s->ticket_secret, sizeof(s->ticket_secret));
    mem_wipe(s->sticky_key, sizeof(s->sticky_key));
}

int supervisor_main(const char *config, bool is_sandbox_off)
{
    struct supervisor s = {.config = config ? config : CONFIG_DEFAULT,
        .means = {.binary_fd = -1, .null_fd = -1, .root_fd = -1, .is_sandbox_off = is_sandbox_off},
        .page_fd = -1,
        .proposal.fd = -1,
        .state = STATE_FOLDER_NONE,
        .book.fd = -1,
        .counters_fd = -1,
        .health_fd = -1,
        .limits_fd = -1,
        .signals.fd = -1};
    struct error err;
    privilege_set_limits();
    s.loop = loop_new(&err);
    if (!s.loop) {
        log_error("%s", err.text);
        return 1;
    }
    staff_init(&s);
    if (init(&s, &err) == 0 && seal(&s, &err) == 0) {
        reload_begin(&s);
        loop_run(s.loop);
        if (s.in_force)
            log_info("stopped");
    } else {
        log_error("%s", err.text);
        s.status = 1;
    }
    fini(&s);
    return s.status;
}

/* ---- the command ---- */

static int usage(FILE *out, int status)
{
    fputs(
        "usage: sallyport run [-c FILE] [--sandbox=off]\n\n"
        "Runs in the foreground with the configuration FILE (default " CONFIG_DEFAULT ").\n"
        "Its processes give up what they do not need; with --sandbox=off they do not, and the log "
        "warns.\n"
        "SIGHUP reloads it, SIGUSR1 reopens the logs, SIGTERM and SIGINT drain and stop (twice: "
        "at once).\n",
        out);
    return status;
}

/* A descriptor of ours must not become somebody's standard error. */
static void ensure_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close_fd(fd);
}

/* Those that our caller forgot to close (a shell's, a service manager's) are not ours to keep, nor
 * anybody's that we start. */
static void leave_others_descriptors(void)
{
    ignore_result(close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC));
}

struct command_line {
    char *config; /* NULL: the default */
    bool is_sandbox_off;
};

static int read_command_line(int argc, char **argv, struct command_line *out)
{
    *out = (struct command_line){0};
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "-c") == 0 && has_value && !out->config)
            out->config = argv[++i];
        else if (strcmp(argv[i], "--sandbox=off") == 0)
            out->is_sandbox_off = true;
        else if (strcmp(argv[i], "--sandbox=on") == 0)
            out->is_sandbox_off = false;
        else
            return -1;
    }
    return 0;
}

int supervisor_run(int argc, char **argv)
{
    struct command_line line;
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    if (read_command_line(argc, argv, &line) < 0)
        return usage(stderr, 2);
    if (line.config && (!line.config[0] || strlen(line.config) > MESSAGE_TEXT_MAX)) {
        fputs("sallyport run: FILE is no path\n", stderr);
        return 2;
    }
    ensure_standard_descriptors();
    leave_others_descriptors();
    char title[ROLE_TITLE_MAX], boxed[] = ROLE_BOXED, unboxed[] = ROLE_UNBOXED;
    char *arguments[] = {line.is_sandbox_off ? unboxed : boxed, line.config, NULL};
    struct error err;
    role_title(ROLE_SUPERVISOR, 0, title);
    int binary_fd = role_open_binary(&err);
    if (binary_fd >= 0) {
        role_execute(binary_fd, title, arguments, environ);
        error_errno(&err, errno, "cannot execute this program anew");
    }
    fprintf(stderr, "sallyport: %s\n", err.text);
    return 1;
}
