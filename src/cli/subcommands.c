/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/subcommands.h"

#include <stdio.h>
#include <string.h>

#include "cli/options.h"

#include "base/ban.h"

static int usage(const struct subcommands *s, FILE *out, int status)
{
    int width = 0;
    for (size_t i = 0; i < s->rows_n; i++)
        if ((int)strlen(s->rows[i].name) > width)
            width = (int)strlen(s->rows[i].name);
    fprintf(out, "usage: sallyport %s COMMAND [OPTION…]\n\n%s\n\n", s->command, s->about);
    for (size_t i = 0; i < s->rows_n; i++)
        fprintf(out, "  %-*s  %s\n", width, s->rows[i].name, s->rows[i].help);
    fprintf(out, "\n`sallyport %s COMMAND --help` tells the options.\n", s->command);
    return status;
}

int subcommands_run(const struct subcommands *s, int argc, char **argv)
{
    if (argc < 2)
        return usage(s, stderr, OPTIONS_EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0)
        return usage(s, stdout, OPTIONS_EXIT_GOOD);
    for (size_t i = 0; i < s->rows_n; i++)
        if (strcmp(argv[1], s->rows[i].name) == 0)
            return s->rows[i].run(argc - 1, argv + 1);
    fprintf(stderr, "sallyport %s: no command '%s'\n", s->command, argv[1]);
    return usage(s, stderr, OPTIONS_EXIT_USAGE);
}
