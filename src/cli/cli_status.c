/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport status`: what a running instance is doing. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/instance.h"
#include "cli/options.h"

#include "base/ban.h"

/* "5 d 3 h", "12 min", "7 s". */
static void format_span(long long s, char out[32])
{
    if (s >= 2 * 86400)
        snprintf(out, 32, "%lld d %lld h", s / 86400, s / 3600 % 24);
    else if (s >= 2 * 3600)
        snprintf(out, 32, "%lld h %lld min", s / 3600, s / 60 % 60);
    else if (s >= 120)
        snprintf(out, 32, "%lld min", s / 60);
    else
        snprintf(out, 32, "%lld s", s);
}

/* "revoked 2, expired 1": the numbers of O that are not 0; "" if there are none. */
static void format_numbers(json_t *o, char *out, size_t size)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    out[0] = 0;
    json_object_foreach(o, key, value)
    {
        if (!json_integer_value(value) || n >= size)
            continue;
        int added = snprintf(out + n, size - n, "%s%s %lld", n ? ", " : "", key,
            (long long)json_integer_value(value));
        n += added > 0 ? (size_t)added : 0;
    }
}

static void print_instance(const json_t *s)
{
    char uptime[32];
    const json_t *reloads = json_object_get(s, "reloads");
    format_span(answer_number(s, "uptime_s"), uptime);
    printf("%s, generation %lld since %s, up %s; reloads: %lld good, %lld bad\n",
        json_is_true(json_object_get(s, "ready")) ? "ready" : "not ready",
        answer_number(s, "generation"), answer_text(s, "reloaded"), uptime,
        answer_number(reloads, "good"), answer_number(reloads, "bad"));
    printf("sandbox: %s\n", answer_text(s, "sandbox"));
    if (answer_number(s, "access_log_lines_lost"))
        printf("access log: %lld lines lost\n", answer_number(s, "access_log_lines_lost"));
}

static void print_signer(const json_t *s)
{
    char requests[128];
    const json_t *signer = json_object_get(s, "signer");
    format_numbers(json_object_get(signer, "requests"), requests, sizeof(requests));
    printf("signer: %lld keys; requests: %s; restarted %lld times\n", answer_number(signer, "keys"),
        *requests ? requests : "none", answer_number(signer, "restarts"));
}

static void print_workers(const json_t *s)
{
    size_t i;
    json_t *w;
    printf("\n%-10s %8s %12s %9s\n", "WORKER", "PID", "CONNECTIONS", "RESTARTS");
    json_array_foreach(json_object_get(s, "workers"), i, w)
        printf("%-10s %8lld %12lld %9lld\n", answer_text(w, "worker"), answer_number(w, "pid"),
            answer_number(w, "connections_open"), answer_number(w, "restarts"));
}

static void print_listener(const json_t *l)
{
    char text[512];
    json_t *handshakes = json_object_get(l, "handshakes");
    printf("%-16s %-8s %-24s %8lld open %10lld accepted\n", answer_text(l, "listener"),
        answer_text(l, "protocol"), answer_text(l, "address"), answer_number(l, "connections_open"),
        answer_number(l, "connections"));
    long long good = answer_number(handshakes, "accepted"),
              refused = answer_number(handshakes, "refused"),
              failed = answer_number(handshakes, "failed");
    format_numbers(json_object_get(handshakes, "reasons"), text, sizeof(text));
    if (good || refused || failed)
        printf("    handshakes: %lld accepted, %lld refused, %lld failed%s%s\n", good, refused,
            failed, *text ? ": " : "", text);
    format_numbers(json_object_get(l, "requests"), text, sizeof(text));
    if (*text)
        printf("    requests: %s\n", text);
    if (answer_number(l, "relays"))
        printf("    relays: %lld\n", answer_number(l, "relays"));
    if (answer_number(l, "bytes_in") || answer_number(l, "bytes_out"))
        printf("    bytes: %lld in, %lld out\n", answer_number(l, "bytes_in"),
            answer_number(l, "bytes_out"));
}

static void print_targets(const json_t *s)
{
    size_t i;
    json_t *t;
    char failures[512];
    printf("\n%-16s %-24s %-10s %10s %6s %6s %11s  %s\n", "TARGET GROUP", "TARGET", "HEALTH",
        "REQUESTS", "OPEN", "IDLE", "CONNECT MS", "FAILURES");
    json_array_foreach(json_object_get(s, "targets"), i, t)
    {
        format_numbers(json_object_get(t, "failures"), failures, sizeof(failures));
        const json_t *health = json_object_get(t, "health");
        printf("%-16s %-24s %-10s %10lld %6lld %6lld %11.1f  %s\n", answer_text(t, "target_group"),
            answer_text(t, "target"), health ? answer_text(health, "state") : "unchecked",
            answer_number(t, "requests"), answer_number(t, "connections_open"),
            answer_number(t, "connections_idle"),
            json_number_value(json_object_get(t, "connect_ms_mean")),
            *failures ? failures : "none");
        if (*answer_text(health, "reason"))
            printf("    %s since %s: %s\n", answer_text(health, "state"),
                answer_text(health, "since"), answer_text(health, "reason"));
    }
}

/* Whose it is: "web", "web admin.example.com", "target group app". */
static void format_owner(const json_t *o, char *out, size_t size)
{
    const char *group = answer_text(o, "target_group"), *domain = answer_text(o, "domain");
    if (*group)
        snprintf(out, size, "target group %s", group);
    else
        snprintf(out, size, "%s%s%s", answer_text(o, "listener"), *domain ? " " : "", domain);
}

static void print_certificates(const json_t *s)
{
    size_t i;
    json_t *c;
    char owner[160];
    const json_t *list = json_object_get(s, "certificates");
    if (!json_array_size(list))
        return;
    printf("\n%-32s %9s  %-20s  %s\n", "CERTIFICATE OF", "DAYS LEFT", "UNTIL", "FILE");
    json_array_foreach(list, i, c)
    {
        format_owner(c, owner, sizeof(owner));
        printf("%-32s %9lld  %-20s  %s\n", owner, answer_number(c, "days_left"),
            answer_text(c, "not_after"), answer_text(c, "file"));
    }
}

static void print_crls(const json_t *s)
{
    size_t i;
    json_t *c;
    char owner[160], age[32];
    const json_t *list = json_object_get(s, "crls");
    if (!json_array_size(list))
        return;
    printf("\n%-32s %12s  %-20s  %s\n", "CRL OF", "AGE", "NEXT UPDATE", "ISSUER");
    json_array_foreach(list, i, c)
    {
        format_owner(c, owner, sizeof(owner));
        format_span(answer_number(c, "age_s"), age);
        printf("%-32s %12s  %-20s  %s%s\n", owner, age, answer_text(c, "next_update"),
            answer_text(c, "issuer"),
            json_is_true(json_object_get(c, "is_stale")) ? " (STALE)" : "");
    }
}

static void print_words(const json_t *s)
{
    size_t i;
    json_t *l;
    print_instance(s);
    print_signer(s);
    print_workers(s);
    printf("\n%-16s %-8s %-24s %13s\n", "LISTENER", "PROTOCOL", "ADDRESS", "CONNECTIONS");
    json_array_foreach(json_object_get(s, "listeners"), i, l) print_listener(l);
    print_targets(s);
    print_certificates(s);
    print_crls(s);
}

static int show(struct bytes body, bool as_json)
{
    json_error_t fault;
    json_t *s = json_loadb((const char *)body.at, body.n, 0, &fault);
    if (!s) {
        fprintf(stderr, "sallyport status: the answer is no JSON: %s\n", fault.text);
        return OPTIONS_EXIT_NEGATIVE;
    }
    if (as_json)
        fwrite(body.at, 1, body.n, stdout);
    else
        print_words(s);
    bool is_ready = json_is_true(json_object_get(s, "ready"));
    json_decref(s);
    return is_ready ? OPTIONS_EXIT_GOOD : OPTIONS_EXIT_NEGATIVE;
}

static int ask(const struct instance *instance, bool as_json)
{
    struct buf body;
    struct error err;
    if (instance_get(instance, "/status", &body, &err) < 0) {
        fprintf(stderr, "sallyport status: %s\n", err.text);
        return OPTIONS_EXIT_NEGATIVE;
    }
    int status = show(buf_bytes(&body), as_json);
    buf_fini(&body);
    return status;
}

int cli_status(int argc, char **argv)
{
    const char *config = NULL, *admin = NULL;
    bool as_json = false;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, &config, "FILE",
            "of the instance; default: " INSTANCE_CONFIG_DEFAULT},
        {"admin", 0, OPTIONS_TEXT, &admin, "ADDRESS",
            "its admin address, instead of what the configuration says"},
        {"json", 0, OPTIONS_FLAG, &as_json, NULL, "print one JSON object"},
    };
    const struct options_syntax syntax = {"status", "",
        "What a running instance is doing: workers, listeners, handshakes, requests, targets, "
        "certificates, CRLs.\nExit status: 0 running and ready, 1 not ready or not running, 2 "
        "wrong "
        "usage or no admin address.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    struct instance instance;
    struct error err;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    if (instance_find(config ? config : INSTANCE_CONFIG_DEFAULT, admin, &instance, &err) == 0)
        return ask(&instance, as_json);
    fprintf(stderr, "sallyport status: %s\n", err.text);
    return OPTIONS_EXIT_USAGE;
}
