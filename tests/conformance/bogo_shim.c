/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bogo_shim — one side of a connection, as BoringSSL's test runner ("BoGo") directs it: the runner
 * plays the peer, in Go, and breaks the rules.
 *
 *   bogo_shim [-engine openssl|native] -port N -shim-id N [the runner's flags]
 *
 * Exit code: 0, all went as the flags say; 1, it did not (stderr says why); 89, a flag asks for
 * what we do not implement, and the runner leaves the test out.
 */
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"
#include "bogo_plan.h"
#include "tls/names.h"

#include "base/ban.h"

/* RFC 8446 §6.2, as the runner's own shim has them. */
#define HANDSHAKE_FAILURE   40
#define CERTIFICATE_UNKNOWN 46
#define BAD_STATUS_RESPONSE 113

struct side {
    const struct plan *plan;
    const struct setup *setup;
    struct tlsconn *c;
    struct tlsconn_session **session; /* the latest of all connections */
    bool has_new_session, is_judged;
    const char *wrong; /* in what the judge was asked about; NULL: nothing */
    struct watch watch;
    int64_t now_s;
    int fd;
};

static const struct tlspolicy *choose(void *owner, const struct tlsconn_hello *hello)
{
    (void)hello;
    return ((struct side *)owner)->setup->policy;
}

static bool is_chain_of(const char *path, const struct certificate *const *chain, size_t chain_n)
{
    struct certificate_list wanted = {0};
    struct error err;
    struct bytes file = plan_file(path);
    if (certificate_list_parse(file, &wanted, &err) < 0)
        plan_end(1, "%s: %s", path, err.text);
    bool is_same = wanted.n == chain_n;
    for (size_t i = 0; is_same && i < chain_n; i++)
        is_same = certificate_equal(wanted.at[i], chain[i]);
    certificate_list_fini(&wanted);
    plan_free_file(file);
    return is_same;
}

/* A client under TLS 1.2 is asked again when the staple is there: the last answer counts. */
static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    struct side *s = owner;
    const struct plan *p = s->plan;
    uint8_t staple[CONTENT_MAX];
    s->is_judged = true;
    s->wrong = NULL;
    if (p->expect_peer_cert_file && !is_chain_of(p->expect_peer_cert_file, chain, chain_n))
        s->wrong = "other certificates than expected";
    if (p->expect_ocsp_response &&
        !bytes_equal(tlsconn_staple(s->c), plan_decode(p->expect_ocsp_response, staple)))
        s->wrong = "another OCSP response than expected";
    if (p->fail_ocsp)
        return BAD_STATUS_RESPONSE;
    /* The runner's own shim verifies always, and refuses if told to. */
    if (!p->verify_fail || !p->verify_peer)
        return 0;
    return p->asks_callback ? CERTIFICATE_UNKNOWN : HANDSHAKE_FAILURE;
}

static void watch(void *owner, enum tlsconn_message_direction direction, struct bytes message)
{
    struct side *s = owner;
    watch_message(&s->watch, direction == TLSCONN_RECEIVED, message);
}

static void keep_session(void *owner, struct tlsconn_session *session)
{
    struct side *s = owner;
    tlsconn_session_free(s->session);
    *s->session = session;
    s->has_new_session = true;
}

static const struct tlsconn_handler handler = {choose, judge, watch, keep_session};

static int connect_to_runner(const struct plan *p)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)plan_number(p->port, 0)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = v4.sin_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(p->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *to =
        p->ipv6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
    if (fd < 0 || connect(fd, to, p->ipv6 ? sizeof(v6) : sizeof(v4)) != 0)
        plan_end(1, "cannot connect to the runner: %m");
    return fd;
}

/* A runner that is gone is noticed when its answer is missed. */
static void flush(struct side *s)
{
    struct buf *out = tlsconn_wire_out(s->c);
    while (buf_size(out)) {
        struct bytes all = buf_bytes(out);
        ssize_t n = send(s->fd, all.at, all.n, MSG_NOSIGNAL);
        buf_consume(out, n > 0 ? (size_t)n : all.n);
    }
}

static bool receive(struct side *s)
{
    struct buf *in = tlsconn_wire_in(s->c);
    size_t room = buf_room(in) < 16384 ? buf_room(in) : 16384;
    if (!room)
        plan_end(1, "wire_in is full, and nothing of it is taken");
    ssize_t n = recv(s->fd, buf_space(in, room), room, 0);
    buf_added(in, n > 0 ? (size_t)n : 0);
    return n > 0;
}

/* The alert reaches the runner only if what it has sent is read before the socket is closed. */
static void hang_up(struct side *s)
{
    uint8_t rest[4096];
    flush(s);
    shutdown(s->fd, SHUT_WR);
    while (recv(s->fd, rest, sizeof(rest), 0) > 0)
        ;
    close(s->fd);
}

static void NORETURN fail(struct side *s, const char *text)
{
    const struct tlsconn_failure *f = tlsconn_failure(s->c);
    hang_up(s);
    plan_end(1, "%s: fault %d, alert %s: %s", text, (int)f->fault,
        f->alert ? tlsconn_alert_name(f->alert) : "none", f->text);
}

static void shake_hands(struct side *s)
{
    enum tlsconn_status status;
    while ((status = tlsconn_handshake(s->c, s->now_s)) == TLSCONN_WANT_INPUT) {
        flush(s);
        if (!receive(s))
            fail(s, "the runner hung up during the handshake");
    }
    if (status != TLSCONN_OK)
        fail(s, "handshake failed");
    flush(s);
}

/* What TEXT says by number is NAME; TEXT may be NULL. */
static bool is_named(const char *text, const char *(*name_of)(uint16_t), const char *name)
{
    const char *wanted = text ? name_of((uint16_t)plan_number(text, 0)) : name;
    return wanted && strcmp(wanted, name) == 0;
}

/* NULL, or what is not as expected. */
static const char *find_wrong(const struct side *s)
{
    const struct tlsconn_facts *f = tlsconn_facts(s->c);
    const struct plan *p = s->plan;
    if (p->expect_version && plan_number(p->expect_version, 0) != f->version)
        return "another version than expected";
    if (p->expect_alpn && strcmp(p->expect_alpn, f->alpn) != 0)
        return "another application protocol than expected";
    if (p->expect_server_name && strcmp(p->expect_server_name, f->sni) != 0)
        return "another server name than expected";
    if (!is_named(p->expect_curve_id, names_group, f->group))
        return "another group than expected";
    if (!is_named(p->expect_cipher, tlsconn_cipher_name, f->cipher))
        return "another suite than expected";
    /* Resumed, the peer signs nothing. */
    if (!f->resumed &&
        !is_named(p->expect_signature_algorithm, names_signature_scheme, f->signature))
        return "another signature scheme than expected";
    if ((p->expect_peer_cert_file || p->expect_ocsp_response) && !f->resumed && !s->is_judged)
        return "nobody was asked about the peer's certificates";
    return s->wrong ? s->wrong : watch_check(&s->watch, p);
}

static void check_facts(struct side *s, bool is_resumption)
{
    bool is_resumed = tlsconn_facts(s->c)->resumed;
    if (is_resumed != (is_resumption && !s->plan->expect_session_miss))
        fail(s, is_resumed ? "resumed, unexpectedly" : "not resumed");
    const char *wrong = find_wrong(s);
    if (wrong)
        fail(s, wrong);
}

static void write_all(struct side *s, struct bytes data)
{
    while (data.n) {
        size_t taken = 0;
        if (tlsconn_write(s->c, data, &taken) == TLSCONN_FAILED)
            fail(s, "writing failed");
        data = bytes_skip(data, taken);
        flush(s);
    }
}

/* Decrypted bytes into PLAIN; false at the end, clean if *IS_CLEAN. */
static bool read_some(struct side *s, struct buf *plain, bool *is_clean)
{
    enum tlsconn_status status;
    while ((status = tlsconn_read(s->c, plain)) == TLSCONN_WANT_INPUT) {
        flush(s);
        if (!receive(s))
            return false;
    }
    if (status == TLSCONN_FAILED)
        fail(s, "reading failed");
    *is_clean = status == TLSCONN_CLOSED;
    return status == TLSCONN_OK;
}

/* Send back what comes, each bit inverted; nothing, once we have closed. */
static void echo(struct side *s, bool is_closed)
{
    struct buf plain;
    bool is_clean = false;
    buf_init(&plain, 512);
    while (read_some(s, &plain, &is_clean)) {
        for (size_t i = plain.start; i < plain.end; i++)
            plain.at[i] ^= 0xff;
        if (!is_closed)
            write_all(s, buf_bytes(&plain));
        buf_clear(&plain);
    }
    buf_fini(&plain);
    if (!is_clean && s->plan->check_close_notify)
        fail(s, "the runner hung up without close_notify");
}

static void exchange(struct side *s)
{
    if (s->plan->shim_writes_first)
        write_all(s, BYTES("hello"));
    if (!s->plan->shim_shuts_down)
        echo(s, false);
    tlsconn_close(s->c);
    flush(s);
    if (s->plan->shim_shuts_down && s->plan->check_close_notify)
        echo(s, true);
}

/* Whoever keeps a session judges its certificates before it is offered (tls/tlsconn.h). */
static void offer(struct side *s)
{
    const struct plan *p = s->plan;
    if (p->judges_sessions && p->verify_fail)
        return;
    if (!tlsconn_offer(s->c, *s->session, s->now_s) && !p->expect_session_miss)
        plan_end(EXIT_UNIMPLEMENTED, "a session of another policy is not offered");
}

/* NUMBER: of the connection, from 0. */
static void run(const struct plan *p, const struct setup *setup, struct tlsconn_session **session,
    unsigned long number)
{
    struct side s = {.plan = p, .setup = setup, .session = session};
    s.now_s = clock_wall_s() + (int64_t)(number * plan_number(p->resumption_delay, 0));
    s.c = p->is_server ? tlsconn_new_server(setup->policy, &handler, &s)
                       : tlsconn_new_client(setup->policy, p->host_name, &handler, &s);
    s.fd = connect_to_runner(p);
    uint64_t id = htole64(strtoull(p->shim_id ? p->shim_id : "0", NULL, 10));
    if (send(s.fd, &id, sizeof(id), MSG_NOSIGNAL) != sizeof(id))
        plan_end(1, "cannot write to the runner: %m");
    if (number && *session)
        offer(&s);
    shake_hands(&s);
    check_facts(&s, number);
    exchange(&s);
    if (p->expect_no_session && s.has_new_session)
        fail(&s, "a session, unexpectedly");
    if (number && p->expect_ticket_renewal && !s.has_new_session)
        fail(&s, "no new session");
    hang_up(&s);
    tlsconn_free(&s.c);
}

int main(int argc, char **argv)
{
    struct plan plans[2] = {0};
    struct setup setups[2] = {0};
    struct tlsconn_session *session = NULL;
    if (argc > 1 && strcmp(argv[argc - 1], "-is-handshaker-supported") == 0) {
        puts("No"); /* a program of the runner's own shim, asked for before all tests */
        return 0;
    }
    plan_read(argv + 1, plans);
    for (int i = 0; i < 2; i++)
        setup_init(&setups[i], &plans[i]);
    unsigned long n = plan_number(plans[0].resume_count, 0);
    bool has_one = memcmp(&plans[0], &plans[1], sizeof(plans[0])) == 0;
    for (unsigned long i = 0; i <= n; i++)
        run(&plans[i > 0], &setups[i > 0 && !has_one], &session, i);
    tlsconn_session_free(&session);
    for (int i = 0; i < 2; i++)
        setup_fini(&setups[i]);
    return 0;
}
