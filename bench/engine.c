/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine [OPTION…] [TEXT]: what TLS costs a server, by our two engines and by plain libssl, beside
 * each other in one run; only the rows whose name contains TEXT. No sockets: what is measured is
 * the engine, with the verdict on client certificates and what libcrypto does for it.
 * docs/performance.md tells how to read it.
 *
 *   --engine NAME   only this one (for a profile)
 *   --seconds S     how long a row and engine take in all, 1 by default
 *   --json FILE     the same in JSON there
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "crypto/library.h"
#include "joint.h"
#include "tls/tlspolicy.h"

#include "base/ban.h"

#define ROUNDS        9 /* of each row; the engines take turns, the median counts */
#define WARM_UP       20
#define STREAM_N      (256 * 1024) /* octets between two looks at the clock */
#define STREAM_UNIT_N 16384
#define IDLE_N        1000
#define NS_PER_S      1000000000.0

static const struct server_kind *const kinds[] = {&server_libssl, &server_openssl, &server_native};
enum { LIBSSL, OPENSSL, NATIVE, KIND_COUNT };

enum work { HANDSHAKE, SENDING, RECEIVING, IDLE };

static const struct row {
    const char *name, *what;
    enum work work;
    uint16_t version;
    bool is_rsa, is_mutual, is_warm, is_resumed;
    double wanted;     /* how many times less the native engine is to cost; 0: no promise */
    int group;         /* 0: X25519 */
    const char *suite; /* NULL: AES-256-GCM */
} rows[] = {
    {"full", "full handshake, ECDSA P-256", HANDSHAKE, TLS_1_3, .wanted = 1.8},
    {"mutual", "the same with a client certificate, its verdict made", HANDSHAKE, TLS_1_3,
        .is_mutual = true, .wanted = 2.4},
    {"mutual-warm", "… its verdict remembered", HANDSHAKE, TLS_1_3, .is_mutual = true,
        .is_warm = true, .wanted = 3},
    {"resumed", "resumed handshake", HANDSHAKE, TLS_1_3, .is_resumed = true, .wanted = 2.4},
    {"resumed-p256", "the same with P-256", HANDSHAKE, TLS_1_3, .is_resumed = true,
        .group = NID_X9_62_prime256v1},
    {"resumed-aes128", "the same as resumed with AES-128-GCM and SHA-256", HANDSHAKE, TLS_1_3,
        .is_resumed = true, .suite = "TLS_AES_128_GCM_SHA256"},
    {"resumed-1.2", "the same with TLS 1.2", HANDSHAKE, TLS_1_2, .is_resumed = true, .wanted = 3},
    {"rsa", "full handshake, RSA-2048", HANDSHAKE, TLS_1_3, .is_rsa = true, .wanted = 1.2},
    {"full-1.2", "full handshake, ECDSA P-256, TLS 1.2", HANDSHAKE, TLS_1_2},
    {"seal", "16 KiB sent", SENDING, TLS_1_3, .wanted = 2.5},
    {"open", "16 KiB received", RECEIVING, TLS_1_3},
    {"idle", "memory of a connection, octets", IDLE, TLS_1_3, .wanted = 4},
};

static struct options {
    const char *engine, *text;
    double seconds;
    FILE *json;
} options = {.seconds = 1, .text = ""};

/* ---- one row, one engine ---- */

/* Microseconds of the server, each. */
static double measure_handshakes(struct joint *j, double seconds)
{
    struct joint_pair p;
    unsigned n = 0;
    for (int i = 0; i < WARM_UP; i++) {
        joint_open(&p, j);
        joint_close(&p);
    }
    for (j->spent_ns = 0; (double)j->spent_ns < seconds * NS_PER_S; n++) {
        joint_open(&p, j);
        joint_close(&p);
    }
    return (double)j->spent_ns / 1000 / n;
}

typedef void stream_fn(struct joint_pair *p, size_t n);

/* Microseconds of the server, each 16 KiB. */
static double measure_stream(struct joint *j, double seconds, stream_fn *stream)
{
    struct joint_pair p;
    unsigned n = 0;
    joint_open(&p, j);
    stream(&p, STREAM_N);
    for (j->spent_ns = 0; (double)j->spent_ns < seconds * NS_PER_S; n++)
        stream(&p, STREAM_N);
    joint_close(&p);
    return (double)j->spent_ns / 1000 / n / (STREAM_N / STREAM_UNIT_N);
}

static size_t allocated(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Octets allocated by a connection that has sent and received, and waits. */
static double measure_idle(struct joint *j)
{
    struct joint_pair *pairs = mem_calloc(IDLE_N, sizeof(*pairs));
    struct joint_pair first; /* what is allocated once is no connection's */
    joint_open(&first, j);
    size_t before = allocated();
    for (int i = 0; i < IDLE_N; i++) {
        joint_open(&pairs[i], j);
        joint_receive(&pairs[i], STREAM_UNIT_N);
        joint_send(&pairs[i], STREAM_UNIT_N);
        joint_drop_client(&pairs[i]);
    }
    double each = (double)(allocated() - before) / IDLE_N;
    for (int i = 0; i < IDLE_N; i++)
        joint_close(&pairs[i]);
    joint_close(&first);
    free(pairs);
    return each;
}

static double measure(
    const struct row *r, const struct server_kind *kind, const struct joint_identities *i)
{
    struct joint j;
    const double seconds = options.seconds / ROUNDS;
    double result = 0;
    joint_init(&j, &(struct joint_plan){.kind = kind,
                       .server = {.credential = r->is_rsa ? &i->server_rsa : &i->server_ec,
                           .ca = r->is_mutual ? &i->ca : NULL,
                           .verify = r->is_warm ? &i->warm : &i->cold},
                       .client = r->is_mutual ? &i->client : NULL,
                       .version = r->version,
                       .group = r->group ? r->group : NID_X25519,
                       .suite = r->suite ? r->suite : "TLS_AES_256_GCM_SHA384",
                       .is_resumed = r->is_resumed});
    switch (r->work) {
    case HANDSHAKE:
        result = measure_handshakes(&j, seconds);
        break;
    case SENDING:
        result = measure_stream(&j, seconds, joint_send);
        break;
    case RECEIVING:
        result = measure_stream(&j, seconds, joint_receive);
        break;
    case IDLE:
        result = measure_idle(&j);
        break;
    }
    joint_fini(&j);
    return result;
}

/* ---- all of them ---- */

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool is_chosen(size_t kind)
{
    return !options.engine || !strcmp(options.engine, kinds[kind]->name);
}

/* The medians of R; 0 where it was not measured. */
static void measure_row(
    const struct row *r, const struct joint_identities *i, double out[KIND_COUNT])
{
    double samples[KIND_COUNT][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        for (size_t k = 0; k < KIND_COUNT; k++)
            samples[k][round] = is_chosen(k) ? measure(r, kinds[k], i) : 0;
    for (size_t k = 0; k < KIND_COUNT; k++) {
        qsort(samples[k], ROUNDS, sizeof(samples[k][0]), compare);
        out[k] = samples[k][ROUNDS / 2];
    }
}

static void print_title(void)
{
    printf(
        "Server CPU time per operation, µs (idle: octets), and how many times less native takes\n\n"
        "| row            |");
    for (size_t k = 0; k < KIND_COUNT; k++)
        printf(" %7s |", kinds[k]->name);
    printf(" than openssl | than libssl | wanted |\n|---|");
    for (size_t k = 0; k < KIND_COUNT; k++)
        printf("---:|");
    printf("---:|---:|---:|\n");
}

/* How many times less the native engine costs than KIND; 0: not both were measured. */
static double cheaper(const double got[KIND_COUNT], size_t kind)
{
    return got[NATIVE] > 0 ? got[kind] / got[NATIVE] : 0;
}

static void print_row(const struct row *r, const double got[KIND_COUNT])
{
    printf("| %-14s |", r->name);
    for (size_t k = 0; k < KIND_COUNT; k++)
        printf(" %7.*f |", got[k] < 100 ? 2 : 0, got[k]);
    printf(" %12.2f | %11.2f | %6.1f |\n", cheaper(got, OPENSSL), cheaper(got, LIBSSL), r->wanted);
    fflush(stdout);
}

static void write_row(const struct row *r, const double got[KIND_COUNT], bool is_first)
{
    fprintf(options.json, "%s\n {\"row\": \"%s\"", is_first ? "[" : ",", r->name);
    for (size_t k = 0; k < KIND_COUNT; k++)
        fprintf(options.json, ", \"%s\": %.3f", kinds[k]->name, got[k]);
    fprintf(options.json, ", \"than_openssl\": %.3f, \"than_libssl\": %.3f, \"wanted\": %.1f}",
        cheaper(got, OPENSSL), cheaper(got, LIBSSL), r->wanted);
}

static void usage(void)
{
    fprintf(stderr, "usage: engine [--engine NAME] [--seconds S] [--json FILE] [TEXT]\nrows:\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        fprintf(stderr, "  %-14s  %s\n", rows[i].name, rows[i].what);
    exit(2);
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"engine", required_argument, NULL, 'e'},
        {"seconds", required_argument, NULL, 's'}, {"json", required_argument, NULL, 'j'},
        {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'e')
            options.engine = optarg;
        else if (c == 's')
            options.seconds = strtod(optarg, NULL);
        else if (c == 'j')
            options.json = fopen(optarg, "w");
        else
            usage();
        if (c == 'j' && !options.json)
            panic("cannot write %s", optarg);
    }
    if (optind < argc)
        options.text = argv[optind++];
    if (optind < argc || options.seconds <= 0)
        usage();
}

/* TEXT names a row, or is a part of some names. */
static bool is_wanted(const struct row *r)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (!strcmp(options.text, rows[i].name))
            return r == &rows[i];
    return strstr(r->name, options.text);
}

int main(int argc, char **argv)
{
    struct joint_identities identities;
    bool is_first = true;
    read_options(argc, argv);
    library_initialise();
    joint_identities_init(&identities);
    print_title();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double got[KIND_COUNT];
        if (!is_wanted(&rows[i]))
            continue;
        measure_row(&rows[i], &identities, got);
        print_row(&rows[i], got);
        if (options.json)
            write_row(&rows[i], got, is_first);
        is_first = false;
    }
    joint_identities_fini(&identities);
    if (is_first)
        usage();
    if (options.json)
        fprintf(options.json, "\n]\n");
    return options.json && fclose(options.json);
}
