/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile — a peer that knows all keys and keeps no rules: one of our own machines, whose messages
 * and records are changed as a tape says before they are protected.
 *
 * A message is changed before it goes into the peer's transcript: its Finished is right, and what
 * the other side tolerates leads further into the handshake. Records, and the order of messages in
 * them, are changed after it. Both happen in functions of the machine that the program is linked
 * around (-Wl,--wrap: see tests/fuzz/meson.build); the product has no part in it.
 *
 * Randomness is a sequence that the input begins: an input does the same each time.
 */
#pragma once

#include "tape.h"
#include "tls/side.h"

/* What goes through the functions that are wrapped. */
struct hostile {
    struct side *peer;   /* its messages are changed; NULL: nobody's */
    struct side *victim; /* what it sends is checked */
    struct tape *tape;
    bool wants_retry; /* the client's first hello has no share that the server knows */
    bool is_terse;    /* a server does not answer record_size_limit, which libssl does not know */
    unsigned fatal_alerts, closes; /* that the victim has sent */
    /* A record of the peer's that is late. */
    enum record_type held_type;
    size_t held_n;
};
extern struct hostile hostile;

/* All randomness begins with SEED from here on. */
void hostile_seed(uint8_t seed);
/* When both sides could talk: one thing more that the peer does, as the tape says. */
void hostile_say_more(void);
