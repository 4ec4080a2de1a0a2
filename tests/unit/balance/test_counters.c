/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in shared memory: found by their labels, carried on by the next process, read with distrust.
 */
#include <stdio.h>
#include <unistd.h>

#include "balance/counters.c"
#include "test.h"

static int fd;
static struct counters *counters;
static struct counters_view view;

static void begin(void)
{
    struct error err;
    CHECK_INT(counters_new(&fd, &err), 0);
    counters = counters_open(fd, &err);
    CHECK_INT(counters_map(fd, &view, &err), 0);
}

static void end(void)
{
    counters_close(&counters);
    counters_unmap(&view);
    close(fd);
}

static void restart(void)
{
    struct error err;
    counters_close(&counters);
    counters = counters_open(fd, &err);
}

static struct count *listener(const char *name)
{
    return counters_row(counters, COUNTERS_LISTENER, (const char *const[]){name});
}

struct found {
    unsigned rows_n;
    char labels[128];
    uint64_t first;
};

static void look(void *owner, const struct counters_seen *row)
{
    struct found *f = owner;
    f->rows_n++;
    snprintf(f->labels, sizeof(f->labels), "%s", row->labels.n ? (const char *)row->labels.at : "");
    f->first = count_get(&row->counts[0]);
}

static struct found read_all(void)
{
    struct found f = {0};
    counters_each(&view, look, &f);
    return f;
}

TEST(a_row_is_found_again_by_its_labels)
{
    begin();
    struct count *a = listener("a");
    CHECK(listener("b") != a);
    CHECK(listener("a") == a);
    /* "a","bc" and "ab","c" are different rows. */
    struct count *x = counters_row(counters, COUNTERS_ROUTE, (const char *const[]){"a", "bc"});
    CHECK(counters_row(counters, COUNTERS_ROUTE, (const char *const[]){"ab", "c"}) != x);
    CHECK(counters_row(counters, COUNTERS_TARGET, (const char *const[]){"a", "bc"}) != x);
    end();
}

TEST(a_reader_sees_what_is_counted)
{
    begin();
    CHECK_INT(read_all().rows_n, 0);
    count_add(&listener("web")[LISTENER_ACCEPTED], 3);
    struct found f = read_all();
    CHECK_INT(f.rows_n, 1);
    CHECK_TEXT(f.labels, "web");
    CHECK_INT(f.first, 3);
    end();
}

TEST(the_next_process_goes_on_but_for_gauges)
{
    begin();
    count_add(&listener("web")[LISTENER_ACCEPTED], 3);
    count_add(&listener("web")[LISTENER_OPEN], 2);
    restart();
    count_add(&listener("web")[LISTENER_ACCEPTED], 1);
    CHECK_INT(count_get(&listener("web")[LISTENER_ACCEPTED]), 4);
    CHECK_INT(count_get(&listener("web")[LISTENER_OPEN]), 0);
    CHECK_INT(read_all().rows_n, 1);
    end();
}

TEST(clearing_forgets_what_is_latest_only)
{
    begin();
    const char *labels[] = {"g", "t"};
    struct count *t = counters_row(counters, COUNTERS_TARGET, labels);
    count_set(&t[TARGET_IN_FORCE], 1);
    count_set(&t[TARGET_REQUESTS], 7);
    counters_clear(counters, COUNTERS_TARGET);
    CHECK_INT(count_get(&t[TARGET_IN_FORCE]), 0);
    CHECK_INT(count_get(&t[TARGET_REQUESTS]), 7);
    end();
}

TEST(many_rows_and_then_no_more_room)
{
    begin();
    char name[900];
    memset(name, 'x', sizeof(name));
    struct count *last = NULL, *more = listener(COUNTERS_MORE);
    unsigned n = 0;
    for (; last != more && n < 100000; n++) {
        snprintf(name, sizeof(name), "%0800u", n);
        last = listener(name);
    }
    CHECK(n > 10000 && n < 100000);
    const char *labels[] = {"new", name}, *labels_more[] = {COUNTERS_MORE, COUNTERS_MORE};
    CHECK(counters_row(counters, COUNTERS_ROUTE, labels) ==
          counters_row(counters, COUNTERS_ROUTE, labels_more));
    snprintf(name, sizeof(name), "%0800u", 17u);
    CHECK(listener(name) != more); /* who has a row keeps it */
    restart();
    CHECK(listener(name) != listener(COUNTERS_MORE));
    end();
}

TEST(a_label_too_long_is_cut)
{
    begin();
    static char name[COUNTERS_TEXT_MAX * 2];
    memset(name, 'x', sizeof(name) - 1);
    count_add(&listener(name)[0], 1);
    CHECK_INT(read_all().rows_n, 1);
    end();
}

/* Whatever stands in the memory, a reader stops before it and a writer goes on over it. */
TEST(nonsense_is_not_believed)
{
    static const struct row nonsense[] = {{.kind = COUNTERS_ROW_COUNT, .size = 16},
        {.kind = COUNTERS_LISTENER, .text_n = 60000, .size = 24},
        {.kind = COUNTERS_LISTENER, .text_n = 0, .size = 24},
        {.kind = COUNTERS_LISTENER, .text_n = 1, .size = 8},
        {.kind = COUNTERS_LISTENER, .text_n = 1, .size = UINT32_MAX}};
    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        begin();
        count_add(&listener("good")[0], 5);
        listener("spoilt");
        count_add(&listener("behind")[0], 9);
        struct row *r = own_row(counters, FIRST_ROW + own_row(counters, FIRST_ROW)->size);
        *r = nonsense[i];
        CHECK_TEXT(read_all().labels, "good");
        restart();
        CHECK_INT(count_get(&listener("good")[0]), 5);
        CHECK_INT(count_get(&listener("behind")[0]), 0);
        CHECK_INT(read_all().rows_n, 2);
        end();
    }
    begin();
    listener("a");
    atomic_store(&counters->memory->used, UINT32_MAX);
    CHECK_INT(read_all().rows_n, 0);
    /* Labels of a length that fits into the memory, but into no reader. */
    atomic_store(&counters->memory->used, COUNTERS_BYTES);
    *own_row(counters, FIRST_ROW) = (struct row){
        .kind = COUNTERS_LISTENER, .text_n = 60000, .size = row_size(COUNTERS_LISTENER, 60000)};
    ((uint8_t *)own_row(counters, FIRST_ROW))[row_size(COUNTERS_LISTENER, 60000) - 1] = 0;
    CHECK_INT(read_all().rows_n, 0);
    end();
}
