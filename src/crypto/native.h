/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native — the seam between our handles and libcrypto's objects, for crypto/ itself and the libssl
 * engine, the only one outside crypto/ that may include <openssl/…>.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/private_key.h"
#include "crypto/public_key.h"

/* libcrypto's object of a certificate in DER, which the caller frees. NULL if libcrypto cannot read
 * it, or reads it as something else than all of DER. */
X509 *native_x509(struct bytes der);
/* Why libcrypto's last call failed, in its words (static text); empties its error queue. */
const char *native_reason(void);

/* KEY may be NULL. */
enum key_kind private_key_kind_of(const EVP_PKEY *key);
/* Takes over KEY, also on failure. NULL if its kind is not supported (ERR). */
struct private_key *private_key_from_pkey(EVP_PKEY *key, struct error *err) MUST_USE;
/* Borrowed. */
EVP_PKEY *private_key_pkey(const struct private_key *k);

/* Of an algorithm that has a digest. */
int signature_digest_nid(enum signature_algorithm a);
const EVP_MD *signature_digest_md(enum signature_algorithm a);
