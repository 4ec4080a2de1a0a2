/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead — AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), in place: AES-GCM by
 * libIPSec_MB where the CPU has what it wants, else by libcrypto.
 *
 * An expanded key takes kilobytes and less than a microsecond to make: whoever is idle frees it and
 * keeps the raw key.
 */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

#define AEAD_KEY_MAX    32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE   16

enum aead_kind { AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305 };

size_t aead_key_size(enum aead_kind kind);

struct aead; /* an expanded key */

/* KEY has aead_key_size octets. */
struct aead *aead_new(enum aead_kind kind, const uint8_t *key) MUST_USE;
/* Wipes. NULL is fine. */
void aead_free(struct aead **a);

/* Encrypt N octets at DATA in place; TAG gets AEAD_TAG_SIZE octets (usually DATA + N). */
void aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad, uint8_t *data,
    size_t n, uint8_t *tag);
/* Decrypt in place. False if TAG is wrong: what stands at DATA is wiped then. */
bool aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes ad, uint8_t *data,
    size_t n, const uint8_t *tag) MUST_USE;

/* By whom AES-GCM is done here, for `sallyport status` and bench: "libIPSec_MB 1.3 (VAES)",
 * "libcrypto". */
const char *aead_implementation(void);
