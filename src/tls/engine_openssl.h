/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_openssl — what the files of the libssl engine share: the policy as libssl contexts, and
 * its tickets.
 *
 * Private to engine_openssl*.c. libssl's types are named without their headers, so that this header
 * stands alone.
 */
#pragma once

#include "tls/certificate_set.h"
#include "tls/suite.h"
#include "tls/tlsconn.h"

struct ssl_st;     /* SSL */
struct ssl_ctx_st; /* SSL_CTX */

struct tlspolicy {
    enum tlspolicy_role role;
    uint16_t version_min, version_max;
    enum tlspolicy_preference preference;
    bool key_exchange_rsa, key_exchange_rsa_only;
    enum tlspolicy_peer peer;
    bool tickets;
    uint32_t session_lifetime_s;
    uint8_t binding[SHA256_SIZE]; /* the policy's hash, its versions and suites: what a session is
                                     bound to */
    uint8_t ticket_secret[32];
    uint8_t *alpn; /* as on the wire: each name preceded by its length */
    size_t alpn_n;
    const struct credential **credentials;
    size_t credentials_n;
    struct certificate_sets *sets; /* server */
    struct ssl_ctx_st **contexts;  /* server: one per set, in the same order; client: one */
    size_t contexts_n;
};

/* engine_openssl_policy.c */

/* The first context of a policy: what a connection starts with. */
struct ssl_ctx_st *policy_initial_context(const struct tlspolicy *p);
/* The rules for suites of VERSION under P. */
struct suite_choice policy_suite_choice(const struct tlspolicy *p, uint16_t version);
/* Put SSL, a server's that waits in its ClientHello callback, under P: the certificates for
 * HOST_NAME, and all that SSL_set_SSL_CTX leaves as it was when SSL was made. */
int policy_apply(const struct tlspolicy *p, struct ssl_st *ssl, struct bytes host_name) MUST_USE;
/* The credential whose leaf SSL shows. NULL: none. */
const struct credential *policy_credential(const struct tlspolicy *p, const struct ssl_st *ssl);

/* engine_openssl_ticket.c */

/* Let connections that begin with CTX issue and take tickets, each by the rules of its own policy.
 */
void ticket_install(struct ssl_ctx_st *ctx);

/* engine_openssl.c: the callbacks of a connection, and what the others need to know of it. */

void connection_install(struct ssl_ctx_st *ctx, enum tlspolicy_role role);
struct tlsconn *connection_of(const struct ssl_st *ssl);
const struct tlspolicy *connection_policy(const struct tlsconn *c);
/* The wall clock of the call that is in progress. */
int64_t connection_now_s(const struct tlsconn *c);
/* When the session that is being resumed was authenticated. */
int64_t connection_resumed_auth_s(const struct tlsconn *c);
void connection_set_resumed_auth_s(struct tlsconn *c, int64_t auth_s);
