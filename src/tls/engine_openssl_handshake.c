/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl engine: what happens in a handshake. What libssl does not tell by its interface is
 * taken from the messages as they pass.
 *
 * Limits of libssl 3.0 that show: the alert for a refused certificate is one of those that libssl
 * derives from an X509_V_ERR code. A verdict of access_denied (49) or
 * bad_certificate_status_response (113) goes out as certificate_unknown (46). A client's alerts of
 * TLS 1.3 are not protected before its change_cipher_spec, which comes with its second flight.
 */
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/panic.h"
#include "pki/verify.h"
#include "tls/engine_openssl.h"
#include "tls/message.h"
#include "tls/names.h"
#include "tls/server_name.h"

#include "base/ban.h"

#define ALERT_FATAL 2

static bool is_tls13(const struct connection *c)
{
    return SSL_version(c->ssl) == TLS1_3_VERSION;
}

static void note_client_hello(struct connection *c, struct bytes body)
{
    struct client_hello hello;
    uint8_t alert;
    uint16_t id;
    if (c->facts.offered_n || !client_hello_read(body, &hello, &alert))
        return;
    while (c->facts.offered_n < TLSCONN_OFFERED_MAX && wire_take_16(&hello.suites, &id))
        if (!suite_is_grease(id))
            c->facts.offered[c->facts.offered_n++] = id;
}

static void note_server_hello(struct connection *c, struct bytes body)
{
    struct server_hello hello;
    uint8_t alert;
    if (!server_hello_read(body, &hello, &alert))
        return;
    const char *name = tlsconn_cipher_name(hello.suite);
    snprintf(c->facts.cipher, sizeof(c->facts.cipher), "%s", name ? name : "");
    c->facts.key_exchange_rsa = name && strncmp(name, "TLS_RSA_", 8) == 0;
}

static void note_signature(struct connection *c, const struct digitally_signed *d)
{
    const char *name = names_signature_scheme(d->scheme);
    snprintf(c->facts.signature, sizeof(c->facts.signature), "%s", name ? name : "");
}

static void note_server_key_exchange(struct connection *c, struct bytes body)
{
    struct server_key_exchange k;
    if (server_key_exchange_read(body, &k))
        note_signature(c, &k.signature);
}

static void note_certificate_verify(struct connection *c, struct bytes body)
{
    struct digitally_signed d;
    if (certificate_verify_read(body, &d))
        note_signature(c, &d);
}

static bool is_empty_certificate(const struct connection *c, struct bytes body)
{
    struct bytes context, list;
    size_t n;
    return certificate_message_read(body, is_tls13(c), &context, &list, &n) && !n;
}

/* The client shows nothing, and libssl would let it in without asking anyone: ask here. A refusal
 * turns "may show" into "must show", by which libssl sends the alert. */
static void note_no_certificate(struct connection *c)
{
    if (c->base.policy->peer == PEER_OPTIONAL) {
        if (c->handler->judge(c->owner, NULL, 0) == 0)
            return;
        SSL_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    c->failure.no_certificate = true;
    engine_note_failure(c, TLSCONN_FAULT_PEER_CERTIFICATE, "the peer sent no certificate");
}

/* The certificates as they came, before libssl's reader, which tolerates BER, has made something
 * else of them. A message that is damaged as such is left to libssl, which ends the handshake. */
static void note_peer_chain(struct connection *c, struct bytes body)
{
    struct certificate_entry entry;
    struct bytes context, list;
    size_t n;
    certificate_list_fini(&c->peer_chain);
    c->peer_flaw.text[0] = 0;
    if (!c->is_server && is_tls13(c))
        engine_status_note(c, body);
    if (!certificate_message_read(body, is_tls13(c), &context, &list, &n))
        return;
    /* One more than allowed, so that the judge sees the excess. */
    while (c->peer_chain.n <= VERIFY_CHAIN_MAX &&
           certificate_message_next(&list, is_tls13(c), &entry)) {
        struct certificate *one = certificate_parse(entry.der, &c->peer_flaw);
        if (!one)
            return;
        certificate_list_add(&c->peer_chain, one);
        certificate_unref(&one);
    }
}

static void note_sent(struct connection *c, uint8_t type, struct bytes body)
{
    if (type == MESSAGE_CLIENT_HELLO)
        note_client_hello(c, body);
    else if (type == MESSAGE_SERVER_HELLO)
        note_server_hello(c, body);
    else if (type == MESSAGE_CERTIFICATE_REQUEST)
        c->facts.peer_asked = true;
    else if (type == MESSAGE_CERTIFICATE && !is_empty_certificate(c, body))
        c->facts.credential = engine_policy_credential(c->base.policy, c->ssl);
}

static void note_server(struct connection *c, struct bytes body)
{
    note_server_hello(c, body);
    engine_status_note_hello(c, body);
}

static void note_received(struct connection *c, uint8_t type, struct bytes body)
{
    c->has_received = true;
    if (type == MESSAGE_CLIENT_HELLO)
        note_client_hello(c, body);
    else if (type == MESSAGE_SERVER_HELLO)
        note_server(c, body);
    else if (type == MESSAGE_CERTIFICATE_REQUEST)
        c->facts.peer_asked = true;
    else if (type == MESSAGE_SERVER_KEY_EXCHANGE)
        note_server_key_exchange(c, body);
    else if (type == MESSAGE_CERTIFICATE_VERIFY)
        note_certificate_verify(c, body);
    else if (type == MESSAGE_CERTIFICATE && c->is_server && is_empty_certificate(c, body))
        note_no_certificate(c);
    else if (type == MESSAGE_CERTIFICATE)
        note_peer_chain(c, body);
    else if (type == MESSAGE_CERTIFICATE_STATUS)
        engine_status_note(c, body);
    else if (type == MESSAGE_KEY_UPDATE)
        c->key_updates++;
    else if (type == MESSAGE_NEW_SESSION_TICKET)
        c->has_ticket = true;
}

/* libssl's message callback. CONTENT_TYPE is that of the record; record headers and inner content
 * types of TLS 1.3 come under numbers above 255. Handshake messages are whole and in plaintext. */
static void message_passed(
    int is_sent, int version, int content_type, const void *at, size_t n, SSL *ssl, void *unused)
{
    struct connection *c = engine_connection_of(ssl);
    struct bytes message = {at, n};
    if (content_type == SSL3_RT_ALERT && n == 2 && is_sent && message.at[0] == ALERT_FATAL)
        c->alert_sent = c->alert_due ? c->alert_due : message.at[1];
    if (content_type != SSL3_RT_HANDSHAKE || n < 4)
        return;
    if (is_sent)
        note_sent(c, message.at[0], bytes_skip(message, 4));
    else
        note_received(c, message.at[0], bytes_skip(message, 4));
    if (c->handler->message)
        c->handler->message(c->owner, is_sent ? TLSCONN_SENT : TLSCONN_RECEIVED, message);
}

/* The server_name of the ClientHello. -1: malformed. */
static int read_server_name(SSL *ssl, struct tlsconn_hello *hello)
{
    const unsigned char *at;
    size_t n;
    *hello = (struct tlsconn_hello){0};
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &n) != 1)
        return 0;
    hello->has_sni = true;
    return extension_read_server_name((struct bytes){at, n}, &hello->sni) ? 0 : -1;
}

static bool offers_tls13(SSL *ssl)
{
    const unsigned char *at;
    size_t n;
    struct bytes versions;
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &at, &n) == 1 &&
           extension_read_versions((struct bytes){at, n}, &versions) &&
           wire_contains_16(versions, TLS_1_3);
}

/* libssl takes the first of our list that the client offers. Where equal suites leave the choice to
 * the client, this connection gets a list in the client's order; most clients agree with ours, and
 * cost nothing. */
static int arrange_suites(const struct connection *c, SSL *ssl)
{
    bool is_tls13 = c->base.policy->version_max >= TLS_1_3 && offers_tls13(ssl);
    const unsigned char *at;
    size_t n = SSL_client_hello_get0_ciphers(ssl, &at);
    struct suite_choice choice = tlspolicy_suites(c->base.policy, is_tls13 ? TLS_1_3 : TLS_1_2);
    struct suite_list own = suite_list_own(choice);
    struct suite_list wanted = suite_list_sorted(choice, (struct bytes){at, n});
    /* They also agree when there is nothing in common: libssl says so. */
    if (suite_list_agrees(&own, &wanted))
        return 0;
    char text[SUITE_TEXT_MAX];
    suite_list_text(&wanted, text);
    int result = is_tls13 ? SSL_set_ciphersuites(ssl, text) : SSL_set_cipher_list(ssl, text);
    return result == 1 ? 0 : -1;
}

/* The ClientHello that follows HelloRetryRequest. RFC 8446 §4.1.2: it is the same but for what was
 * asked for, so the policy stands, and another name is a violation. */
static int check_second_hello(const struct connection *c, const struct tlsconn_hello *hello)
{
    char sni[sizeof(c->facts.sni)];
    server_name_escape(hello->sni, sni, sizeof(sni));
    return strcmp(sni, c->facts.sni) == 0 ? 0 : -1;
}

static int refuse_hello(struct connection *c, int *alert, int number, const char *text)
{
    engine_note_failure(c, TLSCONN_FAULT_PROTOCOL, "%s", text);
    *alert = number;
    return SSL_CLIENT_HELLO_ERROR;
}

/* libssl's ClientHello callback: before resumption and version are decided, so that all is decided
 * under the policy for this name. It gets a whole ClientHello, in however many records and segments
 * that came. */
static int choose_policy(SSL *ssl, int *alert, void *unused)
{
    struct connection *c = engine_connection_of(ssl);
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
    c->base.policy = policy;
    if (engine_policy_apply(policy, ssl, hello.sni) < 0 || arrange_suites(c, ssl) < 0) {
        engine_note_failure(c, TLSCONN_FAULT_INTERNAL, "libssl did not take the policy");
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
    const struct tlspolicy *p = engine_connection_of(ssl)->base.policy;
    if (!p->alpn_n)
        return SSL_TLSEXT_ERR_NOACK;
    /* libssl asks when the suite is chosen. */
    bool is_rsa_kx = SSL_CIPHER_get_kx_nid(SSL_get_pending_cipher(ssl)) == NID_kx_rsa;
    struct bytes name = tlspolicy_choose_alpn(p, is_rsa_kx, (struct bytes){offered, offered_n});
    if (!name.n)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = name.at;
    *out_n = (unsigned char)name.n;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066 §8: the client asked for a status, and the certificate is chosen. */
static int staple(SSL *ssl, void *unused)
{
    const struct connection *connection = engine_connection_of(ssl);
    const struct credential *c = engine_policy_credential(connection->base.policy, ssl);
    struct bytes ours = c ? credential_staple(c, connection->now_s) : (struct bytes){0};
    if (!ours.n)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(ours.at, ours.n);
    if (!copy)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)ours.n); /* takes it */
    return SSL_TLSEXT_ERR_OK;
}

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

/* A session may be resumed only while its server's certificate would be accepted: it takes them
 * along. */
static void note_shown(struct connection *c, struct certificate *const *chain, size_t n)
{
    certificate_list_fini(&c->shown); /* those of a session that the server did not resume */
    if (c->is_server || !c->base.policy->tickets)
        return;
    for (size_t i = 0; i < n; i++)
        certificate_list_add(&c->shown, chain[i]);
}

/* The judge's alert for the certificates that the peer sent. */
static uint8_t judge_sent(struct connection *c)
{
    uint8_t alert = SSL_AD_BAD_CERTIFICATE;
    if (c->peer_flaw.text[0])
        engine_note_failure(c, TLSCONN_FAULT_PEER_CERTIFICATE, "%s", c->peer_flaw.text);
    else
        alert = c->handler->judge(
            c->owner, (const struct certificate *const *)c->peer_chain.at, c->peer_chain.n);
    note_shown(c, c->peer_chain.at, alert ? 0 : c->peer_chain.n);
    return alert;
}

static void note_refusal(struct connection *c, uint8_t alert)
{
    engine_note_failure(c, TLSCONN_FAULT_PEER_CERTIFICATE, "the peer's certificate is refused: %s",
        tlsconn_alert_name(alert));
}

static void forget_sent(struct connection *c)
{
    certificate_list_fini(&c->peer_chain);
    buf_clear(&c->staple);
    buf_release(&c->staple);
}

uint8_t engine_judge(struct connection *c)
{
    uint8_t alert = judge_sent(c);
    if (alert)
        note_refusal(c, alert);
    forget_sent(c);
    return alert;
}

/* In place of libssl's own verification. */
static int judge_peer(X509_STORE_CTX *store, void *unused)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct connection *c = engine_connection_of(ssl);
    uint8_t alert = judge_sent(c);
    c->is_unjudged = engine_status_may_change(c, alert);
    if (!c->is_unjudged)
        forget_sent(c);
    if (alert == 0 || c->is_unjudged) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    note_refusal(c, alert);
    X509_STORE_CTX_set_error(store, verify_error_for(alert));
    return 0;
}

void engine_handshake_install(SSL_CTX *ctx, enum tlspolicy_role role)
{
    SSL_CTX_set_msg_callback(ctx, message_passed);
    SSL_CTX_set_cert_verify_callback(ctx, judge_peer, NULL);
    if (role == TLSPOLICY_CLIENT) {
        engine_status_install(ctx);
        return;
    }
    SSL_CTX_set_client_hello_cb(ctx, choose_policy, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, acknowledge_server_name);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(ctx, staple);
}
