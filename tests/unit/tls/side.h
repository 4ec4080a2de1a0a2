/* SPDX-License-Identifier: Apache-2.0 */
/*
 * side — a machine (tls/machine.h) whose pauses are answered on the spot: by its own key, and as
 * the test says for the verdict.
 */
#pragma once

#include "pair.h"
#include "tls/machine.h"
#include "tls/ticket_keys.h"

struct side {
    struct machine *m;
    const struct machine_role *role;
    struct tlspolicy policy;
    struct engine_native_policy native;
    struct ticket_keys ticket_keys;
    const struct credential *credentials[4];
    bool has_policy;                /* what choose answers */
    uint8_t answer;                 /* what judge answers */
    unsigned judged;                /* how often it was asked */
    size_t chain_n;                 /* of how many certificates */
    unsigned chosen;                /* how often choose was asked */
    bool is_broken;                 /* the key does not sign */
    uint8_t sent[64], received[64]; /* types of messages that passed, in order */
    size_t sent_n, received_n;
    struct tlsconn_session *session; /* client: the last that it was given; owned */
    unsigned sessions_n;             /* how many that were */
    int64_t now_s;
    enum machine_event event; /* of the last side_run */
};

/* A side with a policy of usual values, which the test may change before side_start. Up to 4
 * credentials. */
void side_init(struct side *s, const struct machine_role *role,
    struct credential *const *credentials, size_t n);
/* Begin, or begin anew with the same policy. */
void side_start(struct side *s);
void side_free(struct side *s);
/* Go on until somebody else has to act. */
enum machine_event side_run(struct side *s);
/* … with DATA in wire_in. */
enum machine_event side_feed(struct side *s, struct bytes data);
/* Hand over what waits in FROM's wire_out; how much that was. */
size_t side_carry(struct side *from, struct side *to);
/* Both go on until neither can. */
void side_meet(struct side *client, struct side *server);
/* libssl as a client: both go on until neither can. */
void side_handshake(struct raw *client, struct side *server);
/* What waits in wire_out to libssl, and let it go on. */
void side_deliver(struct side *s, struct raw *peer);
/* Has it failed for FAULT, with ALERT? What it did instead is printed. */
bool side_has_failed(const struct side *s, enum tlsconn_fault fault, uint8_t alert);

/* An extension of whatever number. */
void side_put_extension(struct wire_writer *w, uint16_t number, struct bytes body);
