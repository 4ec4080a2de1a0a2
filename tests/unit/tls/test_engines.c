/* SPDX-License-Identifier: Apache-2.0 */
/* Our own engine with libssl's behind tlsconn.h, either as client and as server, in one process. */
#include <malloc.h>

#include "base/memory.h"
#include "pair.h"
#include "test.h"
#include "tls/signing.h"

#include "base/ban.h"

#define IDLE_MAX 2048 /* octets of an idle connection, server or client */

/* There where the address sanitizer is. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static struct credential *server_key, *client_key;

__attribute__((constructor)) static void make_credentials(void)
{
    server_key = pair_credential(KEY_EC_P256, "www.example");
    client_key = pair_credential(KEY_RSA, "client.example");
}

__attribute__((destructor)) static void free_credentials(void)
{
    pair_credential_free(&server_key);
    pair_credential_free(&client_key);
}

/* Who meets whom, and how. */
struct plan {
    enum tlspolicy_engine server, client;
    uint16_t version;
    bool is_mutual;
};

struct meeting {
    struct tlspolicy *server_policy, *client_policy;
    struct end server, client;
};

static void meet(struct meeting *m, const struct plan *p)
{
    struct tlspolicy_config s =
        pair_config(TLSPOLICY_SERVER, (const struct credential *const *)&server_key, 1);
    struct tlspolicy_config c =
        pair_config(TLSPOLICY_CLIENT, (const struct credential *const *)&client_key, 1);
    s.engine = p->server;
    c.engine = p->client;
    s.version_min = s.version_max = p->version;
    s.peer = p->is_mutual ? PEER_REQUIRED : PEER_NOT_ASKED;
    s.tickets = !p->is_mutual || p->server == ENGINE_NATIVE;
    c.tickets = true;
    *m = (struct meeting){.server_policy = pair_policy(&s), .client_policy = pair_policy(&c)};
}

static void leave(struct meeting *m)
{
    tlspolicy_free(&m->server_policy);
    tlspolicy_free(&m->client_policy);
}

static void shake(struct meeting *m, const struct tlsconn_session *session)
{
    end_server(&m->server, m->server_policy);
    end_client(&m->client, m->client_policy, "www.example");
    CHECK(!session || tlsconn_offer(m->client.c, session, NOW_S));
    pair_handshake(&m->client, &m->server);
    CHECK_INT(m->client.status, TLSCONN_OK);
    CHECK_INT(m->server.status, TLSCONN_OK);
}

/* N octets from FROM arrive at TO as they are. */
static bool carries(struct end *from, struct end *to, size_t n)
{
    struct buf sent, got;
    size_t taken, moved;
    buf_init(&sent, n);
    buf_init(&got, n);
    memset(buf_space(&sent, n), 'x', n);
    buf_added(&sent, n);
    struct bytes left = buf_bytes(&sent);
    do {
        CHECK_INT(tlsconn_write(from->c, left, &taken), TLSCONN_OK);
        left = bytes_skip(left, taken);
        moved = pair_carry(from, to);
        CHECK(tlsconn_read(to->c, &got) != TLSCONN_FAILED);
    } while (moved && (left.n || buf_size(&got) < n));
    bool is_same = bytes_equal(buf_bytes(&sent), buf_bytes(&got));
    buf_fini(&sent);
    buf_fini(&got);
    return is_same;
}

static void part(struct meeting *m)
{
    struct buf rest;
    buf_init(&rest, 1000);
    tlsconn_close(m->client.c);
    pair_carry(&m->client, &m->server);
    CHECK_INT(tlsconn_read(m->server.c, &rest), TLSCONN_CLOSED);
    tlsconn_close(m->server.c);
    pair_carry(&m->server, &m->client);
    CHECK_INT(tlsconn_read(m->client.c, &rest), TLSCONN_CLOSED);
    CHECK_INT(buf_size(&rest), 0);
    buf_fini(&rest);
    tlsconn_free(&m->server.c);
    tlsconn_free(&m->client.c);
}

static void check_facts(const struct meeting *m, const struct plan *p)
{
    const struct tlsconn_facts *s = tlsconn_facts(m->server.c), *c = tlsconn_facts(m->client.c);
    CHECK_INT(s->version, p->version);
    CHECK_TEXT(s->cipher, c->cipher);
    CHECK_TEXT(s->group, c->group);
    CHECK_INT(s->resumed, c->resumed);
    CHECK_INT(m->server.judged, p->is_mutual);
    if (!s->resumed) {
        CHECK_INT(s->peer_asked, p->is_mutual);
        CHECK_TEXT(s->signature, p->is_mutual ? "rsa_pss_rsae_sha256" : "");
        CHECK_TEXT(c->signature, "ecdsa_secp256r1_sha256");
    }
}

static void run(const struct plan *p)
{
    struct meeting m;
    meet(&m, p);
    shake(&m, NULL);
    check_facts(&m, p);
    CHECK(carries(&m.client, &m.server, 300000));
    CHECK(carries(&m.server, &m.client, 300000));
    struct tlsconn_session *session = m.client.session;
    CHECK_INT(session != NULL, !p->is_mutual || p->server == ENGINE_NATIVE);
    part(&m);
    if (session) {
        shake(&m, session);
        CHECK(tlsconn_facts(m.client.c)->resumed);
        check_facts(&m, p);
        CHECK(carries(&m.client, &m.server, 1) && carries(&m.server, &m.client, 1));
        tlsconn_session_free(&m.client.session);
        part(&m);
    }
    tlsconn_session_free(&session);
    leave(&m);
}

/* Octets of all that malloc gave out, libcrypto's among them. */
static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* What is let go with the connection, whose owner has read all and keeps no empty buffers
 * (balance/stream.c). */
static size_t held_by(struct end *e)
{
    struct buf more;
    buf_init(&more, 1);
    CHECK_INT(tlsconn_read(e->c, &more), TLSCONN_WANT_INPUT);
    buf_fini(&more);
    buf_release(tlsconn_wire_in(e->c));
    buf_release(tlsconn_wire_out(e->c));
    size_t before = allocated();
    tlsconn_free(&e->c);
    return before - allocated();
}

static size_t held_when_idle(const struct plan *p, bool by_server)
{
    struct meeting m;
    meet(&m, p);
    shake(&m, NULL);
    CHECK(carries(&m.client, &m.server, 16384) && carries(&m.server, &m.client, 16384));
    size_t held = held_by(by_server ? &m.server : &m.client);
    tlsconn_session_free(&m.client.session);
    end_free(&m.server);
    end_free(&m.client);
    leave(&m);
    return held;
}

TEST(an_idle_connection_holds_little)
{
    static const uint16_t versions[] = {TLS_1_2, TLS_1_3};
    for (int i = 0; i < 8; i++) {
        struct plan p = {
            ENGINE_NATIVE, ENGINE_NATIVE, .version = versions[i & 1], .is_mutual = i & 2};
        size_t held = held_when_idle(&p, i & 4);
        if (held > IDLE_MAX || !held)
            printf("# %zu octets: %s of %04x, mutual %d\n", held, i & 4 ? "server" : "client",
                p.version, p.is_mutual);
        CHECK(held > 0 && held <= IDLE_MAX);
    }
}

TEST(each_engine_meets_each)
{
    for (int i = 0; i < 16; i++) {
        struct plan p = {.server = i & 1 ? ENGINE_NATIVE : ENGINE_OPENSSL,
            .client = i & 2 ? ENGINE_NATIVE : ENGINE_OPENSSL,
            .version = i & 4 ? TLS_1_2 : TLS_1_3,
            .is_mutual = i & 8};
        int before = test_failed;
        test_failed = 0;
        run(&p);
        if (test_failed)
            printf("# server %d client %d version %04x mutual %d\n", p.server, p.client, p.version,
                p.is_mutual);
        test_failed |= before;
    }
}

/* A session is its engine's, also where the policy's hash is the same. */
TEST(a_session_of_another_engine_is_not_offered)
{
    struct plan p = {ENGINE_OPENSSL, ENGINE_NATIVE, TLS_1_3, false};
    struct meeting m, other;
    meet(&m, &p);
    p.client = ENGINE_OPENSSL;
    meet(&other, &p);
    shake(&m, NULL);
    CHECK(carries(&m.server, &m.client, 1)); /* and with it the ticket */
    CHECK(m.client.session != NULL);
    end_client(&other.client, other.client_policy, "www.example");
    CHECK(!tlsconn_offer(other.client.c, m.client.session, NOW_S));
    end_free(&other.client);
    end_free(&m.client);
    end_free(&m.server);
    leave(&m);
    leave(&other);
}

/* ---- a key that is elsewhere ---- */

/* Who has it: one question at a time. */
struct desk {
    struct signing_office office; /* first */
    struct signing_call *call;
    unsigned asked, cancelled;
};

static void ask(struct signing_office *o, struct signing_call *call)
{
    struct desk *d = (struct desk *)o;
    d->call = call;
    d->asked++;
}

static void cancel(struct signing_office *o, struct signing_call *call)
{
    struct desk *d = (struct desk *)o;
    CHECK(d->call == call);
    d->call = NULL;
    d->cancelled++;
}

static void answer(struct desk *d, const struct signing_answer *a)
{
    struct signing_call *call = d->call;
    d->call = NULL;
    call->answered(call, a);
}

static struct desk desk = {.office = {ask, cancel}};

/* A server whose key DESK has, as far as to its question. */
static void meet_elsewhere(struct meeting *m, bool is_rsa_kx)
{
    static struct credential remote;
    static const struct credential *all[] = {&remote};
    remote = is_rsa_kx ? *client_key : *server_key;
    remote.key = NULL;
    remote.handle = (struct key_handle){.office = &desk.office, .store = 7, .index = 3};
    struct tlspolicy_config s = pair_config(TLSPOLICY_SERVER, all, 1),
                            c = pair_config(TLSPOLICY_CLIENT, NULL, 0);
    s.engine = c.engine = ENGINE_NATIVE;
    s.key_exchange_rsa = c.key_exchange_rsa = c.key_exchange_rsa_only = is_rsa_kx;
    if (is_rsa_kx)
        c.version_max = TLS_1_2;
    *m = (struct meeting){.server_policy = pair_policy(&s), .client_policy = pair_policy(&c)};
    end_server(&m->server, m->server_policy);
    end_client(&m->client, m->client_policy, "www.example");
    desk = (struct desk){.office = {ask, cancel}};
    pair_handshake(&m->client, &m->server);
    CHECK_INT(m->server.status, TLSCONN_WANT_SIGNATURE);
    CHECK_INT(desk.asked, 1);
    CHECK(desk.call->head.store == 7 && desk.call->head.key == 3);
}

static void leave_elsewhere(struct meeting *m)
{
    end_free(&m->server);
    end_free(&m->client);
    leave(m);
}

TEST(a_key_that_is_elsewhere_is_asked_once)
{
    for (int is_rsa_kx = 0; is_rsa_kx < 2; is_rsa_kx++) {
        struct meeting m;
        struct signing_answer a;
        meet_elsewhere(&m, is_rsa_kx);
        pair_handshake(&m.client, &m.server); /* meanwhile nothing happens */
        CHECK_INT(m.server.status, TLSCONN_WANT_SIGNATURE);
        CHECK_INT(desk.asked, 1);
        signing_answer(&desk.call->request, (is_rsa_kx ? client_key : server_key)->key, ~0u, &a);
        answer(&desk, &a);
        CHECK_INT(m.server.resumed, 1);
        pair_handshake(&m.client, &m.server);
        CHECK_INT(m.server.status, TLSCONN_OK);
        CHECK_INT(m.client.status, TLSCONN_OK);
        leave_elsewhere(&m);
        CHECK_INT(desk.cancelled, 0);
    }
}

/* Also where a premaster secret was asked for, and is no such thing. */
TEST(a_key_that_is_elsewhere_may_not_answer)
{
    static const struct signing_answer answers[] = {
        {.outcome = SIGNING_LATE}, {.outcome = SIGNING_DONE, .at = {1}, .n = 47}};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct meeting m;
        meet_elsewhere(&m, i);
        answer(&desk, &answers[i]);
        pair_handshake(&m.client, &m.server);
        CHECK_INT(m.server.status, TLSCONN_FAILED);
        CHECK_INT(tlsconn_failure(m.server.c)->fault, TLSCONN_FAULT_INTERNAL);
        CHECK_TEXT(tlsconn_failure(m.server.c)->text,
            signing_outcome_text(i ? SIGNING_IMPOSSIBLE : SIGNING_LATE));
        leave_elsewhere(&m);
    }
}

TEST(who_leaves_before_the_answer_cancels_the_question)
{
    struct meeting m;
    meet_elsewhere(&m, false);
    leave_elsewhere(&m);
    CHECK_INT(desk.cancelled, 1);
    CHECK(!desk.call);
}
