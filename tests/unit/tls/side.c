/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "tls/session.h"

#include "base/ban.h"

static const struct tlspolicy *choose(void *owner, const struct tlsconn_hello *hello)
{
    struct side *s = owner;
    s->chosen++;
    ticket_keys_advance(&s->policy, s->now_s);
    return s->has_policy ? &s->policy : NULL;
}

static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    struct side *s = owner;
    s->judged++;
    s->chain_n = chain_n;
    return s->answer;
}

static void message(void *owner, enum tlsconn_message_direction direction, struct bytes m)
{
    struct side *s = owner;
    ASSERT(m.n >= 4 && m.n == 4u + (size_t)(m.at[1] << 16 | m.at[2] << 8 | m.at[3]));
    if (direction == TLSCONN_SENT && s->sent_n < sizeof(s->sent))
        s->sent[s->sent_n++] = m.at[0];
    if (direction == TLSCONN_RECEIVED && s->received_n < sizeof(s->received))
        s->received[s->received_n++] = m.at[0];
}

static void session(void *owner, struct tlsconn_session *given)
{
    struct side *s = owner;
    session_free(s->session);
    s->session = given;
    s->sessions_n++;
}

static const struct tlsconn_handler handler = {choose, judge, message, session};

void side_init(struct side *s, const struct machine_role *role,
    struct credential *const *credentials, size_t n)
{
    *s = (struct side){.role = role,
        .has_policy = true,
        .ticket_keys.ratchet = {.at = {2}, .hour = NOW_S / HOUR_S - 1},
        .now_s = NOW_S};
    ASSERT(n <= COUNT_OF(s->credentials));
    for (size_t i = 0; i < n; i++)
        s->credentials[i] = credentials[i];
    s->policy = (struct tlspolicy){.role = role->is_server ? TLSPOLICY_SERVER : TLSPOLICY_CLIENT,
        .version_min = TLS_1_2,
        .version_max = TLS_1_3,
        .groups = tlspolicy_usual_groups(),
        .schemes = signature_schemes_ours(),
        .own_schemes = signature_schemes_ours(),
        .session_lifetime_s = 24 * HOUR_S,
        .binding = {1},
        .ticket_keys = &s->ticket_keys,
        .credentials = s->credentials,
        .credentials_n = n,
        .native = &s->native};
    ticket_keys_init(&s->policy);
    if (role->is_server)
        s->policy.sets = certificate_sets_new(s->credentials, n);
}

void side_start(struct side *s)
{
    machine_free(&s->m);
    s->judged = s->chosen = 0;
    s->sent_n = s->received_n = 0;
    s->m = machine_new(&s->policy, s->role, &handler, s);
    s->event = MACHINE_WANT_INPUT;
}

void side_free(struct side *s)
{
    machine_free(&s->m);
    session_free(s->session);
    certificate_sets_free(&s->policy.sets);
}

static void answer_question(struct side *s)
{
    struct signing_answer answer;
    struct signing_request request = machine_question(s->m);
    signing_answer(&request, s->m->facts.credential->key, ~0u, &answer);
    if (s->is_broken || answer.outcome != SIGNING_DONE)
        machine_refused(s->m, signing_outcome_text(SIGNING_IMPOSSIBLE));
    else if (s->event == MACHINE_SIGN)
        machine_signed(s->m, (struct bytes){answer.at, answer.n});
    else
        machine_decrypted(s->m, answer.at);
    mem_wipe(&answer, sizeof(answer));
}

static void answer_judge(struct side *s)
{
    const struct certificate_list *chain = &s->m->hs->peer_chain;
    machine_judged(
        s->m, s->m->handler->judge(s, (const struct certificate *const *)chain->at, chain->n));
}

enum machine_event side_run(struct side *s)
{
    for (;;) {
        s->event = machine_run(s->m, s->now_s);
        if (s->event == MACHINE_SIGN || s->event == MACHINE_DECRYPT)
            answer_question(s);
        else if (s->event == MACHINE_JUDGE)
            answer_judge(s);
        else
            return s->event;
    }
}

enum machine_event side_feed(struct side *s, struct bytes data)
{
    ASSERT(buf_append(&s->m->wire_in, data) == 0);
    return side_run(s);
}

static size_t move(struct buf *from, struct buf *to)
{
    struct bytes all = bytes_first(buf_bytes(from), buf_room(to));
    ASSERT(buf_append(to, all) == 0);
    buf_consume(from, all.n);
    return all.n;
}

size_t side_carry(struct side *from, struct side *to)
{
    return move(&from->m->wire_out, &to->m->wire_in);
}

void side_meet(struct side *client, struct side *server)
{
    do {
        side_run(client);
        side_carry(client, server);
        side_run(server);
    } while (side_carry(server, client));
    side_run(client);
}

void side_deliver(struct side *server, struct raw *client)
{
    struct buf *out = &server->m->wire_out;
    if (buf_size(out))
        ASSERT(BIO_write(SSL_get_rbio(client->ssl), buf_bytes(out).at, (int)buf_size(out)) ==
               (int)buf_size(out));
    buf_clear(out);
    raw_advance(client);
}

void side_handshake(struct raw *client, struct side *server)
{
    bool is_complete = false;
    do {
        raw_hello(client, &server->m->wire_in);
        is_complete = side_run(server) == MACHINE_COMPLETE || is_complete;
        side_deliver(server, client);
    } while (BIO_pending(SSL_get_wbio(client->ssl)) > 0);
    if (is_complete && server->event != MACHINE_FAILED)
        server->event = MACHINE_COMPLETE;
}

bool side_has_failed(const struct side *s, enum tlsconn_fault fault, uint8_t alert)
{
    const struct tlsconn_failure *f = &s->m->failure;
    bool is_so = s->event == MACHINE_FAILED && f->fault == fault && f->alert == alert;
    if (!is_so)
        printf("# event %d fault %d alert %d: %s\n", s->event, f->fault, f->alert, f->text);
    return is_so;
}

void side_put_extension(struct wire_writer *w, uint16_t number, struct bytes body)
{
    wire_put_16(w, number);
    struct wire_mark mark = wire_begin(w, 2);
    wire_put(w, body);
    wire_end(w, mark);
}
