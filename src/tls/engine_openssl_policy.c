/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl engine's policies: one SSL_CTX per set of certificates that a server name can select.
 *
 * Everything that is the same for all connections under a policy is set here once. What libssl
 * copies from the context into a connection when it is made, and what SSL_set_SSL_CTX does not
 * bring along, is set by engine_policy_apply.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"
#include "tls/engine_openssl.h"
#include "tls/names.h"
#include "tls/wire.h"

#include "base/ban.h"

#define SECURITY_LEVEL 2 /* 112 bits: RSA of 2048 bits, no SHA-1 */
#define LIST_TEXT_MAX  512

/* libssl's defaults would read an openssl.cnf, which could change anything below. */
static void initialise_once(void)
{
    static bool is_done;
    if (is_done)
        return;
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        panic("libssl could not be initialised");
    is_done = true;
}

/* ERR from WHAT and the first thing that libcrypto complained about. */
static int error_libssl(struct error *err, const char *what)
{
    char reason[256] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    return error_set(err, "%s: %s", what, reason);
}

static int set_suites(const struct tlspolicy *p, SSL_CTX *ctx)
{
    char text[SUITE_TEXT_MAX];
    struct suite_list tls13 = suite_list_own(tlspolicy_suites(p, TLS_1_3));
    suite_list_text(&tls13, text);
    if (SSL_CTX_set_ciphersuites(ctx, text) != 1)
        return -1;
    struct suite_list tls12 = suite_list_own(tlspolicy_suites(p, TLS_1_2));
    suite_list_text(&tls12, text);
    return SSL_CTX_set_cipher_list(ctx, text) == 1 ? 0 : -1;
}

static uint64_t options_of(const struct tlspolicy *p)
{
    return SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
           (p->tickets ? 0 : SSL_OP_NO_TICKET);
}

static int verify_mode_of(const struct tlspolicy *p)
{
    if (p->role == TLSPOLICY_CLIENT || p->peer == PEER_OPTIONAL)
        return SSL_VERIFY_PEER;
    return p->peer == PEER_REQUIRED ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                    : SSL_VERIFY_NONE;
}

/* NUMBERS as libssl takes them: "A:B:C", by their IANA names. */
static char *list_text(
    struct bytes numbers, const char *(*name_of)(uint16_t), char text[LIST_TEXT_MAX])
{
    size_t n = 0;
    uint16_t number;
    while (wire_take_16(&numbers, &number))
        n += (size_t)snprintf(text + n, LIST_TEXT_MAX - n, "%s%s", n ? ":" : "", name_of(number));
    ASSERT(n < LIST_TEXT_MAX);
    return text;
}

/* Of a server "sigalgs" are what it signs with and "client_sigalgs" what clients may; of a client
 * it is the other way round. */
static bool set_lists(const struct tlspolicy *p, SSL_CTX *ctx)
{
    bool is_server = p->role == TLSPOLICY_SERVER;
    char groups[LIST_TEXT_MAX], servers[LIST_TEXT_MAX], clients[LIST_TEXT_MAX];
    list_text(p->groups, names_group, groups);
    list_text(is_server ? p->own_schemes : p->schemes, names_signature_scheme, servers);
    list_text(is_server ? p->schemes : p->own_schemes, names_signature_scheme, clients);
    return SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, servers) == 1 &&
           SSL_CTX_set1_client_sigalgs_list(ctx, clients) == 1;
}

static int set_parameters(const struct tlspolicy *p, SSL_CTX *ctx)
{
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_options(ctx, options_of(p));
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                              SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, verify_mode_of(p), NULL);
    bool is_good = SSL_CTX_set_min_proto_version(ctx, p->version_min) == 1 &&
                   SSL_CTX_set_max_proto_version(ctx, p->version_max) == 1 &&
                   SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
                   SSL_CTX_set_num_tickets(ctx, p->tickets ? 1 : 0) == 1 &&
                   SSL_CTX_set_session_id_context(ctx, p->binding, sizeof(p->binding)) == 1 &&
                   set_lists(p, ctx);
    return is_good ? set_suites(p, ctx) : -1;
}

static void free_stack(STACK_OF(X509) * chain)
{
    sk_X509_pop_free(chain, X509_free);
}

/* What C sends behind its leaf. NULL if libssl cannot read it. */
static STACK_OF(X509) * issuers_of(const struct credential *c)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 1; i < c->chain.n; i++) {
        X509 *x = native_x509(certificate_der(c->chain.at[i]));
        if (!chain || !x || !sk_X509_push(chain, x)) {
            X509_free(x);
            free_stack(chain);
            return NULL;
        }
    }
    return chain;
}

/* libssl's form of C's leaf: one for all contexts, by which engine_policy_credential knows it. */
static X509 *leaf_of(const struct tlspolicy *p, const struct credential *c)
{
    size_t i = 0;
    while (p->credentials[i] != c)
        i++;
    X509 **leaf = &p->openssl->leaves[i];
    if (!*leaf)
        *leaf = native_x509(certificate_der(c->chain.at[0]));
    return *leaf;
}

static int add_credential(
    const struct tlspolicy *p, SSL_CTX *ctx, const struct credential *c, struct error *err)
{
    X509 *leaf = leaf_of(p, c);
    STACK_OF(X509) *chain = issuers_of(c);
    int result = 0;
    ASSERT(c->key); /* whoever makes policies of this engine has the keys (proxy/source.h) */
    if (!leaf || !chain ||
        SSL_CTX_use_cert_and_key(ctx, leaf, private_key_pkey(c->key), chain, 1) != 1)
        result = error_libssl(err, certificate_subject(c->chain.at[0]));
    free_stack(chain);
    return result;
}

/* The names of the CAs for CertificateRequest; NULL if there are none, or too many to be sent. */
static STACK_OF(X509_NAME) * ca_names(const struct certificate_list *ca)
{
    size_t total = 0;
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    for (size_t i = 0; ca && i < ca->n && total <= TLSPOLICY_CA_NAMES_MAX; i++) {
        if (!tlspolicy_is_first_of_name(ca, i))
            continue;
        struct bytes der = certificate_facts(ca->at[i])->subject;
        total += 2 + der.n;
        const uint8_t *at = der.at;
        X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der.n);
        /* One that libcrypto cannot read (a BMPString of odd length) is not sent: the list is a
         * hint. */
        if (name && (!names || !sk_X509_NAME_push(names, name)))
            panic("out of memory");
    }
    ERR_clear_error();
    if (total && total <= TLSPOLICY_CA_NAMES_MAX)
        return names;
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return NULL;
}

/* A context with everything but certificates. */
static SSL_CTX *new_context(
    const struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err)
{
    bool is_server = p->role == TLSPOLICY_SERVER;
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (!ctx || set_parameters(p, ctx) < 0)
        goto failed;
    engine_handshake_install(ctx, p->role);
    if (is_server) {
        engine_ticket_install(ctx);
        if (p->peer != PEER_NOT_ASKED)
            SSL_CTX_set0_CA_list(ctx, ca_names(config->ca));
    } else {
        engine_session_install(ctx);
        if (p->alpn_n && SSL_CTX_set_alpn_protos(ctx, p->alpn, (unsigned)p->alpn_n) != 0)
            goto failed;
    }
    return ctx;
failed:
    ignore_result(error_libssl(err, "libssl refuses these TLS parameters"));
    SSL_CTX_free(ctx);
    return NULL;
}

static int add_context(struct tlspolicy *p, const struct tlspolicy_config *config,
    const struct certificate_set *set, struct error *err)
{
    SSL_CTX *ctx = new_context(p, config, err);
    if (!ctx)
        return -1;
    p->openssl->contexts[p->openssl->contexts_n++] = ctx;
    for (size_t kind = 0; kind < SET_KIND_COUNT; kind++)
        if (set->by_kind[kind] && add_credential(p, ctx, set->by_kind[kind], err) < 0)
            return -1;
    return 0;
}

static int make_server_contexts(
    struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err)
{
    size_t n = certificate_sets_count(p->sets);
    p->openssl->contexts = mem_calloc(n, sizeof(SSL_CTX *));
    for (size_t i = 0; i < n; i++)
        if (add_context(p, config, certificate_sets_at(p->sets, i), err) < 0)
            return -1;
    return 0;
}

static int make_client_context(
    struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err)
{
    struct certificate_set set = {0};
    if (p->credentials_n)
        set.by_kind[0] = p->credentials[0];
    p->openssl->contexts = mem_calloc(1, sizeof(SSL_CTX *));
    return add_context(p, config, &set, err);
}

int engine_policy_init(
    struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err)
{
    /* libssl would resume a session of an authenticated client without asking anyone, and its
     * certificate may be revoked meanwhile. */
    ASSERT(!p->tickets || p->peer == PEER_NOT_ASKED);
    initialise_once();
    struct engine_openssl_policy *o = mem_alloc(sizeof(*o));
    p->openssl = o;
    o->leaves = mem_calloc(p->credentials_n + 1, sizeof(*o->leaves));
    o->leaves_n = p->credentials_n;
    return p->role == TLSPOLICY_SERVER ? make_server_contexts(p, config, err)
                                       : make_client_context(p, config, err);
}

void engine_policy_fini(struct tlspolicy *p)
{
    struct engine_openssl_policy *o = p->openssl;
    if (!o)
        return;
    for (size_t i = 0; i < o->contexts_n; i++)
        SSL_CTX_free(o->contexts[i]);
    free(o->contexts);
    for (size_t i = 0; i < o->leaves_n; i++)
        X509_free(o->leaves[i]);
    free(o->leaves);
    free(o);
}

SSL_CTX *engine_policy_context(const struct tlspolicy *p)
{
    return p->openssl->contexts[0];
}

int engine_policy_apply(const struct tlspolicy *p, SSL *ssl, struct bytes host_name)
{
    /* Brings along: certificates, their chains and keys, signature schemes, security level, suites,
     * CA names, and the callbacks for verification, ALPN and stapling (read through ssl->ctx). The
     * ticket callbacks stay those of the context that the connection began with, which is why they
     * ask for the connection's policy. */
    if (!SSL_set_SSL_CTX(ssl, p->openssl->contexts[certificate_sets_find(p->sets, host_name)]))
        return -1;
    char groups[LIST_TEXT_MAX];
    SSL_set_verify(ssl, verify_mode_of(p), NULL);
    SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_options(ssl, options_of(p));
    bool is_good = SSL_set_min_proto_version(ssl, p->version_min) == 1 &&
                   SSL_set_max_proto_version(ssl, p->version_max) == 1 &&
                   SSL_set_num_tickets(ssl, p->tickets ? 1 : 0) == 1 &&
                   SSL_set_session_id_context(ssl, p->binding, sizeof(p->binding)) == 1 &&
                   SSL_set1_groups_list(ssl, list_text(p->groups, names_group, groups)) == 1;
    return is_good ? 0 : -1;
}

const struct credential *engine_policy_credential(const struct tlspolicy *p, const SSL *ssl)
{
    const X509 *shown = SSL_get_certificate(ssl);
    for (size_t i = 0; i < p->credentials_n; i++)
        if (shown && p->openssl->leaves[i] == shown)
            return p->credentials[i];
    return NULL;
}
