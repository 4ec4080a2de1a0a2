/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate_set — which of a server's certificates may be shown under a name: for each kind of
 * key one, so that the handshake can pick the kind that the client verifies.
 *
 * For a name and a kind of key it is the first certificate with that very name, else the first with
 * a wildcard for it. For any other name it is the default: the first certificate and, for other
 * kinds, the first that shares a name with it.
 *
 * Memory: borrows the credentials, which must outlive it.
 */
#pragma once

#include "pki/credential.h"

/* Kinds that can be held side by side: the curves of ECDSA are one kind to a ClientHello's suites
 * in TLS 1.2. */
enum certificate_set_kind { SET_RSA, SET_RSA_PSS, SET_ECDSA, SET_ED25519, SET_KIND_COUNT };

struct certificate_set {
    const struct credential *by_kind[SET_KIND_COUNT]; /* NULL: none */
};

struct certificate_sets;

/* At least one credential; all have keys of supported kinds. */
struct certificate_sets *certificate_sets_new(
    const struct credential *const *credentials, size_t n);
void certificate_sets_free(struct certificate_sets **s);

size_t certificate_sets_count(const struct certificate_sets *s);
/* I < count; 0 is the default. */
const struct certificate_set *certificate_sets_at(const struct certificate_sets *s, size_t i);
/* The index of the set for HOST_NAME as a client sent it (empty: none sent); case and a trailing
 * dot do not count. */
size_t certificate_sets_find(const struct certificate_sets *s, struct bytes host_name);
