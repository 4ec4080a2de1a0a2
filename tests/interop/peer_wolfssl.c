/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_wolfssl client|server NAME=VALUE…: a small peer over wolfSSL. The client asks TIMES times,
 * resuming the first session, and prints the answers; the server answers one client after the
 * other.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "peer_options.h"

struct group {
    const char *name;
    word16 number;
};
static const struct group groups[] = {{"x25519", WOLFSSL_ECC_X25519},
    {"secp256r1", WOLFSSL_ECC_SECP256R1}, {"secp384r1", WOLFSSL_ECC_SECP384R1},
    {"secp521r1", WOLFSSL_ECC_SECP521R1}, {NULL, 0}};

static void need(int status, const char *what)
{
    char text[WOLFSSL_MAX_ERROR_SZ] = "refused";
    if (status == WOLFSSL_SUCCESS)
        return;
    if (status < 0)
        wolfSSL_ERR_error_string((unsigned long)status, text);
    peer_fail(what, text);
}

static void need_io(WOLFSSL *ssl, int status, const char *what)
{
    if (status > 0)
        return;
    char text[WOLFSSL_MAX_ERROR_SZ];
    wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(ssl, status), text);
    peer_fail(what, text);
}

static word16 group_number(const char *name)
{
    const struct group *g = groups;
    while (g->name && strcmp(g->name, name))
        g++;
    if (!g->name)
        peer_fail("this library has no group", name);
    return g->number;
}

/* In TLS 1.3 a server has to be told by another call than a client. */
static void set_groups(WOLFSSL_CTX *ctx, const char *names, bool is_server13)
{
    char copy[256] = "";
    int list[8], n = 0;
    if (!names)
        return;
    strncpy(copy, names, sizeof(copy) - 1);
    for (char *rest = copy, *name; (name = strsep(&rest, ",")) && n < 8;)
        list[n++] = group_number(name);
    if (is_server13)
        need(wolfSSL_CTX_set_groups(ctx, list, n), names);
    else
        for (int i = 0; i < n; i++)
            need(wolfSSL_CTX_UseSupportedCurve(ctx, (word16)list[i]), names);
}

static WOLFSSL_METHOD *method_of(const struct peer_options *o, bool is_server)
{
    if (peer_option_is(o, "version", "1.3"))
        return is_server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    return is_server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
}

static WOLFSSL_CTX *new_context(const struct peer_options *o, bool is_server)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method_of(o, is_server));
    const char *suite = peer_option(o, "suite"), *schemes = peer_option(o, "signatures");
    const char *own = peer_option(o, "certificate"), *ca = peer_option(o, "ca");
    if (!ctx)
        peer_fail("context", "refused");
    if (suite)
        need(wolfSSL_CTX_set_cipher_list(ctx, suite), suite);
    if (schemes)
        need(wolfSSL_CTX_set1_sigalgs_list(ctx, schemes), schemes);
    set_groups(ctx, peer_option(o, "groups"), is_server && peer_option_is(o, "version", "1.3"));
    if (own) {
        need(wolfSSL_CTX_use_certificate_chain_file(ctx, own), "certificate");
        need(wolfSSL_CTX_use_PrivateKey_file(ctx, peer_option(o, "key"), WOLFSSL_FILETYPE_PEM),
            "key");
    }
    if (ca)
        need(wolfSSL_CTX_load_verify_locations(ctx, ca, NULL), "CA");
    wolfSSL_CTX_set_verify(ctx,
        ca ? WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT : WOLFSSL_VERIFY_NONE, NULL);
    return ctx;
}

/* What the CONNECTION says until it ends, which with TLS 1.3 brings its tickets as well. */
static void print_until_end(WOLFSSL *ssl)
{
    char piece[4096];
    int n;
    while ((n = wolfSSL_read(ssl, piece, sizeof(piece))) > 0)
        fwrite(piece, 1, (size_t)n, stdout);
    if (wolfSSL_get_error(ssl, n) != WOLFSSL_ERROR_ZERO_RETURN)
        need_io(ssl, n, "read");
}

static WOLFSSL_SESSION *ask(
    WOLFSSL_CTX *ctx, const struct peer_options *o, WOLFSSL_SESSION *session)
{
    WOLFSSL *ssl = wolfSSL_new(ctx);
    const char *share = peer_option(o, "share");
    need(wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, "localhost", 9), "host name");
    need(wolfSSL_check_domain_name(ssl, "localhost"), "host name");
    if (peer_option_is(o, "version", "1.2"))
        need(wolfSSL_UseSessionTicket(ssl), "tickets");
    if (share)
        need(wolfSSL_UseKeyShare(ssl, group_number(share)), "key share");
    if (session)
        (void)wolfSSL_set_session(ssl, session); /* fails if the server gave none: then in full */
    int fd = peer_connect(o);
    need(wolfSSL_set_fd(ssl, fd), "descriptor");
    need_io(ssl, wolfSSL_connect(ssl), "handshake");
    need_io(ssl, wolfSSL_write(ssl, PEER_REQUEST, (int)strlen(PEER_REQUEST)), "write");
    print_until_end(ssl);
    WOLFSSL_SESSION *got = wolfSSL_get1_session(ssl);
    wolfSSL_shutdown(ssl);
    wolfSSL_free(ssl);
    close(fd);
    return got;
}

static void answer(WOLFSSL_CTX *ctx, int fd)
{
    WOLFSSL *ssl = wolfSSL_new(ctx);
    char request[4096], text[WOLFSSL_MAX_ERROR_SZ];
    int status = wolfSSL_set_fd(ssl, fd);
    if (status == WOLFSSL_SUCCESS)
        status = wolfSSL_accept(ssl);
    if (status == WOLFSSL_SUCCESS && wolfSSL_read(ssl, request, sizeof(request)) > 0)
        status = wolfSSL_write(ssl, PEER_ANSWER, (int)strlen(PEER_ANSWER));
    if (status <= 0)
        printf("connection: %s\n",
            wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(ssl, status), text));
    wolfSSL_shutdown(ssl);
    wolfSSL_free(ssl);
    close(fd);
}

int main(int argc, char **argv)
{
    struct peer_options options = {argv + 2, argc - 2};
    bool is_client = !strcmp(argv[1], "client");
    setvbuf(stdout, NULL, _IOLBF, 0);
    need(wolfSSL_Init(), "library");
    WOLFSSL_CTX *ctx = new_context(&options, !is_client);
    if (is_client) {
        WOLFSSL_SESSION *session = ask(ctx, &options, NULL);
        if (peer_option_is(&options, "times", "2"))
            ask(ctx, &options, session);
        return 0;
    }
    for (int listening = peer_listen(), fd; (fd = accept(listening, NULL, NULL)) >= 0;)
        answer(ctx, fd);
    return 0;
}
