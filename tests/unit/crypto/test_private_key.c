/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "crypto/convert.h"
#include "crypto/private_key.h"
#include "fixture.h"

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
        KEY_RSA, KEY_EC_P256, KEY_EC_P384, KEY_EC_P521, KEY_ED25519};
    struct error err;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        for (int der = 0; der < 2; der++) {
            struct private_key *k = private_key_generate(kinds[i], &err);
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
