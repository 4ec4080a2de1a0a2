/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* PCRE2 can be told how many steps a match may take, and a step can be anything between the
 * comparison of an octet and a walk over the whole subject. So the first try has as many as are
 * short even then, each further one twice as many, and between two the processor's time is asked
 * for: all matches of a budget together take this much, and at most as much again. */
#define BUDGET_US   500
#define WALK_MAX    (1 << 18) /* octets: the first try's steps, were each a walk */
#define STEPS_FIRST (1 << 13) /* at most */
#define STEPS_MAX   (1 << 20)
#define HEAP_MAX    1024 /* KiB, for backtracking */

/* PCRE2 counts its steps anew at each place where a match could begin, and a long path has
 * thousands of these. As a part of the expression the search for the place is counted with the
 * rest. */
#define SEARCH  "(?s:.*?)(?:%s)"

#define WHY_MAX 128

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *found; /* one pair: that there is a match is all that we ask */
};

/* NULL if TEXT cannot be compiled; AT and WHY tell about it. */
static pcre2_code *compile(const char *text, uint32_t options, PCRE2_SIZE *at, char why[WHY_MAX])
{
    int code = 0;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
        options | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &code, at, NULL);
    if (!compiled)
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, WHY_MAX);
    return compiled;
}

/* Can a match begin at one place only: of the text, or (with ".*" in front) of a line? Hosts and
 * normalised paths are one line. */
static bool has_one_place(const pcre2_code *code)
{
    static const uint32_t of_line = 2;
    uint32_t options = 0, first = 0;
    int result = pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
    result |= pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODETYPE, &first);
    ASSERT(result == 0);
    return options & PCRE2_ANCHORED || first == of_line;
}

/* CODE, of TEXT, as an expression whose search is a part of it. */
static pcre2_code *with_search(
    pcre2_code *code, const char *text, uint32_t options, struct error *err)
{
    struct buf search;
    PCRE2_SIZE at;
    char why[WHY_MAX] = "";
    if (has_one_place(code))
        return code;
    pcre2_code_free(code);
    buf_init(&search, strlen(text) + sizeof(SEARCH));
    int result = buf_printf(&search, SEARCH "%c", text, 0);
    ASSERT(result == 0);
    code = compile((const char *)buf_bytes(&search).at, options | PCRE2_ANCHORED, &at, why);
    buf_fini(&search);
    if (!code)
        error_set(err,
            "is an expression that cannot be a part of another: %s; begin it with ^, or "
            "remove its comment or its (*VERB)",
            why);
    return code;
}

/* No just-in-time compiler: processes that talk to the network have no memory that is written and
 * executed. */
struct regex *regex_new(const char *text, bool ignores_case, struct error *err)
{
    PCRE2_SIZE at = 0;
    char why[WHY_MAX] = "";
    uint32_t options = ignores_case ? PCRE2_CASELESS : 0;
    pcre2_code *compiled = compile(text, options, &at, why);
    if (!compiled) {
        error_set(err, "is no regular expression: at character %zu: %s", (size_t)at + 1, why);
        return NULL;
    }
    compiled = with_search(compiled, text, options, err);
    if (!compiled)
        return NULL;
    struct regex *r = mem_alloc(sizeof(*r));
    *r = (struct regex){
        compiled, pcre2_match_context_create(NULL), pcre2_match_data_create(1, NULL)};
    ASSERT(r->limits && r->found); /* no memory */
    pcre2_set_heap_limit(r->limits, HEAP_MAX);
    return r;
}

void regex_free(struct regex **r)
{
    if (!*r)
        return;
    pcre2_code_free((*r)->code);
    pcre2_match_context_free((*r)->limits);
    pcre2_match_data_free((*r)->found);
    free(*r);
    *r = NULL;
}

/* The other clock costs less to read, and never shows less than this thread was given. */
static bool is_spent(struct regex_budget *b)
{
    if (!b->is_running)
        *b = (struct regex_budget){clock_monotonic_us(), clock_thread_us(), true};
    return clock_monotonic_us() - b->started_us > BUDGET_US &&
           clock_thread_us() - b->thread_us > BUDGET_US;
}

static uint32_t first_steps(size_t n)
{
    uint32_t steps = (uint32_t)(WALK_MAX / (n + 1)) + 1;
    return steps < STEPS_FIRST ? steps : STEPS_FIRST;
}

enum regex_answer regex_match(
    const struct regex *r, struct bytes subject, struct regex_budget *budget)
{
    const uint8_t *at = subject.n ? subject.at : (const uint8_t *)"";
    int result = PCRE2_ERROR_MATCHLIMIT;
    for (uint32_t steps = first_steps(subject.n);
         result == PCRE2_ERROR_MATCHLIMIT && steps <= STEPS_MAX && !is_spent(budget); steps *= 2) {
        pcre2_set_match_limit(r->limits, steps);
        result = pcre2_match(r->code, at, subject.n, 0, 0, r->found, r->limits);
    }
    if (result >= 0) /* 0: with more groups than there is room for */
        return REGEX_MATCHES;
    return result == PCRE2_ERROR_NOMATCH ? REGEX_DIFFERS : REGEX_UNDECIDED;
}
