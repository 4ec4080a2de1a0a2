/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All memory of this process that can be written is searched for secrets of a connection, server
 * and client: heap, freed or not, stacks that functions have left, what libcrypto keeps. When the
 * handshake is over, what was secret in it is nowhere; when the connection is, nothing is.
 *
 * The program is linked around the functions that make ephemeral keys, premaster secrets and what
 * comes of them. What is looked for is known in disguise only, so that nothing finds itself.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method has no successor that is as short */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/memory.h"
#include "base/panic.h"
#include "side.h"
#include "test.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

/* ---- what is looked for ---- */

#define SECRETS_MAX 64
#define PIECE       12 /* octets of each, from its middle: the ends may be changed */
#define DISGUISE    0x5a

enum life {
    UNTIL_OPEN, /* of the handshake */
    UNTIL_END,  /* of the connection */
    /* libcrypto 3.0 has the server's premaster secret in memory that it gives back as it is
     * (rsa_decrypt, with TLS padding): one copy, until that memory is used again. */
    IN_LIBCRYPTO_ONCE
};
static struct secret_piece {
    uint8_t at[PIECE]; /* each octet in disguise */
    const char *name;
    enum life life;
    unsigned found;
} secrets[SECRETS_MAX];
static size_t secrets_n;

static void note(const char *name, enum life life, const uint8_t *at, size_t n, bool is_reversed)
{
    const uint8_t *from = at + (n - PIECE) / 2;
    struct secret_piece s = {.name = name, .life = life};
    unsigned all = 0;
    for (size_t i = 0; i < PIECE; i++) {
        s.at[i] = from[is_reversed ? PIECE - 1 - i : i] ^ DISGUISE;
        all |= s.at[i] ^ DISGUISE;
    }
    for (size_t i = 0; i < secrets_n; i++)
        if (memcmp(secrets[i].at, s.at, PIECE) == 0)
            return;
    if (!all)
        return;
    ASSERT(secrets_n < SECRETS_MAX);
    secrets[secrets_n++] = s;
}

/* ---- where secrets are made ---- */

struct key_share *__wrap_key_share_new(uint16_t group);
struct key_share *__real_key_share_new(uint16_t group);
bool __wrap_key_share_derive(
    const struct key_share *k, struct bytes peer, uint8_t out[KEY_SHARE_SECRET_MAX], size_t *n);
bool __real_key_share_derive(
    const struct key_share *k, struct bytes peer, uint8_t out[KEY_SHARE_SECRET_MAX], size_t *n);
void __wrap_random_fill(uint8_t *out, size_t n);
void __real_random_fill(uint8_t *out, size_t n);

static bool is_making_key;

static int give_random(unsigned char *out, int n)
{
    int result = RAND_OpenSSL()->bytes(out, n);
    if (is_making_key && n >= 32) {
        note("an ephemeral key", UNTIL_OPEN, out, 32, false);
        note("an ephemeral key", UNTIL_OPEN, out, 32, true); /* as libcrypto has large numbers */
    }
    return result;
}

static int has_random(void)
{
    return 1;
}

struct key_share *__wrap_key_share_new(uint16_t group)
{
    is_making_key = true;
    struct key_share *k = __real_key_share_new(group);
    is_making_key = false;
    return k;
}

bool __wrap_key_share_derive(
    const struct key_share *k, struct bytes peer, uint8_t out[KEY_SHARE_SECRET_MAX], size_t *n)
{
    bool is_derived = __real_key_share_derive(k, peer, out, n);
    if (is_derived)
        note("a shared secret", UNTIL_OPEN, out, *n, false);
    return is_derived;
}

/* RFC 5246 §7.4.7.1. */
void __wrap_random_fill(uint8_t *out, size_t n)
{
    __real_random_fill(out, n);
    if (n == 48)
        note("a premaster secret", IN_LIBCRYPTO_ONCE, out, n, false);
}

static void note_secret(const char *name, enum life life, const struct secret *s)
{
    note(name, life, s->at, hash_size(s->hash), false);
}

static void note_machine(const struct machine *m)
{
    const struct handshake *hs = m->hs;
    size_t key_n = aead_key_size(m->send.keys.kind);
    if (m->send.keys.format != RECORD_PLAIN)
        note("a sending key", UNTIL_END, m->send.keys.key, key_n, false);
    note_secret("a traffic secret", UNTIL_END, &m->send_secret);
    note_secret("a traffic secret", UNTIL_END, &m->receive_secret);
    note_secret("a resumption secret", UNTIL_END, &m->resumption);
    if (!hs)
        return;
    note_secret("a handshake secret", UNTIL_OPEN, &hs->client_secret);
    note_secret("a handshake secret", UNTIL_OPEN, &hs->server_secret);
    note_secret("a finished_key", UNTIL_OPEN, &hs->client_traffic.finished);
    note_secret("a finished_key", UNTIL_OPEN, &hs->server_traffic.finished);
    note("a master secret", UNTIL_OPEN, hs->master, sizeof(hs->master), false);
}

static void note_session(const struct tlsconn_session *given)
{
    const struct session *s = (const struct session *)given;
    note_secret("what is in a ticket", UNTIL_OPEN, &s->psk);
    note("what is in a ticket", UNTIL_OPEN, s->master, sizeof(s->master), false);
}

/* ---- looking ---- */

#define WINDOW   (1 << 20)
#define AREA_MAX ((uint64_t)1 << 28) /* beyond: the sanitizer's own books */

/* The first two octets of what is looked for. */
static bool begins[1 << 16];

static void match(const uint8_t *at)
{
    for (size_t s = 0; s < secrets_n; s++) {
        size_t same = 0;
        while (same < PIECE && (at[same] ^ DISGUISE) == secrets[s].at[same])
            same++;
        secrets[s].found += same == PIECE;
    }
}

/* Tens of megabytes: the sanitizers would cost more than the search. */
__attribute__((no_sanitize("address", "undefined"))) static void look_into(
    const uint8_t *window, size_t n)
{
    unsigned pair = 0;
    for (const uint8_t *at = window, *end = window + n; at < end; at++) {
        pair = (pair << 8 | *at) & 0xffff;
        if (begins[pair] && at > window && end - at >= PIECE - 1)
            match(at - 1);
    }
}

/* The windows overlap, so that nothing lies between two. */
static void look_at_area(int memory, uint64_t begin, uint64_t end, uint8_t *window)
{
    while (begin < end) {
        size_t n = end - begin < WINDOW ? (size_t)(end - begin) : WINDOW;
        ssize_t got = pread(memory, window, n, (off_t)begin);
        if (got <= 0)
            return;
        look_into(window, (size_t)got);
        begin += (size_t)got == n && n == WINDOW ? n - PIECE + 1 : (size_t)got;
    }
}

static void look_everywhere(void)
{
    char line[512], mode[5];
    unsigned long begin, end;
    uint8_t *window =
        mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *areas = fopen("/proc/self/maps", "re");
    ASSERT(window != MAP_FAILED && memory >= 0 && areas);
    memset(begins, 0, sizeof(begins));
    for (size_t i = 0; i < secrets_n; i++) {
        secrets[i].found = 0;
        begins[(secrets[i].at[0] << 8 | secrets[i].at[1]) ^ (DISGUISE << 8 | DISGUISE)] = true;
    }
    while (fgets(line, sizeof(line), areas)) {
        bool is_read = sscanf(line, "%lx-%lx %4s", &begin, &end, mode) == 3;
        bool is_ours = begin <= (uintptr_t)window && (uintptr_t)window < end;
        if (is_read && mode[0] == 'r' && mode[1] == 'w' && end - begin <= AREA_MAX && !is_ours)
            look_at_area(memory, begin, end, window);
        else if (is_read && is_ours) { /* the kernel may have joined it with its neighbours */
            look_at_area(memory, begin, (uintptr_t)window, window);
            look_at_area(memory, (uintptr_t)window + WINDOW, end, window);
        }
    }
    fclose(areas);
    close(memory);
    munmap(window, WINDOW);
}

/* None of LIFE is to be found; how many of the connection's are. */
static unsigned check_gone(const char *when, enum life life)
{
    unsigned others = 0;
    look_everywhere();
    for (size_t i = 0; i < secrets_n; i++) {
        const struct secret_piece *s = &secrets[i];
        bool is_left = s->life == IN_LIBCRYPTO_ONCE ? s->found > 1 : s->life <= life && s->found;
        if (is_left)
            printf("# %s: %s is there %u times\n", when, s->name, s->found);
        CHECK(!is_left);
        others += s->life == UNTIL_END && s->found;
    }
    return others;
}

/* ---- connections ---- */

struct plan {
    const char *name;
    uint16_t version;
    bool is_rsa_kx, is_mutual;
};

static void shake(struct side *client, struct side *server)
{
    do {
        side_run(client);
        note_machine(client->m);
        side_carry(client, server);
        side_run(server);
        note_machine(server->m);
    } while (side_carry(server, client));
    side_run(client);
    note_machine(client->m);
    CHECK(client->m->state == MACHINE_OPEN && server->m->state == MACHINE_OPEN);
}

/* Something is said, then nothing flows for a while. */
static void say(struct side *from, struct side *to)
{
    CHECK_INT(machine_write(from->m, BYTES("some data")), 9);
    side_carry(from, to);
    CHECK_INT(side_run(to), MACHINE_DATA);
    machine_take(to->m, machine_opened(to->m).n);
    machine_rest(from->m);
    machine_rest(to->m);
}

static void connect(
    const struct plan *p, struct side *client, struct side *server, struct tlsconn_session *offered)
{
    side_start(client);
    side_start(server);
    client_set_server_name(client->m, "www.example");
    if (offered)
        session_offer(client->m, offered);
    shake(client, server);
    CHECK_INT(client->m->facts.resumed, offered != NULL);
    say(client, server);
    say(server, client);
    if (client->session)
        note_session(client->session);
}

/* What a client keeps is there, and has to be: its session. */
static void part(const char *name, struct side *client, struct side *server)
{
    session_free(client->session);
    client->session = NULL;
    CHECK(check_gone(name, UNTIL_OPEN) > 0);
    machine_free(&client->m);
    machine_free(&server->m);
    check_gone(name, UNTIL_END);
}

static void check(const struct plan *p, struct credential *const *key)
{
    struct side client, server;
    secrets_n = 0;
    side_init(&client, &machine_client, key, p->is_mutual);
    side_init(&server, &machine_server, key, 1);
    client.policy.tickets = server.policy.tickets = true;
    client.policy.version_max = p->version;
    server.policy.peer = p->is_mutual ? PEER_REQUIRED : PEER_NOT_ASKED;
    server.policy.key_exchange_rsa = p->is_rsa_kx;
    client.policy.key_exchange_rsa_only = p->is_rsa_kx;
    connect(p, &client, &server, NULL);
    struct tlsconn_session *session = client.session;
    client.session = NULL;
    CHECK(session != NULL && secrets_n >= 4);
    connect(p, &client, &server, session);
    session_free(session);
    part(p->name, &client, &server);
    side_free(&client);
    side_free(&server);
}

TEST(no_secret_outlives_what_it_is_for)
{
    static const RAND_METHOD method = {
        .bytes = give_random, .pseudorand = give_random, .status = has_random};
    static const struct plan plans[] = {
        {"TLS 1.3", TLS_1_3},
        {"TLS 1.3, mutual", TLS_1_3, .is_mutual = true},
        {"TLS 1.2", TLS_1_2},
        {"TLS 1.2, mutual", TLS_1_2, .is_mutual = true},
        {"TLS 1.2, RSA key transport", TLS_1_2, .is_rsa_kx = true},
    };
    struct credential *keys[] = {
        pair_credential(KEY_EC_P256, "www.example"), pair_credential(KEY_RSA, "www.example")};
    ASSERT(RAND_set_rand_method(&method) == 1);
    for (size_t i = 0; i < COUNT_OF(plans); i++)
        check(&plans[i], &keys[plans[i].is_rsa_kx]);
    ASSERT(RAND_set_rand_method(NULL) == 1);
    pair_credential_free(&keys[0]);
    pair_credential_free(&keys[1]);
}

/* ---- controls: what was left is found ---- */

static void make_secret(uint8_t out[32])
{
    __real_random_fill(out, 32);
    secrets_n = 0;
    note("left on purpose", UNTIL_OPEN, out, 32, false);
}

/* A frame that is gone when somebody looks. */
__attribute__((noinline)) static void leave_on_the_stack(void)
{
    uint8_t below[4096]; /* what is called next does not come as far */
    make_secret(below);
}

TEST(a_secret_that_was_left_is_found)
{
    static uint8_t kept[32];
    make_secret(kept);
    look_everywhere();
    CHECK_INT(secrets[0].found, 1);
    mem_wipe(kept, sizeof(kept));
    look_everywhere();
    CHECK_INT(secrets[0].found, 0);

    uint8_t *freed = mem_alloc(4096);
    make_secret(freed + 2048);
    free(freed);
    look_everywhere();
    CHECK(secrets[0].found > 0);
    leave_on_the_stack();
    look_everywhere();
    CHECK(secrets[0].found > 0);
}
