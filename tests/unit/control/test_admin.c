/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "control/admin.c"
#include "test.h"

#include "base/ban.h"

struct world {
    struct loop *loop;
    struct admin *admin;
    struct address at;
};

static void open_world(struct world *w)
{
    struct address any;
    struct error err;
    w->loop = loop_new(&err);
    w->admin = admin_new(w->loop);
    CHECK_INT(address_parse(BYTES("127.0.0.1:0"), false, &any, &err), 0);
    int fd = socket_listen(&any, false, 128, &w->at, &err);
    CHECK_INT(admin_listen(w->admin, fd, &err), 0);
}

static void close_world(struct world *w)
{
    admin_free(&w->admin);
    loop_free(&w->loop);
}

static int connect_to(const struct world *w)
{
    int fd = socket(w->at.sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    CHECK_INT(connect(fd, &w->at.sa.any, w->at.n), 0);
    return fd;
}

/* Turn until FD has something to read, or nothing happens any more. */
static bool is_answered(struct world *w, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < 50 && poll(&p, 1, 0) == 0; i++)
        loop_turn(w->loop, 1);
    return poll(&p, 1, 0) == 1;
}

/* What the admin answers to REQUEST; to be freed. */
static char *ask(struct world *w, const char *request)
{
    static char answer[4096];
    size_t n = 0;
    int fd = connect_to(w);
    CHECK_INT(send(fd, request, strlen(request), 0), strlen(request));
    while (n < sizeof(answer) - 1 && is_answered(w, fd)) {
        ssize_t got = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    answer[n] = 0;
    close(fd);
    for (int i = 0; i < 50 && w->admin->clients_n; i++)
        loop_turn(w->loop, 1);
    CHECK_INT(w->admin->clients_n, 0);
    return answer;
}

static bool begins(const char *text, const char *with)
{
    return bytes_starts_with(bytes_of(text), bytes_of(with));
}

#define HOST "Host: a\r\n\r\n"

TEST(each_request_has_its_answer)
{
    static const struct {
        const char *request, *status, *body;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\n" HOST, "HTTP/1.1 200 ", "\r\n\r\nok"},
        {"GET /readyz HTTP/1.1\r\n" HOST, "HTTP/1.1 503 ", "\r\n\r\nnot ready"},
        {"GET / HTTP/1.1\r\n" HOST, "HTTP/1.1 404 ", ""},
        {"GET /healthz/ HTTP/1.1\r\n" HOST, "HTTP/1.1 404 ", ""},
        {"POST /healthz HTTP/1.1\r\n" HOST, "HTTP/1.1 404 ", ""},
        {"GET /healthz HTTP/1.1\n" HOST, "HTTP/1.1 400 ", ""},  /* bare LF */
        {"GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", ""}, /* no Host (RFC 9112 §3.2) */
        {"\x16\x03\x01\r\n\r\n", "HTTP/1.1 400 ", ""},
    };
    struct world w;
    open_world(&w);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *answer = ask(&w, cases[i].request);
        CHECK(begins(answer, cases[i].status));
        CHECK(bytes_ends_with(bytes_of(answer), bytes_of(cases[i].body)));
        if (!begins(answer, cases[i].status))
            printf("# %zu: %s\n", i, answer);
    }
    close_world(&w);
}

TEST(readiness_is_what_was_said_last)
{
    struct world w;
    open_world(&w);
    admin_set_state(w.admin, "{\"generation\":3}");
    const char *answer = ask(&w, "GET /readyz HTTP/1.1\r\n" HOST);
    CHECK(begins(answer, "HTTP/1.1 200 "));
    CHECK(bytes_ends_with(bytes_of(answer), BYTES("\r\n\r\n{\"generation\":3}")));
    admin_set_state(w.admin, NULL);
    CHECK(begins(ask(&w, "GET /readyz HTTP/1.1\r\n" HOST), "HTTP/1.1 503 "));
    close_world(&w);
}

TEST(a_head_without_end_is_refused)
{
    struct world w;
    open_world(&w);
    static char request[REQUEST_MAX + 1];
    memset(request, 'a', REQUEST_MAX);
    memcpy(request, "GET /healthz HTTP/1.1\r\n", 23);
    for (size_t i = 100; i < REQUEST_MAX; i += 100)
        memcpy(request + i, ":\r\n", 3);
    const char *answer = ask(&w, request);
    CHECK(begins(answer, "HTTP/1.1 4"));
    close_world(&w);
}

/* RFC 9112 §9.6: closing with bytes unread would be a reset, which takes the rest of the response
 * with it. */
TEST(a_client_that_sends_more_than_it_should_gets_its_whole_answer)
{
    struct world w;
    open_world(&w);
    static char state[300000], request[3 * REQUEST_MAX], answer[65536];
    memset(state, 'j', sizeof(state) - 1);
    admin_set_state(w.admin, state);
    memset(request, 'a', sizeof(request));
    memcpy(request, "GET /readyz HTTP/1.1\r\n" HOST, 22 + sizeof(HOST) - 1);
    int fd = connect_to(&w);
    CHECK_INT(send(fd, request, sizeof(request), 0), sizeof(request));
    for (int i = 0; i < 50; i++)
        loop_turn(w.loop, 0); /* all that can be done is done before the client reads */
    size_t total = 0;
    for (ssize_t got = 1; got > 0 && is_answered(&w, fd); total += got > 0 ? (size_t)got : 0) {
        got = recv(fd, answer, sizeof(answer), 0);
        CHECK(got >= 0);
    }
    CHECK(total > sizeof(state));
    close(fd);
    close_world(&w);
}

TEST(no_more_than_the_maximum_at_a_time)
{
    struct world w;
    int fds[ADMIN_CONNECTIONS_MAX + 5];
    open_world(&w);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = connect_to(&w);
    for (size_t i = 0; i < 2 * COUNT_OF(fds); i++)
        loop_turn(w.loop, 0);
    CHECK_INT(w.admin->clients_n, ADMIN_CONNECTIONS_MAX);
    /* Those that wait get in as others leave. */
    for (size_t i = 0; i < 10; i++)
        close(fds[i]);
    for (size_t i = 0; i < 2 * COUNT_OF(fds); i++)
        loop_turn(w.loop, 0);
    CHECK_INT(w.admin->clients_n, COUNT_OF(fds) - 10);
    for (size_t i = 10; i < COUNT_OF(fds); i++)
        close(fds[i]);
    close_world(&w);
}
