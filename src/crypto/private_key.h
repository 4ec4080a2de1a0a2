/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private_key — a private key, reference-counted. Where its bytes are parsed they are wiped by the
 * caller.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "crypto/public_key.h"

struct private_key;

/* PKCS#8, SEC 1 or PKCS#1, PEM or DER, unencrypted. -1 with the remedy: encrypted keys are named as
 * such, so is a certificate or PKCS#12 given in place of a key. */
struct private_key *private_key_parse(struct bytes file, struct error *err) MUST_USE;
struct private_key *private_key_ref(const struct private_key *k);
void private_key_unref(struct private_key **k);

enum key_kind private_key_kind(const struct private_key *k);
/* Append its SubjectPublicKeyInfo (DER). -1 if OUT is full. */
int private_key_spki(const struct private_key *k, struct buf *out) MUST_USE;
/* Is it the other half of the public key in SPKI (SubjectPublicKeyInfo, DER)? */
bool private_key_matches(const struct private_key *k, struct bytes spki);

/* A new key pair. RSA keys have 2048 bits, and are for all that RSA does: nobody needs new ones for
 * RSASSA-PSS only. */
struct private_key *private_key_generate(enum key_kind kind, struct error *err) MUST_USE;

/* Sign MESSAGE with ALGORITHM; no larger RSA key is accepted than has its room. The signature's
 * size; 0 if libcrypto could not. OUT has room for PRIVATE_KEY_SIGNATURE_MAX octets. */
#define PRIVATE_KEY_SIGNATURE_MAX 1024
size_t private_key_sign(const struct private_key *k, enum signature_algorithm algorithm,
    struct bytes message, uint8_t out[PRIVATE_KEY_SIGNATURE_MAX]);
/* RSA key transport, the server's side (RFC 5246 §7.4.7.1): the premaster secret in CIPHERTEXT, or,
 * indistinguishably and in the same time, a random one, if it is not well formed or does not begin
 * with VERSION. */
void private_key_premaster(
    const struct private_key *k, struct bytes ciphertext, uint16_t version, uint8_t out[48]);
