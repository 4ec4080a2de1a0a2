/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite — the cipher suites that we implement, and which of those offered by a client is taken.
 *
 * Suites are ranked by policy; within a rank the client's order decides. Suites without forward
 * secrecy (RSA key transport) rank behind all others whatever the preference.
 */
#pragma once

#include "base/bytes.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "tls/tlspolicy.h"

#define SUITE_MAX 11 /* how many we implement */

/* What the certificate of a server that uses a suite of TLS 1.2 has to have. */
enum suite_key {
    SUITE_KEY_ANY, /* TLS 1.3: the suite says nothing about it */
    SUITE_KEY_RSA,
    SUITE_KEY_EC /* ECDSA or Ed25519 (RFC 8422 §5.1.1) */
};

struct suite {
    uint16_t id;
    const char *name; /* as libssl calls it */
    uint16_t version; /* TLS_1_2 or TLS_1_3: suites of one version do not exist in the other */
    unsigned bits;    /* of the cipher's key */
    bool is_aes;
    bool is_rsa_kx; /* RSA key transport (RFC 5246 §7.4.7.1) */
    enum suite_key key;
    enum aead_kind aead;
    enum hash_kind hash; /* of the transcript and the key schedule, or of the PRF */
};

/* Which of our suites a policy allows. */
struct suite_choice {
    uint16_t version;
    enum tlspolicy_preference preference;
    bool key_exchange_rsa, key_exchange_rsa_only;
};

/* An ordered selection of our suites. */
struct suite_list {
    const struct suite *at[SUITE_MAX];
    size_t n;
};

/* The suites of CHOICE in our own order, best first. */
struct suite_list suite_list_own(struct suite_choice choice);
/* Those of them that OFFERED (a ClientHello's cipher_suites: two bytes each) names, in the order in
 * which we take them from this client. */
struct suite_list suite_list_sorted(struct suite_choice choice, struct bytes offered);
/* Would both lists choose the same among the suites of B? True if B is A without some of its
 * elements. */
bool suite_list_agrees(const struct suite_list *a, const struct suite_list *b);
/* The list as libssl takes it, "A:B:C". */
#define SUITE_TEXT_MAX 512
void suite_list_text(const struct suite_list *l, char text[SUITE_TEXT_MAX]);

/* RFC 8701: numbers that mean nothing and must be ignored. */
static inline bool suite_is_grease(uint16_t id)
{
    return (id & 0x0f0f) == 0x0a0a && id >> 8 == (id & 0xff);
}
