/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: the load generator of `make bench`. One thread, epoll, libssl: cheap enough to share a core
 * with the backend, and it counts only what it has checked (fault.def).
 *
 * It first runs until every connection has done one operation, and for WARM_US; those are not
 * counted, errors end it. Then it writes "ready", waits for a line on standard input while nothing
 * is in flight, so that whoever measures the server can look at it, and runs. The result is one
 * line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "client.h"
#include "histogram.h"

#include "base/ban.h"

#define WARM_US         200000u
#define ERRORS_MAX      1000u /* a server that does not do the work at all is not hammered on */
#define CONNECTIONS_MAX 20000u
#define EVENTS_MAX      256
/* How many connections are opened at the same time when many are to be held. */
#define OPENING_MAX 64u

struct options {
    struct plan plan;
    bool is_idle; /* open the connections and hold them */
    unsigned connections;
    uint64_t operations; /* 0: no limit but the time */
    uint64_t duration_us;
    unsigned rate; /* operations a second that begin, whatever has ended; 0: as fast as they end */
};

struct run {
    const struct options *options;
    struct client_pool pool;
    struct client *clients;
    struct client **idle; /* a ring of those that may start, the one longest idle first */
    unsigned idle_first, idle_n, in_flight;
    uint64_t begin_us, end_us, started, ended;
    uint64_t faults[FAULT_COUNT], faults_n;
    char first_fault[256];
    struct histogram latencies;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* ---- the loop ---- */

static void push_idle(struct run *run, struct client *c)
{
    run->idle[(run->idle_first + run->idle_n++) % run->options->connections] = c;
}

static struct client *pop_idle(struct run *run)
{
    struct client *c = run->idle[run->idle_first];
    run->idle_first = (run->idle_first + 1) % run->options->connections;
    run->idle_n--;
    return c;
}

static void note_end(struct client *c, enum fault fault, void *owner)
{
    struct run *run = owner;
    if (fault != FAULT_NONE) {
        if (run->faults_n++ == 0)
            snprintf(run->first_fault, sizeof(run->first_fault), "%s: %s", client_fault_name(fault),
                c->detail);
        run->faults[fault]++;
    } else {
        run->ended++;
        histogram_add(&run->latencies, now_us() - c->began_us);
    }
    run->in_flight--;
    push_idle(run, c);
}

/* When the next operation is to begin. */
static uint64_t due_us(const struct run *run, uint64_t now)
{
    unsigned rate = run->options->rate;
    return rate ? run->begin_us + run->started * 1000000u / rate : now;
}

static bool may_start(const struct run *run, uint64_t now, uint64_t operations_max)
{
    return run->idle_n > 0 && now < run->end_us && run->faults_n < ERRORS_MAX &&
           (operations_max == 0 || run->started < operations_max);
}

static void start_due(struct run *run, uint64_t operations_max, unsigned in_flight_max)
{
    uint64_t now = now_us();
    while (run->in_flight < in_flight_max && may_start(run, now, operations_max)) {
        uint64_t due = due_us(run, now);
        if (due > now)
            return;
        struct client *c = pop_idle(run);
        run->started++;
        run->in_flight++;
        client_start(c, due);
        now = now_us();
    }
}

static void wait_events(struct run *run, bool is_open)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {.tv_sec = 5};
    if (is_open && run->options->rate) {
        uint64_t now = now_us(), due = due_us(run, now);
        timeout = (struct timespec){.tv_nsec = due > now ? (long)(due - now) * 1000 : 0};
    }
    int n = epoll_pwait2(run->pool.epoll, events, EVENTS_MAX, &timeout, NULL);
    for (int i = 0; i < n; i++)
        client_ready(events[i].data.ptr);
}

/* Operations until DURATION_US have passed or OPERATIONS_MAX (0: any number) have begun, and the
 * end of those that have. */
static void run_for(
    struct run *run, uint64_t duration_us, uint64_t operations_max, unsigned in_flight_max)
{
    run->started = run->ended = 0;
    memset(&run->latencies, 0, sizeof(run->latencies));
    run->begin_us = now_us();
    run->end_us = run->begin_us + duration_us;
    for (;;) {
        start_due(run, operations_max, in_flight_max);
        bool is_open = may_start(run, now_us(), operations_max);
        if (run->in_flight == 0 && !is_open)
            break;
        wait_events(run, is_open);
    }
    run->end_us = now_us();
}

/* ---- before and after ---- */

/* Every connection does one operation (and so is open, or has a session), and all do more for
 * WARM_US. */
static int warm(struct run *run, struct error *err)
{
    struct options once = *run->options;
    const struct options *given = run->options;
    once.rate = 0;
    run->options = &once;
    run_for(run, 60u * 1000000u, given->connections, OPENING_MAX);
    if (!given->is_idle && run->faults_n == 0)
        run_for(run, WARM_US, 0, given->connections);
    run->options = given;
    if (run->faults_n > 0)
        return error_set(err, "%s", run->first_fault);
    return 0;
}

/* Connections that the server has closed meanwhile were not held. */
static void check_held(struct run *run)
{
    for (unsigned i = 0; i < run->options->connections; i++) {
        client_ready(&run->clients[i]);
        run->faults[FAULT_CLOSED] += run->clients[i].is_lost;
        run->faults_n += run->clients[i].is_lost;
    }
}

static void wait_line(void)
{
    for (int c; (c = getchar()) != EOF && c != '\n';)
        continue;
}

static void print_result(const struct run *run)
{
    printf("{\"operations\": %" PRIu64 ", \"seconds\": %.6f, \"p50_us\": %" PRIu64
           ", \"p99_us\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"faults\": {",
        run->ended, (double)(run->end_us - run->begin_us) / 1e6,
        histogram_quantile(&run->latencies, 500), histogram_quantile(&run->latencies, 990),
        run->faults_n);
    const char *comma = "";
    for (unsigned f = 0; f < FAULT_COUNT; f++) {
        if (run->faults[f] == 0)
            continue;
        printf("%s\"%s\": %" PRIu64, comma, client_fault_name(f), run->faults[f]);
        comma = ", ";
    }
    printf("}}\n");
}

static int run_all(struct run *run, struct error *err)
{
    const struct options *o = run->options;
    if (client_pool_init(&run->pool, &o->plan, err))
        return -1;
    for (unsigned i = 0; i < o->connections; i++) {
        client_init(&run->clients[i], &run->pool);
        push_idle(run, &run->clients[i]);
    }
    if (warm(run, err))
        return -1;
    printf("ready\n");
    fflush(stdout);
    wait_line();
    if (o->is_idle)
        check_held(run);
    else
        run_for(run, o->duration_us, o->operations, o->connections);
    print_result(run);
    return 0;
}

/* ---- the command line ---- */

static const char usage[] =
    "usage: load [OPTION]… IP PORT\n"
    "  --mode full|resumed|kept|idle   a full handshake, a resumed one, or a kept connection per "
    "operation;\n"
    "                                  idle: open --connections, one operation each, and hold "
    "them\n"
    "  --echo                          an operation is 1 KiB there and back, and not a GET\n"
    "  --body BYTES                    what to GET\n"
    "  --connections N  --seconds S  --operations N  --rate N (a second, whatever has ended)\n"
    "  --tls 1.2|1.3  --suite NAME  --group NAME  --name HOST  --certificate FILE --key FILE\n";

static const struct option long_options[] = {
    {"mode", required_argument, NULL, 'm'},
    {"echo", no_argument, NULL, 'e'},
    {"body", required_argument, NULL, 'b'},
    {"connections", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 's'},
    {"operations", required_argument, NULL, 'n'},
    {"rate", required_argument, NULL, 'r'},
    {"tls", required_argument, NULL, 't'},
    {"suite", required_argument, NULL, 'S'},
    {"group", required_argument, NULL, 'g'},
    {"name", required_argument, NULL, 'N'},
    {"certificate", required_argument, NULL, 'C'},
    {"key", required_argument, NULL, 'k'},
    {NULL, 0, NULL, 0},
};

static const struct mode {
    const char *name;
    enum reuse reuse;
    bool is_idle;
} modes[] = {
    {"full", REUSE_NOTHING, false},
    {"resumed", REUSE_SESSION, false},
    {"kept", REUSE_CONNECTION, false},
    {"idle", REUSE_CONNECTION, true},
};

static int set_mode(struct options *o, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        if (strcmp(modes[i].name, name) == 0) {
            o->plan.reuse = modes[i].reuse;
            o->is_idle = modes[i].is_idle;
            return 0;
        }
    }
    return -1;
}

static int set_version(struct options *o, const char *name)
{
    if (strcmp(name, "1.2") != 0 && strcmp(name, "1.3") != 0)
        return -1;
    o->plan.version = name[2] == '2' ? TLS1_2_VERSION : TLS1_3_VERSION;
    return 0;
}

static int set_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case 'm':
        return set_mode(o, value);
    case 't':
        return set_version(o, value);
    case 'e':
        o->plan.is_echo = true;
        return 0;
    case 'b':
        o->plan.body_bytes = strtoull(value, NULL, 10);
        return 0;
    case 'c':
        o->connections = (unsigned)strtoul(value, NULL, 10);
        return 0;
    case 's':
        o->duration_us = (uint64_t)(strtod(value, NULL) * 1e6);
        return 0;
    case 'n':
        o->operations = strtoull(value, NULL, 10);
        return 0;
    case 'r':
        o->rate = (unsigned)strtoul(value, NULL, 10);
        return 0;
    case 'S':
        o->plan.suite = value;
        return 0;
    case 'g':
        o->plan.group = value;
        return 0;
    case 'N':
        o->plan.name = value;
        return 0;
    case 'C':
        o->plan.certificate = value;
        return 0;
    case 'k':
        o->plan.key = value;
        return 0;
    }
    return -1;
}

static int parse(struct options *o, int argc, char **argv)
{
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        if (set_option(o, option, optarg))
            return -1;
    if (argc - optind != 2 || o->connections == 0 || o->connections > CONNECTIONS_MAX ||
        !o->plan.certificate != !o->plan.key)
        return -1;
    struct sockaddr_in *address = (struct sockaddr_in *)&o->plan.address;
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
    o->plan.address_n = sizeof(*address);
    return inet_pton(AF_INET, argv[optind], &address->sin_addr) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options options = {
        .plan = {.name = "bench.test",
            .version = TLS1_3_VERSION,
            .suite = "TLS_AES_256_GCM_SHA384",
            .group = "X25519",
            .body_bytes = 128},
        .connections = 16,
        .duration_us = 3000000,
    };
    if (parse(&options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    const struct rlimit descriptors = {CONNECTIONS_MAX + 100, CONNECTIONS_MAX + 100};
    setrlimit(RLIMIT_NOFILE, &descriptors); /* where it may not, socket() says so */
    struct run *run = mem_alloc(sizeof(*run));
    *run = (struct run){.options = &options, .pool = {.done = note_end, .owner = run, .epoll = -1}};
    run->clients = mem_calloc(options.connections, sizeof(*run->clients));
    run->idle = mem_calloc(options.connections, sizeof(struct client *));
    struct error err;
    int status = run_all(run, &err);
    if (status)
        fprintf(stderr, "load: %s\n", err.text);
    for (unsigned i = 0; i < options.connections; i++)
        client_fini(&run->clients[i]);
    client_pool_fini(&run->pool);
    free(run->idle);
    free(run->clients);
    free(run);
    return status ? 1 : 0;
}
