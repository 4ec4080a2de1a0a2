/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature_scheme — SignatureScheme (RFC 8446 §4.2.3) by one table: which key and algorithm each
 * means, and in which version it may sign a handshake.
 */
#pragma once

#include "crypto/public_key.h"
#include "pki/credential.h"

struct signature_scheme {
    uint16_t number; /* its name: tls/names.h */
    enum signature_algorithm algorithm;
    /* TLS 1.3: exactly this kind; 1.2: any curve for ECDSA (RFC 8422 §5.1.3). KEY_RSA_PSS: also
     * those that are for this digest alone. */
    enum key_kind key;
    bool in_tls13; /* may sign CertificateVerify there */
};

/* NULL: none of ours. */
const struct signature_scheme *signature_scheme_find(uint16_t number);
/* Ours in order of preference, as they go into signature_algorithms: 16-bit numbers. For TLS 1.2
 * alone, too. */
struct bytes signature_schemes_ours(void);
/* What is signed with: a key of KIND, in VERSION, by a scheme of OURS (16-bit numbers). KEY_BITS:
 * RSA-PSS with SHA-512 wants 1040 or more. */
struct signature_scheme_signer {
    uint16_t version;
    enum key_kind kind;
    unsigned key_bits;
    struct bytes ours;
};
/* The first scheme of OFFERED (the peer's list) that S can sign with; NULL: none. */
const struct signature_scheme *signature_scheme_choose(
    struct bytes offered, const struct signature_scheme_signer *s);
/* May the peer, with a key of KIND, have signed with scheme S in VERSION? */
bool signature_scheme_fits(const struct signature_scheme *s, uint16_t version, enum key_kind kind);
