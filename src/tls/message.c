/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/message.h"

#include "base/ban.h"

#define CURVE_TYPE_NAMED 3 /* RFC 8422 §5.4: the only one that is left */

static bool take_signed(struct bytes *body, struct digitally_signed *out)
{
    return wire_take_16(body, &out->scheme) && wire_take_vector_16(body, &out->signature);
}

bool certificate_verify_read(struct bytes body, struct digitally_signed *out)
{
    return take_signed(&body, out) && !body.n;
}

bool server_key_exchange_read(struct bytes body, struct server_key_exchange *out)
{
    struct bytes whole = body;
    uint8_t curve_type;
    if (!wire_take_8(&body, &curve_type) || curve_type != CURVE_TYPE_NAMED ||
        !wire_take_16(&body, &out->group) || !wire_take_vector_8(&body, &out->key) || !out->key.n)
        return false;
    out->parameters = bytes_first(whole, whole.n - body.n);
    return take_signed(&body, &out->signature) && !body.n;
}

/* RFC 8446 §4.6.1: ticket<1..2^16-1> */
static bool read_ticket_13(struct bytes body, struct new_session_ticket *out, uint8_t *alert)
{
    struct bytes block;
    struct extensions unused;
    if (!wire_take_32(&body, &out->age_add) || !wire_take_vector_8(&body, &out->nonce) ||
        !wire_take_vector_16(&body, &out->ticket) || !out->ticket.n ||
        !wire_take_vector_16(&body, &block) || body.n)
        return false;
    return extensions_read(block, IN_NEW_SESSION_TICKET, 0, &unused, alert);
}

bool new_session_ticket_read(
    struct bytes body, bool is_tls13, struct new_session_ticket *out, uint8_t *alert)
{
    *out = (struct new_session_ticket){0};
    *alert = ALERT_DECODE_ERROR;
    if (!wire_take_32(&body, &out->lifetime_s))
        return false;
    if (is_tls13)
        return read_ticket_13(body, out, alert);
    /* RFC 5077 §3.3: ticket<0..2^16-1>; an empty one says that there is none after all. */
    return wire_take_vector_16(&body, &out->ticket) && !body.n;
}

bool key_update_read(struct bytes body, bool *is_requested, uint8_t *alert)
{
    uint8_t request;
    *alert = ALERT_DECODE_ERROR;
    if (!wire_take_8(&body, &request) || body.n)
        return false;
    /* RFC 8446 §4.6.3: "If an implementation receives any other value, it MUST terminate the
     * connection with an illegal_parameter alert." */
    *alert = ALERT_ILLEGAL_PARAMETER;
    *is_requested = request == 1;
    return request <= 1;
}

struct wire_mark message_begin(struct wire_writer *w, enum message_type type)
{
    wire_put_8(w, (uint8_t)type);
    return wire_begin(w, 3);
}

struct wire_mark message_begin_extension(struct wire_writer *w, enum extension e)
{
    wire_put_16(w, extension_number(e));
    return wire_begin(w, 2);
}
