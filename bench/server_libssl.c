/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libssl as its users run it: a context set up as nginx and HAProxy set up theirs, libssl's own
 * check of the client's chain, libssl's own tickets, no callbacks. It reads and writes through a
 * BIO over two buffers, as HAProxy has it.
 *
 * What costs libssl and is no part of the comparison is off, as in bench/servers.py: no cache of
 * sessions, and one ticket a handshake, where libssl's default is two.
 */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"
#include "server.h"

#include "base/ban.h"

#define WIRE_MAX (128 * 1024)

struct connection {
    SSL *ssl;
    struct buf in, out;
};

static void check(bool is_good, const char *what)
{
    if (is_good)
        return;
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    panic("the server's libssl fails: %s%s%s", what, words ? ": " : "", words ? words : "");
}

/* ---- the context ---- */

/* The key goes through DER, so that libssl gets it from its decoders, as out of a file. */
static void show_certificate(SSL_CTX *ctx, const struct credential *c)
{
    struct bytes der = certificate_der(c->chain.at[0]);
    EVP_PKEY *pkey = private_key_pkey(c->key);
    uint8_t *key = NULL;
    int n = i2d_PrivateKey(pkey, &key);
    check(n > 0 && SSL_CTX_use_certificate_ASN1(ctx, (int)der.n, der.at) == 1 &&
              SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_get_base_id(pkey), ctx, key, n) == 1,
        "certificate");
    OPENSSL_clear_free(key, (size_t)n);
}

static void ask_clients(SSL_CTX *ctx, const struct certificate_list *ca)
{
    for (size_t i = 0; i < ca->n; i++) {
        X509 *anchor = native_x509(certificate_der(ca->at[i]));
        check(anchor && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), anchor) == 1 &&
                  SSL_CTX_add_client_CA(ctx, anchor) == 1,
            "client CA");
        X509_free(anchor);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void *prepare(const struct server_plan *plan)
{
    static const uint8_t id[] = {'b', 'e', 'n', 'c', 'h'};
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    check(ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
              SSL_CTX_set1_groups_list(ctx, (char[]){"X25519:P-256"}) == 1 &&
              SSL_CTX_set_session_id_context(ctx, id, sizeof(id)) == 1 &&
              SSL_CTX_set_num_tickets(ctx, 1) == 1,
        "context");
    SSL_CTX_set_options(
        ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                              SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    show_certificate(ctx, plan->credential);
    if (plan->ca)
        ask_clients(ctx, plan->ca);
    return ctx;
}

static void discard(void *context)
{
    SSL_CTX_free(context);
}

/* ---- the wire ---- */

static int wire_read(BIO *bio, char *out, int out_n)
{
    struct connection *c = BIO_get_data(bio);
    struct bytes have = bytes_first(buf_bytes(&c->in), (size_t)out_n);
    BIO_clear_retry_flags(bio);
    if (!have.n) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, have.at, have.n);
    buf_consume(&c->in, have.n);
    return (int)have.n;
}

static int wire_write(BIO *bio, const char *data, int data_n)
{
    struct connection *c = BIO_get_data(bio);
    check(buf_append(&c->out, (struct bytes){(const uint8_t *)data, (size_t)data_n}) == 0, "room");
    return data_n;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO *new_wire(struct connection *c)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "buffers");
        check(method && BIO_meth_set_read(method, wire_read) &&
                  BIO_meth_set_write(method, wire_write) && BIO_meth_set_ctrl(method, wire_control),
            "BIO");
    }
    BIO *bio = BIO_new(method);
    check(bio, "BIO");
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- a connection ---- */

static void *open_connection(void *context)
{
    struct connection *c = mem_alloc(sizeof(*c));
    buf_init(&c->in, WIRE_MAX);
    buf_init(&c->out, WIRE_MAX);
    c->ssl = SSL_new(context);
    check(c->ssl, "connection");
    BIO *wire = new_wire(c);
    SSL_set_bio(c->ssl, wire, wire);
    SSL_set_accept_state(c->ssl);
    return c;
}

static void close_connection(void *connection)
{
    struct connection *c = connection;
    SSL_free(c->ssl);
    buf_fini(&c->in);
    buf_fini(&c->out);
    free(c);
}

static struct buf *wire_in(void *connection)
{
    return &((struct connection *)connection)->in;
}

static struct buf *wire_out(void *connection)
{
    return &((struct connection *)connection)->out;
}

static void shake_hands(void *connection, int64_t now_s)
{
    struct connection *c = connection;
    ERR_clear_error();
    int result = SSL_do_handshake(c->ssl);
    check(result == 1 || SSL_get_error(c->ssl, result) == SSL_ERROR_WANT_READ, "handshake");
    buf_release(&c->in);
}

static void read_plain(void *connection, struct buf *out)
{
    struct connection *c = connection;
    size_t n = 0;
    uint8_t *space = buf_space(out, buf_room(out));
    ERR_clear_error();
    check(SSL_read_ex(c->ssl, space, buf_room(out), &n) == 1, "read");
    buf_added(out, n);
    buf_release(&c->in);
}

static void write_plain(void *connection, struct bytes data)
{
    struct connection *c = connection;
    size_t n = 0;
    ERR_clear_error();
    check(SSL_write_ex(c->ssl, data.at, data.n, &n) == 1 && n == data.n, "write");
}

static uint16_t version(void *connection)
{
    return (uint16_t)SSL_version(((struct connection *)connection)->ssl);
}

static bool is_resumed(void *connection)
{
    return SSL_session_reused(((struct connection *)connection)->ssl);
}

const struct server_kind server_libssl = {
    .name = "libssl",
    .prepare = prepare,
    .discard = discard,
    .open = open_connection,
    .close = close_connection,
    .wire_in = wire_in,
    .wire_out = wire_out,
    .shake_hands = shake_hands,
    .read = read_plain,
    .write = write_plain,
    .version = version,
    .is_resumed = is_resumed,
};
