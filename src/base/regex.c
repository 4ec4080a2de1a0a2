/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/panic.h"

#include "base/ban.h"

/* What one match may do: some hundred times what sensible expressions need for a long path, and
 * at most a few milliseconds. */
#define STEPS_MAX 100000
#define HEAP_MAX  1024 /* KiB, for backtracking */

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *found; /* one pair: that there is a match is all that we ask */
};

/* No just-in-time compiler: processes that talk to the network have no memory that is written and
 * executed. */
struct regex *regex_new(const char *text, bool ignores_case, struct error *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t options =
        PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | (ignores_case ? PCRE2_CASELESS : 0);
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (!compiled) {
        PCRE2_UCHAR why[128] = "";
        pcre2_get_error_message(code, why, sizeof(why));
        error_set(err, "is no regular expression: at character %zu: %s", (size_t)at + 1, why);
        return NULL;
    }
    struct regex *r = mem_alloc(sizeof(*r));
    *r = (struct regex){
        compiled, pcre2_match_context_create(NULL), pcre2_match_data_create(1, NULL)};
    ASSERT(r->limits && r->found); /* no memory */
    pcre2_set_match_limit(r->limits, STEPS_MAX);
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

enum regex_answer regex_match(const struct regex *r, struct bytes subject)
{
    int result = pcre2_match(
        r->code, subject.n ? subject.at : (PCRE2_SPTR) "", subject.n, 0, 0, r->found, r->limits);
    if (result >= 0) /* 0: with more groups than there is room for */
        return REGEX_MATCHES;
    return result == PCRE2_ERROR_NOMATCH ? REGEX_DIFFERS : REGEX_UNDECIDED;
}
