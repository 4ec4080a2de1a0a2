/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* ---- credentials ---- */

/* DIGEST: the only one that it may sign with; NULL: any. */
static EVP_PKEY *make_pss_key(const char *digest)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    ASSERT(c && EVP_PKEY_keygen_init(c) > 0 && EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048) > 0);
    if (digest)
        ASSERT(EVP_PKEY_CTX_set_rsa_pss_keygen_md_name(c, digest, NULL) > 0 &&
               EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md_name(c, digest) > 0);
    ASSERT(EVP_PKEY_generate(c, &key) > 0);
    EVP_PKEY_CTX_free(c);
    return key;
}

static EVP_PKEY *make_key(enum key_kind kind)
{
    switch (kind) {
    case KEY_RSA:
        return EVP_RSA_gen(2048);
    case KEY_RSA_PSS:
        return make_pss_key(NULL);
    case KEY_RSA_PSS_SHA256:
        return make_pss_key("SHA256");
    case KEY_RSA_PSS_SHA384:
        return make_pss_key("SHA384");
    case KEY_RSA_PSS_SHA512:
        return make_pss_key("SHA512");
    case KEY_EC_P256:
        return EVP_EC_gen("P-256");
    case KEY_EC_P384:
        return EVP_EC_gen("P-384");
    case KEY_EC_P521:
        return EVP_EC_gen("P-521");
    case KEY_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case KEY_UNSUPPORTED:
        break;
    }
    panic("no such key");
}

static void add_names(X509 *x, const char *names)
{
    char text[1024], *next = text;
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    snprintf(text, sizeof(text), "%s", names);
    for (char *name; (name = strsep(&next, ",")) != NULL;) {
        GENERAL_NAME *general = GENERAL_NAME_new();
        ASN1_IA5STRING *value = ASN1_IA5STRING_new();
        ASSERT(ASN1_STRING_set(value, name, -1));
        GENERAL_NAME_set0_value(general, GEN_DNS, value);
        ASSERT(sk_GENERAL_NAME_push(list, general));
    }
    ASSERT(X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, 0) == 1);
    GENERAL_NAMES_free(list);
}

static X509 *make_certificate(EVP_PKEY *key, const char *names)
{
    static long serial;
    char subject[64];
    X509 *x = X509_new();
    snprintf(subject, sizeof(subject), "test %ld", ++serial);
    ASSERT(
        X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), serial));
    ASSERT(X509_gmtime_adj(X509_getm_notBefore(x), -60) &&
           X509_gmtime_adj(X509_getm_notAfter(x), 86400));
    X509_NAME *name = X509_get_subject_name(x);
    ASSERT(X509_NAME_add_entry_by_txt(
        name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0));
    ASSERT(X509_set_issuer_name(x, name) && X509_set_pubkey(x, key));
    if (names[0])
        add_names(x, names);
    char digest[16] = "";
    EVP_PKEY_get_default_digest_name(key, digest, sizeof(digest));
    ASSERT(X509_sign(x, key, EVP_get_digestbyname(digest)));
    return x;
}

struct credential *pair_credential(enum key_kind kind, const char *names)
{
    struct credential *c = mem_alloc(sizeof(*c));
    struct error err = {""};
    EVP_PKEY *key = make_key(kind);
    ASSERT(key);
    X509 *x = make_certificate(key, names);
    unsigned char *der = NULL;
    int der_n = i2d_X509(x, &der);
    struct certificate *leaf = certificate_parse((struct bytes){der, (size_t)der_n}, &err);
    if (!leaf)
        panic("%s", err.text);
    certificate_list_add(&c->chain, leaf);
    certificate_unref(&leaf);
    OPENSSL_free(der);
    BIO *pem = BIO_new(BIO_s_mem());
    ASSERT(PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1);
    char *text;
    long text_n = BIO_get_mem_data(pem, &text);
    c->key = private_key_parse((struct bytes){(const uint8_t *)text, (size_t)text_n}, &err);
    if (!c->key)
        panic("%s", err.text);
    BIO_free(pem);
    X509_free(x);
    EVP_PKEY_free(key);
    return c;
}

void pair_staple(struct credential *c, const char *ocsp)
{
    c->ocsp = (struct bytes){(const uint8_t *)mem_strdup(ocsp), strlen(ocsp)};
    c->ocsp_until_s = INT64_MAX;
}

void pair_credential_free(struct credential **c)
{
    certificate_list_fini(&(*c)->chain);
    private_key_unref(&(*c)->key);
    free((void *)(uintptr_t)(*c)->ocsp.at);
    free(*c);
    *c = NULL;
}

enum tlspolicy_engine pair_engine(void)
{
    const char *name = getenv("SALLYPORT_TEST_ENGINE");
    return name && strcmp(name, "openssl") == 0 ? ENGINE_OPENSSL : ENGINE_NATIVE;
}

struct tlspolicy_config pair_config(
    enum tlspolicy_role role, const struct credential *const *credentials, size_t n)
{
    return (struct tlspolicy_config){.engine = pair_engine(),
        .role = role,
        .version_min = TLS_1_2,
        .version_max = TLS_1_3,
        .credentials = credentials,
        .credentials_n = n,
        .session_lifetime_s = 24 * HOUR_S,
        .hash = {1},
        .ticket_secret = {.at = {2}, .hour = NOW_S / HOUR_S - 1}};
}

struct tlspolicy *pair_policy(const struct tlspolicy_config *config)
{
    struct error err = {""};
    struct tlspolicy *p = tlspolicy_new(config, &err);
    if (!p)
        panic("%s", err.text);
    return p;
}

/* ---- our own ends ---- */

static const struct tlspolicy *choose(void *owner, const struct tlsconn_hello *hello)
{
    struct end *e = owner;
    e->chosen++;
    if (e->policy)
        tlspolicy_advance(e->policy, e->now_s);
    e->has_sni = hello->has_sni;
    snprintf(e->sni, sizeof(e->sni), "%.*s", BYTES_ARG(hello->sni));
    return e->policy;
}

static uint8_t judge(void *owner, const struct certificate *const *chain, size_t chain_n)
{
    struct end *e = owner;
    e->judged++;
    e->chain_n = chain_n;
    if (chain_n)
        snprintf(e->leaf, sizeof(e->leaf), "%s", certificate_subject(chain[0]));
    return e->answer;
}

static void message(void *owner, enum tlsconn_message_direction direction, struct bytes m)
{
    struct end *e = owner;
    ASSERT(m.n >= 4 && m.n == 4u + (size_t)(m.at[1] << 16 | m.at[2] << 8 | m.at[3]));
    if (direction == TLSCONN_SENT && e->sent_n < sizeof(e->sent))
        e->sent[e->sent_n++] = m.at[0];
    if (direction == TLSCONN_RECEIVED && e->received_n < sizeof(e->received))
        e->received[e->received_n++] = m.at[0];
}

static void session(void *owner, struct tlsconn_session *s)
{
    struct end *e = owner;
    tlsconn_session_free(&e->session);
    e->session = s;
    e->sessions_n++;
}

static void resume(void *owner)
{
    struct end *e = owner;
    e->resumed++;
}

static const struct tlsconn_handler handler = {choose, judge, message, session, resume};

void end_server(struct end *e, const struct tlspolicy *policy)
{
    *e = (struct end){.policy = policy, .now_s = NOW_S, .status = TLSCONN_WANT_INPUT};
    e->c = tlsconn_new_server(policy, &handler, e);
}

void end_client(struct end *e, const struct tlspolicy *policy, const char *server_name)
{
    *e = (struct end){.policy = policy, .now_s = NOW_S, .status = TLSCONN_WANT_INPUT};
    e->c = tlsconn_new_client(policy, server_name, &handler, e);
}

void end_free(struct end *e)
{
    tlsconn_free(&e->c);
    tlsconn_session_free(&e->session);
}

bool end_has_sent(const struct end *e, uint8_t type)
{
    return memchr(e->sent, type, e->sent_n) != NULL;
}

static size_t carry(struct buf *from, struct buf *to)
{
    struct bytes all = bytes_first(buf_bytes(from), buf_room(to));
    ASSERT(buf_append(to, all) == 0);
    buf_consume(from, all.n);
    return all.n;
}

size_t pair_carry(struct end *from, struct end *to)
{
    return carry(tlsconn_wire_out(from->c), tlsconn_wire_in(to->c));
}

void pair_handshake(struct end *client, struct end *server)
{
    size_t moved;
    do {
        client->status = tlsconn_handshake(client->c, client->now_s);
        moved = pair_carry(client, server);
        server->status = tlsconn_handshake(server->c, server->now_s);
        moved += pair_carry(server, client);
    } while (moved);
}

void end_feed(struct end *e, struct bytes data)
{
    ASSERT(buf_append(tlsconn_wire_in(e->c), data) == 0);
    e->status = tlsconn_handshake(e->c, e->now_s);
}

/* ---- libssl as a client ---- */

static int save_session(SSL *ssl, SSL_SESSION *session)
{
    struct raw *r = SSL_get_app_data(ssl);
    SSL_SESSION_free(r->session);
    r->session = session;
    return 1; /* we own it now */
}

static void note_alert(
    int is_sent, int version, int type, const void *at, size_t n, SSL *ssl, void *unused)
{
    struct raw *r = SSL_get_app_data(ssl);
    const uint8_t *alert = at;
    if (!is_sent && type == SSL3_RT_ALERT && n == 2 && alert[0] == 2)
        r->alert = alert[1];
}

void raw_watch(SSL_CTX *ctx)
{
    SSL_CTX_set_msg_callback(ctx, note_alert);
}

SSL_CTX *raw_context(uint16_t version_min, uint16_t version_max)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    ASSERT(ctx && SSL_CTX_set_min_proto_version(ctx, version_min) &&
           SSL_CTX_set_max_proto_version(ctx, version_max));
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, save_session);
    raw_watch(ctx);
    return ctx;
}

void raw_new(struct raw *r, SSL_CTX *ctx, const char *server_name, SSL_SESSION *resume)
{
    *r = (struct raw){.ssl = SSL_new(ctx), .alert = -1};
    SSL_set_app_data(r->ssl, r);
    SSL_set_bio(r->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(r->ssl), -1);
    SSL_set_connect_state(r->ssl);
    if (server_name) {
        char name[300]; /* libssl's macros cast const away, which is warned about */
        snprintf(name, sizeof(name), "%s", server_name);
        ASSERT(SSL_set_tlsext_host_name(r->ssl, name) == 1);
    }
    if (resume)
        ASSERT(SSL_set_session(r->ssl, resume) == 1);
}

bool raw_set_schemes(struct raw *r, const char *schemes)
{
    char text[300];
    snprintf(text, sizeof(text), "%s", schemes);
    return SSL_set1_sigalgs_list(r->ssl, text) == 1;
}

bool raw_set_groups(struct raw *r, const char *groups)
{
    char text[300];
    snprintf(text, sizeof(text), "%s", groups);
    return SSL_set1_groups_list(r->ssl, text) == 1;
}

void raw_free(struct raw *r)
{
    SSL_SESSION_free(r->session);
    /* Without it libssl takes the connection for broken, and marks its sessions as not resumable.
     */
    SSL_set_shutdown(r->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(r->ssl);
}

void raw_advance(struct raw *r)
{
    char byte;
    ERR_clear_error();
    if (!r->is_done)
        r->is_done = SSL_do_handshake(r->ssl) == 1;
    if (r->is_done)
        ignore_result(SSL_read(r->ssl, &byte, 1)); /* tickets, alerts; nobody sends data here */
}

void raw_hello(struct raw *r, struct buf *out)
{
    char *at;
    raw_advance(r);
    long n = BIO_get_mem_data(SSL_get_wbio(r->ssl), &at);
    ASSERT(buf_append(out, (struct bytes){(const uint8_t *)at, (size_t)n}) == 0);
    ASSERT(BIO_reset(SSL_get_wbio(r->ssl)) == 1);
}

void raw_handshake(struct raw *r, struct end *server)
{
    struct buf *out = tlsconn_wire_out(server->c);
    do {
        raw_hello(r, tlsconn_wire_in(server->c));
        server->status = tlsconn_handshake(server->c, server->now_s);
        if (buf_size(out))
            ASSERT(BIO_write(SSL_get_rbio(r->ssl), buf_bytes(out).at, (int)buf_size(out)) ==
                   (int)buf_size(out));
        buf_clear(out);
        raw_advance(r);
    } while (BIO_pending(SSL_get_wbio(r->ssl)) > 0);
}
