/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict_cache — verdicts on chains that were judged before, so that a peer who comes again costs
 * a hash and a look-up.
 *
 * What is remembered is only what a chain is worth to one policy; that the peer holds the private
 * key is proved in every handshake. A cache belongs to a policy and dies with it, hence with its
 * anchors and revocation data. The key is a digest of everything else that a verdict depends on,
 * except time: so an entry holds no longer than the first certificate, CRL or OCSP answer in it,
 * and never for an earlier time than it was made at.
 *
 * Refusals are kept apart, fewer of them, and not for long: whoever makes up bad chains pushes out
 * nobody's acceptance.
 *
 * Memory: bounded by the constants below; an entry holds references of the certificates in its
 * verdict. Threads: one. A look-up costs the same whatever is remembered.
 */
#pragma once

#include "pki/verdict.h"

#define VERDICT_CACHE_ACCEPTED  1024
#define VERDICT_CACHE_REFUSED   64
#define VERDICT_CACHE_REFUSED_S 60 /* a refusal holds at most so long */
#define VERDICT_CACHE_KEY_SIZE  32

struct verdict_cache;

struct verdict_cache *verdict_cache_new(void) MUST_USE;
void verdict_cache_free(struct verdict_cache **c);

/* The verdict kept under KEY, if it holds at NOW_S. OUT is initialised then, and released with
 * verdict_fini. */
bool verdict_cache_find(struct verdict_cache *c, const uint8_t key[VERDICT_CACHE_KEY_SIZE],
    int64_t now_s, struct verdict *out);
/* Keep V, which was judged at NOW_S and holds until V->holds_until_s. */
void verdict_cache_keep(struct verdict_cache *c, const uint8_t key[VERDICT_CACHE_KEY_SIZE],
    int64_t now_s, const struct verdict *v);
