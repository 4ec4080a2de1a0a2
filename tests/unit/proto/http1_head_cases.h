/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_head_cases — tables of heads, for test_http1_request.c and test_http1_response.c.
 *
 * Each case is parsed whole; byte by byte, every prefix in memory of its own size, so that a
 * sanitizer sees a read beyond it; and in two pieces, split at every byte. The results must be
 * equal.
 */
#pragma once

#include "proto/http1.h"
#include "test.h"

struct head_case {
    const char *name;
    struct bytes input; /* a head; or more, when the rest is not part of it */
    const char *want;   /* a fault's token; "more"; or what describe_head prints */
};

typedef ssize_t parse_head_fn(struct bytes in, size_t *scanned, struct http1_head *out);

static const char *framing_name(const struct http1_head *h)
{
    static const char *const names[] = {
        [HTTP1_BODY_NONE] = "none",
        [HTTP1_BODY_LENGTH] = "length",
        [HTTP1_BODY_CHUNKED] = "chunked",
        [HTTP1_BODY_UNTIL_CLOSE] = "until-close",
    };
    return names[h->framing];
}

/* "GET /path host=example.com none keep-alive" or "200 OK length=5 close" */
static void describe_head(ssize_t n, const struct http1_head *h, char *out, size_t size)
{
    if (n < 0) {
        snprintf(out, size, "%s", http1_fault_token((enum http1_fault) - n));
        return;
    }
    if (n == 0) {
        snprintf(out, size, "more");
        return;
    }
    int at = h->status ? snprintf(out, size, "%u %.*s", h->status, BYTES_ARG(h->reason))
                       : snprintf(out, size, "%.*s %.*s host=%.*s", BYTES_ARG(h->method),
                             BYTES_ARG(h->path_and_query), BYTES_ARG(h->authority));
    at += snprintf(out + at, size - (size_t)at, " %s", framing_name(h));
    if (h->framing == HTTP1_BODY_LENGTH)
        at += snprintf(out + at, size - (size_t)at, "=%llu", (unsigned long long)h->content_length);
    snprintf(out + at, size - (size_t)at, "%s%s%s", h->keep_alive ? " keep-alive" : " close",
        h->upgrades ? " upgrades" : "", h->expects_continue ? " expects-continue" : "");
}

static void describe_prefix(
    parse_head_fn *parse, struct bytes input, size_t n, size_t *scanned, char *out, size_t size)
{
    static struct http1_head head;
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, input.at, n);
    ssize_t result = parse((struct bytes){copy, n}, scanned, &head);
    describe_head(result, &head, out, size);
    free(copy);
}

static void check_case(const char *name, const char *how, const char *got, const char *want)
{
    if (strcmp(got, want) == 0)
        return;
    test_failed = 1;
    printf("# %s (%s): \"%s\", not \"%s\"\n", name, how, got, want);
}

static void run_head_case(const struct head_case *c, parse_head_fn *parse)
{
    char got[16384];
    size_t scanned = 0;
    describe_prefix(parse, c->input, c->input.n, &scanned, got, sizeof(got));
    check_case(c->name, "whole", got, c->want);

    scanned = 0;
    snprintf(got, sizeof(got), "more");
    for (size_t n = 1; n <= c->input.n && strcmp(got, "more") == 0; n++)
        describe_prefix(parse, c->input, n, &scanned, got, sizeof(got));
    check_case(c->name, "byte by byte", got, c->want);

    for (size_t n = 1; n < c->input.n && n < 400; n++) {
        scanned = 0;
        describe_prefix(parse, c->input, n, &scanned, got, sizeof(got));
        if (strcmp(got, "more") == 0)
            describe_prefix(parse, c->input, c->input.n, &scanned, got, sizeof(got));
        check_case(c->name, "two pieces", got, c->want);
    }
}

#define RUN_HEAD_CASES(cases, parse)                    \
    do {                                                \
        for (size_t i_ = 0; i_ < COUNT_OF(cases); i_++) \
            run_head_case(&(cases)[i_], parse);         \
    } while (0)

/* A text of N bytes C between BEFORE and AFTER, in a static buffer. */
static struct bytes __attribute__((unused))
padded(const char *before, char c, size_t n, const char *after)
{
    static char text[2 * HTTP1_HEAD_MAX];
    size_t at = strlen(before);
    memcpy(text, before, at);
    memset(text + at, c, n);
    at += n;
    memcpy(text + at, after, strlen(after));
    return (struct bytes){(const uint8_t *)text, at + strlen(after)};
}
