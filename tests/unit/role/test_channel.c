/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "role/channel.h"
#include "test.h"

#include "base/ban.h"

/* How a packet begins (message.c). */
struct head {
    uint32_t type, index;
    uint64_t generation;
};

/* One end on a loop, the other as a bare socket. */
struct pair {
    struct loop *loop;
    struct channel channel;
    int peer;
    unsigned received, ended;
    enum message_status why;
    struct message last;
    int taken_fd;
};

static void on_message(void *owner, struct message *m)
{
    struct pair *p = owner;
    p->received++;
    p->last = *m;
    p->taken_fd = message_take(m, 0);
}

static void on_end(void *owner, enum message_status why)
{
    struct pair *p = owner;
    p->ended++;
    p->why = why;
}

static void open_pair(struct pair *p)
{
    int fds[2];
    struct error err;
    *p = (struct pair){.taken_fd = -1};
    p->loop = loop_new(&err);
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    p->peer = fds[1];
    channel_init(&p->channel, on_message, on_end, p);
    CHECK_INT(channel_open(&p->channel, p->loop, fds[0], &err), 0);
}

static void close_pair(struct pair *p)
{
    channel_close(&p->channel);
    if (p->peer >= 0)
        close(p->peer);
    if (p->taken_fd >= 0)
        close(p->taken_fd);
    loop_free(&p->loop);
}

static size_t count_open(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int send_raw(int fd, const void *at, size_t n)
{
    return send(fd, at, n, 0) == (ssize_t)n ? 0 : -1;
}

TEST(a_message_arrives_whole)
{
    struct pair p;
    open_pair(&p);
    struct message m = {.type = MESSAGE_READY, .generation = 1ull << 40, .fds = {0}, .fds_n = 1};
    CHECK_INT(message_send(p.peer, &m), MESSAGE_OK);
    loop_turn(p.loop, 0);
    CHECK_INT(p.received, 1);
    CHECK_INT(p.last.type, MESSAGE_READY);
    CHECK(p.last.generation == 1ull << 40);
    CHECK(p.taken_fd >= 0 && (fcntl(p.taken_fd, F_GETFD) & FD_CLOEXEC));
    close_pair(&p);
}

TEST(descriptors_that_nobody_takes_are_closed)
{
    struct pair p;
    open_pair(&p);
    size_t before = count_open();
    struct message m = {.type = MESSAGE_PREPARE, .fds = {0, 0, 0}, .fds_n = 3};
    CHECK_INT(message_send(p.peer, &m), MESSAGE_OK);
    loop_turn(p.loop, 0);
    CHECK_INT(p.received, 1);
    CHECK_INT(count_open(), before + 1); /* the one that on_message took */
    close_pair(&p);
}

TEST(what_does_not_fit_its_row_ends_the_channel)
{
    static const struct head heads[] = {
        {MESSAGE_NONE, 0, 0}, {MESSAGE_TYPE_COUNT, 0, 0}, {UINT32_MAX, 0, 0},
        {MESSAGE_FAILED, 0, 0}, /* without the descriptor that it must have */
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct pair p;
        open_pair(&p);
        CHECK_INT(send_raw(p.peer, &heads[i], sizeof(heads[i])), 0);
        loop_turn(p.loop, 0);
        CHECK_INT(p.received, 0);
        CHECK_INT(p.ended, 1);
        CHECK_INT(p.why, MESSAGE_BROKEN);
        CHECK(!channel_is_open(&p.channel));
        close_pair(&p);
    }
}

TEST(short_and_long_packets_end_the_channel)
{
    static const struct {
        struct head head;
        uint8_t more[MESSAGE_TEXT_MAX + 1];
    } packet = {{MESSAGE_LOAD, 0, 0}, {0}};
    static const size_t sizes[] = {
        1, sizeof(struct head) - 1, sizeof(struct head) + MESSAGE_TEXT_MAX + 1};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct pair p;
        open_pair(&p);
        CHECK_INT(send_raw(p.peer, &packet, sizes[i]), 0);
        loop_turn(p.loop, 0);
        CHECK_INT(p.received, 0);
        CHECK_INT(p.ended, 1);
        CHECK_INT(p.why, MESSAGE_BROKEN);
        close_pair(&p);
    }
}

#define FDS_MANY 8

/* N descriptors with a message that may have none. */
static void send_fds(int to, unsigned n)
{
    struct head head = {MESSAGE_PONG, 0, 0};
    struct iovec part = {&head, sizeof(head)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FDS_MANY * sizeof(int))];
    } ancillary = {.header = {CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    memset(CMSG_DATA(&ancillary.header), 0, n * sizeof(int)); /* N times descriptor 0 */
    struct msghdr packet = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = ancillary.bytes,
        .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    CHECK(sendmsg(to, &packet, 0) > 0);
}

/* One more than the maximum is let in by the padding of CMSG_SPACE: a worker that was taken over
 * would write past the supervisor's message with it. */
TEST(descriptors_that_a_message_may_not_have_are_closed)
{
    for (unsigned n = 1; n <= FDS_MANY; n++) {
        struct pair p;
        open_pair(&p);
        size_t before = count_open();
        send_fds(p.peer, n);
        loop_turn(p.loop, 0);
        CHECK_INT(p.received, 0);
        CHECK_INT(p.ended, 1);
        CHECK_INT(p.why, MESSAGE_BROKEN);
        CHECK_INT(count_open(), before - 1); /* the channel's own is closed, and nothing came in */
        close_pair(&p);
    }
}

/* A peer that does not read for a while gets everything, in order, and the sender's descriptors may
 * be gone by then. */
static void send_listener(struct pair *p, uint32_t i)
{
    int fd = dup(0);
    channel_send(&p->channel,
        &(struct message){.type = MESSAGE_LISTENER, .index = i, .fds = {fd}, .fds_n = 1});
    close(fd);
}

static void receive_listener(struct pair *p, uint32_t want)
{
    struct message m;
    uint8_t text[MESSAGE_TEXT_MAX];
    enum message_status status = message_receive(p->peer, &m, text);
    if (status == MESSAGE_WAIT) {
        loop_turn(p->loop, 0);
        status = message_receive(p->peer, &m, text);
    }
    CHECK_INT(status, MESSAGE_OK);
    CHECK_INT(m.index, want);
    CHECK_INT(m.fds_n, 1);
    message_close(&m);
}

TEST(a_slow_peer_gets_everything_in_order)
{
    struct pair p;
    open_pair(&p);
    const uint32_t count = 3000;
    uint32_t i = 0;
    while (i < count)
        send_listener(&p, i++);
    CHECK(p.channel.outbox_n > 0);
    for (uint32_t want = 0; want < count + 10; want++) {
        receive_listener(&p, want);
        /* Now there is room in the socket, but others are before this one. */
        if (want < 10)
            send_listener(&p, i++);
    }
    CHECK_INT(p.channel.outbox_n, 0);
    CHECK_INT(p.ended, 0);
    close_pair(&p);
}

#define MANY 20000u

TEST(a_peer_that_never_reads_ends_the_channel)
{
    struct pair p;
    open_pair(&p);
    for (unsigned i = 0; i < MANY; i++)
        channel_send(&p.channel, &(struct message){.type = MESSAGE_PING});
    CHECK(p.channel.outbox_n < MANY / 2);
    CHECK_INT(p.ended, 0); /* not under the sender's feet */
    for (int i = 0; i < 3; i++)
        loop_turn(p.loop, 0);
    CHECK_INT(p.ended, 1);
    close_pair(&p);
}

TEST(last_words_are_heard)
{
    struct pair p;
    open_pair(&p);
    CHECK_INT(message_send(p.peer, &(struct message){.type = MESSAGE_PONG}), MESSAGE_OK);
    CHECK_INT(message_send(p.peer, &(struct message){.type = MESSAGE_PONG}), MESSAGE_OK);
    close(p.peer);
    p.peer = -1;
    channel_finish(&p.channel);
    CHECK_INT(p.received, 2);
    CHECK_INT(p.ended, 0);
    CHECK(!channel_is_open(&p.channel));
    close_pair(&p);
}

TEST(the_end_is_told_once)
{
    struct pair p;
    open_pair(&p);
    close(p.peer);
    p.peer = -1;
    for (int i = 0; i < 3; i++)
        loop_turn(p.loop, 0);
    CHECK_INT(p.ended, 1);
    CHECK_INT(p.why, MESSAGE_END);
    close_pair(&p);
}
