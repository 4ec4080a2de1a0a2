/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps — the numbered steps of one-way (five) and mutual (nine) authentication, as they are
 * explained to people, each with what corresponds to it in the handshake that just took place.
 *
 * The table is here; the evidence is only what messages on the wire said (steps_see is given each
 * of them).
 */
#pragma once

#include "pki/verdict.h"
#include "tls/tlsconn.h"

#define STEPS_MAX 9

/* What was read from the messages. Zeroed at the start. */
struct steps_seen {
    unsigned messages; /* set of which ones, see steps.c */
    uint16_t version, suite;
    size_t suites_offered;
    uint16_t versions_offered[4];
    size_t versions_offered_n;
    uint8_t client_random[4], server_random[4]; /* their first octets */
    size_t server_certificates, client_certificates;
    size_t key_exchange_size; /* of the secret or share in ClientKeyExchange */
    uint16_t group;           /* of the shares, from ServerKeyExchange or ServerHello */
    uint16_t exchange_scheme, server_scheme, client_scheme;
};

/* A handshake message passed. */
void steps_see(
    struct steps_seen *seen, enum tlsconn_message_direction direction, struct bytes message);

struct steps_handshake {
    struct steps_seen seen;
    const struct tlsconn_facts *tls;
    const struct verdict *peer;    /* on the server; NULL where it was never judged */
    const struct certificate *own; /* what we present, or NULL */
    uint8_t alert;                 /* that the server sent, fatal; 0: none */
    bool has_answer;               /* the server sent application data after the handshake */
};

enum steps_wire { STEPS_LITERAL, STEPS_EQUIVALENT, STEPS_NOT_ON_THE_WIRE };

struct step {
    unsigned number;
    const char *actor;
    const char *does;
    const char *message;
    enum steps_wire wire;
    char evidence[384];
};

/* Did the server ask for a certificate, and did we show one? */
bool steps_is_mutual(const struct steps_handshake *h);
/* The steps that took place, from 1 on without a gap; returns how many. */
size_t steps_list(const struct steps_handshake *h, struct step out[STEPS_MAX]);
const char *steps_wire_name(enum steps_wire w);
