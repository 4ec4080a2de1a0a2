/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of our own: the machine (tls/machine.h) as tlsconn.h wants it. Its pauses are answered
 * on the spot: signatures and premaster secrets by our key, verdicts by the owner. A key that is
 * elsewhere is asked for (tls/signing.h), and the handshake waits.
 *
 * Memory: what a connection does not need while nothing flows is let go at the end of each call.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "tls/client.h"
#include "tls/machine.h"
#include "tls/session.h"

#include "base/ban.h"

struct connection {
    struct tlsconn base; /* first */
    struct machine *m;
    struct signing_call call;
    struct signing_office *asked; /* of whom CALL is; NULL: none is under way */
    size_t looked_at; /* octets of wire_in of which the machine has said that they are not enough */
};

static struct connection *connection_of(struct tlsconn *base)
{
    return container_of(base, struct connection, base);
}

static struct machine *machine_of(const struct tlsconn *base)
{
    return ((const struct connection *)base)->m;
}

/* ---- policy ---- */

/* RFC 8446 §4.2.4, RFC 5246 §7.4.4: the names of CAs as CertificateRequest carries them. */
static struct bytes make_authorities(const struct certificate_list *ca)
{
    struct buf names;
    buf_init(&names, TLSPOLICY_CA_NAMES_MAX);
    struct wire_writer w = {.out = &names};
    for (size_t i = 0; ca && i < ca->n && !w.has_failed; i++) {
        if (!tlspolicy_is_first_of_name(ca, i))
            continue;
        struct wire_mark name = wire_begin(&w, 2);
        wire_put(&w, certificate_facts(ca->at[i])->subject);
        wire_end(&w, name);
    }
    struct bytes made = {0};
    if (!w.has_failed && buf_size(&names)) {
        uint8_t *copy = mem_alloc_raw(buf_size(&names));
        memcpy(copy, buf_bytes(&names).at, buf_size(&names));
        made = (struct bytes){copy, buf_size(&names)};
    }
    buf_fini(&names);
    return made;
}

static int policy_init(
    struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err)
{
    p->native = mem_alloc(sizeof(*p->native));
    p->native->authorities = make_authorities(config->ca);
    return 0;
}

static void policy_fini(struct tlspolicy *p)
{
    if (p->native)
        free((uint8_t *)(uintptr_t)p->native->authorities.at);
    free(p->native);
    p->native = NULL;
}

/* ---- a life ---- */

static struct connection *new_connection(const struct tlspolicy *p, const struct machine_role *role,
    const struct tlsconn_handler *h, void *owner)
{
    struct connection *c = mem_alloc(sizeof(*c));
    c->base.engine = &engine_native;
    c->base.policy = p;
    c->m = machine_new(p, role, h, owner);
    c->base.facts = &c->m->facts;
    c->base.failure = &c->m->failure;
    return c;
}

static struct tlsconn *new_server(
    const struct tlspolicy *p, const struct tlsconn_handler *h, void *owner)
{
    return &new_connection(p, &machine_server, h, owner)->base;
}

static struct tlsconn *new_client(const struct tlspolicy *p, const char *server_name,
    const struct tlsconn_handler *h, void *owner)
{
    struct connection *c = new_connection(p, &machine_client, h, owner);
    client_set_server_name(c->m, server_name);
    return &c->base;
}

static void free_connection(struct tlsconn *base)
{
    struct connection *c = connection_of(base);
    if (c->asked)
        c->asked->cancel(c->asked, &c->call);
    machine_free(&c->m);
    free(c);
}

static struct buf *wire_in(struct tlsconn *base)
{
    return &machine_of(base)->wire_in;
}

static struct buf *wire_out(struct tlsconn *base)
{
    return &machine_of(base)->wire_out;
}

/* ---- the machine's questions ---- */

static void take_answer(struct machine *m, const struct signing_answer *answer)
{
    bool is_signature = m->event == MACHINE_SIGN;
    if (answer->outcome != SIGNING_DONE)
        machine_refused(m, signing_outcome_text(answer->outcome));
    else if (is_signature)
        machine_signed(m, (struct bytes){answer->at, answer->n});
    else if (answer->n == sizeof(m->hs->premaster))
        machine_decrypted(m, answer->at);
    else
        machine_refused(m, signing_outcome_text(SIGNING_IMPOSSIBLE));
}

static void answered(struct signing_call *call, const struct signing_answer *answer)
{
    struct connection *c = container_of(call, struct connection, call);
    c->asked = NULL;
    take_answer(c->m, answer);
    c->m->handler->resume(c->m->owner);
}

/* Sign, or have it signed; false: we wait for it. */
static bool answer_question(struct connection *c)
{
    struct machine *m = c->m;
    const struct credential *own = m->facts.credential;
    struct signing_request request = machine_question(m);
    if (!own->key) {
        c->call = (struct signing_call){.answered = answered,
            .request = request,
            .head = signing_head_of(&own->handle, &request)};
        c->asked = own->handle.office;
        c->asked->ask(c->asked, &c->call);
        return false;
    }
    struct signing_answer answer;
    signing_answer(&request, own->key, ~0u, &answer);
    take_answer(m, &answer);
    mem_wipe(&answer, sizeof(answer));
    return true;
}

static void answer_judge(struct machine *m)
{
    const struct certificate_list *chain = &m->hs->peer_chain;
    machine_judged(
        m, m->handler->judge(m->owner, (const struct certificate *const *)chain->at, chain->n));
}

/* Go on until the machine wants something that is not ours to give. */
static enum machine_event run(struct connection *c, int64_t now_s)
{
    for (;;) {
        enum machine_event event = machine_run(c->m, now_s);
        switch (event) {
        case MACHINE_SIGN:
        case MACHINE_DECRYPT:
            if (!c->asked && answer_question(c))
                continue;
            break;
        case MACHINE_JUDGE:
            answer_judge(c->m);
            continue;
        case MACHINE_WANT_INPUT:
        case MACHINE_COMPLETE:
        case MACHINE_DATA:
        case MACHINE_CLOSED:
        case MACHINE_FAILED:
            break;
        }
        c->base.policy = c->m->policy; /* the one for the client's name */
        c->looked_at = event == MACHINE_WANT_INPUT ? buf_size(&c->m->wire_in) : 0;
        return event;
    }
}

/* ---- bytes ---- */

static enum tlsconn_status status_of(enum machine_event event)
{
    if (event == MACHINE_FAILED)
        return TLSCONN_FAILED;
    if (event == MACHINE_CLOSED)
        return TLSCONN_CLOSED;
    if (event == MACHINE_SIGN || event == MACHINE_DECRYPT)
        return TLSCONN_WANT_SIGNATURE;
    return event == MACHINE_WANT_INPUT ? TLSCONN_WANT_INPUT : TLSCONN_OK;
}

static enum tlsconn_status shake_hands(struct tlsconn *base, int64_t now_s)
{
    struct machine *m = machine_of(base);
    if (m->is_completion_told)
        return m->state == MACHINE_DEAD ? TLSCONN_FAILED : TLSCONN_OK;
    return status_of(run(connection_of(base), now_s));
}

static void take_opened(struct machine *m, struct buf *out)
{
    struct bytes piece = bytes_first(machine_opened(m), buf_room(out));
    if (buf_append(out, piece) < 0)
        panic("what has room has no room");
    machine_take(m, piece.n);
}

static enum tlsconn_status read_plain(struct tlsconn *base, struct buf *out)
{
    struct connection *c = connection_of(base);
    size_t before = buf_size(out);
    enum machine_event event = MACHINE_DATA;
    if (!c->m->is_completion_told)
        return c->m->state == MACHINE_DEAD ? TLSCONN_FAILED : TLSCONN_WANT_INPUT;
    while (event == MACHINE_DATA && buf_room(out)) {
        event = run(c, c->m->now_s);
        if (event == MACHINE_DATA)
            take_opened(c->m, out);
    }
    if (event != MACHINE_DATA)
        machine_rest(c->m);
    return buf_size(out) > before ? TLSCONN_OK : status_of(event);
}

static size_t write_room(const struct tlsconn *base)
{
    return machine_write_room(machine_of(base));
}

static enum tlsconn_status write_plain(struct tlsconn *base, struct bytes data, size_t *taken)
{
    struct machine *m = machine_of(base);
    *taken = machine_write(m, data);
    /* All of it: it may be long until there is more. */
    if (*taken == data.n)
        machine_rest(m);
    if (m->state == MACHINE_DEAD)
        return TLSCONN_FAILED;
    return m->is_completion_told ? TLSCONN_OK : TLSCONN_WANT_INPUT;
}

static bool has_pending(const struct tlsconn *base)
{
    const struct connection *c = (const struct connection *)base;
    const struct machine *m = c->m;
    if (m->state != MACHINE_OPEN)
        return m->is_completion_told;
    return m->opened_n || buf_size(&m->wire_in) > c->looked_at;
}

static void say_goodbye(struct tlsconn *base)
{
    machine_close(machine_of(base));
}

/* ---- what is known ---- */

static struct bytes staple(const struct tlsconn *base)
{
    const struct machine *m = machine_of(base);
    return m->hs ? m->hs->staple : (struct bytes){0};
}

static bool offer(struct tlsconn *base, const struct tlsconn_session *s)
{
    session_offer(machine_of(base), s);
    return true;
}

const struct tlsconn_engine engine_native = {
    .name = "native",
    .policy_init = policy_init,
    .policy_fini = policy_fini,
    .new_server = new_server,
    .new_client = new_client,
    .free = free_connection,
    .wire_in = wire_in,
    .wire_out = wire_out,
    .handshake = shake_hands,
    .read = read_plain,
    .write = write_plain,
    .write_room = write_room,
    .has_pending = has_pending,
    .close = say_goodbye,
    .staple = staple,
    .offer = offer,
    .session_free = session_free,
};
