/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test — a unit test program: TEST(name) { CHECK(…); } …, TAP on stdout. `test_x NAME` runs only
 * that test. Include it in exactly one file per program; it brings main().
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void test_fn(void);
struct test_case {
    const char *name;
    test_fn *run;
    struct test_case *next;
};
static struct test_case *test_first, **test_last = &test_first;
static int test_failed;

#define TEST(name)                                                         \
    static void test_##name(void);                                         \
    static struct test_case test_case_##name = {#name, test_##name, NULL}; \
    __attribute__((constructor)) static void test_add_##name(void)         \
    {                                                                      \
        *test_last = &test_case_##name;                                    \
        test_last = &test_case_##name.next;                                \
    }                                                                      \
    static void test_##name(void)

#define CHECK(condition) \
    ((condition)         \
            ? (void)0    \
            : (test_failed = 1, (void)printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition)))
#define CHECK_INT(got, want)                                                                  \
    do {                                                                                      \
        long long got_ = (long long)(got), want_ = (long long)(want);                         \
        if (got_ != want_) {                                                                  \
            test_failed = 1;                                                                  \
            printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_); \
        }                                                                                     \
    } while (0)
#define CHECK_TEXT(got, want)                                                                     \
    do {                                                                                          \
        const char *got_ = (got), *want_ = (want);                                                \
        if (strcmp(got_, want_) != 0) {                                                           \
            test_failed = 1;                                                                      \
            printf("# %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got, got_, want_); \
        }                                                                                         \
    } while (0)

int main(int argc, char **argv)
{
    int count = 0, failures = 0;
    for (struct test_case *t = test_first; t; t = t->next) {
        if (argc > 1 && strcmp(argv[1], t->name) != 0)
            continue;
        test_failed = 0;
        t->run();
        printf("%s %d - %s\n", test_failed ? "not ok" : "ok", ++count, t->name);
        failures += test_failed;
    }
    printf("1..%d\n", count);
    return failures || !count;
}
