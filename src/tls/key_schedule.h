/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_schedule — from shared secrets to traffic keys in TLS 1.3 (RFC 8446 §7); TLS 1.2 has
 * tls/prf.h.
 *
 * Memory: secrets are plain values inside their owner, which wipes them (mem_wipe).
 */
#pragma once

#include "crypto/hash.h"
#include "tls/record.h"
#include "tls/suite.h"

struct secret {
    enum hash_kind hash;
    uint8_t at[HASH_SIZE_MAX]; /* hash_size octets of it */
};

/* Early Secret, Handshake Secret, Master Secret one after another: the state of §7.1's schedule. */
struct key_schedule {
    enum hash_kind hash;
    bool is_constant;        /* the Early Secret without PSK: the same in every handshake */
    struct hmac_key current; /* otherwise: the secret, its pads hashed */
};

/* The digest of nothing: the transcript that some derivations have. */
struct bytes key_schedule_nothing(enum hash_kind hash);
/* Early Secret from PSK. Empty: there is none, so nothing but key_schedule_next will be asked. */
void key_schedule_start(struct key_schedule *s, enum hash_kind hash, struct bytes psk);
/* Mix in the (EC)DHE secret (Handshake Secret), then nothing (Master Secret). */
void key_schedule_next(struct key_schedule *s, struct bytes input);
/* Derive-Secret(current, LABEL, transcript hash). */
void key_schedule_derive(const struct key_schedule *s, const char *label,
    struct bytes transcript_hash, struct secret *out);
/* HKDF-Expand-Label(SECRET, LABEL, CONTEXT, OUT_N). */
void key_schedule_expand(const struct secret *secret, const char *label, struct bytes context,
    uint8_t *out, size_t out_n);
/* Traffic keys (§7.3). */
void key_schedule_keys(
    const struct secret *traffic, const struct suite *suite, struct record_keys *out);
/* What a handshake traffic secret is for: traffic keys, and finished_key (§4.4.4). */
struct handshake_traffic {
    struct record_keys keys;
    struct secret finished;
};
void key_schedule_handshake_traffic(
    const struct secret *traffic, const struct suite *suite, struct handshake_traffic *out);
/* The next generation (§7.2), in place. */
void key_schedule_update(struct secret *traffic);
/* verify_data (§4.4.4) by finished_key. */
size_t key_schedule_finish(
    const struct secret *finished, struct bytes transcript_hash, uint8_t out[HASH_SIZE_MAX]);
/* The same by the secret that finished_key derives from: a traffic secret, or the key of a PSK
 * binder (§4.2.11.2). */
size_t key_schedule_verify_data(
    const struct secret *base, struct bytes transcript_hash, uint8_t out[HASH_SIZE_MAX]);
