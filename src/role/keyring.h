/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring — what the signer does, without a process around it: it has the keys of each generation,
 * and answers the workers' requests (tls/signing.h), whose octets may be anything.
 *
 * A request is done only if it is a well-formed part of a handshake, for a key of that generation
 * that may do it, and within the ceiling of that worker and key. Reads no clock.
 */
#pragma once

#include "base/error.h"
#include "tls/signing.h"

/* Signatures a second and worker with one key: many times what a worker's core can use in
 * handshakes of its own. */
#define KEYRING_CEILING 20000
/* Whoever asks has a number: workers theirs, and control, whose health checks are a client's, the
 * last. */
#define KEYRING_WORKERS_MAX 257
#define KEYRING_CONTROL     256

struct keyring;

struct keyring *keyring_new(void) MUST_USE;
/* Wipes the keys. */
void keyring_free(struct keyring **k);
/* Have the keys of a store (role/key_store.h) under its generation's NUMBER, in place of what was
 * there; the store is not needed afterwards. */
void keyring_add(struct keyring *k, uint64_t number, struct bytes store);
/* Nobody needs them any more: they are wiped. */
void keyring_remove(struct keyring *k, uint64_t number);
/* Of all generations. */
size_t keyring_keys(const struct keyring *k);

void keyring_answer(struct keyring *k, unsigned worker, struct bytes request, uint64_t now_ms,
    struct signing_answer *out);
