/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* for a key of impossible size */
#include <openssl/rsa.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "crypto/convert.h"
#include "crypto/private_key.h"
#include "fixture.h"
#include "vectors.h"

#include "base/ban.h"

static struct buf text; /* of the file under test */

/* Parse what is in TEXT and empty it. */
static struct private_key *parse(struct error *err)
{
    *err = (struct error){0};
    struct private_key *k = private_key_parse(buf_bytes(&text), err);
    buf_fini(&text);
    return k;
}

/* A new one. The product makes none for RSASSA-PSS only, but uses those that others make. */
static struct private_key *make(enum key_kind kind, struct error *err)
{
    if (kind != KEY_RSA_PSS)
        return private_key_generate(kind, err);
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    MUST(c && EVP_PKEY_keygen_init(c) > 0 && EVP_PKEY_generate(c, &key) > 0);
    EVP_PKEY_CTX_free(c);
    return private_key_from_pkey(key, err);
}

static void take_bio(BIO *b)
{
    char *at;
    long n = BIO_get_mem_data(b, &at);
    buf_init(&text, 1 << 20);
    MUST(buf_append(&text, (struct bytes){(const uint8_t *)at, (size_t)n}) == 0);
    BIO_free(b);
}

TEST(every_kind_survives_pem_and_der)
{
    static const enum key_kind kinds[] = {
        KEY_RSA, KEY_RSA_PSS, KEY_EC_P256, KEY_EC_P384, KEY_EC_P521, KEY_ED25519};
    struct error err;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        for (int der = 0; der < 2; der++) {
            struct private_key *k = make(kinds[i], &err);
            MUST(k);
            buf_init(&text, 1 << 20);
            CHECK_INT(der ? convert_key_der(k, &text) : convert_key_pem(k, &text), 0);
            struct private_key *again = parse(&err);
            CHECK(again != NULL);
            if (again) {
                CHECK_INT(private_key_kind(again), kinds[i]);
                CHECK_INT(EVP_PKEY_eq(private_key_pkey(k), private_key_pkey(again)), 1);
            }
            private_key_unref(&again);
            private_key_unref(&k);
        }
}

TEST(traditional_forms)
{
    struct error err;
    for (int rsa = 0; rsa < 2; rsa++)
        for (int der = 0; der < 2; der++) {
            struct private_key *k = private_key_generate(rsa ? KEY_RSA : KEY_EC_P384, &err);
            BIO *b = BIO_new(BIO_s_mem());
            MUST(k && b);
            MUST(der ? i2d_PrivateKey_bio(b, private_key_pkey(k))
                     : PEM_write_bio_PrivateKey_traditional(
                           b, private_key_pkey(k), NULL, NULL, 0, NULL, NULL));
            take_bio(b);
            struct private_key *again = parse(&err);
            CHECK(again && private_key_kind(again) == (rsa ? KEY_RSA : KEY_EC_P384));
            private_key_unref(&again);
            private_key_unref(&k);
        }
}

/* One encrypted form by its number. */
static int write_encrypted(BIO *b, EVP_PKEY *k, int form)
{
    static char password[] = "secret";
    switch (form) {
    case 0:
        return PEM_write_bio_PKCS8PrivateKey(b, k, EVP_aes_256_cbc(), password, 6, NULL, NULL);
    case 1:
        return i2d_PKCS8PrivateKey_bio(b, k, EVP_aes_256_cbc(), password, 6, NULL, NULL);
    default:
        return PEM_write_bio_PrivateKey_traditional(
            b, k, EVP_aes_128_cbc(), (unsigned char *)password, 6, NULL, NULL);
    }
}

TEST(encrypted_is_refused_with_the_remedy)
{
    struct error err;
    struct private_key *k = private_key_generate(KEY_RSA, &err);
    for (int form = 0; form < 3; form++) {
        BIO *b = BIO_new(BIO_s_mem());
        MUST(b && write_encrypted(b, private_key_pkey(k), form));
        take_bio(b);
        CHECK(parse(&err) == NULL);
        CHECK(strstr(err.text, "is encrypted; decrypt it with: openssl pkey") != NULL);
    }
    private_key_unref(&k);
}

TEST(other_files_are_named)
{
    struct error err;
    struct issued ca = issue_fixture(ISSUE_CA, "CA", NULL, NULL);
    buf_init(&text, 1 << 20);
    MUST(convert_certificate_pem(issued_der(&ca), &text) == 0);
    CHECK(parse(&err) == NULL);
    CHECK(strstr(err.text, "looks like a certificate") != NULL);

    struct convert_pkcs12 p12 = {issued_der(&ca), ca.key, NULL, "x", NULL};
    buf_init(&text, 1 << 20);
    MUST(convert_pkcs12_write(&p12, &text, &err) == 0);
    CHECK(parse(&err) == NULL);
    CHECK(strstr(err.text, "PKCS#12") && strstr(err.text, "sallyport pki convert"));
    issued_fini(&ca);
}

TEST(unsupported_kinds)
{
    struct error err;
    static const char *const groups[] = {"P-224", "secp256k1"};
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = EVP_EC_gen(groups[i]);
        MUST(key);
        CHECK(private_key_from_pkey(key, &err) == NULL);
        CHECK(strstr(err.text, "unsupported") != NULL);
    }
    EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    CHECK(private_key_from_pkey(x25519, &err) == NULL);
}

TEST(explicit_curve_parameters)
{
    struct error err;
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    MUST(c && EVP_PKEY_keygen_init(c) > 0 && EVP_PKEY_CTX_set_group_name(c, "P-256") > 0 &&
         EVP_PKEY_CTX_set_ec_param_enc(c, OPENSSL_EC_EXPLICIT_CURVE) > 0 &&
         EVP_PKEY_generate(c, &key) > 0);
    BIO *b = BIO_new(BIO_s_mem());
    MUST(b && i2d_PKCS8PrivateKey_bio(b, key, NULL, NULL, 0, NULL, NULL));
    take_bio(b);
    CHECK(parse(&err) == NULL);
    CHECK(strstr(err.text, "unsupported") != NULL);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(c);
}

TEST(broken_files)
{
    static const char *const files[] = {"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "\x30\x03\x02\x01\x00"};
    struct error err;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        err = (struct error){0};
        CHECK(private_key_parse(bytes_of(files[i]), &err) == NULL);
        CHECK(err.text[0] != 0);
    }
}

TEST(truncated_and_trailing_der)
{
    struct error err;
    struct private_key *k = private_key_generate(KEY_EC_P256, &err);
    struct buf der;
    buf_init(&der, 1 << 16);
    MUST(convert_key_der(k, &der) == 0);
    for (size_t n = 0; n < buf_size(&der); n++)
        CHECK(private_key_parse(bytes_first(buf_bytes(&der), n), &err) == NULL);
    MUST(buf_append(&der, BYTES("x")) == 0);
    CHECK(private_key_parse(buf_bytes(&der), &err) == NULL);
    buf_fini(&der);
    private_key_unref(&k);
}

TEST(two_keys_in_one_file)
{
    struct error err;
    struct private_key *k = private_key_generate(KEY_EC_P256, &err);
    buf_init(&text, 1 << 16);
    MUST(convert_key_pem(k, &text) == 0 && convert_key_pem(k, &text) == 0);
    CHECK(parse(&err) == NULL);
    CHECK(strstr(err.text, "more than one private key") != NULL);
    private_key_unref(&k);
}

static struct bytes spki_of(const struct private_key *k)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(private_key_pkey(k), &der);
    MUST(n > 0);
    return (struct bytes){der, (size_t)n};
}

TEST(matches_its_public_half_only)
{
    struct error err;
    struct private_key *a = private_key_generate(KEY_EC_P256, &err),
                       *b = private_key_generate(KEY_EC_P256, &err);
    struct private_key *more = private_key_ref(a);
    struct bytes mine = spki_of(a), other = spki_of(b);
    CHECK(private_key_matches(more, mine));
    CHECK(!private_key_matches(more, other));
    CHECK(!private_key_matches(more, bytes_first(mine, mine.n - 1)));
    CHECK(!private_key_matches(more, (struct bytes){0}));
    CHECK_INT(ERR_peek_error(), 0);
    OPENSSL_free((void *)(uintptr_t)mine.at);
    OPENSSL_free((void *)(uintptr_t)other.at);
    private_key_unref(&more);
    private_key_unref(&a);
    private_key_unref(&b);
}

/* ---- signing ---- */

#define MESSAGE BYTES("what is signed")

static const struct scheme {
    enum signature_algorithm algorithm;
    const char *digest; /* NULL: Ed25519 */
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

/* What libcrypto's EVP says; salts have the digest's size (RFC 8446 §4.2.3). */
static bool is_signature(EVP_PKEY *key, const struct scheme *s, struct bytes signature)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context;
    MUST(EVP_DigestVerifyInit_ex(c, &key_context, s->digest, NULL, NULL, key, NULL) == 1);
    if (s->is_pss)
        MUST(EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) == 1);
    bool is_good = EVP_DigestVerify(c, signature.at, signature.n, MESSAGE.at, MESSAGE.n) == 1;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return is_good;
}

static bool fits(const struct scheme *s, enum key_kind kind)
{
    if (kind == KEY_RSA_PSS)
        return s->is_pss;
    if (kind == KEY_RSA || kind == KEY_ED25519)
        return kind == KEY_RSA ? s->is_rsa : !s->digest;
    return s->digest && !s->is_rsa;
}

/* Twice: what a key keeps for signing serves again. */
TEST(signatures_are_good_and_fit_the_key)
{
    struct error err;
    uint8_t out[PRIVATE_KEY_SIGNATURE_MAX];
    static const enum key_kind kinds[] = {
        KEY_RSA, KEY_RSA_PSS, KEY_EC_P256, KEY_EC_P384, KEY_EC_P521, KEY_ED25519};
    for (size_t n = 0; n < COUNT_OF(kinds); n++) {
        enum key_kind kind = kinds[n];
        struct private_key *k = make(kind, &err);
        MUST(k);
        for (size_t i = 0; i < 2 * COUNT_OF(schemes); i++) {
            const struct scheme *s = &schemes[i % COUNT_OF(schemes)];
            struct bytes made = {out, private_key_sign(k, s->algorithm, MESSAGE, out)};
            CHECK_INT(made.n > 0, fits(s, kind));
            CHECK(!made.n || is_signature(private_key_pkey(k), s, made));
        }
        CHECK_INT(private_key_sign(k, SIGNATURE_UNKNOWN, MESSAGE, out), 0);
        CHECK_INT(private_key_sign(k, SIGNATURE_WEAK, MESSAGE, out), 0);
        CHECK_INT(ERR_peek_error(), 0);
        private_key_unref(&k);
    }
}

static struct private_key *rsa_of(unsigned bits)
{
    struct error err;
    return private_key_from_pkey(EVP_RSA_gen(bits), &err);
}

/* SHA-512 and its salt want 1040 bits. */
TEST(a_key_that_is_too_small_for_pss)
{
    uint8_t out[PRIVATE_KEY_SIGNATURE_MAX];
    struct private_key *k = rsa_of(1024);
    CHECK_INT(private_key_sign(k, SIGNATURE_RSA_PSS_SHA512, MESSAGE, out), 0);
    CHECK_INT(ERR_peek_error(), 0);
    CHECK_INT(private_key_sign(k, SIGNATURE_RSA_PSS_SHA384, MESSAGE, out), 128);
    private_key_unref(&k);
}

/* Larger than the room for its signatures: whoever has such a key learns it before the first
 * handshake. */
TEST(a_key_that_is_too_large)
{
    struct error err;
    BIGNUM *n = BN_new(), *e = BN_new(), *d = BN_new();
    RSA *rsa = RSA_new();
    EVP_PKEY *key = EVP_PKEY_new();
    MUST(BN_set_bit(n, 8199) && BN_set_word(e, 65537) && BN_set_word(d, 3) &&
         RSA_set0_key(rsa, n, e, d) && EVP_PKEY_assign_RSA(key, rsa));
    CHECK(private_key_from_pkey(key, &err) == NULL);
    CHECK_TEXT(err.text, "an RSA key of 8200 bits; use one of 2048 to 8192 bits");
}

/* ---- RSA key transport, RFC 5246 §7.4.7.1 ---- */

#define MODULUS_SIZE 256
#define VERSION      0x0303
#define SECRET_AT    (MODULUS_SIZE - 48) /* in the encoded message; before it, a zero */

/* EM = 00 02 PS 00 M, as it should be. */
static void encode(uint8_t em[MODULUS_SIZE])
{
    memset(em, 0x55, MODULUS_SIZE);
    em[0] = 0;
    em[1] = 2;
    em[SECRET_AT - 1] = 0;
    em[SECRET_AT] = VERSION >> 8;
    em[SECRET_AT + 1] = VERSION & 0xff;
}

/* EM to the power of e: what it is decrypted to. */
static void encrypt_raw(
    const struct private_key *k, const uint8_t em[MODULUS_SIZE], uint8_t out[MODULUS_SIZE])
{
    size_t n = MODULUS_SIZE;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, private_key_pkey(k), NULL);
    MUST(EVP_PKEY_encrypt_init(c) > 0 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING) > 0 &&
         EVP_PKEY_encrypt(c, out, &n, em, MODULUS_SIZE) > 0 && n == MODULUS_SIZE);
    EVP_PKEY_CTX_free(c);
}

/* Does CIPHERTEXT give a secret that is another each time, and holds nothing of EM? */
static bool is_random(
    const struct private_key *k, struct bytes ciphertext, const uint8_t em[MODULUS_SIZE])
{
    uint8_t one[48] = {0}, other[48] = {0};
    private_key_premaster(k, ciphertext, VERSION, one);
    private_key_premaster(k, ciphertext, VERSION, other);
    CHECK_INT(ERR_peek_error(), 0);
    return memcmp(one, other, 48) != 0 && memcmp(one + 2, em + SECRET_AT + 2, 46) != 0 &&
           memcmp(other + 2, em + SECRET_AT + 2, 46) != 0;
}

static const struct {
    const char *what;
    size_t at;
    uint8_t octet;
} malformed[] = {
    {"first octet", 0, 1},
    {"block type 1", 1, 1},
    {"block type 0", 1, 0},
    {"padding of no octets", 2, 0},
    {"padding of 7 octets", 9, 0},
    {"a longer secret", 100, 0},
    {"a secret one octet longer", SECRET_AT - 2, 0},
    {"no separator, or a shorter secret", SECRET_AT - 1, 0x55},
    {"another major version", SECRET_AT, 2},
    {"another minor version", SECRET_AT + 1, 2},
    {"a later minor version", SECRET_AT + 1, 4},
};

TEST(a_malformed_premaster_becomes_a_random_one)
{
    uint8_t em[MODULUS_SIZE], ciphertext[MODULUS_SIZE], secret[48];
    struct private_key *k = rsa_of(8 * MODULUS_SIZE);
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        encode(em);
        em[malformed[i].at] = malformed[i].octet;
        encrypt_raw(k, em, ciphertext);
        CHECK(is_random(k, (struct bytes){ciphertext, sizeof(ciphertext)}, em) ||
              (printf("# %s\n", malformed[i].what), false));
    }
    /* A secret that ends, or is one octet too short, where another zero stands. */
    encode(em);
    em[SECRET_AT - 1] = 0x55;
    em[SECRET_AT] = 0;
    encrypt_raw(k, em, ciphertext);
    CHECK(is_random(k, (struct bytes){ciphertext, sizeof(ciphertext)}, em));
    /* And the well-formed one, so that each of the above was refused for what it says. */
    encode(em);
    encrypt_raw(k, em, ciphertext);
    private_key_premaster(k, (struct bytes){ciphertext, sizeof(ciphertext)}, VERSION, secret);
    CHECK(memcmp(secret, em + SECRET_AT, 48) == 0);
    private_key_unref(&k);
}

/* What everyone can see to be no ciphertext. */
TEST(no_ciphertext_becomes_a_random_premaster)
{
    uint8_t em[MODULUS_SIZE] = {0}, octets[MODULUS_SIZE + 1] = {0};
    struct private_key *k = rsa_of(8 * MODULUS_SIZE);
    encode(em);
    encrypt_raw(k, em, octets);
    CHECK(is_random(k, (struct bytes){octets, MODULUS_SIZE + 1}, em));
    CHECK(is_random(k, (struct bytes){octets, MODULUS_SIZE - 1}, em));
    CHECK(is_random(k, (struct bytes){0}, em));
    memset(octets, 0, sizeof(octets));
    CHECK(is_random(k, (struct bytes){octets, MODULUS_SIZE}, em)); /* zero */
    memset(octets, 0xff, sizeof(octets));
    CHECK(is_random(k, (struct bytes){octets, MODULUS_SIZE}, em)); /* not below the modulus */
    private_key_unref(&k);
}

/* RFC 8017 §7.2.2, step 1: as long as the modulus, leading zeros included. */
TEST(a_ciphertext_without_its_leading_zero)
{
    uint8_t em[MODULUS_SIZE], ciphertext[MODULUS_SIZE], secret[48];
    struct private_key *k = rsa_of(8 * MODULUS_SIZE);
    uint64_t seed = 0;
    encode(em);
    do { /* one of 256 has it */
        vector_fill(em + 2, 8, ++seed);
        for (size_t i = 2; i < 10; i++)
            em[i] |= 1; /* padding has no zeros */
        encrypt_raw(k, em, ciphertext);
    } while (ciphertext[0] != 0);
    private_key_premaster(k, (struct bytes){ciphertext, MODULUS_SIZE}, VERSION, secret);
    CHECK(memcmp(secret, em + SECRET_AT, 48) == 0);
    CHECK(is_random(k, (struct bytes){ciphertext + 1, MODULUS_SIZE - 1}, em));
    private_key_unref(&k);
}

TEST(a_key_of_another_kind_decrypts_nothing)
{
    struct error err;
    uint8_t em[MODULUS_SIZE], octets[MODULUS_SIZE] = {0};
    struct private_key *k = private_key_generate(KEY_EC_P256, &err);
    encode(em);
    CHECK(is_random(k, (struct bytes){octets, (size_t)EVP_PKEY_get_size(private_key_pkey(k))}, em));
    private_key_unref(&k);
}

/* Both sides of it. */
TEST(what_a_public_key_encrypts)
{
    struct error err;
    uint8_t secret[48] = {VERSION >> 8, VERSION & 0xff, 1, 2, 3}, got[48], out[1024], long_one[246];
    struct private_key *k = rsa_of(8 * MODULUS_SIZE);
    uint8_t *der = NULL;
    int n = i2d_PublicKey(private_key_pkey(k), &der);
    MUST(n > 0);
    struct public_key *p = public_key_new(KEY_RSA, (struct bytes){der, (size_t)n}, &err);
    MUST(p);
    struct bytes sealed = {out, public_key_encrypt(p, (struct bytes){secret, 48}, out)};
    CHECK_INT(sealed.n, MODULUS_SIZE);
    private_key_premaster(k, sealed, VERSION, got);
    CHECK(memcmp(got, secret, 48) == 0);
    memset(long_one, 1, sizeof(long_one)); /* 245 is the most, RFC 8017 §7.2.1 */
    CHECK_INT(public_key_encrypt(p, (struct bytes){long_one, sizeof(long_one)}, out), 0);
    CHECK_INT(public_key_encrypt(p, (struct bytes){out, 1 << 20}, out), 0);
    CHECK_INT(ERR_peek_error(), 0);
    public_key_free(&p);
    private_key_unref(&k);
    OPENSSL_free(der);
}

TEST(a_key_of_another_kind_encrypts_nothing)
{
    struct error err;
    uint8_t key[32] = {1}, out[1024];
    struct public_key *p = public_key_new(KEY_ED25519, (struct bytes){key, sizeof(key)}, &err);
    MUST(p);
    CHECK_INT(public_key_encrypt(p, MESSAGE, out), 0);
    public_key_free(&p);
}
