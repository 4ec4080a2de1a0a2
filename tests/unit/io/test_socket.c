/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "io/socket.h"
#include "test.h"

#include "base/ban.h"

/* Wait until FD can do EVENTS: what the loop does for the product. */
static bool wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, 5000) == 1;
}

static struct address address(const char *text)
{
    struct address a;
    CHECK_INT(address_parse(bytes_of(text), true, &a, NULL), 0);
    return a;
}

static int listener, client, server;
static struct address bound, peer;

static void open_connection(const char *at)
{
    struct error err = {""};
    struct address a = address(at);
    listener = socket_listen(&a, false, 16, &bound, &err);
    CHECK_TEXT(err.text, "");
    CHECK(address_port(&bound) != 0);
    struct address to = address(strchr(at, '[') ? "[::1]:0" : "127.0.0.1:0");
    to.sa.v4.sin_port = htons(address_port(&bound)); /* at the same place in both families */
    client = socket_connect(&to, &err);
    CHECK(client >= 0 && wait_for(client, POLLOUT));
    CHECK_INT(socket_connected(client), 0);
    CHECK(wait_for(listener, POLLIN));
    server = socket_accept(listener, &peer);
    CHECK(server >= 0);
}

static void close_connection(void)
{
    close(client);
    close(server);
    close(listener);
}

TEST(both_ends_connect_and_know_each_other)
{
    static const struct {
        const char *at, *peer;
    } cases[] = {{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {":0", "127.0.0.1"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        open_connection(cases[i].at);
        char host[ADDRESS_TEXT_MAX];
        address_format_host(&peer, host);
        CHECK_TEXT(host, cases[i].peer);
        CHECK_INT(bound.both_families, cases[i].at[0] == ':');
        struct address again;
        CHECK_INT(socket_accept(listener, &again), -1);
        CHECK_INT(errno, EAGAIN);
        close_connection();
    }
}

TEST(sockets_are_non_blocking_close_on_exec_and_without_delay_and_unsent_bytes_few)
{
    open_connection("127.0.0.1:0");
    int fds[] = {listener, client, server};
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        CHECK(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        int no_delay = 0;
        socklen_t n = sizeof(no_delay);
        CHECK_INT(getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &no_delay, &n), 0);
        CHECK(no_delay); /* what is accepted has it from the listener */
    }
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        int unsent_max = 0;
        socklen_t n = sizeof(unsent_max);
        CHECK_INT(getsockopt(fds[i], IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, &n), 0);
        CHECK_INT(unsent_max, 128 * 1024); /* which a slow reader holds in the kernel */
    }
    close_connection();
}

TEST(a_port_in_use_is_refused_and_one_of_ours_shared)
{
    struct error err = {""};
    struct address a = address("127.0.0.1:0"), second;
    CHECK_INT(socket_probe(&a, &err), 0);
    int one = socket_listen(&a, true, 16, &bound, &err);
    int two = socket_listen(&bound, true, 16, &second, &err);
    CHECK(one >= 0 && two >= 0);
    CHECK_INT(address_port(&bound), address_port(&second));

    char text[ADDRESS_TEXT_MAX], want[sizeof(err.text)];
    address_format(&bound, text);
    snprintf(want, sizeof(want),
        "cannot listen on %s: another process listens there; stop it or choose another port", text);
    CHECK_INT(socket_probe(&bound, &err), -1);
    CHECK_TEXT(err.text, want);
    CHECK_INT(socket_listen(&bound, false, 16, NULL, &err), -1);
    close(one);
    close(two);
    CHECK_INT(socket_probe(&bound, &err), 0);
}

TEST(an_address_of_another_machine_is_refused)
{
    struct error err;
    struct address a = address("192.0.2.1:0");
    CHECK_INT(socket_listen(&a, false, 16, NULL, &err), -1);
    CHECK_TEXT(err.text, "cannot listen on 192.0.2.1:0: this machine has no such address");
}

TEST(a_refused_connection_says_so)
{
    struct error err;
    struct address a = address("127.0.0.1:0");
    int fd = socket_listen(&a, false, 16, &bound, &err);
    CHECK(fd >= 0);
    close(fd); /* the port is ours no more, and nobody listens there */
    client = socket_connect(&bound, &err);
    if (client >= 0) {
        CHECK(wait_for(client, POLLOUT));
        CHECK_INT(socket_connected(client), ECONNREFUSED);
        close(client);
    } else {
        CHECK(strstr(err.text, "cannot connect to 127.0.0.1:") &&
              strstr(err.text, "Connection refused"));
    }
}

TEST(bytes_arrive_within_the_limits_and_the_end_is_seen)
{
    open_connection("127.0.0.1:0");
    struct buf out, in;
    buf_init(&out, 100);
    buf_init(&in, 6);
    CHECK_INT(socket_receive(server, &in, 100), SOCKET_WAIT);
    CHECK(in.at == NULL); /* no memory is held while nothing came */
    CHECK_INT(buf_append(&out, BYTES("0123456789")), 0);
    CHECK_INT(socket_send(client, &out), SOCKET_OK);
    CHECK_INT(buf_size(&out), 0);
    CHECK(wait_for(server, POLLIN));
    CHECK_INT(socket_receive(server, &in, 4), SOCKET_OK);
    CHECK(bytes_equal(buf_bytes(&in), BYTES("0123")));
    CHECK_INT(socket_receive(server, &in, 100), SOCKET_OK);
    CHECK(bytes_equal(buf_bytes(&in), BYTES("012345")));
    CHECK_INT(socket_receive(server, &in, 100), SOCKET_WAIT); /* full is not the end */
    buf_clear(&in);
    CHECK_INT(socket_receive(server, &in, 100), SOCKET_OK);
    buf_clear(&in);
    CHECK_INT(shutdown(client, SHUT_WR), 0);
    CHECK(wait_for(server, POLLIN));
    CHECK_INT(socket_receive(server, &in, 100), SOCKET_EOF);
    buf_fini(&in);
    buf_fini(&out);
    close_connection();
}

TEST(what_is_little_takes_no_more_room_than_it_needs)
{
    open_connection("127.0.0.1:0");
    struct bytes left = BYTES("0123456789");
    struct buf in;
    buf_init(&in, 1 << 20);
    CHECK_INT(socket_receive_little(server, &in, 1 << 20), SOCKET_WAIT);
    CHECK_INT(in.capacity, 0);
    CHECK_INT(socket_send_bytes(client, &left), SOCKET_OK);
    CHECK_INT(left.n, 0);
    CHECK(wait_for(server, POLLIN));
    CHECK_INT(socket_receive_little(server, &in, 4), SOCKET_OK);
    CHECK_INT(socket_receive_little(server, &in, 1 << 20), SOCKET_OK);
    CHECK(bytes_equal(buf_bytes(&in), BYTES("0123456789")));
    CHECK(in.capacity <= 1024);
    in.max = buf_size(&in);
    CHECK_INT(socket_receive_little(server, &in, 100), SOCKET_WAIT); /* full is not the end */
    buf_clear(&in);
    CHECK_INT(shutdown(client, SHUT_WR), 0);
    CHECK(wait_for(server, POLLIN));
    CHECK_INT(socket_receive_little(server, &in, 100), SOCKET_EOF);
    buf_fini(&in);
    close_connection();
}

TEST(a_full_pipe_leaves_the_rest_in_the_buffer)
{
    enum { SIZE = 32 << 20 }; /* more than the kernel holds for one connection */
    open_connection("127.0.0.1:0");
    struct buf out, in;
    buf_init(&out, SIZE);
    buf_init(&in, 1 << 16);
    memset(buf_space(&out, SIZE), 'x', SIZE);
    buf_added(&out, SIZE);
    CHECK_INT(socket_send(client, &out), SOCKET_WAIT);
    CHECK(buf_size(&out) > 0 && buf_size(&out) < SIZE);
    size_t received = 0;
    while (received < SIZE) {
        CHECK(socket_send(client, &out) != SOCKET_FAILED);
        if (!wait_for(server, POLLIN) || socket_receive(server, &in, 1 << 16) != SOCKET_OK)
            break;
        received += buf_size(&in);
        buf_clear(&in);
    }
    CHECK_INT(received, SIZE);
    buf_fini(&out);
    buf_fini(&in);
    close_connection();
}

TEST(a_reset_is_a_failure_and_not_an_end)
{
    open_connection("127.0.0.1:0");
    struct buf b;
    buf_init(&b, 10);
    socket_reset(client);
    CHECK(wait_for(server, POLLIN));
    CHECK_INT(socket_receive(server, &b, 10), SOCKET_FAILED);
    CHECK_INT(errno, ECONNRESET);
    CHECK_INT(buf_append(&b, BYTES("x")), 0);
    CHECK_INT(socket_send(server, &b), SOCKET_FAILED); /* and no SIGPIPE */
    CHECK_INT(errno, EPIPE);
    buf_fini(&b);
    close(server);
    close(listener);
}
