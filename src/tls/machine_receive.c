/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's records as they come: what each content type means in which state.
 *
 * Everything that costs us something and gets the peer nowhere is bounded: records without content,
 * change_cipher_spec of TLS 1.3, warnings, early data.
 */
#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "tls/machine_parts.h"

#include "base/ban.h"

#define ALERT_SIZE 2

/* A record without content, or without a meaning. */
static int count_empty(struct machine *m)
{
    if (++m->empty_records > MACHINE_EMPTY_RECORDS_MAX)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "too many empty records");
    return 0;
}

static int take_handshake(struct machine *m, struct bytes content)
{
    /* RFC 8446 §5.1: "Implementations MUST NOT send zero-length fragments of Handshake types". */
    if (!content.n)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "empty handshake record");
    if (buf_append(&m->in, content) < 0)
        return machine_violation(m, ALERT_DECODE_ERROR, "excessive message size");
    return 0;
}

static int take_warning(struct machine *m)
{
    if (++m->warnings > MACHINE_WARNINGS_MAX)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "too many warn alerts");
    return 0;
}

static int take_close(struct machine *m)
{
    if (m->hs)
        return machine_ended(m, 0, "the peer closed the connection during the handshake");
    machine_goto(m, MACHINE_PEER_CLOSED);
    return 0;
}

/* RFC 8446 §6: an alert has a record of its own, whole. */
static int take_alert(struct machine *m, struct bytes content)
{
    char text[64];
    if (content.n != ALERT_SIZE)
        return machine_violation(m, ALERT_DECODE_ERROR, "bad alert");
    uint8_t level = content.at[0], alert = content.at[1];
    if (level != ALERT_LEVEL_WARNING && level != ALERT_LEVEL_FATAL)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "unknown alert type");
    if (alert == ALERT_CLOSE_NOTIFY)
        return take_close(m);
    /* RFC 8446 §6: all but close_notify and user_canceled end the connection, whatever the level.
     * RFC 5246 §7.2.2: warnings may be ignored. */
    bool is_warning =
        level == ALERT_LEVEL_WARNING && (m->version != TLS_1_3 || alert == ALERT_USER_CANCELED);
    if (is_warning)
        return take_warning(m);
    snprintf(text, sizeof(text), "the peer sent the alert %s", tlsconn_alert_name(alert));
    return machine_ended(m, alert, text);
}

/* RFC 5246 §7.1: what follows is protected by what was negotiated. */
static int change_cipher(struct machine *m)
{
    if (m->state != MACHINE_WAIT_CHANGE_CIPHER_SPEC)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "ccs received early");
    if (machine_receive_master(m) < 0)
        return -1;
    machine_goto(m, MACHINE_WAIT_FINISHED);
    return 0;
}

/* RFC 8446 §5: between the first ClientHello and the peer's Finished an unprotected one with the
 * octet 1 is dropped; "any other change_cipher_spec value or […] a protected change_cipher_spec
 * record" is unexpected_message, so is one at any other time. */
static int drop_change_cipher_spec(struct machine *m, bool is_plain)
{
    bool is_in_time = m->hs && m->state != MACHINE_START;
    if (!is_plain || !is_in_time)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "unexpected ccs message");
    if (!m->version)
        m->hs->has_early_ccs = true;
    return count_empty(m);
}

static int take_change_cipher_spec(struct machine *m, struct bytes content, bool is_plain)
{
    if (content.n != 1 || content.at[0] != 1)
        return machine_violation(m,
            m->version == TLS_1_2 ? ALERT_DECODE_ERROR : ALERT_UNEXPECTED_MESSAGE,
            "bad change cipher spec");
    return m->version == TLS_1_2 ? change_cipher(m) : drop_change_cipher_spec(m, is_plain);
}

static int take_application_data(
    struct machine *m, const uint8_t *wire, struct bytes content, size_t used)
{
    if (m->state != MACHINE_OPEN)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "application data in handshake");
    if (!content.n) {
        buf_consume(&m->wire_in, used);
        return count_empty(m);
    }
    m->empty_records = 0;
    m->warnings = 0;
    m->opened_at = (size_t)(content.at - wire);
    m->opened_n = content.n;
    m->opened_used = used;
    return 0;
}

/* R is at the front of wire_in, whose first octet was OUTER. */
static int take(struct machine *m, const struct record *r, uint8_t outer, size_t used)
{
    int result = -1;
    /* RFC 8446 §5.1: "If a handshake message is split over two or more records, there MUST NOT be
     * any other records between them." */
    if (buf_size(&m->in) && r->type != RECORD_HANDSHAKE)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "record amidst a handshake message");
    switch (r->type) {
    case RECORD_APPLICATION_DATA:
        return take_application_data(m, m->wire_in.at + m->wire_in.start, r->content, used);
    case RECORD_HANDSHAKE:
        m->empty_records = 0;
        result = take_handshake(m, r->content);
        break;
    case RECORD_ALERT:
        result = take_alert(m, r->content);
        break;
    case RECORD_CHANGE_CIPHER_SPEC:
        result = take_change_cipher_spec(m, r->content, outer == RECORD_CHANGE_CIPHER_SPEC);
        break;
    }
    buf_consume(&m->wire_in, used);
    return result;
}

/* What a record of LENGTH octets takes of the early data that we skip: its content, as the client
 * counts it (RFC 8446 §4.6.1, max_early_data_size), so that one which may send that much to another
 * server of its name can talk to us. None is for nothing. */
static size_t early_content(size_t length)
{
    size_t around = AEAD_TAG_SIZE + 1;
    return length > around ? length - around : 1;
}

/* RFC 8446 §4.2.10: early data that we refused is skipped: after HelloRetryRequest records of type
 * application_data, otherwise records that do not open, until one does. */
static int skip_early_data(struct machine *m, struct bytes wire)
{
    size_t used = RECORD_HEADER_SIZE + ((size_t)wire.at[3] << 8 | wire.at[4]);
    if (used > RECORD_HEADER_SIZE + RECORD_PROTECTED_MAX)
        return machine_violation(m, ALERT_RECORD_OVERFLOW, "encrypted length too long");
    if (wire.n < used)
        return 0;
    size_t content = early_content(used - RECORD_HEADER_SIZE);
    if (content > m->hs->early_data_left)
        return machine_violation(m, ALERT_UNEXPECTED_MESSAGE, "too much early data");
    m->hs->early_data_left -= content;
    buf_consume(&m->wire_in, used);
    return 1;
}

static int refuse_record(struct machine *m, struct bytes wire, uint8_t alert)
{
    /* Before the first message whatever does not look like a handshake record is no TLS. */
    bool is_tls = m->has_received || buf_size(&m->in) ||
                  (wire.at[0] == RECORD_HANDSHAKE && alert != ALERT_PROTOCOL_VERSION);
    if (!is_tls)
        return machine_fail(m, ALERT_PROTOCOL_VERSION, TLSCONN_FAULT_NOT_TLS, "not a TLS record");
    static const struct {
        uint8_t alert;
        const char *text;
    } texts[] = {
        {ALERT_BAD_RECORD_MAC, "decryption failed or bad record mac"},
        {ALERT_RECORD_OVERFLOW, "encrypted length too long"},
        {ALERT_PROTOCOL_VERSION, "wrong version number"},
        {ALERT_UNEXPECTED_MESSAGE, "bad record type"},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i].alert == alert)
            return machine_violation(m, alert, texts[i].text);
    return machine_violation(m, alert, "bad record");
}

/* A client that could not make sense of our ServerHello has no keys to protect its alert with:
 * until it has shown that it has, an alert may be plain. Who forges one could as well cut the line.
 */
static bool is_plain_alert(const struct machine *m, struct bytes wire)
{
    return m->hs && m->role->is_server && m->receive.keys.format == RECORD_TLS13 &&
           m->receive.sequence == 0 && wire.n >= RECORD_HEADER_SIZE && wire.at[0] == RECORD_ALERT &&
           wire.at[3] == 0 && wire.at[4] == ALERT_SIZE;
}

static int take_plain_alert(struct machine *m, struct bytes wire)
{
    if (wire.n < RECORD_HEADER_SIZE + ALERT_SIZE)
        return 0;
    wire = bytes_first(wire, RECORD_HEADER_SIZE + ALERT_SIZE);
    struct record r = {RECORD_ALERT, bytes_skip(wire, RECORD_HEADER_SIZE)};
    return take(m, &r, RECORD_ALERT, wire.n) < 0 ? -1 : 1;
}

int machine_receive(struct machine *m)
{
    struct bytes wire = buf_bytes(&m->wire_in);
    if (!wire.n)
        return 0;
    if (is_plain_alert(m, wire))
        return take_plain_alert(m, wire);
    struct record r;
    size_t used = 0;
    uint8_t alert = ALERT_INTERNAL_ERROR;
    bool may_skip = m->hs && m->hs->early_data_left && wire.n >= RECORD_HEADER_SIZE &&
                    wire.at[0] == RECORD_APPLICATION_DATA;
    if (may_skip && m->state == MACHINE_WAIT_SECOND_HELLO)
        return skip_early_data(m, wire);
    uint8_t outer = wire.at[0];
    switch (record_take(&m->receive, m->wire_in.at + m->wire_in.start, wire.n, &r, &used, &alert)) {
    case RECORD_NEEDS_MORE:
        return 0;
    case RECORD_BAD:
        return may_skip && alert == ALERT_BAD_RECORD_MAC ? skip_early_data(m, wire)
                                                         : refuse_record(m, wire, alert);
    case RECORD_OK:
        break;
    }
    if (may_skip)
        m->hs->early_data_left = 0;
    return take(m, &r, outer, used) < 0 ? -1 : 1;
}

struct bytes machine_opened(const struct machine *m)
{
    return bytes_first(bytes_skip(buf_bytes(&m->wire_in), m->opened_at), m->opened_n);
}

void machine_take(struct machine *m, size_t n)
{
    ASSERT(n <= m->opened_n);
    m->opened_at += n;
    m->opened_n -= n;
    if (m->opened_n == 0 && m->opened_used) {
        buf_consume(&m->wire_in, m->opened_used);
        m->opened_used = 0;
    }
}
