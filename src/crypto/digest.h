/* SPDX-License-Identifier: Apache-2.0 */
/* digest — SHA-256, HKDF (RFC 5869), random bytes and constant-time comparison, over libcrypto. */
#pragma once

#include "base/bytes.h"

#define SHA256_SIZE 32

/* SHA-1 is here because OCSP names certificates and keys by it (RFC 6960 §4.1.1, §4.2.1): an
 * identifier, never proof of anything. */
enum digest_kind { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
#define DIGEST_SIZE_MAX 64

/* Returns the size of the digest. */
size_t digest_make(enum digest_kind kind, struct bytes data, uint8_t out[DIGEST_SIZE_MAX]);
void digest_sha256(struct bytes data, uint8_t out[SHA256_SIZE]);

/* SHA-256 of several pieces; each piece is preceded by its length (64-bit big-endian), so that
 * pieces cannot run together. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *d, struct bytes piece);
/* Frees D and sets the pointer to NULL. */
void digest_finish(struct digest **d, uint8_t out[SHA256_SIZE]);

/* HMAC (RFC 2104) in one go; the size of the code. HMAC-SHA1 is here for requests to the control
 * API in the cloud's older style. OUT may be where KEY is. */
size_t digest_hmac(
    enum digest_kind kind, struct bytes key, struct bytes data, uint8_t out[DIGEST_SIZE_MAX]);

/* HKDF-SHA256 extract-and-expand. */
void digest_hkdf(
    struct bytes secret, struct bytes salt, struct bytes info, uint8_t *out, size_t out_n);

void random_fill(uint8_t *out, size_t n);
bool constant_time_equal(const uint8_t *a, const uint8_t *b, size_t n);

/* Base64 (RFC 4648 §4) of DATA into OUT, which has room for base64_size(data.n) bytes; returns the
 * length. No NUL. */
static inline size_t base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}
size_t base64_encode(struct bytes data, char *out);
/* The other way: into OUT, which has room for text.n bytes; -1 where TEXT is not base64. */
int base64_decode(struct bytes text, uint8_t *out, size_t *out_n);
