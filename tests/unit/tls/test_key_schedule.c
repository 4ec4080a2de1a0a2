/* SPDX-License-Identifier: Apache-2.0 */
/* What the traces of RFC 8448 (test_rfc8448.c) do not show: SHA-384, beside libcrypto's own
 * derivations. */
#include "kdf.h"
#include "test.h"
#include "tls/key_schedule.h"

#include "base/ban.h"

/* HKDF-Extract of TLS 1.3: SALT is what came before in the schedule, or empty. */
static void extract_by_libcrypto(struct bytes before, struct bytes input, uint8_t out[48])
{
    OSSL_PARAM p[8], *at = p;
    kdf_set_text(at++, OSSL_KDF_PARAM_MODE, "EXTRACT_ONLY");
    kdf_set_text(at++, OSSL_KDF_PARAM_DIGEST, "SHA384");
    if (before.n)
        kdf_set_octets(at++, OSSL_KDF_PARAM_SALT, before);
    if (input.n)
        kdf_set_octets(at++, OSSL_KDF_PARAM_KEY, input);
    kdf_set_octets(at++, OSSL_KDF_PARAM_PREFIX, BYTES("tls13 "));
    kdf_set_octets(at++, OSSL_KDF_PARAM_LABEL, BYTES("derived"));
    *at = OSSL_PARAM_construct_end();
    kdf_derive("TLS13-KDF", p, out, 48);
}

static void expand_by_libcrypto(
    struct bytes secret, const char *label, struct bytes context, uint8_t *out, size_t n)
{
    OSSL_PARAM p[8], *at = p;
    kdf_set_text(at++, OSSL_KDF_PARAM_MODE, "EXPAND_ONLY");
    kdf_set_text(at++, OSSL_KDF_PARAM_DIGEST, "SHA384");
    kdf_set_octets(at++, OSSL_KDF_PARAM_KEY, secret);
    kdf_set_octets(at++, OSSL_KDF_PARAM_PREFIX, BYTES("tls13 "));
    kdf_set_octets(at++, OSSL_KDF_PARAM_LABEL, bytes_of(label));
    if (context.n)
        kdf_set_octets(at++, OSSL_KDF_PARAM_DATA, context);
    *at = OSSL_PARAM_construct_end();
    kdf_derive("TLS13-KDF", p, out, n);
}

static const struct suite aes_256 = {
    .version = TLS_1_3, .aead = AEAD_AES_256_GCM, .hash = HASH_SHA384};

TEST(sha384_as_libcrypto)
{
    uint8_t shared[32], digest[48], early[48], handshake[48], want[48];
    struct key_schedule s;
    struct secret traffic;
    struct record_keys keys;
    vector_fill(shared, sizeof(shared), 1);
    vector_fill(digest, sizeof(digest), 2);
    struct bytes transcript = {digest, sizeof(digest)};

    key_schedule_start(&s, HASH_SHA384, (struct bytes){0});
    key_schedule_next(&s, (struct bytes){shared, sizeof(shared)});
    key_schedule_derive(&s, "s hs traffic", transcript, &traffic);
    extract_by_libcrypto((struct bytes){0}, (struct bytes){0}, early);
    extract_by_libcrypto(
        (struct bytes){early, 48}, (struct bytes){shared, sizeof(shared)}, handshake);
    expand_by_libcrypto((struct bytes){handshake, 48}, "s hs traffic", transcript, want, 48);
    CHECK(memcmp(traffic.at, want, 48) == 0);

    key_schedule_keys(&traffic, &aes_256, &keys);
    expand_by_libcrypto((struct bytes){traffic.at, 48}, "key", (struct bytes){0}, want, 32);
    CHECK(memcmp(keys.key, want, 32) == 0);
    expand_by_libcrypto((struct bytes){traffic.at, 48}, "iv", (struct bytes){0}, want, 12);
    CHECK(memcmp(keys.iv, want, 12) == 0);

    expand_by_libcrypto((struct bytes){traffic.at, 48}, "traffic upd", (struct bytes){0}, want, 48);
    key_schedule_update(&traffic);
    CHECK(memcmp(traffic.at, want, 48) == 0);
}

/* The constants for "no PSK" are those of a PSK of zeros (RFC 8446 §7.1). */
TEST(no_psk)
{
    static const uint8_t zeros[HASH_SIZE_MAX];
    for (enum hash_kind hash = HASH_SHA256; hash <= HASH_SHA384; hash++) {
        struct key_schedule with, without;
        struct secret a, b;
        key_schedule_start(&with, hash, (struct bytes){zeros, hash_size(hash)});
        key_schedule_start(&without, hash, (struct bytes){0});
        key_schedule_next(&with, BYTES("shared"));
        key_schedule_next(&without, BYTES("shared"));
        key_schedule_derive(&with, "c hs traffic", BYTES("digest"), &a);
        key_schedule_derive(&without, "c hs traffic", BYTES("digest"), &b);
        CHECK(memcmp(a.at, b.at, hash_size(hash)) == 0);
    }
}
