/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client — the connections of the load generator. Each does one operation at a time: it connects
 * and shakes hands if it has no connection, sends what is to be sent, and checks what comes back.
 *
 * Memory:  a client is embedded in an array that outlives it; client_fini frees what it holds.
 * Threads: one; all clients share one epoll instance.
 * Clock:   client_start is given the time from which the latency counts; the owner is told the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "base/error.h"

#define CLIENT_ECHO_BYTES 1024u /* of an echo operation */

enum fault {
    FAULT_NONE,
#define X(symbol, name) FAULT_##symbol,
#include "fault.def"
#undef X
    FAULT_COUNT
};

enum reuse {
    REUSE_NOTHING, /* a full handshake each time */
    REUSE_SESSION, /* a new connection each time, resumed */
    REUSE_CONNECTION
};

/* What all clients do; immutable once they run. */
struct plan {
    struct sockaddr_storage address;
    socklen_t address_n;
    const char *name; /* SNI and Host */
    enum reuse reuse;
    bool is_echo;            /* CLIENT_ECHO_BYTES there and back, and not a GET */
    uint64_t body_bytes;     /* of the answer to a GET */
    int version;             /* TLS1_2_VERSION | TLS1_3_VERSION */
    const char *suite;       /* its OpenSSL name */
    const char *group;       /* "X25519", "P-256" */
    const char *certificate; /* file, or NULL: none is shown */
    const char *key;
};

struct client;
/* The operation of C has ended, well or with FAULT (and a sentence in c->detail). */
typedef void client_done_fn(struct client *c, enum fault fault, void *owner);

/* What the clients share. */
struct client_pool {
    const struct plan *plan;
    SSL_CTX *ctx;
    int epoll;
    client_done_fn *done;
    void *owner;
    char name[256]; /* that of the plan; libssl wants it writable */
    char request[CLIENT_ECHO_BYTES];
    size_t request_n;
};

struct client {
    struct client_pool *pool;
    int fd; /* -1: no connection */
    uint32_t interest;
    SSL *ssl;
    SSL_SESSION *session; /* the newest that may be resumed, or NULL */
    uint64_t began_us;
    bool is_busy;
    bool is_opened_before; /* so it has a session, if the server gives any */
    bool is_shaken;        /* the handshake is complete and was checked */
    bool is_sent;          /* the request is */
    bool is_lost;          /* the server ended the connection between two operations */
    bool is_resuming;      /* a session was offered */
    bool was_asked;        /* for a certificate */
    bool has_head;         /* the head of the response is complete */
    size_t head_n;         /* bytes of it, or of the echo, in `head` */
    uint64_t body_left;    /* after the head */
    char head[4096];
    char detail[160]; /* of the last fault */
};

/* Make the context of PLAN, and an epoll instance. POOL's other members are set by the caller. */
int client_pool_init(struct client_pool *pool, const struct plan *plan, struct error *err);
void client_pool_fini(struct client_pool *pool);

void client_init(struct client *c, struct client_pool *pool);
void client_fini(struct client *c);

/* Begin an operation whose latency counts from BEGAN_US; C must not be busy. It may end at once. */
void client_start(struct client *c, uint64_t began_us);

/* Go on with C, of which epoll reported something: `data.ptr` of the event is C. Between two
 * operations it notices that the connection has ended: c->is_lost. */
void client_ready(struct client *c);

const char *client_fault_name(enum fault fault);
