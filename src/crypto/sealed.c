/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sealed.h"

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/key_share.h"

#include "base/ban.h"

/* RFC 9180 §7: kem_id 0x0020, kdf_id 0x0001, aead_id 0x0003. */
#define KEM_SUITE   BYTES("KEM\x00\x20")
#define HPKE_SUITE  BYTES("HPKE\x00\x20\x00\x01\x00\x03")
#define KIND        AEAD_CHACHA20_POLY1305

#define SECRET_SIZE 32 /* Nsecret, Nh and Nk are the same here */
#define ENC_SIZE    32
#define OVERHEAD    (sizeof(SEALED_MAGIC) - 1 + ENC_SIZE + AEAD_TAG_SIZE)

#define INFO_MAX    3072
/* What is hashed at once: a label and what it labels. */
#define LABELED_MAX 4096

/* ---- §4: labeled key derivation ---- */

static void add(struct buf *b, struct bytes piece)
{
    int failed = buf_append(b, piece);
    ASSERT(!failed);
}

static void begin_labeled(struct buf *b, struct bytes suite, const char *label, struct bytes data)
{
    add(b, BYTES("HPKE-v1"));
    add(b, suite);
    add(b, bytes_of(label));
    add(b, data);
}

/* LabeledExtract(SALT, LABEL, IKM), with SALT of SECRET_SIZE octets or none. */
static void extract(struct bytes suite, struct bytes salt, const char *label, struct bytes ikm,
    uint8_t out[HASH_SIZE_MAX])
{
    struct buf labeled;
    buf_init(&labeled, LABELED_MAX);
    begin_labeled(&labeled, suite, label, ikm);
    hkdf_extract(HASH_SHA256, salt, buf_bytes(&labeled), out);
    buf_fini(&labeled);
}

/* LabeledExpand(PRK, LABEL, INFO, OUT_N). */
static void expand(struct bytes suite, const uint8_t *prk, const char *label, struct bytes info,
    uint8_t *out, uint8_t out_n)
{
    struct buf labeled;
    struct hmac_key key;
    const uint8_t length[] = {0, out_n};
    buf_init(&labeled, LABELED_MAX);
    add(&labeled, (struct bytes){length, sizeof(length)});
    begin_labeled(&labeled, suite, label, info);
    hmac_key_init(&key, HASH_SHA256, (struct bytes){prk, SECRET_SIZE});
    hkdf_expand(&key, buf_bytes(&labeled), out, out_n);
    hmac_key_wipe(&key);
    buf_fini(&labeled);
}

/* ---- §4.1, §5.1: from a Diffie-Hellman secret to key and nonce ---- */

struct context {
    uint8_t key[SECRET_SIZE], nonce[AEAD_NONCE_SIZE];
};

/* Encap and Decap differ in whose private half is OWN; ENC and RECIPIENT are public halves. False:
 * PEER is none. */
static bool agree(const struct key_share *own, struct bytes peer, const uint8_t *enc,
    const uint8_t *recipient, uint8_t shared_secret[SECRET_SIZE])
{
    uint8_t dh[KEY_SHARE_SECRET_MAX], prk[HASH_SIZE_MAX], kem_context[2 * ENC_SIZE];
    size_t dh_n;
    if (!key_share_derive(own, peer, dh, &dh_n))
        return false;
    memcpy(kem_context, enc, ENC_SIZE);
    memcpy(kem_context + ENC_SIZE, recipient, ENC_SIZE);
    extract(KEM_SUITE, BYTES(""), "eae_prk", (struct bytes){dh, dh_n}, prk);
    expand(KEM_SUITE, prk, "shared_secret", (struct bytes){kem_context, sizeof(kem_context)},
        shared_secret, SECRET_SIZE);
    mem_wipe(dh, sizeof(dh));
    mem_wipe(prk, sizeof(prk));
    return true;
}

/* KeySchedule of mode_base: no PSK. */
static void schedule(
    const uint8_t shared_secret[SECRET_SIZE], struct bytes info, struct context *out)
{
    uint8_t hash[HASH_SIZE_MAX], secret[HASH_SIZE_MAX], context[1 + 2 * SECRET_SIZE] = {0};
    const struct bytes whole = {context, sizeof(context)};
    extract(HPKE_SUITE, BYTES(""), "psk_id_hash", BYTES(""), hash);
    memcpy(context + 1, hash, SECRET_SIZE);
    extract(HPKE_SUITE, BYTES(""), "info_hash", info, hash);
    memcpy(context + 1 + SECRET_SIZE, hash, SECRET_SIZE);
    extract(HPKE_SUITE, (struct bytes){shared_secret, SECRET_SIZE}, "secret", BYTES(""), secret);
    expand(HPKE_SUITE, secret, "key", whole, out->key, sizeof(out->key));
    expand(HPKE_SUITE, secret, "base_nonce", whole, out->nonce, sizeof(out->nonce));
    mem_wipe(secret, sizeof(secret));
}

/* The context of a message from ENC to RECIPIENT. */
static bool set_up(const struct key_share *own, struct bytes peer, const uint8_t *enc,
    const uint8_t *recipient, struct bytes info, struct context *out)
{
    uint8_t shared_secret[SECRET_SIZE];
    if (!agree(own, peer, enc, recipient, shared_secret))
        return false;
    schedule(shared_secret, info, out);
    mem_wipe(shared_secret, sizeof(shared_secret));
    return true;
}

/* ---- §6.1: one message ---- */

static void seal(const struct context *context, struct bytes ad, struct bytes text, struct buf *out)
{
    struct aead *aead = aead_new(KIND, context->key);
    uint8_t *at = buf_space(out, text.n + AEAD_TAG_SIZE);
    if (text.n)
        memcpy(at, text.at, text.n);
    aead_seal(aead, context->nonce, ad, at, text.n, at + text.n);
    buf_added(out, text.n + AEAD_TAG_SIZE);
    aead_free(&aead);
}

static int open_text(
    const struct context *context, struct bytes ad, struct bytes sealed, struct buf *out)
{
    struct aead *aead = aead_new(KIND, context->key);
    size_t n = sealed.n - AEAD_TAG_SIZE;
    uint8_t *at = buf_space(out, n);
    if (n)
        memcpy(at, sealed.at, n);
    bool is_open = aead_open(aead, context->nonce, ad, at, n, sealed.at + n);
    if (is_open)
        buf_added(out, n);
    aead_free(&aead);
    return is_open ? 0 : -1;
}

/* With the key pair EPHEMERAL, which serves for no other message. */
static int seal_with(const struct key_share *ephemeral, const struct sealing_key *key,
    struct bytes info, struct bytes text, struct buf *out)
{
    struct bytes enc = key_share_public(ephemeral);
    struct context context;
    if (info.n > INFO_MAX || buf_room(out) < OVERHEAD || buf_room(out) - OVERHEAD < text.n ||
        !set_up(ephemeral, (struct bytes){key->public_half, SEALING_KEY_SIZE}, enc.at,
            key->public_half, info, &context))
        return -1;
    add(out, BYTES(SEALED_MAGIC));
    add(out, enc);
    seal(&context, BYTES(SEALED_MAGIC), text, out);
    mem_wipe(&context, sizeof(context));
    return 0;
}

bool sealed_is(struct bytes content)
{
    return content.n >= OVERHEAD && bytes_starts_with(content, BYTES(SEALED_MAGIC));
}

int sealed_make(
    const struct sealing_key *key, struct bytes info, struct bytes text, struct buf *out)
{
    struct key_share *ephemeral = key_share_new(GROUP_X25519);
    int result = seal_with(ephemeral, key, info, text, out);
    key_share_free(&ephemeral);
    return result;
}

int sealed_open(const uint8_t private_half[SEALING_KEY_SIZE], struct bytes info,
    struct bytes sealed, struct buf *out)
{
    struct context context;
    if (info.n > INFO_MAX || !sealed_is(sealed) || buf_room(out) < sealed.n - OVERHEAD)
        return -1;
    struct key_share *own = key_share_new_x25519(private_half);
    struct bytes rest = bytes_skip(sealed, sizeof(SEALED_MAGIC) - 1);
    struct bytes enc = bytes_first(rest, ENC_SIZE);
    int result = -1;
    if (set_up(own, enc, enc.at, key_share_public(own).at, info, &context))
        result = open_text(&context, BYTES(SEALED_MAGIC), bytes_skip(rest, ENC_SIZE), out);
    mem_wipe(&context, sizeof(context));
    key_share_free(&own);
    return result;
}

void sealed_find_key(const uint8_t private_half[SEALING_KEY_SIZE], struct sealing_key *out)
{
    struct key_share *k = key_share_new_x25519(private_half);
    memcpy(out->public_half, key_share_public(k).at, SEALING_KEY_SIZE);
    key_share_free(&k);
}
