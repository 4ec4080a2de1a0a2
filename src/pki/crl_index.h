/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl_index — how the index of a CRL lies in memory, for pki/crl*.c only.
 *
 * In the byte order of the machine: no index leaves it. It may begin at any address, so numbers are
 * copied in and out. Offsets count from its beginning; 0 is the head, so it stands for "absent".
 *
 *   head | octets of the facts | issuers | starts | values | owners | serials
 *
 * The entries lie bucket by bucket. A bucket goes from its start to that of the next one.
 */
#pragma once

#include "crypto/digest.h"
#include "pki/crl.h"

#define CRL_INDEX_MAGIC      0x31786564696c7263ull /* another layout gets another one */
#define CRL_INDEX_BUCKET     8                     /* entries, on average */
#define CRL_INDEX_SERIAL_MAX 64                    /* RFC 5280 §4.1.2.2 allows 20 */
#define CRL_INDEX_ISSUERS    65535

/* A value: minutes since 1950-01-01 above, the reason below. */
#define CRL_INDEX_REASON_BITS 4
#define CRL_INDEX_EPOCH_S     (-631152000ll)

struct crl_index_slice {
    uint32_t at, n;
};

enum crl_index_fact {
    CRL_INDEX_ISSUER,
    CRL_INDEX_AUTHORITY_KEY_ID,
    CRL_INDEX_NUMBER,
    CRL_INDEX_BASE_NUMBER,
    CRL_INDEX_DISTRIBUTION_POINT,
    CRL_INDEX_UNKNOWN_CRITICAL,
    CRL_INDEX_SIGNATURE,
    CRL_INDEX_SIGNED, /* the digest of what is signed; for Ed25519 that itself */
    CRL_INDEX_FACTS
};

struct crl_index_head {
    uint64_t magic, size, seed, issuer_hash;
    int64_t this_update, next_update;
    struct crl_index_slice facts[CRL_INDEX_FACTS];
    uint32_t entries, buckets, serial_size;
    uint32_t issuers; /* of certificates, in an indirect CRL: slices, the CRL's own issuer first.
                         Each entry then has a 16-bit owner: which of them. Else 0 */
    uint32_t issuers_at, starts_at, values_at, owners_at, serials_at;
    uint32_t signature_algorithm, scope, only_some_reasons;
    uint8_t has_distribution_point, is_indirect, has_negative, padding[5];
    uint8_t digest[SHA256_SIZE]; /* of the CRL in DER */
};

/* SERIAL (content octets) as an index with SERIAL_SIZE octets for each has it: right-aligned,
 * without the zero octet in front unless some are negative. False: too long to be in the index. */
bool crl_index_serial(
    struct bytes serial, uint32_t serial_size, bool has_negative, uint8_t *out) MUST_USE;
/* Of an issuer that others may choose: SEED makes collisions hard to find. */
uint64_t crl_index_hash(uint64_t seed, struct bytes b);
/* The bucket of the entry for SERIAL (serial_size octets, as above) by ISSUER (its dn_hash; 0
 * unless the CRL is indirect). */
uint32_t crl_index_bucket(
    const struct crl_index_head *h, const uint8_t *serial, uint64_t issuer_hash);
