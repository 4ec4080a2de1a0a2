/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/attributes.h"
#include "crypto/hash.h"
#include "vectors.h"

#include "base/ban.h"

static const char *const names[] = {[HASH_SHA256] = "SHA256", [HASH_SHA384] = "SHA384"};

/* FIPS 180-4's examples. */
static const struct {
    const char *message, *sha256, *sha384;
} digests[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
        "274edebfe76f65fbd51ad2f14898b95b"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        "8086072ba1e7cc2358baeca134c825a7"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
     "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
        "fcc7c71a557e2db966c3e9fa91746039"},
};

TEST(digests_of_fips_180)
{
    uint8_t out[HASH_SIZE_MAX];
    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        CHECK_INT(hash_make(HASH_SHA256, bytes_of(digests[i].message), out), 32);
        CHECK(vector_is(out, 32, digests[i].sha256));
        CHECK_INT(hash_make(HASH_SHA384, bytes_of(digests[i].message), out), 48);
        CHECK(vector_is(out, 48, digests[i].sha384));
    }
}

/* What a transcript needs: it is read in the middle. */
TEST(a_state_goes_on_after_it_was_read)
{
    for (enum hash_kind kind = HASH_SHA256; kind <= HASH_SHA384; kind++) {
        uint8_t data[300], got[HASH_SIZE_MAX], want[HASH_SIZE_MAX];
        vector_fill(data, sizeof(data), 1);
        struct hash h;
        hash_init(&h, kind);
        for (size_t n = 0; n < sizeof(data); n++) {
            size_t size = hash_make(kind, (struct bytes){data, n}, want);
            CHECK_INT(size, hash_size(kind));
            CHECK_INT(hash_peek(&h, got), size);
            CHECK(memcmp(got, want, size) == 0);
            hash_add(&h, (struct bytes){data + n, 1});
        }
    }
}

#define A20  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A131 A20 A20 A20 A20 A20 A20 "aaaaaaaaaaaaaaaaaaaaaa"
#define LONG_MESSAGE                                                                        \
    "This is a test using a larger than block-size key and a larger than block-size data. " \
    "The key needs to be hashed before being used by the HMAC algorithm."

/* RFC 4231 §4.2, 4.3, 4.7, 4.8 */
static const struct {
    const char *key, *message, *sha256, *sha384;
} macs[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
        "faea9ea9076ede7f4af152e8b2fa9cb6"},
    {"4a656665", "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
        "8e2240ca5e69e2c78b3239ecfab21649"},
    {A131, "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
        "0c2ef6ab4030fe8296248df163f44952"},
    {A131, LONG_MESSAGE, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5"
        "a678cc31e799176d3860e6110c46523e"},
};

TEST(macs_of_rfc4231)
{
    for (size_t i = 0; i < COUNT_OF(macs); i++) {
        uint8_t key[131], out[HASH_SIZE_MAX];
        struct bytes k = vector_read(macs[i].key, key), m = bytes_of(macs[i].message);
        struct hmac_key state;
        hmac_key_init(&state, HASH_SHA256, k);
        CHECK_INT(hmac_make(&state, bytes_first(m, 3), bytes_skip(m, 3), out), 32);
        CHECK(vector_is(out, 32, macs[i].sha256));
        hmac_key_init(&state, HASH_SHA384, k);
        CHECK_INT(hmac_make(&state, m, (struct bytes){0}, out), 48);
        CHECK(vector_is(out, 48, macs[i].sha384));
    }
}

/* Every size of key and message around the blocks' ends, against libcrypto's own. */
TEST(macs_are_libcryptos)
{
    uint8_t key[300], message[300], got[HASH_SIZE_MAX], want[EVP_MAX_MD_SIZE];
    for (size_t n = 0; n < sizeof(key); n++) {
        struct bytes k = {key, n}, m = {message, n * 7 % sizeof(message)};
        vector_fill(key, sizeof(key), n);
        vector_fill(message, sizeof(message), 1000 + n);
        for (enum hash_kind kind = HASH_SHA256; kind <= HASH_SHA384; kind++) {
            const EVP_MD *md = kind == HASH_SHA256 ? EVP_sha256() : EVP_sha384();
            struct hmac_key state;
            unsigned size = 0;
            HMAC(md, k.at, (int)k.n, m.at, m.n, want, &size);
            hmac_key_init(&state, kind, k);
            CHECK_INT(hmac_make(&state, bytes_first(m, n / 2), bytes_skip(m, n / 2), got), size);
            CHECK(size && memcmp(got, want, size) == 0);
        }
    }
}

TEST(a_wiped_key_is_gone)
{
    struct hmac_key state;
    static const struct hmac_key zeros;
    hmac_key_init(&state, HASH_SHA256, BYTES("key"));
    hmac_key_wipe(&state);
    CHECK(memcmp(&state, &zeros, sizeof(state)) == 0);
}

/* RFC 5869 appendix A.1, A.2, A.3: PRK and OKM */
static const struct {
    const char *secret, *salt, *info, *prk, *okm;
} expansions[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
     "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384858687"
        "88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7"
        "d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

TEST(hkdf_of_rfc5869)
{
    for (size_t i = 0; i < COUNT_OF(expansions); i++) {
        uint8_t secret[80], salt[80], info[80], prk[HASH_SIZE_MAX], okm[82];
        struct bytes s = vector_read(expansions[i].secret, secret),
                     t = vector_read(expansions[i].salt, salt),
                     f = vector_read(expansions[i].info, info);
        size_t n = strlen(expansions[i].okm) / 2;
        struct hmac_key state;
        hkdf_extract(HASH_SHA256, t, s, prk);
        CHECK(vector_is(prk, 32, expansions[i].prk));
        hmac_key_init(&state, HASH_SHA256, (struct bytes){prk, 32});
        hkdf_expand(&state, f, okm, n);
        CHECK(vector_is(okm, n, expansions[i].okm));
    }
}

static void libcrypto_hkdf(
    enum hash_kind kind, struct bytes secret, struct bytes salt, uint8_t *out, size_t n)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)names[kind], 0),
        OSSL_PARAM_construct_octet_string(
            OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.at, secret.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.at, salt.n),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);
    CHECK(EVP_KDF_derive(context, out, n, parameters) == 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(hkdf);
}

/* Up to the most that there is, 255 digests; the salt where the digest is put, as in a chain. */
TEST(hkdf_is_libcryptos)
{
    static const size_t sizes[] = {1, 31, 32, 33, 48, 49, 96, 97, 1000};
    for (enum hash_kind kind = HASH_SHA256; kind <= HASH_SHA384; kind++)
        for (size_t i = 0; i <= COUNT_OF(sizes); i++) {
            uint8_t secret[64], chain[HASH_SIZE_MAX], want[255 * 48], got[255 * 48];
            size_t n = i < COUNT_OF(sizes) ? sizes[i] : 255 * hash_size(kind);
            struct bytes salt = {chain, hash_size(kind)}, s = {secret, 1 + i * 6};
            vector_fill(secret, sizeof(secret), i);
            vector_fill(chain, sizeof(chain), 100 + i);
            libcrypto_hkdf(kind, s, salt, want, n);
            struct hmac_key state;
            hkdf_extract(kind, salt, s, chain);
            hmac_key_init(&state, kind, salt);
            hkdf_expand(&state, (struct bytes){0}, got, n);
            CHECK(memcmp(got, want, n) == 0);
        }
}
