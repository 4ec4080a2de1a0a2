/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine sends: a flight's messages side by side, then in as few records as they take.
 */
#include "base/memory.h"
#include "base/panic.h"
#include "tls/machine_parts.h"

#include "base/ban.h"

void machine_tell(struct machine *m, enum tlsconn_message_direction direction, struct bytes message)
{
    if (m->handler->message)
        m->handler->message(m->owner, direction, message);
}

/* ---- the handshake's flights ---- */

struct wire_writer machine_begin(struct machine *m, enum message_type type)
{
    struct wire_writer w = {.out = &m->hs->flight};
    m->hs->begun_at = buf_size(&m->hs->flight);
    m->hs->begun = message_begin(&w, type);
    return w;
}

int machine_send(struct machine *m, struct wire_writer *w)
{
    wire_end(w, m->hs->begun);
    if (w->has_failed)
        return machine_fail(
            m, ALERT_INTERNAL_ERROR, TLSCONN_FAULT_INTERNAL, "a message of ours is too long");
    struct bytes message = bytes_skip(buf_bytes(&m->hs->flight), m->hs->begun_at);
    machine_transcript_append(m, message);
    machine_tell(m, TLSCONN_SENT, message);
    return 0;
}

int machine_flush(struct machine *m)
{
    struct buf *flight = &m->hs->flight;
    struct bytes messages = buf_bytes(flight);
    if (!messages.n)
        return 0;
    size_t taken = record_put(&m->send, RECORD_HANDSHAKE, messages, &m->wire_out, 0);
    buf_clear(flight);
    if (taken != messages.n)
        return machine_fail(m, ALERT_INTERNAL_ERROR, TLSCONN_FAULT_INTERNAL,
            "a flight of ours does not fit what waits to be sent");
    return 0;
}

int machine_send_change_cipher_spec(struct machine *m)
{
    bool is_tls12 = m->version == TLS_1_2;
    if (!is_tls12 && m->hs->has_ccs_sent)
        return 0;
    m->hs->has_ccs_sent = true;
    if (machine_flush(m) < 0)
        return -1;
    if (record_put(&m->send, RECORD_CHANGE_CIPHER_SPEC, BYTES("\1"), &m->wire_out, 0) != 1)
        return machine_fail(m, ALERT_INTERNAL_ERROR, TLSCONN_FAULT_INTERNAL,
            "a flight of ours does not fit what waits to be sent");
    return is_tls12 ? machine_send_master(m) : 0;
}

void machine_put_alert(struct machine *m, uint8_t level, uint8_t alert)
{
    const uint8_t content[2] = {level, alert};
    /* A peer that lets wire_out fill up has to do without. */
    ignore_result((long)record_put(
        &m->send, RECORD_ALERT, (struct bytes){content, sizeof(content)}, &m->wire_out, 0));
}

/* ---- afterwards ---- */

int machine_decline_renegotiation(struct machine *m, const char *too_many)
{
    if (++m->warnings > MACHINE_WARNINGS_MAX)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, too_many);
    machine_put_alert(m, ALERT_LEVEL_WARNING, ALERT_NO_RENEGOTIATION);
    return 0;
}

static bool is_open(const struct machine *m)
{
    return (m->state == MACHINE_OPEN || m->state == MACHINE_PEER_CLOSED) && !m->has_shut_down;
}

size_t machine_write_room(const struct machine *m)
{
    return is_open(m) ? record_room(&m->send, &m->wire_out, MACHINE_RESERVE) : 0;
}

/* RFC 8446 §4.6.3: the answer is not requested; "all other" records follow under the new key. */
static bool update_keys(struct machine *m)
{
    static const uint8_t message[] = {MESSAGE_KEY_UPDATE, 0, 0, 1, 0};
    struct bytes all = {message, sizeof(message)};
    struct record_keys keys;
    if (record_put(&m->send, RECORD_HANDSHAKE, all, &m->wire_out, 0) != all.n)
        return false;
    machine_tell(m, TLSCONN_SENT, all);
    key_schedule_update(&m->send_secret);
    key_schedule_keys(&m->send_secret, m->suite, &keys);
    record_set_keys(&m->send, &keys);
    mem_wipe(&keys, sizeof(keys));
    m->must_update_keys = false;
    return true;
}

size_t machine_write(struct machine *m, struct bytes data)
{
    if (!data.n || !machine_write_room(m))
        return 0;
    /* RFC 8446 §4.6.3: due "prior to sending its next Application Data record", so that any number
     * of requests costs one answer. §5.5: a key bears so many records. */
    bool is_due = m->version == TLS_1_3 && (m->must_update_keys || record_wants_new_key(&m->send));
    if (is_due && !update_keys(m))
        return 0;
    return record_put(&m->send, RECORD_APPLICATION_DATA, data, &m->wire_out, MACHINE_RESERVE);
}

void machine_close(struct machine *m)
{
    if (!is_open(m))
        return;
    m->has_shut_down = true;
    machine_put_alert(m, ALERT_LEVEL_WARNING, ALERT_CLOSE_NOTIFY);
}
