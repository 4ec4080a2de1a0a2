/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — regular expressions (PCRE2's syntax, octets), written by operators and matched against
 * what the network sends, hosts and paths, which are one line: all matches of a budget together
 * cost about a millisecond of the processor at most, and each a bounded amount of memory, whatever
 * the expressions and the subjects.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct regex;

/* -> NULL with what is wrong, and where in TEXT, for after the quoted text. */
struct regex *regex_new(const char *text, bool ignores_case, struct error *err) MUST_USE;
/* Frees and sets the pointer to NULL. */
void regex_free(struct regex **r);

/* What matching may cost for one request; begins as {0}, and runs from the first match on. */
struct regex_budget {
    uint64_t started_us, thread_us; /* then */
    bool is_running;
};

enum regex_answer {
    REGEX_DIFFERS,
    REGEX_MATCHES,  /* somewhere in the subject, unless the expression has anchors */
    REGEX_UNDECIDED /* the budget is spent: neither may be concluded */
};
enum regex_answer regex_match(
    const struct regex *r, struct bytes subject, struct regex_budget *budget);
