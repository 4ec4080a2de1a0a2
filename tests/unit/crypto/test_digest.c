/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"
#include "test.h"

#include "base/ban.h"

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; hex[0]; hex += 2)
        out[n++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
    return n;
}

TEST(sha256_of_abc) /* FIPS 180-2 B.1 */
{
    uint8_t got[SHA256_SIZE], want[SHA256_SIZE];
    from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", want);
    digest_sha256(BYTES("abc"), got);
    CHECK(memcmp(got, want, sizeof(want)) == 0);
}

TEST(sha256_of_nothing)
{
    uint8_t got[SHA256_SIZE], want[SHA256_SIZE];
    from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", want);
    digest_sha256((struct bytes){0}, got);
    CHECK(memcmp(got, want, sizeof(want)) == 0);
}

static void digest_two(struct bytes a, struct bytes b, uint8_t out[SHA256_SIZE])
{
    struct digest *d = digest_new();
    digest_add(d, a);
    digest_add(d, b);
    digest_finish(&d, out);
    CHECK(d == NULL);
}

TEST(pieces_do_not_run_together)
{
    uint8_t one[SHA256_SIZE], other[SHA256_SIZE], want[SHA256_SIZE];
    digest_two(BYTES("ab"), BYTES("c"), one);
    digest_two(BYTES("a"), BYTES("bc"), other);
    CHECK(memcmp(one, other, SHA256_SIZE) != 0);
    digest_sha256(BYTES("\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c"), want);
    CHECK(memcmp(one, want, SHA256_SIZE) == 0);
}

static const struct hkdf_vector {
    const char *secret, *salt, *info, *want;
} hkdf_vectors[] = {
    /* RFC 5869 appendix A.1, A.2, A.3 */
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2"
     "e"
     "2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c"
        "8d"
        "8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdc"
        "dd"
        "dedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e"
        "59"
        "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

TEST(hkdf_rfc5869)
{
    for (size_t i = 0; i < sizeof(hkdf_vectors) / sizeof(hkdf_vectors[0]); i++) {
        const struct hkdf_vector *v = &hkdf_vectors[i];
        uint8_t secret[128], salt[128], info[128], want[128], got[128];
        struct bytes s = {secret, from_hex(v->secret, secret)}, t = {salt, from_hex(v->salt, salt)},
                     f = {info, from_hex(v->info, info)};
        size_t n = from_hex(v->want, want);
        digest_hkdf(s, t, f, got, n);
        CHECK(memcmp(got, want, n) == 0);
    }
}

TEST(base64_rfc4648) /* §10 */
{
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char out[16] = "";
        size_t n = base64_encode(bytes_of(vectors[i][0]), out);
        CHECK_INT(n, base64_size(strlen(vectors[i][0])));
        out[n] = 0;
        CHECK_TEXT(out, vectors[i][1]);
    }
}

TEST(random_and_comparison)
{
    uint8_t a[32] = {0}, b[32] = {0};
    CHECK(constant_time_equal(a, b, sizeof(a)));
    random_fill(a, sizeof(a));
    random_fill(b, sizeof(b));
    CHECK(!constant_time_equal(a, b, sizeof(a)));
    CHECK(constant_time_equal(a, b, 0));
}

/* FIPS 180-4's example "abc". */
TEST(every_digest)
{
    static const struct {
        enum digest_kind kind;
        size_t n;
        uint8_t first[4];
    } rows[] = {
        {DIGEST_SHA1, 20, {0xa9, 0x99, 0x3e, 0x36}},
        {DIGEST_SHA256, 32, {0xba, 0x78, 0x16, 0xbf}},
        {DIGEST_SHA384, 48, {0xcb, 0x00, 0x75, 0x3f}},
        {DIGEST_SHA512, 64, {0xdd, 0xaf, 0x35, 0xa1}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t out[DIGEST_SIZE_MAX];
        CHECK_INT(digest_make(rows[i].kind, BYTES("abc"), out), rows[i].n);
        CHECK(memcmp(out, rows[i].first, sizeof(rows[i].first)) == 0);
    }
}
