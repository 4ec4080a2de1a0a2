/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attributes.h"
#include "kdf.h"
#include "test.h"
#include "tls/prf.h"

#include "base/ban.h"

/* Published in 2009 on the TLS working group's list as vectors of the PRF of TLS 1.2. */
TEST(published)
{
    static const struct {
        enum hash_kind hash;
        const char *secret, *seed, *want;
    } cases[] = {
        {HASH_SHA256, "9bbe436ba940f017b17652849a71db35", "a0ba9f936cda311827a6f796ffd5198c",
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a4"
            "6b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d1"
            "22ee42c5a72e5a5110fff70187347b66"},
        {HASH_SHA384, "b80b733d6ceefcdc71566ea48e5567df", "cd665cf6a8447dd6ff8b27555edb7465",
            "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82"
            "b1233c9146a0e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473"
            "ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9"
            "aee691c8f3a26854308d5eaa3be85e0990703d73e56f"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t secret[64], seed[64], got[256];
        const size_t n = strlen(cases[i].want) / 2;
        struct bytes whole = vector_read(cases[i].seed, seed);
        /* However the seed is divided. */
        prf_make(cases[i].hash, vector_read(cases[i].secret, secret),
            (struct prf_seed){"test label", bytes_first(whole, 5), bytes_skip(whole, 5)}, got, n);
        CHECK(vector_is(got, n, cases[i].want));
    }
}

/* RFC 5246 §6.3: both randoms the other way round than in the master secret; the client's part
 * first. */
TEST(key_block)
{
    static const struct {
        struct suite suite;
        const char *digest;
        size_t key_n, iv_n;
        enum record_format format;
    } cases[] = {
        {{.aead = AEAD_AES_128_GCM, .hash = HASH_SHA256}, "SHA256", 16, 4, RECORD_TLS12_GCM},
        {{.aead = AEAD_AES_256_GCM, .hash = HASH_SHA384}, "SHA384", 32, 4, RECORD_TLS12_GCM},
        {{.aead = AEAD_CHACHA20_POLY1305, .hash = HASH_SHA256}, "SHA256", 32, 12,
            RECORD_TLS12_CHACHA20},
    };
    uint8_t master[MASTER_SECRET_SIZE], randoms[2][32], block[88];
    vector_fill(master, sizeof(master), 3);
    vector_fill(randoms[0], sizeof(randoms), 4);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct prf_keys keys;
        struct hmac_key key;
        const size_t key_n = cases[i].key_n, iv_n = cases[i].iv_n;
        OSSL_PARAM p[8], *at = p;
        kdf_set_text(at++, OSSL_KDF_PARAM_DIGEST, cases[i].digest);
        kdf_set_octets(at++, OSSL_KDF_PARAM_SECRET, (struct bytes){master, sizeof(master)});
        kdf_set_octets(at++, OSSL_KDF_PARAM_SEED, BYTES("key expansion"));
        kdf_set_octets(at++, OSSL_KDF_PARAM_SEED, (struct bytes){randoms[1], 32});
        kdf_set_octets(at++, OSSL_KDF_PARAM_SEED, (struct bytes){randoms[0], 32});
        *at = OSSL_PARAM_construct_end();
        kdf_derive("TLS1-PRF", p, block, 2 * (key_n + iv_n));
        hmac_key_init(&key, cases[i].suite.hash, (struct bytes){master, sizeof(master)});
        prf_keys_make(&cases[i].suite, &key, randoms[0], randoms[1], &keys);
        CHECK_INT(keys.client.format, cases[i].format);
        CHECK(keys.client.kind == cases[i].suite.aead && keys.server.kind == cases[i].suite.aead);
        CHECK(memcmp(keys.client.key, block, key_n) == 0);
        CHECK(memcmp(keys.server.key, block + key_n, key_n) == 0);
        CHECK(memcmp(keys.client.iv, block + 2 * key_n, iv_n) == 0);
        CHECK(memcmp(keys.server.iv, block + 2 * key_n + iv_n, iv_n) == 0);
    }
}
