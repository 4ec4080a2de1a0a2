/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl engine's session tickets (RFC 5077, RFC 8446 §4.6.1), as a server.
 *
 * Inside the ticket is the time of the full handshake: however often a session is renewed, it ends
 * session_lifetime_s after that. What it is sealed with: tls/ticket_keys.h.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "tls/engine_openssl.h"
#include "tls/ticket_keys.h"

#include "base/ban.h"

/* What libssl's callback is to answer. */
enum key_answer { KEY_ERROR = -1, KEY_UNKNOWN = 0, KEY_CURRENT = 1, KEY_TO_BE_RENEWED = 2 };

static void put_64(uint8_t out[8], int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

static int64_t get_64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return (int64_t)value;
}

static const EVP_CIPHER *ticket_cipher(void)
{
    static EVP_CIPHER *cipher; /* fetched once: libssl's own way fetches it for each ticket */
    if (!cipher)
        cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    return cipher;
}

static bool load_key(const struct ticket_key *key, const uint8_t *iv, bool is_encrypting,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_init(mac, key->mac, sizeof(key->mac), params) == 1 &&
           EVP_CipherInit_ex(cipher, ticket_cipher(), NULL, key->cipher, iv, is_encrypting) == 1;
}

static bool has_name(const struct ticket_key *key, const uint8_t *name)
{
    return constant_time_equal(key->name, name, sizeof(key->name));
}

/* libssl asks for the keys to seal (IS_ENCRYPTING) or to open a ticket. */
static int choose_keys(SSL *ssl, unsigned char *key_name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_encrypting)
{
    const struct connection *c = engine_connection_of(ssl);
    const struct tlspolicy *p = c->base.policy;
    if (!p->tickets)
        return KEY_UNKNOWN;
    const struct ticket_keys *keys = p->ticket_keys;
    const struct ticket_key *key = &keys->current;
    enum key_answer answer = KEY_CURRENT;
    if (is_encrypting) {
        memcpy(key_name, key->name, sizeof(key->name));
        random_fill(iv, (size_t)EVP_CIPHER_get_iv_length(ticket_cipher()));
    } else if (keys->has_previous && has_name(&keys->previous, key_name)) {
        key = &keys->previous;
        answer = KEY_TO_BE_RENEWED;
    } else if (!has_name(key, key_name)) {
        return KEY_UNKNOWN;
    } else if (SSL_version(ssl) == TLS1_3_VERSION) {
        /* RFC 8446 C.4: clients should not show a ticket twice, so each use earns a new one. */
        answer = KEY_TO_BE_RENEWED;
    }
    return load_key(key, iv, is_encrypting, cipher, mac) ? answer : KEY_ERROR;
}

/* Before a ticket is sealed: put the time of authentication into it, and its remaining life. */
static int seal(SSL *ssl, void *unused)
{
    const struct connection *c = engine_connection_of(ssl);
    SSL_SESSION *session = SSL_get_session(ssl);
    int64_t now_s = c->now_s;
    int64_t auth_s = SSL_session_reused(ssl) ? c->resumed_auth_s : now_s;
    int64_t left_s = auth_s + c->base.policy->session_lifetime_s - now_s;
    /* The deadline passed while this handshake was under way. libssl fails a handshake that makes a
     * ticket without a lifetime; this one will open nothing: is_in_time. */
    if (left_s < 1)
        left_s = 1;
    uint8_t data[8];
    put_64(data, auth_s);
    /* What ticket_lifetime tells the client, and libssl's own deadline, which counts from the
     * session's time: that is now, but for a resumed session of TLS 1.2, which keeps both time and
     * deadline. */
    if (!SSL_session_reused(ssl) || SSL_version(ssl) == TLS1_3_VERSION)
        SSL_SESSION_set_timeout(session, left_s);
    return SSL_SESSION_set1_ticket_appdata(session, data, sizeof(data));
}

static bool is_in_time(const struct connection *c, int64_t auth_s)
{
    int64_t now_s = c->now_s;
    return auth_s >= 0 && auth_s <= now_s && now_s - auth_s < c->base.policy->session_lifetime_s;
}

/* After a ticket was opened, or could not be: may the session go on? If not, the full handshake
 * follows in the same connection, and a new ticket at its end. */
static SSL_TICKET_RETURN unseal(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
    size_t key_name_n, SSL_TICKET_STATUS status, void *unused)
{
    struct connection *c = engine_connection_of(ssl);
    void *data;
    size_t n;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (!SSL_SESSION_get0_ticket_appdata(session, &data, &n) || n != 8 ||
        !is_in_time(c, get_64(data)))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    c->resumed_auth_s = get_64(data);
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void engine_ticket_install(SSL_CTX *ctx)
{
    if (!ticket_cipher() || SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, choose_keys) != 1 ||
        SSL_CTX_set_session_ticket_cb(ctx, seal, unseal, NULL) != 1)
        panic("libssl does not take the ticket callbacks");
}
