/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA and ECDSA keys sign by libcrypto's own functions for them, which 3.0 calls deprecated but
 * keeps: EVP costs 2 µs more, of 13 for a signature with P-256.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/private_key.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/digest.h"
#include "crypto/file_kind.h"
#include "crypto/native.h"
#include "crypto/pem_reader.h"

#include "base/ban.h"

struct private_key {
    EVP_PKEY *pkey;
    unsigned references; /* a process has one thread */
    enum key_kind kind;
    /* The key made ready to sign: one of these. */
    RSA *rsa;
    EC_KEY *ec;
    EVP_MD_CTX *ed25519;
};

static const struct {
    const char *group;
    enum key_kind kind;
} groups[] = {
    {"prime256v1", KEY_EC_P256},
    {"secp384r1", KEY_EC_P384},
    {"secp521r1", KEY_EC_P521},
};

/* Keys with explicit curve parameters are refused even if they spell a known curve (RFC 5480
 * §2.1.1). */
static enum key_kind kind_of_ec(const EVP_PKEY *key)
{
    char name[32] = "";
    int is_explicit = 1;
    if (!EVP_PKEY_get_int_param(
            key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit) ||
        is_explicit || !EVP_PKEY_get_group_name(key, name, sizeof(name), NULL))
        return KEY_UNSUPPORTED;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (strcmp(name, groups[i].group) == 0)
            return groups[i].kind;
    return KEY_UNSUPPORTED;
}

enum key_kind private_key_kind_of(const EVP_PKEY *key)
{
    if (!key)
        return KEY_UNSUPPORTED;
    if (EVP_PKEY_is_a(key, "RSA"))
        return KEY_RSA;
    /* What its parameters restrict it to, the certificate says. */
    if (EVP_PKEY_is_a(key, "RSA-PSS"))
        return KEY_RSA_PSS;
    if (EVP_PKEY_is_a(key, "ED25519"))
        return KEY_ED25519;
    return EVP_PKEY_is_a(key, "EC") ? kind_of_ec(key) : KEY_UNSUPPORTED;
}

static void make_ready(struct private_key *k)
{
    if (public_key_kind_is_rsa(k->kind)) {
        k->rsa = EVP_PKEY_get1_RSA(k->pkey);
    } else if (k->kind == KEY_ED25519) {
        k->ed25519 = EVP_MD_CTX_new();
        ASSERT(k->ed25519 && EVP_DigestSignInit(k->ed25519, NULL, NULL, NULL, k->pkey) == 1);
    } else {
        k->ec = EVP_PKEY_get1_EC_KEY(k->pkey);
    }
    ERR_clear_error();
}

struct private_key *private_key_from_pkey(EVP_PKEY *key, struct error *err)
{
    enum key_kind kind = private_key_kind_of(key);
    ERR_clear_error();
    if (kind == KEY_UNSUPPORTED) {
        EVP_PKEY_free(key);
        error_set(err,
            "a private key of an unsupported kind; use RSA, ECDSA on P-256, P-384 or P-521, or "
            "Ed25519");
        return NULL;
    }
    if (EVP_PKEY_get_size(key) > PRIVATE_KEY_SIGNATURE_MAX) {
        error_set(err, "an RSA key of %d bits; use one of 2048 to %d bits", EVP_PKEY_get_bits(key),
            8 * PRIVATE_KEY_SIGNATURE_MAX);
        EVP_PKEY_free(key);
        return NULL;
    }
    struct private_key *k = mem_alloc(sizeof(*k));
    *k = (struct private_key){.pkey = key, .references = 1, .kind = kind};
    make_ready(k);
    return k;
}

/* Whatever libcrypto may want to decrypt: never ask on the terminal. */
static int refuse_password(char *at, int size, int writing, void *owner)
{
    return -1;
}

/* PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) or SEC 1 (RFC 5915), which must fill DER exactly. */
static struct private_key *parse_der(struct bytes der, struct error *err)
{
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&key, "DER", NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
    ASSERT(decoder);
    OSSL_DECODER_CTX_set_pem_password_cb(decoder, refuse_password, NULL);
    const uint8_t *at = der.at;
    size_t left = der.n;
    int decoded = OSSL_DECODER_from_data(decoder, &at, &left);
    OSSL_DECODER_CTX_free(decoder);
    if (decoded && key && left == 0)
        return private_key_from_pkey(key, err);
    EVP_PKEY_free(key);
    error_set(err, "malformed private key: %s",
        decoded && left ? "bytes follow its end" : native_reason());
    ERR_clear_error();
    return NULL;
}

static void refuse(enum file_kind found, struct error *err)
{
    if (found == FILE_ENCRYPTED_KEY)
        error_set(err,
            "the private key is encrypted; decrypt it with: openssl pkey -in FILE -out NEWFILE");
    else
        file_kind_refuse(found, "a private key", err);
}

static struct private_key *parse_pem(struct bytes file, struct error *err)
{
    struct pem_reader reader;
    struct pem_block block;
    enum pem_outcome outcome;
    enum file_kind other = FILE_UNKNOWN; /* what the file holds instead of a key */
    struct private_key *key = NULL;
    size_t number = 0;
    int rc = 0;

    pem_reader_init(&reader, file);
    while (!rc && (outcome = pem_reader_next(&reader, &block)) != PEM_END) {
        number++;
        if (outcome == PEM_BROKEN)
            rc = pem_reader_refuse(number, err);
        else if (block.kind != FILE_KEY)
            other = other == FILE_ENCRYPTED_KEY ? other : block.kind;
        else if (key)
            rc = error_set(err, "holds more than one private key; leave the one that is meant");
        else
            rc = (key = parse_der(block.der, err)) ? 0 : -1;
    }
    pem_reader_fini(&reader);
    if (rc)
        private_key_unref(&key);
    else if (!key)
        refuse(other, err);
    return key;
}

struct private_key *private_key_parse(struct bytes file, struct error *err)
{
    if (file.n > PEM_READER_MAX) {
        error_set(err, "larger than 2 GB: no private key");
        return NULL;
    }
    if (file_kind_is_pem(file))
        return parse_pem(file, err);
    enum file_kind kind = file_kind_of_der(file);
    if (kind == FILE_KEY)
        return parse_der(file, err);
    refuse(kind, err);
    return NULL;
}

struct private_key *private_key_ref(const struct private_key *k)
{
    struct private_key *counted = (struct private_key *)(uintptr_t)k;
    counted->references++;
    return counted;
}

void private_key_unref(struct private_key **kp)
{
    struct private_key *k = *kp;
    *kp = NULL;
    if (!k || --k->references)
        return;
    RSA_free(k->rsa); /* each wipes its own */
    EC_KEY_free(k->ec);
    EVP_MD_CTX_free(k->ed25519);
    EVP_PKEY_free(k->pkey);
    free(k);
}

EVP_PKEY *private_key_pkey(const struct private_key *k)
{
    return k->pkey;
}

enum key_kind private_key_kind(const struct private_key *k)
{
    return k->kind;
}

int private_key_spki(const struct private_key *k, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->pkey, &der);
    ASSERT(n > 0);
    int result = buf_append(out, (struct bytes){der, (size_t)n});
    OPENSSL_free(der);
    return result;
}

bool private_key_matches(const struct private_key *k, struct bytes spki)
{
    const uint8_t *at = spki.at;
    EVP_PKEY *other = spki.n && spki.n <= INT_MAX ? d2i_PUBKEY(NULL, &at, (long)spki.n) : NULL;
    bool matches = other && EVP_PKEY_eq(k->pkey, other) == 1;
    EVP_PKEY_free(other);
    ERR_clear_error();
    return matches;
}

#define RSA_BITS 2048

struct private_key *private_key_generate(enum key_kind kind, struct error *err)
{
    EVP_PKEY *key = NULL;
    switch (kind) {
    case KEY_RSA:
        key = EVP_RSA_gen(RSA_BITS);
        break;
    case KEY_EC_P256:
        key = EVP_EC_gen("P-256");
        break;
    case KEY_EC_P384:
        key = EVP_EC_gen("P-384");
        break;
    case KEY_EC_P521:
        key = EVP_EC_gen("P-521");
        break;
    case KEY_ED25519:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    case KEY_RSA_PSS:
    case KEY_RSA_PSS_SHA256:
    case KEY_RSA_PSS_SHA384:
    case KEY_RSA_PSS_SHA512:
    case KEY_UNSUPPORTED:
        break;
    }
    if (!key) {
        error_set(err, "cannot make a private key: %s", native_reason());
        return NULL;
    }
    return private_key_from_pkey(key, err);
}

/* ---- signing ---- */

static size_t sign_pkcs1(RSA *rsa, enum signature_algorithm a, struct bytes digest, uint8_t *out)
{
    unsigned n = 0;
    int nid = signature_digest_nid(a);
    return RSA_sign(nid, digest.at, (unsigned)digest.n, out, &n, rsa) == 1 ? n : 0;
}

static size_t sign_pss(RSA *rsa, enum signature_algorithm a, const uint8_t *digest, uint8_t *out)
{
    uint8_t encoded[PRIVATE_KEY_SIGNATURE_MAX];
    const EVP_MD *md = signature_digest_md(a);
    if (!RSA_padding_add_PKCS1_PSS_mgf1(rsa, encoded, digest, md, md, RSA_PSS_SALTLEN_DIGEST))
        return 0;
    int n = RSA_private_encrypt(RSA_size(rsa), encoded, out, rsa, RSA_NO_PADDING);
    return n > 0 ? (size_t)n : 0;
}

static size_t sign_ecdsa(EC_KEY *ec, struct bytes digest, uint8_t *out)
{
    unsigned n = 0;
    bool is_signed = ECDSA_sign(0, digest.at, (int)digest.n, out, &n, ec) == 1;
    /* Without memory to encode it in, libcrypto 3.0 succeeds with a size of -1. */
    return is_signed && n <= PRIVATE_KEY_SIGNATURE_MAX ? n : 0;
}

static size_t sign_ed25519(EVP_MD_CTX *c, struct bytes message, uint8_t *out)
{
    size_t n = PRIVATE_KEY_SIGNATURE_MAX;
    return EVP_DigestSign(c, out, &n, message.at, message.n) == 1 ? n : 0;
}

static size_t sign(
    const struct private_key *k, enum signature_algorithm a, struct bytes message, uint8_t *out)
{
    uint8_t at[64];
    struct bytes digest = {at, signature_digest(a, message, at)};
    if (!public_key_kind_signs(k->kind, a))
        return 0;
    switch (signature_form(a)) {
    case FORM_PKCS1:
        return sign_pkcs1(k->rsa, a, digest, out);
    case FORM_PSS:
        return sign_pss(k->rsa, a, digest.at, out);
    case FORM_ECDSA:
        return sign_ecdsa(k->ec, digest, out);
    case FORM_ED25519:
        return sign_ed25519(k->ed25519, message, out);
    case FORM_NONE:
        break;
    }
    return 0;
}

size_t private_key_sign(const struct private_key *k, enum signature_algorithm algorithm,
    struct bytes message, uint8_t out[PRIVATE_KEY_SIGNATURE_MAX])
{
    size_t n = sign(k, algorithm, message, out);
    if (!n)
        ERR_clear_error();
    return n;
}

/* ---- RSA key transport ---- */

#define PREMASTER_SIZE 48

/* libcrypto looks at the padding and the version in constant time, and on any fault in them gives
 * 48 octets that it made before it looked: RFC 5246 §7.4.7.1. False only for what everyone can see
 * to be no ciphertext: longer or shorter than the modulus, or not below it. */
static bool decrypt_premaster(
    EVP_PKEY_CTX *c, struct bytes ciphertext, unsigned version, uint8_t out[PREMASTER_SIZE])
{
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, &version),
        OSSL_PARAM_construct_end(),
    };
    size_t n = PREMASTER_SIZE;
    return EVP_PKEY_decrypt_init(c) > 0 &&
           EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_WITH_TLS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_params(c, parameters) > 0 &&
           EVP_PKEY_decrypt(c, out, &n, ciphertext.at, ciphertext.n) > 0 && n == PREMASTER_SIZE;
}

void private_key_premaster(
    const struct private_key *k, struct bytes ciphertext, uint16_t version, uint8_t out[48])
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    ASSERT(c);
    if (ciphertext.n != (size_t)EVP_PKEY_get_size(k->pkey) ||
        !decrypt_premaster(c, ciphertext, version, out))
        random_fill(out, PREMASTER_SIZE);
    EVP_PKEY_CTX_free(c);
    ERR_clear_error();
}
