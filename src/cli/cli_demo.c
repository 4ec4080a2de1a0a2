/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sallyport demo`: certificates, sample backends and a running instance, and what to try with
 * them. It stays in the foreground and ends all that it started.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/demo_files.h"
#include "cli/options.h"
#include "cli/sample.h"

#include "base/ban.h"

#define DEFAULT_FOLDER "sallyport-demo"
#define DEFAULT_PORT   8443
#define READY_MS       15000
#define STOP_MS        10000

/* What one character of a path needs at most, '\'', for all of them, and the outer marks. */
#define QUOTED_MAX (4 * PATH_MAX + 2)

struct demo {
    struct demo_layout layout;
    char folder[PATH_MAX];  /* absolute */
    char shown[QUOTED_MAX]; /* the folder as a shell takes it */
    struct sample http[2], echo;
    pid_t instance; /* 0: not running */
    int notify_fd;  /* the instance tells here that it is ready */
    int signal_fd;  /* SIGINT, SIGTERM, SIGCHLD */
};

/* ---- ports ---- */

static int check_port(uint16_t port, struct error *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return error_errno(err, errno, "cannot make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    int failed = bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;
    close(fd);
    if (failed)
        return error_errno(err, failed,
            "port %u cannot be used; --port BASE takes BASE, BASE+1 and BASE+2 instead", port);
    return 0;
}

static int choose_ports(struct demo *d, unsigned base, struct error *err)
{
    for (unsigned i = 0; i < DEMO_LISTENERS; i++) {
        d->layout.ports[i] = (uint16_t)(base + i);
        if (check_port(d->layout.ports[i], err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the folder ---- */

/* TEXT, a path, as one word of a POSIX shell. */
static void quote(const char *text, char out[QUOTED_MAX])
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+";
    if (text[0] && text[strspn(text, plain)] == '\0') {
        snprintf(out, QUOTED_MAX, "%s", text);
        return;
    }
    size_t n = 0;
    out[n++] = '\'';
    for (; *text && n + 6 < QUOTED_MAX; text++) {
        if (*text == '\'')
            n += (size_t)snprintf(out + n, QUOTED_MAX - n, "'\\'");
        out[n++] = *text;
    }
    snprintf(out + n, QUOTED_MAX - n, "'");
}

/* The one asked for, else sallyport-demo here, else one under /tmp. */
static int choose_folder(struct demo *d, const char *asked, struct error *err)
{
    char temporary[] = "/tmp/sallyport-demo-XXXXXX";
    const char *folder = asked ? asked : DEFAULT_FOLDER;
    if (!asked && access(".", W_OK) < 0) {
        folder = mkdtemp(temporary);
        if (!folder)
            return error_errno(err, errno, "cannot make a folder under /tmp");
    }
    if (demo_files_claim(folder, err) < 0)
        return -1;
    if (!realpath(folder, d->folder))
        return error_errno(err, errno, "cannot find %s", folder);
    d->layout.folder = d->folder;
    quote(d->folder, d->shown);
    return 0;
}

/* ---- the instance ---- */

/* A datagram socket with a name that the kernel picks, in NOTIFY_SOCKET (sd_notify's protocol). */
static int open_notify(struct demo *d, struct error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(sa_family_t);
    char name[sizeof(a.sun_path) + 1];
    d->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->notify_fd < 0)
        return error_errno(err, errno, "cannot make a socket");
    if (bind(d->notify_fd, (const struct sockaddr *)&a, size) < 0)
        return error_errno(err, errno, "cannot bind a socket");
    size = sizeof(a);
    if (getsockname(d->notify_fd, (struct sockaddr *)&a, &size) < 0)
        return error_errno(err, errno, "cannot name a socket");
    size_t n = size - offsetof(struct sockaddr_un, sun_path) - 1; /* without the NUL in front */
    snprintf(name, sizeof(name), "@%.*s", (int)n, a.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    return 0;
}

static NORETURN void become_instance(const struct demo *d, pid_t parent)
{
    char config[PATH_MAX + 32];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* Ctrl-C is the demo's, which then ends us in good order */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    snprintf(config, sizeof(config), "%s/sallyport.yaml", d->folder);
    char program[] = "sallyport", command[] = "run", option[] = "-c";
    execv("/proc/self/exe", (char *[]){program, command, option, config, NULL});
    _exit(127);
}

static int start_instance(struct demo *d, struct error *err)
{
    if (open_notify(d, err) < 0)
        return -1;
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become_instance(d, parent);
    if (pid < 0)
        return error_errno(err, errno, "cannot start the instance");
    setpgid(pid, pid);
    d->instance = pid;
    return 0;
}

static bool has_ended(struct demo *d)
{
    if (d->instance && waitpid(d->instance, NULL, WNOHANG) == d->instance)
        d->instance = 0;
    return !d->instance;
}

enum event { EVENT_NONE, EVENT_READY, EVENT_STOP, EVENT_ENDED };

static enum event read_notify(struct demo *d)
{
    char text[1024];
    ssize_t n = recv(d->notify_fd, text, sizeof(text), 0);
    return n > 0 && memmem(text, (size_t)n, "READY=1", 7) ? EVENT_READY : EVENT_NONE;
}

static enum event read_signal(struct demo *d)
{
    struct signalfd_siginfo info;
    if (read(d->signal_fd, &info, sizeof(info)) != sizeof(info))
        return EVENT_NONE;
    if (info.ssi_signo != SIGCHLD)
        return EVENT_STOP;
    return has_ended(d) ? EVENT_ENDED : EVENT_NONE;
}

/* The next thing that happens, or EVENT_NONE after TIMEOUT_MS (-1: never). */
static enum event wait_event(struct demo *d, int timeout_ms)
{
    uint64_t deadline_ms = clock_monotonic_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);
    for (;;) {
        struct pollfd p[2] = {{d->signal_fd, POLLIN, 0}, {d->notify_fd, POLLIN, 0}};
        int n = poll(p, COUNT_OF(p), timeout_ms);
        enum event e = EVENT_NONE;
        if (n > 0 && p[0].revents)
            e = read_signal(d);
        else if (n > 0 && p[1].revents)
            e = read_notify(d);
        if (e != EVENT_NONE)
            return e;
        uint64_t now_ms = clock_monotonic_ms();
        if (timeout_ms >= 0 && now_ms >= deadline_ms)
            return EVENT_NONE;
        if (timeout_ms >= 0)
            timeout_ms = (int)(deadline_ms - now_ms);
    }
}

static void stop_instance(struct demo *d)
{
    if (!d->instance)
        return;
    kill(d->instance, SIGTERM);
    uint64_t deadline_ms = clock_monotonic_ms() + STOP_MS;
    while (d->instance && clock_monotonic_ms() < deadline_ms)
        wait_event(d, (int)(deadline_ms - clock_monotonic_ms()));
    if (!d->instance)
        return;
    kill(-d->instance, SIGKILL);
    waitpid(d->instance, NULL, 0);
    d->instance = 0;
}

/* ---- what to try ---- */

struct attempt {
    const char *what, *client, *outcome;
};

static void print_curl(const struct demo *d, enum demo_listener listener, const struct attempt *a)
{
    printf("\n%s:\n  curl --cacert %s/ca.crt", a->what, d->shown);
    if (a->client)
        printf(" --cert %s/%s.crt --key %s/%s.key", d->shown, a->client, d->shown, a->client);
    printf(" https://localhost:%u/\n  -> %s\n", d->layout.ports[listener], a->outcome);
}

static void print_tcp(const struct demo *d)
{
    char path[PATH_MAX], binary[QUOTED_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    quote(path, binary);
    unsigned tcp = d->layout.ports[DEMO_TCP_SSL], mutual = d->layout.ports[DEMO_MUTUAL];
    printf("\nTCP_SSL, mutual, to a backend that echoes; with our client, and with OpenSSL's:\n"
           "  echo hello | %s connect localhost:%u --ca %s/ca.crt --crl %s/ca.crl --certificate "
           "%s/client.crt --key %s/client.key\n"
           "  -> the nine steps of the handshake, the verdict on the server, then: hello\n"
           "  openssl s_client -quiet -verify_return_error -connect 127.0.0.1:%u -CAfile "
           "%s/ca.crt -cert %s/client.crt -key %s/client.key\n"
           "  -> what you type comes back\n",
        binary, tcp, d->shown, d->shown, d->shown, d->shown, tcp, d->shown, d->shown, d->shown);
    printf("\nThe handshake as JSON, refused by the server:\n"
           "  %s connect localhost:%u --ca %s/ca.crt --certificate %s/revoked.crt --key "
           "%s/revoked.key --json\n"
           "  -> exit status 1, \"alert\":\"certificate_revoked\"\n",
        binary, mutual, d->shown, d->shown, d->shown);
}

static void print_attempts(const struct demo *d)
{
    static const struct attempt one_way = {"One-way: anybody may come in, and checks the server",
        NULL, "200, and what reached the backend"};
    static const struct attempt mutual[] = {
        {"Mutual, with a good certificate", "client", "200, with X-Client-Cert-Subject"},
        {"Mutual, without a certificate", NULL, "refused; the log says no_certificate"},
        {"Mutual, expired", "expired", "refused; the log says expired"},
        {"Mutual, revoked", "revoked", "refused; the log says revoked"},
        {"Mutual, from a CA that is not ours", "stranger", "refused; the log says untrusted"},
    };
    printf("Sallyport is running with %s/sallyport.yaml. Try, in another terminal:\n", d->folder);
    print_curl(d, DEMO_ONE_WAY, &one_way);
    for (size_t i = 0; i < COUNT_OF(mutual); i++)
        print_curl(d, DEMO_MUTUAL, &mutual[i]);
    print_tcp(d);
    printf("\nThe access log follows. Ctrl-C ends the demo.\n");
    fflush(stdout);
}

/* ---- the whole ---- */

static int open_signals(struct demo *d, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return d->signal_fd < 0 ? error_errno(err, errno, "cannot take signals") : 0;
}

static int prepare(struct demo *d, const char *folder, unsigned base, struct error *err)
{
    if (choose_ports(d, base, err) < 0 || choose_folder(d, folder, err) < 0 ||
        open_signals(d, err) < 0)
        return -1;
    if (sample_start(SAMPLE_HTTP, "one", &d->http[0], err) < 0 ||
        sample_start(SAMPLE_HTTP, "two", &d->http[1], err) < 0 ||
        sample_start(SAMPLE_ECHO, "echo", &d->echo, err) < 0)
        return -1;
    d->layout.http[0] = d->http[0].port;
    d->layout.http[1] = d->http[1].port;
    d->layout.echo = d->echo.port;
    return demo_files_write(&d->layout, clock_wall_s(), err);
}

static int run(struct demo *d, struct error *err)
{
    if (start_instance(d, err) < 0)
        return -1;
    enum event e = wait_event(d, READY_MS);
    if (e == EVENT_STOP)
        return 0;
    if (e != EVENT_READY)
        return error_set(err, e == EVENT_ENDED
                                  ? "the instance did not start; its reason stands above"
                                  : "the instance did not become ready in time");
    print_attempts(d);
    do
        e = wait_event(d, -1);
    while (e != EVENT_STOP && e != EVENT_ENDED);
    return e == EVENT_STOP ? 0 : error_set(err, "the instance ended by itself");
}

static void stop(struct demo *d)
{
    stop_instance(d);
    sample_stop(&d->http[0]);
    sample_stop(&d->http[1]);
    sample_stop(&d->echo);
    if (d->signal_fd >= 0)
        close(d->signal_fd);
    if (d->notify_fd >= 0)
        close(d->notify_fd);
}

int cli_demo(int argc, char **argv)
{
    const char *folder = NULL;
    unsigned base = DEFAULT_PORT;
    const struct options_row rows[] = {
        {"dir", 0, OPTIONS_TEXT, &folder, "DIR",
            "default: " DEFAULT_FOLDER " in the current folder"},
        {"port", 0, OPTIONS_NUMBER, &base, "BASE", "the first of three ports (default: 8443)", 1,
            UINT16_MAX - DEMO_LISTENERS + 1},
    };
    const struct options_syntax syntax = {"demo", "",
        "Makes a CA, a server's certificate and clients' certificates, good and bad; starts sample "
        "backends and\nlisteners on 127.0.0.1: 8443 HTTPS one-way, 8444 HTTPS mutual, 8445 TCP_SSL "
        "mutual; prints commands to\ntry, and runs until Ctrl-C.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    struct demo d = {.notify_fd = -1, .signal_fd = -1};
    struct error err;
    int result = prepare(&d, folder, base, &err);
    if (result == 0)
        result = run(&d, &err);
    stop(&d);
    if (result < 0)
        fprintf(stderr, "sallyport demo: %s\n", err.text);
    return result < 0 ? OPTIONS_EXIT_NEGATIVE : OPTIONS_EXIT_GOOD;
}
