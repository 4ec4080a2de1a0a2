/* SPDX-License-Identifier: Apache-2.0 */
#include "handshake.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "hostile.h"
#include "tls/client.h"
#include "tls/session.h"

#include "base/ban.h"

#define ROUNDS_MAX 24
#define MEMORY_MAX ((size_t)4 << 20) /* of a connection, both sides */
#define REFUSAL    ALERT_BAD_CERTIFICATE

/* Of the sanitizer, which is there in all builds of this program that count. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* ---- what an input is about ---- */

struct scenario {
    bool is_server; /* the victim */
    uint16_t server_max, client_max;
    enum tlspolicy_peer peer;
    bool has_certificate; /* the client */
    bool resumes, wants_retry;
    bool is_rsa, is_rsa_kx, has_staple, has_alpn;
    uint8_t verdict; /* of the victim's judge */
    uint8_t piece;   /* octets at a time; 0: as they come */
    uint8_t seed;
};

static struct scenario read_scenario(struct tape *t, bool is_server)
{
    uint8_t versions = tape_8(t), who = tape_8(t), how = tape_8(t), seed = tape_8(t);
    return (struct scenario){.is_server = is_server,
        .server_max = versions & 1 ? TLS_1_2 : TLS_1_3,
        .client_max = versions & 2 ? TLS_1_2 : TLS_1_3,
        .resumes = versions & 4,
        .wants_retry = versions & 8,
        .is_rsa_kx = versions & 16,
        .has_alpn = versions & 32,
        .peer = (enum tlspolicy_peer)(who % 3),
        .has_certificate = who & 4,
        .is_rsa = who & 8,
        .has_staple = who & 16,
        .verdict = (who & 0xe0) == 0xe0 ? REFUSAL : 0,
        .piece = how & 7,
        .seed = seed};
}

static struct credential *keys[4]; /* of servers, ECDSA and RSA; without and with a staple */

static void make_keys(void)
{
    hostile_seed(0);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        keys[i] = pair_credential(i & 1 ? KEY_RSA : KEY_EC_P256, "www.example");
        if (i & 2)
            pair_staple(keys[i], "a response");
    }
}

static void set_alpn(struct side *s)
{
    static uint8_t names[] = "\2h2\10http/1.1";
    s->policy.alpn = names;
    s->policy.alpn_n = sizeof(names) - 1;
}

/* Server and client of S, that could talk. */
static void prepare(const struct scenario *s, struct side *server, struct side *client)
{
    size_t kind = (s->is_rsa || s->is_rsa_kx) + 2 * s->has_staple;
    side_init(server, &machine_server, &keys[kind], 1);
    side_init(client, &machine_client, &keys[0], s->has_certificate);
    server->policy.peer = s->peer;
    server->policy.version_max = s->server_max;
    client->policy.version_max = s->client_max;
    server->policy.tickets = client->policy.tickets = true;
    server->policy.key_exchange_rsa = s->is_rsa_kx;
    client->policy.key_exchange_rsa = client->policy.key_exchange_rsa_only =
        s->is_rsa_kx && s->client_max == TLS_1_2;
    if (s->has_alpn) {
        set_alpn(server);
        set_alpn(client);
    }
}

static void begin(struct side *server, struct side *client)
{
    side_start(server);
    side_start(client);
    client_set_server_name(client->m, "www.example");
}

/* A session of each version, with the client's certificate and without. */
static const struct tlsconn_session *session_for(const struct scenario *s)
{
    static struct tlsconn_session *made[2][2];
    bool is_tls12 = s->server_max == TLS_1_2 || s->client_max == TLS_1_2;
    struct tlsconn_session **session = &made[is_tls12][s->has_certificate];
    struct scenario usual = {.server_max = is_tls12 ? TLS_1_2 : TLS_1_3,
        .client_max = TLS_1_3,
        .peer = PEER_OPTIONAL,
        .has_certificate = s->has_certificate};
    struct side server, client;
    if (*session)
        return *session;
    prepare(&usual, &server, &client);
    begin(&server, &client);
    side_meet(&client, &server);
    *session = client.session;
    client.session = NULL;
    ASSERT(*session);
    side_free(&server);
    side_free(&client);
    return *session;
}

/* ---- what must hold ---- */

/* Types of messages as letters. */
static void spell(const uint8_t *types, size_t n, char *out)
{
    static const char letters[256] = {[MESSAGE_CLIENT_HELLO] = 'H',
        [MESSAGE_SERVER_HELLO] = 'H',
        [MESSAGE_NEW_SESSION_TICKET] = 'T',
        [MESSAGE_ENCRYPTED_EXTENSIONS] = 'E',
        [MESSAGE_CERTIFICATE] = 'C',
        [MESSAGE_SERVER_KEY_EXCHANGE] = 'K',
        [MESSAGE_CERTIFICATE_REQUEST] = 'R',
        [MESSAGE_SERVER_HELLO_DONE] = 'D',
        [MESSAGE_CERTIFICATE_VERIFY] = 'V',
        [MESSAGE_CLIENT_KEY_EXCHANGE] = 'X',
        [MESSAGE_FINISHED] = 'F',
        [MESSAGE_CERTIFICATE_STATUS] = 'S'};
    for (size_t i = 0; i < n; i++) {
        /* RFC 5246 §7.4.1.1: a client may ignore HelloRequest. */
        if (types[i] != MESSAGE_HELLO_REQUEST)
            *out++ = letters[types[i]] ? letters[types[i]] : '?';
    }
    *out = '\0';
}

/* What has to have been read up to Finished. PEER: none was asked, it had none, it had one. */
enum peer { NOT_ASKED, HAD_NONE, HAD_ONE };
static const struct way {
    bool is_server;
    uint16_t version;
    bool is_resumed;
    enum peer peer; /* server, unless resumed */
    const char *messages;
} ways[] = {
    {true, TLS_1_3, false, NOT_ASKED, "^HH?F$"},
    {true, TLS_1_3, false, HAD_NONE, "^HH?CF$"},
    {true, TLS_1_3, false, HAD_ONE, "^HH?CVF$"},
    {true, TLS_1_3, true, NOT_ASKED, "^HH?F$"},
    {true, TLS_1_2, false, NOT_ASKED, "^HXF$"},
    {true, TLS_1_2, false, HAD_NONE, "^HCXF$"},
    {true, TLS_1_2, false, HAD_ONE, "^HCXVF$"},
    {true, TLS_1_2, true, NOT_ASKED, "^HF$"},
    {false, TLS_1_3, false, NOT_ASKED, "^HH?ER?CVF$"},
    {false, TLS_1_3, true, NOT_ASKED, "^HH?EF$"},
    {false, TLS_1_2, false, NOT_ASKED, "^HCS?K?R?DT?F$"},
    {false, TLS_1_2, true, NOT_ASKED, "^HT?F$"},
};

static bool is_way(const struct way *w, const struct machine *m, size_t chain_n)
{
    enum peer peer = !m->facts.peer_asked ? NOT_ASKED : chain_n ? HAD_ONE : HAD_NONE;
    return w->is_server == m->role->is_server && w->version == m->version &&
           w->is_resumed == m->facts.resumed && (!w->is_server || w->is_resumed || w->peer == peer);
}

static bool matches(const char *pattern, const char *text)
{
    static struct {
        const char *pattern;
        regex_t compiled;
    } known[COUNT_OF(ways)];
    size_t i = 0;
    while (known[i].pattern && known[i].pattern != pattern)
        i++;
    if (!known[i].pattern)
        ASSERT(regcomp(&known[i].compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    known[i].pattern = pattern;
    return regexec(&known[i].compiled, text, 0, NULL, 0) == 0;
}

/* How S, which says that its handshake is complete, got there. */
static void check_authenticated(const struct side *s)
{
    char read[sizeof(s->received) + 1];
    const struct machine *m = s->m;
    bool is_expected = false;
    spell(s->received, s->received_n, read);
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        if (is_way(&ways[i], m, s->chain_n))
            is_expected = matches(ways[i].messages, read);
    /* RFC 5246 §7.4.3: with RSA key transport there is none. */
    if (!s->role->is_server && m->version == TLS_1_2 && !m->facts.resumed)
        is_expected = is_expected && !strchr(read, 'K') == m->facts.key_exchange_rsa;
    if (!is_expected)
        panic("complete after %s: version %04x, resumed %d, asked %d, chain %zu", read, m->version,
            m->facts.resumed, m->facts.peer_asked, s->chain_n);
    bool must_judge = s->role->is_server ? s->policy.peer != PEER_NOT_ASKED : !m->facts.resumed;
    ASSERT(!must_judge || (s->judged && s->answer == 0));
    ASSERT(!s->role->is_server || s->policy.peer != PEER_REQUIRED || s->chain_n);
    ASSERT(s->role->is_server || m->facts.resumed || s->chain_n);
    ASSERT(!s->role->is_server || s->chosen == 1);
}

static void check_state(const struct side *s)
{
    const struct machine *m = s->m;
    bool is_complete = m->facts.is_handshake_complete;
    /* Nothing more is read before the owner was told. */
    if (s->event == MACHINE_COMPLETE)
        check_authenticated(s);
    ASSERT(is_complete || (m->hs || m->state == MACHINE_DEAD));
    ASSERT(!is_complete || !m->hs);
    ASSERT((s->event == MACHINE_DATA) == (machine_opened(m).n > 0));
    ASSERT(s->event != MACHINE_DATA || is_complete);
    ASSERT(is_complete || machine_write_room(m) == 0);
    ASSERT((s->event == MACHINE_FAILED) == (m->state == MACHINE_DEAD));
    ASSERT(s->event != MACHINE_FAILED || (m->failure.text[0] && m->failure.fault));
}

static void check_same_keys(const struct side *from, const struct side *to)
{
    const struct record_keys *a = &from->m->send.keys, *b = &to->m->receive.keys;
    ASSERT(a->format == b->format && a->kind == b->kind);
    ASSERT(memcmp(a->key, b->key, aead_key_size(a->kind)) == 0);
}

/* Whatever else comes, and whoever asks: nothing. */
static void check_dead(struct side *s)
{
    struct side before = *s;
    size_t out = buf_size(&s->m->wire_out);
    if (s->event != MACHINE_FAILED)
        return;
    if (buf_room(&s->m->wire_in) > 16)
        ASSERT(side_feed(s, BYTES("\x17\3\3\0\1!")) == MACHINE_FAILED);
    machine_close(s->m);
    ASSERT(machine_write(s->m, BYTES("data")) == 0);
    ASSERT(buf_size(&s->m->wire_out) == out);
    ASSERT(s->judged == before.judged && s->chosen == before.chosen && s->sent_n == before.sent_n &&
           s->received_n == before.received_n && s->sessions_n == before.sessions_n);
}

/* ---- a connection ---- */

struct connection {
    const struct scenario *scenario;
    struct side server, client;
    struct side *victim, *peer;
};

static void step(struct side *s)
{
    do {
        side_run(s);
        check_state(s);
        if (s->event == MACHINE_DATA)
            machine_take(s->m, machine_opened(s->m).n);
    } while (s->event == MACHINE_DATA || s->event == MACHINE_COMPLETE);
}

/* What FROM has sent comes to TO, piece by piece. */
static size_t pass(struct side *from, struct side *to, size_t piece)
{
    struct buf *out = &from->m->wire_out;
    size_t total = buf_size(out);
    do {
        struct bytes one = bytes_first(buf_bytes(out), piece ? piece : buf_size(out));
        one = bytes_first(one, buf_room(&to->m->wire_in));
        if (to->event == MACHINE_FAILED || !one.n)
            break;
        ASSERT(buf_append(&to->m->wire_in, one) == 0);
        buf_consume(out, one.n);
        step(to);
    } while (buf_size(out));
    buf_clear(out); /* what nobody reads */
    return total;
}

static void meet(struct connection *c)
{
    bool was_complete = false;
    step(&c->client);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        size_t moved =
            pass(&c->client, &c->server, c->scenario->is_server ? c->scenario->piece : 0);
        moved += pass(&c->server, &c->client, c->scenario->is_server ? 0 : c->scenario->piece);
        bool is_complete = c->client.m->state == MACHINE_OPEN && c->server.m->state == MACHINE_OPEN;
        if (is_complete && !was_complete) {
            check_same_keys(&c->client, &c->server);
            check_same_keys(&c->server, &c->client);
        }
        was_complete = is_complete;
        if (!moved && !hostile.tape->left.n)
            break;
        if (is_complete)
            ignore_result((long)machine_write(c->victim->m, BYTES("hello")));
        hostile_say_more();
    }
}

static size_t allocated(void)
{
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
}

/* How much memory it has not given back. */
static size_t connect(const struct scenario *s, struct tape *t)
{
    struct connection c = {.scenario = s};
    const struct tlsconn_session *session = s->resumes ? session_for(s) : NULL;
    size_t before = allocated();
    hostile_seed(s->seed);
    prepare(s, &c.server, &c.client);
    begin(&c.server, &c.client);
    if (session)
        session_offer(c.client.m, session);
    c.victim = s->is_server ? &c.server : &c.client;
    c.peer = s->is_server ? &c.client : &c.server;
    c.victim->answer = s->verdict;
    hostile = (struct hostile){
        .peer = c.peer, .victim = c.victim, .tape = t, .wants_retry = s->wants_retry};
    meet(&c);
    check_dead(c.victim);
    ASSERT(allocated() - before < MEMORY_MAX);
    hostile = (struct hostile){0};
    side_free(&c.server);
    side_free(&c.client);
    return allocated() - before;
}

void handshake_fuzz(const uint8_t *data, size_t n, int is_server)
{
    struct tape t = {{data, n}};
    if (!keys[0])
        make_keys();
    struct scenario s = read_scenario(&t, is_server);
    if (s.resumes)
        ignore_result(session_for(&s) != NULL); /* kept: it does not count */
    struct tape again = t;
    /* What is made once and kept (algorithms that libcrypto looks up, a certificate's key) is not
     * made a second time. */
    if (connect(&s, &t) > 0)
        ASSERT(connect(&s, &again) == 0);
}
