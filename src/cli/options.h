/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options — the command line of one command: a table of options and a number of arguments.
 *
 * Every option has a long name (`--ca FILE` or `--ca=FILE`) and perhaps a letter; `--` ends the
 * options; `--help` prints the table. What the table does not allow is told on stderr together with
 * what it does allow. Memory: values are borrowed from argv; lists own their array and are released
 * with options_list_fini.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

enum options_kind {
    OPTIONS_FLAG,   /* out: bool */
    OPTIONS_TEXT,   /* out: const char *; given twice is wrong usage */
    OPTIONS_LIST,   /* out: struct options_list; may be repeated */
    OPTIONS_NUMBER, /* out: unsigned, from min to max */
    OPTIONS_CHOICE, /* out: unsigned, the position of the word in value, "a|b|c" */
};

struct options_list {
    const char **at;
    size_t n;
};

struct options_row {
    const char *name; /* without "--" */
    char letter;      /* 0: none */
    enum options_kind kind;
    void *out;
    const char *value; /* what the help shows as its value: "FILE"; CHOICE: the words */
    const char *help;
    unsigned min, max; /* NUMBER */
};

struct options_syntax {
    const char *command;   /* "verify" */
    const char *arguments; /* as the help shows them: "CERT"; "" if there are none */
    const char *about;     /* one or more lines for --help */
    const struct options_row *rows;
    size_t rows_n;
    size_t arguments_min, arguments_max;
};

#define OPTIONS_EXIT_GOOD     0
#define OPTIONS_EXIT_NEGATIVE 1
#define OPTIONS_EXIT_USAGE    2 /* wrong usage, or input that cannot be read */

/* Read ARGV[1…]. True: go on, with what is no option in ARGUMENTS. False: end with *STATUS (help
 * was asked for, or the usage is wrong), and ARGUMENTS is empty. */
bool options_parse(const struct options_syntax *syntax, int argc, char **argv,
    struct options_list *arguments, int *status) MUST_USE;

void options_list_add(struct options_list *l, const char *text);
void options_list_fini(struct options_list *l);

/* Wrong usage that only the command can see: prints the sentence and where help is; returns
 * OPTIONS_EXIT_USAGE. */
int options_wrong(const struct options_syntax *syntax, const char *format, ...) PRINTF(2, 3);
