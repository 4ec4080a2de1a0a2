/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash — running SHA-256 and SHA-384, HMAC (RFC 2104) and HKDF (RFC 5869), without allocation:
 * states are plain values that may be copied, which is how a transcript is read while it goes on.
 *
 * The compression functions are libcrypto's; the pads of an HMAC key are hashed once and kept.
 */
#pragma once

#include "base/bytes.h"

enum hash_kind { HASH_SHA256, HASH_SHA384 };

#define HASH_SIZE_MAX  48
#define HASH_STATE_MAX 216 /* libcrypto's SHA512_CTX */

/* 32 or 48 octets. */
size_t hash_size(enum hash_kind kind);

struct hash {
    enum hash_kind kind;
    _Alignas(8) uint8_t state[HASH_STATE_MAX];
};
void hash_init(struct hash *h, enum hash_kind kind);
void hash_add(struct hash *h, struct bytes data);
/* The digest of what was added so far; H goes on. Its size. */
size_t hash_peek(const struct hash *h, uint8_t out[HASH_SIZE_MAX]);
size_t hash_make(enum hash_kind kind, struct bytes data, uint8_t out[HASH_SIZE_MAX]);

/* A key with its pads hashed. Wipe it with hmac_key_wipe. */
struct hmac_key {
    struct hash inner, outer;
};
void hmac_key_init(struct hmac_key *k, enum hash_kind kind, struct bytes key);
void hmac_key_wipe(struct hmac_key *k);
/* HMAC of A and B one after the other. */
size_t hmac_make(
    const struct hmac_key *k, struct bytes a, struct bytes b, uint8_t out[HASH_SIZE_MAX]);

/* HKDF-Extract: SALT may be empty (zeros). */
void hkdf_extract(
    enum hash_kind kind, struct bytes salt, struct bytes secret, uint8_t out[HASH_SIZE_MAX]);
/* HKDF-Expand with the pseudorandom key as PRK; OUT_N <= 255 digests. */
void hkdf_expand(const struct hmac_key *prk, struct bytes info, uint8_t *out, size_t out_n);
