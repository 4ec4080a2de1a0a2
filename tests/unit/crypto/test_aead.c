/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "crypto/aead.h"
#include "crypto/aead_implementation.h"
#include "vectors.h"

#include "base/ban.h"

#define ROOM 40000

/* K, IV, A and P of the GCM specification's test cases 4 and 16. */
#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_TEXT                                                       \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_AD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define ZEROS  "0000000000000000"

static const struct vector {
    enum aead_kind kind;
    const char *key, *nonce, *ad, *text, *sealed;
} vectors[] = {
    /* GCM specification (McGrew, Viega), test cases 1, 4, 13, 16 */
    {AEAD_AES_128_GCM, ZEROS ZEROS, "000000000000000000000000", "", "",
        "58e2fccefa7e3061367f1d57a4e7455a"},
    {AEAD_AES_128_GCM, GCM_KEY, "cafebabefacedbaddecaf888", GCM_AD, GCM_TEXT,
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        "5bc94fbc3221a5db94fae95ae7121a47"},
    {AEAD_AES_256_GCM, ZEROS ZEROS ZEROS ZEROS, "000000000000000000000000", "", "",
        "530f8afbc74536b9a963b4f1c4cb738b"},
    {AEAD_AES_256_GCM, GCM_KEY GCM_KEY, "cafebabefacedbaddecaf888", GCM_AD, GCM_TEXT,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"},
    /* RFC 8439 §2.8.2, and the empty message */
    {AEAD_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
        "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
        "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
        "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
        "637265656e20776f756c642062652069742e",
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691"},
    {AEAD_CHACHA20_POLY1305, ZEROS ZEROS ZEROS ZEROS, "000000000000000000000000", "", "",
        "4eb972c9a8fb3a1b382bb4d36f5ffad1"},
};

/* NULL: a kind or a library that is not there. */
static struct aead *expand(
    const struct aead_implementation *by, enum aead_kind kind, const uint8_t *key)
{
    if (by == aead_ipsec_mb_find() && kind == AEAD_CHACHA20_POLY1305)
        return NULL;
    return by ? by->make(kind, key) : NULL;
}

static void check_vector(const struct aead_implementation *by, const struct vector *v)
{
    uint8_t key[AEAD_KEY_MAX], nonce[AEAD_NONCE_SIZE], ad[64], data[256];
    CHECK_INT(vector_read(v->key, key).n, aead_key_size(v->kind));
    struct aead *a = expand(by, v->kind, key);
    vector_read(v->nonce, nonce);
    struct bytes d = vector_read(v->ad, ad), text = vector_read(v->text, data);
    if (!a)
        return;
    aead_seal(a, nonce, d, data, text.n, data + text.n);
    CHECK(vector_is(data, text.n + AEAD_TAG_SIZE, v->sealed));
    CHECK(aead_open(a, nonce, d, data, text.n, data + text.n));
    CHECK(vector_is(data, text.n, v->text));
    aead_free(&a);
    CHECK(a == NULL);
}

TEST(published_vectors)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        check_vector(aead_ipsec_mb_find(), &vectors[i]);
        check_vector(&aead_libcrypto, &vectors[i]);
    }
}

/* What one seals the other opens, and both seal the same: all small sizes, and those around a
 * record's. One expanded key serves both directions and many messages. */
static void compare(enum aead_kind kind, size_t n)
{
    static uint8_t one[ROOM], other[ROOM], plain[ROOM];
    uint8_t key[AEAD_KEY_MAX], nonce[AEAD_NONCE_SIZE], ad[64];
    vector_fill(key, sizeof(key), n / 64);
    vector_fill(nonce, sizeof(nonce), 1000 + n);
    vector_fill(ad, sizeof(ad), 2000 + n);
    vector_fill(plain, n, 3000 + n);
    memcpy(one, plain, n);
    memcpy(other, plain, n);
    struct bytes d = {ad, n % sizeof(ad)};
    struct aead *a = expand(aead_ipsec_mb_find(), kind, key), *b = aead_libcrypto.make(kind, key);
    for (int i = 0; a && i < 2; i++, nonce[11]++) {
        aead_seal(a, nonce, d, one, n, one + n);
        aead_seal(b, nonce, d, other, n, other + n);
        CHECK(memcmp(one, other, n + AEAD_TAG_SIZE) == 0);
        CHECK(aead_open(a, nonce, d, other, n, other + n));
        CHECK(aead_open(b, nonce, d, one, n, one + n));
        CHECK(memcmp(one, plain, n) == 0 && memcmp(other, plain, n) == 0);
    }
    aead_free(&a);
    aead_free(&b);
}

TEST(both_libraries_agree)
{
    static const size_t large[] = {511, 512, 513, 767, 768, 769, 1023, 1024, 1400, 4096, 16383,
        16384, 16385, 16640, ROOM - AEAD_TAG_SIZE};
    for (enum aead_kind kind = AEAD_AES_128_GCM; kind <= AEAD_AES_256_GCM; kind++) {
        for (size_t n = 0; n < 400; n++)
            compare(kind, n);
        for (size_t i = 0; i < COUNT_OF(large); i++)
            compare(kind, large[i]);
    }
}

/* A sealed message of which one octet is changed before it is opened. */
struct forgery {
    uint8_t nonce[AEAD_NONCE_SIZE], ad[13], data[100], tag[AEAD_TAG_SIZE];
};

static void check_forgeries(const struct aead_implementation *by, enum aead_kind kind)
{
    static const uint8_t key[AEAD_KEY_MAX] = {1}, wiped[sizeof(((struct forgery *)0)->data)];
    struct aead *a = expand(by, kind, key);
    struct forgery sealed, forged;
    vector_fill((uint8_t *)&sealed, sizeof(sealed), 1);
    struct bytes ad = {forged.ad, sizeof(forged.ad)};
    if (!a)
        return;
    aead_seal(a, sealed.nonce, (struct bytes){sealed.ad, sizeof(sealed.ad)}, sealed.data,
        sizeof(sealed.data), sealed.tag);
    for (size_t i = 0; i < sizeof(forged); i++) {
        forged = sealed;
        ((uint8_t *)&forged)[i] ^= (uint8_t)(1 << i % 8);
        CHECK(!aead_open(a, forged.nonce, ad, forged.data, sizeof(forged.data), forged.tag));
        CHECK(memcmp(forged.data, wiped, sizeof(wiped)) == 0);
    }
    forged = sealed; /* a bad message spoils no good one */
    CHECK(aead_open(a, forged.nonce, ad, forged.data, sizeof(forged.data), forged.tag));
    aead_free(&a);
}

TEST(forgeries_are_refused_and_wiped)
{
    for (enum aead_kind kind = AEAD_AES_128_GCM; kind <= AEAD_CHACHA20_POLY1305; kind++) {
        check_forgeries(aead_ipsec_mb_find(), kind);
        check_forgeries(&aead_libcrypto, kind);
    }
}

TEST(no_message_needs_no_address)
{
    static const uint8_t key[AEAD_KEY_MAX], nonce[AEAD_NONCE_SIZE];
    for (enum aead_kind kind = AEAD_AES_128_GCM; kind <= AEAD_CHACHA20_POLY1305; kind++) {
        uint8_t tag[AEAD_TAG_SIZE], at[1];
        struct aead *a = aead_new(kind, key);
        aead_seal(a, nonce, (struct bytes){0}, NULL, 0, tag);
        CHECK(aead_open(a, nonce, (struct bytes){at, 0}, at, 0, tag));
        tag[15] ^= 0x80;
        CHECK(!aead_open(a, nonce, (struct bytes){0}, NULL, 0, tag));
        aead_free(&a);
        aead_free(&a);
    }
}

TEST(the_fastest_that_is_here_is_used)
{
    const struct aead_implementation *ipsec_mb = aead_ipsec_mb_find();
    CHECK_TEXT(aead_implementation(), (ipsec_mb ? ipsec_mb : &aead_libcrypto)->name);
    printf("# %s\n", aead_implementation());
}
