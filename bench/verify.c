/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify [--rounds N] [--entries N]: what judging a peer's chain costs, beside libcrypto's
 * X509_verify_cert on the same chains, in one process.
 *
 * Both get what a handshake gives them: the DER of leaf and intermediate, which they parse, and a
 * store with the root, which they have. The two take turns; each figure is the median of the
 * rounds. CPU time of the process. Writes one JSON object: {"ROW": {"sallyport": µs, "libcrypto":
 * µs}, …}.
 */
#include "pki/verify.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "base/attributes.h"
#include "base/panic.h"
#include "crypto/library.h"
#include "crypto/native.h"
#include "verify_world.h"

#include "base/ban.h"

#define ROUNDS_MAX      25
#define ENTRIES_DEFAULT 1000000
#define TIMES           400 /* of an operation in a round */
#define TIMES_SLOW      2   /* of one that takes a tenth of a second */

/* What the two judge with. */
static struct {
    struct world world;
    struct verify_policy cold, cached, with_crl;
    struct name_pattern name;
    struct certificate_list anchors;
    X509_STORE *store, *store_with_crl, *store_that_believes;
    X509 *root;
    bool believes; /* signatures are not checked */
} bench;

static struct bytes leaf_der(size_t i)
{
    return buf_bytes(&bench.world.leaves[i % WORLD_LEAVES].der);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Bytes that the process has from malloc. */
static double memory(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
}

/* ---- ours ---- */

static struct certificate *parse(struct bytes der)
{
    struct error err;
    struct certificate *c = certificate_parse(der, &err);
    ASSERT(c);
    return c;
}

static void verify_ours(const struct verify_policy *policy, size_t i)
{
    struct certificate *chain[] = {
        parse(leaf_der(i)), parse(buf_bytes(&bench.world.intermediate.der))};
    struct verdict v;
    verify_chain(policy, (const struct certificate *const *)chain, 2, WORLD_NOW, &v);
    if (!v.accepted)
        panic("refused: %s", reason_token(v.reason));
    verdict_fini(&v);
    certificate_unref(&chain[0]);
    certificate_unref(&chain[1]);
}

static void cold_ours(size_t i)
{
    verify_ours(&bench.cold, i);
}

static void cached_ours(size_t i)
{
    verify_ours(&bench.cached, i);
}

static void crl_ours(size_t i)
{
    verify_ours(&bench.with_crl, i);
}

/* ---- libcrypto's ---- */

static X509 *parse_native(struct bytes der)
{
    X509 *x = native_x509(der);
    ASSERT(x);
    return x;
}

static void verify_native(X509_STORE *store, size_t i)
{
    X509 *leaf = parse_native(leaf_der(i)),
         *intermediate = parse_native(buf_bytes(&bench.world.intermediate.der));
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    ASSERT(untrusted && context && sk_X509_push(untrusted, intermediate) &&
           X509_STORE_CTX_init(context, store, leaf, untrusted));
    if (X509_verify_cert(context) != 1)
        panic("libcrypto refuses: %s",
            X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    X509_STORE_CTX_free(context);
    sk_X509_free(untrusted);
    X509_free(intermediate);
    X509_free(leaf);
}

static void cold_native(size_t i)
{
    verify_native(bench.store, i);
}

static void crl_native(size_t i)
{
    verify_native(bench.store_with_crl, i);
}

/* ---- without the signature checks ---- */

/* The linker puts this in the place of public_key_verify (--wrap). */
bool __real_public_key_verify(const struct public_key *k, enum signature_algorithm algorithm,
    struct bytes message, struct bytes signature);
bool __wrap_public_key_verify(const struct public_key *k, enum signature_algorithm algorithm,
    struct bytes message, struct bytes signature);

bool __wrap_public_key_verify(const struct public_key *k, enum signature_algorithm algorithm,
    struct bytes message, struct bytes signature)
{
    return bench.believes || __real_public_key_verify(k, algorithm, message, signature);
}

static void unsigned_ours(size_t i)
{
    bench.believes = true;
    verify_ours(&bench.cold, i);
    bench.believes = false;
}

/* In the place of libcrypto's internal_verify: signatures, and validity along the way. */
static int believe(X509_STORE_CTX *context)
{
    return 1;
}

static void unsigned_native(size_t i)
{
    verify_native(bench.store_that_believes, i);
}

/* ---- of that, the keys: both make the leaf's too, to see that it is one ---- */

/* Leaf I, or the intermediate behind them, parsed beforehand. */
static const struct certificate_facts *parsed(size_t i)
{
    static struct certificate *kept[WORLD_LEAVES + 1];
    if (!kept[i])
        kept[i] = parse(i < WORLD_LEAVES ? leaf_der(i) : buf_bytes(&bench.world.intermediate.der));
    return certificate_facts(kept[i]);
}

static void make_key_ours(const struct certificate_facts *f)
{
    struct error err;
    struct public_key *key = public_key_new(f->key_kind, f->key, &err);
    ASSERT(key);
    public_key_free(&key);
}

static void keys_ours(size_t i)
{
    make_key_ours(parsed(WORLD_LEAVES));
    make_key_ours(parsed(i % WORLD_LEAVES));
}

static void make_key_native(const struct certificate_facts *f)
{
    const uint8_t *at = f->spki.at;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)f->spki.n);
    ASSERT(key);
    EVP_PKEY_free(key);
}

static void keys_native(size_t i)
{
    make_key_native(parsed(WORLD_LEAVES));
    make_key_native(parsed(i % WORLD_LEAVES));
}

/* ---- preparation ---- */

static void prepare_policy(struct verify_policy *p)
{
    *p = (struct verify_policy){
        .purpose = PATH_SERVER,
        .anchors = path_store_new(&bench.anchors, false),
        .depth_max = VERIFY_DEPTH_DEFAULT,
        .names = &bench.name,
        .names_n = 1,
    };
}

static X509_STORE *new_store(void)
{
    X509_STORE *store = X509_STORE_new();
    X509_VERIFY_PARAM *parameters = store ? X509_STORE_get0_param(store) : NULL;
    ASSERT(parameters && X509_STORE_add_cert(store, bench.root) &&
           X509_VERIFY_PARAM_set1_host(parameters, WORLD_NAME, 0) &&
           X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER));
    X509_VERIFY_PARAM_set_time(parameters, WORLD_NOW);
    return store;
}

static void prepare(size_t entries)
{
    verify_world_make(&bench.world, entries);
    struct certificate *root = parse(buf_bytes(&bench.world.root.der));
    certificate_list_add(&bench.anchors, root);
    certificate_unref(&root);
    bench.root = parse_native(buf_bytes(&bench.world.root.der));
    bench.name = (struct name_pattern){.kind = NAME_DNS, .value = BYTES(WORLD_NAME)};
    prepare_policy(&bench.cold);
    prepare_policy(&bench.cached);
    bench.cached.cache = verdict_cache_new();
    prepare_policy(&bench.with_crl);
    bench.with_crl.revocation = REVOCATION_HARD;
    bench.with_crl.leaf_only = true;
    bench.store = new_store();
    bench.store_with_crl = new_store();
    bench.store_that_believes = new_store();
    X509_STORE_set_verify(bench.store_that_believes, believe);
    X509_STORE_set_flags(bench.store_with_crl, X509_V_FLAG_CRL_CHECK);
}

static void finish(void)
{
    verify_policy_fini(&bench.cold);
    verify_policy_fini(&bench.cached);
    verify_policy_fini(&bench.with_crl);
    certificate_list_fini(&bench.anchors);
    X509_STORE_free(bench.store);
    X509_STORE_free(bench.store_with_crl);
    X509_STORE_free(bench.store_that_believes);
    X509_free(bench.root);
    verify_world_free(&bench.world);
}

/* ---- loading the CRL ---- */

struct load {
    double us, bytes;
};

/* Ours is the index: the generation holds it once, for all workers. */

static struct load load_ours(void)
{
    struct error err;
    double before = cpu_us();
    if (crl_list_parse(buf_bytes(&bench.world.crl), &bench.with_crl.crls, &err))
        panic("%s", err.text);
    return (struct load){cpu_us() - before, (double)crl_compiled(bench.with_crl.crls.at[0]).n};
}

static struct load load_native(void)
{
    struct bytes der = buf_bytes(&bench.world.crl);
    double memory_before = memory(), before = cpu_us();
    const uint8_t *at = der.at;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.n);
    ASSERT(crl && X509_STORE_add_crl(bench.store_with_crl, crl));
    X509_CRL_free(crl);
    return (struct load){cpu_us() - before, memory() - memory_before};
}

/* ---- measuring ---- */

typedef void operation_fn(size_t i);

static double measure(operation_fn *run, size_t times)
{
    double before = cpu_us();
    for (size_t i = 0; i < times; i++)
        run(i);
    return (cpu_us() - before) / (double)times;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *at, size_t n)
{
    qsort(at, n, sizeof(*at), by_size);
    return at[n / 2];
}

enum measured {
    COLD_OURS,
    COLD_NATIVE,
    UNSIGNED_OURS,
    UNSIGNED_NATIVE,
    KEYS_OURS,
    KEYS_NATIVE,
    CACHED_OURS,
    CRL_OURS,
    CRL_NATIVE,
    MEASURED_COUNT
};

static const struct {
    operation_fn *run;
    size_t times;
} operations[MEASURED_COUNT] = {
    [COLD_OURS] = {cold_ours, TIMES},
    [COLD_NATIVE] = {cold_native, TIMES},
    [UNSIGNED_OURS] = {unsigned_ours, 10 * TIMES},
    [UNSIGNED_NATIVE] = {unsigned_native, TIMES},
    [KEYS_OURS] = {keys_ours, 10 * TIMES},
    [KEYS_NATIVE] = {keys_native, TIMES},
    [CACHED_OURS] = {cached_ours, 10 * TIMES},
    [CRL_OURS] = {crl_ours, TIMES},
    [CRL_NATIVE] = {crl_native, TIMES_SLOW},
};

static void print_row(const char *name, double ours, double native, const char *end)
{
    printf("\"%s\": {\"sallyport\": %.2f, \"libcrypto\": %.2f}%s\n", name, ours, native, end);
}

/* The first CRL check is not like the others: it verifies the CRL, and libcrypto sorts its entries.
 */
static void warm_up(void)
{
    for (enum measured m = 0; m < MEASURED_COUNT; m++)
        for (size_t i = 0; i < (operations[m].times > WORLD_LEAVES ? WORLD_LEAVES : 1); i++)
            operations[m].run(i);
}

static void measure_all(size_t rounds)
{
    double samples[MEASURED_COUNT][ROUNDS_MAX], m[MEASURED_COUNT];
    struct load ours = load_ours(), native = load_native();
    warm_up();
    for (size_t r = 0; r < rounds; r++)
        for (enum measured k = 0; k < MEASURED_COUNT; k++)
            samples[k][r] = measure(operations[k].run, operations[k].times);
    for (enum measured k = 0; k < MEASURED_COUNT; k++)
        m[k] = median(samples[k], rounds);
    puts("{");
    print_row("verify", m[COLD_OURS], m[COLD_NATIVE], ",");
    print_row(
        "verify-rest", m[UNSIGNED_OURS] - m[KEYS_OURS], m[UNSIGNED_NATIVE] - m[KEYS_NATIVE], ",");
    print_row("verify-cached", m[CACHED_OURS], m[COLD_NATIVE], ",");
    print_row("verify-crl", m[CRL_OURS], m[CRL_NATIVE], ",");
    print_row("crl-load", ours.us, native.us, ",");
    print_row("crl-memory", ours.bytes, native.bytes, "");
    puts("}");
}

static size_t number_after(int argc, char **argv, const char *name, size_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return strtoul(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    size_t rounds = number_after(argc, argv, "--rounds", 9);
    library_initialise();
    prepare(number_after(argc, argv, "--entries", ENTRIES_DEFAULT));
    measure_all(rounds && rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX);
    finish();
    return 0;
}
