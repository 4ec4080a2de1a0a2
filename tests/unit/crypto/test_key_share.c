/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_share.c" /* a private half of a curve of NIST can only be given here */
#include "vectors.h"

#include "base/ban.h"

#define MUST(condition)    \
    ((condition) ? (void)0 \
                 : (printf("Bail out! %s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* A share with a private half from a book. */
static struct key_share *share_of(uint16_t group, const char *hex)
{
    uint8_t private[66];
    struct bytes p = vector_read(hex, private);
    if (group == GROUP_X25519)
        return key_share_new_x25519(private);
    struct key_share *k = mem_alloc(sizeof(*k));
    k->group = find(group);
    k->ec = EC_KEY_new();
    MUST(k->ec && EC_KEY_set_group(k->ec, curve_of(k->group)) && EC_KEY_oct2priv(k->ec, p.at, p.n));
    return k;
}

static const struct {
    uint16_t group;
    const char *private, *peer, *secret;
} vectors[] = {
    /* RFC 7748 §6.1, both ways; §5.2 */
    {GROUP_X25519, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
    {GROUP_X25519, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
    {GROUP_X25519, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
    /* RFC 5903 §8.1, 8.2 */
    {GROUP_SECP256R1, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
        "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
        "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
    {GROUP_SECP384R1,
        "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655"
        "e35b538041e649ee3faef896783ab194",
        "04e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d"
        "0d1ac43a0336def96fda41d0774a3571dcfbec7aacf3196472169e838430367f"
        "66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
        "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4"
        "d603135569b9e9d09cf5d4a270f59746"},
    /* §8.3 */
    {GROUP_SECP521R1,
        "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a0"
        "95aa85a30fe1c2952c6771d937ba9777f5957b2639bab072462f68c27a57382d"
        "4a52",
        "0400d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a"
        "219b97c356436adc6e95bb0352f6be64a6c2912d4ef2d0433ced2b6171640012"
        "d9460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852"
        "077b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fc"
        "d17f0fc56a",
        "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04"
        "d1427e73ca4baa240a34786859810c06b3c715a3a8cc3151f2bee417996d19f3"
        "ddea"},
};

TEST(secrets_of_published_pairs)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t peer[KEY_SHARE_PUBLIC_MAX], secret[KEY_SHARE_SECRET_MAX];
        size_t n = 0;
        struct key_share *k = share_of(vectors[i].group, vectors[i].private);
        CHECK(key_share_derive(k, vector_read(vectors[i].peer, peer), secret, &n));
        CHECK(vector_is(secret, n, vectors[i].secret));
        key_share_free(&k);
    }
}

static const uint16_t known[] = {GROUP_X25519, GROUP_SECP256R1, GROUP_SECP384R1, GROUP_SECP521R1};
static const size_t sizes[] = {32, 32, 48, 66};

TEST(two_shares_give_one_secret)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct key_share *a = key_share_new(known[i]), *b = key_share_new(known[i]);
        uint8_t one[KEY_SHARE_SECRET_MAX], other[KEY_SHARE_SECRET_MAX];
        size_t n = 0, m = 0;
        CHECK_INT(key_share_group(a), known[i]);
        CHECK(!bytes_equal(key_share_public(a), key_share_public(b))); /* fresh */
        CHECK(key_share_derive(a, key_share_public(b), one, &n));
        CHECK(key_share_derive(b, key_share_public(a), other, &m));
        CHECK(n == m && memcmp(one, other, n) == 0);
        /* As leading zeros may be: the size is the group's (RFC 8446 §7.4.2). */
        CHECK_INT(n, sizes[i]);
        key_share_free(&a);
        key_share_free(&b);
        CHECK(a == NULL);
        key_share_free(&a);
    }
}

TEST(only_these_groups_are_known)
{
    size_t count = 0;
    for (uint32_t group = 0; group <= UINT16_MAX; group++)
        count += key_share_is_known((uint16_t)group);
    CHECK_INT(count, COUNT_OF(known));
    for (size_t i = 0; i < COUNT_OF(known); i++)
        CHECK(key_share_is_known(known[i]));
}

static bool refuses(uint16_t group, struct bytes peer)
{
    uint8_t secret[KEY_SHARE_SECRET_MAX];
    size_t n;
    struct key_share *k = key_share_new(group);
    bool is_refused = !key_share_derive(k, peer, secret, &n);
    key_share_free(&k);
    CHECK(ERR_peek_error() == 0);
    return is_refused;
}

/* RFC 7748 §6.1: the points of small order, as u and as u + p, whatever the unused bit. */
TEST(x25519_points_that_give_zeros)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        uint8_t u[32];
        vector_read(points[i], u);
        CHECK(refuses(GROUP_X25519, (struct bytes){u, sizeof(u)}));
        u[31] ^= 0x80;
        CHECK(refuses(GROUP_X25519, (struct bytes){u, sizeof(u)}));
    }
}

TEST(sizes_that_are_not_the_groups)
{
    uint8_t peer[KEY_SHARE_PUBLIC_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct key_share *other = key_share_new(known[i]);
        struct bytes public = key_share_public(other);
        memset(peer, 0, sizeof(peer));
        memcpy(peer, public.at, public.n);
        CHECK(!refuses(known[i], (struct bytes){peer, public.n}));
        for (size_t n = 0; n <= sizeof(peer); n++)
            CHECK(n == public.n || refuses(known[i], (struct bytes){peer, n}));
        key_share_free(&other);
    }
}

/* RFC 8446 §4.2.8.2: uncompressed, and on the curve. */
TEST(what_is_no_point_of_the_curve)
{
    static const uint8_t forms[] = {0x00, 0x02, 0x03, 0x05, 0x06, 0x07, 0xff};
    for (size_t i = 1; i < COUNT_OF(known); i++) {
        uint8_t peer[KEY_SHARE_PUBLIC_MAX];
        struct key_share *other = key_share_new(known[i]);
        struct bytes p = key_share_public(other), changed = {peer, p.n};
        memcpy(peer, p.at, p.n);
        for (size_t f = 0; f < sizeof(forms); f++) {
            peer[0] = forms[f];
            CHECK(refuses(known[i], changed));
        }
        memcpy(peer, p.at, p.n);
        peer[p.n - 1] ^= 1;
        CHECK(refuses(known[i], changed));
        memset(peer + 1, 0xff, p.n - 1); /* not below the prime */
        CHECK(refuses(known[i], changed));
        memset(peer + 1, 0, p.n - 1);
        CHECK(refuses(known[i], changed));
        key_share_free(&other);
    }
}
