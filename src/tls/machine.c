/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's life:
 *
 *   START → … one of the WAIT states … → OPEN → PEER_CLOSED
 *              ↑↓                          │        │
 *            PAUSED                        ↓        ↓
 *              └───────────────────────→ DEAD ←─────┘   from any state: machine_fail
 *
 * START, WAIT_…  hs is there; the tables of server*.c and client*.c say what is read next.
 * PAUSED         nothing is read until the question in m->event is answered.
 * OPEN           machine_complete; hs is gone. Application data, KeyUpdate, NewSessionTicket.
 * DEAD           nothing is read or written any more; hs is gone when machine_run returns.
 */
#include "tls/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"
#include "tls/machine_parts.h"
#include "tls/session.h"
#include "tls/ticket.h"

#include "base/ban.h"

/* The sum of what can come and go while messages are kept: each type once, in either direction. */
#define MESSAGES_MAX (8 * MACHINE_MESSAGE_MAX)
#define FLIGHT_MAX   (128 * 1024)

static void free_handshake(struct handshake **hs)
{
    struct handshake *h = *hs;
    if (!h)
        return;
    buf_fini(&h->flight);
    buf_fini(&h->messages);
    buf_fini(&h->sign.content);
    for (size_t i = 0; i < COUNT_OF(h->shares); i++)
        key_share_free(&h->shares[i]);
    certificate_list_fini(&h->peer_chain);
    if (h->ticket) {
        ticket_content_fini(h->ticket);
        free(h->ticket);
    }
    session_free((struct tlsconn_session *)h->offered);
    arena_fini(&h->arena);
    mem_wipe(h, sizeof(*h));
    free(h);
    *hs = NULL;
}

struct machine *machine_new(const struct tlspolicy *p, const struct machine_role *role,
    const struct tlsconn_handler *h, void *owner)
{
    ASSERT((p->role == TLSPOLICY_SERVER) == role->is_server);
    struct machine *m = mem_alloc(sizeof(*m));
    m->engine = p->engine;
    m->role = role;
    m->policy = p;
    m->handler = h;
    m->owner = owner;
    record_init(&m->receive);
    record_init(&m->send);
    m->send.first_minor = role->is_server ? 3 : 1;
    buf_init(&m->wire_in, TLSCONN_WIRE_MAX);
    buf_init(&m->wire_out, TLSCONN_WIRE_MAX);
    /* Whole messages are read before the next record is taken. */
    buf_init(&m->in, MESSAGE_HEADER_SIZE + MACHINE_MESSAGE_MAX + RECORD_PLAIN_MAX);
    m->hs = mem_alloc(sizeof(*m->hs));
    arena_init(&m->hs->arena);
    buf_init(&m->hs->flight, FLIGHT_MAX);
    buf_init(&m->hs->messages, MESSAGES_MAX);
    buf_init(&m->hs->sign.content, MESSAGES_MAX);
    m->hs->keeps_messages = true;
    return m;
}

void machine_free(struct machine **m)
{
    if (!*m)
        return;
    free_handshake(&(*m)->hs);
    record_fini(&(*m)->receive);
    record_fini(&(*m)->send);
    buf_fini(&(*m)->wire_in);
    buf_fini(&(*m)->wire_out);
    buf_fini(&(*m)->in);
    certificate_list_fini(&(*m)->shown);
    mem_wipe(*m, sizeof(**m));
    free(*m);
    *m = NULL;
}

/* ---- states ---- */

void machine_goto(struct machine *m, enum machine_state next)
{
    ASSERT(m->state != MACHINE_DEAD);
    m->state = next;
}

static void note_failure(struct machine *m, uint8_t alert, enum tlsconn_fault fault)
{
    m->failure.fault = fault;
    m->failure.alert = alert;
    m->opened_n = 0;
    buf_clear(&m->in);
    machine_goto(m, MACHINE_DEAD);
}

int machine_fail(
    struct machine *m, uint8_t alert, enum tlsconn_fault fault, const char *format, ...)
{
    if (m->state == MACHINE_DEAD)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(m->failure.text, sizeof(m->failure.text), format, args);
    va_end(args);
    if (m->hs)
        buf_clear(&m->hs->flight); /* an unfinished flight is of no use to anyone */
    machine_put_alert(m, ALERT_LEVEL_FATAL, alert);
    note_failure(m, alert, fault);
    return -1;
}

int machine_violation(struct machine *m, uint8_t alert, const char *text)
{
    return machine_fail(m, alert, TLSCONN_FAULT_PROTOCOL, "%s", text);
}

int machine_ended(struct machine *m, uint8_t alert, const char *text)
{
    snprintf(m->failure.text, sizeof(m->failure.text), "%s", text);
    note_failure(m, alert, TLSCONN_FAULT_ALERT_RECEIVED);
    return -1;
}

int machine_pause(struct machine *m, enum machine_event event, machine_fn *fn)
{
    m->event = event;
    m->has_answer = false;
    m->hs->resume = fn;
    machine_goto(m, MACHINE_PAUSED);
    return 0;
}

static int resume(struct machine *m)
{
    m->event = MACHINE_WANT_INPUT;
    int result = m->hs->resume(m);
    ASSERT(m->state != MACHINE_PAUSED || m->event != MACHINE_WANT_INPUT);
    return result;
}

static void answer(struct machine *m, enum machine_event question)
{
    ASSERT(m->state == MACHINE_PAUSED && m->event == question && !m->has_answer);
    m->has_answer = true;
}

void machine_signed(struct machine *m, struct bytes signature)
{
    answer(m, MACHINE_SIGN);
    m->hs->signature = arena_copy(&m->hs->arena, signature);
}

void machine_decrypted(struct machine *m, const uint8_t premaster[48])
{
    answer(m, MACHINE_DECRYPT);
    memcpy(m->hs->premaster, premaster, sizeof(m->hs->premaster));
}

struct signing_request machine_question(const struct machine *m)
{
    const struct handshake *hs = m->hs;
    ASSERT(m->state == MACHINE_PAUSED && !m->has_answer);
    /* RFC 5246 §7.4.7.1: the version in the premaster secret is that of the ClientHello. */
    if (m->event == MACHINE_DECRYPT)
        return (struct signing_request){
            SIGNING_PREMASTER, hs->hello->legacy_version, hs->encrypted_premaster};
    return (struct signing_request){
        hs->sign.kind, hs->scheme->number, buf_bytes(&hs->sign.content)};
}

void machine_refused(struct machine *m, const char *why)
{
    ASSERT(m->state == MACHINE_PAUSED && !m->has_answer);
    ignore_result(machine_fail(m, ALERT_INTERNAL_ERROR, TLSCONN_FAULT_INTERNAL, "%s", why));
}

void machine_judged(struct machine *m, uint8_t alert)
{
    answer(m, MACHINE_JUDGE);
    m->hs->verdict = alert;
}

int machine_complete(struct machine *m)
{
    if (machine_flush(m) < 0)
        return -1;
    m->facts.is_handshake_complete = true;
    machine_goto(m, MACHINE_OPEN);
    free_handshake(&m->hs);
    return 0;
}

/* ---- messages ---- */

/* What a body may have at most: a peer that is not authenticated yet is not to fill our memory. */
static size_t body_max(uint8_t type)
{
    static const struct {
        uint8_t type;
        uint16_t max;
    } small[] = {
        {MESSAGE_HELLO_REQUEST, 64},
        {MESSAGE_SERVER_HELLO_DONE, 64},
        {MESSAGE_KEY_UPDATE, 64},
        {MESSAGE_FINISHED, 64},
        {MESSAGE_CLIENT_KEY_EXCHANGE, 2048},
        {MESSAGE_CERTIFICATE_VERIFY, 4 + PUBLIC_KEY_SIZE_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(small); i++)
        if (small[i].type == type)
            return small[i].max;
    return MACHINE_MESSAGE_MAX;
}

/* RFC 8446 §4.6.3, §5.1: the next record has the new keys, so nothing may follow in this one. */
static int read_key_update(struct machine *m, struct bytes message, struct bytes body)
{
    bool is_requested;
    uint8_t alert;
    if (!key_update_read(body, &is_requested, &alert))
        return machine_violation(m, alert, "bad key update");
    if (++m->key_updates > MACHINE_KEY_UPDATES_MAX)
        return machine_fail(m, ALERT_UNEXPECTED_MESSAGE, TLSCONN_FAULT_PROTOCOL,
            "more than %d KeyUpdate messages", MACHINE_KEY_UPDATES_MAX);
    key_schedule_update(&m->receive_secret);
    m->must_update_keys = m->must_update_keys || is_requested;
    return machine_receive_secret(m, &m->receive_secret);
}

/* Both roles, TLS 1.3. */
static const struct machine_row rows13[] = {
    {MACHINE_OPEN, MESSAGE_KEY_UPDATE, read_key_update},
    {MACHINE_STATE_COUNT, 0, NULL},
};

/* Who reads a message of TYPE now; NULL: it is unexpected. */
static machine_read_fn *reader_of(const struct machine *m, uint8_t type)
{
    bool is_tls13 = m->version == TLS_1_3, is_tls12 = m->version == TLS_1_2;
    const struct machine_row *tables[] = {m->role->rows, is_tls13 ? m->role->rows13 : NULL,
        is_tls12 ? m->role->rows12 : NULL, is_tls13 ? rows13 : NULL};
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        for (const struct machine_row *row = tables[i]; row && row->read; row++)
            if (row->state == m->state && row->type == type)
                return row->read;
    return NULL;
}

/* RFC 5246 §7.4.1.1: a HelloRequest during a handshake is ignored, and no part of the transcript.
 */
static int ignore_hello_request(struct machine *m, struct bytes message, struct bytes body)
{
    m->hs->is_added = true;
    if (body.n)
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    if (++m->warnings > MACHINE_WARNINGS_MAX)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "too many HelloRequest messages");
    return 0;
}

static machine_read_fn *find_reader(const struct machine *m, uint8_t type)
{
    bool is_client12 = !m->role->is_server && m->version == TLS_1_2;
    if (is_client12 && m->hs && type == MESSAGE_HELLO_REQUEST)
        return ignore_hello_request;
    return reader_of(m, type);
}

static int read_message(struct machine *m, machine_read_fn *read, struct bytes message)
{
    m->has_received = true;
    m->reading_n = message.n;
    if (m->hs)
        m->hs->is_added = false;
    machine_tell(m, TLSCONN_RECEIVED, message);
    int result = read(m, message, bytes_skip(message, MESSAGE_HEADER_SIZE));
    m->reading_n = 0;
    if (result < 0)
        return -1;
    if (m->hs && !m->hs->is_added)
        machine_transcript_append(m, message);
    buf_consume(&m->in, message.n);
    return 1;
}

/* Read the message at the front of m->in. 1: done; 0: it is not whole. Type and length are looked
 * at first, so that nothing is gathered that would be refused. */
static int take_message(struct machine *m)
{
    struct bytes in = buf_bytes(&m->in);
    if (!in.n)
        return 0;
    machine_read_fn *read = find_reader(m, in.at[0]);
    if (!read)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "unexpected message");
    if (in.n < MESSAGE_HEADER_SIZE)
        return 0;
    size_t body_n = (size_t)in.at[1] << 16 | (size_t)in.at[2] << 8 | in.at[3];
    /* RFC 8446 §6: a message "which cannot be parsed according to the syntax (e.g., […] contain an
     * out-of-range length) MUST terminate the connection with a decode_error alert". */
    if (body_n > body_max(in.at[0]))
        return machine_violation(m, ALERT_DECODE_ERROR, "excessive message size");
    if (in.n - MESSAGE_HEADER_SIZE < body_n)
        return 0;
    return read_message(m, read, bytes_first(in, MESSAGE_HEADER_SIZE + body_n));
}

/* ---- running ---- */

/* 1: something was done, and more may be; 0: somebody else has to act; -1: failed. */
static int step(struct machine *m)
{
    if (m->state == MACHINE_PEER_CLOSED || m->opened_n)
        return 0;
    if (m->state == MACHINE_PAUSED)
        return m->has_answer ? (resume(m) < 0 ? -1 : 1) : 0;
    if (m->state == MACHINE_START && m->role->start)
        return m->role->start(m) < 0 ? -1 : 1;
    if (!m->hs && !m->is_completion_told)
        return 0;
    int result = take_message(m);
    return result ? result : machine_receive(m);
}

static enum machine_event event_of(struct machine *m)
{
    if (m->state == MACHINE_DEAD)
        return MACHINE_FAILED;
    if (m->state == MACHINE_PAUSED)
        return m->event;
    if (!m->hs && !m->is_completion_told) {
        m->is_completion_told = true;
        return MACHINE_COMPLETE;
    }
    if (m->opened_n)
        return MACHINE_DATA;
    return m->state == MACHINE_PEER_CLOSED ? MACHINE_CLOSED : MACHINE_WANT_INPUT;
}

enum machine_event machine_run(struct machine *m, int64_t now_s)
{
    int result = m->state == MACHINE_DEAD ? -1 : 1;
    m->now_s = now_s;
    while (result > 0)
        result = step(m);
    /* A flight that waits for a signature goes out with it: one flight, one send. */
    if (m->state != MACHINE_DEAD && m->state != MACHINE_PAUSED && m->hs)
        ignore_result(machine_flush(m));
    if (m->state == MACHINE_DEAD)
        free_handshake(&m->hs);
    buf_release(&m->in);
    buf_release(&m->wire_in);
    return event_of(m);
}

void machine_rest(struct machine *m)
{
    record_rest(&m->receive);
    record_rest(&m->send);
    buf_release(&m->in);
    buf_release(&m->wire_in);
    buf_release(&m->wire_out);
}
