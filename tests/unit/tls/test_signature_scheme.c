/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "test.h"
#include "tls/names.h"
#include "tls/signature_scheme.h"
#include "tls/tlspolicy.h"
#include "tls/wire.h"

#include "base/ban.h"

#define ECDSA_SHA256 0x0403
#define ECDSA_SHA512 0x0603
#define PSS_SHA256   0x0804
#define PSS_SHA512   0x0806
#define PKCS1_SHA256 0x0401
#define ED25519      0x0807
#define ONLY_SHA256  0x0809 /* rsa_pss_pss_sha256 */
#define ONLY_SHA512  0x080b

TEST(all_that_we_offer_has_a_row_and_a_name)
{
    struct bytes ours = signature_schemes_ours();
    uint16_t number;
    size_t n = 0;
    for (; wire_take_16(&ours, &number); n++) {
        const struct signature_scheme *s = signature_scheme_find(number);
        CHECK(s && s->number == number);
        CHECK(*names_signature_scheme(number));
    }
    CHECK_INT(n, 13);
    CHECK_INT(ours.n, 0);
    CHECK(!signature_scheme_find(0x0201)); /* rsa_pkcs1_sha1 */
    CHECK(!signature_scheme_find(0x0203)); /* ecdsa_sha1 */
}

TEST(what_fits_which_key_and_version)
{
    static const struct {
        uint16_t number, version;
        enum key_kind kind;
        bool fits;
    } cases[] = {
        {ECDSA_SHA256, TLS_1_3, KEY_EC_P256, true},
        {ECDSA_SHA256, TLS_1_3, KEY_EC_P384, false}, /* RFC 8446 §4.2.3: the curve is part of it */
        {ECDSA_SHA256, TLS_1_2, KEY_EC_P384, true}, {ECDSA_SHA512, TLS_1_2, KEY_EC_P256, true},
        {ECDSA_SHA256, TLS_1_2, KEY_ED25519, false}, {ECDSA_SHA256, TLS_1_2, KEY_RSA, false},
        {ED25519, TLS_1_2, KEY_ED25519, true}, {ED25519, TLS_1_2, KEY_EC_P256, false},
        {ED25519, TLS_1_3, KEY_ED25519, true}, {PSS_SHA256, TLS_1_3, KEY_RSA, true},
        {PSS_SHA256, TLS_1_2, KEY_RSA, true}, {PSS_SHA256, TLS_1_3, KEY_UNSUPPORTED, false},
        /* RFC 8446 §4.2.3: the OID of the key makes the difference, in TLS 1.2 as well. */
        {ONLY_SHA256, TLS_1_3, KEY_RSA, false}, {PSS_SHA256, TLS_1_3, KEY_RSA_PSS, false},
        {ONLY_SHA256, TLS_1_3, KEY_RSA_PSS, true}, {ONLY_SHA512, TLS_1_2, KEY_RSA_PSS, true},
        {ONLY_SHA256, TLS_1_3, KEY_RSA_PSS_SHA256, true},
        {ONLY_SHA512, TLS_1_3, KEY_RSA_PSS_SHA256, false},
        {ONLY_SHA512, TLS_1_2, KEY_RSA_PSS_SHA512, true},
        {PSS_SHA512, TLS_1_2, KEY_RSA_PSS_SHA512, false},
        {PKCS1_SHA256, TLS_1_2, KEY_RSA_PSS, false}, {ONLY_SHA256, TLS_1_3, KEY_ED25519, false},
        {PKCS1_SHA256, TLS_1_2, KEY_RSA, true},
        {PKCS1_SHA256, TLS_1_3, KEY_RSA, false}, /* RFC 8446 §4.4.3 */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool fits = signature_scheme_fits(
            signature_scheme_find(cases[i].number), cases[i].version, cases[i].kind);
        if (fits != cases[i].fits)
            printf("# case %zu\n", i);
        CHECK(fits == cases[i].fits);
    }
}

static int choose(struct bytes offered, uint16_t version, enum key_kind kind, unsigned bits)
{
    const struct signature_scheme_signer signer = {version, kind, bits, signature_schemes_ours()};
    const struct signature_scheme *s = signature_scheme_choose(offered, &signer);
    return s ? s->number : 0;
}

TEST(the_peers_order_decides)
{
    struct bytes offered = BYTES("\x6a\x6a\x04\x01\x08\x06\x08\x04\x06\x03\x04\x03\x08\x07");
    CHECK_INT(choose(offered, TLS_1_3, KEY_RSA, 2048), PSS_SHA512);
    CHECK_INT(choose(offered, TLS_1_2, KEY_RSA, 2048), PKCS1_SHA256);
    CHECK_INT(choose(offered, TLS_1_3, KEY_EC_P256, 256), ECDSA_SHA256);
    CHECK_INT(choose(offered, TLS_1_2, KEY_EC_P256, 256), ECDSA_SHA512);
    CHECK_INT(choose(offered, TLS_1_3, KEY_EC_P384, 384), 0);
    CHECK_INT(choose(offered, TLS_1_3, KEY_ED25519, 256), ED25519);
    CHECK_INT(choose((struct bytes){0}, TLS_1_3, KEY_RSA, 2048), 0);
}

TEST(a_policy_may_have_fewer)
{
    const struct signature_scheme_signer signer = {
        TLS_1_3, KEY_RSA, 2048, BYTES("\x04\x03\x08\x04")};
    CHECK_INT(signature_scheme_choose(BYTES("\x08\x06\x08\x04"), &signer)->number, PSS_SHA256);
    CHECK(!signature_scheme_choose(BYTES("\x08\x06\x04\x03"), &signer));
}

/* RFC 8017 §9.1.1: two digests of 64 octets and two more need 1040 bits. */
TEST(a_small_key_has_no_room_for_a_large_digest)
{
    struct bytes offered = BYTES("\x08\x06\x08\x04");
    CHECK_INT(choose(offered, TLS_1_3, KEY_RSA, 1024), PSS_SHA256);
    CHECK_INT(choose(offered, TLS_1_3, KEY_RSA, 1040), PSS_SHA512);
    CHECK_INT(choose(BYTES("\x08\x06"), TLS_1_3, KEY_RSA, 1024), 0);
}
