/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/prf.h"

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define SEED_MAX    128 /* a label and two randoms */
#define GCM_IV_SIZE 4   /* RFC 5288 §3 */

static struct bytes join(struct prf_seed seed, uint8_t space[SEED_MAX])
{
    const struct bytes parts[] = {bytes_of(seed.label), seed.a, seed.b};
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        ASSERT(parts[i].n <= SEED_MAX - n);
        if (parts[i].n)
            memcpy(space + n, parts[i].at, parts[i].n);
        n += parts[i].n;
    }
    return (struct bytes){space, n};
}

/* RFC 5246 §5: P_hash. */
void prf_expand(const struct hmac_key *secret, struct prf_seed seed, uint8_t *out, size_t out_n)
{
    uint8_t space[SEED_MAX], chain[HASH_SIZE_MAX], piece[HASH_SIZE_MAX];
    const struct bytes whole = join(seed, space);
    const size_t n = hash_size(secret->inner.kind);
    hmac_make(secret, whole, (struct bytes){0}, chain);
    for (size_t done = 0; done < out_n; done += n) {
        if (done)
            hmac_make(secret, (struct bytes){chain, n}, (struct bytes){0}, chain);
        hmac_make(secret, (struct bytes){chain, n}, whole, piece);
        memcpy(out + done, piece, out_n - done < n ? out_n - done : n);
    }
    mem_wipe(chain, sizeof(chain));
    mem_wipe(piece, sizeof(piece));
}

void prf_make(
    enum hash_kind hash, struct bytes secret, struct prf_seed seed, uint8_t *out, size_t out_n)
{
    struct hmac_key key;
    hmac_key_init(&key, hash, secret);
    prf_expand(&key, seed, out, out_n);
    hmac_key_wipe(&key);
}

void prf_keys_make(const struct suite *suite, const struct hmac_key *master,
    const uint8_t client_random[32], const uint8_t server_random[32], struct prf_keys *out)
{
    const bool is_gcm = suite->aead != AEAD_CHACHA20_POLY1305;
    const size_t key_n = aead_key_size(suite->aead);
    const size_t iv_n = is_gcm ? GCM_IV_SIZE : AEAD_NONCE_SIZE;
    /* Of an AEAD: the client's key, the server's key, the client's IV, the server's. */
    uint8_t block[2 * (AEAD_KEY_MAX + AEAD_NONCE_SIZE)];
    const uint8_t *ivs = block + 2 * key_n;
    prf_expand(master, (struct prf_seed){"key expansion", {server_random, 32}, {client_random, 32}},
        block, 2 * (key_n + iv_n));
    out->client = (struct record_keys){
        .format = is_gcm ? RECORD_TLS12_GCM : RECORD_TLS12_CHACHA20, .kind = suite->aead};
    out->server = out->client;
    memcpy(out->client.key, block, key_n);
    memcpy(out->server.key, block + key_n, key_n);
    memcpy(out->client.iv, ivs, iv_n);
    memcpy(out->server.iv, ivs + iv_n, iv_n);
    mem_wipe(block, sizeof(block));
}
