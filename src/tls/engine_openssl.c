/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl engine: a connection's life, its bytes and its end.
 *
 * libssl reads and writes through a BIO of ours whose two ends are wire_in and wire_out.
 *
 * A limit of libssl 3.0 that shows: a connection that breaks our limit on KeyUpdate ends without
 * an alert, because libssl sends none on request.
 */
#include "tls/engine_openssl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "pki/ocsp.h"
#include "tls/server_name.h"

#include "base/ban.h"

#define RECORD_PLAIN_MAX  16384 /* RFC 8446 §5.1 */
#define RECORD_OVERHEAD   64  /* more than header, nonce, tag and content type of any suite take */
#define WIRE_OUT_RESERVE  512 /* left by tlsconn_write for an alert and an answer to KeyUpdate */
#define KEY_UPDATES_MAX   100 /* a key is good for 2^24.5 records (RFC 8446 §5.5): 37 TB in all */
#define CONTENT_HANDSHAKE 22  /* ContentType of the first record of any TLS connection */

struct connection *engine_connection(struct tlsconn *base)
{
    return container_of(base, struct connection, base);
}

static const struct connection *as_connection(const struct tlsconn *base)
{
    return (const struct connection *)base; /* its first member */
}

struct connection *engine_connection_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

void engine_note_failure(struct connection *c, enum tlsconn_fault fault, const char *format, ...)
{
    if (c->failure.fault != TLSCONN_FAULT_NONE)
        return;
    c->failure.fault = fault;
    va_list args;
    va_start(args, format);
    vsnprintf(c->failure.text, sizeof(c->failure.text), format, args);
    va_end(args);
}

/* libssl's reasons that are not a violation by the peer (TLSCONN_FAULT_PROTOCOL). */
static const struct {
    int reason;
    enum tlsconn_fault fault;
} faults[] = {
    {SSL_R_NO_SHARED_CIPHER, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_NO_CIPHERS_AVAILABLE, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_UNSUPPORTED_PROTOCOL, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_VERSION_TOO_LOW, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_VERSION_TOO_HIGH, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_NO_SUITABLE_GROUPS, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_NO_SUITABLE_KEY_SHARE, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_NO_APPLICATION_PROTOCOL, TLSCONN_FAULT_NO_COMMON},
    {SSL_R_HTTP_REQUEST, TLSCONN_FAULT_NOT_TLS},
    {SSL_R_HTTPS_PROXY_REQUEST, TLSCONN_FAULT_NOT_TLS},
    {ERR_R_ASN1_LIB, TLSCONN_FAULT_PEER_CERTIFICATE}, /* a Certificate that is no X.509 */
    {ERR_R_INTERNAL_ERROR, TLSCONN_FAULT_INTERNAL},
    {ERR_R_MALLOC_FAILURE, TLSCONN_FAULT_INTERNAL},
};

static enum tlsconn_fault fault_of(const struct connection *c, int reason)
{
    /* Before the first message "wrong version number" and whatever does not begin like a handshake
     * record is no TLS. */
    if (!c->has_received &&
        (c->first_byte != CONTENT_HANDSHAKE || reason == SSL_R_WRONG_VERSION_NUMBER))
        return TLSCONN_FAULT_NOT_TLS;
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (faults[i].reason == reason)
            return faults[i].fault;
    return TLSCONN_FAULT_PROTOCOL;
}

/* The first error that libssl itself queued, or any if there is none. Empties the queue. */
static unsigned long take_error(void)
{
    unsigned long first = ERR_get_error();
    for (unsigned long e = first; e; e = ERR_get_error())
        if (ERR_GET_LIB(e) == ERR_LIB_SSL) {
            first = e;
            break;
        }
    ERR_clear_error();
    return first;
}

static enum tlsconn_status fail(struct connection *c)
{
    unsigned long error = take_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    bool is_alert = reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + UINT8_MAX;
    const char *words = ERR_reason_error_string(error);
    c->state = CONNECTION_FAILED;
    if (!error) {
        engine_note_failure(c, TLSCONN_FAULT_INTERNAL, "libssl failed without a reason");
    } else if (is_alert) {
        c->failure.alert = (uint8_t)(reason - SSL_AD_REASON_OFFSET);
        engine_note_failure(c, TLSCONN_FAULT_ALERT_RECEIVED, "the peer sent the alert %s",
            tlsconn_alert_name(c->failure.alert));
    } else {
        engine_note_failure(
            c, fault_of(c, reason), "%s", words ? words : "unknown violation of the protocol");
    }
    if (c->failure.fault != TLSCONN_FAULT_ALERT_RECEIVED)
        c->failure.alert = c->alert_sent;
    return TLSCONN_FAILED;
}

static enum tlsconn_status peer_closed(struct connection *c)
{
    if (c->state == CONNECTION_HANDSHAKE) {
        c->state = CONNECTION_FAILED;
        engine_note_failure(
            c, TLSCONN_FAULT_ALERT_RECEIVED, "the peer closed the connection during the handshake");
        return TLSCONN_FAILED;
    }
    c->state = CONNECTION_PEER_CLOSED;
    return TLSCONN_CLOSED;
}

/* What the RESULT of a libssl call means. OK also stands for "call again": libssl had more, and
 * stopped between two records (SSL_MODE_AUTO_RETRY is off). */
static enum tlsconn_status settle(struct connection *c, int result)
{
    if (c->failure.fault != TLSCONN_FAULT_NONE || c->key_updates > KEY_UPDATES_MAX) {
        engine_note_failure(
            c, TLSCONN_FAULT_PROTOCOL, "more than %d KeyUpdate messages", KEY_UPDATES_MAX);
        return fail(c);
    }
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_NONE:
        c->is_drained = false;
        return TLSCONN_OK;
    case SSL_ERROR_WANT_READ:
        c->is_drained = buf_size(&c->wire_in) == 0;
        return c->is_drained ? TLSCONN_WANT_INPUT : TLSCONN_OK;
    case SSL_ERROR_WANT_WRITE: /* wire_out is full: the caller has to send first */
        return TLSCONN_WANT_INPUT;
    case SSL_ERROR_ZERO_RETURN:
        return peer_closed(c);
    default:
        return fail(c);
    }
}

static int wire_read(BIO *bio, char *out, int out_n)
{
    struct connection *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    struct bytes have = bytes_first(buf_bytes(&c->wire_in), out_n > 0 ? (size_t)out_n : 0);
    if (!have.n) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (!c->first_byte)
        c->first_byte = have.at[0];
    memcpy(out, have.at, have.n);
    buf_consume(&c->wire_in, have.n);
    return (int)have.n;
}

/* libssl's fatal alert, which is not protected yet, becomes the one that is due. */
static void put_due_alert(struct connection *c, struct bytes record)
{
    const uint8_t alert[] = {21, 3, 3, 0, 2, 2, SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE};
    if (!c->alert_due || !bytes_equal(record, (struct bytes){alert, sizeof(alert)}))
        return;
    c->wire_out.at[c->wire_out.end - 1] = c->alert_due;
}

static int wire_write(BIO *bio, const char *data, int data_n)
{
    struct connection *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    struct bytes fits = {(const uint8_t *)data, data_n > 0 ? (size_t)data_n : 0};
    fits = bytes_first(fits, buf_room(&c->wire_out));
    if (!fits.n || buf_append(&c->wire_out, fits) < 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    put_due_alert(c, fits);
    return (int)fits.n;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    /* Nothing is held back; all else (kTLS, …) is not supported. */
    return command == BIO_CTRL_FLUSH;
}

static BIO *new_wire(struct connection *c)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
        if (!method || !BIO_meth_set_read(method, wire_read) ||
            !BIO_meth_set_write(method, wire_write) || !BIO_meth_set_ctrl(method, wire_control))
            panic("libcrypto makes no BIO_METHOD");
    }
    BIO *bio = BIO_new(method);
    if (!bio)
        panic("out of memory");
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    return bio;
}

static struct connection *new_connection(
    const struct tlspolicy *policy, const struct tlsconn_handler *handler, void *owner)
{
    struct connection *c = mem_alloc(sizeof(*c));
    c->base.engine = &engine_openssl;
    c->base.policy = policy;
    c->base.facts = &c->facts;
    c->base.failure = &c->failure;
    c->handler = handler;
    c->owner = owner;
    c->is_server = policy->role == TLSPOLICY_SERVER;
    buf_init(&c->wire_in, TLSCONN_WIRE_MAX);
    buf_init(&c->wire_out, TLSCONN_WIRE_MAX);
    buf_init(&c->staple, OCSP_SIZE_MAX);
    ERR_clear_error();
    c->ssl = SSL_new(engine_policy_context(policy));
    if (!c->ssl || SSL_set_app_data(c->ssl, c) != 1)
        panic("out of memory");
    BIO *wire = new_wire(c);
    SSL_set_bio(c->ssl, wire, wire);
    return c;
}

static struct tlsconn *new_server(
    const struct tlspolicy *initial, const struct tlsconn_handler *handler, void *owner)
{
    struct connection *c = new_connection(initial, handler, owner);
    SSL_set_accept_state(c->ssl);
    return &c->base;
}

static struct tlsconn *new_client(const struct tlspolicy *policy, const char *server_name,
    const struct tlsconn_handler *handler, void *owner)
{
    struct connection *c = new_connection(policy, handler, owner);
    SSL_set_connect_state(c->ssl);
    if (server_name_is_dns(bytes_of(server_name))) {
        char name[SERVER_NAME_MAX + 1];
        struct bytes normal = server_name_normalise(bytes_of(server_name), name);
        if (SSL_set_tlsext_host_name(c->ssl, name) != 1)
            panic("out of memory");
        server_name_escape(normal, c->facts.sni, sizeof(c->facts.sni));
    }
    return &c->base;
}

static void free_connection(struct tlsconn *base)
{
    struct connection *c = engine_connection(base);
    SSL_free(c->ssl);
    certificate_list_fini(&c->peer_chain);
    buf_fini(&c->staple);
    buf_fini(&c->wire_in);
    buf_fini(&c->wire_out);
    certificate_list_fini(&c->shown);
    free(c);
}

static struct buf *wire_in(struct tlsconn *base)
{
    return &engine_connection(base)->wire_in;
}

static struct buf *wire_out(struct tlsconn *base)
{
    return &engine_connection(base)->wire_out;
}

static const char *group_name(SSL *ssl)
{
    switch (SSL_get_negotiated_group(ssl)) {
    case NID_X25519:
        return "x25519";
    case NID_X9_62_prime256v1:
        return "secp256r1";
    case NID_secp384r1:
        return "secp384r1";
    case NID_secp521r1:
        return "secp521r1";
    default:
        return "";
    }
}

/* What libssl knows by now; the rest was noted as messages passed. */
static void refresh_facts(struct connection *c)
{
    struct tlsconn_facts *f = &c->facts;
    f->version = f->cipher[0] ? (uint16_t)SSL_version(c->ssl) : 0;
    if (c->state != CONNECTION_OPEN)
        return;
    const unsigned char *alpn;
    unsigned alpn_n;
    SSL_get0_alpn_selected(c->ssl, &alpn, &alpn_n);
    server_name_escape((struct bytes){alpn, alpn_n}, f->alpn, sizeof(f->alpn));
    f->resumed = SSL_session_reused(c->ssl);
    f->is_handshake_complete = true;
    /* A session of TLS 1.2 remembers the group of the handshake that made it; no key was exchanged
     * in this one. */
    bool has_group = !f->key_exchange_rsa && !(f->resumed && f->version == TLS_1_2);
    snprintf(f->group, sizeof(f->group), "%s", has_group ? group_name(c->ssl) : "");
}

static enum tlsconn_status shake_hands(struct tlsconn *base, int64_t now_s)
{
    struct connection *c = engine_connection(base);
    if (c->state == CONNECTION_FAILED)
        return TLSCONN_FAILED;
    if (c->state != CONNECTION_HANDSHAKE)
        return TLSCONN_OK;
    c->now_s = now_s;
    enum tlsconn_status status;
    int result;
    do {
        ERR_clear_error();
        result = SSL_do_handshake(c->ssl);
        status = settle(c, result);
    } while (status == TLSCONN_OK && result != 1);
    /* Whatever libssl does: nobody is let in unjudged. */
    ASSERT(status != TLSCONN_OK || !c->is_unjudged);
    if (status == TLSCONN_OK)
        c->state = CONNECTION_OPEN;
    refresh_facts(c);
    if (status == TLSCONN_OK && !c->is_server)
        engine_session_established(c);
    buf_release(&c->wire_in);
    return status;
}

static bool has_pending(const struct tlsconn *base)
{
    const struct connection *c = as_connection(base);
    if (c->state != CONNECTION_OPEN)
        return c->state != CONNECTION_HANDSHAKE;
    return buf_size(&c->wire_in) > 0 || (!c->is_drained && SSL_has_pending(c->ssl));
}

static enum tlsconn_status read_plain(struct tlsconn *base, struct buf *out)
{
    struct connection *c = engine_connection(base);
    size_t before = buf_size(out);
    enum tlsconn_status status = TLSCONN_OK;
    if (c->state == CONNECTION_FAILED)
        return TLSCONN_FAILED;
    if (c->state == CONNECTION_PEER_CLOSED)
        return TLSCONN_CLOSED;
    if (c->state == CONNECTION_HANDSHAKE)
        return TLSCONN_WANT_INPUT;
    while (status == TLSCONN_OK && buf_room(out)) {
        if (!has_pending(base)) {
            status = TLSCONN_WANT_INPUT;
            break;
        }
        size_t room = buf_room(out) < RECORD_PLAIN_MAX ? buf_room(out) : RECORD_PLAIN_MAX, n = 0;
        uint8_t *space = buf_space(out, room);
        ERR_clear_error();
        int result = SSL_read_ex(c->ssl, space, room, &n);
        buf_added(out, result == 1 ? n : 0);
        status = settle(c, result);
    }
    buf_release(&c->wire_in);
    return buf_size(out) > before ? TLSCONN_OK : status;
}

static size_t write_room(const struct tlsconn *base)
{
    const struct connection *c = as_connection(base);
    size_t room = buf_room(&c->wire_out);
    if ((c->state != CONNECTION_OPEN && c->state != CONNECTION_PEER_CLOSED) || c->has_shut_down ||
        room <= WIRE_OUT_RESERVE)
        return 0;
    room -= WIRE_OUT_RESERVE;
    size_t rest = room % (RECORD_PLAIN_MAX + RECORD_OVERHEAD);
    return room / (RECORD_PLAIN_MAX + RECORD_OVERHEAD) * RECORD_PLAIN_MAX +
           (rest > RECORD_OVERHEAD ? rest - RECORD_OVERHEAD : 0);
}

static enum tlsconn_status write_plain(struct tlsconn *base, struct bytes data, size_t *taken)
{
    struct connection *c = engine_connection(base);
    *taken = 0;
    if (c->state == CONNECTION_FAILED)
        return TLSCONN_FAILED;
    data = bytes_first(data, write_room(base));
    enum tlsconn_status status = c->state == CONNECTION_HANDSHAKE ? TLSCONN_WANT_INPUT : TLSCONN_OK;
    while (data.n && status == TLSCONN_OK) {
        struct bytes piece = bytes_first(data, RECORD_PLAIN_MAX);
        size_t n = 0;
        ERR_clear_error();
        int result = SSL_write_ex(c->ssl, piece.at, piece.n, &n);
        status = settle(c, result);
        if (result != 1)
            break;
        *taken += n;
        data = bytes_skip(data, n);
    }
    return status;
}

static void say_goodbye(struct tlsconn *base)
{
    struct connection *c = engine_connection(base);
    if ((c->state != CONNECTION_OPEN && c->state != CONNECTION_PEER_CLOSED) || c->has_shut_down)
        return;
    c->has_shut_down = true;
    ERR_clear_error();
    /* 0: ours is out, the peer's is not in; 1: both; negative: wire_out was full, and the socket
     * will just be closed. */
    ignore_result(SSL_shutdown(c->ssl));
}

static struct bytes staple(const struct tlsconn *base)
{
    return buf_bytes(&as_connection(base)->staple);
}

const struct tlsconn_engine engine_openssl = {
    .name = "openssl",
    .policy_init = engine_policy_init,
    .policy_fini = engine_policy_fini,
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
    .offer = engine_session_offer,
    .session_free = engine_session_free,
};
