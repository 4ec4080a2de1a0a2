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
 * Memory: inside its policy, whose owner has them go forward with the hours.
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
    bool has_previous; /* not before the first hour that they went forward to */
    struct ticket_key current, previous;
};

/* Those of the hour that P's ratchet is at. */
void ticket_keys_init(const struct tlspolicy *p);
/* Go forward to the hour of NOW_S, by the ratchet's clock, and forget those from two hours ago. A
 * time before changes nothing. */
void ticket_keys_advance(const struct tlspolicy *p, int64_t now_s);
/* P gives no more sessions and takes none: its keys become noise that nobody has. A handshake that
 * is under way ends as it would, with a ticket that opens nowhere. */
void ticket_keys_forget(const struct tlspolicy *p);
