/* SPDX-License-Identifier: Apache-2.0 */
#include "joint.h"

#include <time.h>

#include <openssl/err.h>

#include "base/panic.h"
#include "crypto/issue.h"
#include "crypto/native.h"

#include "base/ban.h"

#define NAME       "bench.test"
#define LIFETIME_S (24 * 3600)
#define PIECE_N    16384 /* of data, at a time */

/* ---- identities ---- */

struct issuer {
    struct bytes certificate; /* empty: none, the certificate is its own issuer */
    const struct private_key *key;
};

static void issue(struct credential *out, enum issue_profile profile, enum key_kind kind,
    struct issuer issuer, const char *name)
{
    const struct bytes names[] = {BYTES("DNS:" NAME)};
    struct error err = {""};
    struct buf der;
    const time_t now = time(NULL);
    out->key = private_key_generate(kind, &err);
    if (!out->key)
        panic("%s", err.text);
    const struct issue_request request = {.profile = profile,
        .common_name = name,
        .names = names,
        .names_n = profile == ISSUE_CA ? 0 : 1,
        .not_before = now - 3600,
        .not_after = now + LIFETIME_S,
        .issuer = issuer.certificate,
        .issuer_key = issuer.key,
        .key = out->key};
    buf_init(&der, 16384);
    if (issue_certificate(&request, &der, &err) < 0)
        panic("%s", err.text);
    struct certificate *c = certificate_parse(buf_bytes(&der), &err);
    if (!c)
        panic("%s", err.text);
    certificate_list_add(&out->chain, c);
    certificate_unref(&c);
    buf_fini(&der);
}

static void identity_fini(struct credential *c)
{
    certificate_list_fini(&c->chain);
    private_key_unref(&c->key);
}

static struct verify_policy trust(const struct certificate_list *ca)
{
    return (struct verify_policy){.purpose = PATH_CLIENT,
        .anchors = path_store_new(ca, false),
        .depth_max = VERIFY_DEPTH_DEFAULT,
        .revocation = REVOCATION_OFF};
}

void joint_identities_init(struct joint_identities *i)
{
    struct credential ca = {.key = NULL};
    *i = (struct joint_identities){.ca = {0}};
    issue(&ca, ISSUE_CA, KEY_EC_P256, (struct issuer){0}, "bench CA");
    const struct issuer by = {certificate_der(ca.chain.at[0]), ca.key};
    issue(&i->server_ec, ISSUE_SERVER, KEY_EC_P256, by, NAME);
    issue(&i->server_rsa, ISSUE_SERVER, KEY_RSA, by, NAME);
    issue(&i->client, ISSUE_CLIENT, KEY_EC_P256, by, "client");
    certificate_list_add(&i->ca, ca.chain.at[0]);
    i->cold = trust(&i->ca);
    i->warm = trust(&i->ca);
    i->warm.cache = verdict_cache_new();
    identity_fini(&ca);
}

void joint_identities_fini(struct joint_identities *i)
{
    identity_fini(&i->server_ec);
    identity_fini(&i->server_rsa);
    identity_fini(&i->client);
    certificate_list_fini(&i->ca);
    verify_policy_fini(&i->cold);
    verify_policy_fini(&i->warm);
}

/* ---- the clock ---- */

static uint64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What reading the clock twice seems to take: it is nobody's cost. */
static uint64_t clock_ns(void)
{
    static uint64_t least;
    if (least)
        return least;
    least = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = thread_ns(), spent = thread_ns() - before;
        least = spent < least ? spent : least;
    }
    return least;
}

static void count(struct joint *j, uint64_t began_ns)
{
    uint64_t spent = thread_ns() - began_ns;
    j->spent_ns += spent > clock_ns() ? spent - clock_ns() : 0;
}

/* ---- the client ---- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct joint *j = SSL_get_app_data(ssl);
    if (!j->plan.is_resumed)
        return 0;
    /* libssl shows a session of TLS 1.3 once, if it got another one for it. */
    SSL_SESSION_free(j->session);
    j->session = session;
    return 1; /* ours now */
}

static void check(bool is_good, const char *what)
{
    if (is_good)
        return;
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    panic("the client's libssl fails: %s%s%s", what, words ? ": " : "", words ? words : "");
}

static void show_certificate(SSL_CTX *ctx, const struct credential *c)
{
    struct bytes der = certificate_der(c->chain.at[0]);
    check(SSL_CTX_use_certificate_ASN1(ctx, (int)der.n, der.at) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, private_key_pkey(c->key)) == 1,
        "certificate");
}

static SSL_CTX *client_context(const struct joint_plan *plan)
{
    /* The curve of the certificates, too, which TLS 1.2 asks for (RFC 8422 §5.1). */
    int groups[] = {plan->group, NID_X9_62_prime256v1};
    int groups_n = groups[0] == groups[1] ? 1 : 2;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    check(ctx && SSL_CTX_set_min_proto_version(ctx, plan->version) &&
              SSL_CTX_set_max_proto_version(ctx, plan->version) &&
              SSL_CTX_set1_groups(ctx, groups, groups_n) &&
              SSL_CTX_set_ciphersuites(ctx, plan->suite) &&
              SSL_CTX_set_cipher_list(ctx, "ECDHE+AES256+AESGCM"),
        "policy");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    if (plan->client)
        show_certificate(ctx, plan->client);
    return ctx;
}

void joint_init(struct joint *j, const struct joint_plan *plan)
{
    *j = (struct joint){.plan = *plan, .now_s = time(NULL)};
    j->server = plan->kind->prepare(&j->plan.server);
    j->ctx = client_context(plan);
    if (!plan->is_resumed)
        return;
    struct joint_pair first; /* which brings the session */
    joint_open(&first, j);
    check(j->session, "no session");
    joint_close(&first);
}

void joint_fini(struct joint *j)
{
    SSL_SESSION_free(j->session);
    SSL_CTX_free(j->ctx);
    j->plan.kind->discard(j->server);
}

/* ---- moving octets ---- */

static const struct server_kind *kind_of(const struct joint_pair *p)
{
    return p->joint->plan.kind;
}

/* From the client to the server's wire_in. How many. */
static size_t carry_in(struct joint_pair *p)
{
    char *at;
    long n = BIO_get_mem_data(SSL_get_wbio(p->client), &at);
    if (n <= 0)
        return 0;
    struct bytes all = {(const uint8_t *)at, (size_t)n};
    if (buf_append(kind_of(p)->wire_in(p->server), all) < 0)
        panic("the client's octets do not fit");
    check(BIO_reset(SSL_get_wbio(p->client)) == 1, "buffer");
    return all.n;
}

static size_t carry_out(struct joint_pair *p)
{
    struct buf *out = kind_of(p)->wire_out(p->server);
    size_t n = buf_size(out);
    if (n)
        check(BIO_write(SSL_get_rbio(p->client), buf_bytes(out).at, (int)n) == (int)n, "buffer");
    buf_clear(out);
    buf_release(out);
    return n;
}

/* The server's turn, on the clock. */
static void step_server(struct joint_pair *p)
{
    uint64_t began = thread_ns();
    kind_of(p)->shake_hands(p->server, p->joint->now_s);
    count(p->joint, began);
}

static void step_client(struct joint_pair *p)
{
    char octet;
    ERR_clear_error();
    int result = SSL_read(p->client, &octet, 1); /* the handshake, then tickets */
    check(result <= 0 && SSL_get_error(p->client, result) == SSL_ERROR_WANT_READ, "handshake");
}

static void check_handshake(const struct joint_pair *p)
{
    const struct joint_plan *plan = &p->joint->plan;
    uint16_t version = kind_of(p)->version(p->server);
    bool is_resumed = kind_of(p)->is_resumed(p->server);
    check(SSL_is_init_finished(p->client), "the handshake is not complete");
    bool is_13 = plan->version == TLS1_3_VERSION;
    check(!is_13 || (!strcmp(SSL_get_cipher_name(p->client), plan->suite) &&
                        SSL_get_negotiated_group(p->client) == plan->group),
        "another suite or group");
    if (version != plan->version || is_resumed != (p->joint->session && plan->is_resumed))
        panic("the handshake is not the one that was to be measured: version %x, resumed %d (%s)",
            version, is_resumed, SSL_get_cipher_name(p->client));
}

static SSL *new_client(struct joint *j)
{
    SSL *ssl = SSL_new(j->ctx);
    check(ssl && SSL_set_app_data(ssl, j) && SSL_set_tlsext_host_name(ssl, (char[]){NAME}), "new");
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
    SSL_set_connect_state(ssl);
    if (j->session)
        check(SSL_set_session(ssl, j->session) == 1, "session");
    return ssl;
}

void joint_open(struct joint_pair *p, struct joint *j)
{
    const bool has_session = j->session;
    *p = (struct joint_pair){.joint = j, .client = new_client(j)};
    uint64_t began = thread_ns();
    p->server = kind_of(p)->open(j->server);
    count(j, began);
    do {
        step_client(p);
        if (!carry_in(p))
            break;
        step_server(p);
    } while (carry_out(p));
    if (has_session || !j->plan.is_resumed)
        check_handshake(p);
}

void joint_drop_client(struct joint_pair *p)
{
    /* Otherwise libssl takes the session for a broken one. */
    SSL_set_shutdown(p->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(p->client);
    p->client = NULL;
}

void joint_close(struct joint_pair *p)
{
    if (p->client)
        joint_drop_client(p);
    uint64_t began = thread_ns();
    kind_of(p)->close(p->server);
    count(p->joint, began);
}

void joint_send(struct joint_pair *p, size_t n)
{
    static uint8_t data[PIECE_N];
    while (n) {
        size_t read = 0, piece = n < PIECE_N ? n : PIECE_N;
        uint64_t began = thread_ns();
        kind_of(p)->write(p->server, (struct bytes){data, piece});
        count(p->joint, began);
        carry_out(p);
        for (size_t got = 0; got < piece; got += read)
            check(SSL_read_ex(p->client, data, sizeof(data), &read) == 1, "read");
        n -= piece;
    }
}

void joint_receive(struct joint_pair *p, size_t n)
{
    static uint8_t data[PIECE_N];
    struct buf out;
    buf_init(&out, PIECE_N);
    while (n) {
        size_t piece = n < PIECE_N ? n : PIECE_N;
        check(SSL_write(p->client, data, (int)piece) == (int)piece, "write");
        carry_in(p);
        while (buf_size(&out) < piece) {
            uint64_t began = thread_ns();
            kind_of(p)->read(p->server, &out);
            count(p->joint, began);
        }
        buf_clear(&out);
        n -= piece;
    }
    buf_fini(&out);
}
