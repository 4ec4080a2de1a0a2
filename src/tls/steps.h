/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps — the numbered steps of one-way (five) and mutual (nine) authentication, as they are
 * explained to people, each with what corresponds to it in the handshake that just took place.
 *
 * The table is here; the evidence is only what messages on the wire said (steps_see is given each
 * of them), seen from the client (`sallyport connect`) or from the server (a worker).
 */
#pragma once

#include "pki/verdict.h"
#include "tls/tlsconn.h"

#define STEPS_MAX 9

/* What was read from the messages. Zeroed at the start. */
struct steps_seen {
    bool by_server;    /* what is sent is the server's; else the client's */
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

/* What the evidence shows of a certificate. Zeroed: there is none. */
struct steps_certificate {
    char subject[84], sha256[17]; /* as much as is shown */
    enum key_kind key_kind;
    unsigned key_bits;
};
void steps_describe(struct steps_certificate *out, const struct certificate *c);

/* What the evidence shows of a verdict. Zeroed: nobody judged. */
struct steps_verdict {
    bool is_judged, accepted;
    enum reason reason;
    enum factor_result factors[FACTOR_COUNT];
};
void steps_note_verdict(struct steps_verdict *out, const struct verdict *v);

/* A handshake as one side knows it: its own verdict on the peer, and what the peer's messages say
 * about the peer's. */
struct steps_handshake {
    struct steps_seen seen;
    bool key_exchange_rsa;
    struct steps_certificate server, client;
    struct steps_verdict verdict; /* ours on the peer */
    uint8_t alert;                /* that the peer sent, fatal; 0: none */
    bool has_answer;              /* client: the server sent application data after the handshake */
    bool has_close;               /* client: the server answered our close_notify with its own */
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

/* Did the server ask for a certificate, and did the client show one (or was refused for showing
 * none)? */
bool steps_is_mutual(const struct steps_handshake *h);
/* The steps that took place, from 1 on without a gap; returns how many. */
size_t steps_list(const struct steps_handshake *h, struct step out[STEPS_MAX]);
struct json;
/* The same as a JSON array. */
void steps_write(const struct steps_handshake *h, struct json *j, const char *key);
const char *steps_wire_name(enum steps_wire w);
