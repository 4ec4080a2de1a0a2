/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl engine's policies: one SSL_CTX per set of certificates that a server name can select.
 *
 * Everything that is the same for all connections under a policy is set here once. What libssl
 * copies from the context into a connection when it is made, and what SSL_set_SSL_CTX does not
 * bring along, is set by engine_policy_apply.
 */
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/native.h"
#include "tls/engine_openssl.h"
#include "tls/tlspolicy.h"

#include "base/ban.h"

#define SECURITY_LEVEL 2 /* 112 bits: RSA of 2048 bits, no SHA-1 */
#define GROUPS         "X25519:P-256:P-384"
#define SIGNATURE_SCHEMES                                                           \
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:" \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"                  \
    "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"                     \
    "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512"
/* Bytes of certificate_authorities: beyond it clients choke (HAProxy #1011). */
#define CA_NAMES_MAX (16 * 1024)
/* Of our own certificates: a flight with them fits TLSCONN_WIRE_MAX. */
#define CHAIN_BYTES_MAX (64 * 1024)
/* RFC 8446 §4.6.1: ticket_lifetime MUST NOT be longer. */
#define SESSION_LIFETIME_MAX_S (7 * 24 * 3600)
#define ALPN_NAME_MAX          255

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

struct suite_choice engine_policy_suites(const struct tlspolicy *p, uint16_t version)
{
    return (struct suite_choice){
        version, p->preference, p->key_exchange_rsa, p->key_exchange_rsa_only};
}

static int set_suites(const struct tlspolicy *p, SSL_CTX *ctx)
{
    char text[SUITE_TEXT_MAX];
    struct suite_list tls13 = suite_list_own(engine_policy_suites(p, TLS_1_3));
    suite_list_text(&tls13, text);
    if (SSL_CTX_set_ciphersuites(ctx, text) != 1)
        return -1;
    struct suite_list tls12 = suite_list_own(engine_policy_suites(p, TLS_1_2));
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

static int set_parameters(const struct tlspolicy *p, SSL_CTX *ctx)
{
    char groups[] = GROUPS, schemes[] = SIGNATURE_SCHEMES; /* libssl's macros cast const away */
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
                   SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
                   SSL_CTX_set1_sigalgs_list(ctx, schemes) == 1;
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

static size_t chain_bytes(const struct credential *c)
{
    size_t total = 0;
    for (size_t i = 0; i < c->chain.n; i++)
        total += certificate_der(c->chain.at[i]).n;
    return total;
}

/* libssl's form of C's leaf: one for all contexts, by which engine_policy_credential knows it. */
static X509 *leaf_of(const struct tlspolicy *p, const struct credential *c)
{
    size_t i = 0;
    while (p->credentials[i] != c)
        i++;
    if (!p->leaves[i])
        p->leaves[i] = native_x509(certificate_der(c->chain.at[0]));
    return p->leaves[i];
}

static int add_credential(
    const struct tlspolicy *p, SSL_CTX *ctx, const struct credential *c, struct error *err)
{
    const char *subject = certificate_subject(c->chain.at[0]);
    if (chain_bytes(c) > CHAIN_BYTES_MAX)
        return error_set(err, "the chain of %s has %zu bytes; at most %d can be sent to a peer",
            subject, chain_bytes(c), CHAIN_BYTES_MAX);
    X509 *leaf = leaf_of(p, c);
    STACK_OF(X509) *chain = issuers_of(c);
    int result = 0;
    if (!leaf || !chain ||
        SSL_CTX_use_cert_and_key(ctx, leaf, private_key_pkey(c->key), chain, 1) != 1)
        result = error_libssl(err, subject);
    free_stack(chain);
    return result;
}

/* The names of the CAs for CertificateRequest; NULL if there are none, or too many to be sent. */
static STACK_OF(X509_NAME) * ca_names(const struct certificate_list *ca)
{
    size_t total = 0;
    for (size_t i = 0; ca && i < ca->n; i++)
        total += 2 + certificate_facts(ca->at[i])->subject.n;
    if (!total || total > CA_NAMES_MAX)
        return NULL;
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    for (size_t i = 0; i < ca->n; i++) {
        struct bytes der = certificate_facts(ca->at[i])->subject;
        const uint8_t *at = der.at;
        X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der.n);
        /* One that libcrypto cannot read (a BMPString of odd length) is not sent: the list is a
         * hint. */
        if (name && (!names || !sk_X509_NAME_push(names, name)))
            panic("out of memory");
    }
    ERR_clear_error();
    return names;
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
    p->contexts[p->contexts_n++] = ctx;
    for (size_t kind = 0; kind < SET_KIND_COUNT; kind++)
        if (set->by_kind[kind] && add_credential(p, ctx, set->by_kind[kind], err) < 0)
            return -1;
    return 0;
}

static int make_server_contexts(
    struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err)
{
    p->sets = certificate_sets_new(p->credentials, p->credentials_n);
    size_t n = certificate_sets_count(p->sets);
    p->contexts = mem_calloc(n, sizeof(SSL_CTX *));
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
    p->contexts = mem_calloc(1, sizeof(SSL_CTX *));
    return add_context(p, config, &set, err);
}

static int copy_alpn(struct tlspolicy *p, const struct tlspolicy_config *config, struct error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < config->alpn_n; i++) {
        if (!config->alpn[i].n || config->alpn[i].n > ALPN_NAME_MAX)
            return error_set(err, "an ALPN name of %zu bytes; it has 1 to %d (RFC 7301 §3.1)",
                config->alpn[i].n, ALPN_NAME_MAX);
        total += 1 + config->alpn[i].n;
    }
    p->alpn = mem_alloc(total + 1);
    for (size_t i = 0; i < config->alpn_n; i++) {
        p->alpn[p->alpn_n++] = (uint8_t)config->alpn[i].n;
        memcpy(p->alpn + p->alpn_n, config->alpn[i].at, config->alpn[i].n);
        p->alpn_n += config->alpn[i].n;
    }
    return 0;
}

/* A session carries version and suite past their negotiation, so they are part of what it is bound
 * to. */
static void bind_sessions(struct tlspolicy *p, const struct tlspolicy_config *config)
{
    const uint8_t negotiable[] = {(uint8_t)p->version_min, (uint8_t)p->version_max,
        p->key_exchange_rsa, p->key_exchange_rsa_only};
    struct digest *d = digest_new();
    digest_add(d, (struct bytes){config->hash, sizeof(config->hash)});
    digest_add(d, (struct bytes){negotiable, sizeof(negotiable)});
    digest_finish(&d, p->binding);
}

static int check_config(const struct tlspolicy_config *config, struct error *err)
{
    if (config->role == TLSPOLICY_SERVER && !config->credentials_n)
        return error_set(err, "a TLS server needs a certificate; none is configured");
    if (config->version_min < TLS_1_2 || config->version_max > TLS_1_3 ||
        config->version_min > config->version_max)
        return error_set(err, "TLS versions 0x%04x to 0x%04x; accepted are 1.2, 1.3 or both",
            config->version_min, config->version_max);
    if (config->key_exchange_rsa_only && config->version_min > TLS_1_2)
        return error_set(err, "RSA key transport does not exist in TLS 1.3; allow TLS 1.2");
    for (size_t i = 0; i < config->credentials_n; i++)
        if (private_key_kind(config->credentials[i]->key) == KEY_UNSUPPORTED)
            return error_set(err,
                "%s: this kind of key is not supported; use RSA, ECDSA (P-256, P-384, P-521) or "
                "Ed25519",
                certificate_subject(config->credentials[i]->chain.at[0]));
    return 0;
}

struct tlspolicy *tlspolicy_new(const struct tlspolicy_config *config, struct error *err)
{
    /* A session of an authenticated client is never resumed: its certificate may be revoked
     * meanwhile. */
    ASSERT(!config->tickets || config->peer == PEER_NOT_ASKED);
    initialise_once();
    if (check_config(config, err) < 0)
        return NULL;
    struct tlspolicy *p = mem_alloc(sizeof(*p));
    p->role = config->role;
    p->version_min = config->version_min;
    p->version_max = config->key_exchange_rsa_only ? TLS_1_2 : config->version_max;
    p->preference = config->preference;
    p->key_exchange_rsa = config->key_exchange_rsa;
    p->key_exchange_rsa_only = config->key_exchange_rsa_only;
    p->peer = config->peer;
    p->tickets = config->tickets;
    p->session_lifetime_s = config->session_lifetime_s < SESSION_LIFETIME_MAX_S
                                ? config->session_lifetime_s
                                : SESSION_LIFETIME_MAX_S;
    memcpy(p->ticket_secret, config->ticket_secret, sizeof(p->ticket_secret));
    p->ticket_keys = mem_alloc(sizeof(*p->ticket_keys));
    p->credentials = mem_calloc(config->credentials_n + 1, sizeof(*p->credentials));
    p->leaves = mem_calloc(config->credentials_n + 1, sizeof(*p->leaves));
    for (; p->credentials_n < config->credentials_n; p->credentials_n++)
        p->credentials[p->credentials_n] = config->credentials[p->credentials_n];
    bind_sessions(p, config);
    bool is_made = copy_alpn(p, config, err) == 0 &&
                   (p->role == TLSPOLICY_SERVER ? make_server_contexts(p, config, err)
                                                : make_client_context(p, config, err)) == 0;
    if (!is_made)
        tlspolicy_free(&p);
    return p;
}

void tlspolicy_free(struct tlspolicy **p)
{
    if (!*p)
        return;
    for (size_t i = 0; i < (*p)->contexts_n; i++)
        SSL_CTX_free((*p)->contexts[i]);
    free((*p)->contexts);
    certificate_sets_free(&(*p)->sets);
    for (size_t i = 0; i < (*p)->credentials_n; i++)
        X509_free((*p)->leaves[i]);
    free((*p)->leaves);
    free((*p)->credentials);
    free((*p)->alpn);
    mem_wipe((*p)->ticket_secret, sizeof((*p)->ticket_secret));
    mem_wipe((*p)->ticket_keys, sizeof(*(*p)->ticket_keys));
    free((*p)->ticket_keys);
    free(*p);
    *p = NULL;
}

SSL_CTX *engine_policy_context(const struct tlspolicy *p)
{
    return p->contexts[0];
}

int engine_policy_apply(const struct tlspolicy *p, SSL *ssl, struct bytes host_name)
{
    /* Brings along: certificates, their chains and keys, signature schemes, security level, suites,
     * CA names, and the callbacks for verification, ALPN and stapling (read through ssl->ctx). The
     * ticket callbacks stay those of the context that the connection began with, which is why they
     * ask for the connection's policy. */
    if (!SSL_set_SSL_CTX(ssl, p->contexts[certificate_sets_find(p->sets, host_name)]))
        return -1;
    SSL_set_verify(ssl, verify_mode_of(p), NULL);
    SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_options(ssl, options_of(p));
    bool is_good = SSL_set_min_proto_version(ssl, p->version_min) == 1 &&
                   SSL_set_max_proto_version(ssl, p->version_max) == 1 &&
                   SSL_set_num_tickets(ssl, p->tickets ? 1 : 0) == 1 &&
                   SSL_set_session_id_context(ssl, p->binding, sizeof(p->binding)) == 1;
    return is_good ? 0 : -1;
}

const struct credential *engine_policy_credential(const struct tlspolicy *p, const SSL *ssl)
{
    const X509 *shown = SSL_get_certificate(ssl);
    for (size_t i = 0; i < p->credentials_n; i++)
        if (shown && p->leaves[i] == shown)
            return p->credentials[i];
    return NULL;
}
