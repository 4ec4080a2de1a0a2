/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — regular expressions (PCRE2's syntax, octets), written by operators and matched against
 * what the network sends, hosts and paths, which are one line: each match costs a bounded amount of
 * time and memory, whatever the expression and the subject.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct regex;

/* -> NULL with what is wrong, and where in TEXT, for after the quoted text. */
struct regex *regex_new(const char *text, bool ignores_case, struct error *err) MUST_USE;
/* Frees and sets the pointer to NULL. */
void regex_free(struct regex **r);

enum regex_answer {
    REGEX_DIFFERS,
    REGEX_MATCHES,  /* somewhere in the subject, unless the expression has anchors */
    REGEX_UNDECIDED /* the limits were reached: neither may be concluded */
};
enum regex_answer regex_match(const struct regex *r, struct bytes subject);
