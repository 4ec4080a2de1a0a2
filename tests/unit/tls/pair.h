/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair — what the tests of tls/ share: credentials made on the spot, two ends joined in memory, and
 * a client that is libssl itself, for what our own client would never do.
 */
#pragma once

#include <openssl/ssl.h>

#include "tls/tlsconn.h"

/* Any moment: the engine reads no clock for what we test with it. */
#define NOW_S  INT64_C(1800000000)
#define HOUR_S 3600

/* A self-signed credential. NAMES: DNS names separated by commas, or "". */
struct credential *pair_credential(enum key_kind kind, const char *names);
/* Takes DER of OCSP or whatever stands for it. */
void pair_staple(struct credential *c, const char *ocsp);
void pair_credential_free(struct credential **c);

/* That of the environment variable SALLYPORT_TEST_ENGINE: the tests run on both. */
enum tlspolicy_engine pair_engine(void);

/* A policy with usual values for both versions; the test changes what it is about. */
struct tlspolicy_config pair_config(
    enum tlspolicy_role role, const struct credential *const *credentials, size_t n);
struct tlspolicy *pair_policy(const struct tlspolicy_config *config);

/* One end: the connection and what its handler was asked, and answers. */
struct end {
    struct tlsconn *c;
    const struct tlspolicy *policy; /* what choose answers */
    uint8_t answer;                 /* what judge answers */
    unsigned judged;                /* how often it was asked */
    size_t chain_n;                 /* of how many certificates */
    char leaf[64];                  /* subject of the first */
    unsigned chosen;                /* how often choose was asked */
    char sni[300];
    bool has_sni;
    uint8_t sent[64], received[64]; /* types of messages that passed, in order */
    size_t sent_n, received_n;
    struct tlsconn_session *session; /* client: the last that it was given; owned */
    unsigned sessions_n;             /* how many that were */
    unsigned resumed;                /* how often it was told that an answer had come */
    int64_t now_s;
    enum tlsconn_status status; /* of the last tlsconn_handshake */
};

void end_server(struct end *e, const struct tlspolicy *policy);
void end_client(struct end *e, const struct tlspolicy *policy, const char *server_name);
void end_free(struct end *e);
/* Did a message of this type pass? */
bool end_has_sent(const struct end *e, uint8_t type);

/* Hand over all that waits in FROM's wire_out. Returns how much. */
size_t pair_carry(struct end *from, struct end *to);
/* Handshake until both ends are done or stuck. */
void pair_handshake(struct end *client, struct end *server);

/* A libssl client with defaults that accept anything, at security level 0. */
struct raw {
    SSL *ssl;
    int alert;            /* fatal alert received; -1: none */
    SSL_SESSION *session; /* the last ticket received; owned */
    bool is_done;         /* handshake complete */
};
SSL_CTX *raw_context(uint16_t version_min, uint16_t version_max);
/* Fatal alerts that connections of CTX receive are noted in their struct raw. */
void raw_watch(SSL_CTX *ctx);
void raw_new(struct raw *r, SSL_CTX *ctx, const char *server_name, SSL_SESSION *resume);
void raw_free(struct raw *r);
/* As libssl spells them, "A:B". False if it takes none of them. */
bool raw_set_schemes(struct raw *r, const char *schemes);
bool raw_set_groups(struct raw *r, const char *groups);
/* Go on with the handshake, and read what comes after it. */
void raw_advance(struct raw *r);
void raw_handshake(struct raw *r, struct end *server);
/* The raw client's first flight, appended to OUT. */
void raw_hello(struct raw *r, struct buf *out);

/* Feed bytes to E and let it go on with its handshake. */
void end_feed(struct end *e, struct bytes data);
