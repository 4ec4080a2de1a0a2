/* SPDX-License-Identifier: Apache-2.0 */
/* A handshake message: type, version (0: TLS 1.2, else 1.3), body. Every reader takes any bytes;
 * what it gives lies inside them, and a refusal names an alert. */
#include "base/attributes.h"
#include "base/panic.h"
#include "fuzz.h"
#include "tls/message.h"

#include "base/ban.h"

#define ALERT_UNSET 255

static void check_within(struct bytes whole, struct bytes part)
{
    ASSERT(!part.n || (part.at >= whole.at && part.at + part.n <= whole.at + whole.n));
}

/* A slice behind another one. */
static void check_order(struct bytes first, struct bytes second)
{
    ASSERT(!first.n || !second.n || first.at + first.n <= second.at);
}

static bool read_server_hello(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct server_hello h;
    struct extensions e;
    if (!server_hello_read(body, &h, alert))
        return false;
    check_within(body, h.block);
    ASSERT(h.random.n == 32 && h.session_id.n <= 32);
    ASSERT(h.has_extensions || h.version == h.legacy_version);
    enum extension_place place = h.is_retry ? IN_HELLO_RETRY_REQUEST
                                 : is_tls13 ? IN_SERVER_HELLO_13
                                            : IN_SERVER_HELLO_12;
    return extensions_read(h.block, place, ~0u, &e, alert);
}

static bool read_encrypted_extensions(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct extensions e;
    return extensions_read(body, IN_ENCRYPTED_EXTENSIONS, is_tls13 ? ~0u : 0, &e, alert);
}

static bool read_certificate(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct bytes context, list;
    struct certificate_entry entry;
    size_t n;
    *alert = ALERT_DECODE_ERROR;
    if (!certificate_message_read(body, is_tls13, &context, &list, &n))
        return false;
    ASSERT(is_tls13 || !context.n);
    for (; certificate_message_next(&list, is_tls13, &entry); n--) {
        check_within(body, entry.der);
        check_within(body, entry.block);
        check_order(entry.der, entry.block);
    }
    ASSERT(!n && !list.n);
    return true;
}

static bool read_certificate_request(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct certificate_request r;
    if (!certificate_request_read(body, is_tls13, &r, alert))
        return false;
    check_within(body, r.authorities);
    ASSERT(r.schemes.n >= 2 && r.schemes.n % 2 == 0 && r.schemes_cert.n % 2 == 0);
    ASSERT(is_tls13 ? !r.types.n : !r.context.n && !r.schemes_cert.at);
    return true;
}

static bool read_certificate_verify(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct digitally_signed d;
    (void)is_tls13;
    *alert = ALERT_DECODE_ERROR;
    if (!certificate_verify_read(body, &d))
        return false;
    ASSERT(d.signature.n + 4 == body.n);
    return true;
}

static bool read_server_key_exchange(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct server_key_exchange k;
    (void)is_tls13;
    *alert = ALERT_DECODE_ERROR;
    if (!server_key_exchange_read(body, &k))
        return false;
    ASSERT(k.parameters.at == body.at && k.parameters.n == k.key.n + 4);
    ASSERT(k.parameters.n + 4 + k.signature.signature.n == body.n);
    return true;
}

static bool read_certificate_status(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct bytes response;
    (void)is_tls13;
    *alert = ALERT_DECODE_ERROR;
    if (!certificate_status_read(body, &response))
        return false;
    ASSERT(response.n && response.n + 4 == body.n);
    return true;
}

static bool read_new_session_ticket(struct bytes body, bool is_tls13, uint8_t *alert)
{
    struct new_session_ticket t;
    if (!new_session_ticket_read(body, is_tls13, &t, alert))
        return false;
    check_within(body, t.ticket);
    check_order(t.nonce, t.ticket);
    ASSERT(!is_tls13 || t.ticket.n);
    return true;
}

static bool read_key_update(struct bytes body, bool is_tls13, uint8_t *alert)
{
    bool is_requested;
    (void)is_tls13;
    return key_update_read(body, &is_requested, alert);
}

static const struct {
    uint8_t type;
    bool (*read)(struct bytes body, bool is_tls13, uint8_t *alert);
} readers[] = {
    {MESSAGE_SERVER_HELLO, read_server_hello},
    {MESSAGE_NEW_SESSION_TICKET, read_new_session_ticket},
    {MESSAGE_ENCRYPTED_EXTENSIONS, read_encrypted_extensions},
    {MESSAGE_CERTIFICATE, read_certificate},
    {MESSAGE_SERVER_KEY_EXCHANGE, read_server_key_exchange},
    {MESSAGE_CERTIFICATE_REQUEST, read_certificate_request},
    {MESSAGE_CERTIFICATE_VERIFY, read_certificate_verify},
    {MESSAGE_CERTIFICATE_STATUS, read_certificate_status},
    {MESSAGE_KEY_UPDATE, read_key_update},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        uint8_t alert = ALERT_UNSET;
        if (readers[i].type != data[0])
            continue;
        if (!readers[i].read((struct bytes){data + 2, n - 2}, data[1], &alert))
            ASSERT(alert && alert != ALERT_UNSET);
    }
    return 0;
}
