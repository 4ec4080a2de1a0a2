/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private_key — a private key, reference-counted. Where its bytes are parsed they are wiped by the
 * caller.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/public_key.h"

struct private_key;

/* PKCS#8, SEC 1 or PKCS#1, PEM or DER, unencrypted. -1 with the remedy: encrypted keys are named as
 * such, so is a certificate or PKCS#12 given in place of a key. */
struct private_key *private_key_parse(struct bytes file, struct error *err) MUST_USE;
struct private_key *private_key_ref(const struct private_key *k);
void private_key_unref(struct private_key **k);

enum key_kind private_key_kind(const struct private_key *k);
/* Is it the other half of the public key in SPKI (SubjectPublicKeyInfo, DER)? */
bool private_key_matches(const struct private_key *k, struct bytes spki);

/* A new key pair. RSA keys have 2048 bits. */
struct private_key *private_key_generate(enum key_kind kind, struct error *err) MUST_USE;
