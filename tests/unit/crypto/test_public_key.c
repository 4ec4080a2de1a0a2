/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* for keys of impossible numbers */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/attributes.h"
#include "crypto/public_key.h"
#include "test.h"

#include "base/ban.h"

#define MESSAGE BYTES("what is signed")
#define MUST(condition)    \
    ((condition) ? (void)0 \
                 : (printf("Bail out! %s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* Another's key, and the octets of its subjectPublicKey. */
struct signer {
    EVP_PKEY *pkey;
    uint8_t *spki;
    struct bytes key;
};

static struct signer signer_of(EVP_PKEY *pkey)
{
    MUST(pkey);
    struct signer s = {.pkey = pkey};
    X509_PUBKEY *info = NULL;
    const unsigned char *at;
    int n;
    MUST(X509_PUBKEY_set(&info, pkey) && X509_PUBKEY_get0_param(NULL, &at, &n, NULL, info));
    s.spki = malloc((size_t)n);
    MUST(s.spki);
    memcpy(s.spki, at, (size_t)n);
    s.key = (struct bytes){s.spki, (size_t)n};
    X509_PUBKEY_free(info);
    return s;
}

static void signer_fini(struct signer *s)
{
    EVP_PKEY_free(s->pkey);
    free(s->spki);
}

/* A signature over MESSAGE; SALT < 0: not PSS. */
static struct bytes sign(const struct signer *s, const char *digest, int salt, uint8_t out[1024])
{
    size_t n = 1024;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context;
    MUST(EVP_DigestSignInit_ex(context, &key_context, digest, NULL, NULL, s->pkey, NULL) == 1);
    if (salt >= 0)
        MUST(EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, salt) == 1);
    MUST(EVP_DigestSign(context, out, &n, MESSAGE.at, MESSAGE.n) == 1);
    EVP_MD_CTX_free(context);
    return (struct bytes){out, n};
}

static const struct scheme {
    enum signature_algorithm algorithm;
    const char *digest;
    bool is_rsa, is_pss;
} schemes[] = {
    {SIGNATURE_RSA_SHA256, "SHA256", true, false},
    {SIGNATURE_RSA_SHA384, "SHA384", true, false},
    {SIGNATURE_RSA_SHA512, "SHA512", true, false},
    {SIGNATURE_RSA_PSS_SHA256, "SHA256", true, true},
    {SIGNATURE_RSA_PSS_SHA384, "SHA384", true, true},
    {SIGNATURE_RSA_PSS_SHA512, "SHA512", true, true},
    {SIGNATURE_ECDSA_SHA256, "SHA256", false, false},
    {SIGNATURE_ECDSA_SHA384, "SHA384", false, false},
    {SIGNATURE_ECDSA_SHA512, "SHA512", false, false},
    {SIGNATURE_ED25519, NULL, false, false},
};

/* SIGNATURE is one by K with WANT and with nothing else, and no octet of it may change. */
static void check_only(
    const struct public_key *k, enum signature_algorithm want, struct bytes signature)
{
    uint8_t copy[1024];
    for (enum signature_algorithm a = 0; a < SIGNATURE_ALGORITHM_COUNT; a++) {
        CHECK_INT(public_key_verify(k, a, MESSAGE, signature), a == want);
        uint8_t digest[64];
        struct bytes digested = {digest, signature_digest(a, MESSAGE, digest)};
        CHECK_INT(digested.n, signature_digest_size(a));
        CHECK_INT(public_key_verify_digest(k, a, digested, signature), a == want && digested.n);
    }
    for (size_t i = 0; i < signature.n; i += 7) {
        memcpy(copy, signature.at, signature.n);
        copy[i] ^= 0x40;
        CHECK(!public_key_verify(k, want, MESSAGE, (struct bytes){copy, signature.n}));
    }
    memcpy(copy, signature.at, signature.n);
    copy[signature.n] = 0;
    CHECK(!public_key_verify(k, want, MESSAGE, (struct bytes){copy, signature.n + 1}));
    CHECK(!public_key_verify(k, want, MESSAGE, bytes_first(signature, signature.n - 1)));
    CHECK(!public_key_verify(k, want, MESSAGE, bytes_first(signature, 0)));
    CHECK(!public_key_verify(k, want, BYTES("what is not signed"), signature));
    CHECK(public_key_verify(k, want, MESSAGE, signature));
    CHECK_INT(ERR_peek_error(), 0);
}

static void check_schemes(struct signer *s, enum key_kind kind)
{
    struct error err;
    struct public_key *k = public_key_new(kind, s->key, &err);
    MUST(k);
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        const struct scheme *scheme = &schemes[i];
        uint8_t signature[1024];
        bool fits = kind == KEY_ED25519 ? !scheme->digest
                                        : scheme->digest && (kind == KEY_RSA) == scheme->is_rsa;
        if (fits)
            check_only(k, scheme->algorithm,
                sign(s, scheme->digest,
                    scheme->is_pss ? (int)signature_digest_size(scheme->algorithm) : -1,
                    signature));
    }
    public_key_free(&k);
    CHECK(!k);
    public_key_free(&k);
    signer_fini(s);
}

TEST(rsa)
{
    struct signer s = signer_of(EVP_RSA_gen(2048));
    check_schemes(&s, KEY_RSA);
}

/* A key for RSASSA-PSS verifies nothing else, and one that is for one digest nothing with another.
 */
TEST(rsa_for_pss_only)
{
    static const enum key_kind kinds[] = {
        KEY_RSA_PSS, KEY_RSA_PSS_SHA256, KEY_RSA_PSS_SHA384, KEY_RSA_PSS_SHA512};
    struct signer s = signer_of(EVP_RSA_gen(2048));
    for (size_t i = 0; i < COUNT_OF(kinds) * COUNT_OF(schemes); i++) {
        const struct scheme *scheme = &schemes[i % COUNT_OF(schemes)];
        size_t n = i / COUNT_OF(schemes);
        struct error err;
        uint8_t signature[1024], out[PUBLIC_KEY_RSA_BITS_MAX / 8];
        if (!scheme->is_rsa)
            continue;
        struct public_key *k = public_key_new(kinds[n], s.key, &err);
        MUST(k);
        struct bytes made = sign(&s, scheme->digest,
            scheme->is_pss ? (int)signature_digest_size(scheme->algorithm) : -1, signature);
        bool is_its_own = scheme->algorithm == SIGNATURE_RSA_PSS_SHA256 + (n ? n - 1 : 0);
        CHECK_INT(public_key_verify(k, scheme->algorithm, MESSAGE, made),
            scheme->is_pss && (!n || is_its_own));
        CHECK_INT(public_key_encrypt(k, MESSAGE, out), 0);
        public_key_free(&k);
    }
    signer_fini(&s);
}

TEST(ecdsa)
{
    struct signer p256 = signer_of(EVP_EC_gen("P-256")), p384 = signer_of(EVP_EC_gen("P-384")),
                  p521 = signer_of(EVP_EC_gen("P-521"));
    check_schemes(&p256, KEY_EC_P256);
    check_schemes(&p384, KEY_EC_P384);
    check_schemes(&p521, KEY_EC_P521);
}

TEST(ed25519)
{
    struct signer s = signer_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    check_schemes(&s, KEY_ED25519);
}

/* RFC 4055 §3.1, as this program accepts it: the salt is as long as the digest. */
TEST(pss_with_another_salt)
{
    struct error err;
    uint8_t signature[1024];
    struct signer s = signer_of(EVP_RSA_gen(2048));
    struct public_key *k = public_key_new(KEY_RSA, s.key, &err);
    CHECK(
        public_key_verify(k, SIGNATURE_RSA_PSS_SHA256, MESSAGE, sign(&s, "SHA256", 32, signature)));
    CHECK(!public_key_verify(
        k, SIGNATURE_RSA_PSS_SHA256, MESSAGE, sign(&s, "SHA256", 20, signature)));
    CHECK(
        !public_key_verify(k, SIGNATURE_RSA_PSS_SHA256, MESSAGE, sign(&s, "SHA256", 0, signature)));
    public_key_free(&k);
    signer_fini(&s);
}

static void check_no_key(enum key_kind kind, struct bytes key, const char *why)
{
    struct error err = {""};
    struct public_key *k = public_key_new(kind, key, &err);
    CHECK(!k);
    if (!strstr(err.text, why))
        printf("# not \"%s\": %s\n", why, err.text);
    CHECK(strstr(err.text, why));
    CHECK_INT(ERR_peek_error(), 0);
    public_key_free(&k);
}

/* RSAPublicKey of two numbers in hexadecimal. */
static struct bytes rsa_key(const char *modulus, const char *exponent, uint8_t **out)
{
    BIGNUM *n = NULL, *e = NULL;
    RSA *rsa = RSA_new();
    MUST(BN_hex2bn(&n, modulus) && BN_hex2bn(&e, exponent) && RSA_set0_key(rsa, n, e, NULL));
    *out = NULL;
    int size = i2d_RSAPublicKey(rsa, out);
    MUST(size > 0);
    RSA_free(rsa);
    return (struct bytes){*out, (size_t)size};
}

/* BITS / 4 digits, the first a C and the last LAST. */
static const char *modulus_of(unsigned bits, char last)
{
    static char digits[8192 / 4 + 32];
    memset(digits, '5', bits / 4);
    digits[0] = 'C';
    digits[bits / 4 - 1] = last;
    digits[bits / 4] = 0;
    return digits;
}

TEST(rsa_keys_outside_the_limits)
{
    static const struct {
        unsigned bits;
        char last;
        const char *exponent, *why; /* NULL: it is a key */
    } cases[] = {
        {2048, '1', "10001", NULL},
        {2048, '1', "3", NULL},
        {2048, '1', "FFFFFFFF", NULL},
        {8192, '1', "10001", NULL},
        {1024, '1', "10001", "its RSA key has 1024 bits; accepted: 2048 to 8192"},
        {2044, '1', "10001", "its RSA key has 2044 bits; accepted: 2048 to 8192"},
        {8196, '1', "10001", "its RSA key has 8196 bits; accepted: 2048 to 8192"},
        {2048, '2', "10001", "numbers that no RSA key has"},
        {2048, '1', "10000", "numbers that no RSA key has"},
        {2048, '1', "1", "numbers that no RSA key has"},
        {2048, '1', "0", "numbers that no RSA key has"},
        {2048, '1', "100000001", "numbers that no RSA key has"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t *der;
        struct error err;
        struct bytes key =
            rsa_key(modulus_of(cases[i].bits, cases[i].last), cases[i].exponent, &der);
        if (cases[i].why) {
            check_no_key(KEY_RSA, key, cases[i].why);
        } else {
            struct public_key *k = public_key_new(KEY_RSA, key, &err);
            CHECK(k);
            public_key_free(&k);
        }
        OPENSSL_free(der);
    }
}

TEST(octets_that_are_no_key)
{
    static uint8_t octets[PUBLIC_KEY_SIZE_MAX + 1];
    uint8_t *der;
    struct bytes key = rsa_key(modulus_of(2048, '1'), "10001", &der);
    memcpy(octets, key.at, key.n);
    check_no_key(KEY_RSA, (struct bytes){octets, key.n + 1}, "cannot be decoded");
    check_no_key(KEY_RSA, (struct bytes){octets, sizeof(octets)}, "cannot be decoded");
    check_no_key(KEY_RSA, bytes_first(key, key.n - 1), "cannot be decoded");
    check_no_key(KEY_RSA, BYTES(""), "cannot be decoded");
    OPENSSL_free(der);

    check_no_key(KEY_ED25519, bytes_first((struct bytes){octets, 64}, 31), "32 octets");
    check_no_key(KEY_ED25519, bytes_first((struct bytes){octets, 64}, 33), "32 octets");
    check_no_key(KEY_ED25519, BYTES(""), "32 octets");
    check_no_key(KEY_UNSUPPORTED, BYTES("x"), "of an unsupported kind");
}

TEST(points_that_are_not_on_the_curve)
{
    struct signer s = signer_of(EVP_EC_gen("P-256"));
    uint8_t point[66];
    memcpy(point, s.key.at, 65);
    CHECK_INT(s.key.n, 65);
    point[40] ^= 1;
    check_no_key(KEY_EC_P256, (struct bytes){point, 65}, "not a point of its curve");
    point[40] ^= 1;
    check_no_key(KEY_EC_P384, (struct bytes){point, 65}, "not an uncompressed point");
    check_no_key(KEY_EC_P256, (struct bytes){point, 64}, "not an uncompressed point");
    check_no_key(KEY_EC_P256, (struct bytes){point, 66}, "not an uncompressed point");
    point[0] = (uint8_t)(2 + (point[64] & 1));
    check_no_key(KEY_EC_P256, (struct bytes){point, 33}, "not an uncompressed point");
    point[0] = (uint8_t)(6 + (point[64] & 1)); /* both forms at once */
    check_no_key(KEY_EC_P256, (struct bytes){point, 65}, "not an uncompressed point");
    check_no_key(KEY_EC_P256, BYTES("\0"), "not an uncompressed point"); /* the point at infinity */
    check_no_key(KEY_EC_P256, BYTES(""), "not an uncompressed point");
    memset(point, 0xff, sizeof(point)); /* coordinates beyond the field */
    point[0] = 4;
    check_no_key(KEY_EC_P256, (struct bytes){point, 65}, "not a point of its curve");
    signer_fini(&s);
}

TEST(digests_and_their_sizes)
{
    uint8_t out[64];
    CHECK_INT(signature_digest(SIGNATURE_ECDSA_SHA256, BYTES("abc"), out), 32);
    CHECK(!memcmp(out, "\xba\x78\x16\xbf", 4)); /* FIPS 180-4's example */
    CHECK_INT(signature_digest(SIGNATURE_RSA_SHA384, BYTES("abc"), out), 48);
    CHECK(!memcmp(out, "\xcb\x00\x75\x3f", 4));
    CHECK_INT(signature_digest(SIGNATURE_RSA_PSS_SHA512, BYTES("abc"), out), 64);
    CHECK(!memcmp(out, "\xdd\xaf\x35\xa1", 4));
    CHECK_INT(signature_digest(SIGNATURE_ED25519, BYTES("abc"), out), 0);
    CHECK_INT(signature_digest(SIGNATURE_WEAK, BYTES("abc"), out), 0);
}
