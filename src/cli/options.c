/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"

#include "base/ban.h"

#define HELP_COLUMN 30

void options_list_add(struct options_list *l, const char *text)
{
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof(*l->at));
    l->at[l->n++] = text;
}

void options_list_fini(struct options_list *l)
{
    free(l->at);
    *l = (struct options_list){0};
}

int options_wrong(const struct options_syntax *syntax, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sallyport %s: ", syntax->command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n`sallyport %s --help` tells the usage.\n", syntax->command);
    va_end(args);
    return OPTIONS_EXIT_USAGE;
}

static void print_row(FILE *out, const struct options_row *row)
{
    char letter[8] = "";
    if (row->letter)
        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    int n = fprintf(out, "  %s--%s%s%s", letter, row->name, row->kind == OPTIONS_FLAG ? "" : " ",
        row->kind == OPTIONS_FLAG ? "" : row->value);
    fprintf(out, "%*s%s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", row->help,
        row->kind == OPTIONS_LIST ? " (may be repeated)" : "");
}

static void print_help(FILE *out, const struct options_syntax *syntax)
{
    fprintf(out, "usage: sallyport %s%s%s%s\n\n%s\n", syntax->command,
        syntax->rows_n ? " [OPTION…]" : "", *syntax->arguments ? " " : "", syntax->arguments,
        syntax->about);
    if (syntax->rows_n)
        fputs("\noptions:\n", out);
    for (size_t i = 0; i < syntax->rows_n; i++)
        print_row(out, &syntax->rows[i]);
}

/* NAME may be followed by "=value". */
static const struct options_row *find_long(const struct options_syntax *syntax, struct bytes name)
{
    for (size_t i = 0; i < syntax->rows_n; i++)
        if (bytes_equal(bytes_of(syntax->rows[i].name), name))
            return &syntax->rows[i];
    return NULL;
}

static const struct options_row *find_letter(const struct options_syntax *syntax, const char *text)
{
    for (size_t i = 0; i < syntax->rows_n; i++)
        if (syntax->rows[i].letter && text[0] == syntax->rows[i].letter && !text[1])
            return &syntax->rows[i];
    return NULL;
}

static int unknown(const struct options_syntax *syntax, const char *given)
{
    fprintf(stderr, "sallyport %s: no option '%s'; accepted are", syntax->command, given);
    for (size_t i = 0; i < syntax->rows_n; i++) {
        if (syntax->rows[i].letter)
            fprintf(stderr, " -%c,", syntax->rows[i].letter);
        fprintf(stderr, " --%s,", syntax->rows[i].name);
    }
    fputs(" --help\n", stderr);
    return -1;
}

static int set_number(
    const struct options_syntax *syntax, const struct options_row *row, const char *value)
{
    char *end = NULL;
    errno = 0;
    unsigned long n = strtoul(value, &end, 10);
    if (errno || *end || value[0] < '0' || value[0] > '9' || n < row->min || n > row->max) {
        options_wrong(syntax, "--%s is \"%s\"; accepted is a number from %u to %u", row->name,
            value, row->min, row->max);
        return -1;
    }
    *(unsigned *)row->out = (unsigned)n;
    return 0;
}

static int set_choice(
    const struct options_syntax *syntax, const struct options_row *row, const char *value)
{
    struct bytes words = bytes_of(row->value);
    for (unsigned i = 0; words.n; i++) {
        size_t n = bytes_find(words, '|');
        if (bytes_equal(bytes_first(words, n), bytes_of(value))) {
            *(unsigned *)row->out = i;
            return 0;
        }
        words = bytes_skip(words, n + 1);
    }
    options_wrong(syntax, "--%s is \"%s\"; accepted is %s", row->name, value, row->value);
    return -1;
}

static int set_value(
    const struct options_syntax *syntax, const struct options_row *row, const char *value)
{
    switch (row->kind) {
    case OPTIONS_FLAG:
        *(bool *)row->out = true;
        return 0;
    case OPTIONS_TEXT:
        if (*(const char **)row->out) {
            options_wrong(syntax, "--%s was given twice", row->name);
            return -1;
        }
        *(const char **)row->out = value;
        return 0;
    case OPTIONS_LIST:
        options_list_add(row->out, value);
        return 0;
    case OPTIONS_NUMBER:
        return set_number(syntax, row, value);
    case OPTIONS_CHOICE:
        return set_choice(syntax, row, value);
    }
    return -1;
}

/* One option at argv[*i], with its value; *I is left at the last word that belongs to it. */
static int take_option(const struct options_syntax *syntax, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    struct bytes name = is_long ? bytes_of(word + 2) : bytes_of(word + 1);
    if (equals)
        name.n = (size_t)(equals - (word + 2));
    const struct options_row *row =
        is_long ? find_long(syntax, name) : find_letter(syntax, word + 1);
    if (!row)
        return unknown(syntax, word);
    const char *value = equals ? equals + 1 : NULL;
    if (row->kind == OPTIONS_FLAG && value) {
        options_wrong(syntax, "--%s takes no value", row->name);
        return -1;
    }
    if (row->kind != OPTIONS_FLAG && !value) {
        if (*i + 1 >= argc) {
            options_wrong(syntax, "--%s needs a value: %s", row->name, row->value);
            return -1;
        }
        value = argv[++*i];
    }
    return set_value(syntax, row, value);
}

/* Lists that were filled before the mistake belong to nobody else now. */
static void release_lists(const struct options_syntax *syntax, struct options_list *arguments)
{
    for (size_t i = 0; i < syntax->rows_n; i++)
        if (syntax->rows[i].kind == OPTIONS_LIST)
            options_list_fini(syntax->rows[i].out);
    options_list_fini(arguments);
}

static bool check_arguments(const struct options_syntax *syntax, const struct options_list *given)
{
    if (given->n < syntax->arguments_min)
        options_wrong(syntax, "%s is missing", syntax->arguments);
    else if (given->n > syntax->arguments_max)
        options_wrong(syntax, "'%s' is one argument too many", given->at[syntax->arguments_max]);
    else
        return true;
    return false;
}

bool options_parse(const struct options_syntax *syntax, int argc, char **argv,
    struct options_list *arguments, int *status)
{
    *arguments = (struct options_list){0};
    *status = OPTIONS_EXIT_USAGE;
    bool only_arguments = false, good = true;
    for (int i = 1; i < argc && good; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && strcmp(argv[i], "--help") == 0) {
            print_help(stdout, syntax);
            *status = OPTIONS_EXIT_GOOD;
            good = false;
        } else if (!only_arguments && argv[i][0] == '-' && argv[i][1]) {
            good = take_option(syntax, argc, argv, &i) == 0;
        } else {
            options_list_add(arguments, argv[i]);
        }
    }
    good = good && check_arguments(syntax, arguments);
    if (!good)
        release_lists(syntax, arguments);
    return good;
}
