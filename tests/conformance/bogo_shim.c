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
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"
#include "tls/tlsconn.h"

#include "base/ban.h"

#define EXIT_UNIMPLEMENTED  89
#define FILE_MAX            (256 * 1024)
#define ALPN_MAX            16
#define HANDSHAKE_FAILURE   40 /* RFC 8446 §6.2 */
#define CERTIFICATE_UNKNOWN 46

static void NORETURN PRINTF(2, 3) end(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(code);
}

/* ---- flags ---- */

/* What one connection is to be; the flags may differ between the first and those that resume. */
struct plan {
    bool is_server, ipv6;
    const char *engine, *port, *shim_id, *resume_count;
    const char *key_file, *cert_file;
    const char *min_version, *max_version;
    bool no_tls12, no_tls13, no_ticket;
    const char *host_name, *advertise_alpn, *select_alpn;
    bool require_client_certificate, verify_peer, verify_fail;
    bool asks_callback; /* the runner's own shim then refuses with another alert */
    bool shim_writes_first, shim_shuts_down, check_close_notify;
    const char *expect_version, *expect_alpn, *expect_server_name, *expect_curve_id;
    bool expect_session_miss, expect_no_session;
};

enum flag_kind { FLAG_SET, FLAG_TEXT, FLAG_NOTHING, FLAG_NOTHING_TEXT };
struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset;
};

#define SET(name, member)                             \
    {                                                 \
        name, FLAG_SET, offsetof(struct plan, member) \
    }
#define TEXT(name, member)                             \
    {                                                  \
        name, FLAG_TEXT, offsetof(struct plan, member) \
    }

/* NOTHING: about how the runner's own shim calls its library, not about what is on the wire; or
 * about versions that we never speak. */
static const struct flag flags[] = {
    SET("-server", is_server),
    SET("-ipv6", ipv6),
    TEXT("-engine", engine),
    TEXT("-port", port),
    TEXT("-shim-id", shim_id),
    TEXT("-resume-count", resume_count),
    TEXT("-key-file", key_file),
    TEXT("-cert-file", cert_file),
    TEXT("-min-version", min_version),
    TEXT("-max-version", max_version),
    SET("-no-tls12", no_tls12),
    SET("-no-tls13", no_tls13),
    SET("-no-ticket", no_ticket),
    TEXT("-host-name", host_name),
    TEXT("-advertise-alpn", advertise_alpn),
    TEXT("-select-alpn", select_alpn),
    SET("-require-any-client-certificate", require_client_certificate),
    SET("-verify-peer", verify_peer),
    SET("-verify-fail", verify_fail),
    SET("-async", asks_callback),
    SET("-use-custom-verify-callback", asks_callback),
    SET("-shim-writes-first", shim_writes_first),
    SET("-shim-shuts-down", shim_shuts_down),
    SET("-check-close-notify", check_close_notify),
    TEXT("-expect-version", expect_version),
    TEXT("-expect-alpn", expect_alpn),
    TEXT("-expect-server-name", expect_server_name),
    TEXT("-expect-curve-id", expect_curve_id),
    SET("-expect-session-miss", expect_session_miss),
    SET("-expect-no-session", expect_no_session),
    {"-no-tls1", FLAG_NOTHING, 0},
    {"-no-tls11", FLAG_NOTHING, 0},
    {"-no-op-extra-handshake", FLAG_NOTHING, 0},
    {"-implicit-handshake", FLAG_NOTHING, 0},
    {"-use-old-client-cert-callback", FLAG_NOTHING, 0},
    {"-use-early-callback", FLAG_NOTHING, 0},
    {"-trust-cert", FLAG_NOTHING_TEXT, 0},
    {"-read-size", FLAG_NOTHING_TEXT, 0},
};

static const struct flag *find_flag(const char *name)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcmp(flags[i].name, name) == 0)
            return &flags[i];
    end(EXIT_UNIMPLEMENTED, "not implemented: %s", name);
}

/* NAME without PREFIX ("-on-resume-"), but with its dash; NULL if it has another beginning. */
static const char *without_prefix(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 ? name + n - 1 : NULL;
}

static void set_flag(struct plan *p, const struct flag *f, const char *value)
{
    void *member = (uint8_t *)p + f->offset;
    if (f->kind == FLAG_SET)
        *(bool *)member = true;
    if (f->kind == FLAG_TEXT)
        *(const char **)member = value;
}

/* PLANS: of the first connection, and of those that resume. */
static void read_flags(char **argv, struct plan plans[2])
{
    for (; *argv; argv++) {
        const char *on_initial = without_prefix(*argv, "-on-initial-");
        const char *on_resume = without_prefix(*argv, "-on-resume-");
        const char *on_shim = without_prefix(*argv, "-on-shim-");
        const struct flag *f = find_flag(on_initial  ? on_initial
                                         : on_resume ? on_resume
                                         : on_shim   ? on_shim
                                                     : *argv);
        const char *value = NULL;
        if (f->kind == FLAG_TEXT || f->kind == FLAG_NOTHING_TEXT) {
            value = *++argv;
            if (!value)
                end(EXIT_UNIMPLEMENTED, "%s: no value", f->name);
        }
        if (!on_resume)
            set_flag(&plans[0], f, value);
        if (!on_initial)
            set_flag(&plans[1], f, value);
    }
}

static unsigned long number(const char *text, unsigned long otherwise)
{
    return text ? strtoul(text, NULL, 10) : otherwise;
}

/* ---- policy ---- */

static struct bytes read_file(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        end(1, "%s: cannot be read", path);
    uint8_t *at = mem_alloc_raw(FILE_MAX);
    size_t n = fread(at, 1, FILE_MAX, f);
    fclose(f);
    return (struct bytes){at, n};
}

static void free_file(struct bytes file)
{
    free((uint8_t *)(uintptr_t)file.at);
}

static struct credential *load_credential(const struct plan *p)
{
    if (!p->cert_file || !p->key_file || !p->cert_file[0])
        return NULL;
    struct report report;
    struct credential_files files = {.certificate = read_file(p->cert_file),
        .key = read_file(p->key_file),
        .certificate_path = p->cert_file,
        .key_path = p->key_file};
    report_init(&report);
    struct credential *c =
        credential_load(&files, p->is_server ? PATH_SERVER : PATH_CLIENT, clock_wall_s(), &report);
    if (!c) /* of a kind that we refuse when the configuration is read */
        end(EXIT_UNIMPLEMENTED, "%s", report.n ? report.lines[0].text : "no credential");
    report_fini(&report);
    free_file(files.certificate);
    free_file(files.key);
    return c;
}

/* The runner's list has the form of RFC 7301 §3.1: each name after its length. */
static size_t read_alpn(const struct plan *p, struct bytes names[ALPN_MAX])
{
    if (p->is_server && p->select_alpn)
        names[0] = (struct bytes){(const uint8_t *)p->select_alpn, strlen(p->select_alpn)};
    if (p->is_server || !p->advertise_alpn)
        return p->is_server && p->select_alpn;
    size_t n = 0;
    struct bytes rest = {(const uint8_t *)p->advertise_alpn, strlen(p->advertise_alpn)};
    while (rest.n > rest.at[0] && n < ALPN_MAX) {
        names[n++] = bytes_first(bytes_skip(rest, 1), rest.at[0]);
        rest = bytes_skip(rest, 1u + rest.at[0]);
        if (!rest.n)
            return n;
    }
    end(EXIT_UNIMPLEMENTED, "no list of ALPN names");
}

static void set_versions(struct tlspolicy_config *config, const struct plan *p)
{
    unsigned long least = number(p->min_version, TLS_1_2), most = number(p->max_version, TLS_1_3);
    if (p->no_tls12 && least < TLS_1_3)
        least = TLS_1_3;
    if (p->no_tls13 && most > TLS_1_2)
        most = TLS_1_2;
    if (most < TLS_1_2 || least > TLS_1_3 || least > most)
        end(EXIT_UNIMPLEMENTED, "no version from %lu to %lu is spoken", least, most);
    config->version_min = least < TLS_1_2 ? TLS_1_2 : (uint16_t)least;
    config->version_max = (uint16_t)most;
}

static enum tlspolicy_engine engine_of(const struct plan *p)
{
    for (int e = 0; p->engine && e < ENGINE_COUNT; e++)
        if (strcmp(tlspolicy_engine_name((enum tlspolicy_engine)e), p->engine) == 0)
            return (enum tlspolicy_engine)e;
    if (p->engine)
        end(1, "-engine: there is no engine %s", p->engine);
    return ENGINE_NATIVE;
}

static struct tlspolicy *make_policy(const struct plan *p, const struct credential *credential)
{
    struct bytes alpn[ALPN_MAX];
    struct error err = {""};
    bool asks_peer = p->is_server && (p->require_client_certificate || p->verify_peer);
    struct tlspolicy_config config = {.engine = engine_of(p),
        .role = p->is_server ? TLSPOLICY_SERVER : TLSPOLICY_CLIENT,
        .key_exchange_rsa = true,
        .credentials = &credential,
        .credentials_n = credential != NULL,
        .peer = !asks_peer                      ? PEER_NOT_ASKED
                : p->require_client_certificate ? PEER_REQUIRED
                                                : PEER_OPTIONAL,
        .alpn = alpn,
        .alpn_n = read_alpn(p, alpn),
        .tickets = !p->no_ticket && !asks_peer,
        .session_lifetime_s = 7200,
        .hash = {1},
        .ticket_secret = {.at = {2}, .hour = clock_wall_s() / RATCHET_PERIOD_S}};
    set_versions(&config, p);
    struct tlspolicy *policy = tlspolicy_new(&config, &err);
    if (!policy)
        end(EXIT_UNIMPLEMENTED, "%s", err.text);
    return policy;
}

/* ---- one connection ---- */

struct side {
    const struct plan *plan;
    const struct tlspolicy *policy;
    struct tlsconn *c;
    struct tlsconn_session **session; /* the latest of all connections */
    bool has_new_session;
    int fd;
};

static const struct tlspolicy *choose(void *owner, const struct tlsconn_hello *hello)
{
    (void)hello;
    return ((struct side *)owner)->policy;
}

static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    (void)chain;
    (void)chain_n;
    const struct plan *p = ((struct side *)owner)->plan;
    if (!p->verify_fail)
        return 0;
    return p->asks_callback ? CERTIFICATE_UNKNOWN : HANDSHAKE_FAILURE;
}

static void keep_session(void *owner, struct tlsconn_session *session)
{
    struct side *s = owner;
    tlsconn_session_free(s->session);
    *s->session = session;
    s->has_new_session = true;
}

static const struct tlsconn_handler handler = {choose, judge, NULL, keep_session};

static int connect_to_runner(const struct plan *p)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)number(p->port, 0)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = v4.sin_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(p->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *to =
        p->ipv6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
    if (fd < 0 || connect(fd, to, p->ipv6 ? sizeof(v6) : sizeof(v4)) != 0)
        end(1, "cannot connect to the runner: %m");
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
        end(1, "wire_in is full, and nothing of it is taken");
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
    end(1, "%s: fault %d, alert %s: %s", text, (int)f->fault,
        f->alert ? tlsconn_alert_name(f->alert) : "none", f->text);
}

static void shake_hands(struct side *s)
{
    enum tlsconn_status status;
    while ((status = tlsconn_handshake(s->c, clock_wall_s())) == TLSCONN_WANT_INPUT) {
        flush(s);
        if (!receive(s))
            fail(s, "the runner hung up during the handshake");
    }
    if (status != TLSCONN_OK)
        fail(s, "handshake failed");
    flush(s);
}

static unsigned long group_id(const char *name)
{
    static const struct {
        const char *name;
        unsigned long id;
    } groups[] = {{"x25519", 29}, {"secp256r1", 23}, {"secp384r1", 24}};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (strcmp(groups[i].name, name) == 0)
            return groups[i].id;
    return 0;
}

static void check_facts(struct side *s, bool is_resumption)
{
    const struct tlsconn_facts *f = tlsconn_facts(s->c);
    const struct plan *p = s->plan;
    if (f->resumed != (is_resumption && !p->expect_session_miss))
        fail(s, f->resumed ? "resumed, unexpectedly" : "not resumed");
    if (p->expect_version && number(p->expect_version, 0) != f->version)
        fail(s, "another version than expected");
    if (p->expect_alpn && strcmp(p->expect_alpn, f->alpn) != 0)
        fail(s, "another application protocol than expected");
    if (p->expect_server_name && strcmp(p->expect_server_name, f->sni) != 0)
        fail(s, "another server name than expected");
    if (p->expect_curve_id && number(p->expect_curve_id, 0) != group_id(f->group))
        fail(s, "another group than expected");
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

/* Send back what comes, each bit inverted. */
static void echo(struct side *s)
{
    struct buf plain;
    bool is_clean = false;
    buf_init(&plain, 512);
    while (read_some(s, &plain, &is_clean)) {
        for (size_t i = plain.start; i < plain.end; i++)
            plain.at[i] ^= 0xff;
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
        echo(s);
    tlsconn_close(s->c);
    flush(s);
    if (s->plan->shim_shuts_down && s->plan->check_close_notify)
        echo(s);
}

static void run(const struct plan *p, const struct tlspolicy *policy,
    struct tlsconn_session **session, bool is_resumption)
{
    struct side s = {.plan = p, .policy = policy, .session = session};
    s.c = p->is_server ? tlsconn_new_server(policy, &handler, &s)
                       : tlsconn_new_client(policy, p->host_name, &handler, &s);
    s.fd = connect_to_runner(p);
    uint64_t id = htole64(strtoull(p->shim_id ? p->shim_id : "0", NULL, 10));
    if (send(s.fd, &id, sizeof(id), MSG_NOSIGNAL) != sizeof(id))
        end(1, "cannot write to the runner: %m");
    if (is_resumption && *session && !tlsconn_offer(s.c, *session, clock_wall_s()))
        end(EXIT_UNIMPLEMENTED, "a session of another policy is not offered");
    shake_hands(&s);
    check_facts(&s, is_resumption);
    exchange(&s);
    if (p->expect_no_session && s.has_new_session)
        fail(&s, "a session, unexpectedly");
    hang_up(&s);
    tlsconn_free(&s.c);
}

int main(int argc, char **argv)
{
    struct plan plans[2] = {0};
    if (argc > 1 && strcmp(argv[argc - 1], "-is-handshaker-supported") == 0) {
        puts("No"); /* a program of the runner's own shim, asked for before all tests */
        return 0;
    }
    read_flags(argv + 1, plans);
    struct tlsconn_session *session = NULL;
    struct credential *credentials[2] = {load_credential(&plans[0]), load_credential(&plans[1])};
    struct tlspolicy *policies[2] = {
        make_policy(&plans[0], credentials[0]), make_policy(&plans[1], credentials[1])};
    unsigned long n = number(plans[0].resume_count, 0);
    bool has_one = memcmp(&plans[0], &plans[1], sizeof(plans[0])) == 0;
    for (unsigned long i = 0; i <= n; i++)
        run(&plans[i > 0], policies[i > 0 && !has_one], &session, i > 0);
    tlsconn_session_free(&session);
    for (int i = 0; i < 2; i++) {
        tlspolicy_free(&policies[i]);
        credential_free(&credentials[i]);
    }
    return 0;
}
