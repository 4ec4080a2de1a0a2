/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timing [WORD]: does the time of an operation tell anything about a secret? The method of dudect
 * (Reparaz, Balasch, Verbauwhede, 2017): the operation runs on two classes of input in random
 * order, and Welch's t-test says how sure one can be that their mean times differ, over all
 * measurements and over those below each of some percentiles, which take interruptions away.
 * |t| > 4.5 is suspicious, > 10 certain. Run by hand, on a quiet core: a neighbour's noise hides
 * leaks, it does not make them. The controls leak on purpose: they show that the others would be
 * found out.
 */
#include "timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/rsa.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/library.h"
#include "crypto/native.h"

#include "base/ban.h"

#define SUSPICIOUS   4.5
#define INPUTS       64 /* of each class, made beforehand: the same code touches both alike */
#define PERCENTILES  10
#define MODULUS_SIZE TIMING_RSA_SIZE

static union timing_input inputs[2][INPUTS];

/* ---- comparisons: class 0 differs in the first octet, class 1 in the last ---- */

static void make_compared(union timing_input *in, int class)
{
    random_fill(in->compared.one, sizeof(in->compared.one));
    memcpy(in->compared.other, in->compared.one, sizeof(in->compared.other));
    in->compared.other[class ? sizeof(in->compared.other) - 1 : 0] ^= 1;
}

static volatile bool answer;

static void compare_leaking(const union timing_input *in)
{
    size_t i = 0;
    while (i < sizeof(in->compared.one) && in->compared.one[i] == in->compared.other[i])
        i++;
    answer = i == sizeof(in->compared.one);
}

static void compare(const union timing_input *in)
{
    answer = constant_time_equal(in->compared.one, in->compared.other, sizeof(in->compared.one));
}

/* ---- aead_open: a tag that is wrong in its first octet, or in its last ---- */

static const uint8_t nonce[AEAD_NONCE_SIZE];
static struct aead *aead;

static void make_sealed(union timing_input *in, int class)
{
    random_fill(in->sealed.data, sizeof(in->sealed.data));
    aead_seal(
        aead, nonce, (struct bytes){0}, in->sealed.data, sizeof(in->sealed.data), in->sealed.tag);
    in->sealed.tag[class ? AEAD_TAG_SIZE - 1 : 0] ^= 1;
}

static void make_sealed_gcm(union timing_input *in, int class)
{
    if (!aead)
        aead = aead_new(AEAD_AES_128_GCM, nonce);
    make_sealed(in, class);
}

static void make_sealed_chacha20(union timing_input *in, int class)
{
    static const uint8_t key[AEAD_KEY_MAX];
    static struct aead *chacha20;
    if (!chacha20)
        aead = chacha20 = aead_new(AEAD_CHACHA20_POLY1305, key);
    make_sealed(in, class);
}

static void open_sealed(const union timing_input *in)
{
    union timing_input copy = *in;
    answer = aead_open(aead, nonce, (struct bytes){0}, copy.sealed.data, sizeof(copy.sealed.data),
        copy.sealed.tag);
}

/* ---- RSA key transport: a good premaster secret, or one of RFC 5246 §7.4.7.1's bad ones ---- */

#define SECRET_AT (MODULUS_SIZE - 48)

static const struct private_key *rsa(void)
{
    static struct private_key *k;
    struct error err;
    if (!k)
        k = private_key_generate(KEY_RSA, &err);
    ASSERT(k);
    return k;
}

/* The octet AT becomes OCTET in class 1. */
static void make_ciphertext(union timing_input *in, int class, size_t at, uint8_t octet)
{
    uint8_t em[MODULUS_SIZE];
    size_t n = MODULUS_SIZE;
    random_fill(em, sizeof(em));
    for (size_t i = 2; i < SECRET_AT; i++)
        em[i] |= 1;
    memcpy(em, "\0\2", 2);
    memcpy(em + SECRET_AT - 1, "\0\3\3", 3);
    if (class)
        em[at] = octet;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, private_key_pkey(rsa()), NULL);
    ASSERT(EVP_PKEY_encrypt_init(c) > 0 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING) > 0 &&
           EVP_PKEY_encrypt(c, in->ciphertext, &n, em, sizeof(em)) > 0);
    EVP_PKEY_CTX_free(c);
}

static void make_block_type(union timing_input *in, int class)
{
    make_ciphertext(in, class, 1, 1);
}

static void make_early_separator(union timing_input *in, int class)
{
    make_ciphertext(in, class, 12, 0);
}

static void make_no_separator(union timing_input *in, int class)
{
    make_ciphertext(in, class, SECRET_AT - 1, 1);
}

static void make_version(union timing_input *in, int class)
{
    make_ciphertext(in, class, SECRET_AT + 1, 2);
}

static void decrypt(const union timing_input *in)
{
    uint8_t secret[48];
    private_key_premaster(rsa(), (struct bytes){in->ciphertext, MODULUS_SIZE}, 0x0303, secret);
    answer = secret[0];
}

/* The classic mistake: a random secret is made only when it is needed. */
static void decrypt_leaking(const union timing_input *in)
{
    uint8_t em[MODULUS_SIZE];
    size_t n = sizeof(em);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, private_key_pkey(rsa()), NULL);
    ASSERT(EVP_PKEY_decrypt_init(c) > 0 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING) > 0 &&
           EVP_PKEY_decrypt(c, em, &n, in->ciphertext, MODULUS_SIZE) > 0);
    EVP_PKEY_CTX_free(c);
    if (em[1] != 2)
        random_fill(em + SECRET_AT, 48);
    answer = em[SECRET_AT];
}

/* ---- the table ---- */

static const struct row {
    const char *name;
    timing_make_fn *make;
    timing_run_fn *run;
    unsigned repeat; /* runs per measurement, so that it is longer than the clock is coarse */
    size_t measurements;
    bool leaks;
} rows[] = {
    {"control: a comparison that stops early", make_compared, compare_leaking, 8, 200000, true},
    {"constant_time_equal: where they differ", make_compared, compare, 8, 1000000, false},
    {"aead_open, AES-128-GCM: which octet is wrong", make_sealed_gcm, open_sealed, 8, 1000000,
        false},
    {"aead_open, ChaCha20: which octet is wrong", make_sealed_chacha20, open_sealed, 4, 400000,
        false},
    {"control: a ticket of another key is not opened", timing_tls_make_either,
        timing_tls_open_leaking, 2, 20000, true},
    {"ticket_open: which octet of the tag is wrong", timing_tls_make_tag, timing_tls_open, 2,
        400000, false},
    {"ticket_open: which octet of the key's name is", timing_tls_make_name, timing_tls_open, 2,
        400000, false},
    {"ticket_open: the key's name, or the tag", timing_tls_make_either, timing_tls_open, 2, 400000,
        false},
    {"Finished, TLS 1.3: which octet is wrong", timing_tls_make_finished13, timing_tls_finish, 1,
        400000, false},
    {"Finished, TLS 1.2: which octet is wrong", timing_tls_make_finished12, timing_tls_finish, 1,
        400000, false},
    {"binder: which octet is wrong", timing_tls_make_binder, timing_tls_bind, 1, 100000, false},
    {"signature to the API: which octet is wrong", timing_api_make, timing_api_verify, 1, 200000,
        false},
    {"control: a random premaster where it is bad", make_block_type, decrypt_leaking, 1, 30000,
        true},
    {"premaster: good, or block type 1", make_block_type, decrypt, 1, 30000, false},
    {"premaster: good, or a longer one", make_early_separator, decrypt, 1, 30000, false},
    {"premaster: good, or no separator", make_no_separator, decrypt, 1, 30000, false},
    {"premaster: good, or another version", make_version, decrypt, 1, 30000, false},
};

/* ---- measuring ---- */

struct sample {
    int class;
    double ns;
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const struct row *r, struct sample *samples)
{
    uint8_t *choices = mem_alloc(r->measurements);
    random_fill(choices, r->measurements);
    for (size_t i = 0; i < r->measurements; i++) {
        int class = choices[i] & 1;
        union timing_input in = inputs[class][choices[i] >> 1 & (INPUTS - 1)];
        double begin = now_ns();
        for (unsigned n = 0; n < r->repeat; n++)
            r->run(&in);
        samples[i] = (struct sample){class, now_ns() - begin};
    }
    free(choices);
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct sample *)a)->ns, y = ((const struct sample *)b)->ns;
    return (x > y) - (x < y);
}

/* Welch's t of the first N of SAMPLES; *DIFFERENCE of the means, in ns. */
static double welch(const struct sample *samples, size_t n, double *difference)
{
    double mean[2] = {0}, squares[2] = {0}, count[2] = {0};
    for (size_t i = 0; i < n; i++) {
        int c = samples[i].class;
        double d = samples[i].ns - mean[c];
        mean[c] += d / ++count[c];
        squares[c] += d * (samples[i].ns - mean[c]);
    }
    double error = 0;
    for (int c = 0; c < 2; c++)
        error += squares[c] / (count[c] - 1) / count[c];
    *difference = mean[1] - mean[0];
    return error > 0 ? *difference / sqrt(error) : 0;
}

/* The largest |t| of all percentiles. */
static double judge(const struct row *r, double *difference)
{
    struct sample *samples = mem_calloc(r->measurements, sizeof(*samples));
    double worst = 0;
    for (int class = 0; class < 2; class ++)
        for (size_t i = 0; i < INPUTS; i++)
            r->make(&inputs[class][i], class);
    measure(r, samples);
    qsort(samples, r->measurements, sizeof(*samples), by_time);
    for (size_t p = PERCENTILES / 2; p <= PERCENTILES; p++) {
        double d, t = fabs(welch(samples, r->measurements * p / PERCENTILES, &d));
        if (t >= worst) {
            worst = t;
            *difference = d;
        }
    }
    free(samples);
    return worst;
}

int main(int argc, char **argv)
{
    int faults = 0;
    library_initialise();
    printf("AES-GCM: %s\n%-46s %12s %8s %10s\n", aead_implementation(), "", "measurements",
        "max |t|", "there, ns");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        if (argc > 1 && !strstr(r->name, argv[1]))
            continue;
        double difference = 0, t = judge(r, &difference);
        bool is_good = (t > SUSPICIOUS) == r->leaks;
        printf("%-46s %12zu %8.1f %10.1f  %s\n", r->name, r->measurements, t,
            difference / r->repeat, is_good ? "as it should" : "NOT AS IT SHOULD");
        faults += !is_good;
    }
    return faults != 0;
}
