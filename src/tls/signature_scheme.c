/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/signature_scheme.h"

#include "base/attributes.h"
#include "tls/tlspolicy.h"
#include "tls/wire.h"

#include "base/ban.h"

/* What we offer and accept, best first: what is cheapest to verify among what is strong enough;
 * RSASSA-PKCS1-v1_5 last, which RFC 8446 §4.2.3 keeps for certificates and TLS 1.2. */
#define SCHEMES(X)                                             \
    X(0x04, 0x03, SIGNATURE_ECDSA_SHA256, KEY_EC_P256, true)   \
    X(0x08, 0x07, SIGNATURE_ED25519, KEY_ED25519, true)        \
    X(0x05, 0x03, SIGNATURE_ECDSA_SHA384, KEY_EC_P384, true)   \
    X(0x06, 0x03, SIGNATURE_ECDSA_SHA512, KEY_EC_P521, true)   \
    X(0x08, 0x04, SIGNATURE_RSA_PSS_SHA256, KEY_RSA, true)     \
    X(0x08, 0x05, SIGNATURE_RSA_PSS_SHA384, KEY_RSA, true)     \
    X(0x08, 0x06, SIGNATURE_RSA_PSS_SHA512, KEY_RSA, true)     \
    X(0x08, 0x09, SIGNATURE_RSA_PSS_SHA256, KEY_RSA_PSS, true) \
    X(0x08, 0x0a, SIGNATURE_RSA_PSS_SHA384, KEY_RSA_PSS, true) \
    X(0x08, 0x0b, SIGNATURE_RSA_PSS_SHA512, KEY_RSA_PSS, true) \
    X(0x04, 0x01, SIGNATURE_RSA_SHA256, KEY_RSA, false)        \
    X(0x05, 0x01, SIGNATURE_RSA_SHA384, KEY_RSA, false)        \
    X(0x06, 0x01, SIGNATURE_RSA_SHA512, KEY_RSA, false)

static const struct signature_scheme schemes[] = {
#define X(high, low, algorithm, key, in_tls13) {(high) << 8 | (low), algorithm, key, in_tls13},
    SCHEMES(X)
#undef X
};

static const uint8_t on_the_wire[] = {
#define X(high, low, algorithm, key, in_tls13) high, low,
    SCHEMES(X)
#undef X
};

const struct signature_scheme *signature_scheme_find(uint16_t number)
{
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (schemes[i].number == number)
            return &schemes[i];
    return NULL;
}

struct bytes signature_schemes_ours(void)
{
    return (struct bytes){on_the_wire, sizeof(on_the_wire)};
}

/* RFC 8446 §4.2.3: a scheme says what the key's OID is, in TLS 1.3 its curve, too. RFC 8422 §5.1.3:
 * in TLS 1.2 the curve is not part of the algorithm. */
static bool is_of(enum key_kind kind, const struct signature_scheme *s, uint16_t version)
{
    if (s->key == KEY_RSA_PSS)
        return public_key_kind_is_pss(kind);
    bool is_any_curve = version == TLS_1_2 && signature_form(s->algorithm) == FORM_ECDSA;
    return is_any_curve || s->key == kind;
}

bool signature_scheme_fits(const struct signature_scheme *s, uint16_t version, enum key_kind kind)
{
    return (s->in_tls13 || version == TLS_1_2) && is_of(kind, s, version) &&
           public_key_kind_signs(kind, s->algorithm);
}

/* RFC 8017 §9.1.1: hash, salt of its size and two octets have to fit. */
static bool has_room(const struct signature_scheme *s, unsigned key_bits)
{
    return signature_form(s->algorithm) != FORM_PSS ||
           key_bits / 8 >= 2 * signature_digest_size(s->algorithm) + 2;
}

static bool can_sign(const struct signature_scheme_signer *signer, const struct signature_scheme *s)
{
    return wire_contains_16(signer->ours, s->number) &&
           signature_scheme_fits(s, signer->version, signer->kind) && has_room(s, signer->key_bits);
}

const struct signature_scheme *signature_scheme_choose(
    struct bytes offered, const struct signature_scheme_signer *signer)
{
    uint16_t number;
    while (wire_take_16(&offered, &number)) {
        const struct signature_scheme *s = signature_scheme_find(number);
        if (s && can_sign(signer, s))
            return s;
    }
    return NULL;
}
