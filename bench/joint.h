/* SPDX-License-Identifier: Apache-2.0 */
/*
 * joint — a server and a client of libssl joined by memory, for measuring what the server costs:
 * the processor's time is counted in its calls and nowhere else. The client is the same whatever
 * the server is.
 *
 * Clock: the thread's processor time. Errors: whatever goes wrong ends the program with a message.
 */
#pragma once

#include <openssl/ssl.h>

#include "server.h"

/* One CA, what it issued, and policies that trust it. */
struct joint_identities {
    struct credential server_ec, server_rsa, client;
    struct certificate_list ca;
    struct verify_policy cold, warm; /* judge clients; WARM remembers its verdicts */
};
void joint_identities_init(struct joint_identities *i);
void joint_identities_fini(struct joint_identities *i);

struct joint_plan {
    const struct server_kind *kind;
    struct server_plan server;
    const struct credential *client; /* NULL: one-way */
    uint16_t version;
    int group;         /* libcrypto's number of it */
    const char *suite; /* TLS 1.3; 1.2 has AES-256-GCM */
    bool is_resumed;
};

/* What is the same for all connections of a plan. */
struct joint {
    struct joint_plan plan;
    void *server;         /* its context */
    SSL_CTX *ctx;         /* the client's */
    SSL_SESSION *session; /* to be resumed */
    uint64_t spent_ns;    /* in the server, so far */
    int64_t now_s;
};
void joint_init(struct joint *j, const struct joint_plan *plan);
void joint_fini(struct joint *j);

/* A connection after its handshake; the server's part of it was counted. */
struct joint_pair {
    struct joint *joint;
    void *server;
    SSL *client;
};
void joint_open(struct joint_pair *p, struct joint *j);
/* The client goes, without a word. */
void joint_drop_client(struct joint_pair *p);
void joint_close(struct joint_pair *p);

/* N octets from the server (client) in records of 16 KiB, taken in by the client (server). */
void joint_send(struct joint_pair *p, size_t n);
void joint_receive(struct joint_pair *p, size_t n);
