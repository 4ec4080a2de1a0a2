/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sample.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

#include "base/ban.h"

#define HEAD_MAX   65536
#define ANSWER_MAX 131072
#define PIECE      4096
#define BACKLOG    64
#define IDLE_S     30 /* a connection on which nothing comes ends */

/* ---- what an HTTP sample says ---- */

static struct bytes next_line(struct bytes *text)
{
    size_t n = bytes_find(*text, '\n');
    struct bytes line = bytes_first(*text, n);
    *text = bytes_skip(*text, n + 1);
    if (bytes_ends_with(line, BYTES("\r")))
        line.n--;
    return line;
}

/* The fields by which Sallyport tells who the client is. */
static bool is_shown(struct bytes line)
{
    static const char *const prefixes[] = {
        "host:", "client-cert", "x-client-cert", "x-forwarded-", "x-real-ip:"};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        struct bytes prefix = bytes_of(prefixes[i]);
        if (bytes_equal_nocase(bytes_first(line, prefix.n), prefix))
            return true;
    }
    return false;
}

void sample_answer(const char *name, struct bytes head, struct buf *out)
{
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    struct bytes request = next_line(&head);
    bool is_head = bytes_starts_with(request, BYTES("HEAD "));
    int result = buf_printf(&body, "backend %s got: %.*s\n", name, BYTES_ARG(request));
    while (head.n && result == 0) {
        struct bytes line = next_line(&head);
        if (is_shown(line))
            result = buf_printf(&body, "  %.*s\n", BYTES_ARG(line));
    }
    result = buf_printf(out,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n",
        buf_size(&body));
    if (!is_head && result == 0)
        ignore_result(buf_append(out, buf_bytes(&body)));
    buf_fini(&body);
}

/* ---- one connection ---- */

static void send_all(int fd, struct bytes data)
{
    while (data.n) {
        ssize_t n = send(fd, data.at, data.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return;
        data = bytes_skip(data, n > 0 ? (size_t)n : 0);
    }
}

/* Length of the head in B with its empty line, or 0 while that has not come. */
static size_t head_size(struct bytes b)
{
    const uint8_t *end = b.n ? memmem(b.at, b.n, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - b.at) + 4 : 0;
}

/* Answer the request, then read and drop its body: closing with unread bytes would reset the
 * connection. */
static void serve_http(int fd, const char *name)
{
    struct buf in, out;
    ssize_t n = 1;
    buf_init(&in, HEAD_MAX);
    while (n > 0 && !head_size(buf_bytes(&in)) && buf_room(&in) >= PIECE) {
        n = recv(fd, buf_space(&in, PIECE), PIECE, 0);
        buf_added(&in, n > 0 ? (size_t)n : 0);
    }
    size_t size = head_size(buf_bytes(&in));
    buf_init(&out, 2 * ANSWER_MAX);
    if (size)
        sample_answer(name, bytes_first(buf_bytes(&in), size), &out);
    send_all(fd, buf_bytes(&out));
    shutdown(fd, SHUT_WR);
    buf_clear(&in);
    while (n > 0)
        n = recv(fd, buf_space(&in, PIECE), PIECE, 0);
    buf_fini(&in);
    buf_fini(&out);
}

static void serve_echo(int fd)
{
    uint8_t piece[PIECE];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
        send_all(fd, (struct bytes){piece, (size_t)n});
}

/* ---- the process ---- */

/* What talks to a network does not do so as root. */
static void drop_privileges(void)
{
    if (geteuid() != 0)
        return;
    const struct passwd *nobody = getpwnam("nobody");
    if (!nobody || setgroups(0, NULL) < 0 || setgid(nobody->pw_gid) < 0 ||
        setuid(nobody->pw_uid) < 0)
        _exit(1);
}

static void end_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it was too late */
        _exit(1);
}

static NORETURN void serve_one(int fd, enum sample_kind kind, const char *name, pid_t parent)
{
    end_with_parent(parent);
    if (kind == SAMPLE_HTTP)
        serve_http(fd, name);
    else
        serve_echo(fd);
    _exit(0);
}

static NORETURN void serve(int listener, enum sample_kind kind, const char *name, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGCHLD, SIG_IGN); /* nobody waits for connections */
    setpgid(0, 0);
    drop_privileges();
    end_with_parent(parent); /* after the change of user, which forgets the wish */
    pid_t self = getpid();
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct timeval idle = {.tv_sec = IDLE_S};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
        if (fork() == 0)
            serve_one(fd, kind, name, self);
        close(fd);
    }
}

static int listen_anywhere(uint16_t *port, struct error *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, errno, "cannot make a socket");
    if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0) {
        error_errno(err, errno, "cannot listen on 127.0.0.1");
        close(fd);
        return -1;
    }
    *port = ntohs(a.sin_port);
    return fd;
}

int sample_start(enum sample_kind kind, const char *name, struct sample *out, struct error *err)
{
    int listener = listen_anywhere(&out->port, err);
    if (listener < 0)
        return -1;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        serve(listener, kind, name, parent);
    int failed = errno;
    close(listener);
    if (pid < 0)
        return error_errno(err, failed, "cannot start the backend %s", name);
    setpgid(pid, pid); /* here too: whoever comes first */
    out->pid = pid;
    return 0;
}

void sample_stop(struct sample *s)
{
    if (!s->pid)
        return;
    kill(-s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    s->pid = 0;
}
