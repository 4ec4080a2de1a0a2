/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native — the seam between our handles and libcrypto's objects, for crypto/ itself and the libssl
 * engine, the only one outside crypto/ that may include <openssl/…>.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/certificate.h"
#include "crypto/private_key.h"

/* Takes a reference of X. NULL if X is not acceptable (ERR). */
struct certificate *certificate_from_x509(X509 *x, struct error *err);
/* KEY may be NULL. */
enum key_kind private_key_kind_of(const EVP_PKEY *key);
/* Takes over KEY, also on failure. NULL if its kind is not supported (ERR). */
struct private_key *private_key_from_pkey(EVP_PKEY *key, struct error *err) MUST_USE;
/* Borrowed. */
X509 *certificate_x509(const struct certificate *c);
EVP_PKEY *private_key_pkey(const struct private_key *k);
