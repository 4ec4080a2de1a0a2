/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of libcrypto's provider itself (provider-keymgmt(7), provider-keyexch(7)), looked
 * up once per process. EVP calls the same, but looks for names, algorithms and their methods with
 * each key, under locks: 2.4 µs of 45, in every handshake.
 */
#include "crypto/x25519.h"

#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

#define NAME "X25519"

typedef void any_fn(void);

/* What the provider does for us, and its own contexts. */
struct provided {
    void *context, *generator;
    OSSL_FUNC_keymgmt_new_fn *key_new;
    OSSL_FUNC_keymgmt_free_fn *key_free;
    OSSL_FUNC_keymgmt_import_fn *import;
    OSSL_FUNC_keymgmt_get_params_fn *get_params;
    OSSL_FUNC_keymgmt_gen_init_fn *gen_init;
    OSSL_FUNC_keymgmt_gen_fn *gen;
    OSSL_FUNC_keyexch_newctx_fn *exchange_new;
    OSSL_FUNC_keyexch_freectx_fn *exchange_free;
    OSSL_FUNC_keyexch_init_fn *exchange_init;
    OSSL_FUNC_keyexch_set_peer_fn *set_peer;
    OSSL_FUNC_keyexch_derive_fn *derive;
};

/* What PROVIDER has for X25519 in OPERATION. Its names are "X25519:1.3.101.110". */
static const OSSL_DISPATCH *table_of(const OSSL_PROVIDER *provider, int operation)
{
    int may_change;
    const size_t n = strlen(NAME);
    const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(provider, operation, &may_change);
    for (; a && a->algorithm_names; a++)
        if (!strncmp(a->algorithm_names, NAME, n) &&
            (a->algorithm_names[n] == ':' || !a->algorithm_names[n]))
            return a->implementation;
    panic("libcrypto's provider has no " NAME);
}

static any_fn *function_of(const OSSL_DISPATCH *table, int id)
{
    while (table->function_id && table->function_id != id)
        table++;
    ASSERT(table->function_id);
    return table->function;
}

/* Both tables are of one provider, as a key of one is used by the functions of the other. */
static const OSSL_PROVIDER *choose_provider(void)
{
    static EVP_KEYMGMT *keys; /* kept, as they keep the provider */
    static EVP_KEYEXCH *exchange;
    keys = EVP_KEYMGMT_fetch(NULL, NAME, NULL);
    exchange = EVP_KEYEXCH_fetch(NULL, NAME, NULL);
    ASSERT(keys && exchange);
    ASSERT(EVP_KEYMGMT_get0_provider(keys) == EVP_KEYEXCH_get0_provider(exchange));
    return EVP_KEYMGMT_get0_provider(keys);
}

static void look_up(struct provided *p)
{
    const OSSL_PROVIDER *provider = choose_provider();
    const OSSL_DISPATCH *keys = table_of(provider, OSSL_OP_KEYMGMT);
    const OSSL_DISPATCH *exchange = table_of(provider, OSSL_OP_KEYEXCH);
#define TAKE(member, type, table, id) p->member = (OSSL_FUNC_##type##_fn *)function_of(table, id)
    TAKE(key_new, keymgmt_new, keys, OSSL_FUNC_KEYMGMT_NEW);
    TAKE(key_free, keymgmt_free, keys, OSSL_FUNC_KEYMGMT_FREE);
    TAKE(import, keymgmt_import, keys, OSSL_FUNC_KEYMGMT_IMPORT);
    TAKE(get_params, keymgmt_get_params, keys, OSSL_FUNC_KEYMGMT_GET_PARAMS);
    TAKE(gen_init, keymgmt_gen_init, keys, OSSL_FUNC_KEYMGMT_GEN_INIT);
    TAKE(gen, keymgmt_gen, keys, OSSL_FUNC_KEYMGMT_GEN);
    TAKE(exchange_new, keyexch_newctx, exchange, OSSL_FUNC_KEYEXCH_NEWCTX);
    TAKE(exchange_free, keyexch_freectx, exchange, OSSL_FUNC_KEYEXCH_FREECTX);
    TAKE(exchange_init, keyexch_init, exchange, OSSL_FUNC_KEYEXCH_INIT);
    TAKE(set_peer, keyexch_set_peer, exchange, OSSL_FUNC_KEYEXCH_SET_PEER);
    TAKE(derive, keyexch_derive, exchange, OSSL_FUNC_KEYEXCH_DERIVE);
#undef TAKE
    p->context = OSSL_PROVIDER_get0_provider_ctx(provider);
    p->generator = p->gen_init(p->context, OSSL_KEYMGMT_SELECT_KEYPAIR, NULL);
    ASSERT(p->generator);
}

static const struct provided *provided(void)
{
    static struct provided p;
    if (!p.generator)
        look_up(&p);
    return &p;
}

/* KEY, when its public half was copied. */
static struct x25519_key *publish(const struct provided *p, void *key, uint8_t public[X25519_SIZE])
{
    OSSL_PARAM half[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, X25519_SIZE),
        OSSL_PARAM_construct_end()};
    ASSERT(key && p->get_params(key, half) && half[0].return_size == X25519_SIZE);
    return key;
}

/* A key of which HALF is given by NAME. */
static void *import(
    const struct provided *p, int selection, const char *name, const uint8_t half[X25519_SIZE])
{
    uint8_t copy[X25519_SIZE]; /* a parameter is not const */
    const OSSL_PARAM given[] = {
        OSSL_PARAM_construct_octet_string(name, copy, sizeof(copy)), OSSL_PARAM_construct_end()};
    memcpy(copy, half, sizeof(copy));
    void *key = p->key_new(p->context);
    ASSERT(key && p->import(key, selection, given));
    mem_wipe(copy, sizeof(copy));
    return key;
}

struct x25519_key *x25519_generate(uint8_t public[X25519_SIZE])
{
    const struct provided *p = provided();
    return publish(p, p->gen(p->generator, NULL, NULL), public);
}

struct x25519_key *x25519_import(
    const uint8_t private_half[X25519_SIZE], uint8_t public[X25519_SIZE])
{
    const struct provided *p = provided();
    return publish(
        p, import(p, OSSL_KEYMGMT_SELECT_KEYPAIR, OSSL_PKEY_PARAM_PRIV_KEY, private_half), public);
}

void x25519_free(struct x25519_key **key)
{
    if (*key)
        provided()->key_free(*key);
    *key = NULL;
}

/* The context of the exchange holds the private half, and so lives no longer than this. */
bool x25519_derive(
    struct x25519_key *key, const uint8_t peer[X25519_SIZE], uint8_t out[X25519_SIZE])
{
    const struct provided *p = provided();
    void *exchange = p->exchange_new(p->context);
    void *other = import(p, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, OSSL_PKEY_PARAM_PUB_KEY, peer);
    size_t n = X25519_SIZE;
    ASSERT(exchange && p->exchange_init(exchange, key, NULL) && p->set_peer(exchange, other));
    bool is_contributory = p->derive(exchange, out, &n, X25519_SIZE);
    p->exchange_free(exchange);
    p->key_free(other);
    return is_contributory;
}
