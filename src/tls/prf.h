/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prf — from a shared secret to traffic keys in TLS 1.2: the pseudorandom function of RFC 5246 §5
 * (RFC 7627: what it is fed with); TLS 1.3 has tls/key_schedule.h.
 */
#pragma once

#include "crypto/hash.h"
#include "tls/record.h"
#include "tls/suite.h"

#define MASTER_SECRET_SIZE 48
#define VERIFY_DATA_SIZE   12

/* A label, then A and B. */
struct prf_seed {
    const char *label;
    struct bytes a, b;
};
void prf_make(
    enum hash_kind hash, struct bytes secret, struct prf_seed seed, uint8_t *out, size_t out_n);
/* The same with the pads of the secret hashed. */
void prf_expand(const struct hmac_key *secret, struct prf_seed seed, uint8_t *out, size_t out_n);
/* What either side writes with. */
struct prf_keys {
    struct record_keys client, server;
};
/* RFC 5246 §6.3. */
void prf_keys_make(const struct suite *suite, const struct hmac_key *master,
    const uint8_t client_random[32], const uint8_t server_random[32], struct prf_keys *out);
