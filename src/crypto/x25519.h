/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x25519 — keys of RFC 7748. All arithmetic is libcrypto's.
 *
 * Memory: a key is one allocation of libcrypto's, and wiped when it is freed. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define X25519_SIZE 32 /* of a public key, and of a secret */

struct x25519_key;

/* A fresh key, and its public half. Never NULL. */
struct x25519_key *x25519_generate(uint8_t public[X25519_SIZE]);
/* The key whose private half (any octets: RFC 7748 §5) is given. */
struct x25519_key *x25519_import(
    const uint8_t private_half[X25519_SIZE], uint8_t public[X25519_SIZE]);
void x25519_free(struct x25519_key **key);
/* The secret with PEER. False if it is all zeros: the peer contributed nothing (RFC 7748 §6.1). */
bool x25519_derive(
    struct x25519_key *key, const uint8_t peer[X25519_SIZE], uint8_t out[X25519_SIZE]);
