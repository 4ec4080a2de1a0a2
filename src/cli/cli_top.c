/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport top`: what a running instance does in each second, until it is interrupted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/instance.h"
#include "cli/options.h"

#include "base/ban.h"

#define CLEAR "\033[H\033[2J"

/* Two answers, and the time between them. */
struct look {
    json_t *now, *before;
    double seconds;
};

/* The member of LIST whose KEYS are those of O; NULL if it was not there. */
static const json_t *same(const json_t *list, const json_t *o, const char *const *keys)
{
    size_t i;
    json_t *other;
    json_array_foreach(list, i, other)
    {
        bool is_same = true;
        for (const char *const *k = keys; *k; k++)
            is_same &= strcmp(answer_text(o, *k), answer_text(other, *k)) == 0;
        if (is_same)
            return other;
    }
    return NULL;
}

/* How much the number KEY of O grew each second since BEFORE. A new one grew from 0; one that went
 * back belongs to an instance that was started again. */
static double rate(const struct look *l, const json_t *o, const json_t *before, const char *key)
{
    long long grown = answer_number(o, key) - answer_number(before, key);
    return grown > 0 && l->seconds > 0 ? (double)grown / l->seconds : 0;
}

static double rate_of_all(
    const struct look *l, const json_t *o, const json_t *before, const char *member)
{
    const char *key;
    json_t *value;
    double sum = 0;
    const json_t *was = json_object_get(before, member);
    json_object_foreach(json_object_get(o, member), key, value) if (json_is_integer(value)) sum +=
        rate(l, json_object_get(o, member), was, key);
    return sum;
}

/* 1234567 → "1.2M". */
static const char *short_number(double n, char out[16])
{
    static const char units[] = " kMGT";
    size_t unit = 0;
    for (; n >= 10000 && units[unit + 1]; unit++)
        n /= 1000;
    if (unit)
        snprintf(out, 16, "%.1f%c", n, units[unit]);
    else
        snprintf(out, 16, "%.0f", n);
    return out;
}

static void print_listeners(const struct look *l)
{
    static const char *const keys[] = {"listener", "address", NULL};
    size_t i;
    json_t *o;
    const json_t *list = json_object_get(l->now, "listeners");
    printf("\n%-16s %-8s %8s %8s %10s %9s %9s %9s %9s\n", "LISTENER", "PROTOCOL", "OPEN", "NEW/S",
        "REQUESTS/S", "HANDSH/S", "REFUSED/S", "IN/S", "OUT/S");
    json_array_foreach(list, i, o)
    {
        const json_t *was = same(json_object_get(l->before, "listeners"), o, keys);
        const json_t *h = json_object_get(o, "handshakes"),
                     *h_was = json_object_get(was, "handshakes");
        char text[7][16];
        double refused = rate(l, h, h_was, "refused") + rate(l, h, h_was, "failed");
        printf("%-16s %-8s %8s %8s %10s %9s %9s %9s %9s\n", answer_text(o, "listener"),
            answer_text(o, "protocol"),
            short_number((double)answer_number(o, "connections_open"), text[0]),
            short_number(rate(l, o, was, "connections"), text[1]),
            short_number(rate_of_all(l, o, was, "requests"), text[2]),
            short_number(rate(l, h, h_was, "accepted"), text[3]), short_number(refused, text[4]),
            short_number(rate(l, o, was, "bytes_in"), text[5]),
            short_number(rate(l, o, was, "bytes_out"), text[6]));
    }
}

static void print_targets(const struct look *l)
{
    static const char *const keys[] = {"target_group", "target", NULL};
    size_t i;
    json_t *o;
    printf("\n%-16s %-24s %-10s %10s %8s %8s %10s\n", "TARGET GROUP", "TARGET", "HEALTH",
        "REQUESTS/S", "OPEN", "IDLE", "FAILURES/S");
    json_array_foreach(json_object_get(l->now, "targets"), i, o)
    {
        const json_t *was = same(json_object_get(l->before, "targets"), o, keys);
        const json_t *health = json_object_get(o, "health");
        char text[4][16];
        printf("%-16s %-24s %-10s %10s %8s %8s %10s\n", answer_text(o, "target_group"),
            answer_text(o, "target"), health ? answer_text(health, "state") : "unchecked",
            short_number(rate(l, o, was, "requests"), text[0]),
            short_number((double)answer_number(o, "connections_open"), text[1]),
            short_number((double)answer_number(o, "connections_idle"), text[2]),
            short_number(rate_of_all(l, o, was, "failures"), text[3]));
    }
}

static void print_look(const struct look *l)
{
    char now[CLOCK_RFC3339_MAX];
    size_t i;
    json_t *w;
    clock_format(clock_wall_s(), now);
    printf("%s%s  sallyport is %s, generation %lld; workers:", isatty(STDOUT_FILENO) ? CLEAR : "",
        now, json_is_true(json_object_get(l->now, "ready")) ? "ready" : "not ready",
        answer_number(l->now, "generation"));
    json_array_foreach(json_object_get(l->now, "workers"), i, w)
        printf(" %lld", answer_number(w, "connections_open"));
    printf(" connections\n");
    print_listeners(l);
    print_targets(l);
    fflush(stdout);
}

/* NULL after a message. */
static json_t *ask(const struct instance *instance)
{
    struct buf body;
    struct error err;
    json_error_t fault;
    if (instance_get(instance, "/status", &body, &err) < 0) {
        fprintf(stderr, "sallyport top: %s\n", err.text);
        return NULL;
    }
    json_t *s = json_loadb((const char *)buf_bytes(&body).at, buf_size(&body), 0, &fault);
    if (!s)
        fprintf(stderr, "sallyport top: the answer is no JSON: %s\n", fault.text);
    buf_fini(&body);
    return s;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_seconds(unsigned n)
{
    struct timespec left = {.tv_sec = n};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

/* COUNT: 0 is without end. */
static int watch(const struct instance *instance, unsigned interval_s, unsigned count)
{
    struct look l = {.before = ask(instance)};
    double asked = seconds_now();
    for (unsigned n = 0; l.before && (!count || n < count); n++) {
        wait_seconds(interval_s);
        l.now = ask(instance);
        l.seconds = seconds_now() - asked;
        asked += l.seconds;
        if (l.now)
            print_look(&l);
        json_decref(l.before);
        l.before = l.now;
    }
    int status = l.before ? OPTIONS_EXIT_GOOD : OPTIONS_EXIT_NEGATIVE;
    json_decref(l.before);
    return status;
}

int cli_top(int argc, char **argv)
{
    const char *config = NULL, *admin = NULL;
    unsigned interval_s = 1, count = 0;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, &config, "FILE",
            "of the instance; default: " INSTANCE_CONFIG_DEFAULT},
        {"admin", 0, OPTIONS_TEXT, &admin, "ADDRESS",
            "its admin address, instead of what the configuration says"},
        {"interval", 'i', OPTIONS_NUMBER, &interval_s, "SECONDS", "between two looks; default: 1",
            1, 3600},
        {"count", 'n', OPTIONS_NUMBER, &count, "N", "end after so many looks", 1, 1000000},
    };
    const struct options_syntax syntax = {"top", "",
        "What a running instance does in each second: connections, requests and handshakes of its "
        "listeners,\nrequests and failures of its targets. Ends when it is interrupted, or with "
        "status 1 if nobody answers.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list none;
    struct instance instance;
    struct error err;
    int status;
    if (!options_parse(&syntax, argc, argv, &none, &status))
        return status;
    if (instance_find(config ? config : INSTANCE_CONFIG_DEFAULT, admin, &instance, &err) < 0) {
        fprintf(stderr, "sallyport top: %s\n", err.text);
        return OPTIONS_EXIT_USAGE;
    }
    return watch(&instance, interval_s, count);
}
