/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCSP response that a server staples to its certificate (RFC 6066 §8, RFC 8446 §4.4.2.1).
 *
 * In TLS 1.3 it comes along with the certificate. In TLS 1.2 it has a message of its own behind
 * that of the certificate, for which libssl asks for a verdict before. If the server has announced
 * a response, the judge is asked again when it is there, before anything that depends on the
 * certificate is sent. libssl refuses with bad_certificate_status_response then, whatever the
 * reason: the judge's alert takes its place on the way out.
 */
#include <openssl/ssl.h>

#include "base/memory.h"
#include "pki/ocsp.h"
#include "tls/engine_openssl.h"
#include "tls/message.h"

#include "base/ban.h"

static bool is_tls13(const struct connection *c)
{
    return SSL_version(c->ssl) == TLS1_3_VERSION;
}

static int judge_at_last(SSL *ssl, void *unused)
{
    struct connection *c = engine_connection_of(ssl);
    if (c->is_unjudged)
        c->alert_due = engine_judge(c);
    c->is_unjudged = c->alert_due;
    return !c->is_unjudged;
}

void engine_status_install(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(ctx, judge_at_last);
}

void engine_status_note_hello(struct connection *c, struct bytes body)
{
    struct server_hello hello;
    struct bytes announced;
    uint8_t alert;
    c->has_status = !c->is_server && server_hello_read(body, &hello, &alert) &&
                    extension_find(hello.block, EXTENSION_STATUS_REQUEST, &announced);
}

void engine_status_note(struct connection *c, struct bytes body)
{
    struct bytes response;
    buf_clear(&c->staple);
    bool is_read = is_tls13(c) ? certificate_staple_read(body, &response)
                               : certificate_status_read(body, &response);
    if (!is_read || response.n > OCSP_SIZE_MAX)
        return; /* as if there were none */
    ignore_result(buf_append(&c->staple, response));
}

bool engine_status_may_change(const struct connection *c, uint8_t alert)
{
    /* Accepted may become revoked, and unknown either. */
    return c->has_status && !is_tls13(c) && (alert == 0 || alert == SSL_AD_CERTIFICATE_UNKNOWN);
}
