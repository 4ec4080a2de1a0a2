/* SPDX-License-Identifier: Apache-2.0 */
/* resolver, against a name server of this program: UDP and TCP on a port of the kernel's choice, on
 * the same loop. */
#include <arpa/inet.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/resolver.h"
#include "test.h"

#define TYPE_A       1
#define TYPE_CNAME   5
#define TYPE_AAAA    28
#define NXDOMAIN     3
#define SERVFAIL     2
#define PATIENCE_MS  10000
#define DATAGRAM_MAX 4096

struct record {
    const char *name; /* NULL: the name of the question */
    unsigned type;
    unsigned ttl_s;
    const char *data; /* an address, or a CNAME's target */
};

/* What the server does with a question. */
struct script {
    unsigned rcode;
    bool is_silent, is_truncated;
    bool is_forged_first; /* what a guesser sends comes before the answer */
    size_t cut;           /* so many bytes are missing at the end */
    const struct record *records;
    size_t records_n;
};

static struct server {
    struct loop *loop;
    struct watch udp, tcp, peer;
    char text[ADDRESS_TEXT_MAX];
    struct script script, tcp_script;
    unsigned asked;
    char last[256];
} server;

/* ---- the server ---- */

static size_t put_name(uint8_t *out, const char *name)
{
    size_t n = 0;
    while (*name) {
        size_t label = strcspn(name, ".");
        out[n++] = (uint8_t)label;
        memcpy(out + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    out[n++] = 0;
    return n;
}

static size_t put16(uint8_t *out, unsigned v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return 2;
}

static size_t put_record(uint8_t *out, const struct record *r)
{
    size_t n = r->name ? put_name(out, r->name) : put16(out, 0xC00C);
    n += put16(out + n, r->type);
    n += put16(out + n, 1);
    n += put16(out + n, r->ttl_s >> 16);
    n += put16(out + n, r->ttl_s & 0xFFFF);
    uint8_t data[256];
    size_t data_n = r->type == TYPE_CNAME ? put_name(data, r->data) : r->type == TYPE_A ? 4 : 16;
    if (r->type != TYPE_CNAME)
        CHECK_INT(inet_pton(r->type == TYPE_A ? AF_INET : AF_INET6, r->data, data), 1);
    n += put16(out + n, (unsigned)data_n);
    memcpy(out + n, data, data_n);
    return n + data_n;
}

static void read_name(const uint8_t *q, char out[256])
{
    size_t n = 0;
    for (size_t at = 12; q[at]; at += q[at] + 1u)
        n += (size_t)snprintf(out + n, 256 - n, "%s%.*s", n ? "." : "", q[at], q + at + 1);
}

/* The answer to the question Q of N bytes. */
static size_t answer(const struct script *s, const uint8_t *q, size_t n, uint8_t *out)
{
    unsigned type = q[n - 3], count = 0;
    memcpy(out, q, n);
    out[2] = 0x81 | (s->is_truncated ? 2 : 0);
    out[3] = (uint8_t)(0x80 | s->rcode);
    for (size_t i = 0; i < s->records_n; i++) {
        if (s->records[i].type != type && s->records[i].type != TYPE_CNAME)
            continue;
        n += put_record(out + n, &s->records[i]);
        count++;
    }
    put16(out + 6, count);
    return n - s->cut;
}

static void udp_ready(struct watch *w, uint32_t events)
{
    uint8_t q[512], out[DATAGRAM_MAX];
    struct sockaddr_in from;
    socklen_t from_n = sizeof(from);
    ssize_t n = recvfrom(w->fd, q, sizeof(q), 0, (struct sockaddr *)&from, &from_n);
    if (n < 16)
        return;
    server.asked++;
    read_name(q, server.last);
    if (server.script.is_silent)
        return;
    if (server.script.is_forged_first) {
        static const struct record forged[] = {{NULL, TYPE_A, 60, "10.6.6.6"}};
        size_t size =
            answer(&(struct script){.records = forged, .records_n = 1}, q, (size_t)n, out);
        out[0] ^= 0x55; /* the identifier */
        CHECK_INT(sendto(w->fd, out, size, 0, (struct sockaddr *)&from, from_n), size);
    }
    size_t size = answer(&server.script, q, (size_t)n, out);
    CHECK_INT(sendto(w->fd, out, size, 0, (struct sockaddr *)&from, from_n), size);
}

static void peer_ready(struct watch *w, uint32_t events)
{
    uint8_t q[2 + 512], out[2 + DATAGRAM_MAX];
    ssize_t n = recv(w->fd, q, sizeof(q), 0);
    for (ssize_t at = 0; n > 0 && at < n; at += 2 + (q[at] << 8 | q[at + 1])) {
        size_t size =
            answer(&server.tcp_script, q + at + 2, (size_t)(q[at] << 8 | q[at + 1]), out + 2);
        put16(out, (unsigned)size);
        CHECK_INT(send(w->fd, out, size + 2, MSG_NOSIGNAL), size + 2);
    }
    if (n <= 0) {
        int fd = w->fd;
        loop_unwatch(server.loop, w);
        close(fd);
    }
}

static void tcp_ready(struct watch *w, uint32_t events)
{
    int fd = accept(w->fd, NULL, NULL);
    CHECK_INT(loop_watch(server.loop, &server.peer, fd, EPOLLIN, peer_ready), 0);
}

/* UDP and TCP on one port: whoever has the port in between makes us try again. */
static void server_open(void)
{
    struct error err;
    server = (struct server){.udp.fd = -1, .tcp.fd = -1, .peer.fd = -1};
    server.loop = loop_new(&err);
    for (;;) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t n = sizeof(a);
        int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_INT(bind(udp, (struct sockaddr *)&a, n), 0);
        CHECK_INT(getsockname(udp, (struct sockaddr *)&a, &n), 0);
        if (bind(tcp, (struct sockaddr *)&a, n) == 0 && listen(tcp, 4) == 0) {
            snprintf(server.text, sizeof(server.text), "127.0.0.1:%u", ntohs(a.sin_port));
            CHECK_INT(loop_watch(server.loop, &server.udp, udp, EPOLLIN, udp_ready), 0);
            CHECK_INT(loop_watch(server.loop, &server.tcp, tcp, EPOLLIN, tcp_ready), 0);
            return;
        }
        close(udp);
        close(tcp);
    }
}

static void stop(struct watch *w)
{
    int fd = w->fd;
    loop_unwatch(server.loop, w);
    if (fd >= 0)
        close(fd);
}

static void server_close(void)
{
    stop(&server.udp);
    stop(&server.tcp);
    stop(&server.peer);
    loop_free(&server.loop);
}

/* ---- asking ---- */

struct outcome {
    unsigned n;
    struct resolver_answer answer;
};

static void done(void *owner, const struct resolver_answer *a)
{
    struct outcome *o = owner;
    o->n++;
    o->answer = *a;
}

static struct outcome ask_with(const struct resolver_config *config, const char *name)
{
    struct error err;
    struct outcome o = {0};
    struct resolver *r = resolver_new(server.loop, config, &err);
    CHECK(r);
    resolver_ask(r, name, done, &o);
    uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (!o.n && clock_monotonic_ms() < end_ms)
        loop_turn(server.loop, 100);
    CHECK_INT(o.n, 1);
    resolver_free(&r);
    CHECK_INT(o.n, 1);
    return o;
}

static struct outcome ask(const char *name)
{
    const char *servers[] = {server.text};
    return ask_with(&(struct resolver_config){.servers = servers, .servers_n = 1}, name);
}

static void check_answer(const struct outcome *o, const char *want)
{
    char got[1024] = "", text[ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < o->answer.addresses_n; i++) {
        address_format_host(&o->answer.addresses[i], text);
        strncat(got, i ? " " : "", 2);
        strncat(got, text, ADDRESS_TEXT_MAX);
    }
    CHECK(!o->answer.why);
    CHECK_TEXT(got, want);
}

#define SCRIPT(...)                                       \
    static const struct record records[] = {__VA_ARGS__}; \
    server.script.records = records;                      \
    server.script.records_n = sizeof(records) / sizeof(records[0])

TEST(both_families_in_a_stable_order_with_the_shortest_ttl)
{
    server_open();
    SCRIPT({NULL, TYPE_A, 300, "10.0.0.9"}, {NULL, TYPE_AAAA, 60, "2001:db8::1"},
        {NULL, TYPE_A, 300, "10.0.0.10"}, {NULL, TYPE_A, 300, "10.0.0.9"});
    struct outcome o = ask("app.internal");
    check_answer(&o, "10.0.0.9 10.0.0.10 2001:db8::1");
    CHECK_INT(o.answer.ttl_s, 60);
    CHECK_TEXT(server.last, "app.internal");
    server_close();
}

TEST(one_family_is_enough)
{
    server_open();
    {
        SCRIPT({NULL, TYPE_A, 7, "10.0.0.9"});
        struct outcome o = ask("a.internal");
        check_answer(&o, "10.0.0.9");
        CHECK_INT(o.answer.ttl_s, 7);
    }
    {
        SCRIPT({NULL, TYPE_AAAA, 4000000000u, "2001:db8::9"});
        struct outcome o = ask("b.internal");
        check_answer(&o, "2001:db8::9");
        CHECK_INT(o.answer.ttl_s, 0); /* RFC 2181 §8 */
    }
    server_close();
}

TEST(aliases_are_followed_and_count_for_the_ttl)
{
    server_open();
    SCRIPT({NULL, TYPE_CNAME, 5, "real.internal"},
        {"real.internal", TYPE_CNAME, 400, "host.internal"},
        {"host.internal", TYPE_A, 300, "10.0.0.9"});
    struct outcome o = ask("app.internal");
    check_answer(&o, "10.0.0.9");
    CHECK_INT(o.answer.ttl_s, 5);
    server_close();
}

TEST(failures_say_why)
{
    static const struct {
        unsigned rcode;
        const char *why;
    } cases[] = {{NXDOMAIN, "there is no such name"}, {SERVFAIL, "SERVFAIL"}, {0, "no address"},
        {5, "refuse"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        server_open();
        server.script.rcode = cases[i].rcode;
        struct outcome o = ask("app.internal");
        CHECK(o.answer.why && strstr(o.answer.why, cases[i].why));
        CHECK_INT(o.answer.addresses_n, 0);
        server_close();
    }
}

TEST(addresses_at_which_no_server_can_be_are_none)
{
    server_open();
    {
        SCRIPT({NULL, TYPE_A, 9, "0.0.0.0"}, {NULL, TYPE_AAAA, 9, "::"},
            {NULL, TYPE_A, 9, "224.0.0.1"}, {NULL, TYPE_A, 9, "255.255.255.255"},
            {NULL, TYPE_AAAA, 9, "ff02::1"}, {NULL, TYPE_AAAA, 9, "fe80::1"});
        struct outcome o = ask("app.internal");
        CHECK(o.answer.why && o.answer.addresses_n == 0);
    }
    server_close();
}

TEST(of_many_addresses_the_same_ones_are_taken)
{
    server_open();
    struct record records[40];
    char texts[40][16];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(texts[i], sizeof(texts[i]), "10.0.0.%u", 100 - i);
        records[i] = (struct record){NULL, TYPE_A, 60, texts[i]};
    }
    server.script.is_truncated = true; /* RFC 1035 §4.2.1: 512 octets */
    server.tcp_script = (struct script){.records = records, .records_n = 40};
    struct outcome o = ask("app.internal");
    check_answer(&o,
        "10.0.0.61 10.0.0.62 10.0.0.63 10.0.0.64 10.0.0.65 10.0.0.66 10.0.0.67 10.0.0.68 "
        "10.0.0.69 10.0.0.70 10.0.0.71 10.0.0.72 10.0.0.73 10.0.0.74 10.0.0.75 10.0.0.76");
    server_close();
}

TEST(a_truncated_answer_is_asked_for_over_tcp)
{
    server_open();
    static const struct record records[] = {{NULL, TYPE_A, 60, "10.0.0.9"}};
    server.script.is_truncated = true;
    server.tcp_script = (struct script){.records = records, .records_n = 1};
    struct outcome o = ask("app.internal");
    check_answer(&o, "10.0.0.9");
    server_close();
}

TEST(a_forged_answer_is_passed_over)
{
    server_open();
    server.script.is_forged_first = true;
    SCRIPT({NULL, TYPE_A, 60, "10.0.0.9"});
    struct outcome o = ask("app.internal");
    check_answer(&o, "10.0.0.9");
    server_close();
}

TEST(an_answer_that_ends_early_is_none)
{
    server_open();
    server.script.cut = 5;
    SCRIPT({NULL, TYPE_A, 60, "10.0.0.9"}, {NULL, TYPE_AAAA, 60, "2001:db8::1"});
    struct outcome o = ask("app.internal");
    CHECK(o.answer.why);
    CHECK_INT(o.answer.addresses_n, 0);
    server_close();
}

TEST(the_hosts_file_and_localhost_need_no_server)
{
    server_open();
    const char *servers[] = {server.text};
    const struct resolver_config config = {.servers = servers,
        .servers_n = 1,
        .hosts = BYTES("10.0.0.7 app.internal\n10.0.0.6 app.internal\n")};
    struct outcome o = ask_with(&config, "app.internal");
    check_answer(&o, "10.0.0.6 10.0.0.7");
    CHECK_INT(o.answer.ttl_s, RESOLVER_TTL_MAX_S);
    o = ask("localhost");
    check_answer(&o, "::1 127.0.0.1");
    o = ask("app.localhost");
    check_answer(&o, "::1 127.0.0.1");
    CHECK_INT(server.asked, 0);
    server_close();
}

TEST(whoever_asked_is_not_told_after_the_end)
{
    server_open();
    struct error err;
    struct outcome o = {0};
    const char *servers[] = {server.text};
    server.script.is_silent = true;
    struct resolver *r = resolver_new(
        server.loop, &(struct resolver_config){.servers = servers, .servers_n = 1}, &err);
    resolver_ask(r, "app.internal", done, &o);
    resolver_ask(r, "other.internal", done, &o);
    while (server.asked < 4)
        loop_turn(server.loop, 100);
    resolver_free(&r);
    CHECK_INT(o.n, 0);
    server_close();
}
