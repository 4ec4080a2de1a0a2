/* SPDX-License-Identifier: Apache-2.0 */
#include "der_writer.h"
#include "pki/algorithm.h"
#include "pki/der.h"
#include "test.h"

#include "base/ban.h"

#define PKCS1(last)   "\x2a\x86\x48\x86\xf7\x0d\x01\x01" last
#define NIST(last)    "\x60\x86\x48\x01\x65\x03\x04" last
#define OID(octets)   TLV(0x06, BYTES(octets))
#define NULL_ELEMENT  BYTES("\x05\x00")
#define SHA256        NIST("\x02\x01")
#define SHA384        NIST("\x02\x02")
#define SHA512        NIST("\x02\x03")
#define SHA1          "\x2b\x0e\x03\x02\x1a"
#define NUMBER(octet) TLV(0x02, BYTES(octet))

TEST(signatures_by_oid_and_parameters)
{
    const struct {
        struct bytes identifier;
        enum signature_algorithm want;
    } cases[] = {
        {OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"), SIGNATURE_ECDSA_SHA256},
        {OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"), SIGNATURE_ECDSA_SHA384},
        {OID("\x2a\x86\x48\xce\x3d\x04\x03\x04"), SIGNATURE_ECDSA_SHA512},
        {OID("\x2b\x65\x70"), SIGNATURE_ED25519},
        {JOIN(OID(PKCS1("\x0b")), NULL_ELEMENT), SIGNATURE_RSA_SHA256},
        {JOIN(OID(PKCS1("\x0c")), NULL_ELEMENT), SIGNATURE_RSA_SHA384},
        {JOIN(OID(PKCS1("\x0d")), NULL_ELEMENT), SIGNATURE_RSA_SHA512},
        {OID(PKCS1("\x0b")), SIGNATURE_RSA_SHA256}, /* RFC 4055 §5 */
        {JOIN(OID(PKCS1("\x0b")), NULL_ELEMENT, NULL_ELEMENT), SIGNATURE_UNKNOWN},
        {JOIN(OID(PKCS1("\x0b")), BYTES("\x05\x01\x00")), SIGNATURE_UNKNOWN},
        {JOIN(OID(PKCS1("\x0b")), BYTES("\x30\x00")), SIGNATURE_UNKNOWN},
        {JOIN(OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"), NULL_ELEMENT), SIGNATURE_UNKNOWN},
        {JOIN(OID("\x2b\x65\x70"), NULL_ELEMENT), SIGNATURE_UNKNOWN},
        {JOIN(OID(PKCS1("\x05")), NULL_ELEMENT), SIGNATURE_WEAK}, /* SHA-1 */
        {JOIN(OID(PKCS1("\x04")), NULL_ELEMENT), SIGNATURE_WEAK}, /* MD5 */
        {JOIN(OID(PKCS1("\x0e")), NULL_ELEMENT), SIGNATURE_WEAK}, /* SHA-224 */
        {OID("\x2a\x86\x48\xce\x3d\x04\x01"), SIGNATURE_WEAK},    /* ECDSA with SHA-1 */
        {OID(NIST("\x03\x02")), SIGNATURE_WEAK},                  /* DSA with SHA-256 */
        {OID("\x2b\x65\x71"), SIGNATURE_UNKNOWN},                 /* Ed448 */
        {OID(PKCS1("\x01")), SIGNATURE_UNKNOWN},                  /* a key, no signature */
        {BYTES(""), SIGNATURE_UNKNOWN},
        {BYTES("\x06\x09\x2a"), SIGNATURE_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK_INT(algorithm_of_signature(cases[i].identifier), cases[i].want);
    written_free();
}

/* The identifier of RSASSA-PSS with these fields of RSASSA-PSS-params. */
static enum signature_algorithm pss(struct bytes hash, struct bytes mask, struct bytes rest)
{
    return algorithm_of_signature(JOIN(OID(PKCS1("\x0a")), SEQUENCE_OF(hash, mask, rest)));
}

#define HASH_0(oid)    TLV(0xa0, SEQUENCE_OF(OID(oid), NULL_ELEMENT))
#define MASK_1(oid)    TLV(0xa1, SEQUENCE_OF(OID(PKCS1("\x08")), SEQUENCE_OF(OID(oid), NULL_ELEMENT)))
#define SALT_2(octets) TLV(0xa2, NUMBER(octets))

TEST(pss_is_one_digest_throughout)
{
    CHECK_INT(pss(HASH_0(SHA256), MASK_1(SHA256), SALT_2("\x20")), SIGNATURE_RSA_PSS_SHA256);
    CHECK_INT(pss(HASH_0(SHA384), MASK_1(SHA384), SALT_2("\x30")), SIGNATURE_RSA_PSS_SHA384);
    CHECK_INT(pss(HASH_0(SHA512), MASK_1(SHA512), SALT_2("\x40")), SIGNATURE_RSA_PSS_SHA512);
    /* RFC 4055 §2.1: parameters of a digest may be absent. */
    CHECK_INT(pss(TLV(0xa0, SEQUENCE_OF(OID(SHA256))), MASK_1(SHA256), SALT_2("\x20")),
        SIGNATURE_RSA_PSS_SHA256);

    /* All defaults, and SHA-1 spelt out. */
    CHECK_INT(pss(NOTHING, NOTHING, NOTHING), SIGNATURE_WEAK);
    CHECK_INT(pss(HASH_0(SHA1), MASK_1(SHA1), SALT_2("\x14")), SIGNATURE_WEAK);

    CHECK_INT(pss(HASH_0(SHA256), MASK_1(SHA384), SALT_2("\x20")), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(HASH_0(SHA256), NOTHING, SALT_2("\x20")), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(HASH_0(SHA256), MASK_1(SHA256), SALT_2("\x21")), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(HASH_0(SHA256), MASK_1(SHA256), SALT_2("\xe0")), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(HASH_0(SHA256), MASK_1(SHA256), NOTHING), SIGNATURE_UNKNOWN);
    written_free();
}

TEST(pss_with_something_else_in_it)
{
    struct bytes hash = HASH_0(SHA256), mask = MASK_1(SHA256), salt = SALT_2("\x20");
    struct bytes nothing = BYTES("\x05\x00");
    CHECK_INT(pss(hash, mask, JOIN(salt, TLV(0xa3, NUMBER("\x01")))),
        SIGNATURE_UNKNOWN); /* the default */
    CHECK_INT(pss(hash, mask, JOIN(salt, TLV(0xa3, NUMBER("\x02")))), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(hash, mask, TLV(0xa2, NUMBER("\x20"), nothing)), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(mask, hash, salt), SIGNATURE_UNKNOWN);
    CHECK_INT(
        pss(TLV(0xa0, SEQUENCE_OF(OID(SHA256), nothing), nothing), mask, salt), SIGNATURE_UNKNOWN);
    CHECK_INT(
        pss(TLV(0xa0, SEQUENCE_OF(OID(SHA256), nothing, nothing)), mask, salt), SIGNATURE_UNKNOWN);
    CHECK_INT(
        pss(TLV(0xa0, SEQUENCE_OF(OID(SHA256), NUMBER("\x01"))), mask, salt), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(HASH_0(NIST("\x02\x09")), mask, salt), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(TLV(0xa0, NUMBER("\x01")), mask, salt), SIGNATURE_UNKNOWN);
    CHECK_INT(pss(hash, TLV(0xa1, SEQUENCE_OF(OID(SHA256), SEQUENCE_OF(OID(SHA256)))), salt),
        SIGNATURE_UNKNOWN);
    CHECK_INT(pss(hash, TLV(0xa1, NUMBER("\x01")), salt), SIGNATURE_UNKNOWN);
    CHECK_INT(algorithm_of_signature(OID(PKCS1("\x0a"))), SIGNATURE_UNKNOWN);
    CHECK_INT(
        algorithm_of_signature(JOIN(OID(PKCS1("\x0a")), SEQUENCE_OF(hash, mask, salt), nothing)),
        SIGNATURE_UNKNOWN);
    written_free();
}

/* SubjectPublicKeyInfo */
#define SPKI(identifier, key) SEQUENCE_OF(SEQUENCE_OF(identifier), TLV(0x03, BYTES("\x00"), key))
#define EC                    "\x2a\x86\x48\xce\x3d\x02\x01"
#define P256                  "\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define RSA_IDENTIFIER        JOIN(OID(PKCS1("\x01")), NULL_ELEMENT)
#define RSA_KEY(n, e)         SEQUENCE_OF(TLV(0x02, n), TLV(0x02, e))

/* RFC 4055 §1.2, §3.1: a key may be for one digest only, and name the least salt. */
TEST(keys_for_pss)
{
    struct bytes oid = OID(PKCS1("\x0a"));
    const struct {
        struct bytes parameters;
        enum key_kind kind;
    } cases[] = {
        {NOTHING, KEY_RSA_PSS},
        {SEQUENCE_OF(HASH_0(SHA256), MASK_1(SHA256), SALT_2("\x20")), KEY_RSA_PSS_SHA256},
        {SEQUENCE_OF(HASH_0(SHA384), MASK_1(SHA384), SALT_2("\x30")), KEY_RSA_PSS_SHA384},
        {SEQUENCE_OF(HASH_0(SHA512), MASK_1(SHA512), SALT_2("\x40")), KEY_RSA_PSS_SHA512},
        {SEQUENCE_OF(HASH_0(SHA512), MASK_1(SHA512)), KEY_RSA_PSS_SHA512}, /* salt: 20 or more */
        {SEQUENCE_OF(HASH_0(SHA256), MASK_1(SHA256), SALT_2("\0")), KEY_RSA_PSS_SHA256},
        {SEQUENCE_OF(HASH_0(SHA256), MASK_1(SHA256), SALT_2("\x21")), KEY_UNSUPPORTED},
        {SEQUENCE_OF(HASH_0(SHA256), MASK_1(SHA384), SALT_2("\x20")), KEY_UNSUPPORTED},
        {SEQUENCE_OF(HASH_0(SHA256)), KEY_UNSUPPORTED}, /* MGF1 with SHA-1 */
        {SEQUENCE_OF(NOTHING), KEY_UNSUPPORTED},        /* all SHA-1 */
        {NULL_ELEMENT, KEY_UNSUPPORTED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum key_kind kind;
        unsigned bits;
        struct bytes key, n = RSA_KEY(BYTES("\0\x80\1"), BYTES("\3"));
        CHECK(algorithm_of_key(SPKI(JOIN(oid, cases[i].parameters), n), &kind, &bits, &key));
        CHECK_INT(kind, cases[i].kind);
        CHECK_INT(bits, kind == KEY_UNSUPPORTED ? 0 : 16);
    }
    written_free();
}

TEST(keys)
{
    const struct {
        struct bytes identifier, key;
        bool want;
        enum key_kind kind;
        unsigned bits;
    } cases[] = {
        {JOIN(OID(EC), OID(P256)), BYTES("\x04x"), true, KEY_EC_P256, 256},
        {JOIN(OID(EC), OID("\x2b\x81\x04\x00\x22")), BYTES("\x04x"), true, KEY_EC_P384, 384},
        {JOIN(OID(EC), OID("\x2b\x81\x04\x00\x23")), BYTES("\x04x"), true, KEY_EC_P521, 521},
        {OID("\x2b\x65\x70"), BYTES("x"), true, KEY_ED25519, 256},
        {RSA_IDENTIFIER, RSA_KEY(BYTES("\x00\x80\x01"), BYTES("\x03")), true, KEY_RSA, 16},
        {RSA_IDENTIFIER, RSA_KEY(BYTES("\x01\x01"), BYTES("\x03")), true, KEY_RSA, 9},
        /* Explicit parameters, other curves, no parameters, other keys. */
        {JOIN(OID(EC), SEQUENCE_OF(NUMBER("\x01"))), BYTES("\x04x"), true, KEY_UNSUPPORTED, 0},
        {JOIN(OID(EC), OID("\x2b\x81\x04\x00\x0a")), BYTES("\x04x"), true, KEY_UNSUPPORTED, 0},
        {OID(EC), BYTES("\x04x"), true, KEY_UNSUPPORTED, 0},
        {JOIN(OID(EC), OID(P256), NULL_ELEMENT), BYTES("\x04x"), false, 0, 0},
        {OID(PKCS1("\x01")), RSA_KEY(BYTES("\x01\x01"), BYTES("\x03")), true, KEY_UNSUPPORTED, 0},
        {OID("\x2b\x65\x71"), BYTES("x"), true, KEY_UNSUPPORTED, 0},
        /* No keys at all. */
        {RSA_IDENTIFIER, RSA_KEY(BYTES("\x80\x01"), BYTES("\x03")), false, 0, 0}, /* negative */
        {RSA_IDENTIFIER, RSA_KEY(BYTES("\x01\x01"), BYTES("\x83")), false, 0, 0},
        {RSA_IDENTIFIER, RSA_KEY(BYTES("\x00"), BYTES("\x03")), false, 0, 0},
        {RSA_IDENTIFIER, RSA_KEY(BYTES("\x00\x01"), BYTES("\x03")), false, 0, 0},
        {RSA_IDENTIFIER, RSA_KEY(BYTES("\x01\x01"), BYTES("")), false, 0, 0},
        {RSA_IDENTIFIER, JOIN(RSA_KEY(BYTES("\x01\x01"), BYTES("\x03")), NULL_ELEMENT), false, 0,
            0},
        {RSA_IDENTIFIER, SEQUENCE_OF(NUMBER("\x01"), NUMBER("\x01"), NUMBER("\x01")), false, 0, 0},
        {RSA_IDENTIFIER, SEQUENCE_OF(NUMBER("\x01")), false, 0, 0},
        {RSA_IDENTIFIER, SEQUENCE_OF(NULL_ELEMENT), false, 0, 0},
        {RSA_IDENTIFIER, BYTES("x"), false, 0, 0},
        {NUMBER("\x01"), BYTES("x"), false, 0, 0},
        {OID("\x2b\x80\x01"), BYTES("x"), false, 0, 0},
        {JOIN(OID("\x2a"), BYTES("\x05")), BYTES("x"), false, 0, 0},
        {JOIN(OID("\x2a"), NULL_ELEMENT, NULL_ELEMENT), BYTES("x"), false, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum key_kind kind;
        unsigned bits;
        struct bytes key;
        bool got = algorithm_of_key(SPKI(cases[i].identifier, cases[i].key), &kind, &bits, &key);
        CHECK_INT(got, cases[i].want);
        if (got && cases[i].want)
            CHECK(kind == cases[i].kind && bits == cases[i].bits && bytes_equal(key, cases[i].key));
    }
    written_free();
}

TEST(key_infos_that_are_none)
{
    struct bytes identifier = SEQUENCE_OF(OID("\x2b\x65\x70")), key = TLV(0x03, BYTES("\x00x"));
    const struct bytes cases[] = {
        BYTES(""),
        BYTES("\x30\x00"),
        SEQUENCE_OF(identifier),
        SEQUENCE_OF(key, identifier),
        SEQUENCE_OF(identifier, key, NULL_ELEMENT),
        JOIN(SEQUENCE_OF(identifier, key), NULL_ELEMENT),
        SEQUENCE_OF(identifier, TLV(0x03, BYTES("\x01\x80"))),
        SEQUENCE_OF(identifier, TLV(0x04, BYTES("\x00x"))),
        TLV(0x31, identifier, key),
    };
    enum key_kind kind;
    unsigned bits;
    struct bytes out;
    CHECK(algorithm_of_key(SEQUENCE_OF(identifier, key), &kind, &bits, &out));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK(!algorithm_of_key(cases[i], &kind, &bits, &out));
    written_free();
}

/* A modulus of more octets than a certificate can have. */
TEST(an_enormous_modulus)
{
    static uint8_t octets[70000];
    memset(octets, 0x7f, sizeof(octets));
    struct bytes modulus = {octets, 65400};
    enum key_kind kind;
    unsigned bits;
    struct bytes key;
    CHECK(algorithm_of_key(
        SPKI(RSA_IDENTIFIER, RSA_KEY(modulus, BYTES("\x03"))), &kind, &bits, &key));
    CHECK_INT(bits, 65400 * 8 - 1);
    written_free();
}
