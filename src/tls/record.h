/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record — the record layer of one direction (RFC 8446 §5, RFC 5246 §6.2, RFC 5288, RFC 7905):
 * framing, protection in place, sequence numbers, limits. Knows nothing of handshakes.
 *
 * An expanded key is made when it is needed and let go by record_rest, so that an idle connection
 * keeps the raw key only.
 */
#pragma once

#include "base/buf.h"
#include "crypto/aead.h"

#define RECORD_HEADER_SIZE   5
#define RECORD_PLAIN_MAX     16384                    /* 2^14, RFC 8446 §5.1 */
#define RECORD_PROTECTED_MAX (RECORD_PLAIN_MAX + 256) /* TLS 1.3, §5.2 */
#define RECORD_OVERHEAD_MAX  (RECORD_HEADER_SIZE + 8 + AEAD_TAG_SIZE + 1)

/* ContentType. */
enum record_type {
    RECORD_CHANGE_CIPHER_SPEC = 20,
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    RECORD_APPLICATION_DATA = 23
};

/* How a direction is protected. */
enum record_format {
    RECORD_PLAIN,
    RECORD_TLS12_GCM,      /* explicit nonce of 8 octets (RFC 5288 §3) */
    RECORD_TLS12_CHACHA20, /* nonce from the sequence number (RFC 7905 §2) */
    RECORD_TLS13           /* nonce from the sequence number, inner content type (RFC 8446 §5.2) */
};

struct record_keys {
    enum record_format format;
    enum aead_kind kind;
    uint8_t key[AEAD_KEY_MAX];
    uint8_t iv[AEAD_NONCE_SIZE]; /* TLS12_GCM: the first 4 octets */
};

struct record_layer {
    struct record_keys keys;
    struct aead *aead; /* expanded, or NULL */
    uint64_t sequence; /* of the next record */
    /* Minor version in the very first record, if it is plain: 1 for an initial ClientHello (RFC
     * 8446 §5.1), else 3 as in all others. */
    uint8_t first_minor;
    size_t
        plain_max; /* content of a protected record: 16384, less by record_size_limit (RFC 8449) */
};

void record_init(struct record_layer *l);
/* From the next record on. KEYS is copied; wipe yours. */
void record_set_keys(struct record_layer *l, const struct record_keys *keys);
/* Nothing flows: let the expanded key go. */
void record_rest(struct record_layer *l);
/* Wipes. */
void record_fini(struct record_layer *l);

/* A record that was taken off the wire. */
struct record {
    enum record_type type; /* the inner one, where there is one */
    struct bytes content;
};
enum record_status {
    RECORD_OK,
    RECORD_NEEDS_MORE, /* the record is not complete */
    RECORD_BAD,        /* fatal: *ALERT tells */
};
/* Take the first record of WIRE: opened in place; *USED octets are the record's, to be consumed by
 * the caller when it has done with CONTENT. *ALERT: unexpected_message for a type that there is
 * not, record_overflow, bad_record_mac, decode_error, protocol_version for a first record that is
 * no TLS. An unprotected change_cipher_spec of TLS 1.3 (RFC 8446 D.4) is given as it is. */
enum record_status record_take(struct record_layer *l, uint8_t *wire, size_t wire_n,
    struct record *out, size_t *used, uint8_t *alert) MUST_USE;

/* Append CONTENT to OUT as records of TYPE, as few as it takes, sealed in place there. Returns how
 * many octets of CONTENT were taken: as many as OUT has room for, of which RESERVE octets are left.
 */
size_t record_put(struct record_layer *l, enum record_type type, struct bytes content,
    struct buf *out, size_t reserve) MUST_USE;
/* How much content record_put would take. */
size_t record_room(const struct record_layer *l, const struct buf *out, size_t reserve);

/* RFC 8446 §5.5, RFC 9147 B: records sealed or opened under one key so far against what AES-GCM
 * bears (2^24.5, taken as 2^24): true when it is time for a KeyUpdate. */
bool record_wants_new_key(const struct record_layer *l);
