/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_share — an ephemeral key of a (elliptic-curve) Diffie-Hellman group, for one handshake (RFC
 * 8446 §4.2.8, RFC 8422 §5.4). A hybrid group would be a row more.
 *
 * Memory: the private half is wiped by key_share_free.
 */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

/* NamedGroup (RFC 8446 §4.2.7). */
enum key_share_group {
    GROUP_SECP256R1 = 0x0017,
    GROUP_SECP384R1 = 0x0018,
    GROUP_SECP521R1 = 0x0019,
    GROUP_X25519 = 0x001d
};

#define KEY_SHARE_PUBLIC_MAX 133 /* an uncompressed point of P-521 */
#define KEY_SHARE_SECRET_MAX 66

/* Do we know GROUP? */
bool key_share_is_known(uint16_t group);

struct key_share;
/* A fresh key pair of GROUP, which is known. */
struct key_share *key_share_new(uint16_t group) MUST_USE;
/* That of X25519 whose private half (RFC 7748 §5: any octets) is given: for keys that are kept. */
#define KEY_SHARE_X25519_SIZE 32 /* either half */
struct key_share *key_share_new_x25519(const uint8_t private_half[KEY_SHARE_X25519_SIZE]) MUST_USE;
void key_share_free(struct key_share **k);
uint16_t key_share_group(const struct key_share *k);
/* As it goes on the wire. */
struct bytes key_share_public(const struct key_share *k);
/* The shared secret with PEER's public half; its size in *N. False if PEER is not a public half of
 * the group (size, not on the curve, compressed), or X25519 gave zeros (RFC 8446 §7.4.2). */
bool key_share_derive(const struct key_share *k, struct bytes peer,
    uint8_t out[KEY_SHARE_SECRET_MAX], size_t *n) MUST_USE;
