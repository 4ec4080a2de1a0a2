/* SPDX-License-Identifier: Apache-2.0 */
/*
 * primitives [WORD]: what the primitives of src/crypto/ cost on this machine, in nanoseconds of CPU
 * time an operation, each beside libcrypto's usual way of doing the same (as libssl 3.0 does it).
 * Run it on a quiet core; WORD chooses the rows whose name contains it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "base/attributes.h"
#include "base/panic.h"
#include "crypto/aead.h"
#include "crypto/aead_implementation.h"
#include "crypto/digest.h"
#include "crypto/hash.h"
#include "crypto/key_share.h"
#include "crypto/library.h"
#include "crypto/native.h"

#include "base/ban.h"

#define ROUNDS      9
#define ROUND_NS    20000000 /* a round lasts about this long; the fastest counts */
#define MESSAGE_MAX 16384

static uint8_t data[MESSAGE_MAX + AEAD_TAG_SIZE], key[64], out[64];
static const uint8_t nonce[AEAD_NONCE_SIZE];
static const struct bytes ad = {nonce, 5}, key32 = {key, 32};

/* ---- HMAC and HKDF-Expand, one digest of output ---- */

static void ours_hmac(size_t n)
{
    struct hmac_key k;
    hmac_key_init(&k, HASH_SHA256, key32);
    hmac_make(&k, (struct bytes){data, n}, (struct bytes){0}, out);
    hmac_key_wipe(&k);
}

static void ours_hmac_again(size_t n)
{
    static struct hmac_key k;
    static bool has_key;
    if (!has_key)
        hmac_key_init(&k, HASH_SHA256, key32);
    has_key = true;
    hmac_make(&k, (struct bytes){data, n}, (struct bytes){0}, out);
}

static void libcrypto_hmac(size_t n)
{
    ASSERT(HMAC(EVP_sha256(), key, 32, data, n, out, NULL));
}

static void libcrypto_mac(size_t n)
{
    static EVP_MAC *hmac;
    static EVP_MAC_CTX *c;
    static char sha256[] = "SHA256";
    size_t size;
    OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_end()};
    if (!hmac)
        hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (!c)
        c = EVP_MAC_CTX_new(hmac);
    ASSERT(EVP_MAC_init(c, key, 32, p) && EVP_MAC_update(c, data, n) &&
           EVP_MAC_final(c, out, &size, sizeof(out)));
}

static void ours_expand(size_t n)
{
    struct hmac_key k;
    hmac_key_init(&k, HASH_SHA256, key32);
    hkdf_expand(&k, (struct bytes){data, n}, out, 32);
    hmac_key_wipe(&k);
}

static void libcrypto_expand(size_t n)
{
    static EVP_KDF *hkdf;
    static char sha256[] = "SHA256";
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM p[] = {OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, 32),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, data, n),
        OSSL_PARAM_construct_end()};
    if (!hkdf)
        hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *c = EVP_KDF_CTX_new(hkdf);
    ASSERT(EVP_KDF_derive(c, out, 32, p) == 1);
    EVP_KDF_CTX_free(c);
}

static void ours_digest(size_t n)
{
    hash_make(HASH_SHA256, (struct bytes){data, n}, out);
}

static void libcrypto_digest(size_t n)
{
    static EVP_MD *md;
    if (!md)
        md = EVP_MD_fetch(NULL, "SHA256", NULL);
    ASSERT(EVP_Digest(data, n, out, NULL, md, NULL));
}

/* One compression of SHA-384 is half of this, less what is around it: 128 octets and their pad. */
static void ours_digest_384(size_t n)
{
    hash_make(HASH_SHA384, (struct bytes){data, n}, out);
}

static void libcrypto_digest_384(size_t n)
{
    static EVP_MD *md;
    if (!md)
        md = EVP_MD_fetch(NULL, "SHA384", NULL);
    ASSERT(EVP_Digest(data, n, out, NULL, md, NULL));
}

static void draw(size_t n)
{
    random_fill(out, n);
}

/* ---- AEADs: sealed, or opened after that ---- */

/* BY NULL: whoever aead_new takes. */
static struct aead *expand(const struct aead_implementation *by, enum aead_kind kind)
{
    return by ? by->make(kind, key) : aead_new(kind, key);
}

static struct aead *kept(const struct aead_implementation *by, enum aead_kind kind)
{
    static struct aead *of[2][AEAD_CHACHA20_POLY1305 + 1];
    struct aead **a = &of[by == &aead_libcrypto][kind];
    if (!*a)
        *a = expand(by, kind);
    return *a;
}

#define AEAD_ROWS(symbol, by, kind)                              \
    static void symbol##_seal(size_t n)                          \
    {                                                            \
        aead_seal(kept(by, kind), nonce, ad, data, n, data + n); \
    }                                                            \
    static void symbol##_open(size_t n)                          \
    {                                                            \
        struct aead *a = kept(by, kind);                         \
        aead_seal(a, nonce, ad, data, n, data + n);              \
        ASSERT(aead_open(a, nonce, ad, data, n, data + n));      \
    }                                                            \
    static void symbol##_key(size_t n)                           \
    {                                                            \
        struct aead *a = expand(by, kind);                       \
        aead_free(&a);                                           \
    }
AEAD_ROWS(ours_aes128, NULL, AEAD_AES_128_GCM)
AEAD_ROWS(ours_aes256, NULL, AEAD_AES_256_GCM)
AEAD_ROWS(libcrypto_aes128, &aead_libcrypto, AEAD_AES_128_GCM)
AEAD_ROWS(libcrypto_aes256, &aead_libcrypto, AEAD_AES_256_GCM)
AEAD_ROWS(chacha20, &aead_libcrypto, AEAD_CHACHA20_POLY1305)

/* ---- key shares: a fresh pair, and the secret with a peer's ---- */

static uint8_t secret[KEY_SHARE_SECRET_MAX];

static void ours_share(size_t group)
{
    static struct key_share *peer;
    size_t n;
    if (!peer || key_share_group(peer) != group) {
        key_share_free(&peer);
        peer = key_share_new((uint16_t)group);
    }
    struct key_share *k = key_share_new((uint16_t)group);
    ASSERT(key_share_derive(k, key_share_public(peer), secret, &n));
    key_share_free(&k);
}

/* As libssl 3.0 does it. */
static EVP_PKEY *libcrypto_pair(size_t group)
{
    EVP_PKEY *k = NULL;
    bool is_x25519 = group == GROUP_X25519;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, is_x25519 ? "X25519" : "EC", NULL);
    ASSERT(EVP_PKEY_keygen_init(c) > 0);
    if (!is_x25519)
        ASSERT(EVP_PKEY_CTX_set_group_name(c, group == GROUP_SECP256R1 ? "P-256" : "P-384") > 0);
    ASSERT(EVP_PKEY_keygen(c, &k) > 0);
    EVP_PKEY_CTX_free(c);
    return k;
}

static void libcrypto_share(size_t group)
{
    static size_t peer_group, peer_n;
    static unsigned char *peer;
    if (peer_group != group) {
        EVP_PKEY *k = libcrypto_pair(group);
        OPENSSL_free(peer);
        peer_n = EVP_PKEY_get1_encoded_public_key(k, &peer);
        peer_group = group;
        EVP_PKEY_free(k);
    }
    unsigned char *public = NULL;
    size_t n = sizeof(secret);
    EVP_PKEY *k = libcrypto_pair(group), *p = EVP_PKEY_new();
    ASSERT(EVP_PKEY_get1_encoded_public_key(k, &public) && EVP_PKEY_copy_parameters(p, k) > 0 &&
           EVP_PKEY_set1_encoded_public_key(p, peer, peer_n) > 0);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, k, NULL);
    ASSERT(EVP_PKEY_derive_init(c) > 0 && EVP_PKEY_derive_set_peer(c, p) > 0 &&
           EVP_PKEY_derive(c, NULL, &n) > 0 && EVP_PKEY_derive(c, secret, &n) > 0);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(k);
    EVP_PKEY_free(p);
    OPENSSL_free(public);
}

/* ---- signatures of a CertificateVerify ---- */

static const struct private_key *signer_of(enum key_kind kind)
{
    static struct private_key *keys[KEY_UNSUPPORTED];
    struct error err;
    if (!keys[kind])
        keys[kind] = private_key_generate(kind, &err);
    ASSERT(keys[kind]);
    return keys[kind];
}

/* WHICH: of these. */
static const struct {
    enum key_kind kind;
    enum signature_algorithm algorithm;
    const char *digest;
} signatures[] = {
    {KEY_EC_P256, SIGNATURE_ECDSA_SHA256, "SHA256"},
    {KEY_RSA, SIGNATURE_RSA_PSS_SHA256, "SHA256"},
    {KEY_ED25519, SIGNATURE_ED25519, NULL},
};

static uint8_t signature[PRIVATE_KEY_SIGNATURE_MAX];

static void ours_sign(size_t which)
{
    ASSERT(private_key_sign(signer_of(signatures[which].kind), signatures[which].algorithm,
        (struct bytes){data, 130}, signature));
}

static void libcrypto_sign(size_t which)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context;
    size_t n = sizeof(signature);
    EVP_PKEY *k = private_key_pkey(signer_of(signatures[which].kind));
    ASSERT(EVP_DigestSignInit_ex(c, &key_context, signatures[which].digest, NULL, NULL, k, NULL));
    if (signatures[which].kind == KEY_RSA)
        ASSERT(EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) > 0 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) > 0);
    ASSERT(EVP_DigestSign(c, signature, &n, data, 130) == 1);
    EVP_MD_CTX_free(c);
}

/* ---- the table ---- */

typedef void operation_fn(size_t n); /* octets, or which */
static const struct row {
    const char *name;
    operation_fn *ours, *usual;
    size_t n;
} rows[] = {
    {"SHA-256, 64 octets", ours_digest, libcrypto_digest, 64},
    {"SHA-256, 1 KiB", ours_digest, libcrypto_digest, 1024},
    {"SHA-384, 128 octets", ours_digest_384, libcrypto_digest_384, 128},
    {"random, 32 octets", draw, NULL, 32},
    {"HMAC-SHA256, 32 octets; usual: HMAC()", ours_hmac, libcrypto_hmac, 32},
    {"HMAC-SHA256, 32 octets; usual: EVP_MAC", ours_hmac, libcrypto_mac, 32},
    {"HMAC-SHA256, 32 octets, key kept", ours_hmac_again, libcrypto_mac, 32},
    {"HKDF-Expand, 32 octets", ours_expand, libcrypto_expand, 50},
    {"AES-128-GCM, seal 64", ours_aes128_seal, libcrypto_aes128_seal, 64},
    {"AES-128-GCM, seal 1 KiB", ours_aes128_seal, libcrypto_aes128_seal, 1024},
    {"AES-128-GCM, seal 16 KiB", ours_aes128_seal, libcrypto_aes128_seal, 16384},
    {"AES-128-GCM, seal and open 64", ours_aes128_open, libcrypto_aes128_open, 64},
    {"AES-128-GCM, seal and open 1 KiB", ours_aes128_open, libcrypto_aes128_open, 1024},
    {"AES-128-GCM, seal and open 16 KiB", ours_aes128_open, libcrypto_aes128_open, 16384},
    {"AES-128-GCM, expand a key", ours_aes128_key, libcrypto_aes128_key, 0},
    {"AES-256-GCM, seal 64", ours_aes256_seal, libcrypto_aes256_seal, 64},
    {"AES-256-GCM, seal 1 KiB", ours_aes256_seal, libcrypto_aes256_seal, 1024},
    {"AES-256-GCM, seal 16 KiB", ours_aes256_seal, libcrypto_aes256_seal, 16384},
    {"AES-256-GCM, seal and open 64", ours_aes256_open, libcrypto_aes256_open, 64},
    {"AES-256-GCM, seal and open 1 KiB", ours_aes256_open, libcrypto_aes256_open, 1024},
    {"AES-256-GCM, seal and open 16 KiB", ours_aes256_open, libcrypto_aes256_open, 16384},
    {"AES-256-GCM, expand a key", ours_aes256_key, libcrypto_aes256_key, 0},
    {"ChaCha20-Poly1305, seal 64", chacha20_seal, NULL, 64},
    {"ChaCha20-Poly1305, seal 1 KiB", chacha20_seal, NULL, 1024},
    {"ChaCha20-Poly1305, seal 16 KiB", chacha20_seal, NULL, 16384},
    {"ChaCha20-Poly1305, seal and open 64", chacha20_open, NULL, 64},
    {"ChaCha20-Poly1305, seal and open 1 KiB", chacha20_open, NULL, 1024},
    {"ChaCha20-Poly1305, seal and open 16 KiB", chacha20_open, NULL, 16384},
    {"ChaCha20-Poly1305, expand a key", chacha20_key, NULL, 0},
    {"X25519, a pair and a secret", ours_share, libcrypto_share, GROUP_X25519},
    {"P-256, a pair and a secret", ours_share, libcrypto_share, GROUP_SECP256R1},
    {"P-384, a pair and a secret", ours_share, libcrypto_share, GROUP_SECP384R1},
    {"ECDSA P-256, sign", ours_sign, libcrypto_sign, 0},
    {"RSA-2048 PSS, sign", ours_sign, libcrypto_sign, 1},
    {"Ed25519, sign", ours_sign, libcrypto_sign, 2},
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_many(operation_fn *f, size_t n, unsigned count)
{
    double begin = now_ns();
    for (unsigned i = 0; i < count; i++)
        f(n);
    return (now_ns() - begin) / count;
}

static double time_of(operation_fn *f, size_t n)
{
    unsigned count = 1;
    double best;
    while ((best = time_many(f, n, count)) * count < ROUND_NS)
        count *= 2;
    for (int i = 1; i < ROUNDS; i++) {
        double ns = time_many(f, n, count);
        best = ns < best ? ns : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    library_initialise();
    printf("AES-GCM: %s\n%-40s %9s %9s %6s\n", aead_implementation(), "", "ours", "usual", "ratio");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        if (argc > 1 && !strstr(r->name, argv[1]))
            continue;
        double ours = time_of(r->ours, r->n), usual = r->usual ? time_of(r->usual, r->n) : 0;
        printf("%-40s %9.0f", r->name, ours);
        if (r->usual)
            printf(" %9.0f %6.2f", usual, usual / ours);
        putchar('\n');
    }
    return 0;
}
