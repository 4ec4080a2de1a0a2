/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket_keys — what the session tickets of a policy are sealed with.
 *
 *   S(hour) --ratchet--> S(hour + 1) …       the same in all workers; that of past hours is erased
 *   S(hour) --HKDF(binding)--> the keys of that hour and policy: they seal for an hour, open for
 * two
 *
 * So a ticket of another policy is but noise (CVE-2025-23419, CVE-2025-23048), and nothing is
 * stored.
 *
 * Memory: inside its policy. Derived at the first handshake of an hour.
 */
#pragma once

#include "crypto/aead.h"
#include "crypto/ratchet.h"

#define TICKET_NAME_SIZE 16

struct tlspolicy;

/* Each use has a key of its own. */
struct ticket_key {
    uint8_t name[TICKET_NAME_SIZE]; /* random-looking; stands in front of the ticket */
    uint8_t aead[AEAD_KEY_MAX];     /* AES-256-GCM: our own engine */
    uint8_t cipher[32], mac[32];    /* AES-256-CBC, HMAC-SHA256: libssl's */
};

struct ticket_keys {
    struct ratchet ratchet;
    bool is_derived;
    bool has_previous; /* not if the ratchet came from the present hour */
    struct ticket_key current, previous;
};

/* Those of P at NOW_S. If the clock goes back they stay as they are. */
const struct ticket_keys *ticket_keys_at(const struct tlspolicy *p, int64_t now_s);
