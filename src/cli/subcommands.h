/* SPDX-License-Identifier: Apache-2.0 */
/* subcommands — commands of a command: `sallyport pki ca`. */
#pragma once

#include <stddef.h>

typedef int subcommand_fn(int argc, char **argv);

struct subcommand {
    const char *name;
    subcommand_fn *run;
    const char *help;
};

struct subcommands {
    const char *command, *about; /* "pki"; lines for its --help */
    const struct subcommand *rows;
    size_t rows_n;
};

/* Run the one that ARGV[1] names, or tell which there are. The exit status. */
int subcommands_run(const struct subcommands *s, int argc, char **argv);
