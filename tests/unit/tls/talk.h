/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk — somebody who says handshake messages to a machine in any order, each of them right as
 * such: signatures, Finished and records are made with the true secrets, over whatever was said
 * before; and all that there is to say, to a certain length.
 *
 * Only the sequences that the test names may open the connection, and only then is there
 * application data.
 */
#pragma once

#include "side.h"

struct talk {
    struct side side; /* who is talked to */
    struct record_layer seal;
    const struct credential *credential; /* of who talks */
    bool is_tls13;
    bool has_keys; /* SEAL has those of the application */
};

typedef void talk_fn(struct talk *t);
struct talk_word {
    char letter;
    talk_fn *say;
};

/* A record; a message. */
void talk_say(struct talk *t, enum record_type type, struct bytes content);
void talk_say_message(struct talk *t, enum message_type type, struct bytes body);
/* What follows is sealed with keys of TRAFFIC. */
void talk_use_traffic(struct talk *t, const struct secret *traffic);

/* What both roles say. */
void talk_certificate(struct talk *t);
void talk_no_certificate(struct talk *t);
void talk_verify(struct talk *t);
void talk_finished(struct talk *t);
void talk_change_cipher_spec(struct talk *t); /* TLS 1.2 */
void talk_key_update(struct talk *t);
void talk_data(struct talk *t); /* 'd' in every test */

#define TALK_LENGTH_MAX 12
struct talk_plan {
    talk_fn *begin; /* after side_start: up to where the first word is said */
    const struct talk_word *words;
    size_t words_n;
    const char *letters;         /* which of them */
    const char *const *openings; /* what opens the connection; NULL at the end */
    const char *ignored;         /* letters that may stand anywhere before */
    size_t length;               /* <= TALK_LENGTH_MAX */
};
/* Every sequence of up to LENGTH words; how many that were is printed. False: one did what it must
 * not, or none opened the connection. */
bool talk_walk(struct talk *t, const struct talk_plan *plan);
