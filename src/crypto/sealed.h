/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealed — octets that whoever has the public half of a sealing key can close, and only the holder
 * of its private half can open: HPKE in base mode (RFC 9180 §5.1.1, DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, AES-256-GCM), one message per encapsulation. The control process closes the private
 * keys that it is given with it, and cannot read them afterwards; the signer opens them.
 *
 * A sealed text is: SEALED_MAGIC ‖ enc (32 octets) ‖ ciphertext ‖ tag.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define SEALED_MAGIC     "sallyport sealed 1\n"
#define SEALING_KEY_SIZE 32 /* either half */

struct sealing_key {
    uint8_t public_half[SEALING_KEY_SIZE];
};

bool sealed_is(struct bytes content);
/* Close TEXT; INFO is bound to it (RFC 9180 §5.1), and given again to open it. */
int sealed_make(
    const struct sealing_key *key, struct bytes info, struct bytes text, struct buf *out) MUST_USE;
/* Append the text to OUT, whose owner wipes it. -1: it is not sealed by this key and INFO. */
int sealed_open(const uint8_t private_half[SEALING_KEY_SIZE], struct bytes info,
    struct bytes sealed, struct buf *out) MUST_USE;
void sealed_make_key(uint8_t private_half[SEALING_KEY_SIZE], struct sealing_key *out);
