/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

/* For its table. */
#include "role/sandbox_filter.c"

/* Does every call that B lets through pass A? */
static bool covers(const struct rule *a, const struct rule *b)
{
    if (a->call != b->call || !(a->roles & SUPERVISOR))
        return false;
    for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
        const struct argument *x = &a->arguments[i], *y = NULL;
        for (size_t k = 0; k < ARGUMENTS_MAX; k++)
            if (b->arguments[k].mask && b->arguments[k].index == x->index)
                y = &b->arguments[k];
        if (x->mask && !(y && (x->mask & ~y->mask) == 0 && (y->value & x->mask) == x->value))
            return false;
    }
    return true;
}

static bool is_passed_by_supervisor(const struct rule *r)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (covers(&rules[i], r))
            return true;
    return false;
}

TEST(what_a_role_may_do_passes_the_filter_that_it_inherits)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (!is_passed_by_supervisor(&rules[i]))
            printf("# row %zu of sandbox_calls.def: system call %d\n", i + 1, rules[i].call);
        CHECK(is_passed_by_supervisor(&rules[i]));
    }
}
