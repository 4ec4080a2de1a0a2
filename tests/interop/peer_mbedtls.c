/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_mbedtls client|server NAME=VALUE…: a small peer over Mbed TLS. The client asks TIMES times,
 * resuming the first session, and prints the answers; the server answers one client after the
 * other, and resumes by session id.
 */
#include <mbedtls/config.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_internal.h>

#include "peer_options.h"

#define LIST_MAX 8

struct peer {
    const struct peer_options *options;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt own, ca;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    mbedtls_ssl_cache_context cache;
    int suites[2];
    mbedtls_ecp_group_id groups[LIST_MAX];
};

static void need(int status, const char *what)
{
    char text[128];
    if (status == 0)
        return;
    mbedtls_strerror(status, text, sizeof(text));
    peer_fail(what, text);
}

/* Mbed TLS 2.28 signs with PKCS #1 only, and has no names for schemes. */
static void check_schemes(const char *schemes)
{
    if (schemes && strstr(schemes, "rsa_pss"))
        peer_fail("this library signs RSA in TLS with PKCS #1 only, not", schemes);
}

static void check_version(const char *version)
{
    if (strcmp(version, "1.2") && MBEDTLS_SSL_MAX_MINOR_VERSION == MBEDTLS_SSL_MINOR_VERSION_3)
        peer_fail("the newest version of this library is 1.2, not", version);
}

static void set_suite(struct peer *p, const char *name)
{
    if (!name)
        return;
    p->suites[0] = mbedtls_ssl_get_ciphersuite_id(name);
    if (!p->suites[0])
        peer_fail("this library has no suite", name);
    mbedtls_ssl_conf_ciphersuites(&p->config, p->suites);
}

static void set_groups(struct peer *p, const char *names)
{
    char copy[256] = "";
    if (!names)
        return;
    strncpy(copy, names, sizeof(copy) - 1);
    size_t n = 0;
    for (char *rest = copy, *name; (name = strsep(&rest, ",")) && n < LIST_MAX - 1;) {
        const mbedtls_ecp_curve_info *info = mbedtls_ecp_curve_info_from_name(name);
        if (!info)
            peer_fail("this library has no group", name);
        p->groups[n++] = info->grp_id;
    }
    mbedtls_ssl_conf_curves(&p->config, p->groups);
}

static void set_certificates(struct peer *p)
{
    const char *own = peer_option(p->options, "certificate"), *ca = peer_option(p->options, "ca");
    if (own) {
        need(mbedtls_x509_crt_parse_file(&p->own, own), own);
        need(mbedtls_pk_parse_keyfile(&p->key, peer_option(p->options, "key"), NULL), "key");
        need(mbedtls_ssl_conf_own_cert(&p->config, &p->own, &p->key), "own certificate");
    }
    if (ca) {
        need(mbedtls_x509_crt_parse_file(&p->ca, ca), ca);
        mbedtls_ssl_conf_ca_chain(&p->config, &p->ca, NULL);
    }
    mbedtls_ssl_conf_authmode(
        &p->config, ca ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
}

static void peer_init(struct peer *p, const struct peer_options *options, int endpoint)
{
    *p = (struct peer){.options = options};
    mbedtls_entropy_init(&p->entropy);
    mbedtls_ctr_drbg_init(&p->random);
    mbedtls_x509_crt_init(&p->own);
    mbedtls_x509_crt_init(&p->ca);
    mbedtls_pk_init(&p->key);
    mbedtls_ssl_cache_init(&p->cache);
    mbedtls_ssl_config_init(&p->config);
    need(mbedtls_ctr_drbg_seed(&p->random, mbedtls_entropy_func, &p->entropy, NULL, 0), "random");
    need(mbedtls_ssl_config_defaults(
             &p->config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
        "defaults");
    mbedtls_ssl_conf_rng(&p->config, mbedtls_ctr_drbg_random, &p->random);
    mbedtls_ssl_conf_session_cache(
        &p->config, &p->cache, mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
    check_version(peer_option(options, "version"));
    check_schemes(peer_option(options, "signatures"));
    mbedtls_ssl_conf_min_version(
        &p->config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    set_suite(p, peer_option(options, "suite"));
    set_groups(p, peer_option(options, "groups"));
    set_certificates(p);
}

static void print_until_end(mbedtls_ssl_context *ssl)
{
    unsigned char piece[4096];
    int n;
    while ((n = mbedtls_ssl_read(ssl, piece, sizeof(piece))) > 0)
        fwrite(piece, 1, (size_t)n, stdout);
    if (n != 0 && n != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        need(n, "read");
}

static void ask(struct peer *p, mbedtls_ssl_session *session, bool is_first)
{
    mbedtls_net_context net = {.fd = peer_connect(p->options)};
    mbedtls_ssl_context ssl;
    mbedtls_ssl_init(&ssl);
    need(mbedtls_ssl_setup(&ssl, &p->config), "set-up");
    need(mbedtls_ssl_set_hostname(&ssl, "localhost"), "host name");
    if (!is_first)
        need(mbedtls_ssl_set_session(&ssl, session), "session");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    need(mbedtls_ssl_handshake(&ssl), "handshake");
    if (mbedtls_ssl_write(&ssl, (const unsigned char *)PEER_REQUEST, strlen(PEER_REQUEST)) <= 0)
        peer_fail("write", "failed");
    print_until_end(&ssl);
    if (is_first)
        need(mbedtls_ssl_get_session(&ssl, session), "session");
    mbedtls_ssl_close_notify(&ssl);
    mbedtls_ssl_free(&ssl);
    mbedtls_net_free(&net);
}

static void be_client(const struct peer_options *options)
{
    struct peer p;
    mbedtls_ssl_session session;
    peer_init(&p, options, MBEDTLS_SSL_IS_CLIENT);
    mbedtls_ssl_session_init(&session);
    int times = peer_option_is(options, "times", "2") ? 2 : 1;
    for (int i = 0; i < times; i++)
        ask(&p, &session, i == 0);
}

static void answer(struct peer *p, int fd)
{
    mbedtls_net_context net = {.fd = fd};
    mbedtls_ssl_context ssl;
    unsigned char request[4096];
    mbedtls_ssl_init(&ssl);
    need(mbedtls_ssl_setup(&ssl, &p->config), "set-up");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    int status = mbedtls_ssl_handshake(&ssl);
    if (status == 0 && mbedtls_ssl_read(&ssl, request, sizeof(request)) > 0)
        status = mbedtls_ssl_write(&ssl, (const unsigned char *)PEER_ANSWER, strlen(PEER_ANSWER));
    if (status < 0)
        printf("connection: -0x%04x\n", (unsigned)-status);
    mbedtls_ssl_close_notify(&ssl);
    mbedtls_ssl_free(&ssl);
    mbedtls_net_free(&net);
}

int main(int argc, char **argv)
{
    struct peer_options options = {argv + 2, argc - 2};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(argv[1], "client")) {
        be_client(&options);
        return 0;
    }
    struct peer p;
    peer_init(&p, &options, MBEDTLS_SSL_IS_SERVER);
    for (int listening = peer_listen(), fd; (fd = accept(listening, NULL, NULL)) >= 0;)
        answer(&p, fd);
    return 0;
}
