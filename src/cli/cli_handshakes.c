/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport handshakes`: the last TLS handshakes of a running instance, and those to come. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/instance.h"
#include "cli/options.h"

#include "base/ban.h"

/* How often --follow asks, and for how long it tries when nobody answers (control may be on its way
 * back). */
#define ASK_MS    300
#define TRIES_MAX 20

struct handshakes_options {
    bool follow, only_failed, json, with_steps;
};

/* Who came: the subject of its certificate, else the server name that it asked for. */
static const char *name_of(const json_t *h)
{
    const json_t *chain = json_object_get(json_object_get(h, "peer"), "chain");
    const char *subject = answer_text(json_array_get(chain, 0), "subject");
    return *subject ? subject : answer_text(h, "sni");
}

static void print_steps(const json_t *h)
{
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(h, "steps"), i, step)
        printf("  %2lld  %-6s  %s\n              %s (%s)\n              %s\n",
            (long long)json_integer_value(json_object_get(step, "number")),
            answer_text(step, "actor"), answer_text(step, "does"), answer_text(step, "message"),
            answer_text(step, "wire"), answer_text(step, "evidence"));
}

static void print_words(const json_t *h, bool with_steps)
{
    const json_t *tls = json_object_get(h, "tls");
    const char *version = answer_text(tls, "version"), *remedy = answer_text(h, "remedy");
    bool is_accepted = strcmp(answer_text(h, "result"), "accepted") == 0;
    printf("%s  %-16s %-22s %-7s %s%s%s%s", answer_text(h, "time"), answer_text(h, "listener"),
        answer_text(h, "client"), *version ? version : "-", answer_text(h, "result"),
        json_is_true(json_object_get(tls, "resumed")) ? " (resumed)" : "", *name_of(h) ? "  " : "",
        name_of(h));
    /* A remedy that explains a verdict begins with the reason. */
    if (!is_accepted &&
        strncmp(remedy, answer_text(h, "reason"), strlen(answer_text(h, "reason"))) == 0)
        printf("  %s", remedy);
    else if (!is_accepted)
        printf("  %s: %s", answer_text(h, "reason"), remedy);
    putchar('\n');
    if (with_steps)
        print_steps(h);
}

/* The id of the last line, or of LAST if there is none; -1: the answer cannot be read. */
static int64_t print_lines(struct bytes body, const struct handshakes_options *o, int64_t last)
{
    while (body.n) {
        struct bytes line = bytes_first(body, bytes_find(body, '\n'));
        json_error_t fault;
        body = bytes_skip(body, line.n + 1);
        json_t *h = json_loadb((const char *)line.at, line.n, 0, &fault);
        if (!h) {
            fprintf(
                stderr, "sallyport handshakes: a line of the answer is no JSON: %s\n", fault.text);
            return -1;
        }
        if (o->json)
            printf("%.*s\n", BYTES_ARG(line));
        else
            print_words(h, o->with_steps);
        last = json_integer_value(json_object_get(h, "id"));
        json_decref(h);
    }
    fflush(stdout);
    return last;
}

/* Print what is newer than *LAST. -1 with ERR if nobody answers; 1 if the answer, or our output, is
 * no good. */
static int ask(const struct instance *instance, const struct handshakes_options *o, int64_t *last,
    struct error *err)
{
    char path[64];
    struct buf body;
    snprintf(path, sizeof(path), "/handshakes?since=%" PRId64 "%s", *last,
        o->only_failed ? "&failed=1" : "");
    if (instance_get(instance, path, &body, err) < 0)
        return -1;
    int64_t seen = print_lines(buf_bytes(&body), o, *last);
    buf_fini(&body);
    if (seen >= 0)
        *last = seen;
    return seen < 0 || ferror(stdout) ? 1 : 0;
}

static void wait_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
}

/* As long as somebody answers. */
static int follow(const struct instance *instance, const struct handshakes_options *o,
    int64_t *last, struct error *err)
{
    int result = 0;
    for (unsigned failures = 0; result <= 0 && failures < TRIES_MAX;) {
        wait_ms(ASK_MS);
        result = ask(instance, o, last, err);
        failures = result < 0 ? failures + 1 : 0;
    }
    return result;
}

static int show(const struct instance *instance, const struct handshakes_options *o)
{
    struct error err = {.text = ""};
    int64_t last = 0;
    int result = ask(instance, o, &last, &err);
    if (result == 0 && o->follow)
        result = follow(instance, o, &last, &err);
    if (result < 0)
        fprintf(stderr, "sallyport handshakes: %s\n", err.text);
    return result ? OPTIONS_EXIT_NEGATIVE : OPTIONS_EXIT_GOOD;
}

int cli_handshakes(int argc, char **argv)
{
    struct handshakes_options o = {0};
    const char *config = NULL, *admin = NULL;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, &config, "FILE",
            "of the instance; default: " INSTANCE_CONFIG_DEFAULT},
        {"admin", 0, OPTIONS_TEXT, &admin, "ADDRESS",
            "its admin address, instead of what the configuration says"},
        {"follow", 'f', OPTIONS_FLAG, &o.follow, NULL, "go on with those that come"},
        {"failed", 0, OPTIONS_FLAG, &o.only_failed, NULL, "only those refused or failed"},
        {"steps", 0, OPTIONS_FLAG, &o.with_steps, NULL, "with the numbered steps of each"},
        {"json", 0, OPTIONS_FLAG, &o.json, NULL, "print one JSON object a line, steps included"},
    };
    const struct options_syntax syntax = {"handshakes", "",
        "The last TLS handshakes of a running instance: who came, what was agreed on, and for each "
        "that was\nrefused the reason and what to do. Exit status: 0 good, 1 nobody answers, 2 "
        "wrong usage or no admin address.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    struct instance instance;
    struct error err;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    if (instance_find(config ? config : INSTANCE_CONFIG_DEFAULT, admin, &instance, &err) == 0)
        return show(&instance, &o);
    fprintf(stderr, "sallyport handshakes: %s\n", err.text);
    return OPTIONS_EXIT_USAGE;
}
