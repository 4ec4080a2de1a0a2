/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates one after the other, leaf first, anchor last. Checked as a path whatever their
 * signatures are, or no change would get past them; and searched for one, where a path that is
 * found must be one.
 */
#include "base/panic.h"
#include "fuzz.h"
#include "pki/der.h"
#include "pki/path_check.h"

#include "base/ban.h"

#define NOW 1300000000 /* 2011: most seeds are valid then */

static void read_all(struct bytes in, struct certificate_list *out)
{
    struct der_element e;
    while (out->n < PATH_LENGTH_MAX && in.n && der_next(&in, &e)) {
        struct certificate *c = certificate_parse(e.whole, NULL);
        if (c)
            certificate_list_add(out, c);
        certificate_unref(&c);
    }
}

static void check_as_path(const struct path_request *r, const struct certificate_list *l)
{
    struct path path = {.n = l->n, .has_anchor = l->n > 1}, again;
    for (size_t i = 0; i < l->n; i++)
        path.at[i] = l->at[i];
    again = path;
    struct path_budget budget = PATH_BUDGET;
    path_check(&path, r, &budget);
    ASSERT(!path.faults == !path.detail[0] && !(path.faults >> PATH_FAULT_COUNT));
    ASSERT(budget.comparisons <= PATH_BUDGET.comparisons);
    budget = PATH_BUDGET;
    path_check(&again, r, &budget);
    ASSERT(again.faults == path.faults && !strcmp(again.detail, path.detail));
}

static void search(const struct path_request *r)
{
    struct path_budget budget = PATH_BUDGET;
    struct path_search *s = path_search_new(r, &budget);
    struct path path;
    size_t found = 0;
    for (; path_search_next(s, &path); found++) {
        ASSERT(path.n && path.at[0] == r->leaf && !path.faults == !path.detail[0]);
        ASSERT(!path.has_anchor || path_store_has(r->store, path.at[path.n - 1]));
        ASSERT(path.has_anchor || path.faults);
        for (size_t i = 1; i < path.n && !path.faults; i++)
            ASSERT(certificate_issued_by(path.at[i - 1], path.at[i]));
    }
    ASSERT(found && found <= PATH_BUDGET.candidates);
    path_search_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct certificate_list all = {0}, anchors = {0};
    read_all((struct bytes){data, n}, &all);
    if (all.n) {
        certificate_list_add(&anchors, all.at[all.n - 1]);
        struct path_store *store = path_store_new(&anchors, n % 2);
        const struct path_request r = {
            .store = store,
            .leaf = all.at[0],
            .untrusted = (const struct certificate *const *)all.at,
            .untrusted_n = all.n,
            .purpose = (enum path_purpose)(n / 2 % (PATH_ANY + 1)),
            .depth_max = 8,
            .now_s = NOW,
            .policies = {.require_explicit = n / 8 % 2},
        };
        check_as_path(&r, &all);
        search(&r);
        path_store_free(&store);
    }
    certificate_list_fini(&anchors);
    certificate_list_fini(&all);
    return 0;
}
