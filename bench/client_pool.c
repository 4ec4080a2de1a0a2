/* SPDX-License-Identifier: Apache-2.0 */
/* What the clients share: the context of libssl, and what they send. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>

#include "client.h"

#include "base/ban.h"

/* Room for several records, so that a download costs one system call for many. */
#define READ_AHEAD_BYTES (128u << 10)

/* The certificate is not judged: that is no work of the server. */
static int accept_any(X509_STORE_CTX *store, void *unused)
{
    return 1;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct client *c = SSL_get_app_data(ssl);
    if (c->pool->plan->reuse != REUSE_SESSION)
        return 0;
    SSL_SESSION_free(c->session);
    c->session = session;
    return 1; /* the reference is ours now */
}

static int note_request(SSL *ssl, void *unused)
{
    struct client *c = SSL_get_app_data(ssl);
    c->was_asked = true;
    return 1;
}

/* The group asked for, and P-256: in TLS 1.2 the list also says which keys of certificates are
 * understood (RFC 8422 §5.1.1). Servers take the first; which one it was is checked after the
 * handshake. */
static bool offer_groups(SSL_CTX *ctx, const char *group)
{
    char list[64];
    snprintf(list, sizeof(list), strcmp(group, "P-256") == 0 ? "%s" : "%s:P-256", group);
    return SSL_CTX_set1_groups_list(ctx, list) == 1;
}

static bool configure(SSL_CTX *ctx, const struct plan *plan)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_cert_cb(ctx, note_request, NULL);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, plan->body_bytes > 65536 ? READ_AHEAD_BYTES : 0);
    bool is_1_3 = plan->version == TLS1_3_VERSION;
    return SSL_CTX_set_min_proto_version(ctx, plan->version) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, plan->version) == 1 &&
           (is_1_3 ? SSL_CTX_set_ciphersuites(ctx, plan->suite)
                   : SSL_CTX_set_cipher_list(ctx, plan->suite)) == 1 &&
           offer_groups(ctx, plan->group) &&
           (plan->is_echo || SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0) &&
           (!plan->certificate ||
               (SSL_CTX_use_certificate_chain_file(ctx, plan->certificate) == 1 &&
                   SSL_CTX_use_PrivateKey_file(ctx, plan->key, SSL_FILETYPE_PEM) == 1));
}

static void write_request(struct client_pool *pool)
{
    const struct plan *plan = pool->plan;
    if (plan->is_echo) {
        memset(pool->request, 'e', CLIENT_ECHO_BYTES);
        pool->request_n = CLIENT_ECHO_BYTES;
        return;
    }
    pool->request_n = (size_t)snprintf(pool->request, sizeof(pool->request),
        "GET /%ju HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
        (uintmax_t)plan->body_bytes, plan->name);
}

int client_pool_init(struct client_pool *pool, const struct plan *plan, struct error *err)
{
    pool->plan = plan;
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (pool->epoll < 0)
        return error_errno(err, errno, "epoll");
    pool->ctx = SSL_CTX_new(TLS_client_method());
    if (!pool->ctx || !configure(pool->ctx, plan)) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        return error_set(err, "suite %s, group %s, certificate %s: %s", plan->suite, plan->group,
            plan->certificate ? plan->certificate : "none", reason ? reason : "refused");
    }
    snprintf(pool->name, sizeof(pool->name), "%s", plan->name);
    write_request(pool);
    return 0;
}

void client_pool_fini(struct client_pool *pool)
{
    SSL_CTX_free(pool->ctx);
    if (pool->epoll >= 0)
        close(pool->epoll);
}
