/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl engine: a connection.
 *
 * libssl reads and writes through a BIO of ours whose two ends are wire_in and wire_out. What
 * libssl does not tell by its interface is taken from the handshake messages as they pass
 * (message_passed).
 *
 * Limits of libssl 3.0 that show:
 *  - the alert for a refused certificate is one of those that libssl derives from an X509_V_ERR
 * code: a verdict of access_denied (49), bad_certificate_status_response (113) and the like goes
 * out as certificate_unknown (46);
 *  - a connection that breaks our limit on KeyUpdate ends without an alert, because libssl sends
 * none on request.
 */
#include "tls/engine_openssl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"
#include "pki/verify.h"
#include "tls/names.h"
#include "tls/server_name.h"
#include "tls/tlsconn.h"

#include "base/ban.h"

#define RECORD_PLAIN_MAX 16384 /* RFC 8446 §5.1 */
#define RECORD_OVERHEAD  64    /* more than header, nonce, tag and content type of any suite take */
#define WIRE_OUT_RESERVE \
    512 /* kept free by tlsconn_write for an alert and an answer to KeyUpdate */
#define KEY_UPDATES_MAX   100 /* received in one connection: 100 times 2^24.5 records are years */
#define CONTENT_HANDSHAKE 22
#define ALERT_FATAL       2

/* Types of handshake messages (RFC 8446 §4, RFC 5246 §7.4). */
enum {
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE = 12,
    CERTIFICATE_REQUEST = 13,
    CERTIFICATE_VERIFY = 15,
    KEY_UPDATE = 24
};

/*  HANDSHAKE → OPEN → PEER_CLOSED        PEER_CLOSED: the peer's close_notify was read; we may
 * still write └────────┴─────────┴──────→ FAILED    any violation; libssl is not called again */
enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_PEER_CLOSED,
    CONNECTION_FAILED
};

struct tlsconn {
    SSL *ssl;
    const struct tlspolicy *policy;
    const struct tlsconn_handler *handler;
    void *owner;
    enum connection_state state;
    bool is_server;
    bool has_shut_down; /* our close_notify is out */
    bool has_received;  /* a whole handshake message: the peer speaks TLS */
    bool has_hello;     /* server: the policy is chosen */
    bool is_drained;    /* libssl found no whole record in what it was given */
    uint8_t first_byte; /* that the peer sent; 0 before */
    uint8_t alert_sent;
    unsigned key_updates;
    int64_t now_s;
    int64_t resumed_auth_s;
    struct buf wire_in, wire_out;
    struct tlsconn_facts facts;
    struct tlsconn_failure failure;
};

/* ---- what the policy and ticket halves ask ---- */

struct tlsconn *connection_of(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, 0);
}

const struct tlspolicy *connection_policy(const struct tlsconn *c)
{
    return c->policy;
}

int64_t connection_now_s(const struct tlsconn *c)
{
    return c->now_s;
}

int64_t connection_resumed_auth_s(const struct tlsconn *c)
{
    return c->resumed_auth_s;
}

void connection_set_resumed_auth_s(struct tlsconn *c, int64_t auth_s)
{
    c->resumed_auth_s = auth_s;
}

/* ---- failures ---- */

/* The first word counts: what a callback says is more precise than what libssl makes of its
 * refusal. */
PRINTF(3, 4)
static void note_failure(struct tlsconn *c, enum tlsconn_fault fault, const char *format, ...)
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
    {ERR_R_INTERNAL_ERROR, TLSCONN_FAULT_INTERNAL},
    {ERR_R_MALLOC_FAILURE, TLSCONN_FAULT_INTERNAL},
};

static enum tlsconn_fault fault_of(const struct tlsconn *c, int reason)
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

static enum tlsconn_status fail(struct tlsconn *c)
{
    unsigned long error = take_error();
    int reason = ERR_GET_REASON(error);
    bool is_alert = ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
                    reason <= SSL_AD_REASON_OFFSET + UINT8_MAX;
    const char *words = ERR_reason_error_string(error);
    c->state = CONNECTION_FAILED;
    if (!error) {
        note_failure(c, TLSCONN_FAULT_INTERNAL, "libssl failed without a reason");
    } else if (is_alert) {
        c->failure.alert = (uint8_t)(reason - SSL_AD_REASON_OFFSET);
        note_failure(c, TLSCONN_FAULT_ALERT_RECEIVED, "the peer sent the alert %s",
            tlsconn_alert_name(c->failure.alert));
    } else {
        note_failure(
            c, fault_of(c, reason), "%s", words ? words : "unknown violation of the protocol");
    }
    if (c->failure.fault != TLSCONN_FAULT_ALERT_RECEIVED)
        c->failure.alert = c->alert_sent;
    return TLSCONN_FAILED;
}

static enum tlsconn_status peer_closed(struct tlsconn *c)
{
    if (c->state == CONNECTION_HANDSHAKE) {
        c->state = CONNECTION_FAILED;
        note_failure(
            c, TLSCONN_FAULT_ALERT_RECEIVED, "the peer closed the connection during the handshake");
        return TLSCONN_FAILED;
    }
    c->state = CONNECTION_PEER_CLOSED;
    return TLSCONN_CLOSED;
}

/* What the RESULT of a libssl call means. OK also stands for "call again": libssl had more, and
 * stopped between two records (SSL_MODE_AUTO_RETRY is off). */
static enum tlsconn_status settle(struct tlsconn *c, int result)
{
    if (c->failure.fault != TLSCONN_FAULT_NONE || c->key_updates > KEY_UPDATES_MAX) {
        note_failure(c, TLSCONN_FAULT_PROTOCOL, "more than %d KeyUpdate messages", KEY_UPDATES_MAX);
        return fail(c);
    }
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_NONE:
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

/* ---- the BIO ---- */

static int wire_read(BIO *bio, char *out, int out_n)
{
    struct tlsconn *c = BIO_get_data(bio);
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

static int wire_write(BIO *bio, const char *data, int data_n)
{
    struct tlsconn *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    struct bytes fits = {(const uint8_t *)data, data_n > 0 ? (size_t)data_n : 0};
    fits = bytes_first(fits, buf_room(&c->wire_out));
    if (!fits.n || buf_append(&c->wire_out, fits) < 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    return (int)fits.n;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    return command ==
           BIO_CTRL_FLUSH; /* nothing is held back; all else (kTLS, …) is not supported */
}

static BIO *new_wire(struct tlsconn *c)
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

/* ---- handshake messages, as they pass ---- */

/* BODY follows the 4-byte header. ClientHello: version(2), random(32), session id<1>,
 * cipher_suites<2>. */
static void note_client_hello(struct tlsconn *c, struct bytes body)
{
    if (c->facts.offered_n || body.n < 35)
        return;
    body = bytes_skip(body, 34);
    body = bytes_skip(body, 1u + body.at[0]);
    if (body.n < 2)
        return;
    size_t suites_n = (size_t)(body.at[0] << 8 | body.at[1]);
    body = bytes_first(bytes_skip(body, 2), suites_n);
    for (; body.n >= 2 && c->facts.offered_n < TLSCONN_OFFERED_MAX; body = bytes_skip(body, 2)) {
        uint16_t id = (uint16_t)(body.at[0] << 8 | body.at[1]);
        if (!suite_is_grease(id))
            c->facts.offered[c->facts.offered_n++] = id;
    }
}

/* ServerHello: version(2), random(32), session id<1>, cipher_suite(2). */
static void note_server_hello(struct tlsconn *c, struct bytes body)
{
    if (body.n < 35)
        return;
    body = bytes_skip(body, 34);
    body = bytes_skip(body, 1u + body.at[0]);
    if (body.n < 2)
        return;
    uint16_t id = (uint16_t)(body.at[0] << 8 | body.at[1]);
    const char *name = tlsconn_cipher_name(id);
    snprintf(c->facts.cipher, sizeof(c->facts.cipher), "%s", name ? name : "");
    c->facts.key_exchange_rsa = name && strncmp(name, "TLS_RSA_", 8) == 0;
}

/* CertificateVerify begins with the scheme; ServerKeyExchange has it behind curve_type(1),
 * namedcurve(2) and point<1> (RFC 8422 §5.4). */
static void note_signature(struct tlsconn *c, uint8_t type, struct bytes body)
{
    if (type == SERVER_KEY_EXCHANGE && body.n > 3)
        body = bytes_skip(body, 4u + body.at[3]);
    if (body.n >= 2)
        snprintf(c->facts.signature, sizeof(c->facts.signature), "%s",
            names_signature_scheme((uint16_t)(body.at[0] << 8 | body.at[1])));
}

/* Certificate without certificates: an empty list, in TLS 1.3 behind an empty
 * certificate_request_context. */
static bool is_empty_certificate(const struct tlsconn *c, struct bytes body)
{
    return body.n <= (SSL_version(c->ssl) == TLS1_3_VERSION ? 4 : 3);
}

/* The client shows nothing, and libssl would let it in without asking anyone: ask here. A refusal
 * turns "may show" into "must show", by which libssl sends the alert. */
static void note_no_certificate(struct tlsconn *c)
{
    if (c->policy->peer == PEER_OPTIONAL) {
        if (c->handler->judge(c->owner, NULL, 0) == 0)
            return;
        SSL_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    c->failure.no_certificate = true;
}

static void note_sent(struct tlsconn *c, uint8_t type, struct bytes body)
{
    if (type == CLIENT_HELLO)
        note_client_hello(c, body);
    else if (type == SERVER_HELLO)
        note_server_hello(c, body);
    else if (type == CERTIFICATE_REQUEST)
        c->facts.peer_asked = true;
    else if (type == CERTIFICATE && !is_empty_certificate(c, body))
        c->facts.credential = policy_credential(c->policy, c->ssl);
}

static void note_received(struct tlsconn *c, uint8_t type, struct bytes body)
{
    c->has_received = true;
    if (type == CLIENT_HELLO)
        note_client_hello(c, body);
    else if (type == SERVER_HELLO)
        note_server_hello(c, body);
    else if (type == CERTIFICATE_REQUEST)
        c->facts.peer_asked = true;
    else if (type == SERVER_KEY_EXCHANGE || type == CERTIFICATE_VERIFY)
        note_signature(c, type, body);
    else if (type == CERTIFICATE && c->is_server && is_empty_certificate(c, body))
        note_no_certificate(c);
    else if (type == KEY_UPDATE)
        c->key_updates++;
}

/* libssl's message callback. CONTENT_TYPE is that of the record; record headers and inner content
 * types of TLS 1.3 come under numbers above 255. Handshake messages are whole and in plaintext. */
static void message_passed(
    int is_sent, int version, int content_type, const void *at, size_t n, SSL *ssl, void *unused)
{
    struct tlsconn *c = connection_of(ssl);
    struct bytes message = {at, n};
    if (content_type == SSL3_RT_ALERT && n == 2 && is_sent && message.at[0] == ALERT_FATAL)
        c->alert_sent = message.at[1];
    if (content_type != SSL3_RT_HANDSHAKE || n < 4)
        return;
    if (is_sent)
        note_sent(c, message.at[0], bytes_skip(message, 4));
    else
        note_received(c, message.at[0], bytes_skip(message, 4));
    if (c->handler->message)
        c->handler->message(c->owner, is_sent ? TLSCONN_SENT : TLSCONN_RECEIVED, message);
}

/* ---- the server's choices ---- */

/* The server_name of the ClientHello. -1: malformed. */
static int read_server_name(SSL *ssl, struct tlsconn_hello *hello)
{
    const unsigned char *at;
    size_t n;
    *hello = (struct tlsconn_hello){0};
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &n) != 1)
        return 0;
    hello->has_sni = true;
    return server_name_parse((struct bytes){at, n}, &hello->sni);
}

static bool offers_tls13(SSL *ssl)
{
    const unsigned char *at;
    size_t n;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &at, &n) != 1)
        return false;
    for (size_t i = 1; i + 1 < n; i += 2)
        if ((at[i] << 8 | at[i + 1]) == TLS_1_3)
            return true;
    return false;
}

/* libssl takes the first of our list that the client offers. Where equal suites leave the choice to
 * the client, this connection gets a list in the client's order; most clients agree with ours, and
 * cost nothing. */
static int arrange_suites(const struct tlsconn *c, SSL *ssl)
{
    bool is_tls13 = c->policy->version_max >= TLS_1_3 && offers_tls13(ssl);
    const unsigned char *at;
    size_t n = SSL_client_hello_get0_ciphers(ssl, &at);
    struct suite_choice choice = policy_suite_choice(c->policy, is_tls13 ? TLS_1_3 : TLS_1_2);
    struct suite_list own = suite_list_own(choice),
                      wanted = suite_list_sorted(choice, (struct bytes){at, n});
    if (suite_list_agrees(
            &own, &wanted)) /* as it does when there is nothing in common: libssl says so */
        return 0;
    char text[SUITE_TEXT_MAX];
    suite_list_text(&wanted, text);
    int result = is_tls13 ? SSL_set_ciphersuites(ssl, text) : SSL_set_cipher_list(ssl, text);
    return result == 1 ? 0 : -1;
}

/* The ClientHello that follows HelloRetryRequest. RFC 8446 §4.1.2: it is the same but for what was
 * asked for, so the policy stands, and another name is a violation. */
static int check_second_hello(const struct tlsconn *c, const struct tlsconn_hello *hello)
{
    char sni[sizeof(c->facts.sni)];
    server_name_escape(hello->sni, sni, sizeof(sni));
    return strcmp(sni, c->facts.sni) == 0 ? 0 : -1;
}

static int refuse_hello(struct tlsconn *c, int *alert, int number, const char *text)
{
    note_failure(c, TLSCONN_FAULT_PROTOCOL, "%s", text);
    *alert = number;
    return SSL_CLIENT_HELLO_ERROR;
}

/* libssl's ClientHello callback: before resumption and version are decided, so that all is decided
 * under the policy for this name. It gets a whole ClientHello, in however many records and segments
 * that came. */
static int choose_policy(SSL *ssl, int *alert, void *unused)
{
    struct tlsconn *c = connection_of(ssl);
    struct tlsconn_hello hello;
    if (SSL_client_hello_isv2(ssl)) /* RFC 8446 D.5: not recommended to be accepted */
        return refuse_hello(c, alert, SSL_AD_PROTOCOL_VERSION, "ClientHello of SSL 2.0");
    if (read_server_name(ssl, &hello) < 0)
        return refuse_hello(c, alert, SSL_AD_DECODE_ERROR, "malformed server_name");
    if (c->has_hello) {
        if (check_second_hello(c, &hello) < 0)
            return refuse_hello(
                c, alert, SSL_AD_ILLEGAL_PARAMETER, "another server_name after HelloRetryRequest");
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    c->has_hello = true;
    server_name_escape(hello.sni, c->facts.sni, sizeof(c->facts.sni));
    const struct tlspolicy *policy = c->handler->choose(c->owner, &hello);
    if (!policy)
        return refuse_hello(c, alert, SSL_AD_UNRECOGNIZED_NAME, "no policy for this server name");
    ASSERT(policy->role == TLSPOLICY_SERVER);
    c->policy = policy;
    if (policy_apply(policy, ssl, hello.sni) < 0 || arrange_suites(c, ssl) < 0) {
        note_failure(c, TLSCONN_FAULT_INTERNAL, "libssl did not take the policy");
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* RFC 6066 §3: a server that used the name says so by an empty server_name of its own. */
static int acknowledge_server_name(SSL *ssl, int *alert, void *unused)
{
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 §3.2: the server's preference; without overlap it "SHALL respond with a fatal
 * no_application_protocol". */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
    const unsigned char *offered, unsigned offered_n, void *unused)
{
    const struct tlspolicy *p = connection_of(ssl)->policy;
    if (!p->alpn_n)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *selected;
    if (SSL_select_next_proto(&selected, out_n, p->alpn, (unsigned)p->alpn_n, offered, offered_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066 §8: the client asked for a status, and the certificate is chosen. */
static int staple(SSL *ssl, void *unused)
{
    const struct credential *c = policy_credential(connection_of(ssl)->policy, ssl);
    if (!c || !c->ocsp.n)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(c->ocsp.at, c->ocsp.n);
    if (!copy)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->ocsp.n); /* takes it */
    return SSL_TLSEXT_ERR_OK;
}

/* ---- the peer's certificates ---- */

/* For an alert, an error for which libssl sends it. */
static int verify_error_for(uint8_t alert)
{
    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        return X509_V_ERR_APPLICATION_VERIFICATION;
    case SSL_AD_BAD_CERTIFICATE:
        return X509_V_ERR_CERT_REJECTED;
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
        return X509_V_ERR_INVALID_PURPOSE;
    case SSL_AD_CERTIFICATE_REVOKED:
        return X509_V_ERR_CERT_REVOKED;
    case SSL_AD_CERTIFICATE_EXPIRED:
        return X509_V_ERR_CERT_HAS_EXPIRED;
    case SSL_AD_UNKNOWN_CA:
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    case SSL_AD_DECRYPT_ERROR:
        return X509_V_ERR_CERT_SIGNATURE_FAILURE;
    case SSL_AD_INTERNAL_ERROR:
        return X509_V_ERR_OUT_OF_MEM;
    default: /* one that libssl has no alert of its own for: certificate_unknown */
        return X509_V_ERR_SUBTREE_MINMAX;
    }
}

/* The judge's alert for the certificates that the peer sent. */
static uint8_t judge_sent(struct tlsconn *c, const STACK_OF(X509) * sent)
{
    struct certificate
        *chain[VERIFY_CHAIN_MAX + 1]; /* one more than allowed, so that the judge sees the excess */
    size_t n = 0;
    uint8_t alert = 0;
    for (int i = 0; i < sk_X509_num(sent) && n < COUNT_OF(chain) && !alert; i++) {
        struct error err;
        chain[n] = certificate_from_x509(sk_X509_value(sent, i), &err);
        if (chain[n]) {
            n++;
        } else {
            alert = SSL_AD_BAD_CERTIFICATE;
            note_failure(c, TLSCONN_FAULT_PEER_CERTIFICATE, "malformed certificate: %s", err.text);
        }
    }
    if (!alert)
        alert = c->handler->judge(c->owner, (const struct certificate *const *)chain, n);
    for (size_t i = 0; i < n; i++)
        certificate_unref(&chain[i]);
    return alert;
}

/* In place of libssl's own verification. */
static int judge_peer(X509_STORE_CTX *store, void *unused)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tlsconn *c = connection_of(ssl);
    uint8_t alert = judge_sent(c, X509_STORE_CTX_get0_untrusted(store));
    if (alert == 0) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    note_failure(c, TLSCONN_FAULT_PEER_CERTIFICATE, "the peer's certificate is refused: %s",
        tlsconn_alert_name(alert));
    X509_STORE_CTX_set_error(store, verify_error_for(alert));
    return 0;
}

void connection_install(SSL_CTX *ctx, enum tlspolicy_role role)
{
    SSL_CTX_set_msg_callback(ctx, message_passed);
    SSL_CTX_set_cert_verify_callback(ctx, judge_peer, NULL);
    if (role == TLSPOLICY_CLIENT)
        return;
    SSL_CTX_set_client_hello_cb(ctx, choose_policy, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, acknowledge_server_name);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(ctx, staple);
}

/* ---- life ---- */

static struct tlsconn *new_connection(
    const struct tlspolicy *policy, const struct tlsconn_handler *handler, void *owner)
{
    struct tlsconn *c = mem_alloc(sizeof(*c));
    c->policy = policy;
    c->handler = handler;
    c->owner = owner;
    c->is_server = policy->role == TLSPOLICY_SERVER;
    buf_init(&c->wire_in, TLSCONN_WIRE_MAX);
    buf_init(&c->wire_out, TLSCONN_WIRE_MAX);
    ERR_clear_error();
    c->ssl = SSL_new(policy_initial_context(policy));
    if (!c->ssl || SSL_set_ex_data(c->ssl, 0, c) != 1)
        panic("out of memory");
    BIO *wire = new_wire(c);
    SSL_set_bio(c->ssl, wire, wire);
    return c;
}

struct tlsconn *tlsconn_new_server(
    const struct tlspolicy *initial, const struct tlsconn_handler *handler, void *owner)
{
    ASSERT(initial->role == TLSPOLICY_SERVER);
    struct tlsconn *c = new_connection(initial, handler, owner);
    SSL_set_accept_state(c->ssl);
    return c;
}

struct tlsconn *tlsconn_new_client(const struct tlspolicy *policy, const char *server_name,
    const struct tlsconn_handler *handler, void *owner)
{
    ASSERT(policy->role == TLSPOLICY_CLIENT);
    struct tlsconn *c = new_connection(policy, handler, owner);
    SSL_set_connect_state(c->ssl);
    if (server_name_is_dns(bytes_of(server_name))) {
        char name[SERVER_NAME_MAX + 1];
        struct bytes normal = server_name_normalise(bytes_of(server_name), name);
        if (SSL_set_tlsext_host_name(c->ssl, name) != 1)
            panic("out of memory");
        server_name_escape(normal, c->facts.sni, sizeof(c->facts.sni));
    }
    return c;
}

void tlsconn_free(struct tlsconn **c)
{
    if (!*c)
        return;
    SSL_free((*c)->ssl);
    buf_fini(&(*c)->wire_in);
    buf_fini(&(*c)->wire_out);
    free(*c);
    *c = NULL;
}

struct buf *tlsconn_wire_in(struct tlsconn *c)
{
    return &c->wire_in;
}

struct buf *tlsconn_wire_out(struct tlsconn *c)
{
    return &c->wire_out;
}

static const char *group_name(const SSL *ssl)
{
    switch (SSL_ctrl((SSL *)(uintptr_t)ssl, SSL_CTRL_GET_NEGOTIATED_GROUP, 0, NULL)) {
    case NID_X25519:
        return "x25519";
    case NID_X9_62_prime256v1:
        return "secp256r1";
    case NID_secp384r1:
        return "secp384r1";
    default:
        return "";
    }
}

/* What libssl knows by now; the rest was noted as messages passed. */
static void refresh_facts(struct tlsconn *c)
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

enum tlsconn_status tlsconn_handshake(struct tlsconn *c, int64_t now_s)
{
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
    if (status == TLSCONN_OK) {
        c->state = CONNECTION_OPEN;
        c->is_drained = false;
    }
    if (c->failure.fault != TLSCONN_FAULT_PEER_CERTIFICATE)
        c->failure.no_certificate = false;
    refresh_facts(c);
    buf_release(&c->wire_in);
    return status;
}

enum tlsconn_status tlsconn_read(struct tlsconn *c, struct buf *out)
{
    size_t before = buf_size(out);
    enum tlsconn_status status = TLSCONN_OK;
    if (c->state == CONNECTION_FAILED)
        return TLSCONN_FAILED;
    if (c->state == CONNECTION_PEER_CLOSED)
        return TLSCONN_CLOSED;
    if (c->state == CONNECTION_HANDSHAKE)
        return TLSCONN_WANT_INPUT;
    while (status == TLSCONN_OK && buf_room(out)) {
        if (!tlsconn_has_pending(c)) {
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

size_t tlsconn_write_room(const struct tlsconn *c)
{
    size_t room = buf_room(&c->wire_out);
    if ((c->state != CONNECTION_OPEN && c->state != CONNECTION_PEER_CLOSED) || c->has_shut_down ||
        room <= WIRE_OUT_RESERVE)
        return 0;
    room -= WIRE_OUT_RESERVE;
    size_t rest = room % (RECORD_PLAIN_MAX + RECORD_OVERHEAD);
    return room / (RECORD_PLAIN_MAX + RECORD_OVERHEAD) * RECORD_PLAIN_MAX +
           (rest > RECORD_OVERHEAD ? rest - RECORD_OVERHEAD : 0);
}

enum tlsconn_status tlsconn_write(struct tlsconn *c, struct bytes data, size_t *taken)
{
    *taken = 0;
    if (c->state == CONNECTION_FAILED)
        return TLSCONN_FAILED;
    data = bytes_first(data, tlsconn_write_room(c));
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

bool tlsconn_has_pending(const struct tlsconn *c)
{
    if (c->state != CONNECTION_OPEN)
        return false;
    return buf_size(&c->wire_in) > 0 || (!c->is_drained && SSL_has_pending(c->ssl));
}

void tlsconn_close(struct tlsconn *c)
{
    if ((c->state != CONNECTION_OPEN && c->state != CONNECTION_PEER_CLOSED) || c->has_shut_down)
        return;
    c->has_shut_down = true;
    ERR_clear_error();
    /* 0: ours is out, the peer's is not in; 1: both; negative: wire_out was full, and the socket
     * will just be closed. */
    ignore_result(SSL_shutdown(c->ssl));
}

const struct tlsconn_facts *tlsconn_facts(const struct tlsconn *c)
{
    return &c->facts;
}

const struct tlsconn_failure *tlsconn_failure(const struct tlsconn *c)
{
    return &c->failure;
}
