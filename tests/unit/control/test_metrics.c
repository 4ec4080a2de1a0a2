/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over processes, and how they are written. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "control/metrics.c"
#include "test.h"

#define PROCESSES 3

static int fds[PROCESSES];
static struct counters *counters[PROCESSES];
static struct totals_sources sources;
static struct buf text;

static void begin(void)
{
    struct error err;
    for (size_t i = 0; i < PROCESSES; i++) {
        CHECK_INT(counters_new(&fds[i], &err), 0);
        counters[i] = counters_open(fds[i], &err);
        CHECK_INT(totals_add_source(&sources, i, fds[i], &err), 0);
    }
    buf_init(&text, 64u << 20);
}

static void end(void)
{
    for (size_t i = 0; i < PROCESSES; i++) {
        counters_close(&counters[i]);
        close(fds[i]);
    }
    totals_fini_sources(&sources);
    buf_fini(&text);
}

/* The metrics as text, NUL-terminated. */
static const char *written(void)
{
    struct totals t;
    totals_init(&t, &sources);
    buf_clear(&text);
    CHECK_INT(metrics_write(&t, &text), 0);
    totals_fini(&t);
    CHECK_INT(buf_append(&text, (struct bytes){(const uint8_t *)"", 1}), 0);
    return (const char *)buf_bytes(&text).at;
}

static struct count *row(size_t process, enum counters_row kind, const char *a, const char *b)
{
    return counters_row(counters[process], kind, (const char *const[]){a, b, "", ""});
}

TEST(counters_are_summed_and_what_is_latest_is_not)
{
    begin();
    count_add(&row(0, COUNTERS_LISTENER, "web", "")[LISTENER_ACCEPTED], 3);
    count_add(&row(2, COUNTERS_LISTENER, "web", "")[LISTENER_ACCEPTED], 4);
    count_set(&row(0, COUNTERS_CERTIFICATE, "web", "")[CERTIFICATE_NOT_AFTER], 100);
    count_set(&row(1, COUNTERS_CERTIFICATE, "web", "")[CERTIFICATE_NOT_AFTER], 200);
    const char *all = written();
    CHECK(strstr(all, "\nsallyport_connections_total{listener=\"web\"} 7\n"));
    CHECK(strstr(all, "\nsallyport_certificate_not_after_seconds{listener=\"web\"} 200\n"));
    end();
}

TEST(what_is_latest_and_gone_is_not_shown)
{
    begin();
    count_set(&row(0, COUNTERS_CERTIFICATE, "web", "")[CERTIFICATE_NOT_AFTER], 100);
    counters_clear(counters[0], COUNTERS_CERTIFICATE);
    CHECK(!strstr(written(), "sallyport_certificate_not_after_seconds{"));
    end();
}

TEST(a_histogram_is_cumulative)
{
    begin();
    struct count *r = row(0, COUNTERS_ROUTE, "web", "app");
    count_add(&r[ROUTE_WITHIN_1], 2);
    count_add(&r[ROUTE_WITHIN_5], 1);
    count_add(&r[ROUTE_LONGER], 1);
    count_add(&r[ROUTE_DURATION], 12345);
    const char *all = written();
#define OF "{listener=\"web\",target_group=\"app\""
    CHECK(strstr(all, "_bucket" OF ",le=\"0.001\"} 2\n"));
    CHECK(strstr(all, "_bucket" OF ",le=\"0.005\"} 3\n"));
    CHECK(strstr(all, "_bucket" OF ",le=\"10\"} 3\n"));
    CHECK(strstr(all, "_bucket" OF ",le=\"+Inf\"} 4\n"));
    CHECK(strstr(all, "_sum" OF "} 12.345\n"));
    CHECK(strstr(all, "_count" OF "} 4\n"));
    end();
}

TEST(labels_are_escaped)
{
    begin();
    count_add(&row(0, COUNTERS_LISTENER, "a\"b\\c\nd\xc3\xa4\xff", "")[LISTENER_ACCEPTED], 1);
    CHECK(strstr(written(), "{listener=\"a\\\"b\\\\c\\nd\xc3\xa4?\"} 1\n"));
    end();
}

TEST(no_room_is_an_error)
{
    begin();
    row(0, COUNTERS_LISTENER, "web", "");
    struct totals t;
    struct buf small;
    buf_init(&small, 100);
    totals_init(&t, &sources);
    CHECK_INT(metrics_write(&t, &small), -1);
    totals_fini(&t);
    buf_fini(&small);
    end();
}

/* A hundred listeners that each lead to a group of their own, a hundred targets: 50 ms are allowed
 * in a release build, on a quiet machine. */
TEST(a_hundred_listeners_and_targets_take_milliseconds)
{
    begin();
    for (size_t p = 0; p < PROCESSES; p++)
        for (unsigned i = 0; i < 100; i++) {
            char name[32];
            snprintf(name, sizeof(name), "listener-%u", i);
            row(p, COUNTERS_LISTENER, name, "");
            row(p, COUNTERS_ROUTE, name, name);
            row(p, COUNTERS_TARGET, name, name);
        }
    clock_t before = clock();
    size_t n = strlen(written());
    printf("# %zu bytes in %ld us\n", n, (long)((clock() - before) * 1000000 / CLOCKS_PER_SEC));
    CHECK(n > 100000);
    end();
}
