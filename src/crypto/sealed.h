/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealed — octets that whoever has the public half of a sealing key can close, and only the holder
 * of its private half can open: HPKE in base mode (RFC 9180 §5.1.1), one message per encapsulation.
 * The control process closes the private keys that it is given with it, and cannot read them
 * afterwards; the signer opens them.
 *
 * The suite is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305: of those with 256-bit
 * keys the one over X25519 that RFC 9180 gives test vectors for (§A.2). A sealed text is:
 * SEALED_MAGIC ‖ enc (32 octets) ‖ ciphertext ‖ tag (16 octets); the magic is its associated data.
 */
#pragma once

#include "base/buf.h"

#define SEALED_MAGIC     "sallyport sealed 1\n"
#define SEALING_KEY_SIZE 32 /* either half */

struct sealing_key {
    uint8_t public_half[SEALING_KEY_SIZE];
};

bool sealed_is(struct bytes content);
/* Append TEXT, closed, to OUT; INFO is bound to it (RFC 9180 §5.1), and given again to open it. -1:
 * OUT has no room, or KEY is no public half of anything. */
int sealed_make(
    const struct sealing_key *key, struct bytes info, struct bytes text, struct buf *out) MUST_USE;
/* Append the text to OUT, whose owner wipes it. -1: it is not sealed for this key and INFO, or OUT
 * has no room. */
int sealed_open(const uint8_t private_half[SEALING_KEY_SIZE], struct bytes info,
    struct bytes sealed, struct buf *out) MUST_USE;
/* The public half of PRIVATE_HALF, for which any octets may stand (RFC 7748 §5): random ones are a
 * new key. */
void sealed_find_key(const uint8_t private_half[SEALING_KEY_SIZE], struct sealing_key *out);
