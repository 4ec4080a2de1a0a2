/* SPDX-License-Identifier: Apache-2.0 */
/*
 * differential_engines [CASES [FIRST]]: our own engine beside libssl's. Each case is a connection
 * of either with the same hostile peer (hostile.h), made up from a number: who accepts, who refuses
 * and with which alert, and who waits for more. What differs has to be in the list below, with its
 * reason.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/library.h"
#include "hostile.h"
#include "tls/client.h"
#include "tls/names.h"
#include "tls/session.h"

#include "base/ban.h"

#define CASES_DEFAULT 1500
#define ROUNDS_MAX    12
#define TAPE_SIZE     160

/* ---- cases ---- */

struct plan {
    bool is_server; /* the engine's role */
    uint16_t peer_max;
    enum tlspolicy_peer peer;
    bool has_certificate, is_rsa, wants_retry, resumes;
    uint8_t seed;
    uint8_t tape[TAPE_SIZE];
};

/* splitmix64 (Steele, Lea, Flood, 2014): the next number of STATE below N. */
static unsigned draw(uint64_t *state, unsigned n)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ z >> 31) % n);
}

/* One place where something is done that should not be: the first decides how it ends. */
static void make_plan(struct plan *p, unsigned number)
{
    uint64_t state = number;
    *p = (struct plan){0};
    p->is_server = draw(&state, 2);
    p->peer_max = draw(&state, 3) ? TLS_1_3 : TLS_1_2;
    p->peer = (enum tlspolicy_peer)draw(&state, 3);
    p->has_certificate = draw(&state, 3) > 0;
    p->is_rsa = draw(&state, 4) == 0;
    p->wants_retry = draw(&state, 3) == 0 && p->is_server;
    p->resumes = draw(&state, 4) == 0;
    p->seed = (uint8_t)draw(&state, 256);
    unsigned early = draw(&state, 2), at = draw(&state, early ? 16 : TAPE_SIZE - 8);
    for (unsigned n = 1 + draw(&state, 6); n; n--) {
        unsigned most = draw(&state, 2) ? 20 : 256;
        p->tape[at++] = (uint8_t)draw(&state, most);
    }
    /* The engines' tickets are not of the same length: places in a ClientHello with one are not the
     * same. */
    if (p->is_server && p->resumes) {
        p->wants_retry = false;
        memset(p->tape, 0, 3);
    }
}

/* ---- a connection ---- */

static struct credential *keys[2]; /* Ed25519, RSA: signatures of the same length each time */

struct meeting {
    struct tlspolicy *policy;
    struct end victim;
    struct side peer;
    struct buf read;
    bool has_closed;
};

static void prepare(struct meeting *m, const struct plan *p, enum tlspolicy_engine engine)
{
    const struct credential *const *key = (const struct credential *const *)&keys[p->is_rsa];
    size_t client_keys = p->has_certificate;
    struct tlspolicy_config config = pair_config(
        p->is_server ? TLSPOLICY_SERVER : TLSPOLICY_CLIENT, key, p->is_server ? 1 : client_keys);
    config.engine = engine;
    config.peer = p->is_server ? p->peer : PEER_NOT_ASKED;
    config.tickets = p->resumes && config.peer == PEER_NOT_ASKED; /* libssl's server needs that */
    *m = (struct meeting){.policy = pair_policy(&config)};
    side_init(&m->peer, p->is_server ? &machine_client : &machine_server, &keys[p->is_rsa],
        p->is_server ? client_keys : 1);
    m->peer.policy.version_max = p->peer_max;
    m->peer.policy.tickets = p->resumes;
    m->peer.policy.peer = p->is_server ? PEER_NOT_ASKED : p->peer;
    buf_init(&m->read, 65536);
}

static void leave(struct meeting *m)
{
    end_free(&m->victim);
    side_free(&m->peer);
    buf_fini(&m->read);
    tlspolicy_free(&m->policy);
}

static void begin(struct meeting *m, const struct plan *p, struct tlsconn_session *session)
{
    side_start(&m->peer);
    if (p->is_server) {
        end_server(&m->victim, m->policy);
        client_set_server_name(m->peer.m, "www.example");
        if (session)
            session_offer(m->peer.m, session);
    } else {
        end_client(&m->victim, m->policy, "www.example");
        ASSERT(!session || tlsconn_offer(m->victim.c, session, NOW_S));
    }
}

/* The engine goes on: shakes hands, says hello once, reads. */
static void run_victim(struct meeting *m)
{
    size_t taken;
    struct end *e = &m->victim;
    bool was_open = e->status == TLSCONN_OK;
    if (!was_open)
        e->status = tlsconn_handshake(e->c, NOW_S);
    if (e->status != TLSCONN_OK)
        return;
    if (!was_open)
        ignore_result((long)tlsconn_write(e->c, BYTES("hello"), &taken));
    enum tlsconn_status status;
    do {
        status = tlsconn_read(e->c, &m->read);
        buf_clear(&m->read);
    } while (status == TLSCONN_OK);
    m->has_closed = status == TLSCONN_CLOSED;
    if (status == TLSCONN_FAILED)
        e->status = TLSCONN_FAILED;
}

static void run_peer(struct meeting *m)
{
    do {
        side_run(&m->peer);
        if (m->peer.event == MACHINE_DATA)
            machine_take(m->peer.m, machine_opened(m->peer.m).n);
    } while (m->peer.event == MACHINE_DATA || m->peer.event == MACHINE_COMPLETE);
}

static size_t carry(struct buf *from, struct buf *to)
{
    struct bytes all = bytes_first(buf_bytes(from), buf_room(to));
    ASSERT(buf_append(to, all) == 0);
    buf_consume(from, all.n);
    return all.n;
}

static void meet(struct meeting *m)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        run_peer(m);
        size_t moved = carry(&m->peer.m->wire_out, tlsconn_wire_in(m->victim.c));
        if (m->victim.status != TLSCONN_FAILED)
            run_victim(m);
        moved += carry(tlsconn_wire_out(m->victim.c), &m->peer.m->wire_in);
        if (!moved)
            break;
        if (hostile.peer)
            hostile_say_more();
    }
}

/* ---- how it ends ---- */

struct outcome {
    char text[256];
    bool is_accepted;
};

static struct outcome outcome_of(const struct meeting *m)
{
    struct outcome o = {""};
    const struct tlsconn_failure *f = tlsconn_failure(m->victim.c);
    bool is_open = tlsconn_facts(m->victim.c)->is_handshake_complete;
    o.is_accepted = is_open && m->victim.status == TLSCONN_OK;
    const char *when = is_open ? "open" : "handshake";
    if (m->victim.status == TLSCONN_FAILED && f->fault == TLSCONN_FAULT_ALERT_RECEIVED)
        snprintf(o.text, sizeof(o.text), "%s, ended by the peer", when);
    else if (m->victim.status == TLSCONN_FAILED)
        snprintf(o.text, sizeof(o.text), "%s, refused with %s: %s", when,
            tlsconn_alert_name(f->alert), f->text);
    else
        snprintf(o.text, sizeof(o.text), "%s%s", when, m->has_closed ? ", closed" : "");
    return o;
}

/* The same but for the words. */
static bool agree(const struct outcome *a, const struct outcome *b)
{
    return bytes_equal(bytes_first(bytes_of(a->text), strcspn(a->text, ":")),
        bytes_first(bytes_of(b->text), strcspn(b->text, ":")));
}

/* A session that ENGINE made with a peer that keeps the rules; NULL: none. */
static struct tlsconn_session *make_session(const struct plan *p, struct meeting *m)
{
    hostile = (struct hostile){0};
    begin(m, p, NULL);
    meet(m);
    struct tlsconn_session **from = p->is_server ? &m->peer.session : &m->victim.session;
    struct tlsconn_session *made = *from;
    *from = NULL;
    end_free(&m->victim);
    return made;
}

static struct outcome run(const struct plan *p, enum tlspolicy_engine engine)
{
    struct meeting m;
    struct tape t = {{p->tape, sizeof(p->tape)}};
    hostile_seed(p->seed);
    prepare(&m, p, engine);
    struct tlsconn_session *session = p->resumes ? make_session(p, &m) : NULL;
    hostile_seed(p->seed);
    m.has_closed = false;
    hostile = (struct hostile){
        .peer = &m.peer, .tape = &t, .wants_retry = p->wants_retry, .is_terse = true};
    begin(&m, p, session);
    meet(&m);
    struct outcome o = outcome_of(&m);
    hostile = (struct hostile){0};
    if (p->is_server)
        session_free(session);
    else
        tlsconn_session_free(&session);
    leave(&m);
    return o;
}

/* ---- what may differ ---- */

/* Each side's outcome contains these words. */
static const struct difference {
    const char *ours, *theirs, *why;
} differences[] = {
    /* Where we are the stricter. */
    {"record amidst a handshake message", "",
        "RFC 8446 5.1: no other record between the parts of a message; libssl takes some"},
    {"empty handshake record", "", "RFC 8446 5.1, RFC 5246 6.2.1: there are none"},
    {"bad change cipher spec", "open", "RFC 5246 6.2.1: there is no empty one, either"},
    {"unsupported_extension: bad extension", "",
        "RFC 8446 4.2: nobody asked for it; libssl overlooks what it does not know"},
    {"handshake, refused with decode_error: bad extension", "open",
        "RFC 8449: what was changed is the answer to record_size_limit, which libssl does not "
        "send"},
    {"another ClientHello after HelloRetryRequest", "",
        "RFC 8446 4.1.2: it is the same; libssl does not compare"},
    {"decode_error: malformed ClientHello", "open",
        "RFC 8446 4.2: none twice; libssl looks at those that it knows"},
    {"protocol_version: unsupported protocol", "",
        "RFC 8446 D.5: legacy_version of SSL 3.0 is refused; libssl looks at supported_versions"},
    {"unknown alert type", "",
        "RFC 8446 6: there are two levels; libssl looks at the description alone in TLS 1.3"},
    {"handshake, refused with unexpected_message: unexpected message", "open",
        "RFC 8446 4: there is no HelloRequest in TLS 1.3; libssl overlooks it"},
    {"open, refused with unexpected_message: unexpected message", "open",
        "RFC 5246 7.4.1.2: it would be a renegotiation; libssl waits for all of it"},
    {"too many HelloRequest messages", "open", "we have a limit"},
    {"too many wishes to renegotiate", "open", "we have a limit"},
    /* Where libssl is. */
    {"", "handshake, refused with unexpected_message: unexpected message",
        "RFC 8446 5: change_cipher_spec is dropped 'at any time after the first ClientHello', RFC "
        "5246 7.2.2: so may be a warning; libssl takes neither before ServerHello or ClientHello"},
    {"", "data between ccs and finished",
        "RFC 5246 7.2.2: a warning may be ignored; libssl takes none there"},
    {"open", "no shared cipher",
        "RFC 8422 4: a client that does not say which curves it knows may be sent any"},
    {"open", ": bad extension",
        "RFC 8446 4.2: an extension that we do not know is not read; libssl knows more of them"},
    /* The same, by another name, or another one of two faults. */
    {"refused with decode_error", "refused with illegal_parameter",
        "RFC 8446 6.2: of a repeated extension or a wrong length either can be said"},
    {"decode_error: length mismatch", "handshake_failure: missing tmp ecdh key",
        "RFC 8422 5.7: a point has at least one octet"},
    {"unexpected_message: bad change cipher spec", "illegal_parameter: invalid ccs message",
        "RFC 8446 5: unexpected_message, for any other value"},
    {"decode_error: bad change cipher spec", "unexpected_message",
        "RFC 5246 7.1 does not say which alert"},
    {"decode_error: bad alert", "unexpected_message: invalid alert",
        "RFC 8446 6 does not say which alert"},
    {"bad_certificate: malformed certificate", "ASN1 lib",
        "RFC 8446 6.2: bad_certificate, for a certificate that is corrupt"},
    {"unsupported_certificate: the peer's key", "",
        "RFC 8446 6.2: unsupported_certificate, for a key that cannot be used"},
    {"protocol_version:", "wrong version number", "RFC 8446 5.1 does not say which alert"},
    {"", "protocol_version: wrong version number",
        "RFC 8446 5.1: the version of a record that is not protected is ignored"},
    {"handshake", "illegal_parameter: excessive message size",
        "libssl knows shorter limits for some messages; we wait for the rest"},
    {"unexpected_message: bad record type", "bad_record_mac",
        "RFC 8446 5.2: a protected record says application_data; libssl opens it first"},
    {"protocol_version: unsupported protocol", "illegal_parameter: bad extension",
        "two faults at a time: a version that was not offered has no extensions that were"},
    {"decode_error: length mismatch", "bad_certificate: ASN1 lib", "two faults at a time"},
    {"", "internal_error: ", "libssl's word for a scheme or a key that it cannot use"},
    {"ended by the peer", "unknown violation of the protocol",
        "libssl has no word for a close_notify during the handshake"},
    {"open, closed", "unknown violation of the protocol",
        "RFC 5246 7.2.1: close_notify ends the connection, whatever its level"},
    {"unexpected_message: unexpected message", "decrypt_error: bad signature",
        "two faults at a time"},
    {"bad protocol version number", "", "two faults at a time: other keys follow from it"},
    {"another server_name after HelloRetryRequest", "",
        "RFC 8446 4.1.2: it is the same; libssl does not compare"},
    {"ccs received early", "illegal_parameter",
        "RFC 5246 7.1: it is early where ServerHello says TLS 1.2, which we look at first"},
    {"KeyUpdate", "KeyUpdate",
        "libssl has no such limit: its connection is ended without an alert"},
};

static const char *explain(const struct outcome *ours, const struct outcome *theirs)
{
    for (size_t i = 0; i < COUNT_OF(differences); i++)
        if (strstr(ours->text, differences[i].ours) && strstr(theirs->text, differences[i].theirs))
            return differences[i].why;
    return NULL;
}

static void show(
    unsigned number, const struct plan *p, const struct outcome *ours, const struct outcome *theirs)
{
    printf("case %u, %s%s%s%s: ours: %s; libssl: %s; tape", number,
        p->is_server ? "server" : "client", p->peer_max == TLS_1_3 ? "" : ", TLS 1.2",
        p->wants_retry ? ", retry" : "", p->resumes ? ", session" : "", ours->text, theirs->text);
    for (size_t i = 0; i < TAPE_SIZE; i++)
        if (p->tape[i])
            printf(" %zu:%u", i, p->tape[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    unsigned cases = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : CASES_DEFAULT,
             first = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1, unexplained = 0,
             explained = 0, accepted = 0;
    library_initialise();
    hostile_seed(0);
    keys[0] = pair_credential(KEY_ED25519, "www.example");
    keys[1] = pair_credential(KEY_RSA, "www.example");
    for (unsigned number = first; number < first + cases; number++) {
        struct plan p;
        make_plan(&p, number);
        struct outcome ours = run(&p, ENGINE_NATIVE), theirs = run(&p, ENGINE_OPENSSL);
        accepted += ours.is_accepted && theirs.is_accepted;
        if (agree(&ours, &theirs))
            continue;
        bool is_explained = explain(&ours, &theirs);
        explained += is_explained;
        unexplained += !is_explained;
        if (!is_explained)
            show(number, &p, &ours, &theirs);
    }
    printf("%u cases: %u accepted by both, %u differences explained, %u not\n", cases, accepted,
        explained, unexplained);
    pair_credential_free(&keys[0]);
    pair_credential_free(&keys[1]);
    return unexplained || !accepted;
}
