/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/domain_map.h"
#include "test.h"

TEST(exact_before_suffix_before_prefix_and_the_longest_of_each)
{
    static const char *const names[] = {"www.example.com", "*.example.com", "*.www.example.com",
        "*.com", "www.example.*", "www.*", "b.c", "*.c"};
    static const struct {
        const char *host, *want;
    } rows[] = {
        {"www.example.com", "www.example.com"},
        {"a.example.com", "*.example.com"},
        {"a.b.example.com", "*.example.com"},
        {"a.www.example.com", "*.www.example.com"},
        {"example.com", "*.com"},
        {"www.example.org", "www.example.*"},
        {"www.example.co.uk", "www.example.*"},
        {"www.other.org", "www.*"},
        {"www.other.com", "*.com"}, /* a suffix wins over a prefix */
        {"b.c", "b.c"},
        {"a.b.c", "*.c"},
        {"com", NULL},
        {"c", NULL},
        {"", NULL},
        {".", NULL},
        {".com", NULL},
        {"www.", NULL},
        {"wwwXexample.com", "*.com"},
    };
    struct domain_map m = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        domain_map_add(&m, names[i], (void *)(uintptr_t)names[i]);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = domain_map_find(&m, bytes_of(rows[i].host));
        if (strcmp(rows[i].want ? rows[i].want : "none", got ? got : "none") != 0) {
            printf("# %s\n", rows[i].host);
            CHECK_TEXT(got ? got : "none", rows[i].want ? rows[i].want : "none");
        }
    }
    CHECK(domain_map_get(&m, "*.c") == names[7]);
    CHECK(domain_map_get(&m, "*.d") == NULL);
    domain_map_fini(&m);
}

TEST(an_empty_map_knows_nothing)
{
    struct domain_map m = {0};
    CHECK(domain_map_find(&m, BYTES("a.b")) == NULL);
    domain_map_fini(&m);
}
