/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/algorithm.h"

#include "pki/der.h"

#include "base/ban.h"

/* What may stand behind the OID of an algorithm. */
enum parameters {
    PARAMETERS_ABSENT,
    PARAMETERS_NULL,          /* or absent */
    PARAMETERS_PSS,           /* RSASSA-PSS-params, which decide */
    PARAMETERS_DO_NOT_MATTER, /* of what is refused anyway */
};

static const struct signature_row {
    struct bytes oid;
    enum parameters parameters;
    enum signature_algorithm algorithm;
} signatures[] = {
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x02"), PARAMETERS_ABSENT, SIGNATURE_ECDSA_SHA256},
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x03"), PARAMETERS_ABSENT, SIGNATURE_ECDSA_SHA384},
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x04"), PARAMETERS_ABSENT, SIGNATURE_ECDSA_SHA512},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), PARAMETERS_NULL, SIGNATURE_RSA_SHA256},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), PARAMETERS_NULL, SIGNATURE_RSA_SHA384},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), PARAMETERS_NULL, SIGNATURE_RSA_SHA512},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), PARAMETERS_PSS, SIGNATURE_UNKNOWN},
    {BYTES("\x2b\x65\x70"), PARAMETERS_ABSENT, SIGNATURE_ED25519},
    /* RSA with MD2, MD4, MD5, SHA-1 (twice), SHA-224 */
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x03"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x2b\x0e\x03\x02\x1d"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    /* ECDSA with SHA-1, SHA-224 */
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x01"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x01"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    /* DSA with SHA-1, SHA-224, SHA-256, SHA-384, SHA-512 */
    {BYTES("\x2a\x86\x48\xce\x38\x04\x03"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x03\x01"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x03\x02"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x03\x03"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x03\x04"), PARAMETERS_DO_NOT_MATTER, SIGNATURE_WEAK},
};

/* The digests of RSASSA-PSS: OID, octets (which the salt has too), what they make together, and a
 * key that is for that alone. */
static const struct digest_row {
    struct bytes oid;
    uint64_t size;
    enum signature_algorithm algorithm;
    enum key_kind key;
} digests[] = {
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), 32, SIGNATURE_RSA_PSS_SHA256,
        KEY_RSA_PSS_SHA256},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), 48, SIGNATURE_RSA_PSS_SHA384,
        KEY_RSA_PSS_SHA384},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), 64, SIGNATURE_RSA_PSS_SHA512,
        KEY_RSA_PSS_SHA512},
    /* SHA-1, SHA-224 */
    {BYTES("\x2b\x0e\x03\x02\x1a"), 20, SIGNATURE_WEAK, KEY_UNSUPPORTED},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x02\x04"), 28, SIGNATURE_WEAK, KEY_UNSUPPORTED},
};

#define MGF1_OID  BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08")
#define SHA1_ROW  (&digests[3])
#define SHA1_SALT 20

/* RFC 4055 §2.1: parameters of a digest may be NULL or absent, and mean the same. NULL if it is
 * none that we know. */
static const struct digest_row *read_digest(struct bytes in)
{
    struct bytes identifier, oid;
    if (!der_take(&in, DER_SEQUENCE, &identifier) || in.n ||
        !der_take(&identifier, DER_OID, &oid) ||
        (identifier.n && (!der_take(&identifier, DER_NULL, NULL) || identifier.n)))
        return NULL;
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        if (bytes_equal(oid, digests[i].oid))
            return &digests[i];
    return NULL;
}

/* The digest of a mask generation function, which is MGF1. */
static const struct digest_row *read_mask(struct bytes in)
{
    struct bytes identifier, oid;
    if (!der_take(&in, DER_SEQUENCE, &identifier) || in.n ||
        !der_take(&identifier, DER_OID, &oid) || !bytes_equal(oid, MGF1_OID))
        return NULL;
    return read_digest(identifier);
}

static bool read_salt(struct bytes in, uint64_t *salt)
{
    struct bytes number;
    return der_take(&in, DER_INTEGER, &number) && !in.n && der_unsigned(number, UINT16_MAX, salt);
}

/* RSASSA-PSS-params (RFC 4055 §3.1): the digest, which is that of MGF1, too, and *SALT. NULL if
 * they are not like that. What is left out is SHA-1 and its size; the trailer has one value only,
 * which is the default and so, in DER, left out. */
static const struct digest_row *read_pss(struct bytes in, uint64_t *salt)
{
    struct bytes parameters, field;
    const struct digest_row *digest = SHA1_ROW, *mask = SHA1_ROW;
    *salt = SHA1_SALT;
    if (!der_take(&in, DER_SEQUENCE, &parameters) || in.n)
        return NULL;
    if (der_take(&parameters, DER_CONTEXT_CONSTRUCTED(0), &field))
        digest = read_digest(field);
    if (der_take(&parameters, DER_CONTEXT_CONSTRUCTED(1), &field))
        mask = read_mask(field);
    if (der_take(&parameters, DER_CONTEXT_CONSTRUCTED(2), &field) && !read_salt(field, salt))
        return NULL;
    return !parameters.n && digest == mask ? digest : NULL;
}

static enum signature_algorithm judge_pss(struct bytes parameters)
{
    uint64_t salt;
    const struct digest_row *digest = read_pss(parameters, &salt);
    return digest && salt == digest->size ? digest->algorithm : SIGNATURE_UNKNOWN;
}

static enum signature_algorithm judge(const struct signature_row *row, struct bytes parameters)
{
    switch (row->parameters) {
    case PARAMETERS_ABSENT: /* RFC 5758 §3.2, RFC 8410 §3 */
        return parameters.n ? SIGNATURE_UNKNOWN : row->algorithm;
    case PARAMETERS_NULL:
        /* RFC 4055 §5: "the parameters MUST be NULL. Implementations MUST accept the parameters
         * being absent as well as present." */
        return parameters.n && (!der_take(&parameters, DER_NULL, NULL) || parameters.n)
                   ? SIGNATURE_UNKNOWN
                   : row->algorithm;
    case PARAMETERS_PSS:
        return judge_pss(parameters);
    case PARAMETERS_DO_NOT_MATTER:
        break;
    }
    return row->algorithm;
}

bool algorithm_is_identifier(struct bytes content)
{
    struct bytes oid;
    struct der_element parameters;
    return der_take(&content, DER_OID, &oid) && der_is_oid(oid) &&
           (!content.n || (der_next(&content, &parameters) && !content.n));
}

enum signature_algorithm algorithm_of_signature(struct bytes identifier)
{
    struct bytes oid;
    if (!der_take(&identifier, DER_OID, &oid))
        return SIGNATURE_UNKNOWN;
    for (size_t i = 0; i < COUNT_OF(signatures); i++)
        if (bytes_equal(oid, signatures[i].oid))
            return judge(&signatures[i], identifier);
    return SIGNATURE_UNKNOWN;
}

/* ---- keys ---- */

/* By the whole AlgorithmIdentifier: RFC 3279 §2.3.1, RFC 5480 §2.1.1 (named curves only), RFC 8410
 * §3. */
static const struct key_row {
    struct bytes identifier;
    enum key_kind kind;
    unsigned bits;
} keys[] = {
    {BYTES("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
        KEY_EC_P256, 256},
    {BYTES("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"), KEY_RSA, 0},
    {BYTES("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"), KEY_EC_P384, 384},
    {BYTES("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23"), KEY_EC_P521, 521},
    {BYTES("\x06\x03\x2b\x65\x70"), KEY_ED25519, 256},
};

/* RSAPublicKey (RFC 8017 §A.1.1): the bits of its modulus. Its numbers are positive; libcrypto does
 * not look at their sign. */
static bool read_modulus_bits(struct bytes key, unsigned *bits)
{
    struct bytes fields, modulus, exponent;
    if (!der_take(&key, DER_SEQUENCE, &fields) || key.n ||
        !der_take(&fields, DER_INTEGER, &modulus) || !der_take(&fields, DER_INTEGER, &exponent) ||
        fields.n || !der_is_integer(modulus) || !der_is_integer(exponent) ||
        (modulus.at[0] | exponent.at[0]) & 0x80)
        return false;
    if (!modulus.at[0])
        modulus = bytes_skip(modulus, 1);
    if (!modulus.n || modulus.n > UINT16_MAX)
        return false;
    unsigned unused = 0;
    while (!(modulus.at[0] & 0x80 >> unused))
        unused++;
    *bits = (unsigned)modulus.n * 8 - unused;
    return true;
}

#define PSS_OID BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")

/* RFC 4055 §1.2, §3.1: without parameters the key signs with any digest; with them, with that one,
 * and their salt is the least that a signature has to have. */
static enum key_kind kind_of_pss(struct bytes parameters)
{
    uint64_t salt;
    if (!parameters.n)
        return KEY_RSA_PSS;
    const struct digest_row *digest = read_pss(parameters, &salt);
    return digest && salt <= digest->size ? digest->key : KEY_UNSUPPORTED;
}

static bool is_pss(struct bytes identifier, enum key_kind *kind)
{
    struct bytes oid;
    if (!der_take(&identifier, DER_OID, &oid) || !bytes_equal(oid, PSS_OID))
        return false;
    *kind = kind_of_pss(identifier);
    return *kind != KEY_UNSUPPORTED;
}

static const struct key_row *find_key(struct bytes identifier)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (bytes_equal(identifier, keys[i].identifier))
            return &keys[i];
    return NULL;
}

bool algorithm_of_key(struct bytes spki, enum key_kind *kind, unsigned *bits, struct bytes *key)
{
    struct bytes fields, identifier, bit_string;
    if (!der_take(&spki, DER_SEQUENCE, &fields) || spki.n ||
        !der_take(&fields, DER_SEQUENCE, &identifier) ||
        !der_take(&fields, DER_BIT_STRING, &bit_string) || fields.n || !der_octets(bit_string, key))
        return false;
    const struct key_row *row = find_key(identifier);
    *kind = row ? row->kind : KEY_UNSUPPORTED;
    *bits = row ? row->bits : 0;
    if (*kind == KEY_RSA || is_pss(identifier, kind))
        return read_modulus_bits(*key, bits);
    return row || algorithm_is_identifier(identifier);
}
